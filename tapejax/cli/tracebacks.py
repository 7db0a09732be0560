"""Shortens tracebacks to the user's lines, by leaving out the frames of tapejax and of the libraries that it calls."""

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

# The folders of the standard library and of installed packages.
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
    """Passes an exception that ended a program to `sys.excepthook`, with a shortened traceback and with advice if any.

    Args:
      error: The exception.
      full: Whether to keep tapejax's frames.
    """
    sys.stdout.flush()
    advise(error)
    hidden = trim(error, full)
    if sys.excepthook is sys.__excepthook__:
        # Unlike the hook of Python 3.11 it finds the source of notebooks' cells.
        traceback.print_exception(error)
    else:
        sys.excepthook(type(error), error, error.__traceback__)
    if hidden:
        frames = "1 frame" if hidden == 1 else f"{hidden} frames"
        print(f"({frames} inside tapejax not shown: tapejax run --full-traceback)", file=sys.stderr)


def advise(error: BaseException) -> None:
    """Adds advice to the error of a failed `from tensorflow.x import Name`.

    The message of that error is Python's own. The advice is what the namespace says about a name that it lacks.
    """
    if not isinstance(error, ImportError) or isinstance(error, ModuleNotFoundError) or not error.name:
        return
    # Python 3.12 has the attribute `name_from`. In 3.11 the name is only in the text.
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

    A frame is removed if it belongs to tapejax, or to a library that tapejax called (JAX, the standard library).
    The user's frames stay, also those of functions that tapejax called back (a custom gradient). Frames of libraries
    that the user called directly stay too. A chained exception without any frame of the user is removed as a whole,
    because it was raised and caught inside.

    Args:
      error: The exception that ended the program.
      full: Whether to remove only the frames of `tapejax run` itself.

    Returns:
      The number of frames that were removed, without those of `tapejax run`.
    """
    return _trim(error, full, seen=set())


def _trim(error: BaseException, full: bool, seen: set[int]) -> int:
    seen.add(id(error))
    if not full and hasattr(error, "__notes__"):  # JAX adds a note that it hid frames
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
        # The runner calls the user's script, which may lie in any folder.
        beneath = not runner and (path.startswith(_HERE) or (beneath and _library(path)))
        if not runner and (full or not beneath):
            kept.append(link)
        elif not runner:
            hidden += 1
        link = link.tb_next
    return kept, hidden


def _internal(error: BaseException) -> bool:
    """Whether the traceback of an exception has no frame of the user."""
    if error.__traceback__ is None:
        # JAX chains an exception without frames, as a sign that it hid some.
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
