"""Ops that move, add or drop elements of sparse tensors. They compute with the indices, and rearrange the values."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapejax._src.autodiff.indexed_slices import IndexedSlices
from tapejax._src.composite.sparse.tensor import (
    SparseTensor,
    flat_indices,
    host_indices,
    join,
    need_sparse,
    shape_of,
    sparse,
    take,
)
from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream
from tapejax._src.ops.array.gathering import gather
from tapejax._src.ops.array.layout import broadcast_to, static_ints

__all__ = [
    "concat",
    "expand_dims",
    "eye",
    "fill_empty_rows",
    "in_order",
    "mask",
    "reorder",
    "reset_shape",
    "reshape",
    "retain",
    "slice_",
    "split",
    "to_indicator",
    "transpose",
]


def in_order(indices: np.ndarray, values: Tensor, shape: Sequence[int]) -> SparseTensor:
    """A sparse tensor of the given elements, brought into row-major order."""
    order = np.lexsort(indices.T[::-1]) if indices.shape[1] else np.arange(len(indices))
    if (order == np.arange(len(order))).all():
        return sparse(indices, values, shape)
    return sparse(indices[order], take(values, order), shape)


def _kept(sp: SparseTensor, keep: np.ndarray, indices: np.ndarray, shape: Sequence[int]) -> SparseTensor:
    return sparse(indices[keep], take(sp.values, np.flatnonzero(keep)), shape)


@public("sparse.reorder")
def reorder(sp_input: Any, name: str | None = None) -> SparseTensor:
    """The same elements, sorted in row-major order of their indices.

    Args:
      sp_input: a sparse tensor.
      name: of no effect.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/reorder

    >>> reorder(SparseTensor([[1], [0]], [5, 6], [2])).values.numpy().tolist()
    [6, 5]
    """
    sp = need_sparse(sp_input)
    return in_order(host_indices(sp), sp.values, shape_of(sp))


@public("sparse.reshape")
def reshape(sp_input: Any, shape: Any, name: str | None = None) -> SparseTensor:
    """The same elements in another dense shape.

    Args:
      sp_input: a sparse tensor.
      shape: the new dense shape, which must have the same total size. One of its sizes may be -1, and is computed.
      name: of no effect.

    Raises:
      InvalidArgumentError: `shape` has another total size.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/reshape

    >>> reshape(SparseTensor([[0, 1]], [5], [2, 2]), [-1]).indices.numpy().tolist()
    [[1]]
    """
    sp = need_sparse(sp_input)
    old, new = shape_of(sp), static_ints(shape, "`shape`").ravel().tolist()
    size = int(np.prod(old, dtype=np.int64))
    if new.count(-1) > 1:
        raise invalid("only one output dimension may be -1")
    if -1 in new:
        rest = -int(np.prod(new, dtype=np.int64))
        new[new.index(-1)] = size // rest if rest else 0
    if int(np.prod(new, dtype=np.int64)) != size:
        raise invalid(
            f"Input to reshape is a tensor with {size} dense values, but the requested shape has "
            f"{int(np.prod(new, dtype=np.int64))}"
        )
    flat = flat_indices(host_indices(sp), old)
    return sparse(np.stack(np.unravel_index(flat, new), -1).reshape(len(flat), len(new)), sp.values, new)


@public("sparse.transpose")
def transpose(sp_input: Any, perm: Any = None, name: str | None = None) -> SparseTensor:
    """Permutes the axes.

    Args:
      sp_input: a sparse tensor.
      perm: the axes of the input in the order of the result. By default the order is reversed.
      name: of no effect.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/transpose

    >>> transpose(SparseTensor([[0, 1]], [5], [1, 3])).indices.numpy().tolist()
    [[1, 0]]
    """
    sp = need_sparse(sp_input)
    shape = shape_of(sp)
    order = list(range(len(shape)))[::-1] if perm is None else static_ints(perm, "`perm`").ravel().tolist()
    return in_order(host_indices(sp)[:, order], sp.values, [shape[i] for i in order])


@public("sparse.expand_dims")
def expand_dims(sp_input: Any, axis: Any = None, name: str | None = None) -> SparseTensor:
    """Adds an axis of size 1.

    Args:
      sp_input: a sparse tensor.
      axis: the position of the new axis, by default the end.
      name: of no effect.

    Raises:
      InvalidArgumentError: `axis` is out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/expand_dims

    >>> expand_dims(SparseTensor([[1]], [5], [3]), 0).indices.numpy().tolist()
    [[0, 1]]
    """
    sp = need_sparse(sp_input)
    shape = list(shape_of(sp))
    at = -1 if axis is None else int(axis)
    if not -len(shape) - 1 <= at <= len(shape):
        raise invalid(f"`axis` must be in [{-len(shape) - 1}, {len(shape)}], got {at}")
    at += len(shape) + 1 if at < 0 else 0
    return sparse(np.insert(host_indices(sp), at, 0, axis=1), sp.values, [*shape[:at], 1, *shape[at:]])


@public("sparse.slice")
def slice_(sp_input: Any, start: Any, size: Any, name: str | None = None) -> SparseTensor:
    """The block that begins at `start` and has shape `size`. It is smaller where it would exceed the tensor.

    Args:
      sp_input: a sparse tensor.
      start: a vector with the first index along each axis.
      size: a vector with the size of the block along each axis.
      name: of no effect.

    Raises:
      InvalidArgumentError: `start` or `size` does not have one number for each axis.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/slice

    >>> slice_(SparseTensor([[0], [2]], [5, 6], [4]), [1], [9]).indices.numpy().tolist()
    [[1]]
    """
    sp = need_sparse(sp_input)
    shape = np.array(shape_of(sp), np.int64)
    low, extent = static_ints(start, "`start`"), static_ints(size, "`size`")
    if not low.shape == extent.shape == shape.shape:
        raise invalid(f"`start` and `size` must have {shape.size} elements, got {low.size} and {extent.size}")
    high = np.minimum(low + extent, shape)
    indices = host_indices(sp)
    keep = np.asarray(((indices >= low) & (indices < high)).all(1))
    return _kept(sp, keep, indices - low, np.maximum(high - low, 0).tolist())


@public("sparse.split")
def split(sp_input: Any = None, num_split: Any = None, axis: Any = None, name: str | None = None) -> list[SparseTensor]:
    """Cuts a sparse tensor into parts along an axis.

    Args:
      sp_input: a sparse tensor.
      num_split: the number of parts. If they cannot have the same size, the first ones are longer by one.
      axis: the axis.
      name: of no effect.

    Returns:
      A list of sparse tensors.

    Raises:
      ValueError: one of the first three arguments is missing.
      InvalidArgumentError: `axis` or `num_split` is out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/split

    >>> [tuple(s.shape) for s in split(SparseTensor([[0]], [5], [3]), 2, 0)]
    [(2,), (1,)]
    """
    if sp_input is None or num_split is None or axis is None:
        raise ValueError("sp_input, num_split and axis are required")
    sp = need_sparse(sp_input)
    shape = list(shape_of(sp))
    at, count = int(axis), int(num_split)
    if not -len(shape) <= at < len(shape):
        raise invalid(f"Input axis should be in range [{-len(shape)}, {len(shape)}), got {at}")
    at %= len(shape)
    if not 0 < count <= shape[at]:
        raise invalid(f"Input num_split should be between 1 and the split dimension's size ({shape[at]}), got {count}")
    sizes = [shape[at] // count + (i < shape[at] % count) for i in range(count)]
    starts = np.cumsum([0, *sizes])
    parts = []
    for first, n in zip(starts, sizes, strict=False):
        low, extent = np.zeros(len(shape), np.int64), np.array(shape)
        low[at], extent[at] = first, n
        parts.append(slice_(sp, low, extent))
    return parts


@public("sparse.concat")
def concat(axis: Any, sp_inputs: Any, expand_nonconcat_dims: bool = False, name: str | None = None) -> SparseTensor:
    """Concatenates sparse tensors along an axis.

    Args:
      axis: an int, where negative numbers count from the end.
      sp_inputs: a list of sparse tensors of the same rank and dtype.
      expand_nonconcat_dims: whether the sizes of the other axes may differ. Then the result has the largest of them.
      name: of no effect.

    Raises:
      InvalidArgumentError: the ranks or sizes differ, or `axis` is out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/concat

    >>> part = SparseTensor([[0]], [5], [2])
    >>> concat(0, [part, part]).indices.numpy().tolist()
    [[0], [2]]
    """
    parts = [need_sparse(s) for s in (sp_inputs if isinstance(sp_inputs, (list, tuple)) else [sp_inputs])]
    if len(parts) == 1:
        return parts[0]
    shapes = [list(shape_of(p)) for p in parts]
    rank = len(shapes[0])
    at = int(axis)
    if any(len(s) != rank for s in shapes):
        raise invalid(f"Ranks of all input tensors must match, got shapes {shapes}")
    if not -rank <= at < rank:
        raise invalid(f"Concat dimension must be in range [{-rank}, {rank}), got {at}")
    at %= rank
    whole = [max(sizes) for sizes in zip(*shapes, strict=True)]
    if not expand_nonconcat_dims and any(s[:at] + s[at + 1 :] != shapes[0][:at] + shapes[0][at + 1 :] for s in shapes):
        raise invalid(f"Input shapes must match except in axis {at}, got {shapes}")
    starts = np.cumsum([0, *(s[at] for s in shapes)])
    moved = []
    for part, first in zip(parts, starts, strict=False):
        indices = host_indices(part).copy()
        indices[:, at] += first
        moved.append(indices)
    whole[at] = int(starts[-1])
    return in_order(np.concatenate(moved), join([p.values for p in parts]), whole)


@public("sparse.retain")
def retain(sp_input: Any, to_retain: Any) -> SparseTensor:
    """The elements for which a boolean vector is true.

    Args:
      sp_input: a sparse tensor.
      to_retain: one boolean for each element.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/retain

    >>> retain(SparseTensor([[0], [2]], [5, 6], [4]), [False, True]).values.numpy().tolist()
    [6]
    """
    sp = need_sparse(sp_input)
    keep = stream.host(to_tensor(to_retain))
    indices = host_indices(sp)
    if keep.shape != (len(indices),):
        raise ValueError(f"Shapes {keep.shape} and {(len(indices),)} are incompatible")
    if sp.values.aval.dtype == object:
        return _kept(sp, keep, indices, shape_of(sp))
    # TensorFlow uses `tf.gather` here, so the gradient with respect to the values is IndexedSlices.
    return sparse(indices[keep], gather(sp.values, from_value(np.flatnonzero(keep))), shape_of(sp))


@public("sparse.fill_empty_rows")
def fill_empty_rows(sp_input: Any, default_value: Any, name: str | None = None) -> tuple[SparseTensor, Tensor]:
    """Adds an element in column 0 to each row that has none.

    Args:
      sp_input: a sparse tensor of shape (n, m).
      default_value: the value of the new elements, of the same dtype.
      name: of no effect.

    Returns:
      The sparse tensor, whose rows are in order, and a boolean vector of shape (n,) that tells which rows were empty.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/fill_empty_rows

    >>> filled, empty = fill_empty_rows(SparseTensor([[1, 1]], [5], [2, 2]), 0)
    >>> filled.indices.numpy().tolist(), empty.numpy().tolist()
    ([[0, 0], [1, 1]], [True, False])
    """
    sp = need_sparse(sp_input)
    shape, indices = shape_of(sp), host_indices(sp)
    empty = np.ones(shape[0], bool)
    empty[indices[:, 0]] = False
    rows = np.flatnonzero(empty)
    added = np.zeros((len(rows), len(shape)), np.int64)
    added[:, 0] = rows
    default = to_tensor(default_value, sp.values.aval.dtype)
    fill = (
        from_value(np.full(len(rows), default.numpy(), object))
        if default.aval.dtype == object
        else broadcast_to(default, len(rows))
    )
    joined = join([sp.values, fill])
    together = np.concatenate([indices, added])
    # Brings the rows into order. A stable sort keeps the order of the elements within a row.
    order = np.argsort(together[:, 0], kind="stable")
    return sparse(together[order], take(joined, order), shape), from_value(empty)


@public("sparse.reset_shape")
def reset_shape(sp_input: Any, new_shape: Any = None) -> SparseTensor:
    """The same elements at the same indices, in a larger or smaller dense shape.

    Args:
      sp_input: a sparse tensor.
      new_shape: the new dense shape, which must not be smaller. By default it is the smallest shape that holds all
        elements.

    Raises:
      ValueError: `new_shape` is smaller, or has another rank.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/reset_shape

    >>> tuple(reset_shape(SparseTensor([[1]], [5], [9])).shape)
    (2,)
    """
    sp = need_sparse(sp_input)
    old = np.array(shape_of(sp))
    if new_shape is None:
        indices = host_indices(sp)
        return sparse(indices, sp.values, indices.max(0, initial=-1) + 1)
    new = static_ints(new_shape, "`new_shape`")
    if new.shape != old.shape:
        raise ValueError(f"Shapes {new.shape} and {old.shape} are incompatible")
    if (new < old).any():
        raise ValueError(
            "Requested new_shape should have dimension sizes >= sp_input.shape.  Found new_shape "
            f"({new.tolist()}), sp_input.shape ({old.tolist()})."
        )
    return SparseTensor(sp.indices, sp.values, from_value(new))


@public("sparse.eye")
def eye(num_rows: Any, num_columns: Any = None, dtype: Any = dtypes.float32, name: str | None = None) -> SparseTensor:
    """A sparse matrix with ones on the main diagonal.

    Args:
      num_rows: the number of rows.
      num_columns: the number of columns, by default that of the rows.
      dtype: the `DType` of the values.
      name: of no effect.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/eye

    >>> eye(2).indices.numpy().tolist()
    [[0, 0], [1, 1]]
    """
    rows = int(num_rows)
    columns = rows if num_columns is None else int(num_columns)
    n = min(rows, columns)
    return sparse(
        np.repeat(np.arange(n)[:, None], 2, 1), from_value(np.ones(n, dtypes.to_numpy(dtype))), (rows, columns)
    )


@public("sparse.to_indicator")
def to_indicator(sp_input: Any, vocab_size: Any, name: str | None = None) -> Tensor:
    """Tells which numbers occur among the values along the last axis.

    Args:
      sp_input: a sparse tensor with integer values in [0, vocab_size), of shape (..., any).
      vocab_size: the size of the last axis of the result.
      name: of no effect.

    Returns:
      A dense boolean tensor of shape (..., vocab_size).

    Raises:
      InvalidArgumentError: a value is not in [0, vocab_size).

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/to_indicator

    >>> to_indicator(SparseTensor([[0, 0]], [2], [1, 1]), 3).numpy().tolist()
    [[False, False, True]]
    """
    sp = need_sparse(sp_input)
    ids, indices = stream.host(sp.values), host_indices(sp)
    out = np.zeros((*shape_of(sp)[:-1], int(vocab_size)), bool)
    bad = (ids < 0) | (ids >= int(vocab_size))
    if bad.any():
        raise invalid(f"id {ids[bad][0]} is not in [0, {int(vocab_size)})")
    out[(*indices[:, :-1].T, ids)] = True
    return from_value(out)


@public("sparse.mask")
def mask(a: Any, mask_indices: Any, name: str | None = None) -> IndexedSlices:
    """Drops the slices at certain indices.

    Args:
      a: a `tf.IndexedSlices`.
      mask_indices: a vector of the indices to drop.
      name: of no effect.

    Returns:
      A `tf.IndexedSlices`.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/mask

    >>> import tapejax as tf
    >>> rows = tf.IndexedSlices(tf.constant([[1.0], [2.0]]), tf.constant([4, 7]))
    >>> mask(rows, [4]).indices.numpy().tolist()
    [7]
    """
    at = stream.host(a.indices)
    keep = np.flatnonzero(~np.isin(at, stream.host(to_tensor(mask_indices))))
    return IndexedSlices(take(a.values, keep), from_value(at[keep]), a.dense_shape)
