"""Learning rates as functions of the step: `tf.keras.optimizers.schedules`."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from tapejax._src.core import convert
from tapejax._src.keras import serialization
from tapejax._src.keras.recording import Op, float32_input, float64_input, record, static

__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule",
    "PiecewiseConstantDecay", "PolynomialDecay", "deserialize", "serialize",
]  # fmt: skip


class LearningRateSchedule:
    """Base class of schedules. A schedule is called with the step, an int64 tensor, and returns the learning rate.

    Source: https://keras.io/api/optimizers/learning_rate_schedules/learning_rate_schedule/

    >>> class Halving(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.5 ** int(step)
    >>> Halving()(2)
    0.25
    """

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError(
            f"Learning rate schedule '{type(self).__name__}' must override `__call__(self, step)`."
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor. Subclasses define it."""
        raise NotImplementedError(f"Learning rate schedule '{type(self).__name__}' must override `get_config()`.")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LearningRateSchedule":
        """Makes a schedule from what `get_config` returned."""
        return cls(**config)


class _Formula(LearningRateSchedule):
    """A schedule that is recorded as one op.

    Attributes:
      _numbers: the names of the arguments that are inputs of the op. Other numbers need no other compiled program.
      _options: the names of the arguments that are static. Other values need another compiled program.
    """

    _op: Op
    _numbers: tuple[str, ...]
    _options: tuple[str, ...] = ()

    def _configure(self, **arguments: Any) -> None:
        for key, value in arguments.items():
            setattr(self, key, value)
        for key in ("decay_steps", "first_decay_steps"):
            if key in arguments and arguments[key] <= 0:
                raise ValueError(f"Argument `{key}` must be > 0. Received: {key}={arguments[key]}")
        self._arguments = tuple(arguments)

    def __call__(self, step: Any) -> Any:
        options = {key: getattr(self, key) for key in self._options}
        return record(
            self._op,
            static(**options),
            (convert.to_tensor(step), *(float32_input(getattr(self, key)) for key in self._numbers)),
        )

    def get_config(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in self._arguments}


def _op(fn: Callable) -> Op:
    """Makes an op from a function of the step, which it casts to float32, and of numbers."""
    return Op(
        fn.__name__.strip("_"),
        lambda step, *numbers, **options: fn(step.astype(jnp.float32), *numbers, **options),
        differentiable=False,
    )


@_op
def _exponential_decay(step: Any, initial: Any, steps: Any, rate: Any, *, staircase: bool) -> Any:
    turns = step / steps
    return initial * jnp.power(rate, jnp.floor(turns) if staircase else turns)


class ExponentialDecay(_Formula):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Args:
      initial_learning_rate, decay_steps, decay_rate: numbers.
      staircase: whether to round ``step / decay_steps`` down to a whole number.
      name: has no effect.

    Raises:
      ValueError: `decay_steps` is not positive.

    Source: https://keras.io/api/optimizers/learning_rate_schedules/exponential_decay/

    >>> float(ExponentialDecay(1.0, 2, 0.25)(1))
    0.5
    """

    _op = _exponential_decay
    _numbers = ("initial_learning_rate", "decay_steps", "decay_rate")
    _options = ("staircase",)

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ):
        self._configure(
            initial_learning_rate=initial_learning_rate,
            decay_steps=decay_steps,
            decay_rate=decay_rate,
            staircase=staircase,
            name=name,
        )


@_op
def _inverse_time_decay(step: Any, initial: Any, steps: Any, rate: Any, *, staircase: bool) -> Any:
    turns = step / steps
    return initial / (1 + rate * (jnp.floor(turns) if staircase else turns))


class InverseTimeDecay(_Formula):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``. For the arguments see `ExponentialDecay`.

    Source: https://keras.io/api/optimizers/learning_rate_schedules/inverse_time_decay/

    >>> float(InverseTimeDecay(1.0, 2, 2.0)(3))
    0.25
    """

    _op = _inverse_time_decay
    _numbers = ("initial_learning_rate", "decay_steps", "decay_rate")
    _options = ("staircase",)

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ):
        self._configure(
            initial_learning_rate=initial_learning_rate,
            decay_steps=decay_steps,
            decay_rate=decay_rate,
            staircase=staircase,
            name=name,
        )


@_op
def _polynomial_decay(step: Any, initial: Any, steps: Any, end: Any, power: Any, *, cycle: bool) -> Any:
    if cycle:
        steps = steps * jnp.where(step == 0, 1.0, jnp.ceil(step / steps))
    part = (step if cycle else jnp.minimum(step, steps)) / steps
    return (initial - end) * jnp.power(1 - part, power) + end


class PolynomialDecay(_Formula):
    """Decays from one learning rate to another by ``(1 - step / decay_steps) ** power``, then stays constant.

    Args:
      initial_learning_rate, decay_steps, end_learning_rate, power: numbers.
      cycle: whether to continue after `decay_steps` steps instead of staying constant. The decay then takes the next
        whole multiple of `decay_steps` steps.
      name: has no effect.

    Raises:
      ValueError: `decay_steps` is not positive.

    Source: https://keras.io/api/optimizers/learning_rate_schedules/polynomial_decay/

    >>> float(PolynomialDecay(1.0, 4, end_learning_rate=0.5)(2))
    0.75
    """

    _op = _polynomial_decay
    _numbers = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power")
    _options = ("cycle",)

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ):
        self._configure(
            initial_learning_rate=initial_learning_rate,
            decay_steps=decay_steps,
            end_learning_rate=end_learning_rate,
            power=power,
            cycle=cycle,
            name=name,
        )


def _cosine(part: Any) -> Any:
    return 0.5 * (1 + jnp.cos(jnp.float32(math.pi) * part))


@_op
def _cosine_decay(step: Any, initial: Any, steps: Any, alpha: Any, *warmup: Any) -> Any:
    target, rise = warmup or (initial, jnp.float32(0))
    part = (jnp.minimum(step, steps + rise) - rise) / steps
    falling = target * ((1 - alpha) * _cosine(part) + alpha)
    return jnp.where(step < rise, (target - initial) * (step / rise) + initial, falling) if warmup else falling


class CosineDecay(_Formula):
    """Decays along half a cosine, then stays constant. A linear rise (warm-up) may come first.

    Args:
      initial_learning_rate: the learning rate at the first step.
      decay_steps: the number of steps of the decay.
      alpha: the last learning rate, as a fraction of the one that the decay starts from.
      name: has no effect.
      warmup_target: the learning rate that the warm-up ends with and the decay starts from, or None for no warm-up.
      warmup_steps: the number of steps of the warm-up.

    Raises:
      ValueError: `decay_steps` is not positive.

    Source: https://keras.io/api/optimizers/learning_rate_schedules/cosine_decay/ (Loshchilov & Hutter 2016)

    >>> [float(CosineDecay(0.0, 4, warmup_target=1.0, warmup_steps=2)(step)) for step in (1, 2, 6)]
    [0.5, 1.0, 0.0]
    """

    _op = _cosine_decay

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ):
        self._numbers = ("initial_learning_rate", "decay_steps", "alpha")
        if warmup_target is not None:
            self._numbers += ("warmup_target", "warmup_steps")
        self._configure(
            initial_learning_rate=initial_learning_rate,
            decay_steps=decay_steps,
            alpha=alpha,
            name=name,
            warmup_target=warmup_target,
            warmup_steps=warmup_steps,
        )


@_op
def _cosine_decay_restarts(step: Any, initial: Any, steps: Any, t_mul: Any, m_mul: Any, alpha: Any) -> Any:
    turns = step / steps
    equal = t_mul == 1
    ratio = jnp.where(equal, 2.0, t_mul)  # the formula of a geometric sum divides by 1 - ratio
    restarts = jnp.where(equal, jnp.floor(turns), jnp.floor(jnp.log(1 - turns * (1 - ratio)) / jnp.log(ratio)))
    grown = jnp.power(ratio, restarts)
    part = jnp.where(equal, turns - restarts, (turns - (1 - grown) / (1 - ratio)) / grown)
    return initial * ((1 - alpha) * jnp.power(m_mul, restarts) * _cosine(part) + alpha)


class CosineDecayRestarts(_Formula):
    """A cosine decay that restarts each time it ends.

    Args:
      initial_learning_rate: the learning rate at the first step.
      first_decay_steps: the number of steps until the first restart.
      t_mul: each decay takes `t_mul` times as many steps as the one before.
      m_mul: each decay starts from `m_mul` times the learning rate that the one before started from.
      alpha: the lowest learning rate, as a fraction of `initial_learning_rate`.
      name: has no effect.

    Raises:
      ValueError: `first_decay_steps` is not positive.

    Source: https://keras.io/api/optimizers/learning_rate_schedules/cosine_decay_restarts/ (Loshchilov & Hutter 2016)

    >>> [round(float(CosineDecayRestarts(1.0, 4)(step)), 4) for step in (0, 2, 4, 8)]
    [1.0, 0.5, 1.0, 0.5]
    """

    _op = _cosine_decay_restarts
    _numbers = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha")

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ):
        self._configure(
            initial_learning_rate=initial_learning_rate,
            first_decay_steps=first_decay_steps,
            t_mul=t_mul,
            m_mul=m_mul,
            alpha=alpha,
            name=name,
        )


def _piecewise_constant(step: Any, *numbers: Any) -> Any:
    values = numbers[len(numbers) // 2 :]
    found = values[-1]
    for boundary, value in reversed(list(zip(numbers, values[:-1], strict=False))):
        found = jnp.where(step <= boundary.astype(step.dtype), value, found)
    return found


_PIECEWISE = Op("piecewise_constant", _piecewise_constant, differentiable=False)


class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[0]`` up to and including step ``boundaries[0]``, then ``values[1]``, and so on.

    Args:
      boundaries: increasing numbers.
      values: numbers, one more than there are boundaries.
      name: has no effect.

    Raises:
      ValueError: the number of values does not fit.

    Source: https://keras.io/api/optimizers/learning_rate_schedules/piecewise_constant_decay/

    >>> schedule = PiecewiseConstantDecay([2, 5], [1.0, 0.5, 0.25])
    >>> [float(schedule(step)) for step in (0, 2, 3, 6)]
    [1.0, 1.0, 0.5, 0.25]
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"):
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "The length of boundaries should be 1 less than the length of values. Received: "
                f"boundaries={boundaries} of length {len(boundaries)}, and values={values} of length "
                f"{len(values)}."
            )
        self.boundaries, self.values, self.name = boundaries, values, name

    def __call__(self, step: Any) -> Any:
        numbers = (*map(float64_input, self.boundaries), *map(float32_input, self.values))
        return record(_PIECEWISE, static(), (convert.to_tensor(step), *numbers))

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


_BY_NAME = {
    cls.__name__: cls
    for cls in (
        CosineDecay,
        CosineDecayRestarts,
        ExponentialDecay,
        InverseTimeDecay,
        PiecewiseConstantDecay,
        PolynomialDecay,
    )
}


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """Describes a schedule by a dictionary of plain values.

    >>> serialize(ExponentialDecay(1.0, 2, 0.25))["config"]["decay_rate"]
    0.25
    """
    return serialization.serialize(learning_rate_schedule, "keras.optimizers.schedules")


def deserialize(config: Any, custom_objects: Any = None) -> LearningRateSchedule:
    """Makes the schedule that a dictionary from `serialize` describes.

    Args:
      config: the dictionary.
      custom_objects: classes by name, besides those of `tf.keras.optimizers.schedules`.

    Raises:
      ValueError: the dictionary names an unknown class.
      TypeError: `config` is not such a dictionary.

    >>> deserialize(serialize(ExponentialDecay(1.0, 2, 0.25))).decay_rate
    0.25
    """
    return serialization.deserialize(config, _BY_NAME, custom_objects)
