"""Ops that distribute the elements of a tensor and merge them again, reverse sequences, or reinterpret bits.

Some small functions of TensorFlow's top level are here too: `timestamp`, `tuple`, `guarantee_const`, `inside_function`.
"""

import math
import time
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid, invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value, is_symbolic
from tapejax._src.core.texts import objects
from tapejax._src.engine import stream
from tapejax._src.ops.array.gathering import check_positions, gather
from tapejax._src.ops.array.layout import host_value, identity
from tapejax._src.ops.registry import Array, Arrays, DType, op

__all__ = ["bitcast", "dynamic_partition", "dynamic_stitch", "guarantee_const", "inside_function",
           "is_symbolic_tensor", "reverse_sequence", "timestamp", "tuple_"]  # fmt: skip


@public("dynamic_partition")
def dynamic_partition(data: Any, partitions: Any, num_partitions: int, name: str | None = None) -> list[Tensor]:
    """Distributes the elements of a tensor over several tensors.

    Args:
      data: a tensor whose shape begins with that of `partitions`.
      partitions: int32: for each element (or slice) of `data` the number of the tensor to which it goes. They are read,
        since the sizes of the results depend on them.
      num_partitions: the number of tensors, at least 1.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A list of `num_partitions` tensors, in each of which the elements keep their order.

    Raises:
      InvalidArgumentError: a number is not in [0, num_partitions), or the shapes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/dynamic_partition

    >>> [t.numpy().tolist() for t in dynamic_partition([1, 2, 3], [0, 1, 0], 2)]
    [[1, 3], [2]]
    """
    if num_partitions < 1:
        raise invalid(f"Value for attr 'num_partitions' of {num_partitions} must be at least minimum 1")
    t, numbers = to_tensor(data), to_tensor(partitions, None, np.dtype(np.int32))
    if numbers.aval.dtype != np.int32:
        raise (TypeError if not isinstance(partitions, Tensor) else invalid)(
            f"Cannot convert {partitions!r} to EagerTensor of dtype int32"
        )
    values = stream.host(numbers)
    if t.aval.shape[: values.ndim] != values.shape:
        raise invalid(
            f"data.shape must start with partitions.shape, got data.shape = {list(t.aval.shape)}, "
            f"partitions.shape = {list(values.shape)}"
        )
    bad = (values < 0) | (values >= num_partitions)
    if bad.any():
        at = np.argwhere(bad)[0].tolist()
        raise invalid_value(f"partitions{at} = {values[tuple(at)]} is not in [0, {num_partitions})")
    flat = values.ravel()
    host = host_value(t)
    if host is not None and host.dtype == object:
        rows = host.reshape(flat.size, *host.shape[values.ndim :])
        return [objects(rows[flat == i].ravel().tolist(), rows[flat == i].shape) for i in range(num_partitions)]
    rows = _flat_rows(t, values.ndim)
    return [gather(rows, np.flatnonzero(flat == i).astype(np.int32), axis=0) for i in range(num_partitions)]


@op(strings=True)
def _flat_rows(data: Array, axes: int):
    return data.reshape(math.prod(data.shape[:axes]), *data.shape[axes:])


def _put(rows: Any, places: tuple[int, ...], size: int) -> Any:
    # If several rows go to one place, only the last is kept. So only the last has a gradient. TensorFlow gives all of
    # them one.
    last = {at: i for i, at in enumerate(places)}
    out = jnp.zeros((size, *rows.shape[1:]), rows.dtype)
    return out.at[np.array(list(last), int)].set(rows[np.array(list(last.values()), int)])


@op(strings=True)
def _stitch(data: Arrays, places=(), size: int = 0):
    rest = data[0].shape[len(places[0][1]) :]
    rows = jnp.concatenate([d.reshape(math.prod(shape), *rest) for d, (_, shape) in zip(data, places, strict=True)])
    return _put(rows, tuple(at for flat, _ in places for at in flat), size)


@public("dynamic_stitch")
def dynamic_stitch(indices: Any, data: Any, name: str | None = None) -> Tensor:
    """Merges the elements of several tensors into one: ``merged[indices[m][i]] = data[m][i]``.

    Args:
      indices: a list of int32 tensors. They are read, since the largest index determines the size of the result.
      data: a list of as many tensors. The shape of each begins with that of its indices; the rest of the shapes is
        equal.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The merged tensor. If an index occurs several times, the last element is taken. Where none was put, it is 0.

    Raises:
      InvalidArgumentError: an index is negative, the shapes do not fit, or the lists are empty or differ in length.

    Source: https://www.tensorflow.org/api_docs/python/tf/dynamic_stitch

    >>> dynamic_stitch([[0, 2], [1]], [[1, 2], [3]]).numpy().tolist()
    [1, 3, 2]
    """
    if not indices or len(indices) != len(data):
        raise invalid(f"dynamic_stitch needs as many indices as data, and at least one: {len(indices)}, {len(data)}")
    found = [stream.host(to_tensor(i, None, np.dtype(np.int32))) for i in indices]
    tensors = [to_tensor(d) for d in data]
    rests = []
    for m, (i, t) in enumerate(zip(found, tensors, strict=True)):
        if t.aval.shape[: i.ndim] != i.shape:
            raise invalid(
                f"data[{m}].shape = {list(t.aval.shape)} does not start with indices[{m}].shape = {list(i.shape)}"
            )
        if i.size and i.min() < 0:
            raise invalid_value(f"indices[{m}] is out of range")
        rests.append(t.aval.shape[i.ndim :])
    if len(set(rests)) > 1:
        raise invalid(f"Need the same shapes behind those of the indices, got {rests}")
    size = max((int(i.max()) + 1 for i in found if i.size), default=0)
    return _stitch(tensors, tuple((tuple(i.ravel().tolist()), i.shape) for i in found), size)


@op(strings=True)
def _reverse_sequence(input: Array, lengths: Array, seq_axis: int, batch_axis: int):
    steps = jnp.arange(input.shape[seq_axis])
    ends = lengths[:, None]
    order = jnp.where(steps < ends, ends - 1 - steps, steps)  # (batch, steps)
    shape = [1] * input.ndim
    shape[batch_axis], shape[seq_axis] = order.shape
    order = (order if batch_axis < seq_axis else order.T).reshape(shape)
    return jnp.take_along_axis(input, jnp.broadcast_to(order, input.shape), seq_axis)


@public("reverse_sequence")
def reverse_sequence(
    input: Any, seq_lengths: Any, seq_axis: int | None = None, batch_axis: int | None = None, name: str | None = None
) -> Tensor:
    """Reverses the first ``seq_lengths[i]`` elements of each sequence i, and leaves the rest as it is.

    Args:
      input: a tensor.
      seq_lengths: int32 or int64 of shape (batch,).
      seq_axis: the axis along which the elements are reversed.
      batch_axis: the axis along which the sequences lie, 0 by default.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: an axis is out of range, or the lengths do not fit.
      TypeError: `seq_axis` is None.

    Source: https://www.tensorflow.org/api_docs/python/tf/reverse_sequence

    >>> reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 3], seq_axis=1).numpy().tolist()
    [[2, 1, 3], [6, 5, 4]]
    """
    if seq_axis is None:
        raise TypeError("Expected int for argument 'seq_dim' not None.")
    batch = 0 if batch_axis is None else int(batch_axis)
    t, lengths = to_tensor(input), to_tensor(seq_lengths)
    if lengths.aval.dtype not in (np.int32, np.int64):
        raise invalid(
            f"Value for attr 'Tlen' of {lengths.dtype.name} is not in the list of allowed values: int32, int64"
        )
    if batch == seq_axis or not 0 <= seq_axis < t.ndim or not 0 <= batch < t.ndim:
        raise invalid(f"Invalid seq_dim {seq_axis} and batch_dim {batch} for {t.ndim} axes")
    if lengths.aval.shape != t.aval.shape[batch : batch + 1]:
        raise invalid(f"Length of seq_lengths != input.dims({batch}), ({lengths.shape} vs. {t.shape[batch]})")
    check_positions(lengths, t.aval.shape[seq_axis] + 1, "must be in [0, size]: below")
    return _reverse_sequence(t, lengths, int(seq_axis), batch)


@op(differentiable=False)
def _bitcast(input: Array, type: DType):
    if "b" in (input.dtype.kind, type.kind) and input.dtype != type:
        raise invalid(f"Cannot bitcast {input.dtype} to {type}")
    old, new = input.dtype.itemsize, type.itemsize
    if new > old and (not input.ndim or input.shape[-1] * old != new):
        raise invalid(
            f"Cannot bitcast from {dtypes.from_numpy(input.dtype).name} of shape {input.shape} to "
            f"{dtypes.from_numpy(type).name}"
        )
    return lax.bitcast_convert_type(input, type)


@public("bitcast")
def bitcast(input: Any, type: Any, name: str | None = None) -> Tensor:
    """Reads the bits of a tensor as another dtype.

    Args:
      input: a tensor of numbers.
      type: a `DType` or its name. A smaller one adds a last axis, a larger one removes the last axis.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the sizes do not fit, or one of the dtypes holds strings or booleans.

    Source: https://www.tensorflow.org/api_docs/python/tf/bitcast

    >>> int(bitcast(1.0, "int32"))
    1065353216
    """
    t, wanted = to_tensor(input), dtypes.to_numpy(type)
    if "O" in (t.aval.dtype.kind, wanted.kind):
        raise invalid(f"Value for attr 'T' of {t.dtype.name} is not in the list of allowed values: numbers")
    return _bitcast(t, wanted)


@public("timestamp")
def timestamp(name: str | None = None) -> Tensor:
    """The seconds since 1970, as a float64 scalar.

    It is the time when this line runs. In a captured function that is the time of the capture.

    Source: https://www.tensorflow.org/api_docs/python/tf/timestamp

    >>> float(timestamp()) > 1.7e9
    True
    """
    return from_value(np.array(time.time()))


@public("tuple")
def tuple_(tensors: Any, control_inputs: Any = None, name: str | None = None) -> list[Any]:
    """The tensors as a list. In graphs of TensorFlow 1, this function made all of them wait for each other.

    Args:
      tensors: a list of tensors and None.
      control_inputs: must be empty.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `control_inputs` is given. Values are computed when they are needed, so there is nothing to wait for.

    Source: https://www.tensorflow.org/api_docs/python/tf/tuple

    >>> [int(t) for t in tuple_([to_tensor(1), to_tensor(2)])]
    [1, 2]
    """
    if control_inputs:
        raise ValueError("`control_inputs` must be empty: values are computed when they are needed, so none waits")
    return [None if t is None else identity(t) if isinstance(t, Tensor) else t for t in tensors]


@public("guarantee_const")
def guarantee_const(input: Any, name: str | None = None) -> Tensor:
    """The same tensor. In TensorFlow it tells the optimizer that the value is constant; here it has no further effect.

    Source: https://www.tensorflow.org/api_docs/python/tf/guarantee_const

    >>> int(guarantee_const(1))
    1
    """
    return identity(input)


@public("is_symbolic_tensor")
def is_symbolic_tensor(tensor: Any) -> bool:
    """Whether a tensor has no value because it belongs to a graph that is being captured.

    Source: https://www.tensorflow.org/api_docs/python/tf/is_symbolic_tensor

    >>> is_symbolic_tensor(to_tensor(1))
    False
    """
    return isinstance(tensor, Tensor) and is_symbolic(tensor)


@public("inside_function")
def inside_function() -> bool:
    """Whether a `tf.function` is being captured.

    Source: https://www.tensorflow.org/api_docs/python/tf/inside_function

    >>> inside_function()
    False
    """
    return bool(stream.current().symbolic)
