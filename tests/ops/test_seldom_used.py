"""Public names that no other test file reads, against real TensorFlow, or NumPy where TensorFlow has no kernel."""

import numpy as np
from support import harness

import tapejax

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
        lambda tf, x: tf.image.resize(x[None, :, :, None], [4, 4], tf.image.ResizeMethod.NEAREST_NEIGHBOR),
        lambda tf: tf.image.stateless_random_jpeg_quality(PIXELS, 60, 90, [1, 2]).shape,
    ]
)


def test_transforms_over_chosen_axes():
    """TensorFlow's package has no kernel for a CPU."""
    real = np.arange(12.0).reshape(3, 4)
    complex_ = real + 1j * real[::-1]
    tf = tapejax
    for ours, theirs in (
        (tf.signal.fftnd(complex_, [3, 4], [0, 1]), np.fft.fftn(complex_)),
        (tf.signal.ifftnd(complex_, [3, 4], [0, 1]), np.fft.ifftn(complex_)),
        (tf.signal.rfftnd(real, [3, 4], [0, 1]), np.fft.rfftn(real)),
        (tf.signal.irfftnd(np.fft.rfftn(real), [3, 4], [0, 1]), real),
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
