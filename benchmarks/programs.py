"""``python -m benchmarks programs``: compares whole training programs under TensorFlow and under `tapejax run`.

The programs are not modified, and the two take turns.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.ops import geometric_mean
from benchmarks.report import number, progress_line, show
from benchmarks.results import FORMAT
from benchmarks.runner import QUIET, ROOT, SHARED_DEVICE

METHOD = """\
method:
  Each run is a process of its own. A whole run does the program's default number of steps; its time is the life of the
  process, with import and compilation. `tapejax run` keeps compiled programs, here in a fresh folder. The time of the
  first run is that of a start without compiled programs. The time of a whole run is the median of the later ones (of
  TensorFlow, the median of all). The time per step is measured over the second half of the printed loss curve, if need
  be in a run of more steps. The four variants (TensorFlow and tapejax, as written and with the step in tf.function)
  take turns in every round. A ratio is the median over the rounds of the ratio within a round; below 1, tapejax is
  faster. These are loops as users write them, so that making batches in NumPy is part of a step.
  tests/cli/test_programs.py compares curves.
"""

FOLDER = ROOT / "tests" / "programs"
LINE = re.compile(r"step (\d+) loss ")
# For each variant: the arguments between `python` and the program, and those after the program.
VARIANTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "tensorflow": ((), ()),
    "tf.function": ((), ("--decorate",)),
    "tapejax": (("-m", "tapejax", "run"), ()),
    "tapejax decorated": (("-m", "tapejax", "run"), ("--decorate",)),
}
# For each ratio: the variant that is compared, and the one that it is compared with.
RATIOS = {
    "as written": ("tapejax", "tensorflow"),
    "decorated": ("tapejax decorated", "tf.function"),
    "as written / tf.function": ("tapejax", "tf.function"),
}


class RunFailed(Exception):
    """A program failed or took too long. The message is one line."""


@dataclass
class Run:
    """One run of a program.

    Args:
        seconds: The duration of the process.
        stamps: For each step that was printed, its number and when it was printed, in seconds since the start.
    """

    seconds: float
    stamps: list[tuple[int, float]]

    @property
    def steps(self) -> int:
        return self.stamps[-1][0]

    @property
    def second_half(self) -> float:
        """The seconds that the second half of the loss curve took."""
        return self.stamps[-1][1] - self.stamps[(len(self.stamps) - 1) // 2][1]

    @property
    def step_ms(self) -> float:
        """The milliseconds per step in the second half of the loss curve.

        >>> Run(9.0, [(10, 5.0), (20, 6.0), (30, 6.5), (40, 7.0)]).step_ms
        50.0
        """
        return self.second_half * 1e3 / (self.steps - self.stamps[(len(self.stamps) - 1) // 2][0])


def run_program(path: Path, variant: str, cache: Path, timeout: float, steps: int | None = None) -> Run:
    """Runs a program, and records when it prints its steps.

    Args:
        path: The program.
        variant: A key of `VARIANTS`.
        cache: The folder for compiled programs.
        timeout: The seconds that it may take.
        steps: The number of steps. None means the program's default.

    Raises:
        RunFailed: It failed, took too long, or printed fewer than three steps.
    """
    before, after = VARIANTS[variant]
    many = () if steps is None else ("--steps", str(steps))
    environment = {**SHARED_DEVICE, **QUIET, **os.environ, "PYTHONUNBUFFERED": "1", "XDG_CACHE_HOME": str(cache)}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    stamps = []
    with tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *before, str(path), *after, *many],
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        assert process.stdout is not None
        timer = threading.Timer(timeout, process.kill)  # killing the process ends the loop below
        timer.start()
        try:
            for line in process.stdout:
                if found := LINE.match(line):
                    stamps.append((int(found[1]), time.perf_counter() - began))
            status = process.wait()
            seconds = time.perf_counter() - began
        finally:
            timer.cancel()
            process.kill()
            process.wait()
            process.stdout.close()
        if seconds >= timeout:
            raise RunFailed(f"took more than {timeout:g} s")
        if status:
            errors.seek(0)
            raise RunFailed((errors.read().strip().splitlines() or [f"exit status {status}"])[-1])
    if len(stamps) < 3:
        raise RunFailed(f"printed {len(stamps)} steps, too few to measure")
    return Run(seconds, stamps)


def more_steps(whole: Run, seconds: float) -> int | None:
    """The number of steps with which the second half of a run lasts long enough, or None if it already did.

    >>> more_steps(Run(9.0, [(10, 5.0), (20, 5.1), (30, 5.2)]), seconds=1.0)
    200
    """
    if whole.second_half >= seconds:
        return None
    # A multiple of ten, because the programs print ten times in a run. At most a thousand times as many.
    wanted = 2 * seconds * 1e3 / max(whole.step_ms, 1e-3)
    return min(math.ceil(wanted / 10) * 10, 1000 * whole.steps)


def measure(
    path: Path,
    variants: Sequence[str],
    *,
    repeats: int,
    seconds: float,
    run: Callable[..., Run],
    progress: Callable[[str], None] = lambda doing: None,
) -> dict[str, Any]:
    """Measures a program. Returns for each variant the dictionary of `summary`, or ``{"failed": reason}``.

    Args:
        path: The program.
        variants: Keys of `VARIANTS`.
        repeats: The number of rounds.
        seconds: How long the measured steps must last at least.
        run: A function of the program, a variant, a folder for compiled programs and optionally ``steps``, the number
            of steps.
        progress: Called with a few words before each run.
    """
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in variants}
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(repeats):
            at = turn % len(variants)
            for name in (*variants[at:], *variants[:at]):
                if name in failed:
                    continue
                progress(f"{path.stem}: round {turn + 1} of {repeats}, {name}")
                cache = Path(folder) / name.replace(" ", "-")
                try:
                    whole = run(path, name, cache)
                    steps = more_steps(whole, seconds)
                    long = whole if steps is None else run(path, name, cache, steps=steps)
                except RunFailed as error:
                    failed[name] = str(error)
                    continue
                rounds[name].append(
                    {
                        "ms_per_step": long.step_ms,
                        "run_s": whole.seconds,
                        "steps": whole.steps,
                        "runs": [asdict(r) for r in (whole, long)[: 1 + (steps is not None)]],
                    }
                )
    return {
        name: {"failed": failed[name]} if name in failed else summary(name, entries) for name, entries in rounds.items()
    }


def summary(variant: str, rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the medians of one variant's rounds: ``ms_per_step``, ``run_s``, ``first_run_s``, ``steps``, ``rounds``.

    The first run of tapejax, which compiles, is not part of ``run_s``.
    """
    runs = [entry["run_s"] for entry in rounds]
    later = runs[1:] if "tapejax" in variant and len(runs) > 1 else runs
    return {
        "ms_per_step": median(entry["ms_per_step"] for entry in rounds),
        "run_s": median(later),
        "first_run_s": runs[0],
        "steps": rounds[0]["steps"],
        "rounds": list(rounds),
    }


def ratios(measured: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Returns tapejax's times divided by TensorFlow's, for each of `RATIOS` and each quantity."""
    found: dict[str, dict[str, float]] = {}
    for title, (ours, theirs) in RATIOS.items():
        one, other = measured.get(ours, {}), measured.get(theirs, {})
        if "rounds" in one and "rounds" in other:
            pairs = zip(one["rounds"], other["rounds"], strict=False)
            found[title] = {
                "ms_per_step": median(a["ms_per_step"] / b["ms_per_step"] for a, b in pairs),
                "run_s": one["run_s"] / other["run_s"],
                "first_run_s": one["first_run_s"] / other["run_s"],
            }
    return found


def rows(results: Mapping[str, Mapping[str, Any]], variants: Sequence[str], key: str) -> list[list[str]]:
    """Returns the table of one quantity, headings first. A row has the value in every variant, and then the ratios."""
    table = [["program", *variants, *(f"x, {title}" for title in RATIOS)]]
    for name, entry in results.items():
        table.append(
            [
                name,
                *(number(entry["variants"][v].get(key)) for v in variants),
                *(number(entry["ratios"].get(title, {}).get(key)) for title in RATIOS),
            ]
        )
    means = [
        geometric_mean([e["ratios"][title][key] for e in results.values() if title in e["ratios"]]) for title in RATIOS
    ]
    return [*table, ["geometric mean", *[""] * len(variants), *map(number, means)]]


def programs(names: Sequence[str], folder: Path = FOLDER) -> list[Path]:
    """Returns the programs of these names. Without names, it returns all programs that state a tolerance in a comment.

    Raises:
        ValueError: A name is not known.
    """
    known = {p.stem: p for p in sorted(folder.glob("*.py")) if re.search("^# tolerance: ", p.read_text(), re.MULTILINE)}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"unknown program {unknown[0]!r}; there are {', '.join(known)}")
    return [known[name] for name in names or known]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs ``python -m benchmarks programs``. Returns 1 if a program failed, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks programs",
        description="Compares whole training programs with TensorFlow.",
        epilog=METHOD,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="PROGRAM", help="a file in tests/programs (default: all)")
    parser.add_argument("--only", metavar="NAMES", help=f"variants, separated by commas: {', '.join(VARIANTS)}")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="number of rounds (default: %(default)s)")
    parser.add_argument(
        "--seconds",
        type=float,
        default=1.0,
        metavar="S",
        help="how long the measured steps of a run last at least (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout", type=float, default=600.0, metavar="S", help="seconds for one run (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers to this file")
    options = parser.parse_args(arguments)
    variants = list(VARIANTS) if options.only is None else [name.strip() for name in options.only.split(",")]
    try:
        paths = programs(options.names)
        if unknown := set(variants) - set(VARIANTS):
            raise ValueError(f"unknown variant {min(unknown)!r}; there are {', '.join(VARIANTS)}")
        if options.repeats < 1:
            raise ValueError("--repeats must be at least 1")
    except ValueError as error:
        parser.error(str(error))

    def run(path: Path, variant: str, cache: Path, steps: int | None = None) -> Run:
        return run_program(path, variant, cache, options.timeout, steps)

    from benchmarks.cli import machine

    results: dict[str, dict[str, Any]] = {}
    document = {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "settings": {"repeats": options.repeats, "seconds": options.seconds},
        "programs": results,
    }
    with progress_line() as progress:
        for path in paths:
            found = measure(
                path, variants, repeats=options.repeats, seconds=options.seconds, run=run, progress=progress
            )
            results[path.stem] = {"variants": found, "ratios": ratios(found)}
            # Written after every program, so that an interrupted run leaves the results that it has.
            if options.json:
                options.json.write_text(json.dumps(document, indent=1) + "\n")
    failures = [
        f"{name}, {variant}: {one['failed']}"
        for name, entry in results.items()
        for variant, one in entry["variants"].items()
        if "failed" in one
    ]
    for key, title in (
        ("ms_per_step", "ms per step, second half of the run"),
        ("run_s", "whole run, s"),
        ("first_run_s", "whole run, s (tapejax's first run, which compiles)"),
    ):
        show(title, rows(results, variants, key), failures)
        failures = []
    if options.json:
        means = {
            title: {
                key: geometric_mean([e["ratios"][title][key] for e in results.values() if title in e["ratios"]])
                for key in ("ms_per_step", "run_s", "first_run_s")
            }
            for title in RATIOS
        }
        options.json.write_text(json.dumps({**document, "geometric_means": means}, indent=1) + "\n")
    return int(bool([1 for e in results.values() for v in e["variants"].values() if "failed" in v]))
