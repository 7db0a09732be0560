"""Elementwise comparisons, logic, and tests for nan and infinity. The results are boolean and have no gradient."""

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
    """Whether ``x == y``, element by element.

    Args:
      x: a tensor of any dtype.
      y: a tensor of the same dtype. The shapes broadcast.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the dtypes differ, or the shapes do not broadcast. For such shapes the operator ``==`` gives
        False instead.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/equal

    >>> equal([1, 2], 2).numpy().tolist()
    [False, True]
    """
    need("fiucb", x)
    return jnp.equal(x, y)


not_equal = binary(
    jnp.not_equal,
    "Whether ``x != y``, element by element.",
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
    "Whether ``x < y``, element by element.",
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
    "Whether ``x <= y``, element by element.",
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
    "Whether ``x > y``, element by element.",
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
    "Whether ``x >= y``, element by element.",
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
    "Whether ``x and y``, element by element.",
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
    "Whether ``x or y``, element by element.",
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
    "Whether exactly one of `x` and `y` is true, element by element.",
    "[True, False], True",
    "[False, True]",
    "math.logical_xor",
    kinds="b",
    differentiable=False,
    host=np.logical_xor,
)
logical_not = unary(
    jnp.logical_not,
    "Whether ``not x``, element by element.",
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
    "Whether elements are nan.",
    '[1.0, float("nan"), float("inf")]',
    "[False, True, False]",
    "math.is_nan",
    kinds="f",
    differentiable=False,
)
is_inf = unary(
    jnp.isinf,
    "Whether elements are infinite.",
    '[1.0, float("nan"), float("inf")]',
    "[False, False, True]",
    "math.is_inf",
    kinds="f",
    differentiable=False,
)
is_finite = unary(
    jnp.isfinite,
    "Whether elements are neither nan nor infinite.",
    '[1.0, float("nan"), float("inf")]',
    "[True, False, False]",
    "math.is_finite",
    kinds="f",
    differentiable=False,
)
