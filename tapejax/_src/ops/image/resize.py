"""`tf.image.resize` and its methods of interpolation.

Shapes are static, so NumPy computes positions and weights when an op is first traced. A method that needs only two
neighbours reads both and blends them. The others multiply by a matrix of weights along each axis.
"""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core.checks import invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import from_value
from tapejax._src.ops.image import geometry as image_geometry
from tapejax._src.ops.registry import Array, op

__all__ = ["ResizeMethod", "resize", "resize_with_pad"]

_F32 = np.float32


class ResizeMethod:
    """The methods of interpolation of `resize`.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/ResizeMethod
    """

    BILINEAR = "bilinear"
    NEAREST_NEIGHBOR = "nearest"
    BICUBIC = "bicubic"
    AREA = "area"
    LANCZOS3 = "lanczos3"
    LANCZOS5 = "lanczos5"
    GAUSSIAN = "gaussian"
    MITCHELLCUBIC = "mitchellcubic"


public("image.ResizeMethod")(ResizeMethod)


def _cubic(inner: tuple[float, ...], outer: tuple[float, ...]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.where(x >= 1, np.polyval(outer, x), np.polyval(inner, x))


def _lanczos(radius: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.sinc(x) * np.sinc(x / radius)


# For each method its radius, and a function that gives the weight of a pixel at a distance below the radius.
_KERNELS: dict[str, tuple[float, Callable[[np.ndarray], np.ndarray]]] = {
    "bilinear": (1, lambda x: 1 - x),
    "bicubic": (2, _cubic((1.5, -2.5, 0, 1), (-0.5, 2.5, -4, 2))),
    "mitchellcubic": (2, _cubic((7 / 6, -2, 0, 8 / 9), (-7 / 18, 2, -10 / 3, 16 / 9))),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
    "gaussian": (1.5, lambda x: np.exp(-2 * x * x)),
}


def _kernel_weights(before: int, after: int, method: str, antialias: bool) -> np.ndarray:
    """The weights [after, before] of pixels, which depend on their distance from the position of the result's pixel."""
    radius, kernel = _KERNELS[method]
    step = 1 / (after / before)
    stretch = max(step, 1.0) if antialias else 1.0
    place = (np.arange(after)[:, None] + 0.5) * step
    reach = np.abs(np.arange(before) + 0.5 - place) / stretch
    weights = np.where(reach < radius, kernel(reach), 0)
    total = weights.sum(axis=1, keepdims=True)
    small = np.abs(total) < 1000 * np.finfo(_F32).tiny
    return np.where(small, weights, weights / np.where(small, 1, total)).astype(_F32)


def _area_weights(before: int, after: int) -> np.ndarray:
    """The weights [after, before] of method "area": the fraction of each pixel that the result's pixel covers."""
    step = _F32(before / _F32(after))
    start = (np.arange(after, dtype=_F32) * step)[:, None]
    end = (np.arange(1, after + 1, dtype=_F32) * step)[:, None]
    pixel = np.arange(before, dtype=_F32)
    return (np.clip(np.minimum(pixel + 1, end) - np.maximum(pixel, start), 0, None) / step).astype(_F32)


def _cubic_weights(before: int, after: int) -> np.ndarray:
    """The weights [after, before] of "bicubic" without antialias. As in TensorFlow, positions are rounded to 1/1024."""
    place = (np.arange(after, dtype=_F32) + _F32(0.5)) * _F32(before / _F32(after)) - _F32(0.5)
    first = np.floor(place).astype(np.int64)
    part = np.rint((place - first.astype(_F32)) * _F32(1024)) / 1024
    kernel = _KERNELS["bicubic"][1]
    weights = np.zeros((after, before))
    for tap in (-1, 0, 1, 2):
        at = first + tap
        inside = (at >= 0) & (at < before)
        weights[np.flatnonzero(inside), at[inside]] = kernel(np.abs(tap - part))[inside]
    return (weights / weights.sum(axis=1, keepdims=True)).astype(_F32)


def _blend(x: Any, axis: int, after: int) -> Any:
    """Resizes along one axis by method "bilinear" without antialias."""
    before = x.shape[axis]
    place = (np.arange(after, dtype=_F32) + _F32(0.5)) * _F32(before / _F32(after)) - _F32(0.5)
    low = np.floor(place)
    part = (place - low).reshape([-1] + [1] * (x.ndim - 1 - axis))
    take = _take(x)
    lower = take(x, np.maximum(low, 0).astype(np.int32), axis, mode="clip")
    upper = take(x, np.minimum(np.ceil(place), before - 1).astype(np.int32), axis, mode="clip")
    return lower + (upper - lower) * part


def _nearest(before: int, after: int) -> np.ndarray:
    place = np.floor((np.arange(after, dtype=_F32) + _F32(0.5)) * _F32(before / _F32(after)))
    return np.clip(place, 0, before - 1).astype(np.int32)


def _take(x: Any) -> Any:
    return np.take if isinstance(x, np.ndarray) else jnp.take


@op()
def _resize(images: Array, size=(), method="bilinear", antialias=False):
    return _resized(images, size, method, antialias)


def _resized(images: Any, size: tuple[int, int], method: str, antialias: bool) -> Any:
    """Resizes images of shape [batch, height, width, channels], which are an array of NumPy or JAX."""
    height, width = size
    if method == "nearest":
        rows = _take(images)(images, _nearest(images.shape[1], height), 1, mode="clip")
        return _take(images)(rows, _nearest(images.shape[2], width), 2, mode="clip")
    x = images.astype(_F32)
    if method == "bilinear" and not antialias:
        return _blend(_blend(x, 2, width), 1, height)
    for axis, after in ((1, height), (2, width)):
        before = x.shape[axis]
        if method == "area":
            weights = _area_weights(before, after)
        elif method == "bicubic" and not antialias:
            weights = _cubic_weights(before, after)
        else:
            weights = _kernel_weights(before, after, method, antialias)
        if isinstance(x, np.ndarray):
            x = np.moveaxis(np.tensordot(weights, x, (1, axis)), 0, axis)
        else:
            x = jnp.moveaxis(jnp.tensordot(weights, x, (1, axis), precision=lax.Precision.HIGHEST), 0, axis)
    return x


def _size(size: Any) -> tuple[int, int]:
    t = np.asarray(to_tensor(size))
    if t.shape != (2,):
        raise ValueError("'size' must be a 1-D Tensor of 2 elements: new_height, new_width")
    if t.dtype.kind not in "iu":
        raise ValueError(f"'size' must be a 1-D int32 Tensor, got {t.dtype.name}")
    return int(t[0]), int(t[1])


@public("image.resize")
def resize(
    images: Any,
    size: Any,
    method: Any = ResizeMethod.BILINEAR,
    preserve_aspect_ratio: bool = False,
    antialias: bool = False,
    name: Any = None,
) -> Any:
    """Resizes images. Pixels are areas, whose centres lie at half integers.

    Args:
      images: a tensor of shape [height, width, channels] or [batch, height, width, channels].
      size: the new height and width, two integers, which are read.
      method: a `ResizeMethod`, or its string.
      preserve_aspect_ratio: whether the sides keep their proportion. The result then fits into `size`.
      antialias: whether images that become smaller are smoothed. It has no effect for "nearest" and "area".
      name: has no effect, as in eager TensorFlow.

    Returns:
      A float32 tensor. For "nearest" it has the dtype of `images`.

    Raises:
      ValueError: the number of axes is wrong, `size` does not consist of two integers, or `method` is unknown.
      InvalidArgumentError: a size is not positive.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/resize

    >>> resize([[[0.0], [1.0]]], [1, 4]).numpy().ravel().tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    t = to_tensor(images)
    if t.ndim not in (3, 4):
        raise ValueError("'images' must have either 3 or 4 dimensions.")
    added = t.ndim == 3
    height, width = _size(size)
    if method not in _METHODS:
        raise ValueError(f"Resize method is not implemented: {method}")
    if height <= 0 or width <= 0:
        raise invalid_value("output dimensions must be positive")
    if preserve_aspect_ratio:
        old = t.aval.shape[-3:-1]
        scale = min(_F32(height) / _F32(old[0]), _F32(width) / _F32(old[1]))
        height, width = (int(np.rint(scale * _F32(n))) for n in old)
    if 0 in t.aval.shape[-3:-1]:
        raise invalid_value("input image must be of non-zero size")
    if added and t.aval.dtype.kind in "iu" and isinstance(t._value, np.ndarray):
        # This image was probably just read from a file. Such images have many sizes, and compiling a program for each
        # size would take far longer than computing on the host.
        out = _resized(t._value[None], (height, width), str(method), bool(antialias))
        return from_value(np.ascontiguousarray(out[0]))
    out = _resize(
        image_geometry.add_batch(t) if added else t, size=(height, width), method=str(method), antialias=bool(antialias)
    )
    return image_geometry.drop_batch(out) if added else out


_METHODS = frozenset(v for k, v in vars(ResizeMethod).items() if k.isupper())


@public("image.resize_with_pad")
def resize_with_pad(
    image: Any, target_height: Any, target_width: Any, method: Any = ResizeMethod.BILINEAR, antialias: bool = False
) -> Any:
    """Resizes images to fit into a size without changing their proportion, and pads them with zeros to that size.

    Args:
      image: a tensor of shape [height, width, channels] or [batch, height, width, channels].
      target_height: the height of the result.
      target_width: the width of the result.
      method: a `ResizeMethod`, or its string.
      antialias: whether images that become smaller are smoothed.

    Raises:
      ValueError: a size is not positive, or the number of axes is wrong.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/resize_with_pad

    >>> resize_with_pad([[[2.0], [2.0]]], 2, 2).numpy()[..., 0].tolist()
    [[2.0, 2.0], [0.0, 0.0]]
    """
    t = to_tensor(image)
    if t.ndim not in (3, 4):
        raise ValueError(f"'image' (shape {t.shape}) must have either 3 or 4 dimensions.")
    target = int(target_height), int(target_width)
    if target[0] <= 0:
        raise ValueError("target_height must be > 0.")
    if target[1] <= 0:
        raise ValueError("target_width must be > 0.")
    old = t.aval.shape[-3:-1]
    ratio = max(n / goal for n, goal in zip(old, target, strict=True))
    exact = [n / ratio for n in old]
    size = [math.floor(n) for n in exact]
    top, left = (max(0, math.floor((goal - n) / 2)) for n, goal in zip(exact, target, strict=True))
    resized = resize(t, size, method, antialias=antialias)
    return image_geometry.pad_to_bounding_box(resized, top, left, *target)
