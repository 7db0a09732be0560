"""`tf.debugging` against real TensorFlow: what passes, what is returned, and which exception is raised otherwise."""

import jax
import numpy as np
import pytest
from support import expressions

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
    *(
        f"tf.debugging.assert_{name}({pair})"
        for name in ["equal", "none_equal", "less", "less_equal", "greater", "greater_equal"]
        for pair in PAIRS
    ),
    *(
        f"tf.debugging.assert_{name}({x})"
        for name in ["positive", "negative", "non_negative", "non_positive"]
        for x in ["[1., 2.]", "[0]", "[-1, -2]", "[nan]", "[]", "[True]", "tf.constant([0, 1], tf.uint8)", "c"]
    ),
    "tf.assert_equal(1, 2, 'text', 1)",
    "tf.assert_greater(1, 2)",
    "tf.assert_less(1, 2)",
    "tf.debugging.assert_near(1., 1. + 1e-7)",
    "tf.debugging.assert_near(1., 1.1)",
    "tf.debugging.assert_near([1, 2], [1, 2])",
    "tf.debugging.assert_near(1., 1.05, rtol=.1)",
    "tf.debugging.assert_near(1., 1.05, atol=.1)",
    "tf.debugging.assert_near(nan, nan)",
    "tf.debugging.assert_near(inf, inf)",
    "tf.debugging.assert_near(tf.constant(1., tf.float16), tf.constant(1.001, tf.float16))",
    "tf.debugging.assert_near(1j, 1j)",
    "tf.debugging.assert_near(1., tf.constant(1., tf.float64))",
    "tf.debugging.Assert(True, ['x'])",
    "tf.debugging.Assert(False, ['x', 1.])",
    "tf.Assert(False, [tf.constant([1, 2, 3, 4, 5])], summarize=2)",
    "tf.Assert(tf.constant([True, True]), ['x'])",
    "tf.Assert(tf.constant(True), ['x'])",
    "tf.Assert(tf.reduce_all(x > 3.), ['x', x])",
    "tf.Assert(1, ['x'])",
    "tf.Assert(False, 'x')",
    "tf.Assert(False, [])",
    "tf.debugging.check_numerics([1., nan], 'msg')",
    "tf.debugging.check_numerics([1., -inf], 'msg')",
    "tf.debugging.check_numerics(x, 'msg')",
    "tf.debugging.check_numerics(i, 'msg')",
    "tf.debugging.assert_all_finite([1., nan], 'm')",
    "tf.debugging.assert_all_finite(x, 'm')",
    "g(lambda a: tf.debugging.check_numerics(a, 'm') * 2., [1., 2.])",
    # static ones
    *(
        f"tf.debugging.assert_{row}"
        for row in [
            "rank([1], 1)",
            "rank([1], 2)",
            "rank(i, tf.constant(1))",
            "rank([1], 1.)",
            "rank([1], [1])",
            "rank_at_least([1], 2)",
            "rank_at_least(x, 1)",
            "rank_in([1], [0, 2])",
            "rank_in([1], (0, 1))",
            "scalar(1)",
            "scalar([1])",
            "shapes([(x, ('a', 'b'))])",
            "shapes([(x, (2, 3)), (i, ('b',))])",
            "shapes({1: ()})",
            "shapes([(x, ('a', 'b')), (i, ('a',))])",
            "shapes([(x, ('a',))])",
            "shapes([(x, (2, 4))])",
            "shapes([(x, (None, 3)), (i, ...)])",
            "shapes([(x, (..., 'b')), (i, ('b',))])",
            "shapes([(x, 'ab'), (i, 'b')])",
            "shapes([(1, ()), (2, '')])",
            "shapes([(x, ('.', 3))])",
            "shapes([(x, ('*', 3)), (b, ('*', 4))])",
            "shapes([(1, (1,))])",
            "shapes([(1, (2,))])",
            "shapes([(i, [1]), (i, 1)])",
            "shapes([(i, ())])",
            "shapes([(x, ('a', ...))])",
            "shapes([(x, ('a', 'a'))])",
            "type(1., tf.float32)",
            "type(1, tf.float32)",
            "type(1, 'x')",
            "integer(1)",
            "integer(1.)",
            "same_float_dtype([x, x])",
            "same_float_dtype([x, tf.constant(2., tf.float64)])",
            "same_float_dtype([i, i])",
            "same_float_dtype([x], tf.float64)",
            "same_float_dtype(dtype=tf.int32)",
            "proper_iterable([1])",
            "proper_iterable(i)",
            "proper_iterable('a')",
            "proper_iterable(1)",
            "proper_iterable(np.array([1]))",
        ]
    ),
    "tf.assert_rank([1], 1)",
    "tf.debugging.assert_same_float_dtype().name",
    "tf.debugging.assert_same_float_dtype([tf.constant(1., tf.float64)]).name",
    "tf.debugging.is_numeric_tensor(i)",
    "tf.debugging.is_numeric_tensor(1)",
    "tf.debugging.is_numeric_tensor(tf.constant(True))",
    "tf.debugging.is_numeric_tensor(tf.constant('a'))",
    "tf.debugging.get_log_device_placement()",
    "tf.debugging.is_traceback_filtering_enabled()",
]

test_as_tensorflow = expressions.test_of(ROWS, nan=nan, inf=inf)


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
