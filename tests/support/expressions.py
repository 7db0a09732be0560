"""Evaluates one table of expressions in real TensorFlow and in tapejax and compares all that comes out.

The expressions of a table are recorded first and read afterwards, so they become a few programs. A test file holds
the table and one line::

    test_as_tensorflow = expressions.test_of(ROWS)
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapejax

__all__ = ["both", "compare", "evaluate", "same", "test_of"]


def test_of(rows: list[str], eager: bool = False, **names: Any) -> Callable[..., None]:
    """A test with one case for each row.

    Args:
      rows: expressions of ``tf`` and of the names in `_names`.
      eager: whether tapejax runs op by op: where few ops compile slowly, so that rows share them.
      **names: more names: constants, or functions of the module that give the value.
    """
    assert len(set(rows)) == len(rows), f"twice: {[r for r in rows if rows.count(r) > 1]}"
    found: dict[str, Any] = {}

    @pytest.mark.parametrize("row", rows)
    def test_as_tensorflow(row: str, tf: Any) -> None:
        if not found:
            found["theirs"] = evaluate(tf, rows, **names)
            tapejax.config.eager = eager
            found["ours"] = evaluate(tapejax, rows, **names)
        compare(found["ours"][row], found["theirs"][row])

    return test_as_tensorflow


test_of.__test__ = False  # type: ignore[attr-defined]  # pytest looks at its name


def _names(tf: Any) -> dict[str, Any]:
    def g(f: Any, *values: Any) -> Any:
        """Gradients of `f` at constants."""
        xs = [tf.constant(v) for v in values]
        with tf.GradientTape() as tape:
            tape.watch(xs)
            y = f(*xs)
        return tape.gradient(y, xs)

    return {
        "tf": tf, "np": np, "g": g, "x": tf.constant([[1.0, 2, 3], [4, 5, 6]]), "i": tf.constant([1, 2, 3]),
        "b": tf.zeros([2, 3, 4]), "m": tf.constant([[2.0, 1.0], [1.0, 3.0]]), "v": tf.constant([1.0, 2.0]),
        "c": tf.constant([[1 + 1j, 2], [3, 4 - 1j]]), "ti": tf.constant([[1, 2], [3, 4]]),
    }  # fmt: skip


def evaluate(tf: Any, rows: list[str], **more: Any) -> dict[str, Any]:
    """For each row its value as plain data, or the name of the exception's class."""
    names = _names(tf) | {n: v(tf) if callable(v) else v for n, v in more.items()}
    out: dict[str, Any] = {}
    for row in rows:
        code = compile(row, row, "eval")
        try:
            out[row] = eval(code, names)
        except Exception as e:
            out[row] = "raises " + _class_name(e)
    return {row: _plain(value) for row, value in out.items()}


def _class_name(error: Exception) -> str:
    """The name of the exception class that users know: Python's or TensorFlow's, not a private one below it."""
    return next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins" or "errors" in c.__module__)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return [[key, _plain(v)] for key, v in value.items()]
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, (bool, str, bytes)):
        return value
    if hasattr(value, "nested_row_splits"):
        return ["ragged", _plain(value.flat_values), _plain(value.nested_row_splits), repr(value.shape)]
    if hasattr(value, "dense_shape"):
        return ["sparse", _plain(value.indices), _plain(value.values), _plain(value.dense_shape)]
    if hasattr(value, "as_list"):
        return ["shape", *value.as_list()]
    if isinstance(value, int):
        return value
    return np.asarray(value)


def both(tf: Any, call: Callable[[Any], Any]) -> None:
    """Compares what a call of a module returns in tapejax and in TensorFlow."""
    same(call(tapejax), call(tf))


def same(ours: Any, theirs: Any) -> None:
    """AssertionError unless two structures of tensors agree."""
    compare(_plain(ours), _plain(theirs))


def compare(ours: Any, theirs: Any) -> None:
    """AssertionError unless two plain values agree in structure, dtype, shape and value."""
    assert type(ours) is type(theirs), (ours, theirs)
    if isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            compare(a, b)
    elif isinstance(theirs, np.ndarray):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), (ours, theirs)
        if theirs.dtype == object:
            assert (ours == theirs).all()
        else:
            wide = np.result_type(theirs.dtype, np.float64) if theirs.dtype.kind != "V" else np.float64
            np.testing.assert_allclose(ours.astype(wide), theirs.astype(wide), rtol=1e-5, atol=1e-6)
    else:
        assert ours == theirs
