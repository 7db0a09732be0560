"""`tf.io.serialize_tensor` and `tf.io.parse_tensor`: tensors in TensorFlow's message `TensorProto`.

The message is read and written without the protobuf package. Reading only interprets bytes as data; nothing that is
read is executed.
"""

import math
from typing import Any

import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid_value
from tapejax._src.core.convert import constant, to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.shape import TensorShape
from tapejax._src.core.tensor import from_value
from tapejax._src.ops.io.files import one_bytes, string_array
from tapejax._src.ops.io.message import read_floats, read_ints
from tapejax._src.ops.io.wire import BYTES, FIXED64, field, fields, signed, varint

__all__ = ["TensorProto", "make_ndarray", "make_tensor_proto", "pack", "parse_tensor", "serialize_tensor", "unpack"]

# The numbers of the fields of TensorProto.
_DTYPE, _SHAPE, _CONTENT = 1, 2, 4
_HALF, _FLOAT, _DOUBLE, _INT, _STRING, _SCOMPLEX, _INT64, _BOOL, _DCOMPLEX = 13, 5, 6, 7, 8, 9, 10, 11, 12
_UINT32, _UINT64 = 16, 17


def pack(array: np.ndarray) -> bytes:
    """An array as a TensorProto. Strings are an array of `bytes` objects."""
    dims = b"".join(field(2, b"\x08" + varint(n) if n else b"") for n in array.shape)
    head = varint(_DTYPE << 3) + varint(dtypes.from_numpy(array.dtype).as_datatype_enum) + field(_SHAPE, dims)
    if array.dtype.kind == "O":
        return head + b"".join(field(_STRING, v) for v in array.reshape(-1))
    content = np.ascontiguousarray(array).tobytes()
    return head + (field(_CONTENT, content) if content else b"")


def unpack(data: Any) -> np.ndarray:
    """The array in a TensorProto. Its values may be raw bytes, or in the typed fields that other programs write.

    Raises:
      ValueError: `data` is not a TensorProto.
    """
    dtype, shape, content = np.dtype(np.float32), (), None
    lists: dict[int, list[Any]] = {}
    for number, wire, value in fields(data):
        if number == _DTYPE:
            dtype = dtypes.to_numpy(dtypes.DType(value))
        elif number == _SHAPE:
            shape = tuple(_dim(v) for n, _, v in fields(value) if n == 2)
        elif number == _CONTENT:
            content = value
        elif number >= 5:
            lists.setdefault(number, []).append((wire, value))
    size = math.prod(shape)
    if min(shape, default=0) < 0:
        raise ValueError(f"a tensor's shape is {shape}")
    if content is not None and dtype.kind != "O":
        return np.frombuffer(content, dtype).reshape(shape).copy()
    values = _typed(dtype, lists)
    if len(values) > size:
        raise ValueError(f"{len(values)} values for shape {shape}")
    if len(values) < size:  # the last value stands for all that are missing
        out = np.zeros(size, dtype) if dtype.kind != "O" else string_array([b""] * size)
        out[: len(values)] = values
        if len(values):
            out[len(values) :] = values[-1:]
        values = out
    return values.reshape(shape)


def _dim(data: Any) -> int:
    return next((signed(v) for n, _, v in fields(data) if n == 1), 0)


def _typed(dtype: np.dtype, lists: dict[int, list[Any]]) -> np.ndarray:
    def ints(number: int) -> np.ndarray:
        return _joined([read_ints(w, v) for w, v in lists.get(number, ())], np.dtype(np.int64))

    def floats(number: int) -> np.ndarray:
        return _joined([read_floats(w, v) for w, v in lists.get(number, ())], np.dtype(np.float32))

    def doubles(number: int) -> np.ndarray:
        return _joined(
            [np.frombuffer(v, "<f8") for w, v in lists.get(number, ()) if w in (BYTES, FIXED64)], np.dtype(np.float64)
        )

    name = dtypes.from_numpy(dtype).name
    if name == "string":
        return string_array([bytes(v) for _, v in lists.get(_STRING, ())])
    if name in ("float16", "bfloat16"):
        return ints(_HALF).astype(np.uint16).view(dtype)
    special = {"float32": lambda: floats(_FLOAT), "float64": lambda: doubles(_DOUBLE),
               "complex64": lambda: floats(_SCOMPLEX).view(np.complex64),
               "complex128": lambda: doubles(_DCOMPLEX).view(np.complex128)}  # fmt: skip
    if name in special:
        return special[name]()
    number = {"int64": _INT64, "bool": _BOOL, "uint32": _UINT32, "uint64": _UINT64}.get(name, _INT)
    return ints(number).astype(dtype)


def _joined(parts: list[np.ndarray], dtype: np.dtype) -> np.ndarray:
    return np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype)


@public("io.serialize_tensor")
def serialize_tensor(tensor: Any, name: Any = None) -> Any:
    """Writes a tensor as a string. It has the format of TensorFlow, which can read it.

    Args:
      tensor: a tensor.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A scalar string tensor.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/serialize_tensor

    >>> parse_tensor(serialize_tensor([1.0, 2.0]), "float32").numpy().tolist()
    [1.0, 2.0]
    """
    return from_value(np.array(pack(np.asarray(to_tensor(tensor))), object))


@public("io.parse_tensor")
def parse_tensor(serialized: Any, out_type: Any, name: Any = None) -> Any:
    """Reads a tensor from a string that `serialize_tensor` wrote, here or in TensorFlow.

    Args:
      serialized: a scalar string tensor.
      out_type: the tensor's dtype.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `serialized` is not a serialised tensor, or the tensor has another dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/parse_tensor

    >>> parse_tensor(serialize_tensor([1, 2]), "int32").numpy().tolist()
    [1, 2]
    """
    data, wanted = one_bytes(serialized, "serialized"), dtypes.to_numpy(out_type)
    try:
        array = unpack(data)
    except (ValueError, TypeError) as e:
        raise invalid_value(f"Could not parse `serialized` as TensorProto: {e}") from None
    if array.dtype != wanted:
        raise invalid_value(
            f"Type mismatch between parsed tensor ({dtypes.from_numpy(array.dtype).name}) and dtype "
            f"({dtypes.from_numpy(wanted).name})"
        )
    return from_value(array)


class TensorProto:
    """A tensor as TensorFlow's protobuf message, which `make_tensor_proto` makes.

    Attributes:
      dtype: TensorFlow's number of the dtype.
      tensor_shape: a `TensorShape`.
    """

    def __init__(self, data: bytes):
        array = unpack(data)
        self._data = data
        self.dtype = dtypes.from_numpy(array.dtype).as_datatype_enum
        self.tensor_shape = TensorShape(array.shape)

    def SerializeToString(self) -> bytes:  # noqa: N802 (protobuf's name)
        """The message as bytes, which TensorFlow can read."""
        return self._data

    @classmethod
    def FromString(cls, data: bytes) -> "TensorProto":  # noqa: N802
        """Makes a message from its bytes.

        Raises:
          ValueError: `data` is not a TensorProto.
        """
        return cls(bytes(data))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorProto) and self._data == other._data

    def __hash__(self) -> int:
        return hash(self._data)


@public("make_tensor_proto")
def make_tensor_proto(
    values: Any, dtype: Any = None, shape: Any = None, verify_shape: bool = False, allow_broadcast: bool = False
) -> TensorProto:
    """Makes TensorFlow's protobuf message of numbers or strings.

    Args:
      values: a number, a string, a (nested) list, an array, or a tensor.
      dtype: the `DType` of the message; by default that of the values.
      shape: the shape of the message; by default that of the values. If there are fewer values, the last one is
        repeated.
      verify_shape: whether the values must have the given shape.
      allow_broadcast: must not be combined with `verify_shape`, as in TensorFlow.

    Raises:
      TypeError: the values do not fit `dtype`, or do not have the shape that is verified.
      ValueError: the list is ragged, or there are too many values.

    Source: https://www.tensorflow.org/api_docs/python/tf/make_tensor_proto

    >>> make_ndarray(make_tensor_proto([1.0, 2.0])).tolist()
    [1.0, 2.0]
    """
    if verify_shape and allow_broadcast:
        raise ValueError("allow_broadcast and verify_shape are not both allowed.")
    array = np.asarray(constant(values, dtype))
    if shape is None:
        return TensorProto(pack(array))
    wanted = tuple(int(n) for n in np.atleast_1d(np.asarray(shape, np.int64)))
    if verify_shape and wanted != array.shape:
        raise TypeError(f"Expected Tensor's shape: {wanted}, but got {array.shape}.")
    size = math.prod(wanted)
    if array.size > size:
        raise ValueError(f"Too many elements provided. Needed at most {size}, but received {array.size}")
    flat = array.reshape(-1)
    if array.size < size:  # the last value stands for all that are missing
        flat = np.concatenate([flat, np.repeat(flat[-1:], size - array.size)])
    return TensorProto(pack(flat.reshape(wanted)))


@public("make_ndarray")
def make_ndarray(tensor: Any) -> np.ndarray:
    """The array in a protobuf message, which tapejax or TensorFlow made.

    Args:
      tensor: a `TensorProto`.

    Raises:
      AttributeError: `tensor` is something else.
      ValueError: `tensor` is another message.

    Source: https://www.tensorflow.org/api_docs/python/tf/make_ndarray

    >>> make_ndarray(make_tensor_proto(7, shape=[2])).tolist()
    [7, 7]
    """
    return unpack(tensor.SerializeToString())
