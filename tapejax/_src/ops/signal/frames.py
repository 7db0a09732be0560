"""Cutting signals into overlapping frames, and adding frames up to a signal."""

import functools

import jax.numpy as jnp
import numpy as np

from tapejax._src.core.checks import invalid
from tapejax._src.ops.registry import Array, op

__all__ = ["frame", "overlap_and_add"]


@op("signal.frame")
def frame(signal: Array, frame_length, frame_step, pad_end=False, pad_value: Array = 0, axis=-1, name=None):
    """Cuts a signal into overlapping frames.

    Args:
      signal: a tensor.
      frame_length: the number of elements in each frame, an integer.
      frame_step: the distance between the beginnings of neighbouring frames.
      pad_end: whether frames that extend beyond the end are kept. They are filled up with `pad_value`.
      pad_value: a scalar.
      axis: the axis along which the signal is cut.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor that has two axes [frames, frame_length] in place of the axis.

    Raises:
      InvalidArgumentError: `frame_length` or `frame_step` is below 1, or `axis` is out of range.

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
    """Adds overlapping frames up to one signal.

    Args:
      signal: the frames, a tensor of shape [..., frames, frame_length].
      frame_step: the distance between the beginnings of neighbouring frames.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [..., (frames - 1) * frame_step + frame_length].

    Raises:
      InvalidArgumentError: `signal` has fewer than two axes, or `frame_step` is below 1.

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
    # Cut each frame into pieces as long as a step. Piece j of frame i is added to step i + j of the signal.
    none = [(0, 0)] * len(lead)
    cut = jnp.pad(signal, [*none, (0, 0), (0, pieces * step - length)]).reshape(*lead, count, pieces, step)
    moved = [jnp.pad(cut[..., j, :], [*none, (j, pieces - 1 - j), (0, 0)]) for j in range(pieces)]
    total = functools.reduce(jnp.add, moved)
    return total.reshape(*lead, -1)[..., : max((count - 1) * step + length, 0)]
