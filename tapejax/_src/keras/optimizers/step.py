"""One step of an optimizer as a pure function of arrays, and the op that records it.

A step gets the step counter, the learning rate, gradients, variables and slots. It clips the gradients, applies weight
decay and the optimizer's formula, and returns the new counter, variables and slots.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from tapejax._src.keras.optimizers import transforms
from tapejax._src.keras.optimizers.sparse_updates import Slices, added, dense, each
from tapejax._src.keras.recording import Op, UpdateOp

__all__ = ["by_formula", "step_op"]


def _clip(grads: list, kind: str, limit: Any) -> list:
    """Bounds gradients in one of Keras's three ways.

    Args:
      grads: arrays or `Slices`. The norm of a `Slices` is the norm of its values, also where indices repeat.
      kind: "value" for each element, "norm" for the norm of each gradient, "global" for the norm of all together.
      limit: the bound.
    """
    if kind == "value":
        return [each(lambda g: jnp.clip(g, -limit.astype(g.dtype), limit.astype(g.dtype)), g) for g in grads]
    values = [g.values if isinstance(g, Slices) else g for g in grads]
    if kind == "norm":
        norms = [jnp.sqrt(jnp.sum(jnp.square(g), dtype=g.dtype)) for g in values]
        return [
            each(lambda g, n=n: g * limit.astype(g.dtype) / jnp.maximum(n, limit.astype(g.dtype)), g)
            for g, n in zip(grads, norms, strict=True)
        ]
    dtype = jnp.result_type(*values)
    norm = jnp.sqrt(sum(jnp.sum(jnp.square(g.astype(dtype))) for g in values))
    limit = limit.astype(dtype)
    # If the norm is not finite, ``norm - norm`` is nan, and so become all gradients.
    scale = limit * jnp.minimum(1 / norm, 1 / limit) + (norm - norm)
    return [g * scale.astype(g.dtype) for g in map(dense, grads)]


def _gradients(flat: list, params: Sequence, sliced: tuple[int, ...]) -> list:
    """The gradients of the parameters, from a flat list in which those at the positions `sliced` are two arrays.

    The two arrays are the values and the indices of a `Slices`.
    """
    rest = iter(flat)
    grads = []
    for i, p in enumerate(params):
        g = next(rest)
        if i in sliced:
            g = Slices(g.astype(p.dtype), next(rest), p.shape)
            fits = g.values.shape == (*g.indices.shape, *p.shape[1:])
        else:
            fits, g = g.shape == p.shape, g.astype(p.dtype)
        if not fits:
            shape = g.values.shape if i in sliced else g.shape
            raise ValueError(
                f"A gradient does not fit its variable. Expected: shape {p.shape}. Received: shape {shape}"
            )
        grads.append(g)
    return grads


def _step(
    iterations: Any,
    rate: Any,
    *rest: Any,
    advance: Callable,
    count: int,
    numbers: int,
    clip: str,
    decay: tuple[int, ...],
    sliced: tuple[int, ...],
) -> tuple:
    """One step of an optimizer, as a function of arrays.

    Args:
      iterations: the number of steps done.
      rate: the learning rate.
      *rest: the optimizer's numbers, the weight decay if any, the clipping limit if any, then the gradients, the
        variables and the slots.
      advance: the formula; see `by_formula`.
      count: how many variables there are.
      numbers: how many of `rest` are numbers.
      clip: the kind of clipping (see `_clip`), or "" for none.
      decay: the positions of the variables with weight decay.
      sliced: the positions of the gradients that are slices.

    Returns:
      The new number of steps, the new variables and the new slots.
    """
    hyper, rest = list(rest[:numbers]), rest[numbers:]
    split = count + len(sliced)
    params, slots = rest[split : split + count], rest[split + count :]
    grads = _gradients(list(rest[:split]), params, sliced)
    if clip:
        grads = _clip(grads, clip, hyper.pop())
    if decay:
        factor = hyper.pop()
        params = [
            p - p * transforms.single(factor, p) * rate.astype(p.dtype) if i in decay else p
            for i, p in enumerate(params)
        ]
    updates, slots = advance(rate, hyper, iterations, tuple(grads), tuple(params), slots)
    new = [added(p, u) for p, u in zip(params, updates, strict=True)]
    return (iterations + 1, *new, *slots)


@functools.cache
def by_formula(formula: Callable, **options: Any) -> Callable:
    """Makes the attribute `_advance` of an optimizer from a formula of `tapejax._src.keras.optimizers.transforms`.

    Args:
      formula: a function of the learning rate and the optimizer's numbers that returns an optax transformation.
      **options: keyword arguments of `formula` that are part of the compiled program.

    Returns:
      A function of the learning rate, numbers, iterations, gradients, variables and slots. It returns what to add to
      the variables, and the new slots.
    """

    def advance(rate: Any, hyper: list, iterations: Any, grads: tuple, params: tuple, slots: Sequence) -> tuple:
        count = len(grads)
        state = transforms.State(iterations, tuple(tuple(slots[i : i + count]) for i in range(0, len(slots), count)))
        updates, state = formula(rate, *hyper, **options).update(grads, state, params)
        return updates, tuple(s for of_name in state.slots for s in of_name)

    return advance


def _updated(options: dict[str, Any], inputs: int) -> Iterable[int]:
    """Which inputs of a step get new values: the step counter (the first input), the variables and the slots."""
    return (0, *range(2 + options["numbers"] + options["count"] + len(options["sliced"]), inputs))


def _check_gradients(options: dict[str, Any], inputs: Sequence[Any]) -> None:
    """Raises ValueError if a gradient's shape is not its variable's."""
    count, sliced, rest = options["count"], options["sliced"], inputs[2 + options["numbers"] :]
    split = count + len(sliced)
    jax.eval_shape(
        lambda *xs: (_gradients(list(xs[:split]), xs[split:], sliced), None)[1],
        *rest[: split + count],
    )


@functools.cache
def step_op(name: str) -> Op:
    """The op of a step, one for each class of optimizers: optimizers of one class share their compiled programs."""
    return UpdateOp(name, _step, _updated, _check_gradients)
