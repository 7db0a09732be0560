"""What a tape knows about the recorded ops: which of them depend on watched values, and what their gradients need.

A tape does not see single ops while they are recorded. It notes ranges of a trace, and finds the ops in them later.

A value is identified by a *key*. The key of a value that was computed in a trace is (trace, slot); the key of a value
that came from outside is the `id` of its tensor. When a trace runs, its intermediate values would be lost. So the tape
then keeps those that the gradients (vjps) will read.
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
    """Zeros that stand for an input whose value an op does not read, or for a gradient that is zero."""
    return stream.record(_UNREAD, static(shape=aval.shape, dtype=aval.dtype), ())


class Segment:
    """The part of a tape's record that belongs to one trace: the recorded ranges, and the tensors watched meanwhile.

    Positions in the trace are given as depths of its trie nodes.
    """

    def __init__(self, trace: Any):
        self.trace = trace
        self.ranges: list[list[Any]] = []  # [depth at the start, depth at the end or None while recording]
        self.events: list[tuple[int, Tensor]] = []  # (depth at which a tensor was watched, that tensor)
        # The other attributes are set when the trace has run.
        self.entries: list[Entry] | None = None
        self.values: dict[int, Tensor] = {}  # by slot, the values that gradients will read
        self.links: dict[int, Any] = {}  # by slot, where an input came from: a key, or a weak reference to a tensor
        self.watched: list[tuple[int, Key]] = []  # as `events`, with keys in place of tensors
        self.read_at: Any = None  # the line of the user's code that read a value while the tape was recording

    def close(self) -> None:
        """Ends the current range, if one is being recorded."""
        if self.ranges and self.ranges[-1][1] is None:
            self.ranges[-1][1] = self.trace.node.depth


class Entry:
    """A recorded op that depends on a watched value.

    Attributes:
      segment: the segment that the op belongs to.
      node: the trie node of the op.
      inputs: the keys of the inputs. An input that was not watched when the op was recorded has a key made by
        `_unwatched`. So a key that is the `id` of a tensor always belongs to a watched tensor, which the record keeps
        alive.
      outputs: the keys of the results.
      custom: the user's gradient function (`tf.custom_gradient`), or None.
      wrt: the positions of the inputs by which the op can be differentiated. It is None until the trace has run.
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
        """The slots whose values the gradient of this op reads. Also sets `wrt`."""
        node = self.node
        assert node.op is not None
        self.wrt = wrt = tuple(
            i
            for i, (k, a) in enumerate(zip(self.inputs, node.input_avals, strict=True))
            if a.inexact and (k in tracked or stream.is_eager())
        )  # In op-by-op mode an input may still be watched later, so all of them are included.
        given = tuple(a.inexact for a in node.avals)
        avals = (*node.input_avals, *(a for a in node.avals if a.inexact))
        try:
            read = read_inputs(node.op.vjp(wrt, given), node.static, avals)
        except Exception:
            # The op has no gradient by one of these inputs. The error is raised if the user asks for that gradient.
            return set(node.inputs)
        return {slot for i, slot in enumerate(node.inputs) if i in read}

    def value(self, slot: int, aval: Aval) -> Tensor:
        """The value of a slot of this entry's trace, as a tensor that an op can take as its input."""
        segment = self.segment
        if segment.entries is None:
            return stream.place(segment.trace, slot, aval)
        found = segment.values.get(slot)
        return unread(aval) if found is None else found


class Record:
    """Everything that a tape knows."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.unrun: list[Segment] = []  # the segments whose traces have not run yet
        self.traces: set[Any] = set()  # the traces of all segments
        self.reads: dict[int, tuple[Any, list[Tensor]]] = {}  # by id of a variable: it, and the tensors read from it
        self.watched: dict[int, Any] = {}  # by id, the variables that the user watches
        # If the last backward pass depended on one trie node only: its trace, and its key in the node's memo.
        self.plan: Any = None
        self.gaps = False  # whether the last backward pass returned None for some source
        self.tracked: set[Key] = set()  # values that depend on watched ones, in the segments that have run
        self._watched_tensors: list[Tensor] = []

    def _segment(self, trace: Any) -> Segment:
        if not self.segments or self.segments[-1].trace is not trace:
            self.segments.append(Segment(trace))
            self.unrun.append(self.segments[-1])
            self.traces.add(trace)
        return self.segments[-1]

    def open(self, trace: Any) -> None:
        """Begins a range of recorded ops in `trace`."""
        self._segment(trace).ranges.append([trace.node.depth, None])

    def watch(self, tensor: Tensor, trace: Any) -> None:
        """Watches a tensor from now on. `trace` is the current trace."""
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
        """Watches `tensor`, which was read from `variable`. `trace` is the current trace."""
        found = self.reads.get(id(variable))
        if found is None:
            self.reads[id(variable)] = (variable, [tensor])
        elif found[1][-1] is tensor:
            return
        else:
            found[1].append(tensor)
        self._segment(trace).events.append((trace.node.depth, tensor))

    def key(self, tensor: Tensor) -> Key:
        """The key of `tensor`."""
        trace = tensor._trace
        if trace is not None and trace in self.traces:
            return (trace, tensor._slot)
        return id(tensor)

    def _link(self, tensor: Tensor) -> Any:
        key = self.key(tensor)
        return weakref.ref(tensor) if type(key) is int else key

    def needs(self, trace: Any) -> list[int]:
        """The slots of a trace, which is about to run, whose values the gradients of its ops will read."""
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
        """The slots whose values the gradients of these entries read."""
        return {slot for e in entries if e.custom is None for slot in e.needed(tracked)}

    def keep(self, trace: Any, values: dict[int, Any]) -> None:
        """Keeps the values that gradients will read, from a trace that has run. `values` holds them by slot."""
        for segment in [s for s in self.unrun if s.trace is trace]:
            self._track_before(trace)
            entries = self._sweep(segment, self.tracked)
            needed = self._needed(entries, self.tracked)
            segment.links = {trace.entered[id(t)]: self._link(t) for t in trace.inputs}
            inputs = {slot: t for t in trace.inputs if (slot := trace.entered[id(t)]) in needed}
            for slot in needed:
                kept = inputs.get(slot)
                if kept is None:
                    # The kept tensor has the key of the place where it was computed. So an outer tape recognizes it
                    # when a gradient uses it.
                    kept = from_value(values[slot])
                    kept._trace, kept._slot = trace, slot
                segment.values[slot] = kept
            segment.entries = entries
            segment.watched = [(depth, self.key(t)) for depth, t in segment.events]
            segment.events = []
            self.unrun.remove(segment)

    def _track_before(self, trace: Any) -> None:
        """Adds to `tracked` what was watched in traces that will not run any more.

        These are empty traces, and traces inside JAX's transformations, whose ops are evaluated at once.
        """
        before = [s for s in self.unrun if s.trace is not trace and (trace.immediate or s.trace.done)]
        self.tracked.update(self.key(t) for s in before for _, t in s.events)
        for s in before:
            if s.trace.done:
                self.unrun.remove(s)

    def attach(self, trace: Any, slot: int, custom: Any) -> None:
        """Sets the custom gradient of an op in a trace that has run already."""
        for segment in self.segments:
            if segment.trace is trace:
                for entry in segment.entries or ():
                    if entry.node.slot == slot:
                        entry.custom = custom

    def _sweep(self, segment: Segment, tracked: set[Key]) -> list[Entry]:
        """The entries for all ops of a segment that depend on watched values. Adds their results to `tracked`."""
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
                # A gradient depends only on the inputs that it reads. As in TensorFlow, the gradient of a linear op
                # depends on none of the op's inputs.
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
    """Base of gradient tapes and forward accumulators. While one is active it is in `stream.thread.tapes`.

    The engine tells it when a trace begins, is about to run, and has run.
    """

    _record: Any = None
    _open = True

    def _close(self) -> None:
        """Ends the current range. Ops that are recorded until `_reopen` do not belong to this recorder."""
        self._open = False
        for segment in self._record.segments:
            segment.close()

    def _reopen(self) -> None:
        self._open = True
        self.begin(stream.current())

    # The methods that the engine calls (the protocol `engine.stream.Watcher`)

    def begin(self, trace: Any) -> None:
        """Called by the engine when `trace` begins while this recorder is active."""
        trace.watchers.append(weakref.ref(self))
        if self._open:
            self._record.open(trace)

    def needs(self, trace: Any) -> list[int]:
        """Called by the engine when `trace` is about to run. Returns the slots whose values must be kept."""
        return self._record.needs(trace) if self._record is not None else []

    def keep(self, trace: Any, values: dict[int, Any]) -> None:
        """Called by the engine when `trace` has run, with the values of the slots that `needs` returned."""
        if self._record is not None:
            self._record.keep(trace, values)


def _unwatched(trace: Any, slot: Any) -> Key:
    """A key for an input that was not watched when its op was recorded. It is made of the trace and the slot."""
    return ("unwatched", trace, slot)


def _watched_late(entries: list[Entry], keys: dict[Key, Key]) -> None:
    """Makes ops depend on a tensor that was watched only after they had used it, as in TensorFlow.

    This does not apply to variables: in TensorFlow each read of a variable gives a new tensor.

    Args:
      entries: the ops.
      keys: from the keys of unwatched inputs to the keys of the tensors, which are watched now.
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
