"""AutoGraph: makes Python's control flow on tensors part of a captured program.

The package `diastatic-malt`, the maintained fork of TensorFlow's AutoGraph, rewrites the source of a function. In the
rewritten source, `if`, `while`, `for` and calls are calls of the functions in `operators.py`. These run plain Python
for Python values and eager tensors, and record control flow for symbolic tensors.

The package is optional, and imported when a function is first converted: ``pip install 'tapejax[autograph]'``.
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
# Functions of these packages, and of Python's standard library, are called without conversion.
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
    """Whether functions that are called now are converted. The last element of the stack decides.

    Calling a converted function pushes True; calling a function marked by `do_not_convert` pushes False.
    """

    def __init__(self) -> None:
        self.stack: list[bool] = [False]


context = Context()
_warned: set[Any] = set()


@functools.cache
def available() -> bool:
    """Whether the optional package `diastatic-malt` is installed."""
    return importlib.util.find_spec("malt") is not None


def convert(fn: Callable) -> Callable:
    """Converts a function, so that its control flow on tensors is captured. Functions that it calls are converted too.

    A function that cannot be converted runs as it is, and one warning says so. Examples are generators, and functions
    whose source is not available.

    Args:
      fn: a function, method, lambda, partial or callable object.

    Returns:
      The converted function.

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
    """`fn` as it is, for use without `diastatic-malt`. Errors about tensors in control flow say what to install."""

    @functools.wraps(fn, updated=())
    def unconverted(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except SymbolicValueError as e:
            raise type(e)(f"{e}. Python control flow on tensors is captured with the extra: {EXTRA}") from e

    return unconverted


def in_context(fn: Callable) -> Callable:
    """The function that `tf.map_fn` and the like should call for the user's `fn`: converted if the caller is."""
    if not context.stack[-1] or not available():
        return fn
    return lambda *args, **kwargs: call(fn, args, kwargs)


def do_not_convert(func: Callable | None = None) -> Callable:
    """Decorator for functions that AutoGraph should not convert. They, and the functions they call, run as they are.

    Args:
      func: the function. None returns the decorator.

    Returns:
      The decorated function.

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
    """Calls a function, converted if it is the user's code.

    Args:
      fn: a function, method, class or callable object.
      args: its positional arguments.
      kwargs: its keyword arguments, or None.
      asked: whether the user asked for this function to be converted. Then it is converted even if it belongs to a
        library.
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
    """The source of a function as AutoGraph rewrites it.

    Args:
      entity: the function.
      recursive: of no effect: functions that it calls are converted when they are called.
      experimental_optional_features: not supported; must be None.

    Returns:
      The source as a string.

    Raises:
      UnsupportedError: the package `diastatic-malt` is missing, or an optional feature is asked for.
      ValueError: the function cannot be converted.

    Source: https://www.tensorflow.org/api_docs/python/tf/autograph/to_code
    """
    _need(experimental_optional_features)
    from tapejax._src.function.autograph.transform import source

    return source(_function_of(entity))


def to_graph(entity: Callable, recursive: bool = True, experimental_optional_features: Any = None) -> Callable:
    """Converts a function by AutoGraph.

    Args:
      entity: the function.
      recursive: of no effect: functions that it calls are converted when they are called.
      experimental_optional_features: not supported; must be None.

    Returns:
      The converted function.

    Raises:
      UnsupportedError: the package `diastatic-malt` is missing, or an optional feature is asked for.
      ValueError: the function cannot be converted.

    Source: https://www.tensorflow.org/api_docs/python/tf/autograph/to_graph
    """
    _need(experimental_optional_features)
    from tapejax._src.function.autograph.transform import transformed

    target = _function_of(entity)
    converted = transformed(target)
    if isinstance(converted, str):
        raise ValueError(f"AutoGraph cannot convert {entity}: {converted}")
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
        raise ValueError(f"`entity` must be a Python function or method, received {entity!r}")
    return entity


def set_verbosity(level: int, alsologtostdout: bool = False) -> None:
    """Sets how much AutoGraph logs while it converts functions. Of no effect without `diastatic-malt`.

    Args:
      level: from 0, which logs nothing, to 10, which logs everything.
      alsologtostdout: whether to print the messages, too.

    Source: https://www.tensorflow.org/api_docs/python/tf/autograph/set_verbosity
    """
    if available():
        from malt.utils import ag_logging

        ag_logging.set_verbosity(level, alsologtostdout)


def trace(*args: Any) -> None:
    """Prints values with Python's `print`. In a captured function this happens only while it is captured.

    Args:
      *args: the values.

    Source: https://www.tensorflow.org/api_docs/python/tf/autograph/trace

    >>> trace("step", 1)
    step 1
    """
    print(*args)
