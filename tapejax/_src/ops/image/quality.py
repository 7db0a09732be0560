"""Measures of images: similarity (`psnr`, `ssim`), total variation, gradients and edges."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.checks import final, invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.ops.array.casting import cast
from tapejax._src.ops.image.adjust import convert_image_dtype
from tapejax._src.ops.registry import Array, op

__all__ = ["image_gradients", "psnr", "sobel_edges", "ssim", "ssim_multiscale", "total_variation"]

_AXES = (-3, -2, -1)


@op("image.total_variation")
def total_variation(images: Array, name=None):
    """The sum of the absolute differences of neighbouring pixels.

    Args:
      images: a tensor of shape [height, width, channels] or [batch, height, width, channels].
      name: has no effect, as in eager TensorFlow.

    Returns:
      A scalar, or a tensor of shape [batch].

    Raises:
      ValueError: `images` does not have 3 or 4 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/total_variation

    >>> float(total_variation([[[1.0], [3.0]], [[1.0], [4.0]]]))
    6.0
    """
    if images.ndim not in (3, 4):
        raise final(ValueError("'images' must be either 3 or 4-dimensional."))
    down = images[..., 1:, :, :] - images[..., :-1, :, :]
    across = images[..., :, 1:, :] - images[..., :, :-1, :]
    # This form of the absolute value has the derivative 0 at 0.
    return sum(jnp.sum(jnp.sign(d) * d, _AXES, dtype=images.dtype) for d in (down, across))


@op("image.image_gradients")
def image_gradients(image: Array):
    """The differences of each pixel to the next one below, and to the next one to the right.

    Args:
      image: a tensor of shape [batch, height, width, channels].

    Returns:
      Two tensors of the shape of `image`. The last row of the first, and the last column of the second, are zeros.

    Raises:
      ValueError: `image` does not have 4 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/image_gradients

    >>> [d.numpy().ravel().tolist() for d in image_gradients([[[[1.0], [3.0]]]])]
    [[0.0, 0.0], [2.0, 0.0]]
    """
    if image.ndim != 4:
        raise final(ValueError(f"image_gradients expects a 4D tensor [batch_size, h, w, d], not {image.shape}."))
    down = image[:, 1:] - image[:, :-1]
    across = image[:, :, 1:] - image[:, :, :-1]
    return (jnp.pad(down, [(0, 0), (0, 1), (0, 0), (0, 0)]), jnp.pad(across, [(0, 0), (0, 0), (0, 1), (0, 0)]))


@op("image.sobel_edges")
def sobel_edges(image: Array):
    """Sobel's estimates of how fast pixels change downwards and to the right.

    Args:
      image: a tensor of shape [batch, height, width, channels].

    Returns:
      A tensor of shape [batch, height, width, channels, 2].

    Raises:
      InvalidArgumentError: `image` does not have 4 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/sobel_edges

    >>> sobel_edges([[[[1.0], [2.0]], [[1.0], [2.0]]]]).shape
    TensorShape([1, 2, 2, 1, 2])
    """
    if image.ndim != 4:
        raise invalid(f"image must be 4-D, got shape {image.shape}")
    padded = jnp.pad(image, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="reflect")
    slopes = []
    for axis in (1, 2):
        n, m = padded.shape[axis], padded.shape[3 - axis]
        step = _part(padded, axis, 2, n) - _part(padded, axis, 0, n - 2)
        before, here, after = (_part(step, 3 - axis, i, m - 2 + i) for i in range(3))
        slopes.append(before + 2 * here + after)
    return jnp.stack(slopes, -1)


def _part(x: Any, axis: int, start: int, end: int) -> Any:
    return x[(slice(None),) * axis + (slice(start, end),)]


def _pair(a: Any, b: Any, max_val: Any) -> tuple[Any, ...]:
    """Both images and `max_val` as float32, converted to one scale."""
    first = to_tensor(a)
    return tuple(convert_image_dtype(x, dtypes.float32) for x in (first, b, cast(max_val, first.dtype)))


@op()
def _psnr(a: Array, b: Array, top: Array):
    if a.ndim < 3 or a.shape[-3:] != b.shape[-3:]:
        raise invalid(f"Incompatible shapes: {a.shape} vs. {b.shape}")
    error = jnp.mean((a - b) ** 2, _AXES)
    return 20 * jnp.log(top) / np.float32(np.log(10)) - np.float32(10 / np.log(10)) * jnp.log(error)


@public("image.psnr")
def psnr(a: Any, b: Any, max_val: Any, name: Any = None) -> Any:
    """The peak signal-to-noise ratio of two images, in decibels.

    Args:
      a: a tensor of shape [..., height, width, channels].
      b: a tensor of the same shape and dtype.
      max_val: the difference between the highest and the lowest possible value of a pixel.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A float32 tensor of shape [...].

    Raises:
      InvalidArgumentError: the shapes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/psnr

    >>> psnr([[[1.0]]], [[[0.9]]], 1.0).numpy().round(2).item()
    20.0
    """
    return _psnr(*_pair(a, b, max_val))


def _smooth(x: Any, kernel: np.ndarray) -> Any:
    """Averages [..., height, width, channels] over a window. Its weights are products of elements of `kernel`."""
    for axis in (x.ndim - 3, x.ndim - 2):
        left = x.shape[axis] - len(kernel) + 1
        x = sum(k * _part(x, axis, i, i + left) for i, k in enumerate(kernel))
    return x


def _window(size: int, sigma: float) -> np.ndarray:
    """A Gaussian window, whose sum is 1."""
    at = np.arange(size) - (size - 1) / 2
    bell = np.exp(-0.5 * (at / sigma) ** 2)
    return (bell / bell.sum()).astype(np.float32)


def _similarity(a: Any, b: Any, top: Any, size: int, sigma: float, k1: float, k2: float) -> tuple[Any, Any]:
    """The similarity at each position, and its factor that measures contrast and structure."""
    if a.ndim < 3 or a.shape[-3:] != b.shape[-3:]:
        raise final(
            ValueError(
                f"images of shapes {a.shape} and {b.shape}: both must be [..., height, width, channels] "
                "with these three equal"
            )
        )
    if min(a.shape[-3:-1]) < size:
        raise invalid(f"images of shape {a.shape} are smaller than the filter, {size}")
    kernel = _window(size, sigma)
    c1, c2 = (k1 * top) ** 2, (k2 * top) ** 2
    mean_a, mean_b = _smooth(a, kernel), _smooth(b, kernel)
    product, squares = mean_a * mean_b * 2, mean_a**2 + mean_b**2
    luminance = (product + c1) / (squares + c1)
    structure = (_smooth(a * b, kernel) * 2 - product + c2) / (_smooth(a**2 + b**2, kernel) - squares + c2)
    return luminance * structure, structure


@op()
def _ssim(a: Array, b: Array, top: Array, size=11, sigma=1.5, k1=0.01, k2=0.03, index_map=False):
    whole, _ = _similarity(a, b, top, size, sigma, k1, k2)
    return jnp.mean(whole, -1) if index_map else jnp.mean(jnp.mean(whole, (-3, -2)), -1)


@public("image.ssim")
def ssim(
    img1: Any,
    img2: Any,
    max_val: Any,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    return_index_map: bool = False,
) -> Any:
    """The structural similarity of two images (Wang et al. 2004), a number between -1 and 1.

    Args:
      img1: a tensor of shape [..., height, width, channels], whose sides are at least `filter_size`.
      img2: a tensor of the same shape and dtype.
      max_val: the difference between the highest and the lowest possible value of a pixel.
      filter_size: the size of the window.
      filter_sigma: the standard deviation of the Gaussian window.
      k1: prevents division by zero in the comparison of luminance.
      k2: prevents division by zero in the comparison of contrast.
      return_index_map: whether a map of shape [..., height, width] is returned instead of its mean.

    Returns:
      A float32 tensor of shape [...].

    Raises:
      ValueError: the shapes do not fit.
      InvalidArgumentError: an image is smaller than the window.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/ssim

    >>> float(ssim([[[1.0]]], [[[1.0]]], 1.0, filter_size=1))
    1.0
    """
    return _ssim(
        *_pair(img1, img2, max_val),
        size=int(filter_size),
        sigma=float(filter_sigma),
        k1=float(k1),
        k2=float(k2),
        index_map=bool(return_index_map),
    )


def _half(x: Any) -> Any:
    """Images at half the size: means of two by two pixels. If a side is odd, its last pixel is repeated first."""
    sides = [(0, 0)] * (x.ndim - 3) + [(0, n % 2) for n in x.shape[-3:-1]] + [(0, 0)]
    x = jnp.pad(x, sides, mode="symmetric")
    parts = [x[..., i::2, j::2, :] for i in (0, 1) for j in (0, 1)]
    return sum(parts) * 0.25


@op()
def _multiscale(a: Array, b: Array, top: Array, powers=(), size=11, sigma=1.5, k1=0.01, k2=0.03):
    kept = []
    for level in range(len(powers)):
        if level:
            a, b = _half(a), _half(b)
        whole, structure = (jnp.mean(m, (-3, -2)) for m in _similarity(a, b, top, size, sigma, k1, k2))
        kept.append(jnp.maximum(structure if level < len(powers) - 1 else whole, 0))
    return jnp.mean(jnp.prod(jnp.stack(kept, -1) ** np.asarray(powers, np.float32), -1), -1)


@public("image.ssim_multiscale")
def ssim_multiscale(
    img1: Any,
    img2: Any,
    max_val: Any,
    power_factors: Sequence[float] = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333),
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
) -> Any:
    """The structural similarity of two images at several scales (Wang et al. 2003), a number between 0 and 1.

    Args:
      img1: a tensor of shape [..., height, width, channels].
      img2: a tensor of the same shape and dtype.
      max_val: the difference between the highest and the lowest possible value of a pixel.
      power_factors: the weights of the scales. Each scale has half the size of the one before.
      filter_size: the size of the window. The smallest scale must not be smaller.
      filter_sigma: the standard deviation of the Gaussian window.
      k1: prevents division by zero in the comparison of luminance.
      k2: prevents division by zero in the comparison of contrast.

    Returns:
      A float32 tensor of shape [...].

    Raises:
      ValueError: the shapes do not fit.
      InvalidArgumentError: an image is smaller than the window at some scale.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/ssim_multiscale

    >>> float(ssim_multiscale([[[1.0]]], [[[1.0]]], 1.0, power_factors=[1.0], filter_size=1))
    1.0
    """
    return _multiscale(
        *_pair(img1, img2, max_val),
        powers=tuple(float(p) for p in power_factors),
        size=int(filter_size),
        sigma=float(filter_sigma),
        k1=float(k1),
        k2=float(k2),
    )
