"""W1: the gradients of ``z = x**2 + y*x - 3*y`` by two scalar variables, both read. It measures overhead only."""

from __future__ import annotations

from typing import Any

from benchmarks.workload import Program, Workload


def _read(gradients: Any) -> list[float]:
    return [float(gradient) for gradient in gradients]


def tensorflow_style(tf: Any) -> Program:
    x = tf.Variable(3.0, name="x", dtype=tf.float32)
    y = tf.Variable(2.0, name="y", dtype=tf.float32)

    def step() -> Any:
        with tf.GradientTape() as tape:
            z = x**2 + y * x - 3 * y
        return tape.gradient(z, [x, y])

    return Program(step, read=_read)


def jax_jit(jax: Any) -> Program:
    def z(x: Any, y: Any) -> Any:
        return x**2 + y * x - 3 * y

    gradient = jax.jit(jax.grad(z, argnums=(0, 1)))
    # Arrays on the device, because Python numbers would be moved there in every step.
    scalars = tuple(jax.numpy.asarray(value, jax.numpy.float32) for value in (3.0, 2.0))
    return Program(gradient, arguments=scalars, read=_read)


def torch_eager(torch: Any) -> Program:
    x = torch.tensor(3.0, requires_grad=True)
    y = torch.tensor(2.0, requires_grad=True)

    def step() -> Any:
        z = x**2 + y * x - 3 * y
        return torch.autograd.grad(z, [x, y])

    return Program(step, read=_read)


WORKLOADS = [Workload("W1", "gradient of x**2 + y*x - 3*y, two scalars", tensorflow_style, jax_jit, torch_eager)]
