"""How much memory this process has."""

import gc
import os
import pathlib

MB = 1 << 20
_STATM = pathlib.Path("/proc/self/statm")
KNOWN = _STATM.exists()
"""Whether the system tells: Linux does."""


def resident() -> int:
    """Bytes of memory that the process has, garbage not counted."""
    gc.collect()
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
