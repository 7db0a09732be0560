"""`custom_gradient`: functions with a gradient that the user defines."""

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
from tapejax._src.engine.capture import Captured, Reads, SymbolicValueError
from tapejax._src.engine.graph import path
from tapejax._src.engine.op import NO_STATIC, Op, static
from tapejax._src.engine.program import is_concrete

__all__ = ["custom_gradient", "grad_pass_through"]

# The op returns its last `count` inputs, which are the results of the user's function; its other inputs are the
# arguments. So tapes see a single op from arguments to results, and call the user's gradient function for it.
_CUSTOM = Op("custom_gradient", lambda *arrays, count: tuple(arrays[-count:]))


def custom_gradient(f: Callable | None = None) -> Callable:
    """Decorator for functions that return their result together with a function that computes the gradient.

    Args:
      f: a function of tensors that returns ``(result, grad_fn)``. Keyword arguments are passed on, but not
        differentiated. The result is a tensor or a structure of tensors. ``grad_fn(*upstream)`` receives one upstream
        gradient for each result tensor, and returns one gradient (or None) for each argument. If `f` reads trainable
        variables, `grad_fn` must accept the keyword ``variables`` and return ``(gradients of the arguments, gradients
        of the variables)``.

    Returns:
      A function that returns the result alone. Its gradient is what `grad_fn` computes. Higher derivatives are
      derivatives of `grad_fn`.

    Raises:
      TypeError: `f` reads variables, and `grad_fn` has no argument ``variables``.
      ValueError: `grad_fn` returns the wrong number of gradients. This is raised when the gradient is taken.

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
    watcher = Reads()
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
    reads = tuple(to_tensor(v) for v in variables)  # reads the variables, so that tapes watch them
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
        # In op-by-op mode the op has run already, and the tapes have its entry.
        for tape in stream.thread.tapes:
            record = getattr(tape, "_record", None)
            if record is not None:
                record.attach(trace, slot, gradient)
    else:
        trace.customs[slot] = gradient
    return nest.pack_sequence_as(result, outs)


def _gradient(grad_fn: Callable, results: list[Tensor], n_inputs: int, variables: list[Variable]) -> Callable:
    """The gradient function of one call.

    It takes one cotangent for each result, or None for zeros. It returns one gradient for each input, followed by one
    for each variable.
    """
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
    """Records, while a graph is captured, an op from `given` to `results` whose derivative in JAX is `gradient`.

    The gradient function is captured as a graph of its own. Other values that it uses become inputs of the op, so that
    higher derivatives by them can be taken.
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
                "in a captured function gradients must have no side effects",
                "Assign after the gradient is taken.",
            )
    except (SymbolicValueError, UnsupportedError) as error:
        # The error is raised only if the gradient is asked for.
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
    """The function of the op: it takes the inputs, the results and the values that the gradient uses.

    It returns the results unchanged, and its derivative is the captured gradient.
    """
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
    """Adapts a gradient to `jax.custom_vjp`.

    That expects None for zeros, and otherwise the shape of the primal. JAX's gradients of complex numbers are the
    conjugates of TensorFlow's.
    """
    if grad is None or of.dtype.kind not in "fcV":
        return None
    return jnp.conj(jnp.broadcast_to(grad, of.shape))


def _failing(error: Exception, n: int, count: int) -> Callable:
    """A function of `n` arrays that returns the last `count` of them, and raises `error` when it is differentiated."""

    @jax.custom_vjp
    def call(*arrays: Any) -> tuple:
        return arrays[n - count :]

    def backward(arrays: tuple, cotangents: tuple) -> tuple:
        raise error

    call.defvjp(lambda *arrays: (call(*arrays), arrays), backward)
    return call


def _inside_jax(f: Callable, inputs: tuple[Tensor, ...], args: Any, kwargs: dict[str, Any]) -> Any:
    """Calls `f` inside a transformation of JAX such as `jax.grad`: captures it as one op that JAX can differentiate."""

    def run(*tensors: Tensor) -> tuple[Any, list[Tensor]]:
        result = _call(f, list(tensors), tensors, nest.pack_sequence_as(args, list(tensors)), kwargs)
        return result, inside([to_tensor(r) for r in nest.flatten(result)])

    captured = capture_here(run, [t.aval for t in inputs])
    result, tensors = captured.results
    return nest.pack_sequence_as(result, emit("custom_gradient", captured, tensors, inputs))


def grad_pass_through(f: Callable) -> Callable:
    """Replaces the gradient of `f` by that of the identity: upstream gradients are passed on unchanged.

    Args:
      f: a function of tensors. It must have as many results as arguments, of the same shapes.

    Returns:
      A function with the same results.

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
