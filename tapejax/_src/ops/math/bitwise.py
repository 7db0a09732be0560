"""`tf.bitwise`: integers bit by bit. None of them has a gradient."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core.checks import need
from tapejax._src.ops.registry import Same, op
from tapejax._src.ops.rows import binary, unary

__all__ = ["bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift"]


bitwise_and = binary(
    jnp.bitwise_and,
    "The bits that are set in both.",
    "6, 3",
    "2",
    "bitwise.bitwise_and",
    kinds="iu",
    differentiable=False,
    host=np.bitwise_and,
)
bitwise_or = binary(
    jnp.bitwise_or,
    "The bits that are set in either.",
    "6, 3",
    "7",
    "bitwise.bitwise_or",
    kinds="iu",
    differentiable=False,
    host=np.bitwise_or,
)
bitwise_xor = binary(
    jnp.bitwise_xor,
    "The bits that differ.",
    "6, 3",
    "5",
    "bitwise.bitwise_xor",
    kinds="iu",
    differentiable=False,
    host=np.bitwise_xor,
)
invert = unary(
    jnp.bitwise_not, "Every bit the other way.", "6", "-7", "bitwise.invert", kinds="iu", differentiable=False
)


def _distance(x: Any, y: Any) -> Any:
    """A shift of more than the width, or a negative one, is kept inside the width, as TensorFlow does."""
    need("iu", x, y)
    return jnp.clip(y, 0, x.dtype.itemsize * 8 - 1).astype(x.dtype)


@op("bitwise.left_shift", differentiable=False)
def left_shift(x: Same, y: Same, name=None):
    """The bits of ``x``, moved ``y`` places up. Integers of one dtype, broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/bitwise/left_shift

    >>> int(left_shift(3, 2))
    12
    """
    return jnp.left_shift(x, _distance(x, y))


@op("bitwise.right_shift", differentiable=False)
def right_shift(x: Same, y: Same, name=None):
    """The bits of ``x``, moved ``y`` places down; signed numbers keep their sign. Integers of one dtype, broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/bitwise/right_shift

    >>> int(right_shift(-8, 1))
    -4
    """
    return jnp.right_shift(x, _distance(x, y))
