"""Sparse tensors against real TensorFlow: value, dtype, shape, exception class, gradient."""

import doctest
import importlib

import expressions
import numpy as np
import pytest
from parity import Case, check

import tapejax

NAMES = {
    "S": lambda tf: tf.SparseTensor([[0, 1], [1, 0], [1, 2]], [1.0, 2.0, 3.0], [2, 3]),
    "U": lambda tf: tf.SparseTensor([[1, 2], [0, 1], [1, 0]], [3.0, 1.0, 2.0], [2, 3]),
    "T": lambda tf: tf.SparseTensor([[0, 0], [1, 0]], [5.0, -2.0], [2, 3]),
    "H": lambda tf: tf.SparseTensor([[0, 1, 0], [0, 2, 1], [1, 0, 1]], [1, 2, 3], [2, 3, 2]),
    "W": lambda tf: tf.SparseTensor([[0, 1], [1, 0]], ["a", "b"], [2, 2]),
    "I": lambda tf: tf.SparseTensor([[0, 0], [0, 1], [2, 0]], [1, 0, 1], [4, 2]),
    "J": lambda tf: tf.SparseTensor([[0, 0], [0, 1], [2, 0]], [1, -1, 1], [4, 2]),
    "K": lambda tf: tf.SparseTensor([[0, 0], [0, 1], [2, 0]], [1.0, 2.0, -3.0], [4, 2]),
    "B": lambda tf: tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
}
ROWS = [
    'S',
    'S.shape',
    'S.dtype.name',
    'S.get_shape()',
    'S.with_values([7.,8.,9.])',
    'tf.SparseTensor([[0,1]],[1.,2.],[2,3])',
    'tf.SparseTensor([0,1],[1.,2.],[2,3])',
    'tf.SparseTensor([[0,1]],[1],[2])',
    'tf.SparseTensor(np.zeros((0,2)),[],[2,3])',
    'tf.SparseTensor(np.array([[0,1]],np.int32),[1.],[2,3])',
    'tf.SparseTensor.from_value(S)',
    'tf.SparseTensor.from_value(3)',
    'tf.sparse.from_dense([[0,1],[2,0]])',
    'tf.sparse.from_dense(B)',
    'tf.sparse.from_dense(["a","","b"])',
    'tf.sparse.from_dense([True,False])',
    'tf.sparse.to_dense(S)',
    'tf.sparse.to_dense(U)',
    'tf.sparse.to_dense(U,validate_indices=False)',
    'tf.sparse.to_dense(S,default_value=9.)',
    'tf.sparse.to_dense(W)',
    'tf.sparse.to_dense(W,default_value="z")',
    'tf.sparse.to_dense(tf.SparseTensor([[0,5]],[1.],[2,3]))',
    'tf.sparse.to_dense(tf.SparseTensor([[0,1],[0,1]],[1.,1],[2,3]))',
    'tf.sparse.to_dense(H)',
    'tf.sparse.to_dense(B)',
    'tf.sparse.reorder(U)',
    'tf.sparse.reorder(W)',
    'S*2.',
    'S*B',
    'S/B',
    'B*S',
    'S*[1.,2.,3.]',
    'S*S',
    'S+S',
    'S-S',
    '-S',
    'S[0]',
    'tf.add(S,S)',
    'tf.multiply(S,2.)',
    'tf.reduce_sum(S)',
    'tf.convert_to_tensor(S)',
    'tf.ones_like(S)',
    'tf.gather(S,[0])',
    'tf.expand_dims(S,0)',
    'tf.concat([S,S],0)',
    'tf.matmul(S,B,transpose_b=True)',
    'tf.cast(S,tf.int32)',
    'tf.abs(T)',
    'tf.square(S)',
    'tf.sin(S)',
    'tf.negative(S)',
    'tf.identity(S)',
    'tf.stop_gradient(S)',
    'tf.size(S)',
    'tf.rank(S)',
    'tf.shape(S)',
    'tf.shape(S,out_type=tf.int64)',
    'tf.nn.relu(T)',
    'tf.math.log(S)',
    'tf.is_tensor(S)',
    'tf.round(S)',
    'tf.sigmoid(S)',
    'tf.tanh(S)',
    'tf.nn.leaky_relu(T)',
    'tf.nest.flatten(S,expand_composites=True)',
    'len(tf.nest.flatten([S,B]))',
    'tf.nest.map_structure(lambda t:t,S,expand_composites=True)',
    'tf.sparse.add(S,S)',
    'tf.sparse.add(S,T)',
    'tf.sparse.add(S,S,threshold=5.)',
    'tf.sparse.add(S,B)',
    'tf.sparse.add(B,S)',
    'tf.sparse.add(S,H)',
    'tf.sparse.add(B,B)',
    'tf.sparse.add(S,[[1.,2.],[3.,4.]])',
    'tf.sparse.add(S,tf.cast(S,tf.int32))',
    'tf.sparse.add(H,H)',
    'tf.sparse.sparse_dense_matmul(S,B,adjoint_b=True)',
    'tf.sparse.sparse_dense_matmul(B,S,adjoint_b=True)',
    'tf.sparse.sparse_dense_matmul(B,S,adjoint_a=True)',
    'tf.sparse.sparse_dense_matmul(S,B,adjoint_a=True)',
    'tf.sparse.sparse_dense_matmul(S,B)',
    'tf.sparse.sparse_dense_matmul(S,tf.cast(B,tf.float64),adjoint_b=True)',
    'tf.sparse.sparse_dense_matmul(U,B,adjoint_b=True)',
    'tf.sparse.sparse_dense_matmul(tf.cast(S,tf.complex64).with_values([1j,2.,3-1j]),tf.cast(c[:,:1],tf.complex64),adjoint_a=True)',  # noqa: E501
    'tf.sparse.sparse_dense_matmul(S,B[0])',
    'tf.sparse.reduce_sum(S)',
    'tf.sparse.reduce_sum(S,1)',
    'tf.sparse.reduce_sum(S,1,keepdims=True)',
    'tf.sparse.reduce_sum(S,[0,-1])',
    'tf.sparse.reduce_sum(S,0,output_is_sparse=True)',
    'tf.sparse.reduce_sum(S,5)',
    'tf.sparse.reduce_sum(H,[1])',
    'tf.sparse.reduce_sum(H,-1,output_is_sparse=True)',
    'tf.sparse.reduce_sum(H,[0,1,2],keepdims=True)',
    'tf.sparse.reduce_sum(H,1,keepdims=True,output_is_sparse=True)',
    'tf.sparse.reduce_max(S,0)',
    'tf.sparse.reduce_max(S)',
    'tf.sparse.reduce_max(tf.sparse.from_dense([[1,0],[0,0]]),1)',
    'tf.sparse.reduce_max(H,0)',
    'tf.sparse.reduce_max(T,1)',
    'tf.sparse.concat(0,[S,S])',
    'tf.sparse.concat(1,[S,S])',
    'tf.sparse.concat(-1,[S,U])',
    'tf.sparse.concat(0,[S,tf.sparse.eye(2)])',
    'tf.sparse.concat(0,[S,tf.sparse.eye(2)],expand_nonconcat_dims=True)',
    'tf.sparse.concat(5,[S,S])',
    'tf.sparse.concat(0,[S])',
    'tf.sparse.concat(0,[S,H])',
    'tf.sparse.concat(1,[W,W])',
    'tf.sparse.slice(S,[0,1],[2,2])',
    'tf.sparse.slice(S,[1,1],[5,5])',
    'tf.sparse.slice(S,[0],[1])',
    'tf.sparse.slice(W,[1,0],[1,1])',
    'tf.sparse.reshape(S,[3,-1])',
    'tf.sparse.reshape(S,[4])',
    'tf.sparse.reshape(S,[-1])',
    'tf.sparse.reshape(H,[6,2])',
    'tf.sparse.reshape(S,[-1,-1])',
    'tf.sparse.reshape(S,(1,2,3))',
    'tf.sparse.transpose(S)',
    'tf.sparse.transpose(S,[1,0])',
    'tf.sparse.transpose(H,[2,0,1])',
    'tf.sparse.retain(S,[True,False,True])',
    'tf.sparse.retain(S,[True,False])',
    'tf.sparse.fill_empty_rows(tf.SparseTensor([[0,1],[2,0]],[1.,2.],[4,3]),7.)',
    'tf.sparse.fill_empty_rows(tf.SparseTensor([[0,1],[2,0]],["x","y"],[4,3]),"-")',
    'tf.sparse.fill_empty_rows(S,0.)',
    'tf.sparse.expand_dims(S)',
    'tf.sparse.expand_dims(S,0)',
    'tf.sparse.expand_dims(S,1)',
    'tf.sparse.expand_dims(S,-2)',
    'tf.sparse.expand_dims(S,5)',
    'tf.sparse.eye(2,3)',
    'tf.sparse.eye(3,dtype=tf.int32)',
    'tf.sparse.reset_shape(S)',
    'tf.sparse.reset_shape(S,[4,5])',
    'tf.sparse.reset_shape(S,[1,5])',
    'tf.sparse.reset_shape(S,[5])',
    'tf.sparse.reset_shape(T)',
    'tf.sparse.softmax(S)',
    'tf.sparse.softmax(tf.cast(H,tf.float32))',
    'tf.sparse.split(S,3,axis=1)',
    'tf.sparse.split(S,2,axis=1)',
    'tf.sparse.split(S,2,axis=0)',
    'tf.sparse.split(S,9,axis=0)',
    'tf.sparse.maximum(S,T)',
    'tf.sparse.minimum(S,T)',
    'tf.sparse.maximum(S,H)',
    'tf.sparse.map_values(tf.square,S)',
    'tf.sparse.map_values(tf.add,S,S)',
    'tf.sparse.map_values(tf.add,S,T)',
    'tf.sparse.map_values(tf.add,S,2.)',
    'tf.sparse.map_values(tf.add,B,2.)',
    'tf.sparse.to_indicator(tf.SparseTensor([[0,0],[1,1]],[1,2],[2,3]),4)',
    'tf.sparse.to_indicator(H,4)',
    'tf.sparse.bincount(tf.SparseTensor([[0,0],[1,1]],[1,2],[2,3]))',
    'tf.sparse.bincount(tf.constant([[1,1],[2,0]]))',
    'tf.sparse.bincount(ti,axis=-1)',
    'tf.sparse.bincount(ti,axis=-1,maxlength=4)',
    'tf.sparse.bincount(ti,minlength=9)',
    'tf.sparse.bincount([1,1,2],weights=[.5,1.,2.])',
    'tf.sparse.bincount([1,1,2],binary_output=True)',
    'tf.sparse.bincount(tf.SparseTensor([[0,0],[1,1]],[1,2],[2,3]),axis=-1)',
    'tf.sparse.segment_sum(B,[0,1],[0,0])',
    'tf.sparse.segment_mean(B,[0,1],[0,2])',
    'tf.sparse.segment_sqrt_n(B,[0,1],[0,0],num_segments=3)',
    'tf.sparse.segment_sum(B,[0,1],[1,0])',
    'tf.sparse.segment_sum(B,[0,1],[0,3],num_segments=2)',
    'tf.sparse.segment_sum(B,[0,1,1],[0,2,2])',
    'tf.nn.embedding_lookup_sparse(B,I,None)',
    "tf.nn.embedding_lookup_sparse(B,I,None,combiner='sum')",
    "tf.nn.embedding_lookup_sparse(B,I,K,combiner='sqrtn')",
    'tf.nn.embedding_lookup_sparse(B,I,K)',
    "tf.nn.embedding_lookup_sparse(B,I,K,combiner='sum',max_norm=2.)",
    "tf.nn.embedding_lookup_sparse(B,I,None,combiner='foo')",
    'tf.nn.embedding_lookup_sparse(B,ti,None)',
    'tf.nn.safe_embedding_lookup_sparse(B,J)',
    'tf.nn.safe_embedding_lookup_sparse(B,J,default_id=0)',
    'tf.nn.safe_embedding_lookup_sparse(B,J,K)',
    "tf.nn.safe_embedding_lookup_sparse(B,J,K,combiner='sum')",
    'tf.nn.safe_embedding_lookup_sparse(B,tf.sparse.expand_dims(J,1))',
    'tf.SparseTensorSpec([2,3],tf.float32)==tf.SparseTensorSpec.from_value(S)',
    'tf.SparseTensorSpec([2,None]).is_compatible_with(S)',
    'tf.SparseTensorSpec([2,None]).is_compatible_with(H)',
    'tf.SparseTensorSpec([2,None]).shape',
    'repr(tf.SparseTensorSpec([2,None]))',
    'repr(tf.SparseTensorSpec())',
    'g(lambda v: tf.sparse.to_dense(S.with_values(v))**2,[1.,2.,3.])',
    'g(lambda v,d: tf.sparse.to_dense(S.with_values(v),default_value=d)**2,[1.,2.,3.],5.)',
    'g(lambda v,b: tf.sparse.sparse_dense_matmul(S.with_values(v),b,adjoint_b=True)**2,[1.,2.,3.],[[1.,2.,3.],[4.,5.,6.]])',  # noqa: E501
    'g(lambda v,b: tf.sparse.sparse_dense_matmul(S.with_values(v),b,adjoint_a=True)**2,[1.,2.,3.],[[1.,2.],[4.,5.]])',
    'g(lambda v: tf.sparse.reduce_sum(S.with_values(v),1)**2,[1.,2.,3.])',
    'g(lambda v: tf.sparse.add(S.with_values(v),T).values**2,[1.,2.,3.])',
    'g(lambda v,b: tf.sparse.add(S.with_values(v),b)**2,[1.,2.,3.],[[1.,2.,3.],[4.,5.,6.]])',
    'g(lambda v: tf.sparse.slice(S.with_values(v),[0,1],[2,2]).values**2,[1.,2.,3.])',
    'g(lambda v: tf.sparse.transpose(S.with_values(v)).values**2,[1.,2.,3.])',
    'g(lambda v: tf.sparse.reorder(U.with_values(v)).values**2,[1.,2.,3.])',
    'g(lambda v: tf.sparse.retain(U.with_values(v),[True,False,True]).values**2,[1.,2.,3.])',
    'g(lambda v: tf.sparse.softmax(S.with_values(v)).values**2,[1.,2.,3.])',
    'g(lambda v: (S.with_values(v)*B).values**2,[1.,2.,3.])',
    'g(lambda b: (S*b).values**2,[[1.,2.,3.],[4.,5.,6.]])',
    'g(lambda v: tf.square(S.with_values(v)).values,[1.,2.,3.])',
    'g(lambda b: tf.sparse.from_dense(b).values**2,[[1.,0.,3.]])',
    'g(lambda b: tf.sparse.segment_mean(b,[0,1,1],[0,0,1])**2,[[1.,0.,3.],[2.,1.,1.]])',
    '[tf.convert_to_tensor(t) for t in g(lambda b: tf.nn.embedding_lookup_sparse(b,I,None)**2,[[1.,0.,3.],[2.,1.,1.]])]',  # noqa: E501
    "[tf.convert_to_tensor(t) for t in g(lambda b,w: tf.nn.embedding_lookup_sparse(b,I,K.with_values(w),combiner='sqrtn')**2,[[1.,0.,3.],[2.,1.,1.]],[1.,2.,3.])]",  # noqa: E501
    'g(lambda v: tf.sparse.fill_empty_rows(tf.SparseTensor([[0,1],[2,0],[2,1]],v,[4,3]),7.)[0].values**2,[1.,2.,3.])',
]

test_as_tensorflow = expressions.test_of(ROWS, **NAMES)


def test_second_derivatives_of_a_product(tf):
    at, b = [[0, 1], [1, 0], [1, 2]], np.arange(6.0).reshape(3, 2) / 5

    def product(module, values, dense):
        return module.sparse.sparse_dense_matmul(module.SparseTensor(at, values, [2, 3]), dense) ** 3

    check(tf, Case("product", product, [np.array([1.0, 2.0, 3.0]), b]))


def test_indices_out_of_order_are_put_in_order_with_their_values():
    sp = tapejax.SparseTensor([[1, 0], [0, 1]], [5.0, 7.0], [2, 2])
    assert tapejax.sparse.reorder(sp).values.numpy().tolist() == [7.0, 5.0]


def test_printing_an_error_computes_nothing():
    sp = tapejax.SparseTensor([[0]], tapejax.sin([1.0]), [2])
    before = sum(tapejax.explain().flushes.values())
    try:
        tapejax.reduce_sum(sp)
    except ValueError as error:
        assert "SparseTensor" in str(error)
    assert sum(tapejax.explain().flushes.values()) == before


def test_a_function_takes_and_returns_sparse_tensors():
    @tapejax.function
    def double(sp):
        return sp.with_values(sp.values * 2.0)

    out = double(tapejax.SparseTensor([[0, 1]], [3.0], [2, 2]))
    assert tapejax.sparse.to_dense(out).numpy().tolist() == [[0.0, 6.0], [0.0, 0.0]]


@pytest.mark.parametrize("name", ("tensor", "layout", "arithmetic", "lookup"))
def test_examples(name):
    results = doctest.testmod(importlib.import_module(f"tapejax.sparse.{name}"))
    assert results.attempted and not results.failed
