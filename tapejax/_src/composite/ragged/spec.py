"""`RaggedTensorSpec`: shape, dtype and ragged axes of a ragged tensor, without its values."""

from typing import Any

from tapejax._src.composite.ragged.tensor import RaggedTensor
from tapejax._src.core import dtypes
from tapejax._src.core.shape import TensorShape
from tapejax._src.core.specs import TypeSpec

__all__ = ["RaggedTensorSpec"]


class RaggedTensorSpec(TypeSpec):
    """Describes a ragged tensor by shape, dtype and the number of its ragged axes.

    Args:
      shape: a `TensorShape`, or a value that converts to one, with None for ragged axes. None means an unknown shape.
      dtype: the `DType` of the values.
      ragged_rank: the number of ragged axes; by default all axes except the first.
      row_splits_dtype: the `DType` of the row splits, int64 or int32.
      flat_values_spec: not supported; must be None.

    Raises:
      ValueError: neither `ragged_rank` nor a shape of known rank is given, or they do not fit.
      TypeError: `ragged_rank` is not an int.

    Source: https://www.tensorflow.org/api_docs/python/tf/RaggedTensorSpec

    >>> RaggedTensorSpec([None, None], "int32").is_compatible_with(RaggedTensor.from_row_splits([1, 2], [0, 2]))
    True
    """

    __slots__ = ("_dtype", "_ragged_rank", "_row_splits_dtype", "_shape")

    def __init__(
        self,
        shape: Any = None,
        dtype: Any = dtypes.float32,
        ragged_rank: int | None = None,
        row_splits_dtype: Any = dtypes.int64,
        flat_values_spec: Any = None,
    ):
        if flat_values_spec is not None:
            raise ValueError("`flat_values_spec` is not supported: the innermost values are plain tensors")
        self._shape = TensorShape(shape)
        self._dtype = dtypes.as_dtype(dtype)
        self._row_splits_dtype = dtypes.as_dtype(row_splits_dtype)
        if self._row_splits_dtype not in (dtypes.int32, dtypes.int64):
            raise ValueError(f"row_splits_dtype must be int32 or int64, got {row_splits_dtype}")
        rank = self._shape.rank
        if ragged_rank is None:
            if rank is None:
                raise ValueError("Must specify ragged_rank or a shape with a known rank.")
            ragged_rank = rank - 1
        if not isinstance(ragged_rank, int):
            raise TypeError(f"Argument `ragged_rank` must be an int. Received {ragged_rank}.")
        if rank is not None and ragged_rank >= rank:
            raise ValueError(f"Argument `ragged_rank` ({ragged_rank}) must be less than rank ({rank}).")
        self._ragged_rank = ragged_rank

    @classmethod
    def from_value(cls, value: Any) -> "RaggedTensorSpec":
        """The spec of a ragged tensor."""
        return cls(value.shape, value.dtype, value.ragged_rank, value.row_splits.dtype)

    shape = property(lambda self: self._shape, doc="The `TensorShape`.")
    dtype = property(lambda self: self._dtype, doc="The `DType` of the values.")
    ragged_rank = property(lambda self: self._ragged_rank, doc="The number of ragged axes.")
    row_splits_dtype = property(lambda self: self._row_splits_dtype, doc="The `DType` of the row splits.")
    value_type = property(lambda self: RaggedTensor, doc="`RaggedTensor`.")

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        """Whether a ragged tensor or spec has the same dtypes and ragged axes, and a compatible shape."""
        other = (
            spec_or_value
            if isinstance(spec_or_value, RaggedTensorSpec)
            else (RaggedTensorSpec.from_value(spec_or_value) if isinstance(spec_or_value, RaggedTensor) else None)
        )
        return other is not None and self._shape.is_compatible_with(other._shape) and self._rest() == other._rest()

    def _rest(self) -> tuple[Any, ...]:
        return (self._dtype, self._ragged_rank, self._row_splits_dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RaggedTensorSpec) and (repr(self._shape), *self._rest()) == (
            repr(other._shape),
            *other._rest(),
        )

    def __hash__(self) -> int:
        return hash((repr(self._shape), *self._rest()))

    def __repr__(self) -> str:
        return f"RaggedTensorSpec({self._shape!r}, {self._dtype!r}, {self._ragged_rank!r}, {self._row_splits_dtype!r})"
