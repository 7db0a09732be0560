"""How ragged tensors are made: of values, and of splits, lengths, starts or ids that say which rows these are in."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tapejax._src.core import dtypes, nest
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream
from tapejax._src.ops.array.layout import invalid

if TYPE_CHECKING:
    from tapejax._src.composite.ragged.tensor import RaggedTensor

__all__ = ["Rows", "count_of", "integers", "row_ids", "row_ranges", "splits_from_lengths", "values_of"]


def splits_from_lengths(lengths: np.ndarray) -> np.ndarray:
    """Where rows of these lengths begin, and where the last one ends."""
    return np.concatenate([np.zeros(1, lengths.dtype), np.cumsum(lengths, dtype=lengths.dtype)])


def row_ids(splits: np.ndarray) -> np.ndarray:
    """For each value the row it is in."""
    return np.repeat(np.arange(len(splits) - 1, dtype=splits.dtype), np.diff(splits))


def row_ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The positions ``start, start + 1, ..`` of each row, one row after the other."""
    first = np.cumsum(lengths) - lengths
    return np.repeat(starts - first, lengths) + np.arange(lengths.sum())


def integers(value: Any, what: str) -> np.ndarray:
    """An integer argument, read; int64 unless it is an array or tensor of int32.

    Raises:
      ValueError: another dtype.
    """
    array = stream.host(value) if isinstance(value, Tensor) else np.asarray(value)
    if not array.size and array.dtype.kind == "f" and not hasattr(value, "dtype"):
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{what} must have dtype int32 or int64")
    return array if array.dtype in (np.int32, np.int64) and hasattr(value, "dtype") else array.astype(np.int64)


class Rows(nest.CompositeTensor):
    """The `from_` methods of `RaggedTensor`, and what it holds."""

    __slots__ = ("__weakref__", "_row_splits", "_uniform", "_values")
    _values: Any
    _row_splits: Tensor
    _uniform: int | None

    @classmethod
    def _of(cls, values: Any, splits: Any, uniform: int | None = None) -> "RaggedTensor":
        """These parts, unchecked."""
        out: Any = cls.__new__(cls)
        out._values = values
        out._row_splits = from_value(splits) if isinstance(splits, np.ndarray) else splits
        out._uniform = uniform
        return out

    @classmethod
    def from_row_splits(
        cls, values: Any, row_splits: Any, name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Row i is ``values[row_splits[i]:row_splits[i + 1]]``.

        Args:
          values: a tensor or ragged tensor.
          row_splits: ascending integers, the first 0, the last the number of values.
          name: as in TensorFlow, of no effect when eager.
          validate: whether to check `row_splits`.

        Raises:
          ValueError: not a vector of integers, or empty. InvalidArgumentError: not valid splits.
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
        """Row i is the next ``row_lengths[i]`` values. Arguments as of `from_row_splits`."""
        lengths = integers(row_lengths, "row_lengths")
        if validate and (lengths < 0).any():
            raise invalid("Arguments to from_row_lengths do not form a valid RaggedTensor: negative lengths")
        return cls.from_row_splits(values, from_value(splits_from_lengths(lengths)), validate=validate)

    @classmethod
    def from_value_rowids(
        cls, values: Any, value_rowids: Any, nrows: Any = None, name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Value i is in row ``value_rowids[i]``, and these ascend; `nrows` is by default one more than the last.

        Raises:
          ValueError: too few rows. InvalidArgumentError: ids that descend or do not fit the values.
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
        """Row i begins at value ``row_starts[i]``. Arguments as of `from_row_splits`."""
        starts, values = integers(row_starts, "row_starts"), values_of(values)
        end = np.array([count_of(values)], starts.dtype)
        return cls.from_row_splits(values, from_value(np.concatenate([starts, end])), validate=validate)

    @classmethod
    def from_row_limits(
        cls, values: Any, row_limits: Any, name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Row i ends before value ``row_limits[i]``. Arguments as of `from_row_splits`."""
        limits = integers(row_limits, "row_limits")
        return cls.from_row_splits(
            values, from_value(np.concatenate([np.zeros(1, limits.dtype), limits])), validate=validate
        )

    @classmethod
    def from_uniform_row_length(
        cls, values: Any, uniform_row_length: Any, nrows: Any = None, validate: bool = True, name: str | None = None
    ) -> "RaggedTensor":
        """Rows of one length.

        Args:
          values: a tensor or ragged tensor.
          uniform_row_length: the length.
          nrows: how many rows there are; needed only if the length is 0.
          validate: whether to check that the values fill the rows.
          name: as in TensorFlow, of no effect when eager.

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
        """`from_row_splits` for several axes, the outermost first."""
        return _nested(cls.from_row_splits, flat_values, nested_row_splits, "nested_row_splits", validate)

    @classmethod
    def from_nested_row_lengths(
        cls, flat_values: Any, nested_row_lengths: Iterable[Any], name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """`from_row_lengths` for several axes, the outermost first."""
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
        """`from_value_rowids` for several axes, the outermost first."""
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
        """A dense tensor as a ragged one.

        Args:
          tensor: of rank `ragged_rank` + 1 at least.
          lengths: how many elements of each row to keep; a tuple of such for several axes.
          padding: value that is left out at the ends of rows. (Not together with `lengths`.)
          ragged_rank: how many axes become ragged.
          name: as in TensorFlow, of no effect when eager.
          row_splits_dtype: int64 or int32.

        Raises:
          ValueError: arguments that do not fit.

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
        """A sparse matrix whose rows have their elements at the front, without gaps.

        Raises:
          TypeError: not sparse. ValueError: not of rank 2. InvalidArgumentError: rows with gaps.
        """
        from tapejax._src.composite.ragged import building

        return building.from_sparse(st_input, dtypes.to_numpy(row_splits_dtype))


def values_of(value: Any) -> Any:
    """A ragged tensor as it is, anything else as a tensor."""
    return value if isinstance(value, Rows) else to_tensor(value)


def count_of(values: Any) -> int:
    """How many rows there are."""
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
