"""Slopes that are infinite or nan, and leave zero gradients at zero.

TensorFlow multiplies the gradients of some ops (its ``MulNoNan``) so that a zero upstream gradient stays zero whatever
the slope is. ``tf.where(x > 0, tf.sqrt(x), x)`` relies on it.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from tapejax._src.core.checks import is_complex

__all__ = ["acosh_rule", "reciprocal_rule", "rsqrt_rule", "scaled", "sqrt_rule"]


def scaled(tangent: Any, slope: Any) -> Any:
    """``tangent * slope``, and 0 where `tangent` is 0. Its transpose has the same property.

    JAX transposes only what is linear, so the zero cannot be tested for. Instead each factor is finite: two large ones
    give infinity for what is not zero, and keep zeros; a 0 between them gives nan. The order is the same from both
    ends, as the transpose has it reversed. No factor is a constant, which XLA would multiply with the next.
    """
    finite = jnp.isfinite(slope)
    sign = 1 if is_complex(slope) else jnp.where(slope < 0, -1, 1).astype(slope.dtype)
    edge = jnp.where(finite, 1, jnp.finfo(slope.dtype).max).astype(slope.dtype)
    middle = jnp.where(finite, slope, jnp.where(jnp.isnan(slope), 0, sign))
    return tangent * edge * edge * middle * edge * edge


@jax.custom_jvp
def sqrt_rule(x: Any) -> Any:
    """The square root."""
    return jnp.sqrt(x)


@sqrt_rule.defjvp
def _sqrt_jvp(primals: tuple, tangents: tuple) -> tuple:
    out = sqrt_rule(*primals)
    zero = out == 0
    infinite = jnp.inf if is_complex(out) else jnp.copysign(jnp.asarray(jnp.inf, out.dtype), out)
    return out, scaled(tangents[0], jnp.where(zero, infinite, 0.5 / jnp.where(zero, 1, out)))


@jax.custom_jvp
def rsqrt_rule(x: Any) -> Any:
    """One divided by the square root."""
    return lax.rsqrt(x)


@rsqrt_rule.defjvp
def _rsqrt_jvp(primals: tuple, tangents: tuple) -> tuple:
    out = rsqrt_rule(*primals)
    return out, scaled(tangents[0], -0.5 * (out * out * out))


@jax.custom_jvp
def reciprocal_rule(x: Any) -> Any:
    """One divided by `x`."""
    return jnp.reciprocal(x)


@reciprocal_rule.defjvp
def _reciprocal_jvp(primals: tuple, tangents: tuple) -> tuple:
    out = reciprocal_rule(*primals)
    return out, scaled(tangents[0], -(out * out))


@jax.custom_jvp
def acosh_rule(x: Any) -> Any:
    """The inverse of `cosh`. Where a real number has none, the slope is nan too."""
    return jnp.arccosh(x)


@acosh_rule.defjvp
def _acosh_jvp(primals: tuple, tangents: tuple) -> tuple:
    (x,), (dx,) = primals, tangents
    slope = lax.rsqrt((x - 1) * (x + 1))
    return acosh_rule(x), dx * (slope if is_complex(x) else jnp.where(x < 1, jnp.nan, slope))
