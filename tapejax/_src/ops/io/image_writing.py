"""Writing image files with Pillow, and the effect of JPEG compression on images."""

import io
from typing import Any

import numpy as np

from tapejax._src.core import dtypes, errors
from tapejax._src.core.checks import invalid, invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import from_value
from tapejax._src.ops.image.adjust import convert_image_dtype
from tapejax._src.ops.io.images import decode_jpeg, pillow

__all__ = ["adjust_jpeg_quality", "encode_jpeg", "encode_png"]

_U8 = np.dtype(np.uint8)


def _image(image: Any, allowed: tuple[np.dtype, ...], channels: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(to_tensor(image))
    if array.dtype not in allowed:
        raise invalid(
            f"Value for attr 'T' of {array.dtype.name} is not in the list of allowed values: "
            f"{', '.join(d.name for d in allowed)}"
        )
    if array.ndim != 3 or array.shape[2] not in channels:
        error = invalid if array.ndim != 3 else invalid_value
        raise error(
            f"image must be 3-dimensional, [height, width, channels] with channels in {list(channels)}, got "
            f"shape {list(array.shape)}"
        )
    return array[..., 0] if array.shape[2] == 1 else array


def _text(data: bytes) -> Any:
    return from_value(np.array(data, object))


@public("io.encode_jpeg", "image.encode_jpeg")
def encode_jpeg(
    image: Any,
    format: str = "",
    quality: int = 95,
    progressive: bool = False,
    optimize_size: bool = False,
    chroma_downsampling: bool = True,
    density_unit: str = "in",
    x_density: int = 300,
    y_density: int = 300,
    xmp_metadata: str = "",
    name: Any = None,
) -> Any:
    """Writes an image as a JPEG file.

    Args:
      image: uint8 of shape [height, width, channels], with 1 or 3 channels.
      format: "", "grayscale" or "rgb".
      quality: 0 to 100.
      progressive: whether the image becomes sharper while the file is loaded.
      optimize_size: whether the file is made smaller, which takes more time.
      chroma_downsampling: whether colours are stored at half the resolution.
      density_unit: "in" or "cm".
      x_density: pixels per unit in horizontal direction.
      y_density: pixels per unit in vertical direction.
      xmp_metadata: XML to store in the file.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The file's bytes, a scalar string tensor.

    Raises:
      InvalidArgumentError: `image` has another shape or dtype, or an option is not allowed.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/encode_jpeg

    >>> encode_jpeg(np.zeros([2, 3, 1], np.uint8)).numpy()[:2]
    b'\\xff\\xd8'
    """
    if format not in ("", "grayscale", "rgb"):
        raise invalid_value(f"format must be '', grayscale or rgb, got {format!r}")
    if not 0 <= quality <= 100:
        raise invalid_value(f"quality must be in [0,100], got {quality}")
    if density_unit not in ("in", "cm"):
        raise invalid_value(f"Invalid density_unit {density_unit!r}: expected 'in' or 'cm'")
    array = _image(image, (_U8,), {"": (1, 3), "grayscale": (1,), "rgb": (3,)}[format])
    # Pillow writes densities per inch.
    scale = 1 if density_unit == "in" else 2.54
    options: dict[str, Any] = {"xmp": xmp_metadata.encode()} if xmp_metadata else {}
    dpi = (round(x_density * scale), round(y_density * scale))
    out = io.BytesIO()
    pillow().fromarray(array).save(
        out,
        "JPEG",
        quality=max(int(quality), 1),
        progressive=progressive,
        optimize=optimize_size,
        dpi=dpi,
        subsampling=2 if chroma_downsampling else 0,
        **options,
    )
    return _text(out.getvalue())


@public("io.encode_png", "image.encode_png")
def encode_png(image: Any, compression: int = -1, name: Any = None) -> Any:
    """Writes an image as a PNG file.

    Args:
      image: uint8 of shape [height, width, channels] with 1 to 4 channels, or uint16 of shape [height, width, 1].
      compression: 0 (fast) to 9 (small), or -1 for zlib's default.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The file's bytes, a scalar string tensor.

    Raises:
      InvalidArgumentError: `image` has another shape or dtype.
      UnsupportedError: `image` has 16-bit colours, which Pillow does not write.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/encode_png

    >>> encode_png(np.zeros([2, 3, 1], np.uint8)).numpy()[:4]
    b'\\x89PNG'
    """
    array = _image(image, (_U8, np.dtype(np.uint16)), (1, 2, 3, 4))
    if array.dtype == np.uint16 and array.ndim == 3:
        raise errors.UnsupportedError("encode_png of 16-bit colours", "Pillow does not write them", "Convert to uint8.")
    out = io.BytesIO()
    options = {} if compression < 0 else {"compress_level": int(compression)}
    pillow().fromarray(array).save(out, "PNG", **options)
    return _text(out.getvalue())


@public("image.adjust_jpeg_quality")
def adjust_jpeg_quality(image: Any, jpeg_quality: Any, dct_method: str = "", name: Any = None) -> Any:
    """The image after compression to a JPEG file of a quality, in the dtype that it had.

    Args:
      image: a tensor of shape [height, width, channels], with 1 or 3 channels.
      jpeg_quality: 0 to 100.
      dct_method: the argument of `decode_jpeg`.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the shape or the quality is not allowed.

    Source: https://www.tensorflow.org/api_docs/python/tf/image/adjust_jpeg_quality

    >>> adjust_jpeg_quality(np.zeros([2, 3, 3], np.uint8), 80).shape
    TensorShape([2, 3, 3])
    """
    tensor = to_tensor(image)
    whole = convert_image_dtype(tensor, dtypes.uint8, saturate=True)
    stored = decode_jpeg(encode_jpeg(whole, quality=int(jpeg_quality)), dct_method=dct_method)
    return convert_image_dtype(stored, tensor.dtype, saturate=True)
