"""Conversion of ragged tensors from and to Python lists, dense and sparse tensors; ranges and segment ids."""

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.composite.ragged.making import integers, row_ids, splits_from_lengths
from tapejax._src.composite.ragged.tensor import RaggedTensor, ragged
from tapejax._src.composite.sparse.tensor import SparseTensor, host_indices, reshape, shape_of, sparse, take
from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import constant as constant_dense
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream
from tapejax._src.ops.registry import Array, Same, Shape, op

__all__ = [
    "constant",
    "coordinates",
    "from_sparse",
    "from_tensor",
    "merge_dims",
    "range_",
    "row_splits_to_segment_ids",
    "segment_ids_to_row_splits",
    "stack_dynamic_partitions",
    "to_dense",
    "to_sparse",
]


# Dense and sparse tensors.


def from_tensor(tensor: Any, lengths: Any, padding: Any, ragged_rank: int, kind: np.dtype) -> RaggedTensor:
    """The implementation of `RaggedTensor.from_tensor`."""
    t = to_tensor(tensor)
    several = isinstance(lengths, (list, tuple)) and bool(lengths) and not isinstance(lengths[0], (int, np.integer))
    nested: list[Any] = list(lengths) if several else []
    if lengths is not None and padding is not None:
        raise ValueError("Specify argument `lengths` or `padding`, but not both.")
    if ragged_rank <= 0:
        raise ValueError(f"Argument `ragged_rank` must be greater than 0. Received {ragged_rank}.")
    shape = t.aval.shape
    if len(shape) <= (len(nested) or ragged_rank):
        raise ValueError(f"Shape {shape} must have rank at least {ragged_rank + 1}")
    if nested:
        out = from_tensor(t, nested[0], None, 1, kind)
        return out if len(nested) == 1 else out.with_values(from_tensor(out.values, nested[1:], None, 1, kind))
    if ragged_rank > 1 and (lengths is not None or padding is not None):
        flat = reshape(t, (int(np.prod(shape[:ragged_rank])), *shape[ragged_rank:]))
        out: Any = from_tensor(flat, lengths, padding, 1, kind)
        ranks = range(ragged_rank - 1, 0, -1)
    elif lengths is None and padding is None:
        out = reshape(t, (int(np.prod(shape[: ragged_rank + 1])), *shape[ragged_rank + 1 :]))
        ranks = range(ragged_rank, 0, -1)
    else:
        return _cut(t, _lengths(t, padding) if lengths is None else integers(lengths, "lengths").ravel(), kind)
    for axis in ranks:
        count = int(np.prod(shape[:axis]))
        out = ragged(out, np.arange(count + 1, dtype=kind) * shape[axis], shape[axis])
    return out


def _lengths(t: Tensor, padding: Any) -> np.ndarray:
    """The lengths of the rows without the padding at their ends."""
    pad = to_tensor(padding, t.aval.dtype)
    if pad.aval.shape != t.aval.shape[2:]:
        raise ValueError(f"Shapes {pad.aval.shape} and {t.aval.shape[2:]} are incompatible")
    other = stream.host(t) != stream.host(pad)
    other = other.reshape(*t.aval.shape[:2], -1).any(-1)
    return np.where(other, np.arange(1, other.shape[1] + 1), 0).max(1, initial=0)


def _cut(t: Tensor, lengths: np.ndarray, kind: np.dtype) -> RaggedTensor:
    rows, columns, *inner = t.aval.shape
    if lengths.shape != (rows,):
        raise ValueError(f"Shapes {lengths.shape} and {(rows,)} are incompatible")
    lengths = np.clip(lengths, 0, columns).astype(kind)
    keep = np.flatnonzero(np.arange(columns) < lengths[:, None])
    return ragged(take(reshape(t, (rows * columns, *inner)), keep), splits_from_lengths(lengths))


def from_sparse(st_input: Any, kind: np.dtype) -> RaggedTensor:
    """The implementation of `RaggedTensor.from_sparse`."""
    if not isinstance(st_input, SparseTensor):
        raise TypeError(f"Argument `st_input` must be of type SparseTensor, but is of type {type(st_input).__name__}.")
    shape, indices = shape_of(st_input), host_indices(st_input)
    if len(shape) != 2:
        raise ValueError("rank(st_input) must be 2.")
    lengths = np.bincount(indices[:, 0], minlength=shape[0]).astype(kind)
    splits = splits_from_lengths(lengths)
    if (np.diff(indices[:, 0]) < 0).any() or (indices[:, 1] != np.arange(len(indices)) - splits[indices[:, 0]]).any():
        raise invalid("SparseTensor is not right-ragged")
    return ragged(st_input.values, splits)


def coordinates(rt: RaggedTensor) -> np.ndarray:
    """The coordinates of each row of the flat values, along the first axis and all ragged axes."""
    found = np.arange(len(rt._splits()) - 1)[:, None]
    for level in rt._levels():
        splits = level._splits()
        ids = row_ids(splits)
        found = np.concatenate([found[ids], (np.arange(len(ids)) - splits[ids])[:, None]], 1)
    return found


@op()
def _place(values: Same, default_value: Same, at: Array, shape: Shape):
    whole = jnp.broadcast_to(default_value, (*shape, *values.shape[1:]))
    return whole.at[tuple(at.T)].set(values)


def to_dense(rt: RaggedTensor, default_value: Any, shape: Any) -> Tensor:
    """The implementation of `RaggedTensor.to_tensor`."""
    values = rt.flat_values
    at = coordinates(rt)
    outer = np.asarray(rt.bounding_shape())[: at.shape[1]].tolist()
    if shape is not None:
        wanted = list(shape.as_list() if hasattr(shape, "as_list") else shape)
        wanted = [None if n is None or int(n) < 0 else int(n) for n in wanted]
        inner = wanted[len(outer) :]
        if len(wanted) != len(outer) + len(values.aval.shape) - 1 or any(
            n not in (None, own) for n, own in zip(inner, values.aval.shape[1:], strict=True)
        ):
            raise ValueError(f"Shapes {shape} and {rt.shape} are incompatible")
        outer = [own if n is None else n for n, own in zip(wanted, outer, strict=False)]
        keep = np.flatnonzero((at < outer).all(1))
        if len(keep) < len(at):
            values, at = take(values, keep), at[keep]
    if values.aval.dtype == object:
        out = np.full(
            (*outer, *values.aval.shape[1:]), b"" if default_value is None else to_tensor(default_value).numpy(), object
        )
        out[tuple(at.T)] = np.asarray(values)
        return from_value(out)
    default = from_value(np.zeros((), values.aval.dtype)) if default_value is None else default_value
    return _place(values, default, from_value(at.astype(np.int32)), tuple(outer))


def to_sparse(rt: RaggedTensor) -> SparseTensor:
    """The implementation of `RaggedTensor.to_sparse`."""
    at, values = coordinates(rt), rt.flat_values
    inner = values.aval.shape[1:]
    if inner:
        size = int(np.prod(inner))
        cells = np.stack(np.unravel_index(np.arange(size), inner), -1)
        at = np.concatenate([np.repeat(at, size, 0), np.tile(cells, (len(at), 1))], 1)
        values = reshape(values, [-1])
    return sparse(at, values, np.asarray(rt.bounding_shape()))


def merge_dims(rt: Any, outer: int, inner: int) -> Any:
    """The implementation of `RaggedTensor.merge_dims`."""
    rank = rt.shape.rank
    outer, inner = (a + rank if a < 0 else a for a in (outer, inner))
    if not 0 <= outer <= inner < rank:
        raise ValueError(f"Expected 0 <= outer_axis ({outer}) <= inner_axis ({inner}) < {rank}")
    for _ in range(inner - outer):
        rt = _merged(rt, outer)
    return rt


def _merged(x: Any, axis: int) -> Any:
    """Merges `axis` and the next axis into one."""
    if isinstance(x, Tensor):
        shape = x.aval.shape
        return reshape(x, (*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :]))
    if axis == 0:
        return x._values
    if axis > 1:
        return ragged(_merged(x._values, axis - 1), x._row_splits, x._uniform)
    if isinstance(x._values, RaggedTensor):
        return ragged(x._values._values, x._values._splits()[x._splits()])
    return ragged(_merged(x._values, 0), x._splits() * x._values.aval.shape[1])


# Python lists.


@public("ragged.constant")
def constant(
    pylist: Any,
    dtype: Any = None,
    ragged_rank: int | None = None,
    inner_shape: Any = None,
    name: str | None = None,
    row_splits_dtype: Any = dtypes.int64,
) -> Any:
    """Makes a ragged tensor from nested lists.

    Args:
      pylist: nested lists, tuples or arrays. All numbers or strings in them must be nested equally deep.
      dtype: the `DType` of the values; by default the one that `tf.constant` chooses.
      ragged_rank: the number of ragged axes. By default all axes are ragged, except the first and those of
        `inner_shape`.
      inner_shape: the shape of the innermost values, which must be the same for all.
      name: of no effect.
      row_splits_dtype: the `DType` of the row splits, int64 or int32.

    Returns:
      A ragged tensor, or a dense tensor if the list is not nested.

    Raises:
      ValueError: the values are not nested equally deep, or do not fit `ragged_rank` or `inner_shape`.

    Source: https://www.tensorflow.org/api_docs/python/tf/ragged/constant

    >>> constant([[1, 2], [3]])
    <tf.RaggedTensor [[1, 2], [3]]>
    """
    kind = dtypes.to_numpy(row_splits_dtype)
    nested = _lists(pylist)
    depth = _depth(nested)
    if any(d != depth for d in _depths(nested)):
        raise ValueError("all scalar values must have the same nesting depth")
    if not isinstance(nested, list) and (ragged_rank or inner_shape):
        raise ValueError(f"Invalid pylist={pylist}: incompatible with ragged_rank={ragged_rank}")
    inner = None if inner_shape is None else tuple(int(n) for n in np.atleast_1d(np.asarray(inner_shape, np.int64)))
    if ragged_rank is None:
        if depth <= 1 and not inner:
            return constant_dense(nested, dtype)
        ragged_rank = max(1, depth - 1 - len(inner or ()))
    if ragged_rank == 0:
        return constant_dense(nested, dtype)
    if ragged_rank < 0 or ragged_rank >= depth:
        raise ValueError(f"Invalid pylist={pylist}: incompatible with ragged_rank={ragged_rank}")
    splits, rows = [], nested
    for _ in range(ragged_rank):
        splits.append(splits_from_lengths(np.array([len(r) for r in rows], kind)))
        rows = [v for r in rows for v in r]
    flat: Any = (
        constant_dense(rows, dtype)
        if rows or inner is None
        else constant_dense(np.zeros((0, *inner)), dtypes.float32 if dtype is None else dtype)
    )
    if inner is not None and flat.aval.shape[1:] != inner:
        raise ValueError(f"Invalid pylist={pylist}: incompatible with inner_shape={inner}")
    for own in splits[::-1]:
        flat = ragged(flat, own)
    return flat


def _lists(value: Any) -> Any:
    if isinstance(value, (np.ndarray, Tensor)):
        return np.asarray(value).tolist()
    if isinstance(value, RaggedTensor):
        return value.to_list()
    return [_lists(v) for v in value] if isinstance(value, (list, tuple)) else value


def _depth(value: Any) -> int:
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _depths(value: Any, depth: int = 0) -> Iterator[int]:
    """The nesting depth of each scalar in nested lists."""
    if isinstance(value, list):
        for v in value:
            yield from _depths(v, depth + 1)
    else:
        yield depth


# Ranges and segment ids.


@public("ragged.range")
def range_(
    starts: Any,
    limits: Any = None,
    deltas: Any = 1,
    dtype: Any = None,
    name: str | None = None,
    row_splits_dtype: Any = dtypes.int64,
) -> RaggedTensor:
    """A ragged tensor of ranges: row i is ``range(starts[i], limits[i], deltas[i])``.

    Args:
      starts: the first numbers, a scalar or vector. If `limits` is None, this argument gives the limits, and all rows
        start at 0.
      limits: the numbers before which the rows end, a scalar or vector.
      deltas: the differences between neighbouring numbers, a scalar or vector. They must not be 0.
      dtype: the `DType` of the values, by default that of the arguments.
      name: of no effect.
      row_splits_dtype: the `DType` of the row splits, int64 or int32.

    Raises:
      InvalidArgumentError: a delta is 0, or vectors have different sizes.

    Source: https://www.tensorflow.org/api_docs/python/tf/ragged/range

    >>> range_([2, 3])
    <tf.RaggedTensor [[0, 1], [0, 1, 2]]>
    """
    if limits is None:
        starts, limits = 0, starts
    given = [stream.host(to_tensor(v)) for v in (starts, limits, deltas)]
    kind = np.result_type(*given) if dtype is None else dtypes.to_numpy(dtype)
    if kind == np.float64 and not any(g.dtype == np.float64 for g in given):
        kind = np.dtype(np.float32)
    if any(g.ndim > 1 for g in given):
        raise invalid("starts, limits and deltas must be scalars or vectors")
    sizes = {g.size for g in given if g.ndim}
    if len(sizes) > 1:
        raise invalid("starts, limits, and deltas must have the same shape")
    first, last, step = (np.broadcast_to(g, next(iter(sizes), 1)).astype(kind) for g in given)
    if (step == 0).any():
        raise invalid("Requires delta != 0")
    wide = np.float64 if kind.kind == "f" else np.int64
    span = last.astype(wide) - first
    lengths = (np.ceil(span / step) if kind.kind == "f" else -(-span // step)).clip(0).astype(np.int64)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    along = np.arange(len(rows)) - (np.cumsum(lengths) - lengths)[rows]
    values = (first[rows] + along * step[rows]).astype(kind)
    return ragged(from_value(values), splits_from_lengths(lengths.astype(dtypes.to_numpy(row_splits_dtype))))


@public("ragged.row_splits_to_segment_ids")
def row_splits_to_segment_ids(splits: Any, name: str | None = None, out_type: Any = None) -> Tensor:
    """The number of its row, for each value of a ragged tensor.

    Args:
      splits: the row splits.
      name: of no effect.
      out_type: the `DType` of the result, by default that of `splits`.

    Raises:
      ValueError: `splits` is empty, or does not hold integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/ragged/row_splits_to_segment_ids

    >>> row_splits_to_segment_ids([0, 2, 2, 3]).numpy().tolist()
    [0, 0, 2]
    """
    found = integers(splits, "splits")
    if not found.size:
        raise ValueError("Invalid row_splits: []")
    return from_value(row_ids(found if out_type is None else found.astype(dtypes.to_numpy(out_type))))


@public("ragged.segment_ids_to_row_splits")
def segment_ids_to_row_splits(
    segment_ids: Any, num_segments: Any = None, out_type: Any = None, name: str | None = None
) -> Tensor:
    """The row splits of a ragged tensor, given the number of its row for each value.

    Args:
      segment_ids: a sorted vector of row numbers.
      num_segments: the number of rows, by default one more than the greatest id.
      out_type: the `DType` of the result, by default that of `segment_ids`.
      name: of no effect.

    Source: https://www.tensorflow.org/api_docs/python/tf/ragged/segment_ids_to_row_splits

    >>> segment_ids_to_row_splits([0, 0, 2]).numpy().tolist()
    [0, 2, 2, 3]
    """
    ids = integers(segment_ids, "segment_ids")
    kind = ids.dtype if out_type is None else dtypes.to_numpy(out_type)
    count = int(ids.max(initial=-1)) + 1 if num_segments is None else int(np.asarray(num_segments))
    return from_value(splits_from_lengths(np.bincount(ids, minlength=count).astype(kind)))


@public("ragged.stack_dynamic_partitions")
def stack_dynamic_partitions(data: Any, partitions: Any, num_partitions: Any, name: str | None = None) -> RaggedTensor:
    """A ragged tensor whose row p holds the slices of `data` for which `partitions` is p, in their order.

    Args:
      data: a tensor whose shape begins with the shape of `partitions`.
      partitions: a tensor of integers in [0, num_partitions).
      num_partitions: the number of rows.
      name: of no effect.

    Raises:
      ValueError: the shapes do not fit.
      InvalidArgumentError: an element of `partitions` is out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/ragged/stack_dynamic_partitions

    >>> stack_dynamic_partitions([1, 2, 3], [1, 0, 1], 2)
    <tf.RaggedTensor [[2], [1, 3]]>
    """
    t, ids = to_tensor(data), stream.host(to_tensor(partitions))
    count = int(np.asarray(num_partitions))
    if t.aval.shape[: ids.ndim] != ids.shape:
        raise ValueError(f"Shapes {t.aval.shape} and {ids.shape} are incompatible")
    if ((ids < 0) | (ids >= count)).any():
        raise invalid(f"partitions must be in [0, {count})")
    flat = reshape(t, (ids.size, *t.aval.shape[ids.ndim :])) if ids.ndim != 1 else t
    lengths = np.bincount(ids.ravel(), minlength=count).astype(ids.dtype)
    return ragged(take(flat, np.argsort(ids.ravel(), kind="stable")), splits_from_lengths(lengths))
