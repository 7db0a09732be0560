"""`custom_gradient`: functions that bring their own gradient."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from tapejax import nest
from tapejax.autodiff.backward import zeros_like
from tapejax.convert import to_tensor
from tapejax.engine import stream
from tapejax.engine.op import NO_STATIC, Op, static
from tapejax.engine.program import is_concrete
from tapejax.tensor import Tensor, from_value
from tapejax.variable import Variable

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
        given = nest.pack_sequence_as(args, arguments)
        inputs = tuple(to_tensor(a) for a in arguments)
        if any(t._value is not None and not is_concrete(t._value) and t.aval.dtype != object for t in inputs):
            return _inside_jax(f, inputs, args, kwargs)
        return _call(f, arguments, inputs, given, kwargs)

    return decorated


def _call(f: Callable, arguments: list[Any], inputs: tuple[Tensor, ...], given: Any, kwargs: dict[str, Any]) -> Any:
    tapes = list(stream.thread.tapes)
    watcher = _VariableWatcher()
    paused = [t for t in tapes if hasattr(t, "_pause")]
    for tape in paused:
        tape._pause()
    stream.thread.tapes.append(watcher)
    try:
        result, grad_fn = f(*given, **kwargs)
    finally:
        stream.thread.tapes.remove(watcher)
        for tape in paused:
            tape._resume()
    passed = {id(a) for a in arguments if isinstance(a, Variable)}
    variables = [v for k, v in watcher.variables.items() if k not in passed]
    takes_variables = "variables" in inspect.signature(grad_fn).parameters or any(
        p.kind is p.VAR_KEYWORD for p in inspect.signature(grad_fn).parameters.values())
    if variables and not takes_variables:
        raise TypeError("If using @custom_gradient with a function that uses variables, then grad_fn must accept a "
                        f"keyword argument 'variables'. It reads {[v.name for v in variables]}.")
    results = [to_tensor(r) for r in nest.flatten(result)]
    reads = tuple(to_tensor(v) for v in variables)  # tapes note these reads
    if isinstance(result, Tensor) and not inputs and not reads:
        return result
    outs = stream.record(_CUSTOM, static(count=len(results)), (*inputs, *reads, *results))
    trace, slot = outs[0]._trace, outs[0]._slot
    gradient = _gradient(grad_fn, outs, len(inputs), variables)
    if trace.done:
        # Op-by-op mode: it has run, and the tapes have noted it.
        for tape in paused:
            if tape._record is not None:
                tape._record.attach(trace, slot, gradient)
    else:
        trace.customs[slot] = gradient
    return nest.pack_sequence_as(result, outs)


def _gradient(grad_fn: Callable, outs: tuple[Tensor, ...], n_inputs: int, variables: list[Variable]) -> Callable:
    """The gradient of one call: from cotangents (None where zero) to gradients of inputs and variables."""
    shapes = [(t.aval.shape, t.aval.dtype) for t in outs]

    def gradient(cotangents: list[Tensor | None]) -> list[Tensor | None]:
        upstream = [from_value(_zeros(*s)) if c is None else c for c, s in zip(cotangents, shapes, strict=True)]
        if variables:
            grads, variable_grads = grad_fn(*upstream, variables=variables)
            variable_grads = nest.flatten(variable_grads)
            if len(variable_grads) != len(variables):
                raise ValueError(f"Must return gradient for each variable from @custom_gradient grad_fn: got "
                                 f"{len(variable_grads)} for {len(variables)} variables.")
        else:
            grads, variable_grads = grad_fn(*upstream), []
        grads = nest.flatten(grads)
        if len(grads) != n_inputs:
            raise ValueError(f"custom_gradient function expected to return {n_inputs} gradients, but returned "
                             f"{len(grads)} instead.")
        return [None if g is None else to_tensor(g) for g in (*grads, *variable_grads)]

    return gradient


def _zeros(shape: tuple[int, ...], dtype: Any) -> Any:
    import numpy as np

    return np.zeros(shape, dtype)


def _inside_jax(f: Callable, inputs: tuple[Tensor, ...], args: Any, kwargs: dict[str, Any]) -> Any:
    """Under `jax.grad` and the like, as a `jax.custom_vjp`."""
    structure: list[Any] = []

    def run(arrays: tuple) -> tuple[Callable, tuple]:
        given = nest.pack_sequence_as(args, [from_value(a) for a in arrays])
        result, grad_fn = f(*given, **kwargs)
        structure[:] = [result]
        return grad_fn, tuple(jnp.asarray(to_tensor(r)) for r in nest.flatten(result))

    @jax.custom_vjp
    def call(*arrays: Any) -> tuple:
        with stream.isolated():
            return run(arrays)[1]

    def forward(*arrays: Any) -> tuple[tuple, tuple]:
        return call(*arrays), arrays

    def backward(arrays: tuple, cotangents: tuple) -> tuple:
        with stream.isolated():
            grad_fn, outs = run(arrays)
            grads = _gradient(grad_fn, tuple(map(from_value, outs)), len(arrays), [])(
                [from_value(jnp.conj(c)) for c in cotangents])
            return tuple(jnp.zeros_like(a) if g is None else jnp.conj(jnp.asarray(g))
                         for g, a in zip(grads, arrays, strict=True))

    call.defvjp(forward, backward)
    outs = stream.record(Op("custom_gradient", call), NO_STATIC, inputs)
    return nest.pack_sequence_as(structure[0], outs)


def grad_pass_through(f: Callable) -> Callable:
    """Makes the gradient of `f` the identity: what comes from above goes on unchanged.

    Source: https://www.tensorflow.org/api_docs/python/tf/grad_pass_through
    """

    @custom_gradient
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        def grad(*upstream: Any, variables: Any = None) -> Any:
            grads = upstream[0] if len(args) == 1 else list(upstream)
            return (grads, [zeros_like(v) for v in variables]) if variables is not None else grads

        return f(*args, **kwargs), grad

    return wrapped
