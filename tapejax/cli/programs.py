"""Prepares this process to run a Python program as Python itself does: from a file, a module, or standard input.

Each function sets `sys.argv`, `sys.path[0]` and a new module `__main__`, and returns a function that runs the program
in that module. `__main__` stays in place afterwards, because functions that run at exit may need it.
"""

import builtins
import importlib.util
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

__all__ = ["NotFound", "file", "main_module", "module", "standard_input"]


class NotFound(Exception):
    """The file or module to run cannot be found or run. This is an error of the command line, not of the program."""


def file(path: str, arguments: Sequence[str]) -> Callable[[], None]:
    """Prepares to run a file, as `python path arguments...` does.

    Raises:
      NotFound: There is no such file.
    """
    if not os.path.exists(path) or os.path.isdir(path):
        raise NotFound(f"no such file: {path}")
    _first_on_path(os.path.dirname(os.path.realpath(path)))
    namespace = main_module(path, [path, *arguments])

    def run() -> None:
        with io.open_code(os.path.abspath(path)) as stream:
            code = compile(stream.read(), path, "exec", dont_inherit=True)
        exec(code, namespace)

    return run


def standard_input(arguments: Sequence[str]) -> Callable[[], None]:
    """Prepares to run a program from standard input, as `python - arguments...` does."""
    _first_on_path("")
    namespace = main_module(None, ["-", *arguments])

    def run() -> None:
        exec(compile(sys.stdin.read(), "<stdin>", "exec", dont_inherit=True), namespace)

    return run


def module(name: str, arguments: Sequence[str]) -> Callable[[], None]:
    """Prepares to run a module, as `python -m name arguments...` does. Of a package it runs the module `__main__`.

    Raises:
      NotFound: There is no such module, or it is a package that cannot be run.
    """
    _first_on_path(os.getcwd())
    spec, code = _runnable(name)
    namespace = main_module(spec.origin, [spec.origin or name, *arguments], spec)

    def run() -> None:
        exec(code, namespace)

    return run


def _runnable(name: str) -> tuple[ModuleSpec, CodeType]:
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise  # a parent package imports something that is missing
        spec = None
    if spec is None:
        raise NotFound(f"no module named {name}")
    if spec.submodule_search_locations is not None:
        if name.endswith(".__main__"):
            raise NotFound(f"cannot run a package as a module: {name}")
        return _runnable(f"{name}.__main__")
    loader: Any = spec.loader
    code = loader.get_code(name) if hasattr(loader, "get_code") else None
    if code is None:
        raise NotFound(f"no Python code in module {name}")
    return spec, code


def main_module(path: str | None, argv: list[str], spec: ModuleSpec | None = None) -> dict[str, Any]:
    """Makes a new module `__main__` with the attributes that Python itself sets, and returns its namespace."""
    sys.argv[:] = argv
    made = ModuleType("__main__")
    made.__dict__.update(__builtins__=builtins, __spec__=spec)
    if path is not None:
        made.__dict__.update(__file__=path, __cached__=spec.cached if spec else None)
    if spec is not None:
        made.__dict__.update(__loader__=spec.loader, __package__=spec.parent)
    sys.modules["__main__"] = made
    return made.__dict__


def _first_on_path(folder: str) -> None:
    if not sys.flags.safe_path:  # -P or PYTHONSAFEPATH is set: Python would not add the folder either
        sys.path[0] = folder
