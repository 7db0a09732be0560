"""Tracebacks that show the user's lines: frames of tapejax, and of the libraries beneath it, are left out."""

import os
import re
import site
import sys
import sysconfig
import traceback
from types import FrameType, TracebackType

from tapejax._src.core import missing

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_CLI = os.path.dirname(os.path.abspath(__file__)) + os.sep

# The standard library and installed packages.
_LIBRARIES = tuple(
    {
        os.path.join(os.path.abspath(path), "")
        for path in (
            *(sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")),
            *site.getsitepackages(),
            site.getusersitepackages(),
        )
        if path
    }
)


def report(error: BaseException, full: bool = False) -> None:
    """Hands an exception that ended a program to `sys.excepthook`, trimmed, and with advice where there is some.

    Args:
      error: The exception.
      full: Leave tapejax's frames in.
    """
    sys.stdout.flush()
    advise(error)
    hidden = trim(error, full)
    if sys.excepthook is sys.__excepthook__:
        traceback.print_exception(error)  # which knows the source of notebooks' cells, as Python 3.11's hook does not
    else:
        sys.excepthook(type(error), error, error.__traceback__)
    if hidden:
        frames = "1 frame" if hidden == 1 else f"{hidden} frames"
        print(f"({frames} inside tapejax not shown: tapejax run --full-traceback)", file=sys.stderr)


def advise(error: BaseException) -> None:
    """Adds to a failed `from tensorflow.x import Name`, whose message is Python's own, what the namespace says."""
    if not isinstance(error, ImportError) or isinstance(error, ModuleNotFoundError) or not error.name:
        return
    # Python 3.12 has `name_from`; 3.11 only says it in the text.
    found = re.match(r"cannot import name '(\w+)'", str(error))
    namespace = sys.modules.get(error.name)
    if found and namespace and error.name.partition(".")[0] in (missing.__name__.partition(".")[0], "tensorflow"):
        try:
            getattr(namespace, found.group(1))
        except AttributeError as why:
            error.add_note(
                str(why).removeprefix(f"module {namespace.__name__!r} has no attribute {found.group(1)!r}: ")
            )


def trim(error: BaseException, full: bool = False) -> int:
    """Removes frames from an exception's traceback, and from those of the exceptions chained to it, in place.

    A frame is removed if it is tapejax's own, or a library's that tapejax called (JAX, the standard library).
    The user's frames stay, also those that tapejax called back into (a custom gradient), and so do libraries
    that the user called directly. A chained exception with no line of the user's goes altogether: it was
    raised and caught inside.

    Args:
      error: The exception that ended the program.
      full: Remove only the frames of `tapejax run` itself.

    Returns:
      How many frames were removed, those of `tapejax run` not counted.
    """
    return _trim(error, full, seen=set())


def _trim(error: BaseException, full: bool, seen: set[int]) -> int:
    seen.add(id(error))
    if not full and hasattr(error, "__notes__"):  # JAX notes that it hid frames
        error.__notes__ = [note for note in error.__notes__ if "JAX_TRACEBACK_FILTERING" not in note]
    kept, hidden = _frames(error.__traceback__, full)
    error.__traceback__ = _rebuild(kept)
    for link in ("__cause__", "__context__"):
        chained = getattr(error, link)
        if chained is None or id(chained) in seen:
            continue
        if not full and _internal(chained):
            suppressed = error.__suppress_context__
            setattr(error, link, None)  # setting __cause__ also suppresses the context
            error.__suppress_context__ = suppressed and link == "__context__"
            continue
        hidden += _trim(chained, full, seen)
    if isinstance(error, BaseExceptionGroup):
        hidden += sum(_trim(inner, full, seen) for inner in error.exceptions if id(inner) not in seen)
    return hidden


def _frames(link: TracebackType | None, full: bool) -> tuple[list[TracebackType], int]:
    kept, hidden = [], 0
    beneath = False  # whether this frame was called by tapejax, directly or through a library
    while link is not None:
        path = _path(link.tb_frame)
        runner = path.startswith(_CLI)
        # What the runner calls is the script, wherever it lies.
        beneath = not runner and (path.startswith(_HERE) or (beneath and _library(path)))
        if not runner and (full or not beneath):
            kept.append(link)
        elif not runner:
            hidden += 1
        link = link.tb_next
    return kept, hidden


def _internal(error: BaseException) -> bool:
    """Whether no line of the user's raised `error`."""
    if error.__traceback__ is None:
        # JAX chains a marker of its own, without frames, to say that it hid some.
        return type(error).__module__.partition(".")[0] in ("jax", "jaxlib")
    return not any(_users(link) for link in _links(error.__traceback__))


def _users(link: TracebackType) -> bool:
    path = _path(link.tb_frame)
    return not path.startswith(_HERE) and not _library(path)


def _links(link: TracebackType | None) -> list[TracebackType]:
    links = []
    while link is not None:
        links.append(link)
        link = link.tb_next
    return links


def _rebuild(kept: list[TracebackType]) -> TracebackType | None:
    rebuilt = None
    for part in reversed(kept):
        rebuilt = TracebackType(rebuilt, part.tb_frame, part.tb_lasti, part.tb_lineno)
    return rebuilt


def _path(frame: FrameType) -> str:
    name = frame.f_code.co_filename
    return name if name.startswith("<") else os.path.abspath(name)


def _library(path: str) -> bool:
    return path.startswith(("<frozen ", *_LIBRARIES))
