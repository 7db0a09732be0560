"""`custom_gradient` against real TensorFlow: each function below is run with both and must do the same."""

import jax
import numpy as np
import pytest
from support.harness import check, raises

import tapejax


def seed_example_3(tf):
    @tf.custom_gradient
    def custom_relu(x):
        def grad(dy):
            return dy * tf.cast(x > 0, tf.float32) * 2

        return tf.nn.relu(x), grad

    x = tf.Variable([-1.0, 0.0, 2.0])
    with tf.GradientTape() as tape:
        y = custom_relu(x)
        z = tf.reduce_sum(y)
    return y, tape.gradient(z, x)


def two_arguments_one_of_them_a_number(tf):
    @tf.custom_gradient
    def scaled(x, k):
        return x * k, lambda dy: (dy * 10.0 * k, None)

    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = scaled(x, 3.0)
    return y, tape.gradient(y, x)


def several_results(tf):
    @tf.custom_gradient
    def parts(x):
        def grad(da, db):
            return da * 100.0 + db

        return (x * 2.0, x * 3.0), grad

    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        a, b = parts(x)
        c = a * b
    return a, b, tape.gradient(c, x), tape.gradient(b, x)


def unused_result_reaches_the_gradient_as_zeros(tf):
    seen = []

    @tf.custom_gradient
    def parts(x):
        def grad(da, db):
            seen.append(np.asarray(db))
            return da + db

        return (x * 2.0, x * 3.0), grad

    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        a, _ = parts(x)
    return tape.gradient(a, x), seen


def captured_variable_with_variables_argument(tf):
    v = tf.Variable(3.0)

    @tf.custom_gradient
    def times(x):
        def grad(dy, variables=None):
            return dy * 100.0, [dy * 7.0 for _ in variables]

        return x * v, grad

    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = times(x) * 2.0
    return y, tape.gradient(y, [x, v])


@raises(TypeError)
def captured_variable_without_variables_argument_raises(tf):
    v = tf.Variable(3.0)

    @tf.custom_gradient
    def times(x):
        return x * v, lambda dy: dy

    with tf.GradientTape():
        return times(tf.constant(2.0))


@raises(ValueError)
def wrong_number_of_gradients_raises(tf):
    @tf.custom_gradient
    def both(x, y):
        return x * y, lambda dy: dy

    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        z = both(x, x)
    return tape.gradient(z, x)


def second_derivative_goes_through_the_rule(tf):
    @tf.custom_gradient
    def cube(x):
        return x**3, lambda dy: dy * 5.0 * x * x

    x = tf.Variable(2.0)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = cube(x)
        dy = inner.gradient(y, x)
    return dy, outer.gradient(dy, x)


def custom_in_custom(tf):
    @tf.custom_gradient
    def inner(x):
        return x * 2.0, lambda dy: dy * 1000.0

    @tf.custom_gradient
    def outer(x):
        return inner(x), lambda dy: inner(dy)

    x = tf.Variable(1.5)
    with tf.GradientTape() as tape:
        y = outer(x)
    return y, tape.gradient(y, x)


def gradient_clipped_on_the_way_back(tf):
    @tf.custom_gradient
    def clip(x):
        return tf.identity(x), lambda dy: tf.minimum(dy, 1.0)

    x = tf.Variable([0.1, 5.0])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(clip(x) * clip(x) * clip(x))
    return tape.gradient(y, x)


def gradient_that_reads_a_value(tf):
    @tf.custom_gradient
    def odd(x):
        def grad(dy):
            return dy * 2.0 if float(tf.reduce_sum(dy)) > 0 else dy * 3.0

        return x * 1.0, grad

    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = tf.sin(x) * x
        z = odd(y) * y
    return tape.gradient(z, x)


def value_read_between_call_and_gradient(tf):
    @tf.custom_gradient
    def double(x):
        return x * 2.0, lambda dy: dy * 11.0 * x

    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = double(x * x)
        seen = float(y)
        z = y * x
    return seen, tape.gradient(z, x)


def structures_as_results(tf):
    @tf.custom_gradient
    def pair(x):
        return [x * 2.0, x * 3.0], lambda a, b: a + b * 10.0

    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        got = pair(x)
        z = got[0] + got[1]
    return got, tape.gradient(z, x)


def none_as_gradient(tf):
    @tf.custom_gradient
    def blocked(x):
        return x * 2.0, lambda dy: None

    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = blocked(x)
    return tape.gradient(y, x)


def pass_through(tf):
    x = tf.Variable([1.4, 2.6])
    with tf.GradientTape() as tape:
        y = tf.grad_pass_through(tf.floor)(x) * 3.0
    return y, tape.gradient(y, x)


def keyword_arguments_are_not_differentiated(tf):
    @tf.custom_gradient
    def scaled(x, factor=1.0):
        return x * factor, lambda dy: dy * factor * 2.0

    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = scaled(x, factor=4.0)
    return y, tape.gradient(y, x)


def as_a_method_of_a_class(tf):
    class Layer:
        def __init__(self):
            self.k = 4.0

        def __call__(self, x):
            @tf.custom_gradient
            def f(x):
                return x * self.k, lambda dy: dy * self.k * 2.0

            return f(x)

    layer, x = Layer(), tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = layer(x)
    return y, tape.gradient(y, x)


SCENARIOS = [
    fn
    for name, fn in list(globals().items())
    if callable(fn) and getattr(fn, "__module__", "") == __name__ and fn.__code__.co_varnames[:1] == ("tf",)
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
def test_same_as_tensorflow(scenario, tf):
    check(tf, scenario)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
def test_op_by_op_mode_gives_the_same(scenario, tf):
    tapejax.config.eager = True
    check(tf, scenario)


def test_training_through_a_custom_gradient_compiles_one_step():
    tf = tapejax

    @tf.custom_gradient
    def steep(x):
        return x * x, lambda dy: dy * 4.0 * x

    v = tf.Variable([1.0, 2.0])
    compiled = []
    for _ in range(8):
        before = tf.explain().programs_compiled
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(steep(v))
        v.assign_sub(0.01 * tape.gradient(y, v))
        compiled.append(tf.explain().programs_compiled - before)
    assert sum(compiled) <= 2 and not any(compiled[3:]), compiled
    np.testing.assert_allclose(v.numpy(), np.array([1.0, 2.0]) * 0.96**8, rtol=1e-5)


def test_jax_grad_uses_the_custom_rule():
    @tapejax.custom_gradient
    def odd(x):
        return x * x, lambda dy: dy * 100.0

    assert float(jax.grad(lambda x: odd(x).__jax_array__())(3.0)) == 100.0


def test_missing_variables_argument_names_the_variable():
    v = tapejax.Variable(3.0, name="kernel")

    @tapejax.custom_gradient
    def times(x):
        return x * v, lambda dy: dy

    with pytest.raises(TypeError, match="kernel:0"):
        times(tapejax.constant(2.0))
