"""Reductions along axes, such as sums and maxima, and sums of lists of tensors."""

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core import dtypes
from tapejax._src.core.checks import final, invalid, invalid_value, is_complex, is_integer, need
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.ops.math.zero_guards import sqrt_rule
from tapejax._src.ops.registry import Array, Arrays, Axis, DType, op

__all__ = [
    "accumulate_n", "add_n", "count_nonzero", "l2_normalize", "reduce_all", "reduce_any", "reduce_euclidean_norm",
    "reduce_logsumexp", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_std", "reduce_sum",
    "reduce_variance", "zero_fraction",
]  # fmt: skip


def _axes(x: Any, axis: Any) -> tuple[int, ...]:
    """An `axis` argument as a tuple of axes of `x`, none of them negative.

    Raises:
      InvalidArgumentError: an axis is out of range or given twice.
    """
    if axis is None:
        return tuple(range(x.ndim))
    axes = []
    for a in (axis,) if isinstance(axis, int) else axis:
        if not -x.ndim <= a < x.ndim:
            raise invalid(f"Invalid reduction dimension ({a} for input with {x.ndim} dimension(s)")
        a %= x.ndim
        if a in axes:
            raise invalid_value(f"Invalid reduction arguments: Axes contains duplicate dimension: {a}")
        axes.append(a)
    return tuple(axes)


def _sum(x: Any, axis: Any, keepdims: bool, numpy: Any = jnp) -> Any:
    need("fiuc", x)
    return numpy.sum(x, axis=_axes(x, axis), dtype=x.dtype, keepdims=keepdims)


def _prod(x: Any, axis: Any, keepdims: bool, numpy: Any = jnp) -> Any:
    need("fiuc", x)
    return numpy.prod(x, axis=_axes(x, axis), dtype=x.dtype, keepdims=keepdims)


def _max(x: Any, axis: Any, keepdims: bool, numpy: Any = jnp) -> Any:
    need("fiu", x)
    # JAX and NumPy raise for an empty array. TensorFlow returns the value that the reduction starts with.
    start = {} if x.size else {"initial": np.iinfo(x.dtype).min if is_integer(x) else -np.inf}
    return numpy.max(x, axis=_axes(x, axis), keepdims=keepdims, **start)


def _min(x: Any, axis: Any, keepdims: bool, numpy: Any = jnp) -> Any:
    need("fiu", x)
    start = {} if x.size else {"initial": np.iinfo(x.dtype).max if is_integer(x) else np.inf}
    return numpy.min(x, axis=_axes(x, axis), keepdims=keepdims, **start)


@op("reduce_sum", "math.reduce_sum", host=partial(_sum, numpy=np))
def reduce_sum(input_tensor: Array, axis: Axis = None, keepdims=False, name=None):
    """The sum along axes.

    Args:
      input_tensor: a tensor of numbers.
      axis: an int, a list of ints, or None for all axes. Negative ones count from the end.
      keepdims: whether the reduced axes stay, with size 1.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of the same dtype. Integers wrap around at overflow.

    Raises:
      InvalidArgumentError: an axis is out of range or given twice, or the dtype is not allowed.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/reduce_sum

    >>> reduce_sum([[1.0, 2.0], [3.0, 4.0]], axis=0).numpy().tolist()
    [4.0, 6.0]
    """
    return _sum(input_tensor, axis, keepdims)


@op("reduce_prod", "math.reduce_prod", host=partial(_prod, numpy=np))
def reduce_prod(input_tensor: Array, axis: Axis = None, keepdims=False, name=None):
    """The product along axes, in the input's dtype. Takes the arguments of `reduce_sum` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/reduce_prod

    >>> int(reduce_prod([2, 3, 4]))
    24
    """
    return _prod(input_tensor, axis, keepdims)


@op("reduce_mean", "math.reduce_mean")
def reduce_mean(input_tensor: Array, axis: Axis = None, keepdims=False, name=None):
    """The mean along axes. The mean of integers is rounded towards zero.

    Takes the arguments of `reduce_sum` and raises the same errors. The mean of no elements is nan (0 for integers).

    Source: https://www.tensorflow.org/api_docs/python/tf/math/reduce_mean

    >>> reduce_mean([[1.0, 2.0], [3.0, 4.0]], 1).numpy().tolist()
    [1.5, 3.5]
    """
    x = input_tensor
    need("fiuc", x)
    axes = _axes(x, axis)
    if not is_integer(x):
        return jnp.mean(x, axes, keepdims=keepdims)
    wide = np.int64 if x.dtype.kind == "i" else np.uint64
    total = jnp.sum(x, axes, dtype=wide, keepdims=keepdims)
    count = max(int(np.prod([x.shape[a] for a in axes], dtype=np.int64)), 1)
    return lax.div(total, jnp.full_like(total, count)).astype(x.dtype)


@op("reduce_max", "math.reduce_max", host=partial(_max, numpy=np))
def reduce_max(input_tensor: Array, axis: Axis = None, keepdims=False, name=None):
    """The maximum along axes, for real numbers. Elements that are equal to the maximum share its gradient.

    Takes the arguments of `reduce_sum` and raises the same errors. The maximum of no elements is the dtype's lowest
    value.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/reduce_max

    >>> reduce_max([[1.0, 2.0], [3.0, 4.0]], axis=[1]).numpy().tolist()
    [2.0, 4.0]
    """
    return _max(input_tensor, axis, keepdims)


@op("reduce_min", "math.reduce_min", host=partial(_min, numpy=np))
def reduce_min(input_tensor: Array, axis: Axis = None, keepdims=False, name=None):
    """The minimum along axes, for real numbers. Elements that are equal to the minimum share its gradient.

    Takes the arguments of `reduce_sum` and raises the same errors. The minimum of no elements is the dtype's highest
    value.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/reduce_min

    >>> float(reduce_min([3.0, 1.0]))
    1.0
    """
    return _min(input_tensor, axis, keepdims)


@op("reduce_any", "math.reduce_any", differentiable=False)
def reduce_any(input_tensor: Array, axis: Axis = None, keepdims=False, name=None):
    """Whether any boolean along axes is true. Takes the arguments of `reduce_sum` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/reduce_any

    >>> bool(reduce_any([True, False]))
    True
    """
    need("b", input_tensor)
    return jnp.any(input_tensor, _axes(input_tensor, axis), keepdims=keepdims)


@op("reduce_all", "math.reduce_all", differentiable=False)
def reduce_all(input_tensor: Array, axis: Axis = None, keepdims=False, name=None):
    """Whether all booleans along axes are true. Takes the arguments of `reduce_sum` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/reduce_all

    >>> bool(reduce_all([True, False]))
    False
    """
    need("b", input_tensor)
    return jnp.all(input_tensor, _axes(input_tensor, axis), keepdims=keepdims)


def _variance(x: Any, axis: Any, keepdims: bool) -> Any:
    if is_integer(x):
        raise final(
            TypeError(f"Input must be either real or complex. Received integer type {dtypes.from_numpy(x.dtype)}.")
        )
    need("fc", x)
    axes = _axes(x, axis)
    off = x - jnp.mean(x, axes, keepdims=True)
    squares = jnp.real(off * jnp.conj(off)) if is_complex(x) else jnp.square(off)
    return jnp.mean(squares, axes, keepdims=keepdims)


@op("math.reduce_variance")
def reduce_variance(input_tensor: Array, axis: Axis = None, keepdims=False, name=None):
    """The variance along axes: the mean of the squared distances from the mean.

    Takes the arguments of `reduce_sum` and raises the same errors. The numbers are floating or complex; the result is
    real. Integers raise TypeError.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/reduce_variance

    >>> float(reduce_variance([1.0, 3.0]))
    1.0
    """
    return _variance(input_tensor, axis, keepdims)


@op("math.reduce_std")
def reduce_std(input_tensor: Array, axis: Axis = None, keepdims=False, name=None):
    """The standard deviation along axes: the square root of `reduce_variance`, which takes the same arguments.

    Where it is 0, the gradient is nan.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/reduce_std

    >>> float(reduce_std([1.0, 5.0]))
    2.0
    """
    return sqrt_rule(_variance(input_tensor, axis, keepdims))


@op("reduce_logsumexp", "math.reduce_logsumexp")
def reduce_logsumexp(input_tensor: Array, axis: Axis = None, keepdims=False, name=None):
    """``log(sum(exp(input_tensor)))`` along axes, computed without overflow, for floating numbers.

    Takes the arguments of `reduce_sum` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/reduce_logsumexp

    >>> round(float(reduce_logsumexp([0.0, 0.0])), 4)
    0.6931
    """
    x = input_tensor
    need("f", x)
    axes = _axes(x, axis)
    top = lax.stop_gradient(_max(x, axes, True))
    top = jnp.where(jnp.isfinite(top), top, 0)
    out = jnp.log(jnp.sum(jnp.exp(x - top), axes, keepdims=True)) + top
    return out if keepdims else jnp.squeeze(out, axes)


@op("math.reduce_euclidean_norm")
def reduce_euclidean_norm(input_tensor: Array, axis: Axis = None, keepdims=False, name=None):
    """The square root of the sum of squares along axes, in the input's dtype. Where it is 0, the gradient is nan.

    Takes the arguments of `reduce_sum` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/reduce_euclidean_norm

    >>> float(reduce_euclidean_norm([3.0, 4.0]))
    5.0
    """
    x = input_tensor
    need("fiuc", x)
    axes = _axes(x, axis)
    wide = x.astype(np.float64) if is_integer(x) else x
    squares = jnp.real(wide * jnp.conj(wide)) if is_complex(x) else jnp.square(wide)
    return sqrt_rule(jnp.sum(squares, axes, keepdims=keepdims)).astype(x.dtype)


@op("math.l2_normalize", "linalg.l2_normalize", "nn.l2_normalize")
def l2_normalize(x: Array, axis: Axis = None, epsilon=1e-12, name=None):
    """`x` divided by its Euclidean norm along axes: ``x / sqrt(max(sum(x**2), epsilon))``.

    Args:
      x: a tensor of floating or complex numbers.
      axis: an int, a list of ints, or None for all axes.
      epsilon: the least value for the squared norm. It prevents division by zero.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: an axis is out of range or given twice, or the dtype is not allowed.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/l2_normalize

    >>> [round(v, 4) for v in l2_normalize([3.0, 4.0]).numpy().tolist()]
    [0.6, 0.8]
    """
    need("fc", x)
    squares = jnp.real(x * jnp.conj(x)) if is_complex(x) else jnp.square(x)
    total = jnp.sum(squares, _axes(x, axis), keepdims=True)
    return x * lax.rsqrt(jnp.maximum(total, jnp.asarray(epsilon, total.dtype)))


@op("math.count_nonzero", differentiable=False, strings=True)
def count_nonzero(input: Array, axis: Axis = None, keepdims=None, dtype: DType = dtypes.int64, name=None):
    """The number of elements along axes that are not zero, not False, or not empty strings, in the dtype `dtype`.

    Takes the arguments of `reduce_sum` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/count_nonzero

    >>> int(count_nonzero([0.0, 2.0, 3.0]))
    2
    """
    return jnp.sum(input != 0, _axes(input, axis), dtype=dtype, keepdims=bool(keepdims))


@op("math.zero_fraction", "nn.zero_fraction", differentiable=False)
def zero_fraction(value: Array, name=None):
    """The fraction of elements that are zero, as a float32 scalar.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/zero_fraction

    >>> float(zero_fraction([0.0, 1.0]))
    0.5
    """
    return jnp.mean(value == 0, dtype=np.float32)


@op()
def _add_n(inputs: Arrays, name=None):
    need("fiuc", *inputs)
    if any(x.shape != inputs[0].shape for x in inputs):
        raise invalid(
            "Inputs to operation AddN of type AddN must have the same size and shape. "
            f"Received shapes: {[x.shape for x in inputs]}"
        )
    return sum(inputs[1:], inputs[0])


@public("add_n", "math.add_n", composites=True)
def add_n(inputs, name=None):
    """The sum of a list of tensors. They must have one shape and dtype: nothing is broadcast.

    Raises:
      ValueError: the list is empty.
      InvalidArgumentError: the shapes or dtypes differ.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/add_n

    >>> add_n([[1.0, 2.0], [3.0, 4.0]]).numpy().tolist()
    [4.0, 6.0]
    """
    inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    if not inputs:
        raise ValueError("Inputs must be an iterable of at least one tensor of the same dtype and shape.")
    return _add_n(inputs)


@public("math.accumulate_n")
def accumulate_n(inputs, shape=None, tensor_dtype=None, name=None):
    """The sum of a list of tensors, as `add_n` computes it, after checks of their shape and dtype.

    Args:
      inputs: a list of tensors.
      shape: the shape that all of them must have, or None.
      tensor_dtype: the dtype that all of them must have, or None.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: the list is empty, or a shape differs.
      TypeError: a dtype differs.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/accumulate_n

    >>> accumulate_n([[1.0, 2.0], [3.0, 4.0]]).numpy().tolist()
    [4.0, 6.0]
    """
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise ValueError("inputs must be a list of at least one Tensor/IndexedSlices with the same dtype and shape")
    tensors = [to_tensor(v) for v in inputs]
    wanted = tensors[0].shape if shape is None else shape
    for t in tensors:
        if not t.shape.is_compatible_with(wanted):
            raise ValueError(f"Shapes {wanted} and {t.shape} are not compatible")
    if any(tensor_dtype is not None and t.dtype != tensor_dtype for t in tensors):
        raise TypeError(f"tensor_dtype is {tensor_dtype}, but input is of type {tensors[0].dtype}")
    return _add_n(tensors)
