"""Comparisons, logic, and tests for nan and infinity. Elementwise, with boolean results and no gradient."""

import jax.numpy as jnp
import numpy as np

from tapejax._src.core.checks import need
from tapejax._src.ops.registry import Same, op
from tapejax._src.ops.rows import binary, unary

__all__ = [
    "equal", "greater", "greater_equal", "is_finite", "is_inf", "is_nan", "less", "less_equal", "logical_and",
    "logical_not", "logical_or", "logical_xor", "not_equal",
]  # fmt: skip


@op("equal", "math.equal", differentiable=False, host=np.equal, strings=True)
def equal(x: Same, y: Same, name=None):
    """``x == y``. Broadcasts. All dtypes.

    Shapes that do not broadcast raise InvalidArgumentError; the operator ``==`` gives False for them.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/equal

    >>> equal([1, 2], 2).numpy().tolist()
    [False, True]
    """
    need("fiucb", x)
    return jnp.equal(x, y)


not_equal = binary(
    jnp.not_equal,
    "``x != y``.",
    "[1, 2], 2",
    "[True, False]",
    "not_equal",
    "math.not_equal",
    kinds="fiucb",
    differentiable=False,
    host=np.not_equal,
    strings=True,
)
less = binary(
    jnp.less,
    "``x < y``.",
    "[1, 2], 2",
    "[True, False]",
    "less",
    "math.less",
    kinds="fiu",
    differentiable=False,
    host=np.less,
)
less_equal = binary(
    jnp.less_equal,
    "``x <= y``.",
    "[1, 3], 2",
    "[True, False]",
    "less_equal",
    "math.less_equal",
    kinds="fiu",
    differentiable=False,
    host=np.less_equal,
)
greater = binary(
    jnp.greater,
    "``x > y``.",
    "[1, 3], 2",
    "[False, True]",
    "greater",
    "math.greater",
    kinds="fiu",
    differentiable=False,
    host=np.greater,
)
greater_equal = binary(
    jnp.greater_equal,
    "``x >= y``.",
    "[1, 2], 2",
    "[False, True]",
    "greater_equal",
    "math.greater_equal",
    kinds="fiu",
    differentiable=False,
    host=np.greater_equal,
)
logical_and = binary(
    jnp.logical_and,
    "``x and y``.",
    "[True, False], True",
    "[True, False]",
    "logical_and",
    "math.logical_and",
    kinds="b",
    differentiable=False,
    host=np.logical_and,
)
logical_or = binary(
    jnp.logical_or,
    "``x or y``.",
    "[True, False], True",
    "[True, True]",
    "logical_or",
    "math.logical_or",
    kinds="b",
    differentiable=False,
    host=np.logical_or,
)
logical_xor = binary(
    jnp.logical_xor,
    "Whether one of `x` and `y` is true, not both.",
    "[True, False], True",
    "[False, True]",
    "math.logical_xor",
    kinds="b",
    differentiable=False,
    host=np.logical_xor,
)
logical_not = unary(
    jnp.logical_not,
    "``not x``.",
    "[True, False]",
    "[False, True]",
    "logical_not",
    "math.logical_not",
    kinds="b",
    differentiable=False,
    host=np.logical_not,
)
is_nan = unary(
    jnp.isnan,
    "Whether `x` is not a number.",
    '[1.0, float("nan"), float("inf")]',
    "[False, True, False]",
    "math.is_nan",
    kinds="f",
    differentiable=False,
)
is_inf = unary(
    jnp.isinf,
    "Whether `x` is infinite.",
    '[1.0, float("nan"), float("inf")]',
    "[False, False, True]",
    "math.is_inf",
    kinds="f",
    differentiable=False,
)
is_finite = unary(
    jnp.isfinite,
    "Whether `x` is neither nan nor infinite.",
    '[1.0, float("nan"), float("inf")]',
    "[True, False, False]",
    "math.is_finite",
    kinds="f",
    differentiable=False,
)
