"""`tf.bitwise`: operations on the bits of integers. None of them has a gradient."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core.checks import need
from tapejax._src.ops.registry import Same, op
from tapejax._src.ops.rows import binary, unary

__all__ = ["bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift"]


bitwise_and = binary(
    jnp.bitwise_and,
    "The bits that are set in both integers.",
    "6, 3",
    "2",
    "bitwise.bitwise_and",
    kinds="iu",
    differentiable=False,
    host=np.bitwise_and,
)
bitwise_or = binary(
    jnp.bitwise_or,
    "The bits that are set in at least one of two integers.",
    "6, 3",
    "7",
    "bitwise.bitwise_or",
    kinds="iu",
    differentiable=False,
    host=np.bitwise_or,
)
bitwise_xor = binary(
    jnp.bitwise_xor,
    "The bits in which two integers differ.",
    "6, 3",
    "5",
    "bitwise.bitwise_xor",
    kinds="iu",
    differentiable=False,
    host=np.bitwise_xor,
)
invert = unary(jnp.bitwise_not, "Inverts all bits.", "6", "-7", "bitwise.invert", kinds="iu", differentiable=False)


def _distance(x: Any, y: Any) -> Any:
    """The number of places to shift by, limited to 0 up to the width minus 1, as in TensorFlow."""
    need("iu", x, y)
    return jnp.clip(y, 0, x.dtype.itemsize * 8 - 1).astype(x.dtype)


@op("bitwise.left_shift", differentiable=False)
def left_shift(x: Same, y: Same, name=None):
    """Shifts the bits of `x` by `y` places to the left. Takes integers of one dtype; the shapes broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/bitwise/left_shift

    >>> int(left_shift(3, 2))
    12
    """
    return jnp.left_shift(x, _distance(x, y))


@op("bitwise.right_shift", differentiable=False)
def right_shift(x: Same, y: Same, name=None):
    """Shifts the bits of `x` by `y` places to the right. Signed numbers keep their sign.

    Takes integers of one dtype; the shapes broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/bitwise/right_shift

    >>> int(right_shift(-8, 1))
    -4
    """
    return jnp.right_shift(x, _distance(x, y))
