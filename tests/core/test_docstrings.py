"""The examples in all docstrings, and in README's section on autodiff."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import tapejax

_ROOT = Path(tapejax.__file__).parents[1]
_README = _ROOT / "README.md"
_MODULES = [
    ".".join(path.relative_to(_ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((_ROOT / "tapejax").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]

# They install tapejax as TensorFlow, which other tests have imported.
_ALONE = ["tapejax._src.compat.aliases"]


@pytest.mark.skipif(not _README.exists(), reason="installed without its README")
def test_readme():
    section = _README.read_text().partition("## Autodiff\n")[2].partition("\n## ")[0]
    examples = doctest.DocTestParser().get_doctest(section, {}, "README", str(_README), 0)
    assert len(examples.examples) > 10
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples)
    assert results.failed == 0


def test_there_are_examples():
    assert len(_MODULES) > 100


@pytest.mark.parametrize("name", [name for name in _MODULES if name not in _ALONE])
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", _ALONE)
def test_examples_in_a_process_without_tensorflow(name):
    code = f"import doctest, importlib; exit(doctest.testmod(importlib.import_module({name!r})).failed)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=_ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
