"""The process that runs one implementation of one workload, and answers commands over its pipes.

Each implementation has a process of its own, because TensorFlow and JAX in one process disturb each other's
threads and memory. The process stays alive between rounds: compiled programs and warm caches are what a
training loop has.

Commands and answers are JSON, one a line: ``{"do": "start"}``, ``{"do": "run", "seconds": 0.3}``,
``{"do": "finish"}``. An answer with the key ``error`` says what went wrong.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from typing import Any

from benchmarks.implementations import BY_NAME, Implementation
from benchmarks.workload import Program, Workload, find_workloads

FIRST_STEPS = 10


class Session:
    """Runs one implementation of one workload; its methods are the commands.

    Args:
        workload: What to run.
        implementation: How to run it.
    """

    def __init__(self, workload: Workload, implementation: Implementation) -> None:
        self._workload = workload
        self._implementation = implementation
        self._program: Program | None = None

    def start(self) -> dict[str, Any]:
        """Imports the framework, builds the program and runs its first ten steps, each part timed.

        Returns:
            ``import_s``, ``build_s``, ``first_step_ms``, ``ten_steps_ms`` (from the start of the first
            step to the end of the tenth), ``values`` (at most four numbers of what step ten returned),
            ``compiles_first`` (until step ten) and the framework's ``version``; or ``{"absent": reason}``
            where the workload lacks this style.
        """
        import numpy as np  # before the clock starts, for it is every framework's

        began = time.perf_counter()
        module = importlib.import_module(self._implementation.module)
        imported = time.perf_counter()
        self._count = self._implementation.counter(module)
        program = self._implementation.build(self._workload, module)
        if program is None:
            return {"absent": f"{self._workload.key} is not written in this style"}
        self._program = program
        built = time.perf_counter()
        result = program.read(program.step(*program.arguments))
        first = time.perf_counter()
        for _ in range(FIRST_STEPS - 1):
            result = program.read(program.step(*program.arguments))
        tenth = time.perf_counter()
        return {
            "import_s": imported - began,
            "build_s": built - imported,
            "first_step_ms": (first - built) * 1e3,
            "ten_steps_ms": (tenth - built) * 1e3,
            "values": [float(number) for number in np.ravel(np.asarray(result))[:4]],
            "version": getattr(module, "__version__", None),
            "compiles_first": self._count(program),
        }

    def run(self, seconds: float, at_least: int = 3, at_most: int = 20_000) -> dict[str, Any]:
        """Runs steps until the time is over.

        Args:
            seconds: How long to go on.
            at_least: Steps to run even if they take longer.
            at_most: Steps after which to stop even if time is left.

        Returns:
            ``times_ns``, the wall time of each step, and ``cpu_ns``, the processor time of all of them
            together, all threads counted.
        """
        assert self._program is not None, "start first"
        # Locals: a step can be as short as six microseconds.
        step, read, arguments = self._program.step, self._program.read, self._program.arguments
        clock, times = time.perf_counter_ns, []
        cpu = time.process_time_ns()
        before = clock()
        deadline = before + seconds * 1e9
        while (before < deadline or len(times) < at_least) and len(times) < at_most:
            read(step(*arguments))
            after = clock()
            times.append(after - before)
            before = after
        return {"times_ns": times, "cpu_ns": time.process_time_ns() - cpu}

    def finish(self) -> dict[str, Any]:
        """Returns ``peak_rss_mb`` of this process, and ``compiles`` (None where it cannot be known)."""
        assert self._program is not None, "start first"
        return {"peak_rss_mb": peak_rss_mb(), "compiles": self._count(self._program)}


def peak_rss_mb() -> float | None:
    """Returns the most memory that this process ever had resident, in MB, or None where that is not told."""
    try:
        # Not getrusage where this exists: Linux carries its ru_maxrss over from the parent process.
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def serve(session: Any, commands: Any, answers: Any) -> None:
    """Answers commands until there are no more.

    Args:
        session: The object whose methods are the commands.
        commands: A text file with one JSON object a line: ``do``, and the method's keyword arguments.
        answers: A text file that gets one JSON object a line.
    """
    for line in commands:
        command = json.loads(line)
        try:
            answer = getattr(session, command.pop("do"))(**command)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main() -> None:
    package, key, name = sys.argv[1:]
    # Frameworks print where they like: the answers get the pipe, and what is printed joins the error output.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(Session(find_workloads(package)[key], BY_NAME[name]), sys.stdin, answers)


if __name__ == "__main__":
    main()
