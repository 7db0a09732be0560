"""`tapejax coverage`: what it counts and how it shows it."""

import json
import subprocess
import sys

import pytest

import tapejax
from tapejax.cli import coverage, main


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
