"""Capturing Python code into a `Graph`: tensors are symbolic, places in the graph, and have no values."""

from collections.abc import Callable, Sequence
from typing import Any

from tapejax.engine import stream
from tapejax.engine.aval import Aval
from tapejax.engine.graph import Graph, Node, path

__all__ = ["Capture", "SymbolicValueError", "capture"]


class SymbolicValueError(TypeError):
    """Code that is being captured asked for the value of a symbolic tensor."""


class Capture(stream.Trace):
    """A trace that is never run: what it records becomes a `Graph`. Outer tensors become inputs, pending or not."""

    __slots__ = ()

    symbolic = True

    def enter(self, t: Any) -> int:
        slot = self.entered.get(id(t))
        return self._add_input(t) if slot is None else slot

    def flush(self, reason: str) -> None:
        raise SymbolicValueError(f"a captured graph has no values yet ({reason})")

    def resolve(self, t: Any) -> None:
        raise SymbolicValueError("using a symbolic tensor as a Python value is not allowed: it has no value while "
                                 "its graph is captured")


class Captured:
    """What `capture` returns.

    Attributes:
      results: what the function returned.
      inputs: the outer tensors it used, in the order that `graph` takes them after the placeholders.
      scalars: the Python numbers it used, as ``(number, ScalarKind)`` inputs for `stream.record`.
      end: the trie node of the captured program: equal programs have the same one.
    """

    def __init__(self, trace: Capture, results: Any, n_placeholders: int):
        self.results = results
        self.end: Node = trace.node
        self.inputs: Sequence[Any] = trace.inputs[n_placeholders:]
        self.scalars = [(value, kind) for value, kind in
                        zip(trace.scalars, (k for n in path(trace.node) for k in n.scalars), strict=True)]
        self._trace = trace

    def slots(self, tensors: Sequence[Any]) -> tuple[int, ...]:
        """Where the program computes these results."""
        return tuple(t._slot if t._trace is self._trace else self._trace.enter(t) for t in tensors)

    def graph(self, tensors: Sequence[Any]) -> Graph:
        """The program as a pure function ``graph([*placeholders, *inputs], scalars) -> values of tensors``."""
        slots = self.slots(tensors)
        return Graph(path(self._trace.node), slots)


def capture(fn: Callable[..., Any], avals: Sequence[Aval]) -> Captured:
    """Calls `fn` with one symbolic tensor for each aval and captures what it records. Tapes outside do not see it."""
    trace = Capture()
    placeholders = []
    for a in avals:
        t = stream.place(trace, -1, a)
        t._slot = trace._add_input(t)
        placeholders.append(t)
    with stream.isolated(trace):
        results = fn(*placeholders)
    return Captured(trace, results, len(placeholders))
