"""A captured piece of code as one op of the stream: what rules of differentiation can be put around."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from tapejax._src.core.tensor import Tensor
from tapejax._src.engine import stream
from tapejax._src.engine.aval import Aval
from tapejax._src.engine.capture import Captured, capture
from tapejax._src.engine.op import NO_STATIC, Op

__all__ = ["Call", "capture_here", "emit", "inside"]

_PASS = Op("identity", jnp.asarray)


class Call(Op):
    """A captured program as an op."""

    __slots__ = ()


def capture_here(fn: Callable[..., Any], avals: Sequence[Aval]) -> Captured:
    """As `capture`, for code whose place is where it is called: its random ops go on with the seeds of that place."""
    from tapejax._src.ops.random.draws import seeds_of  # ops come after autodiff

    seeds = seeds_of(stream.current())

    def run(*placeholders: Tensor) -> Any:
        stream.current().seeds = seeds
        return fn(*placeholders)

    return capture(run, avals)


def inside(tensors: Sequence[Tensor]) -> list[Tensor]:
    """To be called last in a capture: the tensors as results of it, also those that it merely returns."""
    trace = stream.current()
    return [t if t._trace is trace else stream.record(_PASS, NO_STATIC, (t,)) for t in tensors]


def emit(
    name: str,
    captured: Captured,
    tensors: Sequence[Tensor],
    given: Sequence[Any],
    wrap: Callable[[Callable], Callable] | None = None,
) -> tuple[Tensor, ...]:
    """Records a captured program as one op and returns what it computes for `tensors`.

    Args:
      name: of the op, and of the rule: equal programs under equal names are one op.
      given: the tensors for the placeholders.
      wrap: makes of the program, a function of arrays that returns a tuple, the op's function.
    """
    key = (name, captured.slots(tensors), len(captured.inputs))
    op = captured.end.memo.get(key)
    if op is None:
        graph = captured.graph(tensors)
        split = len(given) + len(captured.inputs)

        def run(*arrays: Any) -> tuple:
            return tuple(graph(arrays[:split], arrays[split:]))

        op = captured.end.memo[key] = Call(name, run if wrap is None else wrap(run), may_fail=captured.end.may_fail)
    captured.note_reads()
    return stream.record(op, NO_STATIC, (*given, *captured.inputs, *captured.numbers()))
