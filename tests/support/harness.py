"""The test harness: code is written once, runs in real TensorFlow and in tapejax, and all that comes out is compared.

There are three ways to write a case. All are functions, and all go through the same comparison (`compare.same`).

A table of lambdas, whose parameters name what they get: `tf`, and inputs such as `x` and `m` (`inputs.COMMON`, or
given with the table). The cases of a table are recorded first and read afterwards, so they become a few programs::

    test_as_tensorflow = harness.test_of([
        lambda tf, m: tf.matmul(m, m, transpose_a=True),
        raises("InvalidArgumentError", lambda tf, x: tf.matmul(x, x)),
    ])

A table of cases with tensors, which are differentiated twice, in four modes (see `modes`)::

    test_row = harness.test_of([Case("exp", lambda tf, x: tf.exp(x), [x])], MODES)

A function of `tf` with statements: every one of a file (`harness.test_functions(globals())`), or one in a test
(`harness.check(tf, fn)`).

A case that raises says so with `raises` (`may_raise` where it depends on the inputs). One that raises in both modules
and does not say so fails, as does one that reads a name that the module lacks.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pytest

import tapejax
from support import inputs as given
from support.compare import ATOL, RTOL, Raised, class_name, plain, same
from support.modes import MODES, Case, MissingName, Outcome, in_fresh_thread, run, run_one, run_real
from support.source import text_of

__all__ = [
    "MODES",
    "Case",
    "check",
    "check_error",
    "f32",
    "may_raise",
    "outcome",
    "declared_like",
    "raises",
    "test_functions",
    "test_of",
]

F = TypeVar("F", bound=Callable[..., Any])


class Declared(NamedTuple):
    """The exceptions that a case is to raise, by the names of their classes.

    Attributes:
      eagerly: where the case is called as it is.
      in_function: where it is called inside a `tf.function`.
      always: whether it always raises; otherwise for some inputs.
    """

    eagerly: tuple[str, ...]
    in_function: tuple[str, ...]
    always: bool = True


NOTHING = Declared((), ())
SAME = object()


def raises(error: type[Exception] | str | None, call: Any = None, *, in_function: Any = SAME) -> Any:
    """Declares that a case raises, in TensorFlow as well as in tapejax.

    Args:
      error: a class of Python's, or the name of one of `tf.errors`; None if it raises inside a function only.
      call: the case. Without it the result is a decorator.
      in_function: the class inside a `tf.function`, where it is another: TensorFlow's graph refuses shapes and dtypes
        with other classes than its kernels. None if it raises outside only.

    Returns:
      The case, marked.
    """
    eagerly = () if error is None else (_name(error),)
    captured = eagerly if in_function is SAME else () if in_function is None else (_name(in_function),)
    declared = Declared(eagerly, captured)
    return _marker(declared) if call is None else _marker(declared)(call)


def may_raise(*errors: type[Exception] | str, call: Any = None) -> Any:
    """Declares that a case raises for some of the inputs that it is called with, and for others does not.

    Which it is must agree with TensorFlow for each.

    Args:
      *errors: the classes: Python's, or the names of some of `tf.errors`.
      call: the case. Without it the result is a decorator.

    Returns:
      The case, marked.
    """
    names = tuple(map(_name, errors))
    declared = Declared(names, names, always=False)
    return _marker(declared) if call is None else _marker(declared)(call)


def declared_like(call: Any, run: F, captured: bool = False) -> F:
    """Declares for a function what another, which it calls, declares.

    Args:
      call: the function that may be marked.
      run: the one that calls it.
      captured: whether it does so inside a `tf.function`.
    """
    declared: Declared = getattr(call, "raises", NOTHING)
    classes = declared.in_function if captured else declared.eagerly
    return _marker(Declared(classes, classes, declared.always))(run)


def _name(error: type[Exception] | str) -> str:
    return error if isinstance(error, str) else error.__name__


def _marker(declared: Declared) -> Callable[[F], F]:
    def mark(fn: F) -> F:
        fn.raises = declared  # type: ignore[attr-defined]
        return fn

    return mark


def f32(*values: Any) -> np.ndarray:
    """A float32 array."""
    return np.array(values if len(values) > 1 else values[0], np.float32)


TABLES: list["Table"] = []
"""All tables of the test files that were imported."""


class Table:
    """A table of cases. Each mode runs once, for all cases; tests then look at one case each.

    Args:
      cases: cases, or functions of `tf` and of named inputs.
      inputs: more named inputs: constants, or functions of the module that give the value.
    """

    def __init__(self, cases: Iterable[Case | Callable[..., Any]], inputs: dict[str, Any] | None = None) -> None:
        make = given.Inputs(inputs or {})
        listed = [c if isinstance(c, Case) else Case(text_of(c), make.bound(c), (), 0, RTOL, ATOL) for c in cases]
        names = [case.name for case in listed]
        twice = {n for n in names if names.count(n) > 1}
        assert not twice, f"several cases are called {twice}"
        self.cases = {case.name: case for case in listed}
        # Functions of named inputs may depend on the ones before, so in TensorFlow, too, they run all, in order.
        self._at_once = not any(isinstance(c, Case) for c in cases)
        self._outcomes: dict[str, dict[str, Any]] = {}
        TABLES.append(self)

    def check(self, tf: Any, name: str, mode: str) -> None:
        """Compares a case in one mode with real TensorFlow."""
        if mode not in self._outcomes:
            every = list(self.cases.values())
            results = run(mode, every)
            # One flush for the whole table, so that nothing is left for the stream of the next test.
            tapejax.sync()
            self._outcomes[mode] = dict(zip(self.cases, map(_settled, results), strict=True))
        expected = self._outcomes.setdefault("tensorflow", {})
        if name not in expected:
            wanted = list(self.cases.values()) if self._at_once else [self.cases[name]]
            results = run_real(tf, wanted)
            expected |= {case.name: _settled(r) for case, r in zip(wanted, results, strict=True)}
        _compare(self.cases[name], self._outcomes[mode][name], expected[name], mode)


def _settled(result: Outcome | Exception) -> Outcome | Exception:
    """The result with its value read."""
    if isinstance(result, Exception):
        return result
    try:
        return result._replace(value=plain(result.value))
    except Exception as error:
        return error


def test_of(
    cases: Iterable[Case | Callable[..., Any]], modes: Sequence[str] | None = None, **inputs: Any
) -> Callable[..., None]:
    """A test of a table in each mode.

    Args:
      cases: the table; see the head of this file.
      modes: some of `MODES`. By default all for a table of `Case`, and "recorded" for one of functions.
      **inputs: named inputs of the functions, besides the common ones.
    """
    table = Table(listed := list(cases), inputs)
    modes = modes or (MODES if any(isinstance(c, Case) for c in listed) else ("recorded",))

    @pytest.mark.parametrize("mode", modes)
    # Named one by one: pytest shortens long ids that it makes itself.
    @pytest.mark.parametrize("name", table.cases, ids=list(table.cases))
    def test_case(tf: Any, name: str, mode: str) -> None:
        table.check(tf, name, mode)

    return test_case


def test_functions(names: dict[str, Any], modes: Sequence[str] = ("recorded",)) -> Callable[..., None]:
    """A test with one case for each function of a file whose first argument is `tf`, and each mode.

    Args:
      names: the file's `globals()`.
      modes: "recorded", "eager".
    """

    @pytest.mark.parametrize("mode", modes)
    @pytest.mark.parametrize("function", _functions(names), ids=lambda s: s.__name__)
    def test_same_as_tensorflow(function: Callable[[Any], Any], mode: str, tf: Any) -> None:
        tapejax.config.eager = mode == "eager"
        check(tf, function)

    return test_same_as_tensorflow


for _maker in (test_of, test_functions):
    _maker.__test__ = False  # type: ignore[attr-defined]  # pytest looks at their names


def _functions(names: dict[str, Any]) -> list[Callable[[Any], Any]]:
    return [
        fn
        for name, fn in names.items()
        if callable(fn)
        and not name.startswith(("_", "test_"))
        and getattr(fn, "__module__", "") == names["__name__"]
        and fn.__code__.co_varnames[:1] == ("tf",)
    ]


def check(tf: Any, *cases: Case | Callable[[Any], Any], modes: Sequence[str] | None = None, rtol: float = RTOL) -> None:
    """Compares cases with real TensorFlow.

    Args:
      tf: real TensorFlow.
      *cases: cases, or functions of the module.
      modes: some of `MODES`. By default all for a `Case`, and for a function the mode that is set.
      rtol: relative tolerance of functions.
    """
    for case in cases:
        if isinstance(case, Case):
            table = Table([case])
            for mode in modes or MODES:
                table.check(tf, case.name, mode)
        else:
            case = Case(getattr(case, "__name__", "call"), case, (), 0, rtol, ATOL)
            theirs = in_fresh_thread(lambda case=case: _result(tf, case))
            _compare(case, _result(tapejax, case), theirs, "recorded")


def outcome(tf: Any, function: Callable[[Any], Any]) -> Any:
    """What a function of a module returns as plain data, or that it raised.

    Raises:
      MissingName: it read a name that the module lacks.
    """
    case = Case(getattr(function, "__name__", "call"), function, (), 0)
    result = _result(tf, case) if tf is tapejax else in_fresh_thread(lambda: _result(tf, case))
    if isinstance(result, MissingName):
        raise result
    return Raised(class_name(result)) if isinstance(result, Exception) else result.value


def _result(tf: Any, case: Case) -> Outcome | Exception:
    # One case outside of any mode: as the test has set `tapejax.config.eager`.
    return _settled(run_one(tf, case))


def check_error(
    tf: Any, call: Callable[[Any], Any], modes: Sequence[str] = ("recorded", "function"), declared: Any = None
) -> None:
    """Asserts that a call of a module raises what `raises` declares, in TensorFlow and in tapejax.

    Args:
      tf: real TensorFlow.
      call: a function of the module.
      modes: "recorded" calls it as it is, "function" inside a `tf.function`.
      declared: the function that is marked by `raises`, where it is not `call` itself.
    """
    error: Declared = (declared or call).raises
    for mode in modes:
        captured = mode == "function"

        def once(module: Any, captured: bool = captured) -> Any:
            return module.function(lambda: call(module), autograph=False)() if captured else call(module)

        (want,) = error.in_function if captured else error.eagerly
        for module in (tf, tapejax):
            got = outcome(module, once)
            assert isinstance(got, Raised) and got.name == want, (
                f"{mode}: {module.__name__} gives {got!r}, declared is {want}"
            )


def _compare(case: Case, ours: Outcome | Exception, theirs: Outcome | Exception, mode: str) -> None:
    """Asserts that two results of a case are the same, and what the case declares."""
    declared: Declared = getattr(case.call, "raises", NOTHING)
    allowed = declared.in_function if mode in ("function", "jit") else declared.eagerly
    for result, whose in ((ours, "tapejax"), (theirs, "TensorFlow")):
        if isinstance(result, MissingName):
            raise result
        if isinstance(result, Exception):
            if class_name(result) not in allowed:
                text = f"{case.name}: {whose} raises {class_name(result)}: {result}\nDeclared by the case: {allowed}"
                raise AssertionError(text) from result
        elif declared.always and allowed:
            raise AssertionError(f"{case.name}: {whose} gives {result.value!r}, declared is {allowed[0]}")
    if isinstance(ours, Exception) or isinstance(theirs, Exception):
        got, want = (class_name(r) if isinstance(r, Exception) else "nothing" for r in (ours, theirs))
        assert got == want, f"{case.name}: tapejax raises {got}, TensorFlow {want}"
    else:
        _compare_values(case, ours, theirs if mode != "jit" else Outcome(theirs.value, [], []))


def _compare_values(case: Case, ours: Outcome, theirs: Outcome) -> None:
    atol = case.rtol if case.atol is None else case.atol
    same(ours.value, theirs.value, case.rtol, atol, "value")
    for what, got, want, rtol in (
        ("first derivative", ours.first, theirs.first, 10 * case.rtol),
        ("second derivative", ours.second, theirs.second, 100 * case.rtol),
    ):
        assert len(got) == len(want), what
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            where = f"{what} by input {i}"
            if w is None and what == "second derivative":
                # JAX has zeros where TensorFlow knows of no connection.
                assert g is None or not np.any(np.asarray(g)), where
                continue
            same(g, w, rtol, rtol, where)
