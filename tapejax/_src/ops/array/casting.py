"""Rounding, casts, and the parts of complex numbers."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core import dtypes
from tapejax._src.core.checks import final, need
from tapejax._src.core.convert import convert_to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.ops.registry import Array, DType, Same, op

__all__ = ["angle", "cast", "ceil", "complex_", "conj", "floor", "imag", "real", "rint", "round_", "saturate_cast"]


@op("floor", "math.floor", differentiable=False)
def floor(x: Array, name=None):
    """Rounds down to a whole number. The gradient is None, as in TensorFlow.

    Args:
      x: a tensor of a floating dtype.
      name: has no effect, as in eager TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/floor

    >>> floor([1.7, -1.2]).numpy().tolist()
    [1.0, -2.0]
    """
    need("f", x)
    return jnp.floor(x)


@op("math.ceil", differentiable=False)
def ceil(x: Array, name=None):
    """Rounds up to a whole number. The gradient is None, as in TensorFlow.

    Args:
      x: a tensor of a floating dtype.
      name: has no effect, as in eager TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/ceil

    >>> ceil([1.2, -1.7]).numpy().tolist()
    [2.0, -1.0]
    """
    need("f", x)
    return jnp.ceil(x)


@op("math.rint", differentiable=False)
def rint(x: Array, name=None):
    """Rounds to the nearest whole number; 0.5 is rounded to the even one. The gradient is None, as in TensorFlow.

    Args:
      x: a tensor of a floating dtype.
      name: has no effect, as in eager TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/rint

    >>> rint([0.5, 1.5]).numpy().tolist()
    [0.0, 2.0]
    """
    need("f", x)
    return jnp.rint(x)


@public("round", "math.round", composites=True)
def round_(x, name=None):
    """Rounds to the nearest whole number; 0.5 is rounded to the even one. The gradient is None, as in TensorFlow.

    Args:
      x: a tensor of numbers. Integers are returned as they are.
      name: has no effect, as in eager TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/round

    >>> round_([0.9, 2.5, -1.5]).numpy().tolist()
    [1.0, 2.0, -2.0]
    """
    x = convert_to_tensor(x)
    return x if x.aval.dtype.kind in "iu" else rint(x)


def _host_cast(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return x.astype(dtype)


@op(host=_host_cast)
def _cast(x: Array, dtype: DType, name=None):
    if x.dtype.kind == "c" and dtype.kind != "c":
        x = x != 0 if dtype.kind == "b" else jnp.real(x)
    if x.dtype.kind in "fV" and dtype.kind in "iu" and (dtype.itemsize < 4 or dtype == np.uint32):
        # TensorFlow wraps numbers that do not fit into the dtype: -1.0 becomes 255 in uint8. XLA would clamp them.
        x = x.astype(np.int64 if dtype == np.uint32 else np.int32)
    return x.astype(dtype)


@public("cast", "dtypes.cast", composites=True)
def cast(x, dtype, name=None):
    """Converts the elements of a tensor to another dtype.

    Args:
      x: a tensor, or what converts to one. If it has the dtype already, it is returned as it is.
      dtype: a `DType` or its name. A float becomes an integer by truncation, a complex number becomes real by losing
        its imaginary part.
      name: has no effect, as in eager TensorFlow.

    Raises:
      TypeError: `dtype` is not a dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/cast

    >>> cast([1.8, -2.2], dtypes.int32).numpy().tolist()
    [1, -2]
    """
    target = dtypes.to_numpy(dtype)
    x = convert_to_tensor(x)
    return x if x.aval.dtype == target else _cast(x, target)


@op()
def _saturate(x: Array, dtype: DType, name=None):
    if x.dtype.kind == "c":
        x = jnp.real(x)
    low, high = dtypes.from_numpy(dtype).min, dtypes.from_numpy(dtype).max
    if x.dtype.kind in "iu":
        own = np.iinfo(x.dtype)
        low, high = max(own.min, low), min(own.max, high)
    elif dtype.kind in "iu":
        # XLA's conversion clamps. `clip` would not do: a limit of the integer dtype, such as 2**31 - 1, may be rounded
        # to a larger number in the floating dtype.
        return lax.convert_element_type(x, dtype)
    return jnp.clip(x, jnp.asarray(low, x.dtype), jnp.asarray(high, x.dtype)).astype(dtype)


@public("saturate_cast", "dtypes.saturate_cast")
def saturate_cast(value, dtype, name=None):
    """Converts to another dtype, and replaces numbers outside that dtype's range by its lowest or highest value.

    Args:
      value: a tensor of numbers.
      dtype: a `DType` or its name.
      name: has no effect, as in eager TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/dtypes/saturate_cast

    >>> saturate_cast([300, -1], dtypes.uint8).numpy().tolist()
    [255, 0]
    """
    target = dtypes.to_numpy(dtype)
    value = convert_to_tensor(value)
    if value.aval.dtype == target:
        return value
    return cast(value, dtype) if target.kind in "bc" else _saturate(value, target)


@op("complex", "dtypes.complex")
def complex_(real: Same, imag: Same, name=None):
    """Makes complex numbers from their real and imaginary parts.

    Args:
      real: a float32 or float64 tensor.
      imag: a tensor of the same dtype. The shapes broadcast.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A complex64 tensor for float32 parts, complex128 for float64.

    Raises:
      TypeError: the parts have another dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/dtypes/complex

    >>> complex_([1.0], [2.0]).numpy().tolist()
    [(1+2j)]
    """
    if real.dtype not in (np.float32, np.float64):
        raise final(
            TypeError(
                f"The `real` and `imag` components have incorrect types: {real.dtype} "
                f"{imag.dtype}. They must be consistent, and one of [tf.float32, tf.float64]"
            )
        )
    return lax.complex(*jnp.broadcast_arrays(real, imag))


@op()
def _real(x: Array, name=None):
    return jnp.real(x)


@op()
def _imag(x: Array, name=None):
    return jnp.imag(x)


@op(differentiable=False)
def _zeros(x: Array, name=None):
    return jnp.zeros_like(x)


@op()
def _conj(x: Array, name=None):
    return jnp.conj(x)


@op()
def _angle(x: Array, name=None):
    return jnp.angle(x)


@op(differentiable=False)
def _angle_of_real(x: Array, name=None):
    need("f", x)
    return jnp.where(x < 0, jnp.asarray(np.pi, x.dtype), jnp.zeros_like(x))


def _numeric(x: Any, what: str) -> Tensor:
    x = convert_to_tensor(x)
    if x.aval.dtype.kind not in "fciuV":
        raise TypeError(f"{what} expected a numeric tensor, received dtype {x.dtype.name}")
    return x


@public("math.real")
def real(input, name=None):
    """The real parts of a tensor of numbers. A tensor of real numbers is returned as it is.

    Raises:
      TypeError: `input` does not hold numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/real

    >>> real([1 + 2j]).numpy().tolist()
    [1.0]
    """
    x = _numeric(input, "real")
    return _real(x) if x.aval.dtype.kind == "c" else x


@public("math.imag")
def imag(input, name=None):
    """The imaginary parts of a tensor of numbers. They are zeros for real numbers.

    Raises:
      TypeError: `input` does not hold numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/imag

    >>> imag([1 + 2j]).numpy().tolist()
    [2.0]
    """
    x = _numeric(input, "imag")
    return _imag(x) if x.aval.dtype.kind == "c" else _zeros(x)


@public("math.conj")
def conj(x, name=None):
    """The complex conjugate. A tensor of real numbers is returned as it is.

    Raises:
      TypeError: `x` does not hold numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/conj

    >>> conj([1 + 2j]).numpy().tolist()
    [(1-2j)]
    """
    x = _numeric(x, "conj")
    return _conj(x) if x.aval.dtype.kind == "c" else x


@public("math.angle")
def angle(input, name=None):
    """The angles of complex numbers in radians. For real numbers they are 0 or pi, and have no gradient.

    Raises:
      TypeError: `input` does not hold numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/angle

    >>> round(float(angle(1j)), 4)
    1.5708
    """
    x = _numeric(input, "angle")
    return _angle(x) if x.aval.dtype.kind == "c" else _angle_of_real(x)
