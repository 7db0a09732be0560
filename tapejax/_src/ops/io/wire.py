"""Protocol buffers' wire format: the kinds of field that TensorFlow's files use.

Reading only interprets bytes as data; nothing that is read is executed.

Reference: https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["VARINT", "FIXED64", "BYTES", "FIXED32", "field", "fields", "pack_varints", "unpack_varints", "varint"]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LOW = 2**64 - 1


def varint(value: int) -> bytes:
    """An integer as bytes of seven bits each, the lowest first. Negative ones are written as 64-bit two's complement.

    >>> varint(300)
    b'\\xac\\x02'
    """
    value &= _LOW
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, payload: bytes) -> bytes:
    """A field that holds bytes: a string, a nested message, or packed numbers.

    >>> field(1, b"ab")
    b'\\n\\x02ab'
    """
    return varint(number << 3 | BYTES) + varint(len(payload)) + payload


def _read_varint(data: Any, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("not a protocol buffer: an integer does not end")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value & _LOW, at
        shift += 7


def fields(data: Any) -> Iterator[tuple[int, int, Any]]:
    """Reads the fields of a message, in the order of the file.

    Args:
      data: bytes, or a memoryview of bytes.

    Yields:
      Tuples (number, wire type, value). The value is an unsigned int for `VARINT`, and a memoryview for the other
      types.

    Raises:
      ValueError: `data` is not a message.

    >>> [(n, bytes(v)) for n, _, v in fields(field(1, b"ab") + field(2, b""))]
    [(1, b'ab'), (2, b'')]
    """
    data = memoryview(data)
    at, end = 0, len(data)
    while at < end:
        tag, at = _read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, at = _read_varint(data, at)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, at = _read_varint(data, at)
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
        else:
            raise ValueError(f"not a protocol buffer: wire type {wire}")
        if number == 0 or at + size > end:
            raise ValueError("not a protocol buffer: a field reaches past the end")
        yield number, wire, data[at : at + size]
        at += size


def signed(value: int) -> int:
    """A 64-bit two's complement number as a Python int."""
    return value - 2**64 if value >> 63 else value


def unpack_varints(data: Any) -> np.ndarray:
    """Packed varints as an int64 array.

    Raises:
      ValueError: the last one is not complete.

    >>> unpack_varints(varint(300) + varint(-1)).tolist()
    [300, -1]
    """
    raw = np.frombuffer(data, np.uint8)
    last = raw < 0x80
    if raw.size and not last[-1]:
        raise ValueError("not a protocol buffer: an integer does not end")
    if last.all():
        return raw.astype(np.int64)
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(raw.size) - np.repeat(starts, ends - starts + 1)
    if place.max() > 9:
        raise ValueError("not a protocol buffer: an integer is too long")
    bits = (raw & 0x7F).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.bitwise_or.reduceat(bits, starts).view(np.int64)


def pack_varints(values: Any) -> bytes:
    """Integers as packed varints.

    >>> pack_varints([1, 300])
    b'\\x01\\xac\\x02'
    """
    whole = np.asarray(values, np.int64).reshape(-1)
    if whole.size == 0 or (whole.min() >= 0 and whole.max() < 0x80):
        return whole.astype(np.uint8).tobytes()
    groups = whole.view(np.uint64)[:, None] >> (7 * np.arange(10, dtype=np.uint64))
    used = groups != 0
    used[:, 0] = True
    more = np.concatenate([used[:, 1:], np.zeros((whole.size, 1), bool)], axis=1)
    return ((groups & 0x7F).astype(np.uint8) | (more * np.uint8(0x80)))[used].tobytes()
