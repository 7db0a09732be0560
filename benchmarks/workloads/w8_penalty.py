"""W8: a gradient penalty, computed by a tape inside a tape, on an MLP of W3's size.

Wasserstein GANs and double backpropagation use such a penalty. The loss that is minimised is
``loss + 0.1 * mean over the batch of sum((d loss / d image) ** 2)``, so that a step differentiates a gradient. The
activation is tanh, whose second derivative, unlike that of relu, is not zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.workload import Program, Workload
from benchmarks.workloads.training import (
    EPSILON,
    LEARNING_RATE,
    dense_weights,
    jax_mlp,
    jax_training,
    keras_mlp,
    torch_mlp,
)
from benchmarks.workloads.w3_mlp import IMAGES, LABELS, SIZES

PENALTY = 0.1


def tensorflow_style(tf: Any) -> Program:
    model = keras_mlp(tf, SIZES, "tanh")
    loss_function = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf.keras.optimizers.Adam(learning_rate=LEARNING_RATE)

    def step(images: Any, labels: Any) -> Any:
        with tf.GradientTape() as outer:
            with tf.GradientTape(watch_accessed_variables=False) as inner:
                inner.watch(images)
                loss = loss_function(labels, model(images, training=True))
            slope = inner.gradient(loss, images)
            total = loss + PENALTY * tf.reduce_mean(tf.reduce_sum(tf.square(slope), axis=1))
        gradients = outer.gradient(total, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return total

    return Program(step, arguments=(tf.constant(IMAGES), tf.constant(LABELS)))


def jax_jit(jax: Any) -> Program:
    import optax

    def loss(images: Any, parameters: Any, labels: Any) -> Any:
        logits = jax_mlp(jax, parameters, images, jax.numpy.tanh)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    def total(parameters: Any, images: Any, labels: Any) -> Any:
        value, slope = jax.value_and_grad(loss)(images, parameters, labels)
        return value + PENALTY * jax.numpy.mean(jax.numpy.sum(slope**2, axis=1))

    return jax_training(jax, total, dense_weights(SIZES), (IMAGES, LABELS))


def torch_eager(torch: Any) -> Program:
    model = torch_mlp(torch, SIZES, torch.nn.Tanh)
    images, labels = torch.from_numpy(IMAGES).requires_grad_(), torch.from_numpy(LABELS.astype(np.int64))
    adam = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, eps=EPSILON)

    def step() -> Any:
        adam.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        (slope,) = torch.autograd.grad(loss, images, create_graph=True)
        total = loss + PENALTY * slope.square().sum(dim=1).mean()
        total.backward(inputs=list(model.parameters()))
        adam.step()
        return total

    return Program(step)


WORKLOADS = [
    Workload(
        "W8",
        "gradient penalty: nested tapes, MLP 784-512-256-10, Adam",
        tensorflow_style,
        jax_jit,
        torch_eager,
        tolerance=1e-2,  # Keras's Adam adds epsilon elsewhere (see W3)
    )
]
