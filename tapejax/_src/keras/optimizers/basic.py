"""`keras.optimizers`: `SGD` and what divides by accumulated gradients; the Adams and optax's come from their files."""

from typing import Any

import optax

from tapejax._src.keras.optimizers import transforms
from tapejax._src.keras.optimizers.adam import Adam, Adamax, AdamW, Lamb, Lion, Nadam
from tapejax._src.keras.optimizers.base import Optimizer, by_formula
from tapejax._src.keras.optimizers.from_optax import from_optax

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "from_optax",
    "get",
]


class SGD(Optimizer):
    """Gradient descent with momentum by TensorFlow's formula (`tapejax._src.keras.optimizers.transforms.sgd`).

    Without momentum, `tf.IndexedSlices` touch only their rows.

    Args:
      learning_rate: as of `Optimizer`.
      momentum: in [0, 1].
      nesterov: look ahead by one step of the momentum.
      **kwargs: as of `Optimizer`.

    Raises:
      ValueError: `momentum` is out of range.

    Source: https://keras.io/api/optimizers/sgd/

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> _ = SGD(0.1, momentum=0.9).apply_gradients([(tf.constant(1.0), v)])
    >>> round(float(v), 4)
    0.9
    """

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        if not isinstance(momentum, (int, float)) or not 0 <= momentum <= 1:
            raise ValueError("`momentum` must be a float between [0, 1].")
        self.momentum, self.nesterov = momentum, nesterov
        self._advance = by_formula(transforms.sgd)
        if momentum:
            self._slot_names, self._numbers = ("momentum",), ("momentum",)
            self._advance = by_formula(transforms.sgd, nesterov=bool(nesterov))


class RMSprop(Optimizer):
    """Gradients divided by the root of their average square.

    Given `tf.IndexedSlices` the averages decay in all rows; without momentum only the slices' rows move.

    Args:
      learning_rate: as of `Optimizer`.
      rho: decay of the average square.
      momentum: of the steps; 0 for none.
      epsilon: added under the root.
      centered: subtract the squared average gradient: the estimated variance.
      **kwargs: as of `Optimizer`.

    Source: https://keras.io/api/optimizers/rmsprop/

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> _ = RMSprop(learning_rate=0.1, rho=0.75).apply_gradients([(tf.constant(3.0), v)])
    >>> round(float(v), 4)
    0.8
    """

    _together = 1

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered
        moving = momentum > 0
        self._slot_names = ("velocity", *["momentum"] * moving, *["average_gradient"] * bool(centered))
        self._numbers = ("rho", "epsilon", *["momentum"] * moving)
        self._advance = by_formula(transforms.rmsprop, centered=bool(centered))


class Adagrad(Optimizer):
    """Gradients divided by the root of the sum of their squares. `tf.IndexedSlices` touch only their rows.

    Args:
      learning_rate: as of `Optimizer`.
      initial_accumulator_value: what the sums start from.
      epsilon: added under the root.
      **kwargs: as of `Optimizer`.

    Source: https://keras.io/api/optimizers/adagrad/

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> _ = Adagrad(0.1, initial_accumulator_value=0.0).apply_gradients([(tf.constant(3.0), v)])
    >>> round(float(v), 4)
    0.9
    """

    _slot_names = ("accumulator",)
    _numbers = ("epsilon",)
    _advance = staticmethod(by_formula(transforms.adagrad))

    def __init__(
        self, learning_rate: Any = 0.001, initial_accumulator_value: float = 0.1, epsilon: float = 1e-7, **kwargs: Any
    ):
        super().__init__(learning_rate, **kwargs)
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon
        self._slot_starts = {"accumulator": initial_accumulator_value}


class Adadelta(Optimizer):
    """Adagrad with averages in place of sums. Of `tf.IndexedSlices` only the rows move.

    Args:
      learning_rate: as of `Optimizer`.
      rho: decay of the averages.
      epsilon: added under the roots.
      **kwargs: as of `Optimizer`.

    Source: https://keras.io/api/optimizers/adadelta/

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> _ = Adadelta(1.0, epsilon=1.0).apply_gradients([(tf.constant(3.0), v)])
    >>> round(float(v), 4)
    -1.4914
    """

    _slot_names = ("accumulated_grad", "accumulated_delta_var")
    _numbers = ("rho", "epsilon")
    _advance = staticmethod(by_formula(transforms.adadelta))

    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.rho, self.epsilon = rho, epsilon


class Ftrl(Optimizer):
    """Follow the regularized leader.

    Args:
      learning_rate: as of `Optimizer`.
      learning_rate_power: how the learning rate decays, at most 0.
      initial_accumulator_value: what the sums of squares start from.
      l1_regularization_strength, l2_regularization_strength: penalties on the variables.
      l2_shrinkage_regularization_strength: penalty on the size alone.
      beta: added to the l2 strength, divided by twice the learning rate.
      **kwargs: as of `Optimizer`.

    Raises:
      ValueError: a number of the wrong sign.

    Source: https://keras.io/api/optimizers/ftrl/

    >>> import tapejax as tf
    >>> v = tf.Variable(0.0)
    >>> _ = Ftrl(0.1, initial_accumulator_value=0.0).apply_gradients([(tf.constant(3.0), v)])
    >>> round(float(v), 4)
    -0.1
    """

    _slot_names = ("accumulator", "linear")
    _numbers = (
        "learning_rate_power",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
        "beta",
    )
    _advance = staticmethod(by_formula(transforms.ftrl))

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        given = {
            "initial_accumulator_value": initial_accumulator_value,
            "learning_rate_power": learning_rate_power,
            "l1_regularization_strength": l1_regularization_strength,
            "l2_regularization_strength": l2_regularization_strength,
            "l2_shrinkage_regularization_strength": l2_shrinkage_regularization_strength,
        }
        for name, value in given.items():
            if value > 0 if name == "learning_rate_power" else value < 0:
                sign = "negative" if name == "learning_rate_power" else "positive"
                raise ValueError(f"`{name}` needs to be {sign} or zero. Received: {name}={value}.")
            setattr(self, name, value)
        self.beta = beta
        self._slot_starts = {"accumulator": initial_accumulator_value}


_BY_NAME = {
    cls.__name__.lower(): cls for cls in (SGD, RMSprop, Adam, AdamW, Adadelta, Adagrad, Adamax, Nadam, Ftrl, Lion, Lamb)
}


def get(identifier: Any) -> Optimizer:
    """The optimizer for a name; an `Optimizer` passes through, an optax transformation is wrapped.

    Raises:
      ValueError: it is none of these.

    >>> get("adam").name.startswith("adam")
    True
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str) and identifier.lower() in _BY_NAME:
        return _BY_NAME[identifier.lower()]()
    if isinstance(identifier, optax.GradientTransformation):
        return from_optax(identifier)
    raise ValueError(f"Could not interpret optimizer identifier: {identifier}")
