"""Python inside captured functions against real TensorFlow: `tf.print`, `py_function`, `numpy_function`."""

import io

import jax
import numpy as np
import pytest
from support.harness import check, raises

import tapejax


def eager_py_function(tf):
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.py_function(lambda t: t * t * 3.0, [x], tf.float32)
    return y, tape.gradient(y, x), tf.py_function(lambda a, b: [a + b, a], [1, 2], [tf.int32, tf.int32])


@raises("InvalidArgumentError")
def a_result_of_another_dtype(tf):
    return tf.py_function(lambda x: x, [tf.constant(1.0)], tf.int32)


def eager_numpy_function(tf):
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.numpy_function(np.sinh, [x], tf.float32)
    return y, tape.gradient(y, x)


def captured_without_shapes(tf):
    f = tf.function(lambda x: tf.numpy_function(np.sinh, [x], tf.float32) + 1.0)
    return f(tf.constant([1.0, 2.0])), f(tf.constant([3.0]))


def a_python_function_reads_variables(tf):
    step, w = tf.Variable(0.0, trainable=False), tf.Variable(1.0)

    @tf.function
    def f(x):
        y = tf.py_function(lambda x: x * float(step.numpy()), [x], tf.TensorSpec([], tf.float32))
        w.assign_add(y)
        return y

    x = tf.Variable(3.0)
    found = []
    for _ in range(3):
        step.assign_add(tf.constant(1.0) * 2.0)  # pending when the program runs
        with tf.GradientTape() as tape:
            y = f(x * 1.0)
        gradient = tape.gradient(y, x)
        step.assign_add(1.0)  # after the call: not seen by it
        found += [y, gradient, w.numpy(), step.numpy()]
    return found


SCENARIOS = [
    a_python_function_reads_variables,
    eager_py_function,
    a_result_of_another_dtype,
    eager_numpy_function,
    captured_without_shapes,
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda f: f.__name__)
def test_as_tensorflow(scenario, tf):
    check(tf, scenario)


def test_py_function_in_a_captured_function_and_its_gradient():
    tapejax.config.eager = False  # op by op nothing is captured, and nothing waits
    calls = []

    def cube(t):
        calls.append(type(t).__name__)
        return t * t * t

    @tapejax.function
    def f(x):
        return tapejax.py_function(cube, [x], tapejax.TensorSpec([2])) * 2.0

    x = tapejax.constant([1.0, 2.0])
    with tapejax.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    assert y.numpy().tolist() == [2.0, 16.0]
    assert tape.gradient(y, x).numpy().tolist() == [6.0, 24.0]
    assert f(x).numpy().tolist() == [2.0, 16.0] and set(calls) == {"Tensor"} and len(calls) >= 2
    assert f.experimental_get_tracing_count() == 1


def test_a_python_function_that_reads_what_is_computed_from_its_result_says_so():
    tapejax.config.eager = False  # op by op nothing is captured, and nothing waits
    later = []

    @tapejax.function
    def f(x):
        return tapejax.py_function(lambda x: x + (float(later[0]) if later else 0.0), [x], tapejax.TensorSpec([]))

    x = tapejax.constant(1.0)
    with tapejax.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
        later.append(y * 2.0)
        with pytest.raises(tapejax.errors.UnknownError, match="computed from its own result"):
            y.numpy()


def test_numpy_function_runs_each_time_though_nobody_wants_its_result():
    seen = []

    @tapejax.function
    def f(x):
        tapejax.numpy_function(lambda a: seen.append(a.item()) or a, [x], tapejax.TensorSpec([]))
        return x * 2.0

    assert [float(f(tapejax.constant(v))) for v in (1.0, 2.0)] == [2.0, 4.0]
    jax.effects_barrier()
    assert seen == [1.0, 2.0]


def _acting(tf, spec, seen, path):
    """The gradient of a function that acts, after its value was read."""

    @tf.function
    def f(x):
        noted = tf.numpy_function(lambda a: seen.append("f") or a, [x], spec)
        if x > 0.0:
            tf.numpy_function(lambda a: seen.append("branch") or a, [x], spec)
        tf.print("x", output_stream=f"file://{path}")
        return x * x + tf.stop_gradient(noted)

    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = f(x * 1.0)
        assert float(y) == 12.0
    assert float(tape.gradient(y, x)) == 6.0


def test_a_gradient_after_the_value_was_read_does_not_act_again(tf, tmp_path):
    wanted, seen = [], []
    _acting(tf, tf.float32, wanted, tmp_path / "printed")
    _acting(tapejax, tapejax.TensorSpec([]), seen, tmp_path / "printed")
    jax.effects_barrier()
    assert seen == wanted == ["f", "branch"]
    assert (tmp_path / "printed").read_text() == "x\n" * 2


def test_print_in_a_captured_function_prints_on_each_run_in_order():
    out = io.StringIO()

    @tapejax.function
    def f(x):
        tapejax.print("x", x, [x * 2.0, "then"], output_stream=out)
        tapejax.print("done", output_stream=out)
        return x

    f(tapejax.constant([1.0, 2.5]))
    with tapejax.GradientTape():
        f(tapejax.constant([3.0, 4.0]))
    tapejax.sync()
    jax.effects_barrier()
    assert out.getvalue() == "x [1 2.5] [[2 5], 'then']\ndone\nx [3 4] [[6 8], 'then']\ndone\n"


def test_print_as_tensorflow(tf, tmp_path):
    texts = []
    for module in (tf, tapejax):
        path = tmp_path / module.__name__
        stream = f"file://{path}"
        module.print("a", module.range(10), {"b": module.constant([[1.5, 2.0]])}, sep="|", output_stream=stream)
        module.print(module.constant("alone"), output_stream=stream)
        module.print(
            module.constant(["a", "b"]),
            module.constant("text"),
            True,
            None,
            summarize=-1,
            end="!",
            output_stream=stream,
        )
        texts.append(path.read_text())
    assert texts[1] == texts[0]


def test_an_error_in_a_captured_python_function_keeps_variables():
    v = tapejax.Variable(1.0)

    def fail(x):
        raise tapejax.errors.InvalidArgumentError(message="no good")

    @tapejax.function
    def f(x):
        v.assign(tapejax.numpy_function(fail, [x], tapejax.TensorSpec([])))
        return v

    with pytest.raises(tapejax.errors.InvalidArgumentError, match="no good"):
        f(tapejax.constant(2.0))
    assert float(v) == 1.0
