"""W3: an MLP of MNIST's size, 784-512-256-10, batch 128, sparse softmax cross-entropy from logits, Adam."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.workload import Program, Workload
from benchmarks.workloads.training import (
    LEARNING_RATE,
    dense_weights,
    jax_mlp,
    jax_training,
    keras_mlp,
    normal,
    torch_mlp,
    torch_training,
)

SIZES = (784, 512, 256, 10)
IMAGES = normal(128, 784, seed=103)
LABELS = np.random.default_rng(104).integers(0, 10, 128, dtype=np.int32)


def tensorflow_style(tf: Any) -> Program:
    model = keras_mlp(tf, SIZES)
    loss_function = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf.keras.optimizers.Adam(learning_rate=LEARNING_RATE)

    def step(images: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = loss_function(labels, logits)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return Program(step, arguments=(tf.constant(IMAGES), tf.constant(LABELS)))


def jax_jit(jax: Any) -> Program:
    import optax

    def loss(parameters: Any, images: Any, labels: Any) -> Any:
        logits = jax_mlp(jax, parameters, images)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    return jax_training(jax, loss, dense_weights(SIZES), (IMAGES, LABELS))


def torch_eager(torch: Any) -> Program:
    # PyTorch's loss takes 64-bit labels only.
    batch = (IMAGES, LABELS.astype(np.int64))
    return torch_training(torch, torch_mlp(torch, SIZES), torch.nn.CrossEntropyLoss(), batch)


WORKLOADS = [
    Workload(
        "W3",
        "MLP 784-512-256-10, batch 128, softmax CE, Adam",
        tensorflow_style,
        jax_jit,
        torch_eager,
        # Keras's Adam adds epsilon before the bias correction, optax and PyTorch after it. This model's gradients are
        # small, so that the loss of step ten differs by 0.4 percent.
        tolerance=1e-2,
    )
]
