"""What control flow is made of: captured functions, their results as flat tensors, their variables as state."""

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

# How many draws a random op inside a loop of unknown length sets aside.
UNKNOWN_TURNS: Final = 1 << 20


def is_staged(values: Iterable[Any] = ()) -> bool:
    """Whether control flow must become part of the program: a graph is being captured, or a value is a JAX tracer."""
    if stream.current().symbolic:
        return True
    return any(
        isinstance(v, Tensor) and v._value is not None and v.aval.dtype != object and not is_concrete(v._value)
        for v in values
    )


def leaves_of(structure: Any) -> list[Any]:
    """Tensors, None and TensorArrays of a structure, in order."""
    return [
        leaf if leaf is None or isinstance(leaf, TensorArray) else to_tensor(leaf)
        for leaf in nest.flatten(structure, expand_composites=True)
    ]


def flatten(leaves: list[Any]) -> list[Tensor | None]:
    """The leaves as tensors; None for None, and for TensorArrays of which nothing is known yet."""
    return [leaf._packed() if isinstance(leaf, TensorArray) else leaf for leaf in leaves]


def pack(structure: Any, leaves: list[Any], tensors: Sequence[Tensor | None]) -> Any:
    """A structure with other tensors in it."""
    filled = [leaf._like(t) if isinstance(leaf, TensorArray) else t for leaf, t in zip(leaves, tensors, strict=True)]
    return nest.pack_sequence_as(structure, filled, expand_composites=True)


class Region:
    """A captured function.

    Args:
      fn: takes one tensor for each aval and returns a structure.
      avals: what it takes.

    Attributes:
      structure: what it returned.
      leaves: the leaves of that (see `leaves_of`), and `tensors`, their values in the graph.
      captured: see `engine.capture.Captured`.
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
                    raise SymbolicValueError("strings live on the host and cannot pass through compiled control flow")
                if t is not None and t._trace is not trace:
                    trace.enter(t)  # passed on as it is: an input and a result

        self.structure: Any = None
        self.leaves: list[Any] = []
        self.tensors: list[Tensor | None] = []
        self.captured = capture(run, avals)

    @property
    def assigned(self) -> dict[int, tuple[Variable, Tensor, Tensor]]:
        """By identity: the variables it assigns, their tensors before, and after in the graph."""
        return {id(v): (v, before, after) for v, before, after in self.captured.assigned}

    def graph(self, tensors: Sequence[Tensor]) -> Graph:
        """The function of placeholders, inputs and numbers that computes these results."""
        return self.captured.graph(tensors)


class Plan:
    """How the regions of an op get their inputs, without the tensors themselves: what the op keeps, and is known by.

    Args:
      wires: for each region, where each of its inputs comes from: an invariant, or the variable -1 - k.
      counts: for each region, how many Python numbers it takes.
      draws: see `engine.capture.Capture`.
    """

    def __init__(self, wires: tuple, counts: tuple[int, ...], draws: tuple):
        self.key = (wires, counts, draws)
        self._wires, self._counts, self._draws = self.key

    def feed(self, which: int, variables: Sequence[Any], invariants: Sequence[Any]) -> list[Any]:
        """The inputs of a region after its placeholders."""
        return [variables[-1 - w] if w < 0 else invariants[w] for w in self._wires[which]]

    def numbers(self, scalars: Sequence[Any], turn: Any = None) -> list[list[Any]]:
        """The numbers of each region; in a turn of a loop random ops go on in their sequences."""
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
    """Where the regions of one op get their inputs: from variables that they carry, or from inputs of the op.

    Attributes:
      variables: those that some region assigns, and `befores`, their tensors.
      invariants: all other tensors that the regions use, without repetition.
      plan: how each input of each region is wired.
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
        """What a region leaves in the variables; None where it assigns nothing."""
        assigned = self.regions[which].assigned
        return [assigned[id(v)][2] if id(v) in assigned else None for v in self.variables]

    def finish(self, values: Sequence[Tensor]) -> None:
        """Gives the variables their values after the op."""
        for variable, value in zip(self.variables, values, strict=True):
            variable._overwrite(value)


def effects(regions: Sequence[Region]) -> dict[str, Any]:
    """What the op of these regions does besides returning values, as arguments of `Op`."""
    return {what: any(getattr(r.captured.end, what) for r in regions) for what in ("acts", "may_fail")}


def numbers(regions: Sequence[Region], turns: int = 1) -> list[Any]:
    """The Python numbers of regions, for `stream.record`, after inputs that are all tensors."""
    outer = stream.current()
    found: list[Any] = []
    for region in regions:
        before = len(outer.draws) if outer.symbolic else 0
        values = region.captured.numbers(runs=turns)
        if outer.symbolic:
            # `Captured.numbers` takes its own for the first of the op.
            outer.draws[before:] = [(at + len(found), step) for at, step in outer.draws[before:]]
        found += values
        region.captured.note_reads()
    return found
