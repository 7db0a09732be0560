"""Losses for regions, embeddings and sequences.

The function bodies compute on JAX arrays; `base.formula` makes the public functions from them.
"""

from typing import Any

import jax
import jax.numpy as jnp

from tapejax._src.core import convert
from tapejax._src.core.checks import final
from tapejax._src.core.tensor import Tensor
from tapejax._src.keras import backend
from tapejax._src.keras.losses.base import FormulaLoss, formula, of_classes, positive
from tapejax._src.keras.recording import Op, record, static
from tapejax._src.ops.nn.ctc import ctc_of_dense

__all__ = ["CTC", "Circle", "Dice", "Tversky", "circle", "ctc", "dice", "tversky"]

_Axis = int | tuple[int, ...] | list[int] | None


@formula
def dice(y_true: Any, y_pred: Any, axis: _Axis = None) -> Any:
    """``1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred))`` over `axis`.

    It is 0 where two regions are the same and 1 where they do not overlap.

    Source: https://keras.io/api/losses/segmentation_losses/#dice-function

    >>> round(float(dice([[1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])), 4)
    0.3333
    """
    both = jnp.sum(y_true * y_pred, axis)
    return 1 - 2 * both / (jnp.sum(y_true, axis) + jnp.sum(y_pred, axis) + backend.epsilon())


@formula
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: _Axis = None) -> Any:
    """`dice` with separate weights for the two kinds of errors.

    Args:
      y_true: the true region, 1 inside and 0 outside.
      y_pred: the predicted region.
      alpha: the weight of what is missing in the prediction.
      beta: the weight of what is predicted but not true.
      axis: the axes that are summed over. None means all.

    Source: https://keras.io/api/losses/segmentation_losses/#tversky-function

    >>> round(float(tversky([[1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])), 4)
    0.3333
    """
    both = jnp.sum(y_true * y_pred, axis)
    missed, extra = jnp.sum((1 - y_pred) * y_true, axis), jnp.sum(y_pred * (1 - y_true), axis)
    return 1 - both / (both + missed * alpha + extra * beta + backend.epsilon())


@formula
@of_classes
def ctc(y_true: Any, y_pred: Any) -> Any:
    """The connectionist temporal classification loss, `tf.nn.ctc_loss`. Class 0 is the blank.

    Args:
      y_true: class numbers [batch, length]. Zeros fill up the shorter ones.
      y_pred: logits [batch, time, classes].

    Source: https://keras.io/api/losses/probabilistic_losses/#ctc-function

    >>> ctc([[1, 2]], [[[1.0, 1.0, 1.0]] * 4]).numpy().round(3).tolist()
    [1.6859999895095825]
    """
    for what, y, ndim in (("Targets `y_true`", y_true, 2), ("Logits `y_pred`", y_pred, 3)):
        if y.ndim != ndim:
            raise final(ValueError(f"{what} are expected to be a tensor of {ndim} axes. Received: shape {y.shape}"))
    lengths = jnp.sum(y_true != 0, -1, dtype=jnp.int32)
    steps = jnp.full(y_pred.shape[:1], y_pred.shape[1], jnp.int32)
    return ctc_of_dense.op.fn(y_true, y_pred, lengths, steps, time_major=False, blank=0)


def _circle(
    y_true: Any, y_pred: Any, labels: Any, embeddings: Any, remove_diagonal: bool, gamma: float, margin: float
) -> Any:
    far = positive(1 - y_pred @ embeddings.T)
    same = y_true.astype(jnp.int32).ravel()[:, None] == labels.astype(jnp.int32).ravel()
    is_positive = same & ~jnp.eye(len(y_pred), dtype=bool) if remove_diagonal else same
    pulled = -gamma * positive((margin + far) * is_positive) * (margin - far)
    pushed = gamma * positive((1 + margin - far) * ~same) * (1 - margin - far)
    sums = [jax.nn.logsumexp(x, 1, where=mask) for x, mask in ((pulled, is_positive), (pushed, ~same))]
    return jax.nn.softplus(sums[0] + sums[1])


_CIRCLE = Op("circle", _circle)


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Tensor:
    """The circle loss: it pulls embeddings of one class together and pushes those of different classes apart.

    Pairs that are farthest from where they should be weigh most.

    Args:
      y_true: class numbers [batch].
      y_pred: embeddings [batch, size], each of norm 1.
      ref_labels, ref_embeddings: what the embeddings are compared with, by default `y_true` and `y_pred`.
      remove_diagonal: whether to leave out the comparison of an embedding with the one at the same place.
      gamma: the scale of the loss.
      margin: the tolerated distance from a perfect similarity.

    Returns:
      A tensor of shape [batch].

    Source: https://keras.io/api/losses/metric_learning_losses/#circle-function (Sun et al. 2020)

    >>> circle([0, 0], [[1.0, 0.0], [0.0, 1.0]]).numpy().tolist()  # there is no other class
    [0.0, 0.0]
    """
    predictions = convert.to_tensor(y_pred)
    labels = convert.to_tensor(y_true)
    others = (
        labels if ref_labels is None else convert.to_tensor(ref_labels),
        predictions if ref_embeddings is None else convert.to_tensor(ref_embeddings),
    )
    return record(
        _CIRCLE, static(remove_diagonal=remove_diagonal, gamma=gamma, margin=margin), (labels, predictions, *others)
    )


circle.formula = lambda y_true, y_pred, **options: _circle(y_true, y_pred, y_true, y_pred, **options)


class Dice(FormulaLoss):
    """`dice`, reduced over the batch. For `axis` see `dice`, for the other arguments see `Loss`.

    Source: https://keras.io/api/losses/segmentation_losses/#dice-class

    >>> round(float(Dice()([[1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])), 4)
    0.3333
    """

    _function = staticmethod(dice)

    def __init__(
        self, reduction: Any = "sum_over_batch_size", name: str | None = "dice", axis: _Axis = None, dtype: Any = None
    ):
        self._configure(reduction, name, dtype, axis=axis)


class Tversky(FormulaLoss):
    """`tversky`, reduced over the batch. For the arguments see `tversky` and `Loss`.

    Source: https://keras.io/api/losses/segmentation_losses/#tversky-class

    >>> round(float(Tversky()([[1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])), 4)
    0.3333
    """

    _function = staticmethod(tversky)

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: _Axis = None,
        dtype: Any = None,
    ):
        self._configure(reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)


class CTC(FormulaLoss):
    """`ctc`, reduced over the batch. For the arguments see `Loss`.

    Source: https://keras.io/api/losses/probabilistic_losses/#ctc-class

    >>> round(float(CTC()([[1, 2]], [[[1.0, 1.0, 1.0]] * 4])), 3)
    1.686
    """

    _function = staticmethod(ctc)

    def __init__(self, reduction: Any = "sum_over_batch_size", name: str | None = "ctc", dtype: Any = None):
        self._configure(reduction, name, dtype)


class Circle(FormulaLoss):
    """`circle`, reduced over the batch. A mean is over the losses that are greater than 0.

    For the arguments see `circle` and `Loss`.

    Source: https://keras.io/api/losses/metric_learning_losses/#circle-class

    >>> float(Circle()([0, 0], [[1.0, 0.0], [0.0, 1.0]]))
    0.0
    """

    _function = staticmethod(circle)
    _counted = staticmethod(lambda y_true, y_pred, losses, options: losses > 0)

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: Any = None,
    ):
        self._configure(reduction, name, dtype, gamma=gamma, margin=margin, remove_diagonal=remove_diagonal)
