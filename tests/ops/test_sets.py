"""`tf.sets` against real TensorFlow."""

from support import expressions


def parts(s):
    """A sparse tensor's three tensors."""
    return [s.indices, s.values, s.dense_shape]


A, B = "[[1, 2, 3, 2], [4, 5, 6, 4]]", "[[2, 3, 9], [4, 4, 4]]"
SPARSE = "tf.sparse.from_dense([[1, 2, 0], [3, 0, 0]])"
ROWS = [
    *(f"parts(tf.sets.{name}({A}, {B}))" for name in ("intersection", "union", "difference")),
    f"parts(tf.sets.difference({A}, {B}, aminusb=False))",
    *(f"parts(tf.sets.{name}([['b', 'a']], [['c', 'a']]))" for name in ("intersection", "union", "difference")),
    f"parts(tf.sets.union({SPARSE}, {SPARSE}))",
    f"parts(tf.sets.intersection({A}, {SPARSE}))",
    f"parts(tf.sets.intersection({SPARSE}, {A}))",
    "parts(tf.sets.intersection([[1]], [[2]]))",
    "parts(tf.sets.intersection([1], [2]))",
    "parts(tf.sets.intersection([[1.]], [[2.]]))",
    "parts(tf.sets.intersection([[1]], [[2], [3]]))",
    "parts(tf.sets.intersection(tf.constant([[1]]), tf.constant([[1]], tf.int64)))",
    f"tf.sets.size({SPARSE})",
    "tf.sets.size([[1]])",
]

test_as_tensorflow = expressions.test_of(ROWS, parts=lambda tf: parts)
