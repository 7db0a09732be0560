"""`keras.losses`. A loss object is one recorded op: formula, weights and reduction together."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax import convert, missing
from tapejax.engine import stream
from tapejax.engine.op import Op, static
from tapejax.keras import backend, keras2
from tapejax.ops import nn
from tapejax.tensor import Tensor

__all__ = [
    "BinaryCrossentropy", "CategoricalCrossentropy", "Loss", "MeanAbsoluteError", "MeanSquaredError", "Reduction",
    "SparseCategoricalCrossentropy", "binary_crossentropy", "categorical_crossentropy", "get",
    "mean_absolute_error", "mean_squared_error", "sparse_categorical_crossentropy",
]  # fmt: skip

_REDUCTIONS = ("sum_over_batch_size", "sum", None, "none", "mean", "mean_with_sample_weight")


class Reduction:
    """Names of reductions, as TensorFlow 2's Keras had them."""

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


# The formulas, on JAX arrays. `y_true` has been converted to the dtype of `y_pred`.


def _same_rank(x: Any, y: Any) -> tuple[Any, Any]:
    """Adds or drops a last axis of size 1 where the ranks differ by one."""
    if x.ndim == y.ndim + 1 and x.shape[-1] == 1:
        return (x, y[..., None]) if y.ndim == 1 else (x[..., 0], y)
    if y.ndim == x.ndim + 1 and y.shape[-1] == 1:
        return (x[..., None], y) if x.ndim == 1 else (x, y[..., 0])
    return x, y


def _squared(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = _same_rank(y_true, y_pred)
    return jnp.mean(jnp.square(y_true - y_pred), -1) if y_pred.ndim else jnp.square(y_true - y_pred)


def _absolute(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = _same_rank(y_true, y_pred)
    distance = y_true - y_pred
    distance = distance * jnp.sign(distance)  # as abs, but of gradient 0 at 0
    return jnp.mean(distance, -1) if y_pred.ndim else distance


def _clipped(p: Any) -> Any:
    low, high = jnp.asarray(backend.epsilon(), p.dtype), jnp.asarray(1 - backend.epsilon(), p.dtype)
    return jnp.where(p < low, low, jnp.where(p > high, high, p))


def _check_shapes(y_true: Any, y_pred: Any) -> None:
    if y_true.shape != y_pred.shape:
        what = "rank (ndim)" if y_true.ndim != y_pred.ndim else "shape"
        raise nn._final(f"Arguments `target` and `output` must have the same {what}. Received: "
                        f"target.shape={y_true.shape}, output.shape={y_pred.shape}")


def _binary(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1) -> Any:
    _check_shapes(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        return jnp.mean(nn.sigmoid_cross_entropy_with_logits.op.fn(y_true, y_pred), axis)
    p = _clipped(y_pred)
    return jnp.mean(-(y_true * jnp.log(p) + (1 - y_true) * jnp.log(1 - p)), axis)


def _categorical(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0,
                 axis: int = -1) -> Any:
    _check_shapes(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / y_true.shape[-1]
    if from_logits:
        return nn.softmax_cross_entropy_with_logits.op.fn(y_true, y_pred, axis=axis)
    p = _clipped(y_pred / jnp.sum(y_pred, axis, keepdims=True))
    return -jnp.sum(y_true * jnp.log(p), axis)


def _sparse(y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None,
            axis: int = -1) -> Any:
    if axis not in (-1, y_pred.ndim - 1):
        raise nn._final(f"Only axis=-1 is currently supported. Received: axis={axis}")
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    if y_true.shape != y_pred.shape[:-1]:
        raise nn._final("Arguments `target` and `output` must have the same shape up until the last dimension: "
                        f"target.shape={y_true.shape}, output.shape={y_pred.shape}")
    logits = y_pred if from_logits else jnp.log(_clipped(y_pred))
    if ignore_class is None:
        return nn.sparse_softmax_cross_entropy_with_logits.op.fn(y_true.astype(jnp.int64), logits)
    valid = y_true != jnp.asarray(ignore_class, y_true.dtype)
    logits = jnp.where(valid[..., None], logits, 0)
    losses = nn.sparse_softmax_cross_entropy_with_logits.op.fn(jnp.where(valid, y_true, 0).astype(jnp.int64), logits)
    return jnp.where(valid, losses, 0)


def _reduce(losses: Any, weight: Any, reduction: str | None, valid: Any = None) -> Any:
    if valid is not None:
        scale = valid.size / jnp.maximum(jnp.sum(valid), 1) if reduction in ("mean", "sum_over_batch_size") else 1
        mask = (valid * scale).astype(losses.dtype)
        weight = mask if weight is None else jnp.multiply(*_same_rank(mask, weight.astype(losses.dtype)))
    if weight is not None:
        losses, weight = _same_rank(losses, weight.astype(losses.dtype))
        losses = losses * weight
    if reduction in (None, "none") or losses.shape in ((), (0,)):
        return losses
    total = jnp.sum(losses, dtype=losses.dtype)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and weight is not None:
        count = jnp.sum(weight, dtype=losses.dtype)
        return jnp.where(count == 0, 0, total / jnp.where(count == 0, 1, count))
    return total / losses.size if losses.size else jnp.zeros((), losses.dtype)


def _function(name: str, formula: Callable) -> Op:
    return Op(name, lambda y_true, y_pred, **kwargs: formula(y_true.astype(y_pred.dtype), y_pred, **kwargs))


def _object(y_true: Any, y_pred: Any, *weight: Any, formula: Callable, dtype: np.dtype, reduction: str | None,
            kwargs: tuple) -> Any:
    y_true, y_pred = _same_rank(y_true.astype(dtype), y_pred.astype(dtype))
    options = dict(kwargs)
    losses = formula(y_true, y_pred, **options)
    valid = None
    if options.get("ignore_class") is not None:
        valid = (y_true[..., 0] if y_true.ndim == y_pred.ndim else y_true) != options["ignore_class"]
    return _reduce(losses, weight[0] if weight else None, reduction, valid)


_OBJECT = Op("loss", _object)
_REDUCE = Op("reduce_loss", lambda losses, *weight, reduction: _reduce(
    losses, weight[0] if weight else None, reduction))
_FUNCTIONS = {formula: _function(name, formula) for name, formula in (
    ("mean_squared_error", _squared), ("mean_absolute_error", _absolute), ("binary_crossentropy", _binary),
    ("categorical_crossentropy", _categorical), ("sparse_categorical_crossentropy", _sparse))}


def _call(formula: Callable, y_true: Any, y_pred: Any, **kwargs: Any) -> Tensor:
    prediction = convert.to_tensor(y_pred)
    target = convert.to_tensor(y_true, None, prediction.aval.dtype)
    return stream.record(_FUNCTIONS[formula], static(**kwargs), (target, prediction))


def mean_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    """``mean((y_true - y_pred) ** 2)`` over the last axis.

    Source: https://keras.io/api/losses/regression_losses/#mean_squared_error-function

    >>> mean_squared_error([[0.0, 2.0]], [[0.0, 0.0]]).numpy().tolist()
    [2.0]
    """
    return _call(_squared, y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Tensor:
    """``mean(abs(y_true - y_pred))`` over the last axis.

    Source: https://keras.io/api/losses/regression_losses/#mean_absolute_error-function

    >>> mean_absolute_error([[0.0, 2.0]], [[0.0, 0.0]]).numpy().tolist()
    [1.0]
    """
    return _call(_absolute, y_true, y_pred)


def binary_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0,
                        axis: int = -1) -> Tensor:
    """Cross entropy of probabilities, or logits, of two classes, averaged over `axis`.

    Source: https://keras.io/api/losses/probabilistic_losses/#binary_crossentropy-function

    >>> binary_crossentropy([[1.0, 0.0]], [[0.5, 0.5]]).numpy().round(4).tolist()
    [0.6930999755859375]
    """
    return _call(_binary, y_true, y_pred, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)


def categorical_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0,
                             axis: int = -1) -> Tensor:
    """Cross entropy of distributions over classes along `axis`.

    Source: https://keras.io/api/losses/probabilistic_losses/#categorical_crossentropy-function

    >>> categorical_crossentropy([[1.0, 0.0]], [[0.5, 0.5]]).numpy().round(4).tolist()
    [0.6930999755859375]
    """
    return _call(_categorical, y_true, y_pred, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)


def sparse_categorical_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False,
                                    ignore_class: int | None = None, axis: int = -1) -> Tensor:
    """Cross entropy of class numbers and distributions over classes along the last axis.

    Source: https://keras.io/api/losses/probabilistic_losses/#sparse_categorical_crossentropy-function

    >>> sparse_categorical_crossentropy([1], [[0.5, 0.5]]).numpy().round(4).tolist()
    [0.6930999755859375]
    """
    return _call(_sparse, y_true, y_pred, from_logits=from_logits, ignore_class=ignore_class, axis=axis)


class Loss:
    """Base class of loss objects; a subclass writes ``call(y_true, y_pred)``, which gives a loss per sample.

    Args:
      name: by default made from the class's.
      reduction: "sum_over_batch_size" ("mean"), "sum", "mean_with_sample_weight", or None ("none").
      dtype: of the computation, float32 by default.

    Raises:
      ValueError: another `reduction`.

    Source: https://keras.io/api/losses/#base-loss-api

    >>> class Distance(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return mean_absolute_error(y_true, y_pred)
    >>> float(Distance()([[1.0]], [[3.0]]))
    2.0
    """

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None):
        reduction = keras2.reduction(reduction)
        if reduction not in _REDUCTIONS:
            raise ValueError(f"Invalid value for argument `reduction`. Expected one of {_REDUCTIONS}. "
                             f"Received: reduction={reduction}")
        self.name = name or backend.auto_name(type(self).__name__)
        self.reduction = reduction
        self._dtype = backend.as_dtype(dtype)

    @property
    def dtype(self) -> str:
        """Name of the dtype of the computation."""
        return self._dtype.name

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each sample."""
        raise NotImplementedError

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_true, y_pred = backend.cast(y_true, self._dtype), backend.cast(y_pred, self._dtype)
        losses = backend.cast(self.call(y_true, y_pred), self._dtype)
        weight = () if sample_weight is None else (backend.cast(sample_weight, self._dtype),)
        return stream.record(_REDUCE, static(reduction=self.reduction), (losses, *weight))


class _Formula(Loss):
    """A loss whose formula is known: the whole of it is one op."""

    _formula: Callable

    def _configure(self, reduction: Any, name: str | None, dtype: Any, **kwargs: Any) -> None:
        Loss.__init__(self, name, reduction, dtype)
        for key, value in kwargs.items():
            setattr(self, key, value)
        self._options = kwargs
        self._static = static(formula=type(self)._formula, dtype=self._dtype, reduction=self.reduction,
                              kwargs=tuple(kwargs.items()))

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return _call(type(self)._formula, y_true, y_pred, **self._options)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        inputs = (y_true if type(y_true) is Tensor else convert.to_tensor(y_true),
                  y_pred if type(y_pred) is Tensor else convert.to_tensor(y_pred))
        if sample_weight is not None:
            inputs += (convert.to_tensor(sample_weight),)
        return stream.record(_OBJECT, self._static, inputs)


class MeanSquaredError(_Formula):
    """`mean_squared_error`, reduced over the batch. Arguments as of `Loss`.

    Source: https://keras.io/api/losses/regression_losses/#meansquarederror-class

    >>> float(MeanSquaredError()([[0.0, 2.0]], [[0.0, 0.0]]))
    2.0
    """

    _formula = staticmethod(_squared)

    def __init__(self, reduction: Any = "sum_over_batch_size", name: str | None = "mean_squared_error",
                 dtype: Any = None):
        self._configure(reduction, name, dtype)


class MeanAbsoluteError(_Formula):
    """`mean_absolute_error`, reduced over the batch. Arguments as of `Loss`.

    Source: https://keras.io/api/losses/regression_losses/#meanabsoluteerror-class

    >>> float(MeanAbsoluteError()([[0.0, 2.0]], [[0.0, 0.0]]))
    1.0
    """

    _formula = staticmethod(_absolute)

    def __init__(self, reduction: Any = "sum_over_batch_size", name: str | None = "mean_absolute_error",
                 dtype: Any = None):
        self._configure(reduction, name, dtype)


class BinaryCrossentropy(_Formula):
    """`binary_crossentropy`, reduced over the batch.

    Args:
      from_logits: predictions are logits, not probabilities.
      label_smoothing: in [0, 1]: labels move that far towards 1/2.
      axis: averaged over.
      reduction, name, dtype: as of `Loss`.

    Source: https://keras.io/api/losses/probabilistic_losses/#binarycrossentropy-class

    >>> round(float(BinaryCrossentropy(from_logits=True)([[1.0]], [[0.0]])), 4)
    0.6931
    """

    _formula = staticmethod(_binary)

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1,
                 reduction: Any = "sum_over_batch_size", name: str | None = "binary_crossentropy", dtype: Any = None):
        self._configure(reduction, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)


class CategoricalCrossentropy(_Formula):
    """`categorical_crossentropy`, reduced over the batch. Arguments as of `BinaryCrossentropy`.

    Source: https://keras.io/api/losses/probabilistic_losses/#categoricalcrossentropy-class

    >>> round(float(CategoricalCrossentropy()([[1.0, 0.0]], [[0.5, 0.5]])), 4)
    0.6931
    """

    _formula = staticmethod(_categorical)

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1,
                 reduction: Any = "sum_over_batch_size", name: str | None = "categorical_crossentropy",
                 dtype: Any = None):
        self._configure(reduction, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)


class SparseCategoricalCrossentropy(_Formula):
    """`sparse_categorical_crossentropy`, reduced over the batch.

    Args:
      from_logits: predictions are logits, not probabilities.
      ignore_class: samples of this class do not count.
      reduction, axis, name, dtype: as of `BinaryCrossentropy`.

    Source: https://keras.io/api/losses/probabilistic_losses/#sparsecategoricalcrossentropy-class

    >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
    0.6931
    """

    _formula = staticmethod(_sparse)

    def __init__(self, from_logits: bool = False, ignore_class: int | None = None,
                 reduction: Any = "sum_over_batch_size", axis: int = -1,
                 name: str | None = "sparse_categorical_crossentropy", dtype: Any = None):
        self._configure(reduction, name, dtype, from_logits=from_logits, ignore_class=ignore_class, axis=axis)


MSE = mse = mean_squared_error
MAE = mae = mean_absolute_error
bce = BCE = binary_crossentropy
_BY_NAME = {n: v for n, v in globals().items() if callable(v) and not n.startswith("_")
            and (n in __all__ or n in ("mse", "MSE", "mae", "MAE", "bce", "BCE")) and n not in ("get", "Reduction")}


def get(identifier: Any) -> Any:
    """The loss for a name, a class, a callable (returned as it is), or None.

    Raises:
      ValueError: an unknown name.

    >>> get("mse") is mean_squared_error
    True
    """
    found = _BY_NAME.get(identifier) if isinstance(identifier, str) else identifier
    if isinstance(found, type):
        found = found()
    if found is None and identifier is None:
        return None
    if not callable(found):
        raise ValueError(f"Could not interpret loss identifier: {identifier}")
    return found


del bce, BCE  # strings that Keras takes, but no attributes of its module
__getattr__ = missing.module_getattr(__name__, globals())
