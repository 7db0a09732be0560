"""Derivatives in captured code, against real `tf.function`: `custom_gradient`, `recompute_grad`, `tf.gradients`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.harness import raises, test_functions

import tapejax


def _log1pexp(tf):
    @tf.custom_gradient
    def log1pexp(x):
        e = tf.exp(x)

        def grad(upstream):
            return upstream * (1 - 1 / (1 + e))

        return tf.math.log(1 + e), grad

    return log1pexp


def _derivatives(tf, f, *xs):
    """Value, first and second derivatives of the sum of `f`."""
    with tf.GradientTape() as outer:
        outer.watch(xs)
        with tf.GradientTape() as inner:
            inner.watch(xs)
            y = f(*xs)
        first = inner.gradient(y, xs)
        total = tf.add_n([tf.reduce_sum(g) for g in first if g is not None])
    return y, first, outer.gradient(total, xs, unconnected_gradients="zero")


def inner_results_carry_the_second_derivative_eagerly(tf):
    return _derivatives(tf, _log1pexp(tf), tf.constant([0.5, -1.0]))


def the_tape_is_outside(tf):
    f = tf.function(lambda x: _log1pexp(tf)(x * x) * 2.0)
    return _derivatives(tf, f, tf.constant([0.5, -1.0]))


def the_tapes_are_inside(tf):
    f = tf.function(lambda x: _derivatives(tf, lambda x: _log1pexp(tf)(x * x) * 2.0, x))
    return f(tf.constant([0.5, -1.0]))


def one_tape_inside_one_outside(tf):
    @tf.function
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = _log1pexp(tf)(x * x) * 2.0
        return tape.gradient(y, x)

    x = tf.constant([0.5, -1.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = slope(x)
    return y, tape.gradient(y, x)


def a_rule_that_is_not_the_derivative(tf):
    @tf.custom_gradient
    def odd(x, k):
        return x * x * k, lambda dy: (dy * 5.0 * x * x, dy * x)

    f = tf.function(lambda x, k: odd(x, k) + odd(k, x))
    return _derivatives(tf, f, tf.constant([0.5, -1.0]), tf.constant([3.0, 2.0]))


def several_results_and_none(tf):
    @tf.custom_gradient
    def parts(x, y):
        def grad(da, db):
            return da * 100.0 + db * x, None

        return (x * y, x + y), grad

    @tf.function
    def f(x, y):
        a, b = parts(x, y)
        return a * b

    return _derivatives(tf, f, tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0]))[:2]


def unconnected_arguments_of_a_function(tf):
    @tf.function
    def f(x, y, z):
        return x * tf.stop_gradient(y), tf.cast(tf.cast(z, tf.int32), tf.float32) + tf.floor(x)

    xs = [tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0]), tf.constant([5.0, 6.0])]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(xs)
        a, b = f(*xs)
    return tape.gradient(a, xs), tape.gradient(b, xs), tape.gradient([a, b], xs)


def an_unused_result(tf):
    @tf.custom_gradient
    def parts(x):
        return (x * 2.0, x * 3.0), lambda da, db: da * 7.0 + db

    return _derivatives(tf, tf.function(lambda x: parts(x)[0]), tf.constant([1.0, 2.0]))[:2]


def with_variables(tf):
    v = tf.Variable([2.0, 3.0])

    @tf.custom_gradient
    def times(x):
        def grad(dy, variables=None):
            return dy * 100.0 * v, [dy * 7.0 * x for _ in variables]

        return x * v, grad

    f = tf.function(lambda x: times(x) * 2.0)
    x = tf.constant([1.0, -1.0])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        first = tape.gradient(y, [x, v])
        total = tf.reduce_sum(first[0]) + tf.reduce_sum(first[1] ** 2)
    return y, first, outer.gradient(total, [x, v])


def in_one_another(tf):
    @tf.custom_gradient
    def inner(x):
        return x * 2.0, lambda dy: dy * 1000.0

    @tf.custom_gradient
    def outer(x):
        return inner(x) * x, lambda dy: inner(dy) * x

    return _derivatives(tf, tf.function(lambda x: outer(x) * inner(x)), tf.constant([1.5, 2.5]))


def functions_in_functions(tf):
    inner = tf.function(lambda x: _log1pexp(tf)(x))
    return _derivatives(tf, tf.function(lambda x: inner(x * 2.0) * x), tf.constant([0.5, -1.0]))


def grad_fn_is_a_function_too(tf):
    @tf.custom_gradient
    def clipped(x):
        return tf.identity(x), tf.function(lambda dy: tf.clip_by_value(dy, -1.0, 1.0))

    return _derivatives(tf, tf.function(lambda x: clipped(x) ** 3), tf.constant([0.1, 5.0]))[:2]


def clipping_the_gradient_through_a_training_function(tf):
    @tf.custom_gradient
    def clip(x):
        return tf.identity(x), lambda dy: tf.clip_by_norm(dy, 0.5)

    v = tf.Variable([1.0, 2.0])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(clip(v) ** 2)
        v.assign_sub(tape.gradient(loss, v))
        return loss

    return [step() for _ in range(3)], v


def complex_numbers(tf):
    @tf.custom_gradient
    def f(z):
        return z * z, lambda dz: dz * tf.math.conj(z) * 3.0

    z = tf.constant([1 + 2j, 0.5 - 1j], tf.complex64)
    with tf.GradientTape() as tape:
        tape.watch(z)
        y = tf.function(lambda z: f(z) * z)(z)
    return tape.gradient(y, z)


def pass_through(tf):
    return _derivatives(tf, tf.function(lambda x: tf.grad_pass_through(tf.round)(x) ** 2), tf.constant([1.4, 2.6]))


def stop_gradient(tf):
    return _derivatives(tf, tf.function(lambda x: tf.stop_gradient(x * x) * x), tf.constant([1.4, 2.6]))


@raises(ValueError)
def a_wrong_number_of_gradients_raises(tf):
    @tf.custom_gradient
    def both(x, y):
        return x * y, lambda dy: dy

    return _derivatives(tf, tf.function(lambda x: both(x, x)), tf.constant(2.0))


def recomputed(tf):
    v = tf.Variable([[0.5, -0.5], [1.0, 0.25]])

    def block(x):
        return tf.tanh(tf.matmul(x, v)) * x

    x = tf.constant([[1.0, 2.0]])
    f = tf.recompute_grad(block)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(f(x))
    return y, tape.gradient(y, [x, v])


def recomputed_second_derivatives(tf):
    return _derivatives(tf, tf.recompute_grad(lambda x: tf.sin(x) * x), tf.constant([1.0, 2.0]))


def recomputed_with_several_results_and_keywords(tf):
    @tf.recompute_grad
    def f(x, y, scale=1.0):
        return {"a": x * y * scale, "b": [x + y]}

    x, y = tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        out = f(x, y, scale=3.0)
        z = out["a"] * out["b"][0]
    return out, tape.gradient(z, [x, y])


def recomputed_in_a_function(tf):
    x = tf.constant([1.0, 2.0])
    f = tf.function(tf.recompute_grad(lambda x: tf.sin(x) * x))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return y, tape.gradient(y, x)


def recomputed_code_that_reads_values(tf):
    v = tf.Variable(3.0)

    @tf.recompute_grad
    def f(x):
        return x * v if float(tf.reduce_sum(x * x)) > 1 else x

    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x) * x
    return y, tape.gradient(y, [x, v])


def gradients_of_a_list(tf):
    @tf.function
    def f(x, y):
        a, b = x * y, tf.sin(x)
        return tf.gradients([a, b], [x, y, a]) + tf.gradients(a, [y], grad_ys=[x])

    return f(tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0]))


def gradients_with_stops_and_zeros(tf):
    @tf.function
    def f(x, c):
        y = x * x
        z = y * x
        return (
            tf.gradients(z, [x, y], stop_gradients=[y]),
            tf.gradients(z, c, unconnected_gradients=tf.UnconnectedGradients.ZERO),
            tf.gradients(z, c)[0] is None,
        )

    return [a.numpy() if hasattr(a, "numpy") else a for a in tf.nest.flatten(f(tf.constant(2.0), tf.constant([1.0])))]


def gradients_of_gradients_and_variables(tf):
    v = tf.Variable(3.0)

    @tf.function
    def f(x):
        y = v * v * x**3
        (dv, dx) = tf.gradients(y, [v, x])
        return dv, dx, tf.gradients(dx, [x, v])

    return f(tf.constant(2.0))


def hessians(tf):
    @tf.function
    def f(x, y):
        return tf.hessians(tf.reduce_sum(x**3 * y) + tf.reduce_prod(x + y), [x, y])

    return f(tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0]))


@raises(RuntimeError)
def gradients_outside_of_functions_raise(tf):
    return tf.gradients(tf.constant(1.0), tf.constant(1.0))


@raises(RuntimeError)
def hessians_outside_of_functions_raise(tf):
    return tf.hessians(tf.constant(1.0), tf.constant(1.0))


test_same_as_tensorflow = test_functions(globals())


def _peak(f, x):
    """Bytes of temporary memory of the compiled gradient of twelve turns of `f`.

    The turns are a loop, since XLA for CPUs finds and merges repeated computation elsewhere.
    """

    def run(x):
        turn = lambda x, _: (f(tapejax.convert_to_tensor(x)).__jax_array__(), None)  # noqa: E731
        return jnp.sum(jax.lax.scan(turn, x, None, length=12)[0])

    return jax.jit(jax.grad(run)).lower(x).compile().memory_analysis().temp_size_in_bytes


def test_recomputing_a_deep_chain_takes_less_memory():
    w = tapejax.constant(np.eye(128, dtype=np.float32) * 0.5)

    def block(x):
        for _ in range(8):
            x = tapejax.tanh(tapejax.matmul(x, w))
        return x

    x = jnp.ones((128, 128), jnp.float32)
    plain, recomputed = _peak(block, x), _peak(tapejax.recompute_grad(block), x)
    assert recomputed < plain / 4, (recomputed, plain)


def test_recompute_is_one_op():
    x = tapejax.Variable([1.0, 2.0])
    f = tapejax.recompute_grad(lambda x: tapejax.sin(x) * x + 1.0)
    with tapejax.GradientTape() as tape:
        y = f(x)
    node = tapejax._src.engine.stream.current().node
    assert node.op.name == "recompute_grad"
    np.testing.assert_allclose(tape.gradient(y, x), np.sin([1, 2]) + np.cos([1, 2]) * [1, 2], rtol=1e-6)


def test_recompute_draws_the_same_numbers_again():
    @tapejax.recompute_grad
    def dropped(x):
        return tapejax.nn.dropout(x, 0.5)

    x = tapejax.ones([1000])
    with tapejax.GradientTape() as tape:
        tape.watch(x)
        y = dropped(x)
    np.testing.assert_array_equal(tape.gradient(y, x), y)
    assert not np.array_equal(dropped(x), y)


def test_recompute_keeps_assignments():
    count = tapejax.Variable(0.0, trainable=False)

    @tapejax.recompute_grad
    def counted(x):
        count.assign_add(1.0)
        return x * x

    x = tapejax.Variable(3.0)
    with tapejax.GradientTape() as tape:
        y = counted(x)
    assert (tape.gradient(y, x).numpy(), count.numpy()) == (6.0, 1.0)


def test_a_gradient_that_cannot_be_captured_matters_when_it_is_asked_for():
    @tapejax.custom_gradient
    def reading(x):
        return x * 2.0, lambda dy: dy * float(dy)

    x = tapejax.constant(3.0)
    f = jax.jit(lambda x: reading(tapejax.convert_to_tensor(x)).__jax_array__())
    assert float(f(x.__jax_array__())) == 6.0
    with pytest.raises(TypeError, match="symbolic tensor"):
        jax.grad(f)(x.__jax_array__())
