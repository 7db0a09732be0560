"""`tf.type_spec_from_value` and `tf.IndexedSlicesSpec`."""

from typing import Any

import numpy as np

from tapejax._src.autodiff.indexed_slices import IndexedSlices
from tapejax._src.core import dtypes, nest
from tapejax._src.core.convert import convert_to_tensor
from tapejax._src.core.shape import TensorShape
from tapejax._src.core.specs import TensorSpec, TypeSpec
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable

__all__ = ["IndexedSlicesSpec", "type_spec_from_value"]


class IndexedSlicesSpec(TypeSpec):
    """Describes `tf.IndexedSlices` by shapes and dtypes.

    Args:
      shape: the shape of the whole tensor.
      dtype: the `DType` of the values.
      indices_dtype: the `DType` of the indices, int32 or int64.
      dense_shape_dtype: the `DType` of the tensor `dense_shape`, or None if there is no such tensor.
      indices_shape: the shape of the indices, which is the number of slices.

    Source: https://www.tensorflow.org/api_docs/python/tf/IndexedSlicesSpec

    >>> IndexedSlicesSpec([None, 2])
    IndexedSlicesSpec(TensorShape([None, 2]), tf.float32, tf.int64, None, TensorShape([None]))
    """

    __slots__ = ("_dense_shape_dtype", "_dtype", "_indices_dtype", "_indices_shape", "_shape")

    def __init__(
        self,
        shape: Any = None,
        dtype: Any = dtypes.float32,
        indices_dtype: Any = dtypes.int64,
        dense_shape_dtype: Any = None,
        indices_shape: Any = None,
    ):
        self._shape = TensorShape(shape)
        self._dtype, self._indices_dtype = dtypes.as_dtype(dtype), dtypes.as_dtype(indices_dtype)
        self._dense_shape_dtype = None if dense_shape_dtype is None else dtypes.as_dtype(dense_shape_dtype)
        self._indices_shape = TensorShape([None] if indices_shape is None else indices_shape)

    @classmethod
    def from_value(cls, value: IndexedSlices) -> "IndexedSlicesSpec":
        """The spec of indexed slices."""
        if value.dense_shape is None:
            return cls([None, *value.values.shape[1:]], value.dtype, value.indices.dtype, None, value.indices.shape)
        return cls(value.shape, value.dtype, value.indices.dtype, value.dense_shape.dtype, value.indices.shape)

    shape = property(lambda self: self._shape, doc="The `TensorShape` of the whole.")
    dtype = property(lambda self: self._dtype, doc="The `DType` of the values.")
    value_type = property(lambda self: IndexedSlices, doc="`IndexedSlices`.")

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        """Whether indexed slices, or a spec, have these dtypes and compatible shapes."""
        other = self.from_value(spec_or_value) if isinstance(spec_or_value, IndexedSlices) else spec_or_value
        return (
            isinstance(other, IndexedSlicesSpec)
            and self._parts()[1:4] == other._parts()[1:4]
            and self._shape.is_compatible_with(other._shape)
            and self._indices_shape.is_compatible_with(other._indices_shape)
        )

    def _parts(self) -> tuple:
        return (self._shape, self._dtype, self._indices_dtype, self._dense_shape_dtype, self._indices_shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IndexedSlicesSpec) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"IndexedSlicesSpec({', '.join(map(repr, self._parts()))})"


def type_spec_from_value(value: Any) -> TypeSpec:
    """The spec of a value: of a tensor, of a composite of tensors, or of a value that converts to a tensor.

    Args:
      value: a tensor, variable, sparse tensor, ragged tensor, `tf.IndexedSlices`, number, string, array, or a list of
        such values. For a variable, the spec of its tensor is returned.

    Raises:
      TypeError: `value` is of another kind.

    Source: https://www.tensorflow.org/api_docs/python/tf/type_spec_from_value

    >>> type_spec_from_value([1.0, 2.0])
    TensorSpec(shape=(2,), dtype=tf.float32, name=None)
    """
    if isinstance(value, IndexedSlices):
        return IndexedSlicesSpec.from_value(value)
    if isinstance(value, nest.CompositeTensor) and hasattr(value, "_type_spec"):
        return getattr(value, "_type_spec")  # noqa: B009 (not every composite has one)
    if isinstance(value, (Tensor, Variable)):
        return TensorSpec(value.shape, value.dtype)
    if isinstance(value, (bool, int, float, complex, str, bytes, list, tuple, np.ndarray, np.generic)) or hasattr(
        value, "__array__"
    ):
        try:
            return TensorSpec.from_tensor(convert_to_tensor(value))
        except (ValueError, TypeError) as e:
            raise TypeError(f"Could not build a TypeSpec for {value!r}: {e}") from None
    raise TypeError(f"Could not build a TypeSpec for {value!r} of unsupported type {type(value)}.")
