"""Translates errors raised while a compiled program runs into TensorFlow's exception classes."""

import re

import jax

from tapejax._src.core import errors

__all__ = ["translate"]


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
