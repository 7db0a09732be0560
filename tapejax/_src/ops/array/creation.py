"""Ops that make tensors: zeros, ones, fill, eye, range, linspace, one_hot, meshgrid, sequence_mask."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid, invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream
from tapejax._src.engine.aval import scalar_kind
from tapejax._src.engine.op import static
from tapejax._src.ops.array.layout import check_axis, new_dims, static_ints
from tapejax._src.ops.registry import Array, DType, Same, Shape, op

__all__ = [
    "eye",
    "fill",
    "linspace",
    "meshgrid",
    "one_hot",
    "ones",
    "ones_like",
    "range_",
    "sequence_mask",
    "zeros",
    "zeros_like",
]

_HOST_RANGE = 64  # elements: integer ranges up to this size are made on the host


@op()
def _full(shape: Shape, value: int, dtype: DType):
    return jnp.full(shape, value, dtype)


def _layout(layout: Any) -> None:
    if layout is not None:
        raise ValueError("`layout` is for TensorFlow's DTensor, which JAX shardings replace; it must be None")


@public("zeros")
def zeros(shape: Any, dtype: Any = dtypes.float32, name: str | None = None, layout: Any = None) -> Tensor:
    """A tensor of zeros; for the string dtype of empty strings, for booleans of False.

    Args:
      shape: the sizes: ints, an integer tensor, or a list that mixes both. A pending tensor is computed first, since
        the shape is part of the program.
      dtype: a `DType` or its name.
      name: has no effect, as in eager TensorFlow.
      layout: must be None. It is for TensorFlow's DTensor.

    Raises:
      InvalidArgumentError: a size is negative.
      ValueError: `layout` is not None.

    Source: https://www.tensorflow.org/api_docs/python/tf/zeros

    >>> zeros([2], "int32").numpy().tolist()
    [0, 0]
    """
    _layout(layout)
    wanted = dtypes.to_numpy(dtype)
    if wanted.kind == "O":
        out = np.empty(new_dims(shape), object)
        out[...] = b""
        return from_value(out)
    return _full(new_dims(shape), 0, wanted)


@public("ones")
def ones(shape: Any, dtype: Any = dtypes.float32, name: str | None = None, layout: Any = None) -> Tensor:
    """A tensor of ones. Takes the arguments of `zeros` and raises the same errors.

    Raises:
      TypeError: `dtype` is the string dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/ones

    >>> ones([2], "int32").numpy().tolist()
    [1, 1]
    """
    _layout(layout)
    wanted = dtypes.to_numpy(dtype)
    if wanted.kind == "O":
        raise TypeError("Cannot convert 1 to EagerTensor of dtype string")
    return _full(new_dims(shape), 1, wanted)


@public("zeros_like", composites=True)
def zeros_like(input: Any, dtype: Any = None, name: str | None = None, layout: Any = None) -> Tensor:
    """Zeros with the shape of a tensor. No gradient flows to `input`.

    Args:
      input: a tensor.
      dtype: the `DType` of the result, by default that of `input`.
      name: has no effect, as in eager TensorFlow.
      layout: must be None. It is for TensorFlow's DTensor.

    Source: https://www.tensorflow.org/api_docs/python/tf/zeros_like

    >>> zeros_like([1, 2]).numpy().tolist()
    [0, 0]
    """
    t = to_tensor(input)
    return zeros(t.aval.shape, t.dtype if dtype is None else dtype, layout=layout)


@public("ones_like", composites=True)
def ones_like(input: Any, dtype: Any = None, name: str | None = None, layout: Any = None) -> Tensor:
    """Ones with the shape of a tensor. No gradient flows to `input`.

    Args:
      input: a tensor.
      dtype: the `DType` of the result, by default that of `input`.
      name: has no effect, as in eager TensorFlow.
      layout: must be None. It is for TensorFlow's DTensor.

    Source: https://www.tensorflow.org/api_docs/python/tf/ones_like

    >>> ones_like([1.5, 2.5]).numpy().tolist()
    [1.0, 1.0]
    """
    t = to_tensor(input)
    if t.aval.dtype == object and dtype is None:
        raise invalid("Value for attr 'T' of string is not in the list of allowed values")
    return ones(t.aval.shape, t.dtype if dtype is None else dtype, layout=layout)


@op(strings=True)
def _fill(value: Array, shape: Shape):
    return jnp.broadcast_to(value, shape) if value.ndim == 0 else jnp.broadcast_to(value.reshape(()), shape)


@public("fill")
def fill(dims: Any, value: Any, name: str | None = None, layout: Any = None) -> Tensor:
    """A tensor with one value in all places.

    Args:
      dims: the shape, as in `zeros`.
      value: a scalar of any dtype, or a tensor of one element.
      name: has no effect, as in eager TensorFlow.
      layout: must be None. It is for TensorFlow's DTensor.

    Raises:
      InvalidArgumentError: a size is negative, or `value` has several elements.
      ValueError: `layout` is not None.

    Source: https://www.tensorflow.org/api_docs/python/tf/fill

    >>> fill([2], 7).numpy().tolist()
    [7, 7]
    """
    _layout(layout)
    t, shape = to_tensor(value), new_dims(dims)
    if np.prod(t.aval.shape) != 1:
        raise invalid(f"value must be a scalar, got shape {t.shape}")
    if t.aval.dtype.kind == "O":
        out = np.empty(shape, object)
        out[...] = np.asarray(t._value).reshape(())[()]
        return from_value(out)
    return _fill(t, shape)


@op()
def _eye(rows: int, columns: int, batch: Shape, dtype: DType):
    return jnp.broadcast_to(jnp.eye(rows, columns, dtype=dtype), (*batch, rows, columns))


@public("eye", "linalg.eye")
def eye(
    num_rows: Any,
    num_columns: Any = None,
    batch_shape: Any = None,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """An identity matrix, or a batch of them.

    Args:
      num_rows: the number of rows, an int or a scalar tensor, which is read.
      num_columns: the number of columns, by default that of the rows.
      batch_shape: the leading axes of the result, over which the matrix is repeated. By default there are none.
      dtype: a `DType` or its name.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape (*batch_shape, num_rows, num_columns).

    Raises:
      InvalidArgumentError: a size is negative.

    Source: https://www.tensorflow.org/api_docs/python/tf/eye

    >>> eye(2).numpy().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    (rows,) = new_dims(num_rows)
    (columns,) = (rows,) if num_columns is None else new_dims(num_columns)
    return _eye(rows, columns, () if batch_shape is None else new_dims(batch_shape), dtypes.to_numpy(dtype))


@op(differentiable=False)
def _range(start: Same, delta: Same, size: int):
    steps = jnp.arange(size, dtype=start.dtype)
    return start + steps * delta


@public("range")
def range_(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range") -> Tensor:
    """The numbers ``start``, ``start + delta``, ``start + 2 * delta``, .. before `limit`. `range(n)` starts at 0.

    Args:
      start: a scalar. All three arguments are read, since the size of the result depends on them.
      limit: a scalar. If it is None, `start` is the limit.
      delta: a scalar, not 0.
      dtype: a `DType` or its name; by default the widest dtype of the arguments.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: an argument is not a scalar, `delta` is 0, or it leads away from `limit`.

    Source: https://www.tensorflow.org/api_docs/python/tf/range

    >>> range_(1, 6, 2).numpy().tolist()
    [1, 3, 5]
    """
    if limit is None:
        start, limit = 0, start
    given = [stream.host(to_tensor(v)) for v in (start, limit, delta)]
    for what, v in zip(("start", "limit", "delta"), given, strict=True):
        if v.ndim:
            raise invalid(f"{what} must be a scalar, not shape {list(v.shape)}")
    if dtype is None:
        order = [np.dtype(n) for n in ("int32", "int64", "float16", "float32", "float64")]
        kinds = [v.dtype for v in given]
        wanted = max(kinds, key=lambda d: order.index(d) if d in order else -1)
    else:
        wanted = dtypes.to_numpy(dtype)
    a, b, d = (v.astype(wanted)[()] for v in given)
    if d == 0:
        raise invalid("Requires delta != 0: 0")
    if (d > 0 and a > b) or (d < 0 and a < b):
        raise invalid(f"Requires start {'<=' if d > 0 else '>='} limit when delta {'>' if d > 0 else '<'} 0: {a}/{b}")
    if wanted.kind in "iu":
        size = len(range(int(a), int(b), int(d)))
        if size <= _HOST_RANGE:
            return from_value(np.arange(int(a), int(b), int(d)).astype(wanted))
    else:
        size = int(np.ceil(np.abs((float(b) - float(a)) / float(d))))
    kind = scalar_kind(wanted)
    return stream.record(_range.op, static(size=size), ((a.item(), kind), (d.item(), kind)))


@op()
def _linspace(start: Same, stop: Same, num: int, axis: int):
    if start.dtype != stop.dtype:
        raise invalid(f"`start` and `stop` must have one dtype, got {start.dtype} and {stop.dtype}: cast one of them")
    if start.dtype.kind in "iu":
        start, stop = start.astype(jnp.float64), stop.astype(jnp.float64)
    start, stop = jnp.broadcast_arrays(start, stop)
    at = check_axis(axis, start.ndim + 1, "linspace")
    if num == 1:
        return jnp.expand_dims(start, at)
    steps = jnp.arange(num, dtype=start.dtype).reshape((-1,) + (1,) * (start.ndim - at))
    first, last = jnp.expand_dims(start, at), jnp.expand_dims(stop, at)
    # The last number is `stop` itself, since the sum would be rounded.
    return jnp.where(steps == num - 1, last, first + steps * ((last - first) / (num - 1)))


@public("linspace")
def linspace(start: Any, stop: Any, num: Any, name: str | None = None, axis: int = 0) -> Tensor:
    """Evenly spaced numbers from `start` to `stop`, both included, along a new axis.

    Args:
      start: the first numbers, of any shape. Integers give float64.
      stop: the last numbers, of the same dtype and of a shape that broadcasts with that of `start`.
      num: how many numbers, at least 1. It is read, since the shape depends on it.
      name: has no effect, as in eager TensorFlow.
      axis: the position of the new axis in the result.

    Raises:
      InvalidArgumentError: the dtypes differ, or `axis` is out of range.

    Source: https://www.tensorflow.org/api_docs/python/tf/linspace

    >>> linspace(0.0, 1.0, 3).numpy().tolist()
    [0.0, 0.5, 1.0]
    """
    count = int(static_ints(num, "`num`"))
    return _linspace(start, stop, max(count, 0), axis)


@op(differentiable=False, strings=True)
def _one_hot(indices: Array, on_value: Array, off_value: Array, depth: int, axis: int):
    if indices.dtype not in ("uint8", "int8", "int32", "int64"):
        raise invalid(f"`indices` must be uint8, int8, int32 or int64, got {indices.dtype}")
    at = check_axis(axis, indices.ndim + 1, "one_hot", invalid_value)
    classes = jnp.arange(depth).reshape((-1,) + (1,) * (indices.ndim - at))
    return jnp.where(jnp.expand_dims(indices, at) == classes, on_value, off_value)


@public("one_hot", composites=True)
def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: Any = None,
    dtype: Any = None,
    name: str | None = None,
) -> Tensor:
    """For each index a row of `depth` values: `on_value` at the position that the index gives, `off_value` elsewhere.

    Args:
      indices: a tensor of uint8, int8, int32 or int64. An index outside [0, depth) gives a row of `off_value`.
      depth: the length of the new axis. It is read, since the shape depends on it.
      on_value: a scalar, 1 by default.
      off_value: a scalar, 0 by default.
      axis: the position of the new axis in the result; by default it is the last.
      dtype: a `DType` or its name; by default the dtype of the values, or float32 if none is given.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of the shape of `indices` with one more axis. It has no gradient.

    Raises:
      TypeError: `on_value` and `off_value` have different dtypes, or not `dtype`.
      InvalidArgumentError: `depth` is negative, `axis` is out of range, or `indices` has another dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/one_hot

    >>> one_hot([1, 0], 2).numpy().tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    wanted = None if dtype is None else dtypes.to_numpy(dtype)
    on = None if on_value is None else to_tensor(on_value, wanted)
    off = None if off_value is None else to_tensor(off_value, wanted)
    if on is not None and off is not None and on.aval.dtype != off.aval.dtype:
        raise TypeError(f"dtype {on.dtype} of on_value does not match dtype {off.dtype} of off_value")
    given = on if on is not None else off
    kind = given.aval.dtype if given is not None else wanted or np.dtype(np.float32)
    size = int(static_ints(depth, "`depth`"))
    if size < 0:
        raise invalid(f"depth must be non-negative, got: {size}")
    return _one_hot(
        indices,
        to_tensor(1, kind) if on is None else on,
        to_tensor(0, kind) if off is None else off,
        size,
        -1 if axis is None else int(axis),
    )


@op()
def _spread(x: Array, axis: int, shape: Shape):
    return jnp.broadcast_to(x.reshape((-1,) + (1,) * (len(shape) - axis - 1)), shape)


@public("meshgrid")
def meshgrid(*args: Any, **kwargs: Any) -> list[Tensor]:
    """The coordinates of the points of a grid: one tensor for each axis, all of the grid's shape.

    Args:
      *args: for each axis the positions along it, vectors of one dtype.
      **kwargs: `indexing` is "ij", or "xy" (the default), which exchanges the first two axes of the results. `name` has
        no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the dtypes differ.
      ValueError: `indexing` is neither "xy" nor "ij".
      TypeError: there is another keyword argument.

    Source: https://www.tensorflow.org/api_docs/python/tf/meshgrid

    >>> [t.numpy().tolist() for t in meshgrid([1, 2], [3])]
    [[[1, 2]], [[3, 3]]]
    """
    indexing = kwargs.pop("indexing", "xy")
    kwargs.pop("name", None)
    if kwargs:
        raise TypeError(f"meshgrid got unexpected keyword arguments {sorted(kwargs)}")
    if indexing not in ("xy", "ij"):
        raise ValueError(f"Argument `indexing` parameter must be either 'xy' or 'ij', got '{indexing}'")
    axes = [to_tensor(a) for a in args]
    if len({a.aval.dtype for a in axes}) > 1:
        raise invalid(f"cannot compute Mul: arguments of dtypes {[a.dtype.name for a in axes]}")
    order = list(range(len(axes)))
    if indexing == "xy" and len(axes) > 1:
        order[0], order[1] = 1, 0
    sizes = [int(np.prod(a.aval.shape)) for a in axes]
    shape = tuple(sizes[i] for i in order)
    return [_spread(a, order.index(i), shape) for i, a in enumerate(axes)]


@op(differentiable=False)
def _sequence_mask(lengths: Array, maxlen: int):
    return jnp.arange(maxlen, dtype=lengths.dtype) < lengths[..., None]


@public("sequence_mask")
def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = dtypes.bool, name: str | None = None) -> Tensor:
    """Rows of booleans: in row i the first ``lengths[i]`` are true, the others false.

    Args:
      lengths: an integer tensor of any shape (..).
      maxlen: the length of the rows, an int. By default it is the greatest of `lengths`, which are then read.
      dtype: the `DType` of the result, or its name. Other dtypes than bool hold ones and zeros.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape (.., maxlen). It has no gradient.

    Source: https://www.tensorflow.org/api_docs/python/tf/sequence_mask

    >>> sequence_mask([1, 2]).numpy().tolist()
    [[True, False], [True, True]]
    """
    t = to_tensor(lengths)
    if maxlen is None:
        maxlen = np.max(stream.host(t), initial=0)
    mask = _sequence_mask(t, int(maxlen))
    wanted = dtypes.to_numpy(dtype)
    return mask if wanted == np.bool_ else _as(mask, wanted)


@op(differentiable=False)
def _as(x: Array, dtype: DType):
    return x.astype(dtype)
