"""Rewrites the source of a function by malt, and compiles the result.

The rewritten code is compiled under the file name and line numbers of the user's source. So tracebacks, debuggers and
tapejax's own messages show the source as the user wrote it.
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
# The results, by code object: the rewritten code, or a text that says why there is none. Functions that are defined
# again and again, as in a loop, share their code object. An entry lives as long as the code object.
_made: "weakref.WeakKeyDictionary[types.CodeType, types.CodeType | str]" = weakref.WeakKeyDictionary()


class _Passes(api.PyToPy):
    """malt's rewriting of a function's syntax tree."""

    def rewritten(self, fn: Any) -> Any:
        """The rewritten syntax tree of a function, and the name of the function in it."""
        tree, found = transpiler.GenericTranspiler.transform_function(
            self, fn, converter.ProgramContext(options=_OPTIONS)
        )
        return tree, found.info.name


_passes = _Passes()


def transformed(fn: types.FunctionType) -> Any:
    """The converted function, or a text that says why the function cannot be converted."""
    code = _made.get(fn.__code__)
    if code is None:
        with _lock:
            code = _made.get(fn.__code__)
            if code is None:
                try:
                    code = _compiled(fn)
                except Exception as e:  # malt may fail in many ways; the function then runs as it is
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
    """The source of the converted function.

    Raises:
      ValueError: the function cannot be converted.
    """
    try:
        tree, _ = _passes.rewritten(fn)
    except Exception as e:
        raise ValueError(f"AutoGraph cannot convert {fn}: {e}") from e
    return parser.unparse(tree, include_encoding_marker=False)


def _compiled(fn: Any) -> types.CodeType:
    """The code of a factory function. It takes the module `operators`, and returns the converted function."""
    if inspect.isgeneratorfunction(fn) or inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn):
        raise ValueError("generators and coroutines are not converted")
    tree, name = _passes.rewritten(fn)
    if isinstance(tree, ast.Lambda):
        tree = ast.Assign(targets=[ast.Name(name, ctx=ast.Store())], value=tree)
    else:
        tree.name = name
    # The tree is turned into text and parsed again, because Python cannot compile all trees that malt makes.
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
    """Gives the converted function inside `code` the name that the user gave it."""
    consts = tuple(
        c.replace(co_name=shown) if isinstance(c, types.CodeType) and c.co_name == name else c for c in code.co_consts
    )
    return code.replace(co_consts=consts)
