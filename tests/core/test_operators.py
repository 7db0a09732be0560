"""Python's operators against real TensorFlow: value, dtype, shape, exception class, gradient."""

import numpy as np
from support import expressions

import tapejax

ROWS = [
    "x+None",
    "x+object()",
    "x+[1,2]",
    "x+[1,2,3]",
    "x==None",
    "x!=None",
    "x=='a'",
    "x==tf.constant([1,2])",
    "x==tf.constant([1.,2])",
    "x!=tf.constant([1.,2])",
    "x<tf.constant([1.,2])",
    "x==object()",
    "hash(x)",
    "iter(tf.constant(1))",
    "list(i)",
    "x**2",
    "i**-1",
    "x**0",
    "i**2.5",
    "2**i",
    "i%2",
    "-i%2",
    "i/2",
    "~i",
    "~tf.constant(True)",
    "i&1",
    "i&i",
    "tf.constant(True)&True",
    "x&x",
    "i^i",
    "tf.constant(True)|tf.constant(False)",
    "x@x",
    "x@tf.transpose(x)",
    "i@i",
    "divmod(i,2)",
    "abs(tf.constant(-1+1j))",
    "-tf.constant(True)",
    "-tf.constant([1],tf.uint8)",
    "x<=3",
    "3>x",
    "x<<1",
]

test_as_tensorflow = expressions.test_of(ROWS)


def test_classes_with_operators_of_their_own_go_first():
    class Other:
        def __radd__(self, other):
            return "theirs"

    assert tapejax.constant(1.0) + Other() == "theirs"


def test_numpy_arrays_on_the_left():
    out = np.array([1.0, 2.0], np.float32) * tapejax.constant([3.0, 4.0])
    assert isinstance(out, tapejax.Tensor) and out.numpy().tolist() == [3.0, 8.0]
