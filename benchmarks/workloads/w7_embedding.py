"""W7: a table of 200,000 embeddings of size 64. A batch has 256 samples of 20 ids each.

The embeddings of a sample are averaged and go through a dense layer. The loss is the softmax cross-entropy, the
optimizer Adam. The gradient of the table has 5,120 rows. Keras's Adam decays the moments of all rows and changes all
rows, so every implementation goes over the whole table and its two moments in each step. (PyTorch's `SparseAdam` would
not.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.workload import Program, Workload
from benchmarks.workloads.training import LEARNING_RATE, dense_weights, jax_training, normal, torch_training

ROWS, WIDTH, CLASSES = 200_000, 64, 10
IDS = np.random.default_rng(105).integers(0, ROWS, (256, 20), dtype=np.int32)
LABELS = np.random.default_rng(106).integers(0, CLASSES, 256, dtype=np.int32)


def _table() -> np.ndarray:
    return normal(ROWS, WIDTH, seed=107) * np.float32(0.05)


def tensorflow_style(tf: Any) -> Program:
    kernel, bias = dense_weights((WIDTH, CLASSES))
    variables = [tf.Variable(_table()), tf.Variable(kernel), tf.Variable(bias)]
    table, kernel, bias = variables
    optimizer = tf.keras.optimizers.Adam(learning_rate=LEARNING_RATE)

    def step(ids: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            pooled = tf.reduce_mean(tf.nn.embedding_lookup(table, ids), axis=1)
            logits = tf.matmul(pooled, kernel) + bias
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    return Program(step, arguments=(tf.constant(IDS), tf.constant(LABELS)))


def jax_jit(jax: Any) -> Program:
    import optax

    def loss(parameters: Any, ids: Any, labels: Any) -> Any:
        table, kernel, bias = parameters
        logits = jax.numpy.mean(table[ids], axis=1) @ kernel + bias
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    return jax_training(jax, loss, [_table(), *dense_weights((WIDTH, CLASSES))], (IDS, LABELS))


def torch_eager(torch: Any) -> Program:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            kernel, bias = (torch.from_numpy(w) for w in dense_weights((WIDTH, CLASSES)))
            self.table = torch.nn.EmbeddingBag.from_pretrained(torch.from_numpy(_table()), freeze=False, mode="mean")
            self.kernel, self.bias = torch.nn.Parameter(kernel), torch.nn.Parameter(bias)

        def forward(self, ids: Any) -> Any:
            return self.table(ids) @ self.kernel + self.bias

    batch = (IDS.astype(np.int64), LABELS.astype(np.int64))
    return torch_training(torch, Model(), torch.nn.CrossEntropyLoss(), batch)


WORKLOADS = [
    Workload(
        "W7",
        "embedding 200k x 64, 256 x 20 ids, mean pool, dense, Adam",
        tensorflow_style,
        jax_jit,
        torch_eager,
        # Adam's first steps depend on where epsilon is added (see W3), and on whether the gradients of a repeated id
        # are summed before they are squared. Keras on TensorFlow does not sum them first.
        tolerance=1e-2,
    )
]
