"""Inverse trigonometric functions of larger float32 arrays on CPUs.

XLA's own kernels call the C library's functions one element at a time, or select among several of them: 262144 arc
tangents take 3.3 times as long as TensorFlow's. These are a range reduction by selects and one polynomial, which use
vector instructions. They are exact to 2 units in the last place, for every float32; that of two arguments for normal
ones with a normal ratio, others count as 0.
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

# Below, XLA's kernels are about as fast.
_LARGE: Final = 4096
# Where the arc sine turns to the other end: so both keep their relative precision.
_HALF: Final = 0.5625
# Minimax polynomials in the square of x: (f(x) / x - 1) / x**2 of the arc tangent on [0, 1] and of the arc sine on
# [0, _HALF], the lowest power first.
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
# Quarter turns in two parts.
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
    """`x`, which is positive, with the sign of another, also of its zeros."""
    bits = partial(lax.bitcast_convert_type, new_dtype=np.uint32)
    return lax.bitcast_convert_type(bits(x) | bits(sign) & np.uint32(1 << 31), np.float32)


def _angle(y: Any, x: Any) -> Any:
    # Of both ratios the smaller one, within [0, 1].
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
    """Whether a size exceeds `_HALF`, and the arc sine: of it, or if so, of what gives half of its arc cosine."""
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
    # From 0, from a quarter turn or from a half one.
    quarters = jnp.where(large, jnp.where(left, 2, 0), 1).astype(np.float32)
    out = quarters * _HIGH + (jnp.where(large == left, -arc, arc) + quarters * _LOW)
    return jnp.where(jnp.abs(x) <= 1, out, jnp.nan)


def _of(own: Callable[..., Any], xla: Callable[..., Any], slopes: Callable[..., tuple]) -> Callable[..., Any]:
    """The function that is `own` for larger float32 arrays on CPUs, else `xla`.

    Args:
      own: of float32 arrays.
      xla: of any.
      slopes: of the same arrays, the derivatives by each.
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
