"""`tf.experimental.numpy` against real TensorFlow: value, dtype, shape, gradient."""

import expressions

ROWS = [f"tf.experimental.numpy.{row}" for row in [
    "asarray([1., 2.])", "asarray([1, 2])", "asarray(x)", "array([[1, 2]], ndmin=3)", "array(x, dtype=tf.int32)",
    "array([1, 2], dtype=np.float32)", "ones([2, 3])", "zeros((2,))", "ones([2], dtype=tf.int32)", "zeros(tf.shape(x))",
    "ones_like(x)", "zeros_like(x)", "full([2], 3.)", "eye(3)", "arange(5)", "arange(1., 2., .25)", "identity(2)",
    "linspace(0., 1., 5)", "take(x, [0, 2], axis=1)", "expand_dims(x, 1)", "sqrt(x)", "square(x)", "sum(x)",
    "sum(x, axis=0)", "sum(x, axis=1, keepdims=True)", "copy(x)", "moveaxis(b, 0, 2)", "swapaxes(b, 0, 1)", "diff(x)",
    "log2(x)", "log10(x)", "log(x)", "exp(x)", "where(x > 2., x, 0.)", "concatenate([x, x])",
    "concatenate([x, x], axis=1)", "stack([x, x])", "hstack([x, x])", "vstack([x, x])", "reshape(x, [3, -1])",
    "reshape(x, -1)", "broadcast_to(x, [2, 2, 3])", "prod(x)", "mean(x)", "max(x)", "min(x, axis=1)", "std(x)",
    "var(x, axis=0)", "tril(m)", "triu(m)", "add(x, x)", "multiply(x, 2.)", "matmul(x, x.numpy().T)", "dot(v, v)",
    "all(x > 0.)", "any(x > 5.)", "cos(x)", "sin(x)", "sinc(v)", "equal(x, x)", "greater(x, 2.)", "imag(c)", "real(c)",
    "logical_and(x > 1., x < 3.)", "maximum(x, 2.)", "sort([3., 1., 2.])", "argsort([3., 1., 2.])", "transpose(x)",
    "transpose(b, [2, 0, 1])", "atleast_1d(1.)", "atleast_2d(v)", "cumsum(x, axis=1)", "flip(x)", "roll(x, 1, axis=0)",
    "tile(v, [2])", "repeat(v, 2)", "meshgrid([1., 2.], [3., 4.])", "outer(v, v)", "clip(x, 2., 4.)", "isnan(x)",
    "argmax(x, axis=1)", "nonzero([0., 1., 2.])", "einsum('ij->i', x)", "split(x, 3, axis=1)", "select([x > 2.], [x])",
    "abs(-x)", "squeeze([[1., 2.]])", "ravel(x)", "float32 == np.float32", "newaxis", "pi",
    "finfo(tf.float32.as_numpy_dtype).eps > 0",
    "random.seed(3) or tf.experimental.numpy.random.randn(2, 2)",
    "random.seed(3) or tf.experimental.numpy.random.rand(3)",
    "random.seed(3) or tf.experimental.numpy.random.randint(0, 10, (4,))",
    "random.seed(3) or tf.experimental.numpy.random.uniform(1., 2., (3,))",
    "isfinite(x)", "tensordot(x, x, [[1], [1]])", "diag(v)", "trace(m)", "ptp(x)", "allclose(x, x)",
    "power(x, 2.)", "heaviside(x - 2., .5)", "not_a_function",
]]
ROWS += [
    "isinstance(x, tf.experimental.numpy.ndarray)",
    "g(lambda a: tf.experimental.numpy.sum(tf.experimental.numpy.sin(a) * a), [1., 2.])",
    "g(lambda a: tf.experimental.numpy.dot(a, a), [1., 2.])",
    "tf.function(lambda a: tf.experimental.numpy.cumsum(a))(v)",
]

test_as_tensorflow = expressions.test_of(ROWS)
