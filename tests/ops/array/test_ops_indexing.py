"""Indexing, gathering, choosing and scattering against real TensorFlow."""

import jax
import numpy as np
import pytest
from jax import export
from support import expressions

import tapejax

ROWS = [
    "x[-3]",
    "x[[0,1]]",
    "x[1.0]",
    "x[True]",
    "x['a']",
    "x[np.array([True,False])]",
    "x[tf.constant([True,False])]",
    "x[i]",
    "x[0,0,0]",
    "x[...,...]",
    "x[np.int64(1)]",
    "x[tf.constant(1.0)]",
    "x[0:1:0]",
    "x[1.5:2]",
    "x[tf.constant([1])]",
    "x[None,...,0]",
    "x[5:]",
    "x[-10:10]",
    "x[::-2]",
    "i[tf.constant(5)]",
    "tf.gather(x,[0,2])",
    "tf.gather(x,[-1])",
    "tf.gather(x,[0],axis=2)",
    "tf.gather(x,[2,0],axis=1)",
    "tf.gather(x,[2,0],axis=-1)",
    "tf.gather(x,1.0)",
    "tf.gather(b,tf.zeros([2,5],tf.int32),batch_dims=1).shape",
    "tf.gather(b,tf.zeros([2,5],tf.int32),axis=2,batch_dims=1).shape",
    "tf.gather(b,tf.zeros([3,5],tf.int32),batch_dims=1).shape",
    "tf.gather(b,tf.zeros([2,5],tf.int32),batch_dims=-1).shape",
    "tf.gather(tf.constant(1.),0)",
    "tf.gather_nd(x,[[0,1],[1,2]])",
    "tf.gather_nd(x,[[0],[1]])",
    "tf.gather_nd(x,[[0,3]])",
    "tf.gather_nd(x,[0,0,0])",
    "tf.gather_nd(x,[[-1,0]])",
    "tf.gather_nd(b,tf.zeros([2,5,1],tf.int32),batch_dims=1).shape",
    "tf.where(x>2)",
    "tf.where(x)",
    "tf.where(x>2,x,0.)",
    "tf.where(x>2,x,0)",
    "tf.where(x>2,1,0)",
    "tf.where([True,False],1,2.)",
    "tf.where(x,x,x)",
    "tf.where(x>2,x)",
    "tf.where([True,False],x,x)",
    "tf.where(x>2,x,tf.zeros([4]))",
    "tf.where(x>2,x,i)",
    "tf.boolean_mask(x,[True,False])",
    "tf.boolean_mask(x,[True,False,True],axis=1)",
    "tf.boolean_mask(x,x>2)",
    "tf.boolean_mask(x,[True])",
    "tf.boolean_mask(x,True)",
    "tf.boolean_mask(x,[1,0])",
    "tf.boolean_mask(x,[False,False])",
    "tf.tensor_scatter_nd_update(x,[[0,1]],[9.])",
    "tf.tensor_scatter_nd_update(x,[[0]],[[9.,8,7]])",
    "tf.tensor_scatter_nd_update(x,[[3]],[[9.,8,7]])",
    "tf.tensor_scatter_nd_update(x,[[0]],[9.])",
    "tf.tensor_scatter_nd_update(x,[[0]],[[1,2,3]])",
    "tf.tensor_scatter_nd_add(x,[[0],[0]],[[9.,8,7],[1,1,1]])",
    "tf.tensor_scatter_nd_add(x,[0],[9.,8,7])",
    "tf.scatter_nd([[1],[1]],[1.,2.],[4])",
    "tf.scatter_nd([[5]],[1.],[4])",
    "tf.slice(x,[0,1],[1,2])",
    "tf.slice(x,[0,1],[-1,-1])",
    "tf.slice(x,[0,1],[1,5])",
    "tf.slice(x,[-1,1],[1,1])",
    "tf.slice(x,[0],[1])",
    "tf.strided_slice(x,[0,1],[1,3])",
    "tf.strided_slice(x,[0,-1],[2,-4],[1,-1])",
    "tf.strided_slice(x,[0],[1],shrink_axis_mask=1)",
    "tf.strided_slice(x,[1,0],[0,2],begin_mask=1,end_mask=1)",
    "tf.strided_slice(x,[5],[6],shrink_axis_mask=1)",
    "tf.strided_slice(x,[0,0,0],[0,0,2],new_axis_mask=1).shape",
    "tf.sequence_mask([1,3,0],4)",
    "g(lambda a,u:tf.tensor_scatter_nd_update(a,[[0],[0]],u),[1.,2.],[3.,4.])",
    "tf.gather(x,[],axis=0)",
    "tf.gather(x,tf.constant([],tf.int32))",
    "tf.tensor_scatter_nd_update(x,[0],[9.,8,7])",
    "g(lambda a:a[1:,::2]*3.0,[[1.,2.,3.],[4.,5.,6.]])",
    "tf.convert_to_tensor(g(lambda a:tf.gather(a,[1,1,0])*2.0,[[1.,2.],[3.,4.]])[0])",
    "g(lambda a,b:tf.where([True,False],a,b),[1.,2.],[3.,4.])",
]

test_as_tensorflow = expressions.test_of(ROWS)


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
