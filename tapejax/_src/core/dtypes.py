"""Element types: `tf.DType`, with one object for each type, and conversion to and from NumPy's dtypes.

Mirrors https://www.tensorflow.org/api_docs/python/tf/dtypes. Every dtype exists once, so dtypes can be compared
with `is`. TensorFlow 1's reference types (`float32_ref`) are left out, because nothing in TensorFlow 2 makes them.
"""

import builtins
from typing import Any, Final

import ml_dtypes
import numpy as np

__all__ = [
    "QUANTIZED_DTYPES", "DType", "as_dtype", "from_numpy", "to_numpy",
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "half", "float16", "bfloat16", "float32", "float64", "double", "complex64", "complex128",
    "string", "resource", "variant", "qint8", "qint16", "qint32", "quint8", "quint16",
    "int2", "int4", "uint2", "uint4", "float4_e2m1fn",
    "float8_e4m3b11fnuz", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz",
]  # fmt: skip


class DType:
    """The type of a tensor's elements, such as `tf.float32`.

    `DType(type_enum)` returns the dtype that has this number in TensorFlow's files. Normally one writes
    `tf.float32` or `tf.as_dtype("float32")`.

    Args:
      type_enum: TensorFlow's number for the type, as in `tf.float32.as_datatype_enum`.

    Raises:
      TypeError: If no type has that number.

    >>> float32
    tf.float32
    >>> print(float32, float32.size, float32.is_floating)
    <dtype: 'float32'> 4 True
    >>> float32 == "float32", float32 == np.float32, float32 == float64
    (True, True, False)

    See https://www.tensorflow.org/api_docs/python/tf/dtypes/DType.
    """

    __slots__ = ("_enum", "_kind", "_name", "_np", "_numeric", "__weakref__")

    # Set by `_define`, the only place that makes instances.
    _enum: int
    # One letter for the kind of type: f floating, i signed integer, u unsigned integer, c complex, b boolean,
    # S string, q quantized; "" stands for opaque handles.
    _kind: str
    _name: str
    _np: np.dtype | None
    _numeric: builtins.bool

    def __new__(cls, type_enum: int) -> "DType":
        found = _BY_KEY.get(int(type_enum))
        if found is None:
            raise TypeError(f"`type_enum` {type_enum!r} is not the number of a TensorFlow type")
        return found

    @property
    def name(self) -> str:
        """The name, such as `"float32"`."""
        return self._name

    @property
    def as_datatype_enum(self) -> int:
        """TensorFlow's number for this type, as stored in its files."""
        return self._enum

    @property
    def as_numpy_dtype(self) -> Any:
        """The NumPy scalar class, such as `np.float32` or `ml_dtypes.bfloat16`; `object` for strings.

        Raises:
          KeyError: For `tf.resource` and `tf.variant`, which NumPy cannot hold.
        """
        if self._np is None:
            raise KeyError(f"{self} has no NumPy type")
        if self._kind == "q":
            return self._np
        return object if self._kind == "S" else self._np.type

    @property
    def is_floating(self) -> builtins.bool:
        """Whether this is a real floating-point type, including those of 8 bits and fewer."""
        return self._kind == "f"

    @property
    def is_integer(self) -> builtins.bool:
        """Whether this is a signed or unsigned integer type. Quantized types do not count."""
        return self._kind == "i" or self._kind == "u"

    @property
    def is_unsigned(self) -> builtins.bool:
        """Whether this is an unsigned integer type."""
        return self._kind == "u"

    @property
    def is_complex(self) -> builtins.bool:
        """Whether this is `complex64` or `complex128`."""
        return self._kind == "c"

    @property
    def is_bool(self) -> builtins.bool:
        """Whether this is `tf.bool`."""
        return self._kind == "b"

    @property
    def is_quantized(self) -> builtins.bool:
        """Whether this is one of TensorFlow's quantized types. tapejax names them, but has no operations on them."""
        return self._kind == "q"

    @property
    def is_numeric(self) -> builtins.bool:
        """Whether TensorFlow counts this type as numeric. Types of 2 and 4 bits and floats of 8 bits do not count."""
        return self._numeric

    @property
    def is_numpy_compatible(self) -> builtins.bool:
        """Whether NumPy arrays can hold this type. They can hold all but `tf.resource` and `tf.variant`."""
        return self._np is not None

    @property
    def base_dtype(self) -> "DType":
        """This dtype. (In TensorFlow 1, reference types had another dtype as their base.)"""
        return self

    @property
    def real_dtype(self) -> "DType":
        """The type of the real part: `float32` for `complex64`, `float64` for `complex128`, otherwise this dtype."""
        if self._kind != "c":
            return self
        return float32 if self is complex64 else float64

    @property
    def size(self) -> int:
        """The bytes that one element takes in memory; 0 for strings and handles. Types below 8 bits take a byte."""
        return 0 if self._kind in ("S", "") else self._np.itemsize  # type: ignore[union-attr]

    @property
    def min(self) -> Any:
        """The lowest value: an `int`, or a scalar of the floating type.

        Raises:
          TypeError: If the type is not integer or floating.
        """
        return self._info("minimum").min

    @property
    def max(self) -> Any:
        """The highest finite value: an `int`, or a scalar of the floating type.

        Raises:
          TypeError: If the type is not integer or floating.
        """
        return self._info("maximum").max

    def _info(self, what: str) -> Any:
        if self._kind == "f":
            return ml_dtypes.finfo(self._np)
        if self._kind in ("i", "u"):
            return ml_dtypes.iinfo(self._np)
        raise TypeError(f"Cannot find {what} value of {self}: only integer and floating types have one")

    @property
    def limits(self) -> tuple[Any, Any]:
        """The range of the pixel values of images of this type: (0, max) for integers, (0, 1) for floats.

        Raises:
          ValueError: If TensorFlow defines no such range for this type, such as for `float16`.
        """
        if self.is_integer and self._numeric:
            return 0, self.max
        if self is float32 or self is float64:
            return 0, 1
        if self is bool:
            return 0, True
        raise ValueError(f"{self} does not have defined limits.")

    def is_compatible_with(self, other: Any) -> builtins.bool:
        """Whether a value of dtype `other` can be used where this dtype is expected. It can if the two are equal.

        Args:
          other: Anything that `tf.as_dtype` accepts.

        Raises:
          TypeError: If `other` stands for no type.
        """
        return self is as_dtype(other)

    def is_subtype_of(self, other: Any) -> builtins.bool:
        """Whether this is the dtype `other`. `tf.function` asks this to decide whether two calls can share a trace."""
        return type(other) is DType and self is other

    def __eq__(self, other: Any) -> builtins.bool:
        if type(other) is DType:
            return self is other
        if other is None:
            return False
        try:
            return self is as_dtype(other)
        except TypeError:
            return False

    def __hash__(self) -> int:
        return self._enum

    def __int__(self) -> int:
        return self._enum

    def __repr__(self) -> str:
        return f"tf.{self._name}"

    def __str__(self) -> str:
        return f"<dtype: {self._name!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (self._name,)


# Three tables, filled by `_define` and `_also`. `_BY_KEY` maps everything that stands for a dtype (type numbers, names,
# Python and NumPy types, NumPy dtypes) to the DType, and `_TO_NUMPY` maps the same keys to NumPy dtypes.
# `_FROM_NUMPY` has NumPy dtypes as its only keys.
_BY_KEY: Final[dict[Any, DType]] = {}
_FROM_NUMPY: Final[dict[np.dtype, DType]] = {}
_TO_NUMPY: Final[dict[Any, np.dtype]] = {}


def _define(enum: int, name: str, kind: str, numpy_type: Any, *, numeric: builtins.bool = True) -> DType:
    self = object.__new__(DType)
    self._enum, self._name, self._kind, self._numeric = enum, name, kind, numeric
    self._np = None if numpy_type is None else np.dtype(numpy_type)
    _also(self, enum, name)
    if self._np is not None:
        _also(self, self._np)
        if kind != "q":
            _also(self, self._np.type)
        _FROM_NUMPY[self._np] = self
    return self


def _also(dtype: DType, *keys: Any) -> None:
    for key in keys:
        _BY_KEY[key] = dtype
        if dtype._np is not None:
            _TO_NUMPY[key] = dtype._np


float32 = _define(1, "float32", "f", np.float32)
float64 = _define(2, "float64", "f", np.float64)
int32 = _define(3, "int32", "i", np.int32)
uint8 = _define(4, "uint8", "u", np.uint8)
int16 = _define(5, "int16", "i", np.int16)
int8 = _define(6, "int8", "i", np.int8)
string = _define(7, "string", "S", object, numeric=False)
complex64 = _define(8, "complex64", "c", np.complex64)
int64 = _define(9, "int64", "i", np.int64)
bool = _define(10, "bool", "b", np.bool_, numeric=False)
qint8 = _define(11, "qint8", "q", [("qint8", np.int8)])
quint8 = _define(12, "quint8", "q", [("quint8", np.uint8)])
qint32 = _define(13, "qint32", "q", [("qint32", np.int32)])
bfloat16 = _define(14, "bfloat16", "f", ml_dtypes.bfloat16)
qint16 = _define(15, "qint16", "q", [("qint16", np.int16)])
quint16 = _define(16, "quint16", "q", [("quint16", np.uint16)])
uint16 = _define(17, "uint16", "u", np.uint16)
complex128 = _define(18, "complex128", "c", np.complex128)
float16 = _define(19, "float16", "f", np.float16)
resource = _define(20, "resource", "", None, numeric=False)
variant = _define(21, "variant", "", None, numeric=False)
uint32 = _define(22, "uint32", "u", np.uint32)
uint64 = _define(23, "uint64", "u", np.uint64)
float8_e5m2 = _define(24, "float8_e5m2", "f", ml_dtypes.float8_e5m2, numeric=False)
float8_e4m3fn = _define(25, "float8_e4m3fn", "f", ml_dtypes.float8_e4m3fn, numeric=False)
float8_e4m3fnuz = _define(26, "float8_e4m3fnuz", "f", ml_dtypes.float8_e4m3fnuz, numeric=False)
float8_e4m3b11fnuz = _define(27, "float8_e4m3b11fnuz", "f", ml_dtypes.float8_e4m3b11fnuz, numeric=False)
float8_e5m2fnuz = _define(28, "float8_e5m2fnuz", "f", ml_dtypes.float8_e5m2fnuz, numeric=False)
int4 = _define(29, "int4", "i", ml_dtypes.int4, numeric=False)
uint4 = _define(30, "uint4", "u", ml_dtypes.uint4, numeric=False)
int2 = _define(31, "int2", "i", ml_dtypes.int2, numeric=False)
uint2 = _define(32, "uint2", "u", ml_dtypes.uint2, numeric=False)
float4_e2m1fn = _define(33, "float4_e2m1fn", "f", ml_dtypes.float4_e2m1fn, numeric=False)
half = float16
double = float64

QUANTIZED_DTYPES: Final = frozenset({qint8, quint8, qint16, quint16, qint32})
"""The quantized types, `qint8` and so on."""

_also(float32, "float", float)
_also(float64, "double")
_also(float16, "half")
_also(bool, builtins.bool)
_also(string, object, np.str_, np.bytes_)
# NumPy has some integer sizes twice, also under C's names. Which sizes these are depends on the platform.
for _scalar in (np.intc, np.long, np.longlong, np.uintc, np.ulong, np.ulonglong):
    _also(_FROM_NUMPY[np.dtype(_scalar)], _scalar)


def as_dtype(type_value: Any) -> DType:
    """Converts a value that stands for an element type to a `DType`.

    Args:
      type_value: A DType; a name (`"float32"`, `"half"`); a NumPy dtype or scalar class; `float`, `bool` or
        `object`; one of TensorFlow's type numbers; or an object whose `dtype` is a NumPy dtype. As in
        TensorFlow, `int`, `complex` and `str` are refused, because they name no size.

    Returns:
      The DType, the same object each time.

    Raises:
      TypeError: If `type_value` stands for no TensorFlow type.

    >>> as_dtype("half"), as_dtype(np.int64), as_dtype(np.zeros(2)), as_dtype(float)
    (tf.float16, tf.int64, tf.float64, tf.float32)

    See https://www.tensorflow.org/api_docs/python/tf/dtypes/as_dtype.
    """
    if type(type_value) is DType:
        return type_value
    try:
        return _BY_KEY[type_value]
    except (KeyError, TypeError):
        pass  # `type_value` is not a key of the table, or is not hashable, such as an array.
    try:
        numpy_dtype = type_value if isinstance(type_value, np.dtype) else np.dtype(type_value.dtype)
        return from_numpy(numpy_dtype)
    except (AttributeError, TypeError):
        raise TypeError(f"Cannot convert the argument `type_value`: {type_value!r} to a TensorFlow DType.") from None


def from_numpy(dtype: np.dtype) -> DType:
    """The DType of a NumPy dtype. It takes one dictionary look-up for common dtypes.

    Args:
      dtype: A NumPy dtype of any byte order. Strings of every length give `tf.string`.

    Raises:
      TypeError: If TensorFlow has no such type.

    >>> from_numpy(np.dtype("float32")), from_numpy(np.dtype("S3"))
    (tf.float32, tf.string)
    """
    found = _FROM_NUMPY.get(dtype)
    if found is None:
        found = string if dtype.kind in "SU" else _FROM_NUMPY.get(dtype.newbyteorder("="))
    if found is None:
        raise TypeError(f"NumPy's dtype {dtype!r} has no TensorFlow equivalent")
    return found


def to_numpy(dtype: Any) -> np.dtype:
    """The NumPy dtype of anything that `as_dtype` accepts. It takes one dictionary look-up for common dtypes.

    Args:
      dtype: A DType, a name, a NumPy dtype and so on.

    Returns:
      The NumPy dtype, in native byte order; `object` for strings.

    Raises:
      TypeError: If `dtype` stands for no TensorFlow type, or for one that NumPy arrays cannot hold
        (`tf.resource`, `tf.variant`).

    >>> to_numpy(float32), to_numpy("bfloat16"), to_numpy(string)
    (dtype('float32'), dtype(bfloat16), dtype('O'))
    """
    if type(dtype) is DType:
        found = dtype._np
    else:
        try:
            return _TO_NUMPY[dtype]
        except (KeyError, TypeError):
            found = as_dtype(dtype)._np
    if found is None:
        raise TypeError(f"{as_dtype(dtype)} has no NumPy type")
    return found
