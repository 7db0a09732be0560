"""Ops that read or write elements at given positions: `gather`, `where`, `boolean_mask`, `scatter_nd`.

Positions whose values are on the host are checked, as in TensorFlow's CPU kernels. Positions that are pending or on a
device are not, since reading them would stop the program. There, gathering out of range gives zeros and scattering out
of range does nothing, as in TensorFlow's GPU kernels.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tapejax._src.core.checks import invalid, invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream
from tapejax._src.kernels.windows import at_least, for_platform
from tapejax._src.ops.array.layout import check_axis, host_value, new_dims, reshape
from tapejax._src.ops.registry import Array, Same, Shape, op

__all__ = [
    "boolean_mask",
    "gather",
    "gather_nd",
    "scatter_nd",
    "tensor_scatter_nd_add",
    "tensor_scatter_nd_max",
    "tensor_scatter_nd_min",
    "tensor_scatter_nd_sub",
    "tensor_scatter_nd_update",
    "where",
]


def _integers(indices: Any) -> None:
    if indices.dtype.kind != "i":
        raise invalid(f"indices must be int16, int32 or int64, got {indices.dtype}")


def check_positions(indices: Tensor, limits: Any, what: str) -> None:
    """Checks positions whose values are on the host.

    Args:
      indices: integers. Nothing is checked if they are pending or on a device.
      limits: positions must be in [0, limits).
      what: what is wrong with a position out of range, for the message: "indices[2] = 7 {what} {limits}".

    Raises:
      InvalidArgumentError: a position is out of range.
    """
    host = host_value(indices)
    if host is None or host.dtype.kind not in "iu" or not host.size:
        return
    bad = (host < 0) | (host >= np.asarray(limits))
    if bad.any():
        where_ = np.argwhere(bad)[0].tolist()
        raise invalid_value(f"indices{where_} = {host[tuple(where_)]} {what} {limits}")


def _take_on_host(params: Any, indices: Any, axis: int, batch_dims: int) -> Any:
    if batch_dims:
        pairs = zip(params, indices, strict=True)
        return np.stack([_take_on_host(p, i, axis - 1, batch_dims - 1) for p, i in pairs])
    return np.take(params, indices, axis)


@op(host=_take_on_host, strings=True)
def _gather(params: Array, indices: Array, axis: int, batch_dims: int):
    _integers(indices)
    take = functools.partial(_take, axis=axis - batch_dims)
    if (
        not batch_dims
        and axis == params.ndim - 1
        and at_least(0, params)
        and at_least(params.shape[-1] // _DENSE, indices)
    ):
        return for_platform(_take_columns, take)(params, indices)
    for _ in range(batch_dims):
        take = jax.vmap(take)
    return take(params, indices)


def _take(params: Any, indices: Any, axis: int) -> Any:
    at = params.at[(slice(None),) * axis + (indices,)]
    return at.get(mode="fill", fill_value=params.dtype.type(0), wrap_negative_indices=False)


# The gradient of gathering along the last axis adds into columns. XLA for CPUs does this element by element, some 16 ns
# each. Adding into rows of the transposed array is faster if at least one column in `_DENSE` is gathered: 0.33 ms
# instead of 2.0 ms for 512 columns of [256, 1024].
_DENSE = 8


@jax.custom_jvp
def _take_columns(params: Any, indices: Any) -> Any:
    return _take(params, indices, params.ndim - 1)


@_take_columns.defjvp
def _tangent_by_rows(primals: Any, tangents: Any) -> tuple:
    params, indices = primals
    last = params.ndim - 1
    rows = _take(jnp.moveaxis(tangents[0], last, 0), indices, 0)
    return _take_columns(params, indices), jnp.moveaxis(rows, range(indices.ndim), range(last, last + indices.ndim))


@op(host=lambda params, indices: np.take(params, indices, 0), strings=True)
def _gather_rows(params: Array, indices: Array):
    """Gathers along the first axis. It is an op of its own, because tapes make IndexedSlices of its gradient."""
    _integers(indices)
    return params.at[indices].get(mode="fill", fill_value=params.dtype.type(0), wrap_negative_indices=False)


@public("gather", composites=True)
def gather(
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    axis: Any = None,
    batch_dims: int = 0,
    name: str | None = None,
) -> Tensor:
    """The slices of `params` at the positions `indices` along an axis.

    Args:
      params: a tensor of shape (.., n, ..).
      indices: integers in [0, n), of any shape, which replaces the axis in the result's shape. They are checked if
        their values are on the host. Otherwise positions out of range give zeros, as on TensorFlow's GPUs.
      validate_indices: has no effect, as in TensorFlow.
      axis: the axis to gather along; by default `batch_dims`.
      batch_dims: the number of leading axes that `params` and `indices` have in common. Each batch entry is gathered by
        itself.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: a known position, `axis` or `batch_dims` is out of range, or the batch axes differ.

    Source: https://www.tensorflow.org/api_docs/python/tf/gather

    >>> gather([10, 20, 30], [2, 0]).numpy().tolist()
    [30, 10]
    """
    p, i = to_tensor(params), to_tensor(indices)
    if not p.aval.shape:
        raise invalid("params must be at least 1 dimensional")
    if batch_dims == 0 and (axis is None or (type(axis) is int and axis == 0)):
        check_positions(i, p.aval.shape[0], "is not in [0, n) for n =")
        return _gather_rows(p, i)
    if not -i.ndim <= batch_dims <= i.ndim:
        raise invalid(f"`batch_dims` must be in [{-i.ndim}, {i.ndim}], got {batch_dims}")
    axis = check_axis(batch_dims if axis is None else int(axis), p.ndim, "gather")
    batch_dims += i.ndim if batch_dims < 0 else 0
    if batch_dims > axis:
        raise invalid(f"`batch_dims` must be at most `axis`, got {batch_dims} and {axis}")
    if p.aval.shape[:batch_dims] != i.aval.shape[:batch_dims]:
        raise invalid(f"params.shape {p.shape} and indices.shape {i.shape} must agree in the {batch_dims} batch axes")
    check_positions(i, p.aval.shape[axis], "is not in [0, n) for n =")
    return _gather(p, i, axis, batch_dims)


gather.op = _gather_rows.op  # type: ignore[attr-defined]  # tapes make IndexedSlices of its gradient


def _at(x: Any, indices: Any) -> Any:
    return x.at[tuple(indices[..., k] for k in range(indices.shape[-1]))]


def _depth(shape: tuple[int, ...], indices: Any) -> int:
    _integers(indices)
    if not indices.ndim or indices.shape[-1] > len(shape):
        raise invalid(f"index innermost dimension length must be <= params rank; saw: {indices.shape} vs. {shape}")
    return indices.shape[-1]


@op(strings=True)
def _gather_nd(params: Array, indices: Array, batch_dims: int):
    def take(p: Any, i: Any) -> Any:
        if not i.shape[-1]:
            return jnp.broadcast_to(p, i.shape[:-1] + p.shape)
        return _read(p, i)

    _depth(params.shape[batch_dims:], indices)
    for _ in range(batch_dims):
        take = jax.vmap(take)
    return take(params, indices)


@public("gather_nd")
def gather_nd(
    params: Any, indices: Any, batch_dims: int = 0, name: str | None = None, bad_indices_policy: str = ""
) -> Tensor:
    """The elements or slices of `params` at the positions in the last axis of `indices`.

    Args:
      params: a tensor.
      indices: integers of shape (.., d). Each row is the first d coordinates of an element, or of a slice if `params`
        has more than d axes. Positions out of range are handled as in `gather`.
      batch_dims: the number of leading axes that `params` and `indices` have in common.
      name: has no effect, as in eager TensorFlow.
      bad_indices_policy: what to do with positions out of range. "" or "DEFAULT": as in `gather`. "ERROR": the same,
        since positions on a device are never checked. "IGNORE": they give zeros, even if they are on the host.

    Raises:
      InvalidArgumentError: a known position is out of range, `d` is too large, or the policy is unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/gather_nd

    >>> gather_nd([[1, 2], [3, 4]], [[0, 1], [1, 0]]).numpy().tolist()
    [2, 3]
    """
    p, i = to_tensor(params), to_tensor(indices)
    if bad_indices_policy not in ("", "DEFAULT", "ERROR", "IGNORE"):
        raise invalid(f"`bad_indices_policy` must be DEFAULT, ERROR or IGNORE, got {bad_indices_policy!r}")
    if i.ndim and i.aval.shape[-1] <= p.ndim - batch_dims and bad_indices_policy != "IGNORE":
        check_positions(i, p.aval.shape[batch_dims : batch_dims + i.aval.shape[-1]], "does not index into param shape")
    return _gather_nd(p, i, batch_dims)


gather_nd.op = _gather_nd.op  # type: ignore[attr-defined]  # for tapes, as for `gather`


# Selecting by conditions.


@op(strings=True)
def _where(condition: Array, x: Same, y: Same):
    if condition.dtype != bool:
        raise invalid(
            f"cannot compute SelectV2 as input #0(zero-based) was expected to be a bool tensor but is a "
            f"{condition.dtype} tensor"
        )
    if x.dtype != y.dtype:
        raise invalid(
            f"cannot compute SelectV2 as input #2(zero-based) was expected to be a {x.dtype} tensor but is "
            f"a {y.dtype} tensor"
        )
    return jnp.where(condition, x, y)


@public("where", composites=True)
def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """`x` where `condition` is true and `y` elsewhere. With `condition` alone, the positions where it is true.

    Args:
      condition: booleans that broadcast with `x` and `y`. Alone, a tensor of any dtype, in which all but zeros are
        true.
      x: the values where `condition` is true. Give both `x` and `y`, or neither.
      y: the values where it is false, of the dtype of `x`.
      name: has no effect, as in eager TensorFlow.

    Returns:
      With `x` and `y`, a tensor of the broadcast shape. With `condition` alone, an int64 tensor of shape (count, rank)
      that holds the coordinates of each true element. Its size depends on the values, so `condition` is read.

    Raises:
      ValueError: only one of `x` and `y` is given.
      InvalidArgumentError: `condition` is not boolean, or the dtypes of `x` and `y` differ.

    Source: https://www.tensorflow.org/api_docs/python/tf/where

    >>> where([True, False], [1, 2], 0).numpy().tolist()
    [1, 0]
    >>> where([False, True]).numpy().tolist()
    [[1]]
    """
    if (x is None) != (y is None):
        raise ValueError("x and y must both be non-None or both be None.")
    if x is None:
        return from_value(np.argwhere(stream.host(to_tensor(condition))).astype(np.int64))
    return _where(condition, x, y)


@public("boolean_mask")
def boolean_mask(tensor: Any, mask: Any, axis: Any = None, name: str = "boolean_mask") -> Tensor:
    """The slices of `tensor` for which `mask` is true. Their number depends on the mask, so it is read.

    Args:
      tensor: a tensor of shape (.., m1, .., mk, ..).
      mask: booleans of shape (m1, .., mk), with at least one axis.
      name: has no effect, as in eager TensorFlow.
      axis: the axis of `tensor` at which the mask's shape begins; 0 by default.

    Raises:
      ValueError: `mask` is a scalar, or its shape does not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/boolean_mask

    >>> boolean_mask([1, 2, 3], [True, False, True]).numpy().tolist()
    [1, 3]
    """
    t = to_tensor(tensor)
    chosen = mask if isinstance(mask, np.ndarray) else stream.host(to_tensor(mask))
    if chosen.ndim == 0:
        raise ValueError("mask cannot be scalar.")
    start = 0 if axis is None else int(axis)
    start += t.ndim if start < 0 else 0
    shape = t.aval.shape
    if shape[start : start + chosen.ndim] != chosen.shape:
        raise ValueError(f"Shapes {shape[start : start + chosen.ndim]} and {chosen.shape} are incompatible")
    if chosen.ndim > 1:
        t = reshape(t, (*shape[:start], chosen.size, *shape[start + chosen.ndim :]))
    return _gather(t, from_value(np.flatnonzero(chosen).astype(np.int32)), start, 0)


# Writing to positions.


def _scatter_set(x: Any, indices: Any, updates: Any) -> Any:
    # If a position is given twice, one update overwrites the other. Here only the update that is left has a gradient,
    # as JAX derives it. TensorFlow gives both a gradient.
    return _at(x, indices).set(updates, mode="drop", wrap_negative_indices=False)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def put_extreme(x: Any, indices: Any, updates: Any, how: str) -> Any:
    """A copy of `x` with the larger (`how` "max") or the smaller ("min") of old element and update at `indices`."""
    return getattr(_at(x, indices), how)(updates, mode="drop", wrap_negative_indices=False)


@put_extreme.defjvp
def _put_extreme_jvp(how: str, primals: Any, tangents: Any) -> Any:
    # TensorFlow's rule: the old element and the updates that are equal to the result share its gradient.
    x, indices, updates = primals
    dx, _, du = tangents
    out = put_extreme(x, indices, updates, how)
    own = (x == out).astype(x.dtype)
    given = (updates == _read(out, indices)).astype(x.dtype)
    shares = _add(own, indices, given)
    return out, _add(own * dx / shares, indices, given * du / _read(shares, indices))


def _add(x: Any, indices: Any, updates: Any) -> Any:
    return _at(x, indices).add(updates, mode="drop", wrap_negative_indices=False)


def _read(x: Any, indices: Any) -> Any:
    return _at(x, indices).get(mode="fill", fill_value=x.dtype.type(0), wrap_negative_indices=False)


@op(strings=True)
def _scatter(tensor: Same, indices: Array, updates: Same, how: str):
    if tensor.dtype != updates.dtype:
        raise invalid(f"updates must be of dtype {tensor.dtype}, got {updates.dtype}")
    depth = _depth(tensor.shape, indices)
    if indices.ndim < 2:
        raise invalid(f"indices must have at least 2 axes, got shape {indices.shape}")
    if updates.shape != indices.shape[:-1] + tensor.shape[depth:]:
        raise invalid(
            f"Inner dimensions of output shape must match inner dimensions of updates shape. Output: "
            f"{tensor.shape} updates: {updates.shape} indices: {indices.shape}"
        )
    if how == "set":
        return _scatter_set(tensor, indices, updates)
    if how in ("max", "min"):
        return put_extreme(tensor, indices, updates, how)
    return _add(tensor, indices, updates if how == "add" else -updates)


def _scattered(tensor: Any, indices: Any, updates: Any, how: str) -> Tensor:
    t, i = to_tensor(tensor), to_tensor(indices)
    if how != "set" and t.aval.dtype == object:
        raise invalid(f"strings cannot be combined by `{how}`")
    if i.ndim and i.aval.shape[-1] <= t.ndim:
        check_positions(i, t.aval.shape[: i.aval.shape[-1]], "does not index into shape")
    return _scatter(t, i, updates, how)


@public("tensor_scatter_nd_update")
def tensor_scatter_nd_update(
    tensor: Any, indices: Any, updates: Any, name: str | None = None, bad_indices_policy: str = ""
) -> Tensor:
    """A copy of `tensor` in which `updates` replace the elements or slices at `indices`.

    Args:
      tensor: a tensor of shape (n1, .., nr).
      indices: integers of shape (.., d). Each row is the first d coordinates of an element, or of a slice if d < r.
      updates: a tensor of shape (.., n(d+1), .., nr) and of the dtype of `tensor`: one element or slice for each row.
      name: has no effect, as in eager TensorFlow.
      bad_indices_policy: only "" or "DEFAULT", which mean: a position out of range is an error if its value is on the
        host, and is ignored otherwise.

    Raises:
      InvalidArgumentError: a known position is out of range, or a shape or dtype does not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/tensor_scatter_nd_update

    >>> tensor_scatter_nd_update([1, 2, 3], [[1]], [9]).numpy().tolist()
    [1, 9, 3]
    """
    if bad_indices_policy not in ("", "DEFAULT"):
        raise invalid(f"`bad_indices_policy` {bad_indices_policy!r} is not supported, only DEFAULT")
    return _scattered(tensor, indices, updates, "set")


@public("tensor_scatter_nd_add")
def tensor_scatter_nd_add(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """A copy of `tensor` with `updates` added at `indices`. If a position is given twice, both updates are added.

    Takes the tensors of `tensor_scatter_nd_update` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/tensor_scatter_nd_add

    >>> tensor_scatter_nd_add([1, 2, 3], [[1], [1]], [10, 20]).numpy().tolist()
    [1, 32, 3]
    """
    return _scattered(tensor, indices, updates, "add")


@public("tensor_scatter_nd_sub")
def tensor_scatter_nd_sub(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """A copy of `tensor` with `updates` subtracted at `indices`. If a position is given twice, both are subtracted.

    Takes the tensors of `tensor_scatter_nd_update` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/tensor_scatter_nd_sub

    >>> tensor_scatter_nd_sub([1, 2, 3], [[1], [1]], [10, 20]).numpy().tolist()
    [1, -28, 3]
    """
    return _scattered(tensor, indices, updates, "subtract")


@public("tensor_scatter_nd_max")
def tensor_scatter_nd_max(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """A copy of `tensor` with the larger of old element and update at each position in `indices`.

    Takes the tensors of `tensor_scatter_nd_update` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/tensor_scatter_nd_max

    >>> tensor_scatter_nd_max([1, 5, 3], [[1], [2]], [4, 4]).numpy().tolist()
    [1, 5, 4]
    """
    return _scattered(tensor, indices, updates, "max")


@public("tensor_scatter_nd_min")
def tensor_scatter_nd_min(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """A copy of `tensor` with the smaller of old element and update at each position in `indices`.

    Takes the tensors of `tensor_scatter_nd_update` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/tensor_scatter_nd_min

    >>> tensor_scatter_nd_min([1, 5, 3], [[1], [2]], [4, 4]).numpy().tolist()
    [1, 4, 3]
    """
    return _scattered(tensor, indices, updates, "min")


@op(strings=True)
def _scatter_nd(indices: Array, updates: Array, shape: Shape):
    depth = _depth(shape, indices)
    if updates.shape != indices.shape[:-1] + tuple(shape[depth:]):
        raise invalid(f"Shapes do not fit: indices {indices.shape}, updates {updates.shape}, shape {shape}")
    return _add(jnp.zeros(shape, updates.dtype), indices, updates)


@public("scatter_nd")
def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Tensor:
    """A tensor of zeros with `updates` added at `indices`.

    Args:
      indices: integers of shape (.., d), as in `tensor_scatter_nd_update`.
      updates: a tensor of shape (.., n(d+1), .., nr). If a position is given twice, both updates are added.
      shape: the shape (n1, .., nr) of the result, which is read.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: a known position is out of range, or the shapes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/scatter_nd

    >>> scatter_nd([[1], [1]], [1, 2], [3]).numpy().tolist()
    [0, 3, 0]
    """
    i, new = to_tensor(indices), new_dims(shape)
    if i.ndim and i.aval.shape[-1] <= len(new):
        check_positions(i, new[: i.aval.shape[-1]], "does not index into shape")
    return _scatter_nd(i, updates, new)
