"""Reading image files: JPEG, PNG, GIF, BMP and WebP.

The library Pillow decodes them. It is installed with the extra "image" and imported when it is first used.
"""

import io
import re
from typing import Any

import numpy as np

from tapejax._src.core import dtypes, errors
from tapejax._src.core.checks import invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import from_value
from tapejax._src.ops.io.files import one_bytes

__all__ = ["decode_and_crop_jpeg", "decode_bmp", "decode_gif", "decode_image", "decode_jpeg", "decode_png",
           "decode_webp", "extract_jpeg_shape", "is_jpeg", "pillow"]  # fmt: skip

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def pillow() -> Any:
    """The module `Image` of Pillow.

    Raises:
      ImportError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            "tapejax reads and writes image files with Pillow, which is not installed: pip install 'tapejax[image]'"
        ) from None
    return Image


def _kind(data: bytes) -> str:
    """The format of an image file, which its first bytes tell. "" if it is unknown."""
    starts = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF8": "GIF", b"BM": "BMP"}
    found = next((kind for start, kind in starts.items() if data.startswith(start)), "")
    return found or ("WEBP" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else "")


def _open(data: bytes, what: str) -> Any:
    try:
        return pillow().open(io.BytesIO(data), formats=[what])
    except (OSError, SyntaxError, ValueError) as e:
        raise invalid_value(f"Invalid {what} data or crop window, data size {len(data)}: {e}") from None


def _load(image: Any) -> None:
    try:
        image.load()
    except (OSError, SyntaxError, ValueError) as e:
        raise invalid_value(f"Invalid image data: {e}") from None


def _channels(image: Any, channels: int) -> int:
    """The number of channels of the result: `channels`, or that of the file if it is 0."""
    if channels not in (0, 1, 3, 4):
        raise invalid_value(f"channels must be 0, 1, 3 or 4, got {channels}")
    if channels:
        return channels
    if image.mode == "P":
        return 4 if "transparency" in image.info else 3
    return {"1": 1, "L": 1, "LA": 2, "RGBA": 4, "I": 1, "PA": 4}.get(image.mode, 1 if image.mode[0] == "I" else 3)


def _pixels(image: Any, channels: int) -> np.ndarray:
    """The pixels of an image as uint8 of shape [height, width, channels]."""
    if channels == 1 and image.mode not in ("1", "L"):
        # TensorFlow has weights of its own for the grey of PNG and the like. With Pillow's weights, results differ in
        # the last bit.
        image = image.convert("RGB")
    if channels in (1, 3) and image.mode in ("RGBA", "LA", "PA"):
        image = image.convert("RGBA")
        image = pillow().fromarray(np.asarray(image)[..., :3])
    array = np.asarray(image.convert(_MODES[channels]))
    return array if array.ndim == 3 else array[..., None]


@public("io.decode_jpeg", "image.decode_jpeg")
def decode_jpeg(
    contents: Any,
    channels: int = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1,
    dct_method: str = "",
    name: Any = None,
) -> Any:
    """Decodes a JPEG file.

    Args:
      contents: the file's bytes, a scalar string tensor.
      channels: 1 for grey, 3 for colours, 0 for those of the file.
      ratio: 1, 2, 4 or 8. Each side is divided by it and rounded up, which makes decoding faster.
      fancy_upscaling: must be True.
      try_recover_truncated: whether the missing part of a damaged file is filled instead of raising an error.
      acceptable_fraction: must be 1.
      dct_method: "", "INTEGER_FAST" or "INTEGER_ACCURATE". All of them compute the accurate transform. TensorFlow's
        fast one differs from it by a few grey levels at most.
      name: has no effect, as in eager TensorFlow.

    Returns:
      uint8 of shape [height, width, channels].

    Raises:
      InvalidArgumentError: `contents` is not a JPEG file, or an argument is out of range.
      UnsupportedError: Pillow does not have an option.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/decode_jpeg

    >>> import tapejax as tf
    >>> decode_jpeg(tf.io.encode_jpeg(np.zeros([2, 3, 1], np.uint8))).shape
    TensorShape([2, 3, 1])
    """
    return _jpeg(
        one_bytes(contents), channels, ratio, fancy_upscaling, try_recover_truncated, acceptable_fraction, dct_method
    )


def _jpeg(data: bytes, channels: int, ratio: int, fancy: bool, recover: bool, fraction: float, dct: str) -> Any:
    if not fancy:
        raise errors.UnsupportedError("fancy_upscaling=False", "Pillow always interpolates colours", "Leave it out.")
    if fraction != 1:
        raise errors.UnsupportedError(
            f"acceptable_fraction={fraction}",
            "Pillow does not tell how much it could read",
            "Use try_recover_truncated=True.",
        )
    if dct not in ("", "INTEGER_FAST", "INTEGER_ACCURATE"):
        raise invalid_value(f"dct_method must be one of ['', 'INTEGER_FAST', 'INTEGER_ACCURATE'], got {dct!r}")
    if ratio not in (1, 2, 4, 8):
        raise invalid_value(f"ratio must be 1, 2, 4, or 8, got {ratio}")
    if channels not in (0, 1, 3):
        raise invalid_value(f"channels must be 0, 1, or 3 for JPEG, got {channels}")
    if _kind(data) in ("PNG", "GIF", "BMP"):  # as in TensorFlow, this op reads other formats too
        return decode_image(data, channels or None, expand_animations=False)
    image = _open(data, "JPEG")
    if recover:
        from PIL import ImageFile

        before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    size = (max(image.width // ratio, 1), max(image.height // ratio, 1))
    grey = channels == 1 or (channels == 0 and image.mode == "L")
    try:
        if grey or ratio > 1:
            image.draft("L" if grey else "RGB", size)
        _load(image)
    finally:
        if recover:
            ImageFile.LOAD_TRUNCATED_IMAGES = before
    return from_value(_pixels(image, 1 if grey else 3))


@public("io.decode_and_crop_jpeg", "image.decode_and_crop_jpeg")
def decode_and_crop_jpeg(
    contents: Any,
    crop_window: Any,
    channels: int = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1,
    dct_method: str = "",
    name: Any = None,
) -> Any:
    """Decodes a part of a JPEG file.

    Args:
      contents: the file's bytes, a scalar string tensor.
      crop_window: ``[top, left, height, width]`` of the part, integers, which are read.
      channels: the argument of `decode_jpeg`, as the next five.
      ratio: 1, 2, 4 or 8.
      fancy_upscaling: must be True.
      try_recover_truncated: whether the missing part of a damaged file is filled instead of raising an error.
      acceptable_fraction: must be 1.
      dct_method: "", "INTEGER_FAST" or "INTEGER_ACCURATE".
      name: has no effect, as in eager TensorFlow.

    Returns:
      uint8 of shape [height, width, channels].

    Raises:
      InvalidArgumentError: the part extends beyond the image. The other errors are those of `decode_jpeg`.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/decode_and_crop_jpeg

    >>> import tapejax as tf
    >>> decode_and_crop_jpeg(tf.io.encode_jpeg(np.zeros([9, 9, 1], np.uint8)), [1, 2, 3, 4]).shape
    TensorShape([3, 4, 1])
    """
    top, left, height, width = (int(v) for v in np.asarray(to_tensor(crop_window)))
    whole = np.asarray(
        decode_jpeg(
            contents, channels, ratio, fancy_upscaling, try_recover_truncated, acceptable_fraction, dct_method
        )._value
    )
    if (
        top < 0
        or left < 0
        or height <= 0
        or width <= 0
        or top + height > whole.shape[0]
        or (left + width > whole.shape[1])
    ):
        raise invalid_value(
            f"Invalid JPEG data or crop window {[top, left, height, width]} for an image of {whole.shape}"
        )
    return from_value(whole[top : top + height, left : left + width].copy())


@public("io.decode_png", "image.decode_png")
def decode_png(contents: Any, channels: int = 0, dtype: Any = dtypes.uint8, name: Any = None) -> Any:
    """Decodes a PNG file.

    Args:
      contents: the file's bytes, a scalar string tensor.
      channels: 1 for grey, 3 for colours, 4 for colours with transparency, 0 for those of the file.
      dtype: uint8 or uint16. Pillow reads 8 bits of 16-bit colours, so uint16 is refused for them. 16-bit greys are
        read.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [height, width, channels].

    Raises:
      InvalidArgumentError: `contents` is not a PNG file.
      TypeError: `dtype` is another one.
      UnsupportedError: `dtype` is uint16 and the file has 16-bit colours.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/decode_png

    >>> import tapejax as tf
    >>> decode_png(tf.io.encode_png(np.full([1, 2, 1], 7, np.uint8))).numpy().tolist()
    [[[7], [7]]]
    """
    wanted = dtypes.to_numpy(dtype)
    if wanted not in (np.uint8, np.uint16):
        raise TypeError(
            f"Value passed to parameter 'dtype' has DataType {dtypes.as_dtype(dtype).name} not in list of "
            "allowed values: uint8, uint16"
        )
    data = one_bytes(contents)
    if _kind(data) in ("JPEG", "GIF", "BMP"):
        return decode_image(data, channels or None, expand_animations=False)
    image = _open(data, "PNG")
    deep = len(data) > 25 and data[24] == 16
    if deep and wanted == np.uint16 and not image.mode.startswith("I"):
        raise errors.UnsupportedError(
            "decode_png(..., dtype=tf.uint16) of 16-bit colours", "Pillow reads 8 bits of each", "Use dtype=tf.uint8."
        )
    _load(image)
    count = _channels(image, channels)
    if not image.mode.startswith("I"):
        array = _pixels(image, count)
        return from_value(array if wanted == np.uint8 else array.astype(np.uint16) * np.uint16(257))
    grey = np.asarray(image).astype(np.uint16)[..., None]
    array = np.repeat(grey, count, axis=2)
    if count == 4:
        array[..., 3] = 65535
    return from_value(array if wanted == np.uint16 else (array >> 8).astype(np.uint8))


@public("io.decode_bmp", "image.decode_bmp")
def decode_bmp(contents: Any, channels: int = 0, name: Any = None) -> Any:
    """Decodes a BMP file.

    Args:
      contents: the file's bytes, a scalar string tensor.
      channels: 0, or the number of channels of the file.
      name: has no effect, as in eager TensorFlow.

    Returns:
      uint8 of shape [height, width, channels].

    Raises:
      InvalidArgumentError: `contents` is not a BMP file, or has another number of channels.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/decode_bmp

    >>> file = io.BytesIO()
    >>> pillow().new("RGB", (3, 2)).save(file, "BMP")
    >>> decode_bmp(file.getvalue()).shape
    TensorShape([2, 3, 3])
    """
    image = _open(one_bytes(contents), "BMP")
    _load(image)
    own = _channels(image, 0)
    if channels not in (0, own):
        raise invalid_value(f"channels attribute {channels} does not match bits per pixel from file {own * 8}")
    return from_value(_pixels(image, own))


@public("io.decode_gif", "image.decode_gif")
def decode_gif(contents: Any, name: Any = None) -> Any:
    """Decodes the frames of a GIF file.

    Args:
      contents: the file's bytes, a scalar string tensor.
      name: has no effect, as in eager TensorFlow.

    Returns:
      uint8 of shape [frames, height, width, 3].

    Raises:
      InvalidArgumentError: `contents` is not a GIF file.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/decode_gif

    >>> file = io.BytesIO()
    >>> pillow().new("RGB", (3, 2)).save(file, "GIF")
    >>> decode_gif(file.getvalue()).shape
    TensorShape([1, 2, 3, 3])
    """
    image = _open(one_bytes(contents), "GIF")
    frames = []
    for i in range(getattr(image, "n_frames", 1)):
        image.seek(i)
        frames.append(np.asarray(image.convert("RGB")))
    return from_value(np.stack(frames))


@public("io.decode_webp", "image.decode_webp")
def decode_webp(contents: Any, channels: int = 0, dtype: Any = dtypes.uint8, name: Any = None) -> Any:
    """Decodes the frames of a WebP file.

    Args:
      contents: the file's bytes, a scalar string tensor.
      channels: 0, or the number of channels of the file: 3, or 4 with transparency.
      dtype: must be uint8.
      name: has no effect, as in eager TensorFlow.

    Returns:
      uint8 of shape [frames, height, width, channels].

    Raises:
      InvalidArgumentError: `contents` is not a WebP file, or has another number of channels.
      TypeError: `dtype` is another one.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/decode_webp

    >>> file = io.BytesIO()
    >>> pillow().new("RGB", (3, 2)).save(file, "WEBP")
    >>> decode_webp(file.getvalue()).shape
    TensorShape([1, 2, 3, 3])
    """
    if dtypes.to_numpy(dtype) != np.uint8:
        raise TypeError(f"`dtype` must be uint8, got {dtype}")
    image = _open(one_bytes(contents), "WEBP")
    own = 4 if image.mode == "RGBA" else 3
    if channels not in (None, 0, own):
        raise invalid_value(f"Number of channels requested does not match input: {channels}, {own}")
    frames = []
    for i in range(getattr(image, "n_frames", 1)):
        image.seek(i)
        frames.append(np.asarray(image.convert(_MODES[own])))
    return from_value(np.stack(frames))


def _no_jxl(*args: Any, **kwargs: Any) -> Any:
    """Raises UnsupportedError: Pillow does not read JPEG XL. Convert the files to PNG.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/decode_jxl
    """
    raise errors.UnsupportedError("decode_jxl", "Pillow does not read JPEG XL", "Convert the files to PNG.")


public("io.decode_jxl", "image.decode_jxl")(_no_jxl)


@public("io.decode_image", "image.decode_image")
def decode_image(
    contents: Any, channels: Any = None, dtype: Any = dtypes.uint8, name: Any = None, expand_animations: bool = True
) -> Any:
    """Decodes a JPEG, PNG, GIF or BMP file.

    Args:
      contents: the file's bytes, a scalar string tensor.
      channels: 1, 3 or 4; None or 0 for those of the file.
      dtype: the dtype of the result. Values are converted as by `tf.image.convert_image_dtype`.
      name: has no effect, as in eager TensorFlow.
      expand_animations: whether all frames of a GIF file are returned, or only the first one.

    Returns:
      A tensor of shape [height, width, channels]; for all frames of a GIF file, of shape [frames, height, width, 3].

    Raises:
      InvalidArgumentError: `contents` is not such a file.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/decode_image

    >>> import tapejax as tf
    >>> decode_image(tf.io.encode_png(np.full([1, 2, 1], 7, np.uint8))).numpy().tolist()
    [[[7], [7]]]
    """
    data, wanted = one_bytes(contents), dtypes.to_numpy(dtype)
    kind, count = _kind(data), channels or 0
    if kind == "JPEG":
        image = decode_jpeg(data, count)
    elif kind == "PNG":
        image = decode_png(data, count, np.uint16 if wanted == np.uint16 else np.uint8)
    elif kind == "GIF":
        if count == 1:
            raise invalid_value("channels must be 0, 3 or 4 for GIF, got 1")
        image = decode_gif(data)
        if not expand_animations:
            image = from_value(np.asarray(image._value)[0])
    elif kind == "BMP":
        image = decode_bmp(data, count)
    else:
        raise invalid_value("Unknown image file format. One of JPEG, PNG, GIF, BMP required.")
    if image.aval.dtype == wanted:
        return image
    from tapejax._src.ops.image.adjust import convert_image_dtype

    return convert_image_dtype(image, dtype)


@public("io.is_jpeg", "image.is_jpeg")
def is_jpeg(contents: Any, name: Any = None) -> Any:
    """Whether a string begins as JPEG files do.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/is_jpeg

    >>> bool(is_jpeg(b"GIF89a"))
    False
    """
    return from_value(np.array(one_bytes(contents).startswith(b"\xff\xd8\xff")))


@public("io.extract_jpeg_shape", "image.extract_jpeg_shape")
def extract_jpeg_shape(contents: Any, output_type: Any = dtypes.int32, name: Any = None) -> Any:
    """The height, width and number of channels of a JPEG file. The image is not decoded.

    Args:
      contents: the file's bytes, a scalar string tensor.
      output_type: int32 or int64.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `contents` is not a JPEG file.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/extract_jpeg_shape

    >>> import tapejax as tf
    >>> extract_jpeg_shape(tf.io.encode_jpeg(np.zeros([2, 3, 1], np.uint8))).numpy().tolist()
    [2, 3, 1]
    """
    image = _open(one_bytes(contents), "JPEG")
    return from_value(
        np.array([image.height, image.width, len(re.findall("[A-Z]", image.mode))], dtypes.to_numpy(output_type))
    )
