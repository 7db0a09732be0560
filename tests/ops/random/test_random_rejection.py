"""Gamma and Poisson numbers in large numbers: most are drawn in one pass, and have TensorFlow's bits too."""

from typing import Any

import jax
import numpy as np
import pytest
import scipy.special

import tapejax
from tapejax._src.kernels.cpu import vector64
from tapejax._src.ops.random import philox_rejection

N = 3 * philox_rejection._TOGETHER
DRAWS = [
    ("gamma", 2.0),
    ("gamma", 0.3),
    ("gamma", [0.05, 1.0, 7.0, 1e4]),
    ("gamma", [0.5, -1.0]),
    ("poisson", 0.0),
    ("poisson", 5.0),
    ("poisson", 30.0),
    ("poisson", [0.1, 12.0, 9.99, 1e5]),
    ("poisson", [-1.0, 4.0]),
]


@pytest.mark.parametrize("name, parameter", DRAWS)
@pytest.mark.parametrize("decorated", [False, True])
def test_large_draws_have_tensorflows_bits(tf, name, parameter, decorated):
    def draw(module: Any) -> Any:
        shape = [N // np.size(parameter), *np.shape(parameter)]
        return getattr(module.random, f"stateless_{name}")(shape, [3, 4], parameter, dtype=module.float32)

    got = (tapejax.function(lambda: draw(tapejax)) if decorated else lambda: draw(tapejax))().numpy()
    np.testing.assert_array_equal(got, draw(tf).numpy())


def test_rates_that_have_no_distribution():
    # TensorFlow never returns from these.
    drawn = tapejax.random.stateless_poisson([N, 3], [1, 2], [np.nan, np.inf, 2.0], dtype=tapejax.float32).numpy()
    np.testing.assert_array_equal(np.isnan(drawn).all(0), [True, True, False])


@pytest.mark.parametrize("shape, parameter", [([0], 1.0), ([0, 3], 2.0), ([0], [1.0, 20.0]), ([2], [])])
@pytest.mark.parametrize("name", ["gamma", "poisson"])
def test_no_draws_at_all(tf, name, shape, parameter):
    for draw in (
        lambda m, p: getattr(m.random, name)(shape, p),
        lambda m, p: getattr(m.random, f"stateless_{name}")([*shape, *p.shape], [1, 2], p),
    ):
        got, expected = (draw(m, m.constant(parameter, m.float32)) for m in (tapejax, tf))
        assert (got.shape.as_list(), got.dtype.name) == (expected.shape.as_list(), expected.dtype.name)


def test_large_draws_in_double_precision(tf):
    got, expected = (m.random.stateless_gamma([N], [3, 4], 0.7, dtype=m.float64).numpy() for m in (tapejax, tf))
    np.testing.assert_allclose(got, expected, rtol=1e-13)


def test_large_draws_have_gradients(tf):
    def slopes(module):
        alpha = module.constant([0.5, 4.0])
        with module.GradientTape() as tape:
            tape.watch(alpha)
            y = module.reduce_mean(module.random.stateless_gamma([N, 2], [1, 2], alpha))
        return tape.gradient(y, alpha).numpy()

    np.testing.assert_allclose(slopes(tapejax), slopes(tf), rtol=1e-3)


def test_the_functions_they_are_made_of():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(1e-7, 2, 5000), np.exp(rng.uniform(-700, 700, 5000)), [1.0]])
    turns, k = rng.uniform(0, 1, 5000), np.arange(5000.0)
    with jax.enable_x64(True):
        np.testing.assert_allclose(vector64.log(x), np.log(x), rtol=1e-15, atol=1e-16)
        for got, exact in zip(vector64.sincos_turns(turns), (np.sin, np.cos), strict=True):
            np.testing.assert_allclose(got, exact(2 * np.pi * turns), rtol=0, atol=1e-15)
        np.testing.assert_allclose(vector64.log_factorial(k), scipy.special.gammaln(k + 1), rtol=2e-15, atol=4e-13)
        assert vector64.log(np.zeros(1))[0] < -700
