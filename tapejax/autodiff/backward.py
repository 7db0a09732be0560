"""The backward walk: from what a tape noted of the stream to gradients, emitted into the stream as vjp ops.

A value is known by a *key*: (trace, slot) where it was computed, or the identity of a tensor that came from
outside. When a program runs while a tape still needs it, the tape keeps the values that vjps will read.
"""

import weakref
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax.engine import stream
from tapejax.engine.aval import Aval
from tapejax.engine.graph import Node, path
from tapejax.engine.op import NO_STATIC, Op
from tapejax.tensor import Tensor, from_value

__all__ = ["Record", "Segment", "backward", "gradients", "ones_like", "zeros_like"]

_ONES_LIKE = Op("ones_like", jnp.ones_like)
_ZEROS_LIKE = Op("zeros_like", jnp.zeros_like)
_ADD = Op("add_gradients", jnp.add)

Key = Any


class Segment:
    """What a tape noted in one trace: ranges of instructions, and when which tensors came to be watched."""

    def __init__(self, trace: Any):
        self.trace = trace
        self.ranges: list[list[Any]] = []  # [depth, depth or None while open]
        self.events: list[tuple[int, Tensor]] = []  # depth, watched tensor
        self.entries: list[Entry] | None = None  # once the trace has run
        self.values: dict[int, Tensor] = {}

    def close(self) -> None:
        if self.ranges and self.ranges[-1][1] is None:
            self.ranges[-1][1] = self.trace.node.depth


class Entry:
    """A recorded op that depends on something watched."""

    __slots__ = ("custom", "inputs", "node", "outputs", "segment")

    def __init__(self, segment: Segment, node: Node, inputs: list[Key], outputs: list[Key], custom: Any):
        self.segment = segment
        self.node = node
        self.inputs = inputs
        self.outputs = outputs
        self.custom = custom

    def value(self, slot: int, aval: Aval) -> Tensor:
        """The value at a slot of this entry's trace, as an op input."""
        segment = self.segment
        if segment.entries is None:
            return stream.place(segment.trace, slot, aval)
        return segment.values[slot]


class Record:
    """All that a tape knows."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.reads: dict[int, tuple[Any, list[Tensor]]] = {}  # id of a variable: it, the tensors that were read
        self.watched: dict[int, Any] = {}
        self.tracked: set[Key] = set()  # of the segments that have run
        self._kept_alive: list[Tensor] = []  # watched tensors, so that no other gets their identity

    def _segment(self, trace: Any) -> Segment:
        if not self.segments or self.segments[-1].trace is not trace:
            self.segments.append(Segment(trace))
        return self.segments[-1]

    def open(self, trace: Any) -> None:
        self._segment(trace).ranges.append([trace.node.depth, None])

    def watch(self, tensor: Tensor, trace: Any) -> None:
        self._segment(trace).events.append((trace.node.depth, tensor))
        self._kept_alive.append(tensor)

    def read(self, variable: Any, tensor: Tensor, trace: Any) -> None:
        found = self.reads.get(id(variable))
        if found is None:
            self.reads[id(variable)] = (variable, [tensor])
        elif found[1][-1] is tensor:
            return
        else:
            found[1].append(tensor)
        self._segment(trace).events.append((trace.node.depth, tensor))

    def key(self, tensor: Tensor) -> Key:
        """Where `tensor` comes from."""
        trace = tensor._trace
        if trace is not None and any(s.trace is trace for s in self.segments):
            return (trace, tensor._slot)
        return id(tensor)

    def needs(self, trace: Any) -> list[int]:
        """Slots that vjps of this trace's entries read."""
        for segment in self.segments:
            if segment.trace is trace and segment.entries is None:
                segment.close()
                self._track_before(trace)
                entries = self._sweep(segment, set(self.tracked))
                return sorted({slot for e in entries if e.custom is None for slot in e.node.inputs})
        return []

    def keep(self, trace: Any, values: dict[int, Any]) -> None:
        """Takes over the values of the needed slots of a trace that has run."""
        for segment in self.segments:
            if segment.trace is not trace or segment.entries is not None:
                continue
            self._track_before(trace)
            entries = self._sweep(segment, self.tracked)
            needed = {slot for e in entries if e.custom is None for slot in e.node.inputs}
            inputs = {slot: t for t in trace.inputs if (slot := trace.entered[id(t)]) in needed}
            for slot in needed:
                kept = inputs.get(slot)
                if kept is None:
                    # Known by where it was computed, so that an outer tape sees a gradient that uses it.
                    kept = from_value(values[slot])
                    kept._trace, kept._slot = trace, slot
                segment.values[slot] = kept
            segment.entries = entries
            segment.events = []

    def _track_before(self, trace: Any) -> None:
        """Inside JAX's transformations an op runs before the trace in which its inputs came to be watched."""
        if trace.immediate:
            self.tracked.update(self.key(t) for s in self.segments if s.entries is None for _, t in s.events)

    def attach(self, trace: Any, slot: int, custom: Any) -> None:
        """Gives an op of a trace that has run already its custom gradient."""
        for segment in self.segments:
            if segment.trace is trace:
                for entry in segment.entries or ():
                    if entry.node.slot == slot:
                        entry.custom = custom

    def _sweep(self, segment: Segment, tracked: set[Key]) -> list[Entry]:
        """Entries of a segment that depend on watched values; adds what they compute to `tracked`."""
        trace = segment.trace
        inputs = {trace.entered[id(t)]: self.key(t) for t in trace.inputs}
        start = min((r[0] for r in segment.ranges), default=0)
        events = iter([*((depth, self.key(t)) for depth, t in segment.events), (np.inf, None)])
        depth, watched = next(events)
        entries = []
        nodes = _from(trace.node, start)
        for node in nodes:
            while depth < node.depth:
                tracked.add(watched)
                depth, watched = next(events)
            if node.op is None or not node.op.differentiable:
                continue
            if not any(a < node.depth and (b is None or node.depth <= b) for a, b in segment.ranges):
                continue
            keys = [inputs[i] if i in inputs else (trace, i) for i in node.inputs]
            if not any(k in tracked for k in keys):
                continue
            outs = [(trace, node.slot + i) for i in range(len(node.avals))]
            found = [k for k, a in zip(outs, node.avals, strict=True) if a.inexact]
            tracked.update(found)
            if found:
                entries.append(Entry(segment, node, keys, outs, trace.customs.get(node.slot)))
        while watched is not None:
            tracked.add(watched)
            depth, watched = next(events)
        return entries


def _from(end: Node, depth: int) -> list[Node]:
    start: Node = end
    while start.depth > depth and start.parent is not None:
        start = start.parent
    return path(end, start)


def ones_like(t: Any) -> Tensor:
    """Ones of a tensor's shape and dtype."""
    return stream.record(_ONES_LIKE, NO_STATIC, (t,))


def zeros_like(t: Any) -> Tensor:
    """Zeros of a tensor's or variable's shape and dtype."""
    return stream.record(_ZEROS_LIKE, NO_STATIC, (getattr(t, "_tensor", t),))


def backward(record: Record, targets: list[Tensor], seeds: list[Tensor] | None,
             sources: list[Any]) -> list[Tensor | None]:
    """Gradients of the targets with respect to the sources, or None where there is no path.

    When everything happened in the program that is being recorded, what the walk emits depends only on the
    trie node and on which slots are asked for: it is remembered there, and the next time costs one look-up.
    """
    trace = stream.current()
    wanted = _wanted(record, sources)
    plan = _plan_key(record, trace, targets, seeds, wanted)
    if plan is None:
        return _walk(record, targets, seeds, wanted)
    start = trace.node
    found = start.memo.get(plan)
    if found is None:
        before = len(trace.inputs), len(trace.scalars)
        grads = _walk(record, targets, seeds, wanted)
        if stream.current() is trace and before == (len(trace.inputs), len(trace.scalars)) and len(start.memo) < 64:
            start.memo[plan] = (trace.node, [None if g is None else (g._slot, g.aval) for g in grads])
        return grads
    trace.node, results = found
    grads = []
    for result in results:
        if result is None:
            grads.append(None)
        else:
            tensor = stream.place(trace, *result)
            trace.refs.append(weakref.ref(tensor))
            grads.append(tensor)
    return grads


def gradients(record: Record, targets: list[Tensor], seeds: list[Tensor] | None,
              sources: list[Any]) -> list[Tensor | None]:
    """As `backward`, always walking: for backward passes that are captured."""
    return _walk(record, targets, seeds, _wanted(record, sources))


def _wanted(record: Record, sources: list[Any]) -> list[list[Tensor]]:
    """The tensors that each source stands for: a variable for all that were read of it."""
    return [record.reads[id(s)][1] if id(s) in record.reads else [getattr(s, "_tensor", s)] for s in sources]


def _plan_key(record: Record, trace: Any, targets: list[Tensor], seeds: list[Tensor] | None,
              wanted: list[list[Tensor]]) -> Any:
    """What the emission depends on besides the trie node, or None if it depends on more."""
    active = [s for s in record.segments if s.entries is None or s.entries]
    if record.tracked or len(active) != 1 or active[0].trace is not trace or trace.customs or trace.symbolic:
        return None
    segment = active[0]
    entered = trace.entered

    def slot(t: Tensor) -> Any:
        return t._slot if t._trace is trace else entered.get(id(t), -1)

    target_slots = tuple([slot(t) for t in targets])
    seed_slots = None if seeds is None else tuple([slot(t) for t in seeds])
    if -1 in target_slots or (seed_slots is not None and -1 in seed_slots):
        return None
    return (tuple([tuple(r) for r in segment.ranges]), tuple([(d, slot(t)) for d, t in segment.events]),
            target_slots, seed_slots, tuple([tuple([slot(t) for t in ts]) for ts in wanted]))


def _walk(record: Record, targets: list[Tensor], seeds: list[Tensor] | None,
          wanted: list[list[Tensor]]) -> list[Tensor | None]:
    tracked = set(record.tracked)
    entries: list[Entry] = []
    for segment in record.segments:
        if segment.entries is None:
            entries += record._sweep(segment, tracked)
        else:
            entries += segment.entries
    cotangents: dict[Key, Tensor] = {}

    def add(key: Key, value: Tensor) -> None:
        held = cotangents.get(key)
        cotangents[key] = value if held is None else stream.record(_ADD, NO_STATIC, (held, value))

    for i, target in enumerate(targets):
        key = record.key(target)
        if target.aval.inexact and key in tracked:
            add(key, ones_like(target) if seeds is None else seeds[i])
    for entry in reversed(entries):
        given = tuple(k in cotangents for k in entry.outputs)
        if not any(given):
            continue
        node = entry.node
        if entry.custom is not None:
            grads = entry.custom([cotangents.get(k) for k in entry.outputs])
            for key, grad in zip(entry.inputs, grads, strict=False):
                if grad is not None and key in tracked:
                    add(key, grad)
            continue
        avals = node.input_avals
        wrt = tuple(i for i, (k, a) in enumerate(zip(entry.inputs, avals, strict=True)) if k in tracked and a.inexact)
        if not wrt:
            continue
        assert node.op is not None
        inputs = [entry.value(slot, a) for slot, a in zip(node.inputs, avals, strict=True)]
        cts = [cotangents[k] for k in entry.outputs if k in cotangents]
        grads = stream.record(node.op.vjp(wrt, given), node.static, (*inputs, *cts))
        for i, grad in zip(wrt, grads, strict=True):
            add(entry.inputs[i], grad)
    results: list[Tensor | None] = []
    for tensors in wanted:
        total: Tensor | None = None
        for t in tensors:
            part = cotangents.get(record.key(t))
            if part is not None and t.aval.inexact:
                total = part if total is None else stream.record(_ADD, NO_STATIC, (total, part))
        results.append(total)
    return results

