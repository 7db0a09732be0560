"""Convolutions on CPUs as one matrix product, in two ways that are each other's transposes.

`by_unfolding` copies the inputs under the window, for each position of the window, into one row of a matrix (known as
im2col), and multiplies this matrix by the filter. It is used for few channels, or where strides leave few positions.

`by_laying` multiplies each input by the whole filter, and adds the products where the window lies in the output (known
as col2im). It is used for transposed convolutions, and for few features.

JAX's own transpose of `by_unfolding` would add one array, spread out by the strides, per element of the window. For a
5x5 window with stride 2 that takes twice as long as `_laid`.
"""

import itertools
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from tapejax._src.kernels.windows import Window, taps

__all__ = ["by_laying", "by_terms", "by_unfolding", "for_few_features"]


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def by_unfolding(x: Any, w: Any, win: Window) -> Any:
    """Convolution of the input [batch, *spatial, in] with the filter [*window, in, out]."""
    return _unfolded(x, w, win)


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def by_laying(x: Any, w: Any, win: Window, shape: tuple[int, ...]) -> Any:
    """The transpose of a convolution with the filter [*window, out, in], as a linear map.

    It takes an array [batch, *win.output, in] and returns an array of the given shape, [batch, *spatial, out].
    """
    return _laid(x, w, win, shape)


def by_terms(x: Any, w: Any, win: Window) -> Any:
    """The result of `by_unfolding` for sums of few terms, as one loop that needs no unfolded copy of the input."""
    seen = _taps_of_padded(x, win)
    w = w.reshape(len(seen), *w.shape[-2:])
    return sum(elements[..., c, None] * w[i, c] for i, elements in enumerate(seen) for c in range(x.shape[-1]))


def for_few_features(x: Any, w: Any, win: Window) -> Any:
    """The result of `by_unfolding` without strides, computed by `by_laying` with the reversed filter."""
    axes = tuple(range(len(win.size)))
    pads = tuple(
        ((k - 1) * d - before, (k - 1) * d - after)
        for k, d, (before, after) in zip(win.size, win.dilations, win.padding, strict=True)
    )
    back = win._replace(padding=pads, output=x.shape[1:-1])
    shape = (x.shape[0], *win.output, w.shape[-1])
    return by_laying(x, jnp.swapaxes(jnp.flip(w, axes), -1, -2), back, shape)


def _unfolding_tangent(win: Window, primals: Any, tangents: Any) -> Any:
    (x, w), (dx, dw) = primals, tangents
    y, parts = by_unfolding(x, w, win), []
    if not isinstance(dx, SymbolicZero):
        # Written as a transpose of `_laid`. JAX transposes it again for the gradient by `x`, which then is `_laid`.
        lay = partial(_laid, w=w, win=win, shape=x.shape)
        parts.append(jax.linear_transpose(lay, jax.ShapeDtypeStruct(y.shape, y.dtype))(dx)[0])
    if not isinstance(dw, SymbolicZero):
        parts.append(_unfolded(x, dw, win))
    return y, sum(parts[1:], parts[0]) if parts else jnp.zeros_like(y)


def _laying_tangent(win: Window, shape: tuple[int, ...], primals: Any, tangents: Any) -> Any:
    (x, w), (dx, dw) = primals, tangents
    laid = jax.ShapeDtypeStruct(shape, x.dtype)
    # Written as transposes of `_unfolded`. JAX transposes them again for the gradients. The gradient by `x` then is
    # `_unfolded`, and the gradient by `w` a product with the unfolded array.
    parts = [
        jax.linear_transpose(partial(_unfolded, w=b, win=win), laid)(a)[0]
        for a, b in ((dx, w), (x, dw))
        if not isinstance(a, SymbolicZero) and not isinstance(b, SymbolicZero)
    ]
    y = by_laying(x, w, win, shape)
    return y, sum(parts[1:], parts[0]) if parts else jnp.zeros_like(y)


by_unfolding.defjvp(_unfolding_tangent, symbolic_zeros=True)
by_laying.defjvp(_laying_tangent, symbolic_zeros=True)


def _unfolded(x: Any, w: Any, win: Window) -> Any:
    seen = _taps_of_padded(x, win)
    columns = jnp.concatenate(seen, -1) if len(seen) > 1 else seen[0]
    # A product of matrices: with more axes, the gradient by the filter takes twice as long.
    y = columns.reshape(-1, columns.shape[-1]) @ w.reshape(-1, w.shape[-1])
    return y.reshape(*columns.shape[:-1], w.shape[-1])


def _taps_of_padded(x: Any, win: Window) -> list[Any]:
    """The arrays of `taps`, cut from one padded copy of the input."""
    if not win.is_point:
        # Without the barrier XLA would compute `x` again for each element of the window.
        pads = [(0, 0, 0), *((before, after, 0) for before, after in win.padding), (0, 0, 0)]
        x = lax.optimization_barrier(lax.pad(x, jnp.zeros((), x.dtype), pads))
        win = win._replace(padding=((0, 0),) * len(win.size))
    return list(taps(x, win))


def _laid(x: Any, w: Any, win: Window, shape: tuple[int, ...]) -> Any:
    """The computation of `by_laying`, by phases.

    A phase consists of the positions in the output that have the same remainder when divided by the stride. The
    elements of the window that contribute to a position depend only on its phase.
    """
    rows = w.reshape(-1, w.shape[-1])
    pieces = lax.dot_general(x.reshape(-1, x.shape[-1]), rows, (((1,), (1,)), ((), ())))
    pieces = pieces.reshape(*x.shape[:-1], math.prod(win.size), w.shape[-2])
    counts = [-(-n // s) for n, s in zip(shape[1:-1], win.strides, strict=True)]
    # For each axis and phase: (element of the window, by how many positions its products are shifted).
    phases = [
        [
            [(t, (t * d - before - phase) // s) for t in range(k) if (t * d - before - phase) % s == 0]
            for phase in range(s)
        ]
        for k, s, d, (before, _) in zip(*win[:3], win.padding, strict=True)
    ]

    def summed(elements: Sequence[list[tuple[int, int]]]) -> Any:
        total = jnp.zeros((shape[0], *counts, shape[-1]), x.dtype)
        for place in itertools.product(*elements):
            number = 0
            for (t, _), k in zip(place, win.size, strict=True):
                number = number * k + t
            pads = [(e, c - n - e, 0) for (_, e), c, n in zip(place, counts, win.output, strict=True)]
            total += lax.pad(pieces[..., number, :], jnp.zeros((), x.dtype), [(0, 0, 0), *pads, (0, 0, 0)])
        return total

    def interleaved(axis: int, chosen: tuple) -> Any:
        if axis == len(phases):
            return summed(chosen)
        return jnp.stack([interleaved(axis + 1, (*chosen, elements)) for elements in phases[axis]], axis + 2)

    y = interleaved(0, ()).reshape(shape[0], *(c * s for c, s in zip(counts, win.strides, strict=True)), shape[-1])
    return y[tuple(slice(n) for n in shape)]
