"""`IndexedSlices`: some rows of a larger tensor, the form of a gradient of a look-up."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax import dtypes, nest
from tapejax.convert import register_conversion, to_tensor
from tapejax.engine import stream
from tapejax.engine.op import Op, static
from tapejax.errors import InvalidArgumentError
from tapejax.shape import TensorShape
from tapejax.tensor import Tensor

__all__ = ["IndexedSlices"]


def _to_dense(values: Any, indices: Any, shape: tuple[int, ...]) -> Any:
    return jnp.zeros(shape, values.dtype).at[indices].add(values)


_TO_DENSE = Op("indexed_slices_to_dense", _to_dense)


class IndexedSlices(nest.CompositeTensor):
    """Slices ``values[i]`` of a tensor at ``indices[i]`` along the first axis; repeated indices add up.

    Args:
      values: tensor of shape ``[n, ...]``.
      indices: integer tensor of shape ``[n]``.
      dense_shape: shape of the whole tensor; needed to convert to a dense one.

    Source: https://www.tensorflow.org/api_docs/python/tf/IndexedSlices

    >>> import tapejax as tf
    >>> rows = tf.IndexedSlices(tf.constant([[1.0], [2.0]]), tf.constant([0, 0]), tf.constant([2, 1]))
    >>> tf.convert_to_tensor(rows).numpy().tolist()
    [[3.0], [0.0]]
    """

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None):
        self._values = to_tensor(values)
        self._indices = to_tensor(indices)
        self._dense_shape = None if dense_shape is None else to_tensor(dense_shape)

    @property
    def values(self) -> Tensor:
        """The slices."""
        return self._values

    @property
    def indices(self) -> Tensor:
        """Where they belong."""
        return self._indices

    @property
    def dense_shape(self) -> Tensor | None:
        """Shape of the whole, or None."""
        return self._dense_shape

    @property
    def shape(self) -> TensorShape:
        """Static shape of the whole."""
        return TensorShape(None if self._dense_shape is None else np.asarray(self._dense_shape).tolist())

    @property
    def dtype(self) -> dtypes.DType:
        """`DType` of the values."""
        return self._values.dtype

    @property
    def name(self) -> None:
        """None: eager values have no name."""

    def _components(self) -> tuple[Any, ...]:
        return (self._values, self._indices, self._dense_shape)

    def _with_components(self, components: Any) -> "IndexedSlices":
        return IndexedSlices(*components)

    def _matches(self, other: Any) -> bool:
        return isinstance(other, IndexedSlices)

    def __repr__(self) -> str:
        return f"IndexedSlices(indices={self._indices!r}, values={self._values!r}, dense_shape={self._dense_shape!r})"


def _dense(slices: IndexedSlices) -> Tensor:
    if slices.dense_shape is None:
        raise ValueError("Tensor conversion requested for IndexedSlices without dense_shape")
    shape = tuple(int(n) for n in np.asarray(slices.dense_shape))
    return stream.record(_TO_DENSE, static(shape=shape), (slices.values, slices.indices))


register_conversion(IndexedSlices, _dense)


def scatter(variable: Any, how: str, indices: Any, updates: Any, nd: bool = False) -> None:
    """Updates slices of a variable: `how` is a method of ``jax.Array.at[...]`` ("add", "set", "min"...).

    Raises:
      InvalidArgumentError: an index that is on the host is out of range, or shapes do not fit.
    """
    indices = to_tensor(indices)
    updates = to_tensor(updates, variable._dtype)
    shape = variable._tensor.aval.shape
    if isinstance(indices._value, np.ndarray) and indices._value.size:
        limits = shape[: indices._value.shape[-1]] if nd else shape[0]
        bad = (indices._value < 0) | (indices._value >= np.asarray(limits))
        if bad.any():
            raise InvalidArgumentError(message=f"`indices` {indices._value[bad].tolist()} are out of range for shape "
                                               f"{shape} [Op:Scatter]")
    try:
        result = stream.record(_SCATTER, static(how=how, nd=nd), (variable._tensor, indices, updates))
    except (TypeError, ValueError) as e:
        raise InvalidArgumentError(message=f"{e} [Op:Scatter]") from None
    stream.assign(variable, result)


def _scatter(x: Any, indices: Any, updates: Any, how: str, nd: bool) -> Any:
    at = tuple(jnp.moveaxis(indices, -1, 0)) if nd else indices
    expected = x[at].shape
    if updates.shape != expected and updates.shape != ():
        raise ValueError(f"`updates` has shape {updates.shape}, but the indexed slices have shape {expected}")
    if how == "subtract":
        return x.at[at].add(-updates)
    return getattr(x.at[at], how)(updates)


_SCATTER = Op("scatter", _scatter, differentiable=False)
