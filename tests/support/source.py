"""The text of a lambda, which is the id of its test."""

import linecache
from collections.abc import Callable
from typing import Any

__all__ = ["text_of"]


def text_of(fn: Callable[..., Any]) -> str:
    """What a lambda returns, as it stands in the file, on one line; the name of any other function.

    The compiled code says from which line and column to which each instruction comes, so that several lambdas may
    stand on one line. Instructions around the body have no place, or an empty one.
    """
    code = fn.__code__
    if code.co_name != "<lambda>":
        return fn.__name__
    places = [(a, b, c, d) for a, c, b, d in code.co_positions() if None not in (a, b, c, d) and (a, b) != (c, d)]
    start, end = min(place[:2] for place in places), max(place[2:] for place in places)
    lines = [linecache.getline(code.co_filename, n).encode() for n in range(start[0], end[0] + 1)]
    lines[-1] = lines[-1][: end[1]]
    lines[0] = lines[0][start[1] :]
    return " ".join(b"".join(lines).decode().split())
