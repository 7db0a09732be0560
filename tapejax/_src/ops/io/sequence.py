"""`tf.io.parse_sequence_example`, and the ragged tensors that `RaggedFeature` describes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tapejax._src.core import dtypes, errors
from tapejax._src.core.checks import invalid_value
from tapejax._src.core.public import public
from tapejax._src.core.tensor import from_value
from tapejax._src.ops.io import parse as io_parse
from tapejax._src.ops.io.files import strings
from tapejax._src.ops.io.parse import FixedLenSequenceFeature, RaggedFeature, VarLenFeature, check, dtype_of, scalar
from tapejax._src.ops.io.wire import fields

__all__ = ["parse_sequence_example", "parse_single_sequence_example", "ragged_feature"]

_I64 = np.dtype(np.int64)


def ragged(values: np.ndarray, splits: list[np.ndarray], dtype: Any) -> Any:
    """A `tf.RaggedTensor` made of values and row splits, the outermost first. Without splits it is a dense tensor."""
    if not splits:
        return from_value(values)
    from tapejax._src.composite.ragged import RaggedTensor

    kind = dtypes.to_numpy(dtype)
    return RaggedTensor.from_nested_row_splits(from_value(values), [from_value(s.astype(kind)) for s in splits])


def _splits(lengths: Any) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))]).astype(np.int64)


def _uniform(key: str, part: Any, total: int) -> int:
    """How many rows of one length `total` values make."""
    if part.length <= 0 or total % part.length:
        raise invalid_value(f"RaggedFeature {key}: {total} values cannot make rows of {part.length}")
    return total // part.length


def _row_lengths(key: str, part: Any, example: dict[str, Any], total: int) -> np.ndarray:
    """The lengths of the rows into which a partition divides `total` values."""
    kind = type(part).__name__
    if kind == "UniformRowLength":
        return np.full(_uniform(key, part, total), part.length)
    found = check(part.key, example.get(part.key), _I64)
    found = np.empty(0, np.int64) if found is None else found
    lengths = {
        "RowSplits": lambda: np.diff(found),
        "RowLengths": lambda: found,
        "RowStarts": lambda: np.diff(found, append=total),
        "RowLimits": lambda: np.diff(found, prepend=0),
        "ValueRowIds": lambda: np.bincount(found) if found.size else found,
    }[kind]()
    if (lengths < 0).any() or lengths.sum() != total:
        raise invalid_value(f"RaggedFeature {key}: partition {part!r} does not fit {total} values")
    return lengths


def ragged_feature(key: str, feature: RaggedFeature, found: list[dict[str, Any]], batched: bool) -> Any:
    """The tensor that a `RaggedFeature` describes, for Examples that were read."""
    dtype, name = dtype_of(feature), feature.value_key or key
    values, levels = [], []
    for example in found:
        row = check(name, example.get(name), dtype)
        row = np.empty(0, dtype) if row is None else row
        lengths: list[np.ndarray] = []
        total = len(row)
        for part in reversed(feature.partitions):
            if hasattr(part, "length") and not lengths:  # innermost rows of one length become an axis of the values
                total = _uniform(key, part, total)
                row = row.reshape(total, part.length, *row.shape[1:])
            else:
                lengths.append(_row_lengths(key, part, example, total))
                total = lengths[-1].size
        values.append(row)
        levels.append(([np.array([total])] if batched else []) + lengths[::-1])
    splits = [_splits(np.concatenate(level)) for level in zip(*levels, strict=True)]
    flat = np.concatenate(values) if values else np.empty(0, dtype)
    return ragged(flat, splits if found else [np.zeros(1, np.int64)], feature.row_splits_dtype)


def _read(data: bytes, context: set[str], lists: set[str]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    try:
        own, sequences = {}, {}
        for number, _, part in fields(data):
            if number == 1:
                own |= {k: io_parse.read_feature(v) for k, v in io_parse.read_map(part).items() if k in context}
            elif number == 2:
                sequences |= {
                    k: [io_parse.read_feature(v) for n, _, v in fields(listed) if n == 1]
                    for k, listed in io_parse.read_map(part).items()
                    if k in lists
                }
        return {k: v for k, v in own.items() if v is not None}, sequences
    except (ValueError, TypeError) as e:
        raise invalid_value(f"Could not parse example input: {e}") from None


def _steps(key: str, items: list[Any], dtype: np.dtype) -> list[np.ndarray]:
    rows = [check(key, v, dtype) for v in items]
    return [np.empty(0, dtype) if r is None else r for r in rows]


def _fixed(key: str, feature: FixedLenSequenceFeature, columns: list[Any], batched: bool) -> tuple[Any, np.ndarray]:
    dtype, shape = dtype_of(feature), io_parse.dims(feature.shape)
    size = int(np.prod(shape, dtype=np.int64))
    rows = []
    for items in columns:
        if items is None and not feature.allow_missing:
            raise invalid_value(
                f"Feature list '{key}' is required but could not be found. Pass allow_missing=True if "
                "it may be missing."
            )
        steps = _steps(key, items or [], dtype)
        if any(s.size != size for s in steps):
            raise invalid_value(f"Key: {key}: number of values != expected; expected shape {list(shape)} at each step")
        rows.append(np.concatenate(steps) if steps else np.empty(0, dtype))
    lengths = np.array([r.size // size if size else 0 for r in rows], np.int64)
    if not batched:
        return from_value(rows[0].reshape(-1, *shape)), lengths
    out = np.full((len(rows), int(lengths.max(initial=0)) * size), b"" if dtype.kind == "O" else 0, dtype)
    for i, row in enumerate(rows):
        out[i, : row.size] = row
    return from_value(out.reshape(len(rows), -1, *shape)), lengths


def _var_len(key: str, feature: VarLenFeature, columns: list[Any], batched: bool) -> tuple[Any, np.ndarray]:
    dtype = dtype_of(feature)
    rows = [_steps(key, items or [], dtype) for items in columns]
    place = [(i, t, j) for i, steps in enumerate(rows) for t, s in enumerate(steps) for j in range(s.size)]
    index = np.array(place, np.int64).reshape(-1, 3)
    lengths = np.array([len(steps) for steps in rows], np.int64)
    widest = max((s.size for steps in rows for s in steps), default=0)
    flat = [s for steps in rows for s in steps]
    values = np.concatenate(flat) if flat else np.empty(0, dtype)
    shape = (len(rows), int(lengths.max(initial=0)), widest)
    return io_parse.sparse(index if batched else index[:, 1:], values, shape if batched else shape[1:]), lengths


def _ragged(key: str, feature: RaggedFeature, columns: list[Any], batched: bool) -> tuple[Any, np.ndarray]:
    if feature.partitions:
        raise errors.UnsupportedError(
            f"RaggedFeature(partitions=...) {key} of a sequence",
            "only the values of each step are read",
            "Leave out the partitions.",
        )
    rows = [_steps(key, items or [], dtype_of(feature)) for items in columns]
    lengths = np.array([len(steps) for steps in rows], np.int64)
    flat = [s for steps in rows for s in steps]
    splits = ([_splits(lengths)] if batched else []) + [_splits([s.size for s in flat])]
    values = np.concatenate(flat) if flat else np.empty(0, dtype_of(feature))
    return ragged(values, splits, feature.row_splits_dtype), lengths


_LISTS: dict[type, Any] = {FixedLenSequenceFeature: _fixed, VarLenFeature: _var_len, RaggedFeature: _ragged}


def _parse(
    data: list[bytes], context: Mapping[str, Any], sequences: Mapping[str, Any], batched: bool
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    if not (context or sequences):
        raise ValueError("Missing: features")
    for key, feature in sequences.items():
        if type(feature) not in _LISTS:
            raise ValueError(f"Unsupported: {type(feature).__name__} {key} as a sequence feature")
    wanted = set().union(*(io_parse.needed(k, f) for k, f in context.items()))
    read = [_read(d, wanted, {_key(k, f) for k, f in sequences.items()}) for d in data]
    lead = (len(data),) if batched else ()
    own = io_parse.build(context, [r[0] for r in read], lead)
    lists, lengths = {}, {}
    for key in io_parse.in_order(sequences):
        feature = sequences[key]
        lists[key], count = _LISTS[type(feature)](key, feature, [r[1].get(_key(key, feature)) for r in read], batched)
        if isinstance(feature, FixedLenSequenceFeature):
            lengths[key] = from_value(count if batched else count[0].reshape(()))
    return own, lists, lengths


def _key(key: str, feature: Any) -> str:
    return (feature.value_key if isinstance(feature, RaggedFeature) else None) or key


@public("io.parse_single_sequence_example")
def parse_single_sequence_example(
    serialized: Any,
    context_features: Mapping[str, Any] | None = None,
    sequence_features: Mapping[str, Any] | None = None,
    example_name: Any = None,
    name: Any = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads the features of one serialised `tf.train.SequenceExample`.

    Args:
      serialized: a scalar string tensor.
      context_features: descriptions of the features of the whole, as for `parse_single_example`.
      sequence_features: descriptions of the features of each step: `FixedLenSequenceFeature`, `VarLenFeature` or
        `RaggedFeature`.
      example_name: has no effect. In TensorFlow the name appears in errors.
      name: has no effect, as in eager TensorFlow.

    Returns:
      Two dictionaries of tensors: those of the whole, and those of the steps, whose first axis is time.

    Raises:
      InvalidArgumentError: `serialized` is not a SequenceExample, or a required feature is missing or has another dtype
        or size.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/parse_single_sequence_example

    >>> from tapejax._src.ops.io.example import SequenceExample
    >>> example = SequenceExample()
    >>> for number in (3, 4):
    ...     step = example.feature_lists.feature_list["x"].feature.add()
    ...     step.int64_list.value.append(number)
    >>> features = {"x": FixedLenSequenceFeature([], "int64")}
    >>> _, steps = parse_single_sequence_example(example.SerializeToString(), sequence_features=features)
    >>> steps["x"].numpy().tolist()
    [3, 4]
    """
    own, lists, _ = _parse([scalar(serialized)], context_features or {}, sequence_features or {}, False)
    return own, lists


@public("io.parse_sequence_example")
def parse_sequence_example(
    serialized: Any,
    context_features: Mapping[str, Any] | None = None,
    sequence_features: Mapping[str, Any] | None = None,
    example_names: Any = None,
    name: Any = None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Reads the features of a vector of serialised `tf.train.SequenceExample`.

    Takes the arguments of `parse_single_sequence_example`, with a string vector in place of a scalar.

    Returns:
      Three dictionaries of tensors: those of the whole; those of the steps, filled up to the longest sequence; and the
      lengths of the sequences of dense features.

    Raises:
      InvalidArgumentError: an element is not a SequenceExample, or a required feature is missing or has another dtype
        or size.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/parse_sequence_example

    >>> from tapejax._src.ops.io.example import SequenceExample
    >>> example = SequenceExample()
    >>> example.feature_lists.feature_list["x"].feature.add().int64_list.value.append(3)
    >>> features = {"x": FixedLenSequenceFeature([], "int64")}
    >>> _, steps, lengths = parse_sequence_example([example.SerializeToString()], sequence_features=features)
    >>> steps["x"].numpy().tolist(), lengths["x"].numpy().tolist()
    ([[3]], [1])
    """
    array = strings(serialized, "serialized")
    return _parse(array.reshape(-1).tolist(), context_features or {}, sequence_features or {}, array.ndim > 0)
