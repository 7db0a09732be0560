"""Indexing ragged tensors by ``x[...]``, and gathering their rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tapejax._src.composite.ragged.making import row_ids, row_ranges, splits_from_lengths
from tapejax._src.composite.ragged.tensor import RaggedTensor, ragged
from tapejax._src.composite.sparse.tensor import reshape, take
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor
from tapejax._src.engine import stream
from tapejax._src.ops.array.gathering import gather as gather_dense
from tapejax._src.ops.array.indexing import getitem as getitem_dense
from tapejax._src.ops.array.layout import expand_dims as expand_dense
from tapejax._src.ops.array.layout import invalid

__all__ = ["expand_dims", "expanded", "gather", "getitem", "take_rows"]


def take_rows(x: Any, rows: np.ndarray) -> Any:
    """The rows of a tensor or ragged tensor at the given positions."""
    if isinstance(x, Tensor):
        return take(x, rows)
    splits = x._splits()
    starts, lengths = splits[:-1][rows], np.diff(splits)[rows]
    return ragged(take_rows(x._values, row_ranges(starts, lengths)), splits_from_lengths(lengths), x._uniform)


def expand_dims(input: RaggedTensor, axis: Any, name: str | None = None) -> RaggedTensor:
    """The version of `tf.expand_dims` for ragged tensors."""
    rank = input.shape.rank
    assert rank is not None
    axis = int(axis)
    if not -rank - 1 <= axis <= rank:
        raise ValueError(f"axis={axis} out of bounds: expected {-rank - 1}<=axis<{rank + 1}")
    return expanded(input, axis + rank + 1 if axis < 0 else axis)


def expanded(x: Any, axis: int) -> Any:
    """`x`, dense or ragged, with a new axis of size 1 before `axis`, which is counted from the front."""
    if isinstance(x, Tensor):
        return expand_dense(x, axis)
    kind = x._row_splits.aval.dtype
    rows = x._row_splits.aval.shape[0] - 1
    if axis == 0:
        return ragged(x, np.array([0, rows], kind), rows)
    if axis == 1:
        return ragged(x, np.arange(rows + 1, dtype=kind), 1)
    return ragged(expanded(x._values, axis - 1), x._row_splits, x._uniform)


def getitem(x: RaggedTensor, key: Any) -> Any:
    """The part ``x[key]`` of a ragged tensor.

    Args:
      x: a ragged tensor.
      key: an int, a slice, ``...``, None, a scalar integer tensor, or a tuple of these.

    Raises:
      ValueError: `key` has an integer for a ragged axis. Not all rows may have an element at this position.
      IndexError: there is no such row.
      TypeError: `key` is of another kind.

    Source: https://www.tensorflow.org/api_docs/python/tf/RaggedTensor#__getitem__

    >>> getitem(RaggedTensor.from_row_splits([1, 2, 3], [0, 2, 2, 3]), (slice(None), slice(1)))
    <tf.RaggedTensor [[1], [], [3]]>
    """
    keys = [_key(k) for k in (key if isinstance(key, (list, tuple)) else [key])]
    if keys.count(Ellipsis) > 1:
        raise ValueError("An index can only have a single ellipsis")
    if Ellipsis in keys:
        at = keys.index(Ellipsis)
        rank = x.shape.rank
        assert rank is not None
        keys[at : at + 1] = [slice(None)] * (rank - sum(k is not None for k in keys) + 1)
    return _item(x, keys)


def _key(k: Any) -> Any:
    if k is None or k is Ellipsis:
        return k
    if isinstance(k, slice):
        return slice(*(None if v is None else int(_key(v)) for v in (k.start, k.stop, k.step)))
    if not isinstance(k, (bool, np.bool_, RaggedTensor, str, float)):
        array = stream.host(k) if isinstance(k, Tensor) else np.asarray(k)
        if array.ndim == 0 and array.dtype.kind in "iu":
            return int(array)
    raise TypeError(
        "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar tf.int32/tf.int64 "
        f"tensors are valid indices, got {k!r}"
    )


def _item(x: Any, keys: list[Any]) -> Any:
    if not keys or isinstance(x, Tensor):
        return getitem_dense(x, tuple(keys)) if keys else x
    first, *rest = keys
    if first is None:
        return expanded(_item(x, rest), 0)
    splits = x._splits()
    rows = len(splits) - 1
    if isinstance(first, int):
        if not -rows <= first < rows:
            raise IndexError(f"Row key {first} out of bounds")
        return _item(_part(x._values, int(splits[:-1][first]), int(splits[1:][first])), rest)
    chosen = range(*first.indices(rows))
    if len(chosen) < rows or first.step not in (None, 1):
        x = take_rows(x, np.array(chosen, np.int64))
    return _inner(x, rest) if rest else x


def _part(values: Any, start: int, stop: int) -> Any:
    if isinstance(values, Tensor):
        return getitem_dense(values, slice(start, stop))
    splits = values._splits()[start : stop + 1]
    return ragged(_part(values._values, int(splits[0]), int(splits[-1])), splits - splits[0], values._uniform)


def _inner(x: RaggedTensor, keys: list[Any]) -> Any:
    """The part ``x[:, *keys]`` of a ragged tensor."""
    first, *rest = keys
    splits = x._splits()
    if first is None:
        out = expanded(x, 1)
        return _inner(out, [slice(None), *rest]) if rest else out
    lengths = np.diff(splits)
    if isinstance(first, int):
        if x._uniform is None:
            raise ValueError("Cannot index into an inner ragged dimension.")
        if not -x._uniform <= first < x._uniform:
            raise IndexError(f"Index {first} out of bounds")
        out = take_rows(x._values, splits[:-1] + first % x._uniform)
        return _item(out, [slice(None), *rest]) if rest else out
    if first != slice(None):
        chosen = [range(*first.indices(int(n))) for n in lengths]
        positions = [start + np.array(c, np.int64) for start, c in zip(splits, chosen, strict=False)]
        lengths = np.array([len(c) for c in chosen], splits.dtype)
        same = None if x._uniform is None or not len(lengths) else int(lengths[0])
        x = ragged(
            take_rows(x._values, np.concatenate([np.zeros(0, np.int64), *positions])),
            splits_from_lengths(lengths),
            same,
        )
    if not rest:
        return x
    values = x._values
    inner = _inner(values, rest) if isinstance(values, RaggedTensor) else getitem_dense(values, (slice(None), *rest))
    return ragged(inner, x._row_splits, x._uniform)


def _iterate(x: RaggedTensor) -> Iterator[Any]:
    return (getitem(x, i) for i in range(x._row_splits.aval.shape[0] - 1))


def gather(
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    axis: Any = None,
    batch_dims: int = 0,
    name: str | None = None,
) -> Any:
    """The version of `tf.gather` for ragged `params` or `indices`.

    Raises:
      ValueError: `axis` is not equal to `batch_dims`, or there is more than one batch axis.
      InvalidArgumentError: an index is out of range.
    """
    if axis is not None and int(axis) != batch_dims:
        raise ValueError(f"tf.gather of ragged tensors along axis {axis} is not supported, only `batch_dims`")
    if batch_dims == 1:
        return _gather_in_rows(params, indices)
    if batch_dims:
        raise ValueError(f"tf.gather of ragged tensors with batch_dims={batch_dims} is not supported, only 0 and 1")
    if isinstance(indices, RaggedTensor):
        return indices.with_values(gather(params, indices._values))
    if not isinstance(params, RaggedTensor):
        return gather_dense(params, indices)
    at = stream.host(to_tensor(indices))
    rows = params._row_splits.aval.shape[0] - 1
    if (bad := (at < 0) | (at >= rows)).any():
        raise invalid(f"indices[{np.argwhere(bad)[0].tolist()}] = {at[bad][0]} is not in [0, {rows})")
    if at.ndim == 0:
        return getitem(params, int(at))
    out = take_rows(params, at.ravel())
    for axis in range(at.ndim - 1, 0, -1):
        out = ragged(out, np.arange(int(np.prod(at.shape[:axis])) + 1) * at.shape[axis])
    return out


def _gather_in_rows(params: Any, indices: Any) -> Any:
    """`tf.gather` with one batch axis: row i of the result is ``gather(params[i], indices[i])``."""
    if not isinstance(params, RaggedTensor):
        params = RaggedTensor.from_tensor(params)
    splits = params._splits()
    dense = None if isinstance(indices, RaggedTensor) else stream.host(to_tensor(indices))
    if dense is not None:
        rows = np.arange(len(dense)).repeat(int(np.prod(dense.shape[1:])))
        at = dense.ravel()
    else:
        rows, at = row_ids(indices._splits()), stream.host(indices.flat_values)
        if indices.ragged_rank > 1 or at.ndim > 1:
            raise ValueError("tf.gather with batch_dims=1 needs indices of rank 2")
    # As in TensorFlow, an index that exceeds its row gives an element of a later row. Only indices that exceed all rows
    # are refused.
    if (bad := (at < 0) | (splits[rows] + at >= splits[-1])).any():
        raise invalid(f"index {at[bad][0]} is out of range")
    found = take_rows(params._values, splits[rows] + at)
    if dense is None:
        return indices.with_values(found)
    if isinstance(found, Tensor):
        return reshape(found, (*dense.shape, *found.aval.shape[1:]))
    if dense.ndim == 1:
        return found
    return RaggedTensor.from_uniform_row_length(found, dense.shape[1], dense.shape[0])


RaggedTensor.__getitem__ = getitem  # type: ignore[attr-defined]
RaggedTensor.__iter__ = _iterate  # type: ignore[attr-defined]
