"""`Body`: the pure JAX function of a captured function, free of variables and tensors.

The caches of compiled programs hold it; if it held the variables, no model that ran under a tape would ever be freed.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.engine.graph import Graph

__all__ = ["Body"]


class Body:
    """A graph with the order of its inputs.

    Args:
      graph: takes its placeholders, then inputs of three kinds, in `order`.
      n_given: how many placeholders. n_cells: how many inputs are variables.
      order: (kind, place) of each input: kind 0 a variable, 1 an array that is passed, 2 one of `built_in`.
      built_in: constants of the program.
      scalars: ``(number, ScalarKind)`` for each Python number: constants too, but for those at `draws`, the places of
        random ops in their sequences, which are passed.
    """

    def __init__(
        self,
        graph: Graph,
        n_given: int,
        n_cells: int,
        order: Sequence[tuple[int, int]],
        built_in: Sequence[np.ndarray],
        scalars: Sequence[tuple[Any, Any]],
        draws: Sequence[int],
    ):
        self.graph = graph
        self.n_given, self.n_cells = n_given, n_cells
        self.order, self.built_in = order, built_in
        self.scalars, self.draws = scalars, draws

    def __call__(self, arrays: Sequence[Any], draws: Sequence[Any] = ()) -> tuple:
        """The graph's outputs for placeholders, variables and passed arrays, in this order."""
        first, last = self.n_given, self.n_given + self.n_cells
        # Ops call methods of `jax.Array`, which NumPy's lack.
        built_in = [jnp.asarray(value) for value in self.built_in]
        groups = (arrays[first:last], arrays[last:], built_in)
        scalars: list[Any] = [jnp.asarray(value, kind.dtype) for value, kind in self.scalars]
        for i, value in zip(self.draws, draws, strict=True):
            scalars[i] = value
        return tuple(self.graph([*arrays[:first], *(groups[kind][i] for kind, i in self.order)], scalars))

    def in_stream(self, *arrays: Any) -> tuple:
        """As the function of an op: draws are the last arguments."""
        split = len(arrays) - len(self.draws)
        return self(arrays[:split], arrays[split:])

    def alone(self, *arrays: Any) -> tuple:
        """As a program: draws come as one vector, the last argument."""
        if not self.draws:
            return self(arrays)
        return self(arrays[:-1], [arrays[-1][i] for i in range(len(self.draws))])
