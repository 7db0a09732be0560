"""The ops that ``python -m benchmarks ops`` measures.

Each case has a function that calls the op of a module with TensorFlow's names, which is given as `tf`, and inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.workloads.training import normal


@dataclass(frozen=True)
class OpCase:
    """One op at one size.

    Args:
        name: The name in the table.
        call: ``call(tf, *tensors)`` calls the op and returns a tensor.
        inputs: A function that returns the input arrays.
        gradient: Whether the gradients by all floating inputs are measured too.
    """

    name: str
    call: Callable[..., Any]
    inputs: Callable[[], tuple]
    gradient: bool = True


def _normal(*shapes: tuple[int, ...]) -> Callable[[], tuple]:
    return lambda: tuple(normal(*shape, seed=i) for i, shape in enumerate(shapes))


def _convolutions() -> Iterator[OpCase]:
    sizes = [
        ("3x3 3>32 32x32", (64, 32, 32, 3), (3, 3, 3, 32), 1),
        ("3x3 32>64 32x32", (32, 32, 32, 32), (3, 3, 32, 64), 1),
        ("3x3 64>64 16x16", (64, 16, 16, 64), (3, 3, 64, 64), 1),
        ("3x3 128>128 8x8", (32, 8, 8, 128), (3, 3, 128, 128), 1),
        ("3x3/2 64>128 16x16", (32, 16, 16, 64), (3, 3, 64, 128), 2),
        ("1x1 64>128 16x16", (32, 16, 16, 64), (1, 1, 64, 128), 1),
        ("5x5 1>32 28x28", (64, 28, 28, 1), (5, 5, 1, 32), 1),
        ("7x7/2 3>64 64x64", (8, 64, 64, 3), (7, 7, 3, 64), 2),
    ]
    for label, x, w, stride in sizes:
        yield OpCase(f"conv2d {label}", lambda tf, x, w, s=stride: tf.nn.conv2d(x, w, s, "SAME"), _normal(x, w))
    yield OpCase("conv1d 3 64>64", lambda tf, x, w: tf.nn.conv1d(x, w, 1, "SAME"), _normal((32, 256, 64), (3, 64, 64)))
    yield OpCase(
        "conv3d 3x3x3 8>16",
        lambda tf, x, w: tf.nn.conv3d(x, w, [1] * 5, "SAME"),
        _normal((4, 16, 16, 16, 8), (3, 3, 3, 8, 16)),
    )
    yield OpCase(
        "conv2d_transpose 4x4/2 64>32",
        lambda tf, x, w: tf.nn.conv2d_transpose(x, w, [32, 16, 16, 32], 2),
        _normal((32, 8, 8, 64), (4, 4, 32, 64)),
    )
    for label, c, stride in [("3x3 64", 64, 1), ("3x3/2 64", 64, 2)]:
        yield OpCase(
            f"depthwise_conv2d {label}",
            lambda tf, x, w, s=stride: tf.nn.depthwise_conv2d(x, w, [1, s, s, 1], "SAME"),
            _normal((32, 32, 32, c), (3, 3, c, 1)),
        )
    yield OpCase(
        "separable_conv2d 3x3 64>128",
        lambda tf, x, d, p: tf.nn.separable_conv2d(x, d, p, [1] * 4, "SAME"),
        _normal((32, 16, 16, 64), (3, 3, 64, 1), (1, 1, 64, 128)),
    )


def _pools() -> Iterator[OpCase]:
    images = _normal((64, 32, 32, 32))
    for kind in ("max", "avg"):
        for k, s in ((2, 2), (3, 2), (3, 1)):
            yield OpCase(
                f"{kind}_pool2d {k}x{k}/{s}",
                lambda tf, x, kind=kind, k=k, s=s: getattr(tf.nn, f"{kind}_pool2d")(x, k, s, "SAME"),
                images,
            )
    yield OpCase("depth_to_space 2", lambda tf, x: tf.nn.depth_to_space(x, 2), images)
    yield OpCase("space_to_depth 2", lambda tf, x: tf.nn.space_to_depth(x, 2), images)


def _normalisations() -> Iterator[OpCase]:
    images = _normal((64, 32, 32, 32))

    def batch_norm(tf: Any, x: Any, scale: Any, offset: Any) -> Any:
        mean, variance = tf.nn.moments(x, [0, 1, 2])
        return tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-3)

    yield OpCase("batch norm", batch_norm, _normal((64, 32, 32, 32), (32,), (32,)))
    yield OpCase("moments", lambda tf, x: tf.nn.moments(x, [0, 1, 2])[1], images)
    yield OpCase("l2_normalize", lambda tf, x: tf.nn.l2_normalize(x, -1), images)
    yield OpCase("lrn", lambda tf, x: tf.nn.lrn(x), _normal((8, 32, 32, 32)))
    rows = _normal((1024, 1024))
    yield OpCase("softmax", lambda tf, x: tf.nn.softmax(x), rows)
    yield OpCase("log_softmax", lambda tf, x: tf.nn.log_softmax(x), rows)
    classes = np.random.default_rng(7).integers(0, 1000, 1024)
    yield OpCase(
        "sparse softmax CE",
        lambda tf, x, i: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=i, logits=x),
        lambda: (normal(1024, 1000, seed=1), classes),
    )
    yield OpCase(
        "sigmoid CE",
        lambda tf, x, z: tf.nn.sigmoid_cross_entropy_with_logits(labels=z, logits=x),
        _normal((1024, 1024), (1024, 1024)),
    )


def _elementwise() -> Iterator[OpCase]:
    for name in ("nn.relu", "nn.gelu", "nn.silu", "math.exp", "math.tanh", "math.sigmoid", "math.erf", "math.sqrt"):

        def call(tf: Any, x: Any, name: str = name) -> Any:
            namespace, short = name.split(".")
            return getattr(getattr(tf, namespace), short)(x)

        yield OpCase(name.partition(".")[2], call, lambda: (np.abs(normal(1024, 1024, seed=0)) + np.float32(0.1),))
    pair = _normal((1024, 1024), (1024, 1024))
    yield OpCase("add", lambda tf, x, y: x + y, pair)
    yield OpCase("add row", lambda tf, x, y: x + y, _normal((1024, 1024), (1024,)))
    yield OpCase("multiply", lambda tf, x, y: x * y, pair)
    yield OpCase("maximum", lambda tf, x, y: tf.maximum(x, y), pair)
    yield OpCase("where", lambda tf, x, y: tf.where(x > 0, x, y), pair)


def _reductions() -> Iterator[OpCase]:
    square = _normal((1024, 1024))
    for name, axis in (
        ("reduce_sum", None),
        ("reduce_sum", 0),
        ("reduce_sum", 1),
        ("reduce_mean", 0),
        ("reduce_max", 1),
        ("reduce_logsumexp", 1),
    ):
        yield OpCase(f"{name} {axis}", lambda tf, x, n=name, a=axis: getattr(tf, n)(x, a), square)
    yield OpCase("argmax 1", lambda tf, x: tf.argmax(x, 1), square, False)
    yield OpCase("argmax 0", lambda tf, x: tf.argmax(x, 0), square, False)
    yield OpCase("cumsum 1", lambda tf, x: tf.cumsum(x, 1), square)
    yield OpCase("cumsum 0", lambda tf, x: tf.cumsum(x, 0), square)
    yield OpCase("sort", lambda tf, x: tf.sort(x), square, False)
    yield OpCase("argsort", lambda tf, x: tf.argsort(x), square, False)
    yield OpCase("top_k 8", lambda tf, x: tf.math.top_k(x, 8)[0], square)


def _products() -> Iterator[OpCase]:
    yield OpCase("matmul 512", lambda tf, x, y: tf.matmul(x, y), _normal((512, 512), (512, 512)))
    yield OpCase(
        "matmul transposed", lambda tf, x, y: tf.matmul(x, y, transpose_b=True), _normal((512, 512), (512, 512))
    )
    yield OpCase("matmul batch", lambda tf, x, y: tf.matmul(x, y), _normal((128, 64, 64), (128, 64, 64)))
    yield OpCase(
        "einsum bij,bjk", lambda tf, x, y: tf.einsum("bij,bjk->bik", x, y), _normal((64, 64, 128), (64, 128, 64))
    )
    yield OpCase(
        "einsum heads", lambda tf, x, y: tf.einsum("bqhd,bkhd->bhqk", x, y), _normal((16, 64, 4, 32), (16, 64, 4, 32))
    )
    yield OpCase("tensordot", lambda tf, x, y: tf.tensordot(x, y, 1), _normal((32, 64, 128), (128, 128)))


def _moves() -> Iterator[OpCase]:
    rng = np.random.default_rng(5)
    ids = rng.integers(0, 10000, 4096, dtype=np.int32)
    yield OpCase("gather rows", lambda tf, x, i: tf.gather(x, i), lambda: (normal(10000, 64, seed=2), ids))
    yield OpCase(
        "gather axis 1", lambda tf, x, i: tf.gather(x, i, axis=1), lambda: (normal(256, 1024, seed=2), ids[:512] % 1024)
    )
    yield OpCase("one_hot", lambda tf, i: tf.one_hot(i, 1000), lambda: (ids % 1000,), False)
    yield OpCase("transpose", lambda tf, x: tf.transpose(x), _normal((1024, 1024)))
    yield OpCase("transpose 0213", lambda tf, x: tf.transpose(x, [0, 2, 1, 3]), _normal((16, 64, 16, 64)))
    yield OpCase("concat", lambda tf, x, y: tf.concat([x, y], 1), _normal((1024, 512), (1024, 512)))
    yield OpCase("pad", lambda tf, x: tf.pad(x, [[8, 8], [8, 8]]), _normal((1024, 1024)))
    yield OpCase(
        "segment_sum",
        lambda tf, x, i: tf.math.unsorted_segment_sum(x, i, 1000),
        lambda: (normal(4096, 64, seed=3), ids % 1000),
    )


def _random() -> Iterator[OpCase]:
    for name in ("normal", "uniform", "truncated_normal"):
        yield OpCase(f"random.{name}", lambda tf, n=name: getattr(tf.random, n)([1024, 1024]), tuple, False)
    yield OpCase("dropout", lambda tf, x: tf.nn.dropout(x, 0.5), _normal((1024, 1024)))


FAMILIES: dict[str, Callable[[], Iterator[OpCase]]] = {
    "convolutions": _convolutions, "pools": _pools, "normalisations": _normalisations, "elementwise": _elementwise,
    "reductions": _reductions, "products": _products, "moves": _moves, "random": _random,
}  # fmt: skip


def op_cases() -> dict[str, list[OpCase]]:
    """Returns the cases of each family.

    >>> [case.name for case in op_cases()["pools"]][:2]
    ['max_pool2d 2x2/2', 'max_pool2d 3x3/2']
    """
    return {family: list(cases()) for family, cases in FAMILIES.items()}
