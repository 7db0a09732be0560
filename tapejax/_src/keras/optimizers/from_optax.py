"""`from_optax`: makes a Keras optimizer from an optax transformation."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import optax

from tapejax._src.core import convert
from tapejax._src.core.tensor import from_value
from tapejax._src.keras import backend
from tapejax._src.keras.backend import Weight
from tapejax._src.keras.optimizers.base import Optimizer
from tapejax._src.keras.recording import float32_input, record, static, value_of

__all__ = ["from_optax"]


class _Optax(Optimizer):
    """The optimizer that `from_optax` makes."""

    @property
    def variables(self) -> list[Weight]:
        return [self._iterations, *self._slots_of([])]

    def __init__(self, transformation: optax.GradientTransformation, name: str | None):
        super().__init__(0.0, name=name or backend.auto_name("Optax"))
        self._rate_variable = None
        self._optax = transformation
        self._structure: list[Any] = []
        self._advance = _advance(transformation, self._structure)

    @property
    def learning_rate(self) -> Any:
        """Not available: the learning rate is part of the transformation.

        Raises:
          AttributeError: always.
        """
        raise AttributeError(
            "An optimizer made by `from_optax` has no `learning_rate`, because the learning rate is part of the optax "
            "transformation. To change it, give optax a schedule or use optax.inject_hyperparams."
        )

    def _make_slots(self) -> list[list[Weight]]:
        with jax.enable_x64(True):
            state = jax.jit(self._optax.init)(tuple(value_of(v._tensor) for v in self._trained))
        leaves, structure = jax.tree.flatten(state)
        self._structure[:] = [structure]
        return [[self._add(f"state_{i}", np.asarray(leaf))] for i, leaf in enumerate(leaves)]

    def _slots_of(self, places: list[int]) -> list[Weight]:
        return [slot for (slot,) in self._slots]

    def _run(self, grads: list[Any], places: list[int]) -> None:
        grads = [convert.to_tensor(g) for g in grads]
        if len(places) < len(self._trained) or places != sorted(places):
            # The state of the transformation covers all variables, so variables without a gradient get zeros.
            given = dict(zip(places, grads, strict=True))
            places = list(range(len(self._trained)))
            grads = [
                given[i] if i in given else from_value(np.zeros(v.shape.as_list(), v.dtype.as_numpy_dtype))
                for i, v in enumerate(self._trained)
            ]
        variables, slots = self._trained, self._slots_of(places)
        key = static(advance=self._advance, count=len(places), numbers=0, clip="", decay=(), sliced=())
        new = record(
            self._op,
            key,
            (
                self._iterations._tensor,
                float32_input(0.0),
                *grads,
                *(v._tensor for v in variables),
                *(s._tensor for s in slots),
            ),
        )
        for cell, value in zip((self._iterations, *variables, *slots), new, strict=True):
            cell._overwrite(value)


def _advance(transformation: optax.GradientTransformation, structure: list) -> Callable:
    """The formula of a step; see `step.by_formula`.

    It does not refer to the optimizer, because compiled programs keep the formula alive for as long as they are cached.

    Args:
      transformation: the optax transformation.
      structure: a list that will hold the tree structure of the transformation's state.
    """

    def advance(rate: Any, hyper: list, iterations: Any, grads: tuple, params: tuple, slots: Sequence) -> tuple:
        updates, state = transformation.update(grads, jax.tree.unflatten(structure[0], slots), params)
        return updates, tuple(new.astype(old.dtype) for new, old in zip(jax.tree.leaves(state), slots, strict=True))

    return advance


def from_optax(transformation: optax.GradientTransformation, name: str | None = None) -> Optimizer:
    """Makes a Keras optimizer from an optax transformation.

    Args:
      transformation: the transformation, such as ``optax.adamw(1e-3)``. The optimizer keeps its state in variables.
      name: the name of the optimizer. By default a new unique one.

    Returns:
      An `Optimizer`. It treats variables without a gradient as if their gradients were zeros.

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> _ = tf.keras.optimizers.from_optax(optax.sgd(0.5)).apply_gradients([(tf.constant(1.0), v)])
    >>> float(v)
    0.5
    """
    return _Optax(transformation, name)
