"""The backward pass: walks back over the ops of a tape's record, and records their vjp ops to compute gradients."""

import weakref
from typing import Any

import jax.numpy as jnp

from tapejax._src.autodiff.indexed_slices import IndexedSlices, Rows, densified, known_slices, passes_on, slice_rules
from tapejax._src.autodiff.reads import connected, is_call
from tapejax._src.autodiff.record import Entry, Key, Record, unread
from tapejax._src.core.tensor import Tensor
from tapejax._src.engine import stream
from tapejax._src.engine.aval import Aval
from tapejax._src.engine.op import NO_STATIC, Op, VjpOp

__all__ = ["backward", "gradients", "ones_like", "zeros_like"]

_ONES_LIKE = Op("ones_like", jnp.ones_like, differentiable=False)
_ZEROS_LIKE = Op("zeros_like", jnp.zeros_like, differentiable=False)
_ADD = Op("add_gradients", jnp.add)


def ones_like(t: Any) -> Tensor:
    """Ones of a tensor's shape and dtype."""
    return stream.record(_ONES_LIKE, NO_STATIC, (t,))


def zeros_like(t: Any) -> Tensor:
    """Zeros of a tensor's or variable's shape and dtype."""
    return stream.record(_ZEROS_LIKE, NO_STATIC, (getattr(t, "_tensor", t),))


def backward(record: Record, targets: list[Tensor], seeds: list[Tensor] | None, sources: list[Any]) -> list[Any]:
    """Gradients of the targets with respect to the sources.

    If the whole computation belongs to the trace that is being recorded now, the backward pass depends only on the
    current trie node and on the slots that are asked for (the *plan*). So the node remembers where the backward pass
    led, and in the next iteration it costs one look-up.

    Args:
      record: what the tape recorded.
      targets: the tensors that are differentiated.
      seeds: their output gradients, or None for ones.
      sources: tensors and variables.

    Returns:
      For each source a tensor, `IndexedSlices`, or None if no target depends on it.
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
        if (
            stream.current() is trace
            and before == (len(trace.inputs), len(trace.scalars))
            and len(start.memo) < 64
            and all(getattr(g, "_trace", trace) is trace for g in grads)
        ):  # The last condition fails if a gradient is one of `seeds`, which comes from outside of the trace.
            start.memo[plan] = (trace.node, [_noted(g) for g in grads], record.gaps)
        return grads
    trace.node, results, record.gaps = found
    return [None if result is None else _placed(trace, *result) for result in results]


def gradients(
    record: Record, targets: list[Tensor], seeds: list[Tensor] | None, sources: list[Any]
) -> list[Tensor | None]:
    """The same as `backward`, without a remembered plan, and with dense gradients only. For captured code."""
    return [densified(g) for g in _walk(record, targets, seeds, _wanted(record, sources))]


def _finished(grads: list[Tensor | Rows | None]) -> list[Any]:
    return [g.slices() if type(g) is Rows else g for g in grads]


def _noted(grad: Any) -> Any:
    """What a plan remembers of a gradient: the arguments from which `_placed` makes it again."""
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
    """The sum of two gradients. It is sparse if both are sparse."""
    if type(held) is Rows and type(grad) is Rows:
        return Rows(held.shape, held.parts + grad.parts)
    return stream.record(_ADD, NO_STATIC, (densified(held), densified(grad)))


def _wanted(record: Record, sources: list[Any]) -> list[list[Tensor]]:
    """The tensors that each source stands for. A variable stands for all tensors that were read from it."""
    return [record.reads[id(s)][1] if id(s) in record.reads else [getattr(s, "_tensor", s)] for s in sources]


def _plan_key(
    record: Record, trace: Any, targets: list[Tensor], seeds: list[Tensor] | None, wanted: list[list[Tensor]]
) -> Any:
    """What the backward pass depends on besides the trie node, or None if that cannot be expressed by slots."""
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
    return (
        tuple([tuple(r) for r in segment.ranges]),
        tuple([(d, slot(t)) for d, t in segment.events]),
        tuple([slot(t) for t in record._watched_tensors]),
        target_slots,
        seed_slots,
        tuple([tuple([slot(t) for t in ts]) for ts in wanted]),
    )


def _walk(
    record: Record, targets: list[Tensor], seeds: list[Tensor] | None, wanted: list[list[Tensor]]
) -> list[Tensor | Rows | None]:
    """Records the backward pass. Returns for each list of tensors in `wanted` the sum of their gradients."""
    walk = _Walk(record)
    for i, target in enumerate(targets):
        key = record.key(target)
        if target.aval.inexact and key in walk.tracked:
            walk.add(key, ones_like(target) if seeds is None else seeds[i])
    for entry in reversed(walk.entries):
        walk.pull_back(entry)
    return [walk.total(tensors) for tensors in wanted]


class _Walk:
    """One backward pass: the entries of a tape's record, and the cotangents that are known so far.

    Args:
      record: what the tape recorded.
    """

    def __init__(self, record: Record):
        self._record = record
        self.tracked = set(record.tracked)
        self.entries: list[Entry] = []
        for segment in record.segments:
            if segment.entries is None:
                self.entries += record._sweep(segment, self.tracked)
            else:
                self.entries += segment.entries
        self._cotangents: dict[Key, Any] = {}

    def add(self, key: Key, value: Any) -> None:
        """Adds to the cotangent of a value."""
        held = self._cotangents.get(key)
        self._cotangents[key] = value if held is None else _sum(held, value)

    def total(self, tensors: list[Tensor]) -> Any:
        """The sum of the cotangents of some tensors, or None if no target depends on them."""
        total: Any = None
        for t in tensors:
            part = self._cotangents.get(self._record.key(t))
            if part is not None and t.aval.inexact:
                total = part if total is None else _sum(total, part)
        return total

    def pull_back(self, entry: Entry) -> None:
        """Adds to the cotangents of an op's inputs what comes from the op's outputs, by the rule that fits the op."""
        cotangents, node = self._cotangents, entry.node
        given = tuple(k in cotangents for k in entry.outputs)
        if not any(given):
            return
        if node.op in passes_on and type(cotangents[entry.outputs[0]]) is Rows:
            self.add(entry.inputs[0], cotangents[entry.outputs[0]])
            return
        cotangents.update({k: densified(cotangents[k]) for k in entry.outputs if k in cotangents})
        if entry.custom is not None:
            self._by_custom_gradient(entry, entry.custom)
            return
        wrt = self._differentiated(entry)
        if wrt and not self._by_rows(entry):
            self._by_vjp(entry, wrt, given)

    def _by_custom_gradient(self, entry: Entry, gradient: Any) -> None:
        """The rule for an op whose gradient is a function of the user."""
        grads = gradient([self._cotangents.get(k) for k in entry.outputs])
        for key, grad in zip(entry.inputs, grads, strict=False):
            if grad is not None and key in self.tracked:
                self.add(key, grad)

    def _differentiated(self, entry: Entry) -> tuple[int, ...]:
        """Positions of the inputs whose gradients are needed."""
        inputs = enumerate(zip(entry.inputs, entry.node.input_avals, strict=True))
        wrt = tuple(i for i, (k, a) in inputs if k in self.tracked and a.inexact)
        if wrt and entry.wrt is not None and not set(wrt) <= set(entry.wrt):
            raise RuntimeError(
                "a tensor was watched after it had been used and a value had been read: its use cannot "
                "be differentiated any more; watch it before it is used"
            )
        return wrt

    def _by_rows(self, entry: Entry) -> bool:
        """The rule for look-ups, whose gradient is sparse. Returns whether it fits the op."""
        node = entry.node
        assert node.op is not None
        rule = slice_rules.get(node.op)
        rows = None if rule is None else rule(node.static, node.input_avals)
        if rows is None:
            return False
        ids = entry.value(node.inputs[1], node.input_avals[1])
        part = stream.record(rows, NO_STATIC, (self._cotangents[entry.outputs[0]], ids))
        self.add(entry.inputs[0], Rows(node.input_avals[0].shape, [part]))
        return True

    def _by_vjp(self, entry: Entry, wrt: tuple[int, ...], given: tuple[bool, ...]) -> None:
        """The rule for all other ops: records the vjp op."""
        node = entry.node
        assert node.op is not None
        inputs = [entry.value(slot, a) for slot, a in zip(node.inputs, node.input_avals, strict=True)]
        cts = [self._cotangents[k] for k in entry.outputs if k in self._cotangents]
        if isinstance(node.op, VjpOp) or is_call(node.op):
            wrt = self._with_a_path(entry, wrt, given)
            if not wrt:
                return
        grads = stream.record(node.op.vjp(wrt, given), node.static, (*inputs, *cts))
        if node.op.may_fail and is_call(node.op):
            stream.current().calls_python = True
        for i, grad in zip(wrt, grads, strict=True):
            self.add(entry.inputs[i], grad)

    def _with_a_path(self, entry: Entry, wrt: tuple[int, ...], given: tuple[bool, ...]) -> tuple[int, ...]:
        """Those of the inputs `wrt` that the outputs depend on.

        TensorFlow returns None where no path exists. For a function, it returns zeros if an input has a path to another
        result of the function.
        """
        node = entry.node
        assert node.op is not None
        full = tuple(a.inexact for a in node.avals) if is_call(node.op) else given
        upstream = [a for a, g in zip(node.avals, full, strict=True) if g]
        live = connected(node.op.vjp(wrt, full), node.static, (*node.input_avals, *upstream))
        if isinstance(node.op, VjpOp) and node.op.base.flat:
            for i in (i for i, c in zip(wrt, live, strict=True) if not c):
                self.add(entry.inputs[i], unread(node.input_avals[i]))
        return tuple(i for i, c in zip(wrt, live, strict=True) if c)
