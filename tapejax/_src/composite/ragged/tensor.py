"""`RaggedTensor`: flat values, and row splits that say where the rows begin and end.

Row splits are small vectors of integers on the host. Ops compute on the host which value belongs where. The values are
ordinary tensors; gathering or adding them is recorded and differentiated as usual.
"""

from typing import Any

import numpy as np

from tapejax._src.composite.ragged.making import Rows, count_of, row_ids, values_of
from tapejax._src.core import dtypes
from tapejax._src.core.convert import refuse_conversion, register_conversion
from tapejax._src.core.shape import TensorShape
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream

__all__ = ["RaggedTensor", "ragged"]


class RaggedTensor(Rows):
    """A tensor with one or more ragged axes, along which rows have different lengths.

    Ragged tensors are made by the class methods ``from_row_splits``, ``from_row_lengths`` and so on, and by
    `tf.ragged.constant`.

    Source: https://www.tensorflow.org/api_docs/python/tf/RaggedTensor

    >>> x = RaggedTensor.from_row_splits([1, 2, 3], [0, 2, 2, 3])
    >>> x
    <tf.RaggedTensor [[1, 2], [], [3]]>
    >>> (x + 1)[0].numpy().tolist()
    [2, 3]
    """

    __slots__ = ()
    __array_priority__ = 100

    def __init__(self, *args: Any, **kwargs: Any):
        raise ValueError(
            "RaggedTensor constructor is private; please use one of the factory methods instead "
            "(e.g., RaggedTensor.from_row_lengths())"
        )

    # Parts

    values = property(lambda self: self._values, doc="All rows concatenated: a tensor or ragged tensor.")
    row_splits = property(lambda self: self._row_splits, doc="The positions in `values` where rows begin and end.")
    dtype = property(lambda self: self.flat_values.dtype, doc="The `DType` of the values.")
    nested_row_splits = property(
        lambda self: tuple(p._row_splits for p in self._levels()),
        doc="The `row_splits` of all ragged axes, the outermost first.",
    )
    ragged_rank = property(lambda self: len(self._levels()), doc="The number of ragged axes.")

    @property
    def flat_values(self) -> Tensor:
        """The innermost values, as a dense tensor."""
        return self._levels()[-1]._values

    @property
    def uniform_row_length(self) -> Tensor | None:
        """The length of the rows if they are known to have the same length, otherwise None."""
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
        """The row splits as a NumPy array."""
        return stream.host(self._row_splits)

    def _number(self, value: Any) -> Tensor:
        return from_value(np.asarray(value, self._row_splits.aval.dtype))

    def nrows(self, out_type: Any = None, name: str | None = None) -> Tensor:
        """The number of rows, as a scalar tensor of dtype `out_type`, which by default is that of the row splits."""
        return _as(self._number(self._row_splits.aval.shape[0] - 1), out_type)

    def row_lengths(self, axis: int = 1, name: str | None = None) -> Any:
        """The lengths of the rows along an axis.

        Args:
          axis: the axis. 1, the default, gives a vector with the lengths of the rows. A greater number gives a ragged
            tensor with the lengths of inner rows, and 0 gives the number of rows.
          name: of no effect.

        Raises:
          ValueError: `axis` is out of range.
        """
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
        return self.with_values(self._number(np.full(shape[: axis - 1], shape[axis - 1])))

    def row_starts(self, name: str | None = None) -> Tensor:
        """The positions in `values` where the rows begin."""
        return self._number(self._splits()[:-1])

    def row_limits(self, name: str | None = None) -> Tensor:
        """The positions in `values` before which the rows end."""
        return self._number(self._splits()[1:])

    def value_rowids(self, name: str | None = None) -> Tensor:
        """The number of its row, for each value."""
        return self._number(row_ids(self._splits()))

    def nested_row_lengths(self, name: str | None = None) -> tuple[Tensor, ...]:
        """The `row_lengths` of all ragged axes, the outermost first."""
        return tuple(p.row_lengths() for p in self._levels())

    def nested_value_rowids(self, name: str | None = None) -> tuple[Tensor, ...]:
        """The `value_rowids` of all ragged axes, the outermost first."""
        return tuple(p.value_rowids() for p in self._levels())

    def bounding_shape(self, axis: Any = None, name: str | None = None, out_type: Any = None) -> Tensor:
        """The shape of the smallest dense tensor that holds this tensor.

        Args:
          axis: an int or a list of ints. Then only the sizes along these axes are returned.
          name: of no effect.
          out_type: the `DType` of the result, by default that of the row splits.
        """
        whole = self._number(
            [
                self._row_splits.aval.shape[0] - 1,
                *(np.diff(p._splits()).max(initial=0) for p in self._levels()),
                *self.flat_values.aval.shape[1:],
            ]
        )
        if axis is None:
            return _as(whole, out_type)
        return _as(self._number(np.asarray(whole)[np.asarray(axis)]), out_type)

    # Conversions

    def with_values(self, new_values: Any) -> "RaggedTensor":
        """A ragged tensor with the same row splits and other values.

        Raises:
          ValueError: `new_values` has another number of values.
        """
        values = values_of(new_values)
        if count_of(values) != count_of(self._values):
            raise ValueError(f"Shapes ({count_of(self._values)},) and ({count_of(values)},) are incompatible")
        return ragged(values, self._row_splits, self._uniform)

    def with_flat_values(self, new_values: Any) -> "RaggedTensor":
        """A ragged tensor with the same row splits on all axes, and other innermost values."""
        if isinstance(self._values, RaggedTensor):
            return self.with_values(self._values.with_flat_values(new_values))
        return self.with_values(new_values)

    def with_row_splits_dtype(self, dtype: Any) -> "RaggedTensor":
        """The same ragged tensor with row splits of another dtype, int32 or int64."""
        kind = dtypes.to_numpy(dtype)
        if kind not in (np.int32, np.int64):
            raise ValueError(f"Argument `row_splits` dtype must be int32 or int64. Received {dtype}.")
        values = self._values.with_row_splits_dtype(dtype) if isinstance(self._values, RaggedTensor) else self._values
        return ragged(values, from_value(self._splits().astype(kind)), self._uniform)

    def merge_dims(self, outer_axis: int, inner_axis: int) -> Any:
        """Merges the axes from `outer_axis` to `inner_axis` into one.

        Raises:
          ValueError: the axes are out of range or in the wrong order.
        """
        from tapejax._src.composite.ragged import building

        return building.merge_dims(self, int(outer_axis), int(inner_axis))

    def to_tensor(self, default_value: Any = None, name: str | None = None, shape: Any = None) -> Tensor:
        """Converts the ragged tensor to a dense tensor.

        Args:
          default_value: the value that fills up short rows; by default 0, or an empty string.
          name: of no effect.
          shape: the shape of the result. Rows are cut or filled up to these sizes. For sizes of None, and by default,
            they are filled up to the longest row.

        Raises:
          ValueError: `shape` does not fit.

        >>> RaggedTensor.from_row_splits([1, 2, 3], [0, 1, 3]).to_tensor().numpy().tolist()
        [[1, 0], [2, 3]]
        """
        from tapejax._src.composite.ragged import building

        return building.to_dense(self, default_value, shape)

    def to_sparse(self, name: str | None = None) -> Any:
        """A `tf.SparseTensor` whose rows begin with the values of the rows of this tensor."""
        from tapejax._src.composite.ragged import building

        return building.to_sparse(self)

    def to_list(self) -> list[Any]:
        """The values as nested Python lists."""
        splits = self._splits().tolist()
        inner = self._values.to_list() if isinstance(self._values, RaggedTensor) else stream.host(self._values).tolist()
        return [inner[a:b] for a, b in zip(splits, splits[1:], strict=False)]

    def numpy(self) -> np.ndarray:
        """A NumPy array of the values. If the rows have different lengths, its elements are the rows, as objects."""
        splits = self._splits()
        inner = self._values.numpy() if isinstance(self._values, RaggedTensor) else stream.host(self._values)
        rows = [inner[a:b] for a, b in zip(splits, splits[1:], strict=False)]
        if not rows:
            return np.zeros((0, 0, *inner.shape[1:]), inner.dtype)
        if len({r.shape for r in rows}) == 1:
            return np.stack(rows)
        out = np.empty(len(rows), object)
        out[:] = rows
        return out

    def consumers(self) -> list[Any]:
        """Always an empty list, because tapejax has no TensorFlow graphs."""
        return []

    @property
    def _type_spec(self) -> Any:
        from tapejax._src.composite.ragged.spec import RaggedTensorSpec

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
            other.dtype,
            other.ragged_rank,
            other.shape.rank,
        )

    def __bool__(self) -> bool:
        raise TypeError("RaggedTensor may not be used as a boolean.")

    def __repr__(self) -> str:
        return f"<tf.RaggedTensor {_text(self.numpy())}>"


register_conversion(RaggedTensor, refuse_conversion)


def ragged(values: Any, splits: Any, uniform: int | None = None) -> RaggedTensor:
    """A ragged tensor of the given values and row splits, without checks.

    Args:
      values: a tensor or ragged tensor.
      splits: the row splits, a tensor or NumPy array.
      uniform: the length of the rows if they are known to have the same length.
    """
    return RaggedTensor._of(values, splits, uniform)


def _as(t: Tensor, out_type: Any) -> Tensor:
    return t if out_type is None else from_value(np.asarray(t).astype(dtypes.to_numpy(out_type)))


def _text(array: np.ndarray) -> str:
    def element(x: Any) -> str:
        return _text(x) if isinstance(x, np.ndarray) else repr(x) if isinstance(x, (bytes, str)) else str(x)

    return np.array2string(array, separator=", ", formatter={"all": element})
