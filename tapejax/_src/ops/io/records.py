"""TFRecord files: a sequence of byte strings, each with its length and two checksums."""

import functools
import gzip
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from tapejax._src.core import errors
from tapejax._src.core.public import public
from tapejax._src.ops.io.files import as_path, one_bytes, translated

__all__ = ["TFRecordOptions", "TFRecordWriter", "crc32c", "masked_crc32c", "read_records"]

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, lowest bit first
_LANE = 32  # bytes that one lane of the vectorised checksum goes through


def _tables() -> tuple[np.ndarray, list[int]]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = table >> 1 ^ (table & 1) * np.uint32(_POLYNOMIAL)
    return table, table.tolist()


_TABLE, _PLAIN_TABLE = _tables()


@functools.cache
def _shift(level: int) -> np.ndarray:
    """What ``_LANE << level`` zero bytes do to a checksum: a linear map, as one table for each of its four bytes."""
    values = (np.arange(256, dtype=np.uint32)[None] << (8 * np.arange(4, dtype=np.uint32))[:, None]).reshape(-1)
    if level:
        return _shifted(_shifted(values, level - 1), level - 1).reshape(4, 256)
    for _ in range(_LANE):
        values = _TABLE[values & 0xFF] ^ values >> 8
    return values.reshape(4, 256)


def _shifted(crc: np.ndarray, level: int) -> np.ndarray:
    table = _shift(level)
    return table[0][crc & 0xFF] ^ table[1][crc >> 8 & 0xFF] ^ table[2][crc >> 16 & 0xFF] ^ table[3][crc >> 24]


def crc32c(data: Any) -> int:
    """The CRC-32C checksum of bytes.

    Long data is cut in lanes that NumPy takes through the table side by side; checksums of neighbours are then
    joined, which is linear. (1 ms for 100 kB; byte by byte it took 10.)

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    size = len(data)
    if size < 2048:
        crc = 0xFFFFFFFF
        for byte in bytes(data):
            crc = _PLAIN_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
        return crc ^ 0xFFFFFFFF
    lanes = -(-size // _LANE)
    padded = np.zeros(lanes * _LANE, np.uint8)  # zeros in front of the data change nothing
    padded[-size:] = np.frombuffer(data, np.uint8)
    padded[-size:][:4] ^= 0xFF
    crc = np.zeros(lanes, np.uint32)
    for column in np.ascontiguousarray(padded.reshape(lanes, _LANE).T):
        crc = _TABLE[(crc ^ column) & 0xFF] ^ crc >> 8
    level = 0
    while crc.size > 1:
        if crc.size % 2:
            crc = np.concatenate([np.zeros(1, np.uint32), crc])
        crc = _shifted(crc[0::2], level) ^ crc[1::2]
        level += 1
    return int(crc[0]) ^ 0xFFFFFFFF


def masked_crc32c(data: Any) -> int:
    """The checksum as records store it: turned and shifted, so that a checksum of data with checksums stays good."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


class TFRecordOptions:
    """How a `TFRecordWriter` compresses.

    Args:
      compression_type: "", "GZIP", "ZLIB" or None.
      flush_mode: accepted as None only, as the next three; the defaults are zlib's.
      input_buffer_size: None.
      output_buffer_size: None.
      window_bits: zlib's, 9 to 15.
      compression_level: 0 to 9, or -1 for zlib's own choice.
      compression_method: zlib's, 8.
      mem_level: zlib's, 1 to 9.
      compression_strategy: zlib's, 0 to 4.

    Raises:
      ValueError: an unknown `compression_type`. UnsupportedError: a flush mode or a buffer size.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/TFRecordOptions

    >>> TFRecordOptions("GZIP").compression_type
    'GZIP'
    """

    def __init__(
        self,
        compression_type: Any = None,
        flush_mode: Any = None,
        input_buffer_size: Any = None,
        output_buffer_size: Any = None,
        window_bits: Any = None,
        compression_level: Any = None,
        compression_method: Any = None,
        mem_level: Any = None,
        compression_strategy: Any = None,
    ):
        self.compression_type = "" if compression_type is None else compression_type
        if self.compression_type not in ("", "GZIP", "ZLIB"):
            raise ValueError(f'Unknown compression_type: "{compression_type}"; expected "", "GZIP" or "ZLIB"')
        for name, value in (
            ("flush_mode", flush_mode),
            ("input_buffer_size", input_buffer_size),
            ("output_buffer_size", output_buffer_size),
        ):
            if value is not None:
                raise errors.UnsupportedError(
                    f"tf.io.TFRecordOptions({name}={value!r})", "records are buffered by Python", "Leave it out."
                )
        self.window_bits = 15 if window_bits is None else window_bits
        self.compression_level = -1 if compression_level is None else compression_level
        self.compression_method = zlib.DEFLATED if compression_method is None else compression_method
        self.mem_level = 8 if mem_level is None else mem_level
        self.compression_strategy = 0 if compression_strategy is None else compression_strategy

    def compressor(self) -> Any:
        """A new zlib compressor, or None."""
        if not self.compression_type:
            return None
        bits = self.window_bits + (16 if self.compression_type == "GZIP" else 0)
        return zlib.compressobj(
            self.compression_level, self.compression_method, bits, self.mem_level, self.compression_strategy
        )


class TFRecordWriter:
    """Writes records to a file, which is overwritten. A context manager.

    Args:
      path: text or path.
      options: `TFRecordOptions`, or "GZIP" or "ZLIB".

    Raises:
      TypeError: options of another type. NotFoundError: the directory does not exist.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/TFRecordWriter

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "records")
    >>> with TFRecordWriter(path) as writer:
    ...     writer.write(b"one")
    >>> list(read_records(path))
    [b'one']
    """

    def __init__(self, path: Any, options: Any = None):
        if options is None or isinstance(options, str):
            options = TFRecordOptions(options)
        if not isinstance(options, TFRecordOptions):
            raise TypeError(f"`options` must be a TFRecordOptions or a text, got {options!r}")
        self._compressor = options.compressor()
        with translated():
            self._file: Any = open(as_path(path), "wb")

    def write(self, record: Any) -> None:
        """Appends a record: bytes, or a scalar string tensor.

        Raises:
          FailedPreconditionError: the writer is closed.
        """
        data = record if isinstance(record, bytes) else one_bytes(record, "record")
        length = struct.pack("<Q", len(data))
        self._put(
            b"".join([length, struct.pack("<I", masked_crc32c(length)), data, struct.pack("<I", masked_crc32c(data))])
        )

    def _put(self, data: bytes) -> None:
        if self._file is None:
            raise errors.FailedPreconditionError(message="Writer not initialized or previously closed")
        with translated():
            self._file.write(data if self._compressor is None else self._compressor.compress(data))

    def flush(self) -> None:
        """Hands what was written to the operating system."""
        self._put(b"")
        if self._compressor is not None:
            self._file.write(self._compressor.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        """Ends the file."""
        if self._file is not None:
            if self._compressor is not None:
                self._file.write(self._compressor.flush())
            self._file.close()
            self._file = None

    def __enter__(self) -> "TFRecordWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self.close()


public("io.TFRecordOptions")(TFRecordOptions)
public("io.TFRecordWriter")(TFRecordWriter)


def _opened(path: str, compression: str) -> Any:
    if compression == "GZIP":
        return gzip.open(path, "rb")
    return _ZlibFile(path) if compression == "ZLIB" else open(path, "rb")


class _ZlibFile:
    """A zlib stream, as a file to read."""

    def __init__(self, path: str):
        self._raw, self._inflate, self._left = open(path, "rb"), zlib.decompressobj(), b""

    def read(self, n: int) -> bytes:
        while len(self._left) < n and (chunk := self._raw.read(1 << 18)):
            self._left += self._inflate.decompress(chunk)
        out, self._left = self._left[:n], self._left[n:]
        return out

    def __enter__(self) -> "_ZlibFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()


def read_records(path: Any, compression_type: Any = None) -> Iterator[bytes]:
    """The records of a file, in order.

    Args:
      path: text, path, or scalar string tensor.
      compression_type: "", "GZIP", "ZLIB" or None.

    Raises:
      NotFoundError: there is no such file. DataLossError: it is cut short, or a checksum is wrong.
      ValueError: an unknown `compression_type`.
    """
    name, options = as_path(path), TFRecordOptions(compression_type)
    with translated(), _opened(name, options.compression_type) as file:
        at = 0
        try:
            while head := file.read(12):
                length, check = struct.unpack("<QI", head) if len(head) == 12 else (0, None)
                if check != masked_crc32c(head[:8]):
                    raise errors.DataLossError(message=f"corrupted record at {at} of {name}")
                data = file.read(length)
                tail = file.read(4)
                if len(data) < length or len(tail) < 4:
                    raise errors.DataLossError(message=f"truncated record at {at} of {name}")
                if struct.unpack("<I", tail)[0] != masked_crc32c(data):
                    raise errors.DataLossError(message=f"corrupted record at {at} of {name}")
                yield data
                at += length + 16
        except (EOFError, gzip.BadGzipFile, zlib.error) as e:
            raise errors.DataLossError(message=f"{name} is no whole {options.compression_type} file: {e}") from None
