"""Losses for probabilities and for logits.

The function bodies compute on JAX arrays; `base.formula` makes the public functions from them.
"""

from typing import Any

import jax
import jax.numpy as jnp

from tapejax._src.core.checks import final
from tapejax._src.keras import backend
from tapejax._src.keras.losses.base import FormulaLoss, check_shapes, clipped, formula, of_classes
from tapejax._src.ops.nn import activations as nn

__all__ = [
    "BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy", "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy", "KLDivergence", "Poisson", "SparseCategoricalCrossentropy",
    "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy", "kl_divergence", "poisson", "sparse_categorical_crossentropy",
]  # fmt: skip


def _smooth(y_true: Any, amount: float, classes: int) -> Any:
    return y_true * (1.0 - amount) + amount / classes if amount else y_true


def _of_two(y_true: Any, y_pred: Any) -> Any:
    """The cross entropy of the probabilities of two classes, elementwise."""
    check_shapes(y_true, y_pred)
    p = clipped(y_pred)
    return -(y_true * jnp.log(p) + (1 - y_true) * jnp.log(1 - p))


@formula
def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """The cross entropy of two classes, averaged over `axis`.

    The predictions are probabilities of class 1, or logits if `from_logits` is true.

    Source: https://keras.io/api/losses/probabilistic_losses/#binary_crossentropy-function

    >>> binary_crossentropy([[1.0, 0.0]], [[0.5, 0.5]]).numpy().round(4).tolist()
    [0.6930999755859375]
    """
    y_true = _smooth(y_true, label_smoothing, 2)
    if not from_logits:
        return jnp.mean(_of_two(y_true, y_pred), axis)
    check_shapes(y_true, y_pred)
    return jnp.mean(nn.sigmoid_cross_entropy_with_logits.op.fn(y_true, y_pred), axis)


@formula
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """`binary_crossentropy`, in which elements that are predicted well weigh less.

    Each element is multiplied by ``p ** gamma``, where p is the predicted probability of the wrong class. With
    `apply_class_balancing` elements of class 1 are also multiplied by `alpha`, those of class 0 by ``1 - alpha``.

    Source: https://keras.io/api/losses/probabilistic_losses/#binary_focal_crossentropy-function

    >>> binary_focal_crossentropy([[1.0, 0.0]], [[0.5, 0.5]]).numpy().round(4).tolist()
    [0.17329999804496765]
    """
    y_true = _smooth(y_true, label_smoothing, 2)
    p = jax.nn.sigmoid(y_pred) if from_logits else y_pred
    right = y_true * p + (1 - y_true) * (1 - p)
    losses = jnp.power(1 - right, gamma) * _of_two(y_true, p)
    if apply_class_balancing:
        losses = (y_true * alpha + (1 - y_true) * (1 - alpha)) * losses
    return jnp.mean(losses, axis)


@formula
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """The cross entropy of two distributions over classes. The classes lie along `axis`.

    Source: https://keras.io/api/losses/probabilistic_losses/#categorical_crossentropy-function

    >>> categorical_crossentropy([[1.0, 0.0]], [[0.5, 0.5]]).numpy().round(4).tolist()
    [0.6930999755859375]
    """
    check_shapes(y_true, y_pred)
    y_true = _smooth(y_true, label_smoothing, y_true.shape[-1])
    if from_logits:
        return nn.softmax_cross_entropy_with_logits.op.fn(y_true, y_pred, axis=axis)
    p = clipped(y_pred / jnp.sum(y_pred, axis, keepdims=True))
    return -jnp.sum(y_true * jnp.log(p), axis)


@formula
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """`categorical_crossentropy`, in which classes that are predicted well weigh less.

    The term of each class is multiplied by ``alpha * (1 - p) ** gamma``, where p is its predicted probability. `alpha`
    is a number, or a list with one number for each class.

    Source: https://keras.io/api/losses/probabilistic_losses/#categorical_focal_crossentropy-function

    >>> categorical_focal_crossentropy([[1.0, 0.0]], [[0.5, 0.5]]).numpy().round(4).tolist()
    [0.043299999088048935]
    """
    y_true = _smooth(y_true, label_smoothing, y_true.shape[-1])
    p = jax.nn.softmax(y_pred, axis) if from_logits else y_pred
    p = clipped(p / jnp.sum(p, axis, keepdims=True))
    return jnp.sum(jnp.power(1 - p, gamma) * jnp.asarray(alpha, p.dtype) * (-y_true * jnp.log(p)), axis)


@formula
@of_classes
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """The cross entropy of predicted distributions, with class numbers as labels. The classes lie along the last axis.

    Source: https://keras.io/api/losses/probabilistic_losses/#sparse_categorical_crossentropy-function

    >>> sparse_categorical_crossentropy([1], [[0.5, 0.5]]).numpy().round(4).tolist()
    [0.6930999755859375]
    """
    if axis not in (-1, y_pred.ndim - 1):
        raise final(ValueError(f"Only axis=-1 is currently supported. Received: axis={axis}"))
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    if y_true.shape != y_pred.shape[:-1]:
        raise final(
            ValueError(
                "Arguments `target` and `output` must have the same shape up until the last dimension: "
                f"target.shape={y_true.shape}, output.shape={y_pred.shape}"
            )
        )
    logits = y_pred if from_logits else jnp.log(clipped(y_pred))
    if ignore_class is None:
        return nn.sparse_softmax_cross_entropy_with_logits.op.fn(y_true, logits)
    valid = y_true != jnp.asarray(ignore_class, y_true.dtype)
    logits = jnp.where(valid[..., None], logits, 0)
    losses = nn.sparse_softmax_cross_entropy_with_logits.op.fn(jnp.where(valid, y_true, 0), logits)
    return jnp.where(valid, losses, 0)


@formula
@of_classes
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """``(1 - p ** q) / q`` for the predicted probability p of the true class.

    The labels are class numbers. The larger `q`, which is between 0 and 1, the less do wrong labels harm.

    Source: https://keras.io/api/losses/probabilistic_losses/#categorical_generalized_cross_entropy-function

    >>> categorical_generalized_cross_entropy([1], [[0.75, 0.25]], 0.5).numpy().tolist()
    [1.0]
    """
    p = jnp.sum(y_pred * jax.nn.one_hot(y_true, y_pred.shape[-1], dtype=y_pred.dtype), -1)
    return (1 - jnp.power(p, q)) / q


@formula
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """``sum(y_true * log(y_true / y_pred))`` over the last axis.

    Source: https://keras.io/api/losses/probabilistic_losses/#kl_divergence-function

    >>> kl_divergence([[1.0, 0.0]], [[0.5, 0.5]]).numpy().round(4).tolist()
    [0.6930999755859375]
    """
    y_true, y_pred = clipped(y_true, 1.0), clipped(y_pred, 1.0)
    return jnp.sum(y_true * jnp.log(y_true / y_pred), -1)


@formula
def poisson(y_true: Any, y_pred: Any) -> Any:
    """``mean(y_pred - y_true * log(y_pred))`` over the last axis.

    Source: https://keras.io/api/losses/probabilistic_losses/#poisson-function

    >>> poisson([[3.0]], [[1.0]]).numpy().round(4).tolist()
    [1.0]
    """
    return jnp.mean(y_pred - y_true * jnp.log(y_pred + jnp.asarray(backend.epsilon(), y_pred.dtype)), -1)


class BinaryCrossentropy(FormulaLoss):
    """`binary_crossentropy`, reduced over the batch.

    Args:
      from_logits: whether the predictions are logits rather than probabilities.
      label_smoothing: a number in [0, 1], the part of the way that labels are moved towards 1/2.
      axis: the axis that is averaged over.
      reduction, name, dtype: see `Loss`.

    Source: https://keras.io/api/losses/probabilistic_losses/#binarycrossentropy-class

    >>> round(float(BinaryCrossentropy(from_logits=True)([[1.0]], [[0.0]])), 4)
    0.6931
    """

    _function = staticmethod(binary_crossentropy)

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ):
        self._configure(reduction, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)


class BinaryFocalCrossentropy(FormulaLoss):
    """`binary_focal_crossentropy`, reduced over the batch. For the arguments see this function and `Loss`.

    Source: https://keras.io/api/losses/probabilistic_losses/#binaryfocalcrossentropy-class

    >>> round(float(BinaryFocalCrossentropy()([[1.0]], [[0.5]])), 4)
    0.1733
    """

    _function = staticmethod(binary_focal_crossentropy)

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ):
        self._configure(
            reduction,
            name,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class CategoricalCrossentropy(FormulaLoss):
    """`categorical_crossentropy`, reduced over the batch. For the arguments see `BinaryCrossentropy`.

    Source: https://keras.io/api/losses/probabilistic_losses/#categoricalcrossentropy-class

    >>> round(float(CategoricalCrossentropy()([[1.0, 0.0]], [[0.5, 0.5]])), 4)
    0.6931
    """

    _function = staticmethod(categorical_crossentropy)

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ):
        self._configure(reduction, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)


class CategoricalFocalCrossentropy(FormulaLoss):
    """`categorical_focal_crossentropy`, reduced over the batch. For the arguments see this function and `Loss`.

    Source: https://keras.io/api/losses/probabilistic_losses/#categoricalfocalcrossentropy-class

    >>> round(float(CategoricalFocalCrossentropy()([[1.0, 0.0]], [[0.5, 0.5]])), 4)
    0.0433
    """

    _function = staticmethod(categorical_focal_crossentropy)

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ):
        self._configure(
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


def _not_ignored(y_true: Any, y_pred: Any, losses: Any, options: dict[str, Any]) -> Any:
    if options["ignore_class"] is None:
        return None
    return (y_true[..., 0] if y_true.ndim == y_pred.ndim else y_true) != options["ignore_class"]


class SparseCategoricalCrossentropy(FormulaLoss):
    """`sparse_categorical_crossentropy`, reduced over the batch.

    Args:
      from_logits: whether the predictions are logits rather than probabilities.
      ignore_class: a class number, or None. Samples of this class do not count.
      reduction, axis, name, dtype: see `BinaryCrossentropy`.

    Source: https://keras.io/api/losses/probabilistic_losses/#sparsecategoricalcrossentropy-class

    >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
    0.6931
    """

    _function = staticmethod(sparse_categorical_crossentropy)
    _counted = staticmethod(_not_ignored)

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: Any = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ):
        self._configure(reduction, name, dtype, from_logits=from_logits, ignore_class=ignore_class, axis=axis)


class CategoricalGeneralizedCrossEntropy(FormulaLoss):
    """`categorical_generalized_cross_entropy`, reduced over the batch.

    Args:
      q: a number between 0 and 1.
      reduction, name, dtype: see `Loss`.

    Raises:
      ValueError: `q` is not between 0 and 1.

    Source: https://keras.io/api/losses/probabilistic_losses/#categoricalgeneralizedcrossentropy-class

    >>> float(CategoricalGeneralizedCrossEntropy()([1], [[0.75, 0.25]]))
    1.0
    """

    _function = staticmethod(categorical_generalized_cross_entropy)

    def __init__(
        self,
        q: float = 0.5,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ):
        if not 0 < q < 1:
            raise ValueError("q must be in the interval (0, 1)")
        self._configure(reduction, name, dtype, q=q)


class KLDivergence(FormulaLoss):
    """`kl_divergence`, reduced over the batch. For the arguments see `Loss`.

    Source: https://keras.io/api/losses/probabilistic_losses/#kldivergence-class

    >>> round(float(KLDivergence()([[1.0, 0.0]], [[0.5, 0.5]])), 4)
    0.6931
    """

    _function = staticmethod(kl_divergence)

    def __init__(self, reduction: Any = "sum_over_batch_size", name: str | None = "kl_divergence", dtype: Any = None):
        self._configure(reduction, name, dtype)


class Poisson(FormulaLoss):
    """`poisson`, reduced over the batch. For the arguments see `Loss`.

    Source: https://keras.io/api/losses/probabilistic_losses/#poisson-class

    >>> round(float(Poisson()([[3.0]], [[1.0]])), 4)
    1.0
    """

    _function = staticmethod(poisson)

    def __init__(self, reduction: Any = "sum_over_batch_size", name: str | None = "poisson", dtype: Any = None):
        self._configure(reduction, name, dtype)
