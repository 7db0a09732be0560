"""Float64 logarithm, sine and cosine that use vector instructions on CPUs, for drawing random numbers.

XLA's own functions call the C library for each number: 200000 logarithms take 4 ms, and 0.7 ms here. The error is a few
units of 1e-16. Special values such as NaN and infinity are not handled, because random draws never pass them.
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

__all__ = ["log", "log_factorial", "sincos_turns"]


def log(x: Any) -> Any:
    """The natural logarithm of positive, finite, normal float64 numbers. For 0 it is some number below -700."""
    raw = lax.bitcast_convert_type(x, np.int64)
    # A power of 2 is divided out, so that the rest lies between sqrt(1/2) and sqrt(2).
    power = (raw - 0x3FE6A09E667F3BCD) >> 52
    rest = lax.bitcast_convert_type(raw - (power << 52), np.float64)
    ratio = (rest - 1) / (rest + 1)
    square = ratio * ratio
    out = jnp.full_like(x, 1 / 19)
    for odd in range(17, 0, -2):  # the series of 2 * artanh(ratio)
        out = out * square + 1 / odd
    return power.astype(np.int32).astype(np.float64) * math.log(2) + 2 * ratio * out


def sincos_turns(turns: Any) -> tuple[Any, Any]:
    """The sine and the cosine of 2 * pi times float64 numbers in [0, 1)."""
    quarter = (turns * 4 + 0.5).astype(np.int32)
    rest = (turns - quarter * 0.25) * (2 * math.pi)
    square = rest * rest
    cos, sin = (jnp.full_like(rest, 1 / math.factorial(k)) for k in (16, 17))
    for k in range(14, -1, -2):
        sign = (-1) ** (k // 2)
        cos, sin = cos * square + sign / math.factorial(k), sin * square + sign / math.factorial(k + 1)
    sin = sin * rest
    odd = quarter & 1 == 1
    first, second = jnp.where(odd, cos, sin), jnp.where(odd, sin, cos)
    return jnp.where(quarter & 2 == 2, -first, first), jnp.where((quarter + 1) & 2 == 2, -second, second)


def log_factorial(k: Any) -> Any:
    """The logarithm of the factorial of whole float64 numbers >= 0. The error is below 3e-13, or 2e-15 relatively."""
    # Stirling's series. Where k is below 16 it is evaluated for k + 8, and the eight surplus factors are divided out.
    less = k < 16
    n = jnp.where(less, k + 8, k)
    factors = jnp.ones_like(k)
    for i in range(1, 9):
        factors = factors * (k + i)
    square = 1 / (n * n)
    series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))) / n
    return (n + 0.5) * log(n) - n + 0.5 * math.log(2 * math.pi) + series - jnp.where(less, log(factors), 0)
