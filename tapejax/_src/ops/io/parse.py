"""`tf.io.parse_example`, and the classes that describe the features of an Example."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.shape import TensorShape
from tapejax._src.core.tensor import from_value
from tapejax._src.ops.io.files import string_array, strings
from tapejax._src.ops.io.message import read_floats, read_ints
from tapejax._src.ops.io.wire import fields

__all__ = ["FixedLenFeature", "FixedLenSequenceFeature", "RaggedFeature", "SparseFeature", "VarLenFeature",
           "parse_example", "parse_single_example"]  # fmt: skip

_KINDS = {1: np.dtype(object), 2: np.dtype(np.float32), 3: np.dtype(np.int64)}


class FixedLenFeature(NamedTuple("FixedLenFeature", [("shape", Any), ("dtype", Any), ("default_value", Any)])):
    """Describes a feature with the same number of values in every Example. It becomes a dense tensor.

    Args:
      shape: the shape of the values of one Example.
      dtype: float32, int64 or string.
      default_value: the value for Examples without this feature. If it is None, such an Example is an error.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/FixedLenFeature
    """

    def __new__(cls, shape: Any, dtype: Any, default_value: Any = None) -> "FixedLenFeature":
        return super().__new__(cls, shape, dtype, default_value)


class VarLenFeature(NamedTuple("VarLenFeature", [("dtype", Any)])):
    """Describes a feature with any number of values. It becomes a `tf.SparseTensor`.

    Args:
      dtype: float32, int64 or string.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/VarLenFeature
    """


class FixedLenSequenceFeature(NamedTuple("FixedLenSequenceFeature", [
        ("shape", Any), ("dtype", Any), ("allow_missing", bool), ("default_value", Any)])):  # fmt: skip
    """Describes a feature with any number of items of one shape. It becomes a dense tensor.

    Shorter ones are filled up to the longest of the batch.

    Args:
      shape: the shape of one item.
      dtype: float32, int64 or string.
      allow_missing: whether the feature may be missing. It must be True except in sequence features.
      default_value: the value with which shorter ones are filled up; 0 or "" by default.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/FixedLenSequenceFeature
    """

    def __new__(
        cls, shape: Any, dtype: Any, allow_missing: bool = False, default_value: Any = None
    ) -> "FixedLenSequenceFeature":
        return super().__new__(cls, shape, dtype, allow_missing, default_value)


class SparseFeature(NamedTuple("SparseFeature", [
        ("index_key", Any), ("value_key", str), ("dtype", Any), ("size", Any), ("already_sorted", bool)])):  # fmt: skip
    """Describes two or more features that hold the indices and the values of a `tf.SparseTensor`.

    Args:
      index_key: the name of the int64 feature with the indices, or a list with one name for each axis.
      value_key: the name of the feature with the values.
      dtype: the dtype of the values.
      size: the length of the axis, or a list of lengths.
      already_sorted: whether the indices are in ascending order.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/SparseFeature
    """

    def __new__(
        cls, index_key: Any, value_key: str, dtype: Any, size: Any, already_sorted: bool = False
    ) -> "SparseFeature":
        return super().__new__(cls, index_key, value_key, dtype, size, already_sorted)


class RaggedFeature(NamedTuple("RaggedFeature", [
        ("dtype", Any), ("value_key", Any), ("partitions", Any), ("row_splits_dtype", Any),
        ("validate", bool)])):  # fmt: skip
    """Describes a feature that becomes a `tf.RaggedTensor`. Other features say how its values are divided into rows.

    Args:
      dtype: the dtype of the values: float32, int64 or string.
      value_key: the name of the feature with the values. By default it is the name of this entry.
      partitions: how the values are divided into rows, the outermost division first: a list of `RowSplits(key)`,
        `RowLengths(key)`, `RowStarts(key)`, `RowLimits(key)`, `ValueRowIds(key)` (keys of int64 features) or
        `UniformRowLength(length)`.
      row_splits_dtype: int32 or int64.
      validate: whether the partitions are checked. They always are.

    Raises:
      ValueError: `value_key` is not a string, or `row_splits_dtype` is not allowed.
      TypeError: `partitions` is not a list.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/RaggedFeature
    """

    RowSplits = collections.namedtuple("RowSplits", ["key"])
    RowLengths = collections.namedtuple("RowLengths", ["key"])
    RowStarts = collections.namedtuple("RowStarts", ["key"])
    RowLimits = collections.namedtuple("RowLimits", ["key"])
    ValueRowIds = collections.namedtuple("ValueRowIds", ["key"])
    UniformRowLength = collections.namedtuple("UniformRowLength", ["length"])

    def __new__(
        cls,
        dtype: Any,
        value_key: Any = None,
        partitions: Any = (),
        row_splits_dtype: Any = dtypes.int32,
        validate: bool = False,
    ) -> "RaggedFeature":
        if value_key is not None and not isinstance(value_key, str):
            raise ValueError(f"Argument `value_key` must be a string; got {value_key!r}")
        if dtypes.as_dtype(row_splits_dtype) not in (dtypes.int32, dtypes.int64):
            raise ValueError(f"Argument `row_splits_dtype` must be int32 or int64; got {row_splits_dtype!r}")
        if not isinstance(partitions, (list, tuple)):
            raise TypeError(f"Argument `partitions` must be a list or tuple; got {partitions!r}")
        return super().__new__(cls, dtype, value_key, tuple(partitions), row_splits_dtype, validate)


for _kind in (FixedLenFeature, FixedLenSequenceFeature, RaggedFeature, SparseFeature, VarLenFeature):
    public(f"io.{_kind.__name__}")(_kind)


def read_feature(data: Any) -> np.ndarray | None:
    """The values of a serialised Feature: int64, float32, or an object array of bytes. None if it has no values."""
    found = None
    for kind, _, inner in fields(data):
        if kind == 2:
            found = _joined([read_floats(w, v) for n, w, v in fields(inner) if n == 1], _KINDS[2])
        elif kind == 3:
            found = _joined([read_ints(w, v) for n, w, v in fields(inner) if n == 1], _KINDS[3])
        elif kind == 1:
            found = string_array([bytes(v) for n, _, v in fields(inner) if n == 1])
    return found


def _joined(parts: list[np.ndarray], dtype: np.dtype) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty(0, dtype)


def read_map(data: Any) -> dict[str, Any]:
    """Reads a message whose field 1 is a map from names to messages. Returns the bytes of these messages by name."""
    out = {}
    for number, _, entry in fields(data):
        if number == 1:
            pair = {n: v for n, _, v in fields(entry)}
            out[str(pair.get(1, b""), "utf-8")] = pair.get(2, b"")
    return out


def read_example(data: bytes, wanted: set[str]) -> dict[str, np.ndarray]:
    """Reads the features in `wanted` from a serialised Example.

    Raises:
      InvalidArgumentError: `data` is not an Example.
    """
    try:
        found = {}
        for number, _, features in fields(data):
            if number == 1:
                found |= {k: v for k, v in read_map(features).items() if k in wanted}
        return {k: v for k, v in ((k, read_feature(v)) for k, v in found.items()) if v is not None}
    except (ValueError, TypeError) as e:
        raise invalid_value(f"Could not parse example input: {e}") from None


def check(key: str, values: np.ndarray | None, dtype: np.dtype) -> np.ndarray | None:
    """Checks that the values of a feature have the dtype that its description demands, and returns them.

    Raises:
      InvalidArgumentError: they have another dtype.
    """
    if values is not None and values.dtype != dtype:
        raise invalid_value(
            f"Key: {key}.  Data types don't match. Data type: {dtypes.from_numpy(values.dtype).name} "
            f"but expected type: {dtypes.from_numpy(dtype).name}"
        )
    return values


def dims(shape: Any) -> tuple[int, ...]:
    """The shape of a feature as a tuple of ints.

    Raises:
      ValueError: a size is unknown.
    """
    known = TensorShape(shape)
    found = tuple(n for n in known.as_list() if n is not None)
    if len(found) != known.rank:
        raise ValueError(f"the shape {known} of a feature must be fully known")
    return found


def dtype_of(feature: Any) -> np.dtype:
    """The dtype of a feature.

    Raises:
      TypeError: an Example cannot hold this dtype.
    """
    dtype = dtypes.to_numpy(feature.dtype)
    if dtype not in _KINDS.values():
        raise TypeError(f"an Example holds float32, int64 or string values, not {dtypes.from_numpy(dtype).name}")
    return dtype


def _filler(feature: Any, dtype: np.dtype) -> Any:
    if feature.default_value is None:
        return b"" if dtype.kind == "O" else 0
    return np.asarray(to_tensor(feature.default_value, dtype)).reshape(-1)[0]


def stack(rows: list[np.ndarray], shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Rows of equal length as one array of the given shape."""
    return np.concatenate(rows).reshape(shape) if rows else np.empty(shape, dtype)


def _dense(key: str, feature: FixedLenFeature, column: list[Any], lead: tuple[int, ...]) -> Any:
    dtype, shape = dtype_of(feature), dims(feature.shape)
    size = int(np.prod(shape, dtype=np.int64))
    default = None
    if feature.default_value is not None:
        default = np.asarray(to_tensor(feature.default_value, dtype)).reshape(-1)
        default = np.resize(default, size) if default.size == 1 else default
        if default.size != size:
            raise invalid_value(
                f"default_value of feature {key} has {default.size} values, shape {list(shape)} needs {size}"
            )
    rows = []
    for values in column:
        row = check(key, values, dtype)
        if row is None:
            row = default
        if row is None:
            raise invalid_value(
                f"Feature: {key} (data type: {dtypes.from_numpy(dtype).name}) is required but could not be found."
            )
        if row.size != size:
            raise invalid_value(
                f"Key: {key}.  Can't parse serialized Example: {row.size} values, expected shape {list(shape)}"
            )
        rows.append(row)
    return from_value(stack(rows, lead + shape, dtype))


def _sequence(key: str, feature: FixedLenSequenceFeature, column: list[Any], lead: tuple[int, ...]) -> Any:
    if not feature.allow_missing:
        raise ValueError(f"Unsupported: FixedLenSequenceFeature requires allow_missing to be True: {key}")
    dtype, shape = dtype_of(feature), dims(feature.shape)
    size = int(np.prod(shape, dtype=np.int64))
    rows = [np.empty(0, dtype) if v is None else v for v in (check(key, v, dtype) for v in column)]
    for row in rows:
        if row.size % size:
            raise invalid_value(f"Key: {key}. Number of values {row.size} is not a multiple of stride length {size}")
    longest = max((r.size for r in rows), default=0)
    out = np.full((len(rows), longest), _filler(feature, dtype), dtype)
    for i, row in enumerate(rows):
        out[i, : row.size] = row
    return from_value(out.reshape(*lead, longest // size, *shape))


def sparse(indices: np.ndarray, values: np.ndarray, shape: Sequence[int]) -> Any:
    """A `tf.SparseTensor` made of NumPy arrays."""
    from tapejax._src.composite.sparse import SparseTensor

    return SparseTensor(from_value(indices.astype(np.int64)), from_value(values), from_value(np.array(shape, np.int64)))


def _var_len(key: str, feature: VarLenFeature, column: list[Any], lead: tuple[int, ...]) -> Any:
    dtype = dtype_of(feature)
    rows = [np.empty(0, dtype) if v is None else v for v in (check(key, v, dtype) for v in column)]
    counts = [r.size for r in rows]
    place = np.concatenate([np.arange(c) for c in counts] or [np.empty(0)])[:, None]
    if lead:
        place = np.concatenate([np.repeat(np.arange(len(rows)), counts)[:, None], place], axis=1)
    return sparse(place, _joined(rows, dtype), (*lead, max(counts, default=0)))


def _sparse(key: str, feature: SparseFeature, found: list[dict[str, Any]], lead: tuple[int, ...]) -> Any:
    dtype = dtype_of(feature)
    keys = [feature.index_key] if isinstance(feature.index_key, str) else list(feature.index_key)
    sizes = [int(s) for s in (feature.size if isinstance(feature.size, (list, tuple)) else [feature.size])]
    if len(keys) != len(sizes):
        raise ValueError(f"SparseFeature {key} has {len(keys)} index keys and {len(sizes)} sizes")
    places, values = [], []
    for i, example in enumerate(found):
        row = check(feature.value_key, example.get(feature.value_key), dtype)
        row = np.empty(0, dtype) if row is None else row
        axes = [check(k, example.get(k), _KINDS[3]) for k in keys]
        index = np.stack([np.empty(0, np.int64) if a is None else a for a in axes], axis=1)
        if len(index) != row.size:
            raise invalid_value(f"SparseFeature {key}: {len(index)} indices and {row.size} values")
        if ((index < 0) | (index >= sizes)).any():
            raise invalid_value(f"SparseFeature {key}: an index is out of bounds for size {sizes}")
        if not feature.already_sorted:
            order = np.lexsort(index.T[::-1])
            index, row = index[order], row[order]
        places.append(np.concatenate([np.full((row.size, len(lead)), i), index], axis=1))
        values.append(row)
    return sparse(
        np.concatenate(places) if places else np.empty((0, len(lead) + len(keys))),
        _joined(values, dtype),
        (*lead, *sizes),
    )


def needed(name: str, feature: Any) -> set[str]:
    """The names of the features in an Example that are read for one described feature."""
    if isinstance(feature, SparseFeature):
        return {feature.value_key, *([feature.index_key] if isinstance(feature.index_key, str) else feature.index_key)}
    if isinstance(feature, RaggedFeature):
        return {feature.value_key or name, *(p.key for p in feature.partitions if hasattr(p, "key"))}
    return {name}


def in_order(features: Mapping[str, Any]) -> list[str]:
    """The names in the order in which TensorFlow returns them: first sparse, then dense, then ragged features.

    The features of one kind are sorted by name.
    """
    return sorted(
        features,
        key=lambda k: (
            2 if isinstance(features[k], RaggedFeature) else 0 if isinstance(features[k], VarLenFeature) else 1,
            k,
        ),
    )


def build(features: Mapping[str, Any], found: list[dict[str, Any]], lead: tuple[int, ...]) -> dict[str, Any]:
    """Makes the tensors that `features` describe.

    Args:
      features: descriptions by name.
      found: for each Example the features that were read.
      lead: (batch,), or () for a single Example.
    """
    out = {}
    for key in in_order(features):
        feature = features[key]
        column = [example.get(key) for example in found]
        if isinstance(feature, FixedLenFeature):
            out[key] = _dense(key, feature, column, lead)
        elif isinstance(feature, VarLenFeature):
            out[key] = _var_len(key, feature, column, lead)
        elif isinstance(feature, FixedLenSequenceFeature):
            out[key] = _sequence(key, feature, column, lead)
        elif isinstance(feature, SparseFeature):
            out[key] = _sparse(key, feature, found, lead)
        elif isinstance(feature, RaggedFeature):
            from tapejax._src.ops.io.sequence import ragged_feature

            out[key] = ragged_feature(key, feature, found, bool(lead))
        else:
            raise ValueError(f"Invalid feature {key}:{feature!r}.")
    return out


def _parse(data: list[bytes], features: Mapping[str, Any], lead: tuple[int, ...]) -> dict[str, Any]:
    if not features:
        raise ValueError("Argument `features` cannot be None or falsy. Got None")
    wanted = set().union(*(needed(k, f) for k, f in features.items()))
    return build(features, [read_example(d, wanted) for d in data], lead)


def scalar(serialized: Any) -> bytes:
    """The bytes of one serialised message.

    Raises:
      ValueError: `serialized` is not a scalar.
    """
    array = strings(serialized, "serialized")
    if array.ndim:
        raise ValueError("Input serialized must be a scalar")
    return array.item()


@public("io.parse_single_example")
def parse_single_example(
    serialized: Any, features: Mapping[str, Any], example_names: Any = None, name: Any = None
) -> dict[str, Any]:
    """Reads the features of one serialised `tf.train.Example`.

    Args:
      serialized: a scalar string tensor.
      features: a dictionary from names to `FixedLenFeature`, `VarLenFeature`, `FixedLenSequenceFeature`,
        `SparseFeature` or `RaggedFeature`.
      example_names: has no effect. In TensorFlow the names appear in errors.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A dictionary from names to tensors.

    Raises:
      InvalidArgumentError: `serialized` is not an Example, or a required feature is missing or has another dtype or
        size.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/parse_single_example

    >>> from tapejax._src.ops.io.example import Example
    >>> example = Example()
    >>> example.features.feature["x"].float_list.value.extend([1.0, 2.0])
    >>> parse_single_example(example.SerializeToString(), {"x": FixedLenFeature([2], "float32")})["x"].numpy().tolist()
    [1.0, 2.0]
    """
    return _parse([scalar(serialized)], features, ())


@public("io.parse_example")
def parse_example(
    serialized: Any, features: Mapping[str, Any], example_names: Any = None, name: Any = None
) -> dict[str, Any]:
    """Reads the features of a vector of serialised `tf.train.Example`.

    Args:
      serialized: a string vector. A scalar is read as by `parse_single_example`.
      features: a dictionary of descriptions, as for `parse_single_example`.
      example_names: has no effect. In TensorFlow the names appear in errors.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A dictionary from names to tensors. Their first axis is that of the Examples.

    Raises:
      InvalidArgumentError: an element is not an Example, or a required feature is missing or has another dtype or size.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/parse_example

    >>> from tapejax._src.ops.io.example import Example
    >>> example = Example()
    >>> example.features.feature["x"].int64_list.value.append(3)
    >>> parse_example([example.SerializeToString()], {"x": FixedLenFeature([], "int64")})["x"].numpy().tolist()
    [3]
    """
    array = strings(serialized, "serialized")
    if array.ndim > 1:
        raise invalid_value(f"serialized must be a scalar or a vector, got shape {list(array.shape)}")
    return _parse(array.reshape(-1).tolist(), features, array.shape)
