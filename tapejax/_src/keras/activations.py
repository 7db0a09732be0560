"""`keras.activations`."""

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
    """``max(x, 0)``, or with a slope below `threshold` and a limit.

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
    """``x`` where positive, ``alpha * (exp(x) - 1)`` elsewhere."""
    return jnp.where(x > 0, x, jnp.asarray(alpha, x.dtype) * jnp.expm1(jnp.where(x > 0, 0, x)))


@op()
def sigmoid(x: Array):
    """``1 / (1 + exp(-x))``."""
    return jax.nn.sigmoid(x)


@op()
def tanh(x: Array):
    """Hyperbolic tangent."""
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
    """`x` itself."""
    return x


def gelu(x: Any, approximate: bool = False) -> Any:
    """``x * Phi(x)``; see `tf.nn.gelu`."""
    return nn.gelu(x, approximate)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """``x`` where positive, ``negative_slope * x`` elsewhere."""
    return nn.leaky_relu(x, negative_slope)


def softmax(x: Any, axis: int = -1) -> Any:
    """``exp(x) / sum(exp(x))`` over `axis`."""
    return nn.softmax(x, axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """Logarithm of `softmax`."""
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
"""Activations that a layer applies within its own op, as plain JAX functions."""


def get(identifier: Any) -> Callable:
    """The activation for a name, None (`linear`) or a callable.

    Raises:
      ValueError: an unknown name.

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
    """The name of an activation."""
    return next((name for name, fn in _BY_NAME.items() if fn is activation), getattr(activation, "__name__", ""))
