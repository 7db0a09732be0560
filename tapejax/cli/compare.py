"""`tapejax compare`: runs a script under TensorFlow and under tapejax from equal weights, and compares the results."""

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tapejax import compare as recording

__all__ = ["Outcome", "main", "run_tapejax"]

_EPILOG = """\
examples:
  tapejax compare train.py --epochs 2              options after the file go to the script
  tapejax compare --rtol 1e-5 train.py             set how close numbers must be
  tapejax compare --python tf-env/bin/python train.py    use the TensorFlow of another environment

The script runs twice, in two processes. Under tapejax the trainable variables start from the values that they had
under TensorFlow; they are matched by the order in which the script makes them. Both runs use the same random seed, and
tapejax draws TensorFlow's random numbers. Then the printed lines are compared. Numbers are compared with a tolerance,
durations ("3.2s", "12 ms/step") are ignored. To compare values that are not printed, write in the script:

  from tapejax.compare import note                 note does nothing in other runs
  note("loss", loss)

The exit status is 0 if both runs end well with equal output, 1 if not, and 2 if the command line is wrong.
"""
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w])|(?<!\w)[-+]?(?:nan|inf)(?!\w)")
_DURATION = re.compile(
    r"(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?\s*(?:us|µs|ms|s|sec|secs|seconds|min|h)(?:/\w+)?(?!\w)|"
    r"\d{1,2}:\d\d(?::\d\d)?(?!\d)"
)
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\n]*[\r\x08](?!\n)")


class Outcome(NamedTuple):
    """How one of the two runs went.

    Attributes:
      name: "TensorFlow" or "tapejax".
      status: the exit status of the process.
      lines: what it printed.
      errors: what it wrote to standard error.
      seconds: the duration of the process.
      first_line: seconds until it printed the first line, or None if it printed nothing.
      folder: the folder with the values that it recorded.
    """

    name: str
    status: int
    lines: list[str]
    errors: str
    seconds: float
    first_line: float | None
    folder: Path


class Difference(NamedTuple):
    """Two numbers that differ by more than the tolerance.

    Attributes:
      text: a description.
      size: the difference as a multiple of the tolerance.
    """

    text: str
    size: float


def main(argv: Sequence[str]) -> int:
    """Runs `tapejax compare`.

    Args:
      argv: The arguments after `tapejax compare`.

    Returns:
      0 if the runs agree, 1 if not, 2 if the script or TensorFlow is not found.
    """
    options = _parser().parse_args(argv)
    if not os.path.isfile(options.script):
        print(f"tapejax compare: no such file: {options.script}", file=sys.stderr)
        return 2
    found = subprocess.run(
        [options.python, "-c", "import importlib.util as u, sys; sys.exit(u.find_spec('tensorflow') is None)"],
        capture_output=True,
        check=False,
    )
    if found.returncode:
        print(
            f"tapejax compare: {options.python} has no TensorFlow. Install tensorflow-cpu there, or name another "
            "interpreter with --python.",
            file=sys.stderr,
        )
        return 2
    words = [options.script, *options.arguments]
    with tempfile.TemporaryDirectory(prefix="tapejax-compare-") as scratch:
        folders = [Path(scratch) / name for name in ("tensorflow", "tapejax")]
        for folder in folders:
            folder.mkdir()
        first, second = map(str, folders)
        seed = str(options.seed)
        theirs = _run("TensorFlow", folders[0], [options.python, "-P", recording.__file__, first, seed], words)
        ours = _run(
            "tapejax",
            folders[1],
            [sys.executable, "-c", "from tapejax.cli.compare import run_tapejax; run_tapejax()", second, seed, first],
            words,
        )
        return _report(theirs, ours, options.rtol, options.atol)


def _run(name: str, folder: Path, command: list[str], words: list[str]) -> Outcome:
    print(f"running under {name} ...", file=sys.stderr)
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, "PYTHONUNBUFFERED": "1"}
    # The second process must import this very package, also if it is not installed or the script is in another folder.
    root = str(Path(recording.__file__).parent.parent)
    if name == "tapejax":
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    started = time.time()
    lines, first = [], None
    with open(folder / "errors.txt", "w+b") as errors:
        process = subprocess.Popen(
            [*command, str(started), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
        )
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                first = first or time.time() - started
                lines.append(line.decode(errors="replace"))
        status = process.wait()
        seconds = time.time() - started
        errors.seek(0)
        return Outcome(name, status, lines, errors.read().decode(errors="replace"), seconds, first, folder)


def run_tapejax() -> None:
    """Runs the script under tapejax, in the second process. Its variables start from the first process's values."""
    from tapejax._src.compat import aliases
    from tapejax._src.core import malloc
    from tapejax._src.core import variable as variables
    from tapejax._src.core.tensor import from_value
    from tapejax.cli import cache, programs, run

    folder, seed, given, started, *words = sys.argv[1:]
    malloc.keep_memory()
    cache.enable()
    aliases.install_as_tensorflow()
    import tapejax

    record = recording.Record(folder)
    try:
        values, theirs = recording.load(given)
    except OSError:  # the first process failed before it could write them
        values, theirs = [], {"variables": [], "skipped": 0}
    initial = [value for name, value in values if name == "variable"]
    record.facts.update(handed=0, mismatch="")
    original: Any = variables.Variable.__init__

    def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if not self.trainable:
            return
        number = len(record.variables)
        record.variables.append(recording.describe(self))
        if theirs["skipped"] or record.facts["mismatch"] or number >= len(initial):
            return
        value = initial[number]
        if value.shape != tuple(self.shape) or value.dtype != self.dtype.as_numpy_dtype:
            record.facts["mismatch"] = (
                f"trainable variable {number + 1} is {theirs['variables'][number]} under "
                f"TensorFlow and {record.variables[-1]} under tapejax"
            )
            return
        self._tensor = from_value(np.array(value))
        record.facts["handed"] += 1

    variables.Variable.__init__ = initialise  # type: ignore[method-assign]
    recording.seed_all(int(seed), tapejax)
    program = programs.file(words[0], words[1:])
    status: list[int] = []
    recording.recorded(record, lambda: status.append(run.execute(program)), float(started))
    sys.exit(status[0])


# Comparing


def _report(theirs: Outcome, ours: Outcome, rtol: float, atol: float) -> int:
    alike = True
    for outcome in (theirs, ours):
        if outcome.status:
            alike = False
            print(f"\nUnder {outcome.name} the script ended with status {outcome.status}:")
            print("\n".join("  " + line for line in outcome.errors.rstrip().splitlines()[-12:]))
    reports = [_facts(outcome) for outcome in (theirs, ours)]
    print("\n" + _weights(*reports))
    for what, found in (
        ("printed lines", _compare_lines(theirs.lines, ours.lines, rtol, atol)),
        ("noted values", _compare_notes(theirs.folder, ours.folder, rtol, atol)),
    ):
        text, same = found
        alike = alike and same
        if text:
            print(f"{what}: {text}")
    print(f"\n{'':12}{'start-up':>10}{'script':>10}{'total':>10}{'first line':>12}")
    for outcome, facts in zip((theirs, ours), reports, strict=True):
        times = (facts.get("startup"), facts.get("script"), outcome.seconds)
        first = "-" if outcome.first_line is None else f"{outcome.first_line:.1f} s"
        columns = "".join(f"{'-' if t is None else f'{t:.1f} s':>10}" for t in times)
        print(f"{outcome.name:12}{columns}{first:>12}")
    return 0 if alike else 1


def _facts(outcome: Outcome) -> dict[str, Any]:
    try:
        return json.loads((outcome.folder / "report.json").read_text())
    except (OSError, ValueError):
        return {}


def _weights(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    handed, made = ours.get("handed", 0), len(theirs.get("variables", ()))
    if ours.get("mismatch"):
        return f"weights: {handed} handed over, then they do not fit: {ours['mismatch']}"
    if theirs.get("skipped"):
        return (
            "weights: not handed over: TensorFlow made variables inside a tf.function, where they have no values "
            "yet; both start from the same seed"
        )
    if handed != made or made != len(ours.get("variables", ())):
        return (
            f"weights: {handed} handed over; TensorFlow made {made} trainable variables, tapejax "
            f"{len(ours.get('variables', ()))}"
        )
    return f"weights: all {handed} trainable variables start from TensorFlow's values"


def _compare_lines(theirs: list[str], ours: list[str], rtol: float, atol: float) -> tuple[str, bool]:
    """Compares two outputs. Returns a description of the result, and whether they agree."""
    left, right = list(_clean(theirs)), list(_clean(ours))
    differing: list[str] = []
    worst = 0.0
    for i, j in _pairs([_skeleton(line) for _, line in left], [_skeleton(line) for _, line in right]):
        if i is None or j is None:
            name, (number, line) = ("tapejax", right[j]) if j is not None else ("TensorFlow", left[i or 0])
            differing.append(f"line {number} is {name}'s alone: {line}")
            continue
        found = _numbers_differ(left[i][1], right[j][1], rtol, atol)
        if found:
            worst = max(worst, found.size)
            differing.append(
                f"line {left[i][0]}: {found.text}\n    TensorFlow: {left[i][1]}\n    tapejax:    {right[j][1]}"
            )
    if not differing:
        return f"{len(left)}, all equal (rtol {rtol:g}, atol {atol:g})" if left else "none", True
    most = f", at most {worst:.3g} times the tolerance" if worst else ""
    return f"{len(differing)} of {max(len(left), len(right))} differ{most}. The first:\n  {differing[0]}", False


def _clean(lines: list[str]) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers. Of a progress bar only its last state is kept."""
    for number, line in enumerate(lines, 1):
        text = _DURATION.sub("<time>", _TERMINAL.sub("", line.rstrip("\r\n").rstrip("\x08"))).strip()
        if text:
            yield number, text


def _skeleton(line: str) -> str:
    return " ".join(_NUMBER.sub("#", line).split())


def _pairs(left: list[str], right: list[str]) -> Iterator[tuple[int | None, int | None]]:
    """Pairs of line numbers: which line of one output belongs to which line of the other. None stands for no line."""
    head = _common(left, right)
    tail = _common(left[head:][::-1], right[head:][::-1])
    yield from ((i, i) for i in range(head))
    # The lines of a loop look alike, so that difflib's longest matching block may be a wrong match. The equal lines at
    # the beginning and at the end are therefore matched first.
    middle = left[head : len(left) - tail], right[head : len(right) - tail]
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, *middle, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from zip(range(head + i1, head + i2), range(head + j1, head + j2), strict=True)
        else:
            yield from ((i, None) for i in range(head + i1, head + i2))
            yield from ((None, j) for j in range(head + j1, head + j2))
    yield from ((len(left) - k, len(right) - k) for k in range(tail, 0, -1))


def _common(left: list[str], right: list[str]) -> int:
    """The number of equal lines at the beginning of both."""
    return next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


def _numbers_differ(left: str, right: str, rtol: float, atol: float) -> Difference | None:
    for a, b in zip(_NUMBER.findall(left), _NUMBER.findall(right), strict=True):
        if a == b:
            continue
        x, y = float(a), float(b)
        if x == y or (np.isnan(x) and np.isnan(y)):
            continue
        size = abs(x - y) / (atol + rtol * abs(x)) if np.isfinite(x) and np.isfinite(y) else float("inf")
        if size > 1:
            return Difference(f"{a} against {b}", size)
    return None


def _compare_notes(theirs: Path, ours: Path, rtol: float, atol: float) -> tuple[str, bool]:
    """Compares the values that both runs noted. Returns a description of the result, and whether they agree."""
    try:
        left, right = (
            [(n, v) for n, v in recording.load(str(folder))[0] if n.startswith("note/")] for folder in (theirs, ours)
        )
    except OSError:
        return "", True
    for number, ((a, x), (b, y)) in enumerate(zip(left, right, strict=False), 1):
        name = a.removeprefix("note/")
        if a != b:
            return f"number {number} is {name} under TensorFlow and {b.removeprefix('note/')} under tapejax", False
        if x.shape != y.shape or x.dtype != y.dtype:
            return (
                f"number {number}, {name}: {x.dtype}{x.shape} under TensorFlow, {y.dtype}{y.shape} under tapejax"
            ), False
        if x.dtype.kind in "biufcV":
            wide = complex if x.dtype.kind == "c" else float
            p, q = x.astype(wide), y.astype(wide)
            same = np.isclose(q, p, rtol=rtol, atol=atol, equal_nan=True)
        else:
            p, q, same = x, y, np.asarray(x == y)
        if not same.all():
            where = tuple(int(i) for i in np.argwhere(~same)[0])
            off = f"; largest difference {np.nanmax(np.abs(p - q)):.3g}" if x.dtype.kind in "biufcV" else ""
            return (
                f"number {number}, {name}: {int((~same).sum())} of {same.size} elements differ, first at "
                f"{list(where)}: {p[where]} under TensorFlow, {q[where]} under tapejax{off}"
            ), False
    if len(left) != len(right):
        return f"{len(left)} under TensorFlow, {len(right)} under tapejax", False
    return (f"{len(left)}, all equal" if left else ""), True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapejax compare",
        usage="tapejax compare [options] script.py [arguments of the script]",
        description="Run a script under TensorFlow and under tapejax, and show where the outputs first differ, by "
        "how much, and how long each run took.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("script", help="the Python file")
    add("arguments", nargs=argparse.REMAINDER, help="passed to the script unchanged")
    add("--rtol", type=float, default=1e-3, help="relative tolerance for numbers (default: 0.001)")
    add(
        "--atol",
        type=float,
        default=1e-5,
        help="absolute tolerance, added to the relative one (default: 0.00001)",
    )
    add("--seed", type=int, default=0, help="the random seed of both runs (default: 0)")
    add(
        "--python",
        default=sys.executable,
        metavar="PATH",
        help="an interpreter with TensorFlow (default: this one)",
    )
    return parser
