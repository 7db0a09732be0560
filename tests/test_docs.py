"""The documentation's pages: their Python runs, their commands and options exist, their links lead somewhere.

The pages are README.md and docs/*.md. Each page runs in a process of its own, in an empty folder, from top to bottom:

- ``python`` blocks are executed. The blocks of a page share their names.
- ``pycon`` blocks are checked as doctests, with ELLIPSIS, in the same namespace.
- ``console`` blocks hold commands (``$ tapejax check train.py``) and what they print. Both are compared, likewise.
- ``sh`` blocks are not executed. Their commands, subcommands and options must exist.

Two HTML comments on the line above a block change that:

- ``<!-- file: train.py -->``: the block is written to this file instead, for the commands after it.
- ``<!-- not run: REASON -->``: the block is not executed. There may be few of these.

    python tests/test_docs.py docs/porting.md      # runs one page by itself
"""

import contextlib
import doctest
import functools
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# In these, only commands, links and paths are checked.
NOTES = [ROOT / ".github" / "CONTRIBUTING.md", ROOT / "tapejax" / "ARCHITECTURE.md"]
TEXTS = [path for path in [*PAGES, *NOTES] if path.exists()]
MAY_NOT_RUN = 2

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[a-z ]+): (?P<note>[^\n]+?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="installed without its documentation")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
      line: the number of its first line of text.
      language: the word after the fence.
      mark: "file", "not run", or "" where no comment stands above it.
      note: the rest of that comment.
    """

    line: int
    language: str
    text: str
    mark: str
    note: str


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page's text, in order."""
    return [
        Block(page.count("\n", 0, m.start("text")) + 1, m["language"], m["text"], m["mark"] or "", m["note"] or "")
        for m in _BLOCK.finditer(page)
    ]


def prose(page: str) -> str:
    """A page's text without its fenced blocks."""
    return _BLOCK.sub("", page)


def inline_code(page: str) -> list[str]:
    """What stands between backticks in a page's text."""
    paragraphs = re.split(r"\n\s*\n", prose(page))
    return [" ".join(code.split()) for p in paragraphs for code in re.findall(r"`([^`]+)`", p)]


# Running a page


def run_page(path: Path) -> None:
    """Runs a page's blocks in the current folder, which should be empty.

    Raises:
      AssertionError: an output differs from the page's. Or whatever a block raises.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(path.read_text(encoding="utf-8")):
        if block.mark == "not run":
            continue
        if block.mark == "file":
            Path(block.note).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            # A file with the page's line numbers: tracebacks are right, and AutoGraph can read the source.
            source = Path(f"{path.stem}_{block.line}.py").resolve()
            source.write_text("\n" * (block.line - 1) + block.text, encoding="utf-8")
            exec(compile(source.read_text(encoding="utf-8"), source, "exec"), names)
        elif block.language == "pycon":
            examples = doctest.DocTestParser().get_doctest(block.text, names, path.name, str(path), block.line - 1)
            assert doctest.DocTestRunner(optionflags=_FLAGS).run(examples, clear_globs=False).failed == 0
            names.update(examples.globs)
        elif block.language == "console":
            for command, wanted in sessions(block.text):
                check_output(command, wanted, f"{path.name}:{block.line}")


def sessions(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with the output that the page shows."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def check_output(command: str, wanted: str, where: str) -> None:
    """Runs a command and compares what it prints, on both streams."""
    words = shlex.split(command, comments=True)
    programs = {"tapejax": [sys.executable, "-m", "tapejax"], "python": [sys.executable]}
    assert words[0] in programs, f"{where}: console blocks may run tapejax and python only: {command}"
    done = subprocess.run(
        [*programs[words[0]], *words[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    fits = doctest.OutputChecker().check_output(wanted, done.stdout, _FLAGS)
    assert fits, f"{where}: `{command}` prints\n{done.stdout}\nand not\n{wanted}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page_runs(path, tmp_path):
    found = blocks(path.read_text(encoding="utf-8"))
    if not any(block.language in ("python", "pycon", "console") for block in found):
        pytest.skip("nothing in it runs")
    folder = tmp_path / "work"
    folder.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TAPEJAX_")}
    environment |= {"PYTHONPATH": str(ROOT), "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, __file__, str(path)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_few_blocks_are_not_run():
    skipped = [
        f"{path.name}:{block.line}"
        for path in PAGES
        for block in blocks(path.read_text(encoding="utf-8"))
        if block.mark == "not run"
    ]
    assert len(skipped) <= MAY_NOT_RUN, skipped


def test_blocks_are_recognised():
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        found = blocks(text)
        assert text.count("```") == 2 * len(found), f"{path.name}: a fence is not at the start of its line"
        assert not {b.mark for b in found} - {"", "file", "not run"}, f"{path.name}: an unknown comment above a block"
        assert not {b.language for b in found} - {"python", "pycon", "console", "sh", "text", ""}, path.name


# Commands


@functools.cache
def options(command: str) -> dict[str, bool]:
    """The options of a command as its `--help` lists them; True for those that take a value.

    Args:
      command: such as "tapejax run" or "python -m benchmarks ops".
    """
    words = command.split()
    if words[0] == "tapejax":
        from tapejax.cli import main

        text = io.StringIO()
        with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
            main.main([*words[1:], "--help"])
        shown = text.getvalue()
    else:
        shown = subprocess.run(
            [sys.executable, *words[1:], "--help"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    assert shown.startswith("usage:"), f"{command} --help prints {shown!r}"
    rows = re.findall(r"^  (-[\w-]+(?:, --[\w-]+)*)((?: \S+)?)", shown, re.MULTILINE)
    return {name: bool(value) for names, value in rows for name in names.split(", ")}


def subcommands() -> list[str]:
    """What `tapejax` can do."""
    from tapejax.cli.main import COMMANDS

    return list(COMMANDS)


def commands(page: str) -> Iterator[list[str]]:
    """The words of each command in a page: in `sh` and `console` blocks, and in the text's inline code."""
    lines = [line for block in blocks(page) if block.language == "sh" for line in block.text.splitlines()]
    lines += [command for block in blocks(page) if block.language == "console" for command, _ in sessions(block.text)]
    lines += [code for code in inline_code(page) if re.match(r"(tapejax|python -m|pip install) ", code)]
    for line in lines:
        words = shlex.split(line, comments=True)
        while "&&" in words:
            at = words.index("&&")
            yield words[:at]
            words = words[at + 1 :]
        if words:
            yield words


def check_command(words: list[str]) -> None:
    """Raises AssertionError if a command, subcommand, option, module or extra does not exist."""
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words = words[1:]  # the environment
    if words[:2] == ["pip", "install"]:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras = project["optional-dependencies"]
        for found in re.findall(r"\[([\w,]+)\]", " ".join(words)):
            assert set(found.split(",")) <= set(extras), words
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2]), f"there is no module {words[2]}"
        if words[2] == "benchmarks":
            count = 4 if words[3:4] in (["ops"], ["programs"]) else 3
            check_options(" ".join(words[:count]), words[count:])
    elif words[0] == "tapejax":
        if words[1].startswith("-"):
            check_options("tapejax", words[1:])
        else:
            assert words[1] in subcommands(), f"there is no `tapejax {words[1]}`"
            check_options(" ".join(words[:2]), words[2:])


def check_options(command: str, words: list[str]) -> None:
    known = options(command)
    words = list(words)
    while words:
        word = words.pop(0)
        if word.startswith("-") and word != "-":
            name, equals, _ = word.partition("=")
            assert name in known, f"`{command}` has no option {name}"
            if command == "tapejax run" and name == "-m":
                return
            if known[name] and not equals:
                words.pop(0)
        elif command in ("tapejax run", "tapejax compare"):
            return  # the rest is the script's


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_commands_exist(path):
    for words in commands(path.read_text(encoding="utf-8")):
        check_command(words)


@pytest.mark.parametrize(
    "line",
    [
        "tapejax jump",
        "tapejax run --fast train.py",
        "python -m benchmarks ops --loud",
        "python -m nowhere",
        "pip install 'tapejax[nothing]'",
    ],
)
def test_a_command_that_does_not_exist_is_found(line):
    with pytest.raises(AssertionError):
        check_command(shlex.split(line))


# Links and paths


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    found: dict[str, int] = {}
    made = set()
    for heading in re.findall(r"^#+ (.+?)\s*$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        count = found[slug] = found.get(slug, -1) + 1
        made.add(f"{slug}-{count}" if count else slug)
    return made


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f"{path.name} links to {target}, which does not exist"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{path.name}: no heading gives {target}"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_named_files_exist(path):
    for name in inline_code(path.read_text(encoding="utf-8")):
        if re.fullmatch(r"(?:tapejax|tests|benchmarks|docs|\.ci|\.github)/[\w./-]*", name):
            assert (ROOT / name).exists(), f"{path.name} names {name}, which does not exist"


def test_the_readme_links_every_page():
    targets = re.findall(r"\]\(([^)\s]+)\)", PAGES[0].read_text(encoding="utf-8"))
    linked = {(ROOT / target.partition("#")[0]).resolve() for target in targets}
    assert set(PAGES[1:]) <= linked


if __name__ == "__main__":
    page = Path(sys.argv[1]).resolve()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            if Path.cwd() in (ROOT, page.parent):
                os.chdir(scratch)
            run_page(page)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
