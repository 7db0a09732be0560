"""`Variable` against real TensorFlow: each function below is run with both and must do the same."""

import numpy as np
import pytest
from support.harness import check, raises


def assign_family(tf):
    v = tf.Variable([1.0, 2.0])
    v.assign([3.0, 4.0]).assign_add([1.0, 1.0]).assign_sub([0.5, 0.5])
    return v, v.value(), v.read_value(), v.trainable, v.name, v.shape.as_list(), v.dtype.name


def value_is_not_changed_later(tf):
    v = tf.Variable([1.0])
    old = v.value()
    v.assign([2.0])
    return old, v


@raises(ValueError)
def assign_of_a_wrong_shape_raises(tf):
    tf.Variable([1.0]).assign([1.0, 2.0])


@raises("InvalidArgumentError")
def assign_add_of_a_wrong_shape_raises(tf):
    tf.Variable([1.0]).assign_add([1.0, 2.0])


@raises(RuntimeError)
def augmented_assignment_raises(tf):
    v = tf.Variable([1.0])
    v += 1.0


@raises(TypeError)
def len_raises(tf):
    len(tf.Variable([1.0]))


@raises(ValueError)
def no_initial_value_raises(tf):
    tf.Variable()


def initial_value_from_a_function(tf):
    return tf.Variable(lambda: np.float64([1.0, 2.0])), tf.Variable([1, 2], dtype=tf.float32), tf.Variable(3)


def open_shape_takes_any_length(tf):
    v = tf.Variable([1.0], shape=tf.TensorShape([None]))
    v.assign([1.0, 2.0, 3.0])
    return v, v * 2.0


def names_end_in_zero_and_repeat(tf):
    return [tf.Variable(1.0, name="a").name, tf.Variable(1.0, name="a").name, tf.Variable(1.0).name]


SCENARIOS = [
    fn
    for fn in list(globals().values())
    if callable(fn) and getattr(fn, "__module__", "") == __name__ and fn.__code__.co_varnames[:1] == ("tf",)
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
def test_same_as_tensorflow(scenario, tf):
    check(tf, scenario)
