"""Partition, stitch, reverse, bit casts and small top-level functions against real TensorFlow."""

import time

import numpy as np
from support import harness
from support.harness import raises

import tapejax

ROWS = [
    lambda tf: tf.dynamic_partition([1.0, 2.0, 3.0], [0, 1, 0], 2),
    raises("InvalidArgumentError", lambda tf: tf.dynamic_partition([1.0, 2.0, 3.0], [0, 5, 0], 2)),
    lambda tf: tf.dynamic_partition([1.0, 2.0, 3.0], [0, 2, 0], 4),
    lambda tf, x: tf.dynamic_partition(x, [0, 1], 2),
    raises("InvalidArgumentError", lambda tf: tf.dynamic_partition([1.0, 2.0, 3.0], [0, 1], 2)),
    raises("InvalidArgumentError", lambda tf: tf.dynamic_partition([1.0, 2.0], [0, -1], 2)),
    raises("InvalidArgumentError", lambda tf: tf.dynamic_partition([1.0, 2.0], [0, 1], 0)),
    lambda tf, x: tf.dynamic_partition(x, [[0, 1, 0], [1, 0, 0]], 2),
    lambda tf: tf.dynamic_partition(["a", "b"], [0, 1], 2),
    raises(TypeError, lambda tf: tf.dynamic_partition([1.0], [0.0], 1)),
    lambda tf, b: tf.dynamic_partition(b, [0, 1], 2),
    lambda tf: tf.dynamic_stitch([[0, 2], [1]], [[1.0, 2.0], [3.0]]),
    lambda tf: tf.dynamic_stitch([[0, 2], [0]], [[1.0, 2.0], [3.0]]),
    lambda tf: tf.dynamic_stitch([[0, 3]], [[1.0, 2.0]]),
    lambda tf: tf.dynamic_stitch([0, [1]], [1.0, [3.0]]),
    raises("InvalidArgumentError", lambda tf: tf.dynamic_stitch([[0]], [[1.0, 2.0]])),
    raises("InvalidArgumentError", lambda tf: tf.dynamic_stitch([[-1]], [[1.0]])),
    raises("InvalidArgumentError", lambda tf: tf.dynamic_stitch([], [])),
    lambda tf, x: tf.dynamic_stitch([[0, 1]], [x]),
    raises("InvalidArgumentError", lambda tf: tf.dynamic_stitch([[1], [0]], [[[1.0, 2.0]], [[1.0]]])),
    lambda tf: tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 3], seq_axis=1, batch_axis=0),
    raises("InvalidArgumentError", lambda tf: tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 4], seq_axis=1)),
    raises("InvalidArgumentError", lambda tf: tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2], seq_axis=1)),
    raises("InvalidArgumentError", lambda tf: tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 1], seq_axis=0)),
    lambda tf: tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 1, 0], seq_axis=0, batch_axis=1),
    raises("InvalidArgumentError", lambda tf: tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2.0, 1.0], seq_axis=1)),
    raises("InvalidArgumentError", lambda tf: tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 3], seq_axis=-1)),
    lambda tf: tf.reverse_sequence([[1, 2, 3]], [0], seq_axis=1),
    raises(TypeError, lambda tf: tf.reverse_sequence([[1, 2, 3]], [1], seq_axis=None)),
    lambda tf: tf.reverse_sequence(tf.reshape(tf.range(24), [2, 3, 4]), [1, 2, 3], seq_axis=2, batch_axis=1),
    lambda tf: tf.bitcast([1.0, 2.0], tf.int32),
    lambda tf: tf.bitcast([1.0, 2.0], tf.uint8),
    lambda tf: tf.bitcast([[1, 2]], tf.int64),
    raises("InvalidArgumentError", lambda tf: tf.bitcast([[1, 2, 3]], tf.int64)),
    raises("InvalidArgumentError", lambda tf: tf.bitcast([1.0], tf.float64)),
    lambda tf: tf.bitcast(1.0, tf.int32),
    raises("InvalidArgumentError", lambda tf: tf.bitcast(["a"], tf.int32)),
    lambda tf: tf.timestamp().dtype.name,
    lambda tf, x, i: tf.tuple([x, None, i]),
    lambda tf, x: tf.guarantee_const(x),
    lambda tf, x: tf.is_symbolic_tensor(x),
    lambda tf: tf.is_symbolic_tensor(1),
    lambda tf: tf.inside_function(),
    lambda tf, x: tf.function(lambda v: tf.cast(tf.is_symbolic_tensor(v) and tf.inside_function(), tf.int32))(x),
    lambda tf: tf.broadcast_static_shape(tf.TensorShape([2, 1]), tf.TensorShape([3])),
    lambda tf: tf.broadcast_dynamic_shape([2, 1], [3]),
    lambda tf, x, m: tf.shape_n([x, m]),
    lambda tf, x, i: tf.identity_n([x, i]),
    lambda tf, x: tf.tensor_scatter_nd_sub(x, [[0]], [[1.0, 1, 1]]),
    lambda tf, x: tf.sparse.mask(tf.IndexedSlices(x, tf.constant([3, 5])), [3]).values,
    lambda tf: tf.no_op(),
    lambda tf, x, i: tf.group(x, i),
    lambda tf, x: tf.get_static_value(x),
    lambda tf, x: tf.function(lambda v: tf.reduce_sum(v) if tf.get_static_value(v) is None else v)(x),
    lambda tf, x: tf.dtypes.cast(x, tf.int32),
    lambda tf, x: tf.dtypes.complex(x, x),
    raises(TypeError, lambda tf: tf.dtypes.complex(1, 2)),
    lambda tf: tf.dtypes.saturate_cast([-1, 300], tf.uint8),
    lambda tf: (tf.VariableAggregation.MEAN.value, tf.VariableSynchronization.ON_READ.name),
    lambda tf: tf.Variable(1.0, aggregation=tf.VariableAggregation.SUM).aggregation.name,
    lambda tf, g: g(lambda a: tf.dynamic_partition(a * a, [1, 0, 1], 2), [1.0, 2.0, 3.0]),
    lambda tf, g: g(lambda a: tf.reverse_sequence(a, [2, 1], 1) * [[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]]),
]

test_as_tensorflow = harness.test_of(ROWS)


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
