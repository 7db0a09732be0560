"""WAV files with 16 bits for each sample: `decode_wav` and `encode_wav`."""

import struct
from typing import Any, NamedTuple

import numpy as np

from tapejax._src.core.checks import invalid, invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import from_value
from tapejax._src.ops.io.files import one_bytes

__all__ = ["decode_wav", "encode_wav"]


class DecodeWav(NamedTuple):
    """The result of `decode_wav`.

    Attributes:
      audio: float32 of shape [samples, channels].
      sample_rate: the samples per second, an int32 scalar.
    """

    audio: Any
    sample_rate: Any


def _chunks(data: bytes) -> dict[bytes, bytes]:
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise invalid_value(f"Header mismatch: Expected RIFF but found {data[:4]!r}")
    found, at = {}, 12
    while at + 8 <= len(data):
        size = struct.unpack_from("<I", data, at + 4)[0]
        found.setdefault(data[at : at + 4], data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    return found


@public("audio.decode_wav")
def decode_wav(contents: Any, desired_channels: int = -1, desired_samples: int = -1, name: Any = None) -> DecodeWav:
    """Reads a 16-bit PCM WAV file.

    Args:
      contents: the file's bytes, a scalar string tensor.
      desired_channels: the number of channels of the result; -1 means that of the file. Channels are left out, or the
        last one is repeated.
      desired_samples: the number of samples of the result; -1 means that of the file. Samples are left out, or zeros
        are appended.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The named tuple (audio, sample_rate): float32 numbers from -1 to 1 of shape [samples, channels], and an int32
      scalar.

    Raises:
      InvalidArgumentError: `contents` is not such a file.

    Source: https://www.tensorflow.org/api_docs/python/tf/audio/decode_wav

    >>> audio, rate = decode_wav(encode_wav([[0.0], [-1.0]], 8000))
    >>> audio.numpy().tolist(), int(rate)
    ([[0.0], [-1.0]], 8000)
    """
    found = _chunks(one_bytes(contents))
    if b"fmt " not in found or b"data" not in found or len(found[b"fmt "]) < 16:
        raise invalid_value("No data found in WAV file")
    form, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", found[b"fmt "])
    if form not in (1, 0xFFFE) or bits != 16 or channels < 1:
        raise invalid_value(f"Can only read 16-bit WAV files, but received {bits} (audio format {form})")
    raw = found[b"data"]
    frames = np.frombuffer(raw, "<i2", len(raw) // (2 * channels) * channels).reshape(-1, channels)
    audio = frames.astype(np.float32) / np.float32(32768)
    if desired_channels > 0:
        audio = audio[:, np.minimum(np.arange(desired_channels), channels - 1)]
    if desired_samples >= 0:
        audio = audio[:desired_samples]
        audio = np.pad(audio, ((0, desired_samples - len(audio)), (0, 0)))
    return DecodeWav(from_value(audio), from_value(np.array(rate, np.int32)))


@public("audio.encode_wav")
def encode_wav(audio: Any, sample_rate: Any, name: Any = None) -> Any:
    """Writes numbers from -1 to 1 as a 16-bit PCM WAV file. Numbers outside this range are clipped.

    Args:
      audio: float32 of shape [samples, channels].
      sample_rate: the samples per second.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The file's bytes, a scalar string tensor.

    Raises:
      InvalidArgumentError: `audio` has another shape or dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/audio/encode_wav

    >>> encode_wav([[0.0], [-1.0]], 8000).numpy()[:4]
    b'RIFF'
    """
    array, rate = np.asarray(to_tensor(audio)), int(sample_rate)
    if array.dtype != np.float32 or array.ndim != 2:
        raise invalid(
            f"audio must be a float32 matrix [samples, channels], got {array.dtype.name} of shape {list(array.shape)}"
        )
    channels = array.shape[1]
    data = np.clip(np.rint(array.astype(np.float64) * 32768), -32768, 32767).astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 * channels, 2 * channels, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data
    return from_value(np.array(b"RIFF" + struct.pack("<I", len(body)) + body, object))
