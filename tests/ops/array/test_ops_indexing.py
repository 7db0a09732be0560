"""Indexing, gathering, choosing and scattering against real TensorFlow."""

import jax
import numpy as np
import pytest
from jax import export
from support import harness
from support.harness import raises

import tapejax

ROWS = [
    raises("InvalidArgumentError", lambda x: x[-3]),
    lambda x: x[[0, 1]],
    raises(TypeError, lambda x: x[1.0]),
    raises(ValueError, lambda x: x[True]),
    raises(TypeError, lambda x: x["a"]),
    lambda x: x[np.array([True, False])],
    lambda tf, x: x[tf.constant([True, False])],
    raises(TypeError, lambda x, i: x[i]),
    raises("InvalidArgumentError", lambda x: x[0, 0, 0]),
    raises("InvalidArgumentError", lambda x: x[..., ...]),
    lambda x: x[np.int64(1)],
    raises(TypeError, lambda tf, x: x[tf.constant(1.0)]),
    raises("InvalidArgumentError", lambda x: x[0:1:0]),
    raises(TypeError, lambda x: x[1.5:2]),
    raises(TypeError, lambda tf, x: x[tf.constant([1])]),
    lambda x: x[None, ..., 0],
    lambda x: x[5:],
    lambda x: x[-10:10],
    lambda x: x[::-2],
    raises("InvalidArgumentError", lambda tf, i: i[tf.constant(5)]),
    raises("InvalidArgumentError", lambda tf, x: tf.gather(x, [0, 2])),
    raises("InvalidArgumentError", lambda tf, x: tf.gather(x, [-1])),
    raises("InvalidArgumentError", lambda tf, x: tf.gather(x, [0], axis=2)),
    lambda tf, x: tf.gather(x, [2, 0], axis=1),
    lambda tf, x: tf.gather(x, [2, 0], axis=-1),
    raises("InvalidArgumentError", lambda tf, x: tf.gather(x, 1.0)),
    lambda tf, b: tf.gather(b, tf.zeros([2, 5], tf.int32), batch_dims=1).shape,
    lambda tf, b: tf.gather(b, tf.zeros([2, 5], tf.int32), axis=2, batch_dims=1).shape,
    raises("InvalidArgumentError", lambda tf, b: tf.gather(b, tf.zeros([3, 5], tf.int32), batch_dims=1).shape),
    lambda tf, b: tf.gather(b, tf.zeros([2, 5], tf.int32), batch_dims=-1).shape,
    raises("InvalidArgumentError", lambda tf: tf.gather(tf.constant(1.0), 0)),
    lambda tf, x: tf.gather_nd(x, [[0, 1], [1, 2]]),
    lambda tf, x: tf.gather_nd(x, [[0], [1]]),
    raises("InvalidArgumentError", lambda tf, x: tf.gather_nd(x, [[0, 3]])),
    raises("InvalidArgumentError", lambda tf, x: tf.gather_nd(x, [0, 0, 0])),
    raises("InvalidArgumentError", lambda tf, x: tf.gather_nd(x, [[-1, 0]])),
    lambda tf, b: tf.gather_nd(b, tf.zeros([2, 5, 1], tf.int32), batch_dims=1).shape,
    lambda tf, x: tf.where(x > 2),
    lambda tf, x: tf.where(x),
    lambda tf, x: tf.where(x > 2, x, 0.0),
    lambda tf, x: tf.where(x > 2, x, 0),
    lambda tf, x: tf.where(x > 2, 1, 0),
    raises(TypeError, lambda tf: tf.where([True, False], 1, 2.0)),
    raises("InvalidArgumentError", lambda tf, x: tf.where(x, x, x)),
    raises(ValueError, lambda tf, x: tf.where(x > 2, x)),
    raises("InvalidArgumentError", lambda tf, x: tf.where([True, False], x, x)),
    raises("InvalidArgumentError", lambda tf, x: tf.where(x > 2, x, tf.zeros([4]))),
    raises("InvalidArgumentError", lambda tf, x, i: tf.where(x > 2, x, i)),
    lambda tf, x: tf.boolean_mask(x, [True, False]),
    lambda tf, x: tf.boolean_mask(x, [True, False, True], axis=1),
    lambda tf, x: tf.boolean_mask(x, x > 2),
    raises(ValueError, lambda tf, x: tf.boolean_mask(x, [True])),
    raises(ValueError, lambda tf, x: tf.boolean_mask(x, True)),
    lambda tf, x: tf.boolean_mask(x, [1, 0]),
    lambda tf, x: tf.boolean_mask(x, [False, False]),
    lambda tf, x: tf.tensor_scatter_nd_update(x, [[0, 1]], [9.0]),
    lambda tf, x: tf.tensor_scatter_nd_update(x, [[0]], [[9.0, 8, 7]]),
    raises("InvalidArgumentError", lambda tf, x: tf.tensor_scatter_nd_update(x, [[3]], [[9.0, 8, 7]])),
    raises("InvalidArgumentError", lambda tf, x: tf.tensor_scatter_nd_update(x, [[0]], [9.0])),
    lambda tf, x: tf.tensor_scatter_nd_update(x, [[0]], [[1, 2, 3]]),
    lambda tf, x: tf.tensor_scatter_nd_add(x, [[0], [0]], [[9.0, 8, 7], [1, 1, 1]]),
    raises("InvalidArgumentError", lambda tf, x: tf.tensor_scatter_nd_add(x, [0], [9.0, 8, 7])),
    lambda tf: tf.scatter_nd([[1], [1]], [1.0, 2.0], [4]),
    raises("InvalidArgumentError", lambda tf: tf.scatter_nd([[5]], [1.0], [4])),
    lambda tf, x: tf.slice(x, [0, 1], [1, 2]),
    lambda tf, x: tf.slice(x, [0, 1], [-1, -1]),
    raises("InvalidArgumentError", lambda tf, x: tf.slice(x, [0, 1], [1, 5])),
    raises("InvalidArgumentError", lambda tf, x: tf.slice(x, [-1, 1], [1, 1])),
    raises("InvalidArgumentError", lambda tf, x: tf.slice(x, [0], [1])),
    lambda tf, x: tf.strided_slice(x, [0, 1], [1, 3]),
    lambda tf, x: tf.strided_slice(x, [0, -1], [2, -4], [1, -1]),
    lambda tf, x: tf.strided_slice(x, [0], [1], shrink_axis_mask=1),
    lambda tf, x: tf.strided_slice(x, [1, 0], [0, 2], begin_mask=1, end_mask=1),
    raises("InvalidArgumentError", lambda tf, x: tf.strided_slice(x, [5], [6], shrink_axis_mask=1)),
    lambda tf, x: tf.strided_slice(x, [0, 0, 0], [0, 0, 2], new_axis_mask=1).shape,
    lambda tf: tf.sequence_mask([1, 3, 0], 4),
    raises("InvalidArgumentError", lambda tf, x: tf.gather(x, [], axis=0)),
    lambda tf, x: tf.gather(x, tf.constant([], tf.int32)),
    raises("InvalidArgumentError", lambda tf, x: tf.tensor_scatter_nd_update(x, [0], [9.0, 8, 7])),
    lambda g: g(lambda a: a[1:, ::2] * 3.0, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
    lambda tf, g: tf.convert_to_tensor(g(lambda a: tf.gather(a, [1, 1, 0]) * 2.0, [[1.0, 2.0], [3.0, 4.0]])[0]),
    lambda tf, g: g(lambda a, b: tf.where([True, False], a, b), [1.0, 2.0], [3.0, 4.0]),
]

test_as_tensorflow = harness.test_of(ROWS)


def test_positions_do_not_recompile():
    x, base = tapejax.reshape(tapejax.range(1000.0), [100, 10]), tapejax.constant(0.0)
    seen = []
    for i in range(10):
        seen.append(float(tapejax.reduce_sum(x[i * 5 : (i + 1) * 5, i]) + x[i, -1] + base))
        if i == 2:
            compiled = tapejax.explain().programs_compiled
    assert tapejax.explain().programs_compiled == compiled
    rows = np.arange(1000.0).reshape(100, 10)
    assert seen == [rows[i * 5 : (i + 1) * 5, i].sum() + rows[i, -1] for i in range(10)]


def test_positions_on_the_device():
    x = tapejax.constant([[1.0, 2.0], [3.0, 4.0]])
    at = tapejax.argmax([1.0, 2.0])
    assert x[at].numpy().tolist() == [3.0, 4.0]
    assert tapejax.gather(x, [at, at + 5]).numpy().tolist() == [[3.0, 4.0], [0.0, 0.0]]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize(("shape", "indices"), [((3, 8), [1, 1, 5]), ((2, 3, 5), [[0, 4], [4, 4]]), ((2, 30), [3])])
def test_two_derivatives_along_the_last_axis(tf, shape, indices, dtype):
    def run(t):
        p = t.constant(np.arange(np.prod(shape)).reshape(shape).astype(dtype))
        with t.GradientTape() as outer:
            outer.watch(p)
            with t.GradientTape() as tape:
                tape.watch(p)
                y = t.gather(p, indices, axis=-1)
                z = y * y * y
            slope = tape.gradient(z, p)
        return [y, slope, outer.gradient(slope, p)]

    for ours, theirs in zip(run(tapejax), run(tf), strict=True):
        assert ours.dtype.name == theirs.dtype.name
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5)


def test_look_ups_along_a_symbolic_last_axis_are_exported():
    def f(x):
        return tapejax.gather(x, [0, 2], axis=-1).__jax_array__()

    x = np.arange(20, dtype=np.float32).reshape(2, 10)
    exported = export.export(jax.jit(f))(jax.ShapeDtypeStruct(export.symbolic_shape("2, n + 8"), np.float32))
    np.testing.assert_array_equal(exported.call(x), x[:, [0, 2]])
