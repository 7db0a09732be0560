"""How ops that only move elements work on strings: their JAX functions run on numbers that stand for the strings.

String tensors are NumPy arrays of `bytes` objects on the host, which XLA cannot hold. An op such as `tf.gather` never
looks at the elements, so it gives the right result on numbers in place of strings, with the same checks and shapes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream

__all__ = ["decoded", "encoded"]

_STRING = np.dtype(object)
# The dtype of the numbers. It differs from those of positions and sizes, so that results of the two are told apart.
_CODES = np.dtype(np.uint32)


def encoded(inputs: Sequence[Any]) -> tuple[tuple[Any, ...], list[bytes]]:
    """An op's inputs with numbers in place of strings.

    Args:
      inputs: tensors, and pairs of a number and its `ScalarKind`.

    Returns:
      The inputs, and the strings in the order of their numbers. The empty string is 0, because ops fill with zeros.
      Equal strings have equal numbers.
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
    """An op's results, a tensor or a tuple of them, with strings in place of the numbers of `encoded`."""
    if not isinstance(results, Tensor):
        return tuple(decoded(t, strings) for t in results)
    if results.aval.dtype != _CODES:
        return results
    table = np.empty(len(strings), _STRING)
    table[:] = strings
    return from_value(np.asarray(table[stream.host(results)], _STRING))
