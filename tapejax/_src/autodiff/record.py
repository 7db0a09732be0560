"""What a tape noted of the stream: which ops depend on what it watches, and the values that their gradients will read.

A value is known by a *key*: (trace, slot) where it was computed, or the identity of a tensor that came from
outside. When a program runs while a tape still needs it, the tape keeps the values that vjps will read.
"""

import weakref
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.autodiff.reads import read_inputs
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream, trie
from tapejax._src.engine.aval import Aval
from tapejax._src.engine.graph import Node, path
from tapejax._src.engine.op import Op, VjpOp, static

__all__ = ["Entry", "Key", "Record", "Recorder", "Segment", "unread"]

_UNREAD = Op("unread", lambda shape, dtype: jnp.zeros(shape, dtype))

Key = Any


def unread(aval: Aval) -> Tensor:
    """Zeros where an op takes an input whose value it does not read, or a gradient is zero."""
    return stream.record(_UNREAD, static(shape=aval.shape, dtype=aval.dtype), ())


class Segment:
    """What a tape noted in one trace: ranges of instructions, and when which tensors came to be watched."""

    def __init__(self, trace: Any):
        self.trace = trace
        self.ranges: list[list[Any]] = []  # [depth, depth or None while open]
        self.events: list[tuple[int, Tensor]] = []  # depth, watched tensor
        # Once the trace has run:
        self.entries: list[Entry] | None = None
        self.values: dict[int, Tensor] = {}
        self.links: dict[int, Any] = {}  # where its inputs came from: a key, or a weak reference to a tensor
        self.watched: list[tuple[int, Key]] = []  # of `events`
        self.read_at: Any = None  # where the user's code read a value while the tape was recording

    def close(self) -> None:
        if self.ranges and self.ranges[-1][1] is None:
            self.ranges[-1][1] = self.trace.node.depth


class Entry:
    """A recorded op that depends on something watched.

    Attributes:
      inputs: their keys; `_unwatched` for what was not watched yet. A tensor that is a key by its identity is thus
        always a watched one, which the record keeps alive.
      outputs: keys of the results.
      wrt: once its trace has run: positions of the inputs that can be differentiated.
    """

    __slots__ = ("custom", "inputs", "node", "outputs", "segment", "wrt")

    def __init__(self, segment: Segment, node: Node, inputs: list[Key], outputs: list[Key], custom: Any):
        self.segment = segment
        self.node = node
        self.inputs = inputs
        self.outputs = outputs
        self.custom = custom
        self.wrt: tuple[int, ...] | None = None

    def needed(self, tracked: set[Key]) -> set[int]:
        """Slots whose values the gradient reads."""
        node = self.node
        assert node.op is not None
        self.wrt = wrt = tuple(
            i
            for i, (k, a) in enumerate(zip(self.inputs, node.input_avals, strict=True))
            if a.inexact and (k in tracked or stream.is_eager())
        )  # op by op, it may yet be watched
        given = tuple(a.inexact for a in node.avals)
        avals = (*node.input_avals, *(a for a in node.avals if a.inexact))
        try:
            read = read_inputs(node.op.vjp(wrt, given), node.static, avals)
        except Exception:  # no gradient by some input: the user is told if it is asked for
            return set(node.inputs)
        return {slot for i, slot in enumerate(node.inputs) if i in read}

    def value(self, slot: int, aval: Aval) -> Tensor:
        """The value at a slot of this entry's trace, as an op input."""
        segment = self.segment
        if segment.entries is None:
            return stream.place(segment.trace, slot, aval)
        found = segment.values.get(slot)
        return unread(aval) if found is None else found


class Record:
    """All that a tape knows."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.unrun: list[Segment] = []  # those of them whose traces have not run
        self.traces: set[Any] = set()  # theirs
        self.reads: dict[int, tuple[Any, list[Tensor]]] = {}  # id of a variable: it, the tensors that were read
        self.watched: dict[int, Any] = {}
        self.plan: Any = None  # (trace, what the last backward walk depended on), if that was in the trie
        self.gaps = False  # whether it gave None for some source
        self.tracked: set[Key] = set()  # of the segments that have run
        self._watched_tensors: list[Tensor] = []

    def _segment(self, trace: Any) -> Segment:
        if not self.segments or self.segments[-1].trace is not trace:
            self.segments.append(Segment(trace))
            self.unrun.append(self.segments[-1])
            self.traces.add(trace)
        return self.segments[-1]

    def open(self, trace: Any) -> None:
        self._segment(trace).ranges.append([trace.node.depth, None])

    def watch(self, tensor: Tensor, trace: Any) -> None:
        self._segment(trace).events.append((trace.node.depth, tensor))
        self._watched_tensors.append(tensor)
        key = self.key(tensor)
        for segment in self.segments:
            if segment.entries:
                places = [
                    slot
                    for slot, link in segment.links.items()
                    if link == key or (isinstance(link, weakref.ref) and link() is tensor)
                ]
                places += [key[1]] if type(key) is tuple and key[0] is segment.trace else []
                _watched_late(segment.entries, {_unwatched(segment.trace, slot): key for slot in places})

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
        if trace is not None and trace in self.traces:
            return (trace, tensor._slot)
        return id(tensor)

    def _link(self, tensor: Tensor) -> Any:
        key = self.key(tensor)
        return weakref.ref(tensor) if type(key) is int else key

    def needs(self, trace: Any) -> list[int]:
        """Slots that vjps of this trace's entries read."""
        for segment in self.unrun:
            if segment.trace is trace:
                if segment.ranges and segment.ranges[-1][1] is None and not stream.is_eager():
                    segment.read_at = _user_place()
                segment.close()
                self._track_before(trace)
                tracked = set(self.tracked)
                return sorted(self._needed(self._sweep(segment, tracked), tracked))
        return []

    def _needed(self, entries: list[Entry], tracked: set[Key]) -> set[int]:
        """Slots whose values the gradients of these entries read."""
        return {slot for e in entries if e.custom is None for slot in e.needed(tracked)}

    def keep(self, trace: Any, values: dict[int, Any]) -> None:
        """Takes over the values of the needed slots of a trace that has run."""
        for segment in [s for s in self.unrun if s.trace is trace]:
            self._track_before(trace)
            entries = self._sweep(segment, self.tracked)
            needed = self._needed(entries, self.tracked)
            segment.links = {trace.entered[id(t)]: self._link(t) for t in trace.inputs}
            inputs = {slot: t for t in trace.inputs if (slot := trace.entered[id(t)]) in needed}
            for slot in needed:
                kept = inputs.get(slot)
                if kept is None:
                    # Known by where it was computed, so that an outer tape sees a gradient that uses it.
                    kept = from_value(values[slot])
                    kept._trace, kept._slot = trace, slot
                segment.values[slot] = kept
            segment.entries = entries
            segment.watched = [(depth, self.key(t)) for depth, t in segment.events]
            segment.events = []
            self.unrun.remove(segment)

    def _track_before(self, trace: Any) -> None:
        """What came to be watched in traces that will not run: empty ones, and any, inside JAX's transformations."""
        before = [s for s in self.unrun if s.trace is not trace and (trace.immediate or s.trace.done)]
        self.tracked.update(self.key(t) for s in before for _, t in s.events)
        for s in before:
            if s.trace.done:
                self.unrun.remove(s)

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
            if isinstance(node.op, VjpOp):
                # As in TensorFlow, where the gradient of a linear op depends on no input.
                read = read_inputs(node.op, node.static, node.input_avals)
                keys = [k if i in read else None for i, k in enumerate(keys)]
                if not any(k in tracked for k in keys):
                    continue
            keys = [
                k if k in tracked or k is None else _unwatched(trace, i) for k, i in zip(keys, node.inputs, strict=True)
            ]
            outs = [(trace, node.slot + i) for i in range(len(node.avals))]
            found = [k for k, a in zip(outs, node.avals, strict=True) if a.inexact]
            tracked.update(found)
            if found:
                entries.append(Entry(segment, node, keys, outs, trace.customs.get(node.slot)))
        while watched is not None:
            tracked.add(watched)
            depth, watched = next(events)
        _watched_late(
            entries,
            {
                _unwatched(trace, t._slot if t._trace is trace else trace.entered.get(id(t))): self.key(t)
                for t in self._watched_tensors
            },
        )
        return entries


class Recorder:
    """What tapes and forward accumulators share: it stands among `stream.thread.tapes` and notes ranges of traces."""

    _record: Any = None
    _open = True

    def _close(self) -> None:
        """Until `_reopen`, what is recorded is not its own."""
        self._open = False
        for segment in self._record.segments:
            segment.close()

    def _reopen(self) -> None:
        self._open = True
        self.begin(stream.current())

    # What the engine calls (`engine.stream.Watcher`)

    def begin(self, trace: Any) -> None:
        """The engine: `trace` starts while it records."""
        trace.watchers.append(weakref.ref(self))
        if self._open:
            self._record.open(trace)

    def needs(self, trace: Any) -> list[int]:
        """The engine: `trace` is about to run."""
        return self._record.needs(trace) if self._record is not None else []

    def keep(self, trace: Any, values: dict[int, Any]) -> None:
        """The engine: `trace` has run."""
        if self._record is not None:
            self._record.keep(trace, values)


def _unwatched(trace: Any, slot: Any) -> Key:
    """The key of an input that was not watched when an op was recorded, by its place in the trace."""
    return ("unwatched", trace, slot)


def _watched_late(entries: list[Entry], keys: dict[Key, Key]) -> None:
    """As in TensorFlow, a tensor that comes to be watched is so where a recorded op has used it already.

    Not so a variable, each read of which makes a new tensor there.
    """
    for entry in entries if keys else ():
        entry.inputs = [keys.get(k, k) for k in entry.inputs]


def _from(end: Node, depth: int) -> list[Node]:
    start: Node = end
    while start.depth > depth and start.parent is not None:
        start = start.parent
    return path(end, start)


def _user_place() -> tuple[str, int, str] | None:
    frame = trie.user_frame()
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
