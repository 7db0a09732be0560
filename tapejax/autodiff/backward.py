"""The backward walk: from what a tape noted of the stream to gradients, emitted into the stream as vjp ops.

A value is known by a *key*: (trace, slot) where it was computed, or the identity of a tensor that came from
outside. When a program runs while a tape still needs it, the tape keeps the values that vjps will read.
"""

import weakref
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax.autodiff.indexed_slices import IndexedSlices, Rows, densified, known_slices, passes_on, slice_rules
from tapejax.autodiff.reads import connected, is_call, read_inputs
from tapejax.engine import stream, trie
from tapejax.engine.aval import Aval
from tapejax.engine.graph import Node, path
from tapejax.engine.op import NO_STATIC, Op, VjpOp, static
from tapejax.tensor import Tensor, from_value

__all__ = ["Record", "Segment", "backward", "gradients", "ones_like", "zeros_like"]

_ONES_LIKE = Op("ones_like", jnp.ones_like, differentiable=False)
_ZEROS_LIKE = Op("zeros_like", jnp.zeros_like, differentiable=False)
_ADD = Op("add_gradients", jnp.add)
_UNREAD = Op("unread", lambda shape, dtype: jnp.zeros(shape, dtype))

Key = Any


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
        self.wrt = wrt = tuple(i for i, (k, a) in enumerate(zip(self.inputs, node.input_avals, strict=True))
                               if a.inexact and (k in tracked or stream.is_eager()))  # op by op, it may yet be watched
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
        return stream.record(_UNREAD, static(shape=aval.shape, dtype=aval.dtype), ()) if found is None else found


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
                places = [slot for slot, link in segment.links.items()
                          if link == key or (isinstance(link, weakref.ref) and link() is tensor)]
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
            keys = [k if k in tracked or k is None else _unwatched(trace, i)
                    for k, i in zip(keys, node.inputs, strict=True)]
            outs = [(trace, node.slot + i) for i in range(len(node.avals))]
            found = [k for k, a in zip(outs, node.avals, strict=True) if a.inexact]
            tracked.update(found)
            if found:
                entries.append(Entry(segment, node, keys, outs, trace.customs.get(node.slot)))
        while watched is not None:
            tracked.add(watched)
            depth, watched = next(events)
        _watched_late(entries, {_unwatched(trace, t._slot if t._trace is trace else trace.entered.get(id(t))):
                                self.key(t) for t in self._watched_tensors})
        return entries


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


def ones_like(t: Any) -> Tensor:
    """Ones of a tensor's shape and dtype."""
    return stream.record(_ONES_LIKE, NO_STATIC, (t,))


def zeros_like(t: Any) -> Tensor:
    """Zeros of a tensor's or variable's shape and dtype."""
    return stream.record(_ZEROS_LIKE, NO_STATIC, (getattr(t, "_tensor", t),))


def backward(record: Record, targets: list[Tensor], seeds: list[Tensor] | None,
             sources: list[Any]) -> list[Any]:
    """Gradients of the targets with respect to the sources: a tensor, slices, or None where there is no path.

    When everything happened in the program that is being recorded, what the walk emits depends only on the
    trie node and on which slots are asked for: it is remembered there, and the next time costs one look-up.
    """
    trace = stream.current()
    wanted = _wanted(record, sources)
    plan = _plan_key(record, trace, targets, seeds, wanted)
    if plan is None:
        record.plan = None
        grads = _finished(_walk(record, targets, seeds, wanted))
        record.gaps = any(g is None for g in grads)
        return grads
    record.plan = (trace, plan)
    start = trace.node
    found = start.memo.get(plan)
    if found is None:
        before = len(trace.inputs), len(trace.scalars)
        grads = _finished(_walk(record, targets, seeds, wanted))
        record.gaps = any(g is None for g in grads)
        if (stream.current() is trace and before == (len(trace.inputs), len(trace.scalars)) and len(start.memo) < 64
                and all(getattr(g, "_trace", trace) is trace for g in grads)):  # no output gradient itself
            start.memo[plan] = (trace.node, [_noted(g) for g in grads], record.gaps)
        return grads
    trace.node, results, record.gaps = found
    return [None if result is None else _placed(trace, *result) for result in results]


def gradients(record: Record, targets: list[Tensor], seeds: list[Tensor] | None,
              sources: list[Any]) -> list[Tensor | None]:
    """As `backward`, always walking, and dense: for backward passes that are captured."""
    return [densified(g) for g in _walk(record, targets, seeds, _wanted(record, sources))]


def _finished(grads: list[Tensor | Rows | None]) -> list[Any]:
    return [g.slices() if type(g) is Rows else g for g in grads]


def _noted(grad: Any) -> Any:
    """What is remembered of a gradient: the arguments of `_placed`."""
    if grad is None:
        return None
    if type(grad) is IndexedSlices:
        values, indices = grad.values, grad.indices
        return values._slot, values.aval, indices._slot, indices.aval, grad.sizes()
    return grad._slot, grad.aval


def _placed(trace: Any, slot: int, aval: Aval, *rest: Any) -> Any:
    tensor = stream.place(trace, slot, aval)
    trace.refs.append(weakref.ref(tensor))
    return known_slices(tensor, _placed(trace, *rest[:2]), rest[2]) if rest else tensor


def _sum(held: Any, grad: Any) -> Any:
    """Slices stay slices only among themselves."""
    if type(held) is Rows and type(grad) is Rows:
        return Rows(held.shape, held.parts + grad.parts)
    return stream.record(_ADD, NO_STATIC, (densified(held), densified(grad)))


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
            tuple([slot(t) for t in record._watched_tensors]), target_slots, seed_slots,
            tuple([tuple([slot(t) for t in ts]) for ts in wanted]))


def _walk(record: Record, targets: list[Tensor], seeds: list[Tensor] | None,
          wanted: list[list[Tensor]]) -> list[Tensor | Rows | None]:
    tracked = set(record.tracked)
    entries: list[Entry] = []
    for segment in record.segments:
        if segment.entries is None:
            entries += record._sweep(segment, tracked)
        else:
            entries += segment.entries
    cotangents: dict[Key, Any] = {}

    def add(key: Key, value: Any) -> None:
        held = cotangents.get(key)
        cotangents[key] = value if held is None else _sum(held, value)

    for i, target in enumerate(targets):
        key = record.key(target)
        if target.aval.inexact and key in tracked:
            add(key, ones_like(target) if seeds is None else seeds[i])
    for entry in reversed(entries):
        given = tuple(k in cotangents for k in entry.outputs)
        if not any(given):
            continue
        node = entry.node
        if node.op in passes_on and type(cotangents[entry.outputs[0]]) is Rows:
            add(entry.inputs[0], cotangents[entry.outputs[0]])
            continue
        cotangents.update({k: densified(cotangents[k]) for k in entry.outputs if k in cotangents})
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
        if entry.wrt is not None and not set(wrt) <= set(entry.wrt):
            raise RuntimeError("a tensor was watched after it had been used and a value had been read: its use cannot "
                               "be differentiated any more; watch it before it is used")
        assert node.op is not None
        rule = slice_rules.get(node.op)
        rows = None if rule is None else rule(node.static, avals)
        if rows is not None:
            ids = entry.value(node.inputs[1], avals[1])
            part = stream.record(rows, NO_STATIC, (cotangents[entry.outputs[0]], ids))
            add(entry.inputs[0], Rows(avals[0].shape, [part]))
            continue
        inputs = [entry.value(slot, a) for slot, a in zip(node.inputs, avals, strict=True)]
        cts = [cotangents[k] for k in entry.outputs if k in cotangents]
        if isinstance(node.op, VjpOp) or is_call(node.op):
            # None where TensorFlow knows of no path; of a function, zeros where some other result has one.
            full = tuple(a.inexact for a in node.avals) if is_call(node.op) else given
            upstream = [a for a, g in zip(node.avals, full, strict=True) if g]
            live = connected(node.op.vjp(wrt, full), node.static, (*avals, *upstream))
            if isinstance(node.op, VjpOp) and node.op.base.flat:
                for i in (i for i, c in zip(wrt, live, strict=True) if not c):
                    add(entry.inputs[i], stream.record(_UNREAD, static(shape=avals[i].shape, dtype=avals[i].dtype), ()))
            wrt = tuple(i for i, c in zip(wrt, live, strict=True) if c)
            if not wrt:
                continue
        grads = stream.record(node.op.vjp(wrt, given), node.static, (*inputs, *cts))
        if node.op.may_fail and is_call(node.op):
            stream.current().calls_python = True
        for i, grad in zip(wrt, grads, strict=True):
            add(entry.inputs[i], grad)
    results: list[Tensor | Rows | None] = []
    for tensors in wanted:
        total: Any = None
        for t in tensors:
            part = cotangents.get(record.key(t))
            if part is not None and t.aval.inexact:
                total = part if total is None else _sum(total, part)
        results.append(total)
    return results
