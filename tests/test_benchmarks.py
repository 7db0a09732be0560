"""The benchmarks' own arithmetic, layout and processes, with fakes; speed itself is never asserted."""

from __future__ import annotations

import io
import itertools
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import record
from benchmarks.chart import draw
from benchmarks.cli import chosen_implementations, main
from benchmarks.implementations import BY_NAME, EAGER, IMPLEMENTATIONS, LIMIT, Implementation
from benchmarks.report import HEADINGS, cells, folded, plain_table, remarks, show
from benchmarks.results import Measured, Round, agree, ratio, summarise
from benchmarks.runner import WorkerFailed, environment, measure, worker
from benchmarks.worker import FIRST_STEPS, Session, serve
from benchmarks.workload import Program, Workload, find_workloads

MS = 1_000_000


def counting(module: Any) -> Program:
    """A step that returns how often it was called."""
    calls = itertools.count(1)
    return Program(lambda step: next(calls) * step, arguments=(1.0,))


FAKE = Workload("FAKE", "counts its calls", tensorflow=counting)


def fake(name: str, module: str = "json", **keywords: Any) -> Implementation:
    return Implementation(name, module, "tensorflow", "for tests", **keywords)


class Scripted:
    """Answers as a worker would; a step takes what the test says, and the log notes who was asked what."""

    def __init__(self, name: str, step_ms: float, log: list[tuple[str, str]], fails: str | None) -> None:
        self.name, self.step_ms, self.log, self.fails = name, step_ms, log, fails

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        self.log.append((self.name, command))
        if command == self.fails:
            raise WorkerFailed("ValueError: on purpose")
        if command == "start":
            numbers = {"import_s": 1.0, "build_s": 0.5, "first_step_ms": 20.0, "ten_steps_ms": 30.0}
            return {**numbers, "values": [self.step_ms], "version": "1", "compiles_first": 2}
        if command == "run":
            slowness = len([entry for entry in self.log if entry == (self.name, "run")])  # the machine tires
            return {"times_ns": [int(self.step_ms * MS * slowness)] * 3, "cpu_ns": 3 * MS}
        return {"peak_rss_mb": 100.0, "compiles": 3}


def run_scripted(steps: dict[str, float], fails: dict[str, str] | None = None, repeats: int = 3) -> Any:
    log: list[tuple[str, str]] = []

    @contextmanager
    def spawn(workload: Workload, implementation: Implementation) -> Iterator[Scripted]:
        name = implementation.name
        yield Scripted(name, steps[name], log, (fails or {}).get(name))

    measured = measure(FAKE, [fake(name) for name in steps], repeats=repeats, seconds=0.3, spawn=spawn)
    return measured, log


# --- workloads and implementations


def test_the_workloads_are_written_in_all_three_styles() -> None:
    found = find_workloads()
    for key in ("W1", "W2", "W3", "W9"):
        assert found[key].key == key
        assert found[key].jax is not None and found[key].torch is not None


def package_of(tmp_path: Path, name: str, modules: dict[str, str]) -> str:
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").touch()
    for module, code in modules.items():
        (package / f"{module}.py").write_text(code)
    return name


def one_workload(key: str) -> str:
    return f"from benchmarks.workload import Workload\nWORKLOADS = [Workload('{key}', 't', None)]\n"


def test_workloads_are_found_in_natural_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = {"a": one_workload("W10"), "b": one_workload("W2"), "c": one_workload("op-relu"), "d": ""}
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list(find_workloads(package_of(tmp_path, "ordered", modules))) == ["W2", "W10", "op-relu"]


def test_two_workloads_of_one_key_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = package_of(tmp_path, "twice", {"a": one_workload("W1"), "b": one_workload("W1")})
    with pytest.raises(ValueError, match="two workloads are called W1"):
        find_workloads(package)


def test_the_frameworks_are_not_imported_by_loading_the_workloads() -> None:
    # In a fresh process: here, other tests have imported them.
    import subprocess

    code = "import sys, benchmarks.cli as c; c.find_workloads(); print([m for m in {} if m in sys.modules])"
    modules = ["jax", "tensorflow", "torch", "optax", "tapejax"]
    command = [sys.executable, "-c", code.format(modules)]
    done = subprocess.run(command, env=environment(fake("x")), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_implementation_decorates_the_step_and_leaves_the_rest() -> None:
    twice = fake("twice", decorate=lambda module: lambda step: lambda *args: 2 * step(*args))
    program = twice.build(FAKE, None)
    assert program is not None
    assert program.step(*program.arguments) == 2.0
    assert program.arguments == (1.0,)


def test_environment_sets_and_takes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEJAX_EAGER", "1")
    assert "TAPEJAX_EAGER" not in environment(BY_NAME["tapejax"])
    monkeypatch.delenv("TAPEJAX_EAGER")
    assert environment(BY_NAME["tapejax-eager"])["TAPEJAX_EAGER"] == "1"


# --- the worker


def test_session_times_first_steps_then_slices() -> None:
    session = Session(FAKE, fake("x", counter=lambda module: lambda program: 7))
    start = session.start()
    assert start["values"] == [float(FIRST_STEPS)]
    assert 0 <= start["first_step_ms"] <= start["ten_steps_ms"]
    assert start["compiles_first"] == 7

    ran = session.run(seconds=0.0, at_least=5)
    assert len(ran["times_ns"]) == 5 and all(time >= 0 for time in ran["times_ns"])
    assert len(session.run(seconds=60.0, at_most=8)["times_ns"]) == 8

    finish = session.finish()
    assert finish["compiles"] == 7
    assert finish["peak_rss_mb"] is None or 5 < finish["peak_rss_mb"] < 1e6


def test_a_style_that_is_not_written_is_absent() -> None:
    torch_only = Implementation("x", "json", "torch", "for tests")
    assert "not written" in Session(FAKE, torch_only).start()["absent"]


def test_serve_answers_each_command_and_survives_an_error() -> None:
    commands = ['{"do": "start"}', '{"do": "run", "seconds": "soon"}', '{"do": "finish"}']
    answers = io.StringIO()
    serve(Session(FAKE, fake("x")), commands, answers)
    start, run, finish = map(json.loads, answers.getvalue().splitlines())
    assert start["values"] == [10.0]
    assert run["error"].startswith("TypeError")
    assert finish["compiles"] is None


def test_a_worker_that_dies_is_a_failure_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    package = package_of(tmp_path, "dying", {"it": "raise SystemExit('no such thing')\n"})
    with worker(FAKE, BY_NAME["jax-jit"], package, timeout=60) as process:
        with pytest.raises(WorkerFailed, match="its process ended.*no such thing"):
            process.ask("start")


def test_a_worker_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    package = package_of(tmp_path, "hanging", {"it": "import time\ntime.sleep(600)\n"})
    with worker(FAKE, BY_NAME["jax-jit"], package, timeout=0.3) as process:
        with pytest.raises(WorkerFailed, match="took more than 0.3 s"):
            process.ask("start")


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


# --- tables, chart, command line


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


def test_help_names_every_workload_implementation_and_column(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0
    for word in (*find_workloads(), *BY_NAME, *HEADINGS[1:]):
        assert word in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["W0"], "unknown workload 'W0'"),
        (["--only", "jax"], "unknown implementation 'jax'"),
        (["--only", ","], "unknown implementation ','"),
        (["--repeats", "0"], "--repeats must be at least 1"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_only_keeps_the_order_given_and_drops_repeats() -> None:
    chosen = chosen_implementations("tf-eager, tapejax,tf-eager")
    assert [entry.name for entry in chosen] == ["tf-eager", "tapejax"]
    assert chosen_implementations(None) == list(IMPLEMENTATIONS)
    assert {LIMIT, EAGER} <= set(BY_NAME)


def test_w1_runs_in_tapejax_and_hand_written_jax(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    arguments = ["w1", "--only", "tapejax,tapejax-eager,jax-jit", "--seconds", "0.05", "--repeats", "2"]
    assert main([*arguments, "--json", str(path)]) == 0
    document = json.loads(path.read_text())
    assert document["format"] == 1 and document["settings"]["repeats"] == 2
    rows = document["workloads"]["W1"]["implementations"]
    for name in ("tapejax", "tapejax-eager", "jax-jit"):
        assert rows[name]["values"] == [8.0, 0.0]
        assert len(rows[name]["rounds"]) == 2 and rows[name]["times_limit"] > 0
    # The loop repeats one program: all of it is compiled long before step ten.
    assert rows["tapejax"]["compiles"] == rows["tapejax"]["compiles_first"] >= 1


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
