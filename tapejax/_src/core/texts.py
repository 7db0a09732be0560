"""Conversion between string tensors and NumPy arrays of `bytes` objects. Both live on the host."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream

__all__ = ["objects", "texts"]

_STRING = np.dtype(object)


def texts(value: Any) -> np.ndarray:
    """The elements of a string tensor, or of a value that converts to one, as a NumPy array of `bytes`.

    Raises:
      TypeError, InvalidArgumentError: `value` is a number, or a tensor of another dtype.
    """
    t = to_tensor(value) if isinstance(value, Tensor) or not np.size(value) else to_tensor(value, _STRING)
    if t.aval.dtype != _STRING:
        raise invalid(f"expected a string tensor but got a {t.dtype.name} tensor")
    return stream.host(t)


def objects(values: Sequence[Any], shape: Sequence[int]) -> Tensor:
    """A string tensor of the given shape.

    Args:
      values: the elements, a flat sequence of `bytes` objects.
      shape: the shape.
    """
    out = np.empty(len(values), object)
    out[:] = values
    return from_value(out.reshape(tuple(shape)))
