"""Which of TensorFlow's names the code of a test file reads, from its syntax tree: not from words in texts.

A name counts where it is an attribute of a module, such as `tf.math.add`, and the module is a variable of one of
the names in `MODULES` that code, not a comment or a string, reads.
"""

import ast
import functools
from pathlib import Path

__all__ = ["MODULES", "last_names_read", "names_read"]

MODULES = {"tf", "tapejax", "ours", "module"}
"""What the tests call the module: the parameter of a case, and imports."""

SHORT = {"t", "m"}
"""Names of the module in short functions. Elsewhere they are tensors: `t.shape` does not count, `t.io.is_jpeg` does."""


@functools.cache
def names_read(path: Path) -> frozenset[str]:
    """The dotted names, without "tf.", that a file reads from a module: "math.add" and also "math"."""
    return frozenset(
        name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and (name := _dotted(node))
    )


def _dotted(node: ast.Attribute) -> str | None:
    parts = [node.attr]
    value = node.value
    while isinstance(value, ast.Attribute):
        parts.append(value.attr)
        value = value.value
    if not isinstance(value, ast.Name):
        return None
    known = value.id in MODULES or (value.id in SHORT and len(parts) > 1)
    return ".".join(reversed(parts)) if known else None


def last_names_read(path: Path) -> set[str]:
    """The attributes that a file's code reads from anything, and the texts in it that are one word."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    texts = {
        n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str) and n.value.isidentifier()
    }
    return texts | {n.attr for n in nodes if isinstance(n, ast.Attribute)}
