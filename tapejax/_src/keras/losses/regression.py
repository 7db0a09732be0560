"""Losses for numbers and directions, and hinge losses.

The function bodies compute on JAX arrays; `base.formula` makes the public functions from them.
"""

from typing import Any

import jax
import jax.numpy as jnp

from tapejax._src.keras import backend
from tapejax._src.keras.losses.base import FormulaLoss, formula, positive, same_rank

__all__ = [
    "CategoricalHinge", "CosineSimilarity", "Hinge", "Huber", "LogCosh", "MeanAbsoluteError",
    "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError", "SquaredHinge",
    "categorical_hinge", "cosine_similarity", "hinge", "huber", "log_cosh", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error", "squared_hinge",
]  # fmt: skip


def _mean(x: Any) -> Any:
    return jnp.mean(x, -1) if x.ndim else x


def _size(x: Any) -> Any:
    """The absolute value, with gradient 0 at 0."""
    return x * jnp.sign(x)


def _of_hinge(y_true: Any) -> Any:
    """Turns labels 0 and 1 into -1 and 1, and returns other labels unchanged."""
    return jnp.where(jnp.all((y_true == 0) | (y_true == 1)), 2 * y_true - 1, y_true)


@formula
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """``mean((y_true - y_pred) ** 2)`` over the last axis.

    Source: https://keras.io/api/losses/regression_losses/#mean_squared_error-function

    >>> mean_squared_error([[0.0, 2.0]], [[0.0, 0.0]]).numpy().tolist()
    [2.0]
    """
    y_true, y_pred = same_rank(y_true, y_pred)
    return _mean(jnp.square(y_true - y_pred))


@formula
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """``mean(abs(y_true - y_pred))`` over the last axis.

    Source: https://keras.io/api/losses/regression_losses/#mean_absolute_error-function

    >>> mean_absolute_error([[0.0, 2.0]], [[0.0, 0.0]]).numpy().tolist()
    [1.0]
    """
    y_true, y_pred = same_rank(y_true, y_pred)
    return _mean(_size(y_true - y_pred))


@formula
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """``100 * mean(abs((y_true - y_pred) / y_true))`` over the last axis.

    Source: https://keras.io/api/losses/regression_losses/#mean_absolute_percentage_error-function

    >>> mean_absolute_percentage_error([[4.0, 2.0]], [[3.0, 2.0]]).numpy().tolist()
    [12.5]
    """
    y_true, y_pred = same_rank(y_true, y_pred)
    size = _size(y_true)
    least = jnp.asarray(backend.epsilon(), y_pred.dtype)
    return 100 * _mean(_size((y_true - y_pred) / jnp.where(size >= least, size, least)))


@formula
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """``mean((log(y_true + 1) - log(y_pred + 1)) ** 2)`` over the last axis.

    Source: https://keras.io/api/losses/regression_losses/#mean_squared_logarithmic_error-function

    >>> mean_squared_logarithmic_error([[0.0]], [[0.0]]).numpy().tolist()
    [0.0]
    """
    y_true, y_pred = same_rank(y_true, y_pred)
    least = jnp.asarray(backend.epsilon(), y_pred.dtype)
    first, second = (jnp.log(jnp.where(y >= least, y, least) + 1) for y in (y_pred, y_true))
    return _mean(jnp.square(first - second))


@formula
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """The Huber loss, averaged over the last axis.

    It is half the squared error where the error is at most `delta` in size, and grows linearly beyond.

    Source: https://keras.io/api/losses/regression_losses/#huber-function

    >>> huber([[0.0, 0.0]], [[1.0, 3.0]]).numpy().tolist()
    [1.5]
    """
    y_true, y_pred = same_rank(y_true, y_pred)
    error = y_pred - y_true
    size = _size(error)
    return _mean(jnp.where(size <= delta, 0.5 * jnp.square(error), delta * size - 0.5 * delta**2))


@formula
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """``log(cosh(y_pred - y_true))``, averaged over the last axis.

    Source: https://keras.io/api/losses/regression_losses/#log_cosh-function

    >>> log_cosh([[0.0]], [[1.0]]).numpy().round(4).tolist()
    [0.43380001187324524]
    """
    y_true, y_pred = same_rank(y_true, y_pred)
    error = y_pred - y_true
    return _mean(error + jax.nn.softplus(-2 * error) - jnp.log(jnp.asarray(2, error.dtype)))


@formula
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Minus the cosine of the angle between two vectors.

    It is -1 for the same direction, 0 for a right angle. The vectors lie along `axis`.

    Source: https://keras.io/api/losses/regression_losses/#cosine_similarity-function

    >>> cosine_similarity([[0.0, 2.0]], [[0.0, 1.0]]).numpy().tolist()
    [-1.0]
    """
    y_true, y_pred = same_rank(y_true, y_pred)
    least = jnp.asarray(backend.epsilon() ** 2, y_pred.dtype)
    squares = (jnp.sum(jnp.square(y), axis, keepdims=True) for y in (y_true, y_pred))
    first, second = (
        y * jax.lax.rsqrt(jnp.where(s >= least, s, least)) for y, s in zip((y_true, y_pred), squares, strict=True)
    )
    return -jnp.sum(first * second, axis)


@formula
def hinge(y_true: Any, y_pred: Any) -> Any:
    """``mean(max(1 - y_true * y_pred, 0))`` over the last axis. The labels are -1 and 1, or 0 and 1.

    Source: https://keras.io/api/losses/hinge_losses/#hinge-function

    >>> hinge([[1.0, -1.0]], [[0.5, 0.5]]).numpy().tolist()
    [1.0]
    """
    return _mean(positive(1 - _of_hinge(y_true) * y_pred))


@formula
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """``mean(max(1 - y_true * y_pred, 0) ** 2)`` over the last axis. The labels are -1 and 1, or 0 and 1.

    Source: https://keras.io/api/losses/hinge_losses/#squared_hinge-function

    >>> squared_hinge([[1.0, -1.0]], [[0.5, 0.5]]).numpy().tolist()
    [1.25]
    """
    return _mean(jnp.square(positive(1 - _of_hinge(y_true) * y_pred)))


@formula
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """``max(neg - pos + 1, 0)``.

    Here pos is the prediction for the true class and neg the largest prediction for a wrong class.

    Source: https://keras.io/api/losses/hinge_losses/#categorical_hinge-function

    >>> categorical_hinge([[1.0, 0.0]], [[0.5, 0.25]]).numpy().tolist()
    [0.75]
    """
    return positive(jnp.max((1 - y_true) * y_pred, -1) - jnp.sum(y_true * y_pred, -1) + 1)


class MeanSquaredError(FormulaLoss):
    """`mean_squared_error`, reduced over the batch. For the arguments see `Loss`.

    Source: https://keras.io/api/losses/regression_losses/#meansquarederror-class

    >>> float(MeanSquaredError()([[0.0, 2.0]], [[0.0, 0.0]]))
    2.0
    """

    _function = staticmethod(mean_squared_error)

    def __init__(
        self, reduction: Any = "sum_over_batch_size", name: str | None = "mean_squared_error", dtype: Any = None
    ):
        self._configure(reduction, name, dtype)


class MeanAbsoluteError(FormulaLoss):
    """`mean_absolute_error`, reduced over the batch. For the arguments see `Loss`.

    Source: https://keras.io/api/losses/regression_losses/#meanabsoluteerror-class

    >>> float(MeanAbsoluteError()([[0.0, 2.0]], [[0.0, 0.0]]))
    1.0
    """

    _function = staticmethod(mean_absolute_error)

    def __init__(
        self, reduction: Any = "sum_over_batch_size", name: str | None = "mean_absolute_error", dtype: Any = None
    ):
        self._configure(reduction, name, dtype)


class MeanAbsolutePercentageError(FormulaLoss):
    """`mean_absolute_percentage_error`, reduced over the batch. For the arguments see `Loss`.

    Source: https://keras.io/api/losses/regression_losses/#meanabsolutepercentageerror-class

    >>> float(MeanAbsolutePercentageError()([[4.0]], [[3.0]]))
    25.0
    """

    _function = staticmethod(mean_absolute_percentage_error)

    def __init__(
        self,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "mean_absolute_percentage_error",
        dtype: Any = None,
    ):
        self._configure(reduction, name, dtype)


class MeanSquaredLogarithmicError(FormulaLoss):
    """`mean_squared_logarithmic_error`, reduced over the batch. For the arguments see `Loss`.

    Source: https://keras.io/api/losses/regression_losses/#meansquaredlogarithmicerror-class

    >>> float(MeanSquaredLogarithmicError()([[3.0]], [[3.0]]))
    0.0
    """

    _function = staticmethod(mean_squared_logarithmic_error)

    def __init__(
        self,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ):
        self._configure(reduction, name, dtype)


class Huber(FormulaLoss):
    """`huber`, reduced over the batch. For `delta` see `huber`, for the other arguments see `Loss`.

    Source: https://keras.io/api/losses/regression_losses/#huber-class

    >>> float(Huber(delta=2.0)([[0.0]], [[3.0]]))
    4.0
    """

    _function = staticmethod(huber)

    def __init__(
        self,
        delta: float = 1.0,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ):
        self._configure(reduction, name, dtype, delta=delta)


class LogCosh(FormulaLoss):
    """`log_cosh`, reduced over the batch. For the arguments see `Loss`.

    Source: https://keras.io/api/losses/regression_losses/#logcosh-class

    >>> round(float(LogCosh()([[0.0]], [[1.0]])), 4)
    0.4338
    """

    _function = staticmethod(log_cosh)

    def __init__(self, reduction: Any = "sum_over_batch_size", name: str | None = "log_cosh", dtype: Any = None):
        self._configure(reduction, name, dtype)


class CosineSimilarity(FormulaLoss):
    """`cosine_similarity`, reduced over the batch.

    Args:
      axis: the axis along which the vectors lie.
      reduction, name, dtype: see `Loss`.

    Source: https://keras.io/api/losses/regression_losses/#cosinesimilarity-class

    >>> float(CosineSimilarity()([[0.0, 2.0]], [[0.0, 1.0]]))
    -1.0
    """

    _function = staticmethod(cosine_similarity)

    def __init__(
        self,
        axis: int = -1,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ):
        self._configure(reduction, name, dtype, axis=axis)


class Hinge(FormulaLoss):
    """`hinge`, reduced over the batch. For the arguments see `Loss`.

    Source: https://keras.io/api/losses/hinge_losses/#hinge-class

    >>> float(Hinge()([[1.0, -1.0]], [[0.5, 0.5]]))
    1.0
    """

    _function = staticmethod(hinge)

    def __init__(self, reduction: Any = "sum_over_batch_size", name: str | None = "hinge", dtype: Any = None):
        self._configure(reduction, name, dtype)


class SquaredHinge(FormulaLoss):
    """`squared_hinge`, reduced over the batch. For the arguments see `Loss`.

    Source: https://keras.io/api/losses/hinge_losses/#squaredhinge-class

    >>> float(SquaredHinge()([[1.0, -1.0]], [[0.5, 0.5]]))
    1.25
    """

    _function = staticmethod(squared_hinge)

    def __init__(self, reduction: Any = "sum_over_batch_size", name: str | None = "squared_hinge", dtype: Any = None):
        self._configure(reduction, name, dtype)


class CategoricalHinge(FormulaLoss):
    """`categorical_hinge`, reduced over the batch. For the arguments see `Loss`.

    Source: https://keras.io/api/losses/hinge_losses/#categoricalhinge-class

    >>> float(CategoricalHinge()([[1.0, 0.0]], [[0.5, 0.25]]))
    0.75
    """

    _function = staticmethod(categorical_hinge)

    def __init__(
        self, reduction: Any = "sum_over_batch_size", name: str | None = "categorical_hinge", dtype: Any = None
    ):
        self._configure(reduction, name, dtype)
