"""The functions to which AutoGraph's rewritten code turns `for` and `while` statements."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from malt.operators.variables import Undefined, UndefinedReturnValue

from tapejax._src.core import dtypes, errors, nest
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor
from tapejax._src.engine import stream
from tapejax._src.engine.aval import aval
from tapejax._src.engine.capture import SymbolicValueError
from tapejax._src.engine.op import NO_STATIC, Op, static
from tapejax._src.function.autograph.state import read, staged, value_like, verified_condition
from tapejax._src.function.control_flow.branches import cond
from tapejax._src.function.control_flow.regions import Region, flatten, leaves_of, pack
from tapejax._src.function.control_flow.staging import loop, row_aval

__all__ = ["SymbolicRange", "for_stmt", "while_stmt"]

_ROW = Op("row", lambda x, i: lax.dynamic_index_in_dim(x, i, keepdims=False))
_HEAD = Op("slice", lambda x, size: x[:size])
_NEXT = Op("next", lambda i: i + jnp.int32(1))
_BELOW = Op("less", jnp.less)
_TERM = Op("range_term", lambda start, delta, i: start + i.astype(start.dtype) * delta)
# The value before the loop of a variable that only the loop sets. It is NaN, and remains so if the loop has no
# iterations. Python would raise an error then, which a compiled program cannot.
_BLANK = Op("not_set", lambda shape, dtype, value: jnp.full(shape, value if dtype.kind in "fc" else 0, dtype))
_CHANGED = (
    "See https://github.com/tensorflow/tensorflow/blob/master/tensorflow/python/autograph/g3doc/reference/"
    "limitations.md#consistency-of-control-flow-types for more info."
)


def _count(start: Any, limit: Any, delta: Any) -> Any:
    wide = jnp.float64 if start.dtype.kind == "f" else jnp.int64
    a, b, d = start.astype(wide), limit.astype(wide), delta.astype(wide)
    turns = jnp.ceil((b - a) / d) if wide is jnp.float64 else -((a - b) // d)
    return jnp.maximum(turns, 0).astype(jnp.int32)


_COUNT = Op("range_count", _count, differentiable=False)


class SymbolicRange:
    """The result of `tf.range` or `range` on symbolic tensors. Its length is unknown, but it can be iterated over."""

    def __init__(self, start: Any, limit: Any, delta: Any, dtype: Any = None):
        parts = [to_tensor(v) for v in (start, limit, delta)]
        order = [np.dtype(n) for n in ("int32", "int64", "float16", "float32", "float64")]
        wanted = (
            dtypes.to_numpy(dtype)
            if dtype is not None
            else max((p.aval.dtype for p in parts), key=lambda d: order.index(d) if d in order else -1)
        )
        self.start, self.limit, self.delta = (_cast(p, wanted) for p in parts)

    def count(self) -> Tensor:
        """The number of elements."""
        return stream.record(_COUNT, NO_STATIC, (self.start, self.limit, self.delta))

    def term(self, i: Tensor) -> Tensor:
        """The element at an index."""
        return stream.record(_TERM, NO_STATIC, (self.start, self.delta, i))

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise SymbolicValueError(
            "the length of tf.range depends on the value of a tensor, but a compiled program "
            "has fixed shapes; a `for` loop over tf.range is possible"
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse()

    __tf_tensor__ = __array__ = __iter__ = __len__ = __getitem__ = __bool__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __floordiv__ = __mod__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __pow__ = __neg__ = _refuse


def _cast(t: Tensor, dtype: Any) -> Tensor:
    return t if t.aval.dtype == dtype else stream.record(_CAST, static(dtype=dtype), (t,))


_CAST = Op("cast", lambda x, dtype: x.astype(dtype))


def while_stmt(
    test: Callable[[], Any],
    body: Callable[[], Any],
    get_state: Callable[[], tuple],
    set_state: Callable[[tuple], None],
    symbol_names: tuple[str, ...],
    opts: dict[str, Any],
) -> None:
    """The statement ``while test(): body()``.

    Args:
      test: the condition.
      body: the body of the loop.
      get_state: returns the values of the user's variables that the loop changes.
      set_state: sets these variables.
      symbol_names: their names.
      opts: the options given by `set_loop_options`.
    """
    first = test()
    if staged(first):
        state = _State(get_state, set_state, symbol_names, opts)
        state.run("while", lambda: verified_condition(test(), "while loop"), lambda: body())
        return
    going = first
    while going:
        body()
        going = test()
        if staged(going):
            raise NotImplementedError(
                "The condition of while loop started as non-Tensor, then changed to Tensor. This may happen either "
                "because variables changed type, or when a break or return statement inside the loop depends on a "
                f"Tensor condition. In both cases, changing to a TF loop should remove the error.\n{_CHANGED}"
            )


def for_stmt(
    iter_: Any,
    extra_test: Callable[[], Any] | None,
    body: Callable[[Any], Any],
    get_state: Callable[[], tuple],
    set_state: Callable[[tuple], None],
    symbol_names: tuple[str, ...],
    opts: dict[str, Any],
) -> None:
    """The statement ``for x in iter_: body(x)``.

    Args:
      iter_: what is iterated over.
      extra_test: whether to continue, if the body contains ``break`` or ``return``; otherwise None.
      body: the body of the loop, a function of the element.
      get_state: returns the values of the user's variables that the loop changes.
      set_state: sets these variables.
      symbol_names: their names.
      opts: the options given by `set_loop_options`.
    """
    if isinstance(iter_, SymbolicRange) or staged(iter_):
        _staged_for(iter_, extra_test, body, _State(get_state, set_state, symbol_names, opts))
        return
    if extra_test is not None and not _python_test(extra_test):
        return
    for target in iter_:
        body(target)
        if extra_test is not None and not _python_test(extra_test):
            break


def _python_test(test: Callable[[], Any]) -> bool:
    value = test()
    if staged(value):
        raise NotImplementedError(
            "break and return statements which depend on a TF condition are not supported in "
            f"Python for loops. Did you intend to make it a TF loop?\n{_CHANGED}"
        )
    return bool(value)


def _staged_for(iter_: Any, extra_test: Callable[[], Any] | None, body: Callable[[Any], Any], state: "_State") -> None:
    if isinstance(iter_, SymbolicRange):
        turns: Any = iter_.count()
        bound, term = None, iter_.term
    else:
        rows = to_tensor(iter_)
        if not rows.aval.shape:
            raise ValueError(f"len requires a non-scalar tensor, got one of shape {rows.shape}")
        bound = turns = rows.aval.shape[0]

        def term(i: Tensor) -> Tensor:
            return stream.record(_ROW, NO_STATIC, (rows, i))

        if extra_test is None:
            state.run("for", None, body, rows=[rows], length=turns)
            return
    # The index of the iteration is an additional element of the state, before the user's variables.
    limit = to_tensor(np.int32(turns)) if bound is not None else turns

    def going(i: Tensor) -> Any:
        more = stream.record(_BELOW, NO_STATIC, (i, limit))
        return more if extra_test is None else cond(more, extra_test, lambda: False)

    def turn(i: Tensor) -> Tensor:
        body(term(i))
        return stream.record(_NEXT, NO_STATIC, (i,))

    state.run("for", going, turn, index=True, bound=bound)


class _State:
    """The state of a loop: the values of the variables in the user's code that the loop changes.

    Such a variable is called a symbol, and its value may be a structure.

    Args:
      get_state: returns the values of the symbols.
      set_state: sets the symbols.
      symbol_names: the names of the symbols.
      opts: the options given by `set_loop_options`.
    """

    def __init__(
        self,
        get_state: Callable[[], tuple],
        set_state: Callable[[tuple], None],
        symbol_names: tuple[str, ...],
        opts: dict[str, Any],
    ):
        self.get_state = get_state
        self.set_state = set_state
        self.names = symbol_names
        self.maximum = opts.get("maximum_iterations")
        self.before = get_state()
        shapes = {id(v): shape for v, shape in opts.get("shape_invariants", ())}
        self.invariants = [shapes.get(id(v)) for v in self.before]

    def run(
        self,
        name: str,
        test: Callable[..., Any] | None,
        body: Callable[..., Any],
        *,
        rows: Sequence[Tensor] = (),
        length: int | None = None,
        index: bool = False,
        bound: int | None = None,
    ) -> None:
        """Records the loop, and sets the symbols to their final values.

        Args:
          name: the op's name.
          test: the condition, which is called with the symbols set, and with the index if `index` is set. None means
            that there are exactly `length` iterations.
          body: one iteration, which is called with the symbols set. It receives the index or the row.
          rows: tensors. Each iteration receives one element along the first axis.
          length: the number of iterations, if `test` is None.
          index: whether the state includes the index of the iteration. Then `body` returns the next index.
          bound: the greatest number of iterations, or None.
        """
        values = self._defined(body, rows, index, length)
        carried = [k for k, v in enumerate(values) if value_like(v) is not None]
        counter = [to_tensor(np.int32(0))] if index else []
        state = [*counter, *(values[k] for k in carried)]
        leaves = leaves_of(state)
        labels = ["'<index>'"] * len(counter) + [f"'{self.names[k]}'" for k in carried for _ in leaves_of(values[k])]
        shapes = [None] * len(counter) + [self.invariants[k] for k in carried for _ in leaves_of(values[k])]

        def enter(given: Sequence[Any]) -> None:
            full = list(values)
            for k, v in zip(carried, given[len(counter) :], strict=True):
                full[k] = v
            self.set_state(tuple(full))

        def turn(*given: Any) -> list[Any]:
            own, extra = given[: len(state)], given[len(state) :]
            enter(own)
            count = body(*own[: len(counter)], *extra)
            after = self.get_state()
            for k, new in enumerate(after):
                self._verify(k, values[k], new, k in carried)
            return [*([count] if index else []), *(after[k] for k in carried)]

        def going(*given: Any) -> Any:
            enter(given)
            assert test is not None
            return test(*given[: len(counter)])

        maximum = self.maximum
        if test is None and maximum is not None and length is not None:
            length = min(length, int(maximum))
            rows = [stream.record(_HEAD, static(size=length), (r,)) for r in rows]
        elif bound is not None:
            maximum = bound if maximum is None else min(bound, int(maximum))
        try:
            results = loop(
                name,
                None if test is None else going,
                turn,
                state,
                leaves,
                rows=rows,
                length=length,
                maximum=None if test is None else maximum,
                invariants=shapes,
                describe=lambda k: labels[k],
            )
        finally:
            self.set_state(self.before)
        final = list(values)
        for k, value in zip(carried, pack(state, leaves, results)[len(counter) :], strict=True):
            final[k] = value
        self.set_state(tuple(final))

    def _verify(self, k: int, old: Any, new: Any, carried: bool) -> None:
        name = self.names[k]
        if not carried:
            if new is not old and not (old is None and new is None):
                raise TypeError(
                    f"'{name}' must be a tensor, number or structure of them to change in a loop on "
                    f"tensors; got {old!r}, then {new!r}"
                )
            return
        if new is None:
            raise ValueError(f"'{name}' is None at the end of the iteration.")
        if isinstance(new, Undefined) or value_like(new) is None:
            raise TypeError(
                f"'{name}' must stay a tensor, number or structure of them in a loop on tensors; got {new!r}"
            )
        try:
            nest.assert_same_structure(old, read(new), expand_composites=True)
        except (TypeError, ValueError) as e:
            raise TypeError(f"'{name}' does not have the same nested structure after one iteration.\n\n{e}") from None

    def _defined(self, body: Callable[..., Any], rows: Sequence[Tensor], index: bool, length: int | None) -> list[Any]:
        """The values of the symbols before the loop.

        A symbol that is set only in the loop has no value before it. To find out its shape and dtype, one iteration is
        captured. The symbol then gets a blank value of this shape and dtype.
        """
        values = [read(v) for v in self.before]
        missing = [k for k, v in enumerate(values) if v is None or isinstance(v, (Undefined, UndefinedReturnValue))]
        if not missing:
            return values
        carried = [k for k, v in enumerate(values) if value_like(v) is not None]
        leaves = leaves_of([values[k] for k in carried])
        tensors = flatten(leaves)
        found: list[Any] = []

        def once(*given: Tensor) -> list[Any]:
            rest = iter(given)
            counter = [next(rest)] if index else []
            own = pack([values[k] for k in carried], leaves, [None if t is None else next(rest) for t in tensors])
            full = list(values)
            for k, v in zip(carried, own, strict=True):
                full[k] = v
            self.set_state(tuple(full))
            body(*counter, *rest)
            after = self.get_state()
            found.extend(after[k] for k in missing)
            return [value_like(v) for v in found]

        why = ""
        given = [
            *([aval((), np.dtype(np.int32))] if index else []),
            *(t.aval for t in tensors if t is not None),
            *map(row_aval, rows),
        ]
        try:
            region = Region(once, given)
        except SymbolicValueError:
            raise
        except (UnboundLocalError, TypeError, ValueError, KeyError) as e:
            why = f"\nNote: AutoGraph tried to define it automatically, but ran into a {type(e).__name__}: {e}"
            region = None
        finally:
            self.set_state(self.before)
        rest = iter([] if region is None else region.structure)
        for at, k in enumerate(missing):
            like = next(rest, None)
            self._verify_missing(k, like, found[at] if at < len(found) else None, why)
            if like is None:
                continue
            kept = _result(region, at)
            values[k] = pack(
                like,
                kept[0],
                [None if t is None else _blank(t, isinstance(self.before[k], Undefined)) for t in kept[1]],
            )
            if length == 0:
                raise errors.InvalidArgumentError(
                    message=f"loop must iterate at least once to initialize {self.names[k]}"
                )
        return values

    def _verify_missing(self, k: int, like: Any, found: Any, why: str) -> None:
        name, old = self.names[k], self.before[k]
        if isinstance(old, UndefinedReturnValue):
            if like is None:
                raise NotImplementedError(
                    "a return statement cannot be placed inside this TensorFlow loop; this may happen if a return "
                    "statement depends on a static Python condition such as a hyperparameter"
                )
        elif old is None:
            if why or (like is None and found is not None):
                raise ValueError(f"'{name}' is not allowed to be None before the loop{why}")
        elif like is None and not isinstance(found, Undefined) and found is not None or why:
            raise ValueError(f"'{name}' must be defined before the loop{why}")


def _result(region: Any, at: int) -> tuple[list[Any], list[Tensor | None]]:
    """The leaves and tensors that belong to the value at position `at` of what a region returned."""
    start = sum(len(nest.flatten(v, expand_composites=True)) for v in region.structure[:at])
    size = len(nest.flatten(region.structure[at], expand_composites=True))
    return region.leaves[start : start + size], region.tensors[start : start + size]


def _blank(t: Tensor, undefined: bool) -> Tensor:
    return stream.record(_BLANK, static(shape=t.aval.shape, dtype=t.aval.dtype, value=np.nan if undefined else 0.0), ())
