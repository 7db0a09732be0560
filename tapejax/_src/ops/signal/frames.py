"""Signals cut in overlapping frames and put together again."""

import functools

import jax.numpy as jnp
import numpy as np

from tapejax._src.core.checks import invalid
from tapejax._src.ops.registry import Array, op

__all__ = ["frame", "overlap_and_add"]


@op("signal.frame")
def frame(signal: Array, frame_length, frame_step, pad_end=False, pad_value: Array = 0, axis=-1, name=None):
    """Overlapping pieces of a signal: the axis becomes two, [frames, frame_length].

    Args:
      signal: tensor.
      frame_length: integer.
      frame_step: how far each frame begins after the one before.
      pad_end: whether frames that reach over the end are kept, filled up with `pad_value`.
      pad_value: scalar.
      axis: which.
      name: of no effect.

    Raises:
      InvalidArgumentError: a length or step below 1, or no such axis.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/frame

    >>> frame([1, 2, 3, 4, 5], 3, 2).numpy().tolist()
    [[1, 2, 3], [3, 4, 5]]
    """
    length, step = int(frame_length), int(frame_step)
    if length < 1 or step < 1:
        raise invalid(f"frame_length and frame_step must be positive, got {length} and {step}")
    if not -signal.ndim <= axis < signal.ndim:
        raise invalid(f"axis {axis} is out of range for a signal of shape {signal.shape}")
    axis %= signal.ndim
    n = signal.shape[axis]
    count = -(-n // step) if pad_end else max(0, 1 + (n - length) // step)
    missing = (count - 1) * step + length - n
    if pad_end and missing > 0:
        sides = [(0, missing if i == axis else 0) for i in range(signal.ndim)]
        signal = jnp.pad(signal, sides, constant_values=pad_value.astype(signal.dtype))
    index = np.arange(count)[:, None] * step + np.arange(length)
    return jnp.take(signal, index.astype(np.int32), axis, mode="clip")


@op("signal.overlap_and_add")
def overlap_and_add(signal: Array, frame_step, name=None):
    """Frames [..., frames, frame_length], each ``frame_step`` after the one before, added to one signal.

    Raises:
      InvalidArgumentError: fewer than 2 axes, or a step below 1.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/overlap_and_add

    >>> overlap_and_add([[1, 2, 3], [10, 20, 30]], 2).numpy().tolist()
    [1, 2, 13, 20, 30]
    """
    step = int(frame_step)
    if signal.ndim < 2 or step < 1:
        raise invalid(
            f"signal must have 2 axes at least and frame_step be positive, got shape {signal.shape} and {step}"
        )
    *lead, count, length = signal.shape
    pieces = -(-length // step)
    # Each frame in pieces of one step: piece j of frame i falls on step i + j.
    none = [(0, 0)] * len(lead)
    cut = jnp.pad(signal, [*none, (0, 0), (0, pieces * step - length)]).reshape(*lead, count, pieces, step)
    moved = [jnp.pad(cut[..., j, :], [*none, (j, pieces - 1 - j), (0, 0)]) for j in range(pieces)]
    total = functools.reduce(jnp.add, moved)
    return total.reshape(*lead, -1)[..., : max((count - 1) * step + length, 0)]
