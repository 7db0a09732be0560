"""`tf.cond`, `case`, `switch_case`, `while_loop`, `map_fn`, `scan`, `foldl`, `foldr`, `vectorized_map`: eagerly, inside
`tf.function`, and differentiated twice, against real TensorFlow."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import harness
from support.harness import declared_like, raises

import tapejax
from tapejax._src.function.control_flow import counting, lowering, staging

# Calls of a module and of x = 3.0, e = [1, 2, 3]; a result, or an exception of the same class.
CALLS: dict[str, Callable[..., Any]] = {
    "cond": lambda tf, x, e: tf.cond(x > 1, lambda: x * 2, lambda: x),
    "cond_none": lambda tf, x, e: tf.cond(x > 1, lambda: None, lambda: None),
    "cond_list_of_one": lambda tf, x, e: tf.cond(x > 1, lambda: [x], lambda: [x]),
    "cond_dict": lambda tf, x, e: tf.cond(x < 1, lambda: {"a": x, "b": 1}, lambda: {"a": e, "b": 2})["b"] + 0,
    "cond_list_and_tuple": raises(
        None, lambda tf, x, e: tf.cond(x > 1, lambda: (x, x), lambda: [x, x]), in_function=TypeError
    ),
    "cond_dtypes": raises(
        None, lambda tf, x, e: tf.cond(x > 1, lambda: tf.constant(1), lambda: 1.0), in_function=TypeError
    ),
    "cond_shapes": lambda tf, x, e: tf.cond(x > 1, lambda: tf.zeros([2]), lambda: tf.zeros([3])),
    "cond_strings": lambda tf, x, e: tf.strings.length(tf.cond(x > 1, lambda: tf.constant("ab"), lambda: "c")),
    "cond_python_bool": raises(None, lambda tf, x, e: tf.cond(True, lambda: x, lambda: -x), in_function=TypeError),
    "cond_int": raises(
        None, lambda tf, x, e: tf.cond(tf.cast(x, tf.int32), lambda: x, lambda: -x), in_function="InvalidArgumentError"
    ),
    "cond_no_function": raises(TypeError, lambda tf, x, e: tf.cond(x > 1, x, x)),
    "switch": lambda tf, x, e: tf.switch_case(tf.cast(x, tf.int32) - 2, [lambda: x, lambda: 2.0]) + 0.0,
    "switch_beyond": lambda tf, x, e: tf.switch_case(tf.cast(x, tf.int32), [lambda: x, lambda: -x]),
    "switch_below": lambda tf, x, e: tf.switch_case(-tf.cast(x, tf.int32), [lambda: x, lambda: -x]),
    "switch_default": lambda tf, x, e: tf.switch_case(tf.cast(x, tf.int32), [lambda: x, lambda: -x], lambda: x * 9),
    "switch_dict": lambda tf, x, e: tf.switch_case(
        tf.cast(x, tf.int32), {3: lambda: x, 1: lambda: -x, 0: lambda: x, 2: lambda: -x}
    ),
    "switch_gaps": raises(
        ValueError, lambda tf, x, e: tf.switch_case(tf.cast(x, tf.int32), [(3, lambda: x), (5, lambda: x)])
    ),
    "switch_float": raises(TypeError, lambda tf, x, e: tf.switch_case(x, [lambda: x, lambda: -x])),
    "switch_int64": raises(
        None, lambda tf, x, e: tf.switch_case(tf.cast(x, tf.int64), [lambda: x, lambda: -x]), in_function=TypeError
    ),
    "switch_python_int": raises(TypeError, lambda tf, x, e: tf.switch_case(1, [lambda: x, lambda: -x])),
    "case": lambda tf, x, e: tf.case([(x > 5, lambda: x), (x > 2, lambda: -x)], default=lambda: x * 3),
    "case_default": lambda tf, x, e: tf.case([(x > 5, lambda: x)], default=lambda: x * 3),
    "case_two_hold": raises(
        "InvalidArgumentError",
        lambda tf, x, e: tf.case([(x > 1, lambda: x), (x > 2, lambda: -x)], lambda: x, exclusive=True),
    ),
    "case_two_hold_no_default": lambda tf, x, e: tf.case([(x > 1, lambda: x), (x > 2, lambda: -x)], exclusive=True),
    "case_one_holds": lambda tf, x, e: tf.case([(x > 5, lambda: x), (x > 2, lambda: -x)], lambda: x, exclusive=True),
    "case_none_holds": raises(
        "InvalidArgumentError", lambda tf, x, e: tf.case([(x > 5, lambda: x), (x > 9, lambda: -x)])
    ),
    "case_no_pair": raises(TypeError, lambda tf, x, e: tf.case([x > 1])),
    "case_python_bool": raises(TypeError, lambda tf, x, e: tf.case([(True, lambda: x)])),
    "case_empty": raises(ValueError, lambda tf, x, e: tf.case([])),
    "while": lambda tf, x, e: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2), (0, x)),
    "while_list": lambda tf, x, e: tf.while_loop(lambda i: i < 3, lambda i: [i + 1], [0]),
    "while_structure": lambda tf, x, e: tf.while_loop(
        lambda s: s["i"] < 2, lambda s: [{"i": s["i"] + 1, "y": (s["y"][0] * 2,)}], [{"i": 0, "y": (x,)}]
    ),
    "while_no_variables": raises(
        ValueError, lambda tf, x, e: tf.while_loop(lambda: tf.constant(False), lambda: (), []), in_function=None
    ),
    "while_bare_variable": raises(
        ValueError,
        lambda tf, x, e: tf.while_loop(lambda i: i < 3, lambda i: (i + 1,), tf.constant(0)),
        in_function=TypeError,
    ),
    "while_other_structure": raises(
        ValueError, lambda tf, x, e: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1,), (0, x))
    ),
    "while_tuple_for_list": lambda tf, x, e: tf.while_loop(lambda i, y: i < 3, lambda i, y: [i + 1, y], [0, x]),
    "while_other_dtype": raises(
        None,
        lambda tf, x, e: (
            tf.while_loop(lambda i: i < 3, lambda i: (tf.cast(i, tf.float32) + 1,), (x,))[0]
            + tf.while_loop(lambda i: i < 3, lambda i: (tf.cast(i, tf.float64) + 1,), (x,))[0]
        ),
        in_function=TypeError,
    ),
    "while_growing": lambda tf, x, e: tf.while_loop(
        lambda i, y: i < 3,
        lambda i, y: (i + 1, tf.concat([y, y], 0)),
        (0, e),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None])),
    ),
    "while_maximum": lambda tf, x, e: tf.while_loop(lambda i: i < 30, lambda i: [i + 1], [0], maximum_iterations=4),
    "while_maximum_tensor": lambda tf, x, e: tf.while_loop(
        lambda i: i < 30, lambda i: [i + 1], [0], maximum_iterations=tf.cast(x, tf.int32)
    ),
    "while_maximum_negative": lambda tf, x, e: tf.while_loop(
        lambda i: i < 30, lambda i: [i + 1], [0], maximum_iterations=-1
    ),
    "while_parallel_0": raises(
        TypeError, lambda tf, x, e: tf.while_loop(lambda i: i < 3, lambda i: [i + 1], [0], parallel_iterations=0)
    ),
    "while_hints": lambda tf, x, e: tf.while_loop(
        lambda i: i < 3, lambda i: [i + 1], [0], parallel_iterations=1, back_prop=False, swap_memory=True
    ),
    "while_no_function": raises(TypeError, lambda tf, x, e: tf.while_loop(3, lambda i: [i + 1], [0])),
    "while_none_variable": raises(
        ValueError, lambda tf, x, e: tf.while_loop(lambda i, n: i < 2, lambda i, n: [i + 1, n], [0, None])
    ),
    "map": lambda tf, x, e: tf.map_fn(lambda v: v * x, e),
    "map_signature": lambda tf, x, e: tf.map_fn(
        lambda v: (v * 2, tf.cast(v, tf.int32)), e, fn_output_signature=(tf.float32, tf.int32)
    ),
    "map_other_dtype": raises("InvalidArgumentError", lambda tf, x, e: tf.map_fn(lambda v: tf.cast(v, tf.int32), e)),
    "map_two": lambda tf, x, e: tf.map_fn(lambda v: v[0] * v[1], (e, e), fn_output_signature=tf.float32),
    "map_other_structure": raises(ValueError, lambda tf, x, e: tf.map_fn(lambda v: v[0] * v[1], (e, e))),
    "map_spec": lambda tf, x, e: tf.map_fn(
        lambda v: v * tf.ones([2]), e, fn_output_signature=tf.TensorSpec([2], tf.float32)
    ),
    "map_other_spec": raises(
        ValueError,
        lambda tf, x, e: tf.map_fn(lambda v: v * tf.ones([2]), e, fn_output_signature=tf.TensorSpec([3], tf.float32)),
    ),
    "map_sizes": raises(
        ValueError, lambda tf, x, e: tf.map_fn(lambda v: v[0], (e, e[:2]), fn_output_signature=tf.float32)
    ),
    "map_scalar": raises(ValueError, lambda tf, x, e: tf.map_fn(lambda v: v, x)),
    "map_empty": lambda tf, x, e: tf.map_fn(lambda v: v * 2, e[:0]),
    "map_number": lambda tf, x, e: tf.map_fn(lambda v: 1, e),
    "scan": lambda tf, x, e: tf.scan(lambda a, v: a + v, e),
    "scan_initializer": lambda tf, x, e: tf.scan(lambda a, v: a + v, e, initializer=10.0),
    "scan_reverse": lambda tf, x, e: tf.scan(lambda a, v: a + v, e, reverse=True),
    "scan_structure": lambda tf, x, e: tf.scan(
        lambda a, v: (a[0] + v, a[1] * v), e, initializer=(tf.constant(0.0), tf.constant(1.0))
    ),
    "scan_two": lambda tf, x, e: tf.scan(lambda a, v: (a[0] + v[1], a[1] * v[0]), (e, e)),
    "scan_other_structure": raises(ValueError, lambda tf, x, e: tf.scan(lambda a, v: (a + v, a), e)),
    "scan_empty": lambda tf, x, e: tf.scan(lambda a, v: a + v, e[:0], initializer=1.0),
    "scan_nothing": raises(
        "OutOfRangeError", lambda tf, x, e: tf.scan(lambda a, v: a + v, e[:0]), in_function="InvalidArgumentError"
    ),
    "foldl": lambda tf, x, e: tf.foldl(lambda a, v: a - v, e),
    "foldl_initializer": lambda tf, x, e: tf.foldl(lambda a, v: a - v, e, initializer=1.0),
    "foldr": lambda tf, x, e: tf.foldr(lambda a, v: a - v, e),
    "foldr_initializer": lambda tf, x, e: tf.foldr(lambda a, v: a - v * x, e, initializer=1.0),
    "foldl_two": lambda tf, x, e: tf.foldl(lambda a, v: a + v[0] * v[1], (e, e), initializer=0.0),
    "foldl_nothing": raises(
        "OutOfRangeError", lambda tf, x, e: tf.foldl(lambda a, v: a - v, e[:0]), in_function="InvalidArgumentError"
    ),
    "vectorized": lambda tf, x, e: tf.vectorized_map(lambda v: (v[0] * x, v[1]), (e, e * 2)),
    "vectorized_repeats": lambda tf, x, e: tf.vectorized_map(lambda v: v[0] * v[1], (e, e[:1])),
    "vectorized_constant": lambda tf, x, e: tf.vectorized_map(lambda v: 1.0, e),
    "vectorized_cond": lambda tf, x, e: tf.vectorized_map(lambda v: tf.cond(v > 1.5, lambda: v, lambda: -v), e),
    "vectorized_while": lambda tf, x, e: tf.vectorized_map(
        lambda v: tf.while_loop(lambda a: a < 10.0, lambda a: (a * 2 + 1,), (v,))[0], e
    ),
}


@pytest.mark.parametrize("how", ["eager", "function"])
@pytest.mark.parametrize("name", CALLS)
def test_like_tensorflow(tf: Any, name: str, how: str) -> None:
    call = CALLS[name]

    def run(tf: Any) -> Any:
        x, e = tf.constant(3.0), tf.constant([1.0, 2.0, 3.0])
        if how == "eager":
            return call(tf, x, e)
        return tf.function(lambda x, e: call(tf, x, e), autograph=False)(x, e)

    harness.check(tf, declared_like(call, run, captured=how == "function"))


def test_a_branch_of_another_structure_is_a_type_error() -> None:
    """TensorFlow fails an assertion of its own here."""
    with pytest.raises(TypeError, match="same structure"):
        tapejax.function(lambda x: tapejax.cond(x > 1, lambda: (x, x), lambda: x))(tapejax.constant(3.0))


# Functions of a module and two floats, differentiated twice, and where.
GRADIENTS: dict[str, tuple[Callable[..., Any], Any, float]] = {
    "cond_true": (lambda tf, x, y: tf.cond(x > 1, lambda: x * x * y, lambda: y * y * y), 3.0, 2.0),
    "cond_false": (lambda tf, x, y: tf.cond(x > 1, lambda: x * x * y, lambda: y * y * y), 0.5, 2.0),
    "switch": (
        lambda tf, x, y: tf.switch_case(tf.cast(x, tf.int32), [lambda: x * y, lambda: x * x * y, lambda: y]),
        1.0,
        2.0,
    ),
    "while_counted": (
        lambda tf, x, y: tf.while_loop(lambda i, z: i < 5, lambda i, z: (i + 1, tf.sin(z * y) + z), (0, x))[1],
        0.3,
        0.7,
    ),
    "while_by_value": (lambda tf, x, y: tf.while_loop(lambda z: z < 50.0, lambda z: (z * y,), (x,))[0], 1.3, 1.7),
    "while_no_turn": (lambda tf, x, y: tf.while_loop(lambda z: z < 1.0, lambda z: (z * y,), (x,))[0] * y, 1.3, 1.7),
    "while_bounded": (
        lambda tf, x, y: tf.while_loop(
            lambda i, z: i < 5, lambda i, z: (i + 1, tf.sin(z * y) + z), (0, x), maximum_iterations=9
        )[1],
        0.3,
        0.7,
    ),
    "while_bounded_by_tensor": (
        lambda tf, x, y: tf.while_loop(
            lambda z: z < 1e6, lambda z: (z * z * y,), (x,), maximum_iterations=tf.cast(y, tf.int32)
        )[0],
        1.3,
        2.5,
    ),
    "map": (lambda tf, x, y: tf.reduce_sum(tf.map_fn(lambda v: v * v * y, x)), [1.0, 2.0, 3.0], 2.0),
    "scan": (lambda tf, x, y: tf.reduce_sum(tf.scan(lambda a, v: a * v + y, x)), [1.0, 2.0, 3.0], 2.0),
    "scan_back": (
        lambda tf, x, y: tf.reduce_sum(tf.scan(lambda a, v: a * v + y, x, initializer=y * y, reverse=True)),
        [1.0, 2.0, 3.0],
        2.0,
    ),
    "foldr": (lambda tf, x, y: tf.foldr(lambda a, v: a * v + y, x), [1.0, 2.0, 3.0], 2.0),
    "vectorized": (lambda tf, x, y: tf.reduce_sum(tf.vectorized_map(lambda v: v * v * y, x)), [1.0, 2.0, 3.0], 2.0),
    "nested": (
        lambda tf, x, y: tf.while_loop(
            lambda i, z: i < 2,
            lambda i, z: (
                i + 1,
                tf.while_loop(lambda a: a < 5.0 * tf.cast(i + 1, tf.float32), lambda a: (a * y + 1.0,), (z,))[0],
            ),
            (0, x),
        )[1],
        1.2,
        1.7,
    ),
    "cond_in_loop": (
        lambda tf, x, y: tf.while_loop(
            lambda z: z < 40.0, lambda z: (tf.cond(z > 10.0, lambda: z * z, lambda: z * y),), (x,)
        )[0],
        1.2,
        1.7,
    ),
}


def _derivatives(tf: Any, fn: Callable[..., Any], *at: Any) -> Any:
    xs = [tf.constant(a) for a in at]
    with tf.GradientTape() as second:
        second.watch(xs)
        with tf.GradientTape() as first:
            first.watch(xs)
            y = fn(*xs)
        grads = first.gradient(y, xs)
        total = sum(tf.reduce_sum(g) * w for g, w in zip(grads, (1.0, 2.0), strict=True) if g is not None)
    return [y, grads, second.gradient(total, xs)]


@pytest.mark.parametrize("how", ["eager", "function"])
@pytest.mark.parametrize("name", GRADIENTS)
def test_first_and_second_derivatives(tf: Any, name: str, how: str) -> None:
    call, x, y = GRADIENTS[name]

    def run(tf: Any) -> Any:
        def fn(x: Any, y: Any) -> Any:
            return call(tf, x, y)

        found = _derivatives(tf, tf.function(fn, autograph=False) if how == "function" else fn, x, y)
        # The op of a branch that was not taken still connects, with zeros.
        return tf.nest.map_structure(lambda g: tf.constant(0.0) if g is None else g, found)

    harness.check(tf, run, rtol=1e-4)


@pytest.mark.parametrize("bound", [20, None])
@pytest.mark.parametrize("turns", [0, 13])
def test_loops_have_derivatives_of_third_order(turns: int, bound: int | None) -> None:
    loop = lowering.differentiable_while(
        lambda i, s, c: i < c[1], lambda i, s, c: (jnp.sin(s[0] * c[0]) + s[0], s[1] + 1), bound
    )

    def compiled(x: Any, w: Any) -> Any:
        return loop((x, jnp.int32(0)), (w, jnp.int32(turns)))[0]

    def unrolled(x: Any, w: Any) -> Any:
        for _ in range(turns):
            x = jnp.sin(x * w) + x
        return x

    def once_more(f: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x, w: sum(g * k for g, k in zip(jax.grad(f, (0, 1))(x, w), (1.0, 2.0), strict=True))

    for _ in range(3):
        compiled, unrolled = once_more(compiled), once_more(unrolled)
        np.testing.assert_allclose(jax.jit(compiled)(0.3, 0.7), jax.jit(unrolled)(0.3, 0.7), rtol=1e-4)


def test_a_loop_with_more_turns_than_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering, "_MIN_SLOTS", 8)
    monkeypatch.setattr(lowering, "_MAX_SLOTS", 8)
    loop = lowering.differentiable_while(
        lambda i, s, c: i < 101, lambda i, s, c: (jnp.cos(s[0] * c[0]) + 0.01 * i,), None
    )

    def unrolled(x: Any, w: Any) -> Any:
        for i in range(101):
            x = jnp.cos(x * w) + 0.01 * i
        return x

    at = jnp.float32(0.3), jnp.float32(0.7)
    got = jax.grad(lambda x, w: loop((x,), (w,))[0], (0, 1))(*at)
    np.testing.assert_allclose(got, jax.jit(jax.grad(unrolled, (0, 1)))(*at), rtol=1e-4, atol=1e-6)


def test_equal_control_flow_is_one_op() -> None:
    tf = tapejax

    def program(x: Any) -> Any:
        return tf.while_loop(lambda z: z < 50.0, lambda z: (tf.cond(z > 3.0, lambda: z * 2.0, lambda: z + 1.0),), (x,))

    graphs = []
    for _ in range(2):
        graphs.append(tf.function(program).get_concrete_function(tf.TensorSpec([], tf.float32)))
    ops = [[node.op for node in g._body.graph.nodes] for g in graphs]
    assert ops[0] == ops[1]


def test_the_ops_hold_no_tensors_or_variables() -> None:
    tf = tapejax

    def use() -> list[Any]:
        v, t = tf.Variable(tf.ones([3])), tf.constant([1.0, 2.0, 3.0])

        def turn(i: Any, s: Any) -> Any:
            v.assign_add(t)
            return i + 1, s + v

        def f(x: Any) -> Any:
            y = tf.cond(x > 1.0, lambda: v * t, lambda: t * x)
            return tf.while_loop(lambda i, s: i < 3, turn, (0, y))[1] + tf.vectorized_map(lambda e: e * v[0] * x, t)

        assert tf.function(f)(tf.constant(2.0)).numpy().shape == (3,)
        return [weakref.ref(v), weakref.ref(t), weakref.ref(v._tensor)]

    refs = use()
    gc.collect()
    assert [r() for r in refs] == [None] * 3


# Variables


def branch_assigns(tf: Any) -> Any:
    v, w = tf.Variable(1.0), tf.Variable(5.0)

    def assigns() -> Any:
        v.assign_add(3.0)
        return v * w

    @tf.function
    def f(x: Any) -> Any:
        return tf.cond(x > 1, assigns, lambda: w * x)

    return [f(tf.constant(3.0)), v.numpy(), f(tf.constant(0.0)), v.numpy()]


def loop_assigns(tf: Any) -> Any:
    v = tf.Variable(1.0)

    def body(i: Any, s: Any) -> Any:
        v.assign(v * 2.0)
        return i + 1, s + v

    @tf.function
    def f(n: Any) -> Any:
        return tf.while_loop(lambda i, s: i < n, body, (0, 0.0))[1]

    return [f(tf.constant(4)), v.numpy(), f(tf.constant(0)), v.numpy()]


def gradient_of_the_variable_of_a_branch(tf: Any) -> Any:
    v, w = tf.Variable(2.0), tf.Variable(5.0)
    f = tf.function(lambda x: tf.cond(x > 1, lambda: v * v * x, lambda: w * x))
    out = []
    for x in (3.0, 0.5):
        with tf.GradientTape() as tape:
            y = f(tf.constant(x))
        out.append(tape.gradient(y, [v, w]))
    return out


def gradient_of_a_variable_that_the_loop_assigns(tf: Any) -> Any:
    """Each read counts, and nothing flows through the assignment."""
    v = tf.Variable(1.5)

    def body(i: Any, s: Any, x: Any) -> Any:
        v.assign_add(x)
        return i + 1, s + v * x, x

    f = tf.function(lambda x: tf.while_loop(lambda i, s, x: i < 3, body, (0, 0.0, x))[1])
    with tf.GradientTape() as tape:
        x = tf.constant(2.0)
        tape.watch(x)
        y = f(x)
    return [y, tape.gradient(y, [v, x]), v.numpy()]


def a_tape_in_a_loop(tf: Any) -> Any:
    v = tf.Variable(1.5)

    def body(i: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.cond(v > 1, lambda: v * v, lambda: v * 3.0)
        v.assign_sub(0.1 * tape.gradient(loss, v))
        return (i + 1,)

    tf.function(lambda n: tf.while_loop(lambda i: i < n, body, (0,)))(tf.constant(5))
    return v.value()


def loops_of_known_and_unknown_length(tf: Any) -> Any:
    """A bound that is a variable or an argument is no constant of the program; one that is a number is."""
    v, n = tf.Variable(3), tf.constant(4)

    def power(x: Any, bound: Any, by: Any = 1, **limit: Any) -> Any:
        return tf.while_loop(lambda i, y: i < bound, lambda i, y: (i + by, y * x), (0, 1.0), **limit)[1]

    f = tf.function(
        lambda m, x: [
            power(x, 5),
            power(x, 6, 2),
            power(x, n),
            power(x, v),
            power(x, m),
            power(x, 0),
            power(x, 9, maximum_iterations=2),
        ]
    )
    out = []
    for k in (3, 5):
        v.assign(k)
        x = tf.constant(1.5)
        with tf.GradientTape() as tape:
            tape.watch(x)
            ys = f(tf.constant(k + 1), x)
        out += [ys, tape.gradient(ys, x)]
    return out


def random_numbers_in_a_loop(tf: Any) -> Any:
    tf.random.set_seed(3)
    f = tf.function(lambda e: tf.map_fn(lambda v: v + tf.random.uniform([2]), e))
    # TensorFlow runs turns in parallel: which one draws first is left to chance.
    return [np.sort(f(tf.zeros([3, 2])).numpy(), 0), np.sort(f(tf.zeros([3, 2])).numpy(), 0)]


def a_jacobian_through_a_loop(tf: Any) -> Any:
    f = tf.function(lambda x: tf.while_loop(lambda y: tf.reduce_sum(y) < 50.0, lambda y: (y * y + 1.0,), (x,))[0])
    with tf.GradientTape() as tape:
        x = tf.constant([1.0, 2.0])
        tape.watch(x)
        y = f(x)
    return tape.jacobian(y, x)


def a_recurrent_network(tf: Any) -> Any:
    w, u = tf.Variable([[0.1, 0.2], [0.3, -0.4]]), tf.Variable([[0.5, -0.5]])
    xs = tf.constant([[[1.0]], [[2.0]], [[3.0]], [[-1.0]]])
    f = tf.function(lambda xs: tf.foldl(lambda h, x: tf.tanh(tf.matmul(h, w) + x * u), xs, tf.zeros([1, 2])))
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(f(xs) ** 2)
    return [y, tape.gradient(y, [w, u])]


@pytest.mark.parametrize(
    "run",
    [
        branch_assigns,
        loop_assigns,
        gradient_of_the_variable_of_a_branch,
        gradient_of_a_variable_that_the_loop_assigns,
        a_tape_in_a_loop,
        loops_of_known_and_unknown_length,
        random_numbers_in_a_loop,
        a_jacobian_through_a_loop,
        a_recurrent_network,
    ],
    ids=lambda run: run.__name__,
)
def test_programs(tf: Any, run: Callable[[Any], Any]) -> None:
    harness.check(tf, run, rtol=1e-4)


def test_inside_a_jax_transformation() -> None:
    """A predicate that is a tracer has no value: `cond` and `while_loop` become part of JAX's program."""
    tf = tapejax

    def program(x: Any) -> Any:
        y = tf.cond(tf.convert_to_tensor(x) > 1.0, lambda: x * 2.0, lambda: x * 3.0)
        z = tf.while_loop(lambda z: z < 30.0, lambda z: (z * 2.0,), (tf.convert_to_tensor(y),))[0]
        return z.__jax_array__()

    np.testing.assert_allclose([jax.jit(program)(2.0), jax.grad(program)(0.5)], [32.0, 96.0])


def test_what_a_compiled_program_cannot_do_runs_eagerly(caplog: pytest.LogCaptureFixture) -> None:
    tf = tapejax
    f = tf.function(lambda x: tf.case([(x > 1, lambda: x), (x > 2, lambda: -x)]))
    assert f(tf.constant(1.5)).numpy() == 1.5
    assert "give a default" in caplog.text
    with pytest.raises(tf.errors.InvalidArgumentError):
        f(tf.constant(0.0))


def test_vectorized_map_falls_back(caplog: pytest.LogCaptureFixture) -> None:
    tf = tapejax

    def reads(v: Any) -> Any:
        return v * float(v)

    assert tf.vectorized_map(reads, tf.constant([1.0, 2.0])).numpy().tolist() == [1.0, 4.0]
    assert "each element" in caplog.text
    with pytest.raises(TypeError):
        tf.vectorized_map(reads, tf.constant([1.0, 2.0]), fallback_to_while_loop=False)
    v = tf.Variable(0.0)
    with pytest.raises(tf.errors.UnsupportedError):
        tf.vectorized_map(lambda x: v.assign(x) * 1.0, tf.constant([1.0, 2.0]))
    with pytest.raises(ValueError, match="must be equal, or 1"):
        tf.vectorized_map(lambda x: x[0], (tf.zeros([3]), tf.zeros([2])))


def test_turns_are_counted_where_they_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    monkeypatch.setattr(staging, "known_turns", lambda *loop: found.append(counting.known_turns(*loop)) or found[-1])
    loops_of_known_and_unknown_length(tapejax)
    assert found == [5, 3, 4, None, None, 0, 9]
    tapejax.function(lambda: tapejax.while_loop(lambda i: i < 10**6, lambda i: (i + 1,), (0,)))()
    tapejax.function(lambda: tapejax.while_loop(lambda x: x < 9.0, lambda x: (x + 1.0,), (0.0,)))()
    assert found[-2:] == [None, None]
