"""The computation that a tape saw, as a graph of ops and values, for `GradientTape.explain` and `draw`.

The graph is built from the trie when it is asked for, so recording an op costs nothing more.
"""

import weakref
from collections.abc import Iterable
from typing import Any

from tapejax._src.autodiff.record import Key, Record
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable
from tapejax._src.engine.graph import Node, path

__all__ = ["History", "Step"]


class Step:
    """A recorded op.

    Attributes:
      node: the trie node of the op.
      ins: the keys of the values that it reads.
      outs: the keys of the values that it computes.
      place: whether the op was recorded "before", "inside" or "after" the tape's recording, or "between" two parts
        of it.
      custom: whether its gradient is a function of the user (`tf.custom_gradient`).
    """

    __slots__ = ("custom", "ins", "node", "outs", "place")

    def __init__(self, node: Node, ins: list[Key], outs: list[Key], place: str, custom: bool):
        self.node = node
        self.ins = ins
        self.outs = outs
        self.place = place
        self.custom = custom

    @property
    def passes(self) -> bool:
        """Whether the tape computes derivatives through this op."""
        op = self.node.op
        return (
            self.place == "inside" and op is not None and op.differentiable and any(a.inexact for a in self.node.avals)
        )


class History:
    """All ops of the traces that a tape saw.

    Args:
      traces: one tuple for each trace: the trace, the ranges of it that the tape recorded, and the keys of its inputs
        by slot.
      watched: one tuple for each watched value: the position of the trace in `traces`, the depth in the trace at which
        it was watched, and its key.
      sources: from the `id` of a variable or tensor to the keys of all values read from it.
      reads: one tuple for each time the user's code read a value while the tape was recording: the position of the
        trace in `traces`, and the place in the code.
    """

    def __init__(
        self,
        traces: list[tuple[Any, list, dict[int, Key]]],
        watched: list[tuple[int, int, Key]],
        sources: dict[int, list[Key]],
        reads: list[tuple[int, Any]],
    ):
        self.traces = [t for t, _, _ in traces]
        self.watched = watched
        self.reads = reads
        self._sources = sources
        self.steps: list[Step] = []
        self.input_of: dict[Key, int] = {}  # for each input of a trace, the position of the first trace that it entered
        for i, (trace, ranges, links) in enumerate(traces):
            self._add(i, trace, ranges, links)
        self.producer = {k: s for s in self.steps for k in s.outs}

    @staticmethod
    def facts(record: Record) -> tuple:
        """The arguments of `History` for a tape's record. They hold no tensors, and take little time to collect."""
        order = list({id(s.trace): s.trace for s in record.segments}.values())
        at = {id(t): i for i, t in enumerate(order)}
        ranges: list[list] = [[] for _ in order]
        links: list[dict[int, Key]] = [{} for _ in order]
        watched, reads = [], []
        for segment in record.segments:
            i = at[id(segment.trace)]
            ranges[i] += segment.ranges
            known = segment.links or {segment.trace.entered[id(t)]: record.key(t) for t in segment.trace.inputs}
            known = {slot: k() if isinstance(k, weakref.ref) else k for slot, k in known.items()}
            links[i] |= {slot: id(k) if isinstance(k, Tensor) else k for slot, k in known.items() if k is not None}
            watched += [
                (i, depth, key)
                for depth, key in segment.watched or [(depth, record.key(t)) for depth, t in segment.events]
            ]
            if segment.read_at is not None:
                reads.append((i, segment.read_at))
        sources = {k: [record.key(t) for t in tensors] for k, (_, tensors) in record.reads.items()}
        return list(zip(order, ranges, links, strict=True)), watched, sources, reads

    @staticmethod
    def facts_of_plan(trace: Any, plan: tuple, sources: list[Any]) -> tuple:
        """The arguments of `History` for a tape whose only `gradient` call used a plan (see `backward.backward`)."""
        ranges, events, _, _, _, wanted = plan
        known = {
            id(s): [(trace, slot) for slot in slots if slot >= 0] for s, slots in zip(sources, wanted, strict=True)
        }
        return [(trace, list(ranges), {})], [(0, depth, (trace, slot)) for depth, slot in events], known, []

    def _add(self, i: int, trace: Any, ranges: list, links: dict[int, Key]) -> None:
        first = min((r[0] for r in ranges), default=0)
        last = max((float("inf") if r[1] is None else r[1] for r in ranges), default=0)
        for node in path(trace.node):
            if node.op is None:
                self.input_of.setdefault(links.get(node.slot, (trace, node.slot)), i)
                continue
            inside = any(a < node.depth and (b is None or node.depth <= b) for a, b in ranges)
            place = (
                "inside"
                if inside
                else "before"
                if node.depth <= first
                else ("after" if node.depth > last else "between")
            )
            ins = [links.get(slot, (trace, slot)) for slot in node.inputs]
            outs = [(trace, node.slot + k) for k in range(len(node.avals))]
            self.steps.append(Step(node, ins, outs, place, node.op.name == "custom_gradient"))

    def keys(self, of: Any) -> list[Key]:
        """The keys of the values that a variable or tensor had. Empty for a variable that the tape did not see."""
        found = self._sources.get(id(of))
        if found is not None:
            return found
        if isinstance(of, Variable):
            return []
        return [self.key(of)]

    def key(self, tensor: Tensor) -> Key:
        """The key of a tensor."""
        trace = tensor._trace
        if any(t is trace for t in self.traces):
            return (trace, tensor._slot)
        for t in self.traces:
            if id(tensor) in t.entered and id(tensor) not in self.input_of:
                return (t, t.entered[id(tensor)])
        return id(tensor)

    def upstream(self, key: Key) -> set[Key]:
        """The keys of all values that a value was computed from, and its own key. Unrecorded ops count too."""
        found, todo = {key}, [key]
        while todo:
            step = self.producer.get(todo.pop())
            for k in step.ins if step is not None else ():
                if k not in found:
                    found.add(k)
                    todo.append(k)
        return found

    def downstream(self, keys: Iterable[Key], passing: bool) -> set[Key]:
        """The keys of all values that were computed from the given ones, and these keys.

        Args:
          keys: the keys to start from.
          passing: whether to follow only ops through which the tape computes derivatives.
        """
        found = set(keys)
        for step in self.steps:
            if found.intersection(step.ins) and (not passing or step.passes):
                found.update(k for k, a in zip(step.outs, step.node.avals, strict=True) if not passing or a.inexact)
        return found
