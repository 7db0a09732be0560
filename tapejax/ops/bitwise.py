"""`tf.bitwise`: integers bit by bit. None of them has a gradient."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax.ops.kinds import need
from tapejax.ops.registry import Array, Same, op

__all__ = ["bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift"]


@op("bitwise.bitwise_and", differentiable=False, host=np.bitwise_and)
def bitwise_and(x: Same, y: Same, name=None):
    """The bits that are set in both. Integers of one dtype, broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/bitwise/bitwise_and

    >>> int(bitwise_and(6, 3))
    2
    """
    need("iu", x, y)
    return jnp.bitwise_and(x, y)


@op("bitwise.bitwise_or", differentiable=False, host=np.bitwise_or)
def bitwise_or(x: Same, y: Same, name=None):
    """The bits that are set in either. Integers of one dtype, broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/bitwise/bitwise_or

    >>> int(bitwise_or(6, 3))
    7
    """
    need("iu", x, y)
    return jnp.bitwise_or(x, y)


@op("bitwise.bitwise_xor", differentiable=False, host=np.bitwise_xor)
def bitwise_xor(x: Same, y: Same, name=None):
    """The bits that differ. Integers of one dtype, broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/bitwise/bitwise_xor

    >>> int(bitwise_xor(6, 3))
    5
    """
    need("iu", x, y)
    return jnp.bitwise_xor(x, y)


@op("bitwise.invert", differentiable=False)
def invert(x: Array, name=None):
    """Every bit the other way. Integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/bitwise/invert

    >>> int(invert(6))
    -7
    """
    need("iu", x)
    return jnp.bitwise_not(x)


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
