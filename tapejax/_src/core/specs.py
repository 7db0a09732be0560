"""`TensorSpec`: shape, dtype and name of a tensor, without its values."""

from typing import Any

from tapejax._src.core import dtypes
from tapejax._src.core.shape import TensorShape

__all__ = ["TensorSpec", "TypeSpec"]


class TypeSpec:
    """Base class of `TensorSpec`, `SparseTensorSpec`, `RaggedTensorSpec` and `IndexedSlicesSpec`.

    Source: https://www.tensorflow.org/api_docs/python/tf/TypeSpec

    >>> isinstance(TensorSpec([2]), TypeSpec)
    True
    """

    __slots__ = ()

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        """Whether a value, or another spec, is compatible with this spec."""
        raise NotImplementedError(f"{type(self).__name__}.is_compatible_with")


class TensorSpec(TypeSpec):
    """Describes a tensor by shape, dtype and name, such as an argument of a function that is yet to be called.

    Args:
      shape: a `TensorShape`, or a value that converts to one. None means an unknown rank, and sizes of None are
        unknown.
      dtype: a `DType`, or a value that converts to one.
      name: a string, or None.

    Source: https://www.tensorflow.org/api_docs/python/tf/TensorSpec

    >>> TensorSpec([None, 3]).is_compatible_with(TensorSpec([2, 3]))
    True
    """

    __slots__ = ("_dtype", "_name", "_shape")

    def __init__(self, shape: Any, dtype: Any = dtypes.float32, name: str | None = None):
        self._shape = TensorShape(shape)
        self._dtype = dtypes.as_dtype(dtype)
        self._name = name

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> "TensorSpec":
        """The spec of a tensor."""
        return cls(tensor.shape, tensor.dtype, name)

    @classmethod
    def from_spec(cls, spec: Any, name: str | None = None) -> "TensorSpec":
        """A copy of a spec, with another name if one is given."""
        return cls(spec.shape, spec.dtype, name or spec.name)

    shape = property(lambda self: self._shape, doc="The `TensorShape`.")
    dtype = property(lambda self: self._dtype, doc="The `DType`.")
    name = property(lambda self: self._name, doc="The name, or None.")

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a tensor or spec has this dtype and a compatible shape."""
        return self.dtype == other.dtype and self.shape.is_compatible_with(other.shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and (self.shape, self.dtype, self.name) == (
            other.shape,
            other.dtype,
            other.name,
        )

    def __hash__(self) -> int:
        return hash((self._shape, self._dtype))

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self.shape}, dtype={self.dtype!r}, name={self.name!r})"
