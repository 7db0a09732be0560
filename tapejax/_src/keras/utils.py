"""`tf.keras.utils`: setting all random seeds, and one-hot labels."""

import random as python_random
from typing import Any

import numpy as np

from tapejax._src.ops.random import draws as random

__all__ = ["set_random_seed", "to_categorical"]


def set_random_seed(seed: int) -> None:
    """Seeds the random numbers of Python, NumPy and TensorFlow, so that a program gives the same numbers again.

    Args:
      seed: an integer.

    Raises:
      ValueError: `seed` is not an integer.

    Source: https://keras.io/api/utils/python_utils/#set_random_seed-function

    >>> set_random_seed(1)
    """
    if not isinstance(seed, int):
        raise ValueError(f"Expected `seed` argument to be an integer. Received: seed={seed} (of type {type(seed)})")
    python_random.seed(seed)
    np.random.seed(seed)
    random.set_seed(seed)


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Turns class numbers into one-hot rows.

    Args:
      x: integers of any shape. A last axis of size 1 is dropped.
      num_classes: the length of a row, by default the largest class number plus one.

    Returns:
      A float64 array of shape ``x.shape + (num_classes,)``.

    Source: https://keras.io/api/utils/python_utils/#to_categorical-function

    >>> to_categorical([0, 2]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    labels = np.array(x, dtype="int64")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    return np.eye(num_classes or int(labels.max()) + 1)[labels]
