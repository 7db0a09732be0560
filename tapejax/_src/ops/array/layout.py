"""Ops that rearrange the elements of one tensor: `reshape`, `transpose`, `tile`, `pad`, `roll`.

The ops that programs apply to shapes also have a NumPy function (`host`), so that arithmetic on shapes records nothing
and flushes nothing. This file also has the functions that convert static arguments: axes, shapes and other integers.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core.checks import invalid, invalid_value
from tapejax._src.core.convert import provide, to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.shape import TensorShape
from tapejax._src.core.tensor import Tensor
from tapejax._src.ops.registry import Array, Axis, Same, Shape, op

__all__ = [
    "broadcast_to",
    "expand_dims",
    "identity",
    "identity_n",
    "pad",
    "repeat",
    "reshape",
    "reverse",
    "roll",
    "squeeze",
    "stop_gradient",
    "tile",
    "transpose",
]


def check_axis(axis: int, ndim: int, what: str, error: Callable[[str], Exception] = invalid) -> int:
    """An axis as a number that is not negative.

    Args:
      axis: the axis; negative numbers count from the end.
      ndim: the number of axes.
      what: the op's name, for the message.
      error: makes the error from its message.

    Raises:
      InvalidArgumentError: there is no such axis.
    """
    if not -ndim <= axis < ndim:
        raise error(f"`axis` of {what} must be in [{-ndim}, {ndim}), got {axis}")
    return axis % ndim


def host_value(t: Any) -> np.ndarray | None:
    """The value of a tensor if it is on the host, else None. Runs nothing."""
    return t._value if type(t) is Tensor and type(t._value) is np.ndarray else None


def static_ints(value: Any, what: str) -> np.ndarray:
    """The integers of an argument that must be known while the op is recorded.

    Args:
      value: an int, a tensor, or a list of both. Tensors are read.
      what: the argument's name, for the message.

    Returns:
      An int64 array.

    Raises:
      TypeError: they are not integers.
    """

    def read(v: Any) -> Any:
        return [read(u) for u in v] if isinstance(v, (list, tuple)) else np.asarray(v)

    array = np.asarray(read(value))
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{what} must be integers, got {value!r}")
    return array.astype(np.int64)


def dims(shape: Any, what: str = "shape") -> tuple[int, ...]:
    """A shape argument as a tuple of ints.

    Args:
      shape: an int, a tensor, a list of both, or a TensorShape. Tensors are read.
      what: the argument's name, for the message.

    Raises:
      TypeError: it does not consist of integers, or a size of the TensorShape is unknown.
    """
    if type(shape) in (tuple, list) and all(type(d) is int for d in shape):
        return tuple(shape)
    if isinstance(shape, TensorShape):
        if not shape.is_fully_defined():
            raise TypeError(f"`{what}` is {shape}: every size must be known")
        return tuple(int(d) for d in shape.as_list() if d is not None)
    return tuple(np.atleast_1d(static_ints(shape, what)).tolist())


def new_dims(shape: Any) -> tuple[int, ...]:
    """The sizes of a tensor that is to be made, as `dims` gives them.

    Raises:
      InvalidArgumentError: a size is negative.
    """
    found = dims(shape)
    if any(d < 0 for d in found):
        raise invalid(f"Dimension {min(found)} must be >= 0")
    return found


def same_dtypes(values: Any, name: str) -> None:
    """Checks that all arrays have the dtype of the first one.

    Raises:
      InvalidArgumentError: one has another dtype. `name` is the op's name in the message.
    """
    for i, v in enumerate(values):
        if v.dtype != values[0].dtype:
            raise invalid(
                f"cannot compute {name} as input #{i}(zero-based) was expected to be a {values[0].dtype} "
                f"tensor but is a {v.dtype} tensor"
            )


@op("identity", strings=True)
def identity(input: Array, name=None):
    """A new tensor object with the same value.

    Source: https://www.tensorflow.org/api_docs/python/tf/identity

    >>> identity([1, 2]).numpy().tolist()
    [1, 2]
    """
    return input


provide("identity", identity)


@public("identity_n")
def identity_n(input: Any, name: str | None = None) -> list[Tensor]:
    """`identity` of each tensor of a list, as a list.

    Source: https://www.tensorflow.org/api_docs/python/tf/identity_n

    >>> [t.shape.rank for t in identity_n([1, [2]])]
    [0, 1]
    """
    return [identity(t) for t in input]


@op("stop_gradient", differentiable=False, strings=True)
def stop_gradient(input: Array, name=None):
    """A tensor with the same value through which no gradient flows.

    Source: https://www.tensorflow.org/api_docs/python/tf/stop_gradient

    >>> stop_gradient(2.0).numpy().item()
    2.0
    """
    return lax.stop_gradient(input)


def _full_shape(old: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...]:
    """The shape `new` for elements of the shape `old`, with the size -1 replaced by the one that fits."""
    count = int(np.prod(old, dtype=np.int64))
    if sum(d == -1 for d in new) > 1:
        raise invalid(f"Only one input size may be -1, got {list(new)}")
    if any(d < -1 for d in new):
        raise invalid(f"Size must be non-negative, got {list(new)}")
    rest = int(np.prod([d for d in new if d != -1], dtype=np.int64))
    if (-1 in new and (rest == 0 or count % rest)) or (-1 not in new and rest != count):
        raise invalid(
            f"Input to reshape is a tensor with {count} values, but the requested shape {list(new)} does not fit them"
        )
    return tuple(count // rest if d == -1 else d for d in new)


@op(host=lambda tensor, shape: tensor.reshape(_full_shape(tensor.shape, shape)), strings=True)
def _reshape(tensor: Array, shape: Shape):
    return jnp.reshape(tensor, _full_shape(tensor.shape, shape))


@public("reshape")
def reshape(tensor: Any, shape: Any, name: str | None = None) -> Tensor:
    """A tensor with the same elements in the same order and another shape.

    Args:
      tensor: a tensor.
      shape: an int, a tensor, or a list of both. One size may be -1: it is computed from the others. The shape is part
        of the compiled program, so its value is read.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the number of elements does not fit the shape.

    Source: https://www.tensorflow.org/api_docs/python/tf/reshape

    >>> reshape([1, 2, 3, 4], [2, -1]).numpy().tolist()
    [[1, 2], [3, 4]]
    """
    try:
        new = dims(shape)
    except TypeError as e:
        raise invalid(str(e)) from None
    return _reshape(tensor, new)


@op(strings=True)
def _transpose(a: Array, perm: Axis = None, conjugate=False):
    if perm is not None:
        if len(perm) != a.ndim:
            raise invalid(f"transpose expects a vector of size {a.ndim}, got {perm}")
        perm = tuple(check_axis(p, a.ndim, "transpose") for p in perm)
        if len(set(perm)) != a.ndim:
            raise invalid_value(f"transpose expects a permutation, got {perm}")
    out = jnp.transpose(a, perm)
    return jnp.conj(out) if conjugate else out


@public("transpose")
def transpose(a: Any, perm: Any = None, conjugate: bool = False, name: str = "transpose") -> Tensor:
    """Permutes the axes of a tensor.

    Args:
      a: a tensor.
      perm: integers: axis i of the result is axis ``perm[i]`` of `a`. By default the order of the axes is reversed.
      conjugate: whether complex elements are replaced by their conjugates.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `perm` is not a permutation of the axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/transpose

    >>> transpose([[1, 2]]).numpy().tolist()
    [[1], [2]]
    """
    return _transpose(a, None if perm is None else dims(perm, "perm"), conjugate)


def one_axis(axis: Any, what: str) -> int:
    """An `axis` argument, a number or a tensor, as an int.

    Raises:
      InvalidArgumentError: it consists of several numbers. `what` is the op's name in the message.
    """
    found = static_ints(axis, "`axis`")
    if found.size != 1:
        raise invalid(f"`axis` of {what} must be a single value, got {axis!r}")
    return int(found.reshape(()))


def _expand(input: Any, axis: int) -> Any:
    return input.reshape(np.expand_dims(np.empty(input.shape, bool), axis).shape)


@op(host=_expand, strings=True)
def _expand_dims(input: Array, axis: int):
    check_axis(axis, input.ndim + 1, "expand_dims")
    return jnp.expand_dims(input, axis)


@public("expand_dims", composites=True)
def expand_dims(input: Any, axis: Any, name: str | None = None) -> Tensor:
    """Inserts an axis of size 1.

    Args:
      input: a tensor.
      axis: the position of the new axis in the result. Negative numbers count from the end: -1 makes it the last.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `axis` is out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/expand_dims

    >>> expand_dims([1, 2], -1).shape
    TensorShape([2, 1])
    """
    return _expand_dims(input, axis if type(axis) is int else one_axis(axis, "expand_dims"))


@op(
    "squeeze",
    host=lambda input, axis=None: np.squeeze(
        input, tuple(axis) if isinstance(axis, tuple) and axis else None if axis == () else axis
    ),
    strings=True,
)
def squeeze(input: Array, axis: Axis = None, name=None):
    """Removes axes of size 1.

    Args:
      input: a tensor.
      axis: the axes to remove, an int or a list of ints. By default all axes of size 1.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: an axis is out of range, or its size is not 1.

    Source: https://www.tensorflow.org/api_docs/python/tf/squeeze

    >>> squeeze([[[1, 2]]], [0]).shape
    TensorShape([1, 2])
    """
    if axis is None or axis == ():
        return jnp.squeeze(input)
    given = axis if isinstance(axis, tuple) else (axis,)
    for a in given:
        if input.shape[check_axis(a, input.ndim, "squeeze")] != 1:
            raise invalid(f"Can not squeeze dim[{a}], expected a dimension of 1, got {input.shape[a]}")
    return jnp.squeeze(input, tuple({a % input.ndim for a in given}))


@op(host=lambda input, shape: np.broadcast_to(input, shape), strings=True)
def _broadcast_to(input: Array, shape: Shape):
    return jnp.broadcast_to(input, shape)


@public("broadcast_to")
def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """Broadcasts a tensor to a shape: axes of size 1 are repeated, and missing axes are added in front.

    Args:
      input: a tensor.
      shape: integers, which are read.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the tensor does not broadcast to the shape.

    Source: https://www.tensorflow.org/api_docs/python/tf/broadcast_to

    >>> broadcast_to([1, 2], [2, 2]).numpy().tolist()
    [[1, 2], [1, 2]]
    """
    return _broadcast_to(input, new_dims(shape))


@op(host=lambda input, multiples: np.tile(input, multiples), strings=True)
def _tile(input: Array, multiples: Shape):
    if len(multiples) != input.ndim:
        raise invalid(f"Expected multiples argument to be a vector of length {input.ndim} but got {multiples}")
    return jnp.tile(input, multiples)


@public("tile", composites=True)
def tile(input: Any, multiples: Any, name: str | None = None) -> Tensor:
    """Repeats the whole tensor ``multiples[i]`` times along each axis i.

    Args:
      input: a tensor.
      multiples: a vector of integers, one for each axis, which is read.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `multiples` has a wrong length or a negative number.

    Source: https://www.tensorflow.org/api_docs/python/tf/tile

    >>> tile([1, 2], [2]).numpy().tolist()
    [1, 2, 1, 2]
    """
    counts = static_ints(multiples, "`multiples`")
    if counts.ndim != 1 or (counts < 0).any():
        raise invalid_value(f"Expected multiples to be a vector of counts >= 0, but got {counts.tolist()}")
    return _tile(input, tuple(counts.tolist()))


@op(strings=True)
def _pad_zeros(tensor: Array, paddings):
    return jnp.pad(tensor, paddings)


@op(strings=True)
def _pad_value(tensor: Same, constant_values: Same, paddings=()):
    return jnp.pad(tensor, paddings, constant_values=constant_values)


@op(strings=True)
def _pad_mirror(tensor: Array, paddings, mode):
    most = [d - (mode == "reflect") for d in tensor.shape]
    if any(max(p) > m for p, m in zip(paddings, most, strict=True)):
        raise invalid_value(f"paddings must be no greater than {most} in mode {mode.upper()}: {paddings}")
    return jnp.pad(tensor, paddings, mode=mode)


@public("pad")
def pad(
    tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: str | None = None
) -> Tensor:
    """Adds ``paddings[i] = (before, after)`` elements along each axis i.

    Args:
      tensor: a tensor of shape (n1, .., nr).
      paddings: integers of shape (r, 2), which are read.
      mode: "CONSTANT" adds one value. "REFLECT" mirrors the elements without repeating the one at the edge. "SYMMETRIC"
        mirrors them and repeats it. Upper or lower case.
      constant_values: the value that "CONSTANT" adds, a scalar.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `paddings` has a wrong shape, a negative number, or more than can be mirrored.
      ValueError: `mode` is unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/pad

    >>> pad([1, 2], [[1, 0]]).numpy().tolist()
    [0, 1, 2]
    """
    t = to_tensor(tensor)
    pads = static_ints(paddings, "`paddings`")
    if pads.shape != (t.ndim, 2):
        raise invalid(f"The first dimension of paddings must be the rank of inputs: {list(pads.shape)}, {t.shape}")
    if (pads < 0).any():
        raise invalid(f"Paddings must be non-negative: {pads.tolist()}")
    pairs = tuple((int(a), int(b)) for a, b in pads)
    if mode.upper() in ("REFLECT", "SYMMETRIC"):
        return _pad_mirror(t, pairs, mode.lower())
    if mode.upper() != "CONSTANT":
        raise ValueError(
            'Value of argument `mode` expected to be one of "CONSTANT", "REFLECT", or "SYMMETRIC". '
            f"Received `mode` = {mode.upper()}"
        )
    if type(constant_values) is int and constant_values == 0:
        return _pad_zeros(t, pairs)
    return _pad_value(t, constant_values, pairs)


@op(strings=True)
def _reverse(tensor: Array, axis: Axis):
    axes = [check_axis(a, tensor.ndim, "reverse") for a in axis]
    if len(set(axes)) != len(axes):
        raise invalid(f"axis specified more than once: {axis}")
    return jnp.flip(tensor, tuple(axes))


@public("reverse", composites=True)
def reverse(tensor: Any, axis: Any, name: str | None = None) -> Tensor:
    """Reverses the order of the elements along the given axes.

    Args:
      tensor: a tensor.
      axis: a list of axes.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: an axis is out of range or given twice, or `axis` is not a vector.

    Source: https://www.tensorflow.org/api_docs/python/tf/reverse

    >>> reverse([1, 2, 3], [0]).numpy().tolist()
    [3, 2, 1]
    """
    axes = static_ints(axis, "`axis`")
    if axes.ndim != 1:
        raise invalid(f"'dims' must be 1-dimension, not {axes.ndim}")
    return _reverse(tensor, tuple(axes.tolist()))


@op("roll", strings=True)
def roll(input: Array, shift: Array, axis: Axis, name=None):
    """Shifts the elements along axes. Those that leave at one end enter at the other.

    Args:
      input: a tensor of at least one axis.
      shift: the number of places, an integer, or one for each axis. It is an input of the compiled program, so a shift
        that changes in each step is not compiled again.
      axis: an int, or a list of ints. If an axis occurs twice, its shifts add up.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: an axis is out of range, or there are not as many shifts as axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/roll

    >>> roll([1, 2, 3], 1, 0).numpy().tolist()
    [3, 1, 2]
    """
    axes = axis if isinstance(axis, tuple) else (axis,)
    shifts = jnp.atleast_1d(shift)
    if input.ndim == 0:
        raise invalid("input must be 1-D or higher")
    if shifts.shape != (len(axes),):
        raise invalid(f"shift and axis must have the same size, got {shifts.shape} and {len(axes)}")
    for i, a in enumerate(axes):
        a = check_axis(a, input.ndim, "roll", invalid_value)
        if input.shape[a]:
            input = jnp.roll(input, shifts[i], a)
    return input


@op(host=lambda input, repeats, axis: np.repeat(input, repeats, axis), strings=True)
def _repeat(input: Array, repeats, axis: Axis):
    if isinstance(repeats, int):
        return jnp.repeat(input, repeats, axis)
    return jnp.repeat(input, np.array(repeats), axis, total_repeat_length=sum(repeats))


@public("repeat")
def repeat(input: Any, repeats: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """Repeats each element.

    Args:
      input: a tensor.
      repeats: how often, an int; or a vector with one count for each element along `axis`. It is read.
      axis: the axis along which the elements are repeated. By default the tensor is flattened first.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: a count is negative, or `axis` is out of range.
      ValueError: the number of counts does not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/repeat

    >>> repeat([1, 2], [1, 2]).numpy().tolist()
    [1, 2, 2]
    """
    t = to_tensor(input)
    counts = static_ints(repeats, "`repeats`").ravel()
    length = int(np.prod(t.aval.shape)) if axis is None else t.aval.shape[check_axis(axis, t.ndim, "repeat")]
    if (counts < 0).any():
        raise invalid_value(f"Expected repeats >= 0, but got {counts.tolist()}")
    if counts.size not in (1, length):
        raise ValueError(f"Dimensions {length} and {counts.size} are not compatible: `repeats` and the axis")
    return _repeat(t, int(counts[0]) if counts.size == 1 else tuple(counts.tolist()), axis)
