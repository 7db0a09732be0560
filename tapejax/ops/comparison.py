"""Comparisons, logic, and tests for nan and infinity. Elementwise, with boolean results and no gradient."""

import jax.numpy as jnp
import numpy as np

from tapejax.ops.kinds import need
from tapejax.ops.registry import Array, Same, op

__all__ = [
    "equal", "greater", "greater_equal", "is_finite", "is_inf", "is_nan", "less", "less_equal", "logical_and",
    "logical_not", "logical_or", "logical_xor", "not_equal",
]  # fmt: skip


@op("equal", "math.equal", differentiable=False, host=np.equal)
def equal(x: Same, y: Same, name=None):
    """``x == y``. Broadcasts. Numeric and boolean dtypes.

    Shapes that do not broadcast raise InvalidArgumentError; the operator ``==`` gives False for them.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/equal

    >>> equal([1, 2], 2).numpy().tolist()
    [False, True]
    """
    need("fiucb", x)
    return jnp.equal(x, y)


@op("not_equal", "math.not_equal", differentiable=False, host=np.not_equal)
def not_equal(x: Same, y: Same, name=None):
    """``x != y``. Broadcasts. Numeric and boolean dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/not_equal

    >>> not_equal([1, 2], 2).numpy().tolist()
    [True, False]
    """
    need("fiucb", x)
    return jnp.not_equal(x, y)


@op("less", "math.less", differentiable=False, host=np.less)
def less(x: Same, y: Same, name=None):
    """``x < y``. Broadcasts. Real dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/less

    >>> less([1, 2], 2).numpy().tolist()
    [True, False]
    """
    need("fiu", x)
    return jnp.less(x, y)


@op("less_equal", "math.less_equal", differentiable=False, host=np.less_equal)
def less_equal(x: Same, y: Same, name=None):
    """``x <= y``. Broadcasts. Real dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/less_equal

    >>> less_equal([1, 3], 2).numpy().tolist()
    [True, False]
    """
    need("fiu", x)
    return jnp.less_equal(x, y)


@op("greater", "math.greater", differentiable=False, host=np.greater)
def greater(x: Same, y: Same, name=None):
    """``x > y``. Broadcasts. Real dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/greater

    >>> greater([1, 3], 2).numpy().tolist()
    [False, True]
    """
    need("fiu", x)
    return jnp.greater(x, y)


@op("greater_equal", "math.greater_equal", differentiable=False, host=np.greater_equal)
def greater_equal(x: Same, y: Same, name=None):
    """``x >= y``. Broadcasts. Real dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/greater_equal

    >>> greater_equal([1, 2], 2).numpy().tolist()
    [False, True]
    """
    need("fiu", x)
    return jnp.greater_equal(x, y)


@op("logical_and", "math.logical_and", differentiable=False, host=np.logical_and)
def logical_and(x: Same, y: Same, name=None):
    """``x and y``. Broadcasts. Booleans.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/logical_and

    >>> logical_and([True, False], True).numpy().tolist()
    [True, False]
    """
    need("b", x)
    return jnp.logical_and(x, y)


@op("logical_or", "math.logical_or", differentiable=False, host=np.logical_or)
def logical_or(x: Same, y: Same, name=None):
    """``x or y``. Broadcasts. Booleans.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/logical_or

    >>> logical_or([True, False], True).numpy().tolist()
    [True, True]
    """
    need("b", x)
    return jnp.logical_or(x, y)


@op("math.logical_xor", differentiable=False, host=np.logical_xor)
def logical_xor(x: Same, y: Same, name=None):
    """Whether one of `x` and `y` is true, not both. Broadcasts. Booleans.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/logical_xor

    >>> logical_xor([True, False], True).numpy().tolist()
    [False, True]
    """
    need("b", x)
    return jnp.logical_xor(x, y)


@op("logical_not", "math.logical_not", differentiable=False, host=np.logical_not)
def logical_not(x: Array, name=None):
    """``not x``. Booleans.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/logical_not

    >>> logical_not([True, False]).numpy().tolist()
    [False, True]
    """
    need("b", x)
    return jnp.logical_not(x)


@op("math.is_nan", differentiable=False)
def is_nan(x: Array, name=None):
    """Whether `x` is not a number. Floating dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/is_nan

    >>> is_nan([1.0, float("nan"), float("inf")]).numpy().tolist()
    [False, True, False]
    """
    need("f", x)
    return jnp.isnan(x)


@op("math.is_inf", differentiable=False)
def is_inf(x: Array, name=None):
    """Whether `x` is infinite. Floating dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/is_inf

    >>> is_inf([1.0, float("nan"), float("inf")]).numpy().tolist()
    [False, False, True]
    """
    need("f", x)
    return jnp.isinf(x)


@op("math.is_finite", differentiable=False)
def is_finite(x: Array, name=None):
    """Whether `x` is neither nan nor infinite. Floating dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/is_finite

    >>> is_finite([1.0, float("nan"), float("inf")]).numpy().tolist()
    [True, False, False]
    """
    need("f", x)
    return jnp.isfinite(x)
