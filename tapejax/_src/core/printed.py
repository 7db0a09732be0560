"""The text of values as `tf.print` and `tf.strings.format` write it. It is not NumPy's: numbers are not padded."""

from typing import Any

import numpy as np

__all__ = ["array_text", "rows_text"]

# The bytes that have an escape sequence of their own in C. TensorFlow writes other control characters in octal.
_ESCAPES = {9: rb"\t", 10: rb"\n", 13: rb"\r", 34: rb"\"", 39: rb"\'", 92: rb"\\"}


def array_text(array: np.ndarray, summarize: int = 3) -> str:
    """The text of a tensor's value, such as ``[1 2 3 ... 8 9 10]``.

    Args:
      array: the value. The elements of a string tensor are `bytes` objects.
      summarize: how many elements at the beginning and the end of each axis are shown; -1 for all.
    """
    # TensorFlow shows no more elements of an axis than the whole tensor has. It matters for tensors without elements.
    ends = array.size if summarize < 0 else min(summarize, array.size)
    if not ends and array.size and array.dtype.kind == "b":
        return ""  # TensorFlow shows no dots for booleans
    if not ends and not array.ndim and array.dtype != object:
        return "..."
    if array.dtype.itemsize == 2 and array.dtype.kind in "fV":
        array = array.astype(np.float32)
    return _axis_text(array, 0, array.ndim, ends)


def rows_text(rows: Any, summarize: int = 3) -> str:
    """The text of a ragged tensor, such as ``[[1, 2], [], [3]]``.

    Args:
      rows: its values as nested lists. Floats have six digits after the point, as `tf.strings.as_string` writes them.
      summarize: how many elements at the beginning and the end of each axis are shown; -1 for all.

    Raises:
      ValueError: `summarize` is 0, or less than -1.
    """
    if summarize != -1 and summarize < 1:
        raise ValueError(f"Expected summarize to be -1 or a positive int, got {summarize}")
    if not isinstance(rows, list):
        return _element_of_row(rows)
    ends = len(rows) if summarize < 0 else summarize
    shown = [*rows[:ends], *rows[max(ends, len(rows) - ends) :]]
    texts = [rows_text(row, summarize) for row in shown]
    if len(rows) > 2 * ends:
        texts.insert(ends, "...")
    return f"[{', '.join(texts)}]"


def _axis_text(part: Any, axis: int, rank: int, ends: int) -> str:
    if axis == rank:
        return _element(part[()] if isinstance(part, np.ndarray) else part)
    size = len(part)
    left = rank - axis - 1
    gap = "\n" * left + " " * (axis + 1) if left else " "
    shown = [*range(min(ends, size)), *range(max(ends, size - ends), size)]
    texts = [_axis_text(part[i], axis + 1, rank, ends) for i in shown]
    if size > 2 * ends:
        # With no elements at all before the dots, TensorFlow writes the gap before them nonetheless.
        texts.insert(ends, "..." if ends else f"{gap}...")
    return f"[{gap.join(texts)}]"


def _element(value: Any) -> str:
    if isinstance(value, bytes):
        return '"' + b"".join(map(_escaped, value)).decode(errors="replace") + '"'
    kind = value.dtype.kind
    if kind == "c":
        return str(value.item())
    if kind != "f":
        return str(int(value))
    few, many = (15, 17) if value.dtype == np.float64 else (6, 9)
    short = f"{float(value):.{few}g}"
    return short if np.isnan(value) or value.dtype.type(short) == value else f"{float(value):.{many}g}"


def _escaped(byte: int) -> bytes:
    if byte in _ESCAPES:
        return _ESCAPES[byte]
    return bytes([byte]) if 32 <= byte != 127 else b"\\%03o" % byte


def _element_of_row(value: Any) -> str:
    if isinstance(value, bytes):
        return f"'{value.decode(errors='replace')}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, complex):
        return f"({value.real:f},{value.imag:f})"
    return f"{value:f}" if isinstance(value, float) else str(value)
