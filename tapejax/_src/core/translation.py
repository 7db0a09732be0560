"""Errors of running programs, as TensorFlow's classes."""

import re

import jax

from tapejax._src.core import errors

__all__ = ["translate"]


def translate(error: Exception, where: str) -> Exception:
    """An error of a running program as TensorFlow's class."""
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
    """The error that Python code called by the program raised, if it was one of `errors`: the end of XLA's report."""
    found = re.search(r"\n(?:[\w.]+\.)?(\w+Error): (.*)\Z", text, re.DOTALL)
    cls = getattr(errors, found[1], None) if found else None
    return cls(message=f"{found[2]} {where}") if found and cls is not None else None
