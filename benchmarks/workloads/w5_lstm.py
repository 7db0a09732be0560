"""W5: an LSTM of 128 units over 64 steps of 64 features, with a dense layer on its last output; batch 64.

The loss is the softmax cross-entropy, the optimizer Adam. The recurrence is a loop under ``tf.function``, as in Keras's
own layers, because in plain eager code TensorFlow runs such a loop in Python, op by op. The gates are in Keras's and
PyTorch's order: input, forget, candidate, output.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.workload import Program, Workload
from benchmarks.workloads.training import jax_training, normal, tensorflow_training, torch_training
from benchmarks.workloads.vision import weights_of

BATCH, STEPS, FEATURES, UNITS, CLASSES = 64, 64, 64, 128, 10
INPUTS = normal(BATCH, STEPS, FEATURES, seed=105)
LABELS = np.random.default_rng(106).integers(0, CLASSES, BATCH, dtype=np.int32)
SHAPES = [(FEATURES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,), (UNITS, CLASSES), (CLASSES,)]


def weights() -> list[np.ndarray]:
    """Returns the LSTM's kernel, recurrent kernel and bias, then the dense layer's kernel and bias."""
    return [value * np.float32(0.5) for value in weights_of(SHAPES)]


def tensorflow_style(tf: Any) -> Program:
    @tf.function
    def lstm(inputs: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
        steps = tf.TensorArray(tf.float32, STEPS).unstack(tf.transpose(inputs, [1, 0, 2]))

        def turn(t: Any, h: Any, c: Any) -> Any:
            gates = tf.matmul(steps.read(t), kernel) + tf.matmul(h, recurrent) + bias
            i, f, g, o = tf.split(gates, 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            return t + 1, tf.sigmoid(o) * tf.tanh(c), c

        zeros = tf.zeros([inputs.shape[0], UNITS])
        _, h, _ = tf.while_loop(lambda t, h, c: t < STEPS, turn, (0, zeros, zeros), maximum_iterations=STEPS)
        return h

    def loss(variables: Any, inputs: Any, labels: Any) -> Any:
        kernel, recurrent, bias, dense, dense_bias = variables
        logits = tf.matmul(lstm(inputs, kernel, recurrent, bias), dense) + dense_bias
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))

    return tensorflow_training(tf, loss, weights(), (INPUTS, LABELS))


def jax_jit(jax: Any) -> Program:
    import optax

    jnp, sigmoid = jax.numpy, jax.nn.sigmoid

    def loss(parameters: Any, inputs: Any, labels: Any) -> Any:
        kernel, recurrent, bias, dense, dense_bias = parameters

        def turn(carry: Any, x: Any) -> Any:
            h, c = carry
            i, f, g, o = jnp.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
            return (sigmoid(o) * jnp.tanh(c), c), None

        zeros = jnp.zeros((inputs.shape[0], UNITS))
        (h, _), _ = jax.lax.scan(turn, (zeros, zeros), jnp.swapaxes(inputs, 0, 1))
        return optax.softmax_cross_entropy_with_integer_labels(h @ dense + dense_bias, labels).mean()

    return jax_training(jax, loss, weights(), (INPUTS, LABELS))


def torch_eager(torch: Any) -> Program:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(FEATURES, UNITS, batch_first=True)
            self.dense = torch.nn.Linear(UNITS, CLASSES)
            kernel, recurrent, bias, dense, dense_bias = (torch.from_numpy(value.T.copy()) for value in weights())
            # PyTorch's LSTM has two biases, which are added. One of them is zero and not trained.
            values = kernel, recurrent, bias, torch.zeros_like(bias), dense, dense_bias
            with torch.no_grad():
                for parameter, value in zip(self.parameters(), values, strict=True):
                    parameter.copy_(value)
            self.lstm.bias_hh_l0.requires_grad_(False)

        def forward(self, inputs: Any) -> Any:
            return self.dense(self.lstm(inputs)[0][:, -1])

    batch = INPUTS, LABELS.astype(np.int64)
    return torch_training(torch, Model(), torch.nn.CrossEntropyLoss(), batch)


WORKLOADS = [
    # Keras's Adam adds epsilon before the bias correction, optax and PyTorch after it (see W3).
    Workload("W5", "LSTM 128, 64 steps of 64, batch 64, Adam", tensorflow_style, jax_jit, torch_eager, tolerance=1e-2)
]
