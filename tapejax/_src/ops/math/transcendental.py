"""Elementwise exponentials, logarithms, trigonometry, and the error, gamma and logistic functions."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from tapejax._src.core.checks import need
from tapejax._src.kernels.cpu.arcs import arccosine, arcsine, arctangent, arctangent2
from tapejax._src.kernels.cpu.sine import cosine, sine
from tapejax._src.ops.math.zero_guards import acosh_rule, rsqrt_rule, sqrt_rule
from tapejax._src.ops.registry import Array, Same, op
from tapejax._src.ops.rows import unary

__all__ = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "digamma", "erf", "erfc",
    "exp", "expm1", "lgamma", "log", "log1p", "log_sigmoid", "rsqrt", "sigmoid", "sin", "sinh", "softplus",
    "sqrt", "tan", "tanh", "xdivy", "xlog1py", "xlogy",
]  # fmt: skip


sqrt = unary(sqrt_rule, "The square root.", "[4.0, 9.0]", "[2.0, 3.0]", "sqrt", "math.sqrt")
rsqrt = unary(rsqrt_rule, "``1 / sqrt(x)``.", "[4.0]", "[0.5]", "math.rsqrt")
exp = unary(jnp.exp, "e to the power `x`.", "[0.0]", "[1.0]", "exp", "math.exp")
expm1 = unary(jnp.expm1, "``exp(x) - 1``, accurate for `x` near 0.", "[0.0]", "[0.0]", "math.expm1")
log = unary(jnp.log, "The natural logarithm.", "[1.0]", "[0.0]", "math.log")
log1p = unary(jnp.log1p, "``log(1 + x)``, accurate for `x` near 0.", "[0.0]", "[0.0]", "math.log1p")
sin = unary(sine, "The sine of radians.", "[0.0]", "[0.0]", "sin", "math.sin")
cos = unary(cosine, "The cosine of radians.", "[0.0]", "[1.0]", "cos", "math.cos")
tan = unary(jnp.tan, "The tangent of radians.", "[0.0]", "[0.0]", "tan", "math.tan")
asin = unary(arcsine, "The inverse of `sin`, in radians.", "[0.0]", "[0.0]", "asin", "math.asin")
acos = unary(arccosine, "The inverse of `cos`, in radians.", "[1.0]", "[0.0]", "acos", "math.acos")
atan = unary(arctangent, "The inverse of `tan`, in radians.", "[0.0]", "[0.0]", "atan", "math.atan")
sinh = unary(jnp.sinh, "The hyperbolic sine.", "[0.0]", "[0.0]", "sinh", "math.sinh")
cosh = unary(jnp.cosh, "The hyperbolic cosine.", "[0.0]", "[1.0]", "cosh", "math.cosh")
tanh = unary(jnp.tanh, "The hyperbolic tangent.", "[0.0]", "[0.0]", "tanh", "nn.tanh", "math.tanh")
asinh = unary(jnp.arcsinh, "The inverse of `sinh`.", "[0.0]", "[0.0]", "asinh", "math.asinh")
acosh = unary(acosh_rule, "The inverse of `cosh`.", "[1.0]", "[0.0]", "acosh", "math.acosh")
atanh = unary(jnp.arctanh, "The inverse of `tanh`.", "[0.0]", "[0.0]", "atanh", "math.atanh")
sigmoid = unary(lax.logistic, "``1 / (1 + exp(-x))``.", "[0.0]", "[0.5]", "sigmoid", "nn.sigmoid", "math.sigmoid")
erf = unary(lax.erf, "The error function.", "[0.0]", "[0.0]", "math.erf", kinds="f")
erfc = unary(lax.erfc, "``1 - erf(x)``, accurate for large `x`.", "[0.0]", "[1.0]", "math.erfc", kinds="f")


@op("math.lgamma")
def lgamma(x: Array, name=None):
    """The logarithm of the absolute value of the gamma function. Takes floating numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/lgamma

    >>> round(float(lgamma(3.0)), 4)
    0.6931
    """
    need("f", x)
    return lax.lgamma(x)


@op("math.digamma")
def digamma(x: Array, name=None):
    """The derivative of `lgamma`. Takes floating numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/digamma

    >>> round(float(digamma(2.0)), 4)
    0.4228
    """
    need("f", x)
    # The derivative at infinity is 0, as in TensorFlow. JAX's would be nan.
    infinite = x == jnp.inf
    return jnp.where(infinite, jnp.inf, lax.digamma(jnp.where(infinite, 1, x)))


@op("math.softplus", "nn.softplus")
def softplus(features: Array, name=None):
    """``log(1 + exp(features))``. Takes floating numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/softplus

    >>> round(float(softplus(0.0)), 4)
    0.6931
    """
    need("f", features)
    return jax.nn.softplus(features)


@op("math.log_sigmoid")
def log_sigmoid(x: Array, name=None):
    """``log(sigmoid(x))``, accurate for very negative `x`. Takes floating numbers.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/log_sigmoid

    >>> round(float(log_sigmoid(0.0)), 4)
    -0.6931
    """
    need("f", x)
    return -jax.nn.softplus(-x)


@op("atan2", "math.atan2")
def atan2(y: Same, x: Same, name=None):
    """The angle of the point with coordinates `x` and `y`, in radians.

    Takes floating numbers of one dtype; the shapes broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/atan2

    >>> float(atan2(0.0, 1.0))
    0.0
    """
    need("f", x)
    return arctangent2(y, x)


def _zero_where(zero: Any, x: Any, factor: Any) -> Any:
    """``x * factor``. Where `zero` is true, the value and the gradients are 0, even if `x` or `factor` is nan there."""
    return jnp.where(zero, 0, jnp.where(zero, 0, x) * factor)


@op("math.xlogy")
def xlogy(x: Same, y: Same, name=None):
    """``x * log(y)``, and 0 where `x` is 0. Takes floating or complex numbers of one dtype; the shapes broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/xlogy

    >>> xlogy([0.0, 2.0], [0.0, 1.0]).numpy().tolist()
    [0.0, 0.0]
    """
    need("fc", x)
    zero = x == 0
    return _zero_where(zero, x, jnp.log(jnp.where(zero, 1, y)))


@op("math.xlog1py")
def xlog1py(x: Same, y: Same, name=None):
    """``x * log1p(y)``, and 0 where `x` is 0. Takes floating or complex numbers of one dtype; the shapes broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/xlog1py

    >>> xlog1py([0.0, 2.0], [-1.0, 0.0]).numpy().tolist()
    [0.0, 0.0]
    """
    need("fc", x)
    zero = x == 0
    return _zero_where(zero, x, jnp.log1p(jnp.where(zero, 0, y)))


@op("math.xdivy")
def xdivy(x: Same, y: Same, name=None):
    """``x / y``, and 0 where `x` is 0. Takes floating or complex numbers of one dtype; the shapes broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/xdivy

    >>> xdivy([0.0, 2.0], [0.0, 4.0]).numpy().tolist()
    [0.0, 0.5]
    """
    need("fc", x)
    zero = x == 0
    return _zero_where(zero, x, 1 / jnp.where(zero, 1, y))
