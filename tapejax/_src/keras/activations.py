"""Activation functions: `tf.keras.activations`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from tapejax._src.ops.nn import activations as nn
from tapejax._src.ops.registry import Array, op

__all__ = [
    "elu", "exponential", "gelu", "get", "hard_sigmoid", "leaky_relu", "linear", "log_softmax", "mish", "relu",
    "relu6", "selu", "serialize", "sigmoid", "silu", "softmax", "softplus", "softsign", "swish", "tanh",
]  # fmt: skip


@op()
def relu(x: Array, negative_slope=0.0, max_value=None, threshold=0.0):
    """``max(x, 0)``, optionally with a slope below a threshold and with an upper limit.

    Args:
      x: a tensor.
      negative_slope: where ``x <= threshold``, the result is ``negative_slope * (x - threshold)``.
      max_value: the largest possible result, or None for no limit.
      threshold: where ``x`` is greater than this number, the result is ``x``.

    Returns:
      A tensor like `x`.

    Source: https://keras.io/api/layers/activations/#relu-function

    >>> relu([-1.0, 2.0]).numpy().tolist()
    [0.0, 2.0]
    """
    if negative_slope == 0 and max_value is None and threshold == 0:
        return jax.nn.relu(x)
    positive = jnp.where(x > threshold, x, 0)
    if max_value is not None:
        positive = jnp.where(positive < max_value, positive, jnp.asarray(max_value, x.dtype))
    return positive + jnp.where(x > threshold, 0, jnp.asarray(negative_slope, x.dtype) * (x - threshold))


@op()
def elu(x: Array, alpha=1.0):
    """``x`` where x is positive, ``alpha * (exp(x) - 1)`` elsewhere."""
    return jnp.where(x > 0, x, jnp.asarray(alpha, x.dtype) * jnp.expm1(jnp.where(x > 0, 0, x)))


@op()
def sigmoid(x: Array):
    """``1 / (1 + exp(-x))``."""
    return jax.nn.sigmoid(x)


@op()
def tanh(x: Array):
    """The hyperbolic tangent of `x`."""
    return jnp.tanh(x)


@op()
def softplus(x: Array):
    """``log(exp(x) + 1)``."""
    return jax.nn.softplus(x)


@op()
def softsign(x: Array):
    """``x / (abs(x) + 1)``."""
    return x / (jnp.abs(x) + 1)


@op()
def exponential(x: Array):
    """``exp(x)``."""
    return jnp.exp(x)


@op()
def hard_sigmoid(x: Array):
    """``relu6(x + 3) / 6``."""
    return jnp.where(x <= -3, jnp.zeros_like(x), jnp.where(x >= 3, jnp.ones_like(x), x / 6 + jnp.asarray(0.5, x.dtype)))


@op()
def mish(x: Array):
    """``x * tanh(softplus(x))``."""
    return x * jnp.tanh(jax.nn.softplus(x))


def linear(x: Any) -> Any:
    """Returns `x` unchanged."""
    return x


def gelu(x: Any, approximate: bool = False) -> Any:
    """``x * Phi(x)``, where Phi is the distribution function of the standard normal; see `tf.nn.gelu`."""
    return nn.gelu(x, approximate)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """``x`` where x is positive, ``negative_slope * x`` elsewhere."""
    return nn.leaky_relu(x, negative_slope)


def softmax(x: Any, axis: int = -1) -> Any:
    """``exp(x) / sum(exp(x))``, where the sum runs over `axis`."""
    return nn.softmax(x, axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """The logarithm of `softmax`."""
    return nn.log_softmax(x, axis)


def silu(x: Any) -> Any:
    """``x * sigmoid(x)``."""
    return nn.silu(x)


relu6, selu, swish = nn.relu6, nn.selu, silu
_BY_NAME: dict[str, Callable] = {name: globals()[name] for name in __all__ if name not in ("get", "serialize")}

IN_KERNEL: dict[Any, Callable] = {
    relu: jax.nn.relu, sigmoid: jax.nn.sigmoid, tanh: jnp.tanh, elu: lambda x: elu.op.fn(x),
    linear: lambda x: x, None: lambda x: x,
}  # fmt: skip
"""Activations as plain JAX functions, which a layer applies inside its own op instead of recording a second one."""


def get(identifier: Any) -> Callable:
    """Looks up an activation.

    Args:
      identifier: the activation's name; a callable, which is returned as it is; or None, which gives `linear`.

    Returns:
      The function.

    Raises:
      ValueError: `identifier` is an unknown name, or neither a name nor a callable.

    >>> get("relu") is relu
    True
    """
    if identifier is None:
        return linear
    found = _BY_NAME.get(identifier) if isinstance(identifier, str) else identifier
    if not callable(found):
        raise ValueError(f"Could not interpret activation function identifier: {identifier}")
    return found


def serialize(activation: Callable) -> str:
    """The name of an activation, from which `get` finds it again."""
    return next((name for name, fn in _BY_NAME.items() if fn is activation), getattr(activation, "__name__", ""))
