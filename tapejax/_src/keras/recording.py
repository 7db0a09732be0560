"""The Keras stack's only door to the engine.

Layers, losses and optimizers describe their computations as ops: pure functions of JAX arrays. They hand them to
`record` here, and import nothing from `tapejax._src.engine` themselves. `record` does not run an op: it appends the op
to the program that the engine compiles and runs when a value is needed (ARCHITECTURE.md describes how).

`Op`, `static`, `record` and `isolated` are the engine's own objects under their own names, not wrappers, because a
training step calls them often.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import numpy as np

from tapejax._src.engine import policy, stream
from tapejax._src.engine.aval import ScalarKind, scalar_kind
from tapejax._src.engine.op import Inferred, Op, Static, static
from tapejax._src.engine.stream import isolated, record

__all__ = [
    "Op",
    "UpdateOp",
    "float32_input",
    "float64_input",
    "isolated",
    "fuses_activations",
    "record",
    "static",
    "value_of",
]

_F32, _F64 = scalar_kind(np.dtype(np.float32)), scalar_kind(np.dtype(np.float64))


def float32_input(number: Any) -> tuple[float, ScalarKind]:
    """A Python number as a float32 input of a recorded op.

    The compiled program takes the number as an argument. Another number, such as a decayed learning rate, therefore
    needs no new compilation.

    >>> double = Op("double", lambda x: 2 * x)
    >>> float(record(double, static(), (float32_input(1.5),)))
    3.0
    """
    return float(number), _F32


def float64_input(number: Any) -> tuple[float, ScalarKind]:
    """A Python number as a float64 input of a recorded op; see `float32_input`."""
    return float(number), _F64


def fuses_activations() -> bool:
    """Whether a layer should record its activation as part of its product; see `engine.policy`."""
    return policy.fuses_activations(stream.thread)


def value_of(tensor: Any) -> Any:
    """The array that a tensor holds: a NumPy or a JAX array. If the tensor is pending, its program runs first."""
    return stream.realize(tensor)


class UpdateOp(Op):
    """An op that returns new values for some of its inputs, each of the same shape and dtype as the input.

    The engine therefore knows the shapes of the results without tracing `fn`, which for a step over many variables
    takes long. Such an op has no gradient.

    Args:
      name: for error messages, `explain` and profiles.
      fn: the JAX function. Static arguments are passed by keyword.
      updated: a function of the static arguments (a dictionary) and the number of inputs. It returns the positions
        of the inputs that `fn` returns new values for, in the order of the results.
      check: a function of the static arguments and the inputs' shapes and dtypes (`jax.ShapeDtypeStruct`). It raises
        ValueError if `fn` cannot take these inputs.

    >>> count = UpdateOp("count", lambda n, by: n + by, lambda options, inputs: (0,), lambda options, inputs: None)
    >>> after, = record(count, static(), (float32_input(1.0), float32_input(2.0)))
    >>> float(after)
    3.0
    """

    __slots__ = ("_check", "_updated")

    def __init__(
        self,
        name: str,
        fn: Callable[..., Any],
        updated: Callable[[dict[str, Any], int], Iterable[int]],
        check: Callable[[dict[str, Any], Sequence[Any]], None],
    ):
        super().__init__(name, fn, differentiable=False)
        self._updated = updated
        self._check = check

    def _infer(self, static: Static, avals: tuple) -> Inferred:
        with jax.enable_x64(True):
            self._check(static.kwargs, [a.struct for a in avals])
        return Inferred(tuple(avals[i] for i in self._updated(static.kwargs, len(avals))), False)
