"""tapejax beside plain JAX and NumPy: its functions inside JAX's transformations, JAX's functions on its tensors."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tapejax as tf


def poly(x):
    x = x if isinstance(x, tf.Tensor) else tf.convert_to_tensor(x)
    return x * x * 3.0 + tf.sin(x)


def test_jit_around_a_tapejax_function():
    f = jax.jit(lambda x: poly(x).__jax_array__())
    x = jnp.array([1.0, 2.0], jnp.float32)
    np.testing.assert_allclose(f(x), np.asarray(x) ** 2 * 3 + np.sin(x), rtol=1e-6)
    assert isinstance(f(x), jax.Array) and f(x).dtype == jnp.float32


def test_jit_takes_and_returns_tensors_as_pytrees():
    f = jax.jit(lambda t: {"out": t["a"] * 2.0, "same": t["a"]})
    out = f({"a": tf.constant([1.0, 2.0]) + 1.0})
    assert isinstance(out["out"], tf.Tensor) and isinstance(out["same"], tf.Tensor)
    assert out["out"].numpy().tolist() == [4.0, 6.0]
    assert (out["out"] + 1.0).numpy().tolist() == [5.0, 7.0]


def test_grad_of_a_tapejax_function():
    g = jax.grad(lambda x: tf.reduce_sum(poly(x)).__jax_array__())
    x = jnp.array([0.5, 2.0], jnp.float32)
    np.testing.assert_allclose(g(x), 6 * np.asarray(x) + np.cos(x), rtol=1e-6)


def test_second_derivative_and_jvp_of_a_tapejax_function():
    f = lambda x: poly(x).__jax_array__()  # noqa: E731
    assert float(jax.grad(jax.grad(f))(0.5)) == pytest.approx(6 - np.sin(0.5), rel=1e-5)
    out, tangent = jax.jvp(f, (jnp.float32(0.5),), (jnp.float32(2.0),))
    assert float(tangent) == pytest.approx(2 * (3 + np.cos(0.5)), rel=1e-5)


def test_vmap_of_a_tapejax_function():
    w = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    f = jax.vmap(lambda row: tf.reduce_sum(tf.matmul(w, tf.reshape(row, [2, 1]))).__jax_array__())
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_allclose(f(x), (x @ w.numpy().T).sum(1), rtol=1e-6)


def test_scan_over_a_tapejax_function():
    def body(carry, x):
        carry = tf.tanh(carry + x).__jax_array__()
        return carry, carry

    last, out = jax.lax.scan(body, jnp.float32(0.0), jnp.ones(4, jnp.float32))
    want = 0.0
    for _ in range(4):
        want = np.tanh(want + 1.0)
    assert float(last) == pytest.approx(want, rel=1e-5) and out.shape == (4,)


def test_tape_inside_jit():
    @jax.jit
    def slope(x):
        t = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(t)
            y = tf.reduce_sum(poly(t))
        return tape.gradient(y, t).__jax_array__()

    x = jnp.array([0.5, 2.0], jnp.float32)
    for _ in range(2):
        np.testing.assert_allclose(slope(x), 6 * np.asarray(x) + np.cos(x), rtol=1e-6)


def test_tape_inside_jit_inside_grad():
    def slope(x):
        t = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(t)
            y = poly(t)
        return tape.gradient(y, t).__jax_array__()

    assert float(jax.grad(jax.jit(slope))(0.5)) == pytest.approx(6 - np.sin(0.5), rel=1e-5)


def test_nested_tapes_inside_vmap():
    def curvature(x):
        t = tf.convert_to_tensor(x)
        with tf.GradientTape() as outer:
            outer.watch(t)
            with tf.GradientTape() as inner:
                inner.watch(t)
                y = tf.sin(t) * t
            dy = inner.gradient(y, t)
        return outer.gradient(dy, t).__jax_array__()

    x = np.linspace(0, 2, 5, dtype=np.float32)
    np.testing.assert_allclose(jax.vmap(curvature)(x), 2 * np.cos(x) - x * np.sin(x), rtol=1e-4, atol=1e-5)


def test_variables_are_constants_inside_jit():
    v = tf.Variable([2.0, 3.0])
    f = jax.jit(lambda x: (v * x).__jax_array__())
    assert np.asarray(f(jnp.float32(10.0))).tolist() == [20.0, 30.0]


def test_pending_work_from_outside_enters_a_jit():
    pending = tf.constant([1.0, 2.0]) * 5.0
    f = jax.jit(lambda x: (pending + x).__jax_array__())
    assert np.asarray(f(jnp.float32(1.0))).tolist() == [6.0, 11.0]
    assert pending.numpy().tolist() == [5.0, 10.0]


def test_recording_goes_on_after_a_jit_call():
    before = tf.constant([1.0, 2.0]) * 5.0
    inside = jax.jit(lambda x: poly(x).__jax_array__())(jnp.float32(0.0))
    after = before + inside
    assert after.numpy().tolist() == [5.0, 10.0]


def test_jit_that_raises_leaves_the_stream_usable():
    pending = tf.constant([1.0]) * 2.0

    @jax.jit
    def bad(x):
        tf.sin(x)
        raise KeyError("user code")

    with pytest.raises(KeyError):
        bad(1.0)
    assert (pending + 1.0).numpy().tolist() == [3.0]


def test_reading_a_tracer_raises_jaxs_own_error():
    with pytest.raises(jax.errors.TracerArrayConversionError):
        jax.jit(lambda x: float(tf.reduce_sum(tf.sin(x)).numpy()))(jnp.ones(2))


def test_jnp_functions_take_tensors_and_variables():
    t, v = tf.constant([1.0, 4.0]) * 1.0, tf.Variable([1.0, 2.0])
    out = jnp.sqrt(t) + jnp.asarray(v)
    assert isinstance(out, jax.Array) and out.tolist() == [2.0, 4.0]
    assert jnp.concatenate([jnp.asarray(t), jnp.asarray(v)]).tolist() == [1.0, 4.0, 1.0, 2.0]
    assert float(jnp.dot(jnp.asarray(t), jnp.asarray(v))) == 9.0


def test_jax_arrays_enter_ops_from_either_side():
    a, t = jnp.array([1.0, 2.0], jnp.float32), tf.constant([10.0, 20.0])
    for out in (t + a, t * a, tf.add(a, a), tf.add(a, t)):
        assert isinstance(out, tf.Tensor)
    assert (t + a).numpy().tolist() == [11.0, 22.0]
    # A JAX array on the left decides by itself: it takes anything that answers `__jax_array__`.
    assert isinstance(a + t, jax.Array) and (a + t).tolist() == [11.0, 22.0]


def test_numpy_both_ways():
    t, a = tf.constant([1.0, 2.0]), np.float32([10.0, 20.0])
    assert isinstance(t + a, tf.Tensor) and isinstance(a + t, tf.Tensor)
    assert (a - t).numpy().tolist() == [9.0, 18.0]
    assert np.asarray(t).dtype == np.float32 and np.array(t, dtype=np.float64).dtype == np.float64
    assert np.sum(t) == 3.0 and np.mean(tf.Variable([1.0, 3.0])) == 2.0
    assert np.concatenate([t, a]).tolist() == [1.0, 2.0, 10.0, 20.0]
    assert (np.float32(2.0) * t).numpy().tolist() == [2.0, 4.0]


def test_numpy_float64_scalar_times_a_float32_tensor_keeps_float32():
    t = tf.constant([1.0, 2.0])
    assert (t * np.float32(2)).dtype == tf.float32
    assert t.numpy().flags.writeable


def test_dlpack_to_jax_and_numpy():
    t = tf.constant([1.0, 2.0]) * 3.0
    assert np.from_dlpack(t).tolist() == [3.0, 6.0]
    assert jnp.from_dlpack(t).tolist() == [3.0, 6.0]


def test_dlpack_view_of_a_variable_survives_training():
    v = tf.Variable(np.ones(64, np.float32))
    view = np.from_dlpack(v)
    for _ in range(4):
        v.assign_add(np.ones(64, np.float32))
        tf.sync()
    assert view[0] == 1.0 and v.numpy()[0] == 5.0


def test_tree_map_over_tensors():
    tree = {"w": tf.constant([1.0, 2.0]), "b": [tf.constant(3.0)]}
    doubled = jax.tree.map(lambda x: x * 2, tree)
    assert doubled["w"].numpy().tolist() == [2.0, 4.0] and float(doubled["b"][0]) == 6.0
    leaves = jax.tree.leaves(tree)
    assert len(leaves) == 2 and all(isinstance(x, (jax.Array, np.ndarray)) for x in leaves)


def test_64_bit_stays_off_outside():
    t = tf.constant(np.arange(3, dtype=np.float64)) * 2.0
    assert t.dtype == tf.float64 and t.numpy().dtype == np.float64
    with tf.GradientTape() as tape:
        tape.watch(t)
        y = tf.reduce_sum(t * t)
    assert tape.gradient(y, t).dtype == tf.float64
    assert not jax.config.jax_enable_x64
    assert jnp.arange(3).dtype == jnp.int32 and jnp.ones(2).dtype == jnp.float32
    assert jnp.asarray(np.float64([1.0])).dtype == jnp.float32


def test_64_bit_stays_off_after_an_error():
    with pytest.raises(Exception, match="[Ii]ncompatible|shape"):
        tf.constant([1.0, 2.0]) + tf.constant([1.0, 2.0, 3.0])
    assert jnp.ones(2).dtype == jnp.float32


def test_64_bit_tensors_cross_into_jax_unchanged():
    t = tf.constant(np.float64([0.1, 0.2])) * 1.0
    array = t.__jax_array__()
    assert array.dtype == np.float64 and np.asarray(array).tolist() == [0.1, 0.2]


def test_threads_that_jit_and_record_at_once():
    errors = []

    def work(k):
        try:
            f = jax.jit(lambda x: poly(x).__jax_array__())
            for i in range(10):
                v = float(tf.reduce_sum(tf.constant([float(k), float(i)]) * 2.0))
                assert v == 2.0 * (k + i)
                assert float(f(jnp.float32(0.0))) == 0.0
            assert jnp.ones(1).dtype == jnp.float32
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors


def test_optax_update_on_tensors():
    import optax

    params = {"w": tf.constant([1.0, 2.0]).__jax_array__()}
    opt = optax.sgd(0.5)
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(x * x)
    updates, _ = opt.update({"w": jnp.asarray(tape.gradient(y, x))}, opt.init(params))
    assert optax.apply_updates(params, updates)["w"].tolist() == [0.0, 0.0]


def test_a_captured_function_on_values_inside_jit_runs_once_and_leaves_values():
    total = tf.Variable(1.0)

    @tf.function
    def add(x):
        total.assign_add(x)
        return total * x

    add(tf.constant(2.0))
    doubled = jax.jit(lambda a: a * 2 + jnp.asarray(add(tf.constant(2.0))))
    assert [float(doubled(x)) for x in (3.0, 4.0)] == [16.0, 18.0]  # traced once: the second call adds nothing
    assert float(total) == 5.0


def test_a_captured_function_on_tracers_becomes_part_of_the_jit():
    square = tf.function(lambda x: x * x)
    square(tf.constant(2.0))
    assert [float(jax.jit(lambda a: jnp.asarray(square(tf.constant(a))))(x)) for x in (3.0, 4.0)] == [9.0, 16.0]
