"""Inverse trigonometric functions of larger float32 arrays, which have kernels of their own on CPUs."""

import jax
import numpy as np
import pytest
from jax import export

import tapejax
from tapejax._src.kernels.cpu import arcs

RNG = np.random.default_rng(11)
N = 2 * arcs._LARGE
SPECIAL = np.array([0.0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 2, -2, 1e-30, -1e30], np.float32)


def signed(x):
    return (x * RNG.choice([-1, 1], x.shape)).astype(np.float32)


SIZES = np.concatenate([RNG.uniform(0, 3, N), np.exp(RNG.uniform(-40, 40, N))])
SHARES = np.concatenate([RNG.uniform(0, 1, N), np.exp(RNG.uniform(-60, 0, N)), 1 - np.exp(RNG.uniform(-16, 0, N))])
UNIT = np.concatenate([SPECIAL, signed(SHARES)])
PAIRS = [
    np.concatenate([np.repeat(SPECIAL, SPECIAL.size), signed(SIZES)]),
    np.concatenate([np.tile(SPECIAL, SPECIAL.size), signed(RNG.permutation(SIZES))]),
]
ROWS = {"atan": [np.concatenate([SPECIAL, signed(SIZES)])], "asin": [UNIT], "acos": [UNIT], "atan2": PAIRS}


@pytest.mark.parametrize("decorated", [False, True])
@pytest.mark.parametrize("name", ROWS)
def test_values_are_exact_to_two_units_and_special_ones_are_tensorflows(tf, name, decorated):
    function, inputs = getattr(tapejax, name), ROWS[name]
    call = tapejax.function(lambda *xs: function(*xs)) if decorated else function
    got = call(*map(tapejax.constant, inputs)).numpy()
    with np.errstate(invalid="ignore"):
        exact = getattr(np, "arc" + name[1:])(*(x.astype(np.float64) for x in inputs))
    special = np.arange(got.size) < (SPECIAL.size**2 if name == "atan2" else SPECIAL.size)
    expected = getattr(tf, name)(*(x[special] for x in inputs)).numpy()
    np.testing.assert_allclose(got[special], expected, rtol=5e-7, atol=1e-37)
    given = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got[special][given]), np.signbit(expected[given]))
    units = np.abs(got - exact) / np.spacing(np.abs(exact).astype(np.float32))
    assert units[~special].max() <= 2


def test_they_broadcast():
    y, x = RNG.normal(size=(N, 1)).astype(np.float32), RNG.normal(size=3).astype(np.float32)
    got = tapejax.atan2(tapejax.constant(y), tapejax.constant(x)).numpy()
    np.testing.assert_allclose(got, np.arctan2(y, x), rtol=5e-7)


@pytest.mark.parametrize("name", ROWS)
def test_derivatives_of_any_order_are_tensorflows(tf, name):
    inputs = [RNG.uniform(-0.9, 0.9, N).astype(np.float32) for _ in ROWS[name]]

    def derivatives(module):
        xs = [module.constant(x) for x in inputs]
        with module.GradientTape() as outer:
            outer.watch(xs)
            with module.GradientTape() as inner:
                inner.watch(xs)
                y = getattr(module, name)(*xs)
            first = inner.gradient(y, xs)
        return [d.numpy() for d in (*first, *outer.gradient(first, xs))]

    for ours, theirs in zip(derivatives(tapejax), derivatives(tf), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=1e-5 * np.abs(theirs).max())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name, slope", [("atan", lambda x: 1 / (1 + x * x)), ("asin", lambda x: (1 - x * x) ** -0.5)])
def test_gradients_of_jitted_programs_without_64_bit_types(name, slope):
    x = RNG.uniform(-0.9, 0.9, N).astype(np.float32)
    f = jax.jit(lambda a: tapejax.reduce_sum(getattr(tapejax, name)(tapejax.convert_to_tensor(a))).__jax_array__())
    np.testing.assert_allclose(jax.grad(f)(x), slope(x.astype(np.float64)), rtol=1e-6)


def test_the_third_derivative_at_zero():
    # Zeros pass through as subnormal numbers do, but not as constants.
    slope = jax.jacfwd(jax.jacfwd(jax.jacfwd(arcs.arcsine)))
    np.testing.assert_allclose(slope(np.zeros((), np.float32)), 1)


@pytest.mark.parametrize("name", ROWS)
def test_export_with_symbolic_sizes(name):
    f = jax.jit(lambda a: getattr(tapejax, name)(*[tapejax.convert_to_tensor(a)] * len(ROWS[name])).__jax_array__())
    exported = export.export(f)(jax.ShapeDtypeStruct(export.symbolic_shape("n, 2"), np.float32))
    x = RNG.uniform(-0.9, 0.9, (N, 2)).astype(np.float32)
    np.testing.assert_allclose(exported.call(x), getattr(np, "arc" + name[1:])(*[x] * len(ROWS[name])), rtol=1e-5)


@pytest.mark.parametrize("size", [2, N])
@pytest.mark.parametrize("name", ["atan", "asin"])
def test_subnormal_numbers_are_their_own_arcs_in_arrays_of_any_size(name, size):
    x = np.full(size, -1e-39, np.float32)
    np.testing.assert_array_equal(getattr(tapejax, name)(tapejax.constant(x)).numpy(), x)
