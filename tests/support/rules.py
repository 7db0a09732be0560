"""What the tests of the engine's rules share: ops that show which call ran, and how many programs a call compiles."""

import jax
import numpy as np

import tapejax as tf
from tapejax._src.ops.registry import Array, Same, op


@op()
def scale(x: Array, by=1, name=None):
    return x * by


@op(may_fail=True)
def fails_if_negative(x: Same, y: Same, name=None):
    def check(a):
        if (np.asarray(a) < 0).any():
            raise ValueError("a negative value reached the kernel")
        return a

    return jax.pure_callback(check, jax.ShapeDtypeStruct(x.shape, x.dtype), x) + y


def compiled_by(fn):
    """Programs that one call compiles."""
    tf.sync()
    before = tf.explain().programs_compiled
    fn()
    tf.sync()
    return tf.explain().programs_compiled - before
