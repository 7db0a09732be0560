"""The rules that other lazy engines broke, and their users paid for. One or more tests each."""

import ast
import gc
import inspect
import os
import pathlib
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tapejax as tf
from tapejax.engine import stream, trie
from tapejax.engine.aval import aval
from tapejax.engine.op import NO_STATIC, Op, static
from tapejax.ops.registry import Array, Same, op

MB = 2**20


@op("testing.scale")
def scale(x: Array, by=1, name=None):
    return x * by


@op("testing.fails_if_negative", may_fail=True)
def fails_if_negative(x: Same, y: Same, name=None):
    def check(a):
        if (np.asarray(a) < 0).any():
            raise ValueError("a negative value reached the kernel")
        return a

    return jax.pure_callback(check, jax.ShapeDtypeStruct(x.shape, x.dtype), x) + y


def compiled_by(fn):
    """Programs that one call compiles."""
    tf.sync()
    before = tf.explain().programs_compiled
    fn()
    tf.sync()
    return tf.explain().programs_compiled - before


# 1. The key is complete and compared in full.


@pytest.mark.parametrize("one, other", [
    (np.ones(3, np.float32), np.ones(4, np.float32)),
    (np.ones(3, np.float32), np.ones(3, np.float64)),
    (np.ones(3, np.int32), np.ones(3, np.uint32)),
    (np.ones((3, 1), np.float32), np.ones((1, 3), np.float32)),
], ids=["shape", "float width", "signedness", "layout"])
def test_rule_1_shapes_and_dtypes_are_in_the_key(one, other):
    for value in (one, other, one):
        out = tf.constant(value) + tf.constant(value)
        assert out.numpy().dtype == value.dtype and out.numpy().shape == value.shape
        np.testing.assert_array_equal(out.numpy(), 2 * value)


def test_rule_1_wiring_is_in_the_key():
    a, b = tf.constant([5.0]), tf.constant([2.0])
    assert [float((a - b)[0]) if hasattr(a, "__getitem__") else float(a - b) for _ in range(2)] == [3.0, 3.0]
    assert float(tf.reduce_sum(b - a)) == -3.0
    assert float(tf.reduce_sum(a - a)) == 0.0
    c = a + b
    assert float(tf.reduce_sum(c - a)) == 2.0
    c = a + b
    assert float(tf.reduce_sum(c - b)) == 5.0


def test_rule_1_wanted_outputs_are_in_the_key():
    x = tf.constant(3.0)
    for kept in ("both", "first", "second", "both"):
        a = x * 2.0
        b = a * 5.0
        if kept == "first":
            del b
            assert float(a) == 6.0
        elif kept == "second":
            del a
            assert float(b) == 30.0
        else:
            assert (float(a), float(b)) == (6.0, 30.0)


def test_rule_1_a_donated_buffer_is_one_that_nobody_else_sees():
    v = tf.Variable(np.zeros(1000, np.float32))
    seen = []
    for i in range(6):
        if i % 2:
            seen.append(v.value())
        held = v.numpy() if i % 3 == 0 else None
        v.assign_add(np.ones(1000, np.float32))
        if held is not None:
            assert held[0] == i
    assert v.numpy()[0] == 6
    assert [float(tf.reduce_sum(s)) for s in seen] == [1000.0, 3000.0, 5000.0]


def test_rule_1_an_array_shared_with_jax_is_not_donated():
    array = jnp.zeros(1000, jnp.float32)
    v = tf.Variable(tf.convert_to_tensor(array))
    for _ in range(3):
        v.assign_add(np.ones(1000, np.float32))
        tf.sync()
    assert float(array.sum()) == 0.0
    mine = v.__jax_array__()
    for _ in range(3):
        v.assign_add(np.ones(1000, np.float32))
        tf.sync()
    assert float(mine[0]) == 3.0


def test_rule_1_two_variables_of_one_initial_value_do_not_share_a_buffer():
    start = tf.constant(np.zeros(100, np.float32)) * 1.0
    a, b = tf.Variable(start), tf.Variable(start)
    for _ in range(3):
        a.assign_add(np.ones(100, np.float32))
        tf.sync()
    assert a.numpy()[0] == 3 and b.numpy()[0] == 0 and start.numpy()[0] == 0
    a.assign(b)
    a.assign_add(np.ones(100, np.float32))
    tf.sync()
    assert b.numpy()[0] == 0


# 2. Python equality lies: 1 == 1.0 == True, 0.0 == -0.0, nan != nan.


@pytest.mark.parametrize("value", [1, 1.0, True, 0, 0.0, -0.0, False, float("nan"), (1, 2), (1.0, 2), 1j, "1"],
                         ids=repr)
def test_rule_2_statics_of_another_type_or_sign_are_others(value):
    all_values = [1, 1.0, True, 0, 0.0, -0.0, False, float("nan"), (1, 2), (1.0, 2), 1j, "1"]
    mine = static(k=value)
    assert mine is static(k=value)
    assert sum(static(k=v) is mine for v in all_values) == 1
    assert repr(mine.kwargs["k"]) == repr(value)


def test_rule_2_equal_statics_give_their_own_dtype_and_sign():
    x = tf.constant([2, 3])
    assert [scale(x, by=by).numpy().dtype.kind for by in (1, 1.0, True, 1)] == ["i", "f", "i", "i"]
    y = tf.constant([2.0])
    assert np.signbit(scale(y, by=-0.0).numpy()[0]) and not np.signbit(scale(y, by=0.0).numpy()[0])


def test_rule_2_nan_as_a_static_compiles_once():
    y = tf.constant([2.0])
    step = lambda: scale(y, by=float("nan")).numpy()  # noqa: E731
    assert np.isnan(step()).all()
    step()
    assert compiled_by(step) == 0


# 3. Python numbers are inputs.


def test_rule_3_python_numbers_do_not_recompile():
    x = tf.constant([1.0, 2.0])

    def step(k):
        return (x * k + k * 0.5).numpy()

    step(1.0), step(2.0)
    assert compiled_by(lambda: [step(0.1 * i) for i in range(20)]) == 0
    np.testing.assert_allclose(step(3.0), [4.5, 7.5])


def test_rule_3_the_same_number_again_and_then_another():
    x = tf.constant([1.0])
    got = [float(tf.reduce_sum(x * k)) for k in (2.0, 2.0, 2.0, 3.0, 2.0, 2.0, -0.0, 0.0)]
    assert got == [2.0, 2.0, 2.0, 3.0, 2.0, 2.0, 0.0, 0.0]
    signs = [np.signbit((x * k).numpy()[0]) for k in (-0.0, 0.0, -0.0, -0.0, 0.0)]
    assert signs == [True, False, True, True, False]


def test_rule_3_a_number_is_never_the_same_tensor_as_a_users():
    x, c = tf.Variable(3.0), tf.constant(2.0)
    for _ in range(4):
        with tf.GradientTape() as tape:
            tape.watch(c)
            y = x * 2.0 + c * 0.0
        dx, dc = tape.gradient(y, [x, c])
        assert (float(dx), float(dc)) == (2.0, 0.0)


# 4. Inputs from the host are copied when the tensor is made.


def test_rule_4_a_buffer_changed_later_does_not_change_a_pending_result():
    buffer = np.ones(4, np.float32)
    t, v = tf.constant(buffer), tf.Variable(buffer)
    pending = t * 2.0 + v + buffer
    buffer[:] = 100.0
    assert pending.numpy().tolist() == [4.0] * 4
    assert t.numpy().tolist() == v.numpy().tolist() == [1.0] * 4


def test_rule_4_a_buffer_filled_anew_each_turn():
    buffer, outs = np.zeros(4, np.float32), []
    for i in range(6):
        buffer[:] = i
        outs.append(tf.reduce_sum(tf.constant(buffer)))
    assert [float(o) for o in outs] == [4.0 * i for i in range(6)]


def test_rule_4_numpy_results_are_the_users_own():
    t = tf.constant([1.0, 2.0]) * 1.0
    t.numpy()[:] = 7.0
    assert t.numpy().tolist() == [1.0, 2.0]
    c = tf.constant([1.0, 2.0])
    np.asarray(c.numpy())[:] = 7.0
    np.array(c)[:] = 7.0
    assert c.numpy().tolist() == [1.0, 2.0]


# 5. Nothing unbounded.


def _resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not pathlib.Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_rule_5_three_thousand_steps_grow_nothing():
    w, b = tf.Variable(np.ones((8, 8), np.float32)), tf.Variable(np.zeros(8, np.float32))
    total = tf.Variable(0.0, trainable=False)

    def run(steps):
        for i in range(steps):
            x = tf.constant(np.full((4, 8), 1e-3 * (i % 7), np.float32))
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(tf.matmul(x, w) + b)) * (1.0 + 1e-6 * i)
            for g, v in zip(tape.gradient(loss, [w, b]), (w, b), strict=True):
                v.assign_sub(g * (0.1 / (1 + i)))
            total.assign_add(loss)
            if i % 50 == 0:
                float(loss)
        tf.sync()

    run(300)
    gc.collect()
    memory, sizes = _resident(), tf.explain().cache_sizes
    run(3000)
    gc.collect()
    assert tf.explain().cache_sizes == sizes
    assert _resident() - memory < 15 * MB


def test_rule_5_shapes_that_never_repeat_are_pruned(monkeypatch):
    monkeypatch.setattr(trie, "MAX_NODES", trie.sizes()["trie nodes"] + 100)
    limit = trie.MAX_NODES
    x = tf.Variable(1.0)
    for n in range(1, 40):
        values = tf.constant(np.ones((n % 25 + 1, 2), np.float32))
        assert float(tf.reduce_sum(values * x)) == 2.0 * (n % 25 + 1)
        assert trie.sizes()["trie nodes"] <= limit + 20


def test_rule_5_a_loop_that_never_reads_is_cut(monkeypatch):
    monkeypatch.setattr(stream, "_length_limit", 500)
    x = tf.constant(0.0)
    for _ in range(1300):
        x = x + 1.0
    assert stream.current().node.depth <= 501
    assert float(x) == 1300.0


def test_rule_5_dropped_tensors_free_their_memory():
    import weakref

    t = tf.constant(np.ones(10, np.float32)) * 2.0
    t.numpy()
    ref = weakref.ref(t)
    with tf.GradientTape() as tape:
        tape.watch(t)
        y = tf.reduce_sum(t * t)
    tape.gradient(y, t).numpy()
    tf.sync()
    del t, tape, y
    gc.collect()
    assert ref() is None


# 6. A failed flush leaves everything as it was, and the error names the user's line.


def test_rule_6_a_failing_op_leaves_variables_and_names_the_line():
    v, w = tf.Variable([1.0, 2.0]), tf.Variable([5.0])
    v.assign(v * 1.0)
    tf.sync()
    bad = tf.constant([-1.0, 1.0])
    line = inspect.currentframe().f_lineno + 1
    result = fails_if_negative(bad, v)
    v.assign(result)
    w.assign(tf.reduce_sum(result, keepdims=True))
    with pytest.raises(tf.errors.OpError) as caught:
        v.numpy()
    assert f"{os.path.basename(__file__)}:{line}" in str(caught.value)
    assert "a negative value reached the kernel" in str(caught.value)
    assert v.numpy().tolist() == [1.0, 2.0] and w.numpy().tolist() == [5.0]
    v.assign_add([1.0, 1.0])
    assert v.numpy().tolist() == [2.0, 3.0]


def test_rule_6_a_program_that_ran_before_fails_later_on_other_data():
    v = tf.Variable([1.0, 2.0])
    for _ in range(3):
        v.assign(fails_if_negative(tf.constant([1.0, 1.0]), v))
        tf.sync()
    assert v.numpy().tolist() == [4.0, 5.0]
    v.assign(fails_if_negative(tf.constant([1.0, -1.0]), v))
    with pytest.raises(tf.errors.OpError, match="negative"):
        tf.sync()
    assert v.numpy().tolist() == [4.0, 5.0]
    v.assign(fails_if_negative(tf.constant([1.0, 1.0]), v))
    assert v.numpy().tolist() == [5.0, 6.0]


def test_rule_6_what_came_before_the_failure_keeps_its_value():
    good = tf.constant([3.0]) * 2.0
    bad = fails_if_negative(tf.constant([-1.0]), good)
    with pytest.raises(tf.errors.OpError):
        bad.numpy()
    assert good.numpy().tolist() == [6.0]
    with pytest.raises(tf.errors.OpError):
        bad.numpy()


def test_rule_6_a_refused_op_leaves_the_stream_as_it_was():
    a = tf.constant([1.0, 2.0]) * 2.0
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
        a + tf.constant([1.0, 2.0, 3.0])
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
        tf.matmul(tf.constant([[1.0]]) * 3.0, tf.constant([[1.0], [2.0]]))
    b = a * 3.0
    assert b.numpy().tolist() == [6.0, 12.0]


def test_rule_6_a_refused_assignment_changes_nothing():
    v = tf.Variable([1.0, 2.0])
    with pytest.raises(ValueError):
        v.assign([1.0])
    with pytest.raises(tf.errors.InvalidArgumentError):
        v.assign_add([1.0])
    assert v.numpy().tolist() == [1.0, 2.0]


# 7. Random ops take an explicit key and counter.


def test_rule_7_random_state_does_not_chain_through_the_stream():
    def draw(reads):
        tf.random.set_seed(7)
        out = []
        for _ in range(3):
            out.append(tf.random.normal([3]))
            if reads:
                out[-1].numpy()
        return [o.numpy() for o in out]

    apart, together = draw(True), draw(False)
    np.testing.assert_array_equal(apart, together)
    assert len({tuple(a.tolist()) for a in apart}) == 3


def test_rule_7_random_ops_do_not_recompile():
    step = lambda: tf.reduce_sum(tf.random.normal([4])).numpy()  # noqa: E731
    values = {float(step()) for _ in range(3)}
    assert len(values) == 3
    assert compiled_by(lambda: [step() for _ in range(5)]) == 0


# 8. Debugging: op by op, and `explain`.


def test_rule_8_eager_mode_runs_each_op_at_once():
    tf.config.eager = True
    x = tf.constant([1.0, 2.0])
    y = x * 3.0
    assert y._value is not None and stream.current().node is trie.root
    tf.config.eager = False
    z = x * 3.0
    assert z._value is None
    np.testing.assert_array_equal(y.numpy(), z.numpy())


def test_rule_8_eager_mode_fails_at_the_line():
    tf.config.eager = True
    with pytest.raises(tf.errors.OpError, match="negative"):
        fails_if_negative(tf.constant([-1.0]), tf.constant([1.0]))


def test_rule_8_explain_names_line_and_difference():
    x = tf.constant(np.ones((3, 5), np.float32))
    tf.sync()
    line = inspect.currentframe().f_lineno + 1
    (tf.reduce_sum(scale(x, by=12345.5) * 3.0)).numpy()
    report = tf.explain()
    last = report.compilations[-1]
    assert f"{__file__}:{line}" in last.where and last.ops == 3 and last.seconds > 0
    assert last.difference
    text = str(report)
    assert os.path.basename(__file__) in text and "programs compiled" in text and "flushes" in text


# 9. Streams are per thread.


def test_rule_9_a_pending_tensor_crosses_threads():
    x = tf.constant([1.0, 2.0])
    pending = x * 10.0
    v = tf.Variable([0.0, 0.0])
    v.assign(pending + 1.0)
    got, errors = [], []

    def other():
        try:
            got.append((pending + x).numpy().tolist())
            got.append(v.numpy().tolist())
        except Exception as e:
            errors.append(e)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert not errors, errors
    assert got == [[11.0, 22.0], [11.0, 21.0]]
    assert pending.numpy().tolist() == [10.0, 20.0]  # the first thread's recording went on
    assert v.numpy().tolist() == [11.0, 21.0]


def test_rule_9_threads_train_side_by_side():
    results, errors = {}, []

    def train(k):
        try:
            v = tf.Variable([float(k)])
            for _ in range(30):
                with tf.GradientTape() as tape:
                    loss = tf.reduce_sum(v * v)
                v.assign_sub(0.1 * tape.gradient(loss, v))
            results[k] = float(v.numpy()[0])
        except Exception as e:
            errors.append(e)

    threads = [threading.Thread(target=train, args=(k,)) for k in range(1, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors
    for k, value in results.items():
        assert value == pytest.approx(k * 0.8**30, rel=1e-4)


def test_rule_9_a_tape_of_one_thread_does_not_see_another():
    x = tf.Variable(3.0)

    def other():
        (x * x).numpy()

    with tf.GradientTape() as tape:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        y = x * 2.0
    assert float(tape.gradient(y, x)) == 2.0


# 10. Public JAX only.


def test_rule_10_only_public_jax_is_imported():
    root = pathlib.Path(tf.__file__).parent
    offenders = []
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else \
                [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [ast.unparse(node)] if isinstance(node, ast.Attribute) else []
            offenders += [f"{path.name}:{node.lineno} {n}" for n in names
                          if n != "jax.__version__"
                          and n.startswith(("jaxlib", "jax._", "jax.interpreters", "jax.lib"))]
    assert not offenders, offenders


# The engine alone, without TensorFlow's API.


def test_avals_are_interned():
    f32 = np.dtype(np.float32)
    assert aval((2, 3), f32) is aval((2, 3), f32)
    assert aval((2, 3), f32) is not aval((3, 2), f32)
    assert aval((2, 3), f32) is not aval((2, 3), np.dtype(np.float64))


def test_a_forward_op_and_its_vjp_evaluate_the_forward_once():
    runs = []

    def slow(x):
        runs.append(1)
        return jnp.sin(x) * x

    slow_op = Op("slow", slow)
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = stream.record(slow_op, NO_STATIC, (x,))
    g = tape.gradient(y, x)
    inferred = len(runs)
    got = g.numpy()
    assert len(runs) - inferred == 1
    np.testing.assert_allclose(got, np.cos([1.0, 2.0]) * [1, 2] + np.sin([1.0, 2.0]), rtol=1e-5)
    assert y.numpy().shape == (2,)


def test_numbers_that_were_equal_may_part_later():
    """Equal numbers of one op share an input of the program; it must not show when they change."""

    def chain(numbers):
        y = tf.constant([1.0, 2.0])
        for n in numbers:
            y = y + n
        return y.numpy()

    same = [0.5] * 40
    assert chain(same).tolist() == [21.0, 22.0]
    assert chain([0.25] * 40).tolist() == [11.0, 12.0]
    compiled = tf.explain().programs_compiled
    changed = [*same[:-1], 100.5]
    assert chain(changed).tolist() == [121.0, 122.0]
    assert tf.explain().programs_compiled == compiled + 1
    assert chain([float(i) for i in range(40)]).tolist() == [781.0, 782.0]
    assert chain(same).tolist() == [21.0, 22.0]
    assert tf.explain().programs_compiled == compiled + 1
