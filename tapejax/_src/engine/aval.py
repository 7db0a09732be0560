"""Abstract values: the shape and dtype of a tensor, interned so that two equal ones are one object.

The program cache compares the avals of all inputs that are recorded. Interned avals are compared by pointer.
"""

from typing import Final

import jax
import numpy as np

__all__ = ["Aval", "ScalarKind", "aval", "scalar_kind"]

# The table is cleared at this size, because shapes that never repeat (variable-length batches) would fill it without
# limit. Clearing costs only cache misses: programs recorded with a new aval object are compiled again.
_MAX_AVALS: Final = 65536


class Aval:
    """Shape and dtype of an array. Compare with ``is``; make one with `aval`."""

    __slots__ = ("dtype", "inexact", "shape", "struct")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype):
        self.shape = shape
        self.dtype = dtype
        # Only floating and complex arrays carry derivatives (bfloat16 and float8 have kind "V").
        self.inexact = dtype.kind in "fcV"
        self.struct = None if dtype.kind == "O" else jax.ShapeDtypeStruct(shape, dtype)

    def __repr__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]"


class ScalarKind:
    """The type of a Python number in a program. The number is an input of this dtype, so its value may change."""

    __slots__ = ("aval", "dtype")

    def __init__(self, dtype: np.dtype):
        self.dtype = dtype
        self.aval = aval((), dtype)

    def __repr__(self) -> str:
        return f"number:{self.dtype.name}"


_avals: dict[tuple[tuple[int, ...], np.dtype], Aval] = {}
_kinds: dict[np.dtype, ScalarKind] = {}


def aval(shape: tuple[int, ...], dtype: np.dtype) -> Aval:
    """The aval of this shape and dtype, the same object each time."""
    found = _avals.get((shape, dtype))
    if found is None:
        if len(_avals) >= _MAX_AVALS:
            _avals.clear()
        found = _avals.setdefault((shape, dtype), Aval(shape, dtype))
    return found


def scalar_kind(dtype: np.dtype) -> ScalarKind:
    """The scalar kind of this dtype, the same object each time."""
    return _kinds.get(dtype) or _kinds.setdefault(dtype, ScalarKind(dtype))
