"""What several workloads share: starting weights and data, and the hand-written training steps.

Every implementation starts from the same numbers, so that their losses can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from benchmarks.workload import Program

# The epsilon is Keras's default; that of optax and PyTorch is 1e-8. The JAX versions use optax's Adam. Adam written out
# by hand would make W2's step 3 percent faster, which is less than the noise.
LEARNING_RATE, EPSILON = 0.001, 1e-7


def normal(*shape: int, seed: int) -> np.ndarray:
    """Returns float32 normal numbers. The same shape and seed give the same numbers in every process."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def dense_weights(sizes: Sequence[int], seed: int = 0) -> list[np.ndarray]:
    """Returns the float32 weights of a stack of dense layers: kernel, bias, kernel, bias...

    Kernels have the shape ``[inputs, units]``.

    >>> [w.shape for w in dense_weights([5, 10, 2])]
    [(5, 10), (10,), (10, 2), (2,)]
    """
    weights = []
    for layer, (inputs, units) in enumerate(zip(sizes, sizes[1:], strict=False)):
        weights.append(normal(inputs, units, seed=seed + layer) * np.float32((2 / (inputs + units)) ** 0.5))
        weights.append(np.zeros(units, np.float32))
    return weights


def assign(variables: Sequence[Any], values: Sequence[np.ndarray]) -> None:
    """Sets TensorFlow-style variables to the starting weights."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def jax_mlp(jax: Any, parameters: Sequence[Any], x: Any, activation: Any = None) -> Any:
    """Applies dense layers with an activation (relu) between them. Parameters are like those of `dense_weights`."""
    activation = activation or jax.nn.relu
    for kernel, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        x = activation(x @ kernel + bias)
    return x @ parameters[-2] + parameters[-1]


def jax_training(jax: Any, loss: Callable[..., Any], parameters: Any, batch: Sequence[Any]) -> Program:
    """Returns the training step that a JAX user writes for speed: one jitted call with donated state.

    Args:
        jax: The module.
        loss: ``loss(parameters, *batch)`` returns a scalar.
        parameters: A pytree of NumPy arrays, the initial parameters.
        batch: NumPy arrays. They are moved to the device once.
    """
    import optax  # imported here, because the process that prints the tables does not need it

    adam = optax.adam(LEARNING_RATE, eps=EPSILON)

    def update(parameters: Any, state: Any, *batch: Any) -> tuple[Any, Any, Any]:
        value, gradients = jax.value_and_grad(loss)(parameters, *batch)
        changes, state = adam.update(gradients, state)
        return optax.apply_updates(parameters, changes), state, value

    update = jax.jit(update, donate_argnums=(0, 1))
    parameters = jax.tree.map(jax.numpy.asarray, parameters)
    batch = [jax.numpy.asarray(array) for array in batch]
    state = adam.init(parameters)

    def step() -> Any:
        nonlocal parameters, state
        parameters, state, value = update(parameters, state, *batch)
        return value

    return Program(step)


def tensorflow_training(
    tf: Any, loss: Callable[..., Any], weights: Sequence[np.ndarray], batch: Sequence[np.ndarray]
) -> Program:
    """Returns the usual TensorFlow training step. ``loss(variables, *batch)`` returns a scalar."""
    variables = [tf.Variable(value) for value in weights]
    optimizer = tf.keras.optimizers.Adam(learning_rate=LEARNING_RATE)

    def step(*batch: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(variables, *batch)
        gradients = tape.gradient(value, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return value

    return Program(step, arguments=tuple(tf.constant(array) for array in batch))


def keras_mlp(tf: Any, sizes: Sequence[int], activation: str = "relu") -> Any:
    """Returns a Keras ``Sequential`` of dense layers with an activation between them, with `dense_weights`."""
    hidden = [tf.keras.layers.Dense(units, activation=activation) for units in sizes[1:-1]]
    model = tf.keras.Sequential([tf.keras.Input(shape=sizes[:1]), *hidden, tf.keras.layers.Dense(sizes[-1])])
    assign(model.trainable_variables, dense_weights(sizes))
    return model


def torch_mlp(torch: Any, sizes: Sequence[int], activation: Any = None) -> Any:
    """Returns a ``Sequential`` of linear layers with an activation (relu) between them, with `dense_weights`."""
    layers: list[Any] = []
    weights = dense_weights(sizes)
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        linear = torch.nn.Linear(*kernel.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel.T)))
            linear.bias.copy_(torch.from_numpy(bias))
        layers += [linear, (activation or torch.nn.ReLU)()]
    return torch.nn.Sequential(*layers[:-1])


def torch_training(torch: Any, model: Any, loss: Callable[..., Any], batch: Sequence[Any]) -> Program:
    """Returns the usual PyTorch training step. `loss` is a function of the model's output and the labels."""
    inputs, labels = (torch.from_numpy(array) for array in batch)
    return torch_steps(torch, model.parameters(), lambda: loss(model(inputs), labels))


def torch_steps(torch: Any, parameters: Iterable[Any], loss: Callable[[], Any]) -> Program:
    """Returns the PyTorch training step for parameters. `loss` is a function without arguments."""
    adam = torch.optim.Adam(parameters, lr=LEARNING_RATE, eps=EPSILON)

    def step() -> Any:
        adam.zero_grad()
        value = loss()
        value.backward()
        adam.step()
        return value

    return Program(step)
