"""Sorting along an axis. On CPUs elements are sorted by way of integers.

XLA's CPU sort calls a comparison function for each pair of floats, and for sorts of several arrays. A single array of
integers is sorted five times faster: a million float32 in rows of a thousand take 31 ms instead of 157. So on CPUs an
integer that stands for the element's rank in the order, and the element's position, are packed into one integer.
"""

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.kernels.windows import for_platform

__all__ = ["argsort", "sort", "take", "top_k"]


def argsort(x: Any, axis: int, descending: bool = False) -> Any:
    """The positions of the elements in sorted order along an axis. Equal elements (also 0.0 and -0.0) stay in order.

    Args:
      x: a real array.
      axis: the axis, as a number that is not negative.
      descending: whether the largest element comes first.

    Returns:
      An int32 array of the shape of `x`. NaN counts as larger than all other values, whatever its sign.
    """
    options = {"axis": axis, "descending": descending}
    return for_platform(partial(_argsort_on_cpu, **options), partial(_argsort_by_xla, **options))(lax.stop_gradient(x))


def sort(x: Any, axis: int, descending: bool = False) -> Any:
    """The elements of `x` sorted along an axis, in the order of `argsort`. This is differentiable."""
    options = {"axis": axis, "descending": descending}
    return for_platform(partial(_sort_on_cpu, **options), partial(_sort_by_xla, **options))(x)


def take(x: Any, places: Any, axis: int = -1) -> Any:
    """The elements of `x` at the given positions along an axis. The positions must be in range."""
    return jnp.take_along_axis(x, places, axis, mode="promise_in_bounds")


def top_k(x: Any, k: int) -> tuple[Any, Any]:
    """The `k` largest elements along the last axis, in the order of a descending `argsort`, and their positions."""
    return for_platform(partial(_top_k_on_cpu, k=k), lambda x: tuple(lax.top_k(x, k)))(x)


def _argsort_on_cpu(x: Any, axis: int, descending: bool) -> Any:
    keys = _keys(jnp.swapaxes(lax.stop_gradient(x), axis, -1))
    return jnp.swapaxes(_places(~keys if descending else keys), axis, -1)


def _argsort_by_xla(x: Any, axis: int, descending: bool) -> Any:
    return jnp.argsort(x, axis, stable=True, descending=descending).astype(np.int32)


def _sort_on_cpu(x: Any, axis: int, descending: bool) -> Any:
    if x.dtype.kind not in "iu":
        return take(x, _argsort_on_cpu(x, axis, descending), axis)
    found = lax.sort(jnp.swapaxes(~x if descending else x, axis, -1))
    return jnp.swapaxes(~found if descending else found, axis, -1)


def _sort_by_xla(x: Any, axis: int, descending: bool) -> Any:
    # A descending `jnp.sort` would reverse the order of equal elements, and with it their gradients.
    return take(x, _argsort_by_xla(x, axis, True), axis) if descending else jnp.sort(x, axis, stable=True)


def _top_k_on_cpu(x: Any, k: int) -> tuple[Any, Any]:
    n = x.shape[-1]
    if 8 * k >= n or x.dtype.itemsize > 4 or x.dtype in (np.int32, np.uint32):
        places = _places(~_keys(lax.stop_gradient(x)))[..., :k]
    else:
        # XLA finds the largest k elements with a heap, for matrices of float32. The dtypes in this branch fit into
        # float32.
        wide = lax.stop_gradient(x).astype(np.float32).reshape(-1, n)
        wide = jnp.where(wide == 0, np.float32(0), jnp.where(wide != wide, np.float32(np.nan), wide))
        places = lax.top_k(wide, k)[1].reshape(*x.shape[:-1], k)
    return take(x, places), places


def _keys(x: Any) -> Any:
    """Signed integers, as wide as the dtype of `x`, that have the same order as `x`.

    Every NaN becomes the largest integer. Both zeros become 0.
    """
    signed = np.dtype(f"int{8 * x.dtype.itemsize}")
    if x.dtype == signed:
        return x
    bits = lax.bitcast_convert_type(x, signed)
    limits = np.iinfo(signed)
    if x.dtype.kind == "u":
        return bits ^ limits.min
    size = bits & limits.max
    keys = jnp.where(bits < 0, -size, size)
    return jnp.where(size > np.array(np.inf, x.dtype).view(signed), limits.max, keys)


def _places(keys: Any) -> Any:
    """The int32 positions of signed integers in sorted order along the last axis. Equal ones stay in order."""
    if keys.dtype.itemsize == 8:
        # Sorts by the lower halves, then by the upper halves. The second sort is stable, so it keeps the first's order.
        lower = _places(keys.astype(np.int32) ^ np.iinfo(np.int32).min)
        return take(lower, _places(take((keys >> 32).astype(np.int32), lower)))
    place = lax.broadcasted_iota(np.int64, keys.shape, keys.ndim - 1)
    return lax.sort((keys.astype(np.int64) << 32) | place).astype(np.int32)
