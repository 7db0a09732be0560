"""The examples in README's section on autodiff, and in the docstrings of `tapejax.autodiff`."""

import doctest
import importlib
from pathlib import Path

import pytest

import tapejax

_README = Path(tapejax.__file__).parents[1] / "README.md"


@pytest.mark.skipif(not _README.exists(), reason="installed without its README")
def test_readme():
    section = _README.read_text().partition("## Autodiff\n")[2].partition("\n## ")[0]
    examples = doctest.DocTestParser().get_doctest(section, {}, "README", str(_README), 0)
    assert len(examples.examples) > 10
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples)
    assert results.failed == 0


@pytest.mark.parametrize("name", ["custom_gradient", "forward", "from_jax", "graph_gradients", "recompute", "tape"])
def test_docstrings(name):
    results = doctest.testmod(importlib.import_module(f"tapejax.autodiff.{name}"))
    assert results.attempted and not results.failed
