"""When pending ops are run: every event that may flush a stream, and the decision about it.

Other files report that something happened. Only this file decides whether the pending program is run because of it.
`RULES` holds one row for each event. The table in ARCHITECTURE.md shows the same rows, and a test compares the two.
"""

import enum
from collections.abc import Callable
from typing import Any, Final, NamedTuple

__all__ = ["RULES", "Event", "Mode", "Rule", "happened"]

LENGTH_CAP: Final = 20_000
"""Ops after which a program is cut and run op by op. Only a loop that never reads a value gets that long."""

length_limit = LENGTH_CAP
"""The limit in force: `LENGTH_CAP`, or 0 in op-by-op mode. `stream.record` compares with it for each op."""


class Mode(enum.Enum):
    """How pending ops are run."""

    COMPILED = "as one program"
    OP_BY_OP = "op by op"
    ONE_VALUE = "that value alone"


class Event(enum.Enum):
    """What may cause a flush."""

    VALUE_READ = "a value was read"
    VALUE_READ_IN_CALLBACK = "a value was read by a Python function in a program"
    VALUE_READ_BY_OTHER_THREAD = "a value was read by another thread"
    UPDATED_VARIABLE_READ = "a variable updated in this program was read"
    VARIABLE_READ_AGAIN = "a variable was read twice outside tapes"
    ASSIGNED_AFTER_CALLBACK = "a Python function that was called before an assignment"
    HOST_ARRAY_ENTERED = "a host array entered"
    TAPE_OPENED_UNWANTED = "nothing pending was wanted"
    TAPE_OPENED_AFTER_UPDATE = "a tape opened after an update"
    PROGRAM_TOO_LONG = "length cap"
    EAGER_OP_RECORDED = "op-by-op mode"
    OP_ON_TRACER = "inside a JAX transformation"
    FUNCTION_RAN = "a captured function ran"
    FUNCTION_CAPTURED = "a function is captured"
    DEVICE_CHANGED = "the device changed"
    MODE_CHANGED = "the mode changed"
    SYNC = "sync"


class Rule(NamedTuple):
    """The decision about one event.

    Attributes:
      condition: when the event causes a flush.
      mode: how the pending ops are run then.
    """

    condition: str
    mode: Mode


RULES: Final[dict[Event, Rule]] = {
    Event.VALUE_READ: Rule("always", Mode.COMPILED),
    Event.VALUE_READ_IN_CALLBACK: Rule("the program that called the function is running", Mode.ONE_VALUE),
    Event.VALUE_READ_BY_OTHER_THREAD: Rule("the value is pending in another thread's stream", Mode.ONE_VALUE),
    Event.UPDATED_VARIABLE_READ: Rule("the variable is trainable and its value is pending here", Mode.COMPILED),
    Event.VARIABLE_READ_AGAIN: Rule(
        "the variable is trainable, no tape is open, and the pending program has read it before", Mode.COMPILED
    ),
    Event.ASSIGNED_AFTER_CALLBACK: Rule("a pending captured function may call Python functions", Mode.COMPILED),
    Event.HOST_ARRAY_ENTERED: Rule(
        "no tape is open, and a host array has entered at the same place of the user's code", Mode.COMPILED
    ),
    Event.TAPE_OPENED_UNWANTED: Rule(
        "ops are pending, and nobody holds a result: the program is dropped", Mode.COMPILED
    ),
    Event.TAPE_OPENED_AFTER_UPDATE: Rule(
        "a trainable variable was updated, and no tape was opened before or one at the same place", Mode.COMPILED
    ),
    Event.PROGRAM_TOO_LONG: Rule("more than 20000 ops and inputs are pending", Mode.OP_BY_OP),
    Event.EAGER_OP_RECORDED: Rule("TAPEJAX_EAGER=1", Mode.OP_BY_OP),
    Event.OP_ON_TRACER: Rule("an input of the op is a JAX tracer", Mode.OP_BY_OP),
    Event.FUNCTION_RAN: Rule("something is pending", Mode.COMPILED),
    Event.FUNCTION_CAPTURED: Rule("outside captures", Mode.COMPILED),
    Event.DEVICE_CHANGED: Rule("outside captures", Mode.COMPILED),
    Event.MODE_CHANGED: Rule("outside captures", Mode.COMPILED),
    Event.SYNC: Rule("outside captures", Mode.COMPILED),
}


def happened(thread: Any, event: Event) -> None:
    """Reports an event that runs the thread's pending ops. Nothing happens while a graph is captured."""
    if not thread.trace.symbolic:
        thread.trace.flush(event)


def function_runs(thread: Any) -> None:
    """Reports that a captured function is about to run as a program of its own."""
    if thread.trace.node.depth:
        thread.trace.flush(Event.FUNCTION_RAN)


def program_grew(trace: Any) -> None:
    """Reports that a program is longer than `length_limit`."""
    trace.flush(Event.PROGRAM_TOO_LONG if length_limit else Event.EAGER_OP_RECORDED)


def set_eager(on: bool) -> None:
    """Switches op-by-op mode on or off."""
    global length_limit
    length_limit = 0 if on else LENGTH_CAP


def assigns(thread: Any) -> None:
    """Reports that a variable is about to be assigned.

    A Python function that was called before the assignment must read the old value, so it has to run first.
    """
    if thread.trace.calls_python and not thread.trace.symbolic:
        thread.trace.flush(Event.ASSIGNED_AFTER_CALLBACK)


def variable_read(thread: Any, variable: Any, tensor: Any) -> None:
    """Reports that a trainable variable is read. `tensor` is its value.

    The read of a variable that the pending program updated usually means that the next turn of a training loop has
    started. So does the second read of a variable without a tape.
    """
    trace = thread.trace
    if tensor._value is None:
        if tensor._trace is trace and not trace.symbolic:
            trace.flush(Event.UPDATED_VARIABLE_READ)
    elif not thread.tapes and not trace.symbolic:
        if variable._untaped is trace:
            trace.flush(Event.VARIABLE_READ_AGAIN)
        variable._untaped = thread.trace


def host_array_entered(thread: Any, site: Callable[[], Any]) -> None:
    """Reports that a host array is converted to a tensor.

    If the same line of the user's code converts a second array, the array is usually the next batch of a loop.

    Args:
      thread: the recording state of the thread.
      site: returns the place in the user's code.
    """
    trace = thread.trace
    if thread.tapes or trace.symbolic:
        return
    where = site()
    if where in trace.sites:
        trace.flush(Event.HOST_ARRAY_ENTERED)
        trace = thread.trace
    trace.sites.add(where)


def tape_opened(thread: Any, site: Any) -> None:
    """Reports that the outermost tape opens. Flushes in two cases.

    First case: nobody references a result of the pending ops. They are dropped. An example are initial weights that are
    drawn and then overwritten. Without this flush, these ops would become part of the first training step. That step
    would then differ from the later ones and be compiled separately.

    Second case: a variable was updated. A new tape then means that the next turn of a training loop starts. Waiting for
    the read of an updated variable would be too late, because a step may record ops before that read. These ops would
    belong to the previous program if nothing flushed it, and to the next one if the user's code read the loss.

    Args:
      thread: the recording state of the thread.
      site: the place in the user's code.
    """
    trace = thread.trace
    if trace.symbolic or trace.immediate:
        return
    if trace.node.depth > len(trace.inputs) and all(r() is None for r in trace.refs):
        trace.flush(Event.TAPE_OPENED_UNWANTED)
    elif trace.updated and trace.tape_site in (None, site):
        sites = trace.sites
        trace.flush(Event.TAPE_OPENED_AFTER_UPDATE)
        thread.trace.sites = sites  # the batch may have been converted already: it belongs to the new turn
    trace = thread.trace
    trace.tape_site = trace.tape_site or site


def fuses_activations(thread: Any) -> bool:
    """Whether a layer should record its matrix product (or convolution) and its activation as one op.

    Under nested tapes two ops are better. If two gradients reach the output of the product, they are then added, and
    the vjp of the product runs once instead of twice.
    """
    return len(thread.tapes) < 2
