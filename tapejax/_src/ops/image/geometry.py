"""Flips, rotations, crops and padding of images. All functions take [height, width, channels], or a batch of images."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core.convert import number, to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, is_symbolic
from tapejax._src.engine import stream
from tapejax._src.engine.op import Op, static
from tapejax._src.ops.array.casting import cast
from tapejax._src.ops.registry import Array, Shape, op

__all__ = ["add_batch", "central_crop", "crop_to_bounding_box", "drop_batch", "flip_left_right", "flip_up_down",
           "pad_to_bounding_box", "resize_with_crop_or_pad", "rot90", "transpose"]  # fmt: skip


@op()
def add_batch(image: Array):
    """An image as a batch of one image."""
    return image[None]


@op()
def drop_batch(images: Array):
    """The image in a batch of one image."""
    return images[0]


def images_or_image(x: Any, what: str = "image") -> Any:
    """Converts an argument to a tensor and checks that it has 3 or 4 axes.

    Args:
      x: the argument.
      what: its name, for the message.

    Raises:
      ValueError: it has another number of axes.
    """
    t = to_tensor(x)
    if t.ndim not in (3, 4):
        raise ValueError(f"'{what}' (shape {t.shape}) must have either 3 or 4 dimensions.")
    return t


@op()
def _flip(image: Array, axis=0):
    return jnp.flip(image, axis)


@op()
def _window(image: Array, start: Shape = (), size: Shape = ()):
    top, left = start
    return image[..., top : top + size[0], left : left + size[1], :]


@op()
def _pad(image: Array, start: Shape = (), size: Shape = ()):
    sides = [(a, n - a - m) for a, n, m in zip(start, size, image.shape[-3:-1], strict=True)]
    return jnp.pad(image, [(0, 0)] * (image.ndim - 3) + sides + [(0, 0)])


def _moving_window(image: Any, top: Any, left: Any, *, size: tuple[int, int]) -> Any:
    """A part of an image. Its position is an input of the program, so one program serves every position."""
    lead = image.shape[:-3]
    return lax.dynamic_slice(image, _corner(len(lead), top, left), (*lead, *size, image.shape[-1]))


def _moving_pad(image: Any, top: Any, left: Any, *, size: tuple[int, int]) -> Any:
    lead = image.shape[:-3]
    empty = jnp.zeros((*lead, *size, image.shape[-1]), image.dtype)
    return lax.dynamic_update_slice(empty, image, _corner(len(lead), top, left))


def _corner(lead: int, top: Any, left: Any) -> list[Any]:
    return [jnp.int32(0)] * lead + [top, left, jnp.int32(0)]


_window_op, _pad_op = Op("crop_to_bounding_box", _moving_window), Op("pad_to_bounding_box", _moving_pad)
_I32 = np.dtype(np.int32)


def _placed(op_: Op, image: Any, top: Any, left: Any, size: tuple[int, int]) -> Any:
    offsets = (number(v, _I32) if isinstance(v, int) else cast(v, _I32) for v in (top, left))
    return stream.record(op_, static(size=size), (image, *offsets))


def _offset(v: Any) -> Any:
    """An offset as an int. A tensor of a graph that is being captured is returned as it is, without checks."""
    return v if isinstance(v, Tensor) and is_symbolic(v) else int(v)


@op()
def _turn_by(image: Array, k: Array):
    """A square image, rotated `k` times by a right angle."""
    turns = [lambda x, n=n: jnp.rot90(x, n, (x.ndim - 3, x.ndim - 2)) for n in range(4)]
    return lax.switch(jnp.mod(k, 4).astype(jnp.int32), turns, image)


@op()
def _turn(image: Array, k=0, other=False):
    rows, columns = image.ndim - 3, image.ndim - 2
    return jnp.swapaxes(image, rows, columns) if other else jnp.rot90(image, k, (rows, columns))


@public("image.flip_left_right")
def flip_left_right(image: Any) -> Any:
    """Mirrors an image, or each image of a batch, so that left and right are exchanged.

    Raises:
      ValueError: `image` does not have 3 or 4 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/flip_left_right

    >>> flip_left_right([[[1], [2]]]).numpy().ravel().tolist()
    [2, 1]
    """
    return _flip(images_or_image(image), axis=-2)


@public("image.flip_up_down")
def flip_up_down(image: Any) -> Any:
    """Mirrors an image, or each image of a batch, so that top and bottom are exchanged.

    Raises:
      ValueError: `image` does not have 3 or 4 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/flip_up_down

    >>> flip_up_down([[[1]], [[2]]]).numpy().ravel().tolist()
    [2, 1]
    """
    return _flip(images_or_image(image), axis=-3)


@public("image.rot90")
def rot90(image: Any, k: Any = 1, name: Any = None) -> Any:
    """Rotates an image, or each image of a batch, counter-clockwise by right angles.

    Args:
      image: a tensor of shape [(batch,) height, width, channels].
      k: the number of right angles, an int or a scalar tensor. If it is a tensor and the image is not square, it is
        read.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `image` does not have 3 or 4 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/rot90

    >>> rot90([[[1], [2]]]).numpy()[..., 0].tolist()
    [[2], [1]]
    """
    t = images_or_image(image)
    if isinstance(k, Tensor) and t.aval.shape[-3] == t.aval.shape[-2]:
        return _turn_by(t, k)
    return _turn(t, k=int(k) % 4)


@public("image.transpose")
def transpose(image: Any, name: Any = None) -> Any:
    """Exchanges the rows and columns of an image, or of each image of a batch.

    Raises:
      ValueError: `image` does not have 3 or 4 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/transpose

    >>> transpose([[[1], [2]]]).shape
    TensorShape([2, 1, 1])
    """
    return _turn(images_or_image(image), other=True)


@public("image.crop_to_bounding_box")
def crop_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Any:
    """Cuts a part out of an image, or out of each image of a batch.

    Args:
      image: a tensor of shape [(batch,) height, width, channels].
      offset_height: the number of rows above the part.
      offset_width: the number of columns to the left of the part.
      target_height: the height of the part.
      target_width: the width of the part.

    Raises:
      ValueError: the part extends beyond the image, or `image` does not have 3 or 4 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/crop_to_bounding_box

    >>> crop_to_bounding_box([[[1], [2], [3]]], 0, 1, 1, 2).numpy().ravel().tolist()
    [2, 3]
    """
    t = images_or_image(image)
    top, left, height, width = _offset(offset_height), _offset(offset_width), int(target_height), int(target_width)
    rows, columns = t.aval.shape[-3:-1]
    y, x = (v if isinstance(v, int) else 0 for v in (top, left))
    for good, text in (
        (x >= 0, "offset_width must be >= 0."),
        (y >= 0, "offset_height must be >= 0."),
        (width > 0, "target_width must be > 0."),
        (height > 0, "target_height must be > 0."),
        (columns >= width + x, "width must be >= target + offset."),
        (rows >= height + y, "height must be >= target + offset."),
    ):
        if not good:
            raise ValueError(text)
    return _placed(_window_op, t, top, left, (height, width))


@public("image.pad_to_bounding_box")
def pad_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Any:
    """Pads an image, or each image of a batch, with zeros.

    Args:
      image: a tensor of shape [(batch,) height, width, channels].
      offset_height: the number of rows of zeros above the image.
      offset_width: the number of columns of zeros to the left of the image.
      target_height: the height of the result.
      target_width: the width of the result.

    Raises:
      ValueError: the image does not fit into the result, or does not have 3 or 4 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/pad_to_bounding_box

    >>> pad_to_bounding_box([[[5]]], 0, 1, 1, 3).numpy().ravel().tolist()
    [0, 5, 0]
    """
    t = images_or_image(image)
    top, left, height, width = _offset(offset_height), _offset(offset_width), int(target_height), int(target_width)
    rows, columns = t.aval.shape[-3:-1]
    y, x = (v if isinstance(v, int) else 0 for v in (top, left))
    for good, text in (
        (y >= 0, "offset_height must be >= 0"),
        (x >= 0, "offset_width must be >= 0"),
        (width - x - columns >= 0, "width must be <= target - offset"),
        (height - y - rows >= 0, "height must be <= target - offset"),
    ):
        if not good:
            raise ValueError(text)
    return _placed(_pad_op, t, top, left, (height, width))


@public("image.resize_with_crop_or_pad")
def resize_with_crop_or_pad(image: Any, target_height: Any, target_width: Any) -> Any:
    """Brings an image to a size: each side is cropped to its middle part, or padded with zeros on both sides.

    Args:
      image: a tensor of shape [(batch,) height, width, channels].
      target_height: the height of the result.
      target_width: the width of the result.

    Raises:
      ValueError: a size is not positive, or `image` does not have 3 or 4 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/resize_with_crop_or_pad

    >>> resize_with_crop_or_pad([[[1], [2], [3]]], 1, 1).numpy().ravel().tolist()
    [2]
    """
    t = images_or_image(image)
    target = int(target_height), int(target_width)
    if target[1] <= 0:
        raise ValueError("target_width must be > 0.")
    if target[0] <= 0:
        raise ValueError("target_height must be > 0.")
    old = t.aval.shape[-3:-1]
    size = [min(a, b) for a, b in zip(old, target, strict=True)]
    # As in TensorFlow, if an odd number is cut or added, the smaller half is at the top and at the left.
    cut = [max((a - b) // 2, 0) for a, b in zip(old, target, strict=True)]
    added = [max((b - a) // 2, 0) for a, b in zip(old, target, strict=True)]
    part = t if tuple(size) == old else _window(t, tuple(cut), tuple(size))
    return part if tuple(size) == target else _pad(part, tuple(added), target)


@public("image.central_crop")
def central_crop(image: Any, central_fraction: Any) -> Any:
    """The middle part of an image, or of each image of a batch.

    Args:
      image: a tensor of shape [(batch,) height, width, channels].
      central_fraction: the fraction of each side that is kept, above 0 and up to 1.

    Raises:
      ValueError: the fraction is out of range, or `image` does not have 3 or 4 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/central_crop

    >>> central_crop([[[1], [2], [3], [4]]], 0.5).numpy().ravel().tolist()
    [2, 3]
    """
    fraction = float(np.asarray(central_fraction))
    if not 0.0 < fraction <= 1.0:
        raise ValueError("central_fraction must be within (0, 1]")
    t = images_or_image(image)
    if fraction == 1.0:
        return t
    old = t.aval.shape[-3:-1]
    start = [int((n - n * fraction) / 2) for n in old]
    return _window(t, tuple(start), tuple(n - 2 * a for n, a in zip(old, start, strict=True)))
