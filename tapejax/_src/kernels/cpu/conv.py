"""How convolutions run. XLA's own everywhere, but on CPUs, where some forms of the same sum are several times faster.

Measured with JAX 0.10.2 on two cores, ms with all gradients, as XLA does it / as here: 3x3 windows on many channels by
tiles (`winograd`) 36 / 23; as matrix products (`conv_products`) three channels 11.3 / 6.3, three features 8.9 / 3.2,
transposed ones of stride 2 35 / 5; a 5x5 window on one channel 10.2 / 5.4, and without gradients 2.7 / 0.8. With
strides the unfolded input is there for the gradient by the filter: ResNet-18's step takes 550 instead of 575.

They hold a few times the input in memory, and only where that is little (`affordable`).
All are written so that JAX derives the gradients, of any order and in both modes.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from tapejax._src.kernels.cpu.conv_products import by_laying, by_terms, by_unfolding, for_few_features
from tapejax._src.kernels.cpu.depthwise import by_views
from tapejax._src.kernels.cpu.winograd import by_tiles, pays
from tapejax._src.kernels.windows import Window, affordable, for_platform, taps

__all__ = ["convolve", "depthwise", "transposed"]

_FAST = ("float32", "float64")  # narrower types are summed in float32 by XLA
_FEW = 4  # channels or features up to which a window is faster as one matrix product
_SMALL = 9  # elements of a window that may be unfolded: so many times the input, over the strides
_UNFOLDED = 25  # ... for few channels or features, and for transposed convolutions
_SHORT = 32  # terms of a sum, up to which XLA's convolutions are slow


def convolve(x: Any, w: Any, win: Window) -> Any:
    """Convolution (correlation) of [batch, *spatial, in] by [*window, in / groups, out], channels last."""
    channels, (depth, features) = x.shape[-1], w.shape[-2:]
    if depth == 1 and channels > 1 and features % channels == 0:
        return depthwise(x, w.reshape(*win.size, channels, -1), win)
    if x.dtype.name not in _FAST or depth != channels or not math.prod(w.shape) or not math.prod(win.output):
        return _by_xla(x, w, win)
    form = _for_cpus(x, w, win)
    if form is _by_xla:
        return _by_xla(x, w, win)
    return for_platform(partial(form, win=win), partial(_by_xla, win=win))(x, w)


def _for_cpus(x: Any, w: Any, win: Window) -> Callable[..., Any]:
    """The fastest way on CPUs, a function of the same arguments."""
    count, (depth, features), axes = math.prod(win.size), w.shape[-2:], len(win.size)
    few, strided = depth <= _FEW, max(win.strides) > 1
    if win.is_point:
        return by_unfolding
    if axes == 3:
        return _by_planes
    if axes == 2 and pays(x, w, win):
        return by_tiles
    if features <= _FEW < depth and not strided and count <= _UNFOLDED and affordable(*x.shape[:-1], count, features):
        return for_few_features
    if affordable(x.shape[0], *win.output, count, depth):
        if few and count <= _UNFOLDED:
            return _adding if count * depth <= _SHORT else _laying_back
        if strided and count <= _SMALL:  # unfolded once for the product and the gradient by the filter
            return by_unfolding
    return _by_xla


def _by_planes(x: Any, w: Any, win: Window) -> Any:
    """A 3-D convolution as a 2-D one: places along the first axis join the batch, what each sees the channels."""
    fields: Any = win
    along, across = Window(*(f[:1] for f in fields)), Window(*(f[1:] for f in fields))
    images = x.shape[0] * win.output[0]
    flat = x.reshape(*x.shape[:2], math.prod(x.shape[2:]))
    planes = [seen.reshape(images, *x.shape[2:]) for seen in taps(flat, along)]
    w = jnp.moveaxis(w, 0, 2)
    y = _by_xla(jnp.concatenate(planes, -1), w.reshape(*w.shape[:2], -1, w.shape[-1]), across)
    return y.reshape(x.shape[0], *win.output, w.shape[-1])


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
    count = math.prod(win.size)
    if (
        x.dtype.name not in _FAST
        or count > _UNFOLDED
        or max(win.strides) == 1
        or not affordable(*x.shape[:-1], count, shape[-1])
    ):
        return by_xla(x, w)
    return for_platform(partial(by_laying, win=win, shape=shape), by_xla)(x, w)


def _transposed_by_xla(x: Any, w: Any, win: Window, shape: tuple[int, ...]) -> Any:
    return jax.linear_transpose(lambda y: _by_xla(y, w, win), jax.ShapeDtypeStruct(shape, x.dtype))(x)[0]


def _by_xla(x: Any, w: Any, win: Window) -> Any:
    spatial = "DHW"[-len(win.size) :]
    return lax.conv_general_dilated(
        x,
        w,
        win.strides,
        win.padding,
        rhs_dilation=win.dilations,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=max(x.shape[-1] // w.shape[-2], 1),
    )


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _adding(x: Any, w: Any, win: Window) -> Any:
    """`by_terms`, unless there are gradients: the activation and its gradient would each compute the sums anew."""
    return by_terms(x, w, win)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _laying_back(x: Any, w: Any, win: Window) -> Any:
    """XLA's way, but for the gradient by the input, and for short sums."""
    form = by_unfolding if math.prod(w.shape[:-1]) <= _SHORT else _by_xla
    return form(x, w, win)


def _tangent(win: Window, primals: Any, tangents: Any) -> Any:
    (x, w), (dx, dw) = primals, tangents
    # `by_unfolding` transposed, for the gradient by the input, is `by_laying`.
    parts = [
        form(a, b, win)
        for form, a, b in ((by_unfolding, dx, w), (_by_xla, x, dw))
        if not isinstance(a, SymbolicZero) and not isinstance(b, SymbolicZero)
    ]
    y = _laying_back(x, w, win)
    return y, sum(parts[1:], parts[0]) if parts else jnp.zeros_like(y)


_adding.defjvp(_tangent, symbolic_zeros=True)
_laying_back.defjvp(_tangent, symbolic_zeros=True)


def _depthwise_by_xla(x: Any, w: Any, win: Window) -> Any:
    return _by_xla(x, w.reshape(*win.size, 1, -1), win)
