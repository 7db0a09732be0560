"""Memory settings of the C library, for CPUs: freed memory is kept instead of being returned to the system.

XLA's CPU client allocates its temporary buffers again at every step. By default glibc maps large buffers afresh each
time, and the kernel clears every page again. With these settings the step of a convolutional network took 140 ms
instead of 208 ms. They apply to the whole process and can raise its resident memory. That is why `tapejax run` makes
them by default, but importing the library does not.
"""

import ctypes
import os
import platform
import sys
from typing import Any

__all__ = ["give_back", "keep_memory"]

# The parameter numbers of mallopt are part of glibc's ABI. M_ARENA_MAX is 1 because the arenas of other threads
# would be trimmed in spite of the other settings.
_SETTINGS = {
    "M_ARENA_MAX": (-8, 1),
    "M_MMAP_MAX": (-4, 0),
    "M_TRIM_THRESHOLD": (-1, 2**31 - 1),
    "M_TOP_PAD": (-2, 64 * 2**20),
}
_kept: bool | None = None


def keep_memory() -> bool:
    """Makes the process keep freed memory for itself. Call it before the first operation, best before importing JAX.

    The environment variable `TAPEJAX_KEEP_MEMORY=1` does the same. It cannot be undone.

    Returns:
      Whether the settings are in force. Without glibc (macOS, Windows, musl) nothing changes, and it is False.

    >>> keep_memory()  # doctest: +SKIP
    True
    """
    global _kept
    if _kept is None:
        _kept = _set()
    return _kept


def give_back() -> bool:
    """Returns free memory to the system once. Useful after much was dropped, such as compiled programs.

    Returns:
      Whether any memory was returned. Without glibc nothing happens, and it is False.

    >>> give_back()  # doctest: +SKIP
    True
    """
    malloc_trim = _of_glibc("malloc_trim")
    return malloc_trim is not None and malloc_trim(ctypes.c_size_t(0)) == 1


def _of_glibc(name: str) -> Any:
    """A function of the C library, or None if the C library is not glibc."""
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
