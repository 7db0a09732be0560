"""Ops that are one function of JAX on some element types: rows of a table, with docstring and example."""

import sys
from collections.abc import Callable
from typing import Any, Protocol

from tapejax._src.core.checks import need
from tapejax._src.engine.op import Op
from tapejax._src.ops.registry import Array, Same, op

__all__ = ["binary", "described", "unary"]

_KINDS = {"b": "Booleans", "f": "Floating dtypes", "fc": "Floating and complex dtypes", "fiu": "Real dtypes",
          "fiuc": "Numeric dtypes", "fiucb": "Numeric and boolean dtypes", "iu": "Integers"}  # fmt: skip


class Unary(Protocol):
    """A TensorFlow function of one tensor."""

    op: Op

    def __call__(self, x: Any, name: str | None = None) -> Any:
        """Records the op."""
        ...


class Binary(Protocol):
    """A TensorFlow function of two tensors."""

    op: Op

    def __call__(self, x: Any, y: Any, name: str | None = None) -> Any:
        """Records the op."""
        ...


def unary(
    fn: Callable[[Any], Any], text: str, example: str, result: str, *names: str, kinds: str = "fc", **nature: Any
) -> Unary:
    """The op of one tensor that computes `fn`.

    Args:
      fn: a function of a JAX array.
      text: what it computes, for the docstring.
      example: an argument, and `result`, what comes out, as lists.
      *names: every name TensorFlow exposes it under; the last of them is documented there.
      kinds: the element types, as letters; see `checks.need`.
      **nature: as of `registry.op`.
    """

    def apply(x: Array, name=None):
        need(kinds, x)
        return fn(x)

    return op(*names, **nature)(described(apply, f"{text} {_KINDS[kinds]}.", example, result, *names))


def binary(
    fn: Callable[[Any, Any], Any], text: str, example: str, result: str, *names: str, kinds: str = "fiuc", **nature: Any
) -> Binary:
    """The op of two tensors of one dtype that computes `fn`, which broadcasts. Arguments as of `unary`."""

    def apply(x: Same, y: Same, name=None):
        need(kinds, x)
        return fn(x, y)

    return op(*names, **nature)(described(apply, f"{text} Broadcasts. {_KINDS[kinds]}.", example, result, *names))


def described(fn: Callable[..., Any], text: str, example: str, result: str, *names: str) -> Callable[..., Any]:
    """`fn` with the last of TensorFlow's names, a docstring, and the first module outside of this one as its own."""
    frame = sys._getframe(1)
    while frame.f_globals["__name__"] == __name__ and frame.f_back is not None:
        frame = frame.f_back
    name = names[-1].rpartition(".")[2]
    fn.__name__ = fn.__qualname__ = name
    fn.__module__ = frame.f_globals["__name__"]
    page = names[-1].replace(".", "/")
    fn.__doc__ = (
        f"{text}\n\n    Source: https://www.tensorflow.org/api_docs/python/tf/{page}\n\n"
        f"    >>> {name}({example}).numpy().tolist()\n    {result}\n    "
    )
    return fn
