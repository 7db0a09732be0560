"""Functions whose derivative is infinite or nan at some points, where a zero upstream gradient must stay zero.

TensorFlow's gradients of such ops multiply with its ``MulNoNan``: where the upstream gradient is zero, the result is
zero, whatever the derivative is. Programs rely on it: ``tf.where(x > 0, tf.sqrt(x), x)`` has a finite gradient at 0.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from tapejax._src.core.checks import is_complex

__all__ = ["acosh_rule", "reciprocal_rule", "rsqrt_rule", "scaled", "sqrt_rule"]


def scaled(tangent: Any, slope: Any) -> Any:
    """``tangent * slope``, and 0 where `tangent` is 0, even if `slope` is infinite or nan there.

    JAX transposes this function for the backward pass, where it must have the same property. Only linear functions can
    be transposed, so this one cannot test whether `tangent` is zero. Instead it replaces an infinite or nan `slope` by
    a product of finite factors. Multiplied by the large factor `edge` twice, anything but zero becomes infinite, while
    zero stays zero. If `middle` is 0, that infinity times 0 gives nan.

    The factors read the same from both ends, because the transpose multiplies in reverse order. None of them is a
    constant, since XLA would multiply neighbouring constants with each other.
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
    """The inverse of `cosh`. Where a real number has no such inverse, the derivative is nan too."""
    return jnp.arccosh(x)


@acosh_rule.defjvp
def _acosh_jvp(primals: tuple, tangents: tuple) -> tuple:
    (x,), (dx,) = primals, tangents
    slope = lax.rsqrt((x - 1) * (x + 1))
    return acosh_rule(x), dx * (slope if is_complex(x) else jnp.where(x < 1, jnp.nan, slope))
