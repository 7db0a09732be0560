"""The versions of ``tf.reduce_sum`` and the other reductions for ragged tensors."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tapejax._src.composite.ragged.indexing import expanded
from tapejax._src.composite.ragged.making import row_ids, splits_from_lengths
from tapejax._src.composite.ragged.tensor import RaggedTensor, ragged
from tapejax._src.core import dtypes, public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.ops.array.casting import cast
from tapejax._src.ops.array.creation import ones_like
from tapejax._src.ops.math import reduction as dense
from tapejax._src.ops.math import segment
from tapejax._src.ops.math.elementwise import add, divide, square, subtract
from tapejax._src.ops.math.transcendental import exp, log, sqrt

__all__ = ["register"]


def _by_segment(values: Any, ids: np.ndarray, n: int, how: str) -> Any:
    """Reduces all rows with the same id to one row, element by element. Rows may be shorter than others."""
    if isinstance(values, Tensor):
        return getattr(segment, f"unsorted_segment_{how}")(values, from_value(ids.astype(np.int32)), n)
    splits = values._splits()
    lengths = np.zeros(n, splits.dtype)
    np.maximum.at(lengths, ids, np.diff(splits))
    out, rows = splits_from_lengths(lengths), row_ids(splits)
    within = np.arange(len(rows)) - splits[rows]
    return ragged(_by_segment(values._values, out[ids[rows]] + within, int(out[-1]), how), out)


def _along(x: Any, axis: int, how: str) -> Any:
    if isinstance(x, Tensor):
        return getattr(dense, f"reduce_{how}")(x, axis)
    if axis > 1:
        return ragged(_along(x._values, axis - 1, how), x._row_splits, x._uniform)
    splits = x._splits()
    ids = row_ids(splits)
    if axis == 1:
        return _by_segment(x._values, ids, len(splits) - 1, how)
    return _by_segment(x._values, np.arange(len(ids)) - splits[ids], int(np.diff(splits).max(initial=0)), how)


def _reduce(x: RaggedTensor, axis: Any, keepdims: Any, how: str) -> Any:
    rank = x.shape.rank
    assert rank is not None
    if axis is None:
        out: Any = getattr(dense, f"reduce_{how}")(x.flat_values)
        axes = list(range(rank)) if keepdims else []
        for a in axes:
            out = expanded(out, a)
        return out
    axes = np.asarray(axis).ravel().tolist()
    if any(not -rank <= a < rank for a in axes):
        raise ValueError(f"axis={axis} out of bounds: expected {-rank}<=axis<{rank}")
    out = x
    for a in sorted({a % rank for a in axes}, reverse=True):
        out = _along(out, a, how)
        if keepdims:
            out = expanded(out, a)
    return out


def _plain(how: str) -> Callable[..., Any]:
    def reduce(input_tensor: RaggedTensor, axis: Any = None, keepdims: Any = None, name: str | None = None) -> Any:
        return _reduce(input_tensor, axis, keepdims, how)

    return reduce


_sum, _prod = _plain("sum"), _plain("prod")


def _mean(input_tensor: RaggedTensor, axis: Any = None, keepdims: Any = None, name: str | None = None) -> Any:
    if axis is None:
        return _reduce(input_tensor, None, keepdims, "mean")
    return divide(_sum(input_tensor, axis, keepdims), _sum(ones_like(input_tensor), axis, keepdims))


def _as_integers(fn: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(input_tensor: RaggedTensor, axis: Any = None, keepdims: Any = None, name: str | None = None) -> Any:
        return cast(fn(cast(input_tensor, dtypes.int32), axis, keepdims), dtypes.bool)

    return reduce


def _variance(input_tensor: RaggedTensor, axis: Any = None, keepdims: Any = None, name: str | None = None) -> Any:
    mean = _mean(input_tensor, axis, keepdims)
    return subtract(_mean(square(input_tensor), axis, keepdims), square(mean))


def _std(input_tensor: RaggedTensor, axis: Any = None, keepdims: Any = None, name: str | None = None) -> Any:
    return sqrt(_variance(input_tensor, axis, keepdims))


def _logsumexp(input_tensor: RaggedTensor, axis: Any = None, keepdims: Any = None, name: str | None = None) -> Any:
    top = float(np.max(np.asarray(input_tensor.flat_values), initial=-np.inf))
    shift = top if np.isfinite(top) else 0.0
    return add(log(_sum(exp(subtract(input_tensor, shift)), axis, keepdims)), shift)


def register() -> None:
    """Registers the versions of the reductions for ragged tensors."""
    found = {
        "sum": _sum,
        "prod": _prod,
        "max": _plain("max"),
        "min": _plain("min"),
        "mean": _mean,
        "any": _as_integers(_sum),
        "all": _as_integers(_prod),
        "variance": _variance,
        "std": _std,
        "logsumexp": _logsumexp,
    }
    known = public.versions.setdefault(RaggedTensor, {})
    for name, fn in found.items():
        known[f"reduce_{name}"] = known[f"math.reduce_{name}"] = fn


register()
