"""Convolutions against real TensorFlow: values, dtypes, two derivatives, error classes; and the ways CPUs run them."""

from functools import partial

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from support import harness
from support.harness import Case, raises

import tapejax
from tapejax._src.kernels.cpu import conv as conv_lowering
from tapejax._src.kernels.cpu import winograd
from tapejax._src.kernels.windows import window


def numbers(*shape, dtype=np.float32):
    return (((np.arange(np.prod(shape)) * 7 % 23 - 11) / 8).reshape(shape)).astype(dtype)


X, W = numbers(2, 5, 6, 4), numbers(3, 2, 4, 6)
X1, W1, X3, W3 = numbers(2, 7, 3), numbers(3, 3, 4), numbers(1, 4, 5, 4, 2), numbers(2, 3, 2, 2, 3)
DEPTHWISE, BACK = numbers(3, 3, 4, 2), numbers(3, 3, 2, 4)


def conv2d(label, strides=1, padding="SAME", dilations=None, x=X, w=W, order=2, rtol=1e-5):
    return Case(
        f"conv2d {label}",
        lambda tf, x, w: tf.nn.conv2d(x, w, strides, padding, dilations=dilations),
        [x, w],
        order,
        rtol,
    )


def depthwise(label, strides=(1, 1, 1, 1), padding="SAME", dilations=None, x=X, w=DEPTHWISE, order=2, rtol=1e-5):
    return Case(
        f"depthwise {label}",
        lambda tf, x, w: tf.nn.depthwise_conv2d(x, w, list(strides), padding, dilations=dilations),
        [x, w],
        order,
        rtol,
    )


def transposed(label, shape, strides, padding="SAME", x=X, w=BACK):
    return Case(
        f"conv2d_transpose {label}",
        lambda tf, x, w: tf.nn.conv2d_transpose(x, w, shape, strides, padding),
        [x, w],
        rtol=1e-5,
    )


def channels_first(label, name, *args, inputs):
    """TensorFlow has no "NCHW" on CPUs: what it does with "NHWC" is transposed."""

    def call(tf, x, *rest):
        fn = getattr(tf.nn, name)
        if tf is tapejax:
            return fn(tf.transpose(x, [0, 3, 1, 2]), *rest, *args, data_format="NCHW")
        return tf.transpose(fn(x, *rest, *args), [0, 3, 1, 2])

    return Case(label, call, inputs, rtol=1e-5)


ROWS = [
    conv2d("same"), conv2d("valid", padding="VALID"), conv2d("strides", [1, 2], "SAME"),
    conv2d("four strides", [1, 2, 2, 1], "VALID"), conv2d("explicit", 2, [[0, 0], [1, 2], [0, 3], [0, 0]]),
    conv2d("dilated", 1, "VALID", 2, order=0), conv2d("dilated same", 1, "SAME", [1, 3], order=0),
    # TensorFlow has no gradient of groups on CPUs, and returns memory as it finds it for a filter that touched nothing.
    conv2d("groups", w=numbers(3, 3, 2, 6), order=0), conv2d("depthwise by groups", w=numbers(2, 2, 1, 8), order=0),
    conv2d("point", w=numbers(1, 1, 4, 3)), conv2d("point strides", 2, w=numbers(1, 1, 4, 3)),
    conv2d("unfolded", w=numbers(2, 2, 4, 3)),
    conv2d("dot gradient", 2, x=numbers(3, 7, 7, 9), w=numbers(3, 3, 9, 2)),
    conv2d("deep", x=numbers(2, 4, 4, 66), w=numbers(3, 3, 66, 3), rtol=2e-5),
    conv2d("more axes", padding="VALID", x=numbers(2, 2, 4, 4, 4)),
    conv2d("no images", x=numbers(0, 5, 6, 4), order=1),
    conv2d("no output", padding="VALID", w=numbers(6, 6, 4, 2), order=0),
    conv2d("no features", w=numbers(3, 3, 4, 0), order=0),
    conv2d("int32", x=X.astype(np.int32), w=W.astype(np.int32)),
    conv2d("float64", x=X.astype(np.float64), w=W.astype(np.float64), rtol=1e-12),
    conv2d("float16", x=numbers(1, 3, 3, 2, dtype=np.float16), w=numbers(2, 2, 2, 2, dtype=np.float16), order=1,
           rtol=2e-3),
    conv2d("bfloat16", x=numbers(1, 3, 3, 2, dtype=ml_dtypes.bfloat16), w=numbers(2, 2, 2, 2, dtype=ml_dtypes.bfloat16),
           order=1, rtol=1e-2),
    Case("conv1d", lambda tf, x, w: tf.nn.conv1d(x, w, 2, "SAME"), [X1, W1], rtol=1e-5),
    Case("conv1d list", lambda tf, x, w: tf.nn.conv1d(x, w, [1, 1, 1], "VALID"), [X1, W1], rtol=1e-5),
    Case("conv1d dilated", lambda tf, x, w: tf.nn.conv1d(x, w, 1, "VALID", dilations=2), [X1, W1], 0, 1e-5),
    Case("conv3d", lambda tf, x, w: tf.nn.conv3d(x, w, [1] * 5, "SAME"), [X3, W3], rtol=1e-5),
    Case("conv3d strides", lambda tf, x, w: tf.nn.conv3d(x, w, [1, 2, 1, 2, 1], "VALID"), [X3, W3], rtol=1e-5),
    Case("convolution 1", lambda tf, x, w: tf.nn.convolution(x, w), [X1, W1], rtol=1e-5),
    Case("convolution 2", lambda tf, x, w: tf.nn.convolution(x, w, [2, 1], "SAME", "NHWC"), [X, W], rtol=1e-5),
    Case("convolution 2 dilated", lambda tf, x, w: tf.nn.convolution(x, w, dilations=[2, 1]), [X, W], 0, 1e-5),
    Case("convolution 3", lambda tf, x, w: tf.nn.convolution(x, w, strides=2, data_format="NDHWC"), [X3, W3],
         rtol=1e-5),
    Case("atrous", lambda tf, x, w: tf.nn.atrous_conv2d(x, w, 2, "VALID"), [X, W], 0, 1e-5),
    depthwise("same"), depthwise("valid", padding="VALID"), depthwise("strides", (1, 2, 2, 1)),
    depthwise("one filter each", w=numbers(3, 2, 4, 1)), depthwise("dilated", dilations=[2, 2], order=0),
    depthwise("one, strides", (1, 2, 2, 1), w=numbers(3, 3, 4, 1)),
    depthwise("one, valid", padding="VALID", w=numbers(3, 3, 4, 1)),
    depthwise("one, explicit", padding=[[0, 0], [1, 0], [2, 1], [0, 0]], w=numbers(2, 3, 4, 1)),
    depthwise("one, large", w=numbers(5, 5, 4, 1)),
    depthwise("one, no images", x=X[:0], w=numbers(3, 3, 4, 1), order=0),
    depthwise("one, wide", x=numbers(1, 3, 70, 2), w=numbers(3, 3, 2, 1), order=1),
    depthwise("one, float64", x=X.astype(float), w=numbers(3, 3, 4, 1).astype(float)),
    depthwise("one, bfloat16", x=X[:1, :3].astype(ml_dtypes.bfloat16), w=numbers(2, 2, 4, 1, dtype=ml_dtypes.bfloat16),
              order=1, rtol=2e-2),
    Case("conv1d wide", lambda tf, x, w: tf.nn.conv1d(x, w, 1, "SAME"), [numbers(3, 20, 6), numbers(5, 6, 3)],
         rtol=2e-5),
    Case("conv3d deep", lambda tf, x, w: tf.nn.conv3d(x, w, [1, 2, 1, 1, 1], "SAME"),
         [numbers(1, 5, 3, 3, 3), numbers(3, 1, 2, 3, 2)], rtol=1e-5),
    depthwise("explicit", padding=[[0, 0], [1, 0], [2, 1], [0, 0]]),
    Case("separable", lambda tf, x, w, p: tf.nn.separable_conv2d(x, w, p, [1, 2, 2, 1], "SAME"),
         [X, DEPTHWISE, numbers(1, 1, 8, 3)], rtol=2e-5),
    transposed("same", [2, 10, 12, 2], 2), transposed("odd", [2, 9, 11, 2], 2),
    transposed("valid", [2, 12, 13, 2], 2, "VALID"), transposed("two numbers", [10, 12], 2),
    transposed("explicit", [2, 5, 6, 2], 1, [[0, 0], [1, 1], [2, 0], [0, 0]]),
    transposed("one", [2, 5, 6, 2], [1, 1, 1, 1]),
    Case("conv1d_transpose", lambda tf, x, w: tf.nn.conv1d_transpose(x, w, [2, 14, 4], 2), [X1, numbers(3, 4, 3)],
         rtol=1e-5),
    Case("conv3d_transpose", lambda tf, x, w: tf.nn.conv3d_transpose(x, w, [1, 8, 10, 8, 3], 2),
         [X3, numbers(2, 3, 2, 3, 2)], rtol=1e-5),
    Case("conv_transpose", lambda tf, x, w: tf.nn.conv_transpose(x, w, tf.constant([2, 14, 4]), 2),
         [X1, numbers(3, 4, 3)], rtol=1e-5),
    Case("atrous transpose", lambda tf, x, w: tf.nn.atrous_conv2d_transpose(x, w, [2, 5, 6, 2], 2, "SAME"),
         [X, numbers(3, 3, 2, 4)], 0, 1e-5),
    Case("depthwise by input", lambda tf, w, g: tf.nn.depthwise_conv2d_backprop_input([2, 5, 6, 4], w, g, [1, 2, 2, 1],
                                                                                      "SAME"),
         [DEPTHWISE, numbers(2, 3, 3, 8)], 1, 1e-5),
    Case("depthwise by filter", lambda tf, x, g: tf.nn.depthwise_conv2d_backprop_filter(x, [3, 3, 4, 2], g, [1] * 4,
                                                                                        "VALID"),
         [X, numbers(2, 3, 4, 8)], 1, 1e-5),
    channels_first("conv2d NCHW", "conv2d", [1, 2], "SAME", inputs=[X, W]),
    channels_first("depthwise NCHW", "depthwise_conv2d", [1] * 4, "VALID", inputs=[X, DEPTHWISE]),
]  # fmt: skip
test_row = harness.test_of(ROWS)


def ones(tf, *shape):
    return tf.ones(shape)


@pytest.mark.parametrize(
    "call",
    [
        raises("InvalidArgumentError", lambda tf, x, w: tf.nn.conv2d(x, w, 1, "same"), in_function=ValueError),
        raises("InvalidArgumentError", lambda tf, x, w: tf.nn.conv2d(x, w, 0, "SAME"), in_function=ValueError),
        raises("UnimplementedError", lambda tf, x, w: tf.nn.conv2d(x, w, [2, 1, 1, 1], "SAME")),
        raises(ValueError, lambda tf, x, w: tf.nn.conv2d(x, w, [1, 2, 2], "SAME")),
        raises(
            "InvalidArgumentError",
            lambda tf, x, w: tf.nn.conv2d(x, w, 1, [[1, 1], [1, 1], [0, 0], [0, 0]]),
            in_function=ValueError,
        ),
        raises(ValueError, lambda tf, x, w: tf.nn.conv2d(x, w, 1, [[1, 1], [2, 2]])),
        raises(TypeError, lambda tf, x, w: tf.nn.conv2d(x, w, 1, 2)),
        raises(
            "InvalidArgumentError",
            lambda tf, x, w: tf.nn.conv2d(x, w, 1, [[0, 0], [-1, 1], [0, 0], [0, 0]]),
            in_function=ValueError,
        ),
        raises(
            "InvalidArgumentError", lambda tf, x, w: tf.nn.conv2d(x, w, 1, "SAME", dilations=0), in_function=ValueError
        ),
        raises("InvalidArgumentError", lambda tf, x, w: tf.nn.conv2d(x, w, 1, "SAME", "NWC"), in_function=ValueError),
        raises(
            "InvalidArgumentError",
            lambda tf, x, w: tf.nn.conv2d(x, ones(tf, 3, 3, 3, 8), 1, "SAME"),
            in_function=ValueError,
        ),
        raises(
            "InvalidArgumentError",
            lambda tf, x, w: tf.nn.conv2d(x, ones(tf, 3, 3, 2, 7), 1, "SAME"),
            in_function=ValueError,
        ),
        raises(
            "InvalidArgumentError",
            lambda tf, x, w: tf.nn.conv2d(x, ones(tf, 7, 7, 4, 8), 1, "VALID"),
            in_function=ValueError,
        ),
        raises(
            "InvalidArgumentError",
            lambda tf, x, w: tf.nn.conv2d(x, ones(tf, 3, 3, 4), 1, "VALID"),
            in_function=ValueError,
        ),
        raises("InvalidArgumentError", lambda tf, x, w: tf.nn.conv2d(x, ones(tf, 0, 3, 4, 8), 1, "VALID")),
        raises(
            "InvalidArgumentError",
            lambda tf, x, w: tf.nn.conv2d(ones(tf, 5, 6, 4), w, 1, "VALID"),
            in_function=ValueError,
        ),
        raises(
            "InvalidArgumentError",
            lambda tf, x, w: tf.nn.conv2d(tf.cast(x, tf.float64), w, 1, "SAME"),
            in_function=TypeError,
        ),
        raises(
            "InvalidArgumentError",
            lambda tf, x, w: tf.nn.conv2d(tf.cast(x, tf.complex64), tf.cast(w, tf.complex64), 1, "SAME"),
            in_function=TypeError,
        ),
        raises(
            TypeError, lambda tf, x, w: tf.nn.conv1d(ones(tf, 2, 7, 3), ones(tf, 3, 3, 5), 1, [[0, 0], [1, 1], [0, 0]])
        ),
        raises(ValueError, lambda tf, x, w: tf.nn.conv1d(ones(tf, 2, 7, 3), ones(tf, 3, 3, 5), [1, 2], "SAME")),
        raises(ValueError, lambda tf, x, w: tf.nn.conv1d(ones(tf, 2, 7, 3), ones(tf, 3, 3, 5), 1, "SAME", "FOO")),
        raises(TypeError, lambda tf, x, w: tf.nn.conv3d(ones(tf, 1, 4, 4, 4, 3), ones(tf, 2, 2, 2, 3, 5), 1, "SAME")),
        raises(
            "InvalidArgumentError",
            lambda tf, x, w: tf.nn.conv3d(ones(tf, 1, 4, 4, 4, 3), ones(tf, 2, 2, 2, 3, 5), [1, 2, 2], "SAME"),
            in_function=ValueError,
        ),
        raises(ValueError, lambda tf, x, w: tf.nn.convolution(x, w, strides=2, dilations=2)),
        raises(TypeError, lambda tf, x, w: tf.nn.convolution(x, w, padding=[[1, 1], [0, 0]])),
        raises("InvalidArgumentError", lambda tf, x, w: tf.nn.convolution(x, w, padding="FOO"), in_function=ValueError),
        raises(ValueError, lambda tf, x, w: tf.nn.atrous_conv2d(x, w, 0, "SAME")),
        raises(TypeError, lambda tf, x, w: tf.nn.depthwise_conv2d(x, w, 1, "SAME")),
        raises(
            "InvalidArgumentError",
            lambda tf, x, w: tf.nn.depthwise_conv2d(x, w, [2, 2], "SAME"),
            in_function=ValueError,
        ),
        raises("InvalidArgumentError", lambda tf, x, w: tf.nn.depthwise_conv2d(x, w, [1, 1, 2, 1], "SAME")),
        raises(
            "InvalidArgumentError",
            lambda tf, x, w: tf.nn.depthwise_conv2d(x, ones(tf, 3, 3, 3, 2), [1] * 4, "SAME"),
            in_function=ValueError,
        ),
        raises(ValueError, lambda tf, x, w: tf.nn.separable_conv2d(x, w, ones(tf, 2, 1, 8, 5), [1] * 4, "SAME")),
        raises(
            "InvalidArgumentError", lambda tf, x, w: tf.nn.conv2d_transpose(x, ones(tf, 3, 3, 2, 4), [2, 8, 11, 2], 2)
        ),
        raises(
            "InvalidArgumentError",
            lambda tf, x, w: tf.nn.conv2d_transpose(x, ones(tf, 3, 3, 2, 4), [3, 10, 12, 2], 2),
            in_function=ValueError,
        ),
        raises(
            "InvalidArgumentError", lambda tf, x, w: tf.nn.conv2d_transpose(x, ones(tf, 3, 3, 2, 4), [2, 10, 12, 3], 2)
        ),
        raises(
            "InvalidArgumentError",
            lambda tf, x, w: tf.nn.conv2d_transpose(x, ones(tf, 3, 3, 2, 5), [2, 10, 12, 2], 2),
            in_function=ValueError,
        ),
        raises(
            "InvalidArgumentError", lambda tf, x, w: tf.nn.conv2d_transpose(x, ones(tf, 3, 3, 2, 4), [-1, 10, 12, 2], 2)
        ),
    ],
)
def test_error_class(tf, call):
    harness.check_error(tf, lambda t: call(t, ones(t, 2, 5, 6, 4), ones(t, 3, 3, 4, 8)), declared=call)


def test_dilations_that_tensorflow_has_only_on_a_gpu():
    """Its CPU kernels refuse dilated 3-D and transposed convolutions; here they are those of the spread-out filter."""
    spread = np.zeros((3, 5, 3, 2, 3), np.float32)
    spread[::2, ::2, ::2] = W3
    np.testing.assert_allclose(
        tapejax.nn.conv3d(X3, W3, [1] * 5, "VALID", dilations=[1, 2, 2, 2, 1]),
        tapejax.nn.conv3d(X3, spread, [1] * 5, "VALID"),
        rtol=1e-5,
    )
    spread = np.zeros((5, 5, 2, 4), np.float32)
    spread[::2, ::2] = BACK
    np.testing.assert_allclose(
        tapejax.nn.conv2d_transpose(X, BACK, [2, 5, 6, 2], 1, dilations=2),
        tapejax.nn.conv2d_transpose(X, spread, [2, 5, 6, 2], 1),
        rtol=1e-5,
        atol=1e-5,
    )


def all_derivatives(convolution, x, w):
    """Gradients, mixed second derivatives, forward mode and batches of a loss of ``convolution(x, w)``."""

    def loss(x, w):
        return jnp.sum(jnp.sin(convolution(x, w)))

    slope = jax.grad(loss, (0, 1))
    forward = jax.jvp(loss, (x, w), (x, w))[1]
    return jax.jit(
        lambda: [
            convolution(x, w),
            slope(x, w),
            jax.jvp(slope, (x, w), (w.sum() + x, w))[1],
            forward,
            jax.grad(lambda w: jnp.vdot(slope(x, w)[1], w))(w),
            jax.vmap(jax.grad(lambda x: loss(x[None], w)))(x),
        ]
    )()


def assert_agree(ours, xla, x, w):
    for a, b in zip(
        jax.tree.leaves(all_derivatives(ours, x, w)), jax.tree.leaves(all_derivatives(xla, x, w)), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max())


@pytest.mark.parametrize(
    ("size", "depth", "features", "strides"),
    [
        (1, 5, 3, (2, 1)),
        (3, 2, 3, (2, 1)),
        (3, 9, 3, (2, 2)),
        (5, 2, 3, (1, 3)),
        (3, 1, 3, (1, 1)),
        (5, 1, 3, (2, 2)),
        (3, 9, 3, (1, 1)),
        (2, 5, 1, (3, 3)),
    ],
)
def test_cpu_forms_agree_with_xla_in_every_derivative(size, depth, features, strides):
    padding = "SAME" if size < 3 else [[0, 0], [0, 3], [4, 1], [0, 0]]
    win = window((6, 5), (size, size), strides, padding, (1, 1), True, "test")
    x, w = jnp.asarray(numbers(4, 6, 5, depth)), jnp.asarray(numbers(size, size, depth, features))

    def transposed(form):
        return lambda x, w: form(conv_lowering._by_xla(x, w, win), w, win=win, shape=x.shape)

    assert_agree(partial(conv_lowering.convolve, win=win), partial(conv_lowering._by_xla, win=win), x, w)
    assert_agree(transposed(conv_lowering.transposed), transposed(conv_lowering._transposed_by_xla), x, w)


@pytest.mark.parametrize(
    ("spatial", "size", "padding"),
    [
        ((7, 4), (3, 3), "SAME"),
        ((6, 5), (3, 3), "VALID"),
        ((6, 5), (3, 3), [[0, 0], [0, 3], [4, 1], [0, 0]]),
        ((7, 4), (1, 3), "SAME"),
        ((7, 5), (3, 1), "VALID"),
    ],
)
def test_tiles_agree_with_xla_in_every_derivative(spatial, size, padding):
    win = window(spatial, size, (1, 1), padding, (1, 1), True, "test")
    x, w = jnp.asarray(numbers(2, *spatial, 3)), jnp.asarray(numbers(*size, 3, 4))
    assert_agree(partial(winograd.by_tiles, win=win), partial(conv_lowering._by_xla, win=win), x, w)


def test_large_convolutions_on_cpus_go_by_tiles_and_small_ones_do_not():
    def calls(batch, channels, strides=(1, 1), size=(3, 3), dtype=jnp.float32):
        win = window((16, 16), size, strides, "SAME", (1, 1), True, "test")
        return winograd.pays(
            jax.ShapeDtypeStruct((batch, 16, 16, channels), dtype),
            jax.ShapeDtypeStruct((*size, channels, 128), dtype),
            win,
        )

    assert calls(32, 128) and calls(32, 256, size=(1, 3))
    assert not any(
        [
            calls(8, 128),
            calls(32, 64),
            calls(32, 128, strides=(2, 2)),
            calls(32, 128, size=(5, 5)),
            calls(32, 128, dtype=jnp.float64),
        ]
    )


def test_tiles_give_tensorflows_numbers(tf):
    rng = np.random.default_rng(0)
    x, w = (rng.normal(size=s).astype(np.float32) for s in [(16, 17, 16, 128), (3, 3, 128, 144)])
    upstream = rng.normal(size=(16, 17, 16, 144)).astype(np.float32)

    def run(t):
        x_, w_ = t.constant(x), t.constant(w)
        with t.GradientTape() as tape:
            tape.watch([x_, w_])
            y = t.nn.conv2d(x_, w_, 1, "SAME")
        return [y, *tape.gradient(y, [x_, w_], t.constant(upstream))]

    for ours, theirs in zip(run(tapejax), run(tf), strict=True):
        assert ours.dtype.name == theirs.dtype.name
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=3e-6 * np.abs(theirs.numpy()).max())


def test_tiles_keep_whole_numbers_exact():
    rng = np.random.default_rng(0)
    x, w = (rng.integers(-8, 8, s).astype(np.float32) for s in [(16, 16, 16, 128), (3, 3, 128, 128)])
    exact = tapejax.nn.conv2d(x.astype(np.float64), w.astype(np.float64), 1, "SAME")
    np.testing.assert_array_equal(tapejax.nn.conv2d(x, w, 1, "SAME").numpy(), exact.numpy())


def test_what_would_take_much_memory_is_left_to_xla():
    """Unfolding, laying out and tiles hold several times the input: not of large ones."""

    def chosen(batch, spatial, w, strides=1):
        win = window((spatial, spatial), w[:2], (strides, strides), "SAME", (1, 1), True, "test")
        shapes = (batch, spatial, spatial, w[2]), w
        return conv_lowering._for_cpus(*(jax.ShapeDtypeStruct(s, jnp.float32) for s in shapes), win).__name__

    for spatial, w, strides, form in [
        (224, (3, 3, 128, 128), 1, "by_tiles"),
        (512, (5, 5, 3, 32), 1, "_laying_back"),
        (512, (3, 3, 3, 32), 1, "_adding"),
        (512, (5, 5, 64, 3), 1, "for_few_features"),
        (512, (3, 3, 64, 64), 2, "by_unfolding"),
    ]:
        assert chosen(4, 32, w, strides) == form
        assert chosen(32, spatial, w, strides) == "_by_xla"


def test_an_empty_batch_of_volumes(tf):
    def run(t):
        x, w = t.constant(np.zeros((0, 4, 5, 4, 2), np.float32)), t.constant(W3)
        with t.GradientTape() as tape:
            tape.watch(w)
            y = t.nn.conv3d(x, w, [1] * 5, "SAME")
        return y.numpy(), tape.gradient(y, w).numpy()

    for ours, theirs in zip(run(tapejax), run(tf), strict=True):
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype and not ours.any() and not theirs.any()
