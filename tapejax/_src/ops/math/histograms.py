"""Counting: bincount, histograms of fixed width, confusion matrices."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid, invalid_value, need
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.engine import stream
from tapejax._src.ops.array.casting import cast
from tapejax._src.ops.array.layout import host_value, squeeze
from tapejax._src.ops.registry import Array, DType, op

__all__ = ["bincount", "confusion_matrix", "histogram_fixed_width", "histogram_fixed_width_bins"]


@op(differentiable=False)
def _bincount(
    arr: Array, weights: Array = None, size: int = 0, rows: bool = False, binary: bool = False, dtype: DType = None
):
    wanted = dtype if weights is None else weights.dtype
    one = jnp.ones(arr.shape, wanted) if weights is None else weights

    def count(i: Any, w: Any) -> Any:
        start = jnp.zeros(size, wanted)
        return start.at[i].set(w, mode="drop") if binary else start.at[i].add(w, mode="drop")

    return jax.vmap(count)(arr, one) if rows else count(arr.ravel(), one.ravel())


@public("math.bincount")
def bincount(
    arr: Any,
    weights: Any = None,
    minlength: Any = None,
    maxlength: Any = None,
    dtype: Any = dtypes.int32,
    name: str | None = None,
    axis: int | None = None,
    binary_output: bool = False,
) -> Tensor:
    """How often each integer from 0 on occurs. The length is the largest plus one, so `arr` is read.

    Args:
      arr: integers >= 0.
      weights: what each occurrence counts, of `arr`'s shape; the result has their dtype.
      minlength: the least length of the result.
      maxlength: the greatest; larger integers are left out.
      dtype: of the result without weights.
      name: as in TensorFlow, of no effect when eager.
      axis: None or 0: all elements together; -1: each row of a matrix by itself.
      binary_output: 1 where an integer occurs, instead of a count.

    Raises:
      InvalidArgumentError: a negative integer, or weights of another shape. ValueError: another axis, or weights
      with `binary_output`.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/bincount

    >>> bincount([1, 1, 3]).numpy().tolist()
    [0, 2, 0, 1]
    """
    if axis not in (None, 0, -1):
        raise ValueError(f"Unsupported value for argument axis={axis}. Only 0 and -1 are currently supported.")
    if binary_output and weights is not None:
        raise ValueError("Arguments `binary_output` and `weights` are mutually exclusive. Please specify only one.")
    t = to_tensor(arr)
    t = t if t.aval.dtype.kind in "iu" else cast(t, dtypes.int32)
    values = stream.host(t)
    if values.size and values.min() < 0:
        raise invalid_value("Input arr must be non-negative!")
    w = None if weights is None else to_tensor(weights)
    if w is not None and w.aval.shape != t.aval.shape:
        raise invalid(f"`weights` must be the same shape as `arr` or a length-0 `Tensor`: {w.shape} and {t.shape}")
    size = int(values.max()) + 1 if values.size else 0
    size = max(size, 0 if minlength is None else int(minlength))
    size = size if maxlength is None else min(size, int(maxlength))
    if axis == -1 and t.ndim > 2:
        raise invalid(f"Shape must be at most rank 2 but is rank {t.ndim}")
    return _bincount(t, w, size, axis == -1 and t.ndim == 2, bool(binary_output), dtype)


def _range(value_range: Any, nbins: Any) -> Tensor:
    limits = to_tensor(value_range)
    if limits.aval.shape != (2,):
        raise invalid("value_range should be a vector of 2 elements.")
    if int(nbins) <= 0:
        raise invalid(f"nbins should be a positive number, but got '{int(nbins)}'")
    host = host_value(limits)
    if host is not None and not host[0] < host[1]:
        raise invalid_value(f"value_range should satisfy value_range[0] < value_range[1], but got {host.tolist()}")
    return limits


def _bins(values: Any, limits: Any, nbins: int) -> Any:
    if values.dtype != limits.dtype:
        raise invalid(f"values and value_range must have one dtype, got {values.dtype} and {limits.dtype}")
    step = (limits[1] - limits[0]) / nbins
    at = jnp.floor((values - limits[0]) / step)
    return jnp.clip(at, 0, nbins - 1).astype(np.int32)


@op(differentiable=False)
def _histogram(values: Array, limits: Array, nbins: int, dtype: DType):
    need("fi", values)
    return jnp.zeros(nbins, dtype).at[_bins(values, limits, nbins).ravel()].add(np.ones((), dtype))


@public("histogram_fixed_width")
def histogram_fixed_width(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """How many values fall in each of `nbins` equal parts of a range; those outside count at its ends.

    Args:
      values: floating or signed integers.
      value_range: (low, high), of the dtype of `values`.
      nbins: how many parts. Static.
      dtype: int32 or int64.
      name: as in TensorFlow, of no effect when eager.

    Returns:
      Counts of shape (nbins,).

    Raises:
      InvalidArgumentError: no range, no bins, or nan among values that are on the host.

    Source: https://www.tensorflow.org/api_docs/python/tf/histogram_fixed_width

    >>> histogram_fixed_width([-1.0, 0.0, 1.5, 9.0], [0.0, 4.0], nbins=4).numpy().tolist()
    [2, 1, 0, 1]
    """
    t = to_tensor(values)
    limits = _range(value_range, nbins)
    host = host_value(t)
    if host is not None and host.dtype.kind == "f" and np.isnan(host).any():
        raise invalid_value("Histogram values must not contain NaN")
    return _histogram(t, limits, int(nbins), dtype)


@op(differentiable=False)
def _histogram_bins(values: Array, limits: Array, nbins: int, dtype: DType):
    need("f", values)
    return _bins(values, limits, nbins).astype(dtype)


@public("histogram_fixed_width_bins")
def histogram_fixed_width_bins(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """The bin of `histogram_fixed_width` that each value falls in. Floating dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/histogram_fixed_width_bins

    >>> histogram_fixed_width_bins([-1.0, 0.0, 1.5, 9.0], [0.0, 4.0], nbins=4).numpy().tolist()
    [0, 0, 1, 3]
    """
    return _histogram_bins(values, _range(value_range, nbins), int(nbins), dtype)


@op(differentiable=False)
def _confusion(labels: Array, predictions: Array, weights: Array = None, n: int = 0, dtype: DType = None):
    ones = jnp.ones(labels.shape, dtype) if weights is None else weights.astype(dtype)
    return jnp.zeros((n, n), dtype).at[labels, predictions].add(ones, mode="drop")


@public("math.confusion_matrix")
def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    weights: Any = None,
    dtype: Any = dtypes.int32,
    name: str | None = None,
) -> Tensor:
    """How often class `labels[i]` was predicted as `predictions[i]`: row true class, column prediction.

    Args:
      labels: integers >= 0 of shape (n,).
      predictions: integers >= 0 of shape (n,).
      num_classes: the matrix's size; by default the largest integer plus one.
      weights: what each pair counts, of shape (n,).
      dtype: of the matrix.
      name: as in TensorFlow, of no effect when eager.

    Raises:
      InvalidArgumentError: an integer out of range, or shapes that differ. (The values are read.)

    Source: https://www.tensorflow.org/api_docs/python/tf/math/confusion_matrix

    >>> confusion_matrix([0, 1, 1], [0, 0, 1]).numpy().tolist()
    [[1, 0], [1, 1]]
    """
    true, guess = (_squeezed(t, o) for t, o in ((labels, predictions), (predictions, labels)))
    seen = [stream.host(t) for t in (true, guess)]
    if seen[0].shape != seen[1].shape:
        raise invalid(f"Shapes of all inputs must match: {true.shape} and {guess.shape}")
    most = max((int(v.max()) for v in seen if v.size), default=-1)
    n = most + 1 if num_classes is None else int(num_classes)
    for v, what in zip(seen, ("labels", "predictions"), strict=True):
        if v.size and (v.min() < 0 or v.max() >= n):
            raise invalid_value(f"`{what}` out of bound: they must be in [0, {n}), got {v.min()} to {v.max()}")
    w = None if weights is None else to_tensor(weights)
    if w is not None and w.aval.shape != true.aval.shape:
        raise invalid(f"`weights` must have the shape of `predictions`: {w.shape} and {true.shape}")
    return _confusion(true, guess, w, n, dtype)


def _squeezed(value: Any, other: Any) -> Tensor:
    """Integers; without the last axis, if that has size 1 and the other argument lacks it."""
    t, o = to_tensor(value), to_tensor(other)
    if t.ndim == o.ndim + 1 and t.aval.shape[-1] == 1:
        t = squeeze(t, [-1])
    return cast(t, dtypes.int64)
