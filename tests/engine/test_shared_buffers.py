"""Results that are one value share one buffer; variables' buffers stay their own, so that steps overwrite them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tapejax as tf
from tapejax._src.engine import explain, flush, trie


def pointer(tensor):
    return np.asarray(tensor).ctypes.data


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
        x, upstream = tf.fill([5], float(i)), tf.fill([5], 3.0)
        tf.sync()
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x + 1.0
        slope = tape.gradient(y, x, upstream)
        np.testing.assert_array_equal(y, np.full(5, i + 1.0))
        assert pointer(slope) == pointer(upstream)


def test_gradients_may_be_given_to_a_function_that_overwrites_them():
    a, b = tf.Variable(np.ones(1000, np.float32)), tf.Variable(np.ones(1000, np.float32))
    with tf.GradientTape() as tape:
        y = tf.reduce_sum((a + b) ** 2.0)
    gradients = tape.gradient(y, [a, b])
    arrays = [g.__jax_array__() for g in gradients]
    doubled = jax.jit(lambda arrays: [x * 2 for x in arrays], donate_argnums=0)(arrays)
    assert [float(x[0]) for x in doubled] == [8.0, 8.0]


def test_a_variable_that_is_read_the_same_way_as_a_tensor_keeps_its_buffer():
    x = tf.ones([1000])
    tf.identity(x).numpy()
    v, one = tf.Variable(np.ones(1000, np.float32)), tf.ones([1000])
    for _ in range(4):
        v.assign_add(one)
        v.numpy()
    programs = trie.sizes()["programs"]
    kept = v.value()
    kept.numpy()
    v.assign_add(one)
    assert (float(v[0]), float(kept[0])) == (6.0, 5.0)
    assert trie.sizes()["programs"] <= programs + 2  # the value's and the elements', no other update


@pytest.mark.parametrize("whole", [True, False])
def test_a_constant_read_inside_jit_beside_a_traced_result(monkeypatch, whole):
    """Compiled whole, and op by op (which it is where many programs of the kind ran before, each once)."""
    if not whole:
        monkeypatch.setattr(flush, "UNREPEATED", 0)
        trie.clear()
    a = tf.constant(np.arange(4, dtype=np.float32)) + 0.0
    a.numpy()

    @jax.jit
    def f(x):
        b = tf.identity(a)
        c = a * 2.0
        assert float(c[1]) == 2.0
        assert float(b[1]) == 1.0
        return x

    before = explain.stats.op_by_op
    assert f(jnp.ones(3)).shape == (3,)
    assert (explain.stats.op_by_op > before) == (not whole)


def test_a_copy_of_a_variable_does_not_keep_its_buffer_from_being_overwritten():
    v = tf.Variable(np.arange(4.0))
    programs = set()
    for i in range(4):
        kept = tf.identity(v)
        assert pointer(kept) != v.__jax_array__().unsafe_buffer_pointer()
        assert kept.numpy().tolist() == (np.arange(4.0) + i).tolist()
        v.assign_add(tf.ones(4, tf.float64))
        assert v.numpy().tolist() == (np.arange(5.0) + i + 1).tolist()[:4]
        programs.add(explain.stats.compiled)
        assert kept.numpy().tolist() == (np.arange(4.0) + i).tolist()
    assert len(programs) == 1


def test_two_variables_assigned_one_value_have_buffers_of_their_own():
    a, b = tf.Variable([0.0, 0.0]), tf.Variable([0.0, 0.0])
    value = tf.range(2.0) + 1.0
    a.assign(value)
    b.assign(value)
    tf.sync()
    assert len({t.__jax_array__().unsafe_buffer_pointer() for t in (a, b, value)}) == 3
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


def test_reading_an_array_that_was_deleted_raises():
    t = tf.range(4.0) + 1.0
    t.numpy()
    t.__jax_array__().delete()
    with pytest.raises(RuntimeError, match="deleted"):
        t.numpy()
