"""`to_jax` turns a tapejax function into a pure JAX function of its variables and arguments.

Such a function can be used with optax, orbax, `jax.export`, `jax.shard_map` and so on.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from tapejax._src.core.errors import UnsupportedError
from tapejax._src.core.variable import Variable
from tapejax._src.function.tracing.concrete import ConcreteFunction
from tapejax._src.function.tracing.function import Function, function
from tapejax._src.function.tracing.signature import Arguments

__all__ = ["to_jax"]


def to_jax(fn: Callable, *args: Any, **kwargs: Any) -> tuple[Callable, dict[str, jax.Array]]:
    """Turns a tapejax function into a pure JAX function of its variables and arguments.

    Args:
      fn: a function of tensors, with or without `tf.function`. It is captured, not run.
      *args: arguments of `fn`. A `TensorSpec` may take the place of a tensor.
      **kwargs: keyword arguments of `fn`.

    Returns:
      A pair ``(pure, variables)``.

      `variables` is a dictionary of the variables that `fn` reads or assigns, in the order in which they were made. It
      maps names, which are made unique, to the current values.

      ``pure(variables, *args, **kwargs)`` is the JAX function. It takes such a dictionary, of arrays or tracers, and
      arguments like the given ones, which may have other shapes. It returns ``(result, new variables)`` and has no
      side effects. The result consists of JAX arrays in the structure that `fn` returns.

    Raises:
      UnsupportedError: `fn` draws random numbers. In JAX the random key must be an argument.
      SymbolicValueError: `fn` cannot be captured.

    >>> import jax
    >>> import tapejax as tf
    >>> w = tf.Variable([1.0, 2.0], name="w")
    >>> pure, variables = to_jax(lambda x: tf.reduce_sum(w * x), tf.TensorSpec([2]))
    >>> grads = jax.grad(lambda v, x: pure(v, x)[0])(variables, jax.numpy.array([3.0, 4.0]))
    >>> {name: g.tolist() for name, g in grads.items()}
    {'w': [3.0, 4.0]}
    """
    captured = fn if isinstance(fn, Function) else function(fn)
    concrete, _ = _lookup(captured, args, kwargs)
    names = _names(concrete.variables)

    def pure(variables: dict[str, Any], *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        concrete, given = _lookup(captured, args, kwargs)
        with jax.enable_x64(True):
            held = [jnp.asarray(variables[_name(names, v)]) for v in concrete.cells]
            written, results = concrete.evaluate([t._value for t in given.tensors], held)
        new = {_name(names, v): value for v, value in zip(concrete.written, written, strict=True)}
        return results, {**variables, **new}

    pure.__name__ = pure.__qualname__ = captured.name
    return pure, {name: v.__jax_array__() for v, name in names}


def _lookup(fn: Function, args: tuple, kwargs: dict[str, Any]) -> tuple[ConcreteFunction, Arguments]:
    found, given = fn.lookup(args, kwargs)
    if found.draws:
        raise UnsupportedError(
            f"to_jax({fn.name})",
            "it draws random numbers, whose state a pure function cannot keep",
            "Use stateless random ops with a seed among the arguments.",
        )
    return found, given


def _names(variables: tuple[Variable, ...]) -> list[tuple[Variable, str]]:
    found: list[tuple[Variable, str]] = []
    taken: set[str] = set()
    for v in variables:
        base = getattr(v, "path", None) or v.name.removesuffix(":0")
        name, n = base, 0
        while name in taken:
            n += 1
            name = f"{base}_{n}"
        taken.add(name)
        found.append((v, name))
    return found


def _name(names: list[tuple[Variable, str]], variable: Variable) -> str:
    return next(name for v, name in names if v is variable)
