"""How convolutions run. XLA's own everywhere, but on CPUs, where some forms of the same sum are several times faster.

Measured with JAX 0.10.2 on two cores, ms as XLA does it / as here: a 1x1 convolution 2.2 / 1.1, its gradient by the
filter 8.3 / 4.6; a 3x3 convolution of three channels 6.0 / 3.9; the gradient of one of 64 channels by its filter 63 /
40. 3-D convolutions and the gradient of a transposed one by its filter are ten times faster.

All are written so that JAX derives the gradients, of any order and in both modes: the rule of `_with_own_gradient` says
the tangent in a form whose transpose is the fast gradient.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from tapejax.ops.depthwise_lowering import by_views
from tapejax.ops.windows import Window, for_platform, taps

__all__ = ["convolve", "depthwise", "transposed"]

_FAST = ("float32", "float64")  # narrower types are summed in float32 by XLA
_COLUMNS = 1 << 18  # elements of one piece of unfolded input: 1 MB stays in the cache, and costs no page faults
_FEW = 4  # channels up to which (but not for one) a 3x3 window is faster as one matrix product
_UNROLLED = 25  # window elements up to which a transposed convolution's gradient is written out
_NARROW = 64  # channels up to which XLA's gradient by the filter is slow


def convolve(x: Any, w: Any, win: Window) -> Any:
    """Convolution (correlation) of [batch, *spatial, in] by [*window, in / groups, out], channels last."""
    channels, (depth, features) = x.shape[-1], w.shape[-2:]
    if depth == 1 and channels > 1 and features % channels == 0:
        return depthwise(x, w.reshape(*win.size, channels, -1), win)
    if x.dtype.name not in _FAST or depth != channels or not math.prod(w.shape) or not math.prod(win.output):
        return _by_xla(x, w, win)
    return for_platform(partial(_on_cpu, win=win), partial(_by_xla, win=win))(x, w)


def _on_cpu(x: Any, w: Any, win: Window) -> Any:
    count, depth = math.prod(win.size), x.shape[-1]
    if win.is_point:
        return _as_dot(x, w, win)
    if len(win.size) == 3:
        return _by_planes(x, w, win)
    if count <= 9 and 1 < depth <= _FEW:
        return _as_dot(x, w, win)
    if len(win.size) == 1 or (count <= 9 and 1 < depth <= _NARROW):
        return _with_own_gradient(x, w, win)
    return _by_xla(x, w, win)


def _by_planes(x: Any, w: Any, win: Window) -> Any:
    """A 3-D convolution as a 2-D one: places along the first axis join the batch, what each sees the channels."""
    fields: Any = win
    along, across = Window(*(f[:1] for f in fields)), Window(*(f[1:] for f in fields))
    planes = [seen.reshape(-1, *x.shape[2:]) for seen in taps(x.reshape(*x.shape[:2], -1), along)]
    w = jnp.moveaxis(w, 0, 2)
    y = _by_xla(jnp.concatenate(planes, -1), w.reshape(*w.shape[:2], -1, w.shape[-1]), across)
    return y.reshape(x.shape[0], *win.output, w.shape[-1])


def _as_image(x: Any, w: Any, win: Window) -> Any:
    """A 1-D convolution as a 2-D one, for which XLA has a library."""
    return _by_xla(x[:, None], w[None], win.as_image())[:, 0]


def depthwise(x: Any, w: Any, win: Window) -> Any:
    """Each channel by its own filters: [batch, *spatial, channels] by [*window, channels, multiplier]."""
    by_xla = partial(_depthwise_by_xla, win=win)
    if x.dtype.name not in _FAST or not math.prod(win.output):
        return by_xla(x, w)
    return for_platform(partial(by_views, win=win), by_xla)(x, w)


def transposed(x: Any, w: Any, win: Window, shape: tuple[int, ...]) -> Any:
    """The transpose of a convolution by [*window, out, in]: from [batch, *window.output, in] to `shape`."""
    if not math.prod(win.output) or not math.prod(w.shape):
        return jnp.zeros(shape, x.dtype)
    by_xla = partial(_transposed_by_xla, win=win, shape=shape)
    if x.dtype.name not in _FAST or math.prod(win.size) > _UNROLLED:
        return by_xla(x, w)
    return for_platform(lambda x, w: _transposed(x, w, win, shape), by_xla)(x, w)


def _transposed_by_xla(x: Any, w: Any, win: Window, shape: tuple[int, ...]) -> Any:
    return jax.linear_transpose(lambda y: _by_xla(y, w, win), jax.ShapeDtypeStruct(shape, x.dtype))(x)[0]


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _transposed(x: Any, w: Any, win: Window, shape: tuple[int, ...]) -> Any:
    return _transposed_by_xla(x, w, win, shape)


def _transposed_tangent(win: Window, shape: tuple[int, ...], primals: Any, tangents: Any) -> Any:
    (x, w), (dx, dw) = primals, tangents
    y, parts = _transposed(x, w, win, shape), []
    if not isinstance(dx, SymbolicZero):
        parts.append(_transposed(dx, w, win, shape))
    if not isinstance(dw, SymbolicZero):
        # One product for each element of the window, laid where the window saw it.
        pieces = [jnp.einsum("...i,oi->...o", x, d) for d in dw.reshape(-1, *dw.shape[-2:])]
        lay = jax.linear_transpose(lambda y: list(taps(y, win)), jax.ShapeDtypeStruct(shape, x.dtype))
        parts.append(lay(pieces)[0])
    return y, sum(parts[1:], parts[0]) if parts else jnp.zeros_like(y)


_transposed.defjvp(_transposed_tangent, symbolic_zeros=True)


def _by_xla(x: Any, w: Any, win: Window) -> Any:
    spatial = "DHW"[-len(win.size):]
    return lax.conv_general_dilated(
        x, w, win.strides, win.padding, rhs_dilation=win.dilations,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=max(x.shape[-1] // w.shape[-2], 1))


def _as_dot(x: Any, w: Any, win: Window) -> Any:
    seen = list(taps(x, win))
    columns = jnp.concatenate(seen, -1) if len(seen) > 1 else seen[0]
    # As matrices: of more axes, the gradient by the filter is half as fast.
    y = columns.reshape(-1, columns.shape[-1]) @ w.reshape(-1, w.shape[-1])
    return y.reshape(*columns.shape[:-1], w.shape[-1])


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _with_own_gradient(x: Any, w: Any, win: Window) -> Any:
    return _as_image(x, w, win) if len(win.size) == 1 else _by_xla(x, w, win)


def _tangent(win: Window, primals: Any, tangents: Any) -> Any:
    (x, w), (dx, dw) = primals, tangents
    parts = []
    if not isinstance(dx, SymbolicZero):
        parts.append(_with_own_gradient(dx, w, win))
    if not isinstance(dw, SymbolicZero):
        # XLA's library is slow for 2-D gradients by the filter, and not used for 1-D ones.
        parts.append((_by_xla if len(win.size) == 1 else _in_pieces)(x, dw, win))
    y = _with_own_gradient(x, w, win)
    return y, sum(parts[1:], parts[0]) if parts else jnp.zeros_like(y)


_with_own_gradient.defjvp(_tangent, symbolic_zeros=True)


def _in_pieces(x: Any, dw: Any, win: Window) -> Any:
    """`_as_dot`, a few images at a time. Unfolded input is made anew for the gradient, not kept."""
    batch = x.shape[0]
    each = math.prod(win.output) * math.prod(win.size) * x.shape[-1]
    images = max(d for d in range(1, batch + 1) if batch % d == 0 and (d == 1 or d * each <= _COLUMNS)) if batch else 0
    if images in (0, batch):
        return _as_dot(x, dw, win)
    one = jax.checkpoint(lambda piece: _as_dot(piece, dw, win), prevent_cse=False)
    pieces = lax.map(one, x.reshape(-1, images, *x.shape[1:]))
    return pieces.reshape(batch, *pieces.shape[2:])


def _depthwise_by_xla(x: Any, w: Any, win: Window) -> Any:
    return _by_xla(x, w.reshape(*win.size, 1, -1), win)
