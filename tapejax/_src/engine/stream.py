"""Eager execution: ops are recorded and run later, many at a time.

`record` appends an op to the current `Trace` and returns a pending tensor, one without a value. A *flush* compiles the
recorded ops into one program and runs it.

`record` is the most performance-critical function of the project. For each op it looks up a child of the current trie
node and creates a tensor. It calls JAX only for an op sequence that has not been recorded before.
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
    """Base class of tensors. It holds the fields that the engine needs.

    Attributes:
      _value: a NumPy array, a JAX array or a JAX tracer, or None while the tensor is pending.
      _trace: the trace in which the tensor was recorded, or None if it is not the result of an op.
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
    """A variable: an object whose tensor is replaced at each assignment."""

    _tensor: Any
    _trainable: bool


class Watcher(Protocol):
    """A gradient tape, as the engine sees it.

    A tape needs some intermediate values of a program to compute gradients after the program has run.
    """

    def begin(self, trace: "Trace") -> None:
        """Notes that a new trace has started while the tape records."""
        ...

    def needs(self, trace: "Trace") -> Iterable[int]:
        """Returns the slots whose values the tape needs after `trace` has run."""
        ...

    def keep(self, trace: "Trace", values: dict[int, Any]) -> None:
        """Stores the needed values after `trace` has run. `values` has those that are not inputs, by slot."""
        ...


class HostOnlyError(TypeError):
    """A string tensor was passed to an op that runs on a device. Strings exist only on the host."""


class NeedsImmediate(Exception):
    """Raised if an input of an op is a JAX tracer. The op must then run at once, inside JAX's transformation."""


class Trace:
    """A program while it is recorded.

    It consists of a path in the trie, the input tensors, and weak references to the tensors that its ops return.
    """

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
        self.entered: dict[int, int] = {}  # slots of the input tensors, by id of the tensor
        self.scalars: list[Any] = []
        self.refs: list[weakref.ref] = []
        # By id of a variable: the variable, and the tensor that it had before this trace.
        self.assigned: dict[int, tuple[Cell, Any]] = {}
        self.watchers: list[weakref.ref[Any]] = []
        self.sites: set[Any] = set()  # places in the user's code where host arrays entered
        self.tape_site: Any = None  # the place in the user's code where the first tape opened
        self.updated = False  # whether a trainable variable got a new value
        self.owner = threading.get_ident()
        self.lock = threading.Lock()
        self.immediate = immediate
        self.customs: dict[int, Any] = {}  # gradients of custom-gradient ops, by the first output slot of the op
        self.calls_python = False  # whether a recorded tf.function may call Python functions when it runs
        self.beside = 0  # number of Python callbacks of this program that are reading its values now
        self.done = False
        self.error: Exception | None = None

    def enter(self, t: Any) -> int:
        """Returns the slot of a tensor from outside this trace. The tensor becomes an input at its first use."""
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
        """Removes inputs and numbers whose node was not added because an interrupt came in between."""
        nodes = path(self.node)
        count = sum(node.op is None for node in nodes)
        for t in self.inputs[count:]:
            self.entered.pop(id(t), None)
        del self.inputs[count:]
        del self.scalars[sum(len(node.scalars) for node in nodes) :]

    def assigning(self, cell: Cell) -> None:
        """Remembers the tensor of a variable that is about to be assigned, to restore it if the program fails."""
        # A pending tensor has no value that could be restored, and keeping it alive would make it an output.
        if cell._tensor._value is not None:
            self.assigned[id(cell)] = (cell, cell._tensor)

    def flush(self, event: Event) -> None:
        """Runs the recorded ops. If one fails, tensors keep their values and variables get their old values back."""
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
        """Waits until all inputs have values.

        A captured function of another thread may be overwriting the array of an input. The caller must not hold the
        lock, because that function may be waiting for it.
        """
        if several_threads():
            for t in list(self.inputs):
                if t._value is None:
                    realize(t)

    def resolve(self, t: Any) -> None:
        """Computes the value of `t`, a pending tensor of this trace."""
        if thread.called_back and self.lock.locked() and self.node.may_fail:
            # The program is running and waits for this Python callback. Waiting for the program here would deadlock, so
            # the value is computed separately.
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
                    # Another thread is still recording this trace. Compute this one value and leave the trace as it is.
                    run_pending(self, Event.VALUE_READ_BY_OTHER_THREAD, only=t)
        if t._value is None:
            raise self.error or RuntimeError("this tensor's value was lost")


class _Thread(threading.local):
    """The recording state of one thread.

    `trace` is the trace that ops are recorded in, and `tapes` are the tapes that follow it. `below` and `tapes_below`
    are the stacks of traces and tapes to which recording returns later.
    """

    trace: Any

    def __init__(self) -> None:
        global _threads
        self.trace = Trace()
        self.tapes: list[Any] = []
        self.below: list[Any] = []
        self.tapes_below: list[list[Any]] = []
        self.called_back = 0  # number of callbacks of running programs that this thread is in
        _threads += 1


_threads = 0
# Seconds that `exclusive` waits for the lock before it goes on without. The thread that holds the lock may be capturing
# a function that waits for this thread.
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
    """Sets the class of the tensors that `record` creates."""
    global _tensor_type
    _tensor_type = cls


def set_eager(on: bool) -> None:
    """Chooses whether each op runs at once by itself (True) or is recorded and run later (False)."""
    policy.happened(thread, Event.MODE_CHANGED)
    policy.set_eager(on)


def is_eager() -> bool:
    """Whether each op runs at once."""
    return policy.length_limit == 0


def current() -> Any:
    """This thread's trace."""
    return thread.trace


def record(op: Op, static: Static, inputs: tuple[Any, ...]) -> Any:
    """Records an op and returns its pending result, or a tuple of results.

    Args:
      op: the op to record.
      static: its static arguments.
      inputs: tensors, and ``(number, ScalarKind)`` pairs for Python numbers.

    Raises:
      The exception that the op raises for these shapes and dtypes. Nothing is recorded in this case.
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
                if trace.done:  # computing an input's value flushed this trace: start over in the new one
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
    """Creates a tensor for a slot of a trace. A flush does not compute it, unless it is added to `trace.refs`."""
    out = _tensor_type.__new__(_tensor_type)
    out._trace = trace
    out._slot = slot
    out._value = None
    out.aval = aval
    return out


def run_now(op: Op, static: Static, inputs: tuple[Any, ...]) -> Any:
    """Runs one op on JAX tracers at once. It is recorded in a trace of its own, so that tapes can follow it."""
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
    """Makes `trace` and `tapes` the current ones of this thread, until `_pop` is called."""
    thread.below.append(thread.trace)
    thread.tapes_below.append(thread.tapes)
    thread.trace, thread.tapes = trace, tapes


def _pop(depth: int) -> None:
    """Undoes `_push`.

    Args:
      depth: the length of ``thread.below`` before the call of `_push`. An interrupt may have cut that call short.
    """
    if len(thread.tapes_below) > depth:
        thread.tapes = thread.tapes_below[depth]
        del thread.tapes_below[depth:]
    if len(thread.below) > depth:
        thread.trace = thread.below[depth]
        del thread.below[depth:]


@contextlib.contextmanager
def isolated(trace: "Trace | None" = None) -> Iterator[None]:
    """Context that records ops in a separate trace, by default a new one. The open tapes do not follow it."""
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
    """Context that records ops in the eager trace, even while a graph is captured. The open tapes do not follow it."""
    if not thread.trace.symbolic:
        yield
        return
    with isolated(next(t for t in reversed(thread.below) if not t.symbolic)):
        yield


def renew(trace: Trace) -> None:
    """Replaces a trace that is about to be flushed by a new one, wherever this thread refers to it."""
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
    """Returns the value of a tensor as a NumPy array, which may share memory with it. Computes it if it is pending."""
    value = t._value
    return on_host(realize(t) if value is None else value)


def assign(cell: Cell, tensor: Any) -> None:
    """Assigns `tensor` to the variable `cell`. If the program that computes it fails, the assignment is undone."""
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
    """Runs the ops that this thread has recorded and not run yet."""
    policy.happened(thread, Event.SYNC)


explain.provide_sizes(trie.sizes)
