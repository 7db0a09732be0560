"""The examples in all docstrings, and in README's section on autodiff."""

import doctest
import importlib
from pathlib import Path

import pytest

import tapejax

_ROOT = Path(tapejax.__file__).parents[1]
_README = _ROOT / "README.md"
_MODULES = [".".join(path.relative_to(_ROOT).with_suffix("").parts).removesuffix(".__init__")
            for path in sorted((_ROOT / "tapejax").rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.skipif(not _README.exists(), reason="installed without its README")
def test_readme():
    section = _README.read_text().partition("## Autodiff\n")[2].partition("\n## ")[0]
    examples = doctest.DocTestParser().get_doctest(section, {}, "README", str(_README), 0)
    assert len(examples.examples) > 10
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples)
    assert results.failed == 0


def test_there_are_examples():
    assert len(_MODULES) > 100


@pytest.mark.parametrize("name", _MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
