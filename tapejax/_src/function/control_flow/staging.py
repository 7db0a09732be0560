"""Records control flow as ops: `branch` calls one of several captured functions, `loop` runs a captured loop.

The op for a captured structure is made once, and kept in the memo of the capture's last trie node. So recording the
same control flow again gives the same op, and equal programs are recognized as equal.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core import errors, nest
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.shape import TensorShape
from tapejax._src.core.tensor import Tensor, is_symbolic
from tapejax._src.engine import stream
from tapejax._src.engine.aval import Aval, aval
from tapejax._src.engine.capture import SymbolicValueError, read_as
from tapejax._src.engine.op import NO_STATIC, Op
from tapejax._src.function.control_flow.counting import known_turns
from tapejax._src.function.control_flow.lowering import differentiable_while
from tapejax._src.function.control_flow.regions import (
    UNKNOWN_TURNS,
    Plan,
    Region,
    Wiring,
    effects,
    flatten,
    is_staged,
    numbers,
    pack,
)
from tapejax._src.function.control_flow.tensor_array import TensorArray

__all__ = ["branch", "loop", "row_aval"]


def branch(name: str, index: Tensor, fns: Sequence[Callable[[], Any]], labels: Sequence[str]) -> Any:
    """Records an op that calls one of several functions.

    Args:
      name: the op's name.
      index: an int32 scalar that chooses the function, where an index out of range chooses the last one; or a bool
        scalar, where True chooses the first of two functions.
      fns: the functions. They take no arguments.
      labels: the names of the functions in messages.

    Returns:
      The result of the chosen function.
    """
    regions = [Region(fn, []) for fn in fns]
    first = regions[0]
    for region, label in zip(regions, labels, strict=True):
        _same_results(name, first, labels[0], region, label)
    wiring = Wiring(regions)
    # If only some branches write to a TensorArray, its elements are zeros in the other branches.
    columns = list(zip(*(r.tensors for r in regions), strict=True))
    avals = [next((t.aval for t in column if t is not None), None) for column in columns]
    graphs, filled = [], []
    for k, region in enumerate(regions):
        results = [*region.tensors, *wiring.after(k)]
        graphs.append(region.graph([t for t in results if t is not None]))
        filled.append(tuple(t is not None for t in results))
    kept = [k for k, a in enumerate(avals) if a is not None]
    shapes = tuple(avals[k] for k in kept)
    n_results, n_variables, n_inputs = len(kept), len(wiring.variables), len(wiring.invariants)
    key = (
        name,
        tuple((r.captured.end, g.outputs) for r, g in zip(regions, graphs, strict=True)),
        tuple(filled),
        wiring.plan.key,
        shapes,
    )
    memo = first.captured.end.memo
    op = memo.get(key)
    if op is None:
        # `run` must not use `wiring` itself: the op stays in the memo and must not keep tensors alive.
        plan = wiring.plan

        def run(index: Any, *arrays: Any) -> tuple:
            befores, inputs = arrays[:n_variables], arrays[n_variables : n_variables + n_inputs]
            parts = plan.numbers(arrays[n_variables + n_inputs :])

            def of(k: int) -> Callable[..., tuple]:
                def one(befores: tuple, inputs: tuple, scalars: Any) -> tuple:
                    found = iter(graphs[k](plan.feed(k, befores, inputs), scalars[k]))
                    outs = [next(found) if has else None for has in filled[k]]
                    results = [_zeros(avals[i]) if outs[i] is None else outs[i] for i in kept]
                    after = [b if x is None else x for b, x in zip(befores, outs[len(avals) :], strict=True)]
                    return (*results, *map(lax.stop_gradient, after))

                return one

            n = len(graphs)
            at = jnp.where(index, 0, 1) if index.dtype == bool else jnp.where((index < 0) | (index >= n), n - 1, index)
            return lax.switch(at.astype(jnp.int32), [of(k) for k in range(n)], befores, inputs, parts)

        op = memo[key] = Op(name, run, **effects(regions))
    outs = stream.record(op, NO_STATIC, (index, *wiring.befores, *wiring.invariants, *numbers(regions)))
    results: list[Tensor | None] = [None] * len(avals)
    for k, value in zip(kept, outs[:n_results], strict=True):
        results[k] = value
    wiring.finish(outs[n_results:])
    return pack(first.structure, first.leaves, results)


def _zeros(a: Any) -> Any:
    return jnp.zeros(a.shape, a.dtype)


def _same_results(name: str, first: Region, first_label: str, other: Region, label: str) -> None:
    try:
        nest.assert_same_structure(first.structure, other.structure, expand_composites=True)
    except (TypeError, ValueError) as e:
        raise TypeError(f"`{first_label}` and `{label}` of tf.{name} must return the same structure: {e}") from None
    for k, (a, b) in enumerate(zip(first.leaves, other.leaves, strict=True)):
        if (a is None) != (b is None) or isinstance(a, TensorArray) != isinstance(b, TensorArray):
            raise TypeError(
                f"`{first_label}` and `{label}` of tf.{name} return values of different types: {a!r} and "
                f"{b!r} (result {k})"
            )
        if a is not None and a.dtype != b.dtype:
            raise TypeError(
                f"`{first_label}` and `{label}` of tf.{name} return values of different types: "
                f"{a.dtype.name} and {b.dtype.name} (result {k})"
            )
        s, t = first.tensors[k], other.tensors[k]
        if s is not None and t is not None and s.aval is not t.aval:
            raise SymbolicValueError(
                f"`{first_label}` and `{label}` of tf.{name} return tensors of different shapes, "
                f"{s.shape} and {t.shape} (result {k}): a compiled program needs one shape"
            )


def loop(
    name: str,
    cond: Callable[..., Any] | None,
    body: Callable[..., Any],
    state: Any,
    leaves: list[Any],
    *,
    rows: Sequence[Tensor] = (),
    length: int | None = None,
    maximum: Any = None,
    invariants: list[Any] | None = None,
    describe: Callable[[int], str] | None = None,
    reverse: bool = False,
    emit: bool = False,
) -> list[Any]:
    """Records a loop as one op.

    Args:
      name: the op's name.
      cond: a function of the state that returns a bool scalar; None if there are exactly `length` iterations.
      body: a function of the state, and of one row of each of `rows`. It returns the next state. With `emit` it returns
        a pair of the next state and a structure of tensors, which are stacked over all iterations.
      state: the state before the loop, a list of structures.
      leaves: the leaves of `state`, see `leaves_of`.
      rows: tensors. Iteration k receives element k along the first axis of each.
      length: the number of iterations, if `cond` is None.
      maximum: the greatest number of iterations, as a number or a tensor, or None.
      invariants: for each leaf, the TensorShape that the user allows; or None.
      describe: a function that names a leaf in messages, given its position.
      reverse: whether to go through the rows from the last to the first.
      emit: whether `body` returns a structure of tensors besides the state.

    Returns:
      The final state as a list of tensors. With `emit`, a list of this and the structure of stacked tensors.
    """
    turn_maximum = _maximum(maximum)
    describe = describe or (lambda k: f"loop variable {k}")
    tensors = flatten(leaves)
    while True:
        for t in tensors:
            if t is not None and t.aval.dtype == object:
                raise SymbolicValueError("XLA has no strings: they cannot pass through compiled control flow")
        step, emitted = _body_region(body, state, leaves, tensors, rows, emit)
        found = step.tensors[: len(leaves)]
        # If the body is the first to write to a TensorArray, the shape of its elements is known only now. Then the body
        # is captured again, with an array of zeros as the TensorArray's value before the loop.
        blanks = [
            leaf._blank(new.aval.shape[1:]) if old is None and new is not None else old
            for leaf, old, new in zip(leaves, tensors, found, strict=True)
        ]
        if all(a is b for a, b in zip(blanks, tensors, strict=True)):
            break
        tensors = blanks
    _check_state(leaves, tensors, found, invariants, describe)
    present = [k for k, t in enumerate(tensors) if t is not None]
    init = [tensors[k] for k in present]
    regions = [step]
    if cond is not None:
        test = _test_region(cond, state, leaves, tensors, init)
        turns = known_turns(test, step, init, [found[k] for k in present])  # type: ignore[misc]
        if turns is None or isinstance(turn_maximum, Tensor):
            regions.append(test)
        else:
            length, turn_maximum = turns if turn_maximum is None else min(turns, turn_maximum), None
    wiring = Wiring(regions)
    outs = _record_loop(
        name,
        regions,
        wiring,
        init,
        [found[k] for k in present],
        [t for t in step.tensors[len(leaves) :] if t is not None],
        rows,
        length,
        turn_maximum,
        reverse,
    )
    results: list[Any] = [None] * len(leaves)
    for k, value in zip(present, outs, strict=False):
        results[k] = value
    at = len(present) + len(wiring.variables)
    wiring.finish(outs[len(present) : at])
    if not emit:
        return results
    return [results, pack(emitted[0], step.leaves[len(leaves) :], outs[at:])]


def _body_region(
    body: Callable[..., Any],
    state: Any,
    leaves: list[Any],
    tensors: list[Tensor | None],
    rows: Sequence[Tensor],
    emit: bool,
) -> tuple[Region, list[Any]]:
    """The captured body. Its results are the leaves of the state, followed by the tensors that it emits.

    The second value is a list that holds the structure which the body emits, if `emit` is set.
    """
    emitted: list[Any] = []
    init = [t for t in tensors if t is not None]

    def run(*placeholders: Tensor) -> Any:
        given = iter(placeholders)
        values = pack(state, leaves, [None if t is None else next(given) for t in tensors])
        out = body(*values, *given)
        if emit:
            out, kept = out
            emitted.append(kept)
            return [out, kept]
        return out

    return Region(run, [*(t.aval for t in init), *(row_aval(r) for r in rows)]), emitted


def row_aval(rows: Tensor) -> Aval:
    """The aval of one element along the first axis."""
    return aval(rows.aval.shape[1:], rows.aval.dtype)


def _test_region(
    cond: Callable[..., Any], state: Any, leaves: list[Any], tensors: list[Tensor | None], init: Sequence[Any]
) -> Region:
    def run(*placeholders: Tensor) -> Any:
        given = iter(placeholders)
        return cond(*pack(state, leaves, [None if t is None else next(given) for t in tensors]))

    region = Region(run, [t.aval for t in init])
    if region.assigned:
        raise errors.UnsupportedError("tf.while_loop(`cond`)", "it assigns variables", "Assign them in `body`.")
    (result,) = region.tensors or [None]
    if result is None or result.aval.dtype != np.bool_ or np.prod(result.aval.shape, dtype=int) != 1:
        raise TypeError(f"`cond` of tf.while_loop must return a scalar of bool, got {region.structure!r}")
    return region


def _check_state(
    leaves: list[Any],
    tensors: list[Tensor | None],
    found: Sequence[Tensor | None],
    invariants: list[Any] | None,
    describe: Callable[[int], str],
) -> None:
    for k, (old, new) in enumerate(zip(tensors, found, strict=True)):
        if old is None or new is None:
            if old is not None:
                raise ValueError("None values not supported.")
            continue
        if old.aval.dtype != new.aval.dtype:
            raise TypeError(
                f"{describe(k)} enters the loop with type {old.dtype!r} but has type {new.dtype!r} after 1 "
                "iteration. Its type should remain constant."
            )
        if old.aval is new.aval:
            continue
        shape = None if invariants is None or k >= len(invariants) else invariants[k]
        allowed = None if shape is None else TensorShape(shape)
        if isinstance(leaves[k], TensorArray) or (
            allowed is not None and allowed.is_compatible_with(old.shape) and allowed.is_compatible_with(new.shape)
        ):
            raise SymbolicValueError(
                f"{describe(k)} changes its shape from {old.shape} to {new.shape} in a turn of "
                "the loop, as `shape_invariants` allows: a compiled program has fixed shapes; use "
                "a tensor of the final size, or a TensorArray of known size"
            )
        raise ValueError(
            f"{describe(k)} enters the loop with shape {old.shape}, but has shape {new.shape} after one "
            "iteration. To allow the shape to vary across iterations, use the `shape_invariants` argument "
            "of tf.while_loop to specify a less-specific shape."
        )


def _maximum(maximum: Any) -> Any:
    """The maximum number of iterations: a Python int if its value is known, otherwise an integer tensor."""
    if maximum is None:
        return None
    tensor = to_tensor(maximum)
    if tensor.aval.shape or tensor.aval.dtype.kind not in "iu":
        raise TypeError(f"'maximum_iterations' must be a scalar integer, got {maximum!r}")
    return tensor if is_staged([tensor]) and (is_symbolic(tensor) or tensor._value is None) else max(int(tensor), 0)


class _Sizes(NamedTuple):
    """How many arrays of each kind the op of a loop has."""

    state: int
    variables: int
    rows: int
    invariants: int
    kept: int
    limits: int


def _loop_function(
    body: Any,
    test: Any,
    plan: Any,
    among: int,
    changed: tuple[bool, ...],
    sizes: _Sizes,
    length: int | None,
    static_maximum: int | None,
    reverse: bool,
) -> Callable[..., tuple]:
    """The JAX function of a loop's op. The op stays in a memo, so the function must keep no tensors alive."""
    n, v, k, m, kept, limits = sizes

    def step(turn: Any, state: tuple, xs: tuple, consts: tuple) -> tuple[tuple, tuple]:
        """One iteration. `consts` holds the variables' values before the loop, the invariants and the numbers."""
        values, carried = state[:n], state[n:]
        inputs, parts = _feeds(plan, among, turn, carried, consts, v, m)
        out = body([*values, *xs, *inputs[0]], parts[0])
        new = iter(out[n + kept :])
        carried = tuple(lax.stop_gradient(next(new)) if c else old for c, old in zip(changed, carried, strict=True))
        return (*out[:n], *carried), tuple(out[n : n + kept])

    def run(*arrays: Any) -> tuple:
        state = (*arrays[:n], *map(lax.stop_gradient, arrays[n : n + v]))
        consts = (*arrays[n : n + v], *arrays[n + v + k : n + v + k + m], *arrays[n + v + k + m + limits :])
        if test is None:

            def turn(carry: Any, x: Any) -> Any:
                out, ys = step(carry[0], carry[1], x, consts)
                return (carry[0] + jnp.int32(1), out), ys

            (_, final), ys = lax.scan(
                turn, (jnp.int32(0), state), tuple(arrays[n + v : n + v + k]), length, reverse=reverse
            )
            return (*final, *ys)
        given = arrays[n + v + k + m : n + v + k + m + limits]

        def going(turn: Any, state: tuple, consts: tuple) -> Any:
            limit, consts = consts[: len(given)], consts[len(given) :]
            inputs, parts = _feeds(plan, among, turn, state[n:], consts, v, m)
            assert test is not None
            (found,) = test([*state[:n], *inputs[1]], parts[1])
            found = jnp.reshape(found, ())
            if limit:
                found &= turn < limit[0]
            return found if static_maximum is None else found & (turn < static_maximum)

        one = differentiable_while(going, lambda t, s, c: step(t, s, (), c[len(given) :])[0], static_maximum)
        return one(state, (*given, *consts))

    return run


def _record_loop(
    name: str,
    regions: list[Region],
    wiring: Wiring,
    init: Sequence[Any],
    found: Sequence[Any],
    kept: Sequence[Any],
    rows: Sequence[Tensor],
    length: int | None,
    maximum: Any,
    reverse: bool,
) -> tuple:
    """Records the op of a loop. Its results are the final state, the variables' values, and the stacked tensors."""
    after = wiring.after(0)
    updated = [t for t in after if t is not None]
    changed = tuple(t is not None for t in after)
    body = regions[0].graph([*found, *kept, *updated])
    test = regions[1].graph(regions[1].tensors) if len(regions) > 1 else None  # type: ignore[arg-type]
    static_maximum = maximum if isinstance(maximum, int) else None
    limits = () if maximum is None or static_maximum is not None else (maximum,)
    n, v, k, m = len(init), len(wiring.variables), len(rows), len(wiring.invariants)
    key = (
        name,
        body.outputs,
        n,
        len(kept),
        changed,
        None if test is None else (regions[1].captured.end, test.outputs),
        wiring.plan.key,
        k,
        length,
        static_maximum,
        len(limits),
        reverse,
    )
    memo = regions[0].captured.end.memo
    op = memo.get(key)
    if op is None:
        sizes = _Sizes(n, v, k, m, len(kept), len(limits))
        run = _loop_function(body, test, wiring.plan, len(regions), changed, sizes, length, static_maximum, reverse)
        op = memo[key] = Op(name, run, **effects(regions))
    turns = length if length is not None else static_maximum or UNKNOWN_TURNS
    return stream.record(
        op, NO_STATIC, (*init, *wiring.befores, *rows, *wiring.invariants, *limits, *numbers(regions, turns))
    )


def _feeds(plan: Plan, regions: int, turn: Any, carried: tuple, consts: tuple, v: int, m: int) -> tuple[list, list]:
    """For each region, the inputs that come after its placeholders, and its Python numbers."""
    variables = [
        read_as(first, now) if jnp.issubdtype(now.dtype, jnp.inexact) else now
        for first, now in zip(consts[:v], carried, strict=True)
    ]
    feeds = [plan.feed(k, variables, consts[v : v + m]) for k in range(regions)]
    return feeds, plan.numbers(consts[v + m :], turn)
