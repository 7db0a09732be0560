"""The trie of all recorded programs.

This file adds nodes to it, notes the line of the user's code with each node, and removes old nodes to limit its size.
"""

import os
import sys
import threading
from types import FrameType
from typing import Any, Final

from tapejax._src.engine import memory
from tapejax._src.engine import op as op_module
from tapejax._src.engine.aval import Aval, ScalarKind
from tapejax._src.engine.graph import Node
from tapejax._src.engine.graph import root as make_root
from tapejax._src.engine.op import NO_STATIC

__all__ = ["clear", "extend", "extend_input", "register_program", "root", "scope", "sizes", "user_frame"]

# Limits on the size of the trie. A node takes about half a kilobyte, an executable some hundred kilobytes. When a limit
# is reached, `_prune` drops what was not used since the last pruning.
MAX_NODES: Final = 400_000
MAX_PROGRAMS: Final = 1024

root: Final[Node] = make_root()
_lock = threading.Lock()
_count = 0
_programs: list[Any] = []


class _Scope(threading.local):
    """The name scope in which this thread records ops: "" or a path that ends in "/"."""

    path = ""


scope: Final = _Scope()
_package = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def extend(node: Node, key: tuple, avals: tuple[Aval, ...]) -> Node:
    """Adds a child of `node` for an op that was not recorded there before, and returns it.

    Args:
      node: the last instruction before the op.
      key: ``(op, static, *inputs)``. Each input is a slot, or the `ScalarKind` of a Python number.
      avals: the avals of the inputs.
    """
    op, static, *wiring = key
    inputs, scalars = [], []
    for w in wiring:
        if type(w) is ScalarKind:
            w, kind = node.end + len(scalars), w
            scalars.append(kind)
        inputs.append(w)
    inferred = op.infer(static, avals)
    memory.check(inferred.avals, op)
    child = Node(
        node, op, static, tuple(inputs), avals, tuple(scalars), inferred.avals, inferred.single, _where(), scope.path
    )
    return _add(node, key, child)


def extend_input(node: Node, aval: Aval) -> Node:
    """Adds a child of `node` for a new input, and returns it."""
    return _add(node, aval, Node(node, None, NO_STATIC, (), (), (), (aval,), True))


def _add(node: Node, key: Any, child: Node) -> Node:
    global _count
    with _lock:
        if _count >= MAX_NODES:
            _prune()
        added = node.setdefault(key, child)
        _count += added is child
    return added


def register_program(program: Any) -> None:
    """Adds an executable to the last node of its program. Prunes the trie if there are too many executables."""
    with _lock:
        if len(_programs) >= MAX_PROGRAMS:
            _prune()
        program.end.programs.append(program)
        _programs.append([program, 0])


def _prune() -> None:
    """Drops programs that did not run since the last pruning, then all nodes that lead to no program."""
    global _count, _programs
    kept = []
    for entry in _programs:
        program, runs_before = entry
        if program.runs > runs_before:
            kept.append([program, program.runs])
        elif program in program.end.programs:
            program.end.programs.remove(program)
    _programs = kept[-MAX_PROGRAMS // 2 :]
    needed = {root}
    for program, _ in _programs:
        node = program.end
        while node is not None and node not in needed:
            needed.add(node)
            node = node.parent
    for node in needed:
        for key in [k for k, child in node.items() if child not in needed]:
            del node[key]
    _count = len(needed)


def clear() -> None:
    """Removes all programs and nodes. Pending ops can still run. Programs recorded from then on are compiled again."""
    global _count
    with _lock:
        _programs.clear()
        root.clear()
        root.memo.clear()
        _count = 0


def is_own(filename: str) -> bool:
    """Whether a source file belongs to this package."""
    return filename.startswith(_package)


def user_frame() -> FrameType | None:
    """The innermost frame outside this package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_own(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def _where() -> tuple[str, int, str] | None:
    frame = user_frame()
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def sizes() -> dict[str, int]:
    """The number of entries in each of the engine's caches."""
    return {"trie nodes": _count, "programs": len(_programs), **op_module.cache_sizes()}
