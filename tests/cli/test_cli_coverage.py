"""`tapejax coverage`, and what every registered op owes: a documented source and a test."""

import importlib
import inspect
import json
import pathlib
import pkgutil
import re
import subprocess
import sys

import pytest

import tapejax
from tapejax._src.core import public
from tapejax.cli import coverage, main

# Registered names that no test names, each with the reason.
UNTESTED = {
    "image.ResizeMethod": "names for the argument `method`, which the tests give as the strings they stand for",
}


def everything_registered():
    """Each function of the registry once, with all its public names."""
    ops = importlib.import_module("tapejax.ops")
    for module in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"tapejax.ops.{module.name}")
    found = {}
    for name, fn in public.names.items():
        found.setdefault(id(fn), (fn, []))[1].append(name)
    return list(found.values())


def test_every_op_names_its_source():
    lacking = [
        names
        for fn, names in everything_registered()
        if not names[0].startswith("testing.")  # ops of the engine's tests
        and "https://www.tensorflow.org/api_docs/python/tf/" not in (inspect.getdoc(fn) or "")
    ]
    assert not lacking


def test_every_op_is_tested():
    here = pathlib.Path(__file__)
    text = "\n".join(p.read_text() for p in here.parents[1].rglob("*.py") if p != here)
    words = set(re.findall(r"\w+", text))
    # Names that a test puts together: f"segment_{how}", f"{name}_update".
    starts, ends = set(re.findall(r"(\w+)\{", text)), set(re.findall(r"\}(\w+)", text))

    def occurs(name):
        last = name.rpartition(".")[2]
        return (
            last in words
            or any(last.startswith(s) and last.removeprefix(s) in words for s in starts)
            or any(last.endswith(e) and last.removesuffix(e) in words for e in ends)
        )

    everything = everything_registered()
    assert {names[0] for _, names in everything if not any(map(occurs, names))} <= set(UNTESTED)
    assert set(UNTESTED) <= {name for _, names in everything for name in names}


def test_total(capsys):
    assert main.main(["coverage"]) == 0
    head, *rows, total = capsys.readouterr().out.splitlines()
    assert head.split() == ["namespace", "names", "of", "uses", "of", "covered"]
    assert total.startswith("all") and float(total.split()[-1].rstrip("%")) > 90
    assert {"tf", "nn", "math"} <= {row.split()[0] for row in rows}


def test_json_adds_up(capsys):
    coverage.main(["--json"])
    report = json.loads(capsys.readouterr().out)
    for key in ("names", "uses", "names_in_all", "uses_in_all"):
        assert report["total"][key] == sum(row[key] for row in report["namespaces"])
    assert report["total"]["names_in_all"] - report["total"]["names"] == len(report["missing"])
    assert all(not coverage.covered(row["name"]) for row in report["missing"])


def test_one_namespace(capsys):
    coverage.main(["--namespace", "math", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert [row["namespace"] for row in report["namespaces"]] == ["math"]
    with pytest.raises(SystemExit):
        coverage.main(["--namespace", "nothing"])


def test_missing_is_sorted_by_use(capsys, monkeypatch):
    lacking, found = ("add", "exp"), tapejax.__getattr__

    def find(name):
        if name in lacking:
            raise AttributeError(name)
        return found(name)

    monkeypatch.setitem(vars(tapejax), "__getattr__", find)
    for name in lacking:
        monkeypatch.delitem(vars(tapejax), name, raising=False)
    coverage.main(["--missing", "--namespace", "tf"])
    head, *rows = capsys.readouterr().out.splitlines()
    names = [row.split()[0] for row in rows]
    assert head.split() == ["name", "repos", "files", "uses"]
    assert names.index("tf.exp") < len(names) and {"tf.add", "tf.exp"} <= set(names)
    uses = [int(row.split()[-1].replace(",", "")) for row in rows]
    assert uses == sorted(uses, reverse=True)


def test_a_reader_that_has_seen_enough_ends_the_command_quietly():
    with subprocess.Popen(
        [sys.executable, "-m", "tapejax", "coverage"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout and command.stderr
        command.stdout.close()
        assert command.stderr.read() == "" and command.wait() == 141
