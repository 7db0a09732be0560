"""``python -m benchmarks.record``: measures separately what recording, dispatch and completion of ops cost.

The speed of training a small model is limited by the engine's Python code. `python -m benchmarks` shows the time of a
whole step; this shows the parts, in microseconds. See ``--help``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.implementations import BY_NAME
from benchmarks.report import number, show
from benchmarks.runner import environment
from benchmarks.workload import find_workloads

CHAIN = 200
SHAPE = (32, 32)
MODULES = ("tapejax", "tensorflow")
STEP_WORKLOADS = ("W2", "W9")

METHOD = """\
what is measured (medians over the turns, after a warm-up, in microseconds):
  ops        A chain of 200 calls is recorded without reading anything. It is then flushed with
             `tapejax.sync()`, and the last result is read. `record` is the time of the first part divided by
             200. `dispatch` is the flush, which looks up the compiled program and calls it. `finish` is the
             wait for the last value. The row "1 op" shows the least that a flush costs. reduce_sum changes
             the shape, so its 200 calls share one input.
  steps      One step of W2 and W9: the code inside the tape, the call of `tape.gradient`, the rest of the
             step (the optimizer), the flush, and reading the result.
  imports    `import X` in fresh processes that take turns, in seconds.

TensorFlow has nothing to flush, because it runs each op when it is called. Its `record` is therefore the time of
running an op eagerly, and it has no `dispatch`.
"""

Clock = time.perf_counter_ns


def op_cases(tf: Any) -> dict[str, tuple[int, Callable[[Any], Any], bool]]:
    """Returns for each name the number of calls, the call, and whether each call gets the result of the one before."""
    # All values are 1 and stay 1, also in a chain: multiplied by ones, or averaged by the matmul.
    ones = tf.constant(np.ones(SHAPE, np.float32))
    mean = tf.constant(np.full(SHAPE, 1 / SHAPE[0], np.float32))
    return {
        "x * y": (CHAIN, lambda x: x * ones, True),
        "x + 1.0": (CHAIN, lambda x: x + 1.0, True),
        "tf.nn.relu(x)": (CHAIN, tf.nn.relu, True),
        "tf.reduce_sum(x, axis=1)": (CHAIN, lambda x: tf.reduce_sum(x, axis=1), False),
        "tf.matmul(x, y)": (CHAIN, lambda x: tf.matmul(x, mean), True),
        "x + 1.0, 1 op": (1, lambda x: x + 1.0, True),
    }


def flusher(tf: Any) -> Callable[[], Any] | None:
    """Returns the function that sends the recorded ops to the device, or None if ops run when they are called."""
    return getattr(tf, "sync", None)


def time_op(tf: Any, calls: int, call: Callable[[Any], Any], chained: bool, turns: int) -> dict[str, Any]:
    """Times the recording, dispatch and completion of calls of one op.

    Args:
        tf: tapejax or TensorFlow.
        calls: The number of calls before the flush.
        call: The op, as a function of one tensor.
        chained: Whether each call gets the result of the one before. Otherwise all calls get the same tensor.
        turns: How often to repeat it all.

    Returns:
        Medians in microseconds: ``record_us`` per call, and per flush ``dispatch_us`` (None if there is no flush) and
        ``finish_us``. Also ``record_min_us``, the shortest time per call.
    """
    flush = flusher(tf)
    start = tf.constant(np.ones(SHAPE, np.float32))
    start.numpy()
    parts: list[tuple[int, int, int]] = []
    # The first turns, a fifth more than are measured, are the warm-up.
    for _ in range(turns + turns // 5 + 2):
        x = start
        began = Clock()
        if chained:
            for _ in range(calls):
                x = call(x)
        else:
            for _ in range(calls):
                x = call(start)
        recorded = Clock()
        if flush is not None:
            flush()
        dispatched = Clock()
        x.numpy()
        parts.append((recorded - began, dispatched - recorded, Clock() - dispatched))
    record, dispatch, finish = zip(*parts[-turns:], strict=True)
    return {
        "record_us": median(record) / calls / 1e3,
        "record_min_us": min(record) / calls / 1e3,
        "dispatch_us": None if flush is None else median(dispatch) / 1e3,
        "finish_us": median(finish) / 1e3,
    }


class TimedModule:
    """Stands in for the module ``tf``. Its `GradientTape` records the times of `with` and of `gradient`.

    In this way the workloads are measured as they are, without a second copy of their code with clocks in it.

    Args:
        tf: The module that it stands in for.
    """

    def __init__(self, tf: Any) -> None:
        self._tf = tf
        self.marks: list[int] = []
        marks = self.marks

        class TimedTape(tf.GradientTape):
            def __enter__(self) -> Any:
                marks.append(Clock())
                return super().__enter__()

            def __exit__(self, *details: Any) -> Any:
                result = super().__exit__(*details)
                marks.append(Clock())
                return result

            def gradient(self, *arguments: Any, **keywords: Any) -> Any:
                marks.append(Clock())
                result = super().gradient(*arguments, **keywords)
                marks.append(Clock())
                return result

        self.GradientTape = TimedTape

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tf, name)


def time_step(tf: Any, key: str, turns: int) -> dict[str, Any]:
    """Times the parts of a step of a workload that uses one tape and calls its `gradient` once.

    Args:
        tf: tapejax or TensorFlow.
        key: The key of the workload.
        turns: The number of steps.

    Returns:
        Medians in microseconds: ``forward_us`` (the code inside the tape), ``gradient_us`` (the call of `gradient`),
        ``rest_us`` (the rest of the step), ``dispatch_us`` (the flush, or None if there is none) and ``finish_us``
        (reading the result).
    """
    flush = flusher(tf)
    timed = TimedModule(tf)
    program = find_workloads()[key].tensorflow(timed)
    parts: list[tuple[int, ...]] = []
    for _ in range(turns + turns // 5 + 2):
        timed.marks.clear()
        began = Clock()
        result = program.step(*program.arguments)
        recorded = Clock()
        if flush is not None:
            flush()
        dispatched = Clock()
        program.read(result)
        finished = Clock()
        entered, left, asked, answered = timed.marks
        forward, gradient = left - entered, answered - asked
        rest = recorded - began - forward - gradient
        parts.append((forward, gradient, rest, dispatched - recorded, finished - dispatched))
    names = ("forward_us", "gradient_us", "rest_us", "dispatch_us", "finish_us")
    columns = zip(*parts[-turns:], strict=True)
    medians = {name: median(values) / 1e3 for name, values in zip(names, columns, strict=True)}
    if flush is None:
        medians["dispatch_us"] = None
    return medians


def measure_here(name: str, turns: int) -> dict[str, Any]:
    """Measures one module in this process.

    Args:
        name: ``"tapejax"`` or ``"tensorflow"``.
        turns: How often each measurement is repeated.

    Returns:
        ``ops`` and ``steps``. Both are dictionaries of what `time_op` or `time_step` returns, or ``{"error": ...}``.
    """
    tf = importlib.import_module(name)
    result: dict[str, Any] = {"ops": {}, "steps": {}}

    def put(kind: str, key: str, timer: Callable[[], dict[str, Any]]) -> None:
        # One op that is missing or fails must not keep the others from being measured.
        try:
            result[kind][key] = timer()
        except Exception as error:
            result[kind][key] = {"error": f"{type(error).__name__}: {error}"}

    for label, case in op_cases(tf).items():
        put("ops", label, lambda case=case: time_op(tf, *case, turns))
    for key in STEP_WORKLOADS:
        put("steps", key, lambda key=key: time_step(tf, key, turns))
    return result


def time_imports(names: Sequence[str], repeats: int) -> dict[str, float]:
    """Returns for each name the median seconds of ``import name``, in fresh processes that take turns."""
    code = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(repeats):
        for name in names:
            command = [sys.executable, "-c", code.format(name)]
            done = subprocess.run(
                command, env=environment(BY_NAME["jax-jit"]), capture_output=True, text=True, check=True
            )
            seconds[name].append(float(done.stdout.split()[-1]))
    return {name: median(times) for name, times in seconds.items()}


def tables(document: dict[str, Any]) -> list[tuple[str, list[list[str]], list[str]]]:
    """Returns the three tables of the measurements, each as its title, rows and notes."""
    ops = [["op", "module", "record", "min", "dispatch", "finish"]]
    steps = [["step", "module", "in the tape", "tape.gradient", "rest", "dispatch", "finish"]]
    columns = {
        "ops": ("record_us", "record_min_us", "dispatch_us", "finish_us"),
        "steps": ("forward_us", "gradient_us", "rest_us", "dispatch_us", "finish_us"),
    }
    notes: dict[str, list[str]] = {"ops": [], "steps": []}
    for kind, rows in (("ops", ops), ("steps", steps)):
        labels = dict.fromkeys(label for module in document["modules"].values() for label in module[kind])
        for label in labels:
            for name, module in document["modules"].items():
                entry = module[kind][label]
                if "error" in entry:
                    notes[kind].append(f"{label}, {name}: {entry['error']}")
                else:
                    rows.append([label, name, *(number(entry[column]) for column in columns[kind])])
    imports = [["import", "seconds"], *([name, number(s)] for name, s in document["imports"].items())]
    return [
        ("ops on 32x32: record per call, dispatch and finish per flush, us", ops, notes["ops"]),
        ("one step, us", steps, notes["steps"]),
        ("import in a fresh process, s", imports, []),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line. Returns 1 if something could not be measured, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.record",
        description="Measures what recording an op, flushing and waiting cost, in tapejax and in TensorFlow.",
        epilog=METHOD,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=MODULES, help="measure one of the two (default: those installed)")
    parser.add_argument(
        "--turns",
        type=int,
        default=100,
        metavar="N",
        help="number of repetitions (default: %(default)s)",
    )
    parser.add_argument(
        "--imports",
        type=int,
        default=5,
        metavar="N",
        help="the number of fresh processes per import; 0 for none (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to this file")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # the child process's own flag
    options = parser.parse_args(arguments)
    if options.turns < 1 or options.imports < 0:
        parser.error("--turns must be at least 1 and --imports at least 0")
    if options.here:
        print(json.dumps(measure_here(options.only, options.turns)))
        return 0
    names = [name for name in ([options.only] if options.only else MODULES) if find_spec(name) is not None]
    document: dict[str, Any] = {"modules": {}, "imports": {}}
    failed = not names
    for name in names:
        command = [sys.executable, "-m", "benchmarks.record", "--here", "--only", name]
        command += ["--turns", str(options.turns)]
        done = subprocess.run(
            command,
            env=environment(BY_NAME["tapejax" if name == "tapejax" else "tf-eager"]),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            print(f"{name}: {(done.stderr.strip() or 'no output').splitlines()[-1]}", file=sys.stderr)
            failed = True
            continue
        measured = json.loads(done.stdout.splitlines()[-1])
        failed = failed or any("error" in entry for kind in measured.values() for entry in kind.values())
        document["modules"][name] = measured
    if options.imports:
        wanted = [name for name in ("jax", *names) if find_spec(name) is not None]
        document["imports"] = time_imports(wanted, options.imports)
    for title, rows, notes in tables(document):
        if len(rows) > 1 or notes:
            show(title, rows, notes)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
