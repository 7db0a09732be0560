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
    """The largest whole number not above `x`. Floating dtypes. No gradient.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/floor

    >>> floor([1.7, -1.2]).numpy().tolist()
    [1.0, -2.0]
    """
    need("f", x)
    return jnp.floor(x)


@op("math.ceil", differentiable=False)
def ceil(x: Array, name=None):
    """The smallest whole number not below `x`. Floating dtypes. No gradient.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/ceil

    >>> ceil([1.2, -1.7]).numpy().tolist()
    [2.0, -1.0]
    """
    need("f", x)
    return jnp.ceil(x)


@op("math.rint", differentiable=False)
def rint(x: Array, name=None):
    """The nearest whole number, halves to even. Floating dtypes. No gradient.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/rint

    >>> rint([0.5, 1.5]).numpy().tolist()
    [0.0, 2.0]
    """
    need("f", x)
    return jnp.rint(x)


@public("round", "math.round", composites=True)
def round_(x, name=None):
    """The nearest whole number, halves to even. Integers are returned as they are. No gradient.

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
        # TensorFlow wraps what does not fit, where XLA would clamp: -1.0 is 255 in uint8.
        x = x.astype(np.int64 if dtype == np.uint32 else np.int32)
    return x.astype(dtype)


@public("cast", "dtypes.cast", composites=True)
def cast(x, dtype, name=None):
    """`x` with its elements converted to `dtype`.

    Args:
      x: tensor, or what converts to one. If it has the dtype already it is returned as it is.
      dtype: `DType`. Floats are truncated to integers; a complex number loses its imaginary part.
      name: as in TensorFlow, of no effect when eager.

    Raises:
      TypeError: `dtype` is no type.

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
        # The bounds may round outwards in a float; XLA's conversion clamps.
        return lax.convert_element_type(x, dtype)
    return jnp.clip(x, jnp.asarray(low, x.dtype), jnp.asarray(high, x.dtype)).astype(dtype)


@public("saturate_cast", "dtypes.saturate_cast")
def saturate_cast(value, dtype, name=None):
    """`value` converted to `dtype`, with what does not fit clamped to its range.

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
    """The complex numbers with these parts: float32 gives complex64, float64 complex128. Broadcasts.

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
    """The real part; real numbers are returned as they are.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/real

    >>> real([1 + 2j]).numpy().tolist()
    [1.0]
    """
    x = _numeric(input, "real")
    return _real(x) if x.aval.dtype.kind == "c" else x


@public("math.imag")
def imag(input, name=None):
    """The imaginary part; zeros of real numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/imag

    >>> imag([1 + 2j]).numpy().tolist()
    [2.0]
    """
    x = _numeric(input, "imag")
    return _imag(x) if x.aval.dtype.kind == "c" else _zeros(x)


@public("math.conj")
def conj(x, name=None):
    """The complex conjugate; real numbers are returned as they are.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/conj

    >>> conj([1 + 2j]).numpy().tolist()
    [(1-2j)]
    """
    x = _numeric(x, "conj")
    return _conj(x) if x.aval.dtype.kind == "c" else x


@public("math.angle")
def angle(input, name=None):
    """The argument of complex numbers, in radians; of real numbers 0 or pi.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/angle

    >>> round(float(angle(1j)), 4)
    1.5708
    """
    x = _numeric(input, "angle")
    return _angle(x) if x.aval.dtype.kind == "c" else _angle_of_real(x)
