"""Losses of `tf.nn` other than those in `activations` and `sampled_losses`, and averages for distributed training."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from tapejax._src.core import convert
from tapejax._src.core.checks import final, need
from tapejax._src.core.public import public
from tapejax._src.ops.nn.activations import same_shape
from tapejax._src.ops.registry import Array, Same, op

__all__ = [
    "compute_average_loss", "log_poisson_loss", "scale_regularization_loss", "weighted_cross_entropy_with_logits",
]  # fmt: skip


@op("nn.log_poisson_loss")
def log_poisson_loss(targets: Same, log_input: Same, compute_full_loss=False, name=None):
    """The negative log-likelihood of counts z of a Poisson distribution with log-rate c: ``exp(c) - z * c``.

    Args:
      targets: floating numbers, the counts z.
      log_input: the log-rates c, of the same shape and dtype.
      compute_full_loss: whether Stirling's approximation of ``log(z!)`` is added. It is 0 for z in [0, 1].
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: the shapes differ.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/log_poisson_loss

    >>> log_poisson_loss([1.0, 2.0], [0.0, 0.0]).numpy().tolist()
    [1.0, 1.0]
    """
    same_shape(targets, log_input, "log_input", "targets")
    loss = jnp.exp(log_input) - log_input * targets
    if not compute_full_loss:
        return loss
    z = targets
    stirling = z * jnp.log(z) - z + jnp.asarray(0.5, z.dtype) * jnp.log(jnp.asarray(2 * math.pi, z.dtype) * z)
    return loss + jnp.where((z >= 0) & (z <= 1), jnp.zeros_like(z), stirling)


@op("nn.weighted_cross_entropy_with_logits")
def weighted_cross_entropy_with_logits(labels: Same, logits: Same, pos_weight: Same, name=None):
    """The binary cross entropy of `labels` and ``sigmoid(logits)``, in which positive labels count `pos_weight` times.

    Args:
      labels: floating probabilities.
      logits: a tensor of the same shape and dtype.
      pos_weight: the weight, of the same dtype.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: the shapes of `labels` and `logits` differ.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/weighted_cross_entropy_with_logits

    >>> weighted_cross_entropy_with_logits([1.0, 0.0], [0.0, 0.0], 2.0).numpy().round(2).tolist()
    [1.3899999856948853, 0.6899999976158142]
    """
    same_shape(labels, logits, "logits", "labels")
    weight = 1 + (pos_weight - 1) * labels
    # The gradients of abs and relu at 0 are 0, as in TensorFlow.
    minus_abs = jnp.where(logits > 0, -logits, jnp.where(logits < 0, logits, 0))
    return (1 - labels) * logits + weight * (jnp.log1p(jnp.exp(minus_abs)) + jax.nn.relu(-logits))


@op()
def _average(losses: Array, weights: Array = None, count: Array = None):
    if losses.ndim == 0:
        raise final(
            ValueError(
                "Invalid value passed for `per_example_loss`. Expected a tensor with at least rank 1. Received a scalar"
            )
        )
    dtype = losses.dtype if losses.dtype.kind in "fV" else np.float64
    x = losses.astype(dtype)
    if weights is not None:
        w = weights.astype(dtype)
        # If the losses have more axes than the weights, the weights are those of examples.
        x = x * (w.reshape(w.shape + (1,) * (x.ndim - w.ndim)) if 0 < w.ndim < x.ndim else w)
    return jnp.sum(x) / jnp.asarray(losses.shape[0] if count is None else count, dtype)


@public("nn.compute_average_loss")
def compute_average_loss(per_example_loss, sample_weight=None, global_batch_size=None):
    """The sum of losses, divided by the batch size.

    Args:
      per_example_loss: a tensor of shape [batch, ...].
      sample_weight: a number, a tensor of shape [batch], or None.
      global_batch_size: an integer. By default it is the batch of `per_example_loss`, since tapejax has one replica.

    Returns:
      A scalar.

    Raises:
      ValueError: `per_example_loss` is a scalar.
      TypeError: `global_batch_size` is not an integer.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/compute_average_loss

    >>> float(compute_average_loss([1.0, 2.0], global_batch_size=6))
    0.5
    """
    count = None if global_batch_size is None else convert.to_tensor(global_batch_size)
    if count is not None and count.aval.dtype.kind not in "iu":
        raise TypeError(f"global_batch_size must be an integer. Received: {global_batch_size}")
    return _average(per_example_loss, sample_weight, count)


@op("nn.scale_regularization_loss")
def scale_regularization_loss(regularization_loss: Array):
    """The sum of a floating regularisation loss, divided by the number of replicas, which is 1.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/scale_regularization_loss

    >>> float(scale_regularization_loss([1.0, 2.0]))
    3.0
    """
    need("f", regularization_loss)
    return jnp.sum(regularization_loss)
