"""Targets and sources of `GradientTape.gradient`: each function is run with real TensorFlow too.

Both must do the same.
"""

import numpy as np
import pytest
from support.harness import raises, test_functions

import tapejax

# One scenario a function, its story in the name. `tf` is tapejax or TensorFlow.


def intermediate_results_are_sources_too(tf):
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = x * x
        z = tf.reduce_sum(y * 3.0 + y)
    return tape.gradient(z, y)


def output_gradients_weigh_the_targets(tf):
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        y = x * x
        z = x * 3.0
    v, w = tf.constant([10.0, 100.0]), tf.constant([1.0, -1.0])
    return tape.gradient(y, x, output_gradients=v), tape.gradient([y, z], x, output_gradients=[v, w])


def unconnected_is_none(tf):
    x, y = tf.Variable([1.0, 2.0]), tf.Variable([[3.0]])
    with tf.GradientTape() as tape:
        z = x * 2.0
    return tape.gradient(z, [x, y])


def unconnected_as_zeros(tf):
    x, y, n = tf.Variable([1.0, 2.0]), tf.Variable([[3.0]]), tf.constant([1.0, 1.0, 1.0])
    with tf.GradientTape() as tape:
        z = x * 2.0
    return tape.gradient(z, [x, y, n], unconnected_gradients=tf.UnconnectedGradients.ZERO)


def unconnected_as_the_string_zero(tf):
    x, y = tf.Variable([1.0, 2.0]), tf.Variable([[3.0]])
    with tf.GradientTape() as tape:
        z = x * 2.0
    return tape.gradient(z, {"x": x, "y": y}, unconnected_gradients="zero")


@raises(ValueError)
def unconnected_as_something_unknown_raises(tf):
    x = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        z = x * 2.0
    return tape.gradient(z, x, unconnected_gradients="nonsense")


def none_after_numpy(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = tf.constant((x * x).numpy()) * 2.0
    return tape.gradient(y, x)


def none_after_a_cast_to_int(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = tf.cast(tf.cast(x, tf.int32), tf.float32) * 2.0
    return tape.gradient(y, x)


def none_after_stop_gradient(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = tf.stop_gradient(x * x)
        z = tf.stop_gradient(x * x) * x
    return tape.gradient(y, x), tape.gradient(z, x)


def none_through_floor(tf):
    x = tf.Variable(3.5)
    with tf.GradientTape() as tape:
        y = tf.floor(x) * 2.0
    return tape.gradient(y, x)


def none_through_assign(tf):
    x, v = tf.Variable(3.0), tf.Variable(1.0)
    with tf.GradientTape(persistent=True) as tape:
        v.assign(x * x)
        y = v * 2.0
    return tape.gradient(y, x), tape.gradient(y, v)


def assign_add_then_use(tf):
    v, c = tf.Variable(1.0), tf.constant(5.0)
    with tf.GradientTape() as tape:
        y = v.assign_add(c) * 3.0
    return y, tape.gradient(y, v)


def used_before_and_after_assign(tf):
    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = v * v
        v.assign(10.0)
        z = y + v * 7.0
    return z, tape.gradient(z, v)


def values_are_those_of_record_time(tf):
    v = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = v * v
    v.assign(100.0)
    return tape.gradient(y, v), v.numpy()


def rebound_name_is_another_tensor(tf):
    x = tf.Variable(3.0)
    results = []
    for _ in range(2):
        with tf.GradientTape() as tape:
            y = x * x
        results.append(tape.gradient(y, x))
        x = x + 1.0
    return results


def integer_source_is_none(tf):
    i = tf.constant(3)
    f = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        tape.watch(i)
        y = tf.cast(i, tf.float32) * f
    return tape.gradient(y, [i, f])


def integer_target_is_none(tf):
    i = tf.constant(3)
    with tf.GradientTape() as tape:
        tape.watch(i)
        y = i * i
    return tape.gradient(y, i)


@raises(AttributeError)
def number_as_source_raises(tf):
    with tf.GradientTape() as tape:
        y = tf.constant(3.0) * 2.0
    return tape.gradient(y, 3.0)


@raises(AttributeError)
def numpy_array_as_source_raises(tf):
    a = np.float32([1.0])
    with tf.GradientTape() as tape:
        y = tf.constant(3.0) * a
    return tape.gradient(y, [a])


def sources_in_lists_and_dicts(tf):
    a, b, c = tf.Variable(1.0), tf.Variable([2.0, 3.0]), tf.Variable(4.0)
    with tf.GradientTape() as tape:
        y = a * tf.reduce_sum(b * b) + c
    return tape.gradient(y, {"one": [a, (b,)], "two": {"c": c}})


def several_targets_are_summed(tf):
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        y, z = x * x, tf.sin(x)
    return tape.gradient([y, z], x), tape.gradient({"y": y, "z": [z]}, [x]), tape.gradient((y, y), x)


def target_is_source(tf):
    x = tf.Variable([1.0, 2.0])
    c = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(c)
        y = x * c
    return tape.gradient(y, y), tape.gradient(c, c), tape.gradient(x, x)


def the_same_source_twice(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x * x
    return tape.gradient(y, [x, x])


def gradient_of_a_variable_that_many_ops_use(tf):
    x = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        y = tf.matmul(x, x)
        for _ in range(3):
            y = tf.matmul(y, x) / 10.0 + x
        y = tf.reduce_mean(tf.square(y))
    return tape.gradient(y, x)


def broadcasting_sums_the_gradient(tf):
    b, s = tf.Variable([1.0, 2.0, 3.0]), tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = tf.ones([4, 3]) * b + s
    return tape.gradient(y, [b, s])


def float64_stays_float64(tf):
    x = tf.Variable(np.array([0.1, 0.2]), dtype=tf.float64)
    with tf.GradientTape() as tape:
        y = tf.sin(x) * 3.0
    return tape.gradient(y, x)


def complex_gradients_are_conjugated(tf):
    z = tf.constant(1 + 2j, tf.complex64)
    with tf.GradientTape() as tape:
        tape.watch(z)
        y = z * z * z
    return tape.gradient(y, z)


test_same_as_tensorflow = test_functions(globals(), ["recorded", "eager"])


def test_too_few_output_gradients_raise_where_tensorflow_guesses():
    x = tapejax.Variable([1.0, 2.0])
    with tapejax.GradientTape() as tape:
        y = x * x
    with pytest.raises(ValueError, match="1 elements for 2 targets"):
        tape.gradient([y, y], x, output_gradients=[y])


def test_integer_source_is_warned_about(caplog):
    integer_source_is_none(tapejax)
    assert "must be floating" in caplog.text
