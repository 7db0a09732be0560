"""The C library's memory settings, for CPUs: keep what was freed instead of giving it back at each step.

XLA's CPU client asks for its temporary buffers anew at every step. By default glibc maps them afresh each time, and
the kernel clears every page again: a convolutional network's step that took 208 ms took 140 ms with these settings.
They hold for the whole process and can raise its resident memory, so they are `tapejax run`'s default, and a
library user's choice.
"""

import ctypes
import os
import platform
import sys
from typing import Any

__all__ = ["give_back", "keep_memory"]

# mallopt's parameter numbers are glibc's ABI. One arena: without it the threads' own arenas shrink all the same.
_SETTINGS = {
    "M_ARENA_MAX": (-8, 1),
    "M_MMAP_MAX": (-4, 0),
    "M_TRIM_THRESHOLD": (-1, 2**31 - 1),
    "M_TOP_PAD": (-2, 64 * 2**20),
}
_kept: bool | None = None


def keep_memory() -> bool:
    """Makes the process keep freed memory for itself. Call it before the first operation, best before importing JAX.

    Also the environment's `TAPEJAX_KEEP_MEMORY=1`. It cannot be undone.

    Returns:
      Whether it is so now: False without glibc (macOS, Windows, musl), where nothing changes.

    >>> keep_memory()  # doctest: +SKIP
    True
    """
    global _kept
    if _kept is None:
        _kept = _set()
    return _kept


def give_back() -> bool:
    """Gives free memory back to the system, once: after much was dropped, such as compiled programs.

    Returns:
      Whether there was any; False without glibc, where nothing happens.

    >>> give_back()  # doctest: +SKIP
    True
    """
    malloc_trim = _of_glibc("malloc_trim")
    return malloc_trim is not None and malloc_trim(ctypes.c_size_t(0)) == 1


def _of_glibc(name: str) -> Any:
    """A function of the C library that returns an int, or None where that is not glibc."""
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        return None
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None


def _set() -> bool:
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return False
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    return all(mallopt(number, value) == 1 for number, value in _SETTINGS.values())


if os.environ.get("TAPEJAX_KEEP_MEMORY", "0") not in ("", "0"):
    keep_memory()
