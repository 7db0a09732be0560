"""`tf.sets` against real TensorFlow."""

from support import harness
from support.harness import raises


def parts(s):
    """A sparse tensor's three tensors."""
    return [s.indices, s.values, s.dense_shape]


A, B = "[[1, 2, 3, 2], [4, 5, 6, 4]]", "[[2, 3, 9], [4, 4, 4]]"
SPARSE = "tf.sparse.from_dense([[1, 2, 0], [3, 0, 0]])"
ROWS = [
    lambda tf: parts(tf.sets.intersection([[1, 2, 3, 2], [4, 5, 6, 4]], [[2, 3, 9], [4, 4, 4]])),
    lambda tf: parts(tf.sets.union([[1, 2, 3, 2], [4, 5, 6, 4]], [[2, 3, 9], [4, 4, 4]])),
    lambda tf: parts(tf.sets.difference([[1, 2, 3, 2], [4, 5, 6, 4]], [[2, 3, 9], [4, 4, 4]])),
    lambda tf: parts(tf.sets.difference([[1, 2, 3, 2], [4, 5, 6, 4]], [[2, 3, 9], [4, 4, 4]], aminusb=False)),
    lambda tf: parts(tf.sets.intersection([["b", "a"]], [["c", "a"]])),
    lambda tf: parts(tf.sets.union([["b", "a"]], [["c", "a"]])),
    lambda tf: parts(tf.sets.difference([["b", "a"]], [["c", "a"]])),
    lambda tf: parts(
        tf.sets.union(tf.sparse.from_dense([[1, 2, 0], [3, 0, 0]]), tf.sparse.from_dense([[1, 2, 0], [3, 0, 0]]))
    ),
    lambda tf: parts(tf.sets.intersection([[1, 2, 3, 2], [4, 5, 6, 4]], tf.sparse.from_dense([[1, 2, 0], [3, 0, 0]]))),
    lambda tf: parts(tf.sets.intersection(tf.sparse.from_dense([[1, 2, 0], [3, 0, 0]]), [[1, 2, 3, 2], [4, 5, 6, 4]])),
    lambda tf: parts(tf.sets.intersection([[1]], [[2]])),
    raises("InvalidArgumentError", lambda tf: parts(tf.sets.intersection([1], [2]))),
    raises(TypeError, lambda tf: parts(tf.sets.intersection([[1.0]], [[2.0]]))),
    raises("InvalidArgumentError", lambda tf: parts(tf.sets.intersection([[1]], [[2], [3]]))),
    raises(TypeError, lambda tf: parts(tf.sets.intersection(tf.constant([[1]]), tf.constant([[1]], tf.int64)))),
    lambda tf: tf.sets.size(tf.sparse.from_dense([[1, 2, 0], [3, 0, 0]])),
    raises(TypeError, lambda tf: tf.sets.size([[1]])),
]

test_as_tensorflow = harness.test_of(ROWS)
