"""The examples in all docstrings. Those of the pages, README's former ones too, are checked by tests/test_docs.py."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import tapejax

_ROOT = Path(tapejax.__file__).parents[1]
_MODULES = [
    ".".join(path.relative_to(_ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((_ROOT / "tapejax").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]

# They install tapejax as TensorFlow, which other tests have imported.
_ALONE = ["tapejax._src.compat.aliases"]


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
