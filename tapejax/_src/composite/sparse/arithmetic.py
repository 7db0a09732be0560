"""Sums, products and reductions of sparse tensors. They can be differentiated with respect to the values."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.composite.sparse.tensor import (
    SparseTensor,
    flat_indices,
    host_indices,
    join,
    need_sparse,
    shape_of,
    sparse,
    take,
)
from tapejax._src.core.checks import invalid, need
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream
from tapejax._src.ops.array.layout import reshape as reshape_dense
from tapejax._src.ops.array.layout import same_dtypes, static_ints
from tapejax._src.ops.array.layout import transpose as transpose_dense
from tapejax._src.ops.math.elementwise import maximum as maximum_dense
from tapejax._src.ops.math.elementwise import minimum as minimum_dense
from tapejax._src.ops.registry import Array, Same, op

__all__ = [
    "add",
    "map_values",
    "maximum",
    "minimum",
    "reduce_max",
    "reduce_sum",
    "softmax",
    "softmax_in_groups",
    "sparse_dense_matmul",
]


@op()
def _grouped(values: Array, groups: Array, n: int, how: str):
    """The sum, or the maximum, of the values of each of `n` groups. It is 0 for groups without values."""
    need("fiuc" if how == "sum" else "fiu", values)
    zero = jnp.zeros(n, values.dtype)
    if how == "sum":
        return zero.at[groups].add(values)
    some = zero.astype(bool).at[groups].set(True)
    least = -jnp.inf if values.dtype.kind in "fV" else jnp.iinfo(values.dtype).min
    return jnp.where(some, jnp.full(n, least, values.dtype).at[groups].max(values), zero)


@op()
def _add_dense(dense: Same, values: Same, indices: Array):
    same_dtypes((dense, values), "SparseTensorDenseAdd")
    return dense.at[tuple(indices.T)].add(values)


def _union(a: SparseTensor, b: SparseTensor, what: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The indices at which `a` or `b` has elements, in order.

    Returns:
      The indices; for each element of `a` its position among them; and the same for the elements of `b`.
    """
    shape = shape_of(a)
    if shape != shape_of(b):
        raise invalid(f"Operands' shapes do not match in {what}: {list(shape)} and {list(shape_of(b))}")
    if a.values.aval.dtype != b.values.aval.dtype:
        raise invalid(f"cannot compute {what} of {a.dtype.name} and {b.dtype.name}")
    mine, theirs = (flat_indices(host_indices(s), shape) for s in (a, b))
    flat, place = np.unique(np.concatenate([mine, theirs]), return_inverse=True)
    indices = np.stack(np.unravel_index(flat, shape), -1).reshape(len(flat), len(shape))
    return indices, place[: len(mine)], place[len(mine) :]


@public("sparse.add")
def add(a: Any, b: Any, threshold: Any = 0) -> Any:
    """The sum of two sparse tensors, or of a sparse and a dense tensor, of the same shape.

    Args:
      a: a sparse or dense tensor.
      b: a sparse or dense tensor. At least one of the two must be sparse.
      threshold: elements of a sparse sum are left out if their absolute value is less than this.

    Returns:
      A sparse tensor if both are sparse, otherwise a dense tensor.

    Raises:
      TypeError: both are dense. InvalidArgumentError: shapes or dtypes differ.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/add

    >>> part = SparseTensor([[0]], [5], [2])
    >>> add(part, part).values.numpy().tolist()
    [10]
    """
    if not (isinstance(a, SparseTensor) and isinstance(b, SparseTensor)):
        if not (isinstance(a, SparseTensor) or isinstance(b, SparseTensor)):
            raise TypeError("At least one input should be SparseTensor; do you mean to use tf.add()?")
        sp, dense = (a, to_tensor(b)) if isinstance(a, SparseTensor) else (b, to_tensor(a))
        if shape_of(sp) != dense.aval.shape:
            raise invalid(f"Shapes do not match: {list(shape_of(sp))} and {list(dense.aval.shape)}")
        return _add_dense(dense, sp.values, sp.indices)
    indices, mine, theirs = _union(a, b, "SparseAdd")
    groups = from_value(np.concatenate([mine, theirs]).astype(np.int32))
    out = sparse(indices, _grouped(join([a.values, b.values]), groups, len(indices), "sum"), shape_of(a))
    least = float(np.asarray(threshold))
    if least > 0:
        keep = np.flatnonzero(np.abs(stream.host(out.values)) >= least)
        return sparse(indices[keep], take(out.values, keep), shape_of(a))
    return out


@op()
def _matmul(values: Same, b: Same, rows: Array, columns: Array, n: int):
    same_dtypes((values, b), "SparseTensorDenseMatMul")
    return jnp.zeros((n, b.shape[1]), b.dtype).at[rows].add(values[:, None] * b[columns])


@op()
def _adjoint_of(x: Array, transpose):
    x = x.T if transpose else x
    return jnp.conj(x)


@op()
def _column(indices: Array, axis: int):
    return indices[:, axis]


@public("sparse.sparse_dense_matmul")
def sparse_dense_matmul(
    sp_a: Any, b: Any, adjoint_a: bool = False, adjoint_b: bool = False, name: str | None = None
) -> Tensor:
    """The matrix product of a sparse and a dense matrix, in either order, as a dense matrix.

    Args:
      sp_a: a sparse matrix of shape (n, k); or a dense matrix, and then `b` must be sparse.
      b: a dense matrix of shape (k, m); or a sparse matrix, if `sp_a` is dense.
      adjoint_a: whether to transpose and conjugate `sp_a` before multiplying.
      adjoint_b: whether to transpose and conjugate `b` before multiplying.
      name: of no effect.

    Raises:
      InvalidArgumentError: the shapes do not fit, or the dtypes differ.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/sparse_dense_matmul

    >>> sparse_dense_matmul(SparseTensor([[0, 1]], [5], [1, 2]), [[1], [2]]).numpy().tolist()
    [[10]]
    """
    if isinstance(b, SparseTensor):
        out = sparse_dense_matmul(b, sp_a, not adjoint_b, not adjoint_a)
        return transpose_dense(out, conjugate=True)
    sp, dense = need_sparse(sp_a), to_tensor(b)
    shape = shape_of(sp)
    if len(shape) != 2 or len(dense.aval.shape) != 2:
        raise invalid(f"Tensors must be matrices, got shapes {list(shape)} and {list(dense.aval.shape)}")
    if adjoint_b:
        dense = _adjoint_of(dense, True)
    n, k = shape[::-1] if adjoint_a else shape
    if k != dense.aval.shape[0]:
        raise invalid(f"Cannot multiply A and B because inner dimension does not match: {k} vs. {dense.aval.shape[0]}")
    values = _adjoint_of(sp.values, False) if adjoint_a and sp.dtype.is_complex else sp.values
    return _matmul(values, dense, _column(sp.indices, int(adjoint_a)), _column(sp.indices, 1 - int(adjoint_a)), n)


def _reduce(sp_input: Any, axis: Any, keepdims: Any, output_is_sparse: bool, how: str) -> Any:
    sp = need_sparse(sp_input)
    shape = shape_of(sp)
    axes = range(len(shape)) if axis is None else static_ints(axis, "`axis`").ravel().tolist()
    if any(not -len(shape) <= a < len(shape) for a in axes):
        raise invalid(f"Invalid reduction dimension {list(axes)}, for input with {len(shape)} dimensions.")
    gone = {a % len(shape) for a in axes}
    left = [i for i in range(len(shape)) if i not in gone]
    sizes = [shape[i] for i in left]
    flat = flat_indices(host_indices(sp)[:, left], sizes)
    new = [1 if i in gone else n for i, n in enumerate(shape)] if keepdims else sizes
    if not output_is_sparse:
        total = _grouped(sp.values, from_value(flat.astype(np.int32)), int(np.prod(sizes, dtype=np.int64)), how)
        return reshape_dense(total, new)
    there, groups = np.unique(flat, return_inverse=True)
    values = _grouped(sp.values, from_value(groups.astype(np.int32)), len(there), how)
    indices = np.stack(np.unravel_index(there, new), -1) if new else np.zeros((len(there), 0))
    return sparse(indices.reshape(len(there), len(new)), values, new)


@public("sparse.reduce_sum")
def reduce_sum(
    sp_input: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    output_is_sparse: bool = False,
    name: str | None = None,
) -> Any:
    """The sum of the elements along one or more axes.

    Args:
      sp_input: a sparse tensor.
      axis: an int or a list of ints, where negative numbers count from the end. By default all axes.
      keepdims: whether to keep the reduced axes, with size 1.
      output_is_sparse: whether the result is a sparse tensor, which holds the sums of at least one element.
      name: of no effect.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/reduce_sum

    >>> reduce_sum(SparseTensor([[0, 1], [1, 1]], [5, 6], [2, 3]), 0).numpy().tolist()
    [0, 11, 0]
    """
    return _reduce(sp_input, axis, keepdims, output_is_sparse, "sum")


@public("sparse.reduce_max")
def reduce_max(
    sp_input: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    output_is_sparse: bool = False,
    name: str | None = None,
) -> Any:
    """The maximum of the stored elements along one or more axes. It is 0 where no element is stored.

    Args:
      sp_input: a sparse tensor.
      axis: an int or a list of ints, where negative numbers count from the end. By default all axes.
      keepdims: whether to keep the reduced axes, with size 1.
      output_is_sparse: whether the result is a sparse tensor, which holds the maxima of at least one element.
      name: of no effect.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/reduce_max

    >>> reduce_max(SparseTensor([[0, 1], [1, 1]], [-5, -6], [2, 3]), 0).numpy().tolist()
    [0, -5, 0]
    """
    return _reduce(sp_input, axis, keepdims, output_is_sparse, "max")


@op()
def softmax_in_groups(values: Array, groups: Array, n: int):
    """The softmax of the values of each group."""
    need("f", values)
    top = jnp.full(n, -jnp.inf, values.dtype).at[groups].max(values)
    powers = jnp.exp(values - top[groups])
    return powers / jnp.zeros(n, values.dtype).at[groups].add(powers)[groups]


@public("sparse.softmax")
def softmax(sp_input: Any, name: str | None = None) -> SparseTensor:
    """The softmax of the stored elements along the last axis. Elements that are not stored do not take part.

    Args:
      sp_input: a sparse tensor of rank 2 or more, with floating values.
      name: of no effect.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/softmax

    >>> softmax(SparseTensor([[0, 1], [0, 2]], [0.0, 0.0], [1, 3])).values.numpy().tolist()
    [0.5, 0.5]
    """
    sp = need_sparse(sp_input)
    rows, groups = np.unique(host_indices(sp)[:, :-1], axis=0, return_inverse=True)
    if len(shape_of(sp)) < 2:
        raise invalid(f"Input should have rank >= 2, got shape {list(shape_of(sp))}")
    return sp.with_values(softmax_in_groups(sp.values, from_value(groups.ravel().astype(np.int32)), len(rows)))


def _extreme(sp_a: Any, sp_b: Any, what: str, choose: Callable[..., Tensor]) -> SparseTensor:
    a, b = need_sparse(sp_a), need_sparse(sp_b)
    indices, mine, theirs = _union(a, b, what)
    full = [
        _grouped(s.values, from_value(at.astype(np.int32)), len(indices), "sum") for s, at in ((a, mine), (b, theirs))
    ]
    return sparse(indices, choose(*full), shape_of(a))


@public("sparse.maximum")
def maximum(sp_a: Any, sp_b: Any, name: str | None = None) -> SparseTensor:
    """The elementwise maximum of two sparse tensors, at all indices where one of them has an element.

    Args:
      sp_a: a sparse tensor.
      sp_b: a sparse tensor of the same shape and dtype.
      name: of no effect.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/maximum

    >>> maximum(SparseTensor([[0]], [-5], [2]), SparseTensor([[1]], [6], [2])).values.numpy().tolist()
    [0, 6]
    """
    return _extreme(sp_a, sp_b, "SparseSparseMaximum", maximum_dense)


@public("sparse.minimum")
def minimum(sp_a: Any, sp_b: Any, name: str | None = None) -> SparseTensor:
    """The elementwise minimum of two sparse tensors, at all indices where one of them has an element.

    Args:
      sp_a: a sparse tensor.
      sp_b: a sparse tensor of the same shape and dtype.
      name: of no effect.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/minimum

    >>> minimum(SparseTensor([[0]], [-5], [2]), SparseTensor([[1]], [6], [2])).values.numpy().tolist()
    [-5, 0]
    """
    return _extreme(sp_a, sp_b, "SparseSparseMinimum", minimum_dense)


@public("sparse.map_values")
def map_values(op: Callable[..., Any], *args: Any, **kwargs: Any) -> SparseTensor:
    """Applies a function to the values of sparse tensors. The result has the same indices.

    Args:
      op: the function. Its result must have as many values.
      *args: its arguments. Sparse tensors, which are replaced by their values, must all have the same indices.
      **kwargs: its keyword arguments, likewise.

    Raises:
      ValueError: none of the arguments is a sparse tensor.
      InvalidArgumentError: the sparse tensors differ in indices or shape.

    Source: https://www.tensorflow.org/api_docs/python/tf/sparse/map_values

    >>> map_values(lambda x: x * 2, SparseTensor([[0]], [5], [2])).values.numpy().tolist()
    [10]
    """
    found = [a for a in (*args, *kwargs.values()) if isinstance(a, SparseTensor)]
    if not found:
        raise ValueError("No SparseTensor in argument list of map_values")
    first = found[0]
    for other in found[1:]:
        if other.indices is not first.indices and not np.array_equal(host_indices(other), host_indices(first)):
            raise invalid("Mismatched indices!")
        if shape_of(other) != shape_of(first):
            raise invalid("Mismatched shapes!")

    def values(a: Any) -> Any:
        return a.values if isinstance(a, SparseTensor) else a

    return first.with_values(op(*map(values, args), **{k: values(v) for k, v in kwargs.items()}))
