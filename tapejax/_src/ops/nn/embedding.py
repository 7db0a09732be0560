"""Look-ups in tables of embeddings."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.kernels.cpu import sort as order
from tapejax._src.ops.array.gathering import gather
from tapejax._src.ops.linalg.norms import clip_by_norm
from tapejax._src.ops.registry import Array, op

__all__ = ["embedding_lookup", "joined_repeats"]


@public("nn.embedding_lookup", composites=True)
def embedding_lookup(params: Any, ids: Any, max_norm: Any = None, name: str | None = None) -> Tensor:
    """The rows of a table at given positions.

    Args:
      params: the table, a tensor or variable of shape [n, ...]. Or a list of tensors that together form the table: the
        first rows are in the first one (TensorFlow's "div" partitioning). The gradient of each is `tf.IndexedSlices`.
      ids: the positions, int32 or int64 of any shape.
      max_norm: the largest norm of a row; longer rows are scaled down. None means no limit.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [*ids.shape, ...].

    Raises:
      ValueError: `params` is None or empty.
      InvalidArgumentError: the tensors of the list do not have the numbers of rows that the partitioning needs.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/embedding_lookup

    >>> embedding_lookup([[1.0, 2.0], [3.0, 4.0]], [1, 1]).numpy().tolist()
    [[3.0, 4.0], [3.0, 4.0]]
    """
    if params is None:
        raise ValueError("params must be specified")
    tables = params if isinstance(params, (list, tuple)) and not _is_rows(params) else [params]
    if not tables:
        raise ValueError("Length of params is currently 0. Need at least one param.")
    ids = to_tensor(ids)
    found = gather(tables[0], ids) if len(tables) == 1 else _in_shards([to_tensor(t) for t in tables], ids)
    if max_norm is None:
        return found
    axes = tuple(range(len(ids.aval.shape), len(found.aval.shape)))
    return clip_by_norm(found, max_norm, axes)


def _is_rows(params: Any) -> bool:
    """Whether a list holds the rows of one table as plain numbers, and not several tables."""
    return bool(params) and not hasattr(params[0], "shape")


@op()
def _position(ids: Array, first: int, size: int):
    """The positions of ids in the part of the table that begins with row `first`. Ids in other parts get position 0."""
    return jnp.where((ids >= first) & (ids < first + size), ids - first, 0)


@op()
def _choose(chosen: Array, other: Array, ids: Array, first: int):
    """The rows of `chosen` for ids of at least `first`, those of `other` for smaller ids."""
    mine = (ids >= first).reshape(ids.shape + (1,) * (chosen.ndim - ids.ndim))
    return jnp.where(mine, chosen, other)


def _in_shards(tables: list[Tensor], ids: Tensor) -> Tensor:
    rows = [t.aval.shape[0] for t in tables]
    size = -(-sum(rows) // len(rows))  # the first parts may have one row more than the others
    extra = sum(rows) % len(rows)
    expected = [size if not extra or i < extra else size - 1 for i in range(len(rows))]
    if rows != expected:
        raise invalid(f"the tables of a partitioned lookup must have {expected} rows, got {rows}")
    found, first = None, 0
    for table, count in zip(tables, rows, strict=True):
        part = gather(table, _position(ids, first, count))
        found = part if found is None else _choose(part, found, ids, first)
        first += count
    assert found is not None
    return found


@op()
def joined_repeats(rows: Array, ids: Array):
    """Changes the gradient of looked-up rows: all gradients of a repeated id are summed into its first row.

    TensorFlow looks up unique ids and so gets one slice for each. Here the number of slices must not depend on the ids.
    So every id keeps its slice, and those of repetitions are zero.

    Args:
      rows: the rows that were looked up, one for each id.
      ids: the ids, a vector.

    Returns:
      The same rows: each is taken from the place where its id occurs first.
    """
    by_id = order.argsort(ids, 0)
    sorted_ids = order.take(ids, by_id)
    # For each sorted id the beginning of its run of equal ids. There `by_id` holds the place where the id occurs first.
    # `jnp.unique` took twice as long.
    begin = lax.cummax(jnp.where(sorted_ids != jnp.roll(sorted_ids, 1), lax.iota(np.int32, ids.size), 0))
    return rows[jnp.zeros_like(by_id).at[by_id].set(by_id[begin], unique_indices=True)]
