"""Prints tables and progress to the terminal, with the package rich if it is installed, else as plain text."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """Formats a number with three significant digits and without an exponent. None gives ``-``.

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
    """Returns the cells of one row, in the order of `HEADINGS`, for an entry of `results.summarise`."""
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
    """Returns lines of text about implementations that failed, are absent, or computed different results."""
    lines = []
    for name, entry in summary.items():
        if entry["status"] != "ok":
            lines.append(f"{name}: {entry['status']}: {entry['reason']}")
        elif entry["agrees"] is False:
            values = ", ".join(f"{value:.6g}" for value in entry["values"])
            lines.append(f"{name}: its result of step ten differs from the others': {values}")
    return lines


def plain_table(title: str, rows: Sequence[Sequence[str]]) -> str:
    """Formats a table as text, with the first column aligned left and the others aligned right.

    Args:
        title: The line above the table.
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


def folded(rows: Sequence[Sequence[str]], width: int, gap: int) -> list[list[list[str]]]:
    """Splits a table that is too wide into several, each beginning with the first column.

    Args:
        rows: The headings, then the rows.
        width: The number of characters that fit in a line.
        gap: The number of characters between two columns.

    >>> folded([["name", "a", "b"], ["x", "123", "456"]], width=14, gap=2)
    [[['name', 'a'], ['x', '123']], [['name', 'b'], ['x', '456']]]
    """
    widths = [max(len(row[column]) for row in rows) + gap for column in range(len(rows[0]))]
    parts: list[list[int]] = [[0]]
    for column in range(1, len(widths)):
        if len(parts[-1]) > 1 and sum(widths[each] for each in parts[-1]) + widths[column] > width:
            parts.append([0])
        parts[-1].append(column)
    return [[[row[column] for column in part] for row in rows] for part in parts]


def show(title: str, rows: Sequence[Sequence[str]], notes: Sequence[str] = (), file: TextIO | None = None) -> None:
    """Prints a table and the notes below it, folded to the width of the terminal.

    Args:
        title: The line above the table.
        rows: The headings, then the rows.
        notes: Lines below the table.
        file: The stream to print to, standard output by default. If it is not a terminal, the table is not folded to
            the terminal's width.
    """
    output: TextIO = sys.stdout if file is None else file
    width = shutil.get_terminal_size().columns if output.isatty() else 200
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        for part in folded(rows, width, gap=2):
            print(plain_table(title, part), file=output)
        print(*notes, sep="\n", end="\n\n" if notes else "\n", file=output)
        return
    console = Console(file=output, width=width, highlight=False)
    for part in folded(rows, width - 1, gap=3):
        # Printed apart from the table, because rich folds a table's title to the width of the table.
        console.print(Text(title, style="bold"))
        table = Table()
        for column, heading in enumerate(part[0]):
            table.add_column(heading, justify="right" if column else "left", no_wrap=True)
        for row in part[1:]:
            table.add_row(*map(Text, row))
        console.print(table)
    for note in notes:
        console.print(Text(note, style="yellow"))
    console.print()


def show_workload(key: str, title: str, summary: Mapping[str, Mapping[str, Any]]) -> None:
    """Prints the table of one workload."""
    rows = [list(HEADINGS), *(cells(name, entry) for name, entry in summary.items())]
    show(f"{key}  {title}", rows, remarks(summary))


@contextmanager
def progress_line() -> Iterator[Callable[[str], None]]:
    """Context that gives a function to show progress: one changing line on a terminal, else one line each time."""
    try:
        if not sys.stderr.isatty():
            raise ImportError
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text
    except ImportError:
        yield lambda doing: print(doing, file=sys.stderr, flush=True)
        return
    # Drawn only when the function is called. Automatic refreshes would take processor time from the measured code.
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        yield lambda doing: live.update(Text(doing), refresh=True)
