"""`tapejax coverage`: which names of TensorFlow tapejax has, weighted by how often real programs use them.

The counts in `data/usage.tsv` come from 11,437 TensorFlow-2 files of 165 public repositories. They cover the core names
that TensorFlow 2.21 still has, without `tf.keras`, `tf.data`, `tf.distribute` and the like.
"""

import argparse
import csv
import importlib.resources
import json
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

__all__ = ["Symbol", "covered", "main", "usage"]


class Symbol(NamedTuple):
    """A public name of TensorFlow, and how many repositories and files use it, and how often in all."""

    name: str
    repos: int
    files: int
    uses: int

    @property
    def namespace(self) -> str:
        """The namespace: "nn" for tf.nn.relu, "tf" for tf.add and for members of classes at the top level."""
        parts = self.name.split(".")
        return "tf" if len(parts) == 2 or parts[1][:1].isupper() else parts[1]


def usage() -> list[Symbol]:
    """The symbols that programs use, the most used first.

    >>> usage()[0].uses >= usage()[1].uses
    True
    """
    text = importlib.resources.files("tapejax.cli").joinpath("data/usage.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return [Symbol(r["symbol"], int(r["repos"]), int(r["files"]), int(r["uses"])) for r in rows]


def covered(name: str) -> bool:
    """Whether tapejax has this name.

    >>> covered("tf.nn.relu"), covered("tf.nn.relu7")
    (True, False)
    """
    import tapejax

    found: Any = tapejax
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about old spellings
        for part in name.split(".")[1:]:
            try:
                found = getattr(found, part)
            except (AttributeError, ImportError):
                return False
    return True


def main(argv: Sequence[str]) -> int:
    """Runs `tapejax coverage`.

    Args:
      argv: The arguments after `tapejax coverage`.

    Returns:
      0.
    """
    parser = argparse.ArgumentParser(
        prog="tapejax coverage",
        description="Show how many of TensorFlow's names tapejax has, weighted by how often real programs use "
        "them. Only core names are counted, without tf.keras, tf.data, tf.distribute, tf.saved_model and the like.",
    )
    parser.add_argument("--missing", action="store_true", help="list the names that are missing, the most used first")
    parser.add_argument("--namespace", metavar="NAME", help='show only one, such as "nn", or "tf" for the top level')
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args(argv)
    wanted = (options.namespace or "").removeprefix("tf.")
    symbols = [s for s in usage() if not wanted or s.namespace == wanted]
    if not symbols:
        parser.error(
            f"no namespace {options.namespace!r} (there are: {', '.join(sorted({s.namespace for s in usage()}))})"
        )
    found = {s: covered(s.name) for s in symbols}
    report = _report(found)
    if options.json:
        print(json.dumps(report, indent=2))
    elif options.missing:
        _print(
            ["name", "repos", "files", "uses"],
            [[row["name"], row["repos"], row["files"], row["uses"]] for row in report["missing"]],
        )
    else:
        rows = [*report["namespaces"], report["total"]]
        _print(
            ["namespace", "names", "of", "uses", "of", "covered"],
            [
                [
                    r["namespace"],
                    r["names"],
                    r["names_in_all"],
                    r["uses"],
                    r["uses_in_all"],
                    f"{r['uses'] / r['uses_in_all']:.1%}",
                ]
                for r in rows
            ],
        )
    return 0


def _report(found: dict[Symbol, bool]) -> dict[str, Any]:
    groups: dict[str, list[Symbol]] = {}
    for symbol in found:
        groups.setdefault(symbol.namespace, []).append(symbol)
    rows = [_row(name, members, found) for name, members in groups.items()]
    return {
        "total": _row("all", found, found),
        "namespaces": sorted(rows, key=lambda r: -r["uses_in_all"]),
        "missing": [s._asdict() for s, there in found.items() if not there],
    }


def _row(name: str, members: Iterable[Symbol], found: dict[Symbol, bool]) -> dict[str, Any]:
    symbols = list(members)
    there = [s for s in symbols if found[s]]
    return {
        "namespace": name,
        "names": len(there),
        "names_in_all": len(symbols),
        "uses": sum(s.uses for s in there),
        "uses_in_all": sum(s.uses for s in symbols),
    }


def _print(head: list[str], rows: list[list[Any]]) -> None:
    """Prints a table, with the first column aligned left and the others aligned right."""
    cells = [head, *([f"{c:,}" if isinstance(c, int) else str(c) for c in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for row in cells:
        print("  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]))
