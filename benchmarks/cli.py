"""The command line of ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.implementations import BY_NAME, EAGER, IMPLEMENTATIONS, LIMIT, Implementation
from benchmarks.report import progress_line, show_workload
from benchmarks.results import FORMAT, summarise
from benchmarks.runner import measure, worker
from benchmarks.workload import Workload, find_workloads

METHOD = """\
method:
  Every implementation of a workload runs in a process of its own, which stays alive. The processes are
  started one after the other, so that import, the building of the model and the first steps are timed
  undisturbed. Then come the rounds. In each round the implementations take turns, and each runs a slice of
  steps. A machine that is slow for a while is thus slow for all. A step ends when its results (the loss, or
  the gradients) are on the host. All implementations start from the same weights and data, and their
  results of step ten are compared.

columns:
  ms/step   the median over the rounds of each round's median step
  x jit     the time per step divided by that of hand-written jax.jit: the median over the rounds of the
            ratio within a round. This is the figure to trust; below 1 is faster
  x eager   the same, relative to TensorFlow's eager mode
  min ms    the shortest of all steps
  CPU ms    processor time per step, all threads together
  first ms  the first step, with compilation
  ten ms    from the start of the first step to the end of the tenth
  import s  the import of the framework
  build s   making the model and its data, with the modules that are imported only then
  peak MB   the largest resident memory of the process
  compiles  the number of programs compiled until step ten; "3+1" means that one more was compiled later.
            JAX's number includes the small programs that make the model and its data. TensorFlow's is the
            number of traces

examples:
  python -m benchmarks W2 --only tapejax,jax-jit --seconds 1     a quick look
  python -m benchmarks --repeats 15 --seconds 10 --json out.json --png out.png
  python -m benchmarks ops --help                                compare single ops with TensorFlow
  python -m benchmarks programs --help                           compare whole programs with TensorFlow
  python -m benchmarks.record --help                             measure what single ops cost to record
"""


def parser(workloads: dict[str, Workload]) -> argparse.ArgumentParser:
    """Makes the parser of the command line. Its help lists the workloads and implementations."""
    lines = ["workloads:", *(f"  {key:<15} {workload.title}" for key, workload in workloads.items())]
    lines += ["", "implementations:", *(f"  {entry.name:<15} {entry.about}" for entry in IMPLEMENTATIONS)]
    result = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Compares training loops in tapejax, TensorFlow, hand-written JAX and PyTorch.",
        epilog="\n".join(lines) + "\n\n" + METHOD,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("workloads", nargs="*", metavar="WORKLOAD", help="the workloads to run (default: all)")
    result.add_argument("--only", metavar="NAMES", help="implementations, separated by commas (default: all)")
    result.add_argument("--repeats", type=int, default=7, metavar="N", help="number of rounds (default: %(default)s)")
    result.add_argument(
        "--seconds",
        type=float,
        default=3.0,
        metavar="S",
        help="measured seconds per implementation of a workload, all rounds together (default: %(default)s)",
    )
    result.add_argument(
        "--timeout",
        type=float,
        default=600.0,
        metavar="S",
        help="seconds that a start or a slice may take; one that takes longer has failed (default: %(default)s)",
    )
    result.add_argument(
        "--json", type=Path, metavar="FILE", help="write all numbers to this file, those of every round too"
    )
    result.add_argument("--png", type=Path, metavar="FILE", help="draw a chart to this file (needs matplotlib)")
    return result


def chosen_workloads(keys: Sequence[str], known: dict[str, Workload]) -> list[Workload]:
    """Returns the workloads of these keys in the order given, or all workloads if no key is given.

    Raises:
        ValueError: A key is not known.
    """
    by_key = {key.lower(): workload for key, workload in known.items()}
    unknown = [key for key in keys if key.lower() not in by_key]
    if unknown:
        raise ValueError(f"unknown workload {unknown[0]!r}; there are {', '.join(known)}")
    return [by_key[key] for key in dict.fromkeys(key.lower() for key in keys)] or list(known.values())


def chosen_implementations(names: str | None) -> list[Implementation]:
    """Returns the implementations whose names are listed in a text, separated by commas. None means all.

    Raises:
        ValueError: A name is not known.
    """
    if names is None:
        return list(IMPLEMENTATIONS)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in BY_NAME]
    if unknown or not wanted:
        bad = unknown[0] if unknown else names
        raise ValueError(f"unknown implementation {bad!r}; there are {', '.join(BY_NAME)}")
    return [BY_NAME[name] for name in dict.fromkeys(wanted)]


def machine() -> dict[str, Any]:
    """Describes the machine and the settings in the environment that change what is measured."""
    prefixes = ("JAX_", "XLA_", "TF_", "OMP_", "MKL_", "TAPEJAX_", "CUDA_VISIBLE", "LD_PRELOAD", "MALLOC_")
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "environment": {key: value for key, value in sorted(os.environ.items()) if key.startswith(prefixes)},
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: The arguments. By default those of this process.

    Returns:
        The exit status: 1 if an implementation failed, else 0. It does not depend on how fast anything was.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == ["ops"]:
        from benchmarks import ops

        return ops.main(given[1:])
    if given[:1] == ["programs"]:
        from benchmarks import programs

        return programs.main(given[1:])
    known = find_workloads()
    options = parser(known).parse_args(given)
    try:
        workloads = chosen_workloads(options.workloads, known)
        implementations = chosen_implementations(options.only)
        if options.repeats < 1 or options.seconds <= 0:
            raise ValueError("--repeats must be at least 1 and --seconds more than 0")
    except ValueError as error:
        parser(known).error(str(error))

    def spawn(workload: Workload, implementation: Implementation) -> Any:
        return worker(workload, implementation, timeout=options.timeout)

    document: dict[str, Any] = {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "settings": {"repeats": options.repeats, "seconds": options.seconds, "limit": LIMIT, "eager": EAGER},
        "workloads": {},
    }
    failed = False
    for workload in workloads:
        with progress_line() as progress:
            measured = measure(
                workload,
                implementations,
                repeats=options.repeats,
                seconds=options.seconds,
                spawn=spawn,
                progress=progress,
            )
        summary = summarise(measured, limit=LIMIT, eager=EAGER, tolerance=workload.tolerance)
        failed = failed or any(entry["status"] == "failed" for entry in summary.values())
        document["workloads"][workload.key] = {"title": workload.title, "implementations": summary}
        show_workload(workload.key, workload.title, summary)
        # Written after every workload, so that an interrupted run leaves the results that it has.
        if options.json:
            options.json.write_text(json.dumps(document, indent=1) + "\n")
        if options.png:
            from benchmarks.chart import draw

            draw(options.png, document["workloads"])
    return int(failed)
