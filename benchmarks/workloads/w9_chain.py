"""W9: a chain of 1000 small elementwise ops on a 32x32 array, and its gradient, which is read as an array.

The chain has 250 turns. A turn takes the sine, then tanh, multiplies by a Python number, and adds the result to the
array. Because of the addition, values stay between 0 and pi, and the gradient of a turn, 1 + 0.01 * cos(x) *
sech(sin(x))**2, is close to 1. The gradient of the chain therefore neither explodes nor becomes a denormal number. Some
frameworks flush denormal numbers to zero and others do not, which would distort the comparison.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.workload import Program, Workload

TURNS = 250  # each of four ops
START = np.random.default_rng(109).uniform(0.1, 3.0, (32, 32)).astype(np.float32)


def tensorflow_style(tf: Any) -> Program:
    x = tf.Variable(START)

    def step() -> Any:
        with tf.GradientTape() as tape:
            y = x
            for _ in range(TURNS):
                y = y + tf.tanh(tf.sin(y)) * 0.01
        return tape.gradient(y, x)

    return Program(step, read=lambda gradient: gradient.numpy())


def jax_jit(jax: Any) -> Program:
    jnp = jax.numpy

    def total(x: Any) -> Any:
        for _ in range(TURNS):
            x = x + jnp.tanh(jnp.sin(x)) * 0.01
        return jnp.sum(x)

    return Program(jax.jit(jax.grad(total)), arguments=(jnp.asarray(START),), read=np.asarray)


def torch_eager(torch: Any) -> Program:
    x = torch.from_numpy(START).requires_grad_()
    ones = torch.ones_like(x)

    def step() -> Any:
        y = x
        for _ in range(TURNS):
            y = y + torch.tanh(torch.sin(y)) * 0.01
        return torch.autograd.grad(y, x, ones)

    return Program(step, read=lambda gradients: gradients[0].numpy())


WORKLOADS = [Workload("W9", "1000 elementwise ops on 32x32, and gradient", tensorflow_style, jax_jit, torch_eager)]
