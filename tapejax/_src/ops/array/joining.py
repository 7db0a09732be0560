"""Ops that join tensors and take them apart: concat, stack, unstack, split."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import convert
from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import match, to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.ops.array.layout import check_axis, host_value, one_axis, same_dtypes, static_ints
from tapejax._src.ops.registry import Array, Arrays, op

__all__ = ["concat", "split", "stack", "unstack"]


@op(host=lambda values, axis: np.concatenate(values, axis), strings=True)
def _concat(values: Arrays, axis: int):
    same_dtypes(values, "ConcatV2")
    if values[0].ndim == 0:
        raise invalid("Can't concatenate scalars (use tf.stack instead)")
    axis = check_axis(axis, values[0].ndim, "concat")
    rest = {v.shape[:axis] + v.shape[axis + 1 :] for v in values}
    if len(rest) > 1 or len({v.ndim for v in values}) > 1:
        raise invalid(f"Dimensions other than {axis} must be equal in all shapes: {[v.shape for v in values]}")
    return jnp.concatenate(values, axis)


def _list_of(values: Any) -> list[Any]:
    return list(values) if isinstance(values, (list, tuple)) else [to_tensor(values)]


@public("concat", composites=True)
def concat(values: Any, axis: Any, name: str = "concat") -> Tensor:
    """Joins tensors along an existing axis.

    Args:
      values: a list of tensors of one dtype, whose shapes are equal except along the axis.
      axis: the axis, an int or a scalar tensor.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the list is empty, a shape or dtype does not fit, or `axis` is out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/concat

    >>> concat([[1, 2], [3]], 0).numpy().tolist()
    [1, 2, 3]
    """
    items = _list_of(values)
    if not items:
        raise invalid("concat needs at least one tensor")
    return _concat(items, axis if type(axis) is int else one_axis(axis, "concat"))


@op(host=lambda values, axis: np.stack(values, axis), strings=True)
def _stack(values: Arrays, axis: int):
    same_dtypes(values, "Pack")
    if len({v.shape for v in values}) > 1:
        raise invalid(f"Shapes of all inputs must match: {[v.shape for v in values]}")
    return jnp.stack(values, axis)


@public("stack", composites=True)
def stack(values: Any, axis: int = 0, name: str = "stack") -> Tensor:
    """Joins tensors of one shape along a new axis.

    Args:
      values: a list of tensors of one dtype and shape.
      axis: the position of the new axis in the result.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `axis` is out of range.
      InvalidArgumentError: the shapes or dtypes differ.

    Source: https://www.tensorflow.org/api_docs/python/tf/stack

    >>> stack([[1, 2], [3, 4]], axis=1).numpy().tolist()
    [[1, 3], [2, 4]]
    """
    if not isinstance(values, (list, tuple)):
        values = unstack(values)
    if not values:
        return from_value(np.zeros((0,), np.float32))
    # Python numbers are converted together, so that [1, 2.5] gives one dtype, as in `convert_to_tensor([1, 2.5])`.
    plain = all(type(v) in (int, float, bool, complex) for v in values)
    items = list(unstack(to_tensor(list(values)))) if plain else match(list(values))
    items = [to_tensor(v[0], v[1].dtype) if type(v) is tuple else v for v in items]
    ndim = items[0].ndim + 1
    if not -ndim <= axis < ndim:
        raise ValueError(f"Argument `axis` = {axis} not in range [{-ndim}, {ndim})")
    return _stack(items, axis)


@op(strings=True)
def _unstack(value: Array, axis: int):
    return tuple(jnp.squeeze(p, axis) for p in jnp.split(value, value.shape[axis], axis))


@public("unstack")
def unstack(value: Any, num: int | None = None, axis: int = 0, name: str = "unstack") -> list[Tensor]:
    """The slices along an axis, as a list of tensors without that axis.

    Args:
      value: a tensor.
      num: the size of the axis, if it should be checked.
      axis: the axis.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `axis` is out of range.
      InvalidArgumentError: `num` is not the size of the axis.

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


@op(strings=True)
def _split(value: Array, sizes, axis: int):
    return tuple(jnp.split(value, np.cumsum(sizes)[:-1].tolist(), axis))


@public("split", composites=True)
def split(
    value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None, name: str = "split"
) -> list[Tensor]:
    """Cuts a tensor along an axis into a list of tensors.

    Args:
      value: a tensor.
      num_or_size_splits: how many equal parts (an int), or the list of the parts' sizes, of which one may be -1: it is
        computed from the others. The sizes are read.
      axis: the axis, an int or a scalar tensor.
      num: the length of the list of sizes, if it should be checked.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the sizes do not fit the axis, or `axis` is out of range.
      ValueError: `num` is not the number of sizes, or the sizes are a scalar tensor.

    Source: https://www.tensorflow.org/api_docs/python/tf/split

    >>> [t.numpy().tolist() for t in split([1, 2, 3], [1, -1])]
    [[1], [2, 3]]
    """
    t = to_tensor(value)
    axis = check_axis(one_axis(axis, "split"), t.ndim, "split")
    size = t.aval.shape[axis]
    if isinstance(num_or_size_splits, (int, np.integer)):
        parts = int(num_or_size_splits)
        if parts < 1 or size % parts:
            raise invalid(f"Number of ways to split should evenly divide the split dimension: {parts} and {size}")
        return list(_split(t, (size // parts,) * parts, axis))
    given = static_ints(num_or_size_splits, "`num_or_size_splits`")
    if given.ndim == 0:
        raise ValueError(
            "Rank-0 tensors are not supported as the num_or_size_splits argument to split. "
            f"Argument provided: {num_or_size_splits}"
        )
    sizes = given.tolist()
    if num is not None and num != len(sizes):
        raise ValueError(f"`num` is {num}, but {len(sizes)} sizes were given")
    known = sum(s for s in sizes if s != -1)
    if sizes.count(-1) > 1 or min(sizes, default=0) < -1:
        raise invalid(f"There can only be one -1 in the sizes, the others must be >= 0: {sizes}")
    if known > size or (known != size and -1 not in sizes):
        raise invalid(f"Sizes {sizes} do not add up to {size}")
    return list(_split(t, tuple(size - known if s == -1 else s for s in sizes), axis))


convert.provide("stack", stack)
