"""The methods that make ragged tensors, from values and a partition of them into rows.

The partition is given by row splits, row lengths, row starts, row limits, or the row number of each value.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tapejax._src.core import dtypes, nest
from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream

if TYPE_CHECKING:
    from tapejax._src.composite.ragged.tensor import RaggedTensor

__all__ = ["Rows", "count_of", "integers", "row_ids", "row_ranges", "splits_from_lengths", "values_of"]


def splits_from_lengths(lengths: np.ndarray) -> np.ndarray:
    """The row splits for rows of the given lengths: where each row begins, and where the last one ends."""
    return np.concatenate([np.zeros(1, lengths.dtype), np.cumsum(lengths, dtype=lengths.dtype)])


def row_ids(splits: np.ndarray) -> np.ndarray:
    """The number of its row, for each value."""
    return np.repeat(np.arange(len(splits) - 1, dtype=splits.dtype), np.diff(splits))


def row_ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The positions ``start, start + 1, ...`` of the values of each row, one row after the other."""
    first = np.cumsum(lengths) - lengths
    return np.repeat(starts - first, lengths) + np.arange(lengths.sum())


def integers(value: Any, what: str) -> np.ndarray:
    """An argument of integers as a NumPy array. It is int64, unless the argument is an array or tensor of int32.

    Raises:
      ValueError: the argument does not hold integers.
    """
    array = stream.host(value) if isinstance(value, Tensor) else np.asarray(value)
    if not array.size and array.dtype.kind == "f" and not hasattr(value, "dtype"):
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{what} must have dtype int32 or int64")
    return array if array.dtype in (np.int32, np.int64) and hasattr(value, "dtype") else array.astype(np.int64)


class Rows(nest.CompositeTensor):
    """The base class of `RaggedTensor`: its attributes, and the class methods that make ragged tensors."""

    __slots__ = ("__weakref__", "_row_splits", "_uniform", "_values")
    _values: Any
    _row_splits: Tensor
    _uniform: int | None

    @classmethod
    def _of(cls, values: Any, splits: Any, uniform: int | None = None) -> "RaggedTensor":
        """A ragged tensor of the given values and row splits, without checks."""
        out: Any = cls.__new__(cls)
        out._values = values
        out._row_splits = from_value(splits) if isinstance(splits, np.ndarray) else splits
        out._uniform = uniform
        return out

    @classmethod
    def from_row_splits(
        cls, values: Any, row_splits: Any, name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Makes a ragged tensor whose row i is ``values[row_splits[i]:row_splits[i + 1]]``.

        Args:
          values: a tensor or ragged tensor.
          row_splits: a vector of ascending integers. The first is 0, and the last is the number of values.
          name: of no effect.
          validate: whether to check the values of `row_splits`.

        Raises:
          ValueError: `row_splits` is empty, or is not a vector of integers.
          InvalidArgumentError: `row_splits` do not ascend from 0 to the number of values.
        """
        values = values_of(values)
        splits = row_splits if isinstance(row_splits, Tensor) else from_value(integers(row_splits, "row_splits"))
        if splits.aval.dtype.kind != "i" or splits.aval.dtype.itemsize < 4:
            raise ValueError("row_splits must have dtype int32 or int64")
        if len(splits.aval.shape) != 1:
            raise ValueError(f"Shape {splits.aval.shape} must have rank 1")
        if splits.aval.shape[0] == 0:
            raise ValueError("row_splits tensor may not be empty.")
        if validate and not stream.current().symbolic:
            found = stream.host(splits)
            if found[0] != 0 or (np.diff(found) < 0).any():
                raise invalid(f"Arguments to from_row_splits do not form a valid RaggedTensor: {found.tolist()}")
            if found[-1] != count_of(values):
                raise invalid(
                    f"Arguments to from_row_splits do not form a valid RaggedTensor: the splits end at "
                    f"{found[-1]}, but there are {count_of(values)} values"
                )
        return cls._of(values, splits)

    @classmethod
    def from_row_lengths(
        cls, values: Any, row_lengths: Any, name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Makes a ragged tensor whose row i consists of the next ``row_lengths[i]`` values.

        Args:
          values: a tensor or ragged tensor.
          row_lengths: a vector of integers.
          name: of no effect.
          validate: whether to check that the lengths are not negative and add up to the number of values.

        Raises:
          InvalidArgumentError: they are negative, or do not add up.
        """
        lengths = integers(row_lengths, "row_lengths")
        if validate and (lengths < 0).any():
            raise invalid("Arguments to from_row_lengths do not form a valid RaggedTensor: negative lengths")
        return cls.from_row_splits(values, from_value(splits_from_lengths(lengths)), validate=validate)

    @classmethod
    def from_value_rowids(
        cls, values: Any, value_rowids: Any, nrows: Any = None, name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Makes a ragged tensor in which value i belongs to row ``value_rowids[i]``.

        Args:
          values: a tensor or ragged tensor.
          value_rowids: a vector of ascending integers, one for each value.
          nrows: the number of rows, by default one more than the last id.
          name: of no effect.
          validate: whether to check `value_rowids`.

        Raises:
          ValueError: `nrows` is negative or too small.
          InvalidArgumentError: `value_rowids` do not ascend, or are not as many as the values.
        """
        ids = integers(value_rowids, "value_rowids")
        least = int(ids[-1]) + 1 if ids.size else 0
        count = least if nrows is None else int(np.asarray(nrows))
        if count < 0:
            raise ValueError(f"Expected nrows >= 0; got {count}")
        if count < least:
            raise ValueError(f"Expected nrows >= value_rowids[-1] + 1; got nrows={count}, value_rowids[-1]={least - 1}")
        if validate and ((np.diff(ids) < 0).any() or (ids < 0).any()):
            raise invalid("Arguments to from_value_rowids do not form a valid RowPartition: ids must ascend from 0")
        lengths = np.bincount(ids, minlength=count).astype(ids.dtype)
        return cls.from_row_splits(values, from_value(splits_from_lengths(lengths)), validate=validate)

    @classmethod
    def from_row_starts(
        cls, values: Any, row_starts: Any, name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Makes a ragged tensor whose row i begins with value ``row_starts[i]``. The last row ends with the last value.

        Args:
          values: a tensor or ragged tensor.
          row_starts: a vector of ascending integers, the first of which is 0.
          name: of no effect.
          validate: whether to check `row_starts`.

        Raises:
          InvalidArgumentError: `row_starts` do not ascend from 0, or exceed the number of values.
        """
        starts, values = integers(row_starts, "row_starts"), values_of(values)
        end = np.array([count_of(values)], starts.dtype)
        return cls.from_row_splits(values, from_value(np.concatenate([starts, end])), validate=validate)

    @classmethod
    def from_row_limits(
        cls, values: Any, row_limits: Any, name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Makes a ragged tensor whose row i ends before value ``row_limits[i]``. The first row begins with value 0.

        Args:
          values: a tensor or ragged tensor.
          row_limits: a vector of ascending integers, the last of which is the number of values.
          name: of no effect.
          validate: whether to check `row_limits`.

        Raises:
          InvalidArgumentError: `row_limits` do not ascend to the number of values.
        """
        limits = integers(row_limits, "row_limits")
        return cls.from_row_splits(
            values, from_value(np.concatenate([np.zeros(1, limits.dtype), limits])), validate=validate
        )

    @classmethod
    def from_uniform_row_length(
        cls, values: Any, uniform_row_length: Any, nrows: Any = None, validate: bool = True, name: str | None = None
    ) -> "RaggedTensor":
        """Makes a ragged tensor whose rows all have the same length.

        Args:
          values: a tensor or ragged tensor.
          uniform_row_length: the length.
          nrows: the number of rows. It is needed only if the length is 0.
          validate: whether to check that the values fill the rows.
          name: of no effect.

        Raises:
          ValueError: the values do not fill the rows.
        """
        values, length = values_of(values), int(np.asarray(uniform_row_length))
        count = count_of(values)
        rows = (count // length if length else 0) if nrows is None else int(np.asarray(nrows))
        if validate and rows * length != count:
            raise ValueError(f"uniform_row_length={length} times nrows={rows} must equal nvals={count}")
        return cls._of(values, np.arange(rows + 1, dtype=np.int64) * length, length)

    @classmethod
    def from_nested_row_splits(
        cls, flat_values: Any, nested_row_splits: Iterable[Any], name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Makes a ragged tensor with several ragged axes.

        Args:
          flat_values: the innermost values, a tensor.
          nested_row_splits: for each ragged axis, the outermost first, its row splits (see `from_row_splits`).
          name: of no effect.
          validate: whether to check the row splits.

        Raises:
          TypeError: `nested_row_splits` is a tensor instead of a list.
        """
        return _nested(cls.from_row_splits, flat_values, nested_row_splits, "nested_row_splits", validate)

    @classmethod
    def from_nested_row_lengths(
        cls, flat_values: Any, nested_row_lengths: Iterable[Any], name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Makes a ragged tensor with several ragged axes.

        Args:
          flat_values: the innermost values, a tensor.
          nested_row_lengths: for each ragged axis, the outermost first, the lengths of its rows (see
            `from_row_lengths`).
          name: of no effect.
          validate: whether to check the lengths.

        Raises:
          TypeError: `nested_row_lengths` is a tensor instead of a list.
        """
        return _nested(cls.from_row_lengths, flat_values, nested_row_lengths, "nested_row_lengths", validate)

    @classmethod
    def from_nested_value_rowids(
        cls,
        flat_values: Any,
        nested_value_rowids: Iterable[Any],
        nested_nrows: Any = None,
        name: str | None = None,
        validate: bool = True,
    ) -> "RaggedTensor":
        """Makes a ragged tensor with several ragged axes.

        Args:
          flat_values: the innermost values, a tensor.
          nested_value_rowids: for each ragged axis, the outermost first, the row of each value (see
            `from_value_rowids`).
          nested_nrows: for each ragged axis the number of rows; by default one more than the last row number.
          name: of no effect.
          validate: whether to check the row numbers.
        """
        ids = list(nested_value_rowids)
        counts = [None] * len(ids) if nested_nrows is None else list(nested_nrows)
        out = flat_values
        for one, count in zip(ids[::-1], counts[::-1], strict=True):
            out = cls.from_value_rowids(out, one, count, validate=validate)
        return out

    @classmethod
    def from_tensor(
        cls,
        tensor: Any,
        lengths: Any = None,
        padding: Any = None,
        ragged_rank: int = 1,
        name: str | None = None,
        row_splits_dtype: Any = dtypes.int64,
    ) -> "RaggedTensor":
        """Makes a ragged tensor from a dense tensor.

        Args:
          tensor: a tensor of rank `ragged_rank` + 1 or more.
          lengths: the number of elements to keep of each row; or a tuple of such vectors, one for each ragged axis.
          padding: a value that is dropped at the ends of rows. It cannot be given together with `lengths`.
          ragged_rank: the number of axes that become ragged.
          name: of no effect.
          row_splits_dtype: the `DType` of the row splits, int64 or int32.

        Raises:
          ValueError: the arguments do not fit each other.

        >>> import tapejax as tf
        >>> tf.RaggedTensor.from_tensor([[1, 0], [3, 4]], padding=0)
        <tf.RaggedTensor [[1], [3, 4]]>
        """
        from tapejax._src.composite.ragged import building

        return building.from_tensor(tensor, lengths, padding, ragged_rank, dtypes.to_numpy(row_splits_dtype))

    @classmethod
    def from_sparse(
        cls, st_input: Any, name: str | None = None, row_splits_dtype: Any = dtypes.int64
    ) -> "RaggedTensor":
        """Makes a ragged tensor from a sparse matrix, whose rows must have their elements at the front, without gaps.

        Args:
          st_input: a sparse tensor of rank 2.
          name: of no effect.
          row_splits_dtype: the `DType` of the row splits, int64 or int32.

        Raises:
          TypeError: `st_input` is not a sparse tensor.
          ValueError: `st_input` does not have rank 2.
          InvalidArgumentError: a row has gaps.
        """
        from tapejax._src.composite.ragged import building

        return building.from_sparse(st_input, dtypes.to_numpy(row_splits_dtype))


def values_of(value: Any) -> Any:
    """Converts a value to a tensor. A ragged tensor is returned as it is."""
    return value if isinstance(value, Rows) else to_tensor(value)


def count_of(values: Any) -> int:
    """The number of rows of a tensor or ragged tensor."""
    if isinstance(values, Rows):
        return values._row_splits.aval.shape[0] - 1
    if not values.aval.shape:
        raise ValueError("Shape () must have rank at least 1")
    return values.aval.shape[0]


def _nested(make: Any, flat_values: Any, partitions: Iterable[Any], what: str, validate: bool) -> Any:
    if isinstance(partitions, Tensor):
        raise TypeError(f"Argument `{what}` must be a list of Tensors. Received {partitions}.")
    out = flat_values
    for one in list(partitions)[::-1]:
        out = make(out, one, validate=validate)
    return out
