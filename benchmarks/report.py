"""Tables for the terminal: rich where it is installed, plain text where it is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

HEADINGS = (
    "implementation",
    "ms/step",
    "x jit",
    "x eager",
    "min ms",
    "CPU ms",
    "first ms",
    "ten ms",
    "import s",
    "build s",
    "peak MB",
    "compiles",
)


def number(value: float | None) -> str:
    """Returns three significant digits without an exponent, or ``-`` for None.

    >>> number(0.00623), number(1.5), number(1234.5), number(None)
    ('0.00623', '1.50', '1234', '-')
    """
    if value is None:
        return "-"
    if value == 0 or value >= 100:
        return f"{value:.0f}"
    decimals, smaller = 2, value
    while smaller < 1 and decimals < 8:
        decimals, smaller = decimals + 1, smaller * 10
    return f"{value:.{decimals if value < 10 else 1}f}"


def cells(name: str, entry: Mapping[str, Any]) -> list[str]:
    """Returns the texts of one row, in the order of `HEADINGS`, for an entry of `results.summarise`."""
    if entry["status"] != "ok":
        return [name] + ["-"] * (len(HEADINGS) - 1)
    compiles, before = entry["compiles"], entry["compiles_first"]
    counted = "-" if compiles is None else str(compiles)
    if compiles is not None and before is not None and compiles > before:
        counted = f"{before}+{compiles - before}"
    columns = ("median_ms", "times_limit", "times_eager", "min_ms", "cpu_ms", "first_step_ms", "ten_steps_ms")
    columns += ("import_s", "build_s", "peak_rss_mb")
    return [name, *(number(entry[column]) for column in columns), counted]


def remarks(summary: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns what to know beside the numbers: what failed, is absent, or computed something else."""
    lines = []
    for name, entry in summary.items():
        if entry["status"] != "ok":
            lines.append(f"{name}: {entry['status']}: {entry['reason']}")
        elif entry["agrees"] is False:
            values = ", ".join(f"{value:.6g}" for value in entry["values"])
            lines.append(f"{name}: its result of step ten differs from the others': {values}")
    return lines


def plain_table(title: str, rows: Sequence[Sequence[str]]) -> str:
    """Lays out a table as text, the first column to the left and the others to the right.

    Args:
        title: A line above it.
        rows: The headings, then the rows.

    >>> print(plain_table("T", [["a", "ms"], ["bb", "1.5"]]))
    T
    a    ms
    bb  1.5
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [title]
    for row in rows:
        first, *others = (
            text.rjust(width) if column else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *others]))
    return "\n".join(lines)


def show(
    title: str, rows: Sequence[Sequence[str]], notes: Sequence[str] = (), file: TextIO | None = None
) -> None:
    """Prints a table and the notes below it.

    Args:
        title: A line above it.
        rows: The headings, then the rows.
        notes: Lines below it.
        file: Where to; standard output by default.
    """
    file = sys.stdout if file is None else file
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        print(plain_table(title, rows), *notes, sep="\n", end="\n\n", file=file)
        return
    # Not narrower than the table when the output is a file or a pipe: a cut number is worth nothing.
    console = Console(file=file, width=None if file.isatty() else 140, highlight=False)
    table = Table(title=title, title_justify="left")
    for column, heading in enumerate(rows[0]):
        table.add_column(heading, justify="right" if column else "left", no_wrap=True)
    for row in rows[1:]:
        table.add_row(*row)
    console.print(table)
    for note in notes:
        console.print(note, style="yellow", markup=False)
    console.print()


def show_workload(key: str, title: str, summary: Mapping[str, Mapping[str, Any]]) -> None:
    """Prints the table of one workload."""
    rows = [list(HEADINGS), *(cells(name, entry) for name, entry in summary.items())]
    show(f"{key}  {title}", rows, remarks(summary))


@contextmanager
def progress_line() -> Iterator[Any]:
    """Gives a function that shows what is going on: a spinner on a terminal, else a line each time."""
    try:
        if not sys.stderr.isatty():
            raise ImportError
        from rich.console import Console
    except ImportError:
        yield lambda doing: print(doing, file=sys.stderr, flush=True)
        return
    with Console(stderr=True).status("") as status:
        yield status.update
