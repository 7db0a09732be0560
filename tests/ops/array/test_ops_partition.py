"""Partition, stitch, reverse, bit casts and small top-level functions against real TensorFlow."""

import time

import numpy as np
from support import expressions

import tapejax

ROWS = [
    "tf.dynamic_partition([1., 2., 3.], [0, 1, 0], 2)",
    "tf.dynamic_partition([1., 2., 3.], [0, 5, 0], 2)",
    "tf.dynamic_partition([1., 2., 3.], [0, 2, 0], 4)",
    "tf.dynamic_partition(x, [0, 1], 2)",
    "tf.dynamic_partition([1., 2., 3.], [0, 1], 2)",
    "tf.dynamic_partition([1., 2.], [0, -1], 2)",
    "tf.dynamic_partition([1., 2.], [0, 1], 0)",
    "tf.dynamic_partition(x, [[0, 1, 0], [1, 0, 0]], 2)",
    "tf.dynamic_partition(['a', 'b'], [0, 1], 2)",
    "tf.dynamic_partition([1.], [0.], 1)",
    "tf.dynamic_partition(b, [0, 1], 2)",
    "tf.dynamic_stitch([[0, 2], [1]], [[1., 2.], [3.]])",
    "tf.dynamic_stitch([[0, 2], [0]], [[1., 2.], [3.]])",
    "tf.dynamic_stitch([[0, 3]], [[1., 2.]])",
    "tf.dynamic_stitch([0, [1]], [1., [3.]])",
    "tf.dynamic_stitch([[0]], [[1., 2.]])",
    "tf.dynamic_stitch([[-1]], [[1.]])",
    "tf.dynamic_stitch([], [])",
    "tf.dynamic_stitch([[0, 1]], [x])",
    "tf.dynamic_stitch([[1], [0]], [[[1., 2.]], [[1.]]])",
    "tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 3], seq_axis=1, batch_axis=0)",
    "tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 4], seq_axis=1)",
    "tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2], seq_axis=1)",
    "tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 1], seq_axis=0)",
    "tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 1, 0], seq_axis=0, batch_axis=1)",
    "tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2., 1.], seq_axis=1)",
    "tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 3], seq_axis=-1)",
    "tf.reverse_sequence([[1, 2, 3]], [0], seq_axis=1)",
    "tf.reverse_sequence([[1, 2, 3]], [1], seq_axis=None)",
    "tf.reverse_sequence(tf.reshape(tf.range(24), [2, 3, 4]), [1, 2, 3], seq_axis=2, batch_axis=1)",
    "tf.bitcast([1., 2.], tf.int32)",
    "tf.bitcast([1., 2.], tf.uint8)",
    "tf.bitcast([[1, 2]], tf.int64)",
    "tf.bitcast([[1, 2, 3]], tf.int64)",
    "tf.bitcast([1.], tf.float64)",
    "tf.bitcast(1., tf.int32)",
    "tf.bitcast(['a'], tf.int32)",
    "tf.timestamp().dtype.name",
    "tf.tuple([x, None, i])",
    "tf.guarantee_const(x)",
    "tf.is_symbolic_tensor(x)",
    "tf.is_symbolic_tensor(1)",
    "tf.inside_function()",
    "tf.function(lambda v: tf.cast(tf.is_symbolic_tensor(v) and tf.inside_function(), tf.int32))(x)",
    "tf.broadcast_static_shape(tf.TensorShape([2, 1]), tf.TensorShape([3]))",
    "tf.broadcast_dynamic_shape([2, 1], [3])",
    "tf.shape_n([x, m])",
    "tf.identity_n([x, i])",
    "tf.tensor_scatter_nd_sub(x, [[0]], [[1., 1, 1]])",
    "tf.sparse.mask(tf.IndexedSlices(x, tf.constant([3, 5])), [3]).values",
    "tf.no_op()",
    "tf.group(x, i)",
    "tf.get_static_value(x)",
    "tf.function(lambda v: tf.reduce_sum(v) if tf.get_static_value(v) is None else v)(x)",
    "tf.dtypes.cast(x, tf.int32)",
    "tf.dtypes.complex(x, x)",
    "tf.dtypes.complex(1, 2)",
    "tf.dtypes.saturate_cast([-1, 300], tf.uint8)",
    "tf.VariableAggregation.MEAN.value, tf.VariableSynchronization.ON_READ.name",
    "tf.Variable(1., aggregation=tf.VariableAggregation.SUM).aggregation.name",
    "g(lambda a: tf.dynamic_partition(a * a, [1, 0, 1], 2), [1., 2., 3.])",
    "g(lambda a, c: tf.dynamic_stitch([[0, 1], [1]], [a * a, c]) * [2., 3.], [1., 2.], [3.])",
    "g(lambda a: tf.reverse_sequence(a, [2, 1], 1) * [[1., 2.], [3., 4.]], [[1., 2.], [3., 4.]])",
]

test_as_tensorflow = expressions.test_of(ROWS)


def test_timestamp_is_now():
    assert abs(float(tapejax.timestamp()) - time.time()) < 60


def test_partition_and_stitch_are_inverse():
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    where = np.arange(20) * 7 % 4
    parts = tapejax.dynamic_partition(x, where, 4)
    places = tapejax.dynamic_partition(tapejax.range(20), where, 4)
    np.testing.assert_array_equal(tapejax.dynamic_stitch(places, parts).numpy(), x)


def test_control_dependencies_change_nothing():
    with tapejax.control_dependencies([tapejax.constant(1.0)]):
        assert int(tapejax.constant(1) + 1) == 2


def test_the_logger_has_its_own_name():
    assert tapejax.get_logger().name == "tapejax"
