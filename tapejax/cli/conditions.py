"""Decides, without running the program, whether a condition on TensorFlow's version holds.

The version is the one that tapejax follows. `tapejax check` uses this to skip branches for other versions.
"""

import ast

from tapejax import version

__all__ = ["truth_of"]


def truth_of(test: ast.expr) -> bool | None | str:
    """Whether a condition holds.

    Args:
      test: the condition's expression.

    Returns:
      True or False if that can be decided. None if it cannot and the condition protects its branches, as
      ``hasattr(tf, ...)`` does. "open" for any other condition, which may be true or false when the program runs.
    """
    asks = False
    for node in ast.walk(test):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("hasattr", "getattr"):
            return None
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name == "TYPE_CHECKING":
                return False if node is test else None
            asks = asks or name in ("__version__", "VERSION")
    if isinstance(test, ast.Constant):
        return bool(test.value)
    return _compare_versions(test) if asks else "open"


class _Versions(ast.NodeTransformer):
    """Replaces `tf.__version__` and `tf.VERSION` by the version itself."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        return ast.Constant(version.VERSION) if node.attr in ("__version__", "VERSION") else node


def _compare_versions(test: ast.expr) -> bool | None:
    """Whether a condition on TensorFlow's version holds, or None if the condition uses anything else."""
    copy = _Versions().visit(ast.parse(ast.unparse(test), mode="eval"))
    known = {
        "int": int,
        "float": float,
        "str": str,
        "tuple": tuple,
        "list": list,
        "map": map,
        "len": len,
        "version": _ParsedVersion,
        "LooseVersion": _ParsedVersion,
        "parse": _ParsedVersion,
        "Version": _ParsedVersion,
        "StrictVersion": _ParsedVersion,
    }
    methods = {"startswith", "split", "parse", "Version", "LooseVersion", "StrictVersion"}
    for node in ast.walk(copy):
        if isinstance(node, ast.BinOp) or isinstance(node, ast.Name) and node.id not in known:
            return None
        if isinstance(node, ast.Attribute) and node.attr not in methods:
            return None
    try:
        return bool(eval(compile(ast.fix_missing_locations(copy), "<condition>", "eval"), {"__builtins__": {}}, known))
    except Exception:
        return None


class _ParsedVersion:
    """A version that can be compared, as `packaging.version` makes it from text."""

    def __init__(self, text: str):
        self.numbers = tuple(int(part) for part in text.split(".")[:3] if part.isdigit())

    def __lt__(self, other: "_ParsedVersion") -> bool:
        return self.numbers < other.numbers

    def __le__(self, other: "_ParsedVersion") -> bool:
        return self.numbers <= other.numbers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ParsedVersion) and self.numbers == other.numbers

    def __hash__(self) -> int:
        return hash(self.numbers)

    def __gt__(self, other: "_ParsedVersion") -> bool:
        return self.numbers > other.numbers

    def __ge__(self, other: "_ParsedVersion") -> bool:
        return self.numbers >= other.numbers


_ParsedVersion.parse = _ParsedVersion.Version = _ParsedVersion.LooseVersion = _ParsedVersion  # type: ignore
