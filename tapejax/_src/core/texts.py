"""String tensors as arrays of bytes objects on the host, and back."""

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
    """The bytes of a string tensor, or of what converts to one. TypeError for a number."""
    t = to_tensor(value) if isinstance(value, Tensor) or not np.size(value) else to_tensor(value, _STRING)
    if t.aval.dtype != _STRING:
        raise invalid(f"expected a string tensor but got a {t.dtype.name} tensor")
    return stream.host(t)


def objects(values: Sequence[Any], shape: Sequence[int]) -> Tensor:
    """A string tensor of this shape."""
    out = np.empty(len(values), object)
    out[:] = values
    return from_value(out.reshape(tuple(shape)))
