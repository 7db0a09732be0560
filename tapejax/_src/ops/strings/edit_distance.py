"""The edit distance of sequences, computed on the host."""

from typing import Any

import numpy as np

from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream

__all__ = ["edit_distance"]


def _sequences(value: Any, what: str) -> tuple[dict[tuple, list], list[int], np.dtype]:
    if not hasattr(value, "dense_shape"):
        raise TypeError(f"{what} must be a SparseTensor.")
    places, values, shape = (stream.host(to_tensor(v)) for v in (value.indices, value.values, value.dense_shape))
    found: dict[tuple, list] = {}
    for place, v in zip(map(tuple, places[:, :-1].tolist()), values.tolist(), strict=True):
        found.setdefault(place, []).append(v)
    return found, shape.tolist()[:-1], values.dtype


def _distance(first: list, second: list) -> int:
    """Levenshtein's distance of two lists. It computes one row of the table of distances after the other."""
    other = np.array(second, object)
    row = np.arange(len(second) + 1)
    for i, label in enumerate(first, 1):
        new = np.minimum(row[1:] + 1, row[:-1] + (other != label))
        # An insertion costs 1 more than the entry to the left. After subtracting the position from each entry, this is
        # a running minimum.
        steps = np.arange(len(second) + 1)
        row = np.minimum.accumulate(np.concatenate([[i], new]) - steps) + steps
    return int(row[-1])


@public("edit_distance")
def edit_distance(hypothesis: Any, truth: Any, normalize: bool = True, name: str = "edit_distance") -> Tensor:
    """The least number of insertions, deletions and substitutions that turn one sequence into another.

    Args:
      hypothesis: a `tf.SparseTensor`, whose last axis holds the sequences.
      truth: a `tf.SparseTensor` of the same rank and dtype.
      normalize: whether the number is divided by the length of the true sequence. It is infinite if that is empty and
        the other is not.
      name: has no effect, as in eager TensorFlow.

    Returns:
      float32 numbers, of the shape without the last axis. They have no gradient.

    Raises:
      TypeError: an argument is not a SparseTensor.
      InvalidArgumentError: the dtypes or ranks differ.

    Source: https://www.tensorflow.org/api_docs/python/tf/edit_distance

    >>> import tapejax as tf
    >>> edit_distance(tf.sparse.from_dense([[1, 2, 3]]), tf.sparse.from_dense([[1, 3, 3, 4]])).numpy().tolist()
    [0.5]
    """
    (mine, shape, dtype), (theirs, other, wanted) = _sequences(hypothesis, "Hypothesis"), _sequences(truth, "Truth")
    if dtype != wanted:
        raise invalid(f"truth was expected to be a {dtype} tensor but is a {wanted} tensor")
    if len(shape) != len(other):
        raise invalid(f"hypothesis_shape and truth_shape must have the same rank, got {len(shape)} and {len(other)}")
    out = np.zeros(np.maximum(shape, other), np.float32)
    for place in np.ndindex(out.shape):
        first, second = mine.get(place, []), theirs.get(place, [])
        far = _distance(first, second)
        out[place] = far if not normalize else far / len(second) if second else np.inf if first else 0
    return from_value(out)
