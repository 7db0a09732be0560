"""Finds which TensorFlow symbols Python source uses, without running it.

It follows imports, assigned aliases (`layers = tf.keras.layers`) and scopes. It leaves out code that the program itself
protects against missing symbols: `try: ... except ImportError`, `if hasattr(tf, ...)`, and branches for other versions
of TensorFlow.
"""

import ast
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tapejax.cli.conditions import truth_of

__all__ = ["Use", "uses"]

ROOTS = {"tensorflow": "tf", "keras": "tf.keras", "tapejax": "tf"}
_CAUGHT = {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception", "BaseException"}


class Use(NamedTuple):
    """One place where a symbol is used.

    Attributes:
      line, column: the place, counted from 1.
      symbol: the dotted name, such as "tf.keras.layers.Dense".
      member: the attribute, if an attribute of an instance of `symbol` is used. Otherwise "".
      keywords: the keyword arguments of a call, each with its line.
      imported: whether the place is an import statement.
    """

    line: int
    column: int
    symbol: str
    member: str = ""
    keywords: tuple[tuple[str, int], ...] = ()
    imported: bool = False


class _Value(NamedTuple):
    """What a name stands for: a symbol, or an instance of the class that the symbol names."""

    symbol: str
    instance: bool = False


class _Scope:
    """The names that a module, class or function binds, each with everything that is bound to it."""

    __slots__ = ("bound", "is_class", "outer", "parent")

    def __init__(self, parent: "_Scope | None", is_class: bool = False):
        self.parent, self.is_class = parent, is_class
        self.bound: dict[str, list[Any]] = {}  # a _Value, an expression with its scope, or None for anything else
        self.outer: set[str] = set()  # names declared global or nonlocal

    def bind(self, name: str, what: Any) -> None:
        scope = self
        while name in scope.outer and scope.parent is not None:
            scope = scope.parent
        scope.bound.setdefault(name, []).append(what)

    def values(self, name: str, seen: frozenset = frozenset()) -> list[_Value]:
        """The symbols that `name` can stand for here. The list is empty if it may be something else, too."""
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.bound and (scope is self or not scope.is_class) and name not in scope.outer:
                break
            scope = scope.parent
        if scope is None or (id(scope), name) in seen:
            return []
        seen = seen | {(id(scope), name)}
        found: list[_Value] = []
        for what in scope.bound[name]:
            if isinstance(what, tuple) and not isinstance(what, _Value):
                expression, where = what
                if isinstance(expression, ast.Constant) and expression.value is None:
                    continue  # `tf = None` where it could not be imported
                values = where.of(expression, seen)
            else:
                values = [what] if what is not None else []
            if not values:
                return []
            found += [v for v in values if v not in found]
        return found

    def of(self, expression: ast.expr, seen: frozenset = frozenset()) -> list[_Value]:
        """The symbols that an expression can stand for, if it is a dotted name or the call of one."""
        if isinstance(expression, ast.Call):
            return [
                _Value(v.symbol, True)
                for v in self.of(expression.func, seen)
                if not v.instance and v.symbol.rpartition(".")[2][:1].isupper()
            ]
        chain = _chain(expression)
        if chain is None:
            return []
        root, attributes = chain
        values = self.values(root, seen)
        if not attributes:
            return values
        return [_Value(".".join((v.symbol, *attributes))) for v in values if not v.instance]


def _chain(node: ast.AST) -> tuple[str, tuple[str, ...]] | None:
    """Splits `a.b.c` into "a" and ("b", "c"). None if the expression is not a dotted name."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node.id, tuple(reversed(attributes))) if isinstance(node, ast.Name) else None


def uses(tree: ast.Module) -> list[Use]:
    """Finds the uses of TensorFlow's symbols in a module, in the order of their places.

    Imports of the program's own modules are not followed.

    >>> source = "import tensorflow as tf\\nlayers = tf.keras.layers\\nlayers.Dense(3, activation='relu')"
    >>> [(use.line, use.symbol, use.keywords) for use in uses(ast.parse(source))]
    [(1, 'tf', ()), (2, 'tf.keras.layers', ()), (3, 'tf.keras.layers.Dense', (('activation', 3),))]
    """
    reader = _Reader()
    reader.block(tree.body, _Scope(None))
    found = list(reader.imports)
    for root, attributes, keywords, node, scope in reader.sites:
        for value in scope.values(root):
            if not value.instance:
                if attributes or keywords:
                    symbol = ".".join((value.symbol, *attributes))
                    found.append(Use(node.lineno, node.col_offset + 1, symbol, "", keywords))
            elif attributes:
                found.append(
                    Use(
                        node.lineno,
                        node.col_offset + 1,
                        value.symbol,
                        attributes[0],
                        keywords if len(attributes) == 1 else (),
                    )
                )
    return sorted(found, key=lambda use: (use.line, use.column))


class _Reader:
    """Walks a syntax tree once. It fills the scopes, and collects each dotted name with the scope that it is in."""

    def __init__(self) -> None:
        self.sites: list[tuple[str, tuple[str, ...], tuple[tuple[str, int], ...], ast.expr, _Scope]] = []
        self.imports: list[Use] = []
        self.guarded = 0

    def block(self, nodes: Iterable[ast.AST | None], scope: _Scope) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node, scope)

    def guard(self, nodes: Iterable[ast.AST | None], scope: _Scope, on: bool = True) -> None:
        """Walks code that may not run. The names that it binds count, the symbols that it uses are not collected."""
        self.guarded += on
        self.block(nodes, scope)
        self.guarded -= on

    def visit(self, node: ast.AST, scope: _Scope) -> None:
        method = getattr(self, f"_{type(node).__name__}", None)
        if method is not None:
            method(node, scope)
            return
        self.children(node, scope)

    def children(self, node: ast.AST, scope: _Scope) -> None:
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, ast.AST):
                self.visit(value, scope)
            elif type(value) is list:
                for item in value:
                    if isinstance(item, ast.AST):
                        self.visit(item, scope)

    # Expressions

    def note(self, node: ast.expr, keywords: tuple[tuple[str, int], ...], scope: _Scope) -> bool:
        chain = _chain(node)
        if chain is None:
            return False
        if not self.guarded and (chain[1] or keywords):
            self.sites.append((*chain, keywords, node, scope))
        return True

    def _Constant(self, node: ast.Constant, scope: _Scope) -> None:
        """Does nothing. Most nodes are constants, and this is faster than walking their fields."""

    def _Name(self, node: ast.Name, scope: _Scope) -> None:
        if not isinstance(node.ctx, ast.Load):
            scope.bind(node.id, None)

    def _Attribute(self, node: ast.Attribute, scope: _Scope) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.children(node, scope)
        elif not self.note(node, (), scope):
            self.visit(node.value, scope)

    def _Call(self, node: ast.Call, scope: _Scope) -> None:
        keywords = tuple((k.arg, k.value.lineno) for k in node.keywords if k.arg is not None)
        if not self.note(node.func, keywords, scope):
            self.visit(node.func, scope)
        self.block(node.args, scope)
        for keyword in node.keywords:
            self.visit(keyword.value, scope)

    def _Lambda(self, node: ast.Lambda, scope: _Scope) -> None:
        inner = self.parameters(node.args, scope)
        self.visit(node.body, inner)

    def comprehension(self, node: Any, scope: _Scope) -> None:
        inner = _Scope(scope)
        for part in node.generators:
            self.visit(part, inner)
        self.block([node.elt] if hasattr(node, "elt") else [node.key, node.value], inner)

    _ListComp = _SetComp = _GeneratorExp = _DictComp = comprehension

    # Statements that bind names

    def parameters(self, arguments: ast.arguments, scope: _Scope) -> _Scope:
        inner = _Scope(scope)
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for argument in [*every, *filter(None, (arguments.vararg, arguments.kwarg))]:
            inner.bind(argument.arg, None)
            if argument.annotation is not None:
                self.visit(argument.annotation, scope)
        self.block([*arguments.defaults, *arguments.kw_defaults], scope)
        return inner

    def function(self, node: Any, scope: _Scope) -> None:
        scope.bind(node.name, None)
        self.block([*node.decorator_list, node.returns], scope)
        self.block(node.body, self.parameters(node.args, scope))

    _FunctionDef = _AsyncFunctionDef = function

    def _ClassDef(self, node: ast.ClassDef, scope: _Scope) -> None:
        scope.bind(node.name, None)
        self.block([*node.decorator_list, *node.bases, *(k.value for k in node.keywords)], scope)
        self.block(node.body, _Scope(scope, is_class=True))

    def _Global(self, node: Any, scope: _Scope) -> None:
        scope.outer |= set(node.names)

    _Nonlocal = _Global

    def _Import(self, node: ast.Import, scope: _Scope) -> None:
        for alias in node.names:
            root, _, rest = alias.name.partition(".")
            symbol = ROOTS.get(root)
            bound = alias.asname or root
            if symbol is None:
                scope.bind(bound, None)
                continue
            whole = f"{symbol}.{rest}" if rest else symbol
            scope.bind(bound, _Value(whole if alias.asname else symbol))
            if not self.guarded:
                self.imports.append(Use(node.lineno, node.col_offset + 1, whole, imported=True))

    def _ImportFrom(self, node: ast.ImportFrom, scope: _Scope) -> None:
        root, _, rest = (node.module or "").partition(".")
        symbol = ROOTS.get(root) if not node.level else None
        for alias in node.names:
            if symbol is None:
                scope.bind(alias.asname or alias.name, None)
                continue
            whole = ".".join(filter(None, (symbol, rest, alias.name if alias.name != "*" else "")))
            if alias.name == "*":
                self.star(whole, scope)
            else:
                scope.bind(alias.asname or alias.name, _Value(whole))
            if not self.guarded:
                self.imports.append(Use(alias.lineno, alias.col_offset + 1, whole, imported=True))

    def star(self, whole: str, scope: _Scope) -> None:
        from tapejax.cli.symbols import find

        namespace = find(whole).value
        for name in dir(namespace) if namespace is not None else ():
            if not name.startswith("_"):
                scope.bind(name, _Value(f"{whole}.{name}"))

    def _Assign(self, node: ast.Assign, scope: _Scope) -> None:
        self.visit(node.value, scope)
        for target in node.targets:
            if isinstance(target, ast.Name):
                scope.bind(target.id, (node.value, scope))
            else:
                self.visit(target, scope)

    def _AnnAssign(self, node: ast.AnnAssign, scope: _Scope) -> None:
        self.visit(node.annotation, scope)
        if node.value is not None:
            self.visit(node.value, scope)
        if isinstance(node.target, ast.Name):
            scope.bind(node.target.id, (node.value, scope) if node.value is not None else None)
        else:
            self.visit(node.target, scope)

    def _ExceptHandler(self, node: ast.ExceptHandler, scope: _Scope) -> None:
        if node.name:
            scope.bind(node.name, None)
        self.children(node, scope)

    def _withitem(self, node: ast.withitem, scope: _Scope) -> None:
        self.visit(node.context_expr, scope)
        if isinstance(node.optional_vars, ast.Name):
            # Of a tape it is known that `with ... as name` binds the tape itself.
            chain = _chain(node.context_expr.func) if isinstance(node.context_expr, ast.Call) else None
            tape = chain is not None and (chain[1] or (chain[0],))[-1] == "GradientTape"
            scope.bind(node.optional_vars.id, (node.context_expr, scope) if tape else None)
        elif node.optional_vars is not None:
            self.visit(node.optional_vars, scope)

    def _MatchAs(self, node: ast.MatchAs, scope: _Scope) -> None:
        if node.name:
            scope.bind(node.name, None)
        self.children(node, scope)

    def _MatchStar(self, node: ast.MatchStar, scope: _Scope) -> None:
        if node.name:
            scope.bind(node.name, None)

    # Code that is protected against missing symbols

    def _Try(self, node: ast.Try, scope: _Scope) -> None:
        caught = {name for handler in node.handlers for name in _caught(handler)}
        self.guard(node.body, scope, bool(caught & _CAUGHT))
        self.block([*node.handlers, *node.orelse, *node.finalbody], scope)

    _TryStar = _Try

    def _If(self, node: ast.If, scope: _Scope) -> None:
        self.visit(node.test, scope)
        truth = truth_of(node.test)
        self.guard(node.body, scope, truth in (False, None))
        self.guard(node.orelse, scope, truth in (True, None))

    def _IfExp(self, node: ast.IfExp, scope: _Scope) -> None:
        self.visit(node.test, scope)
        truth = truth_of(node.test)
        self.guard([node.body], scope, truth in (False, None))
        self.guard([node.orelse], scope, truth in (True, None))


def _caught(handler: ast.ExceptHandler) -> Iterator[str]:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    for kind in kinds:
        if kind is None:
            yield "BaseException"
        elif (chain := _chain(kind)) is not None:
            yield (chain[1] or (chain[0],))[-1]
