"""Changes of images: dtype, brightness, contrast, gamma, hue, saturation, and standardisation."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.checks import final, invalid, invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.ops.image.color import from_hue, hsv_to_rgb_array, hue, rgb_to_hsv_array
from tapejax._src.ops.registry import Array, DType, op

__all__ = ["adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation",
           "convert_image_dtype", "per_image_standardization"]  # fmt: skip

_FLOATS = ("float16", "float32")


@op()
def _to_float(image: Array, dtype: DType = None):
    """Converts integers to floats: the highest integer becomes 1."""
    top = dtypes.from_numpy(np.dtype(image.dtype)).max
    return image.astype(dtype) * jnp.asarray(1.0 / top, dtype)


@op()
def _to_integer(image: Array, dtype: DType = None, saturate=False):
    """Converts floats to integers: 1 becomes the highest integer. The gradient in TensorFlow is None."""
    scaled = image * jnp.asarray(np.iinfo(dtype).max + 0.5, image.dtype)
    if saturate:
        info = np.iinfo(dtype)
        # The highest float that the integer dtype can hold. Its own limit may be rounded up as a float.
        high = np.asarray(info.max, image.dtype)
        if float(high) > info.max:
            high = np.nextafter(high, np.asarray(0, image.dtype))
        scaled = jnp.clip(scaled, np.asarray(info.min, image.dtype), high)
    return scaled.astype(dtype)


@op(differentiable=False)
def _rescale(image: Array, dtype: DType = None, saturate=False):
    """Converts integers to another integer dtype, scaled to its range."""
    before, after = np.iinfo(image.dtype).max, np.iinfo(dtype).max
    if before > after:
        image = image // np.asarray((before + 1) // (after + 1), image.dtype)
        low = np.iinfo(dtype).min
        image = jnp.maximum(image, low) if saturate and low > np.iinfo(image.dtype).min else image
        return image.astype(dtype)
    image = jnp.maximum(image, 0) if saturate and np.iinfo(dtype).min == 0 else image
    return image.astype(dtype) * np.asarray((after + 1) // (before + 1), dtype)


@public("image.convert_image_dtype")
def convert_image_dtype(image: Any, dtype: Any, saturate: bool = False, name: Any = None) -> Any:
    """Converts an image to another dtype and scales its values. Integers use their whole range, floats 0 to 1.

    Args:
      image: a tensor of a floating or integer dtype.
      dtype: a floating or integer `DType`.
      saturate: whether values that an integer dtype cannot hold become the nearest one that it can.
      name: has no effect, as in eager TensorFlow.

    Raises:
      AttributeError: a dtype is neither floating nor integer.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/convert_image_dtype

    >>> convert_image_dtype([0, 255], "float32").numpy().tolist()  # int32, whose highest value is far away
    [0.0, 1.1874362826347351e-07]
    """
    t = to_tensor(image)
    wanted = dtypes.as_dtype(dtype)
    if not (wanted.is_floating or wanted.is_integer):
        raise AttributeError("dtype must be either floating point or integer")
    if not (t.dtype.is_floating or t.dtype.is_integer):
        raise AttributeError("image dtype must be either floating point or integer")
    if t.dtype is wanted:
        return t
    to = wanted.as_numpy_dtype
    if t.dtype.is_integer:
        return _to_float(t, dtype=to) if wanted.is_floating else _rescale(t, dtype=to, saturate=bool(saturate))
    if wanted.is_integer:
        return _to_integer(t, dtype=to, saturate=bool(saturate))
    return _cast(t, dtype=to)


@op()
def _cast(image: Array, dtype: DType = None):
    return image.astype(dtype)


def _through_float(image: Any, change: Any, *args: Any, floats: tuple[str, ...] = _FLOATS) -> Any:
    """Applies `change` to an image converted to floats, and converts the result back to the image's dtype."""
    t = to_tensor(image)
    x = t if t.dtype.name in floats else convert_image_dtype(t, dtypes.float32)
    return convert_image_dtype(change(x, *args), t.dtype, saturate=True)


@op()
def _brighter(x: Array, delta: Array):
    return x + delta.astype(x.dtype)


@public("image.adjust_brightness")
def adjust_brightness(image: Any, delta: Any) -> Any:
    """Adds a number to all pixels.

    Args:
      image: a tensor of a floating or integer dtype, which the result has too.
      delta: a scalar. For integer images, 1 is the whole range of the dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/adjust_brightness

    >>> adjust_brightness([1.0, 2.0], 0.5).numpy().tolist()
    [1.5, 2.5]
    """
    return _through_float(image, _brighter, delta)


@op()
def _contrast(x: Array, factor: Array):
    if x.ndim < 3:
        raise invalid(f"input must be at least 3-D, got shape {x.shape}")
    if factor.ndim:
        raise invalid(f"contrast_factor must be scalar: {factor.shape}")
    wide = x.astype(jnp.float32)
    mean = jnp.mean(wide, (-3, -2), keepdims=True)
    return ((wide - mean) * factor.astype(jnp.float32) + mean).astype(x.dtype)


@public("image.adjust_contrast")
def adjust_contrast(images: Any, contrast_factor: Any) -> Any:
    """Multiplies the distance of each pixel from the mean of its channel over the image.

    Args:
      images: a tensor of shape [..., height, width, channels] of a floating or integer dtype, which the result has too.
      contrast_factor: a scalar.

    Raises:
      InvalidArgumentError: `images` has fewer than 3 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/adjust_contrast

    >>> adjust_contrast([[[1.0], [3.0]]], 2.0).numpy().ravel().tolist()
    [0.0, 4.0]
    """
    return _through_float(images, _contrast, contrast_factor)


@op()
def _gamma(x: Array, gamma: Array, gain: Array):
    return gain.astype(x.dtype) * x ** gamma.astype(x.dtype)


@public("image.adjust_gamma")
def adjust_gamma(image: Any, gamma: Any = 1, gain: Any = 1) -> Any:
    """Computes ``gain * image ** gamma``.

    Args:
      image: a tensor of a floating or integer dtype, which the result has too.
      gamma: a scalar that is not negative.
      gain: a scalar.

    Raises:
      ValueError: `gamma` is a negative number.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/adjust_gamma

    >>> adjust_gamma([1.0, 3.0], 2.0).numpy().tolist()
    [1.0, 9.0]
    """
    if isinstance(gamma, (int, float)) and gamma < 0:
        raise ValueError("Gamma should be a non-negative real number.")
    return _through_float(image, _gamma, gamma, gain)


def need_colours(x: Any) -> None:
    """Checks that the last axis of an array has 3 channels.

    Raises:
      InvalidArgumentError: it does not, or the array has fewer than 3 axes.
    """
    if x.ndim < 3:
        raise invalid(f"input must be at least 3-D, got shape {x.shape}")
    if x.shape[-1] != 3:
        raise invalid_value(f"input must have 3 channels but instead has {x.shape[-1]} channels.")


@op()
def _turn_hue(x: Array, delta: Array):
    need_colours(x)
    wide = x.astype(jnp.float32)
    high, low = jnp.max(wide, -1), jnp.min(wide, -1)
    turned = hue(wide, high, low) + delta.astype(jnp.float32) * 6
    turned = turned - 6 * jnp.floor(turned / 6)
    return (low[..., None] + (high - low)[..., None] * from_hue(turned)).astype(x.dtype)


@public("image.adjust_hue")
def adjust_hue(image: Any, delta: Any, name: Any = None) -> Any:
    """Shifts the hue of all pixels around the colour circle.

    Args:
      image: a tensor of shape [..., 3] of a floating or integer dtype, which the result has too.
      delta: a scalar in [-1, 1]. 1 is the whole circle.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `delta` is out of range.
      InvalidArgumentError: there are not 3 channels.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/adjust_hue

    >>> adjust_hue([[[1.0, 0.0, 0.0]]], 1 / 3).numpy().round(3).ravel().tolist()
    [0.0, 1.0, 0.0]
    """
    if isinstance(delta, (int, float)) and not -1 <= delta <= 1:
        raise ValueError("delta must be in the interval [-1, 1]")
    return _through_float(image, _turn_hue, delta)


@op()
def _saturate(x: Array, factor: Array):
    need_colours(x)
    hsv = rgb_to_hsv_array(x.astype(jnp.float32))
    strength = jnp.clip(hsv[..., 1] * factor.astype(jnp.float32), 0, 1)
    return hsv_to_rgb_array(jnp.stack([hsv[..., 0], strength, hsv[..., 2]], -1)).astype(x.dtype)


@public("image.adjust_saturation")
def adjust_saturation(image: Any, saturation_factor: Any, name: Any = None) -> Any:
    """Multiplies the saturation of all pixels, which stays between 0 and 1.

    Args:
      image: a tensor of shape [..., 3] of a floating or integer dtype, which the result has too.
      saturation_factor: a scalar.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: there are not 3 channels.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/adjust_saturation

    >>> adjust_saturation([[[1.0, 0.5, 0.5]]], 0.0).numpy().ravel().tolist()
    [1.0, 1.0, 1.0]
    """
    return _through_float(image, _saturate, saturation_factor)


@op("image.per_image_standardization")
def per_image_standardization(image: Array):
    """Scales each image to mean 0 and variance 1. An image that hardly varies gets a smaller variance.

    Args:
      image: a tensor of shape [..., height, width, channels]. float16 and float32 are kept, other dtypes become
        float32.

    Raises:
      ValueError: `image` has fewer than 3 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/per_image_standardization

    >>> per_image_standardization([[[1.0], [3.0]]]).numpy().ravel().tolist()
    [-1.0, 1.0]
    """
    if image.ndim < 3:
        raise final(ValueError(f"'image' (shape {image.shape}) must be at least three-dimensional."))
    x = image if str(image.dtype) in _FLOATS else image.astype(jnp.float32)
    axes = (-3, -2, -1)
    deviation = x - jnp.mean(x, axes, keepdims=True)
    variance = jnp.mean(deviation * deviation, axes, keepdims=True)
    # If the variance is 0, where the root has no derivative, the lower limit is used instead.
    spread = jnp.sqrt(jnp.where(variance > 0, variance, 1))
    least = jnp.asarray(1 / np.sqrt(np.prod(x.shape[-3:])), x.dtype)
    return deviation / jnp.where(variance > 0, jnp.maximum(spread, least), least)
