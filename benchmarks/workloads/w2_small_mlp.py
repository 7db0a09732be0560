"""W2: a small Keras model with layers of 10 (relu) and 2 units for 5 features; batch 32, mean squared error, Adam.

The loss is read in each step.
"""

from __future__ import annotations

from typing import Any

from benchmarks.workload import Program, Workload
from benchmarks.workloads.training import (
    LEARNING_RATE,
    assign,
    dense_weights,
    jax_mlp,
    jax_training,
    normal,
    torch_mlp,
    torch_training,
)

SIZES = (5, 10, 2)
INPUTS, LABELS = normal(32, 5, seed=101), normal(32, 2, seed=102)


def tensorflow_style(tf: Any) -> Program:
    model = tf.keras.models.Sequential(
        [
            tf.keras.layers.Dense(units=10, activation="relu", input_shape=(5,)),
            tf.keras.layers.Dense(units=2),
        ]
    )
    assign(model.trainable_variables, dense_weights(SIZES))
    loss_function = tf.keras.losses.MeanSquaredError()
    optimizer = tf.keras.optimizers.Adam(learning_rate=LEARNING_RATE)

    def step(input_data: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            predictions = model(input_data)
            loss = loss_function(labels, predictions)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return Program(step, arguments=(tf.constant(INPUTS), tf.constant(LABELS)))


def jax_jit(jax: Any) -> Program:
    def loss(parameters: Any, inputs: Any, labels: Any) -> Any:
        return jax.numpy.mean((jax_mlp(jax, parameters, inputs) - labels) ** 2)

    return jax_training(jax, loss, dense_weights(SIZES), (INPUTS, LABELS))


def torch_eager(torch: Any) -> Program:
    return torch_training(torch, torch_mlp(torch, SIZES), torch.nn.MSELoss(), (INPUTS, LABELS))


WORKLOADS = [Workload("W2", "Keras MLP 5-10-2, batch 32, MSE, Adam, loss read", tensorflow_style, jax_jit, torch_eager)]
