"""Compares what tapejax returned with what TensorFlow returned: the one comparison of all tests.

Structure, None, dtype, shape and values must agree, or the class of the exception where both were to raise.
"""

from typing import Any, NamedTuple

import jax
import numpy as np

__all__ = ["ATOL", "RTOL", "Raised", "class_name", "plain", "same"]

RTOL, ATOL = 1e-5, 1e-6


class Raised(NamedTuple):
    """A call that raised, by the name of the exception's class."""

    name: str


def class_name(error: BaseException) -> str:
    """The name of the exception class that users know: Python's, TensorFlow's or a test's, not a private one below."""
    return next(
        c.__name__
        for c in type(error).__mro__
        if c.__module__ == "builtins" or "errors" in c.__module__ or c.__module__.startswith("test_")
    )


def plain(value: Any) -> Any:
    """A value without its framework: containers, arrays and Python values.

    Tensors and variables become arrays. Ragged and sparse tensors and shapes become lists that begin with their kind.
    """
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *map(plain, value)]
    if value is None or isinstance(value, (bool, int, str, bytes)):
        return value
    if hasattr(value, "nested_row_splits"):
        return ["ragged", plain(value.flat_values), plain(value.nested_row_splits), repr(value.shape)]
    if hasattr(value, "dense_shape"):
        return ["sparse", plain(value.indices), plain(value.values), plain(value.dense_shape)]
    if hasattr(value, "as_list"):
        return ["shape", *(value.as_list() if value.rank is not None else [...])]
    if hasattr(value, "numpy") or isinstance(value, (float, complex, np.ndarray, np.generic, jax.Array)):
        return np.asarray(value)
    return value


def same(ours: Any, theirs: Any, rtol: float = RTOL, atol: float = ATOL, where: str = "value") -> None:
    """Asserts that two values agree in structure, dtype, shape and, within a tolerance, in their numbers.

    Args:
      ours: what tapejax gave.
      theirs: what TensorFlow gave.
      rtol: relative tolerance of floating and complex numbers.
      atol: absolute tolerance.
      where: what is compared, for the message.
    """
    _same(plain(ours), plain(theirs), rtol, atol, where)


def _same(ours: Any, theirs: Any, rtol: float, atol: float, where: str) -> None:
    text = f"{where}: tapejax gives {ours!r}, TensorFlow {theirs!r}"
    assert type(ours) is type(theirs), text
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs), text
        for key in theirs:
            _same(ours[key], theirs[key], rtol, atol, f"{where}[{key!r}]")
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs) and ours[:1] == theirs[:1], text
        for i, (a, b) in enumerate(zip(ours[1:], theirs[1:], strict=True)):
            _same(a, b, rtol, atol, f"{where}[{i}]")
    elif isinstance(theirs, np.ndarray):
        for of in ("dtype", "shape"):
            got, want = getattr(ours, of), getattr(theirs, of)
            assert got == want, f"{where}: tapejax gives {of} {got}, TensorFlow {want}"
        if theirs.dtype.kind not in "fcV":
            assert (ours == theirs).all(), text
        else:
            # bfloat16 and the like are of kind V.
            wide = np.complex128 if theirs.dtype.kind == "c" else np.float64
            np.testing.assert_allclose(ours.astype(wide), theirs.astype(wide), rtol=rtol, atol=atol, err_msg=where)
    else:
        assert ours == theirs, text
