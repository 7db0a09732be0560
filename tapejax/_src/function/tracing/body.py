"""`Body`: the pure JAX function that a captured function computes. It holds no variables and no tensors.

The caches of compiled programs keep a body alive. If it held variables, a model that once ran under a tape would never
be freed.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.engine.graph import Graph

__all__ = ["Body"]


class Body:
    """A captured graph, and where each of its inputs comes from.

    Args:
      graph: the captured graph. It takes values for its placeholders, followed by inputs of three kinds as listed in
        `order`.
      n_given: the number of placeholders.
      n_cells: the number of inputs that are variables.
      order: a pair (kind, position) for each input. Kind 0 is a variable, 1 an array that is passed at each call, and
        2 one of `built_in`.
      built_in: arrays that are constants of the program.
      scalars: a pair ``(number, ScalarKind)`` for each Python number. They are constants of the program, except those
        whose positions are in `draws`.
      draws: positions in `scalars` of the counters of random ops, which are passed at each call.
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
        """The graph's outputs. `arrays` holds the values of placeholders and variables, and the passed arrays."""
        first, last = self.n_given, self.n_given + self.n_cells
        # Ops call methods of `jax.Array` that NumPy arrays lack, so the constants are converted.
        built_in = [jnp.asarray(value) for value in self.built_in]
        groups = (arrays[first:last], arrays[last:], built_in)
        scalars: list[Any] = [jnp.asarray(value, kind.dtype) for value, kind in self.scalars]
        for i, value in zip(self.draws, draws, strict=True):
            scalars[i] = value
        return tuple(self.graph([*arrays[:first], *(groups[kind][i] for kind, i in self.order)], scalars))

    def in_stream(self, *arrays: Any) -> tuple:
        """The function as that of an op. The last arguments are the counters of random ops."""
        split = len(arrays) - len(self.draws)
        return self(arrays[:split], arrays[split:])

    def alone(self, *arrays: Any) -> tuple:
        """The function as a program of its own. The last argument is a vector with the counters of random ops."""
        if not self.draws:
            return self(arrays)
        return self(arrays[:-1], [arrays[-1][i] for i in range(len(self.draws))])
