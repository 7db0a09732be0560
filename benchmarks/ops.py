"""``python -m benchmarks ops``: compares single ops, forward and backward, with TensorFlow's.

Tapejax's op and TensorFlow's, which is under `tf.function`, take turns in one process.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.op_cases import OpCase, op_cases
from benchmarks.report import number, progress_line, show
from benchmarks.results import FORMAT
from benchmarks.workloads.training import normal

METHOD = """\
method:
  For each op two functions are measured in each framework. The first calls the op. The second calls it under a tape
  and computes the gradients by all floating inputs; its time includes the forward pass. TensorFlow's functions are
  under tf.function. After a warm-up the frameworks take turns. Each turn repeats a call, and reads its results, until
  --slice seconds are over; the time per call counts. `x tf` is the median over the rounds of the ratio within a round;
  below 1, tapejax is faster. Times of tapejax include recording and dispatch, those of TensorFlow the call of the
  tf.function.
"""

HEADINGS = ("op", "tapejax ms", "tf ms", "x tf", "with gradient: tapejax ms", "tf ms", "x tf")
Clock = time.perf_counter


def runnable(tf: Any, case: OpCase, arrays: Sequence[Any], gradient: bool, compiled: bool) -> Callable[[], Any]:
    """Returns a function that runs a case once and waits for what it returns.

    Args:
        tf: TensorFlow or tapejax.
        case: The case.
        arrays: Its inputs.
        gradient: Whether to compute the gradients too.
        compiled: Whether to run under ``tf.function``.
    """
    tensors = [tf.constant(array) for array in arrays]

    def forward(*tensors: Any) -> Any:
        return case.call(tf, *tensors)

    def both(upstream: Any, *tensors: Any) -> Any:
        sources = [t for t in tensors if t.dtype.is_floating]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            value = case.call(tf, *tensors)
        return [value, *tape.gradient(value, sources, upstream)]

    function = both if gradient else forward
    if gradient:
        # The cotangent is an input too. If it were constant, XLA would compute a linear op's gradient while compiling.
        tensors.insert(0, tf.constant(normal(*forward(*tensors).shape, seed=9)))
    if compiled:
        function = tf.function(function)

    def run() -> Any:
        results = function(*tensors)
        return [np.asarray(r) for r in (results if isinstance(results, list) else [results]) if r is not None]

    return run


def rounds(runs: dict[str, Callable[[], Any]], count: int, seconds: float) -> dict[str, list[float]]:
    """Times functions that take turns. Returns for each function the milliseconds per call in each round."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
        run()
    for _ in range(count):
        for name, run in runs.items():
            calls, began = 0, Clock()
            while calls == 0 or Clock() - began < seconds:
                run()
                calls += 1
            times[name].append((Clock() - began) / calls * 1e3)
    return times


def summary(times: dict[str, list[float]]) -> dict[str, Any]:
    """Returns the median milliseconds of both frameworks, and the median of the ratios within the rounds."""
    ratios = [ours / theirs for ours, theirs in zip(times["tapejax"], times["tensorflow"], strict=True)]
    return {
        "tapejax_ms": median(times["tapejax"]),
        "tensorflow_ms": median(times["tensorflow"]),
        "ratio": median(ratios),
        "rounds": times,
    }


def geometric_mean(values: Sequence[float]) -> float | None:
    """Returns the geometric mean, or None if there are no values.

    >>> geometric_mean([0.5, 2.0])
    1.0
    """
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def measure(case: OpCase, modules: dict[str, Any], count: int, seconds: float) -> dict[str, Any]:
    """Measures a case. Returns the summaries ``"forward"`` and, if it has a gradient, ``"gradient"``.

    If the case fails, it returns ``{"failed": reason}``.
    """
    arrays = case.inputs()
    found: dict[str, Any] = {}
    try:
        for part in ("forward", "gradient")[: 1 + case.gradient]:
            runs = {
                name: runnable(tf, case, arrays, part == "gradient", name == "tensorflow")
                for name, tf in modules.items()
            }
            found[part] = summary(rounds(runs, count, seconds))
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}
    return found


def row(name: str, entry: dict[str, Any]) -> list[str]:
    """Returns the cells of one row of the table, in the order of `HEADINGS`."""
    texts = [name]
    for part in ("forward", "gradient"):
        found = entry.get(part)
        texts += [number(found[key]) for key in ("tapejax_ms", "tensorflow_ms", "ratio")] if found else ["-"] * 3
    return texts


def selected(names: Sequence[str]) -> Iterator[tuple[str, OpCase]]:
    """Yields the family and the case for each case that is chosen.

    Args:
        names: Names of families, or beginnings of names of cases. None at all chooses all cases.
    """
    for family, cases in op_cases().items():
        for case in cases:
            if not names or family in names or any(case.name.startswith(name) for name in names):
                yield family, case


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs ``python -m benchmarks ops``. Returns 1 if an op failed, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks ops",
        description="Compares single ops with TensorFlow's.",
        epilog=METHOD,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="OP", help="a family, or the beginning of a name (default: all)")
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="number of rounds (default: %(default)s)")
    parser.add_argument(
        "--slice",
        type=float,
        default=0.05,
        metavar="S",
        help="seconds of one turn (default: %(default)s)",
    )
    parser.add_argument(
        "--keep-memory",
        action="store_true",
        help="keep freed memory in the process, as `tapejax run` does",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers to this file")
    options = parser.parse_args(arguments)
    chosen = list(selected(options.names))
    if not chosen:
        parser.error(f"no op is called {' or '.join(options.names)}; families are {', '.join(op_cases())}")
    if options.keep_memory:
        from tapejax._src.core.malloc import keep_memory

        keep_memory()
    import tensorflow

    import tapejax

    modules = {"tapejax": tapejax, "tensorflow": tensorflow}
    results: dict[str, dict[str, Any]] = {}
    with progress_line() as progress:
        for family, case in chosen:
            progress(case.name)
            results.setdefault(family, {})[case.name] = measure(case, modules, options.repeats, options.slice)
    means = {}
    for family, entries in results.items():
        show(
            family,
            [list(HEADINGS), *(row(name, entry) for name, entry in entries.items())],
            [f"{name}: {entry['failed']}" for name, entry in entries.items() if "failed" in entry],
        )
    for part in ("forward", "gradient"):
        means[part] = geometric_mean(
            [e[part]["ratio"] for entries in results.values() for e in entries.values() if part in e]
        )
    show("geometric mean of the ratios", [["part", "x tf"], *([part, number(mean)] for part, mean in means.items())])
    if options.json:
        from benchmarks.cli import machine

        document = {
            "format": FORMAT,
            "machine": machine(),
            "ops": results,
            "geometric_means": means,
            "versions": {name: module.__version__ for name, module in modules.items()},
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return int(any("failed" in entry for entries in results.values() for entry in entries.values()))
