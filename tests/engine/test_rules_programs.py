"""Rules that other lazy engines broke, and their users paid for: what tells programs apart, and what enters them."""

import jax.numpy as jnp
import numpy as np
import pytest
from support.rules import compiled_by, scale

import tapejax as tf
from tapejax._src.engine.op import static

# 1. The key is complete and compared in full.


@pytest.mark.parametrize(
    "one, other",
    [
        (np.ones(3, np.float32), np.ones(4, np.float32)),
        (np.ones(3, np.float32), np.ones(3, np.float64)),
        (np.ones(3, np.int32), np.ones(3, np.uint32)),
        (np.ones((3, 1), np.float32), np.ones((1, 3), np.float32)),
    ],
    ids=["shape", "float width", "signedness", "layout"],
)
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


@pytest.mark.parametrize(
    "value", [1, 1.0, True, 0, 0.0, -0.0, False, float("nan"), (1, 2), (1.0, 2), 1j, "1"], ids=repr
)
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
