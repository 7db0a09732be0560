"""`tf.nn`: activation functions, cross entropies of logits, bias, moments, dropout."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from tapejax._src.core.checks import final, invalid, invalid_value, need
from tapejax._src.core.public import public
from tapejax._src.ops.random import draws as random
from tapejax._src.ops.registry import Array, Axis, Same, op

__all__ = [
    "axes_of", "bias_add", "crelu", "dropout", "elu", "gelu", "l2_loss", "leaky_relu", "log_softmax", "moments",
    "relu", "relu6", "same_shape", "selu", "sigmoid_cross_entropy_with_logits", "silu", "softmax",
    "softmax_cross_entropy_with_logits", "softsign", "sparse_softmax_cross_entropy_with_logits",
]  # fmt: skip

_SELU_SCALE = 1.0507009873554804934193349852946
_SELU_ALPHA = 1.6732632423543772848170429916717


@op("nn.relu", flat=True)
def relu(features: Array, name=None):
    """``max(features, 0)`` of real numbers. The gradient at 0 is 0.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/relu

    >>> relu([-2.0, 0.0, 3.0]).numpy().tolist()
    [0.0, 0.0, 3.0]
    """
    need("fiu", features)
    return jax.nn.relu(features)


@op("nn.relu6", flat=True)
def relu6(features: Array, name=None):
    """``min(max(features, 0), 6)``. The gradients at 0 and at 6 are 0.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/relu6

    >>> relu6([-2.0, 3.0, 8.0]).numpy().tolist()
    [0.0, 3.0, 6.0]
    """
    six = jnp.asarray(6, features.dtype)
    # The gradient at nan is 0, as in TensorFlow.
    inner = jnp.where(features != features, lax.stop_gradient(features), features)
    return jnp.where(features <= 0, jnp.zeros_like(features), jnp.where(features >= 6, six, inner))


@op("nn.leaky_relu", flat=True)
def leaky_relu(features: Array, alpha=0.2, name=None):
    """``features`` where they are positive, ``alpha * features`` elsewhere.

    Args:
      features: real numbers. Integers are converted to float32.
      alpha: a number.
      name: has no effect, as in eager TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/leaky_relu

    >>> leaky_relu([-2.0, 3.0], alpha=0.5).numpy().tolist()
    [-1.0, 3.0]
    """
    x = features.astype(jnp.float32) if features.dtype.kind in "iu" else features
    return jnp.where(x > 0, x, jnp.asarray(alpha, x.dtype) * x)


@op("nn.elu")
def elu(features: Array, name=None):
    """``features`` where they are positive, ``exp(features) - 1`` elsewhere. Takes floating numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/elu

    >>> elu([0.0, 3.0]).numpy().tolist()
    [0.0, 3.0]
    """
    x = features
    need("f", x)
    return jnp.where(x < 0, jnp.expm1(jnp.where(x < 0, x, 0)), x)


@op("nn.selu")
def selu(features: Array, name=None):
    """``scale * features`` where they are positive, ``scale * alpha * (exp(features) - 1)`` elsewhere.

    Takes floating numbers. `scale` and `alpha` are the constants 1.0507 and 1.6733.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/selu (Klambauer et al. 2017)

    >>> selu([0.0, 1.0]).numpy().round(4).tolist()
    [0.0, 1.0506999492645264]
    """
    x = features
    need("f", x)
    scale, low = (jnp.asarray(v, x.dtype) for v in (_SELU_SCALE, _SELU_SCALE * _SELU_ALPHA))
    return jnp.where(x < 0, low * jnp.expm1(jnp.where(x < 0, x, 0)), scale * x)


@op("nn.gelu")
def gelu(features: Array, approximate=False, name=None):
    """``features * Phi(features)``, where Phi is the distribution function of the standard normal distribution.

    Args:
      features: floating numbers.
      approximate: whether Phi is replaced by an approximation with tanh.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `features` are not floating.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/gelu (Hendrycks and Gimpel 2016)

    >>> gelu([0.0, 1.0]).numpy().round(4).tolist()
    [0.0, 0.8413000106811523]
    """
    x = features
    if x.dtype.kind not in "fV":
        raise final(
            ValueError(f"`features.dtype` must be a floating point tensor. Received: features.dtype={x.dtype.name}")
        )
    if approximate:
        inner = jnp.asarray(math.sqrt(2 / math.pi), x.dtype) * (x + jnp.asarray(0.044715, x.dtype) * x**3)
        return jnp.asarray(0.5, x.dtype) * x * (1 + jnp.tanh(inner))
    return jnp.asarray(0.5, x.dtype) * x * (1 + lax.erf(x / jnp.asarray(math.sqrt(2), x.dtype)))


@op("nn.silu", "nn.swish")
def silu(features: Same, beta: Same = 1.0):
    """``features * sigmoid(beta * features)``.

    Args:
      features: floating numbers.
      beta: a number, or a tensor that broadcasts with `features`.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/silu

    >>> [round(float(v), 4) for v in silu([0.0, 1.0]).numpy()]
    [0.0, 0.7311]
    """
    return features * jax.nn.sigmoid(beta * features)


@jax.custom_jvp
def _softsign(x: Any) -> Any:
    return x / _one_more(x)


@_softsign.defjvp
def _softsign_jvp(primals: tuple, tangents: tuple) -> tuple:
    # JAX's own rule for the quotient gives nan at infinities, where TensorFlow gives 0.
    return _softsign(*primals), tangents[0] / jnp.square(_one_more(*primals))


def _one_more(x: Any) -> Any:
    # This form of the absolute value makes the second derivative at 0 that of positive numbers.
    return jnp.where(x < 0, -x, x) + 1


@op("nn.softsign", "math.softsign")
def softsign(features: Array, name=None):
    """``features / (abs(features) + 1)`` of floating numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/softsign

    >>> softsign([-1.0, 3.0]).numpy().tolist()
    [-0.5, 0.75]
    """
    need("f", features)
    return _softsign(features)


@op("nn.crelu", flat=True)
def crelu(features: Array, axis: Axis = -1, name=None):
    """``relu(features)`` and ``relu(-features)``, joined along an axis, which becomes twice as long.

    Args:
      features: real numbers.
      axis: the axis, by default the last.
      name: has no effect, as in eager TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/crelu (Shang et al. 2016)

    >>> crelu([-1.0, 2.0]).numpy().tolist()
    [0.0, 2.0, 1.0, 0.0]
    """
    return jax.nn.relu(jnp.concatenate([features, -features], axis))


def _softmax_axis(logits: Any, axis: Any, where: str) -> int:
    need("f", logits)
    axis = -1 if axis is None else axis
    if not logits.ndim:
        raise invalid("logits must have at least one axis", where)
    if not -logits.ndim <= axis < logits.ndim:
        raise invalid_value(f"axis must be in [-{logits.ndim}, {logits.ndim}), got axis={axis} [Op:{where}]")
    return axis


@op("nn.softmax", "math.softmax")
def softmax(logits: Array, axis: Axis = None, name=None):
    """``exp(logits) / sum(exp(logits))`` along an axis.

    Args:
      logits: floating numbers with at least one axis.
      axis: an int, by default the last axis.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `logits` is a scalar, or `axis` is out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/softmax

    >>> softmax([1.0, 1.0]).numpy().tolist()
    [0.5, 0.5]
    """
    return jax.nn.softmax(logits, _softmax_axis(logits, axis, "Softmax"))


@op("nn.log_softmax", "math.log_softmax")
def log_softmax(logits: Array, axis: Axis = None, name=None):
    """The logarithm of `softmax`, computed without underflow. Takes the same arguments.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/log_softmax

    >>> log_softmax([0.0, 0.0]).numpy().round(4).tolist()
    [-0.6930999755859375, -0.6930999755859375]
    """
    return jax.nn.log_softmax(logits, _softmax_axis(logits, axis, "LogSoftmax"))


@op("nn.sigmoid_cross_entropy_with_logits")
def sigmoid_cross_entropy_with_logits(labels: Same, logits: Same, name=None):
    """The binary cross entropy of the probabilities `labels` and ``sigmoid(logits)``, element by element.

    Args:
      labels: floating probabilities.
      logits: a tensor of the same shape and dtype. Large values do not overflow.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: the shapes differ.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/sigmoid_cross_entropy_with_logits

    >>> sigmoid_cross_entropy_with_logits([1.0, 0.0], [0.0, 0.0]).numpy().round(4).tolist()
    [0.6930999755859375, 0.6930999755859375]
    """
    same_shape(labels, logits, "logits", "labels")
    positive = logits >= 0  # with this, the gradient at 0 is 1/2 - labels
    largest = jnp.where(positive, logits, 0)
    return largest - logits * labels + jnp.log1p(jnp.exp(jnp.where(positive, -logits, logits)))


@jax.custom_jvp
def _cross_entropy(labels: Any, logits: Any) -> Any:
    return -jnp.sum(labels * jax.nn.log_softmax(logits), axis=-1, dtype=logits.dtype)


@_cross_entropy.defjvp
def _cross_entropy_jvp(primals: Any, tangents: Any) -> Any:
    # TensorFlow's rule: the gradient is computed as if the labels summed to 1, even if they do not.
    (labels, logits), (d_labels, d_logits) = primals, tangents
    by_logits = (jax.nn.softmax(logits) - labels) * d_logits
    by_labels = -jax.nn.log_softmax(logits) * d_labels
    return _cross_entropy(labels, logits), jnp.sum(by_logits + by_labels, axis=-1, dtype=logits.dtype)


@op("nn.softmax_cross_entropy_with_logits")
def softmax_cross_entropy_with_logits(labels: Array, logits: Array, axis: Axis = -1, name=None):
    """The cross entropy of the distributions `labels` and ``softmax(logits)`` along an axis.

    The gradient is ``softmax(logits) - labels`` even if the labels do not sum to 1, as in TensorFlow.

    Args:
      labels: probabilities, whose shape broadcasts with that of `logits`.
      logits: floating numbers.
      axis: the axis of the classes, by default the last.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor without that axis.

    Raises:
      InvalidArgumentError: the shapes do not broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/softmax_cross_entropy_with_logits

    >>> softmax_cross_entropy_with_logits([[1.0, 0.0]], [[0.0, 0.0]]).numpy().round(4).tolist()
    [0.6930999755859375]
    """
    dtype = logits.dtype
    need("f", logits)
    wide = _wide(logits)
    try:
        labels, wide = jnp.broadcast_arrays(labels.astype(wide.dtype), wide)
    except ValueError:
        raise invalid(
            f"logits and labels must be broadcastable: logits_size={list(logits.shape)} "
            f"labels_size={list(labels.shape)} [Op:SoftmaxCrossEntropyWithLogits]"
        ) from None
    return _cross_entropy(jnp.moveaxis(labels, axis, -1), jnp.moveaxis(wide, axis, -1)).astype(dtype)


def _wide(x: Any) -> Any:
    return x.astype(jnp.float32) if x.dtype.itemsize < 4 else x


@op("nn.sparse_softmax_cross_entropy_with_logits")
def sparse_softmax_cross_entropy_with_logits(labels: Array, logits: Array, name=None):
    """The cross entropy of the classes `labels` and ``softmax(logits)`` along the last axis.

    Args:
      labels: integers of shape (..). A label out of range gives nan, as on TensorFlow's GPUs. On a CPU TensorFlow
        raises.
      logits: floating numbers of shape (.., classes).
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape (..).

    Raises:
      ValueError: the shapes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/sparse_softmax_cross_entropy_with_logits

    >>> sparse_softmax_cross_entropy_with_logits([1], [[0.0, 0.0]]).numpy().round(4).tolist()
    [0.6930999755859375]
    """
    need("f", logits)
    if logits.ndim == 0:
        raise final(ValueError("`logits` cannot be a scalar. Received logits of shape ()"))
    if labels.dtype.kind not in "iu":
        raise invalid(f"`labels` must be integers, got {labels.dtype.name}")
    if labels.ndim != logits.ndim - 1:
        raise final(
            ValueError(
                f"`labels.shape.rank` must equal `logits.shape.rank - 1`. Received: labels.shape={labels.shape} "
                f"of rank {labels.ndim} and logits.shape={logits.shape} of rank {logits.ndim}"
            )
        )
    if labels.shape != logits.shape[:-1]:
        raise final(
            ValueError(
                "`labels.shape` must equal `logits.shape` except for the last dimension. Received: "
                f"labels.shape={labels.shape} and logits.shape={logits.shape}"
            )
        )
    wide = _wide(logits)
    valid = (labels >= 0) & (labels < logits.shape[-1])
    index = jnp.where(valid, labels, 0).astype(jnp.int32)
    # The label's logit is taken before the logarithm of the softmax is computed. So the gradient passes over the
    # classes once, not twice.
    chosen = jnp.take_along_axis(wide, index[..., None], axis=-1, mode="clip")
    largest = lax.stop_gradient(jnp.max(wide, axis=-1, keepdims=True, initial=-jnp.inf))
    total = jnp.sum(jnp.exp(wide - largest), axis=-1, keepdims=True)
    loss = jnp.squeeze(jnp.log(total) - (chosen - largest), -1)
    return jnp.where(valid, loss, jnp.asarray(jnp.nan, loss.dtype)).astype(logits.dtype)


@op("nn.l2_loss")
def l2_loss(t: Array, name=None):
    """``sum(t ** 2) / 2`` of floating numbers, as a scalar.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/l2_loss

    >>> float(l2_loss([3.0, 4.0]))
    12.5
    """
    need("f", t)
    return jnp.sum(jnp.square(t), dtype=t.dtype) / 2


@op("nn.bias_add")
def bias_add(value: Same, bias: Same, data_format=None, name=None):
    """``value + bias``, where `bias` has one element for each channel.

    Args:
      value: a tensor of at least two axes.
      bias: a tensor of shape [channels] and of the same dtype.
      data_format: None or "N...C": the channels are the last axis. "NC...": they are the second axis.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `data_format` has another form.
      InvalidArgumentError: the shapes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/bias_add

    >>> bias_add([[1.0, 2.0]], [10.0, 20.0]).numpy().tolist()
    [[11.0, 22.0]]
    """
    if data_format is not None and not data_format.startswith("N"):
        raise final(
            ValueError(f"`data_format` must be of the form `N...C` or `NC...`. Received: data_format={data_format}")
        )
    if value.ndim < 2 or bias.ndim != 1:
        raise invalid(
            f"Input tensor must be at least 2D and biases 1D: {list(value.shape)} vs. {list(bias.shape)} [Op:BiasAdd]"
        )
    axis = 1 if data_format is not None and data_format.startswith("NC") else value.ndim - 1
    if value.shape[axis] != bias.shape[0]:
        raise invalid(
            "Must provide as many biases as the last dimension of the input tensor: "
            f"{list(bias.shape)} vs. {list(value.shape)} [Op:BiasAdd]"
        )
    return value + bias.reshape([-1 if i == axis else 1 for i in range(value.ndim)])


@op("nn.moments")
def moments(x: Array, axes: Axis, shift=None, keepdims=False, name=None):
    """The mean and the variance over axes.

    Args:
      x: floating numbers. float16 is summed in float32.
      axes: an int or a list of ints.
      shift: has no effect, as in TensorFlow.
      keepdims: whether the reduced axes stay, with size 1.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The tuple (mean, variance) of tensors of the dtype of `x`.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/moments

    >>> [m.numpy().tolist() for m in moments([[1.0, 3.0]], axes=1)]
    [[2.0], [1.0]]
    """
    wide = x.astype(jnp.float32) if x.dtype == jnp.float16 else x
    mean = jnp.mean(wide, axes, keepdims=True)
    # As in TensorFlow, the gradient of the variance does not flow through the mean, where its parts cancel.
    variance = jnp.mean(jnp.square(wide - lax.stop_gradient(mean)), axes, keepdims=keepdims)
    mean = mean if keepdims else jnp.squeeze(mean, axes_of(axes, x.ndim))
    return mean.astype(x.dtype), variance.astype(x.dtype)


def same_shape(labels: Any, logits: Any, first: str, second: str) -> None:
    """Checks that logits and labels have one shape.

    Args:
      labels: a JAX array.
      logits: a JAX array.
      first: the name of `logits` in the message.
      second: the name of `labels` in the message.

    Raises:
      ValueError: the shapes differ.
    """
    if labels.shape != logits.shape:
        raise final(
            ValueError(
                f"`{first}` and `{second}` must have the same shape, received ({logits.shape} vs {labels.shape})."
            )
        )


def axes_of(axes: Any, ndim: int) -> tuple[int, ...]:
    """An `axis` argument as a tuple. None means all of `ndim` axes."""
    return tuple(range(ndim)) if axes is None else (axes,) if isinstance(axes, int) else axes


@public("nn.dropout", composites=True)
def dropout(x: Any, rate: Any, noise_shape: Any = None, seed: Any = None, name: Any = None) -> Any:
    """Sets elements to zero with probability `rate`, and multiplies the others by ``1 / (1 - rate)``.

    Args:
      x: floating numbers.
      rate: a number in [0, 1), or a scalar tensor.
      noise_shape: the shape of the mask, which is broadcast to that of `x`. None, also as an entry, means the size of
        `x`.
      seed: an integer, the op's own seed; see `tf.random.set_seed`.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `x` is not floating, or `rate` is out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/dropout

    >>> dropout([1.0, 2.0], rate=0.0).numpy().tolist()
    [1.0, 2.0]
    """
    return random.dropout(x, rate, noise_shape, seed)
