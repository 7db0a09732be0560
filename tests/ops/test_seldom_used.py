"""Public names that no other test file reads, against real TensorFlow."""

import numpy as np
from support import harness

PIXELS = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)


def on_a_device(tf):
    with tf.device("/CPU:0"):
        return tf.ones([2]) + 1.0


def after_a_device(tf):
    with tf.device("CPU"):
        x = tf.constant([1.0, 2.0])
    return x * 2.0


test_functions = harness.test_functions(globals())

test_as_tensorflow = harness.test_of(
    [
        lambda tf, c: tf.linalg.adjoint(c),
        lambda tf, x: tf.linalg.adjoint(x),
        lambda tf, c: tf.signal.fftnd(c, [2, 2], [0, 1]),
        lambda tf, c: tf.signal.ifftnd(c, [2, 2], [0, 1]),
        lambda tf, m: tf.signal.rfftnd(m, [2, 2], [0, 1]),
        lambda tf, c: tf.signal.irfftnd(c, [2, 2], [0, 1]),
        lambda tf, x: tf.image.resize(x[None, :, :, None], [4, 4], tf.image.ResizeMethod.NEAREST_NEIGHBOR),
        lambda tf: tf.image.stateless_random_jpeg_quality(PIXELS, 60, 90, [1, 2]).shape,
    ]
)
