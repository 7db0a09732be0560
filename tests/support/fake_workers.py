"""A workload, implementations and workers for the tests of the benchmarks: no framework, no process, no clock."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.implementations import Implementation
from benchmarks.runner import WorkerFailed, measure
from benchmarks.workload import Program, Workload

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
