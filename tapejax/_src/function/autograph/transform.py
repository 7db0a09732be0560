"""How a function's source is rewritten: malt's passes, our operators, and the lines of the user's file.

The result is compiled under the user's file name and lines, so that tracebacks, debuggers and the engine's own messages
show the source as it was written.
"""

import __future__

import ast
import inspect
import threading
import types
import weakref
from typing import Any, cast

from malt.core import converter
from malt.impl import api
from malt.pyct import anno, ast_util, parser, transpiler

from tapejax._src.function.autograph import operators as autograph_operators

__all__ = ["source", "transformed"]

_OPTIONS = converter.ConversionOptions(recursive=True, user_requested=False, optional_features=cast(Any, None))
_lock = threading.RLock()
# By code object, which functions made in a loop share; an entry lives as long as the code.
_made: "weakref.WeakKeyDictionary[types.CodeType, types.CodeType | str]" = weakref.WeakKeyDictionary()


class _Passes(api.PyToPy):
    """malt's rewriting of a function's syntax tree."""

    def rewritten(self, fn: Any) -> Any:
        """The new tree, and its name."""
        tree, found = transpiler.GenericTranspiler.transform_function(
            self, fn, converter.ProgramContext(options=_OPTIONS)
        )
        return tree, found.info.name


_passes = _Passes()


def transformed(fn: types.FunctionType) -> Any:
    """The converted function, or why there is none."""
    code = _made.get(fn.__code__)
    if code is None:
        with _lock:
            code = _made.get(fn.__code__)
            if code is None:
                try:
                    code = _compiled(fn)
                except Exception as e:  # whatever malt stumbles over: the function then runs as it is
                    code = f"{type(e).__name__}: {e}"
                _made[fn.__code__] = code
    if isinstance(code, str):
        return code
    cells = dict(zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True))
    factory = types.FunctionType(code, fn.__globals__, fn.__name__, (), tuple(cells[n] for n in code.co_freevars))
    made = factory(autograph_operators)
    made.__defaults__ = fn.__defaults__
    made.__kwdefaults__ = fn.__kwdefaults__
    return made


def source(fn: Any) -> str:
    """The converted function as text.

    Raises:
      ValueError: it cannot be converted.
    """
    try:
        tree, _ = _passes.rewritten(fn)
    except Exception as e:
        raise ValueError(f"converting {fn}: {e}") from e
    return parser.unparse(tree, include_encoding_marker=False)


def _compiled(fn: Any) -> types.CodeType:
    """The code of a function that takes our operators and returns the converted function."""
    if inspect.isgeneratorfunction(fn) or inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn):
        raise ValueError("generators and coroutines are not converted")
    tree, name = _passes.rewritten(fn)
    if isinstance(tree, ast.Lambda):
        tree = ast.Assign(targets=[ast.Name(name, ctx=ast.Store())], value=tree)
    else:
        tree.name = name
    # Through text, as malt's trees are not always such that Python compiles them.
    text = parser.unparse(tree, include_encoding_marker=False)
    (parsed,) = ast.parse(text).body
    line = fn.__code__.co_firstlineno
    for old, new in ast_util.parallel_walk(tree, parsed):
        if isinstance(new, ast.AST):
            origin = anno.getanno(old, anno.Basic.ORIGIN, default=None)
            new._line = origin.loc.lineno if origin is not None else None  # type: ignore[attr-defined]
    free = fn.__code__.co_freevars
    module = ast.parse(
        "def ag__outer():\n"
        + "".join(f"    {v} = None\n" for v in free)
        + f"    def ag__inner(ag__):\n        pass\n        return {name}\n    return ag__inner\n"
    )
    outer: Any = module.body[0]
    outer.body[-2].body[0] = parsed
    _set_lines(module, line)
    flags = fn.__code__.co_flags & sum(getattr(__future__, n).compiler_flag for n in __future__.all_feature_names)
    compiled = compile(module, fn.__code__.co_filename, "exec", flags=flags, dont_inherit=True)
    made = _named(_inner(_inner(compiled, "ag__outer"), "ag__inner"), name, fn.__code__.co_name)
    return made


def _set_lines(node: ast.AST, line: int) -> None:
    line = getattr(node, "_line", None) or line
    if hasattr(node, "lineno"):
        node.lineno = node.end_lineno = line  # type: ignore[attr-defined]
        node.col_offset = node.end_col_offset = 0  # type: ignore[attr-defined]
    for child in ast.iter_child_nodes(node):
        _set_lines(child, line)


def _inner(code: types.CodeType, name: str) -> types.CodeType:
    return next(c for c in code.co_consts if isinstance(c, types.CodeType) and c.co_name == name)


def _named(code: types.CodeType, name: str, shown: str) -> types.CodeType:
    """The converted function goes by the user's name for it."""
    consts = tuple(
        c.replace(co_name=shown) if isinstance(c, types.CodeType) and c.co_name == name else c for c in code.co_consts
    )
    return code.replace(co_consts=consts)
