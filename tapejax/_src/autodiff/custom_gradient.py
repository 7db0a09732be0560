"""`custom_gradient`: functions that bring their own gradient."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tapejax._src.autodiff.backward import zeros_like
from tapejax._src.autodiff.subgraph import capture_here, emit, inside
from tapejax._src.core import nest
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.errors import UnsupportedError
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.core.variable import Variable
from tapejax._src.engine import stream
from tapejax._src.engine.capture import Captured, SymbolicValueError
from tapejax._src.engine.graph import path
from tapejax._src.engine.op import NO_STATIC, Op, static
from tapejax._src.engine.program import is_concrete

__all__ = ["custom_gradient", "grad_pass_through"]

# Passes its last `count` inputs on. Tapes see one op from the arguments to the results, and call the user's
# gradient for it.
_CUSTOM = Op("custom_gradient", lambda *arrays, count: tuple(arrays[-count:]))


class _VariableWatcher:
    """Stands among the tapes while the function runs: which trainable variables does it read?"""

    def __init__(self) -> None:
        self.variables: dict[int, Variable] = {}

    def begin(self, trace: Any) -> None:
        """Needs nothing of a trace."""

    def note_read(self, variable: Variable, tensor: Tensor) -> None:
        """A trainable variable was read."""
        self.variables.setdefault(id(variable), variable)


def custom_gradient(f: Callable | None = None) -> Callable:
    """Decorator: `f` returns its result and a function that computes its gradient.

    Args:
      f: function of tensors (and keyword arguments, not differentiated) that returns ``(result, grad_fn)``. The
        result is a tensor or a structure of them. ``grad_fn(*upstream)`` gets one cotangent for each result tensor
        and returns one gradient (or None) for each argument. If `f` reads trainable variables, `grad_fn` must take
        ``variables=`` and return ``(gradients of the arguments, gradients of the variables)``.

    Returns:
      A function that returns the result alone. Its gradient, to any order, is what `grad_fn` computes.

    Raises:
      TypeError: variables are read and `grad_fn` has no ``variables`` argument.
      ValueError: (when differentiated) the wrong number of gradients.

    Source: https://www.tensorflow.org/api_docs/python/tf/custom_gradient

    >>> import tapejax as tf
    >>> @tf.custom_gradient
    ... def twice_steeper(x):
    ...     return x * x, lambda upstream: upstream * 4.0 * x
    >>> x = tf.constant(3.0)
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = twice_steeper(x)
    >>> tape.gradient(y, x).numpy().item()
    12.0
    """
    if f is None:
        return custom_gradient

    @functools.wraps(f)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        arguments = [a if isinstance(a, Variable) else to_tensor(a) for a in nest.flatten(args)]
        inputs = tuple(to_tensor(a) for a in arguments)
        if any(t._value is not None and not is_concrete(t._value) and t.aval.dtype != object for t in inputs):
            return _inside_jax(f, inputs, args, kwargs)
        return _call(f, arguments, inputs, nest.pack_sequence_as(args, arguments), kwargs)

    return decorated


def _call(f: Callable, arguments: list[Any], inputs: tuple[Tensor, ...], given: Any, kwargs: dict[str, Any]) -> Any:
    watcher = _VariableWatcher()
    stream.thread.tapes.append(watcher)
    try:
        result, grad_fn = f(*given, **kwargs)
    finally:
        stream.thread.tapes.remove(watcher)
    passed = {id(a) for a in arguments if isinstance(a, Variable)}
    variables = [v for k, v in watcher.variables.items() if k not in passed]
    parameters = inspect.signature(grad_fn).parameters
    takes_variables = "variables" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if variables and not takes_variables:
        raise TypeError(
            "If using @custom_gradient with a function that uses variables, then grad_fn must accept a "
            f"keyword argument 'variables'. It reads {[v.name for v in variables]}."
        )
    results = [to_tensor(r) for r in nest.flatten(result)]
    reads = tuple(to_tensor(v) for v in variables)  # tapes note these reads
    if isinstance(result, Tensor) and not inputs and not reads:
        return result
    gradient = _gradient(grad_fn, results, len(inputs), variables)
    given_to_op = (*inputs, *reads)
    if stream.current().symbolic:
        outs = _record_rule(gradient, given_to_op, results)
    else:
        outs = stream.record(_CUSTOM, static(count=len(results)), (*given_to_op, *results))
    trace: Any = outs[0]._trace
    slot = outs[0]._slot
    if trace.done:
        # Op-by-op mode: it has run, and the tapes have noted it.
        for tape in stream.thread.tapes:
            record = getattr(tape, "_record", None)
            if record is not None:
                record.attach(trace, slot, gradient)
    else:
        trace.customs[slot] = gradient
    return nest.pack_sequence_as(result, outs)


def _gradient(grad_fn: Callable, results: list[Tensor], n_inputs: int, variables: list[Variable]) -> Callable:
    """The gradient of one call: from cotangents (None where zero) to gradients of inputs and variables."""
    shapes = [(t.aval.shape, t.aval.dtype) for t in results]

    def gradient(cotangents: list[Tensor | None]) -> list[Tensor | None]:
        upstream = [from_value(np.zeros(*s)) if c is None else c for c, s in zip(cotangents, shapes, strict=True)]
        if variables:
            grads, variable_grads = grad_fn(*upstream, variables=variables)
            variable_grads = nest.flatten(variable_grads)
            if len(variable_grads) != len(variables):
                raise ValueError(
                    f"Must return gradient for each variable from @custom_gradient grad_fn: got "
                    f"{len(variable_grads)} for {len(variables)} variables."
                )
        else:
            grads, variable_grads = grad_fn(*upstream), []
        grads = nest.flatten(grads)
        if len(grads) != n_inputs:
            raise ValueError(
                f"custom_gradient function expected to return {n_inputs} gradients, but returned {len(grads)} instead."
            )
        return [None if g is None else to_tensor(g) for g in (*grads, *variable_grads)]

    return gradient


def _record_rule(gradient: Callable, given: tuple[Tensor, ...], results: list[Tensor]) -> tuple[Tensor, ...]:
    """Records, in a graph that is being captured, the op from `given` to `results` whose `jax.vjp` is `gradient`.

    The gradient is captured as a graph of its own; what else it uses becomes inputs of the op, so that derivatives of
    higher order reach it.
    """
    n, count = len(given), len(results)

    def rule(*cotangents: Tensor) -> list[Tensor | None]:
        grads = gradient(list(cotangents))
        moved = iter(inside([g for g in grads if g is not None]))
        return [None if g is None else next(moved) for g in grads]

    try:
        captured = capture_here(rule, [t.aval for t in results])
        if captured.assigned:
            raise UnsupportedError(
                "a custom gradient that assigns variables",
                "in a captured function gradients are pure",
                "assign after the gradient is taken",
            )
    except (SymbolicValueError, UnsupportedError) as error:
        # It matters when it is asked for.
        op = Op("custom_gradient", _failing(error, n + count, count))
        return stream.record(op, NO_STATIC, (*given, *results))
    present = [g for g in captured.results if g is not None]
    where = tuple(i for i, g in enumerate(captured.results) if g is not None)
    key = ("custom_gradient", captured.slots(present), where, n, len(captured.inputs))
    op = captured.end.memo.get(key)
    if op is None:
        op = captured.end.memo[key] = Op("custom_gradient", _rule(captured, present, where, n, count))
    captured.note_reads()
    return stream.record(op, NO_STATIC, (*given, *results, *captured.inputs, *captured.numbers()))


def _rule(captured: Captured, present: list[Tensor], where: tuple[int, ...], n: int, count: int) -> Callable:
    """The function ``(given, results, what the gradient uses) -> results`` with the captured gradient."""
    graph = captured.graph(present)
    avals = [node.avals[0] for node in path(captured.end) if node.op is None][:count]
    split = len(captured.inputs)

    @jax.custom_vjp
    def call(*arrays: Any) -> tuple:
        return arrays[n : n + count]

    def forward(*arrays: Any) -> tuple[tuple, tuple]:
        return call(*arrays), arrays

    def backward(arrays: tuple, cotangents: tuple) -> tuple:
        upstream = [
            jnp.conj(c) if a.inexact else jnp.zeros(a.shape, a.dtype) for c, a in zip(cotangents, avals, strict=True)
        ]
        used = arrays[n + count :]
        found = dict(zip(where, graph([*upstream, *used[:split]], used[split:]), strict=True))
        return tuple(_fitting(found.get(i), a) for i, a in enumerate(arrays))

    call.defvjp(forward, backward)
    return call


def _fitting(grad: Any, of: Any) -> Any:
    """A gradient as `jax.custom_vjp` wants it: None for zero, otherwise of the primal's shape, unconjugated."""
    if grad is None or of.dtype.kind not in "fcV":
        return None
    return jnp.conj(jnp.broadcast_to(grad, of.shape))


def _failing(error: Exception, n: int, count: int) -> Callable:
    """A function that passes its last inputs on, and raises when it is differentiated."""

    @jax.custom_vjp
    def call(*arrays: Any) -> tuple:
        return arrays[n - count :]

    def backward(arrays: tuple, cotangents: tuple) -> tuple:
        raise error

    call.defvjp(lambda *arrays: (call(*arrays), arrays), backward)
    return call


def _inside_jax(f: Callable, inputs: tuple[Tensor, ...], args: Any, kwargs: dict[str, Any]) -> Any:
    """Under `jax.grad` and the like: captured, and recorded as one op that JAX can differentiate."""

    def run(*tensors: Tensor) -> tuple[Any, list[Tensor]]:
        result = _call(f, list(tensors), tensors, nest.pack_sequence_as(args, list(tensors)), kwargs)
        return result, inside([to_tensor(r) for r in nest.flatten(result)])

    captured = capture_here(run, [t.aval for t in inputs])
    result, tensors = captured.results
    return nest.pack_sequence_as(result, emit("custom_gradient", captured, tensors, inputs))


def grad_pass_through(f: Callable) -> Callable:
    """Makes the gradient of `f` the identity: what comes from above goes on unchanged.

    Source: https://www.tensorflow.org/api_docs/python/tf/grad_pass_through

    >>> import tapejax as tf
    >>> x = tf.Variable(1.4)
    >>> with tf.GradientTape() as tape:
    ...     y = tf.grad_pass_through(tf.round)(x) * 3.0
    >>> tape.gradient(y, x).numpy().item()
    3.0
    """

    @custom_gradient
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        def grad(*upstream: Any, variables: Any = None) -> Any:
            grads = upstream[0] if len(args) == 1 else list(upstream)
            return (grads, [zeros_like(v) for v in variables]) if variables is not None else grads

        return f(*args, **kwargs), grad

    return wrapped
