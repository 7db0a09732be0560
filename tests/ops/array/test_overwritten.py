"""Values that `tensor_scatter_nd_update` and `dynamic_stitch` overwrite have no gradient. TensorFlow gives them one."""

import numpy as np
import pytest

import tapejax as tf


def gradients(function, *values):
    tensors = [tf.constant(v) for v in values]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = function(*tensors)
        loss = tf.reduce_sum(y * y)
    return y.numpy(), [np.asarray(tf.convert_to_tensor(g)) for g in tape.gradient(loss, tensors)]


def by_differences(function, values):
    def loss(*values):
        return float(tf.reduce_sum(tf.square(function(*map(tf.constant, values)))))

    found = []
    for which, value in enumerate(values):
        slopes = np.zeros(len(value))
        for at in range(len(value)):
            ends = []
            for step in (1e-3, -1e-3):
                moved = [np.array(v) for v in values]
                moved[which][at] += step
                ends.append(loss(*moved))
            slopes[at] = (ends[0] - ends[1]) / 2e-3
        found.append(slopes)
    return found


@pytest.mark.parametrize(
    ("function", "values"),
    [
        (lambda x, u: tf.tensor_scatter_nd_update(x, [[1], [1], [0]], u), ([1.0, 2.0, 3.0], [5.0, 6.0, 7.0])),
        (lambda x, u: tf.tensor_scatter_nd_update(x, [[2], [0], [2], [2]], u), ([1.0, 2.0, 3.0], [5.0, 6.0, 7.0, 8.0])),
        (lambda x, u: tf.tensor_scatter_nd_update(x, [[2], [0]], u), ([1.0, 2.0, 3.0], [5.0, 6.0])),
        (lambda a, b: tf.dynamic_stitch([[0, 1], [1, 2]], [a, b]), ([1.0, 2.0], [3.0, 4.0])),
        (lambda a, c: tf.dynamic_stitch([[0, 1], [1]], [a * a, c]) * [2.0, 3.0], ([1.0, 2.0], [3.0])),
        (lambda a, u: tf.tensor_scatter_nd_update(a, [[0], [0]], u), ([1.0, 2.0], [3.0, 4.0])),
        (lambda a, b: tf.dynamic_stitch([[0, 0], [0, 2]], [a, b]), ([1.0, 2.0], [3.0, 4.0])),
    ],
)
def test_gradients_are_those_of_differences(function, values):
    values = [np.array(v) for v in values]
    _, found = gradients(function, *values)
    for mine, wanted in zip(found, by_differences(function, values), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-5, atol=1e-5)


def test_the_seen_update_has_the_gradient():
    y, (_, du) = gradients(lambda x, u: tf.tensor_scatter_nd_update(x, [[1], [1]], u), [1.0, 2.0], [5.0, 6.0])
    assert du.tolist() == [10.0 * (y[1] == 5), 12.0 * (y[1] == 6)]
