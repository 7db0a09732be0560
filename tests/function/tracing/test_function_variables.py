"""Variables in `tf.function`: made, read, assigned, passed in, shared with threads; against real TensorFlow."""

import gc
import threading
import weakref

import numpy as np
import pytest
from support import harness
from support.harness import raises

import tapejax
from tapejax._src.engine import stream


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


@raises(ValueError)
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


def two_functions_of_one_variable(tf):
    v = tf.Variable(tf.ones([3]))
    add, scale = tf.function(lambda: v.assign_add([1.0, 1.0, 1.0])), tf.function(lambda: v.assign(v * 2.0))
    got = []
    for _ in range(3):
        add(), scale()
        got.append(v.numpy())
    return got


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


test_same_as_tensorflow = harness.test_functions(globals())


def test_a_failed_capture_leaves_variables_as_they_were():
    v = tapejax.Variable(1.0)

    @tapejax.function
    def f(x):
        v.assign(x)
        raise KeyError("mine")

    with pytest.raises(KeyError):
        f(tapejax.constant(2.0))
    assert float(v) == 1.0


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


def test_threads_do_not_see_a_capture_that_assigns():
    tf = tapejax
    v, n = tf.Variable(1.0), tf.Variable(0, trainable=False)
    inside, seen, failures = threading.Event(), [], []

    def read():
        inside.wait()
        try:
            seen.extend([float(v), int(n), v.numpy(), repr(n), (v * 2.0).numpy(), (n + 1).numpy()])
            v.assign_add(10.0)
            n.assign(7)
        except Exception as e:
            failures.append(e)

    @tf.function(autograph=False)
    def step(x):
        v.assign(v + x)
        n.assign_add(1)
        inside.set()
        reader.join(0.2)
        return v

    reader = threading.Thread(target=read)
    reader.start()
    step.get_concrete_function(tf.constant(2.0))
    reader.join()
    assert not failures and seen == [1.0, 0, 1.0, "<tf.Variable 'Variable:0' shape=() dtype=int32, numpy=0>", 2.0, 1]
    assert float(v) == 11.0 and int(n) == 7
    assert float(step(tf.constant(2.0))) == 13.0


def test_a_capture_may_wait_for_a_thread_that_assigns(monkeypatch):
    monkeypatch.setattr(stream, "_PATIENCE", 0.5)
    w = tapejax.Variable(0.0)

    @tapejax.function(autograph=False)
    def waiting(x):
        thread = threading.Thread(target=lambda: w.assign(2.0))
        thread.start()
        thread.join()
        return x + 1.0

    assert (float(waiting(tapejax.constant(1.0))), float(w)) == (2.0, 2.0)


def test_a_tape_keeps_the_host_array_that_a_step_replaces_beside_threads():
    tf = tapejax
    other = threading.Thread(target=lambda: tf.constant(1.0).numpy())
    other.start()
    other.join()
    v = tf.Variable(np.array([3.0, 3.0], np.float32))
    step = tf.function(lambda: v.assign_add([1.0, 1.0]))
    with tf.GradientTape() as tape:
        y = v * v
    y.numpy()
    step()
    assert tape.gradient(y, v).numpy().tolist() == [6.0, 6.0]
    step()
    assert v.numpy().tolist() == [5.0, 5.0]


def test_a_failed_call_changes_no_variable():
    v, n = tapejax.Variable(1.0), tapejax.Variable(0)

    @tapejax.function
    def step(x):
        v.assign(x)
        n.assign_add(1)
        tapejax.debugging.assert_positive(x)
        return v * 2.0

    assert float(step(tapejax.constant(3.0))) == 6.0
    with pytest.raises(tapejax.errors.InvalidArgumentError):
        step(tapejax.constant(-1.0))
    assert float(v) == 3.0 and int(n) == 1
