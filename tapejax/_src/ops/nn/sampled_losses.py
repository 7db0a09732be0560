"""Losses of classifiers with many classes, which compare the true classes with a sample of the others."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import nest
from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.ops.array.casting import cast
from tapejax._src.ops.array.joining import concat
from tapejax._src.ops.array.layout import reshape, stop_gradient
from tapejax._src.ops.nn import activations as nn
from tapejax._src.ops.nn.candidate_sampling import log_uniform_candidate_sampler
from tapejax._src.ops.nn.embedding import embedding_lookup
from tapejax._src.ops.registry import Array, op

__all__ = ["compute_accidental_hits", "nce_loss", "sampled_softmax_loss"]

_I64 = np.dtype(np.int64)


@op(differentiable=False)
def _is_last(sampled: Array):
    """Whether each class of a sample does not occur again later in it. Of equal classes, TensorFlow uses the last."""
    order = jnp.argsort(sampled, stable=True)
    ends = jnp.pad(sampled[order][1:] != sampled[order][:-1], (0, 1), constant_values=True)
    return jnp.zeros(sampled.shape, bool).at[order].set(ends)


@public("nn.compute_accidental_hits")
def compute_accidental_hits(
    true_classes: Any, sampled_candidates: Any, num_true: int, seed: Any = None, name: str | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Finds the places where a sample contains a true class of an example.

    Args:
      true_classes: int64 of shape [batch, num_true].
      sampled_candidates: int64 of shape [num_sampled].
      num_true: the number of true classes of each example.
      seed: has no effect, as in eager TensorFlow.
      name: has no effect, as in eager TensorFlow.

    Returns:
      Three vectors with an element for each hit: the example (int32), the place in the sample (int64), and the lowest
      float32 number. Added to a logit, this number removes the class.

    Raises:
      InvalidArgumentError: `true_classes` has a wrong shape.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/compute_accidental_hits

    >>> example, place, weight = compute_accidental_hits([[1], [7]], [5, 7, 1], 1)
    >>> example.numpy().tolist(), place.numpy().tolist()
    ([0, 1], [2, 1])
    """
    true, sampled = (to_tensor(t, None, _I64) for t in (true_classes, sampled_candidates))
    if len(true.aval.shape) != 2 or true.aval.shape[1] != num_true:
        raise invalid("true_candidates must be a batch_size * num_true matrix")
    first, second = np.asarray(true), np.asarray(sampled)
    example, _, place = np.nonzero((first[:, :, None] == second) & np.asarray(_is_last(sampled)))
    lowest = np.full(example.shape, np.finfo(np.float32).min, np.float32)
    return from_value(example.astype(np.int32)), from_value(place), from_value(lowest)


@op()
def _sampled_loss(
    inputs: Array,
    rows: Array,
    biases: Array,
    labels: Array,
    sampled: Array,
    true_count: Array,
    sampled_count: Array,
    num_true,
    remove_hits,
    softmax,
):
    batch, n = labels.size // num_true, sampled.shape[0]
    dtype = inputs.dtype
    rows, biases, labels = rows.astype(dtype), biases.astype(dtype), labels.reshape(batch, num_true)
    true_rows = rows[: labels.size].reshape(batch, num_true, rows.shape[1])
    true = jnp.sum(inputs[:, None] * true_rows, -1) + biases[: labels.size].reshape(batch, num_true)
    others = inputs @ rows[labels.size :].T + biases[labels.size :]
    if remove_hits:
        hits = jnp.any(labels[:, :, None] == jnp.where(_is_last.op.fn(sampled), sampled, -1), 1)
        others = others + jnp.where(hits, np.finfo(np.float32).min, 0).astype(dtype)
    logits = jnp.concatenate(
        [true - jnp.log(true_count).astype(dtype), others - jnp.log(sampled_count).astype(dtype)], 1
    )
    wanted = jnp.broadcast_to((jnp.arange(num_true + n) < num_true).astype(dtype) / num_true, logits.shape)
    if softmax:
        return nn.softmax_cross_entropy_with_logits.op.fn(wanted, logits, axis=-1)
    return jnp.sum(nn.sigmoid_cross_entropy_with_logits.op.fn(wanted, logits), 1)


def _loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int,
    values: Any,
    remove_hits: bool,
    softmax: bool,
    seed: Any = None,
) -> Tensor:
    labels = cast(labels, _I64)
    if values is None:
        values = log_uniform_candidate_sampler(labels, num_true, num_sampled, True, num_classes, seed)
    sampled, true_count, sampled_count = map(stop_gradient, values)
    ids = concat([reshape(labels, [-1]), cast(sampled, _I64)], 0)
    if nest.is_nested(weights) and len(weights) == 1:
        weights = weights[0]
    return _sampled_loss(
        inputs,
        embedding_lookup(weights, ids),
        embedding_lookup(biases, ids),
        labels,
        sampled,
        true_count,
        sampled_count,
        num_true,
        bool(remove_hits),
        softmax,
    )


@public("nn.nce_loss")
def nce_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = False,
    name: str = "nce_loss",
) -> Tensor:
    """Noise-contrastive estimation: a loss that compares the true classes of each example with classes drawn at random.

    Args:
      weights: a tensor of shape [num_classes, dim], or a list of tensors that together form it. The gradient is
        `tf.IndexedSlices`.
      biases: a tensor of shape [num_classes].
      labels: integers of shape [batch, num_true].
      inputs: a tensor of shape [batch, dim].
      num_sampled: how many classes to draw for the batch.
      num_classes: the number of classes.
      num_true: the number of true classes of each example.
      sampled_values: the result of a candidate sampler. By default `log_uniform_candidate_sampler` is called.
      remove_accidental_hits: whether drawn classes that are true classes of an example are left out.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [batch].

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/nce_loss (Gutmann and Hyvärinen 2010)

    >>> import tapejax as tf
    >>> sampled = tf.random.all_candidate_sampler([[1]], 1, 2, True)
    >>> nce_loss(tf.zeros([2, 3]), tf.zeros([2]), [[1]], tf.ones([1, 3]), 2, 2,
    ...          sampled_values=sampled).numpy().round(4).tolist()
    [2.079400062561035]
    """
    return _loss(
        weights,
        biases,
        labels,
        inputs,
        num_sampled,
        num_classes,
        num_true,
        sampled_values,
        remove_accidental_hits,
        False,
    )


@public("nn.sampled_softmax_loss")
def sampled_softmax_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = True,
    seed: Any = None,
    name: str = "sampled_softmax_loss",
) -> Tensor:
    """The cross entropy of a softmax over the true classes and classes drawn at random, for training with many classes.

    Args:
      weights: a tensor of shape [num_classes, dim], or a list of tensors, as in `nce_loss`.
      biases: a tensor of shape [num_classes].
      labels: integers of shape [batch, num_true].
      inputs: a tensor of shape [batch, dim].
      num_sampled: how many classes to draw for the batch.
      num_classes: the number of classes.
      num_true: the number of true classes of each example.
      sampled_values: the result of a candidate sampler. By default `log_uniform_candidate_sampler` is called.
      remove_accidental_hits: whether drawn classes that are true classes of an example are left out.
      seed: an integer, the sampler's seed.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [batch].

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/sampled_softmax_loss (Jean et al. 2014)

    >>> import tapejax as tf
    >>> sampled = tf.random.all_candidate_sampler([[1]], 1, 2, True)
    >>> sampled_softmax_loss(tf.zeros([2, 3]), tf.zeros([2]), [[1]], tf.ones([1, 3]), 2, 2,
    ...                      sampled_values=sampled).numpy().round(4).tolist()
    [0.6930999755859375]
    """
    return _loss(
        weights,
        biases,
        labels,
        inputs,
        num_sampled,
        num_classes,
        num_true,
        sampled_values,
        remove_accidental_hits,
        True,
        seed,
    )
