"""The formulas of Keras's optimizers, as optax transformations.

They compute what Keras computes on TensorFlow, which optax's own transformations of the same names do not always do.
They can be used in any optax code. Learning rates and other numbers may be traced values, and a gradient may be a
`Slices` (see `sparse_updates.py`).
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
    """The number of steps done, and for each slot (such as the first moment) a tree like that of the parameters."""

    count: Any
    slots: tuple[Any, ...]


def _by_parameter(rule: Callable, *starts: Any) -> optax.GradientTransformation:
    """Makes a transformation from a formula for a single parameter.

    Args:
      rule: ``rule(step, gradient, parameter, *slots)`` returns what to add to the parameter, and the new slots.
      starts: the initial value of each slot.
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
    """A number cast to the dtype of an array."""
    return jnp.asarray(x).astype(like.dtype)


def single(x: Any, like: Any) -> Any:
    """A number rounded to float32, then cast to the dtype of an array.

    Keras casts some of its numbers this way. The rounding makes a difference for float64 only.
    """
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

    For a gradient of 1e-6 the first step is a quarter as long as that of optax.adam.

    Args:
      learning_rate: a number.
      b1: the decay of the first moment.
      b2: the decay of the second moment.
      eps: added to the root of the second moment.
      amsgrad: whether to divide by the largest second moment so far.

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
    """Adam that divides by the largest gradient so far, which decays, instead of the root of the second moment.

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
    """Adam with Nesterov momentum.

    Args:
      learning_rate, b1, b2, eps: see `adam`.
      product: the product of `nadam_factor` over all steps so far, this one included.

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
    """Nadam's momentum at a step.

    Args:
      b1: the decay of the first moment.
      count: the number of the step, from 1.
      like: an array; the result has its dtype.
      exact: False rounds the numbers to float32 first, as Keras does in the step. True does not, as Keras does in the
        product over all steps.
    """
    cast = _to if exact else single
    return cast(b1, like) * (1 - 0.5 * cast(0.96, like) ** _to(count, like))


def lamb(learning_rate: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-7) -> optax.GradientTransformation:
    """Adam whose step for each parameter is scaled to the norm of the parameter.

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
    """Steps of equal size in the direction of the sign of an average of gradients.

    Source: https://keras.io/api/optimizers/lion/
    """

    def rule(count: Any, g: Any, p: Any, m: Any) -> tuple:
        return -_to(learning_rate, m) * jnp.sign(_averaged(m, g, single(b1, m))), _averaged(m, g, single(b2, m))

    return _by_parameter(rule, 0)


def rmsprop(
    learning_rate: Any, rho: Any = 0.9, eps: Any = 1e-7, momentum: Any = None, centered: bool = False
) -> optax.GradientTransformation:
    """Gradients divided by the root of their mean square.

    Args:
      learning_rate: a number.
      rho: the decay of the averages.
      eps: added under the root.
      momentum: a number, or None for no momentum. Without momentum slices change only their own rows.
      centered: whether to subtract the square of the mean gradient from the mean square.

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
    """Gradients divided by the root of the sum of their squares. Slices change only their own rows.

    Args:
      learning_rate: a number.
      start: the initial value of the sums.
      eps: added under the root.

    Source: https://keras.io/api/optimizers/adagrad/
    """

    def rule(count: Any, g: Any, p: Any, total: Any) -> tuple:
        total = added(total, each(jnp.square, g))
        return each(lambda x, t: -(_to(learning_rate, x) * x) / jnp.sqrt(t + _to(eps, t)), g, total), total

    return _by_parameter(rule, start)


def adadelta(learning_rate: Any, rho: Any = 0.95, eps: Any = 1e-7) -> optax.GradientTransformation:
    """Adagrad with running averages instead of sums, and steps in the unit of the parameter.

    Slices change only their own rows of the parameter.

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
    """FTRL, "follow the regularized leader".

    Args:
      learning_rate: a number.
      power: the exponent with which the learning rate decays, at most 0.
      l1: the strength of the L1 penalty.
      l2: the strength of the L2 penalty.
      shrinkage: the strength of an L2 penalty that acts on the size of the parameter only.
      beta: ``beta / (2 * learning_rate)`` is added to `l2`.
      start: the initial value of the accumulator of squares.

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
    """Gradient descent as TensorFlow computes it.

    Gradients are multiplied by the learning rate before they enter the momentum. A changed learning rate thus acts on
    later gradients only; in optax it also scales the momentum that has accumulated.

    Args:
      learning_rate: a number.
      momentum: a number, or None for plain descent. Without momentum slices change only their own rows.
      nesterov: whether to use Nesterov momentum.

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
