"""Elementwise ops against real TensorFlow: value, dtype, shape, first and second derivative."""

import numpy as np
import pytest
from support import harness
from support.harness import Case, f32, raises

import tapejax

X = f32(-2.5, -0.7, 0.3, 1.9)
POSITIVE = f32(0.2, 0.9, 1.5, 4.0)
UNIT = f32(-0.9, -0.2, 0.3, 0.8)
ABOVE_ONE = f32(1.1, 1.5, 2.0, 7.0)
COLUMN = f32([[0.5], [-1.5], [2.5]])
Z = np.array([1 + 2j, -0.5 + 0.3j], np.complex64)
W = np.array([0.4 - 1j, 2 + 0.1j], np.complex64)
INTS, OTHERS = np.array([7, -7, 5, -5], np.int32), np.array([2, 2, -3, -3], np.int32)
NAN, INF = np.nan, np.inf


def unary(name, x, **options):
    """A row for ``tf.<name>(x)``; the name may hold a dot."""

    def call(tf, *tensors):
        for part in name.split("."):
            tf = getattr(tf, part)
        return tf(*tensors)

    return Case(options.pop("label", name), call, [x] if isinstance(x, np.ndarray) else list(x), **options)


def binary(name, x, y, **options):
    return unary(name, (x, y), **options)


ROWS = [
    *(
        unary(n, X)
        for n in [
            "exp",
            "sin",
            "cos",
            "sinh",
            "cosh",
            "tanh",
            "sigmoid",
            "atan",
            "asinh",
            "square",
            "abs",
            "negative",
            "sign",
            "math.expm1",
            "math.reciprocal",
            "math.softplus",
            "math.erf",
            "nn.softplus",
            "nn.sigmoid",
            "nn.tanh",
            "math.log_sigmoid",
            "math.reciprocal_no_nan",
        ]
    ),
    unary("tan", X, rtol=5e-6),
    unary("math.erfc", f32(-1.0, 0.0, 0.5, 2.0), rtol=5e-6),
    *(unary(n, POSITIVE) for n in ["sqrt", "math.rsqrt", "math.log", "math.log1p"]),
    unary("math.lgamma", f32(-0.5, 0.7, 2.5, 9.0), rtol=1e-5),
    unary("math.digamma", f32(0.7, 2.5, 9.0), rtol=1e-5),
    *(unary(n, UNIT) for n in ["asin", "acos", "atanh"]),
    unary("acosh", ABOVE_ONE, rtol=5e-6),
    *(unary(n, X) for n in ["floor", "round", "math.ceil", "math.rint"]),
    unary("round", f32(0.5, 1.5, -2.5), label="round halves"),
    unary("math.softplus", f32(-200, 0, 200), label="softplus far out"),
    # Complex numbers
    *(
        unary(n, Z, label=f"{n} complex", order=1, rtol=5e-6)
        for n in [
            "exp",
            "math.log",
            "sqrt",
            "sin",
            "cos",
            "tanh",
            "sigmoid",
            "square",
            "abs",
            "sign",
            "negative",
            "math.reciprocal",
            "math.real",
            "math.imag",
            "math.conj",
            "math.angle",
        ]
    ),
    *(
        binary(n, Z, W, label=f"{n} complex", order=1, rtol=5e-6)
        for n in ["add", "subtract", "multiply", "divide", "pow", "math.squared_difference"]
    ),
    binary("complex", X, POSITIVE, order=1),
    unary("math.real", X, label="real of real"),
    unary("math.imag", X, label="imag of real"),
    unary("math.conj", X, label="conj of real"),
    unary("math.angle", f32(1, -1, 0), label="angle of real"),
    # Two arguments
    *(
        binary(n, X, COLUMN)
        for n in [
            "add",
            "subtract",
            "multiply",
            "divide",
            "maximum",
            "minimum",
            "atan2",
            "math.squared_difference",
            "math.floordiv",
        ]
    ),
    binary("math.floormod", X, COLUMN, order=1),
    binary("math.mod", f32(7, -7, 5, 5), f32(2, 2, -3, INF), label="mod signs", order=1),
    binary("maximum", f32(1, 2, NAN, 1), f32(1, 3, 1, NAN), label="maximum ties and nan", order=1),
    binary("minimum", f32(1, 2, NAN, 1), f32(1, 3, 1, NAN), label="minimum ties and nan", order=1),
    binary("math.divide_no_nan", f32(7, -7, 0, NAN, INF), f32(2, 0, 0, 0, 0)),
    binary("math.multiply_no_nan", f32(7, NAN, INF, 3), f32(2, 0, 0, 0)),
    binary("math.xlogy", f32(0, 0, 2, 0), f32(0, 2, 3, NAN)),
    binary("math.xlog1py", f32(0, 0, 2, 0), f32(-1, 2, 3, NAN)),
    binary("math.xdivy", f32(0, 0, 2), f32(0, 2, 3)),
    # Corners of derivatives
    unary("sqrt", f32(0, 4), label="sqrt at 0", order=1),
    Case("sqrt at 0, zero upstream", lambda tf, x: tf.sqrt(x) * 0.0, [f32(0, 4)], order=1),
    unary("abs", f32(0, -2), label="abs at 0"),
    unary("abs", np.array([0, 1 + 1j], np.complex64), label="abs of complex 0", order=1),
    # Powers
    binary("pow", f32(2, 1.5, 0.5), f32(3, -1.5, 2.5), rtol=5e-6),
    binary("pow", f32(0, -2, 0, -2, 0), f32(1, 2, 2, 0.5, 0), label="pow corners", order=1),
    *(
        Case(f"pow static {n}", lambda tf, x, n=n: tf.pow(x, n), [f32(-2, 1, 0.5)], order=1 if n == 1 else 2)
        for n in [1, 2, 3, -1, -2, 2.0, 9, 12]
    ),
    Case("pow 0.5 at 0", lambda tf, x: tf.pow(x, 0.5), [f32(0, 2)]),
    Case("pow of a number", lambda tf, x: tf.pow(2.0, x), [X]),
    Case("pow of int", lambda tf, x: tf.pow(x, 3), [INTS]),
    binary("pow", INTS, np.array([0, 1, 2, 5], np.int32), label="pow of ints"),
    # Integers
    *(
        binary(n, INTS, OTHERS, label=f"{n} int")
        for n in [
            "add",
            "subtract",
            "multiply",
            "divide",
            "truediv",
            "math.floordiv",
            "math.floormod",
            "maximum",
            "minimum",
            "truncatediv",
            "truncatemod",
            "math.squared_difference",
            "math.divide_no_nan",
        ]
    ),
    *(
        binary("divide", np.array([7, 9], t), np.array([2, 4], t), label=f"divide {np.dtype(t).name}", order=1)
        for t in [np.int8, np.uint8, np.int16, np.uint16, np.uint32, np.int64, np.float16, np.float64]
    ),
    *(unary(n, INTS, label=f"{n} int") for n in ["abs", "sign", "square", "negative", "round"]),
    binary("truncatediv", np.array([7.5, -7.5, 1.0]), np.array([2.0, 2.0, 0.0]), label="truncatediv floats"),
    binary("add", np.array([250], np.uint8), np.array([10], np.uint8), label="add wraps"),
    # Numbers, scalars
    Case("number first", lambda tf, x: tf.subtract(1.0, x), [X]),
    Case("number second", lambda tf, x: tf.multiply(x, 2), [X]),
    Case("scalar_mul", lambda tf, x: tf.math.scalar_mul(2, x), [X]),
    Case("scalar_mul tensor", lambda tf, s, x: tf.scalar_mul(s, x), [f32(3), X]),
    # clip_by_value
    Case("clip", lambda tf, x: tf.clip_by_value(x, 0.0, 1.0), [f32(0, -1, 1, 2, 0.5)]),
    Case("clip crossed", lambda tf, x: tf.clip_by_value(x, 2.0, 1.0), [f32(0, -1, 1, 2)]),
    Case("clip int", lambda tf, x: tf.clip_by_value(x, 0, 1), [INTS]),
    Case(
        "clip tensors",
        lambda tf, x, a, b: tf.clip_by_value(x, a, b),
        [f32(5, 0, 1, 0.5, -3), f32(0, 0, 0, 0, 0), f32(1, 1, 1, 1, 1)],
        order=1,
    ),
    # Casts
    *(
        Case(f"cast to {t}", lambda tf, x, t=t: tf.cast(x, t), [f32(-5.7, 0, 0.5, 99.9)])
        for t in ["int32", "int64", "int8", "bool", "float64", "float16", "complex64", "float32"]
    ),
    Case("cast to uint8 wraps", lambda tf, x: tf.cast(x, tf.uint8), [f32(-5.7, 300, 255)]),
    Case("cast ints wraps", lambda tf, x: tf.cast(x, tf.uint8), [np.array([300, -1], np.int32)]),
    Case("cast of bool", lambda tf, x: tf.cast(x, tf.float32), [np.array([True, False])]),
    Case("cast of list", lambda tf: tf.cast([True, False], "int32")),
    Case("cast of float", lambda tf: tf.cast(0.1, tf.float64)),
    Case("cast and back", lambda tf, x: tf.cast(tf.cast(x, tf.float64) * 2.0, tf.float32), [X]),
    Case("saturate_cast", lambda tf, x: tf.saturate_cast(x, tf.uint8), [f32(-5.7, 300, 25.5)]),
    Case("saturate_cast ints", lambda tf, x: tf.saturate_cast(x, tf.uint8), [np.array([300, -1, 7], np.int32)]),
    Case("saturate_cast up", lambda tf, x: tf.saturate_cast(x, tf.int64), [INTS]),
    # Comparisons and logic
    *(
        binary(n, f32(1, 2, NAN, 4), f32(1, 3, NAN, 0))
        for n in ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
    ),
    *(
        binary(n, INTS, OTHERS, label=f"{n} int")
        for n in ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
    ),
    binary("equal", Z, W, label="equal complex"),
    binary("equal", np.array([True, False]), np.array([True, True]), label="equal bool"),
    *(
        binary(n, np.array([True, True, False, False]), np.array([True, False, True, False]))
        for n in ["logical_and", "logical_or", "math.logical_xor"]
    ),
    unary("logical_not", np.array([True, False])),
    *(unary(f"math.{n}", f32(1, NAN, INF, -INF)) for n in ["is_nan", "is_inf", "is_finite"]),
]
test_row = harness.test_of(ROWS)


@pytest.mark.parametrize(
    "call",
    [
        raises("InvalidArgumentError", lambda tf: tf.add([1.0, 2.0], [1.0, 2.0, 3.0]), in_function=ValueError),
        raises("InvalidArgumentError", lambda tf: tf.equal([1.0, 2.0], [1.0, 2.0, 3.0]), in_function=ValueError),
        raises("InvalidArgumentError", lambda tf: tf.exp(tf.constant([1])), in_function=TypeError),
        raises("InvalidArgumentError", lambda tf: tf.sqrt(4), in_function=TypeError),
        raises("InvalidArgumentError", lambda tf: tf.add([True], [False]), in_function=TypeError),
        raises("InvalidArgumentError", lambda tf: tf.floor(tf.constant([1])), in_function=TypeError),
        raises("InvalidArgumentError", lambda tf: tf.negative(tf.constant([1], tf.uint32)), in_function=TypeError),
        raises("InvalidArgumentError", lambda tf: tf.math.is_nan(tf.constant([1])), in_function=TypeError),
        raises("InvalidArgumentError", lambda tf: tf.abs([True]), in_function=TypeError),
        raises(
            "InvalidArgumentError", lambda tf: tf.logical_and(tf.constant([1]), tf.constant([1])), in_function=TypeError
        ),
        raises("InvalidArgumentError", lambda tf: tf.less([True], [False]), in_function=TypeError),
        raises("InvalidArgumentError", lambda tf: tf.less([1j], [1j]), in_function=TypeError),
        raises(TypeError, lambda tf: tf.divide([True], [True])),
        raises("InvalidArgumentError", lambda tf: tf.math.floordiv(tf.constant([1]), tf.constant([0]))),
        raises("InvalidArgumentError", lambda tf: tf.math.floormod(tf.constant([1]), tf.constant([0]))),
        raises(ValueError, lambda tf: tf.clip_by_value([5.0], [0.0, 1.0], 1.0)),
        raises(ValueError, lambda tf: tf.math.scalar_mul(tf.constant([2.0]), tf.constant([2.0]))),
        raises(TypeError, lambda tf: tf.math.scalar_mul(2.0, tf.constant([2]))),
        raises(TypeError, lambda tf: tf.complex([1], [2])),
        raises(TypeError, lambda tf: tf.math.real([True])),
        raises(
            "InvalidArgumentError",
            lambda tf: tf.multiply(tf.constant(1.0), tf.constant(1.0, tf.float64)),
            in_function=TypeError,
        ),
        raises(TypeError, lambda tf: tf.cast([1.0], "no such type")),
    ],
)
def test_error_class(tf, call):
    harness.check_error(tf, call)


def test_integers_to_a_negative_power(tf):
    # TensorFlow's graph rewriter stumbles over this one.
    harness.check_error(tf, raises("InvalidArgumentError", lambda tf: tf.pow(tf.constant([2]), -1)), ["recorded"])


def test_cast_to_own_dtype_returns_the_tensor():
    x = tapejax.constant([1.0])
    assert tapejax.cast(x, tapejax.float32) is x


def test_small_integer_arithmetic_stays_on_the_host():
    """Arithmetic on shapes must not cost a device program: its result has a value at once."""
    n = tapejax.constant([6, 4])
    for result in (
        tapejax.add(n, 1),
        tapejax.multiply(n, n),
        tapejax.math.floordiv(n, 2),
        tapejax.math.floormod(n, 4),
        tapejax.maximum(n, 5),
        tapejax.cast(n, tapejax.int64),
        tapejax.equal(n, 4),
        tapejax.reduce_prod(n),
        tapejax.reduce_sum(n, axis=0),
    ):
        assert type(result._value) is np.ndarray


def test_changing_exponents_do_not_recompile():
    """``x ** step`` in a loop: large and fractional exponents are inputs of one program."""
    x = tapejax.constant([0.5, 2.0])
    float(tapejax.reduce_sum(tapejax.pow(x, 20.5)))
    before = tapejax._src.engine.trie.sizes()["programs"]
    for step in range(20, 40):
        float(tapejax.reduce_sum(tapejax.pow(x, step + 0.5)))
    assert tapejax._src.engine.trie.sizes()["programs"] <= before + 1
