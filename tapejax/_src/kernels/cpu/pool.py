"""Pools. On CPUs they are chains of shifted copies of the input, which is several times faster than XLA's own way.

XLA compiles such a chain to one loop. On other platforms XLA's `reduce_window` is used. Measured with JAX 0.10.2 on two
cores, in ms of CPU time, for 64 images of 32x32x32 in float32 and a 3x3 window:

- The maximum with strides of 1 takes 1.8, by XLA's own way 5.9; with its gradient it takes about 8.
- The maximum with strides of 2 takes 0.5; with its gradient 3.3.
- The mean takes 1.1, by XLA's own way 3.7; its gradient takes 2.0.
"""

import math
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core.checks import kind
from tapejax._src.kernels.windows import Window, for_platform, spans, taps, views

__all__ = ["average", "maximum", "winner"]

# The number of elements of a window up to which a pool on a CPU is a chain of one term for each element.
_UNROLLED = 27


def maximum(x: Any, win: Window) -> Any:
    """The maximum over each position of the window.

    Padding does not take part. The maximum is NaN where one of the inputs is NaN.

    Args:
      x: the input [batch, *spatial, channels].
      win: the window.

    Returns:
      An array [batch, *win.output, channels].
    """
    by_xla = partial(_max_by_xla, win=win)
    if max(win.dilations) > 1:
        return _max_by_views(x, win)  # JAX has no gradient for dilated windows
    if math.prod(win.size) > _UNROLLED or not math.prod(win.output):
        return by_xla(x)
    return for_platform(lambda x: _max_by_views(x, win), by_xla)(x)


def average(x: Any, win: Window) -> Any:
    """The mean over each position of the window. Padding does not count, and 16-bit types are summed in float32.

    Args:
      x: the input [batch, *spatial, channels].
      win: the window.

    Returns:
      An array [batch, *win.output, channels].
    """
    wide = x.astype(np.float32) if x.dtype.itemsize < 4 else x
    by_xla = partial(_mean_by_xla, win=win)
    if math.prod(win.size) > _UNROLLED or not math.prod(win.output):
        y = by_xla(wide)
    else:
        y = for_platform(lambda x: _mean_by_views(x, win), by_xla)(wide)
    return y.astype(x.dtype)


def winner(x: Any, win: Window) -> tuple[Any, Any]:
    """The maximum over each position of the window, and the number of the window's first element that attains it."""
    best, *others = taps(x, win, _lowest(x.dtype))
    which = jnp.zeros(best.shape, _number(win))
    for i, seen in enumerate(others, 1):
        which = jnp.where(seen > best, jnp.asarray(i, which.dtype), which)
        best = jnp.maximum(best, seen)
    return best, which


def _number(win: Window) -> Any:
    return np.uint8 if math.prod(win.size) < 256 else np.int32


def _lowest(dtype: Any) -> Any:
    return -np.inf if kind(dtype) == "f" else np.iinfo(dtype).min


def _max_by_xla(x: Any, win: Window) -> Any:
    return lax.reduce_window(
        x,
        np.array(_lowest(x.dtype), x.dtype),
        lax.max,
        (1, *win.size, 1),
        (1, *win.strides, 1),
        ((0, 0), *win.padding, (0, 0)),
    )


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _max_by_views(x: Any, win: Window) -> Any:
    return reduce(jnp.maximum, (seen for _, seen in views(x, win, _lowest(x.dtype))))


@_max_by_views.defjvp
def _max_tangent(win: Window, primals: Any, tangents: Any) -> Any:
    (x,), (dx,) = primals, tangents
    best = _max_by_views(x, win)
    if len(win.size) == 3:
        # TensorFlow's kernel for volumes gives all of several equal maxima the whole gradient.
        chosen = [seen == best for seen in taps(x, win, _lowest(x.dtype))]
    else:
        which = _first(x, best, win)
        chosen = [which == jnp.asarray(i, which.dtype) for i in range(math.prod(win.size))]
    return best, reduce(jnp.add, (jnp.where(chosen[i], seen, 0) for i, seen in views(dx, win)))


def _first(x: Any, best: Any, win: Window) -> Any:
    """The number of the first element of the window that is equal to the maximum `best`, at each position.

    Where the maximum is NaN, no element is equal to it, and the result is the window's element with the least padding.
    With padding, the same holds where the maximum is -inf, because padding would be equal to it.
    """

    def one(x: Any, best: Any) -> Any:
        # Padding with NaN, which is equal to nothing, would make this ten times slower.
        seen = views(x, win, -np.inf)
        middle = jnp.full(best.shape, seen[0][0], _number(win))
        which = middle
        for i, value in sorted(seen, key=lambda numbered: -numbered[0]):
            which = jnp.where(value == best, jnp.asarray(i, which.dtype), which)
        return jnp.where(best == -np.inf, middle, which) if any(map(any, win.padding)) else which

    # The gradient reads these numbers once for each element of the window. That is why they are stored in bytes, and
    # why they come from a conditional: XLA would merge their computation into each loop that reads them, and run it
    # again there, but the results of a conditional are always stored. The condition depends on values, so that XLA
    # cannot remove the conditional. Both branches are the same.
    return lax.cond(jnp.max(best[:1, :1], initial=0) > 0, one, one, x, best)


def _mean_by_xla(x: Any, win: Window) -> Any:
    total = lax.reduce_window(
        x,
        np.zeros((), x.dtype),
        lax.add,
        (1, *win.size, 1),
        (1, *win.strides, 1),
        ((0, 0), *win.padding, (0, 0)),
        window_dilation=(1, *win.dilations, 1),
    )
    return total / jnp.asarray(_count(x.shape, win), x.dtype)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _mean_by_views(x: Any, win: Window) -> Any:
    return _sum_by_views(x, win) / jnp.asarray(_count(x.shape, win), x.dtype)


@_mean_by_views.defjvp
def _mean_tangent(win: Window, primals: Any, tangents: Any) -> Any:
    # The gradient reads this product once for each element of the window. The factors are repeated for every channel,
    # so that XLA reads them with vector instructions. If XLA had to broadcast them, it would take five times as long.
    (x,), (dx,) = primals, tangents
    counts = _counts(x.shape, win)
    dy = _sum_by_views(dx, win)
    if all(c.min() == c.max() for c in counts):
        return _mean_by_views(x, win), dy * np.asarray(1 / math.prod(c.min() for c in counts), x.dtype)
    for c in counts:
        dy = dy * np.repeat(1 / c, x.shape[-1], -1).astype(x.dtype)
    return _mean_by_views(x, win), dy


def _sum_by_views(x: Any, win: Window) -> Any:
    return reduce(jnp.add, (seen for _, seen in views(x, win)))


def _counts(shape: tuple[int, ...], win: Window) -> list[Any]:
    """The number of inputs that the window covers along each axis, without padding.

    Returns:
      For each axis an array of shape [..., 1, output, 1, ..., 1], to be broadcast against the output.
    """
    found = []
    for axis, elements in enumerate(spans(win, shape[1:-1])):
        places = np.arange(win.output[axis])
        seen = sum(((places >= first) & (places < last)).astype(np.int64) for first, last in elements)
        found.append(np.reshape(seen, [-1, *[1] * (len(win.size) - axis)]))
    return found


def _count(shape: tuple[int, ...], win: Window) -> Any:
    """The number of inputs that the window covers at each position, without padding: an array [*output, 1]."""
    return reduce(np.multiply, _counts(shape, win))
