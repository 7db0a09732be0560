"""Chooses how a convolution runs. On CPUs some ways to compute it are several times faster than XLA's own.

On other platforms XLA's convolution is used. Measured on two cores with JAX 0.10.2, in ms with all gradients:

    convolution                                       way                 XLA's   here
    3x3 window, many channels                         `winograd`          36      23
    three channels                                    `conv_products`     11.3    6.3
    three features (channels of the output)           `conv_products`     8.9     3.2
    transposed, stride 2                              `conv_products`     35      5
    5x5 window, one channel                           `conv_products`     10.2    5.4
    5x5 window, one channel, without gradients        `conv_products`     2.7     0.8

With strides, the unfolded input is computed once for the product and for the gradient by the filter: a step of
ResNet-18 takes 550 ms instead of 575.

These ways need several times the memory of the input. They are used only where that is little (see `affordable`).
All of them are written so that JAX can derive gradients of any order, in forward and in reverse mode.
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

# The dtypes for which other ways than XLA's are used. XLA sums narrower types in float32.
_FAST = ("float32", "float64")
# The number of channels, or of features, up to which one matrix product is faster.
_FEW = 4
# The number of elements of a window up to which a strided convolution is unfolded. The unfolded input is this many
# times as large as the input, divided by the strides.
_SMALL = 9
# The same limit for convolutions with few channels or features, and for transposed convolutions.
_UNFOLDED = 25
# XLA's convolutions are slow if each output is a sum of at most this many products.
_SHORT = 32


def convolve(x: Any, w: Any, win: Window) -> Any:
    """Convolution, which in machine learning means correlation, with the channels last.

    Args:
      x: the input [batch, *spatial, in].
      w: the filter [*window, in / groups, out].
      win: the window.

    Returns:
      An array [batch, *win.output, out].
    """
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
    """The fastest way on CPUs: a function of the same arguments."""
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
        if strided and count <= _SMALL:  # the unfolded input serves the product and the gradient by the filter
            return by_unfolding
    return _by_xla


def _by_planes(x: Any, w: Any, win: Window) -> Any:
    """A 3-D convolution as a 2-D one.

    Positions of the window along the first axis become part of the batch. The planes that the window covers at such a
    position become part of the channels.
    """
    fields: Any = win
    along, across = Window(*(f[:1] for f in fields)), Window(*(f[1:] for f in fields))
    images = x.shape[0] * win.output[0]
    flat = x.reshape(*x.shape[:2], math.prod(x.shape[2:]))
    planes = [seen.reshape(images, *x.shape[2:]) for seen in taps(flat, along)]
    w = jnp.moveaxis(w, 0, 2)
    y = _by_xla(jnp.concatenate(planes, -1), w.reshape(*w.shape[:2], -1, w.shape[-1]), across)
    return y.reshape(x.shape[0], *win.output, w.shape[-1])


def depthwise(x: Any, w: Any, win: Window) -> Any:
    """Depthwise convolution: each channel is convolved with filters of its own.

    Args:
      x: the input [batch, *spatial, channels].
      w: the filters [*window, channels, multiplier].
      win: the window.

    Returns:
      An array [batch, *win.output, channels * multiplier].
    """
    by_xla = partial(_depthwise_by_xla, win=win)
    if x.dtype.name not in _FAST or not math.prod(win.output):
        return by_xla(x, w)
    return for_platform(partial(by_views, win=win), by_xla)(x, w)


def transposed(x: Any, w: Any, win: Window, shape: tuple[int, ...]) -> Any:
    """The transpose of a convolution, as a linear map.

    Args:
      x: the input [batch, *win.output, in].
      w: the filter [*window, out, in] of the convolution that is transposed.
      win: the window of that convolution.
      shape: the shape of the result, [batch, *spatial, out].
    """
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
    """`by_terms`, if no gradient is taken.

    Its loop would be merged into the activation function and into that function's gradient, and be run for both. So
    with gradients `_laying_back` is used.
    """
    return by_terms(x, w, win)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _laying_back(x: Any, w: Any, win: Window) -> Any:
    """XLA's way, except that the gradient by the input is `by_laying`, and short sums are computed by unfolding."""
    form = by_unfolding if math.prod(w.shape[:-1]) <= _SHORT else _by_xla
    return form(x, w, win)


def _tangent(win: Window, primals: Any, tangents: Any) -> Any:
    (x, w), (dx, dw) = primals, tangents
    # JAX transposes this for the gradient by the input. The transpose of `by_unfolding` is `by_laying`.
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
