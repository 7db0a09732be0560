"""Sparse tensors as strings: `serialize_sparse`, `serialize_many_sparse`, `deserialize_many_sparse`."""

from typing import Any

import numpy as np

from tapejax._src.core import dtypes, errors
from tapejax._src.core.checks import invalid_value
from tapejax._src.core.public import public
from tapejax._src.core.tensor import from_value
from tapejax._src.ops.io.files import strings
from tapejax._src.ops.io.parse import sparse
from tapejax._src.ops.io.tensor import pack, unpack

__all__ = ["deserialize_many_sparse", "serialize_many_sparse", "serialize_sparse"]


def _parts(sp: Any) -> list[np.ndarray]:
    return [np.asarray(sp.indices), np.asarray(sp.values), np.asarray(sp.dense_shape)]


def _strings(rows: list[list[np.ndarray]], shape: tuple[int, ...], out_type: Any) -> Any:
    if dtypes.as_dtype(out_type) is not dtypes.string:
        raise errors.UnsupportedError(f"out_type={out_type!r}", "tapejax has no variant tensors", "Use tf.string.")
    out = np.empty((len(rows), 3), object)
    for i, row in enumerate(rows):
        out[i] = [pack(part) for part in row]
    return from_value(out.reshape(shape))


@public("io.serialize_sparse")
def serialize_sparse(sp_input: Any, out_type: Any = dtypes.string, name: Any = None) -> Any:
    """Writes a `tf.SparseTensor` as three strings: its indices, values and shape.

    Args:
      sp_input: a `tf.SparseTensor`.
      out_type: must be `tf.string`.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A string vector of 3 elements.

    Raises:
      UnsupportedError: `out_type` is another one.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/serialize_sparse

    >>> import tapejax as tf
    >>> serialize_sparse(tf.sparse.from_dense([[0, 7]])).shape
    TensorShape([3])
    """
    return _strings([_parts(sp_input)], (3,), out_type)


@public("io.serialize_many_sparse")
def serialize_many_sparse(sp_input: Any, out_type: Any = dtypes.string, name: Any = None) -> Any:
    """Writes each row (along the first axis) of a `tf.SparseTensor` as three strings.

    Args:
      sp_input: a `tf.SparseTensor`.
      out_type: must be `tf.string`.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A string matrix of shape [rows, 3].

    Raises:
      UnsupportedError: `out_type` is another one.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/serialize_many_sparse

    >>> import tapejax as tf
    >>> serialize_many_sparse(tf.sparse.from_dense([[0, 7], [8, 0]])).shape
    TensorShape([2, 3])
    """
    indices, values, shape = _parts(sp_input)
    rows = [indices[:, 0] == i for i in range(int(shape[0]))]
    return _strings([[indices[r][:, 1:], values[r], shape[1:]] for r in rows], (len(rows), 3), out_type)


@public("io.deserialize_many_sparse")
def deserialize_many_sparse(serialized_sparse: Any, dtype: Any, rank: Any = None, name: Any = None) -> Any:
    """Reads the strings that `serialize_many_sparse` wrote, or a stack of those that `serialize_sparse` wrote.

    Args:
      serialized_sparse: a string matrix of shape [rows, 3].
      dtype: the dtype of the values.
      rank: the rank of each row, if it should be checked.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A `tf.SparseTensor` with one more axis in front, that of the rows.

    Raises:
      InvalidArgumentError: the strings are not serialised sparse tensors, or have another dtype or rank.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/deserialize_many_sparse

    >>> import tapejax as tf
    >>> rows = serialize_many_sparse(tf.sparse.from_dense([[0, 7], [8, 0]]))
    >>> tf.sparse.to_dense(deserialize_many_sparse(rows, "int32")).numpy().tolist()
    [[0, 7], [8, 0]]
    """
    array, wanted = strings(serialized_sparse), dtypes.to_numpy(dtype)
    if array.ndim != 2 or array.shape[1] != 3:
        raise invalid_value(f"serialized_sparse must be a matrix [rows, 3], got {array.shape}")
    try:
        rows = [[unpack(part) for part in row] for row in array]
    except (ValueError, TypeError) as e:
        raise invalid_value(f"Could not parse serialized_sparse: {e}") from None
    if any(v.dtype != wanted for _, v, _ in rows):
        raise invalid_value(f"the values are not all of dtype {dtypes.from_numpy(wanted).name}")
    ranks = {shape.size for _, _, shape in rows}
    if len(ranks) > 1 or (rank is not None and ranks - {rank}):
        raise invalid_value(f"sparse tensors of ranks {sorted(ranks)}, expected {rank}")
    index = [np.concatenate([np.full((len(at), 1), i), at], axis=1) for i, (at, _, _) in enumerate(rows)]
    shape = np.max([shape for _, _, shape in rows], axis=0)
    return sparse(np.concatenate(index), np.concatenate([v for _, v, _ in rows]), (len(rows), *shape))
