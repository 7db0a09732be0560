"""``tf.compat``: conversion between text and bytes, and helpers for dimensions.

`tf.compat.v1` is defined in `v1.py` of this folder; `tf.compat.v2` is tapejax itself.
"""

import numbers
import os
from typing import Any

import numpy as np

from tapejax._src.core.dimension import dimension_value
from tapejax._src.core.shape import dimension_at_index

__all__ = [
    "as_bytes",
    "as_str",
    "as_str_any",
    "as_text",
    "bytes_or_text_types",
    "complex_types",
    "dimension_at_index",
    "dimension_value",
    "integral_types",
    "path_to_str",
    "real_types",
]

integral_types = (numbers.Integral, np.integer)
real_types = (numbers.Real, np.integer, np.floating)
complex_types = (numbers.Complex, np.number)
bytes_or_text_types = (bytes, str)


def as_bytes(bytes_or_text: Any, encoding: str = "utf-8") -> bytes:
    """Encodes text as bytes. Bytes are returned as they are.

    Args:
      bytes_or_text: a string or bytes.
      encoding: the encoding of text.

    Raises:
      TypeError: the argument is neither.

    Source: https://www.tensorflow.org/api_docs/python/tf/compat/as_bytes

    >>> as_bytes("abc")
    b'abc'
    """
    if isinstance(bytes_or_text, bytearray):
        return bytes(bytes_or_text)
    if isinstance(bytes_or_text, str):
        return bytes_or_text.encode(encoding)
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text
    raise TypeError(f"Expected binary or unicode string, got {bytes_or_text!r}")


def as_text(bytes_or_text: Any, encoding: str = "utf-8") -> str:
    """Decodes bytes as text. Text is returned as it is. `as_str` is the same function.

    Args:
      bytes_or_text: a string or bytes.
      encoding: the encoding of bytes.

    Raises:
      TypeError: the argument is neither.

    Source: https://www.tensorflow.org/api_docs/python/tf/compat/as_text

    >>> as_text(b"abc")
    'abc'
    """
    if isinstance(bytes_or_text, str):
        return bytes_or_text
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text.decode(encoding)
    raise TypeError(f"Expected binary or unicode string, got {bytes_or_text!r}")


def as_str(bytes_or_text: Any, encoding: str = "utf-8") -> str:
    """The same as `as_text`."""
    return as_text(bytes_or_text, encoding)


def as_str_any(value: Any, encoding: str = "utf-8") -> str:
    """Decodes bytes as text. Of anything else it returns ``str(value)``.

    >>> as_str_any(3)
    '3'
    """
    return as_text(value, encoding) if isinstance(value, bytes) else str(value)


def path_to_str(path: Any) -> Any:
    """Turns a path object into text. Anything else is returned as it is.

    >>> import pathlib
    >>> path_to_str(pathlib.PurePosixPath("a/b"))
    'a/b'
    """
    return as_str_any(os.fspath(path)) if hasattr(path, "__fspath__") else path
