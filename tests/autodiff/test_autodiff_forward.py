"""`ForwardAccumulator` against real TensorFlow: each function below is run with both and must do the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.harness import raises, test_functions

import tapejax


def _acc(tf, x, v=None):
    return tf.autodiff.ForwardAccumulator(x, tf.ones_like(x) if v is None else v)


def jacobian_vector_product(tf):
    x = tf.constant([[2.0, 3.0], [1.0, 4.0]])
    with _acc(tf, x, tf.constant([[1.0, 0.0], [0.5, -1.0]])) as acc:
        y = tf.matmul(x, tf.sin(x))
        z = tf.reduce_sum(y, axis=1) / x[:, 0]
    return acc.jvp(y), acc.jvp([z, {"x": x}])


def several_primals(tf):
    x, v = tf.constant([1.0, 2.0]), tf.Variable(3.0)
    with tf.autodiff.ForwardAccumulator({"x": x, "v": [v]}, {"x": tf.constant([1.0, 10.0]), "v": [0.5]}) as acc:
        y = x * v + tf.square(x)
    return acc.jvp(y), acc.jvp(v), acc.jvp(x)


def outside_of_the_context(tf):
    x = tf.constant([1.0, 2.0])
    acc = _acc(tf, x)
    before = x * x
    with acc:
        y = x**3
    after = y * 2.0
    return [acc.jvp(t) for t in (before, y, after, x)]


def never_entered(tf):
    x = tf.constant([1.0, 2.0])
    acc = _acc(tf, x)
    return acc.jvp(x), acc.jvp(x * 2.0)


def entered_again_goes_on(tf):
    x = tf.constant(2.0)
    acc = _acc(tf, x)
    with acc:
        y = x * x
    z = y * x
    with acc:
        w = y * x
    return acc.jvp([y]), acc.jvp(z), acc.jvp(w)


def asked_for_inside(tf):
    x = tf.constant(2.0)
    with _acc(tf, x) as acc:
        y = x * x
        first = acc.jvp(y)
        z = y * x * first
        second = acc.jvp(z)
    return first, second, acc.jvp(z)


def values_read_on_the_way(tf):
    x = tf.constant([1.0, 2.0])
    with _acc(tf, x) as acc:
        y = x * x
        a = float(tf.reduce_sum(y))
        z = tf.exp(y) * x
        b = z.numpy()
        w = z * y + x
    return a, b, [acc.jvp(t) for t in (y, z, w)]


def unconnected(tf):
    x, c = tf.constant([1.0, 2.0]), tf.constant([[3.0]])
    with _acc(tf, x) as acc:
        y = c * 2.0
    return acc.jvp(y), acc.jvp(y, tf.UnconnectedGradients.ZERO), acc.jvp([c, x], unconnected_gradients="zero")


@raises(ValueError)
def unknown_word_for_unconnected_raises(tf):
    x = tf.constant([1.0, 2.0])
    with _acc(tf, x) as acc:
        y = x * 2.0
    return acc.jvp(y, unconnected_gradients="nonsense")


def ops_without_a_derivative(tf):
    x = tf.constant([1.5, -2.0])
    with _acc(tf, x) as acc:
        i = tf.cast(x, tf.int32)
        found = [
            tf.floor(x),
            i,
            tf.cast(i, tf.float32),
            tf.stop_gradient(x),
            tf.stop_gradient(x) * x,
            tf.constant(3.0) * 2.0,
            tf.argmax(x),
        ]
    return [acc.jvp(t) for t in found]


@raises(ValueError)
def same_primal_twice_raises(tf):
    x = tf.constant([1.0])
    return tf.autodiff.ForwardAccumulator([x, x], [x, x])


@raises(ValueError)
def other_structure_raises(tf):
    return tf.autodiff.ForwardAccumulator([tf.constant(1.0)], tf.constant(1.0))


@raises(ValueError)
def other_dtype_raises(tf):
    return tf.autodiff.ForwardAccumulator(tf.constant(1.0), tf.constant(1.0, tf.float64))


@raises(AttributeError)
def number_as_primal_raises(tf):
    return tf.autodiff.ForwardAccumulator(1.0, 1.0)


@raises(AttributeError)
def jvp_of_a_number_raises(tf):
    x = tf.constant(1.0)
    with _acc(tf, x) as acc:
        pass
    return acc.jvp(3.0)


@raises(ValueError)
def entered_while_recording_raises(tf):
    with _acc(tf, tf.constant(1.0)) as acc, acc:
        pass


def variables_that_are_assigned(tf):
    v = tf.Variable(2.0)
    with _acc(tf, v, tf.constant(1.0)) as acc:
        y = v * v
        v.assign(5.0 * v)
        z = v * v
    return acc.jvp(y), acc.jvp(z), acc.jvp(v)


def complex_numbers(tf):
    z = tf.constant(1 + 2j, tf.complex64)
    with tf.autodiff.ForwardAccumulator(z, tf.constant(1 + 1j, tf.complex64)) as acc:
        found = [z * z * z, tf.abs(z), tf.math.conj(z), tf.math.real(z) * 2.0]
    return [acc.jvp(t) for t in found]


def through_a_custom_gradient_it_is_the_true_one(tf):
    @tf.custom_gradient
    def odd(x):
        return x * x, lambda dy: dy * 10.0 * x

    x = tf.constant(3.0)
    with _acc(tf, x) as acc:
        y = odd(x) * x
    return acc.jvp(y)


def forward_over_backward(tf):
    x = tf.constant([1.0, 2.0])
    with _acc(tf, x, tf.constant([1.0, -1.0])) as acc:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.sin(x) * x) * x[0]
        g = tape.gradient(y, x)
    return g, acc.jvp(g), acc.jvp(y)


def forward_over_backward_with_values_read(tf):
    x = tf.constant([1.0, 2.0])
    with _acc(tf, x, tf.constant([1.0, -1.0])) as acc:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.sin(x) * x
            float(y[0])
            y = tf.reduce_sum(y * y) * x[0]
        str(y)
        g = tape.gradient(y, x)
        str(g)
        h = g * x
    return g, acc.jvp(g), acc.jvp(y), acc.jvp(h)


def backward_over_forward(tf):
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        with _acc(tf, x, tf.constant([1.0, -1.0])) as acc:
            y = tf.reduce_sum(tf.sin(x) * x) * x[0]
        product = acc.jvp(y)
    return product, tape.gradient(product, x)


def backward_over_forward_asked_for_after_the_tape(tf):
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        with _acc(tf, x) as acc:
            y = x**3
    return tape.gradient(acc.jvp(y), x), tape.gradient(y, x)


def tape_inside_the_accumulator_sees_its_tangents(tf):
    x = tf.constant([1.0, 2.0])
    with _acc(tf, x) as acc:
        before = x**2
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = x**3
        after = acc.jvp(y)
    return tape.gradient(after, x), tape.gradient(acc.jvp(before), x)


def accumulators_in_accumulators(tf):
    x = tf.constant([1.0, 2.0])
    with _acc(tf, x) as outer:
        with _acc(tf, x, tf.constant([1.0, 0.0])) as inner:
            y = tf.reduce_prod(x) * tf.sin(x)
        a, b = inner.jvp(y), outer.jvp(y)
        return a, b, outer.jvp(a), inner.jvp(b)


def third_order_three_ways(tf):
    x = tf.constant(0.7)
    with _acc(tf, x) as a:
        with tf.GradientTape() as tape:
            tape.watch(x)
            with _acc(tf, x) as b:
                y = tf.exp(x) * tf.sin(x)
            first = b.jvp(y)
        second = tape.gradient(first, x)
    return first, second, a.jvp(second)


def hessian_by_rows(tf):
    x = tf.Variable([0.5, 1.5, -1.0])
    rows = []
    for row in np.eye(3, dtype=np.float32):
        with tf.autodiff.ForwardAccumulator(x, tf.constant(row)) as acc:
            with tf.GradientTape() as tape:
                y = tf.reduce_sum(tf.tanh(x) * tf.reverse(x, [0]) ** 3)
            g = tape.gradient(y, x)
        rows.append(acc.jvp(g))
    return rows


test_same_as_tensorflow = test_functions(globals(), ["recorded", "eager"])


def test_integer_primals_are_warned_about(caplog):
    tapejax.autodiff.ForwardAccumulator(tapejax.constant(1), tapejax.constant(1))
    assert "must be floating" in caplog.text


def test_a_tangent_of_another_shape_raises():
    with pytest.raises(ValueError, match="primal of shape"):
        tapejax.autodiff.ForwardAccumulator(tapejax.constant([1.0, 2.0]), 1.0)


def test_an_op_that_has_only_a_backward_rule():
    @jax.custom_vjp
    def steep(x):
        return x * x

    steep.defvjp(lambda x: (x * x, x), lambda x, ct: (ct * 10.0 * x,))
    x = tapejax.constant([1.0, 3.0])
    with tapejax.autodiff.ForwardAccumulator(x, tapejax.constant([1.0, 2.0])) as acc:
        y = tapejax.from_jax(steep)(x)
    np.testing.assert_allclose(acc.jvp(y), [10.0, 60.0])


def test_nothing_but_what_is_asked_for_leaves_the_program():
    x = tapejax.constant([1.0, 2.0])
    with tapejax.autodiff.ForwardAccumulator(x, tapejax.constant([1.0, 1.0])) as acc:
        y = x
        for _ in range(20):
            y = tapejax.sin(y) * 1.5
    product = acc.jvp(y)
    product.numpy()
    assert tapejax.explain().compilations[-1].outputs == 2  # y and its tangent


def test_inside_jax_jit():
    @jax.jit
    def product(x, v):
        x = tapejax.convert_to_tensor(x)
        with tapejax.autodiff.ForwardAccumulator(x, tapejax.convert_to_tensor(v)) as acc:
            y = tapejax.exp(x) * x
        return acc.jvp(y).__jax_array__()

    x, v = jnp.array([0.5, 1.0]), jnp.array([1.0, 2.0])
    want = jax.jvp(lambda x: jnp.exp(x) * x, (x,), (v,))[1]
    np.testing.assert_allclose(product(x, v), want, rtol=1e-6)
