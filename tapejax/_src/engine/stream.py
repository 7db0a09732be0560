"""The eager stream: ops are recorded, not run; a *flush* compiles what is pending into one program and runs it.

`record` is the hot path of the whole project: it looks up, for each op, the child of the current trie node,
and makes a pending tensor. No JAX call happens there once a program has been seen.
"""

import contextlib
import threading
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

import numpy as np

from tapejax._src.engine import explain, policy, trie
from tapejax._src.engine.aval import Aval
from tapejax._src.engine.flush import run_pending
from tapejax._src.engine.graph import Node, path
from tapejax._src.engine.op import Op, Static
from tapejax._src.engine.ownership import cells_lock, use_host_array
from tapejax._src.engine.policy import Event
from tapejax._src.engine.program import is_concrete, on_host

__all__ = [
    "HostOnlyError",
    "Lazy",
    "Trace",
    "Watcher",
    "assign",
    "cells_lock",
    "current",
    "host",
    "record",
    "set_tensor_type",
    "sync",
    "thread",
    "use_host_array",
]


class Lazy:
    """The engine's part of a tensor.

    Attributes:
      _value: a NumPy array, a JAX array or a JAX tracer, or None while the tensor is pending.
      _trace: the trace that computes the tensor, or computed it; None if there is none.
      _slot: the number of the tensor's value in that trace.
      _mark: another name of the same field, for a tensor without a trace: see `engine.ownership`. The two share one
        field because a tensor never needs both, and recording an op must write as little as possible.
      aval: its shape and dtype.
    """

    __slots__ = ("__weakref__", "_slot", "_trace", "_value", "aval")

    _value: Any
    _trace: "Trace | None"
    _slot: int
    aval: Aval
    _mark: int


Lazy._mark = Lazy._slot


class Cell(Protocol):
    """Holder of a tensor that changes: a variable."""

    _tensor: Any
    _trainable: bool


class Watcher(Protocol):
    """A tape: it follows what the thread records, and may need values after the program has run."""

    def begin(self, trace: "Trace") -> None:
        """`trace` starts while the tape records."""
        ...

    def needs(self, trace: "Trace") -> Iterable[int]:
        """Slots whose values the tape needs after `trace` has run."""
        ...

    def keep(self, trace: "Trace", values: dict[int, Any]) -> None:
        """`trace` ran; `values` are those of the needed slots that were not inputs."""
        ...


class HostOnlyError(TypeError):
    """A string tensor came to an op that computes on devices."""


class NeedsImmediate(Exception):
    """An input is a JAX tracer: the op must run now, inside JAX's transformation."""


class Trace:
    """One program being recorded: a path in the trie, its inputs, and weak references to what it will return."""

    __slots__ = (
        "__weakref__",
        "assigned",
        "beside",
        "calls_python",
        "customs",
        "done",
        "entered",
        "error",
        "immediate",
        "inputs",
        "lock",
        "node",
        "owner",
        "refs",
        "scalars",
        "sites",
        "tape_site",
        "updated",
        "watchers",
    )

    symbolic = False

    def __init__(self, immediate: bool = False):
        self.node: Node = trie.root
        self.inputs: list[Any] = []
        self.entered: dict[int, int] = {}  # id of an input tensor: its slot
        self.scalars: list[Any] = []
        self.refs: list[weakref.ref] = []
        self.assigned: dict[int, tuple[Cell, Any]] = {}  # id of a cell: the cell, its tensor before this trace
        self.watchers: list[weakref.ref[Any]] = []
        self.sites: set[Any] = set()  # places in the user's code where host arrays entered
        self.tape_site: Any = None  # the place in the user's code where the first tape opened
        self.updated = False  # whether a trainable variable got a new value
        self.owner = threading.get_ident()
        self.lock = threading.Lock()
        self.immediate = immediate
        self.customs: dict[int, Any] = {}  # first output slot of a custom-gradient op: its gradient
        self.calls_python = False  # whether a captured function in it may call Python functions
        self.beside = 0  # how many Python functions that it calls are reading its values
        self.done = False
        self.error: Exception | None = None

    def enter(self, t: Any) -> int:
        """The slot of a tensor that is not a result of this trace; it becomes an input at first use."""
        slot = self.entered.get(id(t))
        if slot is not None:
            return slot
        value = t._value
        if value is None:
            value = realize(t)
        if not self.immediate and not is_concrete(value):
            raise NeedsImmediate
        if type(value) is np.ndarray:
            if value.dtype == object:
                raise HostOnlyError("string tensors live on the host; this op has no string kernel")
            use_host_array(t)
        return self._add_input(t)

    def _add_input(self, t: Any) -> int:
        child = self.node.get(t.aval)
        if child is None:
            child = trie.extend_input(self.node, t.aval)
        try:
            self.inputs.append(t)
            self.entered[id(t)] = child.slot
            self.node = child
        except BaseException:  # an interrupt
            self.mend()
            raise
        return child.slot

    def mend(self) -> None:
        """After an interrupt: forgets inputs and numbers that were noted for a node that was not added."""
        nodes = path(self.node)
        count = sum(node.op is None for node in nodes)
        for t in self.inputs[count:]:
            self.entered.pop(id(t), None)
        del self.inputs[count:]
        del self.scalars[sum(len(node.scalars) for node in nodes) :]

    def assigning(self, cell: Cell) -> None:
        """`cell` is about to get another tensor."""
        if cell._tensor._value is not None:  # a pending one is no value to go back to, and must not be kept alive
            self.assigned[id(cell)] = (cell, cell._tensor)

    def flush(self, event: Event) -> None:
        """Runs what is pending. On an error every tensor and variable keeps, or gets back, its value."""
        self._await_inputs()
        with self.lock:
            if self.done:
                return
            renew(self)
            run_pending(self, event)
            self.inputs, self.entered, self.scalars, self.refs = [], {}, [], []
            self.assigned, self.watchers, self.sites = {}, [], set()
            self.customs = {}

    def _await_inputs(self) -> None:
        """Another thread's captured function may be overwriting the array of a tensor that entered meanwhile.

        Not while the lock is held: that function may wait for it.
        """
        if several_threads():
            for t in list(self.inputs):
                if t._value is None:
                    realize(t)

    def resolve(self, t: Any) -> None:
        """Makes sure that `t`, pending here, has a value."""
        if thread.called_back and self.lock.locked() and self.node.may_fail:
            # The program that waits for this Python function: it does not wait for the program in turn.
            if self.beside > 2:
                raise RuntimeError("a Python function in a program read a value that is computed from its own result")
            self.beside += 1
            try:
                run_pending(self, Event.VALUE_READ_IN_CALLBACK, only=t)
            finally:
                self.beside -= 1
        elif self.owner == threading.get_ident():
            self.flush(Event.VALUE_READ)
        else:
            self._await_inputs()
            with self.lock:
                if t._value is None and not self.done:
                    # Another thread's recording goes on: compute this one value beside it.
                    run_pending(self, Event.VALUE_READ_BY_OTHER_THREAD, only=t)
        if t._value is None:
            raise self.error or RuntimeError("this tensor's value was lost")


class _Thread(threading.local):
    """Per thread: the trace being recorded and the tapes that follow it; the traces under it and their tapes."""

    trace: Any

    def __init__(self) -> None:
        global _threads
        self.trace = Trace()
        self.tapes: list[Any] = []
        self.below: list[Any] = []
        self.tapes_below: list[list[Any]] = []
        self.called_back = 0  # how many Python functions it runs inside programs
        _threads += 1


_threads = 0
# Seconds to wait for another thread that holds it: a function that is captured may in turn wait for this thread.
_PATIENCE: Final = 30.0
thread = _Thread()


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """Context in which no other thread updates variables, or captures a function that assigns them."""
    held = cells_lock.acquire(timeout=_PATIENCE)
    try:
        yield
    finally:
        if held:
            cells_lock.release()


def several_threads() -> bool:
    """Whether more than one thread has used tapejax."""
    return _threads > 1


_tensor_type: Any = Lazy


def set_tensor_type(cls: type) -> None:
    """The class of the tensors that `record` makes."""
    global _tensor_type
    _tensor_type = cls


def set_eager(on: bool) -> None:
    """Runs each op at once, by itself (True), or records (False)."""
    policy.happened(thread, Event.MODE_CHANGED)
    policy.set_eager(on)


def is_eager() -> bool:
    """Whether each op runs at once."""
    return policy.length_limit == 0


def current() -> Any:
    """This thread's trace."""
    return thread.trace


def record(op: Op, static: Static, inputs: tuple[Any, ...]) -> Any:
    """Appends an op to the stream and returns its pending result, or a tuple of them.

    Args:
      op: what to record.
      static: its static arguments.
      inputs: tensors, and ``(number, ScalarKind)`` pairs for Python numbers.

    Raises:
      Whatever the op raises on these shapes and dtypes; the stream is then as it was.
    """
    trace = thread.trace
    key = [op, static]
    numbers = []
    try:
        for t in inputs:
            if t.__class__ is tuple:
                numbers.append(t[0])
                key.append(t[1])
            elif t._trace is trace:
                key.append(t._slot)
            else:
                key.append(trace.enter(t))
                if trace.done:  # a value was read on the way in: start over in the new trace
                    return record(op, static, inputs)
    except NeedsImmediate:
        return run_now(op, static, inputs)
    node = trace.node
    key = tuple(key)
    child = node.get(key)
    if child is None:
        avals = tuple(t[1].aval if t.__class__ is tuple else t.aval for t in inputs)
        child = trie.extend(node, key, avals)
    if numbers:
        try:
            trace.scalars += numbers
            trace.node = child
        except BaseException:  # an interrupt
            trace.mend()
            raise
    trace.node = child
    new = _tensor_type.__new__
    if child.single:
        out = new(_tensor_type)
        out._trace = trace
        out._slot = child.slot
        out._value = None
        out.aval = child.avals[0]
        trace.refs.append(weakref.ref(out))
    else:
        out = tuple(place(trace, child.slot + i, a) for i, a in enumerate(child.avals))
        trace.refs.extend(map(weakref.ref, out))
    if child.depth > policy.length_limit and not trace.symbolic:
        policy.program_grew(trace)
    return out


def place(trace: Trace, slot: int, aval: Aval) -> Any:
    """A tensor that stands for a slot of a trace. It does not count as wanted when the trace is flushed."""
    out = _tensor_type.__new__(_tensor_type)
    out._trace = trace
    out._slot = slot
    out._value = None
    out.aval = aval
    return out


def run_now(op: Op, static: Static, inputs: tuple[Any, ...]) -> Any:
    """Runs one op on JAX tracers, in a trace of its own, so that tapes see it like any other."""
    for t in inputs:
        if t.__class__ is not tuple and t._value is None:
            realize(t)
    trace = Trace(immediate=True)
    depth = len(thread.below)
    try:
        _push(trace, thread.tapes)
        for tape in thread.tapes:
            tape.begin(trace)
        out = record(op, static, inputs)
        trace.flush(Event.OP_ON_TRACER)
    finally:
        _pop(depth)
    return out


def _push(trace: Trace, tapes: list[Any]) -> None:
    """Records in `trace`, followed by `tapes`, until `_pop`."""
    thread.below.append(thread.trace)
    thread.tapes_below.append(thread.tapes)
    thread.trace, thread.tapes = trace, tapes


def _pop(depth: int) -> None:
    """Goes on where `_push` was called with `depth` traces below. An interrupt may have cut that call short."""
    if len(thread.tapes_below) > depth:
        thread.tapes = thread.tapes_below[depth]
        del thread.tapes_below[depth:]
    if len(thread.below) > depth:
        thread.trace = thread.below[depth]
        del thread.below[depth:]


@contextlib.contextmanager
def isolated(trace: "Trace | None" = None) -> Iterator[None]:
    """Context for code that records in a trace of its own (by default a new one), unseen by tapes."""
    scope, depth = trie.scope.path, len(thread.below)
    try:
        trie.scope.path = ""
        _push(Trace() if trace is None else trace, [])
        yield
    finally:
        _pop(depth)
        trie.scope.path = scope


@contextlib.contextmanager
def outside_captures() -> Iterator[None]:
    """Context for code that records outside the graphs that are being captured, unseen by tapes."""
    if not thread.trace.symbolic:
        yield
        return
    with isolated(next(t for t in reversed(thread.below) if not t.symbolic)):
        yield


def renew(trace: Trace) -> None:
    """Puts a fresh trace in the place of one that is about to be flushed."""
    fresh = Trace(trace.immediate)
    tapes: list[Any] = []
    if thread.trace is trace:
        thread.trace = fresh
        tapes += thread.tapes
    for i, t in enumerate(thread.below):
        if t is trace:
            thread.below[i] = fresh
            tapes += thread.tapes_below[i]
    if not trace.immediate:
        for tape in tapes:
            tape.begin(fresh)


def realize(t: Any) -> Any:
    """The value of a tensor, computed if it is pending."""
    if t._value is None:
        t._trace.resolve(t)
    return t._value


def host(t: Any) -> np.ndarray:
    """The value of a tensor on the host, computed if it is pending. Not a copy."""
    value = t._value
    return on_host(realize(t) if value is None else value)


def assign(cell: Cell, tensor: Any) -> None:
    """Makes `tensor` the value of `cell`; undone if the program that computes it fails."""
    policy.assigns(thread)
    trace = thread.trace
    trace.assigning(cell)
    if cell._trainable:
        trace.updated = True
    cell._tensor = trace.cut(cell, tensor) if trace.symbolic else tensor


@contextlib.contextmanager
def called_back() -> Iterator[None]:
    """Context for a Python function that a running program calls."""
    thread.called_back += 1
    try:
        yield
    finally:
        thread.called_back -= 1


def sync() -> None:
    """Runs what this thread has pending."""
    policy.happened(thread, Event.SYNC)


explain.provide_sizes(trie.sizes)
