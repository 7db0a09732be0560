"""Records a captured piece of code as one op, whose derivative can be customized as a whole."""

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
    """An op that runs a captured program."""

    __slots__ = ()


def capture_here(fn: Callable[..., Any], avals: Sequence[Aval]) -> Captured:
    """Captures a function like `capture`, but its random ops continue the sequence of seeds of the calling code.

    Args:
      fn: the function. It is called with one placeholder tensor for each aval.
      avals: shapes and dtypes of the placeholders.
    """
    # Imported late, because the package `ops` is built on `autodiff`.
    from tapejax._src.ops.random.draws import seeds_of

    seeds = seeds_of(stream.current())

    def run(*placeholders: Tensor) -> Any:
        stream.current().seeds = seeds
        return fn(*placeholders)

    return capture(run, avals)


def inside(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Makes tensors results of the current capture. Call it last.

    A tensor that was made outside the capture, and is only returned by it, passes through an identity op.
    """
    trace = stream.current()
    return [t if t._trace is trace else stream.record(_PASS, NO_STATIC, (t,)) for t in tensors]


def emit(
    name: str,
    captured: Captured,
    tensors: Sequence[Tensor],
    given: Sequence[Any],
    wrap: Callable[[Callable], Callable] | None = None,
) -> tuple[Tensor, ...]:
    """Records a captured program as one op.

    Args:
      name: the op's name. Captures of equal programs share one op if they have the same name, so a name must always
        be used with the same `wrap`.
      captured: the captured program.
      tensors: the results that are wanted, as symbolic tensors of the capture.
      given: the tensors that take the place of the placeholders.
      wrap: a transformation of the program, which is a function of arrays that returns a tuple, such as
        `jax.checkpoint`. The op runs the transformed function.

    Returns:
      The results of the op, one for each of `tensors`.
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
