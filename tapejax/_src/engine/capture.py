"""Captures a Python function as a `Graph`, as `tf.function` does.

The function is called with symbolic tensors. A symbolic tensor stands for a slot of the graph and has no value.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import lax

from tapejax._src.engine import stream
from tapejax._src.engine.aval import Aval, ScalarKind
from tapejax._src.engine.graph import Graph, Node, path
from tapejax._src.engine.op import NO_STATIC, Op
from tapejax._src.engine.policy import Event

__all__ = ["Capture", "Captured", "Reads", "SymbolicValueError", "capture", "lifted", "read_as"]


class SymbolicValueError(TypeError):
    """Raised if code that is being captured asks for the value of a symbolic tensor."""

    is_final = True  # ops raise it on unchanged: the code that captures handles it


@jax.custom_jvp
def read_as(source: Any, value: Any) -> Any:
    """Returns `value`. The gradient of the result is passed to `source`, not to `value`."""
    return value


read_as.defjvp(lambda primals, tangents: (primals[1], tangents[0]))
_ASSIGNED = Op("assigned", read_as, differentiable=False)
_STOPPED = Op("assigned", lax.stop_gradient, differentiable=False)


class Capture(stream.Trace):
    """A trace that is never run. Its ops become a `Graph`. Tensors from outside become inputs, even pending ones.

    Attributes:
      draws: ``(index, step)`` pairs, for random ops. ``scalars[index]`` is an op's position in its random sequence.
        It grows by `step` each time the graph runs.
      seeds: state from which the random ops of this graph get their numbers. The code of the random ops creates it.
    """

    __slots__ = ("draws", "seeds")

    symbolic = True

    def __init__(self) -> None:
        super().__init__()
        self.draws: list[tuple[int, int]] = []
        self.seeds: Any = None

    def enter(self, t: Any) -> int:
        slot = self.entered.get(id(t))
        return self._add_input(t) if slot is None else slot

    def assigning(self, cell: stream.Cell) -> None:
        self.assigned.setdefault(id(cell), (cell, cell._tensor))

    def cut(self, cell: stream.Cell, tensor: Any) -> Any:
        """Returns the tensor that the variable `cell` gets when `tensor` is assigned to it in a captured graph.

        As in TensorFlow, no gradient flows through an assignment to the assigned tensor. The gradient of a variable is
        the sum over all reads, also those after the assignment. The returned tensor therefore passes its gradient to
        the tensor that the variable had before.
        """
        before = self.assigned[id(cell)][1]
        if not tensor.aval.inexact:
            return tensor
        if before.aval is not tensor.aval:
            return stream.record(_STOPPED, NO_STATIC, (tensor,))
        return stream.record(_ASSIGNED, NO_STATIC, (before, tensor))

    def _add_input(self, t: Any) -> int:
        if t.aval.dtype == object:
            raise SymbolicValueError("strings live on the host")
        return super()._add_input(t)

    def flush(self, event: Event) -> None:
        raise SymbolicValueError(f"a captured graph has no values yet ({event.value})")

    def resolve(self, t: Any) -> None:
        if stream.thread.trace is self or self in stream.thread.below:
            raise SymbolicValueError(
                "using a symbolic tensor as a Python value is not allowed: it has no value while its graph is captured"
            )
        error = TypeError(
            f"{t!r} is out of scope and cannot be used here: the function that it belongs to is captured "
            "already. Return it from there"
        )
        error.is_final = True  # type: ignore[attr-defined]
        raise error


class Reads:
    """Collects the trainable variables that code reads. It takes the place of a tape while the code runs."""

    def __init__(self) -> None:
        self.variables: dict[int, Any] = {}
        # Each variable with each tensor that was read from it, keyed by their ids. Gradients inside the code need them.
        self.tensors: dict[tuple[int, int], tuple[Any, Any]] = {}

    def begin(self, trace: Any) -> None:
        """Does nothing when a new trace starts: only reads of variables are collected."""

    def note_read(self, variable: Any, tensor: Any) -> None:
        """Notes that a trainable variable was read."""
        self.variables.setdefault(id(variable), variable)
        self.tensors.setdefault((id(variable), id(tensor)), (variable, tensor))


class Captured:
    """A captured function, as `capture` returns it.

    Attributes:
      results: what the function returned.
      scalars: the Python numbers that the function used, as ``(number, ScalarKind)`` inputs for `stream.record`.
      draws: the numbers that change with each run; see `Capture`.
      reads: the trainable variables that the function read.
      assigned: ``(variable, tensor before, tensor in the graph)`` for each variable that the function assigned. After
        the capture, the variables have their tensors from before again.
      end: the last trie node of the captured program. Equal programs end in the same node.
    """

    def __init__(
        self,
        trace: Capture,
        results: Any,
        n_placeholders: int,
        reads: Sequence[Any],
        assigned: Sequence[tuple[Any, Any, Any]],
    ):
        self.results = results
        self.end: Node = trace.node
        self._first = n_placeholders
        self.scalars = [
            (value, kind)
            for value, kind in zip(trace.scalars, (k for n in path(trace.node) for k in n.scalars), strict=True)
        ]
        self.draws: Sequence[tuple[int, int]] = trace.draws
        self.reads = reads
        self.assigned = assigned
        self._trace = trace

    @property
    def inputs(self) -> Sequence[Any]:
        """Tensors from outside, in the order that `graph` takes them after the placeholders. `slots` may add some."""
        return self._trace.inputs[self._first :]

    def slots(self, tensors: Sequence[Any]) -> tuple[int, ...]:
        """Returns the slots of tensors in the program. A tensor from outside becomes an input."""
        return tuple(t._slot if t._trace is self._trace else self._trace.enter(t) for t in tensors)

    def graph(self, tensors: Sequence[Any]) -> Graph:
        """Returns the program as a pure function ``graph([*placeholders, *inputs], scalars) -> values of tensors``."""
        slots = self.slots(tensors)
        return Graph(path(self._trace.node), slots)

    def numbers(self, run: int = 0, runs: int = 1) -> list[tuple[Any, ScalarKind]]:
        """Returns the Python numbers for one run of the graph.

        The caller must record them at once, in an op whose other inputs are tensors.

        Args:
          run: how often the graph has run before. The random ops continue their sequences from there.
          runs: how many runs of the graph are recorded as one, as for the turns of a loop.
        """
        outer = stream.current()
        found = list(self.scalars)
        for i, step in self.draws:
            found[i] = (found[i][0] + run * step, found[i][1])
            if outer.symbolic:
                outer.draws.append((len(outer.scalars) + i, step * runs))
        return found

    def note_reads(self) -> None:
        """Reports the variables that the captured code reads to the open tapes."""
        for variable in self.reads:
            variable._read()


def capture(fn: Callable[..., Any], avals: Sequence[Aval]) -> Captured:
    """Calls `fn` with one symbolic tensor for each aval and captures its ops. Tapes outside do not follow them."""
    trace = Capture()
    reads = Reads()
    placeholders = []
    for a in avals:
        t = stream.place(trace, -1, a)
        t._slot = trace._add_input(t)
        placeholders.append(t)
    try:
        with stream.isolated(trace):
            stream.thread.tapes.append(reads)
            results = fn(*placeholders)
    finally:
        assigned = [(cell, before, cell._tensor) for cell, before in trace.assigned.values()]
        for cell, before, _ in assigned:
            cell._tensor = before
    return Captured(trace, results, len(placeholders), list(reads.variables.values()), assigned)


def lifted(t: Any) -> Any:
    """Computes a symbolic tensor outside the captured graphs, as is needed for the initial value of a variable.

    Raises:
      SymbolicValueError: the tensor depends on an argument of the captured function.
    """
    trace = t._trace
    graph = Graph(path(trace.node), [t._slot])
    needed = {t._slot, *(slot for node in graph.nodes for slot in node.inputs)}
    inputs, places = [], []
    for i, (outer, slot) in enumerate(zip(trace.inputs, graph.input_slots, strict=True)):
        if slot in needed:
            if outer._trace is trace:
                raise SymbolicValueError(
                    "a variable's initial value depends on an argument of the function that is "
                    "being captured: make the variable outside"
                )
            inputs.append(lifted(outer) if outer._value is None and outer._trace.symbolic else outer)
            places.append(i)
    scalars = [np.asarray(value, kind.dtype) for value, (_, kind) in zip(trace.scalars, graph.scalars, strict=True)]

    def compute(*arrays: Any) -> Any:
        given: list[Any] = [None] * len(graph.input_slots)
        for place, array in zip(places, arrays, strict=True):
            given[place] = array
        return graph(given, scalars)[0]

    with stream.outside_captures():
        return stream.record(Op("initial_value", compute), NO_STATIC, tuple(inputs))
