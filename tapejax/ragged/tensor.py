"""`RaggedTensor`: flat values, and splits that say where rows begin and end.

Splits are small integers that live on the host; what depends on them (which value goes where) is worked out there, and
the values, ordinary tensors, are gathered or summed accordingly: recorded and differentiated like all others.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tapejax import dtypes, nest
from tapejax.convert import refuse_conversion, register_conversion, to_tensor
from tapejax.engine import stream
from tapejax.ops.array import invalid
from tapejax.shape import TensorShape
from tapejax.tensor import Tensor, from_value

__all__ = ["RaggedTensor", "integers", "ragged", "row_ids", "row_ranges", "splits_from_lengths"]


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
    array = np.asarray(stream.realize(value)) if isinstance(value, Tensor) else np.asarray(value)
    if not array.size and array.dtype.kind == "f" and not hasattr(value, "dtype"):
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{what} must have dtype int32 or int64")
    return array if array.dtype in (np.int32, np.int64) and hasattr(value, "dtype") else array.astype(np.int64)


class RaggedTensor(nest.CompositeTensor):
    """A tensor with one or more ragged axes: rows of different lengths. Made by the ``from_`` methods.

    Source: https://www.tensorflow.org/api_docs/python/tf/RaggedTensor

    >>> x = RaggedTensor.from_row_splits([1, 2, 3], [0, 2, 2, 3])
    >>> x
    <tf.RaggedTensor [[1, 2], [], [3]]>
    >>> (x + 1)[0].numpy().tolist()
    [2, 3]
    """

    __slots__ = ("__weakref__", "_row_splits", "_uniform", "_values")
    __array_priority__ = 100

    def __init__(self, *args: Any, **kwargs: Any):
        raise ValueError("RaggedTensor constructor is private; please use one of the factory methods instead "
                         "(e.g., RaggedTensor.from_row_lengths())")

    # Making

    @classmethod
    def from_row_splits(cls, values: Any, row_splits: Any, name: str | None = None, validate: bool = True
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
        values = _values(values)
        splits = row_splits if isinstance(row_splits, Tensor) else from_value(integers(row_splits, "row_splits"))
        if splits.aval.dtype.kind != "i" or splits.aval.dtype.itemsize < 4:
            raise ValueError("row_splits must have dtype int32 or int64")
        if len(splits.aval.shape) != 1:
            raise ValueError(f"Shape {splits.aval.shape} must have rank 1")
        if splits.aval.shape[0] == 0:
            raise ValueError("row_splits tensor may not be empty.")
        if validate and not stream.current().symbolic:
            found = np.asarray(stream.realize(splits))
            if found[0] != 0 or (np.diff(found) < 0).any():
                raise invalid(f"Arguments to from_row_splits do not form a valid RaggedTensor: {found.tolist()}")
            if found[-1] != _count(values):
                raise invalid(f"Arguments to from_row_splits do not form a valid RaggedTensor: the splits end at "
                              f"{found[-1]}, but there are {_count(values)} values")
        return ragged(values, splits)

    @classmethod
    def from_row_lengths(cls, values: Any, row_lengths: Any, name: str | None = None, validate: bool = True
                         ) -> "RaggedTensor":
        """Row i is the next ``row_lengths[i]`` values. Arguments as of `from_row_splits`."""
        lengths = integers(row_lengths, "row_lengths")
        if validate and (lengths < 0).any():
            raise invalid("Arguments to from_row_lengths do not form a valid RaggedTensor: negative lengths")
        return cls.from_row_splits(values, from_value(splits_from_lengths(lengths)), validate=validate)

    @classmethod
    def from_value_rowids(cls, values: Any, value_rowids: Any, nrows: Any = None, name: str | None = None,
                          validate: bool = True) -> "RaggedTensor":
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
    def from_row_starts(cls, values: Any, row_starts: Any, name: str | None = None, validate: bool = True
                        ) -> "RaggedTensor":
        """Row i begins at value ``row_starts[i]``. Arguments as of `from_row_splits`."""
        starts, values = integers(row_starts, "row_starts"), _values(values)
        end = np.array([_count(values)], starts.dtype)
        return cls.from_row_splits(values, from_value(np.concatenate([starts, end])), validate=validate)

    @classmethod
    def from_row_limits(cls, values: Any, row_limits: Any, name: str | None = None, validate: bool = True
                        ) -> "RaggedTensor":
        """Row i ends before value ``row_limits[i]``. Arguments as of `from_row_splits`."""
        limits = integers(row_limits, "row_limits")
        return cls.from_row_splits(values, from_value(np.concatenate([np.zeros(1, limits.dtype), limits])),
                                   validate=validate)

    @classmethod
    def from_uniform_row_length(cls, values: Any, uniform_row_length: Any, nrows: Any = None, validate: bool = True,
                                name: str | None = None) -> "RaggedTensor":
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
        values, length = _values(values), int(np.asarray(uniform_row_length))
        count = _count(values)
        rows = (count // length if length else 0) if nrows is None else int(np.asarray(nrows))
        if validate and rows * length != count:
            raise ValueError(f"uniform_row_length={length} times nrows={rows} must equal nvals={count}")
        return ragged(values, np.arange(rows + 1, dtype=np.int64) * length, length)

    @classmethod
    def from_nested_row_splits(cls, flat_values: Any, nested_row_splits: Iterable[Any], name: str | None = None,
                               validate: bool = True) -> "RaggedTensor":
        """`from_row_splits` for several axes, the outermost first."""
        return _nested(cls.from_row_splits, flat_values, nested_row_splits, "nested_row_splits", validate)

    @classmethod
    def from_nested_row_lengths(cls, flat_values: Any, nested_row_lengths: Iterable[Any], name: str | None = None,
                                validate: bool = True) -> "RaggedTensor":
        """`from_row_lengths` for several axes, the outermost first."""
        return _nested(cls.from_row_lengths, flat_values, nested_row_lengths, "nested_row_lengths", validate)

    @classmethod
    def from_nested_value_rowids(cls, flat_values: Any, nested_value_rowids: Iterable[Any], nested_nrows: Any = None,
                                 name: str | None = None, validate: bool = True) -> "RaggedTensor":
        """`from_value_rowids` for several axes, the outermost first."""
        ids = list(nested_value_rowids)
        counts = [None] * len(ids) if nested_nrows is None else list(nested_nrows)
        out = flat_values
        for one, count in zip(ids[::-1], counts[::-1], strict=True):
            out = cls.from_value_rowids(out, one, count, validate=validate)
        return out

    @classmethod
    def from_tensor(cls, tensor: Any, lengths: Any = None, padding: Any = None, ragged_rank: int = 1,
                    name: str | None = None, row_splits_dtype: Any = dtypes.int64) -> "RaggedTensor":
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

        >>> RaggedTensor.from_tensor([[1, 0], [3, 4]], padding=0)
        <tf.RaggedTensor [[1], [3, 4]]>
        """
        from tapejax.ragged import building

        return building.from_tensor(tensor, lengths, padding, ragged_rank, dtypes.to_numpy(row_splits_dtype))

    @classmethod
    def from_sparse(cls, st_input: Any, name: str | None = None, row_splits_dtype: Any = dtypes.int64
                    ) -> "RaggedTensor":
        """A sparse matrix whose rows have their elements at the front, without gaps.

        Raises:
          TypeError: not sparse. ValueError: not of rank 2. InvalidArgumentError: rows with gaps.
        """
        from tapejax.ragged import building

        return building.from_sparse(st_input, dtypes.to_numpy(row_splits_dtype))

    # Parts

    values = property(lambda self: self._values, doc="All rows joined: a tensor, or a ragged one of a rank less.")
    row_splits = property(lambda self: self._row_splits, doc="Where the rows begin and end in `values`.")
    dtype = property(lambda self: self.flat_values.dtype, doc="`DType` of the values.")
    nested_row_splits = property(lambda self: tuple(p._row_splits for p in self._levels()),
                                 doc="`row_splits` of all ragged axes, the outermost first.")
    ragged_rank = property(lambda self: len(self._levels()), doc="How many axes are ragged.")

    @property
    def flat_values(self) -> Tensor:
        """The innermost values: a tensor."""
        return self._levels()[-1]._values

    @property
    def uniform_row_length(self) -> Tensor | None:
        """The length of all rows, if it is known to be one."""
        return None if self._uniform is None else self._number(self._uniform)

    @property
    def shape(self) -> TensorShape:
        """The `TensorShape`, with None for ragged axes."""
        return TensorShape([self._row_splits.aval.shape[0] - 1, self._uniform, *self._values.shape.as_list()[1:]])

    def get_shape(self) -> TensorShape:
        """The same as `shape`."""
        return self.shape

    def _levels(self) -> list["RaggedTensor"]:
        levels: list[RaggedTensor] = [self]
        while isinstance(levels[-1]._values, RaggedTensor):
            levels.append(levels[-1]._values)
        return levels

    def _splits(self) -> np.ndarray:
        """The splits, read."""
        return np.asarray(stream.realize(self._row_splits))

    def _number(self, value: Any) -> Tensor:
        return from_value(np.asarray(value, self._row_splits.aval.dtype))

    def nrows(self, out_type: Any = None, name: str | None = None) -> Tensor:
        """The number of rows."""
        return _as(self._number(self._row_splits.aval.shape[0] - 1), out_type)

    def row_lengths(self, axis: int = 1, name: str | None = None) -> Any:
        """The lengths of the rows, or, ragged, of those of a deeper axis; `axis` 0 gives the number of rows."""
        axis = int(axis)
        rank = self.shape.rank
        assert rank is not None
        if not -rank <= axis < rank:
            raise ValueError(f"axis={axis} out of bounds: expected {-rank}<=axis<{rank}")
        axis %= rank
        if axis == 0:
            return self.nrows()
        if axis == 1:
            return self._number(np.diff(self._splits()))
        if isinstance(self._values, RaggedTensor):
            return self.with_values(self._values.row_lengths(axis - 1))
        shape = self._values.aval.shape
        return self.with_values(self._number(np.full(shape[:axis - 1], shape[axis - 1])))

    def row_starts(self, name: str | None = None) -> Tensor:
        """Where each row begins."""
        return self._number(self._splits()[:-1])

    def row_limits(self, name: str | None = None) -> Tensor:
        """Where each row ends."""
        return self._number(self._splits()[1:])

    def value_rowids(self, name: str | None = None) -> Tensor:
        """For each value its row."""
        return self._number(row_ids(self._splits()))

    def nested_row_lengths(self, name: str | None = None) -> tuple[Tensor, ...]:
        """`row_lengths` of all ragged axes, the outermost first."""
        return tuple(p.row_lengths() for p in self._levels())

    def nested_value_rowids(self, name: str | None = None) -> tuple[Tensor, ...]:
        """`value_rowids` of all ragged axes, the outermost first."""
        return tuple(p.value_rowids() for p in self._levels())

    def bounding_shape(self, axis: Any = None, name: str | None = None, out_type: Any = None) -> Tensor:
        """The shape of the smallest dense tensor that holds this one, or its sizes along `axis` (an int or a list)."""
        whole = self._number([self._row_splits.aval.shape[0] - 1,
                              *(np.diff(p._splits()).max(initial=0) for p in self._levels()),
                              *self.flat_values.aval.shape[1:]])
        if axis is None:
            return _as(whole, out_type)
        return _as(self._number(np.asarray(whole)[np.asarray(axis)]), out_type)

    # Others like this one

    def with_values(self, new_values: Any) -> "RaggedTensor":
        """The same rows of other values.

        Raises:
          ValueError: another number of values.
        """
        values = _values(new_values)
        if _count(values) != _count(self._values):
            raise ValueError(f"Shapes ({_count(self._values)},) and ({_count(values)},) are incompatible")
        return ragged(values, self._row_splits, self._uniform)

    def with_flat_values(self, new_values: Any) -> "RaggedTensor":
        """The same rows, on all axes, of other innermost values."""
        if isinstance(self._values, RaggedTensor):
            return self.with_values(self._values.with_flat_values(new_values))
        return self.with_values(new_values)

    def with_row_splits_dtype(self, dtype: Any) -> "RaggedTensor":
        """The same with splits of another dtype, int32 or int64."""
        kind = dtypes.to_numpy(dtype)
        if kind not in (np.int32, np.int64):
            raise ValueError(f"Argument `row_splits` dtype must be int32 or int64. Received {dtype}.")
        values = self._values.with_row_splits_dtype(dtype) if isinstance(self._values, RaggedTensor) else self._values
        return ragged(values, from_value(self._splits().astype(kind)), self._uniform)

    def merge_dims(self, outer_axis: int, inner_axis: int) -> Any:
        """The axes from `outer_axis` to `inner_axis` as one.

        Raises:
          ValueError: axes out of range or in the wrong order.
        """
        from tapejax.ragged import building

        return building.merge_dims(self, int(outer_axis), int(inner_axis))

    def to_tensor(self, default_value: Any = None, name: str | None = None, shape: Any = None) -> Tensor:
        """The dense tensor, filled up with `default_value` (0), cut or extended to `shape` where that is not None.

        >>> RaggedTensor.from_row_splits([1, 2, 3], [0, 1, 3]).to_tensor().numpy().tolist()
        [[1, 0], [2, 3]]
        """
        from tapejax.ragged import building

        return building.to_dense(self, default_value, shape)

    def to_sparse(self, name: str | None = None) -> Any:
        """The `tf.SparseTensor` with these values at the front of its rows."""
        from tapejax.ragged import building

        return building.to_sparse(self)

    def to_list(self) -> list[Any]:
        """The values as nested Python lists."""
        splits = self._splits().tolist()
        inner = (self._values.to_list() if isinstance(self._values, RaggedTensor)
                 else np.asarray(stream.realize(self._values)).tolist())
        return [inner[a:b] for a, b in zip(splits, splits[1:], strict=False)]

    def numpy(self) -> np.ndarray:
        """A NumPy array: of rows, as objects, if their lengths differ, otherwise an ordinary one."""
        splits = self._splits()
        inner = (self._values.numpy() if isinstance(self._values, RaggedTensor)
                 else np.asarray(stream.realize(self._values)))
        rows = [inner[a:b] for a, b in zip(splits, splits[1:], strict=False)]
        if not rows:
            return np.zeros((0, 0, *inner.shape[1:]), inner.dtype)
        if len({r.shape for r in rows}) == 1:
            return np.stack(rows)
        out = np.empty(len(rows), object)
        out[:] = rows
        return out

    def consumers(self) -> list[Any]:
        """An empty list: there are no graphs."""
        return []

    @property
    def _type_spec(self) -> Any:
        from tapejax.ragged.spec import RaggedTensorSpec

        return RaggedTensorSpec.from_value(self)

    def _components(self) -> tuple[Any, ...]:
        return (self.flat_values, *self.nested_row_splits)

    def _with_components(self, components: Any) -> "RaggedTensor":
        out, *splits = components
        for level, own in zip(self._levels()[::-1], splits[::-1], strict=True):
            out = ragged(out, own, level._uniform)
        return out

    def _matches(self, other: Any) -> bool:
        return isinstance(other, RaggedTensor) and (self.dtype, self.ragged_rank, self.shape.rank) == (
            other.dtype, other.ragged_rank, other.shape.rank)

    def __bool__(self) -> bool:
        raise TypeError("RaggedTensor may not be used as a boolean.")

    def __repr__(self) -> str:
        return f"<tf.RaggedTensor {_text(self.numpy())}>"


register_conversion(RaggedTensor, refuse_conversion)


def ragged(values: Any, splits: Any, uniform: int | None = None) -> RaggedTensor:
    """A ragged tensor of these parts, unchecked."""
    out = RaggedTensor.__new__(RaggedTensor)
    out._values = values
    out._row_splits = from_value(splits) if isinstance(splits, np.ndarray) else splits
    out._uniform = uniform
    return out


def _values(value: Any) -> Any:
    return value if isinstance(value, RaggedTensor) else to_tensor(value)


def _count(values: Any) -> int:
    """How many rows there are."""
    if isinstance(values, RaggedTensor):
        return values._row_splits.aval.shape[0] - 1
    if not values.aval.shape:
        raise ValueError("Shape () must have rank at least 1")
    return values.aval.shape[0]


def _as(t: Tensor, out_type: Any) -> Tensor:
    return t if out_type is None else from_value(np.asarray(t).astype(dtypes.to_numpy(out_type)))


def _nested(make: Any, flat_values: Any, partitions: Iterable[Any], what: str, validate: bool) -> Any:
    if isinstance(partitions, Tensor):
        raise TypeError(f"Argument `{what}` must be a list of Tensors. Received {partitions}.")
    out = flat_values
    for one in list(partitions)[::-1]:
        out = make(out, one, validate=validate)
    return out


def _text(array: np.ndarray) -> str:
    def element(x: Any) -> str:
        return _text(x) if isinstance(x, np.ndarray) else repr(x) if isinstance(x, (bytes, str)) else str(x)

    return np.array2string(array, separator=", ", formatter={"all": element})
