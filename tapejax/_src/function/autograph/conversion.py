"""AutoGraph: Python control flow on tensors becomes part of the captured program.

The source of a function is rewritten by `diastatic-malt` (the maintained fork of TensorFlow's AutoGraph), so that its
statements call our operators (`autograph_operators`), which run Python on Python values and eager tensors. It is an
extra, imported when a function is first converted: ``pip install 'tapejax[autograph]'``.
"""

import functools
import importlib.util
import inspect
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from tapejax._src.core.errors import UnsupportedError
from tapejax._src.engine.capture import SymbolicValueError

__all__ = [
    "call",
    "convert",
    "do_not_convert",
    "in_context",
    "is_library",
    "set_verbosity",
    "to_code",
    "to_graph",
    "trace",
]

_log = logging.getLogger("tapejax")
EXTRA: Final = "pip install 'tapejax[autograph]'"
# What belongs to these packages, or to Python's library, is called as it is.
_LIBRARIES: Final = frozenset(
    {
        "tapejax",
        "jax",
        "jaxlib",
        "optax",
        "flax",
        "orbax",
        "chex",
        "equinox",
        "haiku",
        "numpy",
        "scipy",
        "pandas",
        "matplotlib",
        "PIL",
        "absl",
        "tensorflow",
        "keras",
        "tensorflow_probability",
        "tensorflow_datasets",
        "tqdm",
        "malt",
        "pytest",
        "_pytest",
        "hypothesis",
        "rich",
    }
) | frozenset(sys.stdlib_module_names) - {"__main__", "this", "test"}


class Context(threading.local):
    """Whether what is called now is to be converted: the innermost of what the calls around say."""

    def __init__(self) -> None:
        self.stack: list[bool] = [False]


context = Context()
_warned: set[Any] = set()


@functools.cache
def available() -> bool:
    """Whether the extra is installed."""
    return importlib.util.find_spec("malt") is not None


def convert(fn: Callable) -> Callable:
    """`fn` with its control flow on tensors captured, and that of the functions it calls.

    What cannot be converted (its source is not available, a generator) runs as it is, with one warning.

    Args:
      fn: function, method, lambda, partial or callable object.

    >>> def bigger(x):
    ...     if x > 1:
    ...         return "yes"
    ...     return "no"
    >>> convert(bigger)(2)
    'yes'
    """
    if not available():
        return _with_hint(fn)

    @functools.wraps(fn, updated=())
    def converted(*args: Any, **kwargs: Any) -> Any:
        return call(fn, args, kwargs, asked=True)

    converted.autograph_info__ = True  # type: ignore[attr-defined]
    return converted


def _with_hint(fn: Callable) -> Callable:
    """Without the extra: `fn`, whose complaint about a tensor in control flow says what to install."""

    @functools.wraps(fn, updated=())
    def unconverted(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except SymbolicValueError as e:
            raise type(e)(f"{e}. Python control flow on tensors is captured with the extra: {EXTRA}") from e

    return unconverted


def in_context(fn: Callable) -> Callable:
    """`fn` as a function that takes functions should call it: converted, if its caller is."""
    if not context.stack[-1] or not available():
        return fn
    return lambda *args, **kwargs: call(fn, args, kwargs)


def do_not_convert(func: Callable | None = None) -> Callable:
    """Decorator: calls the function, and what it calls, as plain Python.

    Source: https://www.tensorflow.org/api_docs/python/tf/autograph/experimental/do_not_convert

    >>> @do_not_convert
    ... def double(x):
    ...     return x * 2
    >>> double(2)
    4
    """
    if func is None:
        return do_not_convert

    @functools.wraps(func, updated=())
    def unconverted(*args: Any, **kwargs: Any) -> Any:
        context.stack.append(False)
        try:
            return func(*args, **kwargs)
        finally:
            context.stack.pop()

    unconverted.autograph_info__ = True  # type: ignore[attr-defined]
    return unconverted


def is_library(fn: Any) -> bool:
    """Whether a function or class belongs to a library whose code is not converted."""
    root, _, _ = (getattr(fn, "__module__", None) or "builtins").partition(".")
    return root in _LIBRARIES


def call(fn: Any, args: tuple, kwargs: dict[str, Any] | None, asked: bool = False) -> Any:
    """Calls `fn`, converted if it is user code.

    Args:
      asked: the user asked for this function to be converted, whatever module it is of.
    """
    kwargs = kwargs or {}
    if isinstance(fn, functools.partial):
        return call(fn.func, (*fn.args, *args), {**fn.keywords, **kwargs}, asked)
    if not asked and not context.stack[-1]:
        return fn(*args, **kwargs)
    target = fn
    if inspect.ismethod(fn):
        target, args = fn.__func__, (fn.__self__, *args)
    elif not inspect.isfunction(fn) and not isinstance(fn, type):
        target = type(fn).__call__ if callable(fn) else None
        if inspect.isfunction(target) and not hasattr(fn, "autograph_info__"):
            args = (fn, *args)
        else:
            return fn(*args, **kwargs)
    if not inspect.isfunction(target) or hasattr(target, "autograph_info__") or not (asked or not is_library(target)):
        return target(*args, **kwargs)
    from tapejax._src.function.autograph.transform import transformed

    converted = transformed(target)
    if isinstance(converted, str):
        if asked and target.__code__ not in _warned and len(_warned) < 1000:
            _warned.add(target.__code__)
            _log.warning(
                "AutoGraph could not transform %s and will run it as it is: %s. To silence this warning, "
                "decorate the function with @tf.autograph.experimental.do_not_convert",
                target,
                converted,
            )
        return target(*args, **kwargs)
    context.stack.append(True)
    try:
        return converted(*args, **kwargs)
    finally:
        context.stack.pop()


def to_code(entity: Callable, recursive: bool = True, experimental_optional_features: Any = None) -> str:
    """The converted source of a function.

    Args:
      entity: the function.
      recursive: of no effect: calls are converted when they are made.
      experimental_optional_features: not supported.

    Raises:
      UnsupportedError: the extra is missing, or a feature is asked for. ValueError: it cannot be converted.

    Source: https://www.tensorflow.org/api_docs/python/tf/autograph/to_code
    """
    _need(experimental_optional_features)
    from tapejax._src.function.autograph.transform import source

    return source(_function_of(entity))


def to_graph(entity: Callable, recursive: bool = True, experimental_optional_features: Any = None) -> Callable:
    """The converted function. Arguments as of `to_code`.

    Source: https://www.tensorflow.org/api_docs/python/tf/autograph/to_graph
    """
    _need(experimental_optional_features)
    from tapejax._src.function.autograph.transform import transformed

    target = _function_of(entity)
    converted = transformed(target)
    if isinstance(converted, str):
        raise ValueError(f"converting {entity}: {converted}")
    return convert(target)


def _need(features: Any) -> None:
    if not available():
        raise UnsupportedError("tf.autograph", "the package diastatic-malt is not installed", f"Do: {EXTRA}.")
    if features is not None:
        raise UnsupportedError(
            "tf.autograph(`experimental_optional_features`)", "conversion has one set of features", "Leave it out."
        )


def _function_of(entity: Any) -> Any:
    entity = getattr(entity, "python_function", entity)
    if inspect.ismethod(entity):
        entity = entity.__func__
    if not inspect.isfunction(entity):
        raise ValueError(f"cannot convert {entity!r}: it is no Python function")
    return entity


def set_verbosity(level: int, alsologtostdout: bool = False) -> None:
    """Sets how much the conversion logs: 0 nothing, 10 all.

    Args:
      level: number; alsologtostdout: also print it.

    Source: https://www.tensorflow.org/api_docs/python/tf/autograph/set_verbosity
    """
    if available():
        from malt.utils import ag_logging

        ag_logging.set_verbosity(level, alsologtostdout)


def trace(*args: Any) -> None:
    """Prints values while the code is captured.

    Source: https://www.tensorflow.org/api_docs/python/tf/autograph/trace
    """
    print(*args)
