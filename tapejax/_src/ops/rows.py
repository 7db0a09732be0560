"""`unary` and `binary`, which define an op that checks the element type and calls one JAX function.

Both also write the op's docstring and example.
"""

import sys
from collections.abc import Callable
from typing import Any, Protocol

from tapejax._src.core.checks import need
from tapejax._src.engine.op import Op
from tapejax._src.ops.registry import Array, Same, op

__all__ = ["binary", "described", "unary"]

_KINDS = {"b": "booleans", "f": "floating numbers", "fc": "floating or complex numbers", "fiu": "real numbers",
          "fiuc": "numbers", "fiucb": "numbers or booleans", "iu": "integers"}  # fmt: skip

_SECTIONS = """

    Args:
      {}
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: {}."""


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
    """Defines an op of one tensor.

    Args:
      fn: what the op computes: a function of a JAX array.
      text: the docstring's first sentence, which says what is computed.
      example: the docstring's example: Python code for the argument.
      result: the result of the example, as a nested list.
      *names: all names that the function has in TensorFlow. The last is the one that TensorFlow's pages document.
      kinds: the element types that the op takes, as letters (see `checks.need`).
      **nature: keyword arguments of `registry.op`.

    Returns:
      The public function.
    """

    def apply(x: Array, name=None):
        need(kinds, x)
        return fn(x)

    sections = _SECTIONS.format(f"x: a tensor of {_KINDS[kinds]}.", "`x` has another dtype")
    return op(*names, **nature)(described(apply, text + sections, example, result, *names))


def binary(
    fn: Callable[[Any, Any], Any], text: str, example: str, result: str, *names: str, kinds: str = "fiuc", **nature: Any
) -> Binary:
    """Defines an op of two tensors of one dtype, whose shapes broadcast. Takes the arguments of `unary`."""

    def apply(x: Same, y: Same, name=None):
        need(kinds, x)
        return fn(x, y)

    arguments = f"x: a tensor of {_KINDS[kinds]}.\n      y: a tensor of the same dtype. The shapes broadcast."
    sections = _SECTIONS.format(arguments, "the dtypes differ or are not allowed, or the shapes do not broadcast")
    return op(*names, **nature)(described(apply, text + sections, example, result, *names))


def described(fn: Callable[..., Any], text: str, example: str, result: str, *names: str) -> Callable[..., Any]:
    """Gives a function the name, module and docstring that it would have if it were written out with `def`.

    Args:
      fn: the function.
      text: the docstring, without the source and the example.
      example: the example's arguments, as Python code.
      result: the example's result, as a nested list.
      *names: the function's names in TensorFlow. The last becomes its name.

    Returns:
      `fn`. Its module is the one that called this file.
    """
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
