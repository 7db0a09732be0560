"""Arrays that are handed out to JAX code are nobody else's: a program that overwrites them leaves variables alone."""

import jax
import jax.numpy as jnp

import tapejax as tf

overwrite = jax.jit(lambda x: x + 1.0, donate_argnums=0)


def test_a_variable_survives_the_donation_of_its_array() -> None:
    v = tf.Variable([1.0, 2.0])
    v.assign_add([1.0, 1.0])
    overwrite(jnp.asarray(v))
    overwrite(v.__jax_array__())
    assert v.numpy().tolist() == [2.0, 3.0]


def test_a_variable_survives_the_donation_of_what_to_jax_returned() -> None:
    w = tf.Variable([1.0, 2.0], name="w")
    _, variables = tf.to_jax(lambda x: tf.reduce_sum(w * x), tf.TensorSpec([2]))
    jax.jit(lambda held: jax.tree.map(lambda x: x * 2.0, held), donate_argnums=0)(variables)
    assert w.numpy().tolist() == [1.0, 2.0]


def test_an_array_that_was_handed_out_lives_through_later_steps() -> None:
    v = tf.Variable([1.0, 2.0])
    kept = jnp.asarray(v)
    for _ in range(5):
        v.assign_add([1.0, 1.0])
        v.numpy()
    assert kept.tolist() == [1.0, 2.0]
    assert kept.addressable_data(0).tolist() == [1.0, 2.0]
