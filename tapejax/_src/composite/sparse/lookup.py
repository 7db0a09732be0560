"""Reductions over rows that are chosen by indices: embedding look-ups, reductions by segment, and counts."""

from typing import Any

import numpy as np

from tapejax._src.composite.sparse.layout import fill_empty_rows, retain
from tapejax._src.composite.sparse.tensor import SparseTensor, host_indices, need_sparse, shape_of, sparse
from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream
from tapejax._src.ops.array.casting import cast
from tapejax._src.ops.array.gathering import where
from tapejax._src.ops.array.layout import reshape
from tapejax._src.ops.math import segment
from tapejax._src.ops.math.elementwise import divide_no_nan, multiply
from tapejax._src.ops.math.transcendental import sqrt
from tapejax._src.ops.nn.embedding import embedding_lookup, joined_repeats
from tapejax._src.ops.registry import Array, op

__all__ = [
    "bincount",
    "embedding_lookup_sparse",
    "safe_embedding_lookup_sparse",
    "segment_mean",
    "segment_sqrt_n",
    "segment_sum",
]


@op()
def _rows(data: Array, indices: Array):
    return data[indices]


def _segments(data: Any, indices: Any, segment_ids: Any, num_segments: Any, how: str) -> Tensor:
    ids = stream.host(to_tensor(segment_ids))
    at = to_tensor(indices)
    if ids.ndim != 1 or at.aval.shape != ids.shape:
        raise invalid(f"indices and segment_ids should be vectors of the same size, got {at.shape} and {ids.shape}")
    if (np.diff(ids) < 0).any():
        raise invalid("segment ids are not increasing")
    least = int(ids[-1]) + 1 if ids.size else 0
    count = least if num_segments is None else int(np.asarray(num_segments))
    if count < least or (ids < 0).any():
        raise invalid(f"segment ids must be in [0, {count})")
    reduce = getattr(segment, f"unsorted_segment_{how}")
    return reduce(_rows(data, at), from_value(ids.astype(np.int32)), count)


def _no_slices(sparse_gradient: bool) -> None:
    if sparse_gradient:
        raise ValueError("`sparse_gradient` is not supported: the gradient by a variable is tf.IndexedSlices anyway")


@public("sparse.segment_sum")
def segment_sum(
    data: Any,
    indices: Any,
    segment_ids: Any,
    num_segments: Any = None,
    name: str | None = None,
    sparse_gradient: bool = False,
) -> Tensor:
    """Adds up rows of `data`, which are chosen by `indices`, in segments.

    Row ``segment_ids[i]`` of the result is the sum over row ``indices[i]`` of `data`, and over the other rows with the
    same segment id.

    Args:
      data: a tensor of shape (n, ...).
      indices: an integer vector of rows of `data`.
      segment_ids: a sorted integer vector of the same size.
      num_segments: the number of rows of the result, by default one more than the last id.
      name: of no effect.
      sparse_gradient: must be False.

    Raises:
      InvalidArgumentError: `segment_ids` are not sorted, are out of range, or have another size than `indices`.
      ValueError: `sparse_gradient` is set.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/segment_sum

    >>> segment_sum([[1], [2], [3]], [0, 2], [0, 0]).numpy().tolist()
    [[4]]
    """
    _no_slices(sparse_gradient)
    return _segments(data, indices, segment_ids, num_segments, "sum")


@public("sparse.segment_mean")
def segment_mean(
    data: Any,
    indices: Any,
    segment_ids: Any,
    num_segments: Any = None,
    name: str | None = None,
    sparse_gradient: bool = False,
) -> Tensor:
    """Takes the means of rows of `data`, which are chosen by `indices`, in segments.

    It is 0 for segments without rows.

    Args:
      data: a tensor of shape (n, ...).
      indices: an integer vector of rows of `data`.
      segment_ids: a sorted integer vector of the same size.
      num_segments: the number of rows of the result, by default one more than the last id.
      name: of no effect.
      sparse_gradient: must be False.

    Raises:
      InvalidArgumentError: `segment_ids` are not sorted, are out of range, or have another size than `indices`.
      ValueError: `sparse_gradient` is set.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/segment_mean

    >>> segment_mean([[1.0], [2.0], [3.0]], [0, 2], [0, 0]).numpy().tolist()
    [[2.0]]
    """
    _no_slices(sparse_gradient)
    return _segments(data, indices, segment_ids, num_segments, "mean")


@public("sparse.segment_sqrt_n")
def segment_sqrt_n(
    data: Any,
    indices: Any,
    segment_ids: Any,
    num_segments: Any = None,
    name: str | None = None,
    sparse_gradient: bool = False,
) -> Tensor:
    """Adds up rows like `segment_sum`, and divides each sum by the square root of the number of its rows.

    Args:
      data: a tensor of shape (n, ...).
      indices: an integer vector of rows of `data`.
      segment_ids: a sorted integer vector of the same size.
      num_segments: the number of rows of the result, by default one more than the last id.
      name: of no effect.
      sparse_gradient: must be False.

    Raises:
      InvalidArgumentError: `segment_ids` are not sorted, are out of range, or have another size than `indices`.
      ValueError: `sparse_gradient` is set.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/segment_sqrt_n

    >>> segment_sqrt_n([[1.0], [2.0]], [0, 0, 0, 0], [0, 0, 0, 0]).numpy().tolist()
    [[2.0]]
    """
    _no_slices(sparse_gradient)
    return _segments(data, indices, segment_ids, num_segments, "sqrt_n")


@public("nn.embedding_lookup_sparse")
def embedding_lookup_sparse(
    params: Any,
    sp_ids: Any,
    sp_weights: Any,
    combiner: str | None = None,
    max_norm: Any = None,
    name: str | None = None,
    allow_fast_lookup: bool = False,
) -> Tensor:
    """Looks up the embeddings of ids, and combines those of each row.

    Args:
      params: the table of embeddings, of shape (n, ...), or a list of its parts.
      sp_ids: a sparse tensor of integers, of shape (rows, any), in row-major order.
      sp_weights: None, or a sparse tensor with the same indices that holds a weight for each id.
      combiner: "sum" for the weighted sum; "mean", which is the default, divides it by the sum of the weights; "sqrtn"
        divides it by the square root of the sum of the squared weights.
      max_norm: the greatest norm of an embedding. Embeddings with a greater norm are scaled to this norm.
      name: of no effect.
      allow_fast_lookup: of no effect.

    Returns:
      A tensor of shape (rows, ...), with zeros for rows without ids. As in TensorFlow, it ends with the last row that
      has ids.

    Raises:
      ValueError: `combiner` is unknown.
      TypeError: `sp_ids` or `sp_weights` is not a sparse tensor.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/embedding_lookup_sparse

    >>> ids = SparseTensor([[0, 0], [0, 1]], [1, 0], [1, 2])
    >>> embedding_lookup_sparse([[1.0], [3.0]], ids, None).numpy().tolist()
    [[2.0]]
    """
    combiner = combiner or "mean"
    if combiner not in ("mean", "sqrtn", "sum"):
        raise ValueError(f"combiner must be one of 'mean', 'sqrtn' or 'sum', got {combiner}")
    ids = need_sparse(sp_ids)
    rows = host_indices(ids)[:, 0]
    count = int(rows[-1]) + 1 if rows.size else 0
    segments = from_value(rows.astype(np.int32))
    found = joined_repeats(embedding_lookup(params, ids.values, max_norm), ids.values)
    if sp_weights is None:
        how = {"mean": "mean", "sqrtn": "sqrt_n", "sum": "sum"}[combiner]
        return getattr(segment, f"unsorted_segment_{how}")(found, segments, count)
    weights = need_sparse(sp_weights).values
    if not weights.dtype.is_floating:
        weights = cast(weights, dtypes.float32)
    weights = cast(weights, found.dtype)
    wide = reshape(weights, (*weights.aval.shape, *[1] * (len(found.aval.shape) - 1)))
    total = segment.unsorted_segment_sum(multiply(found, wide), segments, count)
    if combiner == "sum":
        return total
    size = segment.unsorted_segment_sum(wide if combiner == "mean" else multiply(wide, wide), segments, count)
    return divide_no_nan(total, size if combiner == "mean" else sqrt(size))


@public("nn.safe_embedding_lookup_sparse")
def safe_embedding_lookup_sparse(
    embedding_weights: Any,
    sparse_ids: Any,
    sparse_weights: Any = None,
    combiner: str = "mean",
    default_id: Any = None,
    max_norm: Any = None,
    name: str | None = None,
    allow_fast_lookup: bool = False,
) -> Tensor:
    """Looks up and combines embeddings like `embedding_lookup_sparse`, ignoring invalid ids and weights.

    Negative ids are ignored. Ids with weights that are not positive are ignored too, except if `combiner` is "sum".

    Args:
      embedding_weights: the table of embeddings, of shape (n, ...), or a list of its parts.
      sparse_ids: a sparse tensor of integers, of shape (..., any).
      sparse_weights: None, or a sparse tensor with the same indices that holds a weight for each id.
      combiner: "sum", "mean" or "sqrtn", see `embedding_lookup_sparse`.
      default_id: the id whose embedding is the result for rows without ids. By default their result is zeros.
      max_norm: the greatest norm of an embedding. Embeddings with a greater norm are scaled to this norm.
      name: of no effect.
      allow_fast_lookup: of no effect.

    Returns:
      A tensor. Its shape is that of the ids without the last axis, followed by the shape of an embedding.

    Raises:
      ValueError: `embedding_weights` is None, or `combiner` is unknown.
      TypeError: `sparse_ids` or `sparse_weights` is not a sparse tensor.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/safe_embedding_lookup_sparse

    >>> ids = SparseTensor([[0, 0], [0, 1]], [1, -1], [2, 2])
    >>> safe_embedding_lookup_sparse([[1.0], [3.0]], ids).numpy().tolist()
    [[3.0], [0.0]]
    """
    if embedding_weights is None:
        raise ValueError(f"Missing embedding_weights {embedding_weights}.")
    ids = need_sparse(sparse_ids)
    outer = shape_of(ids)[:-1]
    ids = _as_rows(ids)
    weights = None if sparse_weights is None else _as_rows(need_sparse(sparse_weights))
    keep = stream.host(ids.values) >= 0
    if weights is not None and combiner != "sum":
        keep &= stream.host(weights.values) > 0
    ids = retain(ids, keep)
    weights = None if weights is None else retain(weights, keep)
    ids, empty = fill_empty_rows(ids, default_id or 0)
    if weights is not None:
        weights, _ = fill_empty_rows(weights, 1.0)
    out = embedding_lookup_sparse(embedding_weights, ids, weights, combiner, max_norm)
    shape = out.aval.shape
    if default_id is None:
        mask = reshape(empty, (shape[0], *[1] * (len(shape) - 1)))
        out = where(mask, from_value(np.zeros((), out.aval.dtype)), out)
    return reshape(out, (*outer, *shape[1:]))


def _as_rows(sp: SparseTensor) -> SparseTensor:
    """The same elements in a matrix. All axes except the last are merged to the rows."""
    shape, indices = shape_of(sp), host_indices(sp)
    if len(shape) == 2:
        return sp
    rows = np.ravel_multi_index(tuple(indices[:, :-1].T), shape[:-1])
    return sparse(
        np.stack([rows, indices[:, -1]], -1), sp.values, (int(np.prod(shape[:-1], dtype=np.int64)), shape[-1])
    )


@public("sparse.bincount")
def bincount(
    values: Any,
    weights: Any = None,
    axis: Any = 0,
    minlength: Any = None,
    maxlength: Any = None,
    binary_output: bool = False,
    name: str | None = None,
) -> SparseTensor:
    """Counts how often each non-negative integer occurs. The values are read, which runs the pending program.

    Args:
      values: a tensor or sparse tensor of integers, of rank 1 or 2.
      weights: None, or a tensor of the same kind and shape. Then the weights of each integer are added up, instead of
        counting it.
      axis: 0 counts all values together; -1 counts the values of each row separately.
      minlength: the least size of the last axis of the result.
      maxlength: values greater than or equal to this do not count.
      binary_output: whether the result holds ones for the values that occur, instead of counts.
      name: of no effect.

    Returns:
      A sparse tensor.

    Raises:
      ValueError: `axis` is neither 0 nor -1; or `weights` is given together with `binary_output`.
      InvalidArgumentError: a value is negative, or `weights` has another shape.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/bincount

    >>> bincount([3, 3, 1]).values.numpy().tolist()
    [1, 2]
    """
    if axis not in (0, -1):
        raise ValueError(f"Unsupported value for argument axis={axis}. Only 0 and -1 are currently supported.")
    if binary_output and weights is not None:
        raise ValueError("Arguments `binary_output` and `weights` are mutually exclusive.")
    is_sparse = isinstance(values, SparseTensor)
    t = values.values if is_sparse else to_tensor(values)
    ids = stream.host(t)
    per_row = axis == -1 and (len(shape_of(values)) if is_sparse else ids.ndim) == 2
    rows = (
        (host_indices(values)[:, 0] if is_sparse else np.repeat(np.arange(ids.shape[0]), ids.shape[-1]))
        if per_row
        else np.zeros(ids.size, np.int64)
    )
    ids = ids.ravel().astype(np.int64)
    if (ids < 0).any():
        raise invalid("Input values must all be non-negative")
    sums = None
    if weights is not None:
        given = weights.values if isinstance(weights, SparseTensor) else to_tensor(weights)
        sums = stream.host(given).ravel()
        if sums.shape != ids.shape:
            raise invalid(f"Weights and values must have the same shape, got {sums.shape} and {ids.shape}")
    if maxlength is not None:
        keep = ids < int(maxlength)
        ids, rows, sums = ids[keep], rows[keep], None if sums is None else sums[keep]
    width = max(int(ids.max(initial=-1)) + 1, int(minlength or 0))
    if maxlength is not None and minlength is not None:
        width = min(width, int(maxlength))
    there, place = np.unique(np.stack([rows, ids], -1), axis=0, return_inverse=True)
    counts = np.zeros(len(there), np.int32 if sums is None else sums.dtype)
    np.add.at(counts, place.ravel(), 1 if sums is None else sums)
    if binary_output:
        counts[:] = 1
    if not per_row:
        return sparse(there[:, 1:], from_value(counts), (width,))
    n = shape_of(values)[0] if is_sparse else t.aval.shape[0]
    return sparse(there, from_value(counts), (n, width))
