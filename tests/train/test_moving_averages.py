"""`tf.train.ExponentialMovingAverage` against real TensorFlow."""

import pytest
from support.harness import check, raises

import tapejax


def plain(tf):
    v, w = tf.Variable([1.0, 2.0], name="v"), tf.Variable(3.0, dtype=tf.float64)
    averages = tf.train.ExponentialMovingAverage(0.9)
    found = [averages.average(v) is None]
    averages.apply([v, w])
    for _ in range(3):
        v.assign_add([1.0, 2.0])
        w.assign_add(1.0)
        averages.apply([v, w])
        found += [averages.average(v).numpy(), averages.average(w).numpy()]
    return [
        *found,
        averages.average(v).trainable,
        averages.average_name(v),
        averages.name,
        list(averages.variables_to_restore([v])),
        averages.average(tf.Variable(1.0)) is None,
    ]


def with_a_count(tf):
    found = []
    for steps in (5, tf.Variable(2)):
        v = tf.Variable([1.0, 2.0])
        averages = tf.train.ExponentialMovingAverage(0.9, num_updates=steps, zero_debias=True)
        averages.apply([v])
        v.assign([0.0, 0.0])
        averages.apply((v,))
        found.append(averages.average(v).numpy())
    return found


def captured(tf):
    v = tf.Variable(1.0)
    averages = tf.train.ExponentialMovingAverage(0.5)
    averages.apply([v])

    @tf.function
    def step():
        v.assign_add(1.0)
        averages.apply([v])
        return averages.average(v) + 0.0

    return [step(), step(), v.numpy()]


def at_high_decay(tf):
    found = []
    for dtype in (tf.float16, tf.float32, tf.float64):
        v = tf.Variable([0.0, 1.0], dtype=dtype)
        averages = tf.train.ExponentialMovingAverage(0.9999)
        averages.apply([v])
        v.assign([1000.0, 3.0])
        for _ in range(3):
            averages.apply([v])
        found.append(averages.average(v).numpy())
    return found


@raises(TypeError)
def of_a_tensor(tf):
    tf.train.ExponentialMovingAverage(0.5).apply([tf.constant(1.0)])


@raises(TypeError)
def of_integers(tf):
    tf.train.ExponentialMovingAverage(0.5).apply([tf.Variable(1)])


@pytest.mark.parametrize(
    "scenario", [plain, with_a_count, captured, at_high_decay, of_a_tensor, of_integers], ids=lambda f: f.__name__
)
def test_as_tensorflow(scenario, tf):
    check(tf, scenario)


def test_all_variables_are_not_known():
    with pytest.raises(ValueError, match="var_list"):
        tapejax.train.ExponentialMovingAverage(0.5).apply()


def test_async_scope_waits():
    with tapejax.experimental.async_scope():
        x = tapejax.constant(2.0) * 3.0
    assert tapejax.experimental.async_clear_error() is None and float(x) == 6.0
