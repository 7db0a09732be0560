"""`keras.optimizers.schedules`: learning rates as functions of the step."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax import convert, missing
from tapejax.engine import stream
from tapejax.engine.aval import scalar_kind
from tapejax.engine.op import Op, static

__all__ = ["ExponentialDecay", "LearningRateSchedule"]

_F32 = scalar_kind(np.dtype(np.float32))


class LearningRateSchedule:
    """Base class: an object called with the step (an int64 tensor) gives the learning rate.

    Source: https://keras.io/api/optimizers/learning_rate_schedules/learning_rate_schedule/

    >>> class Halving(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.5 ** int(step)
    >>> Halving()(2)
    0.25
    """

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError(f"Learning rate schedule '{type(self).__name__}' must override "
                                  "`__call__(self, step)`.")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        raise NotImplementedError(f"Learning rate schedule '{type(self).__name__}' must override `get_config()`.")


def _exponential(step: Any, initial: Any, steps: Any, rate: Any, *, staircase: bool) -> Any:
    turns = step.astype(jnp.float32) / steps
    return initial * jnp.power(rate, jnp.floor(turns) if staircase else turns)


_EXPONENTIAL = Op("exponential_decay", _exponential, differentiable=False)


class ExponentialDecay(LearningRateSchedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Args:
      initial_learning_rate, decay_steps, decay_rate: numbers.
      staircase: whole numbers of turns only.
      name: of no effect.

    Source: https://keras.io/api/optimizers/learning_rate_schedules/exponential_decay/

    >>> float(ExponentialDecay(1.0, 2, 0.25)(1))
    0.5
    """

    def __init__(self, initial_learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool = False,
                 name: str = "ExponentialDecay"):
        if decay_steps <= 0:
            raise ValueError(f"Argument `decay_steps` must be > 0. Received: decay_steps={decay_steps}")
        self.initial_learning_rate, self.decay_steps, self.decay_rate = initial_learning_rate, decay_steps, decay_rate
        self.staircase, self.name = staircase, name

    def __call__(self, step: Any) -> Any:
        numbers = (self.initial_learning_rate, self.decay_steps, self.decay_rate)
        return stream.record(_EXPONENTIAL, static(staircase=self.staircase),
                             (convert.to_tensor(step), *((float(n), _F32) for n in numbers)))

    def get_config(self) -> dict[str, Any]:
        return {"initial_learning_rate": self.initial_learning_rate, "decay_steps": self.decay_steps,
                "decay_rate": self.decay_rate, "staircase": self.staircase, "name": self.name}


__getattr__ = missing.module_getattr(__name__, globals())
