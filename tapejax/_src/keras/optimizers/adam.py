"""Adam and its relatives. Their formulas are in `tapejax._src.keras.optimizers.transforms`."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tapejax._src.core.tensor import from_value
from tapejax._src.keras.backend import Weight
from tapejax._src.keras.optimizers import transforms
from tapejax._src.keras.optimizers.base import Optimizer
from tapejax._src.keras.optimizers.step import by_formula

__all__ = ["Adam", "AdamW", "Adamax", "Lamb", "Lion", "Nadam"]


class _Moments(Optimizer):
    """Base class of the optimizers with a first and a second moment."""

    _slot_names: tuple[str, ...] = ("momentum", "velocity")
    _numbers: tuple[str, ...] = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon


class Adam(_Moments):
    """Adam, as TensorFlow computes it.

    Epsilon is added outside the bias correction. For gradients that are `tf.IndexedSlices` it does what Keras 3 does:
    the moments of all rows decay, and all rows change. Where an index repeats, the second moment gets the sum of the
    squares, not the square of the sum.

    Args:
      learning_rate: see `Optimizer`.
      beta_1: the decay of the first moments.
      beta_2: the decay of the second moments.
      epsilon: added to the root of the second moment, outside the bias correction.
      amsgrad: whether to divide by the largest second moment so far.
      **kwargs: see `Optimizer`.

    Source: https://keras.io/api/optimizers/adam/

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> _ = Adam(learning_rate=0.1).apply_gradients([(tf.constant(3.0), v)])
    >>> round(float(v), 4)
    0.9
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.amsgrad = amsgrad
        self._advance = by_formula(transforms.adam, amsgrad=bool(amsgrad))
        if amsgrad:
            self._slot_names = (*Adam._slot_names, "velocity_hat")


class AdamW(Adam):
    """`Adam` with weight decay.

    Args:
      learning_rate: see `Optimizer`.
      weight_decay: each step subtracts ``weight_decay * learning_rate * variable`` from each variable.
      beta_1, beta_2, epsilon, amsgrad: see `Adam`.
      **kwargs: see `Optimizer`.

    Raises:
      ValueError: `weight_decay` is None.

    Source: https://keras.io/api/optimizers/adamw/

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> _ = AdamW(learning_rate=0.1, weight_decay=0.5).apply_gradients([(tf.constant(3.0), v)])
    >>> round(float(v), 4)
    0.85
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs)
        if weight_decay is None:
            raise ValueError("Argument `weight_decay` must be a float. Received: weight_decay=None")


class Adamax(_Moments):
    """Adam that divides by the largest gradient so far, which decays, instead of the root of the second moment.

    Args:
      learning_rate: see `Optimizer`.
      beta_1: the decay of the first moments.
      beta_2: the decay of the largest gradients.
      epsilon: added to the largest gradient.
      **kwargs: see `Optimizer`.

    Source: https://keras.io/api/optimizers/adamax/

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> _ = Adamax(learning_rate=0.1).apply_gradients([(tf.constant(3.0), v)])
    >>> round(float(v), 4)
    0.9
    """

    _slot_names = ("momentum", "norm")
    _advance = staticmethod(by_formula(transforms.adamax))


class Lamb(_Moments):
    """Adam whose step for each variable is scaled to the norm of the variable.

    Args:
      learning_rate: see `Optimizer`.
      beta_1, beta_2: the decay of the first and second moments.
      epsilon: added to the root of the second moment.
      **kwargs: see `Optimizer`.

    Source: https://keras.io/api/optimizers/lamb/

    >>> import tapejax as tf
    >>> v = tf.Variable([2.0])
    >>> _ = Lamb(learning_rate=0.1).apply_gradients([(tf.constant([3.0]), v)])
    >>> round(float(v[0]), 4)
    1.8
    """

    _advance = staticmethod(by_formula(transforms.lamb))


class Lion(Optimizer):
    """Steps of equal size in the direction of the sign of an average of gradients.

    Args:
      learning_rate: see `Optimizer`.
      beta_1: the weight of the momentum in the average.
      beta_2: the decay of the momentum.
      **kwargs: see `Optimizer`.

    Raises:
      ValueError: `beta_1` is not in (0, 1].

    Source: https://keras.io/api/optimizers/lion/

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> _ = Lion(learning_rate=0.1).apply_gradients([(tf.constant(3.0), v)])
    >>> round(float(v), 4)
    0.9
    """

    _slot_names = ("momentum",)
    _numbers = ("beta_1", "beta_2")
    _advance = staticmethod(by_formula(transforms.lion))

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        if beta_1 <= 0 or beta_1 > 1:
            raise ValueError(
                "Argument `beta_1` must be in the [0, 1] range. Otherwise, the optimizer degenerates to "
                f"SignSGD. Received: beta_1={beta_1}."
            )
        self.beta_1, self.beta_2 = beta_1, beta_2


def _nadam(rate: Any, hyper: list, iterations: Any, grads: tuple, params: tuple, slots: Sequence) -> tuple:
    *slots, product = slots
    product = product * transforms.nadam_factor(hyper[0], iterations + 1, product, exact=True)
    advance = by_formula.__wrapped__(partial(transforms.nadam, product=product))
    updates, new = advance(rate, hyper, iterations, grads, params, slots)
    return updates, (*new, product)


class Nadam(_Moments):
    """Adam with Nesterov momentum.

    Args:
      learning_rate: see `Optimizer`.
      beta_1, beta_2: the decay of the first and second moments.
      epsilon: added to the root of the second moment.
      **kwargs: see `Optimizer`.

    Source: https://keras.io/api/optimizers/nadam/

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> _ = Nadam(learning_rate=0.1).apply_gradients([(tf.constant(3.0), v)])
    >>> round(float(v), 4)
    0.8937
    """

    _advance = staticmethod(_nadam)

    def _make_slots(self) -> list[list[Weight]]:
        dtype = self._trained[0].dtype.as_numpy_dtype if self._trained else np.float32
        self._product = Weight(from_value(np.ones((), dtype)), False, "variable", f"{self.name}/variable")
        return super()._make_slots()

    def _slots_of(self, places: list[int]) -> list[Weight]:
        return [*super()._slots_of(places), self._product]

    @property
    def variables(self) -> list[Weight]:
        """The variables of `Optimizer`, followed by the product of the momenta of all steps."""
        return [*super().variables, *([self._product] if self.built else [])]
