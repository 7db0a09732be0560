"""Reductions against real TensorFlow: value, dtype, shape, first and second derivative."""

import jax
import numpy as np
import pytest
from jax import export
from support import harness
from support.harness import Case, f32, raises

import tapejax

M = f32([[0.5, -1.5, 2.0], [3.0, 0.25, -0.75]])
CUBE = (np.arange(24, dtype=np.float32).reshape(2, 3, 4) * 7 % 11 - 4.5) / 3
INTS = np.array([[3, -8, 4], [5, 1, -2]], np.int32)
BOOLS = np.array([[True, False, True], [True, True, True]])
Z = np.array([3j, 4 - 1j, -2], np.complex64)
NAN, INF = np.nan, np.inf
NOTHING = np.zeros([0], np.float32)


def row(label, name, x, axis=None, keepdims=False, order=2, rtol=2e-6):
    """A row for ``tf.math.<name>(x, axis, keepdims)``."""
    return Case(label, lambda tf, t: getattr(tf.math, name)(t, axis=axis, keepdims=keepdims), [x], order, rtol)


REAL = ["reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod", "reduce_std", "reduce_variance",
        "reduce_logsumexp", "reduce_euclidean_norm"]  # fmt: skip
ROWS = [
    *(row(n, n, M, rtol=1e-5) for n in REAL),
    *(row(f"{n} axis 0", n, M, 0, rtol=1e-5) for n in REAL),
    *(row(f"{n} axes keepdims", n, CUBE, [0, -1], True, rtol=2e-5) for n in REAL),
    *(row(f"{n} no axes", n, M, [], order=1) for n in ["reduce_sum", "reduce_max", "reduce_mean", "reduce_prod"]),
    *(
        row(f"{n} int", n, INTS, 1)
        for n in ["reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod", "reduce_euclidean_norm"]
    ),
    *(
        row(f"{n} complex", n, Z, order=1, rtol=1e-5)
        for n in ["reduce_sum", "reduce_mean", "reduce_prod", "reduce_std", "reduce_variance", "reduce_euclidean_norm"]
    ),
    *(row(f"{n} {k}", n, BOOLS, k, k == 1) for n in ["reduce_any", "reduce_all"] for k in [None, 0, 1]),
    # Integers
    row("mean truncates", "reduce_mean", np.array([-3, 0], np.int32)),
    row("mean uint8", "reduce_mean", np.array([200, 200, 201], np.uint8)),
    row("mean int8", "reduce_mean", np.array([-100, -101], np.int8)),
    row("mean large", "reduce_mean", np.array([2**31 - 1, 2**31 - 1], np.int32)),
    row("mean int64", "reduce_mean", np.array([5, 6], np.int64)),
    row("sum wraps", "reduce_sum", np.array([100, 100], np.int8)),
    row("sum float64", "reduce_sum", np.array([0.1, 0.2])),
    row("mean float16", "reduce_mean", np.array([0.1, 0.2], np.float16), order=1, rtol=1e-3),
    # Corners
    row("max ties", "reduce_max", f32(2, 1, 2), order=1),
    row("min ties", "reduce_min", f32([[2, 1, 1], [0, 0, 0]]), 1, order=1),
    row("max nan", "reduce_max", f32(1, NAN, 2), order=0),
    # TensorFlow's second derivative is wrong here: see the test below.
    row("prod with a zero", "reduce_prod", f32(0, 2, 3), order=1),
    row("prod with two zeros", "reduce_prod", f32(0, 2, 0), order=1),
    row("std at 0", "reduce_std", f32(1, 1), order=1),
    row("norm at 0", "reduce_euclidean_norm", f32(0, 0), order=1),
    row("norm int", "reduce_euclidean_norm", np.array([3, 3], np.int32)),
    *(
        row(f"logsumexp {v}", "reduce_logsumexp", f32(*v), order=1)
        for v in [(-INF, -INF), (-INF, 1), (INF, 1), (99, 90)]
    ),
    *(
        row(f"{n} of nothing", n, NOTHING, order=0)
        for n in ["reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "reduce_mean", "reduce_logsumexp"]
    ),
    *(
        row(f"{n} of no ints", n, np.zeros([2, 0], np.int32), 1)
        for n in ["reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "reduce_mean"]
    ),
    row("scalar", "reduce_sum", f32(3.0)),
    # Normalization
    *(
        Case(f"l2_normalize {a}", lambda tf, x, a=a: tf.math.l2_normalize(x, axis=a), [M], rtol=5e-6)
        for a in [None, 0, -1]
    ),
    Case("l2_normalize of zeros", lambda tf, x: tf.nn.l2_normalize(x, 0), [f32(0, 0)]),
    Case("l2_normalize epsilon", lambda tf, x: tf.linalg.l2_normalize(x, 0, epsilon=100.0), [f32(3, 4)]),
    Case("l2_normalize complex", lambda tf, x: tf.math.l2_normalize(x, 0), [Z], order=1, rtol=5e-6),
    # Positions
    *(
        Case(f"{n} {a}", lambda tf, x, n=n, a=a: getattr(tf, n)(x, axis=a), [M])
        for n in ["argmax", "argmin"]
        for a in [None, 0, 1, -1]
    ),
    Case("argmax first of ties", lambda tf, x: tf.argmax(x), [f32(1, 3, 3)]),
    Case("argmax nan", lambda tf, x: tf.argmax(x), [f32(1, NAN, 2)]),
    Case("argmin nan", lambda tf, x: tf.math.argmin(x), [f32(1, NAN, -2)]),
    Case("argmax int32", lambda tf, x: tf.argmax(x, 1, output_type=tf.int32), [INTS]),
    Case("argmax uint16", lambda tf, x: tf.math.argmax(x, output_type=tf.uint16), [INTS]),
    Case("argmax bool", lambda tf, x: tf.argmax(x), [BOOLS]),
    # Running sums and products
    *(
        Case(f"{n} {a} {e} {r}", lambda tf, x, n=n, a=a, e=e, r=r: getattr(tf.math, n)(x, a, e, r), [M], rtol=5e-6)
        for n in ["cumsum", "cumprod"]
        for a, e, r in [(0, False, False), (1, True, False), (-1, False, True), (1, True, True)]
    ),
    *(
        Case(
            f"cumulative_logsumexp {e} {r}",
            lambda tf, x, e=e, r=r: tf.math.cumulative_logsumexp(x, 1, e, r),
            [M],
            order=1,
            rtol=1e-5,
        )
        for e in [False, True]
        for r in [False, True]
    ),
    Case("cumsum int", lambda tf, x: tf.cumsum(x, axis=1), [INTS]),
    Case("cumprod int", lambda tf, x: tf.math.cumprod(x, axis=1, exclusive=True), [INTS]),
    Case("cumsum of nothing", lambda tf, x: tf.cumsum(x, exclusive=True), [NOTHING], order=0),
    # Counts and sums of lists
    Case("count_nonzero", lambda tf, x: tf.math.count_nonzero(x), [f32(0, 1, -2)]),
    Case("count_nonzero keepdims", lambda tf, x: tf.math.count_nonzero(x, 1, True, tf.int32), [f32([[0, 1]])]),
    Case("count_nonzero bool", lambda tf, x: tf.math.count_nonzero(x, axis=0), [BOOLS]),
    Case("zero_fraction", lambda tf, x: tf.nn.zero_fraction(x), [f32(0, 1, 0)]),
    Case("add_n", lambda tf, x, y: tf.add_n([x, y, x]), [M, M * 2]),
    Case("add_n of one", lambda tf, x: tf.math.add_n([x]), [M]),
    Case("add_n of squares", lambda tf, x, y: tf.add_n([x * x, y * x]), [M, M * 2]),
    Case("accumulate_n", lambda tf, x, y: tf.math.accumulate_n([x, y]), [M, M * 2], order=1),
]
test_row = harness.test_of(ROWS)


@pytest.mark.parametrize("call", [
    raises("InvalidArgumentError", lambda tf: tf.reduce_sum([1.0, 2.0], [0, 0])),
    raises("InvalidArgumentError", lambda tf: tf.reduce_sum([1.0, 2.0], [0, -1])),
    raises("InvalidArgumentError", lambda tf: tf.reduce_sum([1.0, 2.0], 2), in_function=ValueError),
    raises("InvalidArgumentError", lambda tf: tf.reduce_sum([True]), in_function=TypeError),
    raises("InvalidArgumentError", lambda tf: tf.reduce_mean([True]), in_function=TypeError),
    raises("InvalidArgumentError", lambda tf: tf.reduce_any(tf.constant([1])), in_function=TypeError),
    raises(TypeError, lambda tf: tf.math.reduce_std([1, 2])),
    raises("InvalidArgumentError", lambda tf: tf.argmax([1.0], axis=1)),
    raises("InvalidArgumentError", lambda tf: tf.argmax(tf.zeros([0]))),
    raises("InvalidArgumentError", lambda tf: tf.argmin([1], output_type=tf.uint16), in_function=TypeError),
    raises("InvalidArgumentError", lambda tf: tf.argmax([1], output_type=tf.int8), in_function=TypeError),
    raises("InvalidArgumentError", lambda tf: tf.cumsum([1.0], axis=1)),
    raises(ValueError, lambda tf: tf.add_n([])),
    raises("InvalidArgumentError", lambda tf: tf.add_n([[1.0, 2.0], 1.0]), in_function=ValueError),
    raises(ValueError, lambda tf: tf.math.accumulate_n([[1.0, 2.0], 1.0])),
])  # fmt: skip
def test_error_class(tf, call):
    harness.check_error(tf, call)


def test_second_derivative_of_a_product_with_a_zero():
    """TensorFlow loses the terms that pass through the zero: it has 0 for the first of these."""
    x = tapejax.constant([0.0, 2.0, 3.0])
    with tapejax.GradientTape() as outer:
        outer.watch(x)
        with tapejax.GradientTape() as inner:
            inner.watch(x)
            y = tapejax.reduce_prod(x)
        slope = inner.gradient(y, x)
    np.testing.assert_allclose(outer.gradient(slope, x), [3 + 2, 3 + 0, 2 + 0], rtol=1e-6)


@pytest.mark.parametrize("name", ["argmax", "argmin", "cumulative_logsumexp"])
def test_export_with_a_symbolic_axis(name):
    function = getattr(tapejax.math, name)
    f = jax.jit(lambda a: function(tapejax.convert_to_tensor(a), axis=1).__jax_array__())
    exported = export.export(f)(jax.ShapeDtypeStruct(export.symbolic_shape("3, n"), np.float32))
    np.testing.assert_allclose(exported.call(CUBE[0]), function(CUBE[0], axis=1).numpy(), rtol=1e-6)
