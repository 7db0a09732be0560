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
    """The rows of `params` at `ids`.

    Args:
      params: a tensor or variable of shape ``[n, ...]``, or a list of them that together are the table, the first
        rows in the first ("div" partitioning). The gradient of each is `tf.IndexedSlices`.
      ids: int32 or int64, of any shape.
      max_norm: the largest norm of a row; longer ones are scaled. None for no bound.
      name: as in TensorFlow, of no effect when eager.

    Returns:
      A tensor of shape ``[*ids.shape, ...]``.

    Raises:
      ValueError: no `params`.

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
    """Whether a list is one table in plain numbers."""
    return bool(params) and not hasattr(params[0], "shape")


@op()
def _position(ids: Array, first: int, size: int):
    """Where ids are in the shard that begins with row `first`; row 0 for those in another."""
    return jnp.where((ids >= first) & (ids < first + size), ids - first, 0)


@op()
def _choose(chosen: Array, other: Array, ids: Array, first: int):
    """`chosen` for the ids from `first` on."""
    mine = (ids >= first).reshape(ids.shape + (1,) * (chosen.ndim - ids.ndim))
    return jnp.where(mine, chosen, other)


def _in_shards(tables: list[Tensor], ids: Tensor) -> Tensor:
    rows = [t.aval.shape[0] for t in tables]
    size = -(-sum(rows) // len(rows))  # the first shards may have one row more than the others
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
    """The rows found for ids, each taken from where its id comes first.

    So the gradients of a repeated id come together in one slice, as where TensorFlow looks up unique ids, and the
    other slices are zero; the number of slices does not depend on the ids.
    """
    by_id = order.argsort(ids, 0)
    sorted_ids = order.take(ids, by_id)
    # Where each run of equal ids begins; `by_id` holds there the first of them. (`jnp.unique` took twice as long.)
    begin = lax.cummax(jnp.where(sorted_ids != jnp.roll(sorted_ids, 1), lax.iota(np.int32, ids.size), 0))
    return rows[jnp.zeros_like(by_id).at[by_id].set(by_id[begin], unique_indices=True)]
