"""Random changes of images. For a given seed they are those of TensorFlow."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core.checks import invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.ops.image import adjust as image_adjust
from tapejax._src.ops.image.geometry import images_or_image
from tapejax._src.ops.random import draws as random
from tapejax._src.ops.registry import Array, Shape, op

__all__ = [
    "random_brightness", "random_contrast", "random_crop", "random_flip_left_right", "random_flip_up_down",
    "random_hue", "random_jpeg_quality", "random_saturation", "stateless_random_brightness",
    "stateless_random_contrast", "stateless_random_crop", "stateless_random_flip_left_right",
    "stateless_random_flip_up_down", "stateless_random_hue", "stateless_random_jpeg_quality",
    "stateless_random_saturation",
]  # fmt: skip


def _uniform(seed: Any, low: Any = 0.0, high: Any = 1.0) -> Any:
    return random.uniform([], low, high, seed=seed)


def _stateless(seed: Any, low: Any = 0.0, high: Any = 1.0) -> Any:
    return random.stateless_uniform([], seed, low, high)


@op()
def _maybe_flip(image: Array, draw: Array, axis=0):
    """Flips an image if its number `draw` is below one half; in a batch, the images whose numbers are above it."""
    flipped = jnp.flip(image, axis)
    chosen = draw < 0.5 if image.ndim == 3 else (draw > 0.5).reshape(-1, 1, 1, 1)
    return jnp.where(chosen, flipped, image)


def _flip(image: Any, draw: Callable[..., Any], axis: int) -> Any:
    t = images_or_image(image)
    return _maybe_flip(t, draw([] if t.ndim == 3 else [t.aval.shape[0]]), axis=axis)


@public("image.random_flip_left_right")
def random_flip_left_right(image: Any, seed: Any = None) -> Any:
    """Exchanges left and right of an image, or of each image of a batch, with probability one half.

    Args:
      image: a tensor of shape [(batch,) height, width, channels].
      seed: an integer, the op's own seed; see `tf.random.set_seed`.

    Raises:
      ValueError: `image` does not have 3 or 4 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/random_flip_left_right

    >>> random_flip_left_right([[[1], [1]]]).numpy().ravel().tolist()
    [1, 1]
    """
    return _flip(image, lambda shape: random.uniform(shape, seed=seed), -2)


@public("image.random_flip_up_down")
def random_flip_up_down(image: Any, seed: Any = None) -> Any:
    """Exchanges top and bottom of an image, or of each image of a batch, with probability one half.

    Takes the arguments of `random_flip_left_right` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/random_flip_up_down

    >>> random_flip_up_down(np.ones([2, 1, 3], np.float32)).shape
    TensorShape([2, 1, 3])
    """
    return _flip(image, lambda shape: random.uniform(shape, seed=seed), -3)


@public("image.stateless_random_flip_left_right")
def stateless_random_flip_left_right(image: Any, seed: Any) -> Any:
    """`random_flip_left_right`, depending on nothing but the arguments. `seed` consists of two integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/stateless_random_flip_left_right

    >>> stateless_random_flip_left_right([[[1], [2]]], [1, 2]).numpy().ravel().tolist()
    [1, 2]
    """
    return _flip(image, lambda shape: random.stateless_uniform(shape, seed), -2)


@public("image.stateless_random_flip_up_down")
def stateless_random_flip_up_down(image: Any, seed: Any) -> Any:
    """`random_flip_up_down`, depending on nothing but the arguments. `seed` consists of two integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/stateless_random_flip_up_down

    >>> stateless_random_flip_up_down(np.ones([2, 1, 3], np.float32), [1, 2]).shape
    TensorShape([2, 1, 3])
    """
    return _flip(image, lambda shape: random.stateless_uniform(shape, seed), -3)


@op()
def _cut(value: Array, draw: Array, size: Shape = ()):
    limit = np.array([n - s + 1 for n, s in zip(value.shape, size, strict=True)])
    return lax.dynamic_slice(value, list(draw % limit.astype(draw.dtype)), size)


def _crop(value: Any, size: Any, draw: Callable[..., Any]) -> Any:
    t, wanted = to_tensor(value), np.asarray(to_tensor(size))
    kept = tuple(int(n) for n in wanted)
    if len(kept) != t.ndim or any(s > n for s, n in zip(kept, t.aval.shape, strict=True)):
        raise invalid_value(f"Need value.shape >= size, got {list(t.aval.shape)} {list(kept)}")
    return _cut(t, draw([t.ndim], maxval=int(np.iinfo(wanted.dtype).max), dtype=wanted.dtype), size=kept)


@public("image.random_crop")
def random_crop(value: Any, size: Any, seed: Any = None, name: Any = None) -> Any:
    """A part of a tensor at a random position.

    Args:
      value: a tensor.
      size: the shape of the part, integers, which are read.
      seed: an integer, the op's own seed; see `tf.random.set_seed`.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `size` is larger than the tensor.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/random_crop

    >>> random_crop([1, 2, 3], [2]).shape
    TensorShape([2])
    """
    return _crop(value, size, lambda *args, **kwargs: random.uniform(*args, **kwargs, seed=seed))


@public("image.stateless_random_crop")
def stateless_random_crop(value: Any, size: Any, seed: Any, name: Any = None) -> Any:
    """`random_crop`, depending on nothing but the arguments. `seed` consists of two integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/stateless_random_crop

    >>> stateless_random_crop([1, 2, 3], [2], [1, 2]).numpy().tolist()
    [1, 2]
    """
    return _crop(value, size, lambda shape, **kwargs: random.stateless_uniform(shape, seed, minval=0, **kwargs))


def _check_range(lower: Any, upper: Any) -> None:
    if upper <= lower:
        raise ValueError("upper must be > lower.")
    if lower < 0:
        raise ValueError("lower must be non-negative.")


def _brightness(image: Any, max_delta: Any, draw: Callable[..., Any]) -> Any:
    if max_delta < 0:
        raise ValueError("max_delta must be non-negative.")
    return image_adjust.adjust_brightness(image, draw(-max_delta, max_delta))


def _hue(image: Any, max_delta: Any, draw: Callable[..., Any]) -> Any:
    if max_delta > 0.5:
        raise ValueError("max_delta must be <= 0.5.")
    if max_delta < 0:
        raise ValueError("max_delta must be non-negative.")
    return image_adjust.adjust_hue(image, draw(-max_delta, max_delta))


def _contrast(image: Any, lower: Any, upper: Any, draw: Callable[..., Any]) -> Any:
    _check_range(lower, upper)
    return image_adjust.adjust_contrast(image, draw(lower, upper))


def _saturation(image: Any, lower: Any, upper: Any, draw: Callable[..., Any]) -> Any:
    _check_range(lower, upper)
    return image_adjust.adjust_saturation(image, draw(lower, upper))


def _quality(image: Any, low: Any, high: Any, draw: Callable[..., Any]) -> Any:
    from tapejax._src.ops.io.image_writing import adjust_jpeg_quality

    if low < 0 or high < 0 or low > 100 or high > 100:
        raise ValueError("jpeg encoding range must be between 0 and 100.")
    if low >= high:
        raise ValueError("`min_jpeg_quality` must be less than `max_jpeg_quality`.")
    return adjust_jpeg_quality(image, draw(low, high))


@public("image.random_brightness")
def random_brightness(image: Any, max_delta: Any, seed: Any = None) -> Any:
    """Adds a random number between ``-max_delta`` and ``max_delta`` to all pixels; see `adjust_brightness`.

    Args:
      image: a tensor of a floating or integer dtype.
      max_delta: a number >= 0.
      seed: an integer, the op's own seed; see `tf.random.set_seed`.

    Raises:
      ValueError: `max_delta` is negative.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/random_brightness

    >>> random_brightness(np.ones([2, 1, 3], np.float32), 0.2).shape
    TensorShape([2, 1, 3])
    """
    return _brightness(image, max_delta, lambda a, b: _uniform(seed, a, b))


@public("image.stateless_random_brightness")
def stateless_random_brightness(image: Any, max_delta: Any, seed: Any) -> Any:
    """`random_brightness`, depending on nothing but the arguments. `seed` consists of two integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/stateless_random_brightness

    >>> stateless_random_brightness(np.ones([2, 1, 3], np.float32), 0.2, [1, 2]).shape
    TensorShape([2, 1, 3])
    """
    return _brightness(image, max_delta, lambda a, b: _stateless(seed, a, b))


@public("image.random_hue")
def random_hue(image: Any, max_delta: Any, seed: Any = None) -> Any:
    """Shifts the hue by a random number between ``-max_delta`` and ``max_delta``; see `adjust_hue`.

    Args:
      image: a tensor of shape [..., 3].
      max_delta: a number in [0, 0.5].
      seed: an integer, the op's own seed; see `tf.random.set_seed`.

    Raises:
      ValueError: `max_delta` is out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/random_hue

    >>> random_hue(np.ones([2, 1, 3], np.float32), 0.2).shape
    TensorShape([2, 1, 3])
    """
    return _hue(image, max_delta, lambda a, b: _uniform(seed, a, b))


@public("image.stateless_random_hue")
def stateless_random_hue(image: Any, max_delta: Any, seed: Any) -> Any:
    """`random_hue`, depending on nothing but the arguments. `seed` consists of two integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/stateless_random_hue

    >>> stateless_random_hue(np.ones([2, 1, 3], np.float32), 0.2, [1, 2]).shape
    TensorShape([2, 1, 3])
    """
    return _hue(image, max_delta, lambda a, b: _stateless(seed, a, b))


@public("image.random_contrast")
def random_contrast(image: Any, lower: Any, upper: Any, seed: Any = None) -> Any:
    """Multiplies the contrast by a random number between `lower` and `upper`; see `adjust_contrast`.

    Args:
      image: a tensor of shape [..., height, width, channels].
      lower: a number >= 0.
      upper: a number above `lower`.
      seed: an integer, the op's own seed; see `tf.random.set_seed`.

    Raises:
      ValueError: `lower` is negative or not below `upper`.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/random_contrast

    >>> random_contrast(np.ones([2, 1, 3], np.float32), 0.5, 1.5).shape
    TensorShape([2, 1, 3])
    """
    return _contrast(image, lower, upper, lambda a, b: _uniform(seed, a, b))


@public("image.stateless_random_contrast")
def stateless_random_contrast(image: Any, lower: Any, upper: Any, seed: Any) -> Any:
    """`random_contrast`, depending on nothing but the arguments. `seed` consists of two integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/stateless_random_contrast

    >>> stateless_random_contrast(np.ones([2, 1, 3], np.float32), 0.5, 1.5, [1, 2]).shape
    TensorShape([2, 1, 3])
    """
    return _contrast(image, lower, upper, lambda a, b: _stateless(seed, a, b))


@public("image.random_saturation")
def random_saturation(image: Any, lower: Any, upper: Any, seed: Any = None) -> Any:
    """Multiplies the saturation by a random number between `lower` and `upper`; see `adjust_saturation`.

    Args:
      image: a tensor of shape [..., 3].
      lower: a number >= 0.
      upper: a number above `lower`.
      seed: an integer, the op's own seed; see `tf.random.set_seed`.

    Raises:
      ValueError: `lower` is negative or not below `upper`.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/random_saturation

    >>> random_saturation(np.ones([2, 1, 3], np.float32), 0.5, 1.5).shape
    TensorShape([2, 1, 3])
    """
    return _saturation(image, lower, upper, lambda a, b: _uniform(seed, a, b))


@public("image.stateless_random_saturation")
def stateless_random_saturation(image: Any, lower: Any, upper: Any, seed: Any = None) -> Any:
    """`random_saturation`, depending on nothing but the arguments. `seed` consists of two integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/stateless_random_saturation

    >>> stateless_random_saturation(np.ones([2, 1, 3], np.float32), 0.5, 1.5, [1, 2]).shape
    TensorShape([2, 1, 3])
    """
    return _saturation(image, lower, upper, lambda a, b: _stateless(seed, a, b))


@public("image.random_jpeg_quality")
def random_jpeg_quality(image: Any, min_jpeg_quality: Any, max_jpeg_quality: Any, seed: Any = None) -> Any:
    """Compresses an image with a random JPEG quality; see `adjust_jpeg_quality`.

    Args:
      image: a tensor of shape [height, width, channels].
      min_jpeg_quality: the lowest quality, an int in [0, 100].
      max_jpeg_quality: the quality is below this int, which is in [0, 100].
      seed: an integer, the op's own seed; see `tf.random.set_seed`.

    Raises:
      ValueError: the range is empty, or not within [0, 100].

    Source: https://www.tensorflow.org/api_docs/python/tf/image/random_jpeg_quality

    >>> random_jpeg_quality(np.ones([2, 1, 3], np.uint8), 70, 90).shape
    TensorShape([2, 1, 3])
    """
    return _quality(
        image, min_jpeg_quality, max_jpeg_quality, lambda a, b: random.uniform([], a, b, np.int32, seed=seed)
    )


@public("image.stateless_random_jpeg_quality")
def stateless_random_jpeg_quality(image: Any, min_jpeg_quality: Any, max_jpeg_quality: Any, seed: Any) -> Any:
    """`random_jpeg_quality`, depending on nothing but the arguments. `seed` consists of two integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/stateless_random_jpeg_quality

    >>> stateless_random_jpeg_quality(np.ones([2, 1, 3], np.uint8), 70, 90, [1, 2]).shape
    TensorShape([2, 1, 3])
    """
    return _quality(
        image, min_jpeg_quality, max_jpeg_quality, lambda a, b: random.stateless_uniform([], seed, a, b, np.int32)
    )
