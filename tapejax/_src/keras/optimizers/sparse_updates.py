"""Gradients inside an optimizer's step: dense ones, and slices, which are applied without making the dense one.

The formulas of `transforms` are written with these functions and do for both. For slices they do what Keras does on
TensorFlow: each slice is squared, clipped or divided by itself, also where indices repeat, and what
decays decays in all rows.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

__all__ = ["Slices", "added", "blended", "dense", "each"]


class Slices:
    """Rows of a gradient: a leaf in JAX's trees.

    Args:
      values: array of shape ``[n, ...]``.
      indices: integer array of shape ``[n]``; repeated ones add up, those out of range count as nothing.
      shape: of the whole.
    """

    __slots__ = ("indices", "shape", "values")

    def __init__(self, values: Any, indices: Any, shape: tuple[int, ...]):
        self.values = values
        self.indices = indices
        self.shape = shape


def each(f: Callable, gradient: Any, *others: Any) -> Any:
    """``f(gradient, *others)``, elementwise; of slices, with the same rows of the others.

    >>> rows = each(jnp.multiply, Slices(jnp.ones((1, 2)), jnp.array([1]), (2, 2)), jnp.array([[1, 2], [3, 4]]))
    >>> rows.values.tolist()
    [[3.0, 4.0]]
    """
    if not isinstance(gradient, Slices):
        return f(gradient, *others)
    rows = (x.at[gradient.indices].get(mode="clip", wrap_negative_indices=False) for x in others)
    return Slices(f(gradient.values, *rows), gradient.indices, gradient.shape)


def added(x: Any, gradient: Any) -> Any:
    """``x + gradient``, in the dtype of x. With slices a scatter, which reuses the buffer of x where it may.

    >>> added(jnp.zeros(2), Slices(jnp.ones(3), jnp.array([1, 1, 5]), (2,))).tolist()
    [0.0, 2.0]
    """
    if not isinstance(gradient, Slices):
        return x + gradient.astype(x.dtype)
    return x.at[gradient.indices].add(gradient.values.astype(x.dtype), mode="drop", wrap_negative_indices=False)


def blended(x: Any, gradient: Any, rate: Any) -> Any:
    """``x + (gradient - x) * rate``: the running average of gradients.

    >>> blended(jnp.ones(2), Slices(jnp.ones(1), jnp.array([1]), (2,)), 0.5).tolist()
    [0.5, 1.0]
    """
    rate = jnp.asarray(rate).astype(x.dtype)
    if not isinstance(gradient, Slices):
        return x + (gradient - x) * rate
    return added(x - x * rate, each(lambda g: g * rate, gradient))


def dense(gradient: Any) -> Any:
    """The gradient as one array."""
    return (
        added(jnp.zeros(gradient.shape, gradient.values.dtype), gradient) if isinstance(gradient, Slices) else gradient
    )
