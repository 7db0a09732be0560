"""Which input buffers a program may overwrite.

A program may overwrite ("donate") the array of an input if no other code can read the array any more. Reference counts
show this. Only the variable and the running program may reference the tensor, and only the tensor and the list of
arguments may reference the array. What `sys.getrefcount` returns in this case depends on the Python version, so
`_refcounts_when_sole` and `_refcounts_when_held` measure it.
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
"""Protects variables, which threads share. A thread holds it while it reads and replaces a variable's value."""

# Values of `Lazy._mark`, which only tensors without a trace have:
UNMARKED: Final = 0
USED_ONCE: Final = -1
"""The tensor holds a host array, which one program has used so far."""
FILLABLE: Final = -2
"""A captured function made the tensor. The next call of a function may put its new array into the same tensor."""

_count: Final = sys.getrefcount


def use_host_array(t: Any) -> None:
    """Notes that a program uses a tensor whose value is a host array. At the second use it is copied to the device."""
    if t._mark < 0:
        t._value = on_device(t._value)
        t._mark = UNMARKED
    elif t._trace is None:
        t._mark = USED_ONCE


def donatable(trace: Any, node: Node) -> tuple[int, ...]:
    """Returns the positions of inputs that the program may overwrite: old values of variables, not used elsewhere.

    Args:
      trace: the pending program. It must hold the old tensors, in `assigned` and in `inputs`.
      node: its last node.

    The caller must hold the inputs' arrays in one list. The expected reference counts include that list.
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
    """Whether a captured function may store its new arrays in these tensors instead of creating new tensors.

    It may if only the variables reference the tensors. The list of the function's arguments may reference the arrays.
    """
    for t in tensors:
        if t._mark != FILLABLE or _count(t) > _HELD_TENSOR or _count(t._value) > _HELD_ARRAY:
            return False
    return bool(tensors)


def shared(tensors: Sequence[Any]) -> list[int]:
    """Returns the positions of tensors whose device arrays other code references. A program must overwrite copies."""
    found = []
    for i in range(len(tensors)):
        t = tensors[i]
        if (_count(t) > _HELD_TENSOR or _count(t._value) > _HELD_ARRAY) and type(t._value) is not np.ndarray:
            found.append(i)
    return found


class _InUse:
    """Stands in for the trace of tensors whose arrays a running program overwrites. It makes readers wait."""

    symbolic = False

    def resolve(self, t: Any) -> None:
        """Waits until `t` has a value."""
        with cells_lock:
            pass


_IN_USE: Final = _InUse()


def is_taken(t: Any) -> bool:
    """Whether `take_arrays` has removed the tensor's array."""
    return t._trace is _IN_USE


def give_back(tensors: Sequence[Any], values: Sequence[Any]) -> None:
    """Sets the values of tensors whose arrays `take_arrays` removed."""
    for t, value in zip(tensors, values, strict=False):
        t._value = value
        t._trace = None


def take_arrays(held: Sequence[Any], args: list[Any], first: int) -> int:
    """Removes the arrays that a program will overwrite from their tensors, and copies arrays that other code uses.

    This is needed if other threads may read the variables. The arrays are removed before their references are counted.
    Otherwise a reader could get a reference in between.

    Args:
      held: the variables' tensors.
      args: the arguments of the program. Copies replace the shared arrays in it.
      first: the position in `args` of the first tensor's array.

    Returns:
      The number of arrays that were removed and not given back.
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
    """Measures the reference counts that `donatable` sees if nothing else references the tensor and its array."""

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
    """Measures the counts that `is_fillable` and `shared` see if only a variable references a tensor.

    The loop here has the form of theirs, because each local variable counts as a reference.
    """

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
