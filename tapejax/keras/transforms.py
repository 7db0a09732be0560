"""TensorFlow's optimizer formulas as optax transformations, where they differ from optax's own.

They work in any optax code. Every number may be a traced value.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

__all__ = ["adam", "sgd"]


class AdamState(NamedTuple):
    """Steps done, first and second moments, and the largest second moments (None without amsgrad)."""

    count: Any
    mu: Any
    nu: Any
    nu_max: Any


def adam(learning_rate: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-7,
         amsgrad: bool = False) -> optax.GradientTransformation:
    """Adam as TensorFlow computes it: epsilon is added outside the bias correction ("epsilon hat").

    At a gradient of 1e-6 the first step is a quarter of optax.adam's.

    Args:
      learning_rate, b1, b2, eps: numbers.
      amsgrad: divide by the largest second moment so far.

    Source: https://www.tensorflow.org/api_docs/python/tf/keras/optimizers/Adam (Kingma and Ba 2014, before section 2.1)

    >>> tx = adam(0.1)
    >>> params = jnp.zeros(1)
    >>> updates, _ = tx.update(jnp.ones(1), tx.init(params), params)
    >>> round(float(updates[0]), 4)
    -0.1
    """

    def init(params: Any) -> AdamState:
        zeros = [jax.tree.map(jnp.zeros_like, params) for _ in range(3)]
        return AdamState(jnp.zeros((), jnp.int32), zeros[0], zeros[1], zeros[2] if amsgrad else None)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, AdamState]:
        def to(x: Any, like: Any) -> Any:
            return jnp.asarray(x).astype(like.dtype)

        count = state.count + 1
        mu = jax.tree.map(lambda m, g: m + (g - m) * to(1 - b1, m), state.mu, updates)
        nu = jax.tree.map(lambda v, g: v + (jnp.square(g) - v) * to(1 - b2, v), state.nu, updates)
        top = jax.tree.map(jnp.maximum, state.nu_max, nu) if amsgrad else None

        def step(m: Any, v: Any) -> Any:
            power1, power2 = to(b1, m) ** to(count, m), to(b2, m) ** to(count, m)
            alpha = to(learning_rate, m) * jnp.sqrt(1 - power2) / (1 - power1)
            return -(m * alpha) / (jnp.sqrt(v) + to(eps, m))

        return jax.tree.map(step, mu, top if amsgrad else nu), AdamState(count, mu, nu, top)

    return optax.GradientTransformation(init, update)


def sgd(learning_rate: Any, momentum: Any = None, nesterov: bool = False) -> optax.GradientTransformation:
    """Gradient descent as TensorFlow computes it: the learning rate is inside the momentum.

    So a change of the rate acts on later gradients only (optax scales what has accumulated, too).

    Args:
      learning_rate: number.
      momentum: number, or None for plain descent.
      nesterov: look ahead by one step of the momentum.

    Source: https://www.tensorflow.org/api_docs/python/tf/keras/optimizers/SGD

    >>> tx = sgd(0.5, momentum=0.9)
    >>> updates, state = tx.update(jnp.ones(1), tx.init(jnp.zeros(1)))
    >>> float(updates[0])
    -0.5
    """

    def init(params: Any) -> Any:
        return () if momentum is None else jax.tree.map(jnp.zeros_like, params)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        steps = jax.tree.map(lambda g: g * jnp.asarray(learning_rate).astype(g.dtype), updates)
        if momentum is None:
            return jax.tree.map(jnp.negative, steps), ()

        def grow(m: Any, s: Any) -> Any:
            return m * jnp.asarray(momentum).astype(m.dtype) - s

        moved = jax.tree.map(grow, state, steps)
        return (jax.tree.map(grow, moved, steps) if nesterov else moved), moved

    return optax.GradientTransformation(init, update)
