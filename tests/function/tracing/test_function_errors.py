"""Wrong arguments inside `tf.function`: shapes are refused with ValueError, dtypes with TypeError, as when TensorFlow
traces; values, and what only TensorFlow's kernels look at, with InvalidArgumentError.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import harness
from support.harness import raises
from support.source import text_of

# Functions of a [2, 3] matrix, a vector of 3, a scalar, an NHWC image and a variable of shape [3].
SHAPES = [
    lambda tf, a: tf.matmul(a, a),
    lambda tf, a, v: tf.matmul(a, v),
    lambda tf, a: a + tf.ones([2, 4]),
    lambda tf, a: tf.maximum(a, tf.ones([3, 2])),
    lambda tf, a: tf.where(a > 1, tf.ones([3, 2]), 0.0),
    lambda tf, a: tf.logical_and(a > 1, tf.ones([3, 2]) > 0),
    lambda tf, a, v: tf.add_n([a, v]),
    lambda tf, a: tf.concat([a, tf.ones([3, 2])], 0),
    lambda tf, a, v: tf.concat([a, v], 0),
    lambda tf, a: tf.concat([a, a], 5),
    lambda tf, s: tf.concat([s, s], 0),
    lambda tf, a, v: tf.stack([a, v]),
    lambda tf, a: tf.stack([a, a], axis=5),
    lambda tf, a: tf.unstack(a, num=4),
    lambda tf, s: tf.unstack(s),
    lambda tf, a: tf.split(a, 2, axis=1),
    lambda tf, a: tf.split(a, [1, 1], axis=1),
    lambda tf, a: tf.reshape(a, [4, 2]),
    lambda tf, a: tf.reshape(a, [-1, 4]),
    lambda tf, a: tf.transpose(a, [0, 1, 2]),
    lambda tf, a: tf.expand_dims(a, 5),
    lambda tf, a: tf.squeeze(a, 0),
    lambda tf, a: tf.squeeze(a, 7),
    lambda tf, a: tf.tile(a, [1]),
    lambda tf, a: tf.pad(a, [[1, 1]]),
    lambda tf, a: tf.pad(a, [[-1, 1], [0, 0]]),
    lambda tf, a: tf.slice(a, [0], [1]),
    lambda a: a[5],
    lambda a: a[0, 0, 0],
    lambda a: a[:, 7],
    lambda a: a[::0],
    lambda tf, a: tf.gather(a, 0, axis=3),
    lambda tf, s: tf.gather(s, 0),
    lambda tf, a: tf.gather_nd(a, [[0, 0, 0]]),
    lambda tf, a: tf.broadcast_to(a, [2]),
    lambda tf, a: tf.reduce_sum(a, axis=2),
    lambda tf, a: tf.argmax(a, axis=3),
    lambda tf, a: tf.reverse(a, [5]),
    lambda tf, a: tf.roll(a, [1, 1], [0]),
    lambda tf, a: tf.einsum("ij,jk->ik", a, a),
    lambda tf, a: tf.tensordot(a, a, 1),
    lambda tf, a: tf.linalg.inv(a),
    lambda tf, a: tf.linalg.cholesky(a),
    lambda tf, a: tf.linalg.matvec(a, tf.ones([2])),
    lambda tf: tf.linalg.solve(tf.eye(2), tf.ones([3, 1])),
    lambda tf, v: tf.linalg.trace(v),
    lambda tf: tf.linalg.cross(tf.ones([2]), tf.ones([2])),
    lambda tf, s: tf.linalg.diag(s),
    lambda tf, a: tf.nn.bias_add(a, tf.ones([2])),
    lambda tf, image: tf.nn.conv2d(image, tf.ones([2, 2, 2, 1]), 1, "SAME"),
    lambda tf, a: tf.nn.conv2d(a, tf.ones([2, 2, 3, 1]), 1, "SAME"),
    lambda tf, image: tf.nn.conv2d(image, tf.ones([2, 2, 3, 1]), 1, "FOO"),
    lambda tf, a: tf.nn.max_pool2d(a, 2, 2, "SAME"),
    lambda tf, image: tf.nn.depthwise_conv2d(image, tf.ones([2, 2, 2, 1]), [1] * 4, "SAME"),
    lambda tf, s: tf.nn.softmax(s),
    lambda tf, a: tf.nn.top_k(a, 5),
    lambda tf, a: tf.nn.softmax_cross_entropy_with_logits(a, tf.ones([3, 2])),
    lambda tf, image: tf.nn.space_to_depth(image, 3),
    lambda tf: tf.one_hot([0, 1], -1),
    lambda tf: tf.range(0, 5, 0),
    lambda tf: tf.fill([-1], 1.0),
    lambda tf: tf.zeros([-1]),
    lambda tf: tf.eye(-2),
    lambda tf, a: tf.ensure_shape(a, [3, 2]),
    lambda tf, a: tf.scatter_nd([[0]], a, [4]),
    lambda tf: tf.random.stateless_uniform([2], [1, 2, 3]),
    lambda tf, v: tf.random.categorical(v, 2),
    lambda tf, a: tf.dynamic_stitch([[0]], [a]),
    lambda tf, a: tf.sort(a, axis=4),
    lambda a, w: w.assign(a),
    lambda a, w: w.assign_add(a),
    lambda tf, a, s: tf.cond(s > 0, lambda: tf.matmul(a, a), lambda: a),
    lambda tf, a: tf.map_fn(lambda x: x + tf.ones([5]), a),
    lambda tf, s: tf.while_loop(lambda i: i < 2.0, lambda i: (i + tf.ones([2]),), [s]),
    lambda tf, a: tf.norm(a, axis=3),
    lambda tf: tf.image.rgb_to_hsv(tf.ones([4, 4, 2])),
    lambda tf, image: tf.image.crop_and_resize(image, [[0.0, 0, 1, 1]], [0], [2, 2], "cubic"),
]
DTYPES = [
    lambda tf, a: a + tf.constant(1),
    lambda tf, a: tf.matmul(a, tf.ones([3, 2], tf.float64)),
    lambda tf, a: tf.concat([a, tf.ones([2, 3], tf.int32)], 0),
    lambda tf: tf.sqrt(tf.constant(4)),
    lambda tf: tf.exp(tf.constant(1)),
    lambda tf, a: tf.logical_not(a),
    lambda tf, a: tf.bitwise.bitwise_and(a, a),
    lambda tf, a: tf.signal.fft(a),
    lambda tf, a: tf.reduce_any(a),
    lambda tf: tf.nn.relu(tf.constant([True])),
    lambda tf, a: tf.cast(a, tf.int32) + 1.5,
]
VALUES = [
    lambda tf, a: tf.gather(a, 5),
    lambda tf, a: tf.gather_nd(a, [[9, 9]]),
    lambda tf: tf.scatter_nd([[9]], [1.0], [4]),
    lambda tf, a: tf.math.segment_sum(a, [1, 0]),
    lambda tf, a: tf.math.unsorted_segment_sum(a, [0, 1], 1),
    lambda tf, a: tf.slice(a, [0, 0], [3, 3]),
    lambda tf, a: tf.transpose(a, [0, 0]),
    lambda tf, a: tf.pad(a, [[3, 3], [0, 0]], mode="REFLECT"),
    lambda tf, a: tf.reduce_sum(a, axis=[0, 0]),
    lambda tf, a: tf.cumsum(a, axis=4),
    lambda tf, a: tf.nn.softmax(a, axis=3),
    lambda tf: tf.one_hot([0, 1], 3, axis=5),
    lambda tf, a: tf.roll(a, 1, 5),
    lambda tf, a: tf.tile(a, [1, -1]),
    lambda tf, v: tf.repeat(v, -1),
    lambda tf: tf.math.bincount([-1, 2]),
    lambda tf, a, v: tf.searchsorted(v, a),
    lambda tf: tf.constant(1) // tf.constant(0),
]


def check(tf: Any, row: Callable[..., Any], error: type[Exception] | str) -> None:
    """Asserts that a row raises this in a captured function, in both."""

    @raises(error)
    def call(tf: Any) -> Any:
        w = tf.Variable(tf.zeros([3]))
        names = list(inspect.signature(row).parameters)

        @tf.function(autograph=False)
        def captured(a: Any, v: Any, s: Any, image: Any) -> Any:
            given = {"tf": tf, "a": a, "v": v, "s": s, "image": image, "w": w}
            return row(*(given[name] for name in names))

        arguments = np.arange(6.0).reshape(2, 3), np.ones(3), 1.0, np.ones([1, 4, 4, 3])
        return captured(*(tf.constant(x, tf.float32) for x in arguments))

    harness.check(tf, call)


@pytest.mark.parametrize("row", SHAPES, ids=text_of)
def test_shapes_are_refused_with_value_errors(tf: Any, row: Callable[..., Any]) -> None:
    check(tf, row, ValueError)


@pytest.mark.parametrize("row", DTYPES, ids=text_of)
def test_dtypes_are_refused_with_type_errors(tf: Any, row: Callable[..., Any]) -> None:
    check(tf, row, TypeError)


@pytest.mark.parametrize("row", VALUES, ids=text_of)
def test_values_are_refused_as_eagerly(tf: Any, row: Callable[..., Any]) -> None:
    check(tf, row, "InvalidArgumentError")
