"""What `tapejax compare` records inside a program: `note`, and the initial values of variables.

This file imports neither tapejax nor TensorFlow at its head: it is also run by path in a process that has TensorFlow
and perhaps no JAX. There it stands in for the package, so that `from tapejax.compare import note` works under both.
"""

import io
import json
import os
import sys
import time
import zipfile
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

__all__ = ["note"]

_record: "Record | None" = None


def note(name: str, value: Any) -> None:
    """Names a value that `tapejax compare` should compare; does nothing in any other run.

    Args:
      name: of the value. A name used again counts its values.
      value: a tensor, a variable, an array or a number, of any shape and dtype.

    >>> note("loss", 0.5)
    """
    if _record is not None:
        _record.add(f"note/{name}", np.asarray(value))


class Record:
    """Arrays that a program leaves in a file, each at once, in the order in which they come.

    Args:
      folder: where `values.zip` and, at the end, `report.json` go.
    """

    def __init__(self, folder: str):
        self.folder = folder
        self.names: list[str] = []
        self.variables: list[str] = []
        self.skipped = 0
        self.facts: dict[str, Any] = {}
        self._zip = zipfile.ZipFile(os.path.join(folder, "values.zip"), "w")

    def add(self, name: str, value: np.ndarray) -> None:
        """Stores one array."""
        buffer = io.BytesIO()
        # bfloat16 and the like are not NumPy's own: their name goes with them.
        plain = value.view(f"V{value.dtype.itemsize}") if value.dtype.kind == "V" else value
        np.lib.format.write_array(buffer, np.ascontiguousarray(plain).reshape(value.shape), allow_pickle=False)
        self._zip.writestr(f"{len(self.names)}.npy", buffer.getvalue())
        self.names.append(f"{name}\n{value.dtype.name}")

    def close(self) -> None:
        """Writes the report."""
        self._zip.close()
        with open(os.path.join(self.folder, "report.json"), "w") as file:
            json.dump({"names": self.names, "variables": self.variables, "skipped": self.skipped, **self.facts}, file)


def load(folder: str) -> tuple[list[tuple[str, np.ndarray]], dict[str, Any]]:
    """The names and arrays of a `Record`, and its report."""
    with open(os.path.join(folder, "report.json")) as file:
        report = json.load(file)
    found = []
    with zipfile.ZipFile(os.path.join(folder, "values.zip")) as archive:
        for i, entry in enumerate(report["names"]):
            name, _, dtype = entry.partition("\n")
            value = np.lib.format.read_array(io.BytesIO(archive.read(f"{i}.npy")), allow_pickle=False)
            if value.dtype.kind == "V":
                import ml_dtypes

                value = value.view(getattr(ml_dtypes, dtype))
            found.append((name, value))
    return found, report


def describe(variable: Any) -> str:
    """A variable's name, shape and dtype as one line."""
    name = getattr(variable, "path", None) or getattr(variable, "name", "")
    return f"{name} {tuple(variable.shape)} {variable.dtype.name}"


def seed_all(seed: int, framework: Any) -> None:
    """Starts Python's, NumPy's and the framework's random numbers."""
    import random

    random.seed(seed)
    np.random.seed(seed)
    framework.random.set_seed(seed)


def recorded(record: Record, program: Callable[[], Any], started: float) -> None:
    """Runs a program and closes the record, with the times since the process was started."""
    global _record
    _record = record
    ready = time.time()
    try:
        program()
    finally:
        _record = None
        record.facts.update(startup=ready - started, script=time.time() - ready)
        record.close()


def _under_tensorflow(folder: str, seed: int, started: float, words: list[str]) -> None:
    """The program of a process of its own: a script under TensorFlow, whose variables' first values are kept."""
    # Whoever notes values must not load JAX here, nor fail where it is not installed.
    package = ModuleType("tapejax")
    package.__path__ = []  # type: ignore[attr-defined]
    package.compare = sys.modules["tapejax.compare"] = sys.modules["__main__"]  # type: ignore[attr-defined]
    sys.modules["tapejax"] = package

    import runpy

    import tensorflow as tf  # type: ignore[import-not-found]
    from tensorflow.python.ops import resource_variable_ops as resources  # type: ignore[import-not-found]

    record = Record(folder)
    original: Any = resources.ResourceVariable.__init__

    def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if not self.trainable:
            return
        record.variables.append(describe(self))
        if tf.executing_eagerly():
            record.add("variable", self.numpy())
        else:
            record.skipped += 1

    resources.ResourceVariable.__init__ = initialise
    seed_all(seed, tf)
    sys.argv[:] = words
    sys.path.insert(0, os.path.dirname(os.path.realpath(words[0])))
    recorded(record, lambda: runpy.run_path(words[0], run_name="__main__"), started)


if __name__ == "__main__":
    _under_tensorflow(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
