"""Wrong arguments inside `tf.function`: shapes are refused with ValueError, dtypes with TypeError, as when TensorFlow
traces; values, and what only TensorFlow's kernels look at, with InvalidArgumentError.
"""

from typing import Any

import numpy as np
import pytest

import tapejax

# Expressions of a [2, 3] matrix, a vector of 3, a scalar, an NHWC image and a variable of shape [3].
SHAPES = [
    "tf.matmul(a, a)",
    "tf.matmul(a, v)",
    "a + tf.ones([2, 4])",
    "tf.maximum(a, tf.ones([3, 2]))",
    "tf.where(a > 1, tf.ones([3, 2]), 0.0)",
    "tf.logical_and(a > 1, tf.ones([3, 2]) > 0)",
    "tf.add_n([a, v])",
    "tf.concat([a, tf.ones([3, 2])], 0)",
    "tf.concat([a, v], 0)",
    "tf.concat([a, a], 5)",
    "tf.concat([s, s], 0)",
    "tf.stack([a, v])",
    "tf.stack([a, a], axis=5)",
    "tf.unstack(a, num=4)",
    "tf.unstack(s)",
    "tf.split(a, 2, axis=1)",
    "tf.split(a, [1, 1], axis=1)",
    "tf.reshape(a, [4, 2])",
    "tf.reshape(a, [-1, 4])",
    "tf.transpose(a, [0, 1, 2])",
    "tf.expand_dims(a, 5)",
    "tf.squeeze(a, 0)",
    "tf.squeeze(a, 7)",
    "tf.tile(a, [1])",
    "tf.pad(a, [[1, 1]])",
    "tf.pad(a, [[-1, 1], [0, 0]])",
    "tf.slice(a, [0], [1])",
    "a[5]",
    "a[0, 0, 0]",
    "a[:, 7]",
    "a[::0]",
    "tf.gather(a, 0, axis=3)",
    "tf.gather(s, 0)",
    "tf.gather_nd(a, [[0, 0, 0]])",
    "tf.broadcast_to(a, [2])",
    "tf.reduce_sum(a, axis=2)",
    "tf.argmax(a, axis=3)",
    "tf.reverse(a, [5])",
    "tf.roll(a, [1, 1], [0])",
    "tf.einsum('ij,jk->ik', a, a)",
    "tf.tensordot(a, a, 1)",
    "tf.linalg.inv(a)",
    "tf.linalg.cholesky(a)",
    "tf.linalg.matvec(a, tf.ones([2]))",
    "tf.linalg.solve(tf.eye(2), tf.ones([3, 1]))",
    "tf.linalg.trace(v)",
    "tf.linalg.cross(tf.ones([2]), tf.ones([2]))",
    "tf.linalg.diag(s)",
    "tf.nn.bias_add(a, tf.ones([2]))",
    "tf.nn.conv2d(image, tf.ones([2, 2, 2, 1]), 1, 'SAME')",
    "tf.nn.conv2d(a, tf.ones([2, 2, 3, 1]), 1, 'SAME')",
    "tf.nn.conv2d(image, tf.ones([2, 2, 3, 1]), 1, 'FOO')",
    "tf.nn.max_pool2d(a, 2, 2, 'SAME')",
    "tf.nn.depthwise_conv2d(image, tf.ones([2, 2, 2, 1]), [1] * 4, 'SAME')",
    "tf.nn.softmax(s)",
    "tf.nn.top_k(a, 5)",
    "tf.nn.softmax_cross_entropy_with_logits(a, tf.ones([3, 2]))",
    "tf.nn.space_to_depth(image, 3)",
    "tf.one_hot([0, 1], -1)",
    "tf.range(0, 5, 0)",
    "tf.fill([-1], 1.0)",
    "tf.zeros([-1])",
    "tf.eye(-2)",
    "tf.ensure_shape(a, [3, 2])",
    "tf.scatter_nd([[0]], a, [4])",
    "tf.random.stateless_uniform([2], [1, 2, 3])",
    "tf.random.categorical(v, 2)",
    "tf.dynamic_stitch([[0]], [a])",
    "tf.sort(a, axis=4)",
    "w.assign(a)",
    "w.assign_add(a)",
    "tf.cond(s > 0, lambda: tf.matmul(a, a), lambda: a)",
    "tf.map_fn(lambda x: x + tf.ones([5]), a)",
    "tf.while_loop(lambda i: i < 2.0, lambda i: (i + tf.ones([2]),), [s])",
    "tf.norm(a, axis=3)",
    "tf.image.rgb_to_hsv(tf.ones([4, 4, 2]))",
    "tf.image.crop_and_resize(image, [[0., 0, 1, 1]], [0], [2, 2], 'cubic')",
]
DTYPES = [
    "a + tf.constant(1)",
    "tf.matmul(a, tf.ones([3, 2], tf.float64))",
    "tf.concat([a, tf.ones([2, 3], tf.int32)], 0)",
    "tf.sqrt(tf.constant(4))",
    "tf.exp(tf.constant(1))",
    "tf.logical_not(a)",
    "tf.bitwise.bitwise_and(a, a)",
    "tf.signal.fft(a)",
    "tf.reduce_any(a)",
    "tf.nn.relu(tf.constant([True]))",
    "tf.cast(a, tf.int32) + 1.5",
]
VALUES = [
    "tf.gather(a, 5)", "tf.gather_nd(a, [[9, 9]])", "tf.scatter_nd([[9]], [1.0], [4])",
    "tf.math.segment_sum(a, [1, 0])", "tf.math.unsorted_segment_sum(a, [0, 1], 1)", "tf.slice(a, [0, 0], [3, 3])",
    "tf.transpose(a, [0, 0])", "tf.pad(a, [[3, 3], [0, 0]], mode='REFLECT')", "tf.reduce_sum(a, axis=[0, 0])",
    "tf.cumsum(a, axis=4)", "tf.nn.softmax(a, axis=3)", "tf.one_hot([0, 1], 3, axis=5)", "tf.roll(a, 1, 5)",
    "tf.tile(a, [1, -1])", "tf.repeat(v, -1)", "tf.math.bincount([-1, 2])", "tf.searchsorted(v, a)",
    "tf.constant(1) // tf.constant(0)",
]  # fmt: skip


def raised_in_a_function(tf: Any, row: str) -> type[Exception]:
    """The class of what an expression raises in a captured function."""
    w = tf.Variable(tf.zeros([3]))

    @tf.function(autograph=False)
    def captured(a: Any, v: Any, s: Any, image: Any) -> Any:
        return eval(row, {"tf": tf, "a": a, "v": v, "s": s, "image": image, "w": w})

    arguments = np.arange(6.0).reshape(2, 3), np.ones(3), 1.0, np.ones([1, 4, 4, 3])
    with pytest.raises(Exception) as info:
        captured(*(tf.constant(x, tf.float32) for x in arguments))
    return next(c for c in info.type.__mro__ if c.__module__ == "builtins" or "errors" in c.__module__)


@pytest.mark.parametrize("row", SHAPES)
def test_shapes_are_refused_with_value_errors(tf: Any, row: str) -> None:
    assert raised_in_a_function(tapejax, row) is raised_in_a_function(tf, row) is ValueError


@pytest.mark.parametrize("row", DTYPES)
def test_dtypes_are_refused_with_type_errors(tf: Any, row: str) -> None:
    assert raised_in_a_function(tapejax, row) is raised_in_a_function(tf, row) is TypeError


@pytest.mark.parametrize("row", VALUES)
def test_values_are_refused_as_eagerly(tf: Any, row: str) -> None:
    assert raised_in_a_function(tf, row) is tf.errors.InvalidArgumentError
    assert raised_in_a_function(tapejax, row) is tapejax.errors.InvalidArgumentError
