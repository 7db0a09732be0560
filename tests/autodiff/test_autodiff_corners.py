"""Corners of `GradientTape` against real TensorFlow: each function below is run with both and must do the same."""

import threading

import numpy as np
import pytest
from support.harness import raises, test_functions

import tapejax


def jacobians(tf):
    x, v = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), tf.Variable([0.5, -1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.sin(x) * v
        z = tf.reduce_sum(y)
        u = tf.linalg.matvec(x, v)
    return [tape.jacobian(t, {"x": x, "v": [v]}) for t in (y, z, u)]


def jacobian_without_pfor_and_in_parts(tf):
    x = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.matmul(tf.sin(x), x, transpose_b=True)
    return (
        tape.jacobian(y, x, experimental_use_pfor=False),
        tape.jacobian(y, x, parallel_iterations=2),
        tape.jacobian(y, x, parallel_iterations=3, experimental_use_pfor=False),
    )


def jacobian_of_what_is_not_connected(tf):
    x, v = tf.constant([1.0, 2.0]), tf.Variable([[3.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
    return (
        tape.jacobian(y, [x, v]),
        tape.jacobian(y, v, unconnected_gradients=tf.UnconnectedGradients.ZERO),
        tape.jacobian(y, v, unconnected_gradients="zero", experimental_use_pfor=False),
    )


def jacobian_through_intermediate_values(tf):
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        y = x * x
        float(y[0])
        z = tf.sin(y) * x
    return tape.jacobian(z, y), tape.jacobian(z, [x, y]), tape.jacobian(y, y)


@raises(RuntimeError)
def jacobian_twice_on_one_tape_raises(tf):
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = x * x
    tape.jacobian(y, x)
    return tape.jacobian(y, x)


def jacobian_in_a_tape(tf):
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = x**3
        j = inner.jacobian(y, x)
        total = tf.reduce_sum(j * j)
    return j, outer.gradient(total, x)


def hessian_by_jacobian(tf):
    x = tf.Variable([1.0, 2.0, 0.5])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = tf.reduce_prod(tf.sin(x))
        g = inner.gradient(y, x)
    return outer.jacobian(g, x)


def jacobian_of_float64(tf):
    x = tf.constant([1.0, 2.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.exp(x)
    return tape.jacobian(y, x)


def batch_jacobians(tf):
    x = tf.constant(np.arange(12, dtype=np.float32).reshape(2, 3, 2) / 10)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.sin(x) * tf.reduce_sum(x, axis=1, keepdims=True)
        z = tf.reduce_sum(y, axis=[1, 2])
        c = tf.ones([2, 4])
    return (
        tape.batch_jacobian(y, x),
        tape.batch_jacobian(z[:, None], x),
        tape.batch_jacobian(c, x),
        tape.batch_jacobian(y, x, experimental_use_pfor=False),
        tape.batch_jacobian(y, x, parallel_iterations=2, experimental_use_pfor=False),
        tape.batch_jacobian(c, x, unconnected_gradients=tf.UnconnectedGradients.ZERO),
    )


@raises(ValueError)
def batch_jacobian_of_other_batches_raises(tf):
    x = tf.constant([[1.0], [2.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.concat([x, x], 0)
    return tape.batch_jacobian(y, x)


@raises(IndexError)
def batch_jacobian_of_a_scalar_raises(tf):
    x = tf.constant([[1.0], [2.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(x)
    return tape.batch_jacobian(y, x)


def sources_that_are_targets_and_each_other(tf):
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        y = x * 2.0
        z = y * y
    return tape.gradient([z, y, x], [x, y, z]), tape.gradient(x, [x, y]), tape.gradient({"a": z}, (y, {"b": [z]}))


def nothing_as_target_or_source(tf):
    x = tf.Variable(1.0)
    with tf.GradientTape(persistent=True) as tape:
        y = x * x
    return tape.gradient([], x), tape.gradient(y, [])


@raises(TypeError)
def none_as_target_raises(tf):
    x = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        y = x * x
    return tape.gradient([None, y], x)


def complex_chains(tf):
    z, a = tf.constant([1 + 2j, -0.5j], tf.complex64), tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(z)
        w = tf.exp(z) * tf.complex(a, a * a)
        magnitude = tf.reduce_sum(tf.abs(w) ** 2)
        real = tf.math.real(w * tf.math.conj(z))
    return tape.gradient(w, [z, a]), tape.gradient(magnitude, [z, a]), tape.gradient(real, [z, a])


def strings_and_integers_on_the_way(tf):
    x, s, i = tf.Variable(2.0), tf.constant("text"), tf.constant([1, 2])
    with tf.GradientTape() as tape:
        tape.watch([s, i])
        y = x * tf.cast(i, tf.float32)
    return tape.gradient(y, [x, s, i])


def unconnected_integers_as_zeros(tf):
    x, i = tf.Variable(2.0), tf.constant([1, 2])
    with tf.GradientTape() as tape:
        y = x * tf.cast(i, tf.float32)
    return tape.gradient(y, [x, i], unconnected_gradients="zero")


def booleans_select(tf):
    x, b = tf.Variable([1.0, -2.0]), tf.constant([True, False])
    with tf.GradientTape() as tape:
        tape.watch(b)
        y = tf.where(b, x, x * x)
    return tape.gradient(y, [x, b])


def gradient_within_a_persistent_tape_then_more(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = x * x
        dy = tape.gradient(y, x)
        z = dy * y
        dz = tape.gradient(z, x)
    return dy, dz, tape.gradient([z, dz], x)


def the_same_tape_in_a_loop(tf):
    x = tf.Variable(1.0)
    tape = tf.GradientTape(persistent=True)
    found = []
    for _ in range(3):
        with tape:
            y = x * x
        found.append(tape.gradient(y, x))
        x.assign_add(1.0)
    return found


def exceptions_in_nested_tapes(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape() as outer:
        try:
            with tf.GradientTape() as inner:
                y = x * x
                raise ValueError("user code")
        except ValueError:
            dy = inner.gradient(y, x)
        z = dy * y
    return dy, outer.gradient(z, x)


def an_op_that_fails_in_a_tape(tf):
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = x * x
        try:
            tf.matmul(x, y)
        except tf.errors.InvalidArgumentError:
            y = y * 3.0
    return tape.gradient(y, x)


def a_tape_handed_to_a_function(tf):
    x = tf.constant([1.0, 2.0])

    def watch(tape, t):
        tape.watch(t)
        return t * t

    def finish(tape, y, x):
        with tape.stop_recording():
            return tape.gradient(y, x)

    with tf.GradientTape(persistent=True) as tape:
        y = watch(tape, x)
        found = finish(tape, y, x)
    return found, finish.__name__


def generators_suspend_in_a_tape(tf):
    x = tf.Variable(2.0)

    def steps():
        with tf.GradientTape() as tape:
            y = x * x
            yield y
            z = y * x
            yield z
        yield tape.gradient(z, x)

    run = steps()
    first = next(run)
    other = x * 5.0  # recorded while the generator's tape is open
    return first, other, next(run), next(run)


def two_generators_in_turn(tf):
    x = tf.Variable(2.0)

    def steps(k):
        with tf.GradientTape() as tape:
            y = x * k
            yield
            y = y * y
        yield tape.gradient(y, x)

    a, b = steps(2.0), steps(3.0)
    next(a), next(b)
    return next(a), next(b)


def variables_changed_while_the_tape_is_open(tf):
    v, w = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        a = v * w
        v.assign(w * 2.0)
        b = v * w
        w.assign_sub(1.0)
        c = a + b * w
    return a, b, c, tape.gradient(c, [v, w]), tape.gradient(b, [v, w])


def a_variable_deleted_in_the_tape(tf):
    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        w = tf.Variable(3.0)
        y = v * w
        del w
    return tape.gradient(y, v), len(tape.watched_variables())


def a_variable_made_in_the_tape(tf):
    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        v = tf.Variable(x * 3.0)
        y = v * x
    return tape.gradient(y, [x, v])


def a_variable_read_with_value_and_identity(tf):
    v = tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        a = v.value()
        b = tf.identity(v)
        y = a * b * v.read_value()
    return tape.gradient(y, v), tape.gradient(y, a), tape.gradient(y, b), tape.gradient(y, [v, a, b])


def output_gradients_in_structures_and_arrays(tf):
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        y, z = x * x, x * 3.0
    return (
        tape.gradient({"y": y, "z": z}, x, {"y": tf.constant([1.0, 10.0]), "z": tf.constant([2.0, 0.0])}),
        tape.gradient(y, x, np.float32([5.0, 6.0])),
    )


def watching_the_result_of_a_computation(tf):
    x = tf.constant([1.0, 2.0])
    h = x * 3.0
    with tf.GradientTape() as tape:
        tape.watch(h)
        y = h * h
    return tape.gradient(y, [x, h])


def watched_again_and_in_both_tapes(tf):
    x = tf.constant(2.0)
    with tf.GradientTape() as a:
        a.watch(x)
        a.watch([x, x])
        with tf.GradientTape() as b:
            b.watch(x)
            y = x**3
    return a.gradient(y, x), b.gradient(y, x)


def the_outer_tape_closes_first(tf):
    x = tf.Variable(2.0)
    outer, inner = tf.GradientTape(), tf.GradientTape()
    outer.__enter__()
    a = x * x
    inner.__enter__()
    b = a * x
    outer.__exit__(None, None, None)
    c = b * x
    inner.__exit__(None, None, None)
    return outer.gradient(b, x), inner.gradient(c, [x, b])


def watching_after_its_use_counts_all_uses_of_what_is_tracked(tf):
    v, x = tf.Variable(2.0), tf.constant(3.0)
    with tf.GradientTape() as tape:
        y = v * x
        tape.watch(x)
        z = y * x
    return tape.gradient(z, x)


test_same_as_tensorflow = test_functions(globals(), ["recorded", "eager"])


@pytest.mark.parametrize("what", ["source", "target", "watched"])
def test_integers_are_warned_about(what, caplog):
    i, x = tapejax.constant([1, 2]), tapejax.Variable([1.0, 2.0])
    with tapejax.GradientTape() as tape:
        if what == "watched":
            tape.watch(i)
        y = x * tapejax.cast(i, tapejax.float32)
    tape.gradient(i if what == "target" else y, i if what == "source" else x)
    assert f"The dtype of the {what} tensor must be floating (e.g. tf.float32)" in caplog.text


def test_tapes_belong_to_threads():
    x = tapejax.Variable(2.0)
    found = []

    def other():
        with tapejax.GradientTape() as tape:
            y = x * x * x
        found.append(float(tape.gradient(y, x)))

    with tapejax.GradientTape() as tape:
        y = x * x
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        z = y * 3.0
    assert found == [12.0] and float(tape.gradient(z, x)) == 12.0


def test_jacobians_in_parts_are_compiled_once():
    x = tapejax.Variable([1.0, 2.0, 3.0, 4.0])

    def turn():
        with tapejax.GradientTape() as tape:
            y = tapejax.sin(x) * x
        return tape.jacobian(y, x, parallel_iterations=2, experimental_use_pfor=False).numpy()

    turn()
    turn()
    before = tapejax.explain().programs_compiled
    np.testing.assert_allclose(turn(), np.diag(np.sin(x.numpy()) + np.cos(x.numpy()) * x.numpy()), rtol=1e-5)
    assert tapejax.explain().programs_compiled == before
