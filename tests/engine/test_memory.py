"""Long runs hold memory flat: tens of thousands of steps of a small Keras model."""

import numpy as np
import pytest
from support.resident import KNOWN, MB, resident

import tapejax as tf


@pytest.mark.skipif(not KNOWN, reason="reads Linux's /proc")
@pytest.mark.parametrize("decorate", [lambda f: f, tf.function], ids=["undecorated", "tf.function"])
def test_twenty_thousand_steps_of_a_keras_model_hold_memory_flat(decorate):
    model = tf.keras.Sequential(
        [tf.keras.layers.Dense(10, activation="relu", input_shape=(5,)), tf.keras.layers.Dense(2)]
    )
    loss_function, optimizer = tf.keras.losses.MeanSquaredError(), tf.keras.optimizers.Adam(1e-3)
    rng = np.random.default_rng(0)
    inputs = tf.constant(rng.normal(size=(32, 5)).astype(np.float32))
    labels = tf.constant(rng.normal(size=(32, 2)).astype(np.float32))

    @decorate
    def step(inputs, labels):
        with tf.GradientTape() as tape:
            loss = loss_function(labels, model(inputs))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    kept = []

    def run(steps):
        for i in range(steps):
            kept.append(step(inputs, labels))
            if i % 10 == 0:
                float(kept[-1])
            if i % 500 == 499:
                kept.clear()

    run(1000)
    memory, before = resident(), tf.explain()
    run(20_000)
    after = tf.explain()
    assert resident() - memory < 15 * MB
    assert after.cache_sizes == before.cache_sizes
    assert after.programs_compiled == before.programs_compiled
