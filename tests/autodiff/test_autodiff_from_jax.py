"""`from_jax`: JAX functions as ops. The same function under `jax.grad` and friends is the reference."""

import gc

import jax
import jax.numpy as jnp
import jax.scipy.stats
import numpy as np
import optax
import pytest

import tapejax as tf
from tapejax._src.autodiff import from_jax as module


@pytest.fixture(params=["recorded", "eager"])
def mode(request):
    tf.config.eager = request.param == "eager"


def test_values_and_gradients_to_second_order(mode):
    def f(x, y):
        return jnp.sum(jnp.sin(x) @ y) * x[0, 0]

    x, y = np.float32([[0.5, 1.0], [2.0, 0.1]]), np.float32([[1.0, 2.0], [-0.5, 3.0]])
    a, b = tf.Variable(x), tf.constant(y)
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(b)
        with tf.GradientTape() as inner:
            inner.watch(b)
            value = tf.from_jax(f)(a, b)
        first = inner.gradient(value, [a, b])
        total = tf.reduce_sum(first[0] ** 2) + tf.reduce_sum(first[1])
    want = jax.grad(f, (0, 1))(x, y)
    np.testing.assert_allclose(value, f(x, y), rtol=1e-5)
    for got, w in zip(first, want, strict=True):
        np.testing.assert_allclose(got, w, rtol=1e-5)

    def total_of(x, y):
        gx, gy = jax.grad(f, (0, 1))(x, y)
        return jnp.sum(gx**2) + jnp.sum(gy)

    for got, w in zip(outer.gradient(total, [a, b]), jax.grad(total_of, (0, 1))(x, y), strict=True):
        np.testing.assert_allclose(got, w, rtol=1e-4)


def test_pytrees_in_and_out(mode):
    def f(params, *, scale, names):
        return {"sum": params["a"] + params["b"][0] * scale, "rest": (None, [params["b"][1]]), "n": len(names)}

    a, b = tf.Variable([1.0, 2.0]), tf.constant([3.0, 4.0])
    with tf.GradientTape() as tape:
        out = tf.from_jax(f)({"a": a, "b": [b, np.float32([5.0])]}, scale=2.0, names=("x", "y"))
        y = out["sum"] * out["sum"]
    assert out["rest"][0] is None and isinstance(out["rest"][1][0], tf.Tensor) and int(out["n"]) == 2
    np.testing.assert_allclose(tape.gradient(y, a), [14.0, 20.0])


def test_an_optax_loss_joins_a_tape():
    logits, labels = tf.Variable([[1.0, 2.0, 0.5]]), tf.constant([1], tf.int64)
    loss = tf.from_jax(optax.softmax_cross_entropy_with_integer_labels)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(loss(logits, labels))
    assert value.dtype == tf.float32
    np.testing.assert_allclose(tape.gradient(value, logits), jax.nn.softmax(logits.numpy()) - np.eye(3)[[1]], rtol=1e-5)


def test_a_flax_module_joins_a_tape():
    linen = pytest.importorskip("flax.linen", reason="flax is not installed")
    model = linen.Sequential([linen.Dense(4), linen.relu, linen.Dense(1)])
    x = jnp.ones((2, 3))
    params = model.init(jax.random.key(0), x)
    variables = jax.tree.map(tf.Variable, params)
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(tf.from_jax(model.apply)(variables, x) ** 2)
    grads = tape.gradient(y, variables)
    want = jax.grad(lambda p: jnp.sum(model.apply(p, x) ** 2))(params)
    jax.tree.map(
        lambda g, w: np.testing.assert_allclose(g, w, rtol=1e-5),
        grads,
        want,
        is_leaf=lambda v: isinstance(v, tf.Tensor),
    )


def test_random_keys_of_both_kinds():
    def noisy(key, x):
        return x + jax.random.normal(key, x.shape)

    x = tf.zeros([3])
    for key in (jax.random.key(1), jax.random.PRNGKey(1)):
        np.testing.assert_allclose(tf.from_jax(noisy)(key, x), jax.random.normal(key, (3,)), rtol=1e-6)


def test_numbers_are_static_with_their_type():
    seen = []

    def f(x, axis):
        seen.append(axis)
        return jnp.sum(x, axis) if isinstance(axis, int) and not isinstance(axis, bool) else x

    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    g = tf.from_jax(f)
    assert g(x, 1).shape == (2,) and g(x, True).shape == (2, 2) and g(x, 1.0).shape == (2, 2)
    assert {type(a) for a in seen} == {int, bool, float}


def test_one_op_for_one_function():
    def f(x, k):
        return x * k

    x = tf.constant([1.0, 2.0])
    tf.from_jax(f)(x, 2.0).numpy()
    before = tf.explain().programs_compiled
    for _ in range(5):
        tf.from_jax(f)(x, 2.0).numpy()
    assert tf.explain().programs_compiled - before <= 1
    assert tf.from_jax(f).__name__ == "f"


def test_the_table_of_functions_is_bounded():
    for i in range(2 * module._MAX_FUNCTIONS):
        tf.from_jax(lambda x, i=i: x + i)
    gc.collect()
    assert len(module._functions) <= module._MAX_FUNCTIONS


def test_32_bits_stay_32_bits():
    def f(x, i):
        return x * jnp.ones(2) + jnp.arange(2), jnp.arange(2) + i

    y, i = tf.from_jax(f)(tf.constant([1.0, 2.0]), tf.constant([1, 2], tf.int64))
    assert (y.dtype, i.dtype) == (tf.float32, tf.int32)


def test_float64_is_kept():
    x = tf.Variable(np.array([0.1, 0.2]))
    with tf.GradientTape() as tape:
        y = tf.from_jax(lambda x: jnp.sin(x) * jnp.ones(2))(x)
    assert y.dtype == tf.float64
    np.testing.assert_allclose(tape.gradient(y, x), np.cos([0.1, 0.2]), rtol=1e-14)


def test_a_custom_rule_of_jax_is_used():
    @jax.custom_vjp
    def steep(x):
        return x * x

    steep.defvjp(lambda x: (x * x, x), lambda x, ct: (ct * 10.0 * x,))
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = tf.from_jax(steep)(x)
    assert float(tape.gradient(y, x)) == 30.0


def test_unconnected_arguments_are_none():
    x, y = tf.Variable([1.0]), tf.Variable([2.0])
    with tf.GradientTape() as tape:
        z = tf.from_jax(lambda x, y: x * jax.lax.stop_gradient(y))(x, y)
    assert tape.gradient(z, [x, y])[1] is None


def test_inside_jax_jit_and_grad():
    f = tf.from_jax(jax.scipy.stats.norm.logpdf)
    x = jnp.array([0.5, -1.0])
    for transform in (jax.jit, lambda f: f):
        got = transform(jax.grad(lambda x: tf.reduce_sum(f(tf.convert_to_tensor(x))).__jax_array__()))(x)
        np.testing.assert_allclose(got, -x, rtol=1e-6)


def test_inside_a_function():
    f = tf.function(lambda x: tf.from_jax(jnp.logaddexp)(x, x) * 2.0)
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    np.testing.assert_allclose(tape.gradient(y, x), [2.0, 2.0], rtol=1e-6)


def test_a_leaf_that_is_not_hashable_raises():
    class Odd:
        __hash__ = None

    with pytest.raises(TypeError, match="must be hashable"):
        tf.from_jax(lambda x, o: x)(tf.constant(1.0), Odd())


def test_errors_of_the_function_reach_the_user():
    with pytest.raises(KeyError, match="missing"):
        tf.from_jax(lambda d: d["missing"])({"a": tf.constant(1.0)})
