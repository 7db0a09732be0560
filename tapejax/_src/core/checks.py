"""How ops refuse their arguments.

Three functions make the errors that an op raises on purpose:

* `invalid`: shapes or element types that do not fit. In a function that is traced TensorFlow finds this while it
  infers shapes, so the class is `ValueError` or `TypeError` there.
* `invalid_value`: a value that is wrong. The class is `InvalidArgumentError` everywhere.
* `final`: an error of another class, which reaches the user as it is.

A `TypeError` or an `AssertionError` that an op raises by any other way counts as a bug of the op: see `registry.op`.
"""

import re
from typing import Any

import numpy as np

from tapejax._src.core import dtypes, errors
from tapejax._src.engine import stream

__all__ = ["final", "invalid", "invalid_value", "is_complex", "is_integer", "kind", "need", "need_text"]


def is_complex(x: Any) -> bool:
    """Whether a JAX array is complex."""
    return x.dtype.kind == "c"


def is_integer(x: Any) -> bool:
    """Whether a JAX array holds integers. Booleans do not count."""
    return x.dtype.kind in "iu"


def kind(dtype: np.dtype) -> str:
    """The kind of a dtype as one letter.

    The letters are f for floating (bfloat16 included), i for signed integer, u for unsigned integer, c for complex,
    b for boolean and S for string.
    """
    return dtypes.from_numpy(dtype)._kind


def need(kinds: str, *arrays: Any) -> None:
    """Checks that arrays have dtypes of the given kinds.

    Args:
      kinds: the letters of the allowed kinds, see `kind`.
      *arrays: JAX arrays.

    Raises:
      InvalidArgumentError: an array is of another kind. While a graph is captured it is a TypeError, see `invalid`.
    """
    for x in arrays:
        if kind(np.dtype(x.dtype)) not in kinds:
            allowed = [name for letter, name in _WORDS.items() if letter in kinds]
            raise invalid(
                f"Value for attr 'T' of {dtypes.from_numpy(np.dtype(x.dtype)).name} is not in "
                f"the list of allowed values: {', '.join(allowed)}"
            )


_WORDS = {"f": "half, bfloat16, float, double", "i": "int8, int16, int32, int64", "u": "uint8, uint16, uint32, uint64",
          "c": "complex64, complex128", "b": "bool"}  # fmt: skip


def need_text(value: Any, what: str) -> None:
    """Checks that an argument is a string.

    Args:
      value: the argument.
      what: its name, for the message.

    Raises:
      TypeError: `value` is not a string. As in TensorFlow, this is the class in eager mode and in graphs.
    """
    if not isinstance(value, str):
        raise final(TypeError(f"Expected string for argument '{what}' not {value}."))


def final(error: Exception) -> Exception:
    """Marks an error that an op raises on purpose, and that must reach the user with this class."""
    error.is_final = True  # type: ignore[attr-defined]
    return error


def invalid(text: str, where: str = "") -> Exception:
    """The error for an argument of a wrong shape or dtype.

    In eager TensorFlow a kernel raises it, so it is an InvalidArgumentError. In a graph TensorFlow's shape inference
    raises it, so while a graph is captured it is a TypeError (about dtypes) or a ValueError.

    Args:
      text: what is wrong.
      where: the op's name in TensorFlow. Without it the registry adds the name of the op that raises the error.
    """
    text = f"{text} [Op:{where}]" if where else text
    if not stream.current().symbolic:
        return errors.InvalidArgumentError(message=text)
    error = final(TypeError(text) if _ABOUT_DTYPES.search(text) else ValueError(text))
    error.is_unnamed = "[Op:" not in text  # type: ignore[attr-defined]
    return error


def invalid_value(text: str) -> Exception:
    """The error for an argument of a wrong value, which TensorFlow's kernels check. It has the same class in graphs."""
    return final(errors.InvalidArgumentError(message=text))


_ABOUT_DTYPES = re.compile("for attr '(T|dtype|out)|was expected to be a")
