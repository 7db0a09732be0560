"""Pools, moves between space and depth, patches and morphology against real TensorFlow."""

import ml_dtypes
import numpy as np
import pytest
from support import harness
from support.harness import Case, raises

import tapejax


def numbers(*shape, dtype=np.float32):
    return (((np.arange(np.prod(shape)) * 7 % 23 - 11) / 8).reshape(shape)).astype(dtype)


X, X1, X3 = numbers(2, 5, 6, 3), numbers(2, 7, 3), numbers(1, 4, 5, 4, 2)
TIES = np.ones((1, 5, 4, 2), np.float32)
TWO = (numbers(2, 6, 7, 3) > 0).astype(np.float32)  # many ties of zeros and ones
SAME2 = {"ksize": 2, "strides": 2, "padding": "SAME"}


def squared(label, name, *args, x=X, order=2, rtol=1e-5, **kwargs):
    """A row for a piecewise linear op, of the squares, so that there are second derivatives."""
    return Case(label, lambda tf, x: getattr(tf.nn, name)(x * x, *args, **kwargs), [x], order, rtol)


def channels_first(name, *args):
    """TensorFlow has no "NCHW" on CPUs: what it does with "NHWC" is transposed."""

    def call(tf, x):
        fn = getattr(tf.nn, name)
        if tf is tapejax:
            return fn(tf.transpose(x, [0, 3, 1, 2]), *args, data_format="NCHW")
        return tf.transpose(fn(x, *args), [0, 3, 1, 2])

    return Case(f"{name} NCHW", call, [X], 1)


ROWS = [
    *(squared(f"{kind} {label}", kind, k, s, p) for kind in ["max_pool2d", "avg_pool2d"] for label, k, s, p in [
        ("apart", 2, 2, "VALID"), ("same", 2, 2, "SAME"), ("overlap", 3, 2, "SAME"), ("lists", [2, 3], [1, 2], "VALID"),
        ("four", [1, 3, 2, 1], [1, 1, 1, 1], "SAME"), ("all", [5, 6], 1, "VALID")]),
    squared("max_pool explicit", "max_pool", 3, 2, [[0, 0], [1, 2], [0, 1], [0, 0]], order=1),
    # A window of 36: not written out.
    squared("avg_pool far", "avg_pool2d", 5, 1, "SAME", x=numbers(1, 3, 2, 2)),
    squared("avg_pool gaps", "avg_pool2d", 2, 3, "SAME", x=numbers(1, 7, 7, 2)),
    squared("max_pool gaps", "max_pool2d", 2, 3, "VALID", x=numbers(1, 7, 7, 2)),
    squared("max_pool large", "max_pool2d", 6, 3, "SAME", x=numbers(1, 9, 9, 2)),
    # TensorFlow has no gradient of rank 5 without a format.
    *(squared(f"{kind} rank {x.ndim}", kind, **SAME2, x=x, order=2 if x.ndim < 5 else 0)
      for kind in ["max_pool", "avg_pool"] for x in [X1, X, X3]),
    *(squared(kind, kind, **SAME2, x=x) for kind, x in [("max_pool1d", X1), ("avg_pool1d", X1), ("max_pool3d", X3),
                                                        ("avg_pool3d", X3)]),
    *(Case(f"max_pool ties {k}/{s} {p} {x.shape[2]}", lambda tf, x, a=(k, s, p): tf.nn.max_pool2d(x, *a), [x], 1)
      for k, s, p, x in [(3, 2, "SAME", TIES), (3, 1, "SAME", TIES), (2, 2, "VALID", TIES), (3, 1, "SAME", TWO),
                         (3, 2, "VALID", TWO), (3, 2, "SAME", TWO), ([2, 3], [3, 1], "SAME", TWO)]),
    Case("max_pool1d explicit", lambda tf, x: tf.nn.max_pool1d(x, 3, 2, [[0, 0], [2, 1], [0, 0]]), [X1], 1),
    *(Case(f"max_pool2d {d}", lambda tf, x: tf.nn.max_pool2d(x, 2, 2, "SAME"), [(X * 8).astype(d)], 1)
      for d in ["int32", "int64", "uint8", "int8", "float16", "float64", ml_dtypes.bfloat16]),
    *(Case(f"avg_pool2d {d}", lambda tf, x: tf.nn.avg_pool2d(x, 2, 2, "SAME"), [X.astype(d)], 1, r)
      for d, r in [("float16", 1e-3), ("float64", 1e-12), (ml_dtypes.bfloat16, 1e-2)]),
    Case("no images", lambda tf, x: tf.nn.max_pool2d(x, 2, 2, "SAME"), [X[:0]], 1),
    Case("no rows", lambda tf, x: tf.nn.avg_pool2d(x, 2, 2, "SAME"), [X[..., :0]], 1),
    channels_first("max_pool2d", 3, 2, "SAME"), channels_first("avg_pool2d", [2, 3], 1, "VALID"),
    *(squared(f"pool {k} {x.ndim}", "pool", [2] * (x.ndim - 2), k, x=x) for k in ["MAX", "AVG"] for x in [X1, X, X3]),
    squared("pool strides", "pool", [2, 2], "AVG", strides=[2, 1], padding="SAME"),
    squared("pool dilated", "pool", [2, 2], "MAX", dilations=[2, 3]),
    squared("pool dilated average", "pool", [2, 2], "AVG", dilations=[3, 2]),
    squared("pool explicit", "pool", [2, 2], "MAX", padding=[[0, 0], [1, 0], [0, 1], [0, 0]], order=1),
    *(Case(f"argmax {label} {i}", lambda tf, x, i=i, a=args, kw=kw: tf.nn.max_pool_with_argmax(x, *a, **kw)[i], [x],
           0 if kw else 1)
      for i in [0, 1] for label, x, args, kw in [
          ("same", X, (3, 2, "SAME"), {}), ("ties", TIES, (2, 2, "VALID"), {}),
          ("batch", X, ([1, 2], 2, "VALID"), {"include_batch_in_index": True, "output_dtype": np.int32})]),
    Case("space_to_depth", lambda tf, x: tf.nn.space_to_depth(x, 2), [X[:, :4]]),
    Case("depth_to_space", lambda tf, x: tf.nn.depth_to_space(x, 2), [numbers(2, 2, 3, 8)]),
    Case("depth_to_space int", lambda tf, x: tf.nn.depth_to_space(x, 3), [numbers(1, 2, 3, 9, dtype=np.int32)]),
    Case("space_to_batch", lambda tf, x: tf.space_to_batch(x, [2, 3], [[1, 2], [0, 0]]), [X]),
    Case("space_to_batch 1", lambda tf, x: tf.space_to_batch_nd(x, [3], [[1, 1]]), [X1]),
    Case("batch_to_space", lambda tf, x: tf.batch_to_space(x, [2, 2], [[1, 0], [0, 2]]), [numbers(8, 2, 3, 1)]),
    Case("batch_to_space number", lambda tf, x: tf.batch_to_space(x, 2, [[0, 0], [0, 0]]), [numbers(4, 2, 3, 2)]),
    Case("extract_volume_patches", lambda tf, x: tf.extract_volume_patches(x, [1, 2, 3, 2, 1], [1, 1, 2, 1, 1], "SAME"),
         [X3]),
    *(Case(f"{n} {p}", lambda tf, x, w, n=n, p=p: getattr(tf.nn, n)(x, w, [1, 1, 2, 1], p, "NHWC", [1, 2, 1, 1]),
           [X, numbers(2, 3, 3)], 1) for n in ["dilation2d", "erosion2d"] for p in ["SAME", "VALID"]),
    Case("dilation2d int", lambda tf, x, w: tf.nn.dilation2d(x, w, [1] * 4, "SAME", "NHWC", [1] * 4),
         [(X * 8).astype(np.int32), (numbers(2, 2, 3) * 8).astype(np.int32)]),
]  # fmt: skip
test_row = harness.test_of(ROWS)
test_patches = harness.test_of([
    Case(f"extract_patches {label}", lambda tf, x, a=args: tf.image.extract_patches(x, *a), [x])
    for label, x, args in [("valid", X, ([1, 2, 3, 1], [1, 1, 2, 1], [1, 1, 1, 1], "VALID")),
                           ("same", X, ([1, 3, 3, 1], [1, 2, 2, 1], [1, 2, 1, 1], "SAME")),
                           ("int", X.astype(np.int64), ([1, 2, 2, 1], [1, 1, 1, 1], [1, 1, 1, 1], "SAME"))]
])  # fmt: skip


@pytest.mark.parametrize(
    "call",
    [
        raises("InvalidArgumentError", lambda tf, x: tf.nn.max_pool(x, 2, 2, "same"), in_function=ValueError),
        raises("InvalidArgumentError", lambda tf, x: tf.nn.max_pool(x, 0, 2, "SAME")),
        raises("InvalidArgumentError", lambda tf, x: tf.nn.max_pool(x, 2, 0, "SAME"), in_function=ValueError),
        raises("InvalidArgumentError", lambda tf, x: tf.nn.max_pool(x, 9, 1, "VALID"), in_function=ValueError),
        raises("InvalidArgumentError", lambda tf, x: tf.nn.max_pool(x, 2, 2, [[0, 0], [2, 2], [2, 2], [0, 0]])),
        raises("UnimplementedError", lambda tf, x: tf.nn.max_pool(x, [2, 1, 1, 1], 1, "SAME")),
        raises("InvalidArgumentError", lambda tf, x: tf.nn.max_pool(x, 2, 2, "SAME", "FOO"), in_function=ValueError),
        raises(ValueError, lambda tf, x: tf.nn.max_pool(tf.ones([3, 3]), 2, 2, "SAME")),
        raises(
            "InvalidArgumentError",
            lambda tf, x: tf.nn.max_pool2d(tf.ones([5, 6, 4]), 2, 2, "SAME"),
            in_function=ValueError,
        ),
        raises(
            "InvalidArgumentError",
            lambda tf, x: tf.nn.max_pool2d(tf.cast(x, tf.bool), 2, 2, "SAME"),
            in_function=TypeError,
        ),
        raises("InvalidArgumentError", lambda tf, x: tf.nn.max_pool3d(x, 2, 2, "SAME"), in_function=ValueError),
        raises(
            "InvalidArgumentError",
            lambda tf, x: tf.nn.max_pool3d(tf.ones([1, 4, 4, 4, 1], tf.int32), 2, 2, "SAME"),
            in_function=TypeError,
        ),
        raises(TypeError, lambda tf, x: tf.nn.avg_pool(x, 2, 2, [[0, 0], [1, 1], [1, 1], [0, 0]])),
        raises(
            "InvalidArgumentError",
            lambda tf, x: tf.nn.avg_pool2d(tf.cast(x, tf.int32), 2, 2, "SAME"),
            in_function=TypeError,
        ),
        raises("UnimplementedError", lambda tf, x: tf.nn.avg_pool2d(x, [1, 1, 1, 2], 1, "SAME")),
        raises(ValueError, lambda tf, x: tf.nn.pool(x, [2, 2], "FOO")),
        raises(TypeError, lambda tf, x: tf.nn.pool(x, 2, "MAX")),
        raises(ValueError, lambda tf, x: tf.nn.pool(x, [2], "MAX")),
        raises(ValueError, lambda tf, x: tf.nn.pool(x, [2, 2], "MAX", strides=[2, 2], dilations=[2, 2])),
        raises(ValueError, lambda tf, x: tf.nn.pool(x, [2, 2], "AVG", padding="SAME", dilations=[2, 2])),
        raises(ValueError, lambda tf, x: tf.nn.max_pool_with_argmax(x, 2, 2, "SAME", data_format="NCHW")),
        raises(
            "InvalidArgumentError",
            lambda tf, x: tf.nn.max_pool_with_argmax(tf.ones([2, 7, 3]), 2, 2, "SAME"),
            in_function=ValueError,
        ),
        raises("InvalidArgumentError", lambda tf, x: tf.nn.space_to_depth(x, 2), in_function=ValueError),
        raises("InvalidArgumentError", lambda tf, x: tf.nn.space_to_depth(x[:, :4], 1), in_function=ValueError),
        raises("InvalidArgumentError", lambda tf, x: tf.nn.space_to_depth(x[0], 2), in_function=ValueError),
        raises("InvalidArgumentError", lambda tf, x: tf.nn.depth_to_space(x, 2), in_function=ValueError),
        raises("InvalidArgumentError", lambda tf, x: tf.space_to_batch(x, 2, [[0, 0], [0, 0]]), in_function=ValueError),
        raises(
            "InvalidArgumentError", lambda tf, x: tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]), in_function=ValueError
        ),
        raises(
            "InvalidArgumentError",
            lambda tf, x: tf.space_to_batch(x, [2, 2], [[0, -1], [0, 0]]),
            in_function=ValueError,
        ),
        raises(
            "InvalidArgumentError", lambda tf, x: tf.space_to_batch(x, [0, 2], [[0, 0], [0, 0]]), in_function=ValueError
        ),
        raises(
            "InvalidArgumentError",
            lambda tf, x: tf.batch_to_space(tf.ones([7, 2, 3, 1]), [2, 2], [[1, 0], [0, 2]]),
            in_function=ValueError,
        ),
        raises(
            "InvalidArgumentError",
            lambda tf, x: tf.batch_to_space(tf.ones([8, 2, 3, 1]), [2, 2], [[3, 3], [0, 2]]),
            in_function=ValueError,
        ),
        raises(ValueError, lambda tf, x: tf.nn.dilation2d(x, tf.ones([2, 2, 3]), [1] * 4, "SAME", "NCHW", [1] * 4)),
        raises(
            "InvalidArgumentError",
            lambda tf, x: tf.nn.dilation2d(x, tf.ones([2, 2, 2]), [1] * 4, "SAME", "NHWC", [1] * 4),
            in_function=ValueError,
        ),
        raises(
            "InvalidArgumentError",
            lambda tf, x: tf.nn.dilation2d(x, tf.ones([2, 2, 3]), [1, 1], "SAME", "NHWC", [1] * 4),
            in_function=ValueError,
        ),
    ],
)
def test_error_class(tf, call):
    harness.check_error(tf, lambda t: call(t, t.constant(X)), declared=call)


@pytest.mark.parametrize("strides", [1, 2])
def test_max_pool_of_minus_infinity_keeps_its_gradient_inside(tf, strides):
    """A window of nothing else, padded with the same number: an element of the input gets the gradient."""
    found = []
    for module in [tf, tapejax]:
        x = module.constant(np.full((1, 5, 4, 2), -np.inf, np.float32))
        with module.GradientTape() as tape:
            tape.watch(x)
            y = module.nn.max_pool2d(x, 3, strides, "SAME")
        found.append(tape.gradient(y, x).numpy().sum())
    assert found[0] == found[1]


def test_nan_is_the_maximum():
    """TensorFlow's kernel for CPUs skips it, those for GPUs and XLA do not."""
    x = tapejax.constant([[[[1.0], [np.nan], [3.0], [4.0], [5.0]]]])
    with tapejax.GradientTape() as tape:
        tape.watch(x)
        y = tapejax.nn.max_pool2d(x, [1, 3], 1, "SAME")
    np.testing.assert_array_equal(y.numpy().ravel(), [np.nan, np.nan, np.nan, 5, 5])
    assert tape.gradient(y, x).numpy().sum() == 5
