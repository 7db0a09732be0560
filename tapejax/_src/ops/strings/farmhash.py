"""FarmHash's 64-bit fingerprint of a byte string, which `tf.strings.to_hash_bucket_fast` uses.

It is computed with Python's integers, one string at a time. Reference: G. Pike, FarmHash,
https://github.com/google/farmhash (the function ``Fingerprint64``).
"""

from typing import Final

__all__ = ["fingerprint64"]

_MASK: Final = 2**64 - 1
_K0: Final = 0xC3A5C85C97CB3127
_K1: Final = 0xB492B66FBE98F273
_K2: Final = 0x9AE16A3B2F90404F


def _read(data: bytes, at: int, size: int = 8) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _rotate(x: int, by: int) -> int:
    x &= _MASK
    return (x >> by | x << (64 - by)) & _MASK


def _mix(x: int) -> int:
    x &= _MASK
    return x ^ x >> 47


def _pair(u: int, v: int, factor: int) -> int:
    a = _mix((u ^ v) * factor)
    return _mix((v ^ a) * factor) * factor & _MASK


def _short(data: bytes) -> int:
    size = len(data)
    factor = _K2 + 2 * size
    if size >= 8:
        a, b = _read(data, 0) + _K2, _read(data, size - 8)
        return _pair(_rotate(b, 37) * factor + a & _MASK, (_rotate(a, 25) + b) * factor & _MASK, factor)
    if size >= 4:
        return _pair(size + (_read(data, 0, 4) << 3), _read(data, size - 4, 4), factor)
    if size:
        y, z = data[0] + (data[size >> 1] << 8), size + (data[-1] << 2)
        return _mix(y * _K2 & _MASK ^ z * _K0 & _MASK) * _K2 & _MASK
    return _K2


def _middle(data: bytes) -> int:
    """The fingerprint of 17 to 64 bytes."""
    size = len(data)
    factor = _K2 + 2 * size
    a = _read(data, 0) * (_K1 if size <= 32 else _K2) & _MASK
    b, c, d = _read(data, 8), _read(data, size - 8) * factor & _MASK, _read(data, size - 16) * _K2
    y = _rotate(a + b, 43) + _rotate(c, 30) + d & _MASK
    z = _pair(y, a + _rotate(b + _K2, 18) + c & _MASK, factor)
    if size <= 32:
        return z
    e, f = _read(data, 16) * factor & _MASK, _read(data, 24)
    g, h = (y + _read(data, size - 32)) * factor & _MASK, (z + _read(data, size - 24)) * factor
    return _pair(_rotate(e + f, 43) + _rotate(g, 30) + h & _MASK, e + _rotate(f + a, 18) + g & _MASK, factor)


def _block(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_read(data, at + 8 * i) for i in range(4))
    a += w
    b = _rotate(b + a + z, 21)
    first = a
    a += x + y
    return a + z & _MASK, b + _rotate(a, 44) + first & _MASK


def _turn(data: bytes, at: int, state: tuple, factor: int, nine: int) -> tuple:
    """The state after mixing in the 64 bytes at position `at`."""
    x, y, z, (v0, v1), (w0, w1) = state
    x = _rotate(x + y + v0 + _read(data, at + 8), 37) * factor & _MASK
    y = _rotate(y + v1 + _read(data, at + 48), 42) * factor & _MASK
    x ^= w1 * nine & _MASK
    y = y + v0 * nine + _read(data, at + 40) & _MASK
    z = _rotate(z + w0, 33) * factor & _MASK
    v = _block(data, at, v1 * factor, x + w0)
    w = _block(data, at + 32, z + w1, y + _read(data, at + 16))
    return z, y, x, v, w


def fingerprint64(data: bytes) -> int:
    """The fingerprint of a byte string, an unsigned 64-bit number.

    >>> fingerprint64(b"hello") % 1000
    296
    """
    size = len(data)
    if size <= 16:
        return _short(data)
    if size <= 64:
        return _middle(data)
    y = 81 * _K1 + 113 & _MASK
    state = (81 * _K2 + _read(data, 0) & _MASK, y, _mix(y * _K2 + 113) * _K2 & _MASK, (0, 0), (0, 0))
    rest = (size - 1) & 63
    for at in range(0, (size - 1) // 64 * 64, 64):
        state = _turn(data, at, state, _K1, 1)
    x, y, z, (v0, v1), (w0, w1) = state
    factor = _K1 + ((z & 0xFF) << 1)
    w0 += rest
    v0 += w0
    w0 += v0
    x, y, z, (v0, v1), (w0, w1) = _turn(data, size - 64, (x, y, z, (v0, v1), (w0, w1)), factor, 9)
    return _pair(_pair(v0, w0, factor) + _mix(y) * _K0 + z & _MASK, _pair(v1, w1, factor) + x & _MASK, factor)
