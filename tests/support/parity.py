"""Runs one table of calls in real TensorFlow and in tapejax, and compares all that comes out.

A row is a call written once, for any module that speaks TensorFlow: ``Case("exp", lambda tf, x: tf.exp(x), [x])``.
`check` compares the value, dtype and shape, the first and the second derivative. tapejax runs the call four
ways: recorded (undecorated; the rows of a table become one program), op by op (`tapejax.config.eager`), in a
`tf.function` (one for all rows, tapes inside), and, for the values alone, inside `jax.jit`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

import tapejax
from tapejax._src.engine.capture import SymbolicValueError

__all__ = ["MODES", "Case", "Outcome", "Table", "check", "check_error", "f32", "test_of"]

MODES = ("recorded", "eager", "function", "jit")


class Case(NamedTuple):
    """One row.

    Attributes:
      name: shown in the test's id.
      call: the function of a module and of tensors; it returns a tensor.
      inputs: arrays, the call's tensors. The floating and complex ones are differentiated.
      order: how many derivatives are compared.
      rtol: relative tolerance (derivatives: ten times that for each order).
    """

    name: str
    call: Callable[..., Any]
    inputs: Sequence[Any] = ()
    order: int = 2
    rtol: float = 2e-6


class Outcome(NamedTuple):
    """What came out: tensors, or None where there is no gradient."""

    value: Any
    first: list[Any]
    second: list[Any]


def f32(*values: Any) -> np.ndarray:
    """A float32 array."""
    return np.array(values if len(values) > 1 else values[0], np.float32)


def evaluate(tf: Any, case: Case) -> Outcome:
    """Runs a row in `tf`, real or ours.

    The upstream gradients are not all one, so that an element at the wrong place shows.
    """
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
        first = inner.gradient(value, wrt, upstream(tf, value))
        given = [g for g in first if g is not None]
    second = outer.gradient(given, wrt, [upstream(tf, g) for g in given]) if case.order > 1 and given else []
    return Outcome(value, first, second)


def upstream(tf: Any, t: Any) -> Any:
    """An upstream gradient for `t`: 1.0, 1.25, 0.5, 1.75 and so on."""
    shape = tuple(t.shape)
    steps = (np.arange(np.prod(shape, dtype=int)) * 5 % 7).reshape(shape)
    return tf.constant((1 + steps / 8).astype(t.dtype.as_numpy_dtype))


def run(mode: str, cases: Sequence[Case]) -> list[Outcome | Exception]:
    """Runs rows in tapejax. A row that raises does not stop the others."""
    eager = tapejax.config.eager
    tapejax.config.eager = mode == "eager"
    try:
        if mode == "jit":
            return _traced(cases)
        return _captured(cases) if mode == "function" else [_caught(case) for case in cases]
    finally:
        if tapejax.config.eager != eager:
            tapejax.config.eager = eager


def _caught(case: Case) -> Outcome | Exception:
    try:
        return evaluate(tapejax, case)
    except Exception as error:
        return error


def _captured(cases: Sequence[Case]) -> list[Outcome | Exception]:
    """All rows in one captured function. A row that needs a value on the way runs as Python, as its function would."""
    failed: list[Exception | None] = []

    @tapejax.function(autograph=False)
    def captured(inputs: list[list[Any]]) -> list[Any]:
        results = [_caught(case._replace(inputs=xs)) for case, xs in zip(cases, inputs, strict=True)]
        failed[:] = [r if isinstance(r, Exception) else None for r in results]
        return [None if isinstance(r, Exception) else tuple(r) for r in results]

    results = captured([[tapejax.constant(x) for x in case.inputs] for case in cases])
    return [
        _caught(case) if isinstance(e, SymbolicValueError) else e if e is not None else Outcome(*r)
        for case, e, r in zip(cases, failed, results, strict=True)
    ]


def _traced(cases: Sequence[Case]) -> list[Outcome | Exception]:
    """The values of all rows inside one `jax.jit`. (Derivatives are what the other two modes are for.)"""

    def traced(inputs: list[list[jax.Array]]) -> list[Any]:
        results = [_caught(case._replace(inputs=xs, order=0)) for case, xs in zip(cases, inputs, strict=True)]
        failed[:] = [r if isinstance(r, Exception) else None for r in results]
        return [None if isinstance(r, Exception) else r for r in results]

    failed: list[Exception | None] = []
    with jax.enable_x64(True):
        arrays = [[jax.numpy.asarray(x) for x in case.inputs] for case in cases]
        results = jax.jit(traced)(arrays)
    return [e if e is not None else r for e, r in zip(failed, results, strict=True)]


class Table:
    """A table of rows. Each mode runs once, for all rows; tests then look at one row each."""

    def __init__(self, cases: Sequence[Case]):
        names = [case.name for case in cases]
        twice = {n for n in names if names.count(n) > 1}
        assert not twice, f"several rows are called {twice}"
        self.cases = {case.name: case for case in cases}
        self._outcomes: dict[str, dict[str, Any]] = {}

    def check(self, tf: Any, name: str, mode: str) -> None:
        """Compares a row in one mode with real TensorFlow."""
        if mode not in self._outcomes:
            rows = list(self.cases.values())
            results = run(mode, rows)
            # One flush for the whole table, so that nothing is left for the stream of the next test.
            tapejax.sync()
            self._outcomes[mode] = dict(zip(self.cases, results, strict=True))
        outcome = self._outcomes[mode][name]
        if isinstance(outcome, Exception):
            raise outcome
        expected = self._outcomes.setdefault("tensorflow", {})
        if name not in expected:
            expected[name] = evaluate(tf, self.cases[name])
        want = expected[name]
        compare(self.cases[name], outcome, want if mode != "jit" else Outcome(want.value, [], []))


def test_of(cases: Sequence[Case], modes: Sequence[str] = MODES) -> Callable[..., None]:
    """A test of a table in each mode: ``test_row = parity.test_of(ROWS)``."""
    table = Table(cases)

    @pytest.mark.parametrize("mode", modes)
    @pytest.mark.parametrize("name", table.cases)
    def test_row(tf: Any, name: str, mode: str) -> None:
        table.check(tf, name, mode)

    return test_row


test_of.__test__ = False  # type: ignore[attr-defined]  # pytest looks at its name


def compare(case: Case, ours: Outcome, real: Outcome) -> None:
    """Asserts that two outcomes are the same."""
    same(ours.value, real.value, case.rtol, "value")
    for what, got, want, rtol in (
        ("first derivative", ours.first, real.first, 10 * case.rtol),
        ("second derivative", ours.second, real.second, 100 * case.rtol),
    ):
        assert len(got) == len(want), what
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            where = f"{what} by input {i}"
            if w is None and what == "second derivative":
                # JAX has zeros where TensorFlow knows of no connection.
                assert g is None or not np.any(np.asarray(g)), where
                continue
            assert (g is None) == (w is None), f"{where}: {g} and not {w}"
            if w is not None:
                same(g, w, rtol, where)


def same(got: Any, want: Any, rtol: float, what: str) -> None:
    """Asserts equal dtypes, shapes and, within a tolerance, values."""
    want_array, got_array = want.numpy(), np.asarray(got)
    assert got.dtype.name == want.dtype.name, what
    assert tuple(got.shape) == tuple(want.shape), what
    if want_array.dtype.kind in "fc" or want_array.dtype.kind == "V":
        wide = np.complex128 if want_array.dtype.kind == "c" else np.float64
        got_array, want_array = got_array.astype(wide), np.asarray(want_array).astype(wide)
    np.testing.assert_allclose(got_array, want_array, rtol=rtol, atol=rtol, err_msg=what)


def check(tf: Any, *cases: Case, modes: Sequence[str] = MODES) -> None:
    """Compares rows with real TensorFlow, in every mode."""
    table = Table(cases)
    for case in cases:
        for mode in modes:
            table.check(tf, case.name, mode)


def check_error(tf: Any, call: Callable[[Any], Any], modes: Sequence[str] = ("recorded", "function")) -> None:
    """Asserts that a call of a module raises in tapejax what it raises in TensorFlow, also inside a `tf.function`.

    There TensorFlow's graph refuses shapes and dtypes with other classes than its kernels.
    """
    for mode in modes:
        real, ours = (_raised(module, call, mode == "function") for module in (tf, tapejax))
        assert type(ours).__name__ == type(real).__name__, f"{mode}: {ours!r} and not {real!r}"


def _raised(tf: Any, call: Callable[[Any], Any], captured: bool) -> Exception:
    try:
        tf.function(lambda: call(tf), autograph=False)() if captured else call(tf)
    except Exception as error:
        return error
    raise AssertionError(f"{tf.__name__} does not raise")
