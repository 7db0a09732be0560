"""Functions for gradients inside an optimizer's step, which may be whole arrays or slices of rows.

Slices are applied without making a whole gradient of them. The formulas of `transforms.py` are written with these
functions, so that they work for both kinds. For slices they do what Keras does on TensorFlow: each slice is squared,
clipped or divided by itself, also where indices repeat. Running averages decay in all rows.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

__all__ = ["Slices", "added", "blended", "dense", "each"]


class Slices:
    """A gradient of which only some rows are given. JAX treats it as a leaf of a pytree.

    Args:
      values: the rows, an array of shape ``[n, ...]``.
      indices: the rows' places, an integer array of shape ``[n]``. Rows of the same index add up. Rows whose index is
        out of range have no effect.
      shape: the shape of the whole gradient.
    """

    __slots__ = ("indices", "shape", "values")

    def __init__(self, values: Any, indices: Any, shape: tuple[int, ...]):
        self.values = values
        self.indices = indices
        self.shape = shape


def each(f: Callable, gradient: Any, *others: Any) -> Any:
    """``f(gradient, *others)`` for an elementwise function. For slices only the same rows of `others` are used.

    >>> rows = each(jnp.multiply, Slices(jnp.ones((1, 2)), jnp.array([1]), (2, 2)), jnp.array([[1, 2], [3, 4]]))
    >>> rows.values.tolist()
    [[3.0, 4.0]]
    """
    if not isinstance(gradient, Slices):
        return f(gradient, *others)
    rows = (x.at[gradient.indices].get(mode="clip", wrap_negative_indices=False) for x in others)
    return Slices(f(gradient.values, *rows), gradient.indices, gradient.shape)


def added(x: Any, gradient: Any) -> Any:
    """``x + gradient``, in the dtype of x. Slices are scattered into x, in its own buffer where XLA allows.

    >>> added(jnp.zeros(2), Slices(jnp.ones(3), jnp.array([1, 1, 5]), (2,))).tolist()
    [0.0, 2.0]
    """
    if not isinstance(gradient, Slices):
        return x + gradient.astype(x.dtype)
    return x.at[gradient.indices].add(gradient.values.astype(x.dtype), mode="drop", wrap_negative_indices=False)


def blended(x: Any, gradient: Any, rate: Any) -> Any:
    """``x + (gradient - x) * rate``, one step of a running average of gradients.

    >>> blended(jnp.ones(2), Slices(jnp.ones(1), jnp.array([1]), (2,)), 0.5).tolist()
    [0.5, 1.0]
    """
    rate = jnp.asarray(rate).astype(x.dtype)
    if not isinstance(gradient, Slices):
        return x + (gradient - x) * rate
    return added(x - x * rate, each(lambda g: g * rate, gradient))


def dense(gradient: Any) -> Any:
    """The gradient as one whole array."""
    return (
        added(jnp.zeros(gradient.shape, gradient.values.dtype), gradient) if isinstance(gradient, Slices) else gradient
    )
