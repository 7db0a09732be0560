"""Non-maximum suppression: the choice of boxes to keep among many that overlap.

The number of boxes depends on the values, so it is computed on the host.
"""

import heapq
from typing import Any, NamedTuple

import numpy as np

from tapejax._src.core.checks import invalid, invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import from_value

__all__ = ["combined_non_max_suppression", "non_max_suppression", "non_max_suppression_overlaps",
           "non_max_suppression_padded", "non_max_suppression_with_scores"]  # fmt: skip

_LOWEST = float("-inf")


class CombinedNonMaxSuppression(NamedTuple):
    """The result of `combined_non_max_suppression`, which describes it."""

    nmsed_boxes: Any
    nmsed_scores: Any
    nmsed_classes: Any
    valid_detections: Any


def _overlaps(boxes: np.ndarray, one: np.ndarray) -> np.ndarray:
    """The overlap (intersection over union) of each box with the box `one`. It is 0 for empty boxes."""
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    one_low, one_high = np.minimum(one[:2], one[2:]), np.maximum(one[:2], one[2:])
    area, one_area = (high - low).prod(axis=1), (one_high - one_low).prod()
    shared = np.clip(np.minimum(high, one_high) - np.maximum(low, one_low), 0, None).prod(axis=1)
    whole = area + one_area - shared
    good = (area > 0) & (one_area > 0)
    return np.where(good, shared / np.where(good, whole, 1), 0).astype(boxes.dtype)


def _order(scores: np.ndarray, score_threshold: float) -> np.ndarray:
    """The positions of the scores above a threshold, the highest first. Equal scores keep their order."""
    found = np.flatnonzero(scores > score_threshold)
    return found[np.argsort(-scores[found], kind="stable")]


def _select(boxes: np.ndarray, scores: np.ndarray, count: int, iou: float, score: float) -> np.ndarray:
    left, kept = _order(scores, score), []
    while left.size and len(kept) < count:
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[_overlaps(boxes[left], boxes[best]) <= iou]
    return np.array(kept, np.int32)


def _select_soft(
    boxes: np.ndarray, scores: np.ndarray, count: int, iou: float, score: float, sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Chooses boxes by soft suppression: a box that overlaps chosen ones loses score instead of being dropped."""
    queue = [(-scores[i], int(i), 0) for i in np.flatnonzero(scores > score)]
    heapq.heapify(queue)
    kept: list[int] = []
    values: list[Any] = []
    while queue and len(kept) < count:
        negative, i, seen = heapq.heappop(queue)
        value, dropped = -negative, False
        for j in reversed(kept[seen:]):
            overlap = _overlaps(boxes[[i]], boxes[j])[0]
            value = value * np.exp(-0.5 / sigma * overlap * overlap, dtype=scores.dtype) if overlap <= iou else 0.0
            if value <= score:
                dropped = True
                break
        if not dropped:
            if value == -negative:
                kept.append(i)
                values.append(value)
            else:
                heapq.heappush(queue, (-value, i, len(kept)))
    return np.array(kept, np.int32), np.array(values, scores.dtype)


def _checked(boxes: Any, scores: Any, iou: Any, axes: tuple[int, int] = (2, 1)) -> tuple[np.ndarray, np.ndarray]:
    b, s = np.asarray(to_tensor(boxes)), np.asarray(to_tensor(scores))
    if b.ndim != axes[0]:
        raise invalid(f"boxes must be {axes[0]}-D, got shape {list(b.shape)}")
    if b.shape[-1] != 4:
        raise invalid("boxes must have 4 columns")
    if s.ndim != axes[1] or s.shape[-1 if axes[1] == 1 else 1] != b.shape[axes[0] - 2 if axes[0] == 2 else 1]:
        raise invalid(f"scores has incompatible shape {list(s.shape)} for boxes {list(b.shape)}")
    _check_iou(iou)
    return b, s


def _check_iou(iou: Any) -> None:
    if not 0 <= float(iou) <= 1:
        raise invalid_value(f"iou_threshold must be in [0, 1], got {float(iou)}")


@public("image.non_max_suppression")
def non_max_suppression(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = _LOWEST,
    name: Any = None,
) -> Any:
    """The positions of the boxes to keep, the best first. Of two boxes that overlap too much, the better one is kept.

    Args:
      boxes: floating numbers of shape [n, 4]: two opposite corners, ``y1, x1, y2, x2``.
      scores: floating numbers of shape [n].
      max_output_size: the largest number of boxes to keep.
      iou_threshold: the largest allowed overlap (intersection over union).
      score_threshold: boxes with this score or less are dropped.
      name: has no effect, as in eager TensorFlow.

    Returns:
      int32 positions of shape [m].

    Raises:
      InvalidArgumentError: the shapes do not fit, or `iou_threshold` is not in [0, 1].

    Source: https://www.tensorflow.org/api_docs/python/tf/image/non_max_suppression

    >>> non_max_suppression([[0.0, 0, 1, 1], [0, 0, 1, 0.9], [2, 2, 3, 3]], [0.5, 0.9, 0.1], 3).numpy().tolist()
    [1, 2]
    """
    b, s = _checked(boxes, scores, iou_threshold)
    return from_value(_select(b, s, int(max_output_size), float(iou_threshold), float(score_threshold)))


@public("image.non_max_suppression_with_scores")
def non_max_suppression_with_scores(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = _LOWEST,
    soft_nms_sigma: Any = 0.0,
    name: Any = None,
) -> tuple[Any, Any]:
    """The positions of the boxes to keep, and their scores. Optionally by soft suppression (Bodla et al. 2017).

    In soft suppression, a box that overlaps better ones loses score instead of being dropped.

    Args:
      boxes: floating numbers of shape [n, 4]: two opposite corners, ``y1, x1, y2, x2``.
      scores: floating numbers of shape [n].
      max_output_size: the largest number of boxes to keep.
      iou_threshold: the largest allowed overlap (intersection over union).
      score_threshold: boxes with this score or less are dropped.
      soft_nms_sigma: the larger it is, the less score is lost. 0 turns soft suppression off.
      name: has no effect, as in eager TensorFlow.

    Returns:
      int32 positions of shape [m], and the scores of these boxes.

    Raises:
      InvalidArgumentError: the shapes do not fit, or a threshold or `soft_nms_sigma` is out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/non_max_suppression_with_scores

    >>> boxes = [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.9]]
    >>> kept, scores = non_max_suppression_with_scores(boxes, [0.5, 0.9], 2)
    >>> kept.numpy().tolist(), scores.numpy().tolist()
    ([1], [0.8999999761581421])
    """
    b, s = _checked(boxes, scores, iou_threshold)
    count, iou, score, sigma = int(max_output_size), float(iou_threshold), float(score_threshold), float(soft_nms_sigma)
    if sigma < 0:
        raise invalid_value(f"soft_nms_sigma must be >= 0.0, got {sigma}")
    if sigma:
        kept, values = _select_soft(b, s, count, iou, score, sigma)
    else:
        kept = _select(b, s, count, iou, score)
        values = s[kept]
    return from_value(kept), from_value(values)


@public("image.non_max_suppression_overlaps")
def non_max_suppression_overlaps(
    overlaps: Any,
    scores: Any,
    max_output_size: Any,
    overlap_threshold: Any = 0.5,
    score_threshold: Any = _LOWEST,
    name: Any = None,
) -> Any:
    """The positions of the boxes to keep, given the overlaps of all pairs of boxes.

    Args:
      overlaps: numbers of shape [n, n].
      scores: floating numbers of shape [n].
      max_output_size: the largest number of boxes to keep.
      overlap_threshold: the largest allowed overlap.
      score_threshold: boxes with this score or less are dropped.
      name: has no effect, as in eager TensorFlow.

    Returns:
      int32 positions of shape [m].

    Raises:
      InvalidArgumentError: the shapes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/non_max_suppression_overlaps

    >>> non_max_suppression_overlaps([[1.0, 0.9], [0.9, 1.0]], [0.1, 0.2], 2).numpy().tolist()
    [1]
    """
    matrix, s = np.asarray(to_tensor(overlaps)), np.asarray(to_tensor(scores))
    if matrix.ndim != 2 or matrix.shape != (s.size, s.size):
        raise invalid_value(
            f"overlaps must be square and fit scores, got shapes {list(matrix.shape)} and {list(s.shape)}"
        )
    left, kept = _order(s, float(score_threshold)), []
    while left.size and len(kept) < int(max_output_size):
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[matrix[left, best] <= float(overlap_threshold)]
    return from_value(np.array(kept, np.int32))


@public("image.non_max_suppression_padded")
def non_max_suppression_padded(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = _LOWEST,
    pad_to_max_output_size: bool = False,
    name: Any = None,
    sorted_input: bool = False,
    canonicalized_coordinates: bool = False,
    tile_size: int = 512,
) -> tuple[Any, Any]:
    """`non_max_suppression` for a batch, with the same number of positions for each image.

    Args:
      boxes: floating numbers of shape [..., n, 4]: two opposite corners, ``y1, x1, y2, x2``.
      scores: floating numbers of shape [..., n].
      max_output_size: the largest number of boxes to keep.
      iou_threshold: the largest allowed overlap (intersection over union).
      score_threshold: boxes with this score or less are dropped.
      pad_to_max_output_size: whether results are filled up with zeros to `max_output_size`. A batch needs it.
      name: has no effect, as in eager TensorFlow.
      sorted_input: whether the scores are in descending order. It does not change the result.
      canonicalized_coordinates: whether the first corner is the upper left one. It does not change the result.
      tile_size: has no effect. In TensorFlow it is the size of the tiles that are processed at once.

    Returns:
      int32 positions of shape [..., max_output_size], and how many of them are valid, int32 of shape [...].

    Raises:
      ValueError: the input is a batch and `pad_to_max_output_size` is False.
      InvalidArgumentError: the shapes do not fit, or `iou_threshold` is not in [0, 1].

    Source: https://www.tensorflow.org/api_docs/python/tf/image/non_max_suppression_padded

    >>> boxes = [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.9]]
    >>> kept, count = non_max_suppression_padded(boxes, [0.5, 0.9], 2, pad_to_max_output_size=True)
    >>> kept.numpy().tolist(), int(count)
    ([1, 0], 1)
    """
    b, s = np.asarray(to_tensor(boxes)), np.asarray(to_tensor(scores))
    lead = b.shape[:-2]
    if lead and not pad_to_max_output_size:
        raise ValueError(f"'pad_to_max_output_size' must be True for batched input, got boxes of shape {list(b.shape)}")
    _check_iou(iou_threshold)
    count = int(max_output_size)
    rows = [
        _select(*_checked(one, own, iou_threshold), count, float(iou_threshold), float(score_threshold))
        for one, own in zip(b.reshape(-1, *b.shape[-2:]), s.reshape(-1, s.shape[-1]), strict=True)
    ]
    valid = np.array([len(r) for r in rows], np.int32).reshape(lead)
    if not pad_to_max_output_size:
        return from_value(rows[0]), from_value(valid)
    padded = np.stack([np.pad(r, (0, count - len(r))) for r in rows]) if rows else np.empty((0, count), np.int32)
    return from_value(padded.reshape(*lead, count)), from_value(valid)


@public("image.combined_non_max_suppression")
def combined_non_max_suppression(
    boxes: Any,
    scores: Any,
    max_output_size_per_class: Any,
    max_total_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = _LOWEST,
    pad_per_class: bool = False,
    clip_boxes: bool = True,
    name: Any = None,
) -> CombinedNonMaxSuppression:
    """`non_max_suppression` for each class of each image, followed by a choice of the best boxes of all classes.

    Args:
      boxes: float32 of shape [batch, n, classes, 4], or [batch, n, 1, 4] for boxes that all classes share.
      scores: float32 of shape [batch, n, classes].
      max_output_size_per_class: the largest number of boxes to keep for a class.
      max_total_size: the largest number of boxes to keep for an image.
      iou_threshold: the largest allowed overlap (intersection over union).
      score_threshold: boxes with this score or less are dropped.
      pad_per_class: whether results have the length ``max_output_size_per_class * classes`` if that is less than
        `max_total_size`.
      clip_boxes: whether the resulting boxes are clipped to [0, 1].
      name: has no effect, as in eager TensorFlow.

    Returns:
      A named tuple of boxes [batch, m, 4], scores [batch, m], classes as floats [batch, m], all filled up with zeros,
      and the number of valid boxes, int32 [batch].

    Raises:
      InvalidArgumentError: the shapes do not fit, or `iou_threshold` is not in [0, 1].

    Source: https://www.tensorflow.org/api_docs/python/tf/image/combined_non_max_suppression

    >>> boxes = [[[[0.0, 0.0, 1.0, 1.0]], [[0.0, 0.0, 1.0, 0.9]]]]
    >>> found = combined_non_max_suppression(boxes, [[[0.5], [0.9]]], 2, 2)
    >>> found.nmsed_scores.numpy().tolist(), found.valid_detections.numpy().tolist()
    ([[0.8999999761581421, 0.0]], [1])
    """
    b, s = _checked(boxes, scores, iou_threshold, (4, 3))
    classes, per_class, total = s.shape[2], int(max_output_size_per_class), int(max_total_size)
    if b.shape[2] not in (1, classes):
        raise invalid_value(f"third dimension of boxes must be either 1 or num classes {classes}, got {b.shape[2]}")
    if total <= 0:
        raise invalid_value("max_total_size must be > 0")
    size = min(total, per_class * classes) if pad_per_class else total
    out_boxes, out_scores = np.zeros((len(b), size, 4), np.float32), np.zeros((len(b), size), np.float32)
    out_classes, valid = np.zeros((len(b), size), np.float32), np.zeros(len(b), np.int32)
    for i, (own, values) in enumerate(zip(b, s, strict=True)):
        found = []
        for c in range(classes):
            of_class = own[:, c if own.shape[1] > 1 else 0]
            kept = _select(of_class, values[:, c], per_class, float(iou_threshold), float(score_threshold))
            found += [(values[k, c], c, of_class[k]) for k in kept]
        found.sort(key=lambda f: -f[0])
        valid[i] = min(len(found), size)
        for j, (value, c, box) in enumerate(found[:size]):
            out_scores[i, j], out_classes[i, j] = value, c
            out_boxes[i, j] = np.clip(box, 0, 1) if clip_boxes else box
    return CombinedNonMaxSuppression(*map(from_value, (out_boxes, out_scores, out_classes, valid)))
