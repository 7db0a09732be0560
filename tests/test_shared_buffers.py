"""Results that are one value share one buffer; variables' buffers stay their own, so that steps overwrite them."""

import numpy as np

import tapejax as tf
from tapejax.engine import explain


def pointer(tensor):
    return tensor.__jax_array__().unsafe_buffer_pointer()


def test_the_gradients_of_a_sum_are_its_upstream_gradient():
    x, y, upstream = (tf.range(6.0) + i for i in range(3))
    tf.sync()
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        total = x + y
    dx, dy = tape.gradient(total, [x, y], upstream)
    np.testing.assert_array_equal(dx, upstream)
    np.testing.assert_array_equal(total, [1, 3, 5, 7, 9, 11])
    assert pointer(dx) == pointer(dy) == pointer(upstream)


def test_a_second_run_shares_the_second_inputs():
    for i in range(3):
        x = tf.fill([5], float(i))
        tf.sync()
        doubled, same = x * 2.0, tf.identity(x)
        np.testing.assert_array_equal(doubled, np.full(5, 2 * i))
        assert pointer(same) == pointer(x)


def test_a_copy_of_a_variable_does_not_keep_its_buffer_from_being_overwritten():
    v = tf.Variable(np.arange(4.0))
    programs = set()
    for i in range(4):
        kept = tf.identity(v)
        assert pointer(kept) != pointer(v)
        assert kept.numpy().tolist() == (np.arange(4.0) + i).tolist()
        v.assign_add(tf.ones(4, tf.float64))
        assert v.numpy().tolist() == (np.arange(5.0) + i + 1).tolist()[:4]
        programs.add(explain.stats.compiled)
        assert kept.numpy().tolist() == (np.arange(4.0) + i).tolist()
    assert len(programs) == 1


def test_two_variables_assigned_one_value_have_buffers_of_their_own():
    a, b = tf.Variable([0.0, 0.0]), tf.Variable([0.0, 0.0])
    value = tf.constant([1.0, 2.0])
    a.assign(value)
    b.assign(value)
    tf.sync()
    assert len({pointer(t) for t in (a.value(), b.value(), value)}) == 3
    a.assign_add([1.0, 1.0])
    assert (a.numpy().tolist(), b.numpy().tolist(), value.numpy().tolist()) == ([2, 3], [1, 2], [1, 2])


def test_an_array_read_from_a_tensor_is_a_read_only_view():
    t = tf.constant([1.0, 2.0]) + 1.0
    view = np.asarray(t)
    assert not view.flags.writeable and np.shares_memory(view, np.asarray(t))
    assert np.asarray(tf.constant([1, 2])).flags.writeable is False
    assert np.array(t).flags.writeable and t.numpy().flags.writeable
    assert np.asarray(t, np.float64).dtype == np.float64
    assert np.asarray(tf.Variable([1.0])).flags.writeable
