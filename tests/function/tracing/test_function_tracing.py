"""When `tf.function` traces: which calls share one, input signatures, how arguments bind; against real TensorFlow."""

import functools
import logging

import numpy as np
from support import harness
from support.harness import raises

import tapejax


def _traces_of(tf, calls, **options):
    """How many traces each call makes."""
    traced = []

    def body(x, y=2, *more, k=3, **named):
        traced.append(1)
        return x

    f, counts = tf.function(body, **options), []
    for args, kwargs in calls:
        before = len(traced)
        f(*args, **kwargs)
        counts.append(len(traced) - before)
    return counts, f.experimental_get_tracing_count()


def equal_python_values_share_a_trace(tf):
    return _traces_of(
        tf,
        [
            ((1,), {}),
            ((1, 2), {}),
            ((1.0,), {}),
            ((True,), {}),
            ((1,), {"y": 2}),
            ((1,), {"k": 3}),
            ((1,), {"k": 4}),
            ((None,), {}),
            ((None,), {}),
            ((1,), {"z": 1}),
            ((1,), {"z": 2}),
        ],
    )


def tensors_share_a_trace_by_shape_and_dtype(tf):
    return _traces_of(
        tf,
        [
            ((np.float32(1),), {}),
            ((np.array(3.0, np.float32),), {}),
            ((tf.constant(2.0),), {}),
            ((tf.constant(2),), {}),
            ((np.ones(2),), {}),
            ((tf.ones(2, tf.float64),), {}),
            ((tf.ones([1, 2]),), {}),
            ((tf.zeros([1, 2]),), {}),
        ],
    )


def containers_are_told_apart(tf):
    return _traces_of(
        tf,
        [
            (([1, 2],), {}),
            (((1, 2),), {}),
            (([1, 2],), {}),
            (({"a": 1, "b": 2},), {}),
            (({"b": 2, "a": 1},), {}),
            (({"a": 1},), {}),
            (([tf.constant(1.0), 2],), {}),
            (([tf.constant(2.0), 2],), {}),
            (([[1], 2],), {}),
        ],
    )


def variables_share_a_trace_by_spec(tf):
    v, u, frozen = tf.Variable(1.0), tf.Variable(2.0), tf.Variable(1.0, trainable=False)
    return _traces_of(tf, [((v,), {}), ((u,), {}), ((frozen,), {}), ((v, u), {}), ((v, v), {}), ((u, u), {})])


@raises(TypeError)
def objects_are_told_apart(tf):
    class Thing:
        pass

    one, other = Thing(), Thing()
    return _traces_of(tf, [((one,), {}), ((other,), {}), ((one,), {}), ((len,), {}), ((len,), {})])


def nan_shares_a_trace(tf):
    return _traces_of(tf, [((float("nan"),), {}), ((float("nan"),), {})])


def keywords_are_no_positional_strings(tf):
    traced = []
    f = tf.function(lambda *a, **k: traced.append(1))
    f("k", 1), f(k=1), f("k", 1)
    return len(traced)


def attributes_are_baked_in(tf):
    class Settings:
        scale = 2.0

    f = tf.function(lambda x: x * Settings.scale)
    got = [f(tf.constant(1.0))]
    Settings.scale = 5.0
    return got, f(tf.constant(1.0)), f(tf.constant([1.0]))


def partial_and_keyword_only(tf):
    f = tf.function(functools.partial(lambda x, *, scale: x * scale, scale=3.0))
    return f(tf.constant(2.0)), f(tf.constant(2.0), scale=4.0)


def input_signature(tf):
    f = tf.function(lambda x, y=1.0: x * y, input_signature=[tf.TensorSpec([None], tf.float32)])
    return f([1, 2]), f(x=tf.ones(3)), f(np.array([1, 2], np.float32))


@raises(TypeError)
def input_signature_refuses_a_dtype(tf):
    return tf.function(lambda x: x, input_signature=[tf.TensorSpec([None])])(tf.constant([1, 2]))


@raises(TypeError)
def input_signature_refuses_a_rank(tf):
    return tf.function(lambda x: x, input_signature=[tf.TensorSpec([None])])(tf.ones([2, 2]))


@raises(TypeError)
def input_signature_refuses_more(tf):
    return tf.function(lambda x: x, input_signature=[tf.TensorSpec([])])(1.0, 2.0)


@raises(TypeError)
def input_signature_of_other_things(tf):
    return tf.function(lambda x: x, input_signature=[1])


@raises(TypeError)
def input_signature_that_is_no_list(tf):
    return tf.function(lambda x: x, input_signature=tf.TensorSpec([]))


@raises(TypeError)
def input_signature_too_short(tf):
    return tf.function(lambda x, y: x, input_signature=[tf.TensorSpec([])])


@raises(TypeError)
def missing_argument(tf):
    return tf.function(lambda x: x)()


@raises(TypeError)
def unknown_argument(tf):
    return tf.function(lambda x: x)(1, y=2)


@raises(TypeError)
def not_a_function(tf):
    return tf.function(3)


test_same_as_tensorflow = harness.test_functions(globals())


def test_retracing_is_warned_of_and_bounded(caplog):
    from tapejax._src.function.tracing.function import MAX_TRACES

    f = tapejax.function(lambda x, n: x)
    x = tapejax.constant(1.0)
    with caplog.at_level(logging.WARNING, "tapejax"):
        for n in range(MAX_TRACES + 20):
            f(x, n)
    assert "retracing" in caplog.text
    assert len(f._traces) == MAX_TRACES


def test_a_trace_of_the_second_call_on_costs_no_compilation():
    v = tapejax.Variable(tapejax.zeros([3]))

    @tapejax.function
    def step(x):
        v.assign_add(x)
        return tapejax.reduce_sum(v)

    x = tapejax.ones(3)
    step(x)
    before = tapejax.explain().programs_compiled
    assert [float(step(x)) for _ in range(3)] == [6.0, 9.0, 12.0]
    assert tapejax.explain().programs_compiled == before and step.experimental_get_tracing_count() == 1


def test_explain_counts_captured_programs():
    x = tapejax.constant(2.0)
    before = tapejax.explain().programs_compiled
    tapejax.function(lambda x: x * 3.0)(x)
    report = tapejax.explain()
    assert report.programs_compiled == before + 1 and "captured function" in str(report)
