"""The functions that AutoGraph's rewritten code calls. The names are malt's; the code calls this module `ag__`.

Each of them runs plain Python, unless a graph is being captured and a tensor decides what happens.
"""

import builtins
from collections.abc import Callable
from typing import Any

from malt.core.converter import ConversionOptions, Feature
from malt.operators import py_builtins
from malt.operators.variables import Undefined, UndefinedReturnValue, ld, ldu

from tapejax._src.core import nest
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import is_symbolic
from tapejax._src.core.variable import Variable
from tapejax._src.engine import stream
from tapejax._src.engine.capture import SymbolicValueError
from tapejax._src.function.autograph import conversion as autograph
from tapejax._src.function.autograph.loops import SymbolicRange, for_stmt, while_stmt
from tapejax._src.function.autograph.state import is_tensor, read, staged, value_like, verified_condition
from tapejax._src.function.control_flow.branches import cond
from tapejax._src.function.control_flow.staging import branch
from tapejax._src.function.control_flow.tensor_array import TensorArray
from tapejax._src.ops.array.casting import cast
from tapejax._src.ops.array.creation import range_
from tapejax._src.ops.array.sorting import sort
from tapejax._src.ops.math.comparison import logical_not

__all__ = [
    "STD",
    "ConversionOptions",
    "Feature",
    "FunctionScope",
    "Undefined",
    "UndefinedReturnValue",
    "and_",
    "autograph_artifact",
    "converted_call",
    "for_stmt",
    "if_exp",
    "if_stmt",
    "ld",
    "ldu",
    "not_",
    "or_",
    "while_stmt",
    "with_function_scope",
]

STD = ConversionOptions(recursive=True, user_requested=False, optional_features=None)  # type: ignore[arg-type]


# Functions


class FunctionScope:
    """A context manager around the body of a converted function. malt requires it."""

    def __init__(self, function_name: str, scope_name: str, options: Any):
        self.name = scope_name

    def __enter__(self) -> "FunctionScope":
        return self

    def __exit__(self, *_: Any) -> None:
        """Lets exceptions pass."""

    def ret(self, value: Any, did_return: Any) -> Any:
        """The value that the function returns: None if it ended without a `return` statement."""
        return None if isinstance(value, UndefinedReturnValue) else value


def with_function_scope(thunk: Callable[[FunctionScope], Any], scope_name: str, options: Any) -> Any:
    """Runs the body of a converted lambda with a `FunctionScope`."""
    return thunk(FunctionScope("lambda", scope_name, options))


def autograph_artifact(entity: Any, extras: Any = None) -> Any:
    """Marks a function that was defined inside a converted function, so that it is not converted again."""
    entity.autograph_info__ = extras
    return entity


def converted_call(
    f: Any, args: tuple, kwargs: dict[str, Any] | None, caller_fn_scope: Any = None, options: Any = None
) -> Any:
    """A call ``f(*args, **kwargs)`` in the user's code."""
    kwargs = kwargs or {}
    if f is super:
        return py_builtins.super_in_original_context(f, args, caller_fn_scope)
    if f is locals or f is globals or f is eval:
        return _IN_CALLER[f](f, args, caller_fn_scope)
    if stream.current().symbolic:
        special = _BUILTINS.get(f) if isinstance(f, _HASHABLE) else None
        if special is not None:
            return special(*args, **kwargs)
    return autograph.call(f, args, kwargs)


_IN_CALLER = {
    locals: lambda f, args, scope: py_builtins.locals_in_original_context(scope),
    globals: lambda f, args, scope: py_builtins.globals_in_original_context(scope),
    eval: lambda f, args, scope: py_builtins.eval_in_original_context(f, args, scope),
}


# Conditions


def if_stmt(
    condition: Any,
    body: Callable[[], Any],
    orelse: Callable[[], Any],
    get_state: Callable[[], tuple],
    set_state: Callable[[tuple], None],
    symbol_names: tuple[str, ...],
    nouts: int,
) -> None:
    """The statement ``if condition: body() else: orelse()``.

    Args:
      condition: the condition.
      body: the first branch.
      orelse: the second branch.
      get_state: returns the values of the user's variables that the branches change.
      set_state: sets these variables.
      symbol_names: their names.
      nouts: how many of them, counted from the first, are used after the statement.
    """
    if not staged(condition):
        body() if condition else orelse()
        return
    pred = verified_condition(condition, "if statement")
    before = get_state()
    ends: list[tuple[str, tuple]] = []

    def end(run: Callable[[], Any], label: str) -> Callable[[], Any]:
        def region() -> list[Any]:
            set_state(before)
            run()
            found = get_state()[:nouts]
            for name, value in zip(symbol_names, found, strict=False):
                if isinstance(value, Undefined):
                    raise ValueError(f"'{name}' must also be initialized in the {label} branch")
                if isinstance(value, UndefinedReturnValue):
                    raise ValueError(f"the {label} branch must also have a return statement.")
            ends.append((label, found))
            if len(ends) == 2:
                _verify_branches(symbol_names, ends[0][1], ends[1][1])
            return [value_like(read(v)) for v in found]

        return region

    try:
        results = branch("cond", pred, [end(body, "main"), end(orelse, "else")], ["main", "else"])
    finally:
        set_state(before)
    # Objects that neither branch replaced are kept as they are.
    found = tuple(
        a if value is None or (a is b and isinstance(a, Variable)) else value
        for a, b, value in zip(ends[0][1], ends[1][1], results, strict=True)
    )
    set_state((*found, *before[nouts:]))


def _verify_branches(symbol_names: tuple[str, ...], main: tuple, orelse: tuple) -> None:
    for name, a, b in zip(symbol_names, main, orelse, strict=False):
        if a is b and a is not None and (value_like(a) is None or isinstance(a, Variable)):
            continue  # neither branch replaced this object
        for value, label in ((a, "main"), (b, "else")):
            if value is None:
                raise ValueError(f"'{name}' is None at the end of the {label} branch.")
        try:
            nest.assert_same_structure(read(a), read(b), expand_composites=True)
        except (TypeError, ValueError) as e:
            raise TypeError(
                f"'{name}' must have the same nested structure in the main and else branches:\n\n{e}"
            ) from None
        if (value_like(a) is None) != (value_like(b) is None) or value_like(a) is None:
            raise TypeError(
                f"'{name}' must be a tensor, number or structure of them to be set in an `if` on a tensor; "
                f"got {a!r} and {b!r}"
            )
        for x, y in zip(nest.flatten(a, True), nest.flatten(b, True), strict=True):
            if not isinstance(x, TensorArray) and (x is None or y is None or to_tensor(x).dtype != to_tensor(y).dtype):
                raise TypeError(
                    f"'{name}' has dtype {_kind(x)} in the main branch, but dtype {_kind(y)} in the else branch"
                )


def _kind(value: Any) -> str:
    return "None" if value is None else to_tensor(value).dtype.name


def if_exp(condition: Any, if_true: Callable[[], Any], if_false: Callable[[], Any], expr_repr: str) -> Any:
    """The expression ``if_true() if condition else if_false()``."""
    if not staged(condition):
        return if_true() if condition else if_false()
    pred = verified_condition(condition, "conditional expression")
    ends: list[Any] = []

    def end(run: Callable[[], Any]) -> Callable[[], Any]:
        def region() -> Any:
            ends.append(run())
            if len(ends) == 2:
                _verify_branches((expr_repr,), (ends[0],), (ends[1],))
            return ends[-1]

        return region

    return branch("cond", pred, [end(if_true), end(if_false)], ["main", "else"])


def and_(a: Callable[[], Any], b: Callable[[], Any]) -> Any:
    """The expression ``a() and b()``."""
    first = a()
    if not staged(first):
        return first and b()
    return cond(verified_condition(first, "and"), b, lambda: first)


def or_(a: Callable[[], Any], b: Callable[[], Any]) -> Any:
    """The expression ``a() or b()``."""
    first = a()
    if not staged(first):
        return first or b()
    return cond(verified_condition(first, "or"), lambda: first, b)


def not_(a: Any) -> Any:
    """The expression ``not a``."""
    return logical_not(a) if staged(a) else not a


# Versions of Python's built-in functions that accept symbolic tensors


def _any_symbolic(args: Any) -> bool:
    return any(is_symbolic(to_tensor(a)) for a in args if is_tensor(a))


def _range(*args: Any) -> Any:
    return _tf_range(*args) if any(map(is_tensor, args)) else range(*args)


def _tf_range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range") -> Any:
    if not _any_symbolic((start, limit, delta)):
        return range_(start, limit, delta, dtype)
    start, limit = (0, start) if limit is None else (start, limit)
    return SymbolicRange(start, limit, delta, dtype)


def _len(x: Any) -> Any:
    if isinstance(x, TensorArray):
        return x.size()
    if is_tensor(x):
        if not x.shape.rank:
            raise ValueError(f"len requires a non-scalar tensor, got one of shape {x.shape}")
        return x.shape[0]
    return len(x)


def _number(kind: type, dtype: str) -> Callable[..., Any]:
    def convert(x: Any = 0, *args: Any) -> Any:
        if not is_tensor(x) or not is_symbolic(to_tensor(x)):
            return kind(x, *args)
        return cast(x, dtype)

    return convert


def _sorted(x: Any, **kwargs: Any) -> Any:
    if not is_tensor(x) or not is_symbolic(to_tensor(x)):
        return builtins.sorted(x, **kwargs)
    if kwargs.get("key") is not None:
        raise SymbolicValueError(
            "sorted(tensor, key=...) would call a Python function on the value of each element, which is not known "
            "while a function is captured; use tf.argsort"
        )
    return sort(x, direction="DESCENDING" if kwargs.get("reverse") else "ASCENDING")


_BUILTINS: dict[Any, Callable[..., Any]] = {
    range: _range,
    len: _len,
    int: _number(int, "int32"),
    float: _number(float, "float32"),
    sorted: _sorted,
    range_: _tf_range,
}
_HASHABLE = (type, type(len), type(_range))
