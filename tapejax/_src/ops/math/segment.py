"""Reductions by segment. Rows of a tensor that have the same segment id are reduced to one row of the result.

Row i of the tensor takes part in row ``segment_ids[i]`` of the result.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tapejax._src.core.checks import invalid, invalid_value, is_integer, need
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.engine import stream
from tapejax._src.ops.array.gathering import put_extreme
from tapejax._src.ops.array.layout import host_value
from tapejax._src.ops.math.elementwise import divide
from tapejax._src.ops.math.transcendental import sqrt
from tapejax._src.ops.registry import Array, op
from tapejax._src.ops.rows import described

__all__ = [
    "segment_max", "segment_mean", "segment_min", "segment_prod", "segment_sum", "unsorted_segment_max",
    "unsorted_segment_mean", "unsorted_segment_min", "unsorted_segment_prod", "unsorted_segment_sqrt_n",
    "unsorted_segment_sum",
]  # fmt: skip


def _add(rows: Any, ids: Any, n: int) -> Any:
    return jnp.zeros((n, *rows.shape[1:]), rows.dtype).at[ids].add(rows, mode="drop", wrap_negative_indices=False)


@jax.custom_jvp
def _multiply(start: Any, rows: Any, ids: Any) -> Any:
    return start.at[ids].multiply(rows, mode="drop", wrap_negative_indices=False)


@_multiply.defjvp
def _multiply_jvp(primals: Any, tangents: Any) -> Any:
    # The derivative by an element is the product of the other elements of its segment. If one of them is zero, only its
    # own derivative can differ from zero. If two are zero, all derivatives are.
    start, rows, ids = primals
    zero = rows == 0
    nonzero = jnp.where(zero, 1, rows)
    zeros = _add(zero.astype(np.int32), ids, start.shape[0])[ids]
    product = _multiply(start, nonzero, ids)[ids]
    slope = jnp.where(zero, jnp.where(zeros == 1, product, 0), jnp.where(zeros > 0, 0, product / nonzero))
    return _multiply(start, rows, ids), _add(slope * tangents[1], ids, start.shape[0])


def _extreme(rows: Any, ids: Any, counts: Any, how: str, ordered: bool) -> Any:
    limits = np.iinfo(rows.dtype) if is_integer(rows) else jnp.finfo(rows.dtype)
    start = limits.min if how == "max" else limits.max
    if ordered and not is_integer(rows):
        start = -np.inf if how == "max" else np.inf
    found = put_extreme(jnp.full((counts.size, *rows.shape[1:]), start, rows.dtype), ids[:, None], rows, how)
    return jnp.where(counts == 0, 0, found) if ordered else found


def _rows(data: Any, ids: Any) -> tuple[Any, Any]:
    """`data` reshaped to one row for each id, and the ids as a vector."""
    if ids.dtype.kind != "i":
        raise invalid(f"Value for attr 'Tindices' of {ids.dtype} is not in the list of allowed values: int32, int64")
    if data.shape[: ids.ndim] != ids.shape:
        raise invalid(f"data.shape = {list(data.shape)} does not start with segment_ids.shape = {list(ids.shape)}")
    return data.reshape(ids.size, *data.shape[ids.ndim :]), ids.ravel()


@op()
def _segment(data: Array, segment_ids: Array, n: int, how: str, ordered: bool):
    need("fiu" if how in ("max", "min") else "fiuc", data)
    rows, ids = _rows(data, segment_ids)
    if how == "sum":
        return _add(rows, ids, n)
    if how == "prod":
        return _multiply(jnp.ones((n, *rows.shape[1:]), rows.dtype), rows, ids)
    counts = _add(jnp.ones(ids.shape, np.int32), ids, n).reshape(n, *[1] * (rows.ndim - 1))
    if how == "mean":
        total, counts = _add(rows, ids, n), jnp.maximum(counts, 1).astype(rows.dtype)
        return jax.lax.div(total, jnp.broadcast_to(counts, total.shape))
    return _extreme(rows, ids, counts, how, ordered)


def _sorted(data: Any, segment_ids: Any, how: str) -> Tensor:
    t, ids = to_tensor(data), to_tensor(segment_ids)
    values = stream.host(ids)
    if not t.ndim or values.ndim != 1:
        raise invalid("input must be at least rank 1" if not t.ndim else "segment_ids should be a vector.")
    if values.dtype.kind == "i" and values.size and values[0] < 0:
        raise invalid_value("segment ids must be >= 0")
    if (values[1:] < values[:-1]).any():
        raise invalid_value("segment ids are not increasing")
    return _segment(t, ids, int(values[-1]) + 1 if values.size else 0, how, True)


def _unsorted(data: Any, segment_ids: Any, num_segments: Any, how: str) -> Tensor:
    t, ids, n = to_tensor(data), to_tensor(segment_ids), int(num_segments)
    if n < 0:
        raise invalid(f"Input num_segments == {n} must not be negative.")
    host = host_value(ids)
    if host is not None and host.dtype.kind == "i" and (bad := host >= n).any():
        at = np.argwhere(bad)[0].tolist()
        raise invalid_value(f"segment_ids{at} = {host[tuple(at)]} is out of range [0, {n})")
    return _segment(t, ids, n, how, False)


@public("math.segment_sum")
def segment_sum(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
    """The sums of the rows with equal ids. The ids are in ascending order.

    Args:
      data: a tensor of numbers with at least one axis.
      segment_ids: integers >= 0 in ascending order, one for each row of `data`. They are read, since the last one
        determines the size of the result.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape (last id + 1, ..) and the dtype of `data`. The sum of a segment without rows is 0.

    Raises:
      InvalidArgumentError: ids are negative or not ascending, or there are not as many as rows.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/segment_sum

    >>> segment_sum([1, 3, 5], [0, 0, 1]).numpy().tolist()
    [4, 5]
    """
    return _sorted(data, segment_ids, "sum")


def _in_order(how: str, what: str, kinds: str, empty: int, example: str) -> Callable[..., Tensor]:
    """Makes the function of another reduction that takes the arguments of `segment_sum`."""

    def segment(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
        return _sorted(data, segment_ids, how)

    text = (
        f"The {what} of the rows with equal ids. The ids are in ascending order.\n\n"
        f"    Takes the arguments of `segment_sum` and raises the same errors. `data` holds {kinds}.\n"
        f"    A segment without rows gives {empty}."
    )
    name = f"math.segment_{how}"
    return public(name)(described(segment, text, "[1, 3, 5], [0, 0, 1]", example, name))


segment_mean = _in_order("mean", "means (those of integers rounded towards zero)", "numbers", 0, "[2, 5]")
segment_max = _in_order("max", "maxima (equal elements share the gradient)", "real numbers", 0, "[3, 5]")
segment_min = _in_order("min", "minima (equal elements share the gradient)", "real numbers", 0, "[1, 5]")
segment_prod = _in_order("prod", "products", "numbers", 1, "[3, 5]")


@public("math.unsorted_segment_sum")
def unsorted_segment_sum(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """The sums of the rows with equal ids. The ids are in any order.

    Args:
      data: a tensor of numbers whose shape begins with that of `segment_ids`.
      segment_ids: integers below `num_segments`, of any shape. Rows with a negative id are left out. Ids that are too
        large raise an error if their values are on the host; otherwise their rows are left out too.
      num_segments: the size of the result's first axis. It is read.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape (num_segments, ..) and the dtype of `data`. The sum of a segment without rows is 0.

    Raises:
      InvalidArgumentError: an id is too large, or the shapes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/unsorted_segment_sum

    >>> unsorted_segment_sum([1, 5, 3], [0, 1, 0], 2).numpy().tolist()
    [4, 5]
    """
    return _unsorted(data, segment_ids, num_segments, "sum")


def _in_any_order(how: str, what: str, kinds: str, empty: str, example: str) -> Callable[..., Tensor]:
    """Makes the function of another reduction that takes the arguments of `unsorted_segment_sum`."""

    def segment(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
        return _unsorted(data, segment_ids, num_segments, how)

    text = (
        f"The {what} of the rows with equal ids. The ids are in any order.\n\n"
        f"    Takes the arguments of `unsorted_segment_sum` and raises the same errors. `data` holds {kinds}.\n"
        f"    A segment without rows gives {empty}."
    )
    name = f"math.unsorted_segment_{how}"
    return public(name)(described(segment, text, "[1, 5, 3], [0, 1, 0], 2", example, name))


unsorted_segment_max = _in_any_order(
    "max", "maxima (equal elements share the gradient)", "real numbers", "the dtype's lowest value", "[3, 5]"
)
unsorted_segment_min = _in_any_order(
    "min", "minima (equal elements share the gradient)", "real numbers", "the dtype's highest value", "[1, 5]"
)
unsorted_segment_prod = _in_any_order("prod", "products", "numbers", "1", "[3, 5]")


@op(differentiable=False)
def _counts(data: Array, segment_ids: Array, n: int):
    rows, ids = _rows(data, segment_ids)
    counts = jnp.maximum(_add(jnp.ones(ids.shape, np.int32), ids, n), 1)
    return counts.astype(rows.dtype).reshape(n, *[1] * (rows.ndim - 1))


@public("math.unsorted_segment_mean")
def unsorted_segment_mean(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """The means of the rows with equal ids. The ids are in any order. The means of integers are floating.

    Takes the arguments of `unsorted_segment_sum` and raises the same errors. A segment without rows gives 0.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/unsorted_segment_mean

    >>> unsorted_segment_mean([1.0, 5.0, 2.0], [0, 1, 0], 2).numpy().tolist()
    [1.5, 5.0]
    """
    t = to_tensor(data)
    total = unsorted_segment_sum(t, segment_ids, num_segments)
    return divide(total, _counts(t, segment_ids, int(num_segments)))


@public("math.unsorted_segment_sqrt_n")
def unsorted_segment_sqrt_n(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """The sums of the rows with equal ids, divided by the square roots of the numbers of rows.

    The ids are in any order. Takes the arguments of `unsorted_segment_sum` and raises the same errors. `data` holds
    floating or complex numbers. A segment without rows gives 0.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/unsorted_segment_sqrt_n

    >>> unsorted_segment_sqrt_n([1.0, 5.0, 2.0, 4.0, 1.0], [0, 1, 0, 0, 0], 2).numpy().tolist()
    [4.0, 5.0]
    """
    t = to_tensor(data)
    total = unsorted_segment_sum(t, segment_ids, num_segments)
    return divide(total, sqrt(_counts(t, segment_ids, int(num_segments))))
