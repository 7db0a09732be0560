"""The benchmarks: workloads, implementations, processes, command line, with fakes; speed itself is never asserted."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from support.fake_workers import FAKE, fake

from benchmarks.cli import chosen_implementations, main
from benchmarks.implementations import BY_NAME, EAGER, IMPLEMENTATIONS, LIMIT, Implementation
from benchmarks.report import HEADINGS
from benchmarks.runner import WorkerFailed, environment, worker
from benchmarks.worker import FIRST_STEPS, Session, serve
from benchmarks.workload import find_workloads

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


def test_a_worker_that_dies_is_a_failure_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


# --- command line


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
