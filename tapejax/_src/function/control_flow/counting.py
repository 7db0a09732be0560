"""Finds the number of iterations of a loop, if it follows from numbers that are known when the loop is recorded.

An example is ``while i < 64: ...; i += 1``. Such a loop is compiled as a loop of known length, whose gradient need not
compute anything a second time.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import variables_by_tensor
from tapejax._src.function.control_flow.lowering import MAX_SCANNED
from tapejax._src.function.control_flow.regions import Region
from tapejax._src.ops.array.layout import host_value

__all__ = ["known_turns"]

_INTEGERS: Final = "iub"


def known_turns(test: Region, body: Region, init: Sequence[Tensor], found: Sequence[Tensor]) -> int | None:
    """The number of iterations, or None if it is not known or is greater than `MAX_SCANNED`.

    Args:
      test: the captured condition, a function of the loop's state.
      body: the captured body, a function of the state.
      init: the state before the loop.
      found: the next state, as computed by the body.
    """
    if test.captured.end.acts or test.captured.end.may_fail:
        return None
    (condition,) = test.tensors
    assert condition is not None
    going = _OnHost(test, condition, len(init))
    steps: dict[int, _OnHost] = {}
    pending = list(going.state)
    while pending and going.known:
        k = pending.pop()
        if k not in steps:
            steps[k] = _OnHost(body, found[k], len(init))
            going.known &= steps[k].known
            pending += steps[k].state
    values = {k: _constant(init[k]) for k in steps}
    if not going.known or any(v is None for v in values.values()):
        return None
    with np.errstate(all="ignore"):
        for turns in range(MAX_SCANNED + 1):
            if not going(values):
                return turns
            values = {k: step(values) for k, step in steps.items()}
    return None


def _constant(t: Tensor) -> Any:
    """The value of an integer scalar that is the same whenever the program runs, or None for any other tensor."""
    value = host_value(t)
    if value is None or value.ndim or value.dtype.kind not in _INTEGERS or id(t) in variables_by_tensor():
        return None
    return value


class _OnHost:
    """Computes a result of a captured function with NumPy, on the host.

    Attributes:
      known: whether that is possible: the result must be computed from the state and constants, with integers only.
      state: the positions of the elements of the state that the result depends on.
    """

    def __init__(self, region: Region, result: Tensor, size: int):
        captured = region.captured
        graph = captured.graph([result])
        self._nodes, (self._result,), self._slots = graph.nodes, graph.outputs, graph.input_slots
        used = {self._result, *(slot for node in self._nodes for slot in node.inputs)}
        places = [i for i, slot in enumerate(self._slots) if slot in used]
        self.state = [i for i in places if i < size]
        self._fixed = {
            slot: np.asarray(value, kind.dtype)
            for (slot, _), (value, kind) in zip(graph.scalars, captured.scalars, strict=True)
        }
        self._fixed |= {self._slots[i]: _constant(captured.inputs[i - size]) for i in places if i >= size}
        self.known = all(value is not None for value in self._fixed.values()) and all(
            node.op is not None
            and node.op.host is not None
            and "_layout" not in node.static.kwargs
            and len(node.avals) == 1
            and not node.avals[0].shape
            and node.avals[0].dtype.kind in _INTEGERS
            for node in self._nodes
        )

    def __call__(self, state: dict[int, Any]) -> Any:
        env = {**self._fixed, **{self._slots[k]: state[k] for k in self.state}}
        for node in self._nodes:
            assert node.op is not None and node.op.host is not None
            value = node.op.host(*(env[slot] for slot in node.inputs), **node.static.kwargs)
            env[node.slot] = np.asarray(value, node.avals[0].dtype)
        return env[self._result]
