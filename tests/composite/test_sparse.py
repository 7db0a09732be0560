"""Sparse tensors against real TensorFlow: value, dtype, shape, exception class, gradient."""

import numpy as np
from support import harness
from support.harness import Case, check, raises

import tapejax

NAMES = {
    "S": lambda tf: tf.SparseTensor([[0, 1], [1, 0], [1, 2]], [1.0, 2.0, 3.0], [2, 3]),
    "U": lambda tf: tf.SparseTensor([[1, 2], [0, 1], [1, 0]], [3.0, 1.0, 2.0], [2, 3]),
    "T": lambda tf: tf.SparseTensor([[0, 0], [1, 0]], [5.0, -2.0], [2, 3]),
    "H": lambda tf: tf.SparseTensor([[0, 1, 0], [0, 2, 1], [1, 0, 1]], [1, 2, 3], [2, 3, 2]),
    "W": lambda tf: tf.SparseTensor([[0, 1], [1, 0]], ["a", "b"], [2, 2]),
    "P": lambda tf: tf.SparseTensor([[0, 0], [0, 1], [2, 0]], [1, 0, 1], [4, 2]),
    "J": lambda tf: tf.SparseTensor([[0, 0], [0, 1], [2, 0]], [1, -1, 1], [4, 2]),
    "K": lambda tf: tf.SparseTensor([[0, 0], [0, 1], [2, 0]], [1.0, 2.0, -3.0], [4, 2]),
    "B": lambda tf: tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
}
ROWS = [
    lambda S: S,
    lambda S: S.shape,
    lambda S: S.dtype.name,
    lambda S: S.get_shape(),
    lambda S: S.with_values([7.0, 8.0, 9.0]),
    raises(ValueError, lambda tf: tf.SparseTensor([[0, 1]], [1.0, 2.0], [2, 3])),
    raises(ValueError, lambda tf: tf.SparseTensor([0, 1], [1.0, 2.0], [2, 3])),
    raises(ValueError, lambda tf: tf.SparseTensor([[0, 1]], [1], [2])),
    lambda tf: tf.SparseTensor(np.zeros((0, 2)), [], [2, 3]),
    lambda tf: tf.SparseTensor(np.array([[0, 1]], np.int32), [1.0], [2, 3]),
    lambda tf, S: tf.SparseTensor.from_value(S),
    raises(TypeError, lambda tf: tf.SparseTensor.from_value(3)),
    lambda tf: tf.sparse.from_dense([[0, 1], [2, 0]]),
    lambda tf, B: tf.sparse.from_dense(B),
    lambda tf: tf.sparse.from_dense(["a", "", "b"]),
    lambda tf: tf.sparse.from_dense([True, False]),
    lambda tf, S: tf.sparse.to_dense(S),
    raises("InvalidArgumentError", lambda tf, U: tf.sparse.to_dense(U)),
    lambda tf, U: tf.sparse.to_dense(U, validate_indices=False),
    lambda tf, S: tf.sparse.to_dense(S, default_value=9.0),
    lambda tf, W: tf.sparse.to_dense(W),
    lambda tf, W: tf.sparse.to_dense(W, default_value="z"),
    raises("InvalidArgumentError", lambda tf: tf.sparse.to_dense(tf.SparseTensor([[0, 5]], [1.0], [2, 3]))),
    raises("InvalidArgumentError", lambda tf: tf.sparse.to_dense(tf.SparseTensor([[0, 1], [0, 1]], [1.0, 1], [2, 3]))),
    lambda tf, H: tf.sparse.to_dense(H),
    raises(TypeError, lambda tf, B: tf.sparse.to_dense(B)),
    lambda tf, U: tf.sparse.reorder(U),
    lambda tf, W: tf.sparse.reorder(W),
    lambda S: S * 2.0,
    lambda S, B: S * B,
    lambda S, B: S / B,
    lambda S, B: B * S,
    lambda S: S * [1.0, 2.0, 3.0],
    raises(ValueError, lambda S: S * S),
    raises(TypeError, lambda S: S + S),
    raises(TypeError, lambda S: S - S),
    raises(TypeError, lambda S: -S),
    raises(TypeError, lambda S: S[0]),
    raises(ValueError, lambda tf, S: tf.add(S, S)),
    raises(ValueError, lambda tf, S: tf.multiply(S, 2.0)),
    raises(ValueError, lambda tf, S: tf.reduce_sum(S)),
    raises(ValueError, lambda tf, S: tf.convert_to_tensor(S)),
    raises(ValueError, lambda tf, S: tf.ones_like(S)),
    raises(ValueError, lambda tf, S: tf.gather(S, [0])),
    raises(ValueError, lambda tf, S: tf.expand_dims(S, 0)),
    raises(ValueError, lambda tf, S: tf.concat([S, S], 0)),
    raises(ValueError, lambda tf, S, B: tf.matmul(S, B, transpose_b=True)),
    lambda tf, S: tf.cast(S, tf.int32),
    lambda tf, T: tf.abs(T),
    lambda tf, S: tf.square(S),
    lambda tf, S: tf.sin(S),
    lambda tf, S: tf.negative(S),
    lambda tf, S: tf.identity(S),
    lambda tf, S: tf.stop_gradient(S),
    lambda tf, S: tf.size(S),
    lambda tf, S: tf.rank(S),
    lambda tf, S: tf.shape(S),
    lambda tf, S: tf.shape(S, out_type=tf.int64),
    raises(ValueError, lambda tf, T: tf.nn.relu(T)),
    raises(ValueError, lambda tf, S: tf.math.log(S)),
    lambda tf, S: tf.is_tensor(S),
    raises(ValueError, lambda tf, S: tf.round(S)),
    raises(ValueError, lambda tf, S: tf.sigmoid(S)),
    lambda tf, S: tf.tanh(S),
    raises(ValueError, lambda tf, T: tf.nn.leaky_relu(T)),
    lambda tf, S: tf.nest.flatten(S, expand_composites=True),
    lambda tf, S, B: len(tf.nest.flatten([S, B])),
    lambda tf, S: tf.nest.map_structure(lambda t: t, S, expand_composites=True),
    lambda tf, S: tf.sparse.add(S, S),
    lambda tf, S, T: tf.sparse.add(S, T),
    lambda tf, S: tf.sparse.add(S, S, threshold=5.0),
    lambda tf, S, B: tf.sparse.add(S, B),
    lambda tf, S, B: tf.sparse.add(B, S),
    raises("InvalidArgumentError", lambda tf, S, H: tf.sparse.add(S, H)),
    raises(TypeError, lambda tf, B: tf.sparse.add(B, B)),
    raises("InvalidArgumentError", lambda tf, S: tf.sparse.add(S, [[1.0, 2.0], [3.0, 4.0]])),
    raises("InvalidArgumentError", lambda tf, S: tf.sparse.add(S, tf.cast(S, tf.int32))),
    lambda tf, H: tf.sparse.add(H, H),
    lambda tf, S, B: tf.sparse.sparse_dense_matmul(S, B, adjoint_b=True),
    lambda tf, S, B: tf.sparse.sparse_dense_matmul(B, S, adjoint_b=True),
    lambda tf, S, B: tf.sparse.sparse_dense_matmul(B, S, adjoint_a=True),
    lambda tf, S, B: tf.sparse.sparse_dense_matmul(S, B, adjoint_a=True),
    raises("InvalidArgumentError", lambda tf, S, B: tf.sparse.sparse_dense_matmul(S, B)),
    raises(
        "InvalidArgumentError",
        lambda tf, S, B: tf.sparse.sparse_dense_matmul(S, tf.cast(B, tf.float64), adjoint_b=True),
    ),
    lambda tf, U, B: tf.sparse.sparse_dense_matmul(U, B, adjoint_b=True),
    raises(
        "InvalidArgumentError",
        lambda tf, c, S: tf.sparse.sparse_dense_matmul(
            tf.cast(S, tf.complex64).with_values([1j, 2.0, 3 - 1j]), tf.cast(c[:, :1], tf.complex64), adjoint_a=True
        ),
    ),  # noqa: E501
    raises("InvalidArgumentError", lambda tf, S, B: tf.sparse.sparse_dense_matmul(S, B[0])),
    lambda tf, S: tf.sparse.reduce_sum(S),
    lambda tf, S: tf.sparse.reduce_sum(S, 1),
    lambda tf, S: tf.sparse.reduce_sum(S, 1, keepdims=True),
    lambda tf, S: tf.sparse.reduce_sum(S, [0, -1]),
    lambda tf, S: tf.sparse.reduce_sum(S, 0, output_is_sparse=True),
    raises("InvalidArgumentError", lambda tf, S: tf.sparse.reduce_sum(S, 5)),
    lambda tf, H: tf.sparse.reduce_sum(H, [1]),
    lambda tf, H: tf.sparse.reduce_sum(H, -1, output_is_sparse=True),
    lambda tf, H: tf.sparse.reduce_sum(H, [0, 1, 2], keepdims=True),
    lambda tf, H: tf.sparse.reduce_sum(H, 1, keepdims=True, output_is_sparse=True),
    lambda tf, S: tf.sparse.reduce_max(S, 0),
    lambda tf, S: tf.sparse.reduce_max(S),
    lambda tf: tf.sparse.reduce_max(tf.sparse.from_dense([[1, 0], [0, 0]]), 1),
    lambda tf, H: tf.sparse.reduce_max(H, 0),
    lambda tf, T: tf.sparse.reduce_max(T, 1),
    lambda tf, S: tf.sparse.concat(0, [S, S]),
    lambda tf, S: tf.sparse.concat(1, [S, S]),
    lambda tf, S, U: tf.sparse.concat(-1, [S, U]),
    raises("InvalidArgumentError", lambda tf, S: tf.sparse.concat(0, [S, tf.sparse.eye(2)])),
    lambda tf, S: tf.sparse.concat(0, [S, tf.sparse.eye(2)], expand_nonconcat_dims=True),
    raises("InvalidArgumentError", lambda tf, S: tf.sparse.concat(5, [S, S])),
    lambda tf, S: tf.sparse.concat(0, [S]),
    raises("InvalidArgumentError", lambda tf, S, H: tf.sparse.concat(0, [S, H])),
    lambda tf, W: tf.sparse.concat(1, [W, W]),
    lambda tf, S: tf.sparse.slice(S, [0, 1], [2, 2]),
    lambda tf, S: tf.sparse.slice(S, [1, 1], [5, 5]),
    raises("InvalidArgumentError", lambda tf, S: tf.sparse.slice(S, [0], [1])),
    lambda tf, W: tf.sparse.slice(W, [1, 0], [1, 1]),
    lambda tf, S: tf.sparse.reshape(S, [3, -1]),
    raises("InvalidArgumentError", lambda tf, S: tf.sparse.reshape(S, [4])),
    lambda tf, S: tf.sparse.reshape(S, [-1]),
    lambda tf, H: tf.sparse.reshape(H, [6, 2]),
    raises("InvalidArgumentError", lambda tf, S: tf.sparse.reshape(S, [-1, -1])),
    lambda tf, S: tf.sparse.reshape(S, (1, 2, 3)),
    lambda tf, S: tf.sparse.transpose(S),
    lambda tf, S: tf.sparse.transpose(S, [1, 0]),
    lambda tf, H: tf.sparse.transpose(H, [2, 0, 1]),
    lambda tf, S: tf.sparse.retain(S, [True, False, True]),
    raises(ValueError, lambda tf, S: tf.sparse.retain(S, [True, False])),
    lambda tf: tf.sparse.fill_empty_rows(tf.SparseTensor([[0, 1], [2, 0]], [1.0, 2.0], [4, 3]), 7.0),
    lambda tf: tf.sparse.fill_empty_rows(tf.SparseTensor([[0, 1], [2, 0]], ["x", "y"], [4, 3]), "-"),
    lambda tf, S: tf.sparse.fill_empty_rows(S, 0.0),
    lambda tf, S: tf.sparse.expand_dims(S),
    lambda tf, S: tf.sparse.expand_dims(S, 0),
    lambda tf, S: tf.sparse.expand_dims(S, 1),
    lambda tf, S: tf.sparse.expand_dims(S, -2),
    raises("InvalidArgumentError", lambda tf, S: tf.sparse.expand_dims(S, 5)),
    lambda tf: tf.sparse.eye(2, 3),
    lambda tf: tf.sparse.eye(3, dtype=tf.int32),
    lambda tf, S: tf.sparse.reset_shape(S),
    lambda tf, S: tf.sparse.reset_shape(S, [4, 5]),
    raises(ValueError, lambda tf, S: tf.sparse.reset_shape(S, [1, 5])),
    raises(ValueError, lambda tf, S: tf.sparse.reset_shape(S, [5])),
    lambda tf, T: tf.sparse.reset_shape(T),
    lambda tf, S: tf.sparse.softmax(S),
    lambda tf, H: tf.sparse.softmax(tf.cast(H, tf.float32)),
    lambda tf, S: tf.sparse.split(S, 3, axis=1),
    lambda tf, S: tf.sparse.split(S, 2, axis=1),
    lambda tf, S: tf.sparse.split(S, 2, axis=0),
    raises("InvalidArgumentError", lambda tf, S: tf.sparse.split(S, 9, axis=0)),
    lambda tf, S, T: tf.sparse.maximum(S, T),
    lambda tf, S, T: tf.sparse.minimum(S, T),
    raises("InvalidArgumentError", lambda tf, S, H: tf.sparse.maximum(S, H)),
    lambda tf, S: tf.sparse.map_values(tf.square, S),
    lambda tf, S: tf.sparse.map_values(tf.add, S, S),
    raises("InvalidArgumentError", lambda tf, S, T: tf.sparse.map_values(tf.add, S, T)),
    lambda tf, S: tf.sparse.map_values(tf.add, S, 2.0),
    raises(ValueError, lambda tf, B: tf.sparse.map_values(tf.add, B, 2.0)),
    lambda tf: tf.sparse.to_indicator(tf.SparseTensor([[0, 0], [1, 1]], [1, 2], [2, 3]), 4),
    lambda tf, H: tf.sparse.to_indicator(H, 4),
    lambda tf: tf.sparse.bincount(tf.SparseTensor([[0, 0], [1, 1]], [1, 2], [2, 3])),
    lambda tf: tf.sparse.bincount(tf.constant([[1, 1], [2, 0]])),
    lambda tf, ti: tf.sparse.bincount(ti, axis=-1),
    lambda tf, ti: tf.sparse.bincount(ti, axis=-1, maxlength=4),
    lambda tf, ti: tf.sparse.bincount(ti, minlength=9),
    lambda tf: tf.sparse.bincount([1, 1, 2], weights=[0.5, 1.0, 2.0]),
    lambda tf: tf.sparse.bincount([1, 1, 2], binary_output=True),
    lambda tf: tf.sparse.bincount(tf.SparseTensor([[0, 0], [1, 1]], [1, 2], [2, 3]), axis=-1),
    lambda tf, B: tf.sparse.segment_sum(B, [0, 1], [0, 0]),
    lambda tf, B: tf.sparse.segment_mean(B, [0, 1], [0, 2]),
    lambda tf, B: tf.sparse.segment_sqrt_n(B, [0, 1], [0, 0], num_segments=3),
    raises("InvalidArgumentError", lambda tf, B: tf.sparse.segment_sum(B, [0, 1], [1, 0])),
    raises("InvalidArgumentError", lambda tf, B: tf.sparse.segment_sum(B, [0, 1], [0, 3], num_segments=2)),
    lambda tf, B: tf.sparse.segment_sum(B, [0, 1, 1], [0, 2, 2]),
    lambda tf, P, B: tf.nn.embedding_lookup_sparse(B, P, None),
    lambda tf, P, B: tf.nn.embedding_lookup_sparse(B, P, None, combiner="sum"),
    lambda tf, P, K, B: tf.nn.embedding_lookup_sparse(B, P, K, combiner="sqrtn"),
    lambda tf, P, K, B: tf.nn.embedding_lookup_sparse(B, P, K),
    lambda tf, P, K, B: tf.nn.embedding_lookup_sparse(B, P, K, combiner="sum", max_norm=2.0),
    raises(ValueError, lambda tf, P, B: tf.nn.embedding_lookup_sparse(B, P, None, combiner="foo")),
    raises(TypeError, lambda tf, ti, B: tf.nn.embedding_lookup_sparse(B, ti, None)),
    lambda tf, J, B: tf.nn.safe_embedding_lookup_sparse(B, J),
    lambda tf, J, B: tf.nn.safe_embedding_lookup_sparse(B, J, default_id=0),
    lambda tf, J, K, B: tf.nn.safe_embedding_lookup_sparse(B, J, K),
    lambda tf, J, K, B: tf.nn.safe_embedding_lookup_sparse(B, J, K, combiner="sum"),
    lambda tf, J, B: tf.nn.safe_embedding_lookup_sparse(B, tf.sparse.expand_dims(J, 1)),
    lambda tf, S: tf.SparseTensorSpec([2, 3], tf.float32) == tf.SparseTensorSpec.from_value(S),
    lambda tf, S: tf.SparseTensorSpec([2, None]).is_compatible_with(S),
    lambda tf, H: tf.SparseTensorSpec([2, None]).is_compatible_with(H),
    lambda tf: tf.SparseTensorSpec([2, None]).shape,
    lambda tf: repr(tf.SparseTensorSpec([2, None])),
    lambda tf: repr(tf.SparseTensorSpec()),
    lambda tf, g, S: g(lambda v: tf.sparse.to_dense(S.with_values(v)) ** 2, [1.0, 2.0, 3.0]),
    lambda tf, g, S: g(lambda v, d: tf.sparse.to_dense(S.with_values(v), default_value=d) ** 2, [1.0, 2.0, 3.0], 5.0),
    lambda tf, g, S: g(
        lambda v, b: tf.sparse.sparse_dense_matmul(S.with_values(v), b, adjoint_b=True) ** 2,
        [1.0, 2.0, 3.0],
        [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
    ),  # noqa: E501
    lambda tf, g, S: g(
        lambda v, b: tf.sparse.sparse_dense_matmul(S.with_values(v), b, adjoint_a=True) ** 2,
        [1.0, 2.0, 3.0],
        [[1.0, 2.0], [4.0, 5.0]],
    ),
    lambda tf, g, S: g(lambda v: tf.sparse.reduce_sum(S.with_values(v), 1) ** 2, [1.0, 2.0, 3.0]),
    lambda tf, g, S, T: g(lambda v: tf.sparse.add(S.with_values(v), T).values ** 2, [1.0, 2.0, 3.0]),
    lambda tf, g, S: g(
        lambda v, b: tf.sparse.add(S.with_values(v), b) ** 2, [1.0, 2.0, 3.0], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    ),
    lambda tf, g, S: g(lambda v: tf.sparse.slice(S.with_values(v), [0, 1], [2, 2]).values ** 2, [1.0, 2.0, 3.0]),
    lambda tf, g, S: g(lambda v: tf.sparse.transpose(S.with_values(v)).values ** 2, [1.0, 2.0, 3.0]),
    lambda tf, g, U: g(lambda v: tf.sparse.reorder(U.with_values(v)).values ** 2, [1.0, 2.0, 3.0]),
    lambda tf, g, U: g(lambda v: tf.sparse.retain(U.with_values(v), [True, False, True]).values ** 2, [1.0, 2.0, 3.0]),
    lambda tf, g, S: g(lambda v: tf.sparse.softmax(S.with_values(v)).values ** 2, [1.0, 2.0, 3.0]),
    lambda g, S, B: g(lambda v: (S.with_values(v) * B).values ** 2, [1.0, 2.0, 3.0]),
    lambda g, S: g(lambda b: (S * b).values ** 2, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
    lambda tf, g, S: g(lambda v: tf.square(S.with_values(v)).values, [1.0, 2.0, 3.0]),
    lambda tf, g: g(lambda b: tf.sparse.from_dense(b).values ** 2, [[1.0, 0.0, 3.0]]),
    lambda tf, g: g(lambda b: tf.sparse.segment_mean(b, [0, 1, 1], [0, 0, 1]) ** 2, [[1.0, 0.0, 3.0], [2.0, 1.0, 1.0]]),
    lambda tf, g, P: [
        tf.convert_to_tensor(t)
        for t in g(lambda b: tf.nn.embedding_lookup_sparse(b, P, None) ** 2, [[1.0, 0.0, 3.0], [2.0, 1.0, 1.0]])
    ],  # noqa: E501
    lambda tf, g, P, K: [
        tf.convert_to_tensor(t)
        for t in g(
            lambda b, w: tf.nn.embedding_lookup_sparse(b, P, K.with_values(w), combiner="sqrtn") ** 2,
            [[1.0, 0.0, 3.0], [2.0, 1.0, 1.0]],
            [1.0, 2.0, 3.0],
        )
    ],  # noqa: E501
    lambda tf, g: g(
        lambda v: tf.sparse.fill_empty_rows(tf.SparseTensor([[0, 1], [2, 0], [2, 1]], v, [4, 3]), 7.0)[0].values ** 2,
        [1.0, 2.0, 3.0],
    ),
]

test_as_tensorflow = harness.test_of(ROWS, **NAMES)


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
