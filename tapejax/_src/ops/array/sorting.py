"""Ops about order: `sort`, `argsort`, `top_k`, `searchsorted`, `unique`, permutations."""

import math
from collections import namedtuple
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid, invalid_value, need
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream
from tapejax._src.kernels.cpu import sort as order
from tapejax._src.ops.array import layout as array
from tapejax._src.ops.array.gathering import check_positions
from tapejax._src.ops.array.layout import check_axis, host_value, one_axis, same_dtypes
from tapejax._src.ops.registry import Array, DType, Shape, op

__all__ = ["argsort", "in_top_k", "invert_permutation", "is_non_decreasing", "is_strictly_increasing", "searchsorted",
           "sort", "top_k", "unique", "unique_with_counts", "unravel_index"]  # fmt: skip

TopKV2 = namedtuple("TopKV2", ["values", "indices"])
Unique = namedtuple("Unique", ["y", "idx"])
UniqueWithCounts = namedtuple("UniqueWithCounts", ["y", "idx", "count"])


@op()
def _sort(values: Array, axis: int, descending: bool):
    need("fiu", values)
    return order.sort(values, check_axis(axis, values.ndim, "sort"), descending)


@op(differentiable=False)
def _argsort(values: Array, axis: int, descending: bool):
    need("fiu", values)
    return order.argsort(values, check_axis(axis, values.ndim, "argsort"), descending)


def _is_descending(direction: str) -> bool:
    if direction not in ("ASCENDING", "DESCENDING"):
        raise ValueError(
            f"Argument `direction` should be one of ASCENDING, DESCENDING. Received: direction={direction}"
        )
    return direction == "DESCENDING"


@public("sort")
def sort(values: Any, axis: Any = -1, direction: str = "ASCENDING", name: str | None = None) -> Tensor:
    """Sorts the elements along an axis.

    Args:
      values: a tensor of real numbers with at least one axis. nan comes last, or first if descending; in TensorFlow its
        place is undefined.
      axis: the axis, an int or a scalar tensor.
      direction: "ASCENDING" or "DESCENDING".
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `axis` is out of range, or the dtype is not real.
      ValueError: `direction` is unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/sort

    >>> sort([3, 1, 2], direction="DESCENDING").numpy().tolist()
    [3, 2, 1]
    """
    return _sort(values, one_axis(axis, "sort"), _is_descending(direction))


@public("argsort")
def argsort(
    values: Any, axis: Any = -1, direction: str = "ASCENDING", stable: bool = False, name: str | None = None
) -> Tensor:
    """The positions of the elements in sorted order along an axis, as int32.

    Args:
      values: a tensor of real numbers with at least one axis.
      axis: the axis, an int or a scalar tensor.
      direction: "ASCENDING" or "DESCENDING".
      stable: has no effect: equal elements always keep their order.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `axis` is out of range, or the dtype is not real.
      ValueError: `direction` is unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/argsort

    >>> argsort([3, 1, 2]).numpy().tolist()
    [1, 2, 0]
    """
    return _argsort(values, one_axis(axis, "argsort"), _is_descending(direction))


@op()
def _top_k(input: Array, k: int, index_type: DType):
    need("fiu", input)
    if not input.ndim:
        raise invalid("input must be >= 1-D, got shape []")
    if k < 0 or k > input.shape[-1]:
        raise invalid(
            f"Need k >= 0, got {k}"
            if k < 0
            else f"input must have at least k columns. Had {input.shape[-1]}, needed {k}"
        )
    values, indices = order.top_k(input, k)
    return values, indices.astype(index_type)


@public("math.top_k", "nn.top_k")
def top_k(
    input: Any, k: Any = 1, sorted: bool = True, index_type: Any = dtypes.int32, name: str | None = None
) -> TopKV2:
    """The `k` largest elements along the last axis, and their positions.

    Args:
      input: a tensor of real numbers of shape (.., n). nan counts as the largest.
      k: how many, at most n. It is read, since the shape depends on it.
      sorted: has no effect: the results are always in descending order.
      index_type: the integer dtype of the positions.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A named tuple (values, indices) of tensors of shape (.., k). Of equal elements the first are taken.

    Raises:
      InvalidArgumentError: `k` is out of range, or `input` is a scalar.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/top_k

    >>> top_k([1.0, 3.0, 2.0], 2).indices.numpy().tolist()
    [1, 2]
    """
    return TopKV2(*_top_k(input, int(k), index_type))


@op("math.in_top_k", "nn.in_top_k", differentiable=False)
def in_top_k(targets: Array, predictions: Array, k, name=None):
    """Whether the prediction for the target class is among the `k` highest of its row. Ties count as among them.

    Args:
      targets: int32 or int64 classes of shape (batch,). A class out of range gives False.
      predictions: float32 of shape (batch, classes). A row with an infinity or nan gives False.
      k: how many.
      name: has no effect, as in eager TensorFlow.

    Returns:
      Booleans of shape (batch,).

    Raises:
      InvalidArgumentError: a shape or dtype does not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/in_top_k

    >>> in_top_k([0, 1], [[0.1, 0.9], [0.2, 0.8]], 1).numpy().tolist()
    [False, True]
    """
    if targets.ndim != 1 or predictions.ndim != 2 or targets.shape != predictions.shape[:1]:
        raise invalid(
            f"predictions must be 2-dimensional and targets 1-dimensional, with one target a row: "
            f"{predictions.shape}, {targets.shape}"
        )
    if predictions.dtype != np.float32 or targets.dtype not in (np.int32, np.int64):
        raise invalid(
            f"predictions must be float32 and targets int32 or int64, got {predictions.dtype}, {targets.dtype}"
        )
    size = predictions.shape[1]
    own = jnp.take_along_axis(predictions, jnp.clip(targets, 0, size - 1)[:, None], 1)
    valid = (targets >= 0) & (targets < size) & jnp.isfinite(predictions).all(1)
    return valid & (jnp.sum(predictions > own, 1) < k)


@op(differentiable=False)
def _searchsorted(sequence: Array, values: Array, side: str, out_type: DType):
    same_dtypes([sequence, values], "LowerBound" if side == "left" else "UpperBound")
    if not sequence.ndim or not values.ndim:
        raise invalid("slice index -1 of dimension 0 out of bounds.")
    rows, wanted = (v.reshape(math.prod(v.shape[:-1]), v.shape[-1]) for v in (sequence, values))
    if rows.shape[0] != wanted.shape[0]:
        raise invalid_value("Leading dim_size of both tensors must match.")
    if not rows.shape[1]:
        return jnp.zeros(values.shape, out_type)
    found = jax.vmap(lambda s, v: jnp.searchsorted(s, v, side=side))(rows, wanted)
    if side == "left":
        found = jnp.where(wanted != wanted, 0, found)  # no element is less than nan
    return found.reshape(values.shape).astype(out_type)


@public("searchsorted")
def searchsorted(
    sorted_sequence: Any, values: Any, side: str = "left", out_type: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """The position at which each value would be inserted into a sorted sequence.

    Args:
      sorted_sequence: a tensor of shape (.., n), ascending along the last axis.
      values: a tensor of shape (.., m), with the same leading axes and dtype.
      side: "left" gives the position before equal elements, "right" the position after them.
      out_type: int32 or int64.
      name: has no effect, as in eager TensorFlow.

    Returns:
      Integers of the shape of `values`.

    Raises:
      InvalidArgumentError: the shapes or dtypes do not fit.
      ValueError: `side` is unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/searchsorted

    >>> searchsorted([1.0, 3.0, 5.0], [3.0, 9.0]).numpy().tolist()
    [1, 3]
    """
    if side not in ("left", "right"):
        raise ValueError(f"Argument `side` must be either 'right' or 'left'. Received: `side` = '{side}'.")
    return _searchsorted(sorted_sequence, values, side, out_type)


def _unique(x: Any, out_idx: Any) -> tuple[Tensor, Tensor, Tensor]:
    values = stream.host(to_tensor(x))
    if values.ndim != 1:
        raise invalid("unique expects a 1D vector.")
    found, first, inverse, counts = np.unique(
        values, return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )
    seen = np.argsort(first, kind="stable")  # TensorFlow keeps the order of first appearance
    rank = np.empty_like(seen)
    rank[seen] = np.arange(len(seen))
    wanted = dtypes.to_numpy(out_idx)
    return (from_value(found[seen]), from_value(rank[inverse].astype(wanted)), from_value(counts[seen].astype(wanted)))


@public("unique")
def unique(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> Unique:
    """The distinct elements of a vector, in the order of their first occurrence.

    Args:
      x: a tensor of shape (n,) and any dtype. It is read, since the size of the result depends on its values.
      out_idx: the integer dtype of `idx`.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A named tuple (y, idx) such that ``x = y[idx]``. It has no gradient.

    Raises:
      InvalidArgumentError: `x` is not a vector.

    Source: https://www.tensorflow.org/api_docs/python/tf/unique

    >>> unique([7, 3, 7]).y.numpy().tolist()
    [7, 3]
    """
    return Unique(*_unique(x, out_idx)[:2])


@public("unique_with_counts")
def unique_with_counts(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> UniqueWithCounts:
    """The distinct elements of a vector and how often each occurs. Takes the arguments of `unique`.

    Returns:
      A named tuple (y, idx, count), where y and idx are those of `unique`.

    Source: https://www.tensorflow.org/api_docs/python/tf/unique_with_counts

    >>> unique_with_counts([7, 3, 7]).count.numpy().tolist()
    [2, 1]
    """
    return UniqueWithCounts(*_unique(x, out_idx))


@op(differentiable=False)
def _unravel(indices: Array, dims: Shape):
    need("iu", indices)
    return jnp.stack(jnp.unravel_index(indices, dims)).astype(indices.dtype)


@public("unravel_index")
def unravel_index(indices: Any, dims: Any, name: str | None = None) -> Tensor:
    """Converts positions in a flattened array to coordinates.

    Args:
      indices: integers, the positions.
      dims: the shape of the array, integers which are read.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor with one row of coordinates for each axis of the array.

    Raises:
      InvalidArgumentError: a position whose value is on the host is out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/unravel_index

    >>> unravel_index([5, 1], [2, 3]).numpy().tolist()
    [[1, 0], [2, 1]]
    """
    at, shape = to_tensor(indices), array.dims(dims)
    check_positions(at, int(np.prod(shape)), "is out of bound as with dims")
    return _unravel(at, shape)


@op(differentiable=False)
def _invert(x: Array):
    if x.ndim != 1:
        raise invalid("invert_permutation expects a 1D vector.")
    need("i", x)
    return jnp.zeros_like(x).at[x].set(jnp.arange(x.shape[0], dtype=x.dtype))


@public("math.invert_permutation")
def invert_permutation(x: Any, name: str | None = None) -> Tensor:
    """The inverse of a permutation: ``y[x[i]] = i``.

    Args:
      x: a vector of signed integers that contains each of 0, .., n - 1 once.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `x` is not a vector; or its value is on the host and is not a permutation.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/invert_permutation

    >>> invert_permutation([2, 0, 1]).numpy().tolist()
    [1, 2, 0]
    """
    t = to_tensor(x)
    host = host_value(t)
    if host is not None and host.ndim == 1 and host.dtype.kind in "iu" and sorted(host.tolist()) != [*range(host.size)]:
        raise invalid_value(
            f"not a permutation, an element is duplicated or not between 0 and {host.size}: {host.tolist()}"
        )
    return _invert(t)


@op("math.is_non_decreasing", differentiable=False)
def is_non_decreasing(x: Array, name=None):
    """Whether no element is less than the one before it, in row-major order. `x` holds real numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/is_non_decreasing

    >>> bool(is_non_decreasing([1, 1, 2]))
    True
    """
    need("fiu", x)
    flat = x.ravel()
    return jnp.all(flat[1:] >= flat[:-1])


@op("math.is_strictly_increasing", differentiable=False)
def is_strictly_increasing(x: Array, name=None):
    """Whether each element is greater than the one before it, in row-major order. `x` holds real numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/is_strictly_increasing

    >>> bool(is_strictly_increasing([1, 1, 2]))
    False
    """
    need("fiu", x)
    flat = x.ravel()
    return jnp.all(flat[1:] > flat[:-1])
