"""Sine and cosine of large float32 arrays, which have kernels of their own on CPUs."""

import jax
import numpy as np
import pytest
from jax import export

import tapejax
from tapejax._src.kernels.cpu import sine

RNG = np.random.default_rng(7)


def everywhere(n):
    """Float32 numbers of all magnitudes and both signs, and the special ones."""
    x = np.exp(RNG.uniform(np.log(1e-30), np.log(3.4e38), n)).astype(np.float32)
    x[::2] *= -1
    x[:9] = [0.0, -0.0, np.inf, -np.inf, np.nan, 4e8, np.finfo(np.float32).max, np.pi / 2, -np.pi]
    return x


@pytest.mark.parametrize("name", ["sin", "cos"])
@pytest.mark.parametrize("decorated", [False, True])
def test_values_of_all_magnitudes_are_tensorflows(tf, name, decorated):
    x = everywhere(4 * sine._LARGE)
    function = getattr(tapejax, name)
    got = (tapejax.function(lambda x: function(x)) if decorated else function)(tapejax.constant(x)).numpy()
    expected = getattr(tf, name)(x).numpy()
    np.testing.assert_array_equal(np.signbit(got[:2]), np.signbit(expected[:2]))
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_allclose(got, expected, rtol=4e-7, atol=3e-7)
    exact = getattr(np, name)(x[9:].astype(np.float64))
    medium = np.abs(x[9:]) < 1e12  # NumPy's reduction is exact enough there
    np.testing.assert_array_less(
        np.abs(got[9:] - exact)[medium], 1.6 * np.spacing(np.abs(exact).astype(np.float32))[medium]
    )


def test_the_largest_numbers_against_their_exact_sines():
    # Multiples of 2**100 and others, by 500-bit arithmetic.
    x = np.full(sine._LARGE, 1.0, np.float32)
    x[:4] = [1e20, 2.0**100, 2.0**127, 16367173 * 2.0**72]  # the last is nearly a multiple of pi / 2
    got = tapejax.cos(tapejax.constant(x)).numpy()[:4]
    np.testing.assert_allclose(got, [0.7542592831, 0.489178657, 0.7819146387, -1.614769798e-9], rtol=2e-7)


def test_derivatives_of_any_order_are_tensorflows(tf):
    x = RNG.normal(size=2 * sine._LARGE).astype(np.float32) * 20

    def derivatives(module):
        t = module.constant(x)
        with module.GradientTape() as outer:
            outer.watch(t)
            with module.GradientTape() as inner:
                inner.watch(t)
                y = module.sin(t) * module.cos(t * 0.5)
            first = inner.gradient(y, t)
        return first.numpy(), outer.gradient(first, t).numpy()

    for ours, theirs in zip(derivatives(tapejax), derivatives(tf), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name, slope", [("sin", np.cos), ("cos", lambda x: -np.sin(x))])
def test_gradients_of_jitted_programs_without_64_bit_types(name, slope):
    x = RNG.uniform(1e5, 1e6, 2 * sine._LARGE).astype(np.float32)
    f = jax.jit(lambda a: tapejax.reduce_sum(getattr(tapejax, name)(tapejax.convert_to_tensor(a))).__jax_array__())
    np.testing.assert_allclose(jax.grad(f)(x), slope(x.astype(np.float64)), atol=3e-7)


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_export_with_symbolic_sizes(name):
    f = jax.jit(lambda a: getattr(tapejax, name)(tapejax.convert_to_tensor(a)).__jax_array__())
    exported = export.export(f)(jax.ShapeDtypeStruct(export.symbolic_shape("n, 2"), np.float32))
    x = RNG.normal(size=(sine._LARGE, 2)).astype(np.float32)
    np.testing.assert_allclose(exported.call(x), getattr(np, name)(x), rtol=1e-6, atol=1e-6)


def test_subnormal_numbers_are_their_own_sines():
    x = np.full(sine._LARGE, 1e-39, np.float32)
    np.testing.assert_array_equal(tapejax.sin(tapejax.constant(-x)).numpy(), -x)
