"""Exponentials, logarithms, trigonometry, and the special functions made of them. All elementwise."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from tapejax.ops.kinds import need
from tapejax.ops.registry import Array, Same, op

__all__ = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "digamma", "erf", "erfc",
    "exp", "expm1", "lgamma", "log", "log1p", "log_sigmoid", "rsqrt", "sigmoid", "sin", "sinh", "softplus",
    "sqrt", "sqrt_rule", "tan", "tanh", "xdivy", "xlog1py", "xlogy",
]  # fmt: skip


@jax.custom_jvp
def sqrt_rule(x: Any) -> Any:
    """The square root as JAX function. A zero upstream gradient stays zero at 0, where JAX gives nan."""
    return jnp.sqrt(x)


@sqrt_rule.defjvp
def _sqrt_jvp(primals: tuple, tangents: tuple) -> tuple:
    (x,), (dx,) = primals, tangents
    out = sqrt_rule(x)
    # At 0 the slope is infinite. Two large finite factors give infinity for what is not zero, and keep zeros.
    zero = out == 0
    huge = jnp.finfo(x.dtype).max
    slope = jnp.where(zero, huge, 0.5 / jnp.where(zero, 1, out))
    return out, dx * slope * jnp.where(zero, huge, 1)


@op("sqrt", "math.sqrt")
def sqrt(x: Array, name=None):
    """The square root. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/sqrt

    >>> sqrt([4.0, 9.0]).numpy().tolist()
    [2.0, 3.0]
    """
    need("fc", x)
    return sqrt_rule(x)


@op("math.rsqrt")
def rsqrt(x: Array, name=None):
    """``1 / sqrt(x)``. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/rsqrt

    >>> rsqrt([4.0]).numpy().tolist()
    [0.5]
    """
    need("fc", x)
    return lax.rsqrt(x)


@op("exp", "math.exp")
def exp(x: Array, name=None):
    """e to the power `x`. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/exp

    >>> exp([0.0]).numpy().tolist()
    [1.0]
    """
    need("fc", x)
    return jnp.exp(x)


@op("math.expm1")
def expm1(x: Array, name=None):
    """``exp(x) - 1``, exact near 0. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/expm1

    >>> expm1([0.0]).numpy().tolist()
    [0.0]
    """
    need("fc", x)
    return jnp.expm1(x)


@op("math.log")
def log(x: Array, name=None):
    """The natural logarithm. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/log

    >>> log([1.0]).numpy().tolist()
    [0.0]
    """
    need("fc", x)
    return jnp.log(x)


@op("math.log1p")
def log1p(x: Array, name=None):
    """``log(1 + x)``, exact near 0. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/log1p

    >>> log1p([0.0]).numpy().tolist()
    [0.0]
    """
    need("fc", x)
    return jnp.log1p(x)


@op("sin", "math.sin")
def sin(x: Array, name=None):
    """The sine of radians. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/sin

    >>> sin([0.0]).numpy().tolist()
    [0.0]
    """
    need("fc", x)
    return jnp.sin(x)


@op("cos", "math.cos")
def cos(x: Array, name=None):
    """The cosine of radians. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/cos

    >>> cos([0.0]).numpy().tolist()
    [1.0]
    """
    need("fc", x)
    return jnp.cos(x)


@op("tan", "math.tan")
def tan(x: Array, name=None):
    """The tangent of radians. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/tan

    >>> tan([0.0]).numpy().tolist()
    [0.0]
    """
    need("fc", x)
    return jnp.tan(x)


@op("asin", "math.asin")
def asin(x: Array, name=None):
    """The inverse of `sin`, in radians. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/asin

    >>> asin([0.0]).numpy().tolist()
    [0.0]
    """
    need("fc", x)
    return jnp.arcsin(x)


@op("acos", "math.acos")
def acos(x: Array, name=None):
    """The inverse of `cos`, in radians. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/acos

    >>> acos([1.0]).numpy().tolist()
    [0.0]
    """
    need("fc", x)
    return jnp.arccos(x)


@op("atan", "math.atan")
def atan(x: Array, name=None):
    """The inverse of `tan`, in radians. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/atan

    >>> atan([0.0]).numpy().tolist()
    [0.0]
    """
    need("fc", x)
    return jnp.arctan(x)


@op("sinh", "math.sinh")
def sinh(x: Array, name=None):
    """The hyperbolic sine. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/sinh

    >>> sinh([0.0]).numpy().tolist()
    [0.0]
    """
    need("fc", x)
    return jnp.sinh(x)


@op("cosh", "math.cosh")
def cosh(x: Array, name=None):
    """The hyperbolic cosine. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/cosh

    >>> cosh([0.0]).numpy().tolist()
    [1.0]
    """
    need("fc", x)
    return jnp.cosh(x)


@op("tanh", "math.tanh", "nn.tanh")
def tanh(x: Array, name=None):
    """The hyperbolic tangent. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/tanh

    >>> tanh([0.0]).numpy().tolist()
    [0.0]
    """
    need("fc", x)
    return jnp.tanh(x)


@op("asinh", "math.asinh")
def asinh(x: Array, name=None):
    """The inverse of `sinh`. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/asinh

    >>> asinh([0.0]).numpy().tolist()
    [0.0]
    """
    need("fc", x)
    return jnp.arcsinh(x)


@op("acosh", "math.acosh")
def acosh(x: Array, name=None):
    """The inverse of `cosh`. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/acosh

    >>> acosh([1.0]).numpy().tolist()
    [0.0]
    """
    need("fc", x)
    return jnp.arccosh(x)


@op("atanh", "math.atanh")
def atanh(x: Array, name=None):
    """The inverse of `tanh`. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/atanh

    >>> atanh([0.0]).numpy().tolist()
    [0.0]
    """
    need("fc", x)
    return jnp.arctanh(x)


@op("sigmoid", "math.sigmoid", "nn.sigmoid")
def sigmoid(x: Array, name=None):
    """``1 / (1 + exp(-x))``. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/sigmoid

    >>> sigmoid([0.0]).numpy().tolist()
    [0.5]
    """
    need("fc", x)
    return lax.logistic(x)


@op("math.erf")
def erf(x: Array, name=None):
    """The error function. Floating dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/erf

    >>> erf([0.0]).numpy().tolist()
    [0.0]
    """
    need("f", x)
    return lax.erf(x)


@op("math.erfc")
def erfc(x: Array, name=None):
    """``1 - erf(x)``, exact for large `x`. Floating dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/erfc

    >>> erfc([0.0]).numpy().tolist()
    [1.0]
    """
    need("f", x)
    return lax.erfc(x)


@op("math.lgamma")
def lgamma(x: Array, name=None):
    """The logarithm of the absolute value of the gamma function. Floating dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/lgamma

    >>> round(float(lgamma(3.0)), 4)
    0.6931
    """
    need("f", x)
    return lax.lgamma(x)


@op("math.digamma")
def digamma(x: Array, name=None):
    """The derivative of `lgamma`. Floating dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/digamma

    >>> round(float(digamma(2.0)), 4)
    0.4228
    """
    need("f", x)
    return lax.digamma(x)


@op("math.softplus", "nn.softplus")
def softplus(features: Array, name=None):
    """``log(1 + exp(features))``. Floating dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/softplus

    >>> round(float(softplus(0.0)), 4)
    0.6931
    """
    need("f", features)
    return jax.nn.softplus(features)


@op("math.log_sigmoid")
def log_sigmoid(x: Array, name=None):
    """``log(sigmoid(x))``, exact for very negative `x`. Floating dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/log_sigmoid

    >>> round(float(log_sigmoid(0.0)), 4)
    -0.6931
    """
    need("f", x)
    return -jax.nn.softplus(-x)


@op("atan2", "math.atan2")
def atan2(y: Same, x: Same, name=None):
    """The angle of the point (x, y), in radians. Broadcasts. Floating dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/atan2

    >>> float(atan2(0.0, 1.0))
    0.0
    """
    need("f", x)
    return jnp.arctan2(y, x)


def _zero_where(zero: Any, x: Any, factor: Any) -> Any:
    """``x * factor``, and 0 with zero gradients where `zero`, whatever stands there."""
    return jnp.where(zero, 0, jnp.where(zero, 0, x) * factor)


@op("math.xlogy")
def xlogy(x: Same, y: Same, name=None):
    """``x * log(y)``, and 0 where `x` is 0. Broadcasts. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/xlogy

    >>> xlogy([0.0, 2.0], [0.0, 1.0]).numpy().tolist()
    [0.0, 0.0]
    """
    need("fc", x)
    zero = x == 0
    return _zero_where(zero, x, jnp.log(jnp.where(zero, 1, y)))


@op("math.xlog1py")
def xlog1py(x: Same, y: Same, name=None):
    """``x * log1p(y)``, and 0 where `x` is 0. Broadcasts. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/xlog1py

    >>> xlog1py([0.0, 2.0], [-1.0, 0.0]).numpy().tolist()
    [0.0, 0.0]
    """
    need("fc", x)
    zero = x == 0
    return _zero_where(zero, x, jnp.log1p(jnp.where(zero, 0, y)))


@op("math.xdivy")
def xdivy(x: Same, y: Same, name=None):
    """``x / y``, and 0 where `x` is 0. Broadcasts. Floating and complex dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/xdivy

    >>> xdivy([0.0, 2.0], [0.0, 4.0]).numpy().tolist()
    [0.0, 0.5]
    """
    need("fc", x)
    zero = x == 0
    return _zero_where(zero, x, 1 / jnp.where(zero, 1, y))
