"""Adam and its relatives by Keras's formulas (`tapejax._src.keras.optimizers.transforms`)."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tapejax._src.core.tensor import from_value
from tapejax._src.keras.backend import Weight
from tapejax._src.keras.optimizers import transforms
from tapejax._src.keras.optimizers.base import Optimizer, by_formula

__all__ = ["Adam", "AdamW", "Adamax", "Lamb", "Lion", "Nadam"]


class _Moments(Optimizer):
    """What has first and second moments."""

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
    """Adam by TensorFlow's formula (`tapejax._src.keras.optimizers.transforms.adam`).

    Given `tf.IndexedSlices` it does what Keras 3 does: the moments decay in all rows, and all rows move. Where an
    index repeats, the second moment takes the sum of the squares, not the square of the sum.

    Args:
      learning_rate: as of `Optimizer`.
      beta_1: decay of the first moments.
      beta_2: decay of the second moments.
      epsilon: added to the root of the second moment, outside the bias correction.
      amsgrad: divide by the largest second moment so far.
      **kwargs: as of `Optimizer`.

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
    """`Adam` with decay of the weights.

    Args:
      learning_rate: as of `Optimizer`.
      weight_decay: variables lose this part, times the learning rate, at each step.
      beta_1, beta_2, epsilon, amsgrad: as of `Adam`.
      **kwargs: as of `Optimizer`.

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
    """Adam with the largest gradient, decayed, in place of the second moment.

    Args:
      learning_rate: as of `Optimizer`.
      beta_1: decay of the first moments.
      beta_2: decay of the largest gradients.
      epsilon: added to the largest gradient.
      **kwargs: as of `Optimizer`.

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
    """Adam whose steps are scaled to the norm of each variable.

    Args:
      learning_rate: as of `Optimizer`.
      beta_1, beta_2: decay of the first and second moments.
      epsilon: added to the root of the second moment.
      **kwargs: as of `Optimizer`.

    Source: https://keras.io/api/optimizers/lamb/

    >>> import tapejax as tf
    >>> v = tf.Variable([2.0])
    >>> _ = Lamb(learning_rate=0.1).apply_gradients([(tf.constant([3.0]), v)])
    >>> round(float(v[0]), 4)
    1.8
    """

    _advance = staticmethod(by_formula(transforms.lamb))


class Lion(Optimizer):
    """Steps of one size, with the sign of an average of gradients.

    Args:
      learning_rate: as of `Optimizer`.
      beta_1: weight of the momentum in the average.
      beta_2: decay of the momentum.
      **kwargs: as of `Optimizer`.

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
    """Adam with Nesterov's look ahead.

    Args:
      learning_rate: as of `Optimizer`.
      beta_1, beta_2: decay of the first and second moments.
      epsilon: added to the root of the second moment.
      **kwargs: as of `Optimizer`.

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
        """As of `Optimizer`; then the product of the momenta of all steps."""
        return [*super().variables, *([self._product] if self.built else [])]
