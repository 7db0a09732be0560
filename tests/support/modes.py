"""Runs cases in a module: in each of the ways in which tapejax runs code, with derivatives.

A case of `Case(..., inputs)` is a function of tensors; its first and second derivatives are taken. tapejax runs it
four ways: recorded (undecorated; the cases of a table become one program), op by op (`tapejax.config.eager`), in a
`tf.function` (one for all cases, tapes inside), and, for the values alone, inside `jax.jit`.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np

import tapejax
from support.module import watched
from tapejax._src.engine.capture import SymbolicValueError

__all__ = ["MODES", "Case", "MissingName", "Outcome", "in_fresh_thread", "run", "run_one", "run_real"]

MODES = ("recorded", "eager", "function", "jit")

T = TypeVar("T")


class Case(NamedTuple):
    """One case.

    Attributes:
      name: shown in the test's id.
      call: the function of a module and of tensors. It returns a tensor, or any structure where `order` is 0.
      inputs: arrays, the call's tensors. The floating and complex ones are differentiated.
      order: how many derivatives are compared.
      rtol: relative tolerance (derivatives: ten times that for each order).
      atol: absolute tolerance; by default the relative one.
    """

    name: str
    call: Callable[..., Any]
    inputs: Sequence[Any] = ()
    order: int = 2
    rtol: float = 2e-6
    atol: float | None = None


class Outcome(NamedTuple):
    """What came out: the value, and for each input a gradient, or None where there is none."""

    value: Any
    first: list[Any]
    second: list[Any]


class MissingName(AssertionError):
    """A case read a name that the module does not have, such as a misspelt one."""


def evaluate(tf: Any, case: Case) -> Outcome:
    """Runs a case in `tf`, real or ours.

    The upstream gradients are not all one, so that an element at the wrong place shows.

    Raises:
      MissingName: the case read a name that the module lacks.
    """
    module, names = watched(tf)
    try:
        return _evaluate(module, case)
    finally:
        if names.missing:
            raise MissingName(f"{case.name}: {tf.__name__} has no {', '.join(sorted(names.missing))}")


def _evaluate(tf: Any, case: Case) -> Outcome:
    tensors = [tf.constant(x) for x in case.inputs]
    wrt = [t for t in tensors if t.dtype.is_floating or t.dtype.is_complex]
    if not wrt or not case.order:
        return Outcome(case.call(tf, *tensors), [], [])
    with tf.GradientTape() as outer:
        outer.watch(wrt)
        with tf.GradientTape() as inner:
            inner.watch(wrt)
            value = case.call(tf, *tensors)
        if not (value.dtype.is_floating or value.dtype.is_complex):
            return Outcome(value, [], [])
        first = inner.gradient(value, wrt, _upstream(tf, value))
        given = [g for g in first if g is not None]
    second = outer.gradient(given, wrt, [_upstream(tf, g) for g in given]) if case.order > 1 and given else []
    return Outcome(value, first, second)


def _upstream(tf: Any, t: Any) -> Any:
    """An upstream gradient for `t`: 1.0, 1.25, 0.5, 1.75 and so on."""
    shape = tuple(t.shape)
    steps = (np.arange(np.prod(shape, dtype=int)) * 5 % 7).reshape(shape)
    return tf.constant((1 + steps / 8).astype(t.dtype.as_numpy_dtype))


def run(mode: str, cases: Sequence[Case]) -> list[Outcome | Exception]:
    """Runs cases in tapejax. A case that raises does not stop the others."""
    eager = tapejax.config.eager
    tapejax.config.eager = mode == "eager"
    try:
        if mode == "jit":
            return _traced(cases)
        return _captured(cases) if mode == "function" else [run_one(tapejax, case) for case in cases]
    finally:
        if tapejax.config.eager != eager:
            tapejax.config.eager = eager


def run_real(tf: Any, cases: Sequence[Case]) -> list[Outcome | Exception]:
    """Runs cases in real TensorFlow, op by op."""
    return in_fresh_thread(lambda: [run_one(tf, case) for case in cases])


def in_fresh_thread(call: Callable[[], T]) -> T:
    """Calls a function of real TensorFlow, which keeps its open scopes and graphs per thread, in a new one.

    What an earlier test left open, or the garbage collector closes meanwhile, is not seen there.
    """
    with ThreadPoolExecutor(1) as fresh:
        return fresh.submit(call).result()


def run_one(tf: Any, case: Case) -> Outcome | Exception:
    """Runs a case in a module as it is set; what it raises is returned."""
    try:
        return evaluate(tf, case)
    except Exception as error:
        return error


def _captured(cases: Sequence[Case]) -> list[Outcome | Exception]:
    """All cases in one captured function. One that needs a value on the way runs as Python, as its function would."""
    failed: list[Exception | None] = []

    @tapejax.function(autograph=False)
    def captured(inputs: list[list[Any]]) -> list[Any]:
        results = [run_one(tapejax, case._replace(inputs=xs)) for case, xs in zip(cases, inputs, strict=True)]
        failed[:] = [r if isinstance(r, Exception) else None for r in results]
        return [None if isinstance(r, Exception) else tuple(r) for r in results]

    results = captured([[tapejax.constant(x) for x in case.inputs] for case in cases])
    return [
        run_one(tapejax, case) if isinstance(e, SymbolicValueError) else e if e is not None else Outcome(*r)
        for case, e, r in zip(cases, failed, results, strict=True)
    ]


def _traced(cases: Sequence[Case]) -> list[Outcome | Exception]:
    """The values of all cases inside one `jax.jit`. (Derivatives are what the other modes are for.)"""

    def traced(inputs: list[list[jax.Array]]) -> list[Any]:
        results = [run_one(tapejax, case._replace(inputs=xs, order=0)) for case, xs in zip(cases, inputs, strict=True)]
        failed[:] = [r if isinstance(r, Exception) else None for r in results]
        return [None if isinstance(r, Exception) else r for r in results]

    failed: list[Exception | None] = []
    with jax.enable_x64(True):
        arrays = [[jax.numpy.asarray(x) for x in case.inputs] for case in cases]
        results = jax.jit(traced)(arrays)
    return [e if e is not None else r for e, r in zip(failed, results, strict=True)]
