"""`SparseTensor`, its spec, and conversion from and to dense tensors.

The number of elements depends on the values of the indices. So ops that change the indices compute them on the host,
where they mostly are anyway. The values are ordinary tensors; ops on them are recorded and differentiated as usual.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import dtypes, nest
from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import refuse_conversion, register_conversion, to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.shape import TensorShape
from tapejax._src.core.specs import TypeSpec
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream
from tapejax._src.engine.program import is_concrete
from tapejax._src.ops.array.gathering import gather_nd
from tapejax._src.ops.array.joining import concat
from tapejax._src.ops.array.layout import reshape as reshape_dense
from tapejax._src.ops.registry import Array, Same, Shape, op

__all__ = [
    "SparseTensor",
    "SparseTensorSpec",
    "SparseTensorValue",
    "flat_indices",
    "from_dense",
    "host_indices",
    "join",
    "need_sparse",
    "reshape",
    "shape_of",
    "sparse",
    "take",
    "to_dense",
]


class SparseTensorValue(NamedTuple):
    """The parts of a sparse tensor as NumPy arrays.

    Source: https://www.tensorflow.org/api_docs/python/tf/compat/v1/SparseTensorValue

    >>> SparseTensor.from_value(SparseTensorValue([[0, 1]], [5], [1, 3])).values.numpy().tolist()
    [5]
    """

    indices: Any
    values: Any
    dense_shape: Any


class SparseTensor(nest.CompositeTensor):
    """A tensor of which only some elements are stored, together with their indices. All other elements are zero.

    Args:
      indices: the indices of the stored elements, int64 of shape (n, rank). Most ops expect them in row-major order
        (see `tf.sparse.reorder`) and without repetition.
      values: the stored elements, of shape (n,) and any dtype.
      dense_shape: the shape of the whole tensor, int64 of shape (rank,).

    Raises:
      ValueError: the shapes of the arguments do not fit each other, or indices or shape are not integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/SparseTensor

    >>> import tapejax as tf
    >>> tf.sparse.to_dense(tf.SparseTensor([[0, 1]], [5], [1, 3])).numpy().tolist()
    [[0, 5, 0]]
    """

    __slots__ = ("__weakref__", "_dense_shape", "_indices", "_values")
    __array_priority__ = 100

    def __init__(self, indices: Any, values: Any, dense_shape: Any):
        self._indices = _int64(indices)
        self._values = to_tensor(values)
        self._dense_shape = _int64(dense_shape)
        at, of, whole = self._indices.aval.shape, self._values.aval.shape, self._dense_shape.aval.shape
        for shape, rank in ((at, 2), (of, 1), (whole, 1)):
            if len(shape) != rank:
                raise ValueError(f"Shape {shape} must have rank {rank}")
        for a, b in ((at[0], of[0]), (at[1], whole[0])):
            if a != b:
                raise ValueError(f"Dimensions {a} and {b} are not compatible")

    @classmethod
    def from_value(cls, sparse_tensor_value: Any) -> "SparseTensor":
        """Makes a sparse tensor from a `tf.compat.v1.SparseTensorValue`. A sparse tensor is returned as it is.

        Raises:
          TypeError: the argument is something else.
        """
        if isinstance(sparse_tensor_value, SparseTensor):
            return sparse_tensor_value
        if not isinstance(sparse_tensor_value, SparseTensorValue):
            raise TypeError(f"Neither a SparseTensor nor SparseTensorValue: {sparse_tensor_value}.")
        return cls(*sparse_tensor_value)

    indices = property(lambda self: self._indices, doc="int64 of shape (n, rank).")
    values = property(lambda self: self._values, doc="Tensor of shape (n,).")
    dense_shape = property(lambda self: self._dense_shape, doc="int64 of shape (rank,).")
    dtype = property(lambda self: self._values.dtype, doc="`DType` of the values.")

    @property
    def shape(self) -> TensorShape:
        """The `TensorShape` of the whole tensor. Sizes that have not been computed yet are None."""
        if (value := _known(self._dense_shape)) is None:
            return TensorShape([None] * self._dense_shape.aval.shape[0])
        return TensorShape(value.tolist())

    def get_shape(self) -> TensorShape:
        """The same as `shape`."""
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """Checks that the tensor's shape is compatible with `shape`.

        Raises:
          ValueError: the two are not compatible.
        """
        if not self.shape.is_compatible_with(shape):
            raise ValueError(f"Shapes {self.shape} and {shape} are incompatible")

    def with_values(self, new_values: Any) -> "SparseTensor":
        """A sparse tensor with other values at the same indices."""
        return SparseTensor(self._indices, new_values, self._dense_shape)

    def consumers(self) -> list[Any]:
        """Always an empty list, because tapejax has no TensorFlow graphs."""
        return []

    @property
    def _type_spec(self) -> "SparseTensorSpec":
        return SparseTensorSpec(self.shape, self.dtype)

    def _components(self) -> tuple[Any, ...]:
        return (self._indices, self._values, self._dense_shape)

    def _with_components(self, components: Any) -> "SparseTensor":
        # Not the constructor, which would convert the components. `tf.nest.map_structure` may put specs or None there.
        out = SparseTensor.__new__(SparseTensor)
        out._indices, out._values, out._dense_shape = components
        return out

    def _matches(self, other: Any) -> bool:
        return isinstance(other, SparseTensor) and self.dtype == other.dtype and self.shape.rank == other.shape.rank

    def __repr__(self) -> str:
        return f"SparseTensor(indices={self._indices!s}, values={self._values!s}, dense_shape={self._dense_shape!s})"


register_conversion(SparseTensor, refuse_conversion)


class SparseTensorSpec(TypeSpec):
    """Describes a sparse tensor by shape and dtype.

    Args:
      shape: a `TensorShape`, or a value that converts to one. None means an unknown rank, and sizes of None are
        unknown.
      dtype: the `DType` of the values.

    Source: https://www.tensorflow.org/api_docs/python/tf/SparseTensorSpec

    >>> SparseTensorSpec([None, 3]).is_compatible_with(SparseTensor([[0, 1]], [5.0], [1, 3]))
    True
    """

    __slots__ = ("_dtype", "_shape")

    def __init__(self, shape: Any = None, dtype: Any = dtypes.float32):
        self._shape = TensorShape(shape)
        self._dtype = dtypes.as_dtype(dtype)

    @classmethod
    def from_value(cls, value: Any) -> "SparseTensorSpec":
        """The spec of a sparse tensor."""
        return cls(
            TensorShape(list(value.dense_shape)) if isinstance(value, SparseTensorValue) else value.shape,
            dtypes.as_dtype(value.values.dtype),
        )

    shape = property(lambda self: self._shape, doc="The `TensorShape`.")
    dtype = property(lambda self: self._dtype, doc="The `DType` of the values.")
    value_type = property(lambda self: SparseTensor, doc="`SparseTensor`.")

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        """Whether a sparse tensor, or a spec, has this dtype and a compatible shape."""
        return (
            isinstance(spec_or_value, (SparseTensor, SparseTensorSpec))
            and self._dtype == spec_or_value.dtype
            and self._shape.is_compatible_with(spec_or_value.shape)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SparseTensorSpec) and (repr(self._shape), self._dtype) == (
            repr(other._shape),
            other._dtype,
        )

    def __hash__(self) -> int:
        return hash((repr(self._shape), self._dtype))

    def __repr__(self) -> str:
        return f"SparseTensorSpec({self._shape!r}, {self._dtype!r})"


# Helpers for the other files of this package


def _int64(value: Any) -> Tensor:
    t = value if isinstance(value, Tensor) else to_tensor(value)
    if t.aval.dtype == np.int64:
        return t
    if t.aval.dtype.kind not in "iu" and t.aval.shape[:1] != (0,):
        raise ValueError(f"indices and dense_shape must be integers, got {t.dtype.name}")
    return from_value(np.asarray(t).astype(np.int64))


def _known(t: Tensor) -> np.ndarray | None:
    """The value of a tensor if it has been computed already, otherwise None. Nothing is run to compute it."""
    value = t._value
    return np.asarray(value) if value is not None and is_concrete(value) else None


def need_sparse(value: Any) -> SparseTensor:
    """Checks that an argument is a sparse tensor. A `SparseTensorValue` is converted.

    Raises:
      TypeError: it is something else.
    """
    if isinstance(value, SparseTensorValue):
        return SparseTensor.from_value(value)
    if not isinstance(value, SparseTensor):
        raise TypeError("Input must be a SparseTensor.")
    return value


def host_indices(sp: SparseTensor) -> np.ndarray:
    """The indices as a NumPy array. Reading them may run the pending program."""
    return stream.host(sp.indices)


def flat_indices(indices: np.ndarray, shape: Any) -> np.ndarray:
    """The positions of elements in the flattened tensor of the given shape."""
    if not len(shape):
        return np.zeros(len(indices), np.int64)
    return np.asarray(np.ravel_multi_index(tuple(indices.T), tuple(shape)))


def shape_of(sp: SparseTensor) -> tuple[int, ...]:
    """The dense shape as a tuple. Reading it may run the pending program."""
    return tuple(stream.host(sp.dense_shape).tolist())


@op()
def _take(values: Array, positions: Array):
    return values[positions]


def take(values: Tensor, positions: Any) -> Tensor:
    """The values at given positions, which are a NumPy array. The gradient is dense."""
    positions = np.asarray(positions)
    if values.aval.dtype == object:
        return from_value(np.asarray(values)[positions])
    return _take(values, from_value(positions.astype(np.int32)))


def reshape(values: Tensor, shape: Any) -> Tensor:
    """The values in another shape. String tensors are allowed too."""
    if values.aval.dtype == object:
        return from_value(np.asarray(values).reshape(shape))
    return reshape_dense(values, shape)


def join(values: list[Tensor]) -> Tensor:
    """Concatenates values along the first axis. String tensors are allowed too."""
    if any(v.aval.dtype == object for v in values):
        return from_value(np.concatenate([np.asarray(v) for v in values]))
    return concat(values, 0)


def sparse(indices: np.ndarray, values: Tensor, shape: Any) -> SparseTensor:
    """A sparse tensor whose indices are given as a NumPy array."""
    return SparseTensor(
        from_value(np.ascontiguousarray(indices, np.int64)), values, from_value(np.array(shape, np.int64))
    )


@public("sparse.from_dense")
def from_dense(tensor: Any, name: str | None = None) -> SparseTensor:
    """Makes a sparse tensor of the elements that are not zero, or of strings that are not empty.

    The elements are in row-major order. The tensor is read, which runs the pending program.

    Args:
      tensor: a dense tensor.
      name: of no effect.

    Returns:
      A sparse tensor.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/from_dense

    >>> from_dense([[0, 5]]).indices.numpy().tolist()
    [[0, 1]]
    """
    t = to_tensor(tensor)
    array = stream.host(t)
    found = np.argwhere(array != b"" if array.dtype == object else array)
    values = from_value(array[tuple(found.T)]) if array.dtype == object else gather_nd(t, from_value(found))
    return sparse(found, values, t.aval.shape)


@op()
def _fill(indices: Array, values: Same, default_value: Same, shape: Shape):
    if default_value.ndim:
        raise invalid(f"default_value should be a scalar, got shape {default_value.shape}")
    whole = jnp.broadcast_to(default_value, shape)
    return whole.at[tuple(indices.T)].set(values, mode="drop", wrap_negative_indices=False)


@public("sparse.to_dense")
def to_dense(
    sp_input: Any, default_value: Any = None, validate_indices: bool = True, name: str | None = None
) -> Tensor:
    """Converts a sparse tensor to a dense one.

    Args:
      sp_input: a sparse tensor.
      default_value: a scalar for the elements that are not stored; by default zero, or an empty string.
      validate_indices: whether indices that are out of order or repeated are an error. Indices are only checked if they
        have been computed already.
      name: of no effect.

    Returns:
      A tensor.

    Raises:
      InvalidArgumentError: indices are out of bounds, out of order or repeated; or `default_value` is not a scalar.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/to_dense

    >>> to_dense(SparseTensor([[0, 1]], [5], [1, 3]), default_value=7).numpy().tolist()
    [[7, 5, 7]]
    """
    sp = need_sparse(sp_input)
    shape = shape_of(sp)
    if (indices := _known(sp.indices)) is not None:
        _validate(indices, shape, validate_indices)
    if sp.values.aval.dtype == object:
        out = np.full(shape, b"" if default_value is None else to_tensor(default_value).numpy(), object)
        out[tuple(host_indices(sp).T)] = np.asarray(sp.values)
        return from_value(out)
    default = from_value(np.zeros((), sp.values.aval.dtype)) if default_value is None else default_value
    return _fill(sp.indices, sp.values, default, shape)


def _validate(indices: np.ndarray, shape: tuple[int, ...], order: bool) -> None:
    bad = (indices < 0) | (indices >= np.asarray(shape, np.int64))
    if bad.any():
        i = np.argwhere(bad.any(1))[0, 0]
        raise invalid(f"indices[{i}] = {indices[i].tolist()} is out of bounds: need 0 <= index < {list(shape)}")
    if order and len(indices) > 1:
        flat = flat_indices(indices, shape)
        late = np.flatnonzero(np.diff(flat) <= 0)
        if late.size:
            i = late[0] + 1
            how = "repeated" if flat[i] == flat[i - 1] else "out of order. Many sparse ops require sorted indices"
            raise invalid(f"indices[{i}] = {indices[i].tolist()} is {how}")
