"""The process that runs one implementation of one workload. It gets commands and gives answers over pipes.

Each implementation has a process of its own, because TensorFlow and JAX in one process disturb each other's
threads and memory. The process stays alive between rounds, so that it has compiled programs and warm caches, as a
training loop has.

Commands and answers are JSON objects, one in a line: ``{"do": "start"}``, ``{"do": "run", "seconds": 0.3}``,
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
    """Runs one implementation of one workload. Its methods are the commands.

    Args:
        workload: The workload.
        implementation: The implementation.
    """

    def __init__(self, workload: Workload, implementation: Implementation) -> None:
        self._workload = workload
        self._implementation = implementation
        self._program: Program | None = None

    def start(self) -> dict[str, Any]:
        """Imports the framework, builds the program and runs its first ten steps, and times each of these parts.

        Returns:
            ``import_s``, ``build_s``, ``first_step_ms``, ``ten_steps_ms`` (from the start of the first
            step to the end of the tenth), ``values`` (at most four numbers of what step ten returned),
            ``compiles_first`` (compilations until step ten) and the framework's ``version``. If the workload is not
            written in this style, ``{"absent": reason}``.
        """
        import numpy as np  # imported before the clock starts, because every framework imports it

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
            seconds: How long to run steps.
            at_least: The least number of steps, even if they take longer.
            at_most: The largest number of steps, even if time is left.

        Returns:
            ``times_ns``, the wall time of each step, and ``cpu_ns``, the processor time of all threads for all steps
            together.
        """
        assert self._program is not None, "start first"
        # Local variables are faster, which matters: a step can be as short as six microseconds.
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
        """Returns ``peak_rss_mb`` of this process, and the number of ``compiles`` (None if it cannot be known)."""
        assert self._program is not None, "start first"
        return {"peak_rss_mb": peak_rss_mb(), "compiles": self._count(self._program)}


def peak_rss_mb() -> float | None:
    """Returns the largest resident memory of this process so far in MB, or None if the system does not tell it."""
    try:
        # Preferred to getrusage, because on Linux a process inherits ru_maxrss from its parent.
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
    """Runs commands and writes their answers, until there are no more commands.

    Args:
        session: The object whose methods are the commands.
        commands: A text file with one JSON object in a line: ``do``, and the keyword arguments of the method.
        answers: A text file that gets one JSON object in a line.
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
    # Frameworks may print to standard output. It is redirected to standard error, and the answers keep the pipe.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(Session(find_workloads(package)[key], BY_NAME[name]), sys.stdin, answers)


if __name__ == "__main__":
    main()
