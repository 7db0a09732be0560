"""Python's operators against real TensorFlow: value, dtype, shape, exception class, gradient."""

import numpy as np
from support import harness
from support.harness import raises

import tapejax

ROWS = [
    raises(ValueError, lambda x: x + None),
    raises(ValueError, lambda x: x + object()),
    raises("InvalidArgumentError", lambda x: x + [1, 2]),
    lambda x: x + [1, 2, 3],
    lambda x: x == None,  # noqa: E711
    lambda x: x != None,  # noqa: E711
    raises(TypeError, lambda x: x == "a"),
    raises("InvalidArgumentError", lambda tf, x: x == tf.constant([1, 2])),
    lambda tf, x: x == tf.constant([1.0, 2]),
    lambda tf, x: x != tf.constant([1.0, 2]),
    raises("InvalidArgumentError", lambda tf, x: x < tf.constant([1.0, 2])),
    raises(ValueError, lambda x: x == object()),
    raises(TypeError, lambda x: hash(x)),
    raises(TypeError, lambda tf: iter(tf.constant(1))),
    lambda i: list(i),
    lambda x: x**2,
    raises("InvalidArgumentError", lambda i: i**-1),
    lambda x: x**0,
    raises(TypeError, lambda i: i**2.5),
    lambda i: 2**i,
    lambda i: i % 2,
    lambda i: -i % 2,
    lambda i: i / 2,
    lambda i: ~i,
    lambda tf: ~tf.constant(True),
    lambda i: i & 1,
    lambda i: i & i,
    lambda tf: tf.constant(True) & True,
    raises("InvalidArgumentError", lambda x: x & x),
    lambda i: i ^ i,
    lambda tf: tf.constant(True) | tf.constant(False),
    raises("InvalidArgumentError", lambda x: x @ x),
    lambda tf, x: x @ tf.transpose(x),
    raises("InvalidArgumentError", lambda i: i @ i),
    raises(TypeError, lambda i: divmod(i, 2)),
    lambda tf: abs(tf.constant(-1 + 1j)),
    raises("InvalidArgumentError", lambda tf: -tf.constant(True)),
    raises("InvalidArgumentError", lambda tf: -tf.constant([1], tf.uint8)),
    lambda x: x <= 3,
    lambda x: 3 > x,
    raises(TypeError, lambda x: x << 1),
]

test_as_tensorflow = harness.test_of(ROWS)


def test_classes_with_operators_of_their_own_go_first():
    class Other:
        def __radd__(self, other):
            return "theirs"

    assert tapejax.constant(1.0) + Other() == "theirs"


def test_numpy_arrays_on_the_left():
    out = np.array([1.0, 2.0], np.float32) * tapejax.constant([3.0, 4.0])
    assert isinstance(out, tapejax.Tensor) and out.numpy().tolist() == [3.0, 8.0]
