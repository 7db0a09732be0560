"""Elementwise arithmetic.

Related files: `transcendental` (exponentials, logarithms, trigonometry), `comparison`, and `array.casting` (rounding,
casts, parts of complex numbers).
"""

from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core.checks import final, invalid, invalid_value, is_complex, is_integer, need
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.engine.capture import read_as
from tapejax._src.ops.array import casting
from tapejax._src.ops.math import comparison, transcendental
from tapejax._src.ops.math.zero_guards import reciprocal_rule, scaled
from tapejax._src.ops.registry import Array, Same, op
from tapejax._src.ops.rows import binary, unary

__all__ = [
    "absolute", "add", "casting", "clip_by_value", "comparison", "divide", "divide_no_nan", "floordiv",
    "floormod", "maximum", "minimum", "multiply", "multiply_no_nan", "negative", "power", "reciprocal",
    "reciprocal_no_nan", "scalar_mul", "sign", "square", "squared_difference", "subtract", "transcendental",
    "truncatediv", "truncatemod",
]  # fmt: skip

# A whole exponent up to this size becomes repeated multiplication, so that ``x ** 2`` needs no power function. It is
# then a constant of the compiled program. Other exponents are inputs of the program, so that ``x ** step`` is not
# compiled anew in each step.
_STATIC_EXPONENT: Final = 8


add = binary(
    jnp.add,
    "``x + y``. Joins strings.",
    "[1.0, 2.0], 1.0",
    "[2.0, 3.0]",
    "add",
    "math.add",
    host=np.add,
    strings=np.add,
)
subtract = binary(
    jnp.subtract, "``x - y``.", "[1.0, 2.0], 1.0", "[0.0, 1.0]", "subtract", "math.subtract", host=np.subtract
)
multiply = binary(
    jnp.multiply, "``x * y``.", "[1.0, 2.0], 3.0", "[3.0, 6.0]", "multiply", "math.multiply", host=np.multiply
)


def _dividend(x: Any) -> Any:
    """Converts integers as TensorFlow's true division does: to float32 for 8 and 16 bits, to float64 for more."""
    if x.dtype.kind not in "iub":
        return x
    if x.dtype.kind == "b":
        raise final(TypeError("Invalid dtype tf.bool in __truediv__: expected a numeric dtype; cast first"))
    return x.astype(np.float32 if x.dtype.itemsize < 4 else np.float64)


@op("divide", "math.divide", "truediv", "math.truediv", "realdiv")
def divide(x: Same, y: Same, name=None):
    """``x / y``.

    Args:
      x: a tensor of numbers. Integers are divided as float64, those of 8 and 16 bits as float32.
      y: a tensor of the same dtype. The shapes broadcast.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the dtypes differ, or the shapes do not broadcast.
      TypeError: the tensors are boolean.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/divide

    >>> divide([7, 8], 2).numpy().tolist()
    [3.5, 4.0]
    """
    return jnp.divide(_dividend(x), _dividend(y))


def _no_zero(y: np.ndarray) -> None:
    if y.dtype.kind in "iu" and not np.all(y):
        raise invalid_value("Integer division by zero")


def _host_floordiv(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    _no_zero(y)
    return np.floor_divide(x, y)


def _host_mod(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    _no_zero(y)
    return np.mod(x, y)


@op("math.floordiv", differentiable=False, host=_host_floordiv)
def floordiv(x: Same, y: Same, name=None):
    """``x / y``, rounded down. There is no gradient, as in TensorFlow.

    Args:
      x: a tensor of real numbers.
      y: a tensor of the same dtype. The shapes broadcast.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the dtypes or shapes do not fit, or an integer is divided by zero. Division by zero is only
        noticed for small integer tensors on the host; in a compiled program it gives the value that XLA defines.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/floordiv

    >>> floordiv([7, -7], 2).numpy().tolist()
    [3, -4]
    """
    need("fiu", x)
    return jnp.floor_divide(x, y) if is_integer(x) else jnp.floor(jnp.divide(x, y))


@jax.custom_jvp
def _floormod(x: Any, y: Any) -> Any:
    return jnp.mod(x, y)


@_floormod.defjvp
def _floormod_jvp(primals: tuple, tangents: tuple) -> tuple:
    (x, y), (dx, dy) = primals, tangents
    # The derivative by `y` is minus the quotient as `floordiv` rounds it, even if `y` is infinite.
    return _floormod(x, y), dx - dy * lax.stop_gradient(jnp.floor(jnp.divide(x, y)))


@op("math.mod", "math.floormod", host=_host_mod)
def floormod(x: Same, y: Same, name=None):
    """The remainder of `floordiv`, ``x - floor(x / y) * y``, which has the sign of `y`.

    Takes the arguments of `floordiv` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/floormod

    >>> floormod([7, -7], 3).numpy().tolist()
    [1, 2]
    """
    need("fiu", x)
    return jnp.mod(x, y) if is_integer(x) else _floormod(x, y)


@op("truncatediv", differentiable=False)
def truncatediv(x: Same, y: Same, name=None):
    """``x / y``, rounded towards zero. Takes real numbers of one dtype; the shapes broadcast. There is no gradient.

    Source: https://www.tensorflow.org/api_docs/python/tf/truncatediv

    >>> truncatediv([7, -7], 2).numpy().tolist()
    [3, -3]
    """
    need("fiu", x)
    return lax.div(*jnp.broadcast_arrays(x, y)) if is_integer(x) else jnp.trunc(x / y)


@op("truncatemod", differentiable=False)
def truncatemod(x: Same, y: Same, name=None):
    """The remainder of `truncatediv`, which has the sign of `x`. Takes real numbers of one dtype; the shapes broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/truncatemod

    >>> truncatemod([7, -7], 2).numpy().tolist()
    [1, -1]
    """
    need("fiu", x)
    return lax.rem(*jnp.broadcast_arrays(x, y))


def _is_zero(tangent: Any) -> bool:
    return isinstance(tangent, jax.custom_derivatives.SymbolicZero)


def _add_tangents(parts: list[Any], like: Any) -> Any:
    return sum(parts[1:], parts[0]) if parts else jnp.zeros_like(like)


@jax.custom_jvp
def _power(x: Any, y: Any) -> Any:
    return jnp.power(x, y)


def _power_jvp(primals: tuple, tangents: tuple) -> tuple:
    """TensorFlow's rule: the derivative by the exponent is zero where the base is not positive.

    JAX passes a symbolic zero for an argument without a gradient. So the program of ``x ** 2.5`` contains no logarithm.
    """
    (x, y), (dx, dy) = primals, tangents
    out = _power(x, y)
    parts = []
    if not _is_zero(dx):
        parts.append(dx * y * _power(x, y - 1))
    if not _is_zero(dy):
        has_log = x != 0 if is_complex(x) else x > 0
        parts.append(dy * out * jnp.where(has_log, jnp.log(jnp.where(has_log, x, 1)), 0))
    return out, _add_tangents(parts, out)


_power.defjvp(_power_jvp, symbolic_zeros=True)


@op()
def _power_op(x: Same, y: Same, name=None):
    need("fiuc", x)
    return jnp.power(x, y) if is_integer(x) else _power(x, y)


@op()
def _power_static(x: Array, exponent, name=None):
    need("fiuc", x)
    if is_integer(x) and exponent < 0:
        raise invalid("Integers to negative integer powers are not allowed")
    return lax.integer_pow(x, exponent)


@public("pow", "math.pow", composites=True)
def power(x, y, name=None):
    """``x ** y``.

    Args:
      x: a tensor of numbers.
      y: a tensor of the same dtype, whose shape broadcasts with that of `x`, or a Python number. A whole Python number
        between -8 and 8 becomes repeated multiplication.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the dtypes or shapes do not fit, or an integer has a negative Python number as exponent.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/pow

    >>> power([2.0, 3.0], 2).numpy().tolist()
    [4.0, 9.0]
    """
    if type(y) in (int, float) and abs(y) <= _STATIC_EXPONENT and y == int(y):
        x = to_tensor(x)
        if type(y) is int or x.aval.inexact:
            return _power_static(x, int(y))
    return _power_op(x, y)


square = unary(
    jnp.square, "``x * x``.", "[2.0, -3.0]", "[4.0, 9.0]", "square", "math.square", kinds="fiuc", host=np.square
)


@op("math.squared_difference")
def squared_difference(x: Same, y: Same, name=None):
    """``conj(x - y) * (x - y)``. Takes numbers of one dtype; the shapes broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/squared_difference

    >>> squared_difference([3.0], 1.0).numpy().tolist()
    [4.0]
    """
    need("fiuc", x)
    difference = x - y
    return jnp.conj(difference) * difference if is_complex(x) else jnp.square(difference)


@op("negative", "math.negative", host=np.negative)
def negative(x: Array, name=None):
    """``-x``. Takes numbers of any dtype that has negative ones, so not unsigned integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/negative

    >>> negative([1.0, -2.0]).numpy().tolist()
    [-1.0, 2.0]
    """
    need("fic", x)
    return jnp.negative(x)


reciprocal = unary(reciprocal_rule, "``1 / x``.", "[2.0]", "[0.5]", "math.reciprocal")


@public("math.scalar_mul", "scalar_mul", composites=True)
def scalar_mul(scalar, x, name=None):
    """``scalar * x``.

    Args:
      scalar: a number, or a tensor of shape ().
      x: a tensor of numbers.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `scalar` has another shape.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/scalar_mul

    >>> scalar_mul(2.0, [1.0, 2.0]).numpy().tolist()
    [2.0, 4.0]
    """
    x = to_tensor(x)
    scalar = to_tensor(scalar) if type(scalar) is Tensor else to_tensor(scalar, x.aval.dtype)
    if scalar.aval.shape:
        raise ValueError(f"The input scalar must be a 0-D value. Received shape {scalar.shape}.")
    return multiply(scalar, x)


@jax.custom_jvp
def _maximum(x: Any, y: Any) -> Any:
    return jnp.maximum(x, y)


@_maximum.defjvp
def _maximum_jvp(primals: tuple, tangents: tuple) -> tuple:
    # Of equal numbers, the first gets the gradient.
    return _maximum(*primals), jnp.where(primals[0] >= primals[1], *tangents)


@jax.custom_jvp
def _minimum(x: Any, y: Any) -> Any:
    return jnp.minimum(x, y)


@_minimum.defjvp
def _minimum_jvp(primals: tuple, tangents: tuple) -> tuple:
    return _minimum(*primals), jnp.where(primals[0] <= primals[1], *tangents)


@op("maximum", "math.maximum", host=np.maximum)
def maximum(x: Same, y: Same, name=None):
    """The larger of `x` and `y`. Of equal numbers, `x` gets the gradient.

    Takes real numbers of one dtype; the shapes broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/maximum

    >>> maximum([1.0, 5.0], 2.0).numpy().tolist()
    [2.0, 5.0]
    """
    need("fiu", x)
    return jnp.maximum(x, y) if is_integer(x) else _maximum(x, y)


@op("minimum", "math.minimum", host=np.minimum)
def minimum(x: Same, y: Same, name=None):
    """The smaller of `x` and `y`. Of equal numbers, `x` gets the gradient.

    Takes real numbers of one dtype; the shapes broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/minimum

    >>> minimum([1.0, 5.0], 2.0).numpy().tolist()
    [1.0, 2.0]
    """
    need("fiu", x)
    return jnp.minimum(x, y) if is_integer(x) else _minimum(x, y)


@op("clip_by_value")
def clip_by_value(t: Same, clip_value_min: Same, clip_value_max: Same, name=None):
    """Replaces values below `clip_value_min` and above `clip_value_max` by these bounds.

    Args:
      t: a tensor of real numbers. nan stays nan; in TensorFlow its result depends on the tensor's length.
      clip_value_min: the lower bound, a tensor of the same dtype whose shape broadcasts to that of `t`. It is the
        result where it is larger than the upper bound.
      clip_value_max: the upper bound, a tensor of the same dtype whose shape broadcasts to that of `t`.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of the shape of `t`. Where a bound replaces a value, the bound gets the gradient.

    Raises:
      ValueError: the shape of a bound does not broadcast to that of `t`.

    Source: https://www.tensorflow.org/api_docs/python/tf/clip_by_value

    >>> clip_by_value([-1.0, 0.5, 2.0], 0.0, 1.0).numpy().tolist()
    [0.0, 0.5, 1.0]
    """
    need("fiu", t)
    shape = np.broadcast_shapes(t.shape, clip_value_min.shape, clip_value_max.shape)
    if shape != t.shape:
        raise final(ValueError(f"Shapes {t.shape} and {shape} are incompatible"))
    upper = jnp.where(clip_value_max < clip_value_min, clip_value_min, clip_value_max)
    return jnp.where(t < clip_value_min, clip_value_min, jnp.where(t > clip_value_max, upper, t))


@op("math.divide_no_nan")
def divide_no_nan(x: Same, y: Same, name=None):
    """``x / y``, and 0 where `y` is 0, whatever `x` is. Takes the arguments of `divide`.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/divide_no_nan

    >>> divide_no_nan([1.0, 1.0], [2.0, 0.0]).numpy().tolist()
    [0.5, 0.0]
    """
    x, y = _dividend(x), _dividend(y)
    zero = y == 0
    return jnp.where(zero, 0, jnp.where(zero, 0, x) / jnp.where(zero, 1, y))


@op("math.reciprocal_no_nan")
def reciprocal_no_nan(x: Array, name=None):
    """``1 / x``, and 0 where `x` is 0. Takes floating or complex numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/reciprocal_no_nan

    >>> reciprocal_no_nan([2.0, 0.0]).numpy().tolist()
    [0.5, 0.0]
    """
    need("fc", x)
    return jnp.where(x == 0, 0, 1 / jnp.where(x == 0, 1, x))


@jax.custom_jvp
def _multiply_no_nan(x: Any, y: Any) -> Any:
    return jnp.where(y == 0, 0, x * y)


@_multiply_no_nan.defjvp
def _multiply_no_nan_jvp(primals: tuple, tangents: tuple) -> tuple:
    (x, y), (dx, dy) = primals, tangents
    by_y, slope = jnp.broadcast_arrays(dy, x)
    # Where `x` is infinite or nan, `scaled` uses constants in its place, so the second derivative by `x` would be lost.
    # `mixed` is zero, but its derivative by `x` is the missing one.
    mixed = jnp.where(jnp.isfinite(slope), 0, by_y) * read_as(slope, jnp.zeros_like(slope))
    return _multiply_no_nan(x, y), dx * y + scaled(by_y, slope) + mixed


@op("math.multiply_no_nan")
def multiply_no_nan(x: Same, y: Same, name=None):
    """``x * y``, and 0 where `y` is 0, even if `x` is nan or infinite.

    Takes floating or complex numbers of one dtype; the shapes broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/multiply_no_nan

    >>> multiply_no_nan([2.0, float("nan")], [3.0, 0.0]).numpy().tolist()
    [6.0, 0.0]
    """
    need("fc", x)
    return _multiply_no_nan(x, y)


@op("abs", "math.abs", host=np.abs, flat=True)
def absolute(x: Array, name=None):
    """The absolute value of numbers. For complex numbers it is the modulus, as a real number of the same precision.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/abs

    >>> absolute([-1.5, 2.0]).numpy().tolist()
    [1.5, 2.0]
    """
    need("fic", x)
    # The derivative of the product at 0 is 0, as in TensorFlow. That of `jnp.abs` would be 1.
    return jnp.abs(x) if is_complex(x) or is_integer(x) else x * jnp.sign(x)


@op("sign", "math.sign", host=np.sign)
def sign(x: Array, name=None):
    """-1, 0 or 1 according to the sign of real numbers, with gradient zero; ``x / abs(x)`` for complex numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/sign

    >>> sign([-1.5, 0.0, 2.0]).numpy().tolist()
    [-1.0, 0.0, 1.0]
    """
    need("fiuc", x)
    if not is_complex(x):
        return jnp.sign(x)
    safe = jnp.where(x == 0, 1, x)
    return jnp.where(x == 0, 0, safe / jnp.abs(safe))
