"""`tf.debugging` against real TensorFlow: what passes, what is returned, and which exception is raised otherwise."""

import jax
import numpy as np
import pytest
from support import harness
from support.harness import raises

import tapejax

nan, inf = float("nan"), float("inf")
PAIRS = [
    "[1, 2], [1, 2]",
    "[1, 2], 2",
    "3, [1, 2]",
    "[1, 2], 0",
    "[nan], [nan]",
    "[1., inf], 1.",
    "[], []",
    "[], [1.]",
    "[1, 2], [1, 2, 3]",
    "i, x",
    "tf.constant(1.), 1",
    "['a', 'b'], ['a', 'c']",
    "tf.constant(True), True",
    "tf.constant([1, 2], tf.uint8), tf.constant([1, 3], tf.uint8)",
    "[1 + 1j], [1 + 1j]",
]
ROWS = [
    lambda tf: tf.debugging.assert_equal([1, 2], [1, 2]),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_equal([1, 2], 2)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_equal(3, [1, 2])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_equal([1, 2], 0)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_equal([nan], [nan])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_equal([1.0, inf], 1.0)),
    lambda tf: tf.debugging.assert_equal([], []),
    lambda tf: tf.debugging.assert_equal([], [1.0]),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_equal([1, 2], [1, 2, 3])),
    raises("InvalidArgumentError", lambda tf, x, i: tf.debugging.assert_equal(i, x)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_equal(tf.constant(1.0), 1)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_equal(["a", "b"], ["a", "c"])),
    lambda tf: tf.debugging.assert_equal(tf.constant(True), True),
    raises(
        "InvalidArgumentError",
        lambda tf: tf.debugging.assert_equal(tf.constant([1, 2], tf.uint8), tf.constant([1, 3], tf.uint8)),
    ),
    lambda tf: tf.debugging.assert_equal([1 + 1j], [1 + 1j]),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_none_equal([1, 2], [1, 2])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_none_equal([1, 2], 2)),
    lambda tf: tf.debugging.assert_none_equal(3, [1, 2]),
    lambda tf: tf.debugging.assert_none_equal([1, 2], 0),
    lambda tf: tf.debugging.assert_none_equal([nan], [nan]),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_none_equal([1.0, inf], 1.0)),
    lambda tf: tf.debugging.assert_none_equal([], []),
    lambda tf: tf.debugging.assert_none_equal([], [1.0]),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_none_equal([1, 2], [1, 2, 3])),
    raises("InvalidArgumentError", lambda tf, x, i: tf.debugging.assert_none_equal(i, x)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_none_equal(tf.constant(1.0), 1)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_none_equal(["a", "b"], ["a", "c"])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_none_equal(tf.constant(True), True)),
    raises(
        "InvalidArgumentError",
        lambda tf: tf.debugging.assert_none_equal(tf.constant([1, 2], tf.uint8), tf.constant([1, 3], tf.uint8)),
    ),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_none_equal([1 + 1j], [1 + 1j])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less([1, 2], [1, 2])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less([1, 2], 2)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less(3, [1, 2])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less([1, 2], 0)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less([nan], [nan])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less([1.0, inf], 1.0)),
    lambda tf: tf.debugging.assert_less([], []),
    lambda tf: tf.debugging.assert_less([], [1.0]),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less([1, 2], [1, 2, 3])),
    raises("InvalidArgumentError", lambda tf, x, i: tf.debugging.assert_less(i, x)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less(tf.constant(1.0), 1)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less(["a", "b"], ["a", "c"])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less(tf.constant(True), True)),
    raises(
        "InvalidArgumentError",
        lambda tf: tf.debugging.assert_less(tf.constant([1, 2], tf.uint8), tf.constant([1, 3], tf.uint8)),
    ),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less([1 + 1j], [1 + 1j])),
    lambda tf: tf.debugging.assert_less_equal([1, 2], [1, 2]),
    lambda tf: tf.debugging.assert_less_equal([1, 2], 2),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less_equal(3, [1, 2])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less_equal([1, 2], 0)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less_equal([nan], [nan])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less_equal([1.0, inf], 1.0)),
    lambda tf: tf.debugging.assert_less_equal([], []),
    lambda tf: tf.debugging.assert_less_equal([], [1.0]),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less_equal([1, 2], [1, 2, 3])),
    raises("InvalidArgumentError", lambda tf, x, i: tf.debugging.assert_less_equal(i, x)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less_equal(tf.constant(1.0), 1)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less_equal(["a", "b"], ["a", "c"])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less_equal(tf.constant(True), True)),
    lambda tf: tf.debugging.assert_less_equal(tf.constant([1, 2], tf.uint8), tf.constant([1, 3], tf.uint8)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_less_equal([1 + 1j], [1 + 1j])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater([1, 2], [1, 2])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater([1, 2], 2)),
    lambda tf: tf.debugging.assert_greater(3, [1, 2]),
    lambda tf: tf.debugging.assert_greater([1, 2], 0),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater([nan], [nan])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater([1.0, inf], 1.0)),
    lambda tf: tf.debugging.assert_greater([], []),
    lambda tf: tf.debugging.assert_greater([], [1.0]),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater([1, 2], [1, 2, 3])),
    raises("InvalidArgumentError", lambda tf, x, i: tf.debugging.assert_greater(i, x)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater(tf.constant(1.0), 1)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater(["a", "b"], ["a", "c"])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater(tf.constant(True), True)),
    raises(
        "InvalidArgumentError",
        lambda tf: tf.debugging.assert_greater(tf.constant([1, 2], tf.uint8), tf.constant([1, 3], tf.uint8)),
    ),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater([1 + 1j], [1 + 1j])),
    lambda tf: tf.debugging.assert_greater_equal([1, 2], [1, 2]),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater_equal([1, 2], 2)),
    lambda tf: tf.debugging.assert_greater_equal(3, [1, 2]),
    lambda tf: tf.debugging.assert_greater_equal([1, 2], 0),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater_equal([nan], [nan])),
    lambda tf: tf.debugging.assert_greater_equal([1.0, inf], 1.0),
    lambda tf: tf.debugging.assert_greater_equal([], []),
    lambda tf: tf.debugging.assert_greater_equal([], [1.0]),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater_equal([1, 2], [1, 2, 3])),
    raises("InvalidArgumentError", lambda tf, x, i: tf.debugging.assert_greater_equal(i, x)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater_equal(tf.constant(1.0), 1)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater_equal(["a", "b"], ["a", "c"])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater_equal(tf.constant(True), True)),
    raises(
        "InvalidArgumentError",
        lambda tf: tf.debugging.assert_greater_equal(tf.constant([1, 2], tf.uint8), tf.constant([1, 3], tf.uint8)),
    ),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_greater_equal([1 + 1j], [1 + 1j])),
    lambda tf: tf.debugging.assert_positive([1.0, 2.0]),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_positive([0])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_positive([-1, -2])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_positive([nan])),
    lambda tf: tf.debugging.assert_positive([]),
    raises(TypeError, lambda tf: tf.debugging.assert_positive([True])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_positive(tf.constant([0, 1], tf.uint8))),
    raises("InvalidArgumentError", lambda tf, c: tf.debugging.assert_positive(c)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_negative([1.0, 2.0])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_negative([0])),
    lambda tf: tf.debugging.assert_negative([-1, -2]),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_negative([nan])),
    lambda tf: tf.debugging.assert_negative([]),
    raises(TypeError, lambda tf: tf.debugging.assert_negative([True])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_negative(tf.constant([0, 1], tf.uint8))),
    raises("InvalidArgumentError", lambda tf, c: tf.debugging.assert_negative(c)),
    lambda tf: tf.debugging.assert_non_negative([1.0, 2.0]),
    lambda tf: tf.debugging.assert_non_negative([0]),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_non_negative([-1, -2])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_non_negative([nan])),
    lambda tf: tf.debugging.assert_non_negative([]),
    raises(TypeError, lambda tf: tf.debugging.assert_non_negative([True])),
    lambda tf: tf.debugging.assert_non_negative(tf.constant([0, 1], tf.uint8)),
    raises("InvalidArgumentError", lambda tf, c: tf.debugging.assert_non_negative(c)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_non_positive([1.0, 2.0])),
    lambda tf: tf.debugging.assert_non_positive([0]),
    lambda tf: tf.debugging.assert_non_positive([-1, -2]),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_non_positive([nan])),
    lambda tf: tf.debugging.assert_non_positive([]),
    raises(TypeError, lambda tf: tf.debugging.assert_non_positive([True])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_non_positive(tf.constant([0, 1], tf.uint8))),
    raises("InvalidArgumentError", lambda tf, c: tf.debugging.assert_non_positive(c)),
    raises("InvalidArgumentError", lambda tf: tf.assert_equal(1, 2, "text", 1)),
    raises("InvalidArgumentError", lambda tf: tf.assert_greater(1, 2)),
    lambda tf: tf.assert_less(1, 2),
    lambda tf: tf.debugging.assert_near(1.0, 1.0 + 1e-7),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_near(1.0, 1.1)),
    raises(ValueError, lambda tf: tf.debugging.assert_near([1, 2], [1, 2])),
    lambda tf: tf.debugging.assert_near(1.0, 1.05, rtol=0.1),
    lambda tf: tf.debugging.assert_near(1.0, 1.05, atol=0.1),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_near(nan, nan)),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_near(inf, inf)),
    lambda tf: tf.debugging.assert_near(tf.constant(1.0, tf.float16), tf.constant(1.001, tf.float16)),
    lambda tf: tf.debugging.assert_near(1j, 1j),
    raises(ValueError, lambda tf: tf.debugging.assert_near(1.0, tf.constant(1.0, tf.float64))),
    lambda tf: tf.debugging.Assert(True, ["x"]),
    raises("InvalidArgumentError", lambda tf: tf.debugging.Assert(False, ["x", 1.0])),
    raises("InvalidArgumentError", lambda tf: tf.Assert(False, [tf.constant([1, 2, 3, 4, 5])], summarize=2)),
    raises(ValueError, lambda tf: tf.Assert(tf.constant([True, True]), ["x"])),
    lambda tf: tf.Assert(tf.constant(True), ["x"]),
    raises("InvalidArgumentError", lambda tf, x: tf.Assert(tf.reduce_all(x > 3.0), ["x", x])),
    lambda tf: tf.Assert(1, ["x"]),
    raises("InvalidArgumentError", lambda tf: tf.Assert(False, "x")),
    raises("InvalidArgumentError", lambda tf: tf.Assert(False, [])),
    raises("InvalidArgumentError", lambda tf: tf.debugging.check_numerics([1.0, nan], "msg")),
    raises("InvalidArgumentError", lambda tf: tf.debugging.check_numerics([1.0, -inf], "msg")),
    lambda tf, x: tf.debugging.check_numerics(x, "msg"),
    raises("InvalidArgumentError", lambda tf, i: tf.debugging.check_numerics(i, "msg")),
    raises("InvalidArgumentError", lambda tf: tf.debugging.assert_all_finite([1.0, nan], "m")),
    lambda tf, x: tf.debugging.assert_all_finite(x, "m"),
    lambda tf, g: g(lambda a: tf.debugging.check_numerics(a, "m") * 2.0, [1.0, 2.0]),
    # static ones
    lambda tf: tf.debugging.assert_rank([1], 1),
    raises(ValueError, lambda tf: tf.debugging.assert_rank([1], 2)),
    lambda tf, i: tf.debugging.assert_rank(i, tf.constant(1)),
    raises(TypeError, lambda tf: tf.debugging.assert_rank([1], 1.0)),
    raises(ValueError, lambda tf: tf.debugging.assert_rank([1], [1])),
    raises(ValueError, lambda tf: tf.debugging.assert_rank_at_least([1], 2)),
    lambda tf, x: tf.debugging.assert_rank_at_least(x, 1),
    raises(ValueError, lambda tf: tf.debugging.assert_rank_in([1], [0, 2])),
    lambda tf: tf.debugging.assert_rank_in([1], (0, 1)),
    lambda tf: tf.debugging.assert_scalar(1),
    raises(ValueError, lambda tf: tf.debugging.assert_scalar([1])),
    lambda tf, x: tf.debugging.assert_shapes([(x, ("a", "b"))]),
    lambda tf, x, i: tf.debugging.assert_shapes([(x, (2, 3)), (i, ("b",))]),
    lambda tf: tf.debugging.assert_shapes({1: ()}),
    raises(ValueError, lambda tf, x, i: tf.debugging.assert_shapes([(x, ("a", "b")), (i, ("a",))])),
    raises(ValueError, lambda tf, x: tf.debugging.assert_shapes([(x, ("a",))])),
    raises(ValueError, lambda tf, x: tf.debugging.assert_shapes([(x, (2, 4))])),
    raises(ValueError, lambda tf, x, i: tf.debugging.assert_shapes([(x, (None, 3)), (i, ...)])),
    lambda tf, x, i: tf.debugging.assert_shapes([(x, (..., "b")), (i, ("b",))]),
    lambda tf, x, i: tf.debugging.assert_shapes([(x, "ab"), (i, "b")]),
    lambda tf: tf.debugging.assert_shapes([(1, ()), (2, "")]),
    lambda tf, x: tf.debugging.assert_shapes([(x, (".", 3))]),
    lambda tf, x, b: tf.debugging.assert_shapes([(x, ("*", 3)), (b, ("*", 4))]),
    lambda tf: tf.debugging.assert_shapes([(1, (1,))]),
    raises(ValueError, lambda tf: tf.debugging.assert_shapes([(1, (2,))])),
    raises(ValueError, lambda tf, i: tf.debugging.assert_shapes([(i, [1]), (i, 1)])),
    raises(ValueError, lambda tf, i: tf.debugging.assert_shapes([(i, ())])),
    raises(ValueError, lambda tf, x: tf.debugging.assert_shapes([(x, ("a", ...))])),
    raises(ValueError, lambda tf, x: tf.debugging.assert_shapes([(x, ("a", "a"))])),
    lambda tf: tf.debugging.assert_type(1.0, tf.float32),
    raises(TypeError, lambda tf: tf.debugging.assert_type(1, tf.float32)),
    raises(TypeError, lambda tf: tf.debugging.assert_type(1, "x")),
    lambda tf: tf.debugging.assert_integer(1),
    raises(TypeError, lambda tf: tf.debugging.assert_integer(1.0)),
    lambda tf, x: tf.debugging.assert_same_float_dtype([x, x]).name,
    raises(ValueError, lambda tf, x: tf.debugging.assert_same_float_dtype([x, tf.constant(2.0, tf.float64)])),
    raises(ValueError, lambda tf, i: tf.debugging.assert_same_float_dtype([i, i])),
    raises(ValueError, lambda tf, x: tf.debugging.assert_same_float_dtype([x], tf.float64)),
    raises(ValueError, lambda tf: tf.debugging.assert_same_float_dtype(dtype=tf.int32)),
    lambda tf: tf.debugging.assert_proper_iterable([1]),
    raises(TypeError, lambda tf, i: tf.debugging.assert_proper_iterable(i)),
    raises(TypeError, lambda tf: tf.debugging.assert_proper_iterable("a")),
    raises(TypeError, lambda tf: tf.debugging.assert_proper_iterable(1)),
    raises(TypeError, lambda tf: tf.debugging.assert_proper_iterable(np.array([1]))),
    lambda tf: tf.assert_rank([1], 1),
    lambda tf: tf.debugging.assert_same_float_dtype().name,
    lambda tf: tf.debugging.assert_same_float_dtype([tf.constant(1.0, tf.float64)]).name,
    lambda tf, i: tf.debugging.is_numeric_tensor(i),
    lambda tf: tf.debugging.is_numeric_tensor(1),
    lambda tf: tf.debugging.is_numeric_tensor(tf.constant(True)),
    lambda tf: tf.debugging.is_numeric_tensor(tf.constant("a")),
    lambda tf: tf.debugging.get_log_device_placement(),
    lambda tf: tf.debugging.is_traceback_filtering_enabled(),
]

test_as_tensorflow = harness.test_of(ROWS)


def test_the_message_shows_where_and_what():
    shown = r"(?s)sizes\nCondition x == y.*\[1\].*\[1, 2\].*1, 3"
    with pytest.raises(tapejax.errors.InvalidArgumentError, match=shown):
        tapejax.debugging.assert_equal([1, 2], [1, 3], message="sizes")


def test_checks_of_shapes_run_nothing():
    x = tapejax.zeros([2, 3]) + 1.0
    before = sum(tapejax.explain().flushes.values())
    tapejax.debugging.assert_equal(tapejax.shape(x)[0], 2)
    tapejax.debugging.assert_shapes([(x, ("a", 3))])
    assert sum(tapejax.explain().flushes.values()) == before


CHECKS = {
    "positive": lambda tf, x: tf.debugging.assert_positive(x),
    "equal": lambda tf, x: tf.debugging.assert_equal(x, tf.abs(x), message="hello"),
    "Assert": lambda tf, x: tf.Assert(tf.reduce_all(x > 0.0), ["text", x]),
    "near": lambda tf, x: tf.debugging.assert_near(x, tf.abs(x)),
    "numerics": lambda tf, x: tf.debugging.check_numerics(tf.math.log(x), "log"),
}


@pytest.mark.parametrize("check", CHECKS)
def test_in_a_function(check):
    @tapejax.function
    def f(x):
        CHECKS[check](tapejax, x)
        return x * 2.0

    assert f(tapejax.constant([1.0, 2.0])).numpy().tolist() == [2.0, 4.0]
    with pytest.raises(tapejax.errors.InvalidArgumentError):
        f(tapejax.constant([1.0, -2.0])).numpy()
    assert f(tapejax.constant([1.0, 3.0])).numpy().tolist() == [2.0, 6.0]


def test_in_a_function_what_is_known_is_checked_at_once():
    @tapejax.function
    def f(x):
        tapejax.debugging.assert_positive(tapejax.constant(-1.0))
        return x

    with pytest.raises(tapejax.errors.InvalidArgumentError):
        f(tapejax.constant(1.0))


def test_the_gradient_goes_through_check_numerics_in_a_function():
    x = tapejax.constant([1.0, 2.0])

    @tapejax.function
    def f(x):
        return tapejax.debugging.check_numerics(x * x, "m")

    with tapejax.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    assert tape.gradient(y, x).numpy().tolist() == [2.0, 4.0]


def test_inside_jit():
    def f(x):
        tapejax.debugging.assert_positive(x)
        return tapejax.identity(x).__jax_array__()

    assert jax.jit(f)(np.float32([1.0])).tolist() == [1.0]
    with pytest.raises(jax.errors.JaxRuntimeError, match="x > 0"):
        jax.jit(f)(np.float32([-1.0])).block_until_ready()


def test_enable_check_numerics():
    debugging = tapejax.debugging
    x = tapejax.constant([0.0, 1.0])
    tapejax.math.log(x).numpy()
    debugging.enable_check_numerics()
    try:
        with pytest.raises(tapejax.errors.InvalidArgumentError, match="test_debugging"):
            y = tapejax.math.log(x)
            (y * 2.0).numpy()
        assert tapejax.math.log(x + 1.0).numpy()[0] == 0.0
    finally:
        debugging.disable_check_numerics()
    assert not np.isfinite(tapejax.math.log(x).numpy()[0]) and not tapejax.config.eager
    with pytest.raises(ValueError, match="stack_height_limit"):
        debugging.enable_check_numerics(stack_height_limit=5)


def test_switches():
    debugging = tapejax.debugging
    debugging.disable_traceback_filtering()
    assert not debugging.is_traceback_filtering_enabled()
    debugging.enable_traceback_filtering()
    with pytest.warns(UserWarning, match="not logged"):
        debugging.set_log_device_placement(True)
    assert debugging.get_log_device_placement()
    debugging.set_log_device_placement(False)
