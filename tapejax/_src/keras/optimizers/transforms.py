"""Keras's optimizer formulas on TensorFlow, as optax transformations: where they differ from optax's own, these are it.

They work in any optax code. Every number may be a traced value, and a gradient `Slices`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from tapejax._src.keras.optimizers.sparse_updates import added, blended, dense, each

__all__ = [
    "State",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "ftrl",
    "lamb",
    "lion",
    "nadam",
    "rmsprop",
    "sgd",
    "single",
]


class State(NamedTuple):
    """Steps done, and for each slot (first moment, say) a tree like the parameters."""

    count: Any
    slots: tuple[Any, ...]


def _by_parameter(rule: Callable, *starts: Any) -> optax.GradientTransformation:
    """A transformation made of the formula for one parameter.

    Args:
      rule: ``rule(step, gradient, parameter, *slots) -> (what is added to the parameter, *new slots)``.
      starts: initial values of the slots.
    """

    def init(params: Any) -> State:
        return State(
            jnp.zeros((), jnp.int32), tuple(jax.tree.map(lambda p, s=s: jnp.full_like(p, s), params) for s in starts)
        )

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, State]:
        gradients, tree = jax.tree.flatten(updates)
        count = state.count + 1
        columns = [tree.flatten_up_to(t) for t in state.slots]
        given = [None] * len(gradients) if params is None else tree.flatten_up_to(params)
        rows = [rule(count, g, p, *slots) for g, p, *slots in zip(gradients, given, *columns, strict=True)]
        first, *rest = [tree.unflatten(column) for column in zip(*rows, strict=True)] or [updates, *state.slots]
        return first, State(count, tuple(rest))

    return optax.GradientTransformation(init, update)


def _to(x: Any, like: Any) -> Any:
    """A number in the dtype of a parameter's slot or gradient."""
    return jnp.asarray(x).astype(like.dtype)


def single(x: Any, like: Any) -> Any:
    """A number as Keras casts it where it does so by hand: by way of float32, which shows in float64 only."""
    return _to(jnp.asarray(x).astype(jnp.float32), like)


def _times(x: Any) -> Callable:
    return lambda g: g * _to(x, g)


def _averaged(slot: Any, gradient: Any, rho: Any) -> Any:
    """``rho * slot + (1 - rho) * gradient``."""
    return added(slot * _to(rho, slot), each(_times(1 - rho), gradient))


def _bias(base: Any, count: Any, like: Any) -> Any:
    return single(base, like) ** _to(count, like)


def adam(
    learning_rate: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-7, amsgrad: bool = False
) -> optax.GradientTransformation:
    """Adam as TensorFlow computes it: epsilon is added outside the bias correction ("epsilon hat").

    At a gradient of 1e-6 the first step is a quarter of optax.adam's.

    Args:
      learning_rate, b1, b2, eps: numbers.
      amsgrad: divide by the largest second moment so far.

    Source: https://www.tensorflow.org/api_docs/python/tf/keras/optimizers/Adam (Kingma and Ba 2014, before section 2.1)

    >>> tx = adam(0.1)
    >>> params = jnp.zeros(1)
    >>> updates, _ = tx.update(jnp.ones(1), tx.init(params), params)
    >>> round(float(updates[0]), 4)
    -0.1
    """

    def rule(count: Any, g: Any, p: Any, m: Any, v: Any, *top: Any) -> tuple:
        m, v = blended(m, g, 1 - b1), blended(v, each(jnp.square, g), 1 - b2)
        top = tuple(jnp.maximum(t, v) for t in top)
        alpha = _to(learning_rate, m) * jnp.sqrt(1 - _bias(b2, count, m)) / (1 - _bias(b1, count, m))
        return -(m * alpha) / (jnp.sqrt(top[0] if top else v) + _to(eps, m)), m, v, *top

    return _by_parameter(rule, *[0] * (3 if amsgrad else 2))


def adamax(learning_rate: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-7) -> optax.GradientTransformation:
    """Adam with the largest decayed gradient in place of the root of the second moment.

    Source: https://keras.io/api/optimizers/adamax/
    """

    def rule(count: Any, g: Any, p: Any, m: Any, u: Any) -> tuple:
        m = blended(m, g, 1 - b1)
        u = jnp.maximum(u * _to(b2, u), dense(each(jnp.abs, g)))
        return -(_to(learning_rate, m) * m) / ((1 - _bias(b1, count, m)) * (u + _to(eps, u))), m, u

    return _by_parameter(rule, 0, 0)


def nadam(
    learning_rate: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-7, *, product: Any
) -> optax.GradientTransformation:
    """Adam with Nesterov's look ahead.

    Args:
      learning_rate, b1, b2, eps: numbers.
      product: of the factors `nadam_factor` of all steps, this one included.

    Source: https://keras.io/api/optimizers/nadam/
    """

    def rule(count: Any, g: Any, p: Any, m: Any, v: Any) -> tuple:
        now, then = nadam_factor(b1, count, m), nadam_factor(b1, count + 1, m)
        done = _to(product, m)
        m, v = blended(m, g, 1 - single(b1, m)), blended(v, each(jnp.square, g), 1 - single(b2, v))
        ahead = added(then * m / (1 - done * then), each(lambda x: (1 - now) * x / (1 - done), g))
        root = jnp.sqrt(v / (1 - _bias(b2, count, v)))
        return -(ahead * _to(learning_rate, m)) / (root + _to(eps, v)), m, v

    return _by_parameter(rule, 0, 0)


def nadam_factor(b1: Any, count: Any, like: Any, exact: bool = False) -> Any:
    """Nadam's momentum at a step, in the dtype of `like`; Keras's product of them takes its numbers unrounded."""
    cast = _to if exact else single
    return cast(b1, like) * (1 - 0.5 * cast(0.96, like) ** _to(count, like))


def lamb(learning_rate: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-7) -> optax.GradientTransformation:
    """Adam whose step is scaled to the norm of the parameter.

    Source: https://keras.io/api/optimizers/lamb/
    """

    def rule(count: Any, g: Any, p: Any, m: Any, v: Any) -> tuple:
        m, v = blended(m, g, 1 - b1), blended(v, each(jnp.square, g), 1 - b2)
        root = jnp.sqrt(v / (1 - _bias(b2, count, v))) + _to(eps, v)
        step = m / (1 - _bias(b1, count, m)) / root
        size, own = (jnp.sqrt(jnp.sum(jnp.square(x), dtype=x.dtype)) for x in (p, step))
        ratio = jnp.where((size > 0) & (own > 0), size / jnp.where(own > 0, own, 1), jnp.ones_like(size))
        return -ratio * _to(learning_rate, m) * step, m, v

    return _by_parameter(rule, 0, 0)


def lion(learning_rate: Any, b1: Any = 0.9, b2: Any = 0.99) -> optax.GradientTransformation:
    """The sign of an average of gradients.

    Source: https://keras.io/api/optimizers/lion/
    """

    def rule(count: Any, g: Any, p: Any, m: Any) -> tuple:
        return -_to(learning_rate, m) * jnp.sign(_averaged(m, g, single(b1, m))), _averaged(m, g, single(b2, m))

    return _by_parameter(rule, 0)


def rmsprop(
    learning_rate: Any, rho: Any = 0.9, eps: Any = 1e-7, momentum: Any = None, centered: bool = False
) -> optax.GradientTransformation:
    """Gradients divided by the root of their average square.

    Args:
      learning_rate, rho, eps: numbers.
      momentum: number, or None for none: then slices move only their own rows.
      centered: subtract the square of the average.

    Source: https://keras.io/api/optimizers/rmsprop/
    """

    def rule(count: Any, g: Any, p: Any, v: Any, *rest: Any) -> tuple:
        v = _averaged(v, each(jnp.square, g), rho)
        under, average = v, ()
        if centered:
            average = (_averaged(rest[-1], g, rho),)
            under = v - jnp.square(average[0])
        under = under + _to(eps, v)
        step = each(lambda x, d: _to(learning_rate, x) * x / jnp.sqrt(d), g, under)
        if momentum is None:
            return each(jnp.negative, step), v, *average
        moved = added(rest[0] * _to(momentum, v), step)
        return -moved, v, moved, *average

    return _by_parameter(rule, *[0] * (1 + (momentum is not None) + centered))


def adagrad(learning_rate: Any, start: Any = 0.1, eps: Any = 1e-7) -> optax.GradientTransformation:
    """Gradients divided by the root of the sum of their squares; slices touch only their own rows.

    Args:
      learning_rate, eps: numbers.
      start: of the sums.

    Source: https://keras.io/api/optimizers/adagrad/
    """

    def rule(count: Any, g: Any, p: Any, total: Any) -> tuple:
        total = added(total, each(jnp.square, g))
        return each(lambda x, t: -(_to(learning_rate, x) * x) / jnp.sqrt(t + _to(eps, t)), g, total), total

    return _by_parameter(rule, start)


def adadelta(learning_rate: Any, rho: Any = 0.95, eps: Any = 1e-7) -> optax.GradientTransformation:
    """Adagrad with averages in place of sums, and steps in the unit of the parameter; slices move only their rows.

    Source: https://keras.io/api/optimizers/adadelta/
    """

    def rule(count: Any, g: Any, p: Any, squares: Any, moves: Any) -> tuple:
        def rms(x: Any) -> Any:
            return jnp.sqrt(x + _to(eps, x))

        squares = _averaged(squares, each(jnp.square, g), rho)
        move = each(lambda x, s, d: -(rms(d) * x / rms(s)), g, squares, moves)
        return each(_times(learning_rate), move), squares, _averaged(moves, each(jnp.square, move), rho)

    return _by_parameter(rule, 0, 0)


def ftrl(
    learning_rate: Any,
    power: Any = -0.5,
    l1: Any = 0.0,
    l2: Any = 0.0,
    shrinkage: Any = 0.0,
    beta: Any = 0.0,
    start: Any = 0.1,
) -> optax.GradientTransformation:
    """Follow the regularized leader.

    Args:
      learning_rate: number.
      power: of the learning rate's decay, at most 0.
      l1, l2: strengths of the penalties. shrinkage: of the penalty on the size only. beta: added to `l2`, halved.
      start: of the accumulator.

    Source: https://keras.io/api/optimizers/ftrl/
    """

    def rule(count: Any, g: Any, p: Any, total: Any, linear: Any) -> tuple:
        rate, low, ridge = (_to(x, p) for x in (learning_rate, -jnp.asarray(power), l2))
        ridge = ridge + _to(beta, p) / (2 * rate)
        new = added(total, each(jnp.square, g))
        drift = (new**low - total**low) / rate * p
        linear = linear + (added(2 * _to(shrinkage, p) * p, g) - drift)
        bound = _to(l1, p)
        return (jnp.clip(linear, -bound, bound) - linear) / (new**low / rate + 2 * ridge) - p, new, linear

    return _by_parameter(rule, start, 0)


def sgd(learning_rate: Any, momentum: Any = None, nesterov: bool = False) -> optax.GradientTransformation:
    """Gradient descent as TensorFlow computes it: the learning rate is inside the momentum.

    So a change of the rate acts on later gradients only (optax scales what has accumulated, too).

    Args:
      learning_rate: number.
      momentum: number, or None for plain descent: then slices move only their own rows.
      nesterov: look ahead by one step of the momentum.

    Source: https://www.tensorflow.org/api_docs/python/tf/keras/optimizers/SGD

    >>> tx = sgd(0.5, momentum=0.9)
    >>> updates, state = tx.update(jnp.ones(1), tx.init(jnp.zeros(1)))
    >>> float(updates[0])
    -0.5
    """

    def rule(count: Any, g: Any, p: Any, *slot: Any) -> tuple:
        step = each(lambda x: -(x * _to(learning_rate, x)), g)
        if not slot:
            return (step,)
        moved = added(slot[0] * single(momentum, slot[0]), step)
        return added(moved * single(momentum, moved), step) if nesterov else moved, moved

    return _by_parameter(rule, *[0] * (momentum is not None))
