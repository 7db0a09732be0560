"""The parts of control-flow ops: captured functions (regions), and the wiring of their inputs, results and variables.

A branch or loop body is captured as a `Region`. Variables that a region assigns become part of the op's state: their
old values are inputs of the op, and their new values are results.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import jax.numpy as jnp
from jax import lax

from tapejax._src.core import nest
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable
from tapejax._src.engine import stream
from tapejax._src.engine.aval import Aval
from tapejax._src.engine.capture import SymbolicValueError, capture
from tapejax._src.engine.graph import Graph
from tapejax._src.engine.program import is_concrete
from tapejax._src.function.control_flow.tensor_array import TensorArray

__all__ = ["Plan", "Region", "Wiring", "effects", "flatten", "is_staged", "numbers", "pack"]

# The number of draws that are reserved for a random op inside a loop of unknown length.
UNKNOWN_TURNS: Final = 1 << 20


def is_staged(values: Iterable[Any] = ()) -> bool:
    """Whether control flow must become an op, because a graph is being captured or one of the values is a tracer."""
    if stream.current().symbolic:
        return True
    return any(
        isinstance(v, Tensor) and v._value is not None and v.aval.dtype != object and not is_concrete(v._value)
        for v in values
    )


def leaves_of(structure: Any) -> list[Any]:
    """The leaves of a structure, in order: tensors, None and TensorArrays. Other leaves are converted to tensors."""
    return [
        leaf if leaf is None or isinstance(leaf, TensorArray) else to_tensor(leaf)
        for leaf in nest.flatten(structure, expand_composites=True)
    ]


def flatten(leaves: list[Any]) -> list[Tensor | None]:
    """One tensor for each leaf. It is None for a leaf of None, and for a TensorArray with unknown element shape."""
    return [leaf._packed() if isinstance(leaf, TensorArray) else leaf for leaf in leaves]


def pack(structure: Any, leaves: list[Any], tensors: Sequence[Tensor | None]) -> Any:
    """A structure like the given one, with other tensors. `leaves` are its leaves as given by `leaves_of`."""
    filled = [leaf._like(t) if isinstance(leaf, TensorArray) else t for leaf, t in zip(leaves, tensors, strict=True)]
    return nest.pack_sequence_as(structure, filled, expand_composites=True)


class Region:
    """A captured function, such as a branch of a condition or the body of a loop.

    Args:
      fn: the function. It takes one tensor for each aval and returns a structure.
      avals: the shapes and dtypes of the tensors that it takes.

    Attributes:
      structure: what the function returned.
      leaves: the leaves of `structure`, see `leaves_of`.
      tensors: one symbolic tensor for each leaf, see `flatten`.
      captured: the capture, see `engine.capture.Captured`.
    """

    def __init__(self, fn: Callable[..., Any], avals: Sequence[Aval]):
        def run(*placeholders: Tensor) -> None:
            self.structure = fn(*placeholders)
            self.leaves = leaves_of(self.structure)
            self.tensors = flatten(self.leaves)
            trace = stream.current()
            assigned = [cell._tensor for cell, _ in trace.assigned.values()]
            for t in (*self.tensors, *assigned):
                if t is not None and t.aval.dtype == object:
                    raise SymbolicValueError("XLA has no strings: they cannot pass through compiled control flow")
                if t is not None and t._trace is not trace:
                    trace.enter(t)  # the tensor comes from outside and is returned as it is, so it becomes an input

        self.structure: Any = None
        self.leaves: list[Any] = []
        self.tensors: list[Tensor | None] = []
        self.captured = capture(run, avals)

    @property
    def assigned(self) -> dict[int, tuple[Variable, Tensor, Tensor]]:
        """The variables that the region assigns, by `id`: the variable, its old tensor, and its symbolic new value."""
        return {id(v): (v, before, after) for v, before, after in self.captured.assigned}

    def graph(self, tensors: Sequence[Tensor]) -> Graph:
        """The graph that computes the given tensors from the placeholders, other inputs and Python numbers."""
        return self.captured.graph(tensors)


class Plan:
    """Where the regions of an op get their inputs from, without the tensors themselves.

    The op keeps its plan as long as it lives, so the plan must not keep tensors alive. It is a part of the op's key.

    Args:
      wires: for each region, the source of each input: k >= 0 stands for invariant k, and -1 - k for variable k.
      counts: for each region, the number of Python numbers that it takes.
      draws: for each region, the counters of its random ops, see `engine.capture.Capture`.
    """

    def __init__(self, wires: tuple, counts: tuple[int, ...], draws: tuple):
        self.key = (wires, counts, draws)
        self._wires, self._counts, self._draws = self.key

    def feed(self, which: int, variables: Sequence[Any], invariants: Sequence[Any]) -> list[Any]:
        """The inputs of a region that come after its placeholders."""
        return [variables[-1 - w] if w < 0 else invariants[w] for w in self._wires[which]]

    def numbers(self, scalars: Sequence[Any], turn: Any = None) -> list[list[Any]]:
        """The Python numbers of each region. In a loop, the counters of random ops are advanced to iteration `turn`."""
        found, at = [], 0
        for count, draws in zip(self._counts, self._draws, strict=True):
            own = list(scalars[at : at + count])
            if turn is not None:
                for k, step in draws:
                    kind = own[k].dtype
                    own[k] = own[k] + lax.convert_element_type(turn, kind) * jnp.asarray(step, kind)
            found.append(own)
            at += count
        return found


class Wiring:
    """Collects the inputs of the regions of one op: variables that they assign, and all other tensors.

    Args:
      regions: the regions.

    Attributes:
      variables: the variables that some region assigns.
      befores: the tensors of these variables before the op.
      invariants: all other tensors that the regions use, without repetition.
      plan: the source of each input of each region.
    """

    def __init__(self, regions: Sequence[Region]):
        found: dict[int, tuple[Variable, Tensor]] = {}
        for region in regions:
            found.update((k, (v, before)) for k, (v, before, _) in region.assigned.items())
        self.variables = [v for v, _ in found.values()]
        self.befores = [t for _, t in found.values()]
        self.regions = regions
        carried = {id(t): k for k, t in enumerate(self.befores)}
        positions: dict[int, int] = {}
        self.invariants: list[Tensor] = []
        all_wires = []
        for region in regions:
            wires = []
            for t in region.captured.inputs:
                if id(t) in carried:
                    wires.append(-1 - carried[id(t)])
                    continue
                if id(t) not in positions:
                    positions[id(t)] = len(self.invariants)
                    self.invariants.append(t)
                wires.append(positions[id(t)])
            all_wires.append(tuple(wires))
        self.plan = Plan(
            tuple(all_wires),
            tuple(len(region.captured.scalars) for region in regions),
            tuple(tuple(region.captured.draws) for region in regions),
        )

    def after(self, which: int) -> list[Tensor | None]:
        """The new values that a region gives to `variables`; None for a variable that it does not assign."""
        assigned = self.regions[which].assigned
        return [assigned[id(v)][2] if id(v) in assigned else None for v in self.variables]

    def finish(self, values: Sequence[Tensor]) -> None:
        """Assigns the variables their values after the op."""
        for variable, value in zip(self.variables, values, strict=True):
            variable._overwrite(value)


def effects(regions: Sequence[Region]) -> dict[str, Any]:
    """Keyword arguments of `Op` that say whether the regions have side effects (`acts`) and whether they may fail."""
    return {what: any(getattr(r.captured.end, what) for r in regions) for what in ("acts", "may_fail")}


def numbers(regions: Sequence[Region], turns: int = 1) -> list[Any]:
    """The Python numbers of regions, in the form that `stream.record` takes after all tensors.

    Args:
      regions: the regions.
      turns: the greatest number of iterations, for which random ops reserve draws.
    """
    outer = stream.current()
    found: list[Any] = []
    for region in regions:
        before = len(outer.draws) if outer.symbolic else 0
        values = region.captured.numbers(runs=turns)
        if outer.symbolic:
            # `Captured.numbers` gives positions as if this region's numbers were the first. They are shifted by the
            # count of the numbers before them.
            outer.draws[before:] = [(at + len(found), step) for at, step in outer.draws[before:]]
        found += values
        region.captured.note_reads()
    return found
