"""What calls of `tf.function` give: results, gradients, nesting, randomness, concrete functions; against TensorFlow."""

import gc
import logging
import weakref

import jax
import numpy as np
import pytest
from support import harness
from support.harness import raises

import tapejax


def results_become_tensors(tf):
    v = tf.Variable(3.0)

    @tf.function
    def f(x):
        return {"a": 1, "b": [2.5, None], "c": v, "d": np.ones(2), "e": "s", "f": (x, True)}

    return f(1.0), isinstance(f(1.0)["c"], tf.Variable)


def nothing_returned(tf):
    return tf.function(lambda x: None)(1.0), tf.function(lambda x: [])(1.0)


@raises(TypeError)
def other_objects_returned(tf):
    return tf.function(lambda x: object())(1.0)


@raises(TypeError)
def leaked_tensor(tf):
    kept = []

    @tf.function
    def f(x):
        kept.append(x + 1)
        return x

    f(tf.constant(1.0))
    return kept[0] + 1


@raises(TypeError)
def mixed_dtypes(tf):
    return tf.function(lambda x: x + tf.constant(1))(tf.constant(1.0))


def tape_outside(tf):
    w, b, n = tf.Variable([[1.0, 2.0], [3.0, 4.0]]), tf.Variable([0.5, -0.5]), tf.Variable(0, trainable=False)

    @tf.function
    def model(x):
        n.assign_add(1)
        return tf.tanh(x @ w + b)

    x = tf.constant([[0.1, -0.2]])
    got = []
    for _ in range(2):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tf.reduce_sum(model(x) ** 2)
            first = tape.gradient(y, [x, w, b, n])
            total = tf.reduce_sum(first[1] * 2)
        got += [y, first, outer.gradient(total, [w, b]), n.numpy(), tape.watched_variables()]
    return got


def tape_inside(tf):
    w = tf.Variable([1.0, 2.0])

    @tf.function
    def step(x):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as tape:
                y = tf.reduce_sum(w * w * w * x)
            g = tape.gradient(y, w)
        return y, g, outer.jacobian(g, w)

    return step(2.0), step(tf.constant(3.0))


def tape_across(tf):
    tape = tf.GradientTape(persistent=True)

    @tf.function
    def inner(x):
        return x * x

    x = tf.constant(3.0)
    with tape:
        tape.watch(x)
        y = inner(inner(x))
    return tape.gradient(y, x), tape.gradient(y, x)


def random_ops_inside(tf):
    tf.random.set_seed(3)
    f = tf.function(lambda: (tf.random.normal([2]), tf.random.uniform([2], seed=4)))
    got = [f(), f()]
    tf.random.set_seed(3)
    return got, f(), f()


def nested_functions(tf):
    v = tf.Variable(1.0)

    @tf.function
    def inner(x):
        v.assign_add(1.0)
        return x * v

    @tf.function
    def outer(x):
        return inner(x) + inner(x * 2.0)

    return outer(tf.constant(1.0)), outer(tf.constant(1.0)), v.numpy(), inner.experimental_get_tracing_count()


def closure_over_an_outer_tensor(tf):
    @tf.function
    def outer(x):
        y = x * 2.0
        inner = tf.function(lambda z: z + y)
        return inner(x) * inner(x)

    return outer(tf.constant(1.0)), outer(tf.constant(2.0))


def recursion(tf):
    @tf.function
    def power(x, n):
        return x if n == 0 else x * power(x, n - 1)

    return power(tf.constant(2.0), 5), power.experimental_get_tracing_count()


def run_eagerly(tf):
    seen = []
    f = tf.function(lambda x: seen.append(1) or x)
    tf.config.run_functions_eagerly(True)
    try:
        f(1.0), f(1.0)
        return len(seen), tf.config.functions_run_eagerly()
    finally:
        tf.config.run_functions_eagerly(False)


def executing_eagerly_inside(tf):
    seen = []
    tf.function(lambda: seen.append(tf.executing_eagerly()))()
    return seen, tf.executing_eagerly()


def concrete_function(tf):
    f = tf.function(lambda x, y: x * y)
    c = f.get_concrete_function(tf.TensorSpec([2]), 3.0)
    return c(tf.ones(2)), [(tuple(s.shape), s.dtype.name) for s in c.outputs], len(c.variables)


@raises("InvalidArgumentError")
def concrete_function_refuses(tf):
    f = tf.function(lambda x: x * 2)
    return f.get_concrete_function(tf.TensorSpec([2]))(tf.ones(2, tf.int32))


def constants_of_the_program(tf):
    table, f = tf.constant([1.0, 2.0, 3.0]), tf.function(lambda i: tf.gather(tf.constant([4, 5, 6]), i))
    g = tf.function(lambda i: tf.gather(table, i) ** 2.0 + 1.0)
    return f(1), f(tf.constant([0, 2])), g(2), tf.function(lambda: tf.range(3) * 2)()


def look_ups_in_small_constants(tf):
    table = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    f = tf.function(lambda i: (tf.gather(table, i), tf.gather_nd(table, i[:, None]), table + 1.0))
    return f(tf.constant([1, 0, 1]))


def reading_values_during_a_capture(tf):
    x, kept = tf.Variable(2.0), {}

    @tf.function
    def f(x):
        with tf.init_scope():
            kept["c"] = float(tf.constant(2.0) * 3.0)
        return x * kept["c"]

    with tf.GradientTape() as tape:
        a = x * 3.0
        y = a * f(x)
    return y, tape.gradient(y, x)


def eager_tensors_made_in_init_scope(tf):
    @tf.function
    def f(x):
        with tf.init_scope():
            c = tf.constant(2.0) * 3.0
        return x * c

    return [f(tf.constant(float(i))) for i in range(3)], f.experimental_get_tracing_count()


test_same_as_tensorflow = harness.test_functions(globals())


def test_what_cannot_be_captured_runs_as_python_with_one_warning(caplog):
    @tapejax.function
    def f(x):
        return tapejax.boolean_mask(x, x > 1.0)

    with caplog.at_level(logging.WARNING, "tapejax"):
        for _ in range(3):
            assert f(tapejax.constant([1.0, 2.0, 3.0])).numpy().tolist() == [2.0, 3.0]
    (record,) = caplog.records
    assert "test_function_calls.py" in record.message and "boolean_mask" in record.message


def test_a_method_does_not_keep_its_instance_alive():
    class Model:
        @tapejax.function
        def f(self, x):
            return x + 1.0

    model = Model()
    assert float(model.f(tapejax.constant(1.0))) == 2.0
    ref = weakref.ref(model)
    del model
    gc.collect()
    assert ref() is None and not Model.f._bound


def test_a_method_is_one_thing_as_long_as_its_instance_is():
    class Model:
        @tapejax.function
        def f(self, x):
            return x + 1.0

    @tapejax.function
    def apply(f, x):
        return f(x)

    one, two = Model(), Model()
    assert one.f is one.f and one.f == one.f
    assert one.f != two.f and one.f != Model.f and len({one.f, two.f, one.f, Model.f}) == 3
    assert tapejax.function(one.f.python_function) != tapejax.function(one.f.python_function)
    for _ in range(6):
        assert float(apply(one.f, tapejax.constant(1.0))) == 2.0
    assert apply.experimental_get_tracing_count() == 1
    apply(two.f, tapejax.constant(1.0))
    assert apply.experimental_get_tracing_count() == 2


def test_a_held_method_keeps_its_instance_until_it_is_dropped():
    class Model:
        @tapejax.function
        def f(self, x):
            return x + 1.0

    method = Model().f
    ref = weakref.ref(method._instance)
    assert float(method(tapejax.constant(1.0))) == 2.0 and ref() is not None
    del method
    gc.collect()
    assert ref() is None and not Model.f._bound


def test_a_trace_refuses_arrays_in_the_places_of_python_values():
    x = tapejax.constant(1.0)
    c = tapejax.function(lambda a, b=None: a).get_concrete_function(x, None)
    assert float(c(x, None)) == 1.0
    for value in (np.ones(3), tapejax.ones(3), tapejax.Variable(1.0), 1.0, object()):
        with pytest.raises(TypeError, match="Can not cast"):
            c(x, value)


def test_host_tensors_survive_jax_transformations():
    c = tapejax.constant([1.0, 2.0])

    def f(x):
        return ((tapejax.constant(x) * c) * 2.5).__jax_array__()

    for k in range(3):
        jax.jit(lambda x, k=k: f(x) + k)(jax.numpy.ones(2))
    assert (c * 2.0).numpy().tolist() == [2.0, 4.0]


def test_inspection():
    v = tapejax.Variable([1.0, 2.0])
    c = tapejax.function(lambda x: v * x).get_concrete_function(tapejax.TensorSpec([]))
    assert c.variables == (v,) and "mul" in str(c.jaxpr()) and "stablehlo.multiply" in c.as_text()
    assert "TensorSpec(shape=(), dtype=tf.float32" in c.pretty_printed_signature()
