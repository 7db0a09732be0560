"""Running ``log(sum(exp(x)))`` along an axis, for CPUs.

XLA's own joins logarithms, two by two: of 512x512 numbers that takes 215 ms where TensorFlow takes 13, and this 10.
Here a part is its maximum and a sum of exponentials relative to that, and one logarithm is taken at the end.
"""

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.kernels.windows import for_platform

__all__ = ["cumulative"]


def cumulative(x: Any, axis: int, reverse: bool) -> Any:
    """As `jax.lax.cumlogsumexp`, of floating dtypes."""
    by_xla = partial(lax.cumlogsumexp, axis=axis, reverse=reverse)
    known = isinstance(x.shape[axis], int)  # else symbolic (`jax.export`), of which JAX makes no associative scan
    return (for_platform(lambda x: _cumulative(x, axis, reverse), by_xla) if known else by_xla)(x)


def _cumulative(x: Any, axis: int, reverse: bool) -> Any:
    wide = x if x.dtype in (np.float32, np.float64) else x.astype(np.float32)
    bounds = jnp.finfo(wide.dtype)
    most = lax.stop_gradient(jnp.clip(wide, bounds.min, bounds.max))
    # The sums are kept less 1, what the maximum itself adds: so results near 0 are exact.
    most, rest = lax.associative_scan(_joined, (most, jnp.expm1(wide - most)), axis=axis, reverse=reverse)
    empty = rest == -1  # nothing but -inf
    return jnp.where(empty, -jnp.inf, most + jnp.log1p(jnp.where(empty, 0, rest))).astype(x.dtype)


def _joined(a: tuple, b: tuple) -> tuple:
    # What depends on `x` is in the second parts, linearly: the maxima are constants to derivatives.
    high = a[0] > b[0]
    share = jnp.exp(-jnp.abs(a[0] - b[0]))
    own, other = jnp.where(high, a[1], b[1]), jnp.where(high, b[1], a[1])
    return jnp.maximum(a[0], b[0]), own + (1 + other) * share
