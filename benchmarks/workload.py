"""What a workload is: one computation, written in the style of each framework.

A workload module imports no framework when it is loaded (the process that draws the tables loads them all);
its functions are given the framework's module instead.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Program:
    """A workload made ready to run in one framework; ``read(step(*arguments))`` is one step.

    Args:
        step: Does the work of one step and returns its results, without reading them.
        arguments: What ``step`` is called with, every time.
        read: Waits for the results and brings them to the host; ``float`` for a loss.
    """

    step: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    read: Callable[[Any], Any] = float


@dataclass(frozen=True)
class Workload:
    """One computation in each style; None where a style is not written.

    Args:
        key: What the command line calls it, such as ``"W2"``.
        title: One line for the head of a table.
        tensorflow: Plain TensorFlow 2 code as a function of the module ``tf``. It is handed both
            TensorFlow and tapejax; the decorated rows wrap its step in ``tf.function``.
        jax: The hand-written version, as a function of the module ``jax``: jitted, its state donated.
        torch: The PyTorch version, as a function of the module ``torch``.
        tolerance: How far, relatively, the results of step ten may differ between implementations.
    """

    key: str
    title: str
    tensorflow: Callable[[Any], Program]
    jax: Callable[[Any], Program] | None = None
    torch: Callable[[Any], Program] | None = None
    tolerance: float = 1e-3


def find_workloads(package: str = "benchmarks.workloads") -> dict[str, Workload]:
    """Collects the ``WORKLOADS`` of every module of a package, so that a new file needs no registration.

    Args:
        package: The dotted name of the package to look through.

    Returns:
        The workloads by key, in natural order (W2 before W10).

    Raises:
        ValueError: Two workloads have the same key.

    >>> list(find_workloads())[:2]
    ['W1', 'W2']
    """
    found: dict[str, Workload] = {}
    for entry in pkgutil.iter_modules(importlib.import_module(package).__path__):
        module = importlib.import_module(f"{package}.{entry.name}")
        for workload in getattr(module, "WORKLOADS", ()):
            if workload.key in found:
                raise ValueError(f"two workloads are called {workload.key}, one in {module.__name__}")
            found[workload.key] = workload
    return dict(sorted(found.items(), key=lambda item: _natural(item[0])))


def _natural(key: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", key)]
