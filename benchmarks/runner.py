"""Runs the implementations of one workload, each in a process of its own. In each round they take turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from benchmarks.implementations import Implementation
from benchmarks.results import Measured, Round
from benchmarks.workload import Workload

ROOT = Path(__file__).resolve().parent.parent

# Otherwise the first of several processes would take all of an accelerator's memory.
SHARED_DEVICE = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2"}


class WorkerFailed(Exception):
    """An implementation raised an exception, its process ended, or it took too long. The message is one line."""


class Asked(Protocol):
    """A worker process, or an object that stands in for one in the tests."""

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]: ...


def environment(implementation: Implementation) -> dict[str, str]:
    """Returns the environment variables for the process of an implementation.

    They are those of this process, changed by those of the implementation, with a `PYTHONPATH` that has this package.
    """
    variables = {**SHARED_DEVICE, **QUIET, **os.environ}
    for name, value in implementation.environment.items():
        variables.pop(name, None)
        if value is not None:
            variables[name] = value
    variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return variables


class Worker:
    """A worker process and its pipes.

    Args:
        workload: The workload to run.
        implementation: The implementation to run it in.
        package: The package in which the process finds the workload.
        timeout: The seconds that one answer may take.
    """

    def __init__(self, workload: Workload, implementation: Implementation, package: str, timeout: float) -> None:
        self._timeout = timeout
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", package, workload.key, implementation.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment(implementation),
        )

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Sends a command and waits for its answer.

        Raises:
            WorkerFailed: The command raised, the process died, or the time ran out.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        # Waiting for a pipe with a time limit is not portable. The timer kills the process, which ends readline.
        timer = threading.Timer(self._timeout, self._process.kill)
        timer.start()
        try:
            stdin.write(json.dumps({"do": command, **arguments}) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            ran_out = not timer.is_alive()
            timer.cancel()
            timer.join()
        if not line:
            reason = f"took more than {self._timeout:g} s" if ran_out else "its process ended"
            raise WorkerFailed(f"{reason} during the command {command!r}. {self._last_error_line()}".strip())
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerFailed(answer["error"])
        return answer

    def close(self) -> None:
        """Ends the process."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        self._errors.close()

    def _last_error_line(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


@contextmanager
def worker(
    workload: Workload,
    implementation: Implementation,
    package: str = "benchmarks.workloads",
    timeout: float = 600.0,
) -> Iterator[Worker]:
    """Context that starts a worker process, and ends it at the end of the block."""
    process = Worker(workload, implementation, package, timeout)
    try:
        yield process
    finally:
        process.close()


def measure(
    workload: Workload,
    implementations: Sequence[Implementation],
    *,
    repeats: int,
    seconds: float,
    spawn: Callable[[Workload, Implementation], Any] = worker,
    progress: Callable[[str], None] = lambda doing: None,
) -> dict[str, Measured]:
    """Measures one workload.

    The implementations are started one after the other, so that import and first steps are timed undisturbed. Each
    then warms up for the time of one slice. In each of the rounds that follow, every implementation runs one slice of
    steps. Another implementation is first in each round.

    Args:
        workload: The workload to run.
        implementations: The implementations to measure. One whose module is not installed becomes ``"absent"``.
        repeats: The number of rounds.
        seconds: The measured seconds per implementation, all rounds together.
        spawn: A function that returns a context manager, which gives an object with the method `Worker.ask`. The tests
            replace it.
        progress: Called with a few words before each start and each slice.

    Returns:
        The measurements by implementation, in the order given. One that fails does not stop the others.
    """
    measured: dict[str, Measured] = {}
    running: dict[str, Asked] = {}
    slice_seconds = seconds / repeats

    def ask(name: str, command: str, **arguments: Any) -> dict[str, Any] | None:
        try:
            return running[name].ask(command, **arguments)
        except WorkerFailed as failure:
            measured[name] = Measured("failed", str(failure))
            del running[name]
            return None

    with ExitStack() as processes:
        for entry in implementations:
            progress(f"{workload.key}: starting {entry.name}")
            measured[entry.name] = Measured()
            if find_spec(entry.module) is None:
                measured[entry.name] = Measured("absent", f"{entry.module} is not installed")
                continue
            running[entry.name] = processes.enter_context(spawn(workload, entry))
            start = ask(entry.name, "start")
            if start is None:
                continue
            if "absent" in start:
                measured[entry.name] = Measured("absent", start["absent"])
                del running[entry.name]
                continue
            measured[entry.name].start = start
            ask(entry.name, "run", seconds=slice_seconds)  # the warm-up; its times are not used
        for number in range(repeats):
            names = list(running)
            turn = number % max(len(names), 1)
            for name in names[turn:] + names[:turn]:
                progress(f"{workload.key}: round {number + 1} of {repeats}, {name}")
                ran = ask(name, "run", seconds=slice_seconds)
                if ran is not None:
                    measured[name].rounds.append(Round.of(ran["times_ns"], ran["cpu_ns"]))
        for name in list(running):
            finish = ask(name, "finish")
            if finish is not None:
                measured[name].finish = finish
    return measured
