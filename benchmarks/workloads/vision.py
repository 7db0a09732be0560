"""What the image workloads share: `Ops`, with which a network is written once for every framework, and training steps.

A network is a function of `Ops`, of its weights in order, and of images. Images are NHWC and kernels HWIO; the PyTorch
version transposes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.workload import Program, Workload
from benchmarks.workloads.training import jax_training, normal, tensorflow_training, torch_steps


@dataclass(frozen=True)
class Ops:
    """The operations of one framework, each written in the framework's usual way.

    Args:
        conv: ``conv(images, kernel, stride)``. The output has the size ``ceil(size / stride)``, as with TensorFlow's
            "SAME" padding.
        add_bias: ``add_bias(images, bias)`` adds a number to each channel.
        norm: ``norm(images, scale, offset)`` normalises by the mean and variance of the batch.
        relu: The activation.
        max_pool: The maximum of 2x2 blocks.
        flat: Flattens each image to a row.
        mean: The mean over height and width.
        dense: ``dense(rows, kernel, bias)``.
        loss: ``loss(logits, labels)``, the mean softmax cross-entropy.
    """

    conv: Callable[..., Any]
    add_bias: Callable[..., Any]
    norm: Callable[..., Any]
    relu: Callable[..., Any]
    max_pool: Callable[..., Any]
    flat: Callable[..., Any]
    mean: Callable[..., Any]
    dense: Callable[..., Any]
    loss: Callable[..., Any]


Network = Callable[[Ops, Sequence[Any], Any], Any]


def weights_of(shapes: Sequence[tuple[int, ...]], seed: int = 0) -> list[np.ndarray]:
    """Returns weights for shapes: zeros for (n,), ones for ("scale", n), and He-normal kernels for longer shapes."""
    weights = []
    for i, shape in enumerate(shapes):
        if len(shape) == 1:
            weights.append(np.zeros(shape, np.float32))
        elif shape[0] == "scale":
            weights.append(np.ones(shape[1:], np.float32))
        else:
            weights.append(normal(*shape, seed=seed + i) * np.float32((2 / np.prod(shape[:-1])) ** 0.5))
    return weights


def tensorflow_ops(tf: Any) -> Ops:
    """Returns TensorFlow's operations."""

    def norm(x: Any, scale: Any, offset: Any) -> Any:
        mean, variance = tf.nn.moments(x, [0, 1, 2])
        return tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-5)

    def loss(logits: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))

    return Ops(
        conv=lambda x, w, stride: tf.nn.conv2d(x, w, stride, "SAME"),
        add_bias=tf.nn.bias_add,
        norm=norm,
        relu=tf.nn.relu,
        max_pool=lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"),
        flat=lambda x: tf.reshape(x, [x.shape[0], -1]),
        mean=lambda x: tf.reduce_mean(x, [1, 2]),
        dense=lambda x, w, b: tf.matmul(x, w) + b,
        loss=loss,
    )


def jax_ops(jax: Any) -> Ops:
    """Returns JAX's operations."""
    import optax

    jnp, lax = jax.numpy, jax.lax

    def norm(x: Any, scale: Any, offset: Any) -> Any:
        mean, variance = jnp.mean(x, (0, 1, 2)), jnp.var(x, (0, 1, 2))
        return (x - mean) * lax.rsqrt(variance + 1e-5) * scale + offset

    def loss(logits: Any, labels: Any) -> Any:
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    return Ops(
        conv=lambda x, w, stride: lax.conv_general_dilated(
            x, w, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        ),
        add_bias=lambda x, b: x + b,
        norm=norm,
        relu=jax.nn.relu,
        max_pool=lambda x: lax.reduce_window(x, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"),
        flat=lambda x: x.reshape(x.shape[0], -1),
        mean=lambda x: jnp.mean(x, (1, 2)),
        dense=lambda x, w, b: x @ w + b,
        loss=loss,
    )


def torch_ops(torch: Any) -> Ops:
    """Returns PyTorch's operations, which take NCHW images and OIHW kernels."""
    functional = torch.nn.functional

    def conv(x: Any, w: Any, stride: int) -> Any:
        size, reach = x.shape[-1], w.shape[-1]
        missing = max((-(-size // stride) - 1) * stride + reach - size, 0)
        if missing % 2:
            x = functional.pad(x, (missing // 2, missing - missing // 2) * 2)
        return functional.conv2d(x, w, stride=stride, padding=0 if missing % 2 else missing // 2)

    return Ops(
        conv=conv,
        add_bias=lambda x, b: x + b[:, None, None],
        norm=lambda x, scale, offset: functional.batch_norm(x, None, None, scale, offset, True, eps=1e-5),
        relu=functional.relu,
        max_pool=lambda x: functional.max_pool2d(x, 2),
        flat=lambda x: x.permute(0, 2, 3, 1).flatten(1),
        mean=lambda x: x.mean((2, 3)),
        dense=lambda x, w, b: x @ w + b,
        loss=functional.cross_entropy,
    )


def _tensorflow_style(tf: Any, network: Network, shapes: Sequence, batch: Sequence[np.ndarray]) -> Program:
    ops = tensorflow_ops(tf)

    def loss(variables: Any, images: Any, labels: Any) -> Any:
        return ops.loss(network(ops, variables, images), labels)

    return tensorflow_training(tf, loss, weights_of(shapes), batch)


def _jax_jit(jax: Any, network: Network, shapes: Sequence, batch: Sequence[np.ndarray]) -> Program:
    ops = jax_ops(jax)

    def loss(parameters: Any, images: Any, labels: Any) -> Any:
        return ops.loss(network(ops, parameters, images), labels)

    return jax_training(jax, loss, weights_of(shapes), batch)


def _torch_eager(torch: Any, network: Network, shapes: Sequence, batch: Sequence[np.ndarray]) -> Program:
    ops = torch_ops(torch)
    arrays = [value.transpose(3, 2, 0, 1) if value.ndim == 4 else value for value in weights_of(shapes)]
    weights = [torch.from_numpy(np.ascontiguousarray(value)).requires_grad_() for value in arrays]
    images, labels = batch
    images = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    labels = torch.from_numpy(labels.astype(np.int64))  # PyTorch's loss takes 64-bit labels only
    return torch_steps(torch, weights, lambda: ops.loss(network(ops, weights, images), labels))


def image_workload(key: str, title: str, network: Network, shapes: Sequence, batch: Sequence[np.ndarray]) -> Workload:
    """Returns the workload that trains a network with Adam in every framework.

    Args:
        key: The key of the workload.
        title: The title of the workload.
        network: The network.
        shapes: The shapes of the weights in order, as `weights_of` takes them.
        batch: Images and labels.
    """
    filled = {"network": network, "shapes": shapes, "batch": batch}
    styles = (partial(style, **filled) for style in (_tensorflow_style, _jax_jit, _torch_eager))
    # Keras's Adam adds epsilon before the bias correction, optax and PyTorch after it (see W3).
    return Workload(key, title, *styles, tolerance=0.1)
