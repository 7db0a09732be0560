"""Indexing: ``x[...]``, `slice` and `strided_slice`.

Where a part starts is an input of the compiled program. Its size is a constant of the program. So ``x[i]`` and
``x[i * b:(i + 1) * b]`` in a loop are compiled once. Positions whose values are on the host are checked, as in
TensorFlow's CPU kernels. Positions that are pending or on a device are not, since reading them would stop the program:
there, ``x[i]`` takes the nearest valid position.
"""

import functools
import operator
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core import convert
from tapejax._src.core.checks import invalid, invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream
from tapejax._src.engine.aval import scalar_kind
from tapejax._src.engine.op import Op, Static, static
from tapejax._src.ops.array.gathering import boolean_mask
from tapejax._src.ops.array.layout import host_value, static_ints

__all__ = ["getitem", "slice_", "strided_slice"]

_INT32 = scalar_kind(np.dtype(np.int32))
_INT64 = scalar_kind(np.dtype(np.int64))
_ON_HOST = 64  # elements: integer tensors on the host up to this size are indexed there, without a program


# The static argument `spec` of the op describes the key of x[key]. It has one entry for each axis of `x`, and one for
# each new axis:
#   ("new",)                     a new axis of size 1
#   ("all",)                     the whole axis
#   ("at", signed)               one position, which is the next input. The axis is removed. If `signed` is true, the
#                                position may be negative
#   ("part", low, size, step)    `size` elements, of which `low` is the lowest position. If it is None, the position is
#                                the next input


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
            low, span, step = next(given), 1, 1
            if rest[0]:
                low = jnp.where(low < 0, low + size, low)
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
        starts = [jnp.asarray(v, jnp.int64 if wide else jnp.int32) for v in lows]
        # Without tests for negative positions, which are costly in long unrolled loops.
        x = lax.dynamic_slice(x, starts, spans, allow_negative_indices=False)
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
    """An index as an int, or as a scalar integer tensor if its value is pending or on a device.

    Raises:
      TypeError: `value` is not an integer.
    """
    if type(value) is int:
        return value
    if isinstance(value, Tensor) or convert.is_tensor_like(value):
        t = to_tensor(value)
        if t.aval.shape == () and t.aval.dtype.kind in "iu":
            host = host_value(t)
            return t if host is None else int(host)
    elif not isinstance(value, (bool, np.bool_)):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise TypeError(
        "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar tf.int32/tf.int64 "
        f"tensors are valid indices, got {value!r}"
    )


def _bound(value: Any) -> int | None:
    if value is None or type(value) is int:
        return value
    at = _position(value)
    return at if type(at) is int else int(stream.host(at))


def _is_mask(key: Any) -> bool:
    return isinstance(key, (bool, np.bool_)) or (
        not isinstance(key, (tuple, list)) and getattr(key, "dtype", None) in (np.bool_, "bool")
    )


def getitem(x: Any, key: Any, name: str | None = None) -> Tensor:
    """The part ``x[key]`` of a tensor.

    Args:
      x: a tensor.
      key: an int, a slice, ``...``, None, a scalar integer tensor, or a tuple of them; or a boolean mask. A tensor as
        an index is not read. A tensor as a bound of a slice is read, since the size depends on it.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: an index whose value is known is out of range, a step is 0, or there are too many indices.
      TypeError: `key` contains something else.

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
    plain: list[Any] = []  # the key as NumPy takes it
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
            spec.append(("at", type(at) is not int))
            if type(at) is int:
                if not -size <= at < size:
                    raise invalid(f"slice index {at} of dimension {axis} out of bounds.")
                at = (at % size, _INT32 if size <= 2**31 else _INT64)
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
    """The entry of the spec for the slice `k` of an axis of length `size`. Appends its start to `positions`."""
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
    """The block of a tensor that starts at `begin` and has the shape `size`.

    Args:
      input_: a tensor.
      begin: the start along each axis, a vector of integers, which is read.
      size: the number of elements along each axis, a vector of integers, which is read. -1 means all up to the end.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the vectors do not have one entry for each axis, or the block is not inside the tensor.

    Source: https://www.tensorflow.org/api_docs/python/tf/slice

    >>> slice_([1, 2, 3], [1], [-1]).numpy().tolist()
    [2, 3]
    """
    t = to_tensor(input_)
    starts, sizes = static_ints(begin, "`begin`"), static_ints(size, "`size`")
    if not starts.shape == sizes.shape == (t.ndim,):
        raise invalid(
            f"Expected begin and size arguments to be 1-D tensors of size {t.ndim}, but got shapes "
            f"{list(starts.shape)} and {list(sizes.shape)} instead."
        )
    keys = []
    for i, (a, n, most) in enumerate(zip(starts.tolist(), sizes.tolist(), t.aval.shape, strict=True)):
        if not 0 <= a <= most:
            raise invalid_value(f"Expected begin[{i}] in [0, {most}], but got {a}")
        n = most - a if n == -1 else n
        if not 0 <= n <= most - a:
            raise invalid_value(f"Expected size[{i}] in [0, {most - a}], but got {n}")
        keys.append(slice(a, a + n))
    return getitem(t, tuple(keys))


@public("strided_slice")
def strided_slice(
    input_: Any,
    begin: Any,
    end: Any,
    strides: Any = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
    var: Any = None,
    name: str | None = None,
) -> Tensor:
    """The function form of ``x[...]``. Vectors hold the slices, and bit i of each mask changes the meaning of entry i.

    Args:
      input_: a tensor.
      begin: the start of each slice, a vector of integers. All three vectors are read.
      end: the end of each slice, exclusive.
      strides: the step of each slice, 1 by default.
      begin_mask: bits of the entries that start at the beginning of the axis, whatever `begin` says.
      end_mask: bits of the entries that reach to the end of the axis, whatever `end` says.
      ellipsis_mask: the bit of the entry that stands for ``...``.
      new_axis_mask: bits of the entries that insert a new axis.
      shrink_axis_mask: bits of the entries that take the single position `begin` and remove the axis.
      var: must be None. To assign to part of a variable, use `tf.Variable.scatter_nd_update`.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: a position is out of range, or a step is 0.
      ValueError: `var` is given, or the vectors differ in length.

    Source: https://www.tensorflow.org/api_docs/python/tf/strided_slice

    >>> strided_slice([1, 2, 3, 4], [0], [4], [2]).numpy().tolist()
    [1, 3]
    """
    if var is not None:
        raise ValueError("`var` must be None: to assign to part of a variable, call its method `scatter_nd_update`")
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
