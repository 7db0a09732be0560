"""Conversion to tensors, by TensorFlow's rules for Python numbers, lists, NumPy and JAX arrays, and variables."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import policy, stream, trie
from tapejax._src.engine.aval import scalar_kind

__all__ = [
    "NotATensor",
    "constant",
    "convert_to_tensor",
    "match",
    "refuse_conversion",
    "is_tensor_like",
    "register_conversion",
    "register_tensor_conversion_function",
    "to_tensor",
]

_F32, _I32, _I64 = np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.int64)
_converters: dict[type, Callable[[Any], Tensor]] = {Tensor: lambda t: t}
# Ops that conversion needs. They are set by `provide`, because this package must not import `tapejax._src.ops`.
_provided: dict[str, Callable[..., Tensor]] = {}
# The user's functions from `tf.register_tensor_conversion_function`, sorted by priority.
_functions: list[tuple[int, tuple[type, ...], Callable[..., Any]]] = []


def register_conversion(cls: type, convert: Callable[[Any], Tensor]) -> None:
    """Registers the function that converts objects of a class to tensors."""
    _converters[cls] = convert


class NotATensor(ValueError):
    """A composite of several tensors, such as a sparse tensor, was given where one tensor is expected.

    The caller of an op catches this error and looks for a function that accepts the composite
    (`tapejax._src.core.public.version`).

    Attributes:
      value: the composite.
    """

    def __init__(self, value: Any):
        super().__init__(f"Attempt to convert a value with an unsupported type ({type(value)}) to a Tensor.")
        self.value = value


def refuse_conversion(value: Any) -> Tensor:
    """The conversion function for classes of composites: it always raises `NotATensor`."""
    raise NotATensor(value)


def provide(name: str, fn: Callable[..., Tensor]) -> None:
    """Sets an op that conversion needs: "stack" or "identity". The package `tapejax._src.ops` calls this."""
    _provided[name] = fn


def identity(tensor: Tensor) -> Tensor:
    """Another tensor object of the same value. Tapes distinguish tensors by their identity as objects."""
    return _provided["identity"](tensor)


def to_tensor(value: Any, dtype: np.dtype | None = None, hint: np.dtype | None = None) -> Tensor:
    """Converts a value to a tensor.

    Args:
      value: a tensor, variable, number, (nested) list, NumPy array or JAX array.
      dtype: the dtype that the result must have. A tensor of another dtype is refused.
      hint: the dtype of the result if `value` is not a tensor and its values fit this dtype.

    Raises:
      ValueError: `value` is a tensor of another dtype, or a list whose rows have different lengths.
      TypeError: `value` does not fit `dtype`.
    """
    convert = _converters.get(type(value))
    if convert is not None:
        tensor = convert(value)
        if dtype is not None and tensor.aval.dtype != dtype:
            raise ValueError(
                f"Tensor conversion requested dtype {dtype.name} for Tensor with dtype "
                f"{tensor.aval.dtype.name}: {tensor!r}"
            )
        return tensor
    if isinstance(value, jax.Array):
        return _of_jax(value, dtype)
    if isinstance(value, (list, tuple)) and _holds_tensors(value):
        first = next(t.aval.dtype for t in _tensors(value))
        return _provided["stack"]([to_tensor(v, dtype or first) for v in value])
    if hasattr(value, "__tf_tensor__"):
        return getattr(value, "__tf_tensor__")(dtype)  # noqa: B009 (a protocol pyright does not know)
    if _functions and (tensor := _by_function(value, dtype)) is not None:
        return tensor
    for cls, convert in tuple(_converters.items()):
        if isinstance(value, cls):
            _converters[type(value)] = convert
            return to_tensor(value, dtype)
    array = _to_numpy(value, dtype, hint)
    if isinstance(value, np.ndarray) and value.ndim:
        policy.host_array_entered(stream.thread, lambda: _site(array))
    return from_value(array)


def _by_function(value: Any, dtype: np.dtype | None) -> Tensor | None:
    wanted = None if dtype is None else dtypes.from_numpy(dtype)
    for _, types, function in _functions:
        if isinstance(value, types):
            result = function(value, dtype=wanted, name=None, as_ref=False)
            if result is NotImplemented:
                continue
            if not isinstance(result, Tensor):
                raise RuntimeError(f"Conversion function {function!r} returned non-Tensor: {result!r}")
            if wanted is not None and result.dtype != wanted:
                raise RuntimeError(
                    f"Conversion function {function!r} returned incompatible dtype: requested "
                    f"{wanted.name}, actual {result.dtype.name}"
                )
            return result
    return None


def _of_jax(value: Any, dtype: np.dtype | None) -> Tensor:
    if dtype is not None and value.dtype != dtype:
        raise ValueError(f"Tensor conversion requested dtype {dtype.name} for a JAX array of {value.dtype.name}")
    with jax.enable_x64(True):
        return from_value(jax.lax.convert_element_type(value, value.dtype) if value.weak_type else value)


def _site(array: np.ndarray) -> Any:
    """A key for the place in the user's code where a NumPy array was converted, with the array's shape and dtype.

    The place consists of the user's current frame and the frame that called it.
    """
    frame = trie.user_frame()
    outer = frame.f_back if frame is not None else None
    return (array.shape, array.dtype, *((f.f_code, f.f_lasti) for f in (frame, outer) if f is not None))


def is_tensor_like(value: Any) -> bool:
    """Whether a value is a tensor, an array of JAX, or an object of a class with its own conversion to a tensor."""
    return type(value) in _converters or isinstance(value, jax.Array)


def _holds_tensors(value: Any) -> bool:
    return any(
        type(v) in _converters or isinstance(v, jax.Array) or (isinstance(v, (list, tuple)) and _holds_tensors(v))
        for v in value
    )


def _tensors(value: Any) -> Any:
    for v in value:
        if type(v) in _converters or isinstance(v, jax.Array):
            yield to_tensor(v)
        elif isinstance(v, (list, tuple)):
            yield from _tensors(v)


def _leaf(value: Any) -> Any:
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return value


def _to_numpy(value: Any, dtype: np.dtype | None, hint: np.dtype | None) -> np.ndarray:
    """`value` as a new NumPy array, so that later changes to `value` do not reach a program that is still pending."""
    try:
        array = np.array(value)
    except ValueError as e:
        raise ValueError(f"Can't convert non-rectangular Python sequence to Tensor: {e}") from None
    kind = array.dtype.kind
    if kind in "SUO":
        if kind != "O" and not isinstance(value, np.ndarray):
            array = np.array(value, object)  # NumPy's string types would drop null bytes at the end
        if not all(isinstance(v, (str, bytes)) for v in array.ravel()):
            raise ValueError(
                f"Attempt to convert a value ({value!r}) with an unsupported type ({type(value)}) to a Tensor."
            )
        if dtype is not None and dtype.kind != "O":
            raise TypeError(f"Cannot convert {value!r} to EagerTensor of dtype {dtype.name}")
        flat = [v.encode() if isinstance(v, str) else bytes(v) for v in array.ravel().tolist()]
        out = np.empty(array.size, object)
        out[:] = flat
        return out.reshape(array.shape)
    wanted = dtype
    if wanted is None and hint is not None and _fits(kind, hint, isinstance(value, np.ndarray)):
        wanted = hint
    if wanted is None:
        leaf = _leaf(value)
        if isinstance(leaf, (np.ndarray, np.generic)) or hasattr(leaf, "__array__"):
            return array
        if kind == "f" or array.size == 0:
            return array.astype(_F32)
        if kind in "iu":
            small = array.size == 0 or (array.min() >= -(2**31) and array.max() < 2**31)
            return array.astype(_I32 if small else _I64)
        return array
    if wanted.kind == "O":
        raise TypeError(f"Cannot convert {value!r} to EagerTensor of dtype string")
    if not isinstance(value, (np.ndarray, np.generic)) and array.size:
        if not _fits(kind, wanted, False):
            raise TypeError(f"Cannot convert {value!r} to EagerTensor of dtype {wanted.name}")
        if wanted.kind in "iu" and kind in "iu":
            info = np.iinfo(wanted)
            if array.min() < info.min or array.max() > info.max:
                raise TypeError(f"Cannot convert {value!r} to EagerTensor of dtype {wanted.name}: out of range")
    return array.astype(wanted)


def _fits(kind: str, wanted: np.dtype, is_array: bool) -> bool:
    """Whether TensorFlow converts values of NumPy's dtype kind `kind` to `wanted` without an explicit cast."""
    if is_array:
        return kind != "c" or wanted.kind == "c"
    if kind == "b":
        return wanted.kind == "b"
    if wanted.kind == "b":
        return False
    order = {"i": 0, "u": 0, "f": 1, "V": 1, "c": 2}
    return order.get(kind, 3) <= order.get(wanted.kind, -1)


def match(values: list[Any]) -> list[Any]:
    """Converts the arguments of an op to the dtype of the first tensor among them, for `engine.stream.record`.

    A Python number becomes a pair ``(number, ScalarKind)``. The program takes it as an input, so that another number
    does not need another program. Tensors of different dtypes are not refused here, but by the op.

    Raises:
      TypeError: a number does not fit the dtype.
    """
    dtype = None
    out = []
    tensors = True
    for v in values:
        convert = _converters.get(v.__class__)
        if convert is not None:
            v = convert(v)
        elif isinstance(v, jax.Array):
            v = to_tensor(v)
        else:
            tensors = False
            out.append(v)
            continue
        if dtype is None:
            dtype = v.aval.dtype
        out.append(v)
    if tensors:
        return out
    for i, v in enumerate(out):
        if isinstance(v, Tensor):
            continue
        if dtype is None:
            out[i] = v = to_tensor(v)
            dtype = v.aval.dtype
        elif type(v) in (float, int, bool):
            out[i] = number(v, dtype)
        else:
            out[i] = to_tensor(v, None, dtype) if isinstance(v, np.ndarray) else to_tensor(v, dtype)
    return out


def number(value: Any, dtype: np.dtype) -> tuple[Any, Any]:
    """A Python number as an input of a program: a pair ``(number, ScalarKind)``.

    Raises:
      TypeError: TensorFlow does not convert the number to `dtype`.
    """
    kind = type(value)
    if (kind is float and dtype.kind in "fVc") or (kind is int and dtype.kind in "fVc"):
        return (value, scalar_kind(dtype))
    if kind is bool and dtype.kind == "b":
        return (value, scalar_kind(dtype))
    if kind is int and dtype.kind in "iu":
        info = np.iinfo(dtype)
        if info.min <= value <= info.max:
            return (value, scalar_kind(dtype))
    raise TypeError(f"Cannot convert {value!r} to EagerTensor of dtype {dtypes.from_numpy(dtype).name}")


def convert_to_tensor(value: Any, dtype: Any = None, dtype_hint: Any = None, name: str | None = None) -> Tensor:
    """Converts a value to a `Tensor`.

    Args:
      value: a tensor, variable, number, string, (nested) list, NumPy array or JAX array.
      dtype: the `DType` that the result must have. A tensor of another dtype is refused; other values must fit.
      dtype_hint: the `DType` of the result if `dtype` is None and the values fit it.
      name: of no effect.

    Returns:
      A `Tensor`. A tensor is returned as it is.

    Raises:
      ValueError: `value` is a tensor of another dtype, or a list whose rows have different lengths.
      TypeError: `value` does not fit `dtype`.

    Source: https://www.tensorflow.org/api_docs/python/tf/convert_to_tensor

    >>> convert_to_tensor([1, 2]).dtype
    tf.int32
    """
    wanted = None if dtype is None else dtypes.to_numpy(dtype)
    tensor = to_tensor(value, wanted, None if dtype_hint is None else dtypes.to_numpy(dtype_hint))
    if tensor is not value and type(value) in _converters:
        # A variable's own tensor is never given to the user, because tapes recognize a variable by that object.
        return identity(tensor)
    return tensor


def register_tensor_conversion_function(
    base_type: Any, conversion_func: Callable[..., Any], priority: int = 100
) -> None:
    """Registers a function that converts objects of a class to tensors. All operations use it for their arguments.

    Args:
      base_type: the class, or a tuple of classes. Objects of subclasses are converted too.
      conversion_func: a function of the object and of the keywords `dtype` (the `DType` that the tensor must have, or
        None), `name` and `as_ref` (False). It returns a tensor, or NotImplemented to let the next function try.
      priority: functions with lower numbers are tried first.

    Raises:
      TypeError: `base_type` is not a class, or is a class of numbers or arrays; or `conversion_func` is not
        callable.

    Source: https://www.tensorflow.org/api_docs/python/tf/register_tensor_conversion_function

    >>> class Metres:
    ...     def __init__(self, value):
    ...         self.value = value
    >>> register_tensor_conversion_function(Metres, lambda x, dtype=None, **_: constant(x.value, dtype))
    >>> (constant(1.0) + Metres(2)).numpy().item()
    3.0
    """
    types = base_type if isinstance(base_type, tuple) else (base_type,)
    if not all(isinstance(cls, type) for cls in types):
        raise TypeError(f"Argument `base_type` must be a type or a tuple of types. Obtained: {base_type}")
    if any(issubclass(cls, (int, float, np.generic, np.ndarray)) for cls in types):
        raise TypeError("Cannot register conversions for Python numeric types and NumPy scalars and arrays.")
    if not callable(conversion_func):
        raise TypeError(f"Argument `conversion_func` must be callable. Received {conversion_func}.")
    _functions.append((priority, types, conversion_func))
    _functions.sort(key=lambda entry: entry[0])


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str = "Const") -> Tensor:
    """Makes a tensor of a constant value.

    Args:
      value: a number, string, (nested) list or array. A tensor is returned as it is.
      dtype: the `DType` of the result. By default Python floats give float32, and ints give int32, or int64 if they
        are too large for int32.
      shape: the shape of the result. The values are reshaped to it; a single value is repeated.
      name: of no effect.

    Returns:
      A `Tensor`.

    Raises:
      TypeError: `value` does not fit `dtype`, or does not have as many elements as `shape`.
      ValueError: `value` is a list whose rows have different lengths.

    Source: https://www.tensorflow.org/api_docs/python/tf/constant

    >>> constant(7.0, shape=(2,)).numpy().tolist()
    [7.0, 7.0]
    """
    wanted = None if dtype is None else dtypes.to_numpy(dtype)
    tensor = convert_to_tensor(value, wanted)
    if shape is None:
        return tensor
    dims = tuple(int(d) for d in np.atleast_1d(np.asarray(shape, dtype=np.int64)))
    array = stream.host(tensor)
    size = int(np.prod(dims, dtype=np.int64))
    if array.size == size:
        return from_value(array.reshape(dims))
    if array.size == 1:
        return from_value(np.full(dims, array.reshape(())[()], array.dtype))
    raise TypeError(
        f"Eager execution of tf.constant with unsupported shape. Tensor {array!r} (converted from "
        f"{value!r}) has {array.size} elements, but got `shape` {dims} with {size} elements)."
    )
