"""While loops as pure JAX functions that can be differentiated in reverse mode. `jax.lax.while_loop` cannot.

A loop consists of two functions, ``test(i, state, consts) -> bool`` and ``step(i, state, consts) -> state``. State and
consts are tuples of arrays, and `i` is the number of the iteration. The functions must not use any other arrays, so
that `jax.custom_vjp` sees all inputs.
"""

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

__all__ = ["differentiable_while"]

# If a loop has at most this many iterations, its reverse mode keeps the state of each iteration. Otherwise it keeps the
# state of some iterations only (checkpoints), and computes the states between them again.
MAX_SCANNED: Final = 1024
# The number of checkpoints depends on the size of the state: as many as fit into _SLOT_BYTES, but at least _MIN_SLOTS
# and at most _MAX_SLOTS.
_MIN_SLOTS: Final = 64
_MAX_SLOTS: Final = 4096
_SLOT_BYTES: Final = 1 << 20

State = tuple[Any, ...]
Test = Callable[[Any, State, State], Any]
Step = Callable[[Any, State, State], State]


def differentiable_while(test: Test, step: Step, bound: int | None) -> Callable[[State, State], State]:
    """A function ``run(state, consts) -> final state`` that runs a while loop. It has derivatives of any order.

    Args:
      test: the condition of the loop.
      step: the body of the loop.
      bound: the greatest number of iterations, or None if it is not known when the loop is compiled.
    """
    if bound is None or bound > MAX_SCANNED:
        loop = _checkpointed(test, step)
        return lambda state, consts: loop(state, consts)[1]

    @jax.custom_vjp
    def run(state: State, consts: State) -> State:
        return _plain(test, step, state, consts)[1]

    # For the gradient, only the state of each iteration is kept. Other values are computed again.
    @jax.checkpoint
    def turn(carry: Any, i: Any, consts: State) -> Any:
        going, state = carry
        going = going & test(i, state, consts)
        return going, lax.cond(going, lambda s: _alike(step(i, s, consts), s), lambda s: s, state)

    def scanned(state: State, consts: State) -> State:
        turns = jnp.arange(bound, dtype=jnp.int32)
        (_, final), _ = lax.scan(lambda c, i: (turn(c, i, consts), None), (jnp.bool_(True), state), turns)
        return final

    run.defvjp(lambda state, consts: jax.vjp(scanned, state, consts), lambda pull, cotangents: pull(cotangents))
    return run


def _plain(test: Test, step: Step, state: State, consts: State) -> tuple[Any, State]:
    """Runs the loop. Returns the number of iterations and the final state."""

    def turn(carry: Any) -> Any:
        i, s = carry
        return i + jnp.int32(1), _alike(step(i, s, consts), s)

    return lax.while_loop(lambda c: test(c[0], c[1], consts), turn, (jnp.int32(0), state))


def _alike(new: State, old: State) -> State:
    return tuple(lax.convert_element_type(n, o.dtype) for n, o in zip(new, old, strict=True))


def _checkpointed(test: Test, step: Step) -> Callable[[State, State], tuple[Any, State]]:
    """A while loop whose backward pass uses checkpoints.

    The backward pass first runs the loop again and keeps the states of some iterations. Then it goes through the
    iterations from the last to the first, and computes the state of each from the checkpoint before it.
    """

    @jax.custom_vjp
    def run(state: State, consts: State) -> tuple[Any, State]:
        return _plain(test, step, state, consts)

    def forward(state: State, consts: State) -> Any:
        out = run(state, consts)
        return out, (out[0], state, consts)

    def backward(residuals: Any, cotangents: Any) -> Any:
        turns, state, consts = residuals
        size = sum(s.size * s.dtype.itemsize for s in state)
        slots = max(_MIN_SLOTS, min(_MAX_SLOTS, _SLOT_BYTES // max(size, 1)))
        every = jnp.maximum((turns + slots - 1) // slots, 1).astype(jnp.int32)
        saved = _saver(step, slots)(state, consts, turns, every)
        return _back(step, saved, consts, turns, every, cotangents[1], None)

    run.defvjp(forward, backward)
    return run


def _saver(step: Step, slots: int) -> Callable[..., State]:
    """A function that runs a loop of known length and returns the states before iterations 0, every, 2 * every, ..."""

    @jax.custom_vjp
    def save(state: State, consts: State, turns: Any, every: Any) -> State:
        def turn(carry: Any) -> Any:
            i, s, kept = carry
            slot = i // every
            kept = tuple(b.at[slot].set(jnp.where(i % every == 0, x, b[slot])) for b, x in zip(kept, s, strict=True))
            return i + jnp.int32(1), _alike(step(i, s, consts), s), kept

        empty = tuple(jnp.zeros((slots, *s.shape), s.dtype) for s in state)
        return lax.while_loop(lambda c: c[0] < turns, turn, (jnp.int32(0), state, empty))[2]

    def forward(state: State, consts: State, turns: Any, every: Any) -> Any:
        saved = save(state, consts, turns, every)
        return saved, (saved, consts, turns, every)

    def backward(residuals: Any, cotangents: State) -> Any:
        saved, consts, turns, every = residuals
        final = tuple(jnp.zeros(b.shape[1:], b.dtype) if _inexact(b) else _no_tangent(b[0]) for b in saved)
        return (*_back(step, saved, consts, turns, every, final, cotangents), _no_tangent(turns), _no_tangent(every))

    save.defvjp(forward, backward)
    return save


def _back(
    step: Step, saved: State, consts: State, turns: Any, every: Any, final: State, injected: State | None
) -> tuple[State, State]:
    """The gradients with respect to the initial state and to the consts.

    They are computed by a loop which can itself be differentiated, so that derivatives of any order exist.

    Args:
      step: the body of the loop.
      saved: the states that `_saver` returned.
      consts: the loop's consts.
      turns: the number of iterations.
      every: the distance between two saved states.
      final: the cotangents of the final state.
      injected: the cotangents of `saved`, or None.
    """
    at_state = [k for k, b in enumerate(saved) if _inexact(b)]
    at_consts = [k for k, c in enumerate(consts) if _inexact(c)]
    n, m, p = len(saved), len(consts), len(at_state)

    def parts(packed: State) -> tuple[Any, Any, State, State, State]:
        return packed[0], packed[1], packed[2 : 2 + n], packed[2 + n : 2 + n + m], packed[2 + n + m :]

    def test(k: Any, _: State, packed: State) -> Any:
        return k < packed[0]

    def turn_back(k: Any, cotangents: State, packed: State) -> State:
        turns, every, saved, consts, injected = parts(packed)
        i = turns - 1 - k
        slot = i // every
        again = _checkpointed(lambda j, _, c: j < c[1], lambda j, s, c: step(c[0] + j, s, c[2:]))
        state = again(tuple(b[slot] for b in saved), (slot * every, i - slot * every, *consts))[1]

        def inexact(xs: State, cs: State) -> State:
            full, all_consts = list(state), list(consts)
            for where, values, target in ((at_state, xs, full), (at_consts, cs, all_consts)):
                for at, value in zip(where, values, strict=True):
                    target[at] = value
            out = _alike(step(i, tuple(full), tuple(all_consts)), state)
            return tuple(out[at] for at in at_state)

        _, pull = jax.vjp(inexact, tuple(state[a] for a in at_state), tuple(consts[a] for a in at_consts))
        of_state, of_consts = pull(cotangents[:p])
        if injected:
            of_state = tuple(
                g + jnp.where(i % every == 0, c[slot], jnp.zeros_like(g))
                for g, c in zip(of_state, injected, strict=True)
            )
        return (*of_state, *(a + g for a, g in zip(cotangents[p:], of_consts, strict=True)))

    start = (*(final[a] for a in at_state), *(jnp.zeros_like(consts[a]) for a in at_consts))
    given = () if injected is None else tuple(injected[a] for a in at_state)
    found = _checkpointed(test, turn_back)(start, (turns, every, *saved, *consts, *given))[1]
    return _spread(found[:p], at_state, [b[0] for b in saved]), _spread(found[p:], at_consts, consts)


def _spread(found: State, where: list[int], like: Any) -> State:
    rest = iter(found)
    return tuple(next(rest) if k in where else _no_tangent(x) for k, x in enumerate(like))


def _inexact(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.inexact)


def _no_tangent(x: Any) -> Any:
    return np.zeros(x.shape, jax.dtypes.float0)
