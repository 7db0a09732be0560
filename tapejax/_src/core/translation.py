"""Translates errors raised while a compiled program runs into TensorFlow's exception classes.

Also says whether an error raised in an op's function is JAX's, about the user's arrays, or a bug in the function.
"""

import contextlib
import inspect
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import jax

from tapejax._src.core import errors

__all__ = ["raised_by_jax", "translate", "unfiltered_tracebacks"]

_JAX: Final = os.path.dirname(inspect.getfile(jax)) + os.sep
_OURS: Final = str(Path(__file__).parents[2]) + os.sep
# Python code that wants the value of an array that JAX is tracing: a mistake in an op, whatever the user passed.
_ABOUT_TRACERS: Final = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.UnexpectedTracerError,
)


def translate(error: Exception, where: str) -> Exception:
    """The exception of TensorFlow's classes that stands for an error raised while a program ran.

    Args:
      error: what was raised.
      where: text about the place in the user's code, which is appended to the message.
    """
    text = f"{error} {where}"
    if "RESOURCE_EXHAUSTED" in text or isinstance(error, MemoryError):
        return errors.ResourceExhaustedError(message=text)
    if isinstance(error, errors.OpError):
        return type(error)(message=text)
    if isinstance(error, FloatingPointError):  # what `jax_debug_nans` raises
        return errors.InvalidArgumentError(message=text)
    if isinstance(error, jax.errors.JaxRuntimeError):
        return _of_callback(str(error), where) or errors.InternalError(message=text)
    return errors.UnknownError(message=text)


def _of_callback(text: str, where: str) -> Exception | None:
    """The error raised by Python code that the program called, if its class is one of `errors`, otherwise None.

    XLA reports such an error as text, at the end of its own message.
    """
    found = re.search(r"\n(?:[\w.]+\.)?(\w+Error): (.*)\Z", text, re.DOTALL)
    cls = getattr(errors, found[1], None) if found else None
    return cls(message=f"{found[2]} {where}") if found and cls is not None else None


_filtering = threading.Lock()


@contextlib.contextmanager
def unfiltered_tracebacks() -> Iterator[None]:
    """Context in which JAX leaves its own frames in the tracebacks of the errors that it raises.

    The setting belongs to the whole process, hence the lock.
    """
    with _filtering:
        before = jax.config.jax_traceback_filtering  # type: ignore[attr-defined]
        jax.config.update("jax_traceback_filtering", "off")
        try:
            yield
        finally:
            jax.config.update("jax_traceback_filtering", before)


def raised_by_jax(error: Exception, fn: Callable) -> bool:
    """Whether JAX raised an error in a call that `fn`, the function of an op, made with arrays that do not fit.

    Args:
      error: caught within `unfiltered_tracebacks`.
      fn: the function; it may call others of this package.

    Returns:
      True if the innermost frame that belongs to JAX or to the op is JAX's. Frames of other packages, such as
      NumPy, count for their caller.
    """
    if isinstance(error, _ABOUT_TRACERS):
        return False
    own = fn.__code__.co_filename if hasattr(fn, "__code__") else ""
    jax_is_last = False
    step = error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if file.startswith(_JAX):
            jax_is_last = True
        elif file.startswith(_OURS) or file == own:
            jax_is_last = False
        step = step.tb_next
    return jax_is_last
