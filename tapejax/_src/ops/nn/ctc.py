"""Connectionist temporal classification (CTC): a loss for label sequences whose alignment to the input is unknown."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core.checks import final, invalid, need
from tapejax._src.core.public import public
from tapejax._src.ops.array.gathering import gather
from tapejax._src.ops.registry import Array, op

__all__ = ["ctc_loss", "ctc_of_dense"]

_LOG_0 = -1e30  # the logarithm of 0. It is finite, so that the difference of two of them is not nan


@op()
def ctc_of_dense(labels: Array, logits: Array, label_length: Array, logit_length: Array, time_major, blank):
    """The CTC loss of dense labels.

    Args:
      labels: integers of shape [batch, longest].
      logits: floating numbers of shape [time, batch, classes], or [batch, time, classes] unless `time_major`.
      label_length: integers of shape [batch]: how many labels of each row count.
      logit_length: integers of shape [batch]: how many time steps count.
      time_major: which layout `logits` has.
      blank: the class that stands for no label.

    Returns:
      A tensor of shape [batch].
    """
    need("f", logits)
    dtype = logits.dtype
    logs = jax.nn.log_softmax(logits.astype(np.float32) if dtype.itemsize < 4 else logits)
    logs = logs if time_major else jnp.swapaxes(logs, 0, 1)
    steps, batch, classes = logs.shape
    if labels.shape[0] != batch:
        raise invalid(f"labels are of {labels.shape[0]} examples, logits of {batch} [Op:ctc_loss]")
    blank %= classes
    # An alignment passes through these states in order: blank, first label, blank, second label, ..., blank. It may
    # skip a blank between two different labels.
    states = jnp.full((batch, 2 * labels.shape[1] + 1), blank, np.int32).at[:, 1::2].set(labels.astype(np.int32))
    before = jnp.pad(states, ((0, 0), (2, 0)), constant_values=blank)[:, :-2]
    may_skip = (states != blank) & (states != before)
    emitted = jnp.take_along_axis(logs, jnp.broadcast_to(states, (steps, *states.shape)), 2, mode="clip")
    lowest = jnp.asarray(_LOG_0, logs.dtype)
    first = jnp.where(jnp.arange(states.shape[1]) < 2, 0, lowest).astype(logs.dtype)

    def later(x: Any, by: int) -> Any:
        return jnp.pad(x, ((0, 0), (by, 0)), constant_values=lowest)[:, : x.shape[1]]

    def step(reached: Any, now: Any) -> tuple[Any, None]:
        t, emission = now
        arrived = jnp.logaddexp(reached, later(reached, 1))
        arrived = jnp.logaddexp(arrived, jnp.where(may_skip, later(reached, 2), lowest))
        arrived = jnp.where(t == 0, first, arrived) + emission
        return jnp.where((t < logit_length)[:, None], arrived, reached), None

    start = jnp.broadcast_to(first, states.shape)
    reached, _ = lax.scan(step, start, (jnp.arange(steps, dtype=np.int32), emitted))
    end = 2 * label_length.astype(np.int32)[:, None]
    last = jnp.take_along_axis(reached, end, 1)[:, 0]
    other = jnp.take_along_axis(reached, jnp.maximum(end - 1, 0), 1)[:, 0]
    total = jnp.where(label_length > 0, jnp.logaddexp(last, other), last)
    return -total.astype(dtype)


@public("nn.ctc_loss")
def ctc_loss(
    labels, logits, label_length, logit_length, logits_time_major=True, unique=None, blank_index=None, name=None
):
    """The negative log-probability of label sequences, summed over all their alignments to the logits.

    Args:
      labels: integers of shape [batch, longest]. Sparse tensors are not supported.
      logits: floating numbers of shape [time, batch, classes], or [batch, time, classes].
      label_length: integers of shape [batch]: how many labels of each row count.
      logit_length: integers of shape [batch]: how many time steps count.
      logits_time_major: whether `logits` has the first of the two layouts.
      unique: the result of `tf.nn.ctc_unique_labels` for `labels`, or None. It does not change the result.
      blank_index: the class that stands for no label, 0 by default. Negative numbers count from the end.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [batch] and the dtype of `logits`. A sequence without any alignment costs 1e30; in TensorFlow it
      costs about 707.

    Raises:
      InvalidArgumentError: the batches differ in size.
      NotImplementedError: `labels` is a SparseTensor.
      TypeError: `blank_index` is not an int.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/ctc_loss (Graves et al. 2006)

    >>> import tapejax as tf
    >>> ctc_loss([[1, 2]], tf.ones([4, 1, 3]), [2], [4]).numpy().round(3).tolist()
    [1.6859999895095825]
    """
    if hasattr(labels, "indices"):
        raise NotImplementedError("`labels` must be dense, got a SparseTensor: pass dense labels and `label_length`")
    if unique is not None:
        labels = gather(unique[0], unique[1], batch_dims=1)
    blank = 0 if blank_index is None else blank_index
    if not isinstance(blank, int):
        raise final(TypeError(f"`blank_index` must be an int. Received: {blank_index}"))
    return ctc_of_dense(labels, logits, label_length, logit_length, bool(logits_time_major), blank)
