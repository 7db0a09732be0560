"""String functions of `tf.strings`: join, split, substrings, letter case, hashes.

String tensors are NumPy arrays of `bytes` objects on the host. So these functions compute at once and record nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapejax._src.core import errors
from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.core.texts import objects, texts
from tapejax._src.engine import stream
from tapejax._src.ops.array.layout import static_ints
from tapejax._src.ops.strings.farmhash import fingerprint64

__all__ = [
    "bytes_split", "fingerprint", "join", "length", "lower", "reduce_join", "split", "strip", "substr",
    "to_hash_bucket_fast", "unsorted_segment_join", "upper",
]  # fmt: skip

_STRING = np.dtype(object)


def each(fn: Callable[[bytes], Any], value: Any, dtype: Any = None) -> Tensor:
    """Applies a function to every string of a tensor.

    Args:
      fn: a function of `bytes`.
      value: a string tensor.
      dtype: the dtype of the results, or None if they are strings.
    """
    array = texts(value)
    found = [fn(s) for s in array.ravel().tolist()]
    return objects(found, array.shape) if dtype is None else from_value(np.array(found, dtype).reshape(array.shape))


def rows(parts: list[list[Any]], shape: Sequence[int], dtype: Any = None) -> Any:
    """A tensor that holds a list of values for each element of another tensor.

    Args:
      parts: the lists.
      shape: the shape of the other tensor.
      dtype: the dtype of the values, or None if they are strings.

    Returns:
      A vector if `shape` is that of a scalar, else a RaggedTensor.
    """
    flat = [v for part in parts for v in part]
    values = objects(flat, [len(flat)]) if dtype is None else from_value(np.array(flat, dtype))
    if not len(shape):
        return values
    from tapejax._src.composite.ragged import RaggedTensor  # imported late, since few programs use it

    found = RaggedTensor.from_row_lengths(values, np.array([len(part) for part in parts], np.int64))
    for size in reversed(shape[1:]):
        found = RaggedTensor.from_uniform_row_length(found, size)
    return found


@public("strings.join", composites=True)
def join(inputs: Any, separator: str = "", name: str | None = None) -> Tensor:
    """Joins the strings of several tensors, element by element.

    Args:
      inputs: a list of string tensors of one shape. A scalar is joined with every element.
      separator: the string between two elements.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the shapes differ.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/join

    >>> join([["a", "b"], "c"], "-").numpy().tolist()
    [b'a-c', b'b-c']
    """
    arrays = [texts(v) for v in inputs]
    shape = next((a.shape for a in arrays if a.ndim), ())
    for a in arrays:
        if a.ndim and a.shape != shape:
            raise invalid(f"Input shapes do not match: {list(shape)} vs. {list(a.shape)}")
    flat = [np.broadcast_to(a, shape).ravel().tolist() for a in arrays]
    glue = separator.encode()
    return objects([glue.join(group) for group in zip(*flat, strict=True)] if flat else [b""], shape)


@public("strings.reduce_join", composites=True)
def reduce_join(
    inputs: Any, axis: Any = None, keepdims: bool = False, separator: str = "", name: str | None = None
) -> Tensor:
    """Joins all strings along axes.

    Args:
      inputs: a string tensor.
      axis: an int, or a list of ints, of which the first varies fastest in the joined string. By default all axes are
        joined in row-major order.
      keepdims: whether the reduced axes stay, with size 1.
      separator: the string between two elements.
      name: has no effect, as in eager TensorFlow.

    Raises:
      OutOfRangeError: an axis is out of range.
      InvalidArgumentError: an axis is given twice, or `inputs` are not strings.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/reduce_join

    >>> reduce_join([["a", "b"], ["c", "d"]], -1).numpy().tolist()
    [b'ab', b'cd']
    """
    t = to_tensor(inputs)
    if t.aval.dtype != _STRING:
        raise invalid(
            "cannot compute ReduceJoin as input #0(zero-based) was expected to be a string tensor but is a "
            f"{t.dtype.name} tensor"
        )
    array = texts(t)
    axes = [*reversed(range(array.ndim))] if axis is None else static_ints(axis, "`axis`").ravel().tolist()
    for a in axes:
        if not -array.ndim <= a < array.ndim:
            raise errors.OutOfRangeError(
                message=f"Invalid reduction dimension {a} for input with {array.ndim} dimension(s)"
            )
    axes = [a % array.ndim for a in axes]
    if len(set(axes)) != len(axes):
        raise invalid(f"Duplicate reduction dimension: {axes}")
    if axis is not None and not axes:
        return from_value(array.copy())
    kept = [a for a in range(array.ndim) if a not in axes]
    shape = [array.shape[a] for a in kept]
    groups = array.transpose(*kept, *reversed(axes)).reshape(int(np.prod(shape)), -1)
    if keepdims:
        shape = [1 if a in axes else n for a, n in enumerate(array.shape)]
    return objects([separator.encode().join(group) for group in groups.tolist()], shape)


@public("strings.length", composites=True)
def length(input: Any, unit: str = "BYTE", name: str | None = None) -> Tensor:
    """The lengths of strings, as int32.

    Args:
      input: a string tensor.
      unit: "BYTE" to count bytes, "UTF8_CHAR" to count characters.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `unit` is unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/length

    >>> int(length("abc"))
    3
    """
    _check_unit(unit)
    return each(len if unit == "BYTE" else lambda s: len(characters(s)), input, np.int32)


def _check_unit(unit: str) -> None:
    if unit not in ("BYTE", "UTF8_CHAR"):
        raise invalid(f"Value for attr 'unit' of \"{unit}\" is not in the list of allowed values: BYTE, UTF8_CHAR")


def characters(s: bytes) -> str:
    """Decodes UTF-8. Invalid bytes are kept in a form that `from_characters` restores."""
    return s.decode("utf-8", "surrogateescape")


def from_characters(s: str) -> bytes:
    """The bytes that `characters` decoded."""
    return s.encode("utf-8", "surrogateescape")


def _cased(input: Any, encoding: str, how: str) -> Tensor:
    if encoding not in ("", "utf-8"):
        raise invalid(f"only utf-8 or '' (no encoding) is supported, received {encoding}")
    if encoding:
        return each(lambda s: from_characters(getattr(characters(s), how)()), input)
    return each(getattr(bytes, how), input)


@public("strings.lower", composites=True)
def lower(input: Any, encoding: str = "", name: str | None = None) -> Tensor:
    """Converts letters to lower case.

    Args:
      input: a string tensor.
      encoding: "" converts only ASCII letters, "utf-8" all letters.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `encoding` is unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/lower

    >>> lower("ABC").numpy()
    b'abc'
    """
    return _cased(input, encoding, "lower")


@public("strings.upper", composites=True)
def upper(input: Any, encoding: str = "", name: str | None = None) -> Tensor:
    """Converts letters to upper case. Takes the arguments of `lower` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/upper

    >>> upper("abc").numpy()
    b'ABC'
    """
    return _cased(input, encoding, "upper")


@public("strings.strip", composites=True)
def strip(input: Any, name: str | None = None) -> Tensor:
    """Removes white space at the beginning and the end of strings.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/strip

    >>> strip(" a b ").numpy()
    b'a b'
    """
    return each(bytes.strip, input)


@public("strings.split", composites=True)
def split(input: Any, sep: Any = None, maxsplit: int = -1, name: str | None = None) -> Any:
    """Splits strings into parts.

    Args:
      input: a string tensor.
      sep: the string between two parts. By default it is white space, of which any amount separates two parts.
      maxsplit: the largest number of cuts; -1 for any number.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A vector for a scalar, and a RaggedTensor of shape (.., None) for a tensor of shape (..).

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/split

    >>> split("a b  c").numpy().tolist()
    [b'a', b'b', b'c']
    """
    array = texts(input)
    glue = None if sep is None else texts(sep).item() or None
    return rows([s.split(glue, maxsplit) for s in array.ravel().tolist()], array.shape)


@public("strings.bytes_split", composites=True)
def bytes_split(input: Any, name: str | None = None) -> Any:
    """Splits strings into single bytes. The result has the form of that of `split`.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/bytes_split

    >>> bytes_split("abc").numpy().tolist()
    [b'a', b'b', b'c']
    """
    array = texts(input)
    return rows([[s[i : i + 1] for i in range(len(s))] for s in array.ravel().tolist()], array.shape)


@public("strings.substr", composites=True)
def substr(input: Any, pos: Any, len: Any, unit: str = "BYTE", name: str | None = None) -> Tensor:
    """Substrings that begin at position `pos` and are `len` long.

    Args:
      input: a string tensor.
      pos: int32 or int64 positions, whose shape broadcasts with that of `input`. Negative ones count from the end.
      len: the lengths, of the shape of `pos`. A negative one reaches to the end. A substring ends at the end of its
        string.
      unit: "BYTE" to count bytes, "UTF8_CHAR" to count characters.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: a position is out of range, the shapes do not fit, or `unit` is unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/substr

    >>> substr("hello", 1, 3).numpy()
    b'ell'
    """
    _check_unit(unit)
    array, start, size = texts(input), *(stream.host(to_tensor(v)) for v in (pos, len))
    if start.dtype not in (np.int32, np.int64) or size.dtype not in (np.int32, np.int64):
        raise invalid("`pos` and `len` must be int32 or int64")
    if start.shape != size.shape:
        raise invalid(f"pos and len should have the same shape, got: {start.shape} vs. {size.shape}")
    try:
        array, start, size = np.broadcast_arrays(array, start, size)
    except ValueError as e:
        raise invalid(str(e)) from None
    found = []
    for s, a, n in zip(array.ravel().tolist(), start.ravel().tolist(), size.ravel().tolist(), strict=True):
        whole = s if unit == "BYTE" else characters(s)
        if not -whole.__len__() <= a <= whole.__len__():
            raise invalid(f"pos {a} out of range for string {s!r}")
        a += whole.__len__() if a < 0 else 0
        part = whole[a:] if n < 0 else whole[a : a + n]
        found.append(part if isinstance(part, bytes) else from_characters(part))
    return objects(found, array.shape)


# Hashes, and joining by segment.


@public("strings.to_hash_bucket_fast", composites=True)
def to_hash_bucket_fast(input: Any, num_buckets: int, name: str | None = None) -> Tensor:
    """Maps each string to an integer in [0, num_buckets): its 64-bit fingerprint (FarmHash) modulo `num_buckets`.

    Args:
      input: a string tensor.
      num_buckets: at least 1.
      name: has no effect, as in eager TensorFlow.

    Returns:
      int64 numbers of the shape of `input`.

    Raises:
      InvalidArgumentError: `num_buckets` is less than 1.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/to_hash_bucket_fast

    >>> to_hash_bucket_fast(["hello"], 1000).numpy().tolist()
    [296]
    """
    if num_buckets < 1:
        raise invalid(f"Value for attr 'num_buckets' of {num_buckets} must be at least minimum 1")
    return each(lambda s: fingerprint64(s) % num_buckets, input, np.int64)


@public("fingerprint")
def fingerprint(data: Any, method: Any = "farmhash64", name: str | None = None) -> Tensor:
    """The 64-bit fingerprints (FarmHash) of the bytes of each row of a tensor.

    Args:
      data: a tensor of at least one axis. Strings must have one axis.
      method: must be "farmhash64".
      name: has no effect, as in eager TensorFlow.

    Returns:
      uint8 of shape (rows, 8): the bytes of the fingerprints.

    Raises:
      InvalidArgumentError: `method` is unknown, or `data` is a scalar.
      ValueError: `data` holds strings and has several axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/fingerprint

    >>> fingerprint(["abc"]).numpy().tolist()
    [[105, 243, 231, 116, 160, 179, 165, 36]]
    """
    if method not in ("farmhash64", b"farmhash64"):
        raise invalid(f"Unsupported fingerprint method: {method}")
    array = stream.host(to_tensor(data))
    if not array.ndim:
        raise invalid("`data` must be at least 1-D")
    if array.dtype == _STRING and array.ndim > 1:
        raise ValueError("fingerprint of strings with more than one axis is not supported")
    found = [fingerprint64(v if isinstance(v, bytes) else np.ascontiguousarray(v).tobytes()) for v in array]
    return from_value(np.array(found, "<u8").view(np.uint8).reshape(len(found), 8))


@public("strings.unsorted_segment_join")
def unsorted_segment_join(
    inputs: Any, segment_ids: Any, num_segments: Any, separator: str = "", name: str | None = None
) -> Tensor:
    """Joins the strings with equal ids: element i of the result joins the strings with the id i.

    Args:
      inputs: a string tensor.
      segment_ids: integers of the same shape, less than `num_segments`. Strings with negative ids are left out.
      num_segments: the length of the result.
      separator: the string between two elements.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: an id is too large, or the shapes differ.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/unsorted_segment_join

    >>> unsorted_segment_join(["a", "b", "c"], [0, 1, 0], 2, "-").numpy().tolist()
    [b'a-c', b'b']
    """
    array, ids, n = texts(inputs), static_ints(segment_ids, "`segment_ids`"), int(num_segments)
    if array.shape[: ids.ndim] != ids.shape or ids.ndim != array.ndim:
        raise invalid(f"inputs and segment_ids must have one shape, got {array.shape} and {ids.shape}")
    if ids.size and ids.max() >= n:
        raise invalid(f"segment_ids must be less than {n}, got {ids.max()}")
    groups: list[list[bytes]] = [[] for _ in range(n)]
    for s, i in zip(array.ravel().tolist(), ids.ravel().tolist(), strict=True):
        if i >= 0:
            groups[i].append(s)
    return objects([separator.encode().join(g) for g in groups], [n])
