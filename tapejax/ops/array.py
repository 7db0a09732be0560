"""Ops that rearrange tensors: reshape, transpose, concat, stack, split, pad; and those that ask for a shape.

Shapes are always known, so `shape`, `size` and `rank` answer at once with host values, and the ops that code
applies to shapes have NumPy twins: arithmetic on shapes records nothing and flushes nothing.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax import convert, dtypes, errors
from tapejax.convert import match, to_tensor
from tapejax.ops.registry import Array, Arrays, Axis, Same, Shape, op, public
from tapejax.shape import TensorShape, broadcast_static_shape
from tapejax.tensor import Tensor, from_value

__all__ = [
    "broadcast_dynamic_shape", "broadcast_to", "concat", "ensure_shape", "expand_dims", "identity", "identity_n",
    "pad", "rank", "repeat", "reshape", "reverse", "roll", "shape", "shape_n", "size", "split", "squeeze", "stack",
    "stop_gradient", "tile", "transpose", "unstack"]


def invalid(text: str) -> errors.InvalidArgumentError:
    """The error that TensorFlow's kernels raise on bad arguments."""
    return errors.InvalidArgumentError(message=text)


def check_axis(axis: int, ndim: int, what: str) -> int:
    """`axis` counted from the front; InvalidArgumentError if there is no such axis."""
    if not -ndim <= axis < ndim:
        raise invalid(f"`axis` of {what} must be in [{-ndim}, {ndim}), got {axis}")
    return axis % ndim


def host_value(t: Any) -> np.ndarray | None:
    """The value of a tensor if it is on the host already: nothing runs."""
    return t._value if type(t) is Tensor and type(t._value) is np.ndarray else None


def static_ints(value: Any, what: str) -> np.ndarray:
    """Integers that must be known while recording; tensors, also inside a list, are read.

    Raises:
      TypeError: not integers.
    """
    def read(v: Any) -> Any:
        return [read(u) for u in v] if isinstance(v, (list, tuple)) else np.asarray(v)

    array = np.asarray(read(value))
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{what} must be integers, got {value!r}")
    return array.astype(np.int64)


def dims(shape: Any, what: str = "shape") -> tuple[int, ...]:
    """A shape argument (ints, tensors, a list of both, a TensorShape) as static ints.

    Raises:
      TypeError: not integers.
    """
    if type(shape) in (tuple, list) and all(type(d) is int for d in shape):
        return tuple(shape)
    if isinstance(shape, TensorShape):
        if not shape.is_fully_defined():
            raise TypeError(f"`{what}` is {shape}: every size must be known")
        return tuple(int(d) for d in shape.as_list() if d is not None)
    return tuple(np.atleast_1d(static_ints(shape, what)).tolist())


def new_dims(shape: Any) -> tuple[int, ...]:
    """`dims` of what is to be made: InvalidArgumentError if one is negative."""
    found = dims(shape)
    if any(d < 0 for d in found):
        raise invalid(f"Dimension {min(found)} must be >= 0")
    return found


def same_dtypes(values: Any, name: str) -> None:
    """InvalidArgumentError unless all arrays have one dtype."""
    for i, v in enumerate(values):
        if v.dtype != values[0].dtype:
            raise invalid(f"cannot compute {name} as input #{i}(zero-based) was expected to be a {values[0].dtype} "
                          f"tensor but is a {v.dtype} tensor")


@op("identity")
def identity(input: Array, name=None):
    """A tensor with the same value; never the same object.

    Source: https://www.tensorflow.org/api_docs/python/tf/identity

    >>> identity([1, 2]).numpy().tolist()
    [1, 2]
    """
    return input


@public("identity_n")
def identity_n(input: Any, name: str | None = None) -> list[Tensor]:
    """`identity` of each tensor of a list.

    Source: https://www.tensorflow.org/api_docs/python/tf/identity_n

    >>> [t.shape.rank for t in identity_n([1, [2]])]
    [0, 1]
    """
    return [identity(t) for t in input]


@op("stop_gradient", differentiable=False)
def stop_gradient(input: Array, name=None):
    """The same value, through which no gradient flows.

    Source: https://www.tensorflow.org/api_docs/python/tf/stop_gradient

    >>> stop_gradient(2.0).numpy().item()
    2.0
    """
    return lax.stop_gradient(input)


# Shapes, known at once.


def _counts(values: Any, out_type: Any) -> Tensor:
    return from_value(np.array(values, dtypes.to_numpy(out_type or dtypes.int32)))


@public("shape")
def shape(input: Any, out_type: Any = None, name: str | None = None) -> Tensor:
    """The shape as an integer tensor, whose value is known at once.

    Args:
      input: a tensor.
      out_type: `tf.int32` (default) or `tf.int64`.

    Source: https://www.tensorflow.org/api_docs/python/tf/shape

    >>> shape([[1, 2, 3]]).numpy().tolist()
    [1, 3]
    """
    return _counts(to_tensor(input).aval.shape, out_type)


@public("shape_n")
def shape_n(input: Any, out_type: Any = None, name: str | None = None) -> list[Tensor]:
    """`shape` of each tensor of a list.

    Source: https://www.tensorflow.org/api_docs/python/tf/shape_n

    >>> shape_n([1.0, [2.0]])[1].numpy().tolist()
    [1]
    """
    return [shape(t, out_type) for t in input]


@public("size")
def size(input: Any, out_type: Any = None, name: str | None = None) -> Tensor:
    """The number of elements, known at once.

    Source: https://www.tensorflow.org/api_docs/python/tf/size

    >>> int(size([[1, 2, 3]]))
    3
    """
    return _counts(np.prod(to_tensor(input).aval.shape, dtype=np.int64), out_type)


@public("rank")
def rank(input: Any, name: str | None = None) -> Tensor:
    """The number of axes as an int32 scalar, known at once.

    Source: https://www.tensorflow.org/api_docs/python/tf/rank

    >>> int(rank([[1, 2, 3]]))
    2
    """
    return _counts(len(to_tensor(input).aval.shape), None)


@public("broadcast_dynamic_shape")
def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Tensor:
    """The shape of an elementwise result of two shapes, as a tensor.

    Source: https://www.tensorflow.org/api_docs/python/tf/broadcast_dynamic_shape

    >>> broadcast_dynamic_shape([3, 1], [4]).numpy().tolist()
    [3, 4]
    """
    x, y = to_tensor(shape_x), to_tensor(shape_y)
    try:
        dims = broadcast_static_shape(TensorShape(static_ints(x, "shape_x").tolist()),
                                      TensorShape(static_ints(y, "shape_y").tolist()))
    except ValueError as e:
        raise invalid(str(e)) from None
    return from_value(np.array(dims.as_list(), x.aval.dtype))


@public("ensure_shape")
def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Tensor:
    """`x` unchanged.

    Raises:
      InvalidArgumentError: its shape does not fit `shape`, in which None stands for any size.

    Source: https://www.tensorflow.org/api_docs/python/tf/ensure_shape

    >>> ensure_shape([[1, 2]], [None, 2]).shape
    TensorShape([1, 2])
    """
    t = to_tensor(x)
    if not t.shape.is_compatible_with(TensorShape(shape)):
        raise invalid(f"Shape of tensor input {t.shape} is not compatible with expected shape {TensorShape(shape)}.")
    return identity(t)


# One tensor.


def _full_shape(old: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...]:
    """`new` with its -1 worked out."""
    count = int(np.prod(old, dtype=np.int64))
    if sum(d == -1 for d in new) > 1:
        raise invalid(f"Only one input size may be -1, got {list(new)}")
    if any(d < -1 for d in new):
        raise invalid(f"Size must be non-negative, got {list(new)}")
    rest = int(np.prod([d for d in new if d != -1], dtype=np.int64))
    if (-1 in new and (rest == 0 or count % rest)) or (-1 not in new and rest != count):
        raise invalid(f"Input to reshape is a tensor with {count} values, but the requested shape {list(new)} "
                      "does not fit them")
    return tuple(count // rest if d == -1 else d for d in new)


@op(host=lambda tensor, shape: tensor.reshape(_full_shape(tensor.shape, shape)))
def _reshape(tensor: Array, shape: Shape):
    return jnp.reshape(tensor, _full_shape(tensor.shape, shape))


@public("reshape")
def reshape(tensor: Any, shape: Any, name: str | None = None) -> Tensor:
    """The same elements, in order, in another shape.

    Args:
      tensor: any tensor.
      shape: ints, or tensors, or a list of both; one of them may be -1. It is part of the program, so its
        value is read if it is pending.

    Source: https://www.tensorflow.org/api_docs/python/tf/reshape

    >>> reshape([1, 2, 3, 4], [2, -1]).numpy().tolist()
    [[1, 2], [3, 4]]
    """
    try:
        new = dims(shape)
    except TypeError as e:
        raise invalid(str(e)) from None
    return _reshape(tensor, new)


@op()
def _transpose(a: Array, perm: Axis = None, conjugate=False):
    if perm is not None:
        if len(perm) != a.ndim:
            raise invalid(f"transpose expects a vector of size {a.ndim}, got {perm}")
        perm = tuple(check_axis(p, a.ndim, "transpose") for p in perm)
        if len(set(perm)) != a.ndim:
            raise invalid(f"transpose expects a permutation, got {perm}")
    out = jnp.transpose(a, perm)
    return jnp.conj(out) if conjugate else out


@public("transpose")
def transpose(a: Any, perm: Any = None, conjugate: bool = False, name: str = "transpose") -> Tensor:
    """Permutes the axes: axis i of the result is axis ``perm[i]`` of `a`; reverses them without `perm`.

    Source: https://www.tensorflow.org/api_docs/python/tf/transpose

    >>> transpose([[1, 2]]).numpy().tolist()
    [[1], [2]]
    """
    return _transpose(a, None if perm is None else dims(perm, "perm"), conjugate)


def _one_axis(axis: Any, what: str) -> int:
    found = static_ints(axis, "`axis`")
    if found.size != 1:
        raise invalid(f"`axis` of {what} must be a single value, got {axis!r}")
    return int(found.reshape(()))


def _expand(input: Any, axis: int) -> Any:
    return input.reshape(np.expand_dims(np.empty(input.shape, bool), axis).shape)


@op(host=_expand)
def _expand_dims(input: Array, axis: int):
    check_axis(axis, input.ndim + 1, "expand_dims")
    return jnp.expand_dims(input, axis)


@public("expand_dims")
def expand_dims(input: Any, axis: Any, name: str | None = None) -> Tensor:
    """Inserts an axis of size 1 before `axis`; negative ones count from the end of the result.

    Source: https://www.tensorflow.org/api_docs/python/tf/expand_dims

    >>> expand_dims([1, 2], -1).shape
    TensorShape([2, 1])
    """
    return _expand_dims(input, axis if type(axis) is int else _one_axis(axis, "expand_dims"))


@op("squeeze", host=lambda input, axis=None: np.squeeze(input, tuple(axis) if isinstance(axis, tuple) and axis
                                                         else None if axis == () else axis))
def squeeze(input: Array, axis: Axis = None, name=None):
    """Removes axes of size 1: all of them, or those in `axis`.

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


@op(host=lambda input, shape: np.broadcast_to(input, shape))
def _broadcast_to(input: Array, shape: Shape):
    return jnp.broadcast_to(input, shape)


@public("broadcast_to")
def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """Repeats axes of size 1, and adds axes in front, until the shape is `shape`.

    Source: https://www.tensorflow.org/api_docs/python/tf/broadcast_to

    >>> broadcast_to([1, 2], [2, 2]).numpy().tolist()
    [[1, 2], [1, 2]]
    """
    return _broadcast_to(input, new_dims(shape))


@op(host=lambda input, multiples: np.tile(input, multiples))
def _tile(input: Array, multiples: Shape):
    if len(multiples) != input.ndim:
        raise invalid(f"Expected multiples argument to be a vector of length {input.ndim} but got {multiples}")
    return jnp.tile(input, multiples)


@public("tile")
def tile(input: Any, multiples: Any, name: str | None = None) -> Tensor:
    """Repeats the whole tensor ``multiples[i]`` times along each axis i.

    Source: https://www.tensorflow.org/api_docs/python/tf/tile

    >>> tile([1, 2], [2]).numpy().tolist()
    [1, 2, 1, 2]
    """
    counts = static_ints(multiples, "`multiples`")
    if counts.ndim != 1 or (counts < 0).any():
        raise invalid(f"Expected multiples to be a vector of counts >= 0, but got {counts.tolist()}")
    return _tile(input, tuple(counts.tolist()))


@op()
def _pad_zeros(tensor: Array, paddings):
    return jnp.pad(tensor, paddings)


@op()
def _pad_value(tensor: Same, constant_values: Same, paddings=()):
    return jnp.pad(tensor, paddings, constant_values=constant_values)


@op()
def _pad_mirror(tensor: Array, paddings, mode):
    most = [d - (mode == "reflect") for d in tensor.shape]
    if any(max(p) > m for p, m in zip(paddings, most, strict=True)):
        raise invalid(f"paddings must be no greater than {most} in mode {mode.upper()}: {paddings}")
    return jnp.pad(tensor, paddings, mode=mode)


@public("pad")
def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: str | None = None
        ) -> Tensor:
    """Adds ``paddings[i] = (before, after)`` elements along each axis i.

    Args:
      tensor: of shape (n1, .., nr).
      paddings: ints of shape (r, 2), static.
      mode: "CONSTANT", "REFLECT" (without the edge) or "SYMMETRIC" (with it), in any case.
      constant_values: a scalar to fill with.

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
        raise ValueError('Value of argument `mode` expected to be one of "CONSTANT", "REFLECT", or "SYMMETRIC". '
                         f"Received `mode` = {mode.upper()}")
    if type(constant_values) is int and constant_values == 0:
        return _pad_zeros(t, pairs)
    return _pad_value(t, constant_values, pairs)


@op()
def _reverse(tensor: Array, axis: Axis):
    axes = [check_axis(a, tensor.ndim, "reverse") for a in axis]
    if len(set(axes)) != len(axes):
        raise invalid(f"axis specified more than once: {axis}")
    return jnp.flip(tensor, tuple(axes))


@public("reverse")
def reverse(tensor: Any, axis: Any, name: str | None = None) -> Tensor:
    """Reverses the order along each axis of the list `axis`.

    Source: https://www.tensorflow.org/api_docs/python/tf/reverse

    >>> reverse([1, 2, 3], [0]).numpy().tolist()
    [3, 2, 1]
    """
    axes = static_ints(axis, "`axis`")
    if axes.ndim != 1:
        raise invalid(f"'dims' must be 1-dimension, not {axes.ndim}")
    return _reverse(tensor, tuple(axes.tolist()))


@op("roll")
def roll(input: Array, shift: Array, axis: Axis, name=None):
    """Moves elements along `axis` by `shift` places; those that leave at one end enter at the other.

    `shift` is an input of the program: one that changes each step does not recompile.

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
        a = check_axis(a, input.ndim, "roll")
        if input.shape[a]:
            input = jnp.roll(input, shifts[i], a)
    return input


@op(host=lambda input, repeats, axis: np.repeat(input, repeats, axis))
def _repeat(input: Array, repeats, axis: Axis):
    if isinstance(repeats, int):
        return jnp.repeat(input, repeats, axis)
    return jnp.repeat(input, np.array(repeats), axis, total_repeat_length=sum(repeats))


@public("repeat")
def repeat(input: Any, repeats: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """Repeats each element (of the flattened tensor, without `axis`) `repeats` times.

    Args:
      input: a tensor.
      repeats: a static count, or one count for each element along `axis`.
      axis: where to repeat.

    Source: https://www.tensorflow.org/api_docs/python/tf/repeat

    >>> repeat([1, 2], [1, 2]).numpy().tolist()
    [1, 2, 2]
    """
    t = to_tensor(input)
    counts = static_ints(repeats, "`repeats`").ravel()
    length = int(np.prod(t.aval.shape)) if axis is None else t.aval.shape[check_axis(axis, t.ndim, "repeat")]
    if (counts < 0).any():
        raise invalid(f"Expected repeats >= 0, but got {counts.tolist()}")
    if counts.size not in (1, length):
        raise ValueError(f"Dimensions {length} and {counts.size} are not compatible: `repeats` and the axis")
    return _repeat(t, int(counts[0]) if counts.size == 1 else tuple(counts.tolist()), axis)


# Several tensors.


@op(host=lambda values, axis: np.concatenate(values, axis))
def _concat(values: Arrays, axis: int):
    same_dtypes(values, "ConcatV2")
    if values[0].ndim == 0:
        raise invalid("Can't concatenate scalars (use tf.stack instead)")
    axis = check_axis(axis, values[0].ndim, "concat")
    rest = {v.shape[:axis] + v.shape[axis + 1:] for v in values}
    if len(rest) > 1 or len({v.ndim for v in values}) > 1:
        raise invalid(f"Dimensions other than {axis} must be equal in all shapes: {[v.shape for v in values]}")
    return jnp.concatenate(values, axis)


def _list_of(values: Any) -> list[Any]:
    return list(values) if isinstance(values, (list, tuple)) else [to_tensor(values)]


@public("concat")
def concat(values: Any, axis: Any, name: str = "concat") -> Tensor:
    """Joins tensors along an existing axis.

    Source: https://www.tensorflow.org/api_docs/python/tf/concat

    >>> concat([[1, 2], [3]], 0).numpy().tolist()
    [1, 2, 3]
    """
    items = _list_of(values)
    if not items:
        raise invalid("concat needs at least one tensor")
    return _concat(items, axis if type(axis) is int else _one_axis(axis, "concat"))


@op(host=lambda values, axis: np.stack(values, axis))
def _stack(values: Arrays, axis: int):
    same_dtypes(values, "Pack")
    if len({v.shape for v in values}) > 1:
        raise invalid(f"Shapes of all inputs must match: {[v.shape for v in values]}")
    return jnp.stack(values, axis)


@public("stack")
def stack(values: Any, axis: int = 0, name: str = "stack") -> Tensor:
    """Joins tensors of one shape along a new axis.

    Raises:
      ValueError: `axis` is out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/stack

    >>> stack([[1, 2], [3, 4]], axis=1).numpy().tolist()
    [[1, 3], [2, 4]]
    """
    if not isinstance(values, (list, tuple)):
        values = unstack(values)
    if not values:
        return from_value(np.zeros((0,), np.float32))
    # Numbers of several kinds become one list first, as `convert_to_tensor([1, 2.5])`.
    plain = all(type(v) in (int, float, bool, complex) for v in values)
    items = list(unstack(to_tensor(list(values)))) if plain else match(list(values))
    items = [to_tensor(v[0], v[1].dtype) if type(v) is tuple else v for v in items]
    ndim = items[0].ndim + 1
    if not -ndim <= axis < ndim:
        raise ValueError(f"Argument `axis` = {axis} not in range [{-ndim}, {ndim})")
    return _stack(items, axis)


@op()
def _unstack(value: Array, axis: int):
    return tuple(jnp.squeeze(p, axis) for p in jnp.split(value, value.shape[axis], axis))


@public("unstack")
def unstack(value: Any, num: int | None = None, axis: int = 0, name: str = "unstack") -> list[Tensor]:
    """The slices along an axis, as a list of tensors without that axis.

    Raises:
      ValueError: `axis` is out of range. InvalidArgumentError: `num` is not the axis's size.

    Source: https://www.tensorflow.org/api_docs/python/tf/unstack

    >>> [int(t) for t in unstack([1, 2])]
    [1, 2]
    """
    t = to_tensor(value)
    if not -t.ndim <= axis < t.ndim:
        raise ValueError(f"Argument `axis` = {axis} not in range [{-t.ndim}, {t.ndim})")
    size = t.aval.shape[axis]
    if num is not None and num != size:
        raise invalid(f"Input shape axis {axis} must equal {num}, got shape {t.shape}")
    host = host_value(t)
    if host is not None and not t.aval.inexact:
        return [from_value(np.asarray(v)) for v in np.moveaxis(host, axis, 0)]
    return list(_unstack(t, axis)) if size else []


@op()
def _split(value: Array, sizes, axis: int):
    return tuple(jnp.split(value, np.cumsum(sizes)[:-1].tolist(), axis))


@public("split")
def split(value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None, name: str = "split"
          ) -> list[Tensor]:
    """Cuts a tensor along an axis.

    Args:
      value: a tensor.
      num_or_size_splits: how many equal parts (an int), or a list of sizes, one of which may be -1. Static.
      axis: where to cut.
      num: the number of sizes, checked.

    Source: https://www.tensorflow.org/api_docs/python/tf/split

    >>> [t.numpy().tolist() for t in split([1, 2, 3], [1, -1])]
    [[1], [2, 3]]
    """
    t = to_tensor(value)
    axis = check_axis(_one_axis(axis, "split"), t.ndim, "split")
    size = t.aval.shape[axis]
    if isinstance(num_or_size_splits, (int, np.integer)):
        parts = int(num_or_size_splits)
        if parts < 1 or size % parts:
            raise invalid(f"Number of ways to split should evenly divide the split dimension: {parts} and {size}")
        return list(_split(t, (size // parts,) * parts, axis))
    given = static_ints(num_or_size_splits, "`num_or_size_splits`")
    if given.ndim == 0:
        raise ValueError("Rank-0 tensors are not supported as the num_or_size_splits argument to split. "
                         f"Argument provided: {num_or_size_splits}")
    sizes = given.tolist()
    if num is not None and num != len(sizes):
        raise ValueError(f"`num` is {num}, but {len(sizes)} sizes were given")
    known = sum(s for s in sizes if s != -1)
    if sizes.count(-1) > 1 or min(sizes, default=0) < -1:
        raise invalid(f"There can only be one -1 in the sizes, the others must be >= 0: {sizes}")
    if known > size or (known != size and -1 not in sizes):
        raise invalid(f"Sizes {sizes} do not add up to {size}")
    return list(_split(t, tuple(size - known if s == -1 else s for s in sizes), axis))


convert.provide_stack(stack)
