"""`recompute_grad`: the backward pass computes a function again, so that its intermediate values need not be kept."""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import jax

from tapejax._src.autodiff.custom_gradient import custom_gradient
from tapejax._src.autodiff.subgraph import capture_here, emit, inside
from tapejax._src.autodiff.tape import GradientTape
from tapejax._src.core import nest
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable
from tapejax._src.engine import stream
from tapejax._src.engine.capture import SymbolicValueError

__all__ = ["recompute_grad"]


def recompute_grad(f: Callable) -> Callable:
    """Saves memory: of a call of `f`, only the arguments are kept, and the backward pass computes `f` again.

    The function is captured and recorded as one op that uses `jax.checkpoint`. If it reads values of tensors while it
    runs (``if`` on a tensor), it cannot be captured; then its Python code is called again in the backward pass, as
    TensorFlow does. Random ops in `f` give the same numbers both times.

    Args:
      f: a function of tensors that returns a tensor or a structure of tensors. It may read variables.

    Returns:
      A function with the same results, and the same gradients of any order.

    Source: https://www.tensorflow.org/api_docs/python/tf/recompute_grad

    >>> import tapejax as tf
    >>> x = tf.Variable(2.0)
    >>> with tf.GradientTape() as tape:
    ...     y = tf.recompute_grad(lambda x: tf.exp(x) * x)(x)
    >>> round(tape.gradient(y, x).numpy().item(), 4)
    22.1672
    """

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        flat = [a if isinstance(a, Variable) else to_tensor(a) for a in nest.flatten(args)]

        def run(*tensors: Tensor) -> tuple[Any, list[Tensor]]:
            # Variables are passed as they are, because the function may use their names or assign them.
            rest = iter(tensors)
            given = [a if isinstance(a, Variable) else next(rest) for a in flat]
            result = f(*nest.pack_sequence_as(args, given), **kwargs)
            return result, inside([to_tensor(r) for r in nest.flatten(result)])

        tensors = [a for a in flat if not isinstance(a, Variable)]
        try:
            captured = capture_here(run, [t.aval for t in tensors])
        except SymbolicValueError:
            return _calling_again(f)(*args, **kwargs)
        result, found = captured.results
        after = [tensor for _, _, tensor in captured.assigned]
        outs = emit("recompute_grad", captured, [*found, *after], tensors, jax.checkpoint)
        for (variable, _, _), tensor in zip(captured.assigned, outs[len(found) :], strict=True):
            stream.assign(variable, tensor)
        return nest.pack_sequence_as(result, outs[: len(found)])

    return wrapped


def _calling_again(f: Callable) -> Callable:
    """`f` with a custom gradient, which calls it again under a new tape."""

    @custom_gradient
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with contextlib.ExitStack() as stack:
            for tape in list(stream.thread.tapes):
                if isinstance(tape, GradientTape):
                    stack.enter_context(tape.stop_recording())
            result = f(*args, **kwargs)

        def grad(*upstream: Any, variables: Any = None) -> Any:
            with GradientTape() as tape:
                tape.watch([args, variables or []])
                again = f(*args, **kwargs)
            grads, of_variables = tape.gradient(again, (list(args), list(variables or [])), list(upstream))
            return (grads, of_variables) if variables is not None else grads

        return result, grad

    return wrapped
