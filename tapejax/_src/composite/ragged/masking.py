"""Choosing elements of ragged tensors by a boolean mask."""

from typing import Any

import numpy as np

from tapejax._src.composite.ragged.building import to_sparse
from tapejax._src.composite.ragged.indexing import take_rows
from tapejax._src.composite.ragged.making import splits_from_lengths
from tapejax._src.composite.ragged.tensor import RaggedTensor, ragged
from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream
from tapejax._src.ops.array.gathering import boolean_mask as mask_dense

__all__ = ["boolean_mask", "positions"]


@public("ragged.boolean_mask")
def boolean_mask(data: Any, mask: Any, name: str | None = None) -> Any:
    """The elements or slices of `data` for which `mask` is true. They stay in their rows.

    Args:
      data: a ragged or dense tensor.
      mask: a ragged or dense boolean tensor. Its shape must be that of the first axes of `data`.
      name: of no effect.

    Returns:
      A ragged tensor, in which all axes of the mask except the first are ragged. If the mask is a vector and `data` is
      dense, the result is dense.

    Raises:
      TypeError: `mask` is not boolean.
      ValueError: `mask` is a scalar.
      InvalidArgumentError: the rows of `mask` and `data` have different lengths.

    Source: https://www.tensorflow.org/api_docs/python/tf/ragged/boolean_mask

    >>> boolean_mask([[1, 2], [3, 4]], [[True, False], [True, True]])
    <tf.RaggedTensor [[1], [3, 4]]>
    """
    values = data if isinstance(data, RaggedTensor) else to_tensor(data)
    chosen = mask if isinstance(mask, RaggedTensor) else to_tensor(mask)
    if chosen.dtype.name != "bool":
        raise TypeError(f"mask must be boolean, got {chosen.dtype.name}")
    if chosen.shape.rank == 0:
        raise ValueError("mask cannot be scalar.")
    return _masked(values, chosen)


def _masked(values: Any, mask: Any) -> Any:
    if isinstance(mask, Tensor) and len(mask.aval.shape) == 1:
        if isinstance(values, Tensor):
            return mask_dense(values, mask)
        keep = stream.host(mask)
        if len(keep) != len(values._splits()) - 1:
            raise ValueError(f"Shapes {keep.shape} and ({len(values._splits()) - 1},) are incompatible")
        return take_rows(values, np.flatnonzero(keep))
    values, mask = (x if isinstance(x, RaggedTensor) else RaggedTensor.from_tensor(x) for x in (values, mask))
    splits = values._splits()
    if not np.array_equal(splits, mask._splits()):
        raise invalid("`mask` and `data` differ in the lengths of their rows")
    inner = _masked(values._values, mask._values)
    if not isinstance(mask._values, Tensor) or len(mask._values.aval.shape) > 1:
        return ragged(inner, values._row_splits)
    kept = np.concatenate([[0], np.cumsum(stream.host(mask._values), dtype=splits.dtype)])[splits]
    return ragged(inner, splits_from_lengths(np.diff(kept).astype(splits.dtype)))


def positions(condition: RaggedTensor) -> Tensor:
    """The version of `tf.where` for a ragged condition without other arguments: the coordinates of true elements."""
    sp = to_sparse(condition)
    return from_value(np.asarray(sp.indices)[stream.host(sp.values).astype(bool)])
