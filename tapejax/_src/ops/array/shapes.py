"""Ops that return shapes and sizes. Shapes are always known, so the results are host values, which cost no program."""

from typing import Any

import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.shape import TensorShape, broadcast_static_shape
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.ops.array.layout import identity, static_ints

__all__ = ["broadcast_dynamic_shape", "counts", "ensure_shape", "rank", "shape", "shape_n", "size"]


def counts(values: Any, out_type: Any = None) -> Tensor:
    """An integer tensor of known numbers, such as a shape.

    Args:
      values: an int or a sequence of ints.
      out_type: the `DType`, int32 by default.
    """
    return from_value(np.array(values, dtypes.to_numpy(out_type or dtypes.int32)))


@public("shape", composites=True)
def shape(input: Any, out_type: Any = None, name: str | None = None) -> Tensor:
    """The shape of a tensor as a vector of integers. Its value is on the host, so reading it runs no program.

    Args:
      input: a tensor.
      out_type: `tf.int32` (the default) or `tf.int64`.
      name: has no effect, as in eager TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/shape

    >>> shape([[1, 2, 3]]).numpy().tolist()
    [1, 3]
    """
    return counts(to_tensor(input).aval.shape, out_type)


@public("shape_n")
def shape_n(input: Any, out_type: Any = None, name: str | None = None) -> list[Tensor]:
    """The shapes of the tensors in a list, as a list of integer vectors. See `shape`.

    Source: https://www.tensorflow.org/api_docs/python/tf/shape_n

    >>> shape_n([1.0, [2.0]])[1].numpy().tolist()
    [1]
    """
    return [shape(t, out_type) for t in input]


@public("size", composites=True)
def size(input: Any, out_type: Any = None, name: str | None = None) -> Tensor:
    """The number of elements of a tensor, as an integer scalar on the host.

    Args:
      input: a tensor.
      out_type: the integer `DType` of the result, int32 by default.
      name: has no effect, as in eager TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/size

    >>> int(size([[1, 2, 3]]))
    3
    """
    return counts(np.prod(to_tensor(input).aval.shape, dtype=np.int64), out_type)


@public("rank", composites=True)
def rank(input: Any, name: str | None = None) -> Tensor:
    """The number of axes of a tensor, as an int32 scalar on the host.

    Source: https://www.tensorflow.org/api_docs/python/tf/rank

    >>> int(rank([[1, 2, 3]]))
    2
    """
    return counts(len(to_tensor(input).aval.shape))


@public("broadcast_dynamic_shape")
def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Tensor:
    """The shape to which two shapes broadcast.

    Args:
      shape_x: a vector of integers. It is read.
      shape_y: a vector of integers. It is read.

    Returns:
      A vector of the dtype of `shape_x`.

    Raises:
      InvalidArgumentError: the shapes do not broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/broadcast_dynamic_shape

    >>> broadcast_dynamic_shape([3, 1], [4]).numpy().tolist()
    [3, 4]
    """
    x, y = to_tensor(shape_x), to_tensor(shape_y)
    try:
        dims = broadcast_static_shape(
            TensorShape(static_ints(x, "shape_x").tolist()), TensorShape(static_ints(y, "shape_y").tolist())
        )
    except ValueError as e:
        raise invalid(str(e)) from None
    return from_value(np.array(dims.as_list(), x.aval.dtype))


@public("ensure_shape")
def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Tensor:
    """Checks the shape of a tensor and returns the tensor unchanged.

    Args:
      x: a tensor.
      shape: the expected shape: a list or a `TensorShape`, in which None stands for any size.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the shape of `x` does not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/ensure_shape

    >>> ensure_shape([[1, 2]], [None, 2]).shape
    TensorShape([1, 2])
    """
    t = to_tensor(x)
    if not t.shape.is_compatible_with(TensorShape(shape)):
        raise invalid(f"Shape of tensor input {t.shape} is not compatible with expected shape {TensorShape(shape)}.")
    return identity(t)
