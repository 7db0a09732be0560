"""Boxes in images: `crop_and_resize`, `draw_bounding_boxes`, and random boxes."""

import math
import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import errors
from tapejax._src.core.checks import invalid, invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import from_value
from tapejax._src.engine import stream
from tapejax._src.engine.aval import scalar_kind
from tapejax._src.engine.op import Op, static
from tapejax._src.ops.random import draws as random
from tapejax._src.ops.random import philox
from tapejax._src.ops.registry import Array, Shape, op

__all__ = ["crop_and_resize", "draw_bounding_boxes", "sample_distorted_bounding_box",
           "stateless_sample_distorted_bounding_box"]  # fmt: skip


def _places(first: Any, last: Any, before: int, after: int) -> Any:
    """The positions [boxes, after] along an axis from which the pixels of the crops are read."""
    whole = jnp.float32(before - 1)
    if after == 1:
        return (0.5 * (first + last) * whole)[:, None]
    step = (last - first) * whole / jnp.float32(after - 1)
    return (first * whole)[:, None] + jnp.arange(after, dtype=jnp.float32) * step[:, None]


@op()
def _crop_and_resize(
    image: Array, boxes: Array, box_indices: Array, size: Shape = (), method="bilinear", extrapolation_value=0.0
):
    if image.ndim != 4:
        raise invalid(f"input image must be 4-D, got shape {image.shape}")
    if boxes.ndim != 2 or boxes.shape[1] != 4 or box_indices.shape != boxes.shape[:1]:
        raise invalid(f"boxes must be [n, 4] and box_index [n], got {boxes.shape} and {box_indices.shape}")
    rows = _places(boxes[:, 0], boxes[:, 2], image.shape[1], size[0])[:, :, None]
    columns = _places(boxes[:, 1], boxes[:, 3], image.shape[2], size[1])[:, None, :]
    inside = ((rows >= 0) & (rows <= image.shape[1] - 1) & (columns >= 0) & (columns <= image.shape[2] - 1))[..., None]
    pixels, which = image.astype(jnp.float32), box_indices[:, None, None]

    def at(row: Any, column: Any) -> Any:
        index = (which, row.astype(jnp.int32), column.astype(jnp.int32))
        return pixels.at[index].get(mode="clip")

    if method == "nearest":
        found = at(jnp.floor(rows + 0.5), jnp.floor(columns + 0.5))
    else:
        top, bottom, left, right = jnp.floor(rows), jnp.ceil(rows), jnp.floor(columns), jnp.ceil(columns)
        down, across = (rows - top)[..., None], (columns - left)[..., None]
        upper = at(top, left) + (at(top, right) - at(top, left)) * across
        lower = at(bottom, left) + (at(bottom, right) - at(bottom, left)) * across
        found = upper + (lower - upper) * down
    return jnp.where(inside, found, jnp.float32(extrapolation_value))


@public("image.crop_and_resize")
def crop_and_resize(
    image: Any,
    boxes: Any,
    box_indices: Any,
    crop_size: Any,
    method: str = "bilinear",
    extrapolation_value: float = 0.0,
    name: Any = None,
) -> Any:
    """Cuts parts out of images and resizes all of them to one size.

    Args:
      image: a tensor of shape [batch, height, width, channels].
      boxes: float32 of shape [n, 4]: the parts as ``y1, x1, y2, x2``. 0 and 1 are the centres of the first and last
        pixel.
      box_indices: int32 of shape [n]: the image from which each part is taken.
      crop_size: the height and width of the results, two integers, which are read.
      method: "bilinear" or "nearest".
      extrapolation_value: the value of pixels outside the image.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A float32 tensor of shape [n, *crop_size, channels]. It has gradients with respect to `image`, and for "bilinear"
      also with respect to `boxes`.

    Raises:
      InvalidArgumentError: the shapes do not fit, or `method` is unknown.
      OutOfRangeError: an index in `box_indices` whose value is on the host is out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/crop_and_resize

    >>> crop_and_resize([[[[0.0], [1.0], [2.0]]]], [[0.0, 0.0, 0.0, 0.5]], [0], [1, 3]).numpy().ravel().tolist()
    [0.0, 0.5, 1.0]
    """
    t, which, size = to_tensor(image), to_tensor(box_indices), tuple(int(n) for n in np.asarray(to_tensor(crop_size)))
    if method not in ("bilinear", "nearest"):
        raise invalid(
            f"Value for attr 'method' of \"{method}\" is not in the list of allowed values: bilinear, nearest"
        )
    if len(size) != 2 or min(size) <= 0:
        raise invalid_value(f"crop dimensions must be positive, got {list(size)}")
    if (
        isinstance(which._value, np.ndarray)
        and t.ndim == 4
        and which._value.size
        and not (0 <= which._value.min() and which._value.max() < t.aval.shape[0])
    ):
        raise errors.OutOfRangeError(message=f"box_index has values outside [0, batch_size) of {t.aval.shape[0]}")
    return _crop_and_resize(t, boxes, which, size=size, method=method, extrapolation_value=float(extrapolation_value))


_COLOURS = np.array([[1, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 1], [0.5, 0, 0.5, 1], [0.5, 0.5, 0, 1],
                     [0.5, 0, 0, 1], [0, 0, 0.5, 1], [0, 1, 1, 1], [1, 0, 1, 1]], np.float32)  # fmt: skip


@op("image.draw_bounding_boxes", differentiable=False)
def draw_bounding_boxes(images: Array, boxes: Array, colors: Array = None, name=None):
    """Draws boxes on images. Later boxes cover earlier ones.

    Args:
      images: float32 or float16 of shape [batch, height, width, channels], with 1, 3 or 4 channels.
      boxes: float32 of shape [batch, n, 4]: ``y_min, x_min, y_max, x_max``, between 0 and 1.
      colors: float32 of shape [m, channels]. The boxes take the colours in turn. None means ten colours of
        TensorFlow's.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the shapes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/draw_bounding_boxes

    >>> draw_bounding_boxes([[[[0.0]] * 3] * 3], [[[0.0, 0.0, 1.0, 1.0]]], [[7.0]]).numpy()[0, :, :, 0].tolist()
    [[7.0, 7.0, 7.0], [7.0, 0.0, 7.0], [7.0, 7.0, 7.0]]
    """
    if images.ndim != 4 or images.shape[3] not in (1, 3, 4):
        raise invalid(f"Channel depth should be either 1 (GRY), 3 (RGB), or 4 (RGBA), got shape {images.shape}")
    if boxes.ndim != 3 or boxes.shape[2] != 4 or boxes.shape[0] != images.shape[0]:
        raise invalid(f"boxes must be [{images.shape[0]}, n, 4], got {boxes.shape}")
    depth, count = images.shape[3], boxes.shape[1]
    own = np.ones((10, 1), np.float32) if depth == 1 else _COLOURS[:, :depth]
    table = jnp.asarray(own if colors is None or not colors.size else colors)
    scale = jnp.array([images.shape[1] - 1, images.shape[2] - 1] * 2, jnp.float32)
    corner = jnp.trunc(boxes.astype(jnp.float32) * scale).astype(jnp.int32)[:, :, None, None]  # [b, n, 1, 1, 4]
    row = jnp.arange(images.shape[1], dtype=jnp.int32)[:, None]
    column = jnp.arange(images.shape[2], dtype=jnp.int32)
    top, left, bottom, right = (corner[..., i] for i in range(4))
    on_edge = (row == top) | (row == bottom) | (column == left) | (column == right)
    covered = on_edge & (row >= top) & (row <= bottom) & (column >= left) & (column <= right)
    number = jnp.arange(1, count + 1, dtype=jnp.int32)[:, None, None]
    last = jnp.max(jnp.where(covered, number, 0), axis=1, initial=0)  # the last box that covers a pixel; 0 for none
    colour = table[(last - 1) % table.shape[0]][..., :depth].astype(images.dtype)
    return jnp.where(last[..., None] > 0, colour, images)


class _Words:
    """Random 32-bit words, which are used one after another as in TensorFlow's kernel."""

    def __init__(self, words: Iterator[int]):
        self.words = words

    def unit(self) -> np.float32:
        """A float32 in [0, 1)."""
        return np.float32((next(self.words) & 0x7FFFFF) * 2.0**-23)

    def below(self, n: int) -> int:
        """An integer in [0, n), without bias."""
        if n & (n - 1) == 0:
            return next(self.words) & (n - 1)
        rest = (2**32 - 1) % n + 1
        while (word := next(self.words)) < rest:
            pass
        return word % n


def _round(x: Any) -> int:
    return int(np.rint(np.float32(x)))


def _random_crop(
    width: int, height: int, areas: tuple[float, float], aspect: np.float32, words: _Words
) -> tuple[int, int, int, int] | None:
    """A random rectangle (x_min, y_min, x_max, y_max) of about the given aspect. None if its area is not allowed."""
    f32 = np.float32
    low, high = (f32(f32(a) * f32(width)) * f32(height) for a in areas)
    if areas[1] <= 0 or aspect <= 0 or width <= 0 or height <= 0 or areas[0] > areas[1]:
        return None
    tall, most = _round(np.sqrt(low / aspect)), _round(np.sqrt(high / aspect))
    if _round(f32(most) * aspect) > width:
        most = int((f32(width) + f32(0.5) - f32(1e-7)) / aspect)
        if _round(f32(most) * aspect) > width:
            most -= 1
    most = min(most, height)
    tall = min(tall, most)
    if tall < most:
        tall += words.below(most - tall + 1)
    wide = _round(f32(tall) * aspect)
    if wide * tall < low:
        tall += 1
        wide = _round(f32(tall) * aspect)
    if wide * tall > high:
        tall -= 1
        wide = _round(f32(tall) * aspect)
    if not low <= wide * tall <= high or not 0 < wide <= width or not 0 < tall <= height:
        return None
    y = words.below(height - tall) if tall < height else 0
    x = words.below(width - wide) if wide < width else 0
    return x, y, x + wide, y + tall


def _covers(crop: tuple, least: float, objects: list[tuple]) -> bool:
    """Whether a crop contains at least the fraction `least` of one of the objects."""
    for box in objects:
        area = np.float32((box[2] - box[0]) * (box[3] - box[1]))
        sides = (min(crop[i + 2], box[i + 2]) - max(crop[i], box[i]) for i in (0, 1))
        shared = math.prod(max(s, 0) for s in sides)
        if area > 0 and np.float32(shared) / area >= np.float32(least):
            return True
    return False


class SampleDistortedBoundingBox(NamedTuple):
    """A random part of an image.

    Attributes:
      begin: int32 of shape [3], the argument `begin` of `tf.slice`.
      size: int32 of shape [3], the argument `size` of `tf.slice`.
      bboxes: float32 of shape [1, 1, 4], the box that `draw_bounding_boxes` draws.
    """

    begin: Any
    size: Any
    bboxes: Any


_stateful_words = Op(
    "SampleDistortedBoundingBox",
    lambda first, second, skip, *, count: philox.uniform_bits(philox.stateful_stream(first, second, skip), count),
    differentiable=False,
)
_stateless_words = Op(
    "StatelessSampleDistortedBoundingBox",
    lambda seed, *, count: philox.uniform_bits(philox.stateless_stream(seed), count),
    differentiable=False,
)


def _sample(
    image_size: Any, bounding_boxes: Any, draw: Any, least: Any, aspects: Any, areas: Any, tries: Any, whole: Any
) -> SampleDistortedBoundingBox:
    size, boxes = np.asarray(to_tensor(image_size)), np.asarray(to_tensor(bounding_boxes), np.float32)
    aspects, areas = tuple(aspects or (0.75, 1.33)), tuple(areas or (0.05, 1.0))
    tries = 100 if tries is None else int(tries)
    if size.shape != (3,):
        raise invalid_value(f"image_size must contain 3 elements, got shape {list(size.shape)}")
    if boxes.ndim != 3 or boxes.shape[2] != 4:
        raise invalid_value(f"input boxes must be [batch, n, 4], got {list(boxes.shape)}")
    if (boxes < 0).any() or (boxes > 1).any():
        raise invalid_value("All bounding box coordinates must be in [0.0, 1.0]")
    if not 0 <= float(least) <= 1:
        raise invalid_value(f"min_object_covered must be in [0, 1], got {least}")
    height, width = int(size[0]), int(size[1])
    scale = np.array([width, height, width, height], np.float32)
    objects = [tuple(int(v) for v in box[[1, 0, 3, 2]] * scale) for box in boxes.reshape(-1, 4)]
    if not objects and not whole:
        raise invalid_value(
            "No bounding boxes provided as input. One must enable use_image_if_no_bounding_boxes if "
            "you wish to not provide any bounding boxes."
        )
    objects = objects or [(0, 0, width, height)]
    crop = (0, 0, width, height)
    # An attempt usually takes four random words. Integers without bias may take more.
    words = _Words(iter(np.asarray(draw(tries * 8 + 64)).tolist()))
    for _ in range(tries):
        aspect = words.unit() * (np.float32(aspects[1]) - np.float32(aspects[0])) + np.float32(aspects[0])
        found = _random_crop(width, height, areas, aspect, words)
        if found is not None and _covers(found, float(least), objects):
            crop = found
            break
    x0, y0, x1, y1 = crop
    box = np.array([y0 / height, x0 / width, y1 / height, x1 / width], np.float32) if height and width else np.zeros(4)
    dtype = size.dtype
    return SampleDistortedBoundingBox(
        from_value(np.array([y0, x0, 0], dtype)),
        from_value(np.array([y1 - y0, x1 - x0, -1], dtype)),
        from_value(box.astype(np.float32).reshape(1, 1, 4)),
    )


@public("image.sample_distorted_bounding_box")
def sample_distorted_bounding_box(
    image_size: Any,
    bounding_boxes: Any,
    seed: Any = 0,
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = None,
    area_range: Any = None,
    max_attempts: Any = None,
    use_image_if_no_bounding_boxes: Any = None,
    name: Any = None,
) -> SampleDistortedBoundingBox:
    """Chooses a random part of an image that shows enough of one of the objects in it. It is used to train classifiers.

    Args:
      image_size: height, width and channels: three integers, which are read.
      bounding_boxes: float32 of shape [batch, n, 4]: the objects as ``y_min, x_min, y_max, x_max``, between 0 and 1.
      seed: an integer, the op's own seed; see `tf.random.set_seed`. 0 means unpredictable parts.
      min_object_covered: the least fraction of an object that the part must contain.
      aspect_ratio_range: the lowest and highest ratio of width to height; 0.75 and 1.33 by default.
      area_range: the lowest and highest fraction of the image; 0.05 and 1 by default.
      max_attempts: after this many attempts the whole image is returned; 100 by default.
      use_image_if_no_bounding_boxes: whether the whole image counts as the object if there are no boxes.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The named tuple (begin, size, bboxes): two arguments of `tf.slice`, and the box for `draw_bounding_boxes`.

    Raises:
      InvalidArgumentError: the boxes do not fit, or there are none.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/sample_distorted_bounding_box

    >>> sample_distorted_bounding_box([20, 30, 3], [[[0.1, 0.2, 0.8, 0.9]]]).bboxes.shape
    TensorShape([1, 1, 4])
    """
    tries = 100 if max_attempts is None else int(max_attempts)

    def draw(count: int) -> Any:
        i64 = scalar_kind(np.dtype(np.int64))
        seeds = (
            random.seed_inputs("SampleDistortedBoundingBox", "", seed, tries)
            if seed
            else tuple((secrets.randbits(63), i64) for _ in range(2)) + ((0, i64),)
        )
        return stream.record(_stateful_words, static(count=count), seeds)

    return _sample(
        image_size,
        bounding_boxes,
        draw,
        min_object_covered,
        aspect_ratio_range,
        area_range,
        max_attempts,
        use_image_if_no_bounding_boxes,
    )


@public("image.stateless_sample_distorted_bounding_box")
def stateless_sample_distorted_bounding_box(
    image_size: Any,
    bounding_boxes: Any,
    seed: Any,
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = None,
    area_range: Any = None,
    max_attempts: Any = None,
    use_image_if_no_bounding_boxes: Any = None,
    name: Any = None,
) -> SampleDistortedBoundingBox:
    """Chooses a random part of an image, which depends on nothing but the arguments. `seed` consists of two integers.

    Takes the other arguments of `sample_distorted_bounding_box` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/stateless_sample_distorted_bounding_box

    >>> stateless_sample_distorted_bounding_box([20, 30, 3], [[[0.1, 0.2, 0.8, 0.9]]], [1, 2])[0].numpy().tolist()
    [3, 12, 0]
    """
    return _sample(
        image_size,
        bounding_boxes,
        lambda count: stream.record(_stateless_words, static(count=count), (random.seed_tensor(seed),)),
        min_object_covered,
        aspect_ratio_range,
        area_range,
        max_attempts,
        use_image_if_no_bounding_boxes,
    )
