"""Batch normalisation, means and variances, and local response normalisation of `tf.nn`."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core import convert
from tapejax._src.core.checks import final, invalid, need
from tapejax._src.core.public import public
from tapejax._src.ops.nn import activations as nn
from tapejax._src.ops.registry import Array, Axis, Same, op

__all__ = [
    "batch_norm_with_global_normalization", "batch_normalization", "local_response_normalization", "normalize_moments",
    "sufficient_statistics", "weighted_moments",
]  # fmt: skip


@op()
def _normalize(x: Same, mean: Same, variance: Same, offset: Same = None, scale: Same = None, epsilon=0.0):
    need("f", x)
    factor = lax.rsqrt(variance + jnp.asarray(epsilon, x.dtype))
    factor = factor if scale is None else factor * scale
    # As in TensorFlow, the small tensors are combined first, so that `x` is multiplied once and added to once.
    shift = -mean * factor if offset is None else offset - mean * factor
    return x * factor + shift


@public("nn.batch_normalization")
def batch_normalization(x, mean, variance, offset, scale, variance_epsilon, name=None):
    """``(x - mean) / sqrt(variance + variance_epsilon) * scale + offset``.

    Args:
      x: floating numbers.
      mean: a tensor of the same dtype. The shapes of all tensors broadcast.
      variance: a tensor of the same dtype.
      offset: a tensor of the same dtype, or None.
      scale: a tensor of the same dtype, or None.
      variance_epsilon: a small number that prevents division by zero.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of the dtype of `x`.

    Raises:
      InvalidArgumentError: the dtypes differ, or the shapes do not broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/batch_normalization (Ioffe and Szegedy 2015)

    >>> batch_normalization([1.0, 3.0], 2.0, 1.0, None, 4.0, 0.0).numpy().tolist()
    [-4.0, 4.0]
    """
    return _normalize(x, mean, variance, offset, scale, float(variance_epsilon))


@public("nn.batch_norm_with_global_normalization")
def batch_norm_with_global_normalization(
    input, mean, variance, beta, gamma, variance_epsilon, scale_after_normalization, name=None
):
    """`batch_normalization` with the argument names of early TensorFlow.

    Args:
      input: floating numbers of shape [batch, height, width, channels].
      mean: a tensor of shape [channels].
      variance: a tensor of shape [channels].
      beta: the offset, a tensor of shape [channels].
      gamma: the scale, a tensor of shape [channels].
      variance_epsilon: a small number that prevents division by zero.
      scale_after_normalization: whether `gamma` is used.
      name: has no effect, as in eager TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/batch_norm_with_global_normalization

    >>> batch_norm_with_global_normalization([[[[3.0]]]], [1.0], [4.0], [0.0], [5.0], 0.0, True).numpy().item()
    5.0
    """
    return batch_normalization(
        input, mean, variance, beta, gamma if scale_after_normalization else None, variance_epsilon
    )


@op()
def _sums(x: Array, shift: Array = None, axes: Axis = None, keepdims=False):
    need("f", x)
    off = x if shift is None else x - shift.astype(x.dtype)
    kept = nn.axes_of(axes, x.ndim)
    return jnp.sum(off, kept, keepdims=keepdims), jnp.sum(jnp.square(off), kept, keepdims=keepdims)


@public("nn.sufficient_statistics")
def sufficient_statistics(x, axes, shift=None, keepdims=False, name=None):
    """The sums from which the mean and the variance over axes can be computed, by `normalize_moments`.

    Args:
      x: floating numbers.
      axes: a list of ints.
      shift: a number close to the mean that is subtracted first, for accuracy, or None.
      keepdims: whether the reduced axes stay, with size 1.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The tuple (number of elements, sum, sum of squares, shift). The sums are those of ``x - shift``. The shift is a
      tensor, or None.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/sufficient_statistics

    >>> [float(v) for v in sufficient_statistics([1.0, 3.0], [0])[:3]]
    [2.0, 4.0, 10.0]
    """
    x = convert.to_tensor(x)
    shift = None if shift is None else convert.to_tensor(shift, None, x.aval.dtype)
    shape = x.aval.shape
    count = np.prod([shape[a] for a in nn.axes_of(tuple(axes), len(shape))], dtype=np.float64)
    return (convert.to_tensor(count.astype(x.aval.dtype)), *_sums(x, shift, axes, keepdims), shift)


@op()
def _mean_of_sums(counts: Same, mean_ss: Same, shift: Same = None):
    return mean_ss / counts if shift is None else mean_ss / counts + shift


@op()
def _variance_of_sums(counts: Same, mean_ss: Same, variance_ss: Same):
    return variance_ss / counts - jnp.square(mean_ss / counts)


@public("nn.normalize_moments")
def normalize_moments(counts, mean_ss, variance_ss, shift, name=None):
    """The mean and the variance, computed from the results of `sufficient_statistics`.

    Args:
      counts: the number of elements.
      mean_ss: the sum.
      variance_ss: the sum of squares.
      shift: the shift, or None.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The tuple (mean, variance).

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/normalize_moments

    >>> [float(v) for v in normalize_moments(2.0, 4.0, 10.0, None)]
    [2.0, 1.0]
    """
    mean_ss = convert.to_tensor(mean_ss)  # converted once, since two ops use it
    return _mean_of_sums(counts, mean_ss, shift), _variance_of_sums(counts, mean_ss, variance_ss)


@op("nn.weighted_moments")
def weighted_moments(x: Same, axes: Axis, frequency_weights: Same, keepdims=False, name=None):
    """The weighted mean and variance over axes.

    Args:
      x: floating numbers. float16 is summed in float32.
      axes: an int or a list of ints.
      frequency_weights: the weights, of the same dtype and a shape that broadcasts with that of `x`.
      keepdims: whether the reduced axes stay, with size 1.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The tuple (mean, variance) of tensors of the dtype of `x`.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/weighted_moments

    >>> [float(v) for v in weighted_moments([1.0, 3.0], [0], [1.0, 1.0])]
    [2.0, 1.0]
    """
    need("f", x)
    dtype = x.dtype
    wide, w = (t.astype(jnp.float32) if dtype == jnp.float16 else t for t in (x, frequency_weights))
    kept = nn.axes_of(axes, x.ndim)
    total = jnp.sum(jnp.broadcast_to(w, jnp.broadcast_shapes(w.shape, wide.shape)), kept, keepdims=True)
    mean = jnp.sum(w * wide, kept, keepdims=True) / total
    # As in `moments`, the gradient of the variance does not flow through the mean.
    variance = jnp.sum(w * jnp.square(wide - lax.stop_gradient(mean)), kept, keepdims=True) / total
    if not keepdims:
        mean, variance = jnp.squeeze(mean, kept), jnp.squeeze(variance, kept)
    return mean.astype(dtype), variance.astype(dtype)


@op("nn.local_response_normalization", "nn.lrn")
def local_response_normalization(input: Array, depth_radius=5, bias=1, alpha=1, beta=0.5, name=None):
    """``input / (bias + alpha * s) ** beta``, where `s` sums the squares of the channels up to `depth_radius` away.

    Args:
      input: float16, bfloat16 or float32 of shape [batch, height, width, channels].
      depth_radius: an int.
      bias: a number, usually positive.
      alpha: a number.
      beta: a number.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the rank or dtype of `input` is not allowed.
      TypeError: `depth_radius` is not an int.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/local_response_normalization (Krizhevsky et al. 2012)

    >>> local_response_normalization([[[[3.0, 4.0]]]], bias=0, alpha=1).numpy().round(4).ravel().tolist()
    [0.6000000238418579, 0.800000011920929]
    """
    need("f", input)
    if input.ndim != 4:
        raise invalid("in must be 4-dimensional [Op:LRN]")
    if input.dtype == np.float64:
        raise invalid(
            "Value for attr 'T' of double is not in the list of allowed values: half, bfloat16, float [Op:LRN]"
        )
    if not isinstance(depth_radius, int):
        raise final(TypeError(f"Expected int for argument 'depth_radius' not {depth_radius}."))
    x = input.astype(np.float32)
    around = lax.reduce_window(
        jnp.square(x),
        np.float32(0),
        lax.add,
        (1, 1, 1, 2 * depth_radius + 1),
        (1,) * 4,
        ((0, 0), (0, 0), (0, 0), (depth_radius, depth_radius)),
    )
    size = bias + alpha * around
    # A power takes longer than the rest of the op. Roots take a third of that time.
    root = lax.rsqrt(size) if beta in (0.5, 0.75) else size**-beta
    return (x * (root * jnp.sqrt(root) if beta == 0.75 else root)).astype(input.dtype)
