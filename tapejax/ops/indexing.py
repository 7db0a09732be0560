"""Taking parts of tensors and replacing them: ``x[...]``, gather, where, boolean masks, scatter.

Positions are inputs of the program, sizes are part of it: ``x[i]`` and ``x[i * b:(i + 1) * b]`` in a loop compile
once. Positions known on the host are checked, as TensorFlow's CPU kernels do. Those on the device are not, since
that would stop the program: gathering out of range gives zeros and scattering there does nothing, as on
TensorFlow's GPU kernels; ``x[i]`` takes the nearest valid position.
"""

import functools
import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax import convert
from tapejax.convert import to_tensor
from tapejax.engine import stream
from tapejax.engine.aval import scalar_kind
from tapejax.engine.op import Op, Static, static
from tapejax.ops.array import check_axis, host_value, invalid, new_dims, reshape, static_ints
from tapejax.ops.registry import Array, Same, Shape, op, public
from tapejax.tensor import Tensor, from_value

__all__ = ["boolean_mask", "gather", "gather_nd", "getitem", "scatter_nd", "slice_", "strided_slice",
           "tensor_scatter_nd_add", "tensor_scatter_nd_sub", "tensor_scatter_nd_update", "where"]

_INT32 = scalar_kind(np.dtype(np.int32))
_INT64 = scalar_kind(np.dtype(np.int64))
_ON_HOST = 64  # elements: integer tensors up to this size are indexed on the host, without a program


# x[...]. A spec has one entry per axis of `x`, and "new" where an axis is added:
#   ("all",)                     the whole axis
#   ("at",)                      one position, the next input; the axis goes away
#   ("part", low, size, step)    `size` elements; `low` is the least position among them, None if the next input


def _getitem(x: Any, *positions: Any, spec: tuple) -> Any:
    given = iter(positions)
    lows, spans, steps, shape = [], [], [], []
    for kind, *rest in spec:
        if kind == "new":
            shape.append(1)
            continue
        size = x.shape[len(lows)]
        if kind == "all":
            low, span, step = 0, size, 1
            shape.append(size)
        elif kind == "at":
            low = next(given)
            low = jnp.where(low < 0, low + size, low)
            span, step = 1, 1
        else:
            low, count, step = rest
            low = next(given) if low is None else low
            span = (count - 1) * abs(step) + 1 if count else 0
            shape.append(count)
        lows.append(low)
        spans.append(span)
        steps.append(step)
    if not x.ndim:
        return jnp.reshape(x, shape)
    if positions:
        wide = any(p.dtype.itemsize > 4 for p in positions)
        x = lax.dynamic_slice(x, [jnp.asarray(v, jnp.int64 if wide else jnp.int32) for v in lows], spans)
    else:
        x = lax.slice(x, lows, [a + b for a, b in zip(lows, spans, strict=True)])
    if any(s != 1 for s in steps):
        x = x[tuple(slice(None, None, s) for s in steps)]
    return jnp.reshape(x, shape)


_GETITEM = Op("strided_slice", _getitem)


@functools.lru_cache(4096)
def _static_spec(spec: tuple) -> Static:
    return static(spec=spec)


def _position(value: Any) -> Any:
    """An index as an int, or as a scalar integer tensor whose value is on the device.

    Raises:
      TypeError: it is neither.
    """
    if type(value) is int:
        return value
    if isinstance(value, Tensor) or type(value) in convert._converters or isinstance(value, jax.Array):
        t = to_tensor(value)
        if t.aval.shape == () and t.aval.dtype.kind in "iu":
            host = host_value(t)
            return t if host is None else int(host)
    elif not isinstance(value, (bool, np.bool_)):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise TypeError("Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar tf.int32/tf.int64 "
                    f"tensors are valid indices, got {value!r}")


def _bound(value: Any) -> int | None:
    if value is None or type(value) is int:
        return value
    at = _position(value)
    return at if type(at) is int else int(np.asarray(stream.realize(at)))


def _is_mask(key: Any) -> bool:
    return isinstance(key, (bool, np.bool_)) or (
        not isinstance(key, (tuple, list)) and getattr(key, "dtype", None) in (np.bool_, "bool"))


def getitem(x: Any, key: Any, name: str | None = None) -> Tensor:
    """``x[key]``.

    Args:
      x: a tensor.
      key: an int, slice, ``...``, None, scalar integer tensor, or a tuple of them; or a boolean mask. Positions
        of the elements are inputs of the program. Bounds of slices must be known, so tensors there are read.

    Raises:
      InvalidArgumentError: an index that is known to be out of range, a step of 0, too many indices.
      TypeError: another kind of key.

    Source: https://www.tensorflow.org/api_docs/python/tf/Tensor#__getitem__

    >>> getitem([[1, 2], [3, 4]], (slice(None), 1)).numpy().tolist()
    [2, 4]
    """
    t = x if type(x) is Tensor else to_tensor(x)
    if _is_mask(key):
        return boolean_mask(t, key)
    keys = tuple(key) if isinstance(key, (tuple, list)) else (key,)
    shape = t.aval.shape
    spec, positions = [], []
    plain: list[Any] = []  # the key for NumPy
    axis = 0
    taken = sum(k is not None and k is not Ellipsis for k in keys)
    if sum(k is Ellipsis for k in keys) > 1:
        raise invalid("Multiple ellipses in slice spec not allowed")
    if taken > len(shape):
        raise invalid(f"Index out of range using input dim {len(shape)}; input has only {len(shape)} dims")
    for k in keys:
        if k is None:
            spec.append(("new",))
        elif k is Ellipsis:
            spec += [("all",)] * (len(shape) - taken)
            axis += len(shape) - taken
        elif isinstance(k, slice):
            k = slice(_bound(k.start), _bound(k.stop), _bound(k.step))
            spec.append(_part(k, shape[axis], axis, positions))
            axis += 1
        else:
            at = k = _position(k)
            size = shape[axis]
            if type(at) is int:
                if not -size <= at < size:
                    raise invalid(f"slice index {at} of dimension {axis} out of bounds.")
                at = (at % size, _INT32 if size <= 2**31 else _INT64)
            spec.append(("at",))
            positions.append(at)
            axis += 1
        plain.append(k)
    host = host_value(t)
    if host is not None and (host.dtype == object or (host.dtype.kind in "iub" and host.size <= _ON_HOST)):
        if host.dtype == object:
            plain = [_bound(k) if isinstance(k, Tensor) else k for k in plain]
        if not any(isinstance(k, Tensor) for k in plain):
            return from_value(host[tuple(plain) if Ellipsis in plain else (*plain, ...)])
    spec += [("all",)] * (len(shape) - axis)
    return stream.record(_GETITEM, _static_spec(tuple(spec)), (t, *positions))


def _part(k: slice, size: int, axis: int, positions: list[Any]) -> tuple:
    """The spec entry of a slice of an axis of this size."""
    if k.step == 0:
        raise invalid(f"strides[{axis}] must be non-zero")
    start, stop, step = k.indices(size)
    count = len(range(start, stop, step))
    if count == 0:
        return ("part", 0, 0, 1)
    if count == size and step == 1:
        return ("all",)
    low = start if step > 0 else start + (count - 1) * step
    if k.start is None:
        return ("part", low, count, step)
    positions.append((low, _INT32 if size <= 2**31 else _INT64))
    return ("part", None, count, step)


@public("slice")
def slice_(input_: Any, begin: Any, size: Any, name: str | None = None) -> Tensor:
    """The block that starts at `begin` and has shape `size`; a size of -1 reaches to the end.

    Source: https://www.tensorflow.org/api_docs/python/tf/slice

    >>> slice_([1, 2, 3], [1], [-1]).numpy().tolist()
    [2, 3]
    """
    t = to_tensor(input_)
    starts, sizes = static_ints(begin, "`begin`"), static_ints(size, "`size`")
    if not starts.shape == sizes.shape == (t.ndim,):
        raise invalid(f"Expected begin and size arguments to be 1-D tensors of size {t.ndim}, but got shapes "
                      f"{list(starts.shape)} and {list(sizes.shape)} instead.")
    keys = []
    for i, (a, n, most) in enumerate(zip(starts.tolist(), sizes.tolist(), t.aval.shape, strict=True)):
        if not 0 <= a <= most:
            raise invalid(f"Expected begin[{i}] in [0, {most}], but got {a}")
        n = most - a if n == -1 else n
        if not 0 <= n <= most - a:
            raise invalid(f"Expected size[{i}] in [0, {most - a}], but got {n}")
        keys.append(slice(a, a + n))
    return getitem(t, tuple(keys))


@public("strided_slice")
def strided_slice(input_: Any, begin: Any, end: Any, strides: Any = None, begin_mask: int = 0, end_mask: int = 0,
                  ellipsis_mask: int = 0, new_axis_mask: int = 0, shrink_axis_mask: int = 0, var: Any = None,
                  name: str | None = None) -> Tensor:
    """``x[...]`` spelled with arrays and bit masks: bit i of a mask says what entry i of `begin` means.

    Args:
      input_: a tensor.
      begin: starts; with `end` and `strides` (1 by default) one slice per entry.
      end: ends, exclusive.
      strides: steps.
      begin_mask: entries whose start is left out.
      end_mask: entries whose end is left out.
      ellipsis_mask: the entry that is an ellipsis.
      new_axis_mask: entries that add an axis.
      shrink_axis_mask: entries that are single positions.
      var: must be None: assigning to a slice of a variable is `tf.Variable.scatter_nd_update`.

    Source: https://www.tensorflow.org/api_docs/python/tf/strided_slice

    >>> strided_slice([1, 2, 3, 4], [0], [4], [2]).numpy().tolist()
    [1, 3]
    """
    if var is not None:
        raise ValueError("`var` is not supported: assign to a variable with its own methods")
    starts, ends = static_ints(begin, "`begin`").tolist(), static_ints(end, "`end`").tolist()
    steps = [1] * len(starts) if strides is None else static_ints(strides, "`strides`").tolist()
    keys: list[Any] = []
    for i, (a, b, s) in enumerate(zip(starts, ends, steps, strict=True)):
        bit = 1 << i
        if ellipsis_mask & bit:
            keys.append(Ellipsis)
        elif new_axis_mask & bit:
            keys.append(None)
        elif shrink_axis_mask & bit:
            keys.append(a)
        else:
            keys.append(slice(None if begin_mask & bit else a, None if end_mask & bit else b, s))
    return getitem(input_, tuple(keys))


# Gathering.


def _integers(indices: Any) -> None:
    if indices.dtype.kind != "i":
        raise invalid(f"indices must be int16, int32 or int64, got {indices.dtype}")


def _checked(indices: Tensor, limits: Any, what: str) -> None:
    """InvalidArgumentError if a position known on the host is out of range."""
    host = host_value(indices)
    if host is None or host.dtype.kind not in "iu" or not host.size:
        return
    bad = (host < 0) | (host >= np.asarray(limits))
    if bad.any():
        where_ = np.argwhere(bad)[0].tolist()
        raise invalid(f"indices{where_} = {host[tuple(where_)]} {what} {limits}")


def _take_on_host(params: Any, indices: Any, axis: int, batch_dims: int) -> Any:
    if batch_dims:
        pairs = zip(params, indices, strict=True)
        return np.stack([_take_on_host(p, i, axis - 1, batch_dims - 1) for p, i in pairs])
    return np.take(params, indices, axis)


@op(host=_take_on_host)
def _gather(params: Array, indices: Array, axis: int, batch_dims: int):
    _integers(indices)

    def take(p: Any, i: Any) -> Any:
        at = p.at[(slice(None),) * (axis - batch_dims) + (i,)]
        return at.get(mode="fill", fill_value=p.dtype.type(0), wrap_negative_indices=False)

    for _ in range(batch_dims):
        take = jax.vmap(take)
    return take(params, indices)


@public("gather")
def gather(params: Any, indices: Any, validate_indices: Any = None, axis: Any = None, batch_dims: int = 0,
           name: str | None = None) -> Tensor:
    """The slices of `params` at `indices` along an axis.

    Args:
      params: of shape (.., n, ..).
      indices: integers in [0, n), of any shape, which takes the place of the axis. On the host they are checked;
        on the device, those out of range give zeros, as on TensorFlow's GPU.
      validate_indices: of no effect, as in TensorFlow.
      axis: the axis, by default `batch_dims`.
      batch_dims: how many leading axes of `params` and `indices` go together.

    Source: https://www.tensorflow.org/api_docs/python/tf/gather

    >>> gather([10, 20, 30], [2, 0]).numpy().tolist()
    [30, 10]
    """
    p, i = to_tensor(params), to_tensor(indices)
    if not p.aval.shape:
        raise invalid("params must be at least 1 dimensional")
    if not -i.ndim <= batch_dims <= i.ndim:
        raise invalid(f"`batch_dims` must be in [{-i.ndim}, {i.ndim}], got {batch_dims}")
    axis = check_axis(batch_dims if axis is None else int(axis), p.ndim, "gather")
    batch_dims += i.ndim if batch_dims < 0 else 0
    if batch_dims > axis:
        raise invalid(f"`batch_dims` must be at most `axis`, got {batch_dims} and {axis}")
    if p.aval.shape[:batch_dims] != i.aval.shape[:batch_dims]:
        raise invalid(f"params.shape {p.shape} and indices.shape {i.shape} must agree in the {batch_dims} batch axes")
    _checked(i, p.aval.shape[axis], "is not in [0, n) for n =")
    return _gather(p, i, axis, batch_dims)


gather.op = _gather.op  # type: ignore[attr-defined]  # tapes make IndexedSlices of its gradient


def _at(x: Any, indices: Any) -> Any:
    return x.at[tuple(indices[..., k] for k in range(indices.shape[-1]))]


def _depth(shape: tuple[int, ...], indices: Any) -> int:
    _integers(indices)
    if not indices.ndim or indices.shape[-1] > len(shape):
        raise invalid(f"index innermost dimension length must be <= params rank; saw: {indices.shape} vs. {shape}")
    return indices.shape[-1]


@op()
def _gather_nd(params: Array, indices: Array, batch_dims: int):
    def take(p: Any, i: Any) -> Any:
        if not i.shape[-1]:
            return jnp.broadcast_to(p, i.shape[:-1] + p.shape)
        return _at(p, i).get(mode="fill", fill_value=p.dtype.type(0), wrap_negative_indices=False)

    _depth(params.shape[batch_dims:], indices)
    for _ in range(batch_dims):
        take = jax.vmap(take)
    return take(params, indices)


@public("gather_nd")
def gather_nd(params: Any, indices: Any, batch_dims: int = 0, name: str | None = None,
              bad_indices_policy: str = "") -> Tensor:
    """The elements or slices of `params` at the positions in the last axis of `indices`.

    Args:
      params: a tensor.
      indices: integers of shape (.., d): each row names an element (or slice) by its first d coordinates. Out of
        range: as for `gather`.
      batch_dims: how many leading axes of `params` and `indices` go together.
      name: of no effect.
      bad_indices_policy: "" (by device, as above), "ERROR" (only where the indices are on the host) or "IGNORE"
        (zeros everywhere).

    Source: https://www.tensorflow.org/api_docs/python/tf/gather_nd

    >>> gather_nd([[1, 2], [3, 4]], [[0, 1], [1, 0]]).numpy().tolist()
    [2, 3]
    """
    p, i = to_tensor(params), to_tensor(indices)
    if bad_indices_policy not in ("", "DEFAULT", "ERROR", "IGNORE"):
        raise invalid(f"`bad_indices_policy` must be DEFAULT, ERROR or IGNORE, got {bad_indices_policy!r}")
    if i.ndim and i.aval.shape[-1] <= p.ndim - batch_dims and bad_indices_policy != "IGNORE":
        _checked(i, p.aval.shape[batch_dims:batch_dims + i.aval.shape[-1]], "does not index into param shape")
    return _gather_nd(p, i, batch_dims)


# Choosing.


@op()
def _where(condition: Array, x: Same, y: Same):
    if condition.dtype != bool:
        raise invalid(f"cannot compute SelectV2 as input #0(zero-based) was expected to be a bool tensor but is a "
                      f"{condition.dtype} tensor")
    if x.dtype != y.dtype:
        raise invalid(f"cannot compute SelectV2 as input #2(zero-based) was expected to be a {x.dtype} tensor but is "
                      f"a {y.dtype} tensor")
    return jnp.where(condition, x, y)


@public("where")
def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """`x` where `condition` holds and `y` elsewhere; with `condition` alone, where it holds.

    Args:
      condition: booleans that broadcast with `x` and `y`. Alone it may be of any dtype (not zero counts as true).
      x: values; give both or neither.
      y: values.

    Returns:
      A tensor of the broadcast shape; or int64 of shape (count, rank), one row of coordinates for each true
      element. The second form needs the value, so it runs what is pending.

    Source: https://www.tensorflow.org/api_docs/python/tf/where

    >>> where([True, False], [1, 2], 0).numpy().tolist()
    [1, 0]
    >>> where([False, True]).numpy().tolist()
    [[1]]
    """
    if (x is None) != (y is None):
        raise ValueError("x and y must both be non-None or both be None.")
    if x is None:
        return from_value(np.argwhere(np.asarray(stream.realize(to_tensor(condition)))).astype(np.int64))
    return _where(condition, x, y)


@public("boolean_mask")
def boolean_mask(tensor: Any, mask: Any, axis: Any = None, name: str = "boolean_mask") -> Tensor:
    """The slices of `tensor` where `mask` holds. How many depends on the mask, so its value is read.

    Args:
      tensor: of shape (.., m1, .., mk, ..).
      mask: booleans of the static shape (m1, .., mk), k >= 1.
      axis: where in `tensor` the mask's shape begins; 0 by default.

    Raises:
      ValueError: a scalar mask, or one whose shape does not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/boolean_mask

    >>> boolean_mask([1, 2, 3], [True, False, True]).numpy().tolist()
    [1, 3]
    """
    t = to_tensor(tensor)
    chosen = np.asarray(stream.realize(to_tensor(mask)) if not isinstance(mask, np.ndarray) else mask)
    if chosen.ndim == 0:
        raise ValueError("mask cannot be scalar.")
    start = 0 if axis is None else int(axis)
    start += t.ndim if start < 0 else 0
    shape = t.aval.shape
    if shape[start:start + chosen.ndim] != chosen.shape:
        raise ValueError(f"Shapes {shape[start:start + chosen.ndim]} and {chosen.shape} are incompatible")
    if chosen.ndim > 1:
        t = reshape(t, (*shape[:start], chosen.size, *shape[start + chosen.ndim:]))
    return _gather(t, from_value(np.flatnonzero(chosen).astype(np.int32)), start, 0)


# Scattering.


@jax.custom_jvp
def _scatter_set(x: Any, indices: Any, updates: Any) -> Any:
    return _at(x, indices).set(updates, mode="drop", wrap_negative_indices=False)


@_scatter_set.defjvp
def _scatter_set_jvp(primals: Any, tangents: Any) -> Any:
    # TensorFlow's rule: with a position given twice, both updates get the gradient, though only one is seen.
    x, indices, updates = primals
    dx, _, du = tangents
    mask = _at(jnp.ones(x.shape, bool), indices).set(False, mode="drop", wrap_negative_indices=False)
    kept = jnp.where(mask, dx, jnp.zeros((), dx.dtype))
    return (_scatter_set(x, indices, updates),
            _at(kept, indices).add(du, mode="drop", wrap_negative_indices=False))


@op()
def _scatter(tensor: Same, indices: Array, updates: Same, how: str):
    if tensor.dtype != updates.dtype:
        raise invalid(f"updates must be of dtype {tensor.dtype}, got {updates.dtype}")
    depth = _depth(tensor.shape, indices)
    if indices.ndim < 2:
        raise invalid(f"indices must have at least 2 axes, got shape {indices.shape}")
    if updates.shape != indices.shape[:-1] + tensor.shape[depth:]:
        raise invalid(f"Inner dimensions of output shape must match inner dimensions of updates shape. Output: "
                      f"{tensor.shape} updates: {updates.shape} indices: {indices.shape}")
    if how == "set":
        return _scatter_set(tensor, indices, updates)
    return getattr(_at(tensor, indices), how)(updates, mode="drop", wrap_negative_indices=False)


def _scattered(tensor: Any, indices: Any, updates: Any, how: str) -> Tensor:
    t, i = to_tensor(tensor), to_tensor(indices)
    if i.ndim and i.aval.shape[-1] <= t.ndim:
        _checked(i, t.aval.shape[:i.aval.shape[-1]], "does not index into shape")
    return _scatter(t, i, updates, how)


@public("tensor_scatter_nd_update")
def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any, name: str | None = None,
                             bad_indices_policy: str = "") -> Tensor:
    """A copy of `tensor` with `updates` at `indices`.

    Args:
      tensor: of shape (n1, .., nr).
      indices: integers of shape (.., d): positions by their first d coordinates.
      updates: of shape (.., n(d+1), .., nr) and the tensor's dtype.
      name: of no effect.
      bad_indices_policy: "" or "DEFAULT": positions out of range are an error if known on the host, and dropped if not.

    Source: https://www.tensorflow.org/api_docs/python/tf/tensor_scatter_nd_update

    >>> tensor_scatter_nd_update([1, 2, 3], [[1]], [9]).numpy().tolist()
    [1, 9, 3]
    """
    if bad_indices_policy not in ("", "DEFAULT"):
        raise invalid(f"`bad_indices_policy` {bad_indices_policy!r} is not supported, only DEFAULT")
    return _scattered(tensor, indices, updates, "set")


@public("tensor_scatter_nd_add")
def tensor_scatter_nd_add(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """A copy of `tensor` with `updates` added at `indices`; a position given twice gets both.

    Source: https://www.tensorflow.org/api_docs/python/tf/tensor_scatter_nd_add

    >>> tensor_scatter_nd_add([1, 2, 3], [[1], [1]], [10, 20]).numpy().tolist()
    [1, 32, 3]
    """
    return _scattered(tensor, indices, updates, "add")


@public("tensor_scatter_nd_sub")
def tensor_scatter_nd_sub(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """A copy of `tensor` with `updates` subtracted at `indices`; a position given twice loses both.

    Source: https://www.tensorflow.org/api_docs/python/tf/tensor_scatter_nd_sub

    >>> tensor_scatter_nd_sub([1, 2, 3], [[1], [1]], [10, 20]).numpy().tolist()
    [1, -28, 3]
    """
    return _scattered(tensor, indices, updates, "subtract")


@op()
def _scatter_nd(indices: Array, updates: Array, shape: Shape):
    depth = _depth(shape, indices)
    if updates.shape != indices.shape[:-1] + tuple(shape[depth:]):
        raise invalid(f"Shapes do not fit: indices {indices.shape}, updates {updates.shape}, shape {shape}")
    return _at(jnp.zeros(shape, updates.dtype), indices).add(updates, mode="drop", wrap_negative_indices=False)


@public("scatter_nd")
def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Tensor:
    """Zeros of `shape` with `updates` added at `indices`.

    Source: https://www.tensorflow.org/api_docs/python/tf/scatter_nd

    >>> scatter_nd([[1], [1]], [1, 2], [3]).numpy().tolist()
    [0, 3, 0]
    """
    i, new = to_tensor(indices), new_dims(shape)
    if i.ndim and i.aval.shape[-1] <= len(new):
        _checked(i, new[:i.aval.shape[-1]], "does not index into shape")
    return _scatter_nd(i, updates, new)
