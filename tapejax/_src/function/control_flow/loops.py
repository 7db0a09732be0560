"""Loops over the elements of tensors: `tf.map_fn`, `tf.scan`, `tf.foldl`, `tf.foldr` and `tf.vectorized_map`.

In eager mode the user's function is called for each element. While a graph is captured, the function is captured once,
and the loop is one op that uses `jax.lax.scan`. `vectorized_map` captures the function in both cases, and is one op
that uses `jax.vmap`.
"""

import logging
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from tapejax._src.core import dtypes, errors, nest
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.shape import TensorShape
from tapejax._src.core.specs import TensorSpec
from tapejax._src.core.tensor import Tensor
from tapejax._src.engine import stream
from tapejax._src.engine.capture import SymbolicValueError
from tapejax._src.engine.op import NO_STATIC, Op
from tapejax._src.function.autograph.conversion import in_context
from tapejax._src.function.control_flow.regions import Region, Wiring, is_staged, leaves_of, numbers, pack
from tapejax._src.function.control_flow.staging import loop, row_aval
from tapejax._src.function.control_flow.tensor_array import TensorArray

__all__ = ["foldl", "foldr", "map_fn", "scan", "vectorized_map"]

_log = logging.getLogger("tapejax")
_FIRST = Op("concat", lambda x, rest: jnp.concatenate([x[None], rest]))
_LAST = Op("concat", lambda x, rest: jnp.concatenate([rest, x[None]]))


def _rows(elems: Any) -> tuple[list[Any], int]:
    """The tensors of a structure, and the size of their first axes, which must be the same for all."""
    rows = [to_tensor(e) for e in nest.flatten(elems)]
    if not rows:
        raise ValueError("elems must be a Tensor or (possibly nested) sequence of Tensors; got none")
    if any(not r.aval.shape for r in rows):
        raise ValueError("Elements in elems must be 1+ dimensional Tensors, not scalars")
    sizes = {r.aval.shape[0] for r in rows}
    if len(sizes) > 1:
        raise ValueError(f"Dimensions {' and '.join(map(str, sorted(sizes, reverse=True)))} are not compatible")
    return rows, sizes.pop()


def _check_callable(fn: Any) -> None:
    if not callable(fn):
        raise TypeError(f"The provided function {fn!r} is not callable. fn must be callable.")


def _structured(like: Any, result: Any, hints: Any, what: str) -> Any:
    """Checks that a function's result has the structure of `like` and the dtypes `hints`, and makes tensors of it."""
    nest.assert_same_structure(like, result)
    leaves = [to_tensor(r, None, h) for r, h in zip(nest.flatten(result), hints, strict=True)]
    for leaf, hint in zip(leaves, hints, strict=True):
        if leaf.aval.dtype != hint:
            raise errors.InvalidArgumentError(
                message=f"{what} has dtype {dtypes.from_numpy(hint).name} but Op is trying to write dtype "
                f"{leaf.dtype.name}"
            )
    return nest.pack_sequence_as(like, leaves)


@public("map_fn")
def map_fn(
    fn: Callable[..., Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
    fn_output_signature: Any = None,
) -> Any:
    """Applies a function to each element along the first axis, and stacks the results.

    Args:
      fn: a function that takes an element, as a structure like `elems`.
      elems: a tensor [n, ...], or a structure of such tensors.
      dtype: the old name of `fn_output_signature`.
      parallel_iterations: of no effect.
      back_prop: of no effect.
      swap_memory: of no effect.
      infer_shape: of no effect: all results must have the same shape, because they are stacked.
      name: of no effect.
      fn_output_signature: dtypes or `TensorSpec`s, in the structure of the results. It may be left out if the results
        have the structure and dtypes of `elems`.

    Returns:
      Tensors [n, ...] in the structure of the results.

    Raises:
      ValueError: `elems` holds scalars, or tensors of different sizes; or a result has another structure or shape.
      InvalidArgumentError: a result has another dtype.
      UnsupportedError: `fn_output_signature` asks for something else than dense tensors.

    Source: https://www.tensorflow.org/api_docs/python/tf/map_fn

    >>> map_fn(lambda x: x * x, to_tensor([1.0, 2.0, 3.0])).numpy().tolist()
    [1.0, 4.0, 9.0]
    """
    if not callable(fn):
        raise AttributeError(f"`fn` of tf.map_fn must be callable, received {fn!r}")
    rows, size = _rows(elems)
    signature = fn_output_signature if fn_output_signature is not None else dtype
    signature = nest.map_structure(lambda e: to_tensor(e).dtype, elems) if signature is None else signature
    specs = nest.flatten(signature)
    for spec in specs:
        if not isinstance(spec, TensorSpec) and not _is_dtype(spec):
            raise errors.UnsupportedError(
                f"tf.map_fn(fn_output_signature={spec!r})", "results are plain tensors", "Give dtypes or TensorSpecs."
            )
    shapes = [s.shape if isinstance(s, TensorSpec) else TensorShape(None) for s in specs]
    kinds = [dtypes.to_numpy(s.dtype if isinstance(s, TensorSpec) else s) for s in specs]
    fn = in_context(fn)

    def call(*element: Tensor) -> Any:
        found = _structured(signature, fn(nest.pack_sequence_as(elems, element)), kinds, "TensorArray")
        for leaf, shape in zip(nest.flatten(found), shapes, strict=True):
            if not shape.is_compatible_with(leaf.shape):
                raise ValueError(f"Incompatible shape for value ({leaf.shape}), expected ({shape})")
        return found

    if is_staged(rows):
        return loop("map_fn", None, lambda *x: ([], call(*x)), [], [], rows=rows, length=size, emit=True)[1]
    arrays = [TensorArray(kind, size, element_shape=shape) for kind, shape in zip(kinds, shapes, strict=True)]
    for k in range(size):
        for array, value in zip(arrays, nest.flatten(call(*(r[k] for r in rows))), strict=True):
            array.write(k, value)
    return nest.pack_sequence_as(signature, [a.stack() for a in arrays])


def _is_dtype(value: Any) -> bool:
    try:
        return dtypes.to_numpy(value) is not None
    except TypeError:
        return False


@public("scan")
def scan(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str | None = None,
) -> Any:
    """Combines elements one after the other, and returns all intermediate results.

    Args:
      fn: a function ``(accumulated, element) -> accumulated``.
      elems: a tensor [n, ...], or a structure of such tensors.
      initializer: the accumulated value before the first element. By default the first element takes its place, and is
        the first result.
      parallel_iterations: of no effect.
      back_prop: of no effect.
      swap_memory: of no effect.
      infer_shape: of no effect: all results must have the same shape, because they are stacked.
      reverse: whether to go from the last element to the first.
      name: of no effect.

    Returns:
      Tensors [n, ...] in the structure of `initializer`, or of `elems` if there is no initializer.

    Raises:
      ValueError: `elems` holds scalars, or tensors of different sizes; or a result has another structure.
      OutOfRangeError: there are no elements and no initializer (InvalidArgumentError while a graph is captured).

    Source: https://www.tensorflow.org/api_docs/python/tf/scan

    >>> scan(lambda a, x: a + x, to_tensor([1.0, 2.0, 3.0])).numpy().tolist()
    [1.0, 3.0, 6.0]
    """
    _check_callable(fn)
    rows, size = _rows(elems)
    staged = is_staged([*rows, *nest.flatten(initializer)])
    like, first, rest = _start(elems, rows, size, initializer, reverse, staged)
    fn = in_context(fn)
    step = _accumulate(fn, like, first, elems)
    if staged:
        kept = nest.flatten(
            loop(
                "scan",
                None,
                _emitting(step),
                first,
                first,
                rows=rest,
                length=size - (initializer is None),
                reverse=reverse,
                emit=True,
            )[1]
        )
        if initializer is None:
            op = _LAST if reverse else _FIRST
            kept = [stream.record(op, NO_STATIC, (x, ys)) for x, ys in zip(first, kept, strict=True)]
        return nest.pack_sequence_as(like, kept)
    arrays = [TensorArray(f.dtype, size) for f in first]
    places = iter(range(size - 1, -1, -1) if reverse else range(size))
    if initializer is None:
        _write(arrays, next(places), first)
    values = first
    for k in places:
        values = step(*values, *(r[k] for r in rows))
        _write(arrays, k, values)
    return nest.pack_sequence_as(like, [a.stack() for a in arrays])


def _write(arrays: list[TensorArray], k: int, values: list[Tensor]) -> None:
    for array, value in zip(arrays, values, strict=True):
        array.write(k, value)


def _emitting(step: Callable[..., list[Tensor]]) -> Callable[..., Any]:
    def body(*values: Tensor) -> Any:
        found = step(*values)
        return found, found

    return body


def _start(
    elems: Any, rows: list[Any], size: int, initializer: Any, reverse: bool, staged: bool
) -> tuple[Any, list[Tensor], list[Any]]:
    """The structure of the accumulated value, its initial tensors, and the tensors that hold the remaining elements."""
    if initializer is not None:
        return initializer, [to_tensor(i) for i in nest.flatten(initializer)], rows
    if not size:
        kind = errors.InvalidArgumentError if staged else errors.OutOfRangeError
        raise kind(message="Tried to read from index 0 but array size is: 0")
    if reverse:
        return elems, [r[size - 1] for r in rows], [r[: size - 1] for r in rows]
    return elems, [r[0] for r in rows], [r[1:] for r in rows]


def _accumulate(fn: Callable[..., Any], like: Any, first: list[Tensor], elems: Any) -> Callable[..., list[Tensor]]:
    """`fn` as a function of flat tensors: those of the accumulated value, followed by those of an element."""

    def step(*values: Tensor) -> list[Tensor]:
        n = len(first)
        found = fn(nest.pack_sequence_as(like, values[:n]), nest.pack_sequence_as(elems, values[n:]))
        nest.assert_same_structure(like, found)
        return [to_tensor(v, None, f.aval.dtype) for v, f in zip(nest.flatten(found), first, strict=True)]

    return step


def _fold(name: str, fn: Callable[..., Any], elems: Any, initializer: Any, reverse: bool) -> Any:
    _check_callable(fn)
    rows, size = _rows(elems)
    staged = is_staged([*rows, *nest.flatten(initializer)])
    like, values, rest = _start(elems, rows, size, initializer, reverse, staged)
    step = _accumulate(in_context(fn), like, values, elems)
    count = size - (initializer is None)
    if staged:
        values = loop(name, None, step, values, values, rows=rest, length=count, reverse=reverse)
    else:
        for k in reversed(range(count)) if reverse else range(count):
            values = step(*values, *(r[k] for r in rest))
    return nest.pack_sequence_as(like, values)


@public("foldl")
def foldl(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """Combines the elements along the first axis, from the first to the last.

    Args:
      fn: a function ``(accumulated, element) -> accumulated``.
      elems: a tensor [n, ...], or a structure of such tensors.
      initializer: the accumulated value before the first element; by default the first element itself.
      parallel_iterations: of no effect.
      back_prop: of no effect.
      swap_memory: of no effect.
      name: of no effect.

    Returns:
      The accumulated value after the last element.

    Raises:
      ValueError: `elems` holds scalars, or tensors of different sizes; or a result has another structure.
      OutOfRangeError: there are no elements and no initializer (InvalidArgumentError while a graph is captured).

    Source: https://www.tensorflow.org/api_docs/python/tf/foldl

    >>> foldl(lambda a, x: a - x, to_tensor([5.0, 2.0, 1.0])).numpy().item()
    2.0
    """
    return _fold("foldl", fn, elems, initializer, False)


@public("foldr")
def foldr(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """Combines the elements along the first axis, from the last to the first.

    Args:
      fn: a function ``(accumulated, element) -> accumulated``.
      elems: a tensor [n, ...], or a structure of such tensors.
      initializer: the accumulated value before the last element; by default the last element itself.
      parallel_iterations: of no effect.
      back_prop: of no effect.
      swap_memory: of no effect.
      name: of no effect.

    Returns:
      The accumulated value after the first element.

    Raises:
      ValueError: `elems` holds scalars, or tensors of different sizes; or a result has another structure.
      OutOfRangeError: there are no elements and no initializer (InvalidArgumentError while a graph is captured).

    Source: https://www.tensorflow.org/api_docs/python/tf/foldr

    >>> foldr(lambda a, x: a - x, to_tensor([5.0, 2.0, 1.0])).numpy().item()
    -6.0
    """
    return _fold("foldr", fn, elems, initializer, True)


@public("vectorized_map")
def vectorized_map(fn: Callable[..., Any], elems: Any, fallback_to_while_loop: bool = True, warn: bool = True) -> Any:
    """Applies a function to all elements along the first axis at once.

    The function is captured once, and `jax.vmap` applies it to all elements.

    Args:
      fn: a function that takes an element, as a structure like `elems`, and returns a structure of tensors.
      elems: a tensor [n, ...], or a structure of such tensors. A tensor [1, ...] is repeated.
      fallback_to_while_loop: whether to call `fn` for each element if it cannot be captured. This is possible in eager
        mode only.
      warn: whether to log a warning when that happens.

    Returns:
      Tensors [n, ...] in the structure that `fn` returns.

    Raises:
      ValueError: `elems` holds scalars, or tensors of different sizes.
      SymbolicValueError: `fn` cannot be captured, and is not called for each element.
      UnsupportedError: `fn` assigns variables.

    Source: https://www.tensorflow.org/api_docs/python/tf/vectorized_map

    >>> vectorized_map(lambda x: x * x, to_tensor([1.0, 2.0, 3.0])).numpy().tolist()
    [1.0, 4.0, 9.0]
    """
    _check_callable(fn)
    rows: list[Any] = [to_tensor(e) for e in nest.flatten(elems)]
    if any(not r.aval.shape for r in rows):
        raise ValueError("Elements in elems must be 1+ dimensional Tensors, not scalars")
    size = max((r.aval.shape[0] for r in rows), default=0)
    if any(r.aval.shape[0] not in (1, size) for r in rows):
        raise ValueError(
            f"The sizes of the first axes of `elems` must be equal, or 1; received {[r.aval.shape[0] for r in rows]}"
        )
    fn = in_context(fn)
    try:
        region = Region(lambda *x: fn(nest.pack_sequence_as(elems, x)), [row_aval(r) for r in rows])
    except SymbolicValueError as e:
        if stream.current().symbolic or not fallback_to_while_loop:
            raise
        if warn:
            _log.warning("vectorized_map calls %s for each element: %s", getattr(fn, "__name__", fn), e)
        picked = [[r[k if r.aval.shape[0] > 1 else 0] for r in rows] for k in range(size)]
        results = [fn(nest.pack_sequence_as(elems, x)) for x in picked]
        stacked = [_stack([leaves_of(r)[k] for r in results]) for k in range(len(leaves_of(results[0])))]
        return pack(results[0], leaves_of(results[0]), stacked)
    return _vectorized(region, rows, size)


def _stack(items: list[Tensor]) -> Tensor:
    return stream.record(_STACK, NO_STATIC, tuple(items))


_STACK = Op("stack", lambda *xs: jnp.stack(xs))


def _vectorized(region: Region, rows: list[Tensor], size: int) -> Any:
    if region.assigned:
        raise errors.UnsupportedError(
            "tf.vectorized_map(`fn`)", "it assigns variables, once for all elements", "Use tf.map_fn."
        )
    wiring = Wiring([region])
    tensors = [t for t in region.tensors if t is not None]
    graph = region.graph(tensors)
    key = ("vectorized_map", graph.outputs, len(rows), wiring.plan.key, size)
    memo = region.captured.end.memo
    op = memo.get(key)
    if op is None:
        # Only these values are captured by `run`. The op stays in the memo, so it must not keep tensors alive.
        n, m, plan = len(rows), len(wiring.invariants), wiring.plan

        def run(*arrays: Any) -> tuple:
            def one(k: Any, *xs: Any) -> tuple:
                (scalars,) = plan.numbers(arrays[n + m :], k)
                return tuple(graph([*xs, *plan.feed(0, (), arrays[n : n + m])], scalars))

            spread = [jnp.broadcast_to(r, (size, *r.shape[1:])) for r in arrays[:n]]
            return jax.vmap(one)(jnp.arange(size, dtype=jnp.int32), *spread)

        op = memo[key] = Op("vectorized_map", run)
    outs = iter(stream.record(op, NO_STATIC, (*rows, *wiring.invariants, *numbers([region], size))))
    return pack(region.structure, region.leaves, [None if t is None else next(outs) for t in region.tensors])
