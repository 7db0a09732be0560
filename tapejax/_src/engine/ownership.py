"""Who holds a buffer, and which buffers a program may overwrite.

A program may overwrite ("donate") the array of an input if nobody else can read it any more. References tell this:
a tensor that only a variable and the running program hold, and an array that only this tensor and the list of
arguments hold. The counts of a sole holder depend on the Python version. `_refcounts_when_sole` measures them.
"""

import sys
import threading
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from tapejax._src.engine.graph import Node, path
from tapejax._src.engine.program import copied, on_device

__all__ = [
    "FILLABLE",
    "cells_lock",
    "donatable",
    "give_back",
    "is_fillable",
    "is_taken",
    "shared",
    "take_arrays",
    "use_host_array",
]

cells_lock: Final = threading.RLock()
"""Variables are shared: where several threads use tapejax, this is held while one reads and replaces a value."""

# Values of `Lazy._mark`, for tensors that no trace computes:
UNMARKED: Final = 0
USED_ONCE: Final = -1
"""The tensor holds a host array, which one program has used so far."""
FILLABLE: Final = -2
"""A captured function made the tensor. The next call of a function may put its new array into the same tensor."""

_count: Final = sys.getrefcount


def use_host_array(t: Any) -> None:
    """Notes that a program uses a tensor of a host array. From its second use on, the array lies on the device."""
    if t._mark < 0:
        t._value = on_device(t._value)
        t._mark = UNMARKED
    elif t._trace is None:
        t._mark = USED_ONCE


def donatable(trace: Any, node: Node) -> tuple[int, ...]:
    """Positions of the inputs that only an overwritten variable still holds.

    Args:
      trace: the pending program. It must hold the old tensors, in `assigned` and in `inputs`.
      node: its last node.

    The caller must hold the inputs' arrays in one list, which is counted as a holder of each.
    """
    if not trace.assigned:
        return ()
    positions = node.memo.get("positions")
    if positions is None:
        slots = [n.slot for n in path(node) if n.op is None]
        positions = node.memo["positions"] = {slot: i for i, slot in enumerate(slots)}
    found = []
    for entry in trace.assigned.values():
        slot = trace.entered.get(id(entry[1]))
        if slot is not None and _count(entry[1]) <= _SOLE_TENSOR and _count(entry[1]._value) <= _SOLE_ARRAY:
            found.append(positions[slot])
    return tuple(found)


def is_fillable(tensors: Sequence[Any]) -> bool:
    """Whether a captured function may put its new arrays into these tensors: their variables alone hold them.

    Their arrays may be in one more list, that of the function's arguments.
    """
    for t in tensors:
        if t._mark != FILLABLE or _count(t) > _HELD_TENSOR or _count(t._value) > _HELD_ARRAY:
            return False
    return bool(tensors)


def shared(tensors: Sequence[Any]) -> list[int]:
    """Positions of the tensors whose device arrays someone else holds: a program must overwrite copies of these."""
    found = []
    for i in range(len(tensors)):
        t = tensors[i]
        if (_count(t) > _HELD_TENSOR or _count(t._value) > _HELD_ARRAY) and type(t._value) is not np.ndarray:
            found.append(i)
    return found


class _InUse:
    """Takes the place of the trace in tensors whose arrays a running program overwrites. It makes readers wait."""

    symbolic = False

    def resolve(self, t: Any) -> None:
        """Waits until `t` has a value."""
        with cells_lock:
            pass


_IN_USE: Final = _InUse()


def is_taken(t: Any) -> bool:
    """Whether `take_arrays` has taken the tensor's array out."""
    return t._trace is _IN_USE


def give_back(tensors: Sequence[Any], values: Sequence[Any]) -> None:
    """Gives tensors a value again after `take_arrays`."""
    for t, value in zip(tensors, values, strict=False):
        t._value = value
        t._trace = None


def take_arrays(held: Sequence[Any], args: list[Any], first: int) -> int:
    """Takes the arrays that will be overwritten out of their tensors, and copies the arrays that are shared.

    This is needed if other threads may read the variables. The arrays are taken out before their references are
    counted, because a reader could take one in between.

    Args:
      held: the variables' tensors.
      args: the arguments of the program. Copies are put there.
      first: the position in `args` of the first tensor's array.

    Returns:
      How many arrays are taken out.
    """
    for t in held:
        t._trace = _IN_USE
        t._value = None
    taken = 0
    for i, t in enumerate(held):
        at = first + i
        alone = _count(t) <= _HELD_TENSOR and _count(args[at]) <= _HELD_ARRAY - 1 and type(args[at]) is not np.ndarray
        if alone:
            taken += 1
            continue
        give_back([t], [args[at]])
        if type(args[at]) is not np.ndarray:
            args[at] = copied(args[at])
    return taken


def _refcounts_when_sole() -> tuple[int, int]:
    """What `donatable` counts when nobody else holds on."""

    class Holder:
        _value: Any = object()

    holder = Holder()
    holder._value = bytearray(1)
    inputs = [holder]
    entry = (None, holder)
    arrays = [t._value for t in inputs]
    del holder
    found = sys.getrefcount(entry[1]), sys.getrefcount(entry[1]._value)
    del arrays, inputs
    return found


_SOLE_TENSOR, _SOLE_ARRAY = _refcounts_when_sole()


def _refcounts_when_held() -> tuple[int, int]:
    """What `is_fillable` and `shared` count if only a variable holds a tensor. Measured in a loop like theirs."""

    class Holder:
        _value: Any = None
        _tensor: Any = None

    cell = Holder()
    cell._tensor = Holder()
    cell._tensor._value = bytearray(1)
    held = [c._tensor for c in [cell]]
    args: list[Any] = []
    args += [t._value for t in held]
    for t in held:
        return sys.getrefcount(t), sys.getrefcount(t._value)
    raise AssertionError


_HELD_TENSOR, _HELD_ARRAY = _refcounts_when_held()
