"""Checks of values: `Assert`, `check_numerics`, and `require`, with which the functions of `assertions` check.

In eager mode a check reads the values at once, and computes them first if they are pending. In a captured graph, and in
JAX's transformations, the check becomes part of the program. Such a program calls back to Python when it runs, and
fails if the check does.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import io_callback

from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid, invalid_value, kind
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, is_symbolic
from tapejax._src.engine import stream
from tapejax._src.engine.op import Op, static
from tapejax._src.engine.program import is_concrete
from tapejax._src.ops.array.layout import identity

__all__ = ["Assert", "assert_all_finite", "check_numerics", "require"]


def _known(*tensors: Tensor) -> list[np.ndarray] | None:
    """The values of tensors. None if one is unknown, because a graph is being captured or JAX is tracing."""
    if any(map(is_symbolic, tensors)):
        return None
    values = [stream.realize(t) for t in tensors]
    return [np.asarray(v) for v in values] if all(map(is_concrete, values)) else None


def _short(value: Any, count: int | None) -> str:
    """The first `count` elements of an array as text: by default 3, and all if `count` is -1."""
    flat = np.asarray(value).ravel().tolist()
    count = 3 if count is None else len(flat) if count < 0 else count
    return ", ".join(map(str, flat[:count])) + (", ..." if len(flat) > count else "")


def _report(text: str, names: Sequence[str], values: Sequence[Any], good: Any, summarize: int | None) -> Exception:
    """The error for a check that failed at the positions where `good` is false."""
    lines = [text]
    bad = np.argwhere(~np.asarray(good))
    if bad.size:
        lines.append(f"First index where it does not hold: {bad[0].tolist()}")
    lines += [
        f"{n or 'data'} (shape={np.shape(v)}) = [{_short(v, summarize)}]" for n, v in zip(names, values, strict=True)
    ]
    return invalid_value("\n".join(lines))


def _guarded(*arrays: Any, check: Callable[..., Any], text: str, names: tuple, summarize: int | None) -> Any:
    good = check(*arrays)

    def look(good: Any, *values: Any) -> Any:
        if not np.all(good):
            raise _report(text, names, values, good, summarize)
        return np.asarray(good)

    return io_callback(look, jax.ShapeDtypeStruct(good.shape, bool), good, *map(lax.stop_gradient, arrays))


_GUARD = Op("Assert", _guarded, differentiable=False, may_fail=True)


def require(
    check: Callable[..., Any], tensors: Sequence[Tensor], text: str, names: tuple[str, ...], summarize: int | None
) -> None:
    """Checks values, now or, if they are not known yet, when the program runs.

    Args:
      check: a function of arrays that returns booleans, which must all be true.
      tensors: the arguments of `check`.
      text: the first line of the error's message.
      names: the names of the tensors in the message.
      summarize: how many elements of each tensor the message shows: by default 3, and all if it is -1.

    Raises:
      InvalidArgumentError: the check fails.
    """
    values = _known(*tensors)
    if values is None:
        kept = static(check=check, text=text, names=names, summarize=summarize)
        stream.record(_GUARD, kept, tuple(tensors))
        return
    with np.errstate(all="ignore"):
        good = np.asarray(check(*values))
    if not good.all():
        raise _report(text, names, values, good, summarize)


def _true(condition: Any, *data: Any) -> Any:
    return condition


@public("debugging.Assert", "Assert")
def Assert(condition: Any, data: Any, summarize: int | None = None, name: str | None = None) -> None:
    """Raises an error if a condition is false.

    Args:
      condition: a boolean scalar.
      data: a list of tensors and strings that the error shows.
      summarize: how many elements of each the error shows: by default 3, and all if it is -1.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the condition is false. In a captured graph it is raised when the graph runs.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/Assert

    >>> Assert(True, ["never seen"])
    """
    items = list(data) if isinstance(data, (list, tuple)) else [data]
    if isinstance(condition, Tensor):
        tensors = [to_tensor(v) for v in items]
        texts = [str(t.numpy()) for t in tensors if t.dtype == dtypes.string]
        shown = [t for t in tensors if t.dtype != dtypes.string]
        if _known(condition) is None:
            text = "Expected the condition to be true. Summarized data: " + "\n".join(texts)
            kept = static(check=_true, text=text, names=("",) * (len(shown) + 1), summarize=summarize)
            stream.record(_GUARD, kept, (condition, *shown))
            return
    if not condition:
        text = "\n".join(_short(to_tensor(v), summarize) for v in items)
        raise invalid_value(f"Expected '{condition}' to be true. Summarized data: {text}")


def _checked(x: Any, message: str) -> Any:
    def look(nan: Any, inf: Any) -> Any:
        if np.any(nan) or np.any(inf):
            raise _not_finite(nan, inf, message)
        return np.asarray(nan)

    fixed = lax.stop_gradient(x)
    nan, inf = jnp.isnan(fixed).any(), jnp.isinf(fixed).any()
    io_callback(look, jax.ShapeDtypeStruct((), bool), nan, inf)
    return x


_CHECK_NUMERICS = Op("CheckNumerics", lambda x, *, message: _checked(x, message), may_fail=True)


def _not_finite(nan: Any, inf: Any, message: str) -> Exception:
    found = " and ".join(word for word, there in (("Inf", inf), ("NaN", nan)) if np.any(there))
    return invalid_value(f"{message} : Tensor had {found} values [Op:CheckNumerics]")


@public("debugging.check_numerics")
def check_numerics(tensor: Any, message: str, name: str | None = None) -> Tensor:
    """Raises an error if a tensor contains infinity or nan, and returns the tensor otherwise.

    Args:
      tensor: a tensor of floating numbers.
      message: the beginning of the error's message.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: an element is infinite or nan, or the dtype is not floating. In a captured graph, elements
        are checked when the graph runs.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/check_numerics

    >>> check_numerics([1.0], "bad").numpy().tolist()
    [1.0]
    """
    t = to_tensor(tensor)
    if kind(t.aval.dtype) != "f":
        raise invalid(f"Value for attr 'T' of {t.dtype.name} is not in the list of allowed values: floating dtypes")
    values = _known(t)
    if values is None:
        return stream.record(_CHECK_NUMERICS, static(message=message), (t,))
    nan, inf = np.isnan(values[0]), np.isinf(values[0])
    if nan.any() or inf.any():
        raise _not_finite(nan, inf, message)
    return identity(t)


@public("debugging.assert_all_finite")
def assert_all_finite(x: Any, message: str, name: str | None = None) -> Tensor:
    """Raises an error if a tensor contains infinity or nan. The same as `check_numerics`, which takes these arguments.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_all_finite

    >>> assert_all_finite([1.0], "bad").numpy().tolist()
    [1.0]
    """
    return check_numerics(x, message)
