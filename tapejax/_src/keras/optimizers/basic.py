"""`SGD`, `RMSprop`, `Adagrad`, `Adadelta`, `Ftrl`, and `get`, which finds an optimizer by its name.

Their formulas are in `tapejax._src.keras.optimizers.transforms`. Together with Adam and its relatives (`adam.py`) and
`from_optax` these are the public names of `tf.keras.optimizers`.
"""

from typing import Any

import optax

from tapejax._src.keras.optimizers import transforms
from tapejax._src.keras.optimizers.adam import Adam, Adamax, AdamW, Lamb, Lion, Nadam
from tapejax._src.keras.optimizers.base import Optimizer
from tapejax._src.keras.optimizers.from_optax import from_optax
from tapejax._src.keras.optimizers.step import by_formula

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
    """Gradient descent, optionally with momentum, as TensorFlow computes it.

    Without momentum a gradient that is a `tf.IndexedSlices` changes only its own rows.

    Args:
      learning_rate: see `Optimizer`.
      momentum: a number in [0, 1]. 0 means no momentum.
      nesterov: whether to use Nesterov momentum.
      **kwargs: see `Optimizer`.

    Raises:
      ValueError: `momentum` is not in [0, 1].

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
    """Gradients divided by the root of their mean square.

    For a gradient that is a `tf.IndexedSlices` the averages of all rows decay. Without momentum only the rows of the
    slices change.

    Args:
      learning_rate: see `Optimizer`.
      rho: the decay of the mean square.
      momentum: the momentum of the steps. 0 means no momentum.
      epsilon: added under the root.
      centered: whether to divide by the root of the estimated variance, which is the mean square minus the square of
        the mean.
      **kwargs: see `Optimizer`.

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
    """Gradients divided by the root of the sum of their squares.

    A gradient that is a `tf.IndexedSlices` changes only its own rows.

    Args:
      learning_rate: see `Optimizer`.
      initial_accumulator_value: the initial value of the sums.
      epsilon: added under the root.
      **kwargs: see `Optimizer`.

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
    """Adagrad with running averages instead of sums.

    A gradient that is a `tf.IndexedSlices` changes only its own rows.

    Args:
      learning_rate: see `Optimizer`.
      rho: the decay of the averages.
      epsilon: added under the roots.
      **kwargs: see `Optimizer`.

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
    """FTRL, "follow the regularized leader".

    Args:
      learning_rate: see `Optimizer`.
      learning_rate_power: the exponent with which the learning rate decays, at most 0.
      initial_accumulator_value: the initial value of the sums of squares, at least 0.
      l1_regularization_strength: the strength of the L1 penalty, at least 0.
      l2_regularization_strength: the strength of the L2 penalty, at least 0.
      l2_shrinkage_regularization_strength: the strength, at least 0, of an L2 penalty that acts on the size of the
        variable only.
      beta: ``beta / (2 * learning_rate)`` is added to the strength of the L2 penalty.
      **kwargs: see `Optimizer`.

    Raises:
      ValueError: an argument is out of its range.

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
    """Looks up or makes an optimizer.

    Args:
      identifier: the name of an optimizer; an `Optimizer`, which is returned as it is; or an optax transformation,
        which is wrapped by `from_optax`.

    Returns:
      An `Optimizer`.

    Raises:
      ValueError: `identifier` is none of these.

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
