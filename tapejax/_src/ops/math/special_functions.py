"""Elementwise special functions: inverse error functions, incomplete gamma and beta, Bessel, zeta, and polynomials."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special as js
import numpy as np
from jax import lax

from tapejax._src.core.checks import invalid, need
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.ops.array.creation import zeros_like
from tapejax._src.ops.array.layout import stop_gradient
from tapejax._src.ops.registry import Array, Same, op
from tapejax._src.ops.rows import unary

__all__ = [
    "bessel_i0", "bessel_i0e", "bessel_i1", "bessel_i1e", "betainc", "erfcinv", "erfinv", "expint", "igamma",
    "igammac", "lbeta", "ndtri", "nextafter", "polygamma", "polyval", "spence", "zeta",
]  # fmt: skip


def _rule(value: Any, slope: Any) -> Any:
    """A JAX function that computes `value` and whose derivative is `slope`."""
    rule = jax.custom_jvp(value)
    rule.defjvp(lambda primals, tangents: (rule(*primals), slope(*primals) * tangents[0]))
    return rule


def _off_zero(x: Any, value: Any) -> Any:
    """``value(x)``, and 0.5 at 0, which is the limit of I1(x) / x there."""
    zero = x == 0
    return jnp.where(zero, 0.5, value(jnp.where(zero, 1, x)))


# JAX would differentiate the approximations that compute these functions. The derivatives given here are exact.
_i0 = _rule(js.i0, lambda x: _i1(x))
_i1 = _rule(js.i1, lambda x: _off_zero(x, lambda x: _i0(x) - _i1(x) / x))
_i0e = _rule(js.i0e, lambda x: _i1e(x) - jnp.sign(x) * _i0e(x))
_i1e = _rule(js.i1e, lambda x: _off_zero(x, lambda x: _i0e(x) - _i1e(x) * (jnp.sign(x) + 1 / x)))
_spence = _rule(js.spence, lambda x: jnp.where(x == 1, -1, jnp.log(x) / jnp.where(x == 1, 1, 1 - x)))


erfinv = unary(
    lax.erf_inv,
    "The inverse of `tf.math.erf`. It is infinite at -1 and 1, and nan outside [-1, 1].",
    "0.0",
    "0.0",
    "math.erfinv",
    kinds="f",
)
ndtri = unary(
    js.ndtri,
    "The quantiles of the standard normal distribution. They are infinite at 0 and 1, and nan outside [0, 1].",
    "0.5",
    "0.0",
    "math.ndtri",
    kinds="f",
)


@op("math.erfcinv")
def erfcinv(x: Array, name=None):
    """The inverse of `tf.math.erfc`. It is infinite at 0 and 2, and nan outside [0, 2]. Takes floating numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/erfcinv

    >>> float(erfcinv(1.0))
    -0.0
    """
    need("f", x)
    return js.ndtri(0.5 * x) * jnp.asarray(-math.sqrt(0.5), x.dtype)


@op("math.bessel_i0", "math.special.bessel_i0")
def bessel_i0(x: Array, name=None):
    """The modified Bessel function of the first kind of order 0. Takes floating numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/bessel_i0

    >>> round(float(bessel_i0(0.0)), 4)
    1.0
    """
    need("f", x)
    return _i0(x)


@op("math.bessel_i0e", "math.special.bessel_i0e")
def bessel_i0e(x: Array, name=None):
    """``exp(-abs(x)) * bessel_i0(x)``, which does not overflow. Takes floating numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/bessel_i0e

    >>> round(float(bessel_i0e(0.0)), 4)
    1.0
    """
    need("f", x)
    return _i0e(x)


bessel_i1 = unary(
    _i1,
    "The modified Bessel function of the first kind of order 1.",
    "0.0",
    "0.0",
    "math.special.bessel_i1",
    "math.bessel_i1",
    kinds="f",
)
bessel_i1e = unary(
    _i1e,
    "``exp(-abs(x)) * bessel_i1(x)``, which does not overflow.",
    "0.0",
    "0.0",
    "math.special.bessel_i1e",
    "math.bessel_i1e",
    kinds="f",
)


@op("math.special.expint")
def expint(x: Array, name=None):
    """The exponential integral Ei. Takes floating numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/special/expint

    >>> round(float(expint(1.0)), 4)
    1.8951
    """
    need("f", x)
    return js.expi(x)


spence = unary(
    _spence,
    "Spence's function: the integral of ``log(t) / (1 - t)`` from 1 to x.",
    "1.0",
    "0.0",
    "math.special.spence",
    kinds="f",
)


def _one_dtype(name: str, *xs: Any) -> None:
    need("f", *xs)
    if any(x.dtype != xs[0].dtype for x in xs):
        raise invalid(f"cannot compute {name}: the dtypes differ: {', '.join(str(x.dtype) for x in xs)}")


def _density(a: Any, x: Any) -> Any:
    """The derivative of P(a, x) with respect to x."""
    return jnp.exp((a - 1) * jnp.log(x) - x - lax.lgamma(a))


@jax.custom_jvp
def _slope_by_a(a: Any, x: Any) -> Any:
    return lax.igamma_grad_a(a, x)


@_slope_by_a.defjvp
def _slope_by_a_jvp(primals: Any, tangents: Any) -> Any:
    a, x = primals
    mixed = _density(a, x) * (jnp.log(x) - lax.digamma(a))
    # No formula is known for the second derivative with respect to `a`. It is nan here; TensorFlow raises an error.
    return _slope_by_a(a, x), mixed * tangents[1] + jnp.nan * tangents[0]


@jax.custom_jvp
def _igamma(a: Any, x: Any) -> Any:
    return jnp.where((a <= 0) & ~((a == 0) & (x == 0)), jnp.nan, lax.igamma(jnp.where(a == 0, 1, a), x))


@_igamma.defjvp
def _igamma_jvp(primals: Any, tangents: Any) -> Any:
    return _igamma(*primals), _slope_by_a(*primals) * tangents[0] + _density(*primals) * tangents[1]


@jax.custom_jvp
def _igammac(a: Any, x: Any) -> Any:
    return jnp.where(a <= 0, jnp.nan, lax.igammac(a, x))


@_igammac.defjvp
def _igammac_jvp(primals: Any, tangents: Any) -> Any:
    return _igammac(*primals), -_slope_by_a(*primals) * tangents[0] - _density(*primals) * tangents[1]


@op("math.igamma")
def igamma(a: Same, x: Same, name=None):
    """The lower regularised incomplete gamma function P(a, x), for a > 0 and x >= 0.

    Takes floating numbers of one dtype; the shapes broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/igamma

    >>> round(float(igamma(1.0, 1.0)), 4)
    0.6321
    """
    _one_dtype("Igamma", a, x)
    return _igamma(*jnp.broadcast_arrays(a, x))


@op("math.igammac")
def igammac(a: Same, x: Same, name=None):
    """The upper regularised incomplete gamma function Q(a, x) = 1 - P(a, x), for a > 0 and x >= 0.

    Takes floating numbers of one dtype; the shapes broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/igammac

    >>> round(float(igammac(1.0, 1.0)), 4)
    0.3679
    """
    _one_dtype("Igammac", a, x)
    return _igammac(*jnp.broadcast_arrays(a, x))


@op()
def _betainc(a: Same, b: Same, x: Same):
    _one_dtype("Betainc", a, b, x)
    return lax.betainc(*jnp.broadcast_arrays(a, b, x))


@public("math.betainc")
def betainc(a: Any, b: Any, x: Any, name: str | None = None) -> Tensor:
    """The regularised incomplete beta function I_x(a, b), for a, b > 0 and x in [0, 1].

    Takes float32 or float64 numbers of one dtype; the shapes broadcast. The gradients with respect to `a` and `b` are
    None, as in TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/betainc

    >>> round(float(betainc(1.0, 1.0, 0.5)), 4)
    0.5
    """
    return _betainc(stop_gradient(a), stop_gradient(b), x)


@op()
def _zeta(x: Same, q: Same):
    _one_dtype("Zeta", x, q)
    return _zeta_rule(*jnp.broadcast_arrays(x, q))


@jax.custom_jvp
def _zeta_rule(x: Any, q: Any) -> Any:
    return lax.zeta(x, q)


@_zeta_rule.defjvp
def _zeta_jvp(primals: Any, tangents: Any) -> Any:
    x, q = primals
    return _zeta_rule(x, q), -x * _zeta_rule(x + 1, q) * tangents[1]


@public("math.zeta")
def zeta(x: Any, q: Any, name: str | None = None) -> Tensor:
    """The Hurwitz zeta function: the sum of ``(q + n) ** -x`` over n = 0, 1, 2, ..

    Takes float32 or float64 numbers of one dtype; the shapes broadcast. The gradient with respect to `x` is None, as in
    TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/zeta

    >>> round(float(zeta(2.0, 1.0)), 4)
    1.6449
    """
    return _zeta(stop_gradient(x), q)


@op()
def _polygamma(a: Same, x: Same):
    _one_dtype("Polygamma", a, x)
    return _polygamma_rule(*jnp.broadcast_arrays(a, x))


@jax.custom_jvp
def _polygamma_rule(a: Any, x: Any) -> Any:
    order = jnp.where((a == jnp.floor(a)) & (a >= 0), a, jnp.nan)
    # The formula of `lax.polygamma`, which itself cannot be differentiated if the order is broadcast.
    sign = jnp.where(jnp.mod(a, 2) == 0, -1, 1).astype(x.dtype)
    high = sign * jnp.exp(lax.lgamma(a + 1)) * lax.zeta(a + 1, x)
    return jnp.where(order == 0, lax.digamma(x), jnp.where(order == order, high, jnp.nan))


@_polygamma_rule.defjvp
def _polygamma_jvp(primals: Any, tangents: Any) -> Any:
    a, x = primals
    return _polygamma_rule(a, x), _polygamma_rule(a + 1, x) * tangents[1]


@public("math.polygamma")
def polygamma(a: Any, x: Any, name: str | None = None) -> Tensor:
    """The derivative of order `a`, a whole number, of `tf.math.digamma` at `x`.

    Takes float32 or float64 numbers of one dtype; the shapes broadcast. The gradient with respect to `a` is None, as in
    TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/polygamma

    >>> round(float(polygamma(1.0, 1.0)), 4)
    1.6449
    """
    return _polygamma(stop_gradient(a), x)


@op("math.lbeta")
def lbeta(x: Array, name=None):
    """The logarithm of the beta function of the last axis: ``sum(lgamma(x)) - lgamma(sum(x))``.

    Args:
      x: floating numbers of shape (.., n). An empty last axis gives -inf.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape (..).

    Raises:
      InvalidArgumentError: `x` is a scalar.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/lbeta

    >>> round(float(lbeta([2.0, 3.0])), 4)
    -2.4849
    """
    need("f", x)
    if not x.ndim:
        raise invalid("Invalid reduction dimension (-1 for input with 0 dimension(s)")
    return jnp.sum(lax.lgamma(x), -1) - lax.lgamma(jnp.sum(x, -1))


@jax.custom_jvp
def _next(x1: Any, x2: Any) -> Any:
    return jnp.nextafter(x1, x2)


@_next.defjvp
def _next_jvp(primals: Any, tangents: Any) -> Any:
    out = _next(*primals)
    return out, jnp.broadcast_to(tangents[0], out.shape)


@op("math.nextafter")
def nextafter(x1: Same, x2: Same, name=None):
    """The number after `x1` in the direction of `x2` that the dtype can represent. The gradient goes to `x1`.

    Takes float32 or float64 numbers of one dtype; the shapes broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/nextafter

    >>> float(nextafter(1.0, 2.0))
    1.0000001192092896
    """
    _one_dtype("NextAfter", x1, x2)
    if x1.dtype not in (np.float32, np.float64):
        raise invalid(f"Value for attr 'T' of {x1.dtype} is not in the list of allowed values: double, float")
    return _next(x1, x2)


@public("math.polyval")
def polyval(coeffs: Any, x: Any, name: str | None = None) -> Tensor:
    """The value of a polynomial at `x`.

    Args:
      coeffs: a list of numbers or tensors, the coefficients. That of the highest power comes first.
      x: a tensor.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `coeffs` is not a list.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/polyval

    >>> float(polyval([1.0, 2.0, 3.0], 2.0))
    11.0
    """
    if not isinstance(coeffs, list):
        raise ValueError(f"Argument coeffs must be list type. Received type {type(coeffs)}.")
    at: Any = to_tensor(x)
    if not coeffs:
        return zeros_like(at)
    total: Any = to_tensor(coeffs[0])
    for c in coeffs[1:]:
        total = total * at + c
    return total
