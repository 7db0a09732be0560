"""What all losses share: `Loss`, `FormulaLoss`, sample weights and reductions.

A call of a loss object, weights and reduction included, is recorded as one op.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tapejax._src.core import convert
from tapejax._src.core.checks import final
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable
from tapejax._src.keras import backend, keras2
from tapejax._src.keras.recording import Op, record, static

__all__ = [
    "FormulaLoss",
    "Loss",
    "Reduction",
    "check_shapes",
    "clipped",
    "formula",
    "of_classes",
    "positive",
    "same_rank",
]

_REDUCTIONS = ("sum_over_batch_size", "sum", None, "none", "mean", "mean_with_sample_weight")


class Reduction:
    """The names of reductions, as constants. Keras 2 had this class; Keras 3 takes the strings."""

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


def same_rank(x: Any, y: Any) -> tuple[Any, Any]:
    """Gives two arrays the same rank where their ranks differ by one, by adding or dropping a last axis of size 1."""
    if x.ndim == y.ndim + 1 and x.shape[-1] == 1:
        return (x, y[..., None]) if y.ndim == 1 else (x[..., 0], y)
    if y.ndim == x.ndim + 1 and y.shape[-1] == 1:
        return (x[..., None], y) if x.ndim == 1 else (x, y[..., 0])
    return x, y


def clipped(p: Any, high: float | None = None) -> Any:
    """Clips probabilities to [epsilon, `high`], with Keras's epsilon of 1e-7. `high` is ``1 - epsilon`` by default."""
    epsilon = backend.epsilon()
    lowest, highest = (jnp.asarray(v, p.dtype) for v in (epsilon, 1 - epsilon if high is None else high))
    return jnp.where(p < lowest, lowest, jnp.where(p > highest, highest, p))


def positive(x: Any) -> Any:
    """``max(x, 0)``, elementwise. At 0 the gradient is 1."""
    return jnp.where(x >= 0, x, jnp.zeros((), x.dtype))


def check_shapes(y_true: Any, y_pred: Any) -> None:
    """Raises ValueError if labels and predictions have different shapes."""
    if y_true.shape != y_pred.shape:
        what = "rank (ndim)" if y_true.ndim != y_pred.ndim else "shape"
        raise final(
            ValueError(
                f"Arguments `target` and `output` must have the same {what}. Received: "
                f"target.shape={y_true.shape}, output.shape={y_pred.shape}"
            )
        )


def formula(fn: Callable) -> Callable[..., Tensor]:
    """Makes a public loss function, which takes tensors, from a function of JAX arrays.

    `fn` gets the labels cast to the dtype of the predictions, or to int64 if it is marked by `of_classes`. The public
    function has `fn` as its attribute `formula`.

    Args:
      fn: a function of `y_true`, `y_pred` and options. The options are static arguments of the op.
    """
    op = Op(
        fn.__name__,
        lambda y_true, y_pred, **options: fn(y_true.astype(_label_dtype(fn, y_pred.dtype)), y_pred, **options),
    )
    signature = inspect.signature(fn)

    @functools.wraps(fn)
    def function(*args: Any, **kwargs: Any) -> Tensor:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        options = dict(bound.arguments)
        y_true, y_pred = options.pop("y_true"), convert.to_tensor(options.pop("y_pred"))
        target = convert.to_tensor(y_true, None, _label_dtype(fn, y_pred.aval.dtype))
        return record(op, static(**_plain(options)), (target, y_pred))

    function.formula = fn  # type: ignore[attr-defined]
    return function


def of_classes(fn: Callable) -> Callable:
    """Marks a function whose labels are class numbers. It gets them as int64: float16 cannot hold large numbers."""
    fn.of_classes = True  # type: ignore[attr-defined]
    return fn


def _label_dtype(fn: Callable, dtype: np.dtype) -> np.dtype:
    return np.dtype(np.int64) if getattr(fn, "of_classes", False) else dtype


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    return {k: _hashable(v) for k, v in options.items()}


def _hashable(value: Any) -> Any:
    if isinstance(value, (Tensor, Variable, np.ndarray, np.generic, jax.Array)):
        value = np.asarray(value).tolist()
    return tuple(map(_hashable, value)) if isinstance(value, (list, tuple)) else value


def _reduce(losses: Any, weight: Any, reduction: str | None, valid: Any = None) -> Any:
    if valid is not None:
        scale = valid.size / jnp.maximum(jnp.sum(valid), 1) if reduction in ("mean", "sum_over_batch_size") else 1
        mask = (valid * scale).astype(losses.dtype)
        weight = mask if weight is None else jnp.multiply(*same_rank(mask, weight.astype(losses.dtype)))
    if weight is not None:
        losses, weight = same_rank(losses, weight.astype(losses.dtype))
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


def _object(
    y_true: Any,
    y_pred: Any,
    *weight: Any,
    formula: Callable,
    counted: Callable | None,
    dtype: np.dtype,
    reduction: str | None,
    kwargs: tuple,
) -> Any:
    y_true, y_pred = same_rank(y_true.astype(_label_dtype(formula, dtype)), y_pred.astype(dtype))
    options = dict(kwargs)
    losses = formula(y_true, y_pred, **options)
    valid = counted(y_true, y_pred, losses, options) if counted is not None else None
    return _reduce(losses, weight[0] if weight else None, reduction, valid)


_OBJECT = Op("loss", _object)
_REDUCE = Op(
    "reduce_loss", lambda losses, *weight, reduction: _reduce(losses, weight[0] if weight else None, reduction)
)


class Loss:
    """Base class of losses. A subclass defines ``call(y_true, y_pred)``, which returns one loss for each sample.

    Args:
      name: by default a new unique name made from the name of the class.
      reduction: how the losses of the samples become one number: "sum"; "sum_over_batch_size" or "mean", the sum
        divided by the number of losses; "mean_with_sample_weight", the sum divided by the sum of the weights; or
        None or "none" for no reduction.
      dtype: the dtype of the computation, float32 by default.

    Raises:
      ValueError: `reduction` is not one of these.

    Source: https://keras.io/api/losses/#base-loss-api

    >>> import tapejax as tf
    >>> class Distance(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return tf.abs(y_true - y_pred)
    >>> float(Distance()([[1.0]], [[3.0]]))
    2.0
    """

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None):
        reduction = keras2.reduction(reduction)
        if reduction not in _REDUCTIONS:
            raise ValueError(
                f"Invalid value for argument `reduction`. Expected one of {_REDUCTIONS}. "
                f"Received: reduction={reduction}"
            )
        self.name = name or backend.auto_name(type(self).__name__)
        self.reduction = reduction
        self._dtype = backend.as_dtype(dtype)

    @property
    def dtype(self) -> str:
        """The name of the dtype of the computation."""
        return self._dtype.name

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Computes the loss of each sample. Subclasses define it."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, except `dtype`."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Loss":
        """Makes a loss from what `get_config` returned."""
        return cls(**config)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_true, y_pred = backend.cast(y_true, self._dtype), backend.cast(y_pred, self._dtype)
        losses = backend.cast(self.call(y_true, y_pred), self._dtype)
        weight = () if sample_weight is None else (backend.cast(sample_weight, self._dtype),)
        return record(_REDUCE, static(reduction=self.reduction), (losses, *weight))


class FormulaLoss(Loss):
    """A loss made from a function of `formula`. The function, the weights and the reduction are recorded as one op."""

    _function: Callable[..., Tensor]
    _counted: Callable | None = None
    """A function of labels, predictions, losses and options that says which losses count in a mean. None: all count."""

    def _configure(self, reduction: Any, name: str | None, dtype: Any, **options: Any) -> None:
        Loss.__init__(self, name, reduction, dtype)
        for key, value in options.items():
            setattr(self, key, value)
        self._options = options
        cls = type(self)
        self._static = static(
            formula=cls._function.formula,
            counted=cls._counted,  # noqa: B009
            dtype=self._dtype,
            reduction=self.reduction,
            kwargs=tuple(_plain(options).items()),
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._options}

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return type(self)._function(y_true, y_pred, **self._options)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        inputs = (
            y_true if type(y_true) is Tensor else convert.to_tensor(y_true),
            y_pred if type(y_pred) is Tensor else convert.to_tensor(y_pred),
        )
        if sample_weight is not None:
            inputs += (convert.to_tensor(sample_weight),)
        return record(_OBJECT, self._static, inputs)
