"""Whole training programs, unmodified: the loss curve under `tapejax run` is TensorFlow's, as written and decorated.

A program of `tests/programs/` takes part if its head says how close the curves are, `# tolerance: 1e-4` (relative).
`# test:` there gives the arguments of the test's small run, 10 steps by default. Real TensorFlow's curves are kept in
`curves.json`:

    python tests/cli/test_programs.py --record            # all of them
    python tests/cli/test_programs.py --record vae fgsm   # some
"""

import argparse
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from benchmarks import programs as benchmark

FOLDER = Path(__file__).parents[1] / "programs"
CURVES = FOLDER / "curves.json"
LIVE = ("logistic_regression", "vae", "wgan_gp")  # also compared with TensorFlow itself, where it is installed
LINE = re.compile(r"^step (\d+) loss (\S+)", re.MULTILINE)
UNDER_TAPEJAX, UNDER_TENSORFLOW = ("-m", "tapejax", "run"), ()


@dataclass(frozen=True)
class Program:
    """A file, how close its curves are, and the arguments of a small run."""

    path: Path
    tolerance: float
    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.path.stem


def found_programs(folder: Path = FOLDER) -> list[Program]:
    """The programs of a folder whose heads state a tolerance."""
    programs = []
    for path in sorted(folder.glob("*.py")):
        head = dict(re.findall(r"^# (tolerance|test): (.+)$", path.read_text(), re.MULTILINE))
        if "tolerance" in head:
            programs.append(Program(path, float(head["tolerance"]), tuple(head.get("test", "--steps 10").split())))
    return programs


def output_of(command: tuple[str, ...], path: Path, arguments: tuple[str, ...], **environment: str) -> str:
    """What a program prints in a process of its own, on plain kernels and the CPU."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "TAPEJAX_"))}
    plain |= {
        "PYTHONPATH": str(FOLDER.parent.parent),
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        **environment,
    }
    done = subprocess.run(
        [sys.executable, *command, str(path), *arguments], env=plain, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def curve_in(printed: str) -> list[tuple[int, float]]:
    """The steps and losses of the lines `step 10 loss 0.123`."""
    return [(int(step), float(loss)) for step, loss in LINE.findall(printed)]


def check(printed: str, expected: list, tolerance: float) -> None:
    """Asserts that a curve was printed and that it is the expected one."""
    steps, losses = zip(*curve_in(printed), strict=True)
    expected_steps, expected_losses = zip(*expected, strict=True)
    assert list(steps) == list(expected_steps)
    assert len(set(expected_losses)) > 1  # it trains
    np.testing.assert_allclose(losses, expected_losses, rtol=tolerance, atol=2e-6)  # printed with six decimals


PROGRAMS = found_programs()
RECORDED = json.loads(CURVES.read_text()) if CURVES.exists() else {}
VARIANTS = {"as written": (), "decorated": ("--decorate",)}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_the_curve_is_tensorflows(program, variant, tmp_path):
    entry = RECORDED.get(program.name, {})
    assert entry.get("arguments") == [*program.arguments], f"python tests/cli/test_programs.py --record {program.name}"
    arguments = program.arguments + VARIANTS[variant]
    printed = output_of(UNDER_TAPEJAX, program.path, arguments, XDG_CACHE_HOME=str(tmp_path))
    check(printed, entry[variant], program.tolerance)


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("program", [p for p in PROGRAMS if p.name in LIVE], ids=lambda p: p.name)
def test_the_recorded_curve_is_still_tensorflows(program):
    pytest.importorskip("tensorflow")
    check(output_of(UNDER_TENSORFLOW, program.path, program.arguments), RECORDED[program.name]["as written"], 1e-5)


def test_a_head_gives_tolerance_and_arguments(tmp_path):
    (tmp_path / "a.py").write_text("# tolerance: 1e-3\n# test: --steps 3 --batch 4\nimport tensorflow as tf\n")
    (tmp_path / "b.py").write_text("# tolerance: 2e-3\n")
    (tmp_path / "c.py").write_text("# another program\n")
    assert [(p.name, p.tolerance, p.arguments) for p in found_programs(tmp_path)] == [
        ("a", 1e-3, ("--steps", "3", "--batch", "4")),
        ("b", 2e-3, ("--steps", "10")),
    ]


def test_another_curve_fails():
    printed = "hello\nstep 1 loss 0.5\nstep 2 loss 0.25 more 3\n"
    check(printed, [[1, 0.5], [2, 0.25]], 1e-6)
    for other in ([[1, 0.5], [2, 0.2501]], [[1, 0.5], [3, 0.25]], [[1, 0.5]], [[1, 0.5], [2, float("nan")]]):
        with pytest.raises(AssertionError):
            check(printed, other, 1e-6)


# --- the benchmark of the programs: its arithmetic, with a fake in place of the processes


def fake_run(step_seconds: dict[str, float], start: float = 2.0):
    """A program of 20 steps, each of which takes what the test says; a first start of tapejax takes 5 s more."""
    started = []

    def run(path, variant, cache, steps=20):
        if step_seconds[variant] < 0:
            raise benchmark.RunFailed("ValueError: on purpose")
        began = start + 5 * ("tapejax" in variant and variant not in started)
        started.append(variant)
        stamps = [(n, began + n * step_seconds[variant]) for n in range(steps // 10, steps + 1, steps // 10)]
        return benchmark.Run(stamps[-1][1], stamps)

    return run


def test_benchmark_measures_long_enough_and_keeps_the_first_start_apart(tmp_path):
    run = fake_run({"tapejax": 0.001, "tensorflow": 0.2})
    measured = benchmark.measure(tmp_path / "a.py", ["tapejax", "tensorflow"], repeats=3, seconds=1.0, run=run)
    ours, theirs = measured["tapejax"], measured["tensorflow"]
    assert ours["ms_per_step"] == pytest.approx(1) and theirs["ms_per_step"] == pytest.approx(200)
    assert (ours["first_run_s"], ours["run_s"], theirs["run_s"]) == pytest.approx((7.02, 2.02, 6.0))
    # 20 steps of 1 ms are too short to count: 2000 are.
    assert ours["steps"] == 20 and ours["rounds"][0]["runs"][1]["stamps"][-1][0] in (2000, 2010)
    assert len(theirs["rounds"][0]["runs"]) == 1
    found = benchmark.ratios(measured)
    assert found == {"as written": pytest.approx({"ms_per_step": 1 / 200, "run_s": 2.02 / 6, "first_run_s": 7.02 / 6})}


def test_benchmark_goes_on_when_a_program_fails(tmp_path):
    run = fake_run({"tapejax": 0.3, "tensorflow": -1})
    measured = benchmark.measure(tmp_path / "a.py", ["tapejax", "tensorflow"], repeats=2, seconds=1.0, run=run)
    assert measured["tensorflow"] == {"failed": "ValueError: on purpose"}
    assert len(measured["tapejax"]["rounds"]) == 2
    results = {"a": {"variants": measured, "ratios": benchmark.ratios(measured)}}
    headings, row, means = benchmark.rows(results, ["tapejax", "tensorflow"], "ms_per_step")
    assert headings[:3] == ["program", "tapejax", "tensorflow"]
    assert row == ["a", "300", "-", "-", "-", "-"] and means == ["geometric mean", "", "", "-", "-", "-"]


def test_benchmark_runs_a_program_and_reports_what_fails(tmp_path):
    good = tmp_path / "good.py"
    good.write_text("import sys\nfor n in 1, 2, 3: print('step', n, 'loss 0.5', *sys.argv[1:])\n")
    run = benchmark.run_program(good, "tensorflow", tmp_path, timeout=60, steps=3)
    assert [step for step, _ in run.stamps] == [1, 2, 3] and run.seconds >= run.stamps[-1][1] > 0
    bad = tmp_path / "bad.py"
    for code, reason in (
        ("raise ValueError('no')", "ValueError: no"),
        ("print('step 1 loss 2')", "printed 1 steps"),
        ("import time; time.sleep(60)", "took more than 0.5 s"),
    ):
        bad.write_text(code)
        with pytest.raises(benchmark.RunFailed, match=reason):
            benchmark.run_program(bad, "tensorflow", tmp_path, timeout=0.5 if "sleep" in code else 60)


def test_benchmark_knows_the_programs():
    assert [p.stem for p in benchmark.programs([])] == [p.name for p in PROGRAMS]
    assert [p.stem for p in benchmark.programs(["vae", "fgsm"])] == ["vae", "fgsm"]
    with pytest.raises(ValueError, match="unknown program 'nothing'"):
        benchmark.programs(["nothing"])


# --- recording


def keep(program: Program, printed: dict[str, str]) -> None:
    """Writes a program's curves into `curves.json`."""
    entry = {"arguments": [*program.arguments], **{key: curve_in(text) for key, text in printed.items()}}
    # Read anew: someone may record another program at the same time.
    curves = json.loads(CURVES.read_text()) if CURVES.exists() else {}
    curves[program.name] = entry
    lines = (f"{json.dumps(p.name)}: {json.dumps(curves[p.name])}" for p in PROGRAMS if p.name in curves)
    CURVES.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def record(names: list[str]) -> None:
    """Runs programs (all by default) under real TensorFlow and keeps their curves."""
    if unknown := set(names) - {p.name for p in PROGRAMS}:
        raise SystemExit(f"there is no program {', '.join(sorted(unknown))}")
    for program in PROGRAMS:
        if not names or program.name in names:
            keep(
                program,
                {
                    key: output_of(UNDER_TENSORFLOW, program.path, program.arguments + more)
                    for key, more in VARIANTS.items()
                },
            )
            print(program.name, "recorded")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Records the loss curves of programs under real TensorFlow.")
    parser.add_argument("--record", nargs="*", metavar="PROGRAM", required=True)
    record(parser.parse_args().record)
