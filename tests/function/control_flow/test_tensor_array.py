"""`tf.TensorArray`, eagerly, inside `tf.function`, and in captured loops, against real TensorFlow."""

from collections.abc import Callable
from typing import Any

import pytest
from support import harness
from support.harness import declared_like, raises

import tapejax


def _read_twice(tf: Any, e: Any, **options: Any) -> Any:
    ta = tf.TensorArray(tf.float32, 2, **options).write(0, e)
    return ta.read(0) + ta.read(0)


def _stack_twice(tf: Any, e: Any) -> Any:
    ta = tf.TensorArray(tf.float32, 1).write(0, e)
    return ta.stack() + ta.stack()


def _write_what_was_read(tf: Any, e: Any) -> Any:
    ta = tf.TensorArray(tf.float32, 1).write(0, e)
    return ta.write(0, ta.read(0)).stack()


def _write_in_place(tf: Any, e: Any) -> Any:
    ta = tf.TensorArray(tf.float32, 1, element_shape=[3])
    ta.write(0, e)
    return ta.stack()


def _gradient(tf: Any, e: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch(e)
        ta = tf.TensorArray(tf.float32, 3, clear_after_read=False).unstack(e)
        y = ta.read(0) * ta.read(2) + tf.reduce_sum(ta.stack() ** 2)
    return tape.gradient(y, e)


def _what_is_known(tf: Any, e: Any) -> Any:
    new = tf.TensorArray
    return [
        str(new(tf.float32, 3, element_shape=[2]).element_shape),
        str(new(tf.float32, 3).element_shape),
        str(new(tf.float32, 3).write(0, e).element_shape),
        new(tf.float32, 3).dtype.name,
        tf.is_tensor(new(tf.float32, 3)),
        tf.nest.is_nested(new(tf.float32, 3)),
        new(tf.float32, 3).handle is None,
    ]


def new(tf: Any, size: int = 2, **options: Any) -> Any:
    """An array of floats."""
    return tf.TensorArray(tf.float32, size, **options)


CALLS: dict[str, Callable[..., Any]] = {
    "write": lambda tf, e: new(tf).write(0, e).read(0),
    "read_unwritten": lambda tf, e: new(tf).write(0, e).read(1),
    "read_unwritten_shape": lambda tf, e: new(tf, element_shape=[2]).read(1),
    "stack_unwritten": lambda tf, e: new(tf).write(0, e).stack(),
    "stack_nothing_written_shape": lambda tf, e: new(tf, element_shape=[2]).stack(),
    "stack_nothing_written": raises(ValueError, lambda tf, e: new(tf).stack(), in_function="InvalidArgumentError"),
    "stack_0": lambda tf, e: new(tf, 0, element_shape=[2]).stack(),
    "write_beyond": raises(
        "OutOfRangeError", lambda tf, e: new(tf).write(2, e).stack(), in_function="InvalidArgumentError"
    ),
    "write_negative": raises(
        "OutOfRangeError", lambda tf, e: new(tf).write(-1, e).stack(), in_function="InvalidArgumentError"
    ),
    "grows": lambda tf, e: new(tf, 0, dynamic_size=True).write(1, e).stack(),
    "grows_size": lambda tf, e: new(tf, 0, dynamic_size=True).write(3, e).size(),
    "read_beyond": raises(
        "OutOfRangeError", lambda tf, e: new(tf).write(1, e).read(2), in_function="InvalidArgumentError"
    ),
    "write_twice": lambda tf, e: new(tf).write(1, e).write(1, e * 2).read(1),
    "other_dtype": raises("InvalidArgumentError", lambda tf, e: new(tf).write(1, tf.cast(e, tf.int32)).read(1)),
    "number": lambda tf, e: new(tf).write(1, 3).read(1),
    "other_shape": raises(ValueError, lambda tf, e: new(tf).write(0, e).write(1, e[:2]).read(1)),
    "other_shape_allowed": lambda tf, e: new(tf, infer_shape=False).write(0, e).write(1, e[:2]).read(1),
    "element_shape": raises(ValueError, lambda tf, e: new(tf, element_shape=[2]).write(0, e).read(0)),
    "read_twice": raises("InvalidArgumentError", _read_twice, in_function=None),
    "read_twice_kept": lambda tf, e: _read_twice(tf, e, clear_after_read=False),
    "stack_twice": _stack_twice,
    "write_what_was_read": _write_what_was_read,
    "write_in_place": _write_in_place,
    "unstack": lambda tf, e: new(tf, 3).unstack(e).read(1),
    "unstack_then_write": lambda tf, e: new(tf, 3).unstack(e).write(1, 9.0).stack(),
    "unstack_dynamic": lambda tf, e: new(tf, 0, dynamic_size=True).unstack(e).size(),
    "gather": lambda tf, e: new(tf, 3).unstack(e).gather([2, 0]),
    "gather_unwritten": lambda tf, e: new(tf, 3).write(0, e).gather([2, 0]),
    "scatter": lambda tf, e: new(tf, 3).scatter([2, 0], e[:2]).stack(),
    "scatter_sizes": raises(
        None, lambda tf, e: new(tf, 3).scatter([2, 0, 1], e[:2]).stack(), in_function="InvalidArgumentError"
    ),
    "concat": lambda tf, e: new(tf).write(0, e).write(1, e).concat(),
    "concat_other_shapes": lambda tf, e: new(tf, infer_shape=False).write(0, e).write(1, e[:2]).concat(),
    "concat_rows": lambda tf, e: new(tf).unstack(tf.stack([e, e])).concat(),
    "concat_scalars": raises(
        "InvalidArgumentError", lambda tf, e: new(tf, 3).unstack(e).concat(), in_function=ValueError
    ),
    "split": lambda tf, e: new(tf, infer_shape=False).split(e, [1, 2]).read(1),
    "split_sum": raises("InvalidArgumentError", lambda tf, e: new(tf, infer_shape=False).split(e, [1, 1]).read(1)),
    "split_one_shape": lambda tf, e: new(tf, 3).split(e, [1, 1, 1]).read(1),
    "no_size": raises(ValueError, lambda tf, e: tf.TensorArray(tf.float32).size()),
    "size": lambda tf, e: new(tf, 3).size(),
    "tensor_size": lambda tf, e: new(tf, tf.constant(3)).unstack(e).stack(),
    "identity": lambda tf, e: new(tf, 3).unstack(e).identity().stack(),
    "iterate": raises(TypeError, lambda tf, e: list(new(tf, 3).unstack(e))),
    "len": raises(TypeError, lambda tf, e: len(new(tf, 3).unstack(e))),
    "gradient": _gradient,
    "what_is_known": _what_is_known,
}
EAGER_ONLY = {
    "read_unwritten_nothing_known": raises(ValueError, lambda tf, e: new(tf).read(1)),
    "unstack_too_many": raises(ValueError, lambda tf, e: new(tf).unstack(e).size()),
    "split_too_many": raises(
        "InvalidArgumentError", lambda tf, e: new(tf, infer_shape=False).split(e, [1, 1, 1]).size()
    ),
}


@pytest.mark.parametrize("name", [*CALLS, *EAGER_ONLY])
def test_eagerly(tf: Any, name: str) -> None:
    call = {**CALLS, **EAGER_ONLY}[name]
    harness.check(tf, declared_like(call, lambda tf: call(tf, tf.constant([1.0, 2.0, 3.0]))))


@pytest.mark.parametrize("name", CALLS)
def test_inside_a_function(tf: Any, name: str) -> None:
    call = CALLS[name]

    def run(tf: Any) -> Any:
        known: list[Any] = []

        def f(e: Any) -> Any:
            found = call(tf, e)
            if isinstance(found, list):
                known.append(found)
                return e
            return found

        result = tf.function(f, autograph=False)(tf.constant([1.0, 2.0, 3.0]))
        return known or result

    harness.check(tf, declared_like(call, run, captured=True))


def write_in_a_loop(tf: Any, x: Any) -> Any:
    def body(i: Any, ta: Any) -> Any:
        return i + 1, ta.write(i, x * tf.cast(i, tf.float32))

    return tf.while_loop(lambda i, ta: i < 4, body, (0, tf.TensorArray(tf.float32, 5)))[1].stack()


def write_before_and_in_a_loop(tf: Any, x: Any) -> Any:
    def body(i: Any, ta: Any) -> Any:
        return i + 1, ta.write(i, ta.read(i - 1) * x)

    ta = tf.TensorArray(tf.float32, 5, clear_after_read=False).write(0, x)
    return tf.while_loop(lambda i, ta: i < 5, body, (1, ta))[1].stack()


def write_in_a_branch(tf: Any, x: Any) -> Any:
    ta = tf.TensorArray(tf.float32, 2, element_shape=[])
    return tf.cond(x > 1, lambda: ta.write(0, x), lambda: ta.write(1, x)).stack()


def write_in_one_branch(tf: Any, x: Any) -> Any:
    ta = tf.TensorArray(tf.float32, 2)
    return tf.cond(x > 1, lambda: ta, lambda: ta.write(1, x)).write(0, x).stack()


def read_in_a_loop(tf: Any, x: Any) -> Any:
    ta = tf.TensorArray(tf.float32, 3).unstack(tf.stack([x, x * x, x + 1.0]))
    return tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s * x + ta.read(i)), (0, 0.0))[1]


def gather_and_scatter_in_a_loop(tf: Any, x: Any) -> Any:
    def body(i: Any, ta: Any) -> Any:
        return i + 1, ta.scatter(tf.stack([i, i + 1]), ta.gather([i, i]) * x)

    ta = tf.TensorArray(tf.float32, 4, clear_after_read=False).unstack(tf.stack([x, 2.0, 3.0, x]))
    return tf.while_loop(lambda i, ta: i < 3, body, (0, ta))[1].stack()


@pytest.mark.parametrize("how", ["eager", "function"])
@pytest.mark.parametrize(
    "call",
    [write_in_a_loop, write_before_and_in_a_loop, write_in_a_branch, write_in_one_branch, read_in_a_loop],
    ids=lambda call: call.__name__,
)
def test_in_control_flow(tf: Any, call: Callable[..., Any], how: str) -> None:
    def run(tf: Any) -> Any:
        def f(x: Any) -> Any:
            return call(tf, x)

        made = tf.function(f, autograph=False) if how == "function" else f
        x = tf.constant(2.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = made(x)
        return [y, tape.gradient(y, x)]

    harness.check(tf, run)


def test_scatter_in_a_loop(tf: Any) -> None:
    """The values are TensorFlow's. Its gradient, 46, misses that a scatter overwrites what was there."""
    harness.check(tf, lambda tf: tf.function(lambda x: gather_and_scatter_in_a_loop(tf, x))(tf.constant(2.0)))
    x = tapejax.constant(2.0)
    with tapejax.GradientTape() as tape:
        tape.watch(x)
        y = tapejax.function(lambda x: gather_and_scatter_in_a_loop(tapejax, x))(x)
    assert tape.gradient(y, x).numpy() == 80.0  # of x**2 + x**3 + 2 * x**4


def test_what_needs_a_size_that_is_not_known_runs_eagerly(caplog: pytest.LogCaptureFixture) -> None:
    tf = tapejax

    @tf.function
    def growing(n: Any) -> Any:
        def body(i: Any, ta: Any) -> Any:
            return i + 1, ta.write(i, i * 2)

        ta = tf.TensorArray(tf.int32, 0, dynamic_size=True)
        return tf.while_loop(lambda i, ta: i < n, body, (0, ta))[1].stack()

    assert growing(tf.constant(3)).numpy().tolist() == [0, 2, 4]
    assert "as large as it will get" in caplog.text


def test_out_of_range_in_a_compiled_loop_is_not_silent() -> None:
    tf = tapejax

    @tf.function
    def reads(n: Any) -> Any:
        ta = tf.TensorArray(tf.float32, 2).unstack(tf.constant([1.0, 2.0]))
        return [ta.read(n), ta.write(n, 5.0).stack()]

    for n in (2, -1):
        value, stacked = reads(tf.constant(n))
        assert value.numpy() != value.numpy()
        assert stacked.numpy().tolist() == [1.0, 2.0]


def test_handles_are_refused() -> None:
    with pytest.raises(ValueError, match="handles"):
        tapejax.TensorArray(tapejax.float32, 2, handle=1)
