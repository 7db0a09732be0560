"""Concatenating and stacking ragged tensors, also together with dense tensors."""

from typing import Any

import numpy as np

from tapejax._src.composite.ragged.indexing import expanded, take_rows
from tapejax._src.composite.ragged.tensor import RaggedTensor, ragged
from tapejax._src.composite.sparse.tensor import join
from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.ops.array.joining import concat as concat_dense
from tapejax._src.ops.array.joining import stack as stack_dense

__all__ = ["concat", "stack", "stack_ragged"]


def _axis(axis: Any, rank: int) -> int:
    if not -rank <= int(axis) < rank:
        raise ValueError(f"axis={axis} out of bounds: expected {-rank}<=axis<{rank}")
    return int(axis) % rank


def _alike(values: Any) -> list[RaggedTensor]:
    """Converts all values to ragged tensors with the same number of ragged axes and the same dtype of row splits."""
    parts = [v if isinstance(v, RaggedTensor) else to_tensor(v) for v in values]
    ranks = {p.shape.rank for p in parts}
    if len(ranks) > 1:
        raise ValueError(f"all values must have the same rank, got {sorted(map(str, ranks))}")
    most = max(p.ragged_rank for p in parts if isinstance(p, RaggedTensor))
    kinds = {p._row_splits.aval.dtype for p in parts if isinstance(p, RaggedTensor)}
    kind = np.dtype(np.int64) if len(kinds) > 1 else kinds.pop()
    return [_deep(p, most, kind) for p in parts]


def _deep(p: Any, most: int, kind: np.dtype) -> RaggedTensor:
    """Converts `p` to a ragged tensor with `most` ragged axes and row splits of dtype `kind`."""
    if isinstance(p, Tensor):
        return RaggedTensor.from_tensor(p, ragged_rank=most, row_splits_dtype=kind)
    if p._row_splits.aval.dtype != kind:
        p = p.with_row_splits_dtype(kind)
    return p if p.ragged_rank == most else p.with_values(_deep(p._values, most - 1, kind))


def _below(parts: list[Any]) -> Any:
    """Concatenates the parts along the first axis."""
    if isinstance(parts[0], Tensor):
        return join(parts)
    splits, end = [parts[0]._splits()], parts[0]._splits()[-1]
    for p in parts[1:]:
        splits.append(p._splits()[1:] + end)
        end = splits[-1][-1] if len(splits[-1]) else end
    return ragged(_below([p._values for p in parts]), np.concatenate(splits))


def _joined(parts: list[Any], axis: int) -> Any:
    if isinstance(parts[0], Tensor):
        return concat_dense(parts, axis)
    if axis == 0:
        return _below(parts)
    first = parts[0]._splits()
    if axis == 1:
        if any(len(p._splits()) != len(first) for p in parts):
            raise invalid("Input tensors have incompatible numbers of rows.")
        count, rows = len(parts), len(first) - 1
        # Reorders the rows of all parts, so that the first rows come first, then the second rows, and so on.
        mixed = take_rows(_below(parts), np.arange(count * rows).reshape(count, rows).T.ravel())
        return ragged(mixed._values, mixed._splits()[::count])
    if any(not np.array_equal(p._splits(), first) for p in parts):
        raise invalid("Inputs must have identical ragged splits")
    return ragged(_joined([p._values for p in parts], axis - 1), parts[0]._row_splits)


def concat(values: Any, axis: Any, name: str = "concat") -> Any:
    """The version of `tf.concat` for values of which at least one is ragged."""
    if not isinstance(values, (list, tuple)):
        return values
    parts = _alike(values)
    rank = parts[0].shape.rank
    assert rank is not None
    return parts[0] if len(parts) == 1 else _joined(parts, _axis(axis, rank))


def stack(values: Any, axis: Any = 0, name: str = "stack") -> Any:
    """The version of `tf.stack` for values of which at least one is ragged."""
    parts = _alike(values if isinstance(values, (list, tuple)) else [values])
    rank = parts[0].shape.rank
    assert rank is not None
    axis = _axis(axis, rank + 1)
    return _joined([expanded(p, axis) for p in parts], axis)


@public("ragged.stack")
def stack_ragged(values: Any, axis: Any = 0, name: str | None = None) -> Any:
    """Stacks tensors of different shapes along a new axis.

    Args:
      values: a list of ragged or dense tensors of the same rank and dtype.
      axis: the position of the new axis.
      name: of no effect.

    Returns:
      A ragged tensor. Stacking scalars gives a dense tensor.

    Raises:
      ValueError: the ranks differ, or `axis` is out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/ragged/stack

    >>> stack_ragged([[1, 2], [3]])
    <tf.RaggedTensor [[1, 2], [3]]>
    """
    items = [
        v if isinstance(v, RaggedTensor) else to_tensor(v)
        for v in (values if isinstance(values, (list, tuple)) else [values])
    ]
    ranks = {v.shape.rank for v in items}
    if len(ranks) > 1:
        raise ValueError(f"all values must have the same rank, got {sorted(map(str, ranks))}")
    rank = items[0].shape.rank
    assert rank is not None
    if any(isinstance(v, RaggedTensor) for v in items):
        return stack(items, axis)
    if rank == 0 or (rank == 1 and _axis(axis, 2) == 1):
        return stack_dense(items, int(axis))
    axis = _axis(axis, rank + 1)
    kind = np.int32 if rank == 1 else np.int64  # as in TensorFlow
    rows = [RaggedTensor.from_tensor(expanded(v, axis), ragged_rank=rank, row_splits_dtype=kind) for v in items]
    return _joined(rows, axis)
