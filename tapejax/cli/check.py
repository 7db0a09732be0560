"""`tapejax check`: reads programs without running them, and reports by line what they use that tapejax lacks."""

import argparse
import ast
import json
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tapejax._src.core import missing
from tapejax._src.keras import keras2
from tapejax.cli import notebook, source, symbols
from tapejax.cli.programs import NotFound

__all__ = ["Finding", "Result", "check"]

_EPILOG = """\
examples:
  tapejax check train.py                list what is missing, by line, and what to write instead
  tapejax check project/ study.ipynb    check folders and notebooks too
  tapejax check --json project/         print the report as JSON, for another program

No code is run or imported. The exit status is 0 if nothing is missing, 1 if something is, and 2 if the command line is
wrong. `tapejax check` cannot see attributes of values that functions return, nor arguments in *args and **kwargs.
"""
_SKIPPED = {"__pycache__", "node_modules", "site-packages", ".ipynb_checkpoints"}


@dataclass
class Finding:
    """One thing to know about a program.

    Attributes:
      file, line, column: the place. In a notebook the line is counted within its cell.
      kind: "missing" for something that tapejax lacks, "old" for an old spelling, which works, and "unreadable" for a
        file that cannot be read or parsed.
      what: what the program uses: a symbol, `symbol(keyword=)` or `symbol().member`; or why the file is unreadable.
      advice: what to write instead. It may be empty.
      cell: in a notebook the number of the code cell, else None.
    """

    file: str
    line: int
    column: int
    kind: str
    what: str
    advice: str
    cell: int | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.cell is None else f"{self.file}:cell {self.cell}:{self.line}"
        verb = {
            "missing": f"{self.what} is missing.",
            "unreadable": f"cannot be read: {self.what}",
            "old": f"{self.what} is an old spelling, which works.",
        }[self.kind]
        return f"{place}: {verb} {self.advice}".rstrip()


@dataclass
class Result:
    """What `check` found.

    Attributes:
      findings: the findings, in the order of files and lines.
      files, lines: how many files and lines were read.
      uses: how often TensorFlow's symbols and their keyword arguments are used, all files together.
      symbols: the different symbols that are used.
    """

    findings: list[Finding] = field(default_factory=list)
    files: int = 0
    lines: int = 0
    uses: int = 0
    symbols: set[str] = field(default_factory=set)

    @property
    def missing(self) -> list[Finding]:
        """The findings that keep a program from running, which are all except old spellings."""
        return [f for f in self.findings if f.kind != "old"]

    def summary(self) -> str:
        """A few lines of text: the share of uses that work, and the names that are missing most often."""
        lacks = [f for f in self.findings if f.kind == "missing"]
        counts = Counter(f.what for f in lacks)
        works = 100 * (1 - len(lacks) / self.uses) if self.uses else 100
        shown = min(int(works * 10) / 10, 100)  # rounded down: 100 means that all work
        lines = [
            f"{self.files} files, {self.lines} lines: {self.uses} uses of {len(self.symbols)} TensorFlow symbols, "
            f"{shown:g} % of the uses work."
        ]
        if lacks:
            lines.append(f"Missing: {len(counts)} names, {len(lacks)} uses:")
            lines += [f"  {count:5d}  {what}" for what, count in counts.most_common(15)]
            if len(counts) > 15:
                lines.append(f"         ... and {len(counts) - 15} more")
        return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """Runs `tapejax check`.

    Args:
      argv: The arguments after `tapejax check`.

    Returns:
      0 if nothing is missing, 1 if something is, 2 if a path does not exist.
    """
    options = _parser().parse_args(argv)
    if absent := [path for path in options.paths if not os.path.exists(path)]:
        print(f"tapejax check: no such file or folder: {', '.join(absent)}", file=sys.stderr)
        return 2
    result = check(options.paths)
    if options.json:
        print(
            json.dumps(
                {
                    "files": result.files,
                    "lines": result.lines,
                    "uses": result.uses,
                    "symbols": len(result.symbols),
                    "missing": len(result.missing),
                    "findings": [asdict(f) for f in result.findings],
                },
                indent=1,
            )
        )
    else:
        for finding in result.findings:
            print(finding)
        print(result.summary())
    return 1 if result.missing else 0


def check(paths: Sequence[str]) -> Result:
    """Checks files, notebooks and folders.

    Args:
      paths: Their paths. In a folder all `*.py` and `*.ipynb` are read, except those in virtual environments and
        hidden folders.

    Returns:
      A `Result`.
    """
    result = Result()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the parser about the program, and of tapejax when old names are looked up
        for path in _files(paths):
            try:
                if path.endswith(".ipynb"):
                    _check_notebook(path, result)
                else:
                    _check_source(Path(path).read_bytes(), path, result)
            except (NotFound, OSError) as error:
                result.findings.append(Finding(path, 1, 1, "unreadable", str(error), ""))
    return result


def _files(paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        if not os.path.isdir(path):
            yield path
            continue
        for folder, below, files in os.walk(path):
            below[:] = sorted(
                name
                for name in below
                if name not in _SKIPPED
                and not name.startswith(".")
                and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
            )
            yield from (
                os.path.join(folder, name)
                for name in sorted(files)
                if name.endswith((".py", ".ipynb")) and not name.endswith(".out.ipynb")
            )


def _check_notebook(path: str, result: Result) -> None:
    """Checks all code cells together, as one program. Findings then get the number of their cell and the line in it."""
    cells = notebook.code_cells(notebook.read(path))
    texts = [notebook.python_of(text)[0].rstrip("\n") + "\n" for _, text, _ in cells]
    places = [
        (number, line)
        for (number, _, _), text in zip(cells, texts, strict=True)
        for line in range(1, text.count("\n") + 1)
    ]
    before = len(result.findings)
    _check_source("".join(texts).encode(), path, result)
    for finding in result.findings[before:]:
        finding.cell, finding.line = places[min(finding.line, len(places)) - 1] if places else (1, 1)


def _check_source(text: bytes, path: str, result: Result) -> None:
    result.files += 1
    result.lines += text.count(b"\n")
    if not any(root.encode() in text for root in source.ROOTS):
        return
    try:
        found = source.uses(ast.parse(text, path))
    except SyntaxError as error:
        result.findings.append(
            Finding(
                path,
                error.lineno or 1,
                error.offset or 1,
                "unreadable",
                f"not Python {sys.version_info[0]}.{sys.version_info[1]}: {error.msg}",
                "",
            )
        )
        return
    except (ValueError, RecursionError) as error:
        result.findings.append(Finding(path, 1, 1, "unreadable", str(error), ""))
        return
    reported: set[tuple[int, str]] = set()
    for use in found:
        result.symbols.add(use.symbol)
        result.uses += 1 + len(use.keywords)
        for line, kind, what, advice in _problems(use):
            # An import of many names, or nested attributes, would otherwise report the same thing several times.
            if (line, what) not in reported:
                reported.add((line, what))
                result.findings.append(Finding(path, line, use.column, kind, what, advice))


def _problems(use: source.Use) -> Iterator[tuple[int, str, str, str]]:
    """The line, kind, what and advice of a `Finding`, for each problem of a use."""
    if use.member:
        yield from _member_problems(use)
        return
    found = symbols.find(use.symbol)
    if found.missing:
        yield use.line, "missing", found.missing, found.why
        return
    old = [name for name in keras2.NAMES if use.symbol == name or use.symbol.startswith(name + ".")]
    if old:
        yield use.line, "old", use.symbol, f"Keras 3: {keras2.NAMES[max(old, key=len)]}."
    yield from _keyword_problems(use, use.symbol, use.symbol)


def _member_problems(use: source.Use) -> Iterator[tuple[int, str, str, str]]:
    shown = f"{use.symbol}().{use.member}"
    if not symbols.has_member(use.symbol, use.member):
        names = [n for n in dir(symbols.find(use.symbol).value) if not n.startswith("_")]
        near = missing.nearest(use.member, names)
        yield use.line, "missing", shown, f"Nearest: {', '.join(near)}." if near else ""
        return
    if old := keras2.member_hint(symbols.find(use.symbol).value, use.member):
        yield use.line, "old", shown, f"Keras 3: {old}."
    yield from _keyword_problems(use, f"{use.symbol}.{use.member}", shown)


def _keyword_problems(use: source.Use, symbol: str, shown: str) -> Iterator[tuple[int, str, str, str]]:
    for keyword, line in use.keywords:
        if not symbols.takes(symbol, keyword):
            near = missing.nearest(keyword, symbols.keyword_names(symbol))
            advice = f"Nearest: {', '.join(f'{n}=' for n in near)}." if near else ""
            yield line, "missing", f"{shown}({keyword}=)", advice
        elif symbol.startswith("tf.keras.") and (new := keras2.hint_for(symbols.find(symbol).value, keyword)):
            yield line, "old", f"{shown}({keyword}=)", f"Keras 3: {new}."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapejax check",
        description="List the TensorFlow symbols and arguments that a program uses and tapejax lacks, without running "
        "the program.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a Python file, a notebook or a folder")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    return parser
