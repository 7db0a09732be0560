"""`tf.math.cumulative_logsumexp`, which has an algorithm of its own on CPUs."""

from typing import Any

import numpy as np
import pytest
from support import harness

import tapejax

INF = np.inf
X = np.random.default_rng(2).normal(size=(2, 9)).astype(np.float32) * 8
# Where nothing has come yet, TensorFlow's gradients are nan; ours are 0.
INFINITE = np.array(
    [
        [-INF, -INF, 1, 2, -INF],
        [1, 2, INF, 3, -INF],
        [0, -20, -30, 0, 5],
        [-1e4, -1e4, 0, -INF, -1e30],
        [3e38, -3e38, 0, 3e38, 1],
    ],
    np.float32,
)


def row(name: str, *arguments: Any, x: Any = X, **options: Any) -> harness.Case:
    return harness.Case(name, lambda tf, x: tf.math.cumulative_logsumexp(x, *arguments), [x], **options)


ROWS = [
    *(
        row(f"{a} {e} {r}", a, e, r, rtol=2e-5)
        for a, e, r in [(0, False, False), (1, True, False), (-1, False, True), (1, True, True)]
    ),
    *(row(f"infinite {e} {r}", 1, e, r, x=INFINITE, order=0) for e in (False, True) for r in (False, True)),
    row("double", 1, x=X.astype(np.float64), rtol=1e-12),
    row("half", 1, x=X.astype(np.float16), order=0, rtol=2e-3),
    row("nothing", 1, x=X[:, :0], order=0),
    row("ties", 0, x=np.zeros((9, 2), np.float32), rtol=1e-5),
]
test_row = harness.test_of(ROWS)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_long_axis_keeps_its_digits(reverse):
    x = np.random.default_rng(0).uniform(-300, 300, 20000).astype(np.float32)
    x[:100] = 0
    x[1:100] -= 30  # next to nothing, but seen in results near 0
    x = x[::-1] if reverse else x
    got = tapejax.math.cumulative_logsumexp(tapejax.constant(x), reverse=reverse).numpy()
    exact = np.logaddexp.accumulate(x[:: -1 if reverse else 1].astype(np.float64))
    np.testing.assert_allclose(got[:: -1 if reverse else 1], exact, rtol=3e-7)


def test_gradients_are_finite_where_nothing_has_come_yet():
    t = tapejax.constant([-INF, -INF, 1.0, 2.0])
    with tapejax.GradientTape() as tape:
        tape.watch(t)
        y = tapejax.math.cumulative_logsumexp(t)
    np.testing.assert_allclose(tape.gradient(y, t).numpy(), [0, 0, 1 + 1 / (1 + np.e), 1 / (1 + 1 / np.e)], rtol=1e-6)
