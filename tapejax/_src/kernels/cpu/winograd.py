"""3x3 convolutions on CPUs by Winograd's minimal filtering, which needs 16 products where the plain sum needs 36.

The output is cut into tiles of 2x2 (of 2 for windows of 3x1 and 1x3). Each tile depends on 4x4 pixels of the input.
These pixels and the filter are each transformed to 16 matrices. Products of the matrices, which sum over the channels,
give the 16 transformed values of the tile, and these are transformed back. This is F(2x2, 3x3) of Lavin and Gray,
"Fast Algorithms for Convolutional Neural Networks", 2016. Its transforms consist of sums and halves, so that rounding
errors are as small as those of the plain sum.

Measured with JAX 0.10.2 on two cores, in ms, for [32, 8, 8, 256] by [3, 3, 256, 256]: the convolution takes 12.8 by
XLA's own way and 8.2 here, the gradient by the input 13.2 and 8.2, the gradient by the filter 13.9 and 9.9. With 64
channels or fewer the transforms cost as much as the products save.

A transform is written as one loop over its stacked results, where each result is a sum of parts times constants.
Written as 16 expressions it runs faster: convolution and gradients take 19 ms then, and 26 as they are. But XLA would
compile each expression separately: ResNet-18 would take 19 s to start. It takes 8 s as it is, and 5 s by XLA's own way.

The optimization barriers have two purposes. They keep XLA from computing a layer's activations again in each part. And
they make the kernels of equal layers equal, so that these are compiled once.
"""

import itertools
import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero

from tapejax._src.kernels.windows import Window, affordable

__all__ = ["by_tiles", "pays"]

# The least number of channels, of the input and of the output. With fewer the transforms cost as much as they save.
_CHANNELS: Final = 128
# The least number of products in the plain sum. With fewer, starting the kernels costs as much as they save.
_PRODUCTS: Final = 1 << 29

# These tables have the window's size along an axis as their key. _STEP is the size of a tile along that axis. The
# others are the matrices of the transforms along that axis: of the pixels, of the filter, and back to the tile.
_STEP: Final = {1: 1, 3: 2}
_PIXELS: Final = {1: np.eye(1), 3: np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])}
_TAPS: Final = {1: np.eye(1), 3: np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])}
_TILE: Final = {1: np.eye(1), 3: np.array([[1, 1, 1, 0], [0, 1, -1, -1]])}


def pays(x: Any, w: Any, win: Window) -> bool:
    """Whether `by_tiles` supports a convolution, and is faster than XLA's own way.

    Args:
      x: the input [batch, height, width, in].
      w: the filter [*win.size, in, out].
      win: the window.
    """
    shape = (*x.shape, w.shape[-1])
    return (
        win.size in ((3, 3), (1, 3), (3, 1))
        and win.strides == win.dilations == (1, 1)
        and x.dtype.name == "float32"
        and all(isinstance(n, int) for n in shape)
        and min(shape[-2:]) >= _CHANNELS
        and shape[0] * math.prod(win.output) * math.prod(w.shape) >= _PRODUCTS
        and affordable(2 ** sum(k == 3 for k in win.size), *shape[:-2], max(shape[-2:]))
    )


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def by_tiles(x: Any, w: Any, win: Window) -> Any:
    """Convolution of [batch, height, width, in] with a filter [*win.size, in, out], for windows that `pays` accepts."""
    return _tiles_back(_products(_pixels(x, win), _taps(w, win), 1), x.shape[0], win)


def _tangent(win: Window, primals: Any, tangents: Any) -> Any:
    (x, w), (dx, dw) = primals, tangents
    y = by_tiles(x, w, win)
    like_y = jax.ShapeDtypeStruct(y.shape, y.dtype)
    # Each part is written as the transpose of a fast function for the gradient. JAX transposes it again to get the
    # gradient, which then is that fast function.
    parts = [
        jax.linear_transpose(partial(gradient, other, win), like_y)(tangent)[0]
        for gradient, other, tangent in ((partial(_by_input, x.shape), w, dx), (_by_filter, x, dw))
        if not isinstance(tangent, SymbolicZero)
    ]
    return y, sum(parts[1:], parts[0]) if parts else jnp.zeros_like(y)


by_tiles.defjvp(_tangent, symbolic_zeros=True)


def _by_input(shape: Sequence[int], w: Any, win: Window, dy: Any) -> Any:
    """The gradient by the input, of the given shape: `dy` convolved with the reversed filter."""
    pads = tuple(
        (k - 1 - before, n + before - out)
        for k, n, out, (before, _) in zip(win.size, shape[1:3], win.output, win.padding, strict=True)
    )
    back = win._replace(padding=pads, output=tuple(shape[1:3]))
    return _tiles_back(_products(_pixels(dy, back), _taps(w, win, turned=True), 2), shape[0], back)


def _by_filter(x: Any, win: Window, dy: Any) -> Any:
    """The gradient by the filter: the transposed linear maps of the forward pass, in the opposite order."""
    counts, steps = _counts(win), _steps(win)
    whole = [(0, n * s - out, 0) for n, s, out in zip(counts, steps, win.output, strict=True)]
    dy = lax.optimization_barrier(lax.pad(dy, jnp.zeros((), dy.dtype), [(0, 0, 0), *whole, (0, 0, 0)]))
    places = itertools.product(*map(range, steps))
    parts = [_strided(dy, place, counts, steps) for place in places]
    tiles = _mixed(np.kron(*(_TILE[k].T for k in win.size)), parts, 0).reshape(
        -1, math.prod(counts) * x.shape[0], dy.shape[-1]
    )
    # Because of this barrier the transformed pixels are computed again. Otherwise XLA would keep those of the forward
    # pass in memory until here.
    pixels = _pixels(lax.optimization_barrier(x), win)
    products = lax.dot_general(pixels, tiles, (((1,), (1,)), ((0,), (0,))))
    taps = np.kron(*(_TAPS[k] for k in win.size)).T
    return _times(taps, products).reshape(*win.size, x.shape[-1], dy.shape[-1])


def _products(pixels: Any, taps: Any, contracted: int) -> Any:
    return lax.dot_general(pixels, taps, (((2,), (contracted,)), ((0,), (0,))))


def _steps(win: Window) -> list[int]:
    return [_STEP[k] for k in win.size]


def _counts(win: Window) -> list[int]:
    """The number of tiles along each axis."""
    return [-(-n // s) for n, s in zip(win.output, _steps(win), strict=True)]


def _pixels(x: Any, win: Window) -> Any:
    """The transformed pixels of all tiles: [transform, tile, channels]."""
    steps, counts = _steps(win), _counts(win)
    reach = [c * s + k - 1 for c, s, k in zip(counts, steps, win.size, strict=True)]
    pads = [(before, r - before - n, 0) for n, r, (before, _) in zip(x.shape[1:3], reach, win.padding, strict=True)]
    x = lax.optimization_barrier(lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *pads, (0, 0, 0)]))
    x = x[None, None]
    for axis, (k, s, count) in enumerate(zip(win.size, steps, counts, strict=True)):
        parts = [lax.slice_in_dim(x, i, i + (count - 1) * s + 1, s, axis + 3) for i in range(s + k - 1)]
        x = _mixed(_PIXELS[k], [lax.squeeze(p, (axis,)) for p in parts], axis)
    return x.reshape(-1, math.prod(x.shape[2:5]), x.shape[-1])


def _taps(w: Any, win: Window, turned: bool = False) -> Any:
    """The transformed filter, or the transformed reversed filter: [transform, in, out]."""
    matrix = np.kron(*(_TAPS[k][:, ::-1] if turned else _TAPS[k] for k in win.size))
    return _times(matrix, w.reshape(-1, *w.shape[2:]))


def _tiles_back(products: Any, batch: int, win: Window) -> Any:
    """The image that consists of all tiles, from the tiles' transformed values [transform, tile, channels]."""
    down, right = (_TILE[k] for k in win.size)
    counts, steps = _counts(win), _steps(win)
    m = products.reshape(down.shape[1], right.shape[1], batch, *counts, products.shape[-1])
    columns = [[_signed(row, [m[i, j] for i in range(len(m))]) for j in range(m.shape[1])] for row in down]
    y = jnp.stack([jnp.stack([_signed(row, column) for row in right], 3) for column in columns], 2)
    y = y.reshape(batch, counts[0] * steps[0], counts[1] * steps[1], -1)
    return lax.optimization_barrier(y)[:, : win.output[0], : win.output[1]]


def _strided(x: Any, place: Sequence[int], counts: Sequence[int], steps: Sequence[int]) -> Any:
    ends = [p + (c - 1) * s + 1 for p, c, s in zip(place, counts, steps, strict=True)]
    return lax.slice(x, (0, *place, 0), (x.shape[0], *ends, x.shape[-1]), (1, *steps, 1))


def _mixed(matrix: np.ndarray, parts: Sequence[Any], axis: int) -> Any:
    """The product of a matrix and a column of arrays, as one loop. The results are stacked along a new axis."""
    shape = [-1 if i == axis else 1 for i in range(parts[0].ndim + 1)]
    columns = [jnp.asarray(column, parts[0].dtype).reshape(shape) for column in matrix.T]
    return lax.optimization_barrier(sum(c * jnp.expand_dims(p, axis) for c, p in zip(columns, parts, strict=True)))


def _times(matrix: np.ndarray, x: Any) -> Any:
    """The product of a matrix and an array, along the array's first axis."""
    return (jnp.asarray(matrix, x.dtype) @ x.reshape(len(x), -1)).reshape(-1, *x.shape[1:])


def _signed(row: np.ndarray, parts: Sequence[Any]) -> Any:
    """The sum of the parts with the signs of `row`, whose entries are 1, -1 and 0. The first sign must not be -1."""
    total = None
    for sign, part in zip(row, parts, strict=True):
        if sign:
            total = part if total is None else total + part if sign > 0 else total - part
    return total
