"""W6: a causal transformer, written with raw ops: 4 layers of width 128, 4 heads, 64 positions, 5000 words, batch 32.

It normalises before the attention and before the two dense layers. The activation is the exact gelu.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.workload import Program, Workload
from benchmarks.workloads.training import jax_training, tensorflow_training, torch_steps
from benchmarks.workloads.vision import weights_of

LAYERS, WIDTH, HEADS, LENGTH, WORDS = 4, 128, 4, 64, 5000
TEXT = np.random.default_rng(105).integers(0, WORDS, (32, LENGTH + 1), dtype=np.int32)
BATCH = np.ascontiguousarray(TEXT[:, :-1]), np.ascontiguousarray(TEXT[:, 1:])
CAUSAL = np.tril(np.ones((LENGTH, LENGTH), bool))
EPSILON = 1e-5


@dataclass(frozen=True)
class Ops:
    """The operations of one framework, each written in the framework's usual way.

    Args:
        embed: ``embed(table, ids)`` returns the rows of a table.
        norm: ``norm(x, scale, offset)`` normalises by the mean and variance over the last axis.
        einsum: ``einsum(equation, x, y)``.
        mask: ``mask(scores)`` replaces the scores of later positions by a very negative number.
        softmax: The softmax over the last axis.
        gelu: The activation, computed with the error function.
        loss: ``loss(logits, labels)``, the mean softmax cross-entropy.
    """

    embed: Callable[..., Any]
    norm: Callable[..., Any]
    einsum: Callable[..., Any]
    mask: Callable[..., Any]
    softmax: Callable[..., Any]
    gelu: Callable[..., Any]
    loss: Callable[..., Any]


def weights() -> list[np.ndarray]:
    """Returns the weights in the order in which `network` takes them."""
    norm, heads = [("scale", WIDTH), (WIDTH,)], (HEADS, WIDTH // HEADS)
    attention = [(WIDTH, *heads)] * 3 + [(*heads, WIDTH)]
    dense = [(WIDTH, 4 * WIDTH), (4 * WIDTH,), (4 * WIDTH, WIDTH), (WIDTH,)]
    blocks = [*norm, *attention, *norm, *dense] * LAYERS
    return weights_of([(WORDS, WIDTH), (LENGTH, WIDTH), *blocks, *norm, (WIDTH, WORDS)])


def network(ops: Ops, weights: Sequence[Any], words: Any) -> Any:
    """Returns the logits of each next word, [batch, length, words]."""
    take = iter(list(weights)).__next__
    x = ops.embed(take(), words) + take()
    for _ in range(LAYERS):
        y = ops.norm(x, take(), take())
        q, k, v = (ops.einsum("btd,dhc->bthc", y, take()) for _ in range(3))
        scores = ops.einsum("bqhc,bkhc->bhqk", q, k) * (WIDTH // HEADS) ** -0.5
        seen = ops.einsum("bhqk,bkhc->bqhc", ops.softmax(ops.mask(scores)), v)
        x = x + ops.einsum("bthc,hcd->btd", seen, take())
        y = ops.norm(x, take(), take())
        y = ops.gelu(ops.einsum("btd,df->btf", y, take()) + take())
        x = x + ops.einsum("btf,fd->btd", y, take()) + take()
    return ops.einsum("btd,dw->btw", ops.norm(x, take(), take()), take())


def tensorflow_style(tf: Any) -> Program:
    def norm(x: Any, scale: Any, offset: Any) -> Any:
        mean, variance = tf.nn.moments(x, -1, keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, offset, scale, EPSILON)

    def cross_entropy(logits: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))

    ops = Ops(
        embed=tf.nn.embedding_lookup,
        norm=norm,
        einsum=tf.einsum,
        mask=lambda scores: tf.where(CAUSAL, scores, -1e9),
        softmax=tf.nn.softmax,
        gelu=tf.nn.gelu,
        loss=cross_entropy,
    )
    return tensorflow_training(
        tf, lambda variables, words, next_: ops.loss(network(ops, variables, words), next_), weights(), BATCH
    )


def jax_jit(jax: Any) -> Program:
    import optax

    jnp = jax.numpy

    def norm(x: Any, scale: Any, offset: Any) -> Any:
        mean, variance = jnp.mean(x, -1, keepdims=True), jnp.var(x, -1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance + EPSILON) * scale + offset

    ops = Ops(
        embed=lambda table, ids: table[ids],
        norm=norm,
        einsum=jnp.einsum,
        mask=lambda scores: jnp.where(CAUSAL, scores, -1e9),
        softmax=jax.nn.softmax,
        gelu=lambda x: jax.nn.gelu(x, approximate=False),
        loss=lambda logits, labels: optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(),
    )
    return jax_training(
        jax, lambda parameters, words, next_: ops.loss(network(ops, parameters, words), next_), weights(), BATCH
    )


def torch_eager(torch: Any) -> Program:
    functional = torch.nn.functional
    causal = torch.from_numpy(CAUSAL)
    ops = Ops(
        embed=lambda table, ids: functional.embedding(ids, table),
        norm=lambda x, scale, offset: functional.layer_norm(x, (WIDTH,), scale, offset, EPSILON),
        einsum=torch.einsum,
        mask=lambda scores: scores.masked_fill(~causal, -1e9),
        softmax=lambda x: torch.softmax(x, -1),
        gelu=functional.gelu,
        loss=lambda logits, labels: functional.cross_entropy(logits.flatten(0, 1), labels.flatten()),
    )
    parameters = [torch.from_numpy(value).requires_grad_() for value in weights()]
    words, next_ = (torch.from_numpy(array.astype(np.int64)) for array in BATCH)
    return torch_steps(torch, parameters, lambda: ops.loss(network(ops, parameters, words), next_))


WORKLOADS = [
    Workload(
        "W6",
        "transformer, 4 x 128, 4 heads, 64 positions, 5000 words, batch 32, Adam",
        tensorflow_style,
        jax_jit,
        torch_eager,
        # Adam's first steps depend on where epsilon is added, and on how gradients of repeated ids are added (see W7).
        tolerance=1e-2,
    )
]
