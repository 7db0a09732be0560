"""Counts of values: `bincount`, histograms of fixed width, confusion matrices."""

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
    """Counts how often each integer 0, 1, 2, .. occurs.

    Args:
      arr: integers >= 0. They are read, since the size of the result depends on the largest.
      weights: what each occurrence counts, a tensor of the shape of `arr`. The result then has its dtype.
      minlength: the least length of the result.
      maxlength: the greatest length of the result. Larger integers are left out.
      dtype: the dtype of the result if there are no weights.
      name: has no effect, as in eager TensorFlow.
      axis: None or 0: all elements are counted together. -1: each row of a matrix is counted by itself.
      binary_output: whether the result has 1 for each integer that occurs, instead of a count.

    Raises:
      InvalidArgumentError: an integer is negative, or the weights have another shape.
      ValueError: `axis` is another one, or there are both weights and `binary_output`.

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
    """Counts the values in each of `nbins` equal parts of a range. Values outside count in the first or last part.

    Args:
      values: a tensor of floating numbers or signed integers.
      value_range: (low, high), of the dtype of `values`.
      nbins: the number of parts. It is read.
      dtype: the dtype of the counts, int32 or int64.
      name: has no effect, as in eager TensorFlow.

    Returns:
      Counts of shape (nbins,).

    Raises:
      InvalidArgumentError: `value_range` is not an ascending pair, `nbins` is not positive, or `values` are on the host
        and contain nan.

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
    """For each value, the number of the part of the range in which `histogram_fixed_width` counts it.

    Takes the arguments of `histogram_fixed_width`; `values` are floating numbers.

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
    """Counts how often each class was predicted as each class: rows are the true classes, columns the predicted ones.

    Args:
      labels: the true classes, integers >= 0 of shape (n,). Labels and predictions are read.
      predictions: the predicted classes, integers >= 0 of shape (n,).
      num_classes: the number of rows and columns; by default the largest class plus one.
      weights: what each pair counts, of shape (n,).
      dtype: the dtype of the matrix.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: a class is out of range, or the shapes differ.

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
    """`value` as int64, without its last axis if that has size 1 and `other` has one axis less."""
    t, o = to_tensor(value), to_tensor(other)
    if t.ndim == o.ndim + 1 and t.aval.shape[-1] == 1:
        t = squeeze(t, [-1])
    return cast(t, dtypes.int64)
