"""`tf.function` against real TensorFlow: each function below is run with both and must do the same."""

import gc
import logging
import threading
import weakref

import jax
import numpy as np
import pytest
from scenario import check

import tapejax


def traces_of(tf, calls, **options):
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
    return traces_of(tf, [((1,), {}), ((1, 2), {}), ((1.0,), {}), ((True,), {}), ((1,), {"y": 2}), ((1,), {"k": 3}),
                          ((1,), {"k": 4}), ((None,), {}), ((None,), {}), ((1,), {"z": 1}), ((1,), {"z": 2})])


def tensors_share_a_trace_by_shape_and_dtype(tf):
    return traces_of(tf, [((np.float32(1),), {}), ((np.array(3.0, np.float32),), {}), ((tf.constant(2.0),), {}),
                          ((tf.constant(2),), {}), ((np.ones(2),), {}), ((tf.ones(2, tf.float64),), {}),
                          ((tf.ones([1, 2]),), {}), ((tf.zeros([1, 2]),), {})])


def containers_are_told_apart(tf):
    return traces_of(tf, [(([1, 2],), {}), (((1, 2),), {}), (([1, 2],), {}), (({"a": 1, "b": 2},), {}),
                          (({"b": 2, "a": 1},), {}), (({"a": 1},), {}), (([tf.constant(1.0), 2],), {}),
                          (([tf.constant(2.0), 2],), {}), (([[1], 2],), {})])


def variables_share_a_trace_by_spec(tf):
    v, u, frozen = tf.Variable(1.0), tf.Variable(2.0), tf.Variable(1.0, trainable=False)
    return traces_of(tf, [((v,), {}), ((u,), {}), ((frozen,), {}), ((v, u), {}), ((v, v), {}), ((u, u), {})])


def objects_are_told_apart(tf):
    class Thing:
        pass

    one, other = Thing(), Thing()
    return traces_of(tf, [((one,), {}), ((other,), {}), ((one,), {}), ((len,), {}), ((len,), {})])


def assigned_argument_variables(tf):
    @tf.function
    def move(v, u):
        v.assign(u + 1.0)
        u.assign_sub(v)
        return v * 1.0

    a, c = tf.Variable(1.0), tf.Variable(2.0)
    got = [move(a, c), a.numpy(), c.numpy(), move(c, a), a.numpy(), c.numpy(), move(a, a), a.numpy()]
    return got, move.experimental_get_tracing_count()


def a_captured_variable_as_argument(tf):
    own = tf.Variable(1.0)

    @tf.function
    def add(v):
        own.assign_add(v * 2.0)
        v.assign_add(1.0)

    other, got = tf.Variable(5.0), []
    for v in (other, own, own, other):
        add(v)
        got.append((own.numpy(), other.numpy()))
    return got


def results_become_tensors(tf):
    v = tf.Variable(3.0)

    @tf.function
    def f(x):
        return {"a": 1, "b": [2.5, None], "c": v, "d": np.ones(2), "e": "s", "f": (x, True)}

    return f(1.0), isinstance(f(1.0)["c"], tf.Variable)


def nothing_returned(tf):
    return tf.function(lambda x: None)(1.0), tf.function(lambda x: [])(1.0)


def other_objects_returned(tf):
    return tf.function(lambda x: object())(1.0)


def variables_made_on_the_first_call(tf):
    calls = []

    class Layer(tf.Module):
        def __init__(self):
            super().__init__()
            self.w = None

        @tf.function
        def __call__(self, x):
            calls.append(1)
            if self.w is None:
                self.w = tf.Variable(tf.ones([2]) * 3.0)
            return self.w * x

    one, other = Layer(), Layer()
    got = [one(tf.ones(2)), one(tf.ones(2)), other(tf.ones(2))]
    return got, len(calls), one.__call__.experimental_get_tracing_count(), len(one.variables)


def variables_made_on_every_call(tf):
    return tf.function(lambda x: tf.Variable(1.0) + x)(1.0)


def lifted_initial_values(tf):
    made = []

    @tf.function
    def f(x):
        if not made:
            made.append(tf.Variable(lambda: tf.fill([2], 4.0)))
            with tf.init_scope():
                made.append(tf.Variable(tf.eye(2)))
        return tf.linalg.matvec(made[1] * 2.0, made[0]) + x

    return f(1.0), f(tf.constant(1.0))


def input_signature(tf):
    f = tf.function(lambda x, y=1.0: x * y, input_signature=[tf.TensorSpec([None], tf.float32)])
    return f([1, 2]), f(x=tf.ones(3)), f(np.array([1, 2], np.float32))


def input_signature_refuses_a_dtype(tf):
    return tf.function(lambda x: x, input_signature=[tf.TensorSpec([None])])(tf.constant([1, 2]))


def input_signature_refuses_a_rank(tf):
    return tf.function(lambda x: x, input_signature=[tf.TensorSpec([None])])(tf.ones([2, 2]))


def input_signature_refuses_more(tf):
    return tf.function(lambda x: x, input_signature=[tf.TensorSpec([])])(1.0, 2.0)


def input_signature_of_other_things(tf):
    return tf.function(lambda x: x, input_signature=[1])


def input_signature_that_is_no_list(tf):
    return tf.function(lambda x: x, input_signature=tf.TensorSpec([]))


def input_signature_too_short(tf):
    return tf.function(lambda x, y: x, input_signature=[tf.TensorSpec([])])


def missing_argument(tf):
    return tf.function(lambda x: x)()


def unknown_argument(tf):
    return tf.function(lambda x: x)(1, y=2)


def not_a_function(tf):
    return tf.function(3)


def leaked_tensor(tf):
    kept = []

    @tf.function
    def f(x):
        kept.append(x + 1)
        return x

    f(tf.constant(1.0))
    return kept[0] + 1


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


def optimizer_inside(tf):
    w, b = tf.Variable([[1.0, 2.0], [3.0, 4.0]]), tf.Variable([0.5, -0.5])
    opt = tf.keras.optimizers.Adam(0.1)

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((x @ w + b - y) ** 2)
        opt.apply_gradients(zip(tape.gradient(loss, [w, b]), [w, b], strict=True))
        return loss

    losses = [step(tf.ones([1, 2]), tf.constant([[0.0, 1.0]])) for _ in range(4)]
    opt.learning_rate.assign(0.0)
    before = w.numpy()
    step(tf.ones([1, 2]), tf.constant([[0.0, 1.0]]))
    return losses, w.numpy(), before, int(opt.iterations), step.experimental_get_tracing_count()


def random_ops_inside(tf):
    tf.random.set_seed(3)
    f = tf.function(lambda: (tf.random.normal([2]), tf.random.uniform([2], seed=4)))
    got = [f(), f()]
    tf.random.set_seed(3)
    return got, f(), f()


def attributes_are_baked_in(tf):
    class Settings:
        scale = 2.0

    f = tf.function(lambda x: x * Settings.scale)
    got = [f(tf.constant(1.0))]
    Settings.scale = 5.0
    return got, f(tf.constant(1.0)), f(tf.constant([1.0]))


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


def concrete_function_refuses(tf):
    f = tf.function(lambda x: x * 2)
    return f.get_concrete_function(tf.TensorSpec([2]))(tf.ones(2, tf.int32))


def unread_and_overwritten(tf):
    v, u = tf.Variable([1.0, 2.0]), tf.Variable(5)

    @tf.function
    def f(x):
        v.assign(x)
        u.assign(7)
        return u

    x = tf.constant([3.0, 4.0])
    return f(x), v.numpy(), u.numpy(), x.numpy(), f(x * 2.0), v.numpy()


def the_value_before_is_kept(tf):
    v = tf.Variable([1.0, 2.0])
    f = tf.function(lambda: v.assign_add([1.0, 1.0]) * 1.0)
    f()
    before, shadow = v.value(), tf.Variable(v)
    shadow.assign(v)
    f()
    return before, shadow.numpy(), v.numpy()


def constants_of_the_program(tf):
    table, f = tf.constant([1.0, 2.0, 3.0]), tf.function(lambda i: tf.gather(tf.constant([4, 5, 6]), i))
    g = tf.function(lambda i: tf.gather(table, i) ** 2.0 + 1.0)
    return f(1), f(tf.constant([0, 2])), g(2), tf.function(lambda: tf.range(3) * 2)()


def assigning_a_variable_to_another(tf):
    v, w, big = tf.Variable([1.0]), tf.Variable([0.0]), tf.Variable(tf.zeros([40_000]))

    @tf.function
    def copy(source):
        w.assign(source)
        big.assign(big.value() + 1.0)

    got = []
    for _ in range(3):
        v.assign_add([1.0])
        copy(v)
        got.append((w.numpy(), big.numpy()[:2]))
    a, b = tf.Variable(1.0), tf.Variable(2.0)

    @tf.function
    def swap():
        old = tf.identity(a)
        a.assign(b)
        b.assign(old)

    for _ in range(3):
        swap()
        got.append((a.numpy(), b.numpy()))
    return got


def assigning_under_a_tape(tf):
    v = tf.Variable(2.0)

    @tf.function
    def step():
        r = v * 1.0
        v.assign_sub(0.1 * v)
        return r

    with tf.GradientTape() as tape:
        y = step() + v * 1.0
    return tape.gradient(y, v), v.numpy()


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


def keywords_are_no_positional_strings(tf):
    traced = []
    f = tf.function(lambda *a, **k: traced.append(1))
    f("k", 1), f(k=1), f("k", 1)
    return len(traced)


def nan_shares_a_trace(tf):
    return traces_of(tf, [((float("nan"),), {}), ((float("nan"),), {})])


def two_functions_of_one_variable(tf):
    v = tf.Variable(tf.ones([3]))
    add, scale = tf.function(lambda: v.assign_add([1.0, 1.0, 1.0])), tf.function(lambda: v.assign(v * 2.0))
    got = []
    for _ in range(3):
        add(), scale()
        got.append(v.numpy())
    return got


def partial_and_keyword_only(tf):
    import functools

    f = tf.function(functools.partial(lambda x, *, scale: x * scale, scale=3.0))
    return f(tf.constant(2.0)), f(tf.constant(2.0), scale=4.0)


def look_ups_in_small_constants(tf):
    table = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    f = tf.function(lambda i: (tf.gather(table, i), tf.gather_nd(table, i[:, None]), table + 1.0))
    return f(tf.constant([1, 0, 1]))


SCENARIOS = [f for f in list(globals().values()) if callable(f) and getattr(f, "__code__", None)
             and f.__code__.co_varnames[:1] == ("tf",) and f.__code__.co_argcount == 1]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda f: f.__name__)
def test_as_tensorflow(scenario, tf):
    check(scenario, tf)


def test_what_cannot_be_captured_runs_as_python_with_one_warning(caplog):
    @tapejax.function
    def f(x):
        return tapejax.boolean_mask(x, x > 1.0)

    with caplog.at_level(logging.WARNING, "tapejax"):
        for _ in range(3):
            assert f(tapejax.constant([1.0, 2.0, 3.0])).numpy().tolist() == [2.0, 3.0]
    (record,) = caplog.records
    assert "test_function.py" in record.message and "boolean_mask" in record.message


def test_retracing_is_warned_of_and_bounded(caplog):
    from tapejax.function.function import MAX_TRACES

    f = tapejax.function(lambda x, n: x)
    x = tapejax.constant(1.0)
    with caplog.at_level(logging.WARNING, "tapejax"):
        for n in range(MAX_TRACES + 20):
            f(x, n)
    assert "retracing" in caplog.text
    assert len(f._traces) == MAX_TRACES


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


def test_a_failed_capture_leaves_variables_as_they_were():
    v = tapejax.Variable(1.0)

    @tapejax.function
    def f(x):
        v.assign(x)
        raise KeyError("mine")

    with pytest.raises(KeyError):
        f(tapejax.constant(2.0))
    assert float(v) == 1.0


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


def test_a_function_under_a_tape_does_not_keep_its_variables_alive():
    def train():
        v = tapejax.Variable([1.0, 2.0])
        f = tapejax.function(lambda x: tapejax.reduce_sum(v * x))
        with tapejax.GradientTape() as tape:
            y = f(tapejax.constant(2.0))
        assert tape.gradient(y, v).numpy().tolist() == [2.0, 2.0]
        return weakref.ref(v)

    ref = train()
    gc.collect()
    assert ref() is None


def test_host_tensors_survive_jax_transformations():
    c = tapejax.constant([1.0, 2.0])

    def f(x):
        return ((tapejax.constant(x) * c) * 2.5).__jax_array__()

    for k in range(3):
        jax.jit(lambda x, k=k: f(x) + k)(jax.numpy.ones(2))
    assert (c * 2.0).numpy().tolist() == [2.0, 4.0]


def test_functions_that_assign_may_be_called_from_threads():
    v, n = tapejax.Variable(tapejax.zeros([10])), tapejax.Variable(0.0)
    add = tapejax.function(lambda x: v.assign_add(x))
    count = tapejax.function(lambda: n.assign_add(1.0))
    add(tapejax.ones(10)), count()
    failures = []

    def guarded(work):
        try:
            work()
        except Exception as e:
            failures.append(e)

    def writer():
        for _ in range(200):
            add(tapejax.ones(10))
            count()

    def reader():
        for _ in range(200):
            assert len(set(v.numpy().tolist())) == 1
            float(n)

    threads = [threading.Thread(target=guarded, args=[w]) for w in (writer, writer, reader)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures and float(n) == 401.0 and v.numpy().tolist() == [401.0] * 10


def test_explain_counts_captured_programs():
    x = tapejax.constant(2.0)
    before = tapejax.explain().programs_compiled
    tapejax.function(lambda x: x * 3.0)(x)
    report = tapejax.explain()
    assert report.programs_compiled == before + 1 and "captured function" in str(report)


def test_inspection():
    v = tapejax.Variable([1.0, 2.0])
    c = tapejax.function(lambda x: v * x).get_concrete_function(tapejax.TensorSpec([]))
    assert c.variables == (v,) and "mul" in str(c.jaxpr()) and "stablehlo.multiply" in c.as_text()
    assert "TensorSpec(shape=(), dtype=tf.float32" in c.pretty_printed_signature()
