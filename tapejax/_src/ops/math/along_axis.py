"""Along one axis: positions of extremes, running sums and products."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid, invalid_value, need
from tapejax._src.kernels.cpu.running_logsumexp import cumulative
from tapejax._src.kernels.windows import for_platform
from tapejax._src.ops.registry import Array, Axis, DType, op

__all__ = ["argmax", "argmin", "cumprod", "cumsum", "cumulative_logsumexp"]


def _position(x: Any, axis: Any, dtype: Any, allowed: tuple, find: Callable) -> Any:
    if dtype not in allowed:
        raise invalid(
            f"Value for attr 'output_type' of {dtype.name} is not in the list of allowed values: "
            f"{', '.join(np.dtype(a).name for a in allowed)}"
        )
    need("fiub", x)
    axis = 0 if axis is None else axis
    if not -x.ndim <= axis < max(x.ndim, 1):
        # TensorFlow's graphs look at the axis only where it matters for the shape.
        error = invalid if x.ndim > 1 else invalid_value
        raise error(f"Expected dimension in the range [{-x.ndim}, {x.ndim}), but got {axis}")
    if x.ndim == 0:
        return jnp.zeros((), dtype)
    axis %= x.ndim
    if not x.shape[axis]:
        raise invalid_value(f"Reduction axis {axis} is empty in shape {list(x.shape)}")
    kept = partial(_finite, most=find is lax.argmax)

    def by_xla(x: Any) -> Any:
        return find(kept(x), axis, np.int32)

    on_cpu = partial(_position_on_cpu, axis=axis, most=find is lax.argmax)
    known = isinstance(x.shape[axis], int)  # else symbolic (`jax.export`)
    return (for_platform(on_cpu, by_xla) if known else by_xla)(x).astype(dtype)


def _finite(x: Any, most: bool, otherwise: float | None = None) -> Any:
    """`x` with another number for nan and one infinity: by default that where TensorFlow starts, passing over both."""
    if not jnp.issubdtype(x.dtype, np.floating):
        return x
    start = jnp.finfo(x.dtype).min if most else jnp.finfo(x.dtype).max
    return jnp.where(x > start if most else x < start, x, start if otherwise is None else otherwise)


def _position_on_cpu(x: Any, axis: int, most: bool) -> Any:
    # For the rows of 1024x1024 this takes .6 ms, XLA's own 3, for its columns 1 and 34. Positions are floats: XLA finds
    # the least of integers one by one.
    size, extreme = x.shape[axis], partial(jnp.max if most else jnp.min, axis=axis, keepdims=True)
    best = extreme(x)
    place = lax.broadcasted_iota(np.float32 if size < 2**24 else np.float64, x.shape, axis)
    if jnp.issubdtype(x.dtype, np.floating):
        best = lax.cond(jnp.any(best != best), lambda: extreme(_finite(x, most)), lambda: best)
    best = _finite(best, most, np.nan)
    at = jnp.min(jnp.where(x == best, place, jnp.asarray(size, place.dtype)), axis)
    return jnp.where(at < size, at, 0).astype(np.int32)


@op("argmax", "math.argmax", differentiable=False)
def argmax(input: Array, axis: Axis = None, output_type: DType = dtypes.int64, name=None):
    """The position of the maximum along an axis, the first if there are several. Real and boolean dtypes.

    Args:
      input: tensor.
      axis: an int; None is 0.
      output_type: int64 (the default), int32, int16 or uint16.
      name: as in TensorFlow, of no effect when eager.

    Raises:
      InvalidArgumentError: `axis` out of range or of length 0, or another `output_type`.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/argmax

    >>> argmax([[1, 9], [8, 2]], axis=1).numpy().tolist()
    [1, 0]
    """
    allowed = (np.int16, np.uint16, np.int32, np.int64)
    return _position(input, axis, output_type, allowed, lax.argmax)


@op("argmin", "math.argmin", differentiable=False)
def argmin(input: Array, axis: Axis = None, output_type: DType = dtypes.int64, name=None):
    """The position of the minimum along an axis; `output_type` int64 or int32, else as `argmax`.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/argmin

    >>> argmin([[1, 9], [8, 2]], axis=1).numpy().tolist()
    [0, 1]
    """
    return _position(input, axis, output_type, (np.int32, np.int64), lax.argmin)


def _running(x: Any, axis: int, exclusive: bool, reverse: bool, scan: Callable, start: float) -> Any:
    if not -x.ndim <= axis < x.ndim:
        raise invalid_value(f"Expected scan axis in the range [{-x.ndim}, {x.ndim}), but got {axis}")
    axis %= x.ndim
    if exclusive and x.shape[axis]:
        # One place later, starting from the neutral element.
        one = jnp.full_like(lax.slice_in_dim(x, 0, 1, axis=axis), start)
        kept = lax.slice_in_dim(x, 1, None, axis=axis) if reverse else lax.slice_in_dim(x, 0, -1, axis=axis)
        x = jnp.concatenate([kept, one] if reverse else [one, kept], axis)
    return scan(x, axis=axis, reverse=reverse)


@op("cumsum", "math.cumsum")
def cumsum(x: Array, axis: Axis = 0, exclusive=False, reverse=False, name=None):
    """Running sums along an axis. Numeric dtypes.

    Args:
      x: tensor.
      axis: an int.
      exclusive: leave each element out of its own sum; the first is then 0.
      reverse: run from the end.
      name: as in TensorFlow, of no effect when eager.

    Raises:
      InvalidArgumentError: `axis` out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/cumsum

    >>> cumsum([1, 2, 3]).numpy().tolist()
    [1, 3, 6]
    """
    need("fiuc", x)
    return _running(x, axis, exclusive, reverse, lax.cumsum, 0)


@op("math.cumprod")
def cumprod(x: Array, axis: Axis = 0, exclusive=False, reverse=False, name=None):
    """Running products along an axis. Numeric dtypes. Arguments and errors as of `cumsum`.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/cumprod

    >>> cumprod([1, 2, 3]).numpy().tolist()
    [1, 2, 6]
    """
    need("fiuc", x)
    return _running(x, axis, exclusive, reverse, lax.cumprod, 1)


@op("math.cumulative_logsumexp")
def cumulative_logsumexp(x: Array, axis: Axis = 0, exclusive=False, reverse=False, name=None):
    """Running `reduce_logsumexp` along an axis. Floating dtypes. Arguments and errors as of `cumsum`.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/cumulative_logsumexp

    >>> [round(v, 4) for v in cumulative_logsumexp([0.0, 0.0]).numpy().tolist()]
    [0.0, 0.6931]
    """
    need("f", x)
    return _running(x, axis, exclusive, reverse, cumulative, -np.inf)
