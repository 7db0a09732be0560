"""What the benchmarks measure and show, with fakes: rounds, arithmetic, tables, chart. Speed is never asserted."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from support.fake_workers import FAKE, MS, fake, run_scripted

from benchmarks import record
from benchmarks.chart import draw
from benchmarks.implementations import Implementation
from benchmarks.report import HEADINGS, cells, folded, plain_table, remarks, show
from benchmarks.results import Measured, Round, agree, ratio, summarise
from benchmarks.runner import measure
from benchmarks.workload import Workload

# --- rounds


def test_rounds_are_interleaved_and_begin_with_another_each_time() -> None:
    _, log = run_scripted({"a": 1.0, "b": 2.0}, repeats=3)
    starts = [("a", "start"), ("a", "run"), ("b", "start"), ("b", "run")]
    rounds = [("a", "run"), ("b", "run"), ("b", "run"), ("a", "run"), ("a", "run"), ("b", "run")]
    assert log == starts + rounds + [("a", "finish"), ("b", "finish")]


@pytest.mark.parametrize("command", ["start", "run", "finish"])
def test_one_failure_does_not_stop_the_others(command: str) -> None:
    measured, _ = run_scripted({"a": 1.0, "bad": 1.0, "c": 1.0}, fails={"bad": command})
    assert {name: entry.status for name, entry in measured.items()} == {"a": "ok", "bad": "failed", "c": "ok"}
    assert "on purpose" in measured["bad"].reason
    assert len(measured["a"].rounds) == len(measured["c"].rounds) == 3


def test_what_is_not_installed_is_absent_and_starts_no_process() -> None:
    def spawn(workload: Workload, implementation: Implementation) -> Any:
        raise AssertionError("started")

    missing = fake("x", module="no_such_framework")
    measured = measure(FAKE, [missing], repeats=1, seconds=0.1, spawn=spawn)
    assert (measured["x"].status, measured["x"].reason) == ("absent", "no_such_framework is not installed")


# --- arithmetic


def test_round_of_steps() -> None:
    assert Round.of([4 * MS, 1 * MS, 2 * MS, 3 * MS], cpu_ns=8 * MS) == Round(2.5, 1.0, 2.0, 4)


def test_ratio_is_taken_within_rounds() -> None:
    # The machine was ten times slower in the second round: a ratio of medians would say 3 / 1 or worse.
    slow = [Round(ms, ms, ms, 9) for ms in (2.0, 20.0, 2.0)]
    fast = [Round(ms, ms, ms, 9) for ms in (1.0, 10.0, 1.0)]
    assert ratio(slow, fast) == 2.0
    assert ratio(slow, []) is None


def test_agree_allows_rounding_around_zero_but_not_other_lengths() -> None:
    assert agree([8.0, 1e-7], [8.0, 0.0], 1e-3)
    assert not agree([8.0], [8.0, 0.0], 1e-3)
    assert not agree([float("inf")], [float("inf")], 1e-3)


def summary_of(steps: dict[str, float], **keywords: Any) -> dict[str, dict[str, Any]]:
    measured, _ = run_scripted(steps, **keywords)
    return summarise(measured, limit="limit", eager="eager", tolerance=1e-3)


def test_summary_has_medians_ratios_and_agreement() -> None:
    summary = summary_of({"mine": 4.0, "limit": 2.0, "eager": 8.0})
    mine = summary["mine"]
    # The scripted machine takes 2, 3 and 4 times as long in the rounds (the warm-up was the first run).
    assert [each["median_ms"] for each in mine["rounds"]] == [8.0, 12.0, 16.0]
    assert (mine["median_ms"], mine["min_ms"], mine["cpu_ms"]) == (12.0, 8.0, 1.0)
    assert (mine["times_limit"], mine["times_eager"]) == (2.0, 0.5)
    assert (summary["limit"]["times_limit"], summary["limit"]["agrees"]) == (1.0, None)
    assert mine["agrees"] is False
    assert json.loads(json.dumps(summary)) == summary


def test_summary_without_the_bases() -> None:
    summary = summary_of({"mine": 4.0, "limit": 2.0}, fails={"limit": "run"})
    assert summary["limit"] == {"status": "failed", "reason": "ValueError: on purpose"}
    assert summary["mine"]["times_limit"] is None and summary["mine"]["times_eager"] is None
    assert summary["mine"]["agrees"] is None
    assert summarise({"x": Measured("absent", "why")}, limit="l", eager="e", tolerance=1.0) == {
        "x": {"status": "absent", "reason": "why"}
    }


# --- tables, chart


def test_table_cells_and_remarks() -> None:
    summary = summary_of({"mine": 4.0, "limit": 2.0, "bad": 1.0}, fails={"bad": "start"})
    row = dict(zip(HEADINGS, cells("mine", summary["mine"]), strict=True))
    assert (row["ms/step"], row["x jit"], row["x eager"]) == ("12.0", "2.00", "-")
    assert (row["first ms"], row["peak MB"], row["compiles"]) == ("20.0", "100", "2+1")
    assert cells("bad", summary["bad"]) == ["bad", *["-"] * (len(HEADINGS) - 1)]
    assert remarks(summary) == [
        "mine: its result of step ten differs from the others': 4",
        "bad: failed: ValueError: on purpose",
    ]


@pytest.mark.parametrize("with_rich", [True, False])
def test_show_writes_every_cell(with_rich: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if with_rich:
        pytest.importorskip("rich")
    else:
        monkeypatch.setitem(sys.modules, "rich.console", None)
    output = io.StringIO()
    show("T[1]", [["name", "ms"], ["a", "0.00623"]], ["[a] note"], file=output)
    for text in ("T[1]", "name", "0.00623", "[a] note"):
        assert text in output.getvalue()
    assert ("─" in output.getvalue()) is with_rich


def test_plain_table_is_aligned() -> None:
    lines = plain_table("T", [["a", "ms"], ["long name", "1.50"]]).splitlines()
    assert lines == ["T", "a            ms", "long name  1.50"]


def test_a_table_too_wide_is_folded_and_loses_nothing() -> None:
    rows = [list(HEADINGS), ["tapejax-eager", *["123456"] * (len(HEADINGS) - 1)]]
    parts = folded(rows, width=80, gap=3)
    assert len(parts) == 2 and [HEADINGS[0], *parts[0][0][1:], *parts[1][0][1:]] == list(HEADINGS)
    assert all(max(map(len, plain_table("T", part).splitlines())) <= 80 for part in parts)
    assert folded(rows, width=200, gap=3) == [rows]


def test_chart_is_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    summary = summary_of({"mine": 4.0, "limit": 2.0, "bad": 1.0}, fails={"bad": "start"})
    all_failed = summary_of({"bad": 1.0}, fails={"bad": "start"})
    path = tmp_path / "chart.png"
    draw(path, {"A": {"title": "a", "implementations": summary}, "B": {"title": "b", "implementations": {}}})
    assert path.read_bytes().startswith(b"\x89PNG")
    draw(path, {"B": {"title": "b", "implementations": all_failed}})


# --- the micro-benchmark


class LazyArray:
    """Just enough of a tensor for the ops that are measured."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def __mul__(self, other: Any) -> LazyArray:
        self.log.append("mul")
        return LazyArray(self.log)

    def numpy(self) -> float:
        self.log.append("read")
        return 1.0


class LazyModule:
    """Stands for tapejax: `sync` flushes, a tape gives back its target."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def constant(self, value: Any) -> LazyArray:
        return LazyArray(self.log)

    def sync(self) -> None:
        self.log.append("sync")

    class GradientTape:
        def __enter__(self) -> Any:
            return self

        def __exit__(self, *details: Any) -> None:
            return None

        def gradient(self, target: Any, source: Any) -> Any:
            return target


def test_recording_dispatch_and_completion_are_timed_apart() -> None:
    tf = LazyModule()
    times = record.time_op(tf, calls=4, call=lambda x: x * x, chained=True, turns=5)
    assert tf.log == ["read"] + (["mul"] * 4 + ["sync", "read"]) * 8  # 5 turns and 3 to warm up
    assert set(times) == {"record_us", "record_min_us", "dispatch_us", "finish_us"}
    assert all(value >= 0 for value in times.values())


def test_the_timed_module_notes_the_tape_and_passes_the_rest_on() -> None:
    timed = record.TimedModule(LazyModule())
    with timed.GradientTape() as tape:
        pass
    assert tape.gradient("loss", "x") == "loss"
    assert len(timed.marks) == 4 and timed.marks == sorted(timed.marks)
    timed.sync()
    assert timed.log == ["sync"]


def test_record_tables_show_what_was_measured_and_what_failed() -> None:
    op = {"record_us": 2.5, "record_min_us": 2.0, "dispatch_us": None, "finish_us": 4.0}
    document = {
        "modules": {"tapejax": {"ops": {"x * y": op, "relu": {"error": "E: no"}}, "steps": {}}},
        "imports": {"jax": 0.5},
    }
    (_, ops, notes), (_, steps, _), (_, imports, _) = record.tables(document)
    assert ops[1:] == [["x * y", "tapejax", "2.50", "2.00", "-", "4.00"]]
    assert notes == ["relu, tapejax: E: no"]
    assert len(steps) == 1 and imports[1:] == [["jax", "0.500"]]
