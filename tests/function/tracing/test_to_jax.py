"""`to_jax`: a ported model handed to JAX's own tools."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import export

import tapejax as tf
from tapejax.errors import UnsupportedError


@pytest.fixture
def model():
    w, b = tf.Variable([[1.0, 2.0], [3.0, 4.0]], name="w"), tf.Variable([0.5, -0.5], name="w")
    calls = tf.Variable(0, trainable=False, name="calls")

    @tf.function
    def apply(x, *, scale=1.0):
        calls.assign_add(1)
        return {"y": tf.tanh(x @ w + b) * scale}

    return apply, (w, b, calls)


def test_values_names_and_updates(model):
    apply, (w, b, calls) = model
    pure, variables = tf.to_jax(apply, tf.TensorSpec([3, 2]))
    assert list(variables) == ["w", "w_1", "calls"]
    x = np.ones((3, 2), np.float32)
    result, new = pure(variables, x)
    np.testing.assert_allclose(result["y"], np.tanh(x @ w.numpy() + b.numpy()), rtol=1e-6)
    assert isinstance(result["y"], jax.Array) and int(new["calls"]) == 1
    assert int(calls) == 0  # pure: nothing has changed


def test_other_shapes_and_arguments(model):
    apply, _ = model
    pure, variables = tf.to_jax(apply, tf.TensorSpec([3, 2]))
    assert pure(variables, jnp.ones((5, 2)), scale=2.0)[0]["y"].shape == (5, 2)


def test_under_jit_grad_and_vmap(model):
    apply, (w, b, _) = model
    pure, variables = tf.to_jax(apply, tf.TensorSpec([2, 2]))
    x = jnp.array([[0.1, 0.2], [0.3, 0.4]])
    floats = {k: v for k, v in variables.items() if k != "calls"}

    def loss(floats, x):
        return pure({**floats, "calls": variables["calls"]}, x)[0]["y"].sum()

    grads = jax.jit(jax.grad(loss))(floats, x)
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(apply(tf.constant(x))["y"])
    for g, want in zip(grads.values(), tape.gradient(y, [w, b]), strict=True):
        np.testing.assert_allclose(g, want, rtol=1e-5)
    assert jax.vmap(lambda x: loss(floats, x[None]))(x).shape == (2,)


def test_optax_trains_it(model):
    apply, _ = model
    pure, variables = tf.to_jax(apply, tf.TensorSpec([2, 2]))
    count, params = variables.pop("calls"), variables
    optimizer = optax.adam(0.1)
    state = optimizer.init(params)

    @jax.jit
    def step(params, state):
        value, grads = jax.value_and_grad(
            lambda p: jnp.mean(pure({**p, "calls": count}, jnp.ones((2, 2)))[0]["y"] ** 2)
        )(params)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state, value

    first = None
    for _ in range(30):
        params, state, value = step(params, state)
        first = value if first is None else first
    assert value < 0.1 * first


def test_jax_export(model):
    apply, _ = model
    pure, variables = tf.to_jax(apply, tf.TensorSpec([2, 2]))
    x = jnp.ones((2, 2))
    exported = export.export(jax.jit(lambda v, x: pure(v, x)[0]["y"]))(variables, x)
    again = export.deserialize(exported.serialize())
    np.testing.assert_allclose(again.call(variables, x), pure(variables, x)[0]["y"], rtol=1e-6)


def test_random_ops_are_refused():
    with pytest.raises(UnsupportedError, match="random"):
        tf.to_jax(lambda: tf.random.normal([2]))
