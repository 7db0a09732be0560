"""Runs one piece of code with tapejax and with real TensorFlow, and compares what comes out.

A scenario is a function of the module (`tf`) that returns a structure of tensors, None and Python values; or it
raises. Both must give the same structure, values and dtypes, or an exception of the same class.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import tapejax


def outcome(scenario: Callable[[Any], Any], tf: Any) -> Any:
    """What `scenario` returns, or ("raises", name of the exception's class).

    TensorFlow keeps its open scopes and graphs per thread, and gets a new one: what an earlier test left open, or the
    garbage collector closes meanwhile, is not seen there.
    """
    if tf is tapejax:
        return _outcome(scenario, tf)
    with ThreadPoolExecutor(1) as fresh:
        return fresh.submit(_outcome, scenario, tf).result()


def _outcome(scenario: Callable[[Any], Any], tf: Any) -> Any:
    try:
        return _plain(scenario(tf))
    except Exception as e:
        return ("raises", type(e).__name__.lstrip("_"))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *map(_plain, value)]
    return np.asarray(value) if hasattr(value, "numpy") else value


def check(scenario: Callable[[Any], Any], tf: Any, rtol: float = 1e-5) -> None:
    """Asserts that `scenario` does the same with tapejax and with the real `tf`."""
    want = outcome(scenario, tf)
    got = outcome(scenario, tapejax)
    _compare(got, want, rtol, scenario.__name__)


def _compare(got: Any, want: Any, rtol: float, where: str) -> None:
    text = f"{where}: tapejax gives {got!r}, TensorFlow {want!r}"
    assert type(got) is type(want), text
    if isinstance(want, dict):
        assert list(got) == list(want), text
        for key in want:
            _compare(got[key], want[key], rtol, f"{where}[{key!r}]")
    elif isinstance(want, (list, tuple)):
        assert len(got) == len(want), text
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            _compare(g, w, rtol, f"{where}[{i}]")
    elif isinstance(want, np.ndarray):
        assert got.dtype == want.dtype and got.shape == want.shape, text
        if want.dtype == object:
            assert got.tolist() == want.tolist(), text
        else:
            np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-6, err_msg=where)
    else:
        assert got == want, text


def test_of(names: dict[str, Any], modes: Sequence[str] = ("recorded",)) -> Callable[..., None]:
    """A test with one case for each scenario in a module's globals and each mode: "recorded", "eager"."""

    @pytest.mark.parametrize("mode", modes)
    @pytest.mark.parametrize("scenario", _scenarios(names), ids=lambda s: s.__name__)
    def test_same_as_tensorflow(scenario: Callable[[Any], Any], mode: str, tf: Any) -> None:
        tapejax.config.eager = mode == "eager"
        check(scenario, tf)

    return test_same_as_tensorflow


test_of.__test__ = False  # type: ignore[attr-defined]  # pytest looks at its name


def _scenarios(names: dict[str, Any]) -> list[Callable[[Any], Any]]:
    """Its functions whose first argument is `tf`."""
    return [
        fn
        for name, fn in names.items()
        if callable(fn)
        and not name.startswith(("_", "test_"))
        and getattr(fn, "__module__", "") == names["__name__"]
        and fn.__code__.co_varnames[:1] == ("tf",)
    ]
