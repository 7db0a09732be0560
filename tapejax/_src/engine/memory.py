"""Raises an error for tensors that are too large for the machine's memory, at the line that records them.

XLA ends the process when it cannot allocate the memory of some programs, or when the size of an array does not fit 64
bits. Shapes are known before anything runs, so such a tensor is refused while the user's line is still known, and
variables keep their values.
"""

import functools
import math
import os
from collections.abc import Callable, Sequence
from typing import Final

from tapejax._src.engine.aval import Aval

__all__ = ["check", "physical", "set_errors"]

_MOST_ELEMENTS: Final = 2**63 - 1


@functools.cache
def physical() -> int | None:
    """The machine's main memory in bytes, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not a POSIX system
        return None


_exhausted: Callable[[str], Exception] = MemoryError
_invalid: Callable[[str], Exception] = ValueError


def set_errors(exhausted: Callable[[str], Exception], invalid: Callable[[str], Exception]) -> None:
    """Sets the exceptions to raise: for too little memory, and for more elements than can be counted."""
    global _exhausted, _invalid
    _exhausted, _invalid = exhausted, invalid


def check(avals: Sequence[Aval], op: object) -> None:
    """Raises an error if one of an op's results can never fit in memory. Symbolic dimensions pass.

    Args:
      avals: the avals of the results.
      op: the op. The error message names it.
    """
    limit = physical()
    for a in avals:
        if not all(type(dim) is int for dim in a.shape):
            continue
        elements = math.prod(a.shape)
        if elements > _MOST_ELEMENTS:
            raise _invalid(f"Shape {list(a.shape)} would have more than 2**63 - 1 elements [Op:{op}]")
        if limit is not None and elements * a.dtype.itemsize > limit:
            raise _exhausted(
                f"OOM when allocating tensor with shape{list(a.shape)} and type {a.dtype}: it takes "
                f"{elements * a.dtype.itemsize:,} bytes and the machine has {limit:,} [Op:{op}]"
            )
