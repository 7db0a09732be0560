"""`Workload`: one computation, written in the style of each framework.

The modules of workloads import no framework when they are loaded, because the process that prints the tables loads all
of them. Their functions get the framework's module as an argument.
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
    """A workload that is ready to run in one framework. ``read(step(*arguments))`` does one step.

    Args:
        step: A function that does the work of one step and returns its results without reading them.
        arguments: The arguments of ``step``, the same at each call.
        read: A function that waits for the results and brings them to the host; ``float`` for a loss.
    """

    step: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    read: Callable[[Any], Any] = float


@dataclass(frozen=True)
class Workload:
    """One computation in each style. A style that is not written is None.

    Args:
        key: The name on the command line, such as ``"W2"``.
        title: The title of its table.
        tensorflow: Plain TensorFlow 2 code as a function of the module ``tf``, which is TensorFlow or tapejax. Some
            implementations wrap its step in ``tf.function``.
        jax: The hand-written version as a function of the module ``jax``. It is jitted, and its state is donated.
        torch: The PyTorch version, as a function of the module ``torch``.
        tolerance: The largest relative difference between the implementations' results of step ten.
    """

    key: str
    title: str
    tensorflow: Callable[[Any], Program]
    jax: Callable[[Any], Program] | None = None
    torch: Callable[[Any], Program] | None = None
    tolerance: float = 1e-3


def find_workloads(package: str = "benchmarks.workloads") -> dict[str, Workload]:
    """Collects the ``WORKLOADS`` of all modules of a package. A new file needs no registration.

    Args:
        package: The dotted name of the package.

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
