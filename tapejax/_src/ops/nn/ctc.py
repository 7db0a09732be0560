"""Connectionist temporal classification: the loss of label sequences that no alignment to the input is known of."""

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

_LOG_0 = -1e30  # finite, so that differences of two are no nan


@op()
def ctc_of_dense(labels: Array, logits: Array, label_length: Array, logit_length: Array, time_major, blank):
    """The loss of dense labels [batch, longest], each as long as `label_length` says."""
    need("f", logits)
    dtype = logits.dtype
    logs = jax.nn.log_softmax(logits.astype(np.float32) if dtype.itemsize < 4 else logits)
    logs = logs if time_major else jnp.swapaxes(logs, 0, 1)
    steps, batch, classes = logs.shape
    if labels.shape[0] != batch:
        raise invalid(f"labels are of {labels.shape[0]} examples, logits of {batch} [Op:ctc_loss]")
    blank %= classes
    # The path visits blank, first label, blank, second label, ..., blank.
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
      labels: integers [batch, longest]; no sparse tensors.
      logits: floating [time, batch, classes], or [batch, time, classes].
      label_length: integers [batch].
      logit_length: integers [batch].
      logits_time_major: which of the two layouts `logits` has.
      unique: what `tf.nn.ctc_unique_labels` gives for `labels`, or None: the result is the same.
      blank_index: the class that stands for no label, 0 by default; negative ones count from the end.
      name: of no effect.

    Returns:
      [batch], of the dtype of `logits`. A sequence that no alignment gives costs 1e30 (in TensorFlow about 707).

    Raises:
      InvalidArgumentError: batches that differ. NotImplementedError: sparse labels.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/ctc_loss (Graves et al. 2006)

    >>> import tapejax as tf
    >>> ctc_loss([[1, 2]], tf.ones([4, 1, 3]), [2], [4]).numpy().round(3).tolist()
    [1.6859999895095825]
    """
    if hasattr(labels, "indices"):
        raise NotImplementedError("`labels` as a SparseTensor are not supported: pass dense ones and `label_length`")
    if unique is not None:
        labels = gather(unique[0], unique[1], batch_dims=1)
    blank = 0 if blank_index is None else blank_index
    if not isinstance(blank, int):
        raise final(TypeError(f"`blank_index` must be an int. Received: {blank_index}"))
    return ctc_of_dense(labels, logits, label_length, logit_length, bool(logits_time_major), blank)
