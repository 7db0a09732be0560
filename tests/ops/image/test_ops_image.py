"""`tf.image` against real TensorFlow: values, dtypes, derivatives, random numbers, errors."""

import numpy as np
import pytest
from support.harness import Case, check_error, raises, test_of

import tapejax

R = np.random.RandomState(0)
X = R.rand(2, 7, 5, 3).astype(np.float32)
GREY = X[..., :1]
OTHER = (X * 0.9 + 0.1 * R.rand(*X.shape)).astype(np.float32)
U8 = R.randint(0, 256, X.shape).astype(np.uint8)
BIG = R.rand(1, 40, 36, 3).astype(np.float32)
BOXES = np.array([[0.1, 0.2, 0.8, 0.9], [0.5, 0.5, 0.2, 0.1], [-0.3, 0.0, 1.2, 0.7]], np.float32)
DRAWN = np.stack([BOXES[:2], BOXES[1:]]).clip(-0.2, 1.1)
SIZES = {"up": [11, 8], "down": [3, 2], "mixed": [9, 3], "same": [7, 5]}
METHODS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")


def image(name, *args, label="", x=X, order=1, rtol=3e-6, **kwargs):
    """A row for ``tf.image.<name>(x, ...)``."""
    return Case(label or name, lambda tf, x: getattr(tf.image, name)(x, *args, **kwargs), [x], order, rtol)


test_resize_matches_tensorflow = test_of([
    *(image("resize", size, method, antialias=smooth, label=f"{method} {what}{' antialias' if smooth else ''}",
            order=0 if method == "area" else 1, rtol=2e-5)
      for method in METHODS for what, size in SIZES.items() for smooth in (False, True)),
    *(image("resize", [4, 4], method, label=f"{method} uint8", x=U8, rtol=1e-4) for method in METHODS),
    *(image("resize", [4, 9], method, label=f"{method} float64", x=X.astype(np.float64), rtol=2e-5,
            order=1 if method in ("bilinear", "nearest", "bicubic") else 0) for method in METHODS),
    *(image("resize", [4, 9], method, label=f"{method} float16", x=X.astype(np.float16), order=0, rtol=2e-5)
      for method in METHODS),
    image("resize", [4, 9], label="one image", x=X[0]),
    image("resize", [4, 9], label="keeps its proportion", preserve_aspect_ratio=True),
    image("resize", [10, 3], label="keeps its proportion, narrow", preserve_aspect_ratio=True),
    *(image("resize", [4, 9], method, label=f"{method} uint8, one", x=U8[0], rtol=1e-4) for method in METHODS),
    image("resize", [4, 4], "lanczos3", antialias=True, label="uint8, one, antialias", x=U8[0], rtol=1e-4),
    *(image("resize_with_pad", h, w, label=f"resize_with_pad {h} {w}") for h, w in ((10, 10), (4, 9), (3, 2), (20, 7))),
    image("resize_with_pad", 9, 4, method="nearest", antialias=True, label="resize_with_pad nearest", x=U8),
    image("resize_with_pad", 4, 9, method="bicubic", label="resize_with_pad one", x=X[0]),
    *(Case(f"crop_and_resize {method}", lambda tf, x, b, method=method: tf.image.crop_and_resize(
        x, b, [0, 1, 0], [4, 3], method=method, extrapolation_value=0.5), [X, BOXES], order, 1e-5)
      for method, order in (("bilinear", 1), ("nearest", 0))),
    Case("crop_and_resize to one", lambda tf, x, b: tf.image.crop_and_resize(x, b, [0, 1, 0], [1, 1]), [X, BOXES], 1,
         1e-5),
    Case("crop_and_resize uint8", lambda tf, x: tf.image.crop_and_resize(x, BOXES, [1, 1, 0], [3, 3]), [U8], 0, 1e-5),
])  # fmt: skip

test_matches_tensorflow = test_of([
    *(image(name, label=f"{name} {what}", x=x, order=2) for name in
      ("flip_left_right", "flip_up_down", "rot90", "transpose")
      for what, x in (("batch", X), ("one", X[0]), ("uint8", U8))),
    *(image("rot90", k, label=f"rot90 {k}") for k in (0, 2, 3, 5)),
    image("crop_to_bounding_box", 1, 2, 4, 3, order=2), image("pad_to_bounding_box", 1, 2, 10, 9, order=2),
    image("crop_to_bounding_box", 1, 2, 4, 3, label="crop one", x=U8[0]),
    *(image("resize_with_crop_or_pad", h, w, label=f"crop or pad {h} {w}") for h, w in
      ((3, 3), (4, 8), (10, 10), (10, 2), (7, 5), (8, 4))),
    image("crop_to_bounding_box", tapejax.constant(1).numpy(), 2, 4, 3, label="crop by a NumPy number"),
    Case("turned by a tensor", lambda tf, x: tf.image.rot90(x[:, :5], tf.constant(3)), [X]),
    Case("crop by tensors", lambda tf, x: tf.image.crop_to_bounding_box(x, tf.constant(1), tf.constant(2), 4, 3), [X]),
    *(image("central_crop", f, label=f"central_crop {f}") for f in (0.3, 0.5, 0.87, 1.0)),
    image("central_crop", 0.5, label="central_crop one", x=U8[0]),
    image("rgb_to_grayscale", order=2), image("rgb_to_grayscale", label="grey uint8", x=U8),
    image("rgb_to_grayscale", label="grey float64", x=X.astype(np.float64), rtol=1e-6),
    image("grayscale_to_rgb", x=GREY, order=2),
    *(image(name, order=2, rtol=1e-5) for name in ("rgb_to_yiq", "yiq_to_rgb", "rgb_to_yuv", "yuv_to_rgb")),
    image("rgb_to_hsv", rtol=1e-5), image("hsv_to_rgb", rtol=1e-5),
    image("rgb_to_hsv", label="hsv of greys", x=np.repeat(GREY, 3, 3), order=0),
    image("rgb_to_hsv", label="hsv of black", x=np.zeros((1, 2, 3), np.float32), order=0),
    image("adjust_brightness", 0.2), image("adjust_brightness", 0.2, label="brightness uint8", x=U8),
    image("adjust_brightness", -0.1, label="brightness float64", x=X.astype(np.float64), order=0),
    image("adjust_brightness", 0.3, label="brightness float16", x=X.astype(np.float16), order=0),
    image("adjust_contrast", 1.7, order=0), image("adjust_contrast", 0.5, label="contrast uint8", x=U8),
    image("adjust_contrast", 2.0, label="contrast one", x=X[0], order=0),
    image("adjust_gamma", 2.0), image("adjust_gamma", 0.7, 1.2, label="gamma uint8", x=U8),
    *(image("adjust_hue", d, label=f"hue {d}", order=0, rtol=1e-5) for d in (-0.9, -0.2, 0.0, 0.4, 1.0)),
    *(image("adjust_saturation", f, label=f"saturation {f}", order=0, rtol=1e-5) for f in (0.0, 0.5, 3.0)),
    image("per_image_standardization", order=1, rtol=1e-5),
    image("per_image_standardization", label="standardization uint8", x=U8, rtol=1e-5),
    image("per_image_standardization", label="standardization of one colour", x=np.full((3, 2, 3), 0.5, np.float32)),
    image("total_variation"), image("total_variation", label="variation one", x=X[0]),
    image("total_variation", label="variation int32", x=U8.astype(np.int32)),
    image("sobel_edges", order=2, rtol=1e-5),
    Case("image_gradients", lambda tf, x: tf.stack(tf.image.image_gradients(x)), [X]),
    Case("psnr", lambda tf, x, y: tf.image.psnr(x, y, 1.0), [X, OTHER], 1, 1e-5),
    Case("psnr uint8", lambda tf, x, y: tf.image.psnr(x, y, 255), [U8, U8[::-1]], 0, 1e-5),
    Case("ssim", lambda tf, x, y: tf.image.ssim(x, y, 1.0, filter_size=3), [X, OTHER], 1, 2e-5),
    Case("ssim map", lambda tf, x, y: tf.image.ssim(x, y, 1.0, filter_size=4, return_index_map=True), [X, OTHER], 1,
         2e-5),
    Case("ssim default", lambda tf, x: tf.image.ssim(x, x * 0.8 + 0.1, 1.0), [BIG], 1, 2e-5),
    Case("ssim uint8", lambda tf, x, y: tf.image.ssim(x, y, 255, filter_size=5), [U8, U8[::-1]], 0, 1e-4),
    Case("ssim_multiscale", lambda tf, x: tf.image.ssim_multiscale(
        x, x * 0.8 + 0.1, 1.0, power_factors=(0.3, 0.7), filter_size=5), [BIG[:, :, :35]], 1, 2e-5),
    Case("draw", lambda tf, x: tf.image.draw_bounding_boxes(x, DRAWN, [[1.0, 0.0, 0.5], [0.0, 0.2, 0.3]]), [X], 0),
    Case("draw default", lambda tf, x: tf.image.draw_bounding_boxes(x, DRAWN, None), [X], 0),
    Case("draw grey", lambda tf, x: tf.image.draw_bounding_boxes(x, DRAWN, None), [GREY], 0),
    *(image("convert_image_dtype", to, saturate=s, x=x, order=0,
            label=f"convert {x.dtype} {to}{' saturate' if s else ''}")
      for x in (U8, X, (R.randn(3, 4, 3) * 9000).astype(np.int16), R.randint(-128, 128, (2, 2, 1)).astype(np.int8),
                X.astype(np.float64)) for to in ("float32", "float16", "uint8", "int16", "int32", "uint16")
      for s in (False, True) if s or x.dtype.kind != "f" or to in ("float32", "float16", "uint8")),
    image("convert_image_dtype", "uint8", saturate=True, label="convert out of range", x=np.float32([-1, 0.5, 2])),
])  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_second_derivative_through_resize(tf, method):
    """TensorFlow treats the gradient of a resize as a constant, so it is compared there with a product of matrices."""
    basis = np.eye(35, dtype=np.float32).reshape(35, 7, 5, 1)
    matrix = tf.image.resize(basis, [4, 9], method)[..., 0]

    def second(t, resize):
        x = t.constant(X)
        with t.GradientTape() as outer:
            outer.watch(x)
            with t.GradientTape() as inner:
                inner.watch(x)
                y = t.reduce_sum(resize(x * x) ** 2)
            first = inner.gradient(y, x)
        return outer.gradient(first, x).numpy()

    ours = second(tapejax, lambda x: tapejax.image.resize(x, [4, 9], method))
    real = second(tf, lambda x: tf.einsum("nhw,bnc->bhwc", matrix, tf.reshape(x, [2, 35, 3])))
    np.testing.assert_allclose(ours, real, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("call", [
    lambda i, x: i.random_flip_left_right(x), lambda i, x: i.random_flip_left_right(x[0]),
    lambda i, x: i.random_flip_up_down(x[0], seed=3), lambda i, x: i.random_crop(x, [1, 3, 4, 3]),
    lambda i, x: i.random_crop(x[0], [3, 4, 3], seed=7), lambda i, x: i.random_brightness(x, 0.4),
    lambda i, x: i.random_contrast(x, 0.4, 2.0), lambda i, x: i.random_hue(x, 0.3),
    lambda i, x: i.random_saturation(x, 0.4, 2.0, seed=9),
    lambda i, x: i.stateless_random_flip_left_right(x, [5, 6]),
    lambda i, x: i.stateless_random_flip_up_down(x[0], [5, 9]),
    lambda i, x: i.stateless_random_crop(x, [2, 2, 2, 2], [5, 6]),
    lambda i, x: i.stateless_random_brightness(x, 0.3, [5, 6]),
    lambda i, x: i.stateless_random_contrast(x, 0.3, 0.9, [5, 6]), lambda i, x: i.stateless_random_hue(x, 0.3, [5, 6]),
    lambda i, x: i.stateless_random_saturation(x, 0.3, 0.9, [5, 6]),
])  # fmt: skip
def test_random_changes_are_tensorflow_s(tf, call):
    for t in (tf, tapejax):
        t.random.set_seed(11)
    for _ in range(4):
        ours, real = call(tapejax.image, tapejax.constant(X)), call(tf.image, tf.constant(X))
        assert ours.dtype.name == real.dtype.name
        np.testing.assert_allclose(ours.numpy(), real.numpy(), rtol=1e-5, atol=2e-6)


def test_windows_at_new_places_do_not_compile_again():
    def cut(i):
        padded = tapejax.image.pad_to_bounding_box(X, i, 1, 17, 9)
        return tapejax.image.crop_to_bounding_box(padded, i, 1, 7, 5).numpy()

    for _ in range(4):
        cut(0)
    before = tapejax.explain().programs_compiled
    for i in range(10):
        np.testing.assert_array_equal(cut(i), X)
    assert tapejax.explain().programs_compiled == before


def test_random_changes_do_not_compile_again():
    def draw():
        return tapejax.image.random_crop(tapejax.image.random_flip_left_right(X[0]), [3, 3, 3]).numpy()

    for _ in range(4):
        draw()
    before = tapejax.explain().programs_compiled
    for _ in range(10):
        draw()
    assert tapejax.explain().programs_compiled == before


@pytest.mark.parametrize(
    "options",
    [{}, {"area_range": (0.2, 0.5), "aspect_ratio_range": (0.5, 2.0)}, {"min_object_covered": 0.9, "max_attempts": 20}],
)
def test_sampled_boxes_are_tensorflow_s(tf, options):
    boxes = BOXES[None, :1]
    for seed in range(25):
        ours, real = (
            t.image.stateless_sample_distorted_bounding_box([57, 91, 3], boxes, [seed, 3], **options)
            for t in (tapejax, tf)
        )
        for a, b in zip(ours, real, strict=True):
            assert a.dtype.name == b.dtype.name
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)
    for t in (tf, tapejax):
        t.random.set_seed(4)
    for _ in range(3):
        ours, real = (
            t.image.sample_distorted_bounding_box([57, 91, 3], boxes, seed=8, **options) for t in (tapejax, tf)
        )
        np.testing.assert_array_equal(ours.begin.numpy(), real[0].numpy())
        np.testing.assert_array_equal(ours.size.numpy(), real[1].numpy())


def _many_boxes(n, seed):
    r = np.random.RandomState(seed)
    corner = r.rand(n, 2)
    return (
        np.concatenate([corner, corner + r.rand(n, 2) * 0.5], 1).astype(np.float32),
        r.permutation(n).astype(np.float32) / n,
    )


@pytest.mark.parametrize("call", [
    lambda i, b, s: [i.non_max_suppression(b, s, 10)],
    lambda i, b, s: [i.non_max_suppression(b, s, 100, iou_threshold=0.3, score_threshold=0.4)],
    lambda i, b, s: i.non_max_suppression_with_scores(b, s, 20, 0.7, 0.1),
    lambda i, b, s: i.non_max_suppression_with_scores(b, s, 20, 1.0, 0.1, soft_nms_sigma=0.5),
    lambda i, b, s: i.non_max_suppression_padded(b, s, 30, 0.5, pad_to_max_output_size=True),
    lambda i, b, s: i.non_max_suppression_padded(b[None], s[None], 30, 0.5, 0.3, pad_to_max_output_size=True),
    lambda i, b, s: i.combined_non_max_suppression(b[None, :, None], np.stack([s, s[::-1] - 0.01], 1)[None], 5, 8),
    lambda i, b, s: i.combined_non_max_suppression(b[None, :, None], np.stack([s, s[::-1] - 0.01], 1)[None], 3, 20, 0.4,
                                                   0.2, pad_per_class=True, clip_boxes=False),
    lambda i, b, s: i.combined_non_max_suppression(np.stack([b, b[::-1]], 1)[None],
                                                   np.stack([s, s + 0.01], 1)[None], 5, 8),
    lambda i, b, s: [i.non_max_suppression_overlaps(np.minimum(s, s[:, None]), s, 5, 0.4)],
])  # fmt: skip
def test_suppression_is_tensorflow_s(tf, call):
    for seed in range(3):
        boxes, scores = _many_boxes(40, seed)
        ours, real = call(tapejax.image, boxes, scores), call(tf.image, boxes, scores)
        for a, b in zip(ours, real, strict=True):
            assert a.dtype.name == b.dtype.name
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        raises("InvalidArgumentError", lambda i: i.resize(X, [0, 3])),
        raises(ValueError, lambda i: i.resize(X, [2.0, 3.0])),
        raises(ValueError, lambda i: i.resize(X, 3)),
        raises(ValueError, lambda i: i.resize(X[0, 0], [2, 2])),
        raises(ValueError, lambda i: i.resize(X, [2, 2], method="BILINEAR")),
        raises("InvalidArgumentError", lambda i: i.resize(X[:, :0], [2, 2])),
        raises(ValueError, lambda i: i.resize_with_pad(X, 0, 2)),
        raises(ValueError, lambda i: i.resize_with_pad(X[0, 0], 2, 2)),
        raises(ValueError, lambda i: i.crop_to_bounding_box(X, 0, 0, 8, 5)),
        raises(ValueError, lambda i: i.crop_to_bounding_box(X, -1, 0, 3, 3)),
        raises(ValueError, lambda i: i.pad_to_bounding_box(X, 0, 0, 3, 9)),
        raises(ValueError, lambda i: i.resize_with_crop_or_pad(X, 0, 2)),
        raises(ValueError, lambda i: i.flip_left_right(X[0, 0])),
        raises(ValueError, lambda i: i.rot90(X[0, 0])),
        raises(ValueError, lambda i: i.central_crop(X, 0.0)),
        raises(ValueError, lambda i: i.central_crop(X, 1.1)),
        raises("InvalidArgumentError", lambda i: i.random_crop(X, [9, 9, 9, 9])),
        raises("InvalidArgumentError", lambda i: i.rgb_to_grayscale(X[..., :2]), in_function=ValueError),
        raises("FailedPreconditionError", lambda i: i.rgb_to_hsv(X[..., :2]), in_function=ValueError),
        raises("InvalidArgumentError", lambda i: i.adjust_hue(X[..., :2], 0.5)),
        raises("InvalidArgumentError", lambda i: i.adjust_saturation(X[..., :2], 0.5)),
        raises("InvalidArgumentError", lambda i: i.adjust_contrast(X[0, 0], 0.5), in_function=ValueError),
        raises(ValueError, lambda i: i.adjust_gamma(X, -1.0)),
        raises(ValueError, lambda i: i.random_brightness(X, -1.0)),
        raises(ValueError, lambda i: i.random_hue(X, 0.7)),
        raises(ValueError, lambda i: i.random_contrast(X, 2.0, 1.0)),
        raises(ValueError, lambda i: i.random_saturation(X, -1.0, 1.0)),
        raises(ValueError, lambda i: i.per_image_standardization(X[0, 0])),
        raises(AttributeError, lambda i: i.convert_image_dtype(X, "bool")),
        raises("OutOfRangeError", lambda i: i.crop_and_resize(X, BOXES, [0, 1, 2], [2, 2])),
        raises("InvalidArgumentError", lambda i: i.crop_and_resize(X, BOXES, [0, 1, 0], [0, 2])),
        raises("InvalidArgumentError", lambda i: i.crop_and_resize(X, BOXES, [0, 1], [2, 2]), in_function=ValueError),
        raises(
            "InvalidArgumentError",
            lambda i: i.crop_and_resize(X, BOXES, [0, 1, 1], [2, 2], method="cubic"),
            in_function=ValueError,
        ),
        raises("InvalidArgumentError", lambda i: i.non_max_suppression(BOXES, [1.0], 2), in_function=ValueError),
        raises("InvalidArgumentError", lambda i: i.non_max_suppression(BOXES, [1.0, 2, 3], 2, 1.5)),
        raises("InvalidArgumentError", lambda i: i.draw_bounding_boxes(X, BOXES, None), in_function=ValueError),
        raises("InvalidArgumentError", lambda i: i.psnr(X, X[:, :3], 1.0), in_function=ValueError),
        raises(ValueError, lambda i: i.ssim(X, X[:, :3], 1.0)),
        raises(
            "InvalidArgumentError",
            lambda i: i.stateless_sample_distorted_bounding_box([9, 9, 3], np.zeros((1, 0, 4), np.float32), [1, 2]),
        ),
        raises(
            "InvalidArgumentError",
            lambda i: i.stateless_sample_distorted_bounding_box([9, 9, 3], [[[0.0, 0.0, 2.0, 1.0]]], [1, 2]),
        ),
    ],
)
def test_errors_are_tensorflow_s(tf, call):
    check_error(tf, lambda t: call(t.image), declared=call)


def test_hue_out_of_range(tf):
    # TensorFlow's graph never looks.
    check_error(tf, raises("ValueError", lambda t: t.image.adjust_hue(X, 1.5)), ["recorded"])
