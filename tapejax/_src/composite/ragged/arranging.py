"""Versions for ragged tensors of the ops that put elements in another order: `tf.reverse`, `tf.tile`, `tf.split`.

The order is found on the host, on nested lists of positions. The values are then gathered, which is differentiable.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from tapejax._src.composite.ragged import building
from tapejax._src.composite.ragged.tensor import RaggedTensor
from tapejax._src.composite.sparse.tensor import take
from tapejax._src.core import errors
from tapejax._src.core.convert import NotATensor, to_tensor
from tapejax._src.core.tensor import from_value
from tapejax._src.engine import stream
from tapejax._src.ops.array import layout
from tapejax._src.ops.array.layout import static_ints

__all__ = ["reverse", "split", "tile"]


def reverse(tensor: Any, axis: Any, name: str | None = None) -> RaggedTensor:
    """`tf.reverse` of a ragged tensor."""
    ranks, rank = tensor.ragged_rank, tensor.shape.rank
    axes = static_ints(axis, "`axis`").ravel().tolist()
    for a in axes:
        if not -rank <= a < rank:
            raise ValueError(f"axis={a} out of bounds: expected {-rank}<=axis<{rank}")
    depths = {a % rank for a in axes}
    values = tensor.flat_values
    if inner := [d - ranks for d in depths if d > ranks]:
        values = layout.reverse(values, inner)

    def order(rows: list[Any], depth: int) -> list[Any]:
        return rows[::-1] if depth in depths else rows

    return _arranged(tensor, values, order)


def tile(input: Any, multiples: Any, name: str | None = None) -> RaggedTensor:
    """`tf.tile` of a ragged tensor."""
    ranks = input.ragged_rank
    counts = static_ints(multiples, "`multiples`").ravel().tolist()
    if len(counts) != input.shape.rank:
        raise ValueError(f"`multiples` must have {input.shape.rank} elements, one for each axis, got {len(counts)}")
    values = input.flat_values
    if any(n != 1 for n in counts[ranks + 1 :]):
        values = layout.tile(values, [1, *counts[ranks + 1 :]])
    return _arranged(input, values, lambda rows, depth: rows * counts[depth])


def split(value: Any, num_or_size_splits: Any, axis: Any = 0, num: Any = None, name: str = "split") -> list[Any]:
    """`tf.split` of a ragged tensor, along the first axis."""
    if not isinstance(value, RaggedTensor):
        raise NotATensor(num_or_size_splits)
    rank = value.shape.rank
    assert rank is not None  # a ragged tensor knows its rank
    if int(axis) % rank:
        raise ValueError(f"tf.split of a ragged tensor along axis {axis} is not supported, only along axis 0")
    rows = int(value.shape[0])
    sizes = static_ints(num_or_size_splits, "`num_or_size_splits`")
    if not sizes.ndim:
        if sizes < 1 or rows % int(sizes):
            raise errors.InvalidArgumentError(message=f"Cannot exactly split axis of {rows} rows into {sizes} parts")
        sizes = np.full(int(sizes), rows // int(sizes))
    if num is not None and num != len(sizes):
        raise ValueError(f"`num` is {num}, but `num_or_size_splits` has {len(sizes)} elements")
    if (sizes < 0).any() or sizes.sum() != rows:
        raise errors.InvalidArgumentError(message=f"Split sizes {sizes.tolist()} do not add up to {rows} rows")
    ends = np.cumsum(sizes).tolist()
    rows_of: Any = value
    return [rows_of[end - size : end] for end, size in zip(ends, sizes.tolist(), strict=True)]


def _arranged(tensor: RaggedTensor, values: Any, order: Callable[[list[Any], int], list[Any]]) -> RaggedTensor:
    """The ragged tensor whose lists of rows `order` has rearranged, given each list and its axis."""
    kind = np.asarray(tensor.row_splits).dtype
    positions = tensor.with_flat_values(from_value(np.arange(values.aval.shape[0]))).to_list()

    def walk(rows: list[Any], depth: int) -> list[Any]:
        return order([walk(row, depth + 1) if isinstance(row, list) else row for row in rows], depth)

    found = building.constant(
        walk(positions, 0), dtype="int64", ragged_rank=tensor.ragged_rank, row_splits_dtype=kind.name
    )
    where = stream.host(to_tensor(found.flat_values))
    return found.with_flat_values(take(values, where))
