"""Inverse trigonometric functions of larger float32 arrays on CPUs.

XLA's own kernels call the C library's functions one element at a time, or evaluate several of them and select:
262144 arc tangents take 3.3 times as long as TensorFlow's. The functions of this file reduce the range of the argument
by selects and evaluate one polynomial, for which XLA uses vector instructions.

Their error is at most 2 units in the last place, for every float32. For `arctangent2` this holds if both arguments
and their ratio are normal numbers; subnormal numbers count as 0.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.kernels.cpu.sine import subnormal
from tapejax._src.kernels.windows import at_least, for_platform

__all__ = ["arccosine", "arcsine", "arctangent", "arctangent2"]

# The number of elements from which these functions are used. For fewer, XLA's kernels are about as fast.
_LARGE: Final = 4096
# Above this argument, arc sine and arc cosine are computed from sqrt((1 - x) / 2). So both keep their relative
# precision at both ends.
_HALF: Final = 0.5625
# Coefficients of minimax polynomials in x**2, the lowest power first. They approximate (f(x) / x - 1) / x**2, where f
# is the arc tangent on [0, 1], or the arc sine on [0, _HALF].
_TANGENT: Final = (
    -0.33333298563957214,
    0.1999853402376175,
    -0.14264102280139923,
    0.10951506346464157,
    -0.08401581645011902,
    0.05792722851037979,
    -0.031148936599493027,
    0.010899696499109268,
    -0.0017904058331623673,
)
_SINE: Final = (
    0.16666631400585175,
    0.07502098381519318,
    0.044231995940208435,
    0.03401254862546921,
    0.006736015435308218,
    0.0474923737347126,
)
# A quarter turn (pi / 2) as the sum of two float32 numbers.
_HIGH: Final = np.float32(np.pi / 2)
_LOW: Final = np.float32(np.pi / 2 - float(_HIGH))


def _odd(x: Any, factors: Sequence[float]) -> Any:
    """``x + x**3 * (factors[0] + factors[1] * x**2 + ...)``."""
    square = x * x
    out = jnp.full_like(x, factors[-1])
    for factor in reversed(factors[:-1]):
        out = out * square + np.float32(factor)
    return jnp.where(subnormal(x), x, x + x * square * out)


def _signed(x: Any, sign: Any) -> Any:
    """`x`, which must not be negative, with the sign of `sign`. The sign of a zero counts too."""
    bits = partial(lax.bitcast_convert_type, new_dtype=np.uint32)
    return lax.bitcast_convert_type(bits(x) | bits(sign) & np.uint32(1 << 31), np.float32)


def _angle(y: Any, x: Any) -> Any:
    # The smaller absolute value over the larger one: a ratio within [0, 1].
    across, along = jnp.abs(y), jnp.abs(x)
    steep = across > along
    least, most = jnp.minimum(across, along), jnp.maximum(across, along)
    ratio = jnp.where(least == most, jnp.where(most == 0, 0, 1), least / most).astype(np.float32)
    near = _odd(ratio, _TANGENT)
    left = lax.bitcast_convert_type(x, np.int32) < 0
    quarters = jnp.where(steep, 1, jnp.where(left, 2, 0)).astype(np.float32)
    angle = quarters * _HIGH + (jnp.where(steep != left, -near, near) + quarters * _LOW)
    return jnp.where((x != x) | (y != y), jnp.nan, _signed(angle, y))


def _tangent(x: Any) -> Any:
    size = jnp.abs(x)
    steep = size > 1
    near = _odd(jnp.where(steep, 1 / size, size), _TANGENT)
    return jnp.where(x != x, x, _signed(jnp.where(steep, _HIGH + (_LOW - near), near), x))


def _from_half(size: Any) -> tuple[Any, Any]:
    """Whether `size` exceeds `_HALF`, and an angle.

    The angle is the arc sine of `size`, or half of its arc cosine where `size` exceeds `_HALF`.
    """
    large = size > _HALF
    return large, _odd(jnp.where(large, jnp.sqrt(0.5 - 0.5 * size), size), _SINE)


def _sine(x: Any) -> Any:
    large, arc = _from_half(jnp.abs(x))
    return jnp.where(jnp.abs(x) <= 1, _signed(jnp.where(large, _HIGH + (_LOW - 2 * arc), arc), x), jnp.nan)


def _sine_by_xla(x: Any) -> Any:
    return jnp.where(subnormal(x), x, jnp.arcsin(x)) if x.dtype == np.float32 else jnp.arcsin(x)


def _cosine(x: Any) -> Any:
    large, arc = _from_half(jnp.abs(x))
    arc = jnp.where(large, 2 * arc, arc)
    left = x < 0
    # The arc cosine is an offset from 0, from one quarter turn or from two.
    quarters = jnp.where(large, jnp.where(left, 2, 0), 1).astype(np.float32)
    out = quarters * _HIGH + (jnp.where(large == left, -arc, arc) + quarters * _LOW)
    return jnp.where(jnp.abs(x) <= 1, out, jnp.nan)


def _of(own: Callable[..., Any], xla: Callable[..., Any], slopes: Callable[..., tuple]) -> Callable[..., Any]:
    """A differentiable function that is `own` for larger float32 arrays on CPUs, and `xla` otherwise.

    Args:
      own: a function of float32 arrays.
      xla: the same function of arrays of any dtype.
      slopes: a function of the same arrays that returns the derivative with respect to each of them.
    """

    @jax.custom_jvp
    def rule(*arrays: Any) -> Any:
        return (for_platform(own, xla) if at_least(_LARGE, *arrays) else xla)(*arrays)

    @rule.defjvp
    def jvp(primals: tuple, tangents: tuple) -> tuple:
        return rule(*primals), sum(s * t for s, t in zip(slopes(*primals), tangents, strict=True))

    def function(*arrays: Any) -> Any:
        of_float32 = all(a.dtype == np.float32 for a in arrays)
        return rule(*jnp.broadcast_arrays(*arrays)) if of_float32 else xla(*arrays)

    return function


arctangent = _of(_tangent, jnp.arctan, lambda x: (1 / (1 + x * x),))
arcsine = _of(_sine, _sine_by_xla, lambda x: (1 / jnp.sqrt(1 - x * x),))
arccosine = _of(_cosine, jnp.arccos, lambda x: (-1 / jnp.sqrt(1 - x * x),))
arctangent2 = _of(_angle, jnp.arctan2, lambda y, x: (x / (x * x + y * y), -y / (x * x + y * y)))
