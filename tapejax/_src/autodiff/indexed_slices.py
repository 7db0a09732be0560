"""`IndexedSlices`: some rows of a larger tensor. The gradient of a look-up, such as `tf.gather`, has this form."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import dtypes, nest
from tapejax._src.core.convert import register_conversion, to_tensor
from tapejax._src.core.errors import InvalidArgumentError
from tapejax._src.core.shape import TensorShape
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream
from tapejax._src.engine.aval import Aval
from tapejax._src.engine.op import NO_STATIC, Op, Static, static

__all__ = ["IndexedSlices", "Rows", "densified", "known_slices", "passes_on", "scatter", "slice_rules"]


def _to_dense(values: Any, indices: Any, shape: tuple[int, ...]) -> Any:
    rows = jnp.zeros(shape, values.dtype).at[indices]
    return rows.add(values, mode="drop", wrap_negative_indices=False)


def _join(*arrays: Any) -> tuple[Any, Any]:
    """Concatenates the values of several slices, and their indices. All values come first in `arrays`."""
    half = len(arrays) // 2
    return jnp.concatenate(arrays[:half]), jnp.concatenate(arrays[half:])


_TO_DENSE = Op("indexed_slices_to_dense", _to_dense)
_JOIN = Op("concat_indexed_slices", _join)


class IndexedSlices(nest.CompositeTensor):
    """A sparse tensor that consists of the slices ``values[i]`` at ``indices[i]`` along the first axis.

    If an index occurs several times, its slices add up. Converting to a dense tensor fills the other slices with 0.

    Args:
      values: a tensor of shape ``[n, ...]``.
      indices: an integer tensor of shape ``[n]``.
      dense_shape: the shape of the whole tensor. Without it, the slices cannot be converted to a dense tensor.

    Source: https://www.tensorflow.org/api_docs/python/tf/IndexedSlices

    >>> import tapejax as tf
    >>> rows = tf.IndexedSlices(tf.constant([[1.0], [2.0]]), tf.constant([0, 0]), tf.constant([2, 1]))
    >>> tf.convert_to_tensor(rows).numpy().tolist()
    [[3.0], [0.0]]
    """

    __slots__ = ("__weakref__", "_dense_shape", "_indices", "_sizes", "_values")

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None):
        self._values = to_tensor(values)
        self._indices = to_tensor(indices)
        self._dense_shape = None if dense_shape is None else to_tensor(dense_shape)
        self._sizes: tuple[int, ...] | None = None

    @property
    def values(self) -> Tensor:
        """The slices, a tensor of shape ``[n, ...]``."""
        return self._values

    @property
    def indices(self) -> Tensor:
        """The indices of the slices along the first axis, a tensor of shape ``[n]``."""
        return self._indices

    @property
    def dense_shape(self) -> Tensor | None:
        """The shape of the whole tensor, as a tensor, or None if it is not known."""
        if self._dense_shape is None and self._sizes is not None:
            self._dense_shape = from_value(np.array(self._sizes, np.int32))
        return self._dense_shape

    @property
    def shape(self) -> TensorShape:
        """The static shape of the whole tensor."""
        return TensorShape(self.sizes())

    def sizes(self) -> tuple[int, ...] | None:
        """The shape of the whole tensor as a tuple, or None if it is not known."""
        if self._sizes is None and self._dense_shape is not None:
            self._sizes = tuple(np.asarray(self._dense_shape).tolist())
        return self._sizes

    @property
    def dtype(self) -> dtypes.DType:
        """`DType` of the values."""
        return self._values.dtype

    @property
    def name(self) -> None:
        """Always None, because values have no names outside of TensorFlow's graphs."""

    def _components(self) -> tuple[Any, ...]:
        return (self._values, self._indices, self.dense_shape)

    def _with_components(self, components: Any) -> "IndexedSlices":
        # Not the constructor, which would convert the components. They may be other objects in place of tensors.
        new = IndexedSlices.__new__(IndexedSlices)
        new._values, new._indices, new._dense_shape = components
        new._sizes = None
        return new

    def _matches(self, other: Any) -> bool:
        return isinstance(other, IndexedSlices)

    def with_values(self, values: Any) -> "IndexedSlices":
        """Slices with other values at the same indices."""
        new = IndexedSlices(values, self._indices, self._dense_shape)
        new._sizes = self._sizes
        return new

    def __neg__(self) -> "IndexedSlices":
        return self.with_values(-self._values)  # type: ignore[operator]

    def __str__(self) -> str:
        shape = "" if self.dense_shape is None else f", dense_shape={self.dense_shape!s}"
        return f"IndexedSlices(indices={self._indices!s}, values={self._values!s}{shape})"

    def __repr__(self) -> str:
        return f"IndexedSlices(indices={self._indices!r}, values={self._values!r}, dense_shape={self.dense_shape!r})"


def _dense(slices: IndexedSlices) -> Tensor:
    shape = slices.sizes()
    if shape is None:
        raise ValueError("Tensor conversion requested for IndexedSlices without dense_shape")
    return stream.record(_TO_DENSE, static(shape=shape), (slices.values, slices.indices))


register_conversion(IndexedSlices, _dense)


class Rows:
    """A sparse gradient during the backward pass, to which several look-ups of one tensor contribute slices.

    Args:
      shape: the shape of the tensor.
      parts: one pair (values, indices) for each look-up, the last look-up first.
    """

    __slots__ = ("parts", "shape")

    def __init__(self, shape: tuple[int, ...], parts: list[tuple[Tensor, Tensor]]):
        self.shape = shape
        self.parts = parts

    def joined(self) -> tuple[Tensor, Tensor]:
        """All values, and all indices, in the order of the look-ups. Indices of several dtypes become int64."""
        if len(self.parts) == 1:
            return self.parts[0]
        parts = self.parts[::-1]
        return stream.record(_JOIN, NO_STATIC, (*(v for v, _ in parts), *(i for _, i in parts)))

    def slices(self) -> IndexedSlices:
        """The gradient as `IndexedSlices`."""
        return known_slices(*self.joined(), self.shape)


def densified(gradient: Any) -> Any:
    """A gradient as a tensor: `Rows` are converted, anything else is returned as it is."""
    return _dense(gradient.slices()) if type(gradient) is Rows else gradient


def known_slices(values: Tensor, indices: Tensor, shape: tuple[int, ...]) -> IndexedSlices:
    """`IndexedSlices` of a known shape. Its `dense_shape` becomes a tensor only when it is asked for."""
    found = IndexedSlices.__new__(IndexedSlices)
    found._values, found._indices, found._dense_shape, found._sizes = values, indices, None, shape
    return found


SliceRule = Callable[[Static, tuple[Aval, ...]], "Op | None"]

slice_rules: dict[Op, SliceRule] = {}
"""For each op whose gradient by its first input may be slices: a rule that says whether it is.

A rule takes the static arguments of a call and the avals of its inputs. It returns the op that computes (values,
indices) from (upstream gradient, indices), or None if the gradient of this call is dense."""

passes_on: set[Op] = set()
"""Ops of one tensor whose gradient is the upstream gradient unchanged. They pass sparse gradients on as they are."""


def scatter(variable: Any, how: str, indices: Any, updates: Any, nd: bool = False) -> None:
    """Updates slices of a variable.

    Args:
      variable: the variable.
      how: a method of ``jax.Array.at[...]``, such as "add", "set" or "min"; or "subtract".
      indices: indices along the first axis; with `nd`, coordinates along the last axis of `indices`.
      updates: the values to add, set and so on.
      nd: whether `indices` holds coordinates, as in `tf.scatter_nd`.

    Raises:
      InvalidArgumentError: shapes do not fit, or an index is out of range. Indices are checked only if their values
        are known on the host.
    """
    indices = to_tensor(indices)
    updates = to_tensor(updates, variable._dtype)
    shape = variable._tensor.aval.shape
    if isinstance(indices._value, np.ndarray) and indices._value.size:
        limits = shape[: indices._value.shape[-1]] if nd else shape[0]
        bad = (indices._value < 0) | (indices._value >= np.asarray(limits))
        if bad.any():
            raise InvalidArgumentError(
                message=f"`indices` {indices._value[bad].tolist()} are out of range for shape {shape} [Op:Scatter]"
            )
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
