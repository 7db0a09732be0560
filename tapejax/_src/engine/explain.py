"""Statistics that explain why a program is slow: ops recorded, flushes, compilations and their times."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tapejax._src.engine.graph import Node, path

__all__ = ["Compilation", "Report", "report", "stats"]


@dataclass(frozen=True)
class Compilation:
    """One program that was compiled.

    Attributes:
      ops: how many ops it holds.
      seconds: its first run, nearly all of it compilation.
      outputs: how many values it returns; `donated` how many input buffers it overwrites.
      where: "file:line" of the user's code that recorded the first and the last op.
      difference: what set it apart from the nearest program that existed.
    """

    ops: int
    seconds: float
    outputs: int
    donated: int
    where: str
    difference: str


@dataclass
class Report:
    """Counters since the start of the process; ``print`` it."""

    ops_recorded: int
    flushes: dict[str, int]
    programs_compiled: int
    compile_seconds: float
    op_by_op: int
    failures: int
    cache_sizes: dict[str, int]
    compilations: list[Compilation] = field(repr=False)

    def __str__(self) -> str:
        lines = [
            f"{self.ops_recorded} ops recorded; {self.programs_compiled} programs compiled "
            f"in {self.compile_seconds:.2f} s; {self.op_by_op} runs op by op; {self.failures} failed"
        ]
        lines += [f"  {count:7d} flushes: {why}" for why, count in sorted(self.flushes.items(), key=lambda x: -x[1])]
        lines += [f"  {size:7d} {name}" for name, size in self.cache_sizes.items()]
        for c in self.compilations[-20:]:
            lines.append(f"  {c.seconds:6.2f} s  {c.ops:5d} ops, {c.outputs} outputs, {c.donated} donated  {c.where}")
            lines.append(f"            {c.difference}")
        return "\n".join(lines)


class Stats:
    """The counters behind `report`."""

    def __init__(self) -> None:
        self.ops = 0
        self.flushes: Counter[str] = Counter()
        self.compiled = 0
        self.compile_seconds = 0.0
        self.op_by_op = 0
        self.failures = 0
        self.events: deque[Compilation] = deque(maxlen=256)

    def note_flush(self, reason: str, ops: int) -> None:
        self.flushes[reason] += 1
        self.ops += ops

    def note_failure(self, program: Any) -> None:
        self.failures += 1

    def note_compile(self, program: Any) -> None:
        self.note_program(
            program.end, program.first_seconds, len(program.outputs), len(program.donated), _difference(program)
        )

    def note_program(self, end: Node, seconds: float, outputs: int, donated: int, difference: str) -> None:
        self.compiled += 1
        self.compile_seconds += seconds
        nodes = [n for n in path(end) if n.op is not None]
        where = f"{_place(nodes[0])} to {_place(nodes[-1])}" if nodes else "no ops"
        self.events.append(Compilation(len(nodes), seconds, outputs, donated, where, difference))


def _place(node: Node) -> str:
    return f"{node.where[0]}:{node.where[1]}" if node.where else "?"


def _difference(program: Any) -> str:
    """Describes how a new program differs from the most similar one that was recorded before."""
    end: Node = program.end
    if len(end.programs) > 1:
        other = end.programs[0]
        if other.donated != program.donated:
            return (
                f"same ops, other buffers free to overwrite ({len(other.donated)} before, {len(program.donated)} now)"
            )
        return "same ops, other results wanted"
    child, node = None, end
    while node is not None and (child is None or len(node) <= 1):
        child, node = node, node.parent
    if node is None or child is None:
        return "the first program"
    others = [n for n in node.values() if n is not child]
    return f"new at {child!r} (step {child.depth}); before: {others[-1]!r}"


stats = Stats()
_sizes: Callable[[], dict[str, int]] = dict


def provide_sizes(sizes: Callable[[], dict[str, int]]) -> None:
    """Sets the function from which `report` gets the cache sizes."""
    global _sizes
    _sizes = sizes


def report() -> Report:
    """What the engine did so far.

    Returns:
      A `Report`: ops recorded, flushes by reason, programs compiled and their seconds, cache sizes, and for
      each compilation the user's lines and what differed from the nearest cached program.
    """
    return Report(
        stats.ops,
        dict(stats.flushes),
        stats.compiled,
        stats.compile_seconds,
        stats.op_by_op,
        stats.failures,
        _sizes(),
        list(stats.events),
    )
