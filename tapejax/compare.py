"""What runs inside a program that `tapejax compare` compares: `note`, and the recording of variables' initial values.

`tapejax compare` also runs this file by its path, in a process that has TensorFlow but perhaps not JAX. The file
therefore imports neither tapejax nor TensorFlow when it is loaded. In that process it stands for the whole package, so
that `from tapejax.compare import note` works under TensorFlow too.
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
    """Gives `tapejax compare` a value to compare. In other runs it does nothing.

    Args:
      name: the name of the value in the report. It may be used more than once, for a value that changes.
      value: a tensor, a variable, an array or a number, of any shape and dtype.

    >>> note("loss", 0.5)
    """
    if _record is not None:
        _record.add(f"note/{name}", np.asarray(value))


class Record:
    """Writes arrays to a file, in the order in which a program gives them.

    Args:
      folder: the folder for `values.zip` and, at the end, `report.json`.
    """

    def __init__(self, folder: str):
        self.folder = folder
        self.names: list[str] = []
        self.variables: list[str] = []
        self.skipped = 0
        self.facts: dict[str, Any] = {}
        self._zip = zipfile.ZipFile(os.path.join(folder, "values.zip"), "w")

    def add(self, name: str, value: np.ndarray) -> None:
        """Writes one array at once."""
        buffer = io.BytesIO()
        # bfloat16 and the like are not NumPy's own dtypes, so the name of the dtype is kept with the array's name.
        plain = value.view(f"V{value.dtype.itemsize}") if value.dtype.kind == "V" else value
        np.lib.format.write_array(buffer, np.ascontiguousarray(plain).reshape(value.shape), allow_pickle=False)
        self._zip.writestr(f"{len(self.names)}.npy", buffer.getvalue())
        self.names.append(f"{name}\n{value.dtype.name}")

    def close(self) -> None:
        """Finishes `values.zip` and writes `report.json`."""
        self._zip.close()
        with open(os.path.join(self.folder, "report.json"), "w") as file:
            json.dump({"names": self.names, "variables": self.variables, "skipped": self.skipped, **self.facts}, file)


def load(folder: str) -> tuple[list[tuple[str, np.ndarray]], dict[str, Any]]:
    """Reads what a `Record` wrote: the names and arrays, and the report."""
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
    """The name, shape and dtype of a variable as one line of text."""
    name = getattr(variable, "path", None) or getattr(variable, "name", "")
    return f"{name} {tuple(variable.shape)} {variable.dtype.name}"


def seed_all(seed: int, framework: Any) -> None:
    """Seeds the random numbers of Python, NumPy and the framework."""
    import random

    random.seed(seed)
    np.random.seed(seed)
    framework.random.set_seed(seed)


def recorded(record: Record, program: Callable[[], Any], started: float) -> None:
    """Runs a program while `note` writes to a record, then closes the record.

    Args:
      record: the record.
      program: the function to run.
      started: when the process was started, in seconds since the epoch. The report gets the times since then.
    """
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
    """Runs a script under TensorFlow, in a process of its own, and records the initial values of its variables."""
    # `from tapejax.compare import note` must give this file. The real package would load JAX, or fail without it.
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
