"""Conversions between colour spaces: grey, HSV, YIQ, YUV. Channels are the last axis."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core import dtypes, errors
from tapejax._src.core.checks import final, need
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.ops.registry import Array, op

__all__ = ["from_hue", "grayscale_to_rgb", "hsv_to_rgb", "hue", "rgb_to_grayscale", "rgb_to_hsv", "rgb_to_yiq",
           "rgb_to_yuv", "yiq_to_rgb", "yuv_to_rgb"]  # fmt: skip

# The matrices of NTSC (YIQ) and PAL (YUV). Each column gives one channel of the result.
_YIQ = [[0.299, 0.59590059, 0.2115], [0.587, -0.27455667, -0.52273617], [0.114, -0.32134392, 0.31119955]]
_FROM_YIQ = [[1, 1, 1], [0.95598634, -0.27201283, -1.10674021], [0.6208248, -0.64720424, 1.70423049]]
_YUV = [[0.299, -0.14714119, 0.61497538], [0.587, -0.28886916, -0.51496512], [0.114, 0.43601035, -0.10001026]]
_FROM_YUV = [[1, 1, 1], [0, -0.394642334, 2.03206185], [1.13988303, -0.58062185, 0]]
_GREY = [[0.2989], [0.587], [0.114]]


def _times(x: Any, matrix: Any) -> Any:
    need("f", x)
    return lax.dot_general(
        x, np.asarray(matrix, x.dtype), (((x.ndim - 1,), (0,)), ((), ())), precision=lax.Precision.HIGHEST
    )


@op()
def _grey(x: Array):
    return _times(x, _GREY)


@public("image.rgb_to_grayscale")
def rgb_to_grayscale(images: Any, name: Any = None) -> Any:
    """Converts colour images to grey.

    Args:
      images: a tensor of shape [..., 3] of a floating or integer dtype.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [..., 1] and the same dtype.

    Raises:
      InvalidArgumentError: there are not 3 channels.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/rgb_to_grayscale

    >>> rgb_to_grayscale([[[1.0, 0.0, 0.0]]]).numpy().round(4).ravel().tolist()
    [0.2989000082015991]
    """
    from tapejax._src.ops.image.adjust import convert_image_dtype

    t = to_tensor(images)
    return convert_image_dtype(_grey(convert_image_dtype(t, dtypes.float32)), t.dtype)


@op("image.grayscale_to_rgb")
def grayscale_to_rgb(images: Array, name=None):
    """Converts grey images to colour images, whose three channels are equal.

    Args:
      images: a tensor of shape [..., 1].
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [..., 3].

    Raises:
      ValueError: there is not 1 channel.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/grayscale_to_rgb

    >>> grayscale_to_rgb([[[7]]]).numpy().ravel().tolist()
    [7, 7, 7]
    """
    if images.shape[-1:] != (1,):
        raise final(ValueError(f"Last dimension of a grayscale image should be size 1, got shape {images.shape}"))
    return jnp.broadcast_to(images, (*images.shape[:-1], 3))


@op("image.rgb_to_yiq")
def rgb_to_yiq(images: Array):
    """Converts RGB to YIQ, luma and chrominance of NTSC. Takes floating numbers of shape [..., 3].

    Source: https://www.tensorflow.org/api_docs/python/tf/image/rgb_to_yiq

    >>> rgb_to_yiq([[[1.0, 1.0, 1.0]]]).numpy().round(2).ravel().tolist()[0]
    1.0
    """
    return _times(images, _YIQ)


@op("image.yiq_to_rgb")
def yiq_to_rgb(images: Array):
    """Converts YIQ to RGB, the inverse of `rgb_to_yiq`. Takes floating numbers of shape [..., 3].

    Source: https://www.tensorflow.org/api_docs/python/tf/image/yiq_to_rgb

    >>> yiq_to_rgb([[[1.0, 0.0, 0.0]]]).numpy().ravel().tolist()
    [1.0, 1.0, 1.0]
    """
    return _times(images, _FROM_YIQ)


@op("image.rgb_to_yuv")
def rgb_to_yuv(images: Array):
    """Converts RGB to YUV, luma and chrominance of PAL. Takes floating numbers of shape [..., 3].

    Source: https://www.tensorflow.org/api_docs/python/tf/image/rgb_to_yuv

    >>> rgb_to_yuv([[[1.0, 1.0, 1.0]]]).numpy().round(2).ravel().tolist()[0]
    1.0
    """
    return _times(images, _YUV)


@op("image.yuv_to_rgb")
def yuv_to_rgb(images: Array):
    """Converts YUV to RGB, the inverse of `rgb_to_yuv`. Takes floating numbers of shape [..., 3].

    Source: https://www.tensorflow.org/api_docs/python/tf/image/yuv_to_rgb

    >>> yuv_to_rgb([[[1.0, 0.0, 0.0]]]).numpy().ravel().tolist()
    [1.0, 1.0, 1.0]
    """
    return _times(images, _FROM_YUV)


def hue(x: Any, high: Any, low: Any) -> Any:
    """The position of colours on the colour circle: from 0 (red) over 2 (green) and 4 (blue) to 6. Greys are at 0.

    Args:
      x: RGB of shape [..., 3].
      high: the highest of the three channels.
      low: the lowest of the three channels.
    """
    r, g, b = x[..., 0], x[..., 1], x[..., 2]
    spread = high - low
    scale = 1 / jnp.where(spread > 0, spread, 1)
    at = jnp.where(r == high, (g - b) * scale, jnp.where(g == high, (b - r) * scale + 2, (r - g) * scale + 4))
    at = jnp.where(spread > 0, at, 0)
    return jnp.where(at < 0, at + 6, at)


def from_hue(at: Any) -> Any:
    """The pure colours at positions on the colour circle, as RGB."""
    six = at[..., None]
    channels = jnp.concatenate([jnp.abs(six - 3) - 1, 2 - jnp.abs(six - 2), 2 - jnp.abs(six - 4)], -1)
    return jnp.clip(channels, 0, 1)


def rgb_to_hsv_array(x: Any) -> Any:
    """The JAX function of `rgb_to_hsv`, without its checks."""
    high, low = jnp.max(x, -1), jnp.min(x, -1)
    strength = jnp.where(high > 0, (high - low) / jnp.where(high > 0, high, 1), 0)
    return jnp.stack([hue(x, high, low) / 6, strength, high], -1)


def hsv_to_rgb_array(x: Any) -> Any:
    """The JAX function of `hsv_to_rgb`, without its checks."""
    strength, value = x[..., 1:2], x[..., 2:3]
    return ((1 - strength) + strength * from_hue(x[..., 0] * 6)) * value


def _need_colours(images: Any) -> None:
    need("f", images)
    if images.shape[-1:] != (3,):
        raise errors.FailedPreconditionError(message=f"input must have 3 channels but input has shape {images.shape}")


@op("image.rgb_to_hsv")
def rgb_to_hsv(images: Array, name=None):
    """Converts RGB to HSV: hue, saturation and value, all from 0 to 1. Takes floating numbers of shape [..., 3].

    Raises:
      FailedPreconditionError: there are not 3 channels.
      InvalidArgumentError: the dtype is not floating.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/rgb_to_hsv

    >>> rgb_to_hsv([[[0.0, 0.5, 0.0]]]).numpy().round(3).ravel().tolist()
    [0.3330000042915344, 1.0, 0.5]
    """
    _need_colours(images)
    return rgb_to_hsv_array(images)


@op("image.hsv_to_rgb", differentiable=False)
def hsv_to_rgb(images: Array, name=None):
    """Converts HSV to RGB, the inverse of `rgb_to_hsv`. Takes floating numbers of shape [..., 3].

    Raises:
      FailedPreconditionError: there are not 3 channels.
      InvalidArgumentError: the dtype is not floating.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/hsv_to_rgb

    >>> hsv_to_rgb([[[0.0, 1.0, 0.5]]]).numpy().ravel().tolist()
    [0.5, 0.0, 0.0]
    """
    _need_colours(images)
    return hsv_to_rgb_array(images)
