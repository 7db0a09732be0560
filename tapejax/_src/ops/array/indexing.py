"""Taking parts of tensors: ``x[...]``, slice, strided_slice.

Positions are inputs of the program, sizes are part of it: ``x[i]`` and ``x[i * b:(i + 1) * b]`` in a loop compile
once. Positions known on the host are checked, as TensorFlow's CPU kernels do. Those on the device are not, since
that would stop the program: ``x[i]`` takes the nearest valid position.
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
_ON_HOST = 64  # elements: integer tensors up to this size are indexed on the host, without a program


# x[...]. A spec has one entry per axis of `x`, and "new" where an axis is added:
#   ("all",)                     the whole axis
#   ("at", signed)               one position, the next input; the axis goes away. `signed`: it may count from the end
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
        x = lax.dynamic_slice(x, starts, spans, allow_negative_indices=False)  # in long unrolled loops signs cost much
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
