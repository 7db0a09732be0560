"""Says whether tapejax has a symbol, member or keyword argument of TensorFlow, and what to write instead if not."""

import functools
import importlib
import inspect
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import tapejax
from tapejax._src.compat import internal_paths, v1
from tapejax._src.core import missing

__all__ = ["Found", "find", "has_member", "keyword_names", "takes"]

_INTERNAL = ("tf.python", "tf.keras")


class Found(NamedTuple):
    """The result of `find`.

    Attributes:
      value: what the symbol stands for, or None if it is missing or cannot be known.
      missing: the part of the symbol that is missing, else "".
      why: why it is missing, or what to write instead.
    """

    value: Any
    missing: str = ""
    why: str = ""


@functools.cache
def find(symbol: str) -> Found:
    """Looks up a symbol by attributes, as a program does.

    Args:
      symbol: a dotted name that begins with "tf".

    Returns:
      A `Found`.

    >>> find("tf.math.exp").value is tapejax.exp
    True
    >>> find("tf.math.expp.x").missing
    'tf.math.expp'
    """
    head, _, last = symbol.rpartition(".")
    if not head:
        return Found(tapejax)
    if symbol.startswith(_INTERNAL) and (view := internal_paths.find(symbol.removeprefix("tf."))) is not None:
        return Found(view)
    parent = find(head)
    if parent.missing:
        return parent
    if parent.value is None:
        return Found(None)  # the parent's value is not known, so nothing is known of its attributes
    try:
        return Found(getattr(parent.value, last))
    except Exception as error:  # not only AttributeError: a namespace may need a package that is not installed
        if (own := _own(symbol)) is not None:
            return Found(own)
        if not isinstance(parent.value, (ModuleType, type)) and not inspect.isroutine(parent.value):
            return Found(None)
        if isinstance(parent.value, type) and not parent.value.__module__.startswith("tapejax"):
            return Found(None)
        return Found(None, symbol, _way(symbol, str(error)))


def _own(symbol: str) -> Any:
    """A module of tapejax that is not public, or a name in one, for programs that import such modules. Else None."""
    path = symbol.replace("tf", "tapejax", 1)
    try:
        return importlib.import_module(path)
    except Exception:  # there is no such module, or it needs a package that is not installed
        head, _, last = path.rpartition(".")
    try:
        return getattr(importlib.import_module(head), last)
    except Exception:
        return None


def _way(symbol: str, error: str) -> str:
    if (known := missing.way(symbol)) is not None:
        return known
    head, _, last = symbol.rpartition(".")
    if head == "tf" and last in v1._RENAMED and not find(f"tf.{v1._RENAMED[last]}").missing:
        return f"Use tf.{v1._RENAMED[last]}."
    if " is TensorFlow 1's" in error:
        return "It" + error[error.index(" is TensorFlow 1's") :]
    if symbol.startswith("tf.python."):
        return "It is internal to TensorFlow, and nothing in tapejax stands for it."
    if symbol.startswith("tf.compat.v1."):
        return error.replace(symbol, "It", 1).rstrip(".") + "."
    namespace = find(head).value
    near = missing.nearest(last, [n for n in dir(namespace) if not n.startswith("_")])
    return f"Nearest: {', '.join(f'{head}.{n}' for n in near)}." if near else ""


@functools.cache
def has_member(symbol: str, member: str) -> bool:
    """Whether instances of a class have an attribute. True if that cannot be known without an instance."""
    cls = find(symbol).value
    if not isinstance(cls, type) or not cls.__module__.startswith("tapejax") or hasattr(cls, member):
        return True
    if any("__getattr__" in base.__dict__ for base in cls.__mro__):
        return True
    # The attributes that a method assigns to `self` are among the names in its code.
    return any(
        member in code.co_names or member in _strings(code)
        for base in cls.__mro__
        for function in base.__dict__.values()
        if isinstance(function, FunctionType)
        for code in [inspect.unwrap(function).__code__]
    )


def takes(symbol: str, keyword: str) -> bool:
    """Whether a function or class takes a keyword argument. True if that cannot be known."""
    found = find(symbol).value
    if found is None or not callable(found):
        return True
    return _takes(found, keyword)


@functools.cache
def _takes(function: Any, keyword: str) -> bool:
    if not isinstance(function, type):
        parameters = _parameters(function)
        return parameters is None or _named(parameters, keyword) or _rest(parameters)
    constructors = [
        base.__dict__[name]
        for base in function.__mro__
        for name in ("__init__",)
        if isinstance(base.__dict__.get(name), FunctionType)
    ]
    if not constructors:
        parameters = _parameters(function)
        return parameters is None or _named(parameters, keyword) or _rest(parameters)
    for constructor in constructors:
        parameters = _parameters(constructor)
        if parameters is None or _named(parameters, keyword) or _mentions(constructor, keyword):
            return True
        if not _rest(parameters):
            return False
    # The last constructor has **kwargs too. In tapejax that is only to refuse unknown arguments with a good message. In
    # other packages any argument may be accepted.
    return not constructors[-1].__module__.startswith("tapejax")


def keyword_names(symbol: str) -> list[str]:
    """The keyword arguments that a function or class names in its signature."""
    found = find(symbol).value
    functions = (
        [found]
        if not isinstance(found, type)
        else [
            base.__dict__["__init__"]
            for base in found.__mro__
            if isinstance(base.__dict__.get("__init__"), FunctionType)
        ]
    )
    return list(
        dict.fromkeys(
            name
            for function in functions
            for name, p in (_parameters(function) or {}).items()
            if name != "self" and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        )
    )


def _parameters(function: Any) -> Any:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None


def _named(parameters: Any, keyword: str) -> bool:
    return keyword in parameters and parameters[keyword].kind in (
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    )


def _rest(parameters: Any) -> bool:
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def _mentions(constructor: FunctionType, keyword: str) -> bool:
    """Whether a constructor looks up a keyword in **kwargs.

    The sign is that its code, or the code of a function that it calls, has the keyword as a string.
    """
    function = inspect.unwrap(constructor)
    if keyword in _strings(function.__code__):
        return True
    helpers = [function.__globals__.get(name) for name in function.__code__.co_names]
    helpers += [
        getattr(h, name, None) for h in helpers if isinstance(h, ModuleType) for name in function.__code__.co_names
    ]
    return any(
        keyword in _strings(h.__code__)
        for h in helpers
        if isinstance(h, FunctionType) and h.__module__.startswith("tapejax")
    )


def _strings(code: CodeType) -> set[str]:
    found: set[str] = set()
    for constant in code.co_consts:
        if isinstance(constant, str):
            found.add(constant)
        elif isinstance(constant, (tuple, frozenset)):
            found |= {c for c in constant if isinstance(c, str)}
        elif isinstance(constant, CodeType):
            found |= _strings(constant)
    return found
