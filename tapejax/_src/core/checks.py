"""What ops refuse: element types that JAX would promote silently, and errors of TensorFlow's classes."""

import re
from typing import Any

import numpy as np

from tapejax._src.core import dtypes, errors
from tapejax._src.engine import stream

__all__ = ["final", "invalid", "is_complex", "is_integer", "kind", "need"]


def is_complex(x: Any) -> bool:
    """Whether a JAX array is complex."""
    return x.dtype.kind == "c"


def is_integer(x: Any) -> bool:
    """Whether a JAX array holds integers; booleans are not."""
    return x.dtype.kind in "iu"


def kind(dtype: np.dtype) -> str:
    """One letter: f floating (bfloat16 too), i signed, u unsigned, c complex, b boolean, S string."""
    return dtypes.from_numpy(dtype)._kind


def need(kinds: str, *arrays: Any) -> None:
    """Refuses arrays of other kinds than these letters.

    Raises:
      TypeError: the caller, an op, makes it an InvalidArgumentError.
    """
    for x in arrays:
        if kind(np.dtype(x.dtype)) not in kinds:
            allowed = [name for letter, name in _WORDS.items() if letter in kinds]
            raise TypeError(
                f"Value for attr 'T' of {dtypes.from_numpy(np.dtype(x.dtype)).name} is not in "
                f"the list of allowed values: {', '.join(allowed)}"
            )


_WORDS = {"f": "floating", "i": "signed integer", "u": "unsigned integer", "c": "complex", "b": "bool"}


def final(error: Exception) -> Exception:
    """Marks an error that must reach the user with this class, not as an InvalidArgumentError."""
    error.is_final = True  # type: ignore[attr-defined]
    return error


def invalid(text: str) -> Exception:
    """The error for arguments of wrong shapes or dtypes: eagerly a kernel's, in a captured graph that of inference."""
    if not stream.current().symbolic:
        return errors.InvalidArgumentError(message=text)
    return TypeError(text) if _ABOUT_DTYPES.search(text) else ValueError(text)


_ABOUT_DTYPES = re.compile("for attr '(T|dtype|out)|was expected to be a")
