"""Images and sounds of `tf.io`, `tf.image` and `tf.audio` against real TensorFlow: files, pixels, samples."""

import io

import numpy as np
import pytest
from support.harness import check, check_error, raises

import tapejax

pytest.importorskip("PIL")


def _picture(channels, size=(24, 17)):
    y, x = np.mgrid[: size[0], : size[1]]
    return np.stack([(y * 7 + x * (3 + c) + 20 * c) % 256 for c in range(channels)], -1).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_files_keep_every_pixel(tf, channels):
    picture = _picture(channels)
    files = [t.io.encode_png(t.constant(picture)).numpy() for t in (tapejax, tf)]
    for data in files:
        check(tf, lambda t, data=data: t.io.decode_png(data))
        check(tf, lambda t, data=data: t.io.decode_image(data))
        check(tf, lambda t, data=data: t.io.decode_image(data, dtype=t.float32))
        check(tf, lambda t, data=data: t.io.decode_png(data, dtype=t.uint16))
        check(tf, lambda t, data=data: t.io.decode_png(data, channels=3))
        check(tf, lambda t, data=data: t.io.decode_png(data, channels=4))
        np.testing.assert_allclose(
            tapejax.io.decode_png(data, channels=1).numpy().astype(int),
            tf.io.decode_png(data, channels=1).numpy().astype(int),
            atol=1,
        )


def test_deep_greys_in_png_files(tf):
    picture = (np.arange(60).reshape(6, 10, 1) * 1000).astype(np.uint16)
    for t in (tapejax, tf):
        data = t.io.encode_png(t.constant(picture)).numpy()
        check(tf, lambda t, data=data: t.io.decode_png(data, dtype=t.uint16))
        check(tf, lambda t, data=data: t.io.decode_png(data))


def _close(ours, real, most):
    assert ours.shape == real.shape and ours.dtype.name == real.dtype.name
    assert np.abs(ours.numpy().astype(int) - real.numpy().astype(int)).max() <= most


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_files(tf, channels):
    """TensorFlow decodes with a fast, less exact transform: its pixels may differ a little."""
    picture = _picture(3)[:, :, :channels] // 4 + 60
    for data in (
        t.io.encode_jpeg(t.constant(picture), quality=95, chroma_downsampling=False).numpy() for t in (tapejax, tf)
    ):
        _close(tapejax.io.decode_jpeg(data), tf.io.decode_jpeg(data, dct_method="INTEGER_ACCURATE"), 1)
        _close(tapejax.io.decode_jpeg(data, channels=1), tf.io.decode_jpeg(data, channels=1), 6)
        _close(tapejax.image.decode_image(data, channels=3), tf.image.decode_image(data, channels=3), 12)
        _close(tapejax.io.decode_jpeg(data, ratio=2), tf.io.decode_jpeg(data, ratio=2), 12)
        _close(
            tapejax.io.decode_and_crop_jpeg(data, [3, 4, 10, 9]),
            tf.io.decode_and_crop_jpeg(data, [3, 4, 10, 9], dct_method="INTEGER_ACCURATE"),
            1,
        )
        check(tf, lambda t, data=data: t.io.extract_jpeg_shape(data))
        check(tf, lambda t, data=data: t.io.is_jpeg(data))
        check_error(
            tf, raises("InvalidArgumentError", lambda t, data=data: t.io.decode_and_crop_jpeg(data, [3, 4, 30, 9]))
        )


def test_other_image_files(tf):
    from PIL import Image

    frames = [Image.fromarray(_picture(3) // (i + 1)).quantize(16) for i in range(3)]
    gif, bmp, still = io.BytesIO(), io.BytesIO(), io.BytesIO()
    frames[0].save(gif, "GIF", save_all=True, append_images=frames[1:])
    Image.fromarray(_picture(3)).save(bmp, "BMP")
    frames[0].save(still, "PNG")
    check(tf, lambda t: t.io.decode_gif(gif.getvalue()))
    check(tf, lambda t: t.io.decode_image(gif.getvalue()))
    check(tf, lambda t: t.io.decode_image(gif.getvalue(), expand_animations=False))
    check(tf, lambda t: t.io.decode_bmp(bmp.getvalue()))
    check(tf, lambda t: t.io.decode_image(bmp.getvalue()))
    check(tf, lambda t: t.io.decode_png(still.getvalue()))


def test_jpeg_quality(tf):
    picture = _picture(3) // 4 + 60
    _close(tapejax.image.adjust_jpeg_quality(picture, 80), tf.image.adjust_jpeg_quality(picture, 80), 16)
    assert tapejax.image.random_jpeg_quality(picture, 70, 90).dtype is tapejax.uint8


def test_without_pillow_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ImportError, match=r"tapejax\[image\]"):
        tapejax.io.decode_image(b"\xff\xd8\xff")


def test_sounds(tf):
    sound = np.sin(np.arange(200) / 9).reshape(100, 2).astype(np.float32) * 1.2
    files = [t.audio.encode_wav(t.constant(sound), 16000).numpy() for t in (tapejax, tf)]
    assert files[0] == files[1]
    for options in ({}, {"desired_channels": 1}, {"desired_samples": 50}, {"desired_samples": 150}):
        check(tf, lambda t, options=options: tuple(t.audio.decode_wav(files[1], **options)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp(tf, mode):
    from PIL import Image

    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (5, 4, len(mode)), np.uint8)
    pixels[..., 3:] |= 1  # what is wholly transparent has no colour
    Image.fromarray(pixels).save(file, "WEBP", lossless=True)
    for channels in (0, len(mode)):
        check(tf, lambda m, channels=channels: m.io.decode_webp(file.getvalue(), channels))
    check_error(tf, raises("InvalidArgumentError", lambda m: m.io.decode_webp(file.getvalue(), 7 - len(mode))))
