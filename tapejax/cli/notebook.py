"""Runs the code cells of a notebook in this process, and writes a copy of the notebook with their outputs."""

import ast
import contextlib
import io
import json
import linecache
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from tapejax.cli import programs, tracebacks

__all__ = ["Line", "code_cells", "notebook", "python_of", "read"]

# Magic commands of IPython that can be left out: they change how it displays or reloads things, or install packages.
_HARMLESS = {
    "alias",
    "autoawait",
    "autoreload",
    "colors",
    "config",
    "load_ext",
    "matplotlib",
    "pip",
    "conda",
    "mamba",
    "precision",
    "reload_ext",
    "tensorflow_version",
    "uv",
}
_INSTALLS = re.compile(r"\s*(python\S*\s+-m\s+)?(pip\S*|conda|mamba|uv|apt(-get)?)\s")
_TIMES = {"time", "timeit", "capture", "prun"}  # as %%time: the rest of the line or cell runs, but untimed
_MAGIC = re.compile(r"(?P<indent>\s*)(?P<sign>%%?|!!?)(?P<word>\w*)(?P<rest>.*)", re.DOTALL)
_ASSIGNED = re.compile(r"\s*[\w, ]+=\s*[%!]")
_HELP = re.compile(r"\s*\??\??[\w.]+\?{1,2}\s*$|\s*\?\??[\w.]+\s*$")


class Line(NamedTuple):
    """A line of a cell that is not Python.

    Attributes:
      number: its number in the cell, from 1.
      text: the line.
      harmless: whether the program computes the same without it.
    """

    number: int
    text: str
    harmless: bool


def read(path: str) -> dict[str, Any]:
    """Reads a notebook file.

    Returns:
      The contents, as the dictionary of nbformat 4.

    Raises:
      NotFound: There is no such file, or it is not a notebook of format 4.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise programs.NotFound(f"no such file: {path} ({error.strerror})") from None
    except ValueError as error:
        raise programs.NotFound(f"{path} is no notebook: {error}") from None
    if not isinstance(found, dict) or "cells" not in found:
        raise programs.NotFound(
            f"{path} is no notebook of format 4 (`jupyter nbconvert --to notebook` updates older ones)"
        )
    return found


def code_cells(contents: dict[str, Any]) -> list[tuple[int, str, dict[str, Any]]]:
    """The number, the source and the dictionary of each code cell. Only code cells are counted, from 1."""
    cells = [cell for cell in contents["cells"] if cell.get("cell_type") == "code"]
    return [(i, "".join(cell.get("source", "")), cell) for i, cell in enumerate(cells, 1)]


def python_of(source: str) -> tuple[str, list[Line]]:
    """Turns the source of a cell into Python.

    Lines that only IPython understands are replaced, so that the other lines keep their numbers.

    Returns:
      The Python source, and the lines that were replaced.

    >>> text, lines = python_of("%matplotlib inline\\nx = 1\\n!ls\\n")
    >>> text
    'pass\\nx = 1\\npass\\n'
    >>> [(line.number, line.harmless) for line in lines]
    [(1, True), (3, False)]
    """
    if _parses(source):
        return source, []
    lines = source.splitlines(keepends=True)
    found: list[Line] = []
    for i, text in enumerate(lines):
        match = _MAGIC.match(text)
        candidate = match or _ASSIGNED.match(text) or _HELP.match(text)
        indent = text[: len(text) - len(text.lstrip())]
        # Inside brackets or a string a line that looks like a magic command is Python. The lines before it then do not
        # parse by themselves.
        if not candidate or not _parses("".join(lines[:i]) + indent + "pass\n"):
            continue
        if match and match["sign"] == "%%":
            runs = match["word"] in _TIMES
            found.append(Line(i + 1, text.strip(), runs))
            lines[i] = "pass\n"
            if not runs:  # the cell is in another language
                lines[i + 1 :] = ["\n"] * len(lines[i + 1 :])
                break
        elif match and match["sign"] == "%" and match["word"] in _TIMES and match["rest"].strip():
            found.append(Line(i + 1, text.strip(), True))
            lines[i] = indent + re.sub(r"^\s*(-\w+\s+)*", "", match["rest"])
        else:
            harmless = (
                bool(_HELP.match(text))
                or match is not None
                and (
                    match["word"] in _HARMLESS
                    if match["sign"] == "%"
                    else bool(_INSTALLS.match(match["word"] + match["rest"]))
                )
            )
            found.append(Line(i + 1, text.strip(), harmless))
            lines[i] = f"{indent}pass\n"
    return "".join(lines), found


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def notebook(path: str, output: str | None = None, skip_commands: bool = False) -> Callable[[], None]:
    """Prepares this process to run the code cells of a notebook, in the notebook's folder, as Jupyter does.

    The value of a cell's last expression is shown. All that is printed, shown or raised goes to the terminal and into
    a copy of the notebook.

    Args:
      path: The path of a notebook of format 4.
      output: The path of the copy. By default it is `NAME.out.ipynb` beside the notebook.
      skip_commands: Whether to leave out shell commands and magic commands that may matter, instead of refusing to run.

    Returns:
      A function that runs the notebook. It stops at the first cell that raises, and writes the copy in any case.

    Raises:
      NotFound: The file is not a notebook, or it has such commands and `skip_commands` is False.
    """
    contents = read(path)
    cells = [(number, *python_of(source), cell) for number, source, cell in code_cells(contents)]
    refused = [
        f"  cell {number}, line {line.number}: {line.text}"
        for number, _, lines, _ in cells
        for line in lines
        if not line.harmless
    ]
    if refused and not skip_commands:
        raise programs.NotFound(
            f"{path} has lines that are commands of IPython or the shell, not Python:\n"
            + "\n".join(refused)
            + "\nDo by hand what they do, if need be. Then run the notebook with --skip-commands to leave them out."
        )
    for number, _, lines, _ in cells:
        for line in lines:
            print(f"tapejax run: left out: cell {number}, line {line.number}: {line.text}", file=sys.stderr)
    target = Path(output).resolve() if output else Path(path).resolve().with_suffix(".out.ipynb")
    folder = os.path.dirname(os.path.realpath(path))
    namespace = programs.main_module(None, [path])
    if not sys.flags.safe_path:
        sys.path[0] = folder

    session = _Session(namespace)

    def run() -> None:
        os.chdir(folder)
        for _, _, _, cell in cells:
            cell.update(outputs=[], execution_count=None)
        try:
            for number, source, _, cell in cells:
                cell["execution_count"] = number
                session.run_cell(number, source, f"<cell {number} of {os.path.basename(path)}>", cell["outputs"])
        finally:
            target.write_text(json.dumps(contents, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            print(f"tapejax run: the notebook with its outputs is {target}", file=sys.stderr)

    return run


class _Session:
    """The state of a running notebook: one namespace for all cells, and the outputs of the current cell."""

    def __init__(self, namespace: dict[str, Any]):
        self.namespace = namespace
        self.outputs: list[dict[str, Any]] = []
        namespace["display"] = self.display

    def display(self, *values: Any) -> None:
        """Shows values, as IPython's `display` does. They are shown as text only."""
        for value in values:
            self._show(value, output_type="display_data")

    def _show(self, value: Any, **kind: Any) -> None:
        text = repr(value)  # `repr` may itself print something
        with contextlib.redirect_stdout(sys.__stdout__):
            print(text)
        self.outputs.append({**kind, "data": {"text/plain": text}, "metadata": {}})

    def run_cell(self, number: int, source: str, filename: str, outputs: list[dict[str, Any]]) -> None:
        """Runs one cell and adds what it shows to `outputs`; see `notebook`."""
        self.outputs = outputs
        # Tracebacks and functions such as inspect.getsource find the cell's source here.
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        with _recorded(outputs):
            try:
                value = self._evaluate(source, filename)
                if value is not None:
                    self.namespace["_"] = value
                    self._show(value, output_type="execute_result", execution_count=number)
            except BaseException as error:
                tracebacks.advise(error)
                tracebacks.trim(error)
                outputs.append(
                    {
                        "output_type": "error",
                        "ename": type(error).__name__,
                        "evalue": str(error),
                        "traceback": "".join(traceback.format_exception(error)).splitlines(),
                    }
                )
                raise

    def _evaluate(self, source: str, filename: str) -> Any:
        """Runs the source of a cell.

        Returns:
          The value of the last statement if that is an expression without a semicolon after it, else None.
        """
        tree = ast.parse(source, filename)
        if not tree.body or not isinstance(tree.body[-1], ast.Expr) or source.rstrip().endswith(";"):
            exec(compile(tree, filename, "exec"), self.namespace)
            return None
        last = tree.body.pop()
        assert isinstance(last, ast.Expr)
        exec(compile(tree, filename, "exec"), self.namespace)
        return eval(compile(ast.Expression(last.value), filename, "eval"), self.namespace)


@contextlib.contextmanager
def _recorded(outputs: list[dict[str, Any]]) -> Iterator[None]:
    """Context in which all that is printed is also appended to `outputs`."""
    out, err = _Tee(sys.stdout, "stdout", outputs), _Tee(sys.stderr, "stderr", outputs)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield


class _Tee(io.TextIOBase):
    """A text stream that also appends to a cell's outputs."""

    def __init__(self, stream: TextIO, name: str, outputs: list[dict[str, Any]]):
        self._stream, self._name, self._outputs = stream, name, outputs

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return False  # progress bars then write lines, which a notebook can show

    def write(self, text: str) -> int:
        self._stream.write(text)
        last = self._outputs[-1] if self._outputs else {}
        if last.get("name") != self._name:
            last = {"output_type": "stream", "name": self._name, "text": ""}
            self._outputs.append(last)
        last["text"] += text
        return len(text)

    def flush(self) -> None:
        self._stream.flush()
