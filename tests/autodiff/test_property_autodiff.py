"""Random programs of 1 to 40 ops: first and second derivatives as in real TensorFlow and as `jax.grad`'s.

Each seed makes one program, written once for all three: a list of instructions over a growing list of values. tapejax
runs them op by op, through kernels that the programs share. Every 25th is also compared with `jax.grad`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tapejax

PROGRAMS, BATCH = 500, 50
# Every op takes these shapes to one of them, so that the kernels are few and soon compiled.
SHAPES = [(3, 3), (3,), ()]
F32, F64 = np.dtype(np.float32), np.dtype(np.float64)


class Jax:
    """The few names of TensorFlow that the programs use, on jax.numpy."""

    sin, tanh, sigmoid, exp, square, abs = jnp.sin, jnp.tanh, jax.nn.sigmoid, jnp.exp, jnp.square, jnp.abs
    where, matmul, transpose = jnp.where, jnp.matmul, jnp.transpose
    reduce_sum, reduce_mean, reduce_max = jnp.sum, jnp.mean, jnp.max
    stop_gradient, reshape, broadcast_to = jax.lax.stop_gradient, jnp.reshape, jnp.broadcast_to
    add, subtract, multiply, divide = jnp.add, jnp.subtract, jnp.multiply, jnp.divide

    # Of two equal numbers TensorFlow takes the first.
    maximum = staticmethod(lambda x, y: jnp.where(x >= y, x, y))
    minimum = staticmethod(lambda x, y: jnp.where(x <= y, x, y))

    @staticmethod
    def cast(x, dtype):
        return x.astype(dtype)

    @staticmethod
    def concat(values, axis):
        return jnp.concatenate(values, axis)

    @staticmethod
    def gather(x, indices):
        return x[jnp.asarray(indices)]


UNARY: list[Callable] = [
    lambda tf, x: tf.sin(x),
    lambda tf, x: tf.tanh(x),
    lambda tf, x: tf.sigmoid(x),
    lambda tf, x: -x,
    lambda tf, x: tf.exp(tf.tanh(x)),
    lambda tf, x: tf.square(x),
    lambda tf, x: tf.abs(x),
    lambda tf, x: 1.0 / (tf.square(x) + 1.0),
    lambda tf, x: x * 0.5 + 0.25,
    lambda tf, x: (tf.square(x) + 0.5) ** 1.5,
    lambda tf, x: tf.cast(x, "float64"),
    lambda tf, x: tf.cast(x, "float32"),
    lambda tf, x: tf.stop_gradient(x) * x,
    lambda tf, x: tf.where(x > 0.1, x, x * 0.3),
]
# (what it does, ranks that it takes)
SHAPING: list[tuple[Callable, tuple[int, ...]]] = [
    (lambda tf, x: tf.reduce_sum(x, axis=0), (1, 2)),
    (lambda tf, x: tf.reduce_mean(x, axis=-1), (1, 2)),
    (lambda tf, x: tf.reduce_sum(x), (1, 2)),
    (lambda tf, x: tf.reduce_max(x, axis=-1), (1, 2)),
    (lambda tf, x: tf.transpose(x), (2,)),
    (lambda tf, x: tf.reshape(x, (9,))[3:6], (2,)),
    (lambda tf, x: x[0], (1, 2)),
    (lambda tf, x: x[..., ::-1], (1, 2)),
    (lambda tf, x: x[-1:] * x, (1, 2)),
    (lambda tf, x: tf.gather(x, [1, 0, 1]), (1,)),
    (lambda tf, x: tf.broadcast_to(x, (3, 3)), (0,)),
    (lambda tf, x: tf.concat([x[1:], x[:1]], axis=0), (1, 2)),
]  # fmt: skip
BINARY = ["add", "subtract", "multiply", "divide", "maximum", "minimum"]


def program(seed: int) -> tuple[list[np.ndarray], Callable]:
    """The inputs of a program, and it itself: a function of a module and of tensors that gives a float64 scalar."""
    rng = np.random.default_rng(seed)
    sources = [
        rng.uniform(-1, 1, SHAPES[rng.integers(len(SHAPES))]).astype(F64 if rng.random() < 0.3 else F32)
        for _ in range(rng.integers(1, 4))
    ]
    choices = rng.integers(0, 1 << 30, (int(1 + 39 * rng.random() ** 5), 4))

    def run(tf: Any, *tensors: Any) -> Any:
        values = list(tensors)
        for kind, which, a, b in choices:
            # Later values are taken more often, so that programs are deep.
            x = values[-1 - int(a) % min(len(values), 3)]
            y = values[int(b) % len(values)]
            rank, same = len(x.shape), x.dtype == y.dtype
            if kind % 4 == 0 and same and _broadcast(x, y):
                name = BINARY[which % len(BINARY)]
                y = tf.square(y) + 1.0 if name == "divide" else y
                values.append(getattr(tf, name)(x, y))
            elif kind % 4 == 1 and same and rank == len(y.shape) == 2 and x.shape[1] == y.shape[0]:
                values.append(tf.matmul(x, y) * 0.5)
            elif kind % 4 < 3 and rank:
                fits = [f for f, ranks in SHAPING if rank in ranks]
                values.append(fits[which % len(fits)](tf, x))
            else:
                values.append(UNARY[which % len(UNARY)](tf, x))
            values[-1] = tf.tanh(values[-1]) if len(values) % 5 == 0 else values[-1]  # nothing explodes
        total = tf.reduce_sum(tf.cast(values[-1], "float64"))
        for v in tensors:
            total = total + tf.reduce_sum(tf.cast(v, "float64") ** 2) * 0.1
        return total

    return sources, run


def _broadcast(x: Any, y: Any) -> bool:
    return all(a in (b, 1) or b == 1 for a, b in zip(reversed(x.shape), reversed(y.shape), strict=False))


def with_tapes(tf: Any, sources: list[np.ndarray], run: Callable) -> tuple[Any, list[Any], list[Any]]:
    """Value, gradients, and gradients of the sum of the gradients' squares."""
    tensors = [tf.constant(s) for s in sources]
    with tf.GradientTape() as outer:
        outer.watch(tensors)
        with tf.GradientTape() as inner:
            inner.watch(tensors)
            value = run(tf, *tensors)
        first = inner.gradient(value, tensors)
        total = tf.add_n([tf.reduce_sum(tf.cast(g, "float64") ** 2) for g in first])
    return value, first, outer.gradient(total, tensors)


def with_jax(sources: list[np.ndarray], run: Callable) -> tuple[Any, list[Any], list[Any]]:
    """The same by `jax.grad`."""
    wrt = tuple(range(len(sources)))
    first = jax.grad(lambda *xs: run(Jax, *xs), wrt)

    def total(*xs: Any) -> Any:
        return sum(jnp.sum(g.astype(F64) ** 2) for g in first(*xs))

    return run(Jax, *sources), first(*sources), jax.grad(total, wrt)(*sources)


def _same(got: Any, want: Any, what: str, rtol: float) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype and got.shape == want.shape, what
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol, err_msg=what)


@pytest.mark.parametrize("batch", range(PROGRAMS // BATCH))
def test_derivatives_of_random_programs(batch, tf):
    tapejax.config.eager = True  # every program comes once: not worth compiling whole
    for seed in range(batch * BATCH, (batch + 1) * BATCH):
        sources, run = program(seed)
        ours = with_tapes(tapejax, sources, run)
        references = {"TensorFlow": with_tapes(tf, sources, run)}
        if seed % 25 == 0:
            with jax.enable_x64(True):
                references["jax.grad"] = with_jax(sources, run)
        for name, want in references.items():
            what = f"program {seed} and {name}: "
            _same(ours[0], want[0], what + "value", 1e-4)
            for order in (1, 2):
                for got, w in zip(ours[order], want[order], strict=True):
                    _same(got, w, what + f"derivative {order}", 1e-4 * 10**order)
