"""Assertions about the values of tensors. Those about shapes and types are in `type_checks`."""

import operator
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core.checks import invalid, kind
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.ops.debugging import guards
from tapejax._src.ops.debugging.guards import require

__all__ = [
    "assert_equal", "assert_greater", "assert_greater_equal", "assert_less", "assert_less_equal", "assert_near",
    "assert_negative", "assert_non_negative", "assert_non_positive", "assert_none_equal", "assert_positive", "guards",
]  # fmt: skip

_SIGNS = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
          ">=": operator.ge}  # fmt: skip


def _against_zero(holds: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: holds(x, 0)


_OF_ZERO = {sign: _against_zero(_SIGNS[sign]) for sign in (">", ">=", "<", "<=")}


def _pair(sign: str, x: Any, y: Any, message: str | None, summarize: int | None) -> None:
    a, b = to_tensor(x), to_tensor(y)
    ordered = sign not in ("==", "!=")
    for i, t in enumerate((a, b)):
        if ordered and kind(t.aval.dtype) not in "fiu":
            raise invalid(f"Value for attr 'T' of {t.dtype.name} is not in the list of allowed values: real dtypes")
        if t.aval.dtype != a.aval.dtype:
            raise invalid(
                f"cannot compare: input #{i}(zero-based) was expected to be a {a.dtype.name} tensor but is "
                f"a {t.dtype.name} tensor"
            )
    try:
        np.broadcast_shapes(a.aval.shape, b.aval.shape)
    except ValueError:
        raise invalid(f"Incompatible shapes: {list(a.aval.shape)} vs. {list(b.aval.shape)}") from None
    head = f"{message}\n" if message else ""
    require(_SIGNS[sign], (a, b), f"{head}Condition x {sign} y did not hold.", ("x", "y"), summarize)


def _one(sign: str, x: Any, message: str | None, summarize: int | None) -> None:
    t = to_tensor(x)
    if kind(t.aval.dtype) == "b":
        raise TypeError("Cannot convert 0 to EagerTensor of dtype bool")
    if kind(t.aval.dtype) not in "fiu":
        raise invalid(f"Value for attr 'T' of {t.dtype.name} is not in the list of allowed values: real dtypes")
    head = f"{message}\n" if message else ""
    require(_OF_ZERO[sign], (t,), f"{head}Condition x {sign} 0 did not hold element-wise:", ("x",), summarize)


@public("debugging.assert_equal", "assert_equal")
def assert_equal(
    x: Any, y: Any, message: str | None = None, summarize: int | None = None, name: str | None = None
) -> None:
    """Raises an error unless ``x == y`` holds for every element.

    Args:
      x: a tensor.
      y: a tensor of the same dtype. The shapes broadcast.
      message: the beginning of the error's message.
      summarize: how many elements the error shows: by default 3, and all if it is -1.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the assertion fails, or the dtypes or shapes do not fit. In a captured graph, values are
        checked when the graph runs.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_equal

    >>> assert_equal([1, 2], [1, 2])
    """
    _pair("==", x, y, message, summarize)


@public("debugging.assert_none_equal")
def assert_none_equal(
    x: Any, y: Any, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> None:
    """Raises an error unless ``x != y`` holds for every element.

    Takes the arguments of `assert_equal` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_none_equal

    >>> assert_none_equal([1, 2], [2, 1])
    """
    _pair("!=", x, y, message, summarize)


@public("debugging.assert_less", "assert_less")
def assert_less(
    x: Any, y: Any, message: str | None = None, summarize: int | None = None, name: str | None = None
) -> None:
    """Raises an error unless ``x < y`` holds for every element.

    Takes the arguments of `assert_equal` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_less

    >>> assert_less([1, 2], 3)
    """
    _pair("<", x, y, message, summarize)


@public("debugging.assert_less_equal")
def assert_less_equal(
    x: Any, y: Any, message: str | None = None, summarize: int | None = None, name: str | None = None
) -> None:
    """Raises an error unless ``x <= y`` holds for every element.

    Takes the arguments of `assert_equal` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_less_equal

    >>> assert_less_equal([1, 2], 2)
    """
    _pair("<=", x, y, message, summarize)


@public("debugging.assert_greater", "assert_greater")
def assert_greater(
    x: Any, y: Any, message: str | None = None, summarize: int | None = None, name: str | None = None
) -> None:
    """Raises an error unless ``x > y`` holds for every element.

    Takes the arguments of `assert_equal` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_greater

    >>> assert_greater([4, 5], 3)
    """
    _pair(">", x, y, message, summarize)


@public("debugging.assert_greater_equal")
def assert_greater_equal(
    x: Any, y: Any, message: str | None = None, summarize: int | None = None, name: str | None = None
) -> None:
    """Raises an error unless ``x >= y`` holds for every element.

    Takes the arguments of `assert_equal` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_greater_equal

    >>> assert_greater_equal([3, 4], 3)
    """
    _pair(">=", x, y, message, summarize)


@public("debugging.assert_positive")
def assert_positive(x: Any, message: str | None = None, summarize: int | None = None, name: str | None = None) -> None:
    """Raises an error unless ``x > 0`` holds for every element.

    Takes the arguments of `assert_equal` and raises the same errors. `x` holds real numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_positive

    >>> assert_positive([1, 2])
    """
    _one(">", x, message, summarize)


@public("debugging.assert_negative")
def assert_negative(x: Any, message: str | None = None, summarize: int | None = None, name: str | None = None) -> None:
    """Raises an error unless ``x < 0`` holds for every element.

    Takes the arguments of `assert_equal` and raises the same errors. `x` holds real numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_negative

    >>> assert_negative([-1.0])
    """
    _one("<", x, message, summarize)


@public("debugging.assert_non_negative")
def assert_non_negative(
    x: Any, message: str | None = None, summarize: int | None = None, name: str | None = None
) -> None:
    """Raises an error unless ``x >= 0`` holds for every element.

    Takes the arguments of `assert_equal` and raises the same errors. `x` holds real numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_non_negative

    >>> assert_non_negative([0, 1])
    """
    _one(">=", x, message, summarize)


@public("debugging.assert_non_positive")
def assert_non_positive(
    x: Any, message: str | None = None, summarize: int | None = None, name: str | None = None
) -> None:
    """Raises an error unless ``x <= 0`` holds for every element.

    Takes the arguments of `assert_equal` and raises the same errors. `x` holds real numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_non_positive

    >>> assert_non_positive([0, -1])
    """
    _one("<=", x, message, summarize)


def _near(x: Any, y: Any, rtol: Any, atol: Any) -> Any:
    return abs(x - y) <= atol + rtol * abs(y)


@public("debugging.assert_near")
def assert_near(
    x: Any,
    y: Any,
    rtol: Any = None,
    atol: Any = None,
    message: str | None = None,
    summarize: int | None = None,
    name: str | None = None,
) -> None:
    """Raises an error unless ``abs(x - y) <= atol + rtol * abs(y)`` holds for every element.

    Args:
      x: a tensor of floating or complex numbers. Infinities are never near to each other.
      y: a tensor of the same dtype. The shapes broadcast.
      rtol: the relative tolerance; by default ten times the dtype's epsilon.
      atol: the absolute tolerance; by default ten times the dtype's epsilon.
      message: the beginning of the error's message.
      summarize: how many elements the error shows: by default 3, and all if it is -1.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the assertion fails. In a captured graph it is raised when the graph runs.
      ValueError: the dtype is not floating or complex.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_near

    >>> assert_near(1.0, 1.0000001)
    """
    a = to_tensor(x)
    b = to_tensor(y, a.aval.dtype)
    if kind(a.aval.dtype) not in "fc":
        raise ValueError(f"data type {a.dtype.name} not inexact")
    eps = 10 * jnp.finfo(a.aval.dtype).eps
    real = np.abs(np.zeros((), a.aval.dtype)).dtype
    bounds = [to_tensor(np.asarray(eps, real) if v is None else v, real) for v in (rtol, atol)]
    head = f"{message}\n" if message else ""
    require(_near, (a, b, *bounds), f"{head}x and y not equal to tolerance:", ("x", "y", "rtol", "atol"), summarize)
