"""Capturing Python code into a `Graph`: tensors are symbolic, places in the graph, and have no values."""

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
    """Code that is being captured asked for the value of a symbolic tensor."""

    is_final = True  # ops do not wrap it: whoever captures decides what it means


@jax.custom_jvp
def read_as(source: Any, value: Any) -> Any:
    """`value`, whose gradient goes to `source`."""
    return value


read_as.defjvp(lambda primals, tangents: (primals[1], tangents[0]))
_ASSIGNED = Op("assigned", read_as, differentiable=False)
_STOPPED = Op("assigned", lax.stop_gradient, differentiable=False)


class Capture(stream.Trace):
    """A trace that is never run: what it records becomes a `Graph`. Outer tensors become inputs, pending or not.

    Attributes:
      draws: ``(index in scalars, step)`` of the numbers that move on by `step` each time the graph runs: the places of
        random ops in their sequences.
      seeds: what numbers the random ops of this graph; theirs to make.
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
        """What `cell` holds after the assignment of `tensor`, for a graph that is differentiated as a whole.

        As in TensorFlow, gradients do not flow through an assignment, and every read of a variable counts for it.
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
    """Collects the trainable variables that code reads. It is in the list of tapes while the code runs."""

    def __init__(self) -> None:
        self.variables: dict[int, Any] = {}
        # By ids: a variable and the tensor that it had. Gradients inside the code need them.
        self.tensors: dict[tuple[int, int], tuple[Any, Any]] = {}

    def begin(self, trace: Any) -> None:
        """Needs nothing of a trace."""

    def note_read(self, variable: Any, tensor: Any) -> None:
        """A trainable variable was read."""
        self.variables.setdefault(id(variable), variable)
        self.tensors.setdefault((id(variable), id(tensor)), (variable, tensor))


class Captured:
    """What `capture` returns.

    Attributes:
      results: what the function returned.
      scalars: the Python numbers it used, as ``(number, ScalarKind)`` inputs for `stream.record`.
      draws: see `Capture`.
      reads: the trainable variables it read.
      assigned: ``(variable, its tensor before, its tensor in the graph)`` of those it assigned. They have their old
        tensors again.
      end: the trie node of the captured program: equal programs have the same one.
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
        """Outer tensors, in the order that `graph` takes them after the placeholders. `slots` may add some."""
        return self._trace.inputs[self._first :]

    def slots(self, tensors: Sequence[Any]) -> tuple[int, ...]:
        """Where the program computes these results."""
        return tuple(t._slot if t._trace is self._trace else self._trace.enter(t) for t in tensors)

    def graph(self, tensors: Sequence[Any]) -> Graph:
        """The program as a pure function ``graph([*placeholders, *inputs], scalars) -> values of tensors``."""
        slots = self.slots(tensors)
        return Graph(path(self._trace.node), slots)

    def numbers(self, run: int = 0, runs: int = 1) -> list[tuple[Any, ScalarKind]]:
        """`scalars` for the run of this number, to be recorded now, after inputs that are all tensors.

        Args:
          run: how often the graph has run: random ops go on where they stopped.
          runs: how many runs this one stands for (the turns of a loop).
        """
        outer = stream.current()
        found = list(self.scalars)
        for i, step in self.draws:
            found[i] = (found[i][0] + run * step, found[i][1])
            if outer.symbolic:
                outer.draws.append((len(outer.scalars) + i, step * runs))
        return found

    def note_reads(self) -> None:
        """Tells the tapes that are recording now of the variables that the captured code reads."""
        for variable in self.reads:
            variable._read()


def capture(fn: Callable[..., Any], avals: Sequence[Aval]) -> Captured:
    """Calls `fn` with one symbolic tensor for each aval and captures what it records. Tapes outside do not see it."""
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
    """A symbolic tensor computed outside the captures, as a variable's initial value must be.

    Raises:
      SymbolicValueError: it depends on what the captured function is called with.
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
