"""Runs ops that only move elements on strings: numbers stand for the strings while the op's JAX function runs.

String tensors are NumPy arrays of `bytes` objects on the host, which XLA cannot hold. An op such as `tf.gather` never
looks at the elements. So it gives the right result on numbers in place of the strings, with the same checks and shapes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream

__all__ = ["decoded", "encoded"]

_STRING = np.dtype(object)
# The dtype of the numbers. No op returns positions or sizes in it, so a result of this dtype holds strings.
_CODES = np.dtype(np.uint32)


def encoded(inputs: Sequence[Any]) -> tuple[tuple[Any, ...], list[bytes]]:
    """Replaces the strings in an op's inputs by numbers.

    Args:
      inputs: tensors, and Python numbers as pairs of a number and its `ScalarKind`.

    Returns:
      The new inputs, and a list of the strings: the string at position i has the number i. Equal strings have equal
      numbers. The empty string has the number 0, because ops such as `tf.pad` fill with zeros.
    """
    numbers: dict[bytes, int] = {b"": 0}

    def encode(t: Any) -> Any:
        if t.__class__ is tuple or t.aval.dtype != _STRING:
            return t
        values = stream.host(t)
        codes = [numbers.setdefault(s, len(numbers)) for s in values.ravel().tolist()]
        return from_value(np.array(codes, _CODES).reshape(values.shape))

    coded = tuple(encode(t) for t in inputs)
    return coded, list(numbers)


def decoded(results: Any, strings: list[bytes]) -> Any:
    """Replaces the numbers that `encoded` put into an op's inputs by the strings again.

    Args:
      results: a tensor or a tuple of tensors.
      strings: the list that `encoded` returned.
    """
    if not isinstance(results, Tensor):
        return tuple(decoded(t, strings) for t in results)
    if results.aval.dtype != _CODES:
        return results
    table = np.empty(len(strings), _STRING)
    table[:] = strings
    return from_value(np.asarray(table[stream.host(results)], _STRING))
