"""`tf.train.ExponentialMovingAverage`: running averages of variables during training."""

from collections.abc import Iterable
from typing import Any

from tapejax._src.core.convert import convert_to_tensor
from tapejax._src.core.scopes import init_scope
from tapejax._src.core.variable import Variable
from tapejax._src.ops.array.casting import cast
from tapejax._src.ops.math.elementwise import minimum

__all__ = ["ExponentialMovingAverage"]


class ExponentialMovingAverage:
    """Keeps a running average of each variable, updated by ``average -= (1 - decay) * (average - variable)``.

    Args:
      decay: a number just below 1. The closer it is to 1, the more slowly the averages follow the variables.
      num_updates: the number n of steps done, as a number or a variable, or None. If it is given, the decay is at most
        ``(1 + n) / (10 + n)``, so that the averages follow faster in the first steps.
      zero_debias: has no effect. In TensorFlow it has none for variables either.
      name: the last part of the averages' names.

    Source: https://www.tensorflow.org/api_docs/python/tf/train/ExponentialMovingAverage

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> averages = ExponentialMovingAverage(0.75)
    >>> averages.apply([v])
    >>> _ = v.assign(5.0)
    >>> averages.apply([v])
    >>> float(averages.average(v))
    2.0
    """

    def __init__(
        self, decay: Any, num_updates: Any = None, zero_debias: bool = False, name: str = "ExponentialMovingAverage"
    ):
        self._decay, self._num_updates, self._name = decay, num_updates, name
        self._averages: dict[Any, Variable] = {}

    name = property(lambda self: self._name, doc="The last part of the averages' names.")

    def apply(self, var_list: Iterable[Variable] | None = None) -> None:
        """Updates the averages of variables. The first call for a variable starts its average at its value.

        Args:
          var_list: floating variables.

        Raises:
          TypeError: an item is not a variable, or its dtype is not floating.
          ValueError: `var_list` is None, which in TensorFlow means all variables.
        """
        if var_list is None:
            raise ValueError(
                "`var_list` is required, because tapejax keeps no list of all variables. Pass the variables."
            )
        variables = list(var_list)
        for v in variables:
            if not isinstance(v, Variable):
                raise TypeError(
                    "tf.train.ExponentialMovingAverage does not support non-Variable tensors when eager "
                    "execution is enabled."
                )
            if v.dtype.name not in ("float16", "float32", "float64"):
                raise TypeError(f"The variables must be half, float, or double: {v.name}")
        for v in variables:
            if v.ref() not in self._averages:
                with init_scope():
                    self._averages[v.ref()] = Variable(v.read_value(), trainable=False, name=self.average_name(v))
            average = self._averages[v.ref()]
            away = average - v  # type: ignore[operator]
            average.assign_sub(away * cast(1 - self._rate(), v.dtype))

    def _rate(self) -> Any:
        if self._num_updates is None:
            return convert_to_tensor(self._decay)
        done = cast(self._num_updates, "float32")
        return minimum(cast(self._decay, "float32"), (1.0 + done) / (10.0 + done))

    def average(self, var: Variable) -> Variable | None:
        """The variable that holds the average of `var`, or None if `apply` was never called with `var`."""
        return self._averages.get(var.ref())

    def average_name(self, var: Variable) -> str:
        """The name of the variable that holds the average of `var`."""
        return f"{var.name.removesuffix(':0')}/{self._name}"

    def variables_to_restore(self, moving_avg_variables: Iterable[Variable]) -> dict[str, Variable]:
        """A dictionary from the names of the averages to the variables, for loading averages into the variables."""
        return {self.average_name(v): v for v in moving_avg_variables}
