"""What a tape keeps once a program has run, and that nothing piles up."""

import gc
import tracemalloc

import numpy as np
import pytest

import tapejax as tf
from tapejax._src.autodiff import reads


def _kept(tape):
    """Bytes that a tape holds besides its inputs."""
    gc.collect()
    inputs = {id(v._tensor) for v in tape.watched_variables()}
    return sum(t._value.nbytes for s in tape._record.segments for t in s.values.values() if id(t) not in inputs)


def _after_reading(f):
    x = tf.Variable(np.ones([100, 100], np.float32))
    with tf.GradientTape() as tape:
        y = f(x)
        float(tf.reduce_sum(y))
        z = tf.reduce_sum(y * 2.0)
    kept = _kept(tape)
    return kept, tape.gradient(z, x)


def _linear(x):
    for _ in range(10):
        x = tf.reshape(tf.transpose(x + 1.0), [100, 100]) - tf.reverse(x, [0]) * 3.0
    return x


def test_linear_ops_keep_nothing():
    kept, gradient = _after_reading(_linear)
    assert kept < 100  # the numbers
    assert gradient.shape == (100, 100)


def test_products_keep_what_the_gradient_reads():
    kept, _ = _after_reading(lambda x: (x + 1.0) * tf.constant(np.ones([100, 100], np.float32)))
    assert kept <= 40_000  # the constant factor, not the sum

    def chain(x):
        for _ in range(5):
            x = tf.sin(x + 1.0) + 2.0
        return x

    kept, _ = _after_reading(chain)
    assert kept == 5 * 40_000  # the five arguments of sin


@pytest.mark.parametrize("program", [_linear, lambda x: tf.sin(x + 1.0) * x])
def test_gradients_are_those_of_an_uncut_program(program):
    x = tf.Variable(np.linspace(0, 1, 10_000, dtype=np.float32).reshape(100, 100))
    found = []
    for reading in (False, True):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                y = program(x)
                if reading:
                    float(y[0, 0])
                z = tf.reduce_sum(y * y)
            first = inner.gradient(z, x)
            if reading:
                float(first[0, 0])
        found.append((first, outer.gradient(first, x)))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4)


def test_which_inputs_a_gradient_reads():
    from tapejax._src.engine.aval import aval
    from tapejax._src.engine.op import NO_STATIC

    a = aval((3,), np.dtype(np.float32))
    product = tf.multiply.op.vjp((0,), (True,))
    assert reads.read_inputs(product, NO_STATIC, (a, a, a)) == {1, 2}
    both = tf.multiply.op.vjp((0, 1), (True,))
    assert reads.read_inputs(both, NO_STATIC, (a, a, a)) == {0, 1, 2}
    assert reads.read_inputs(tf.add.op.vjp((0, 1), (True,)), NO_STATIC, (a, a, a)) == {2}
    assert reads.read_inputs(tf.exp.op.vjp((0,), (True,)), NO_STATIC, (a, a)) == {0, 1}


def test_the_second_derivative_of_a_linear_function_is_none():
    x, w = tf.constant([1.0, 2.0]), tf.Variable([3.0, 4.0])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = w * x + x
        first = inner.gradient(y, x)
    by_x, by_w = outer.gradient(first, [x, w])
    assert by_x is None and by_w.numpy().tolist() == [1.0, 1.0]


def test_watching_what_was_used_and_given_up_raises():
    v, x = tf.Variable([2.0]), tf.constant([3.0])
    with tf.GradientTape() as tape:
        h = v * 2.0
        y = h * x
        float(y[0])
        tape.watch(x)
        z = y * x
    with pytest.raises(RuntimeError, match="watch it before it is used"):
        tape.gradient(z, x)


def test_ten_thousand_persistent_tapes_leave_nothing():
    x = tf.Variable([1.0, 2.0])

    def turn():
        with tf.GradientTape(persistent=True) as tape:
            y = tf.reduce_sum(tf.sin(x) * x)
            z = y * y
        first, second = tape.gradient(y, x), tape.gradient(z, x)
        tape.explain(z, x)
        return float(first[0] + second[0])

    for _ in range(300):
        turn()
    gc.collect()
    objects, sizes = len(gc.get_objects()), tf.explain().cache_sizes
    for _ in range(10_000):
        turn()
    gc.collect()
    assert tf.explain().cache_sizes == sizes
    assert len(gc.get_objects()) - objects < 200


def test_memory_of_tapes_comes_back():
    x = tf.Variable(np.ones([256, 256], np.float32))

    def turn():
        with tf.GradientTape(persistent=True) as tape:
            y = tf.sin(x) * x
            float(y[0, 0])
            z = tf.reduce_sum(y * y)
        return float(tape.gradient(z, x)[0, 0])

    for _ in range(5):
        turn()
    gc.collect()
    tracemalloc.start()
    first = tracemalloc.get_traced_memory()[0]
    for _ in range(200):
        turn()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - first
    tracemalloc.stop()
    assert grown < 100_000, grown
