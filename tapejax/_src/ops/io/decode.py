"""Decoding of bytes: raw numbers, CSV, base 64, compressed strings.

The functions of `tf.io` that are not supported are here too. They raise an error that says why.
"""

import base64
import csv
import gzip
import re
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapejax._src.core import dtypes, errors
from tapejax._src.core.checks import invalid, invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import from_value
from tapejax._src.ops.io.files import each_bytes, string_array, strings

__all__ = ["decode_base64", "decode_compressed", "decode_csv", "decode_raw", "encode_base64"]

_RAW = ("float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "complex64",
        "complex128", "bool")  # fmt: skip


@public("io.decode_raw")
def decode_raw(
    input_bytes: Any, out_type: Any, little_endian: bool = True, fixed_length: Any = None, name: Any = None
) -> Any:
    """Reads the bytes of strings as numbers.

    Args:
      input_bytes: a string tensor. Its strings have one length unless `fixed_length` is given.
      out_type: the dtype of the numbers.
      little_endian: whether the lowest byte of a number comes first.
      fixed_length: the number of bytes to which each string is first cut, or filled up with zeros.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape ``input_bytes.shape + [n]``.

    Raises:
      InvalidArgumentError: the strings differ in length, or the length is not a multiple of the size of a number.
      TypeError: `out_type` is not a dtype of numbers or booleans.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/decode_raw

    >>> decode_raw(b"ab", "uint8").numpy().tolist()
    [97, 98]
    """
    array, dtype = strings(input_bytes, "input_bytes"), dtypes.to_numpy(out_type)
    if dtypes.from_numpy(dtype).name not in _RAW:
        raise TypeError(
            f"Value passed to parameter 'out_type' has DataType {dtypes.from_numpy(dtype).name} not in "
            f"list of allowed values: {', '.join(_RAW)}"
        )
    items = array.reshape(-1).tolist()
    if fixed_length is not None:
        length = int(fixed_length)
        if length <= 0:
            raise invalid_value(f"fixed_length must be greater than zero, but got {length}")
        if length % dtype.itemsize:
            raise invalid(f"fixed_length ({length}) must be a multiple of the size of out_type ({dtype.itemsize})")
        items = [v[:length].ljust(length, b"\0") for v in items]
    lengths = {len(v) for v in items}
    if len(lengths) > 1:
        raise invalid_value(f"DecodeRaw requires input strings to all be the same size, got sizes {sorted(lengths)}")
    length = lengths.pop() if lengths else 0
    if length % dtype.itemsize:
        raise invalid_value(
            f"Input to DecodeRaw has length {length} that is not a multiple of {dtype.itemsize}, the "
            f"size of {dtypes.from_numpy(dtype).name}"
        )
    flat = np.frombuffer(b"".join(items), dtype)
    if not little_endian:
        part = np.finfo(dtype).dtype if dtype.kind == "c" else dtype  # complex: each part is swapped
        flat = flat.view(part).byteswap().view(dtype)
    return from_value(flat.reshape(*array.shape, length // dtype.itemsize).copy())


_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf(inity)?|nan)\s*", re.IGNORECASE)


def _parser(dtype: np.dtype) -> Callable[[str], Any]:
    """The function that converts a CSV field to a value of `dtype`. It raises ValueError if that is not possible."""
    if dtype.kind == "O":
        return lambda text: text.encode("latin-1")

    def number(text: str) -> Any:
        if dtype.kind == "f":
            if not _NUMBER.fullmatch(text):
                raise ValueError
            return float(text)
        if not re.fullmatch(r"\s*[+-]?\d+\s*", text):
            raise ValueError
        value, info = int(text), np.iinfo(dtype)
        if not info.min <= value <= info.max:
            raise ValueError
        return value

    return number


@public("io.decode_csv")
def decode_csv(
    records: Any,
    record_defaults: Sequence[Any],
    field_delim: str = ",",
    use_quote_delim: bool = True,
    na_value: str = "",
    select_cols: Any = None,
    name: Any = None,
) -> list[Any]:
    """Reads the columns of CSV lines.

    Args:
      records: a string tensor. Each element is a line.
      record_defaults: for each column a tensor that holds the value of an empty field. An empty tensor means that the
        field is required. Its dtype is that of the column: float32, float64, int32, int64 or string.
      field_delim: the character between fields.
      use_quote_delim: whether double quotes enclose fields.
      na_value: a string that counts as an empty field.
      select_cols: the numbers of the columns to read, in ascending order; by default all.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A list of tensors of the shape of `records`, one for each column.

    Raises:
      InvalidArgumentError: a required field is missing, a field is not a number, or a line has another number of
        fields.
      ValueError: `select_cols` does not fit `record_defaults`, or is not ascending.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/decode_csv

    >>> [column.numpy().tolist() for column in decode_csv(["1,a", "2,"], [[0], ["none"]])]
    [[1, 2], [b'a', b'none']]
    """
    array = strings(records, "records")
    defaults = [np.asarray(to_tensor(d)).reshape(-1) for d in record_defaults]
    if any(d.size > 1 for d in defaults):
        raise invalid_value("There should be only 1 default per field")
    if select_cols is not None:
        select_cols = [int(c) for c in select_cols]
        if len(select_cols) != len(defaults):
            raise ValueError("Length of select_cols and record_defaults do not match.")
        if select_cols != sorted(set(select_cols)):
            raise ValueError("select_cols is not strictly increasing.")
    parsers = [_parser(d.dtype) for d in defaults]
    columns: list[list[Any]] = [[] for _ in defaults]
    quoting = csv.QUOTE_MINIMAL if use_quote_delim else csv.QUOTE_NONE
    for row, line in enumerate(array.reshape(-1)):
        try:
            found = next(
                csv.reader([line.decode("latin-1")], delimiter=field_delim, quoting=quoting, strict=True), []
            ) or [""]
        except csv.Error as e:
            raise invalid_value(
                f"Quoted field has to end with quote followed by delim or end: record {row}: {e}"
            ) from None
        if select_cols is not None:
            found = [found[c] for c in select_cols if c < len(found)]
        if len(found) != len(defaults):
            raise invalid_value(f"Expect {len(defaults)} fields but have {len(found)} in record {row}")
        for i, (text, default, parse) in enumerate(zip(found, defaults, parsers, strict=True)):
            if text and text != na_value:
                try:
                    columns[i].append(parse(text))
                except ValueError:
                    raise invalid_value(
                        f"Field {i} in record {row} is not a valid {default.dtype.name}: {text}"
                    ) from None
            elif default.size:
                columns[i].append(default[0])
            else:
                raise invalid_value(f"Field {i} is required but missing in record {row}!")
    return [
        from_value((string_array(c) if d.dtype.kind == "O" else np.array(c, d.dtype)).reshape(array.shape))
        for c, d in zip(columns, defaults, strict=True)
    ]


@public("io.decode_base64")
def decode_base64(input: Any, name: Any = None) -> Any:
    """Decodes web-safe base 64, element by element. Padding is not needed.

    Raises:
      InvalidArgumentError: there is a character that base 64 does not use.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/decode_base64

    >>> decode_base64("aGk").numpy()
    b'hi'
    """

    def decode(data: bytes) -> bytes:
        plain = data.rstrip(b"=")
        if re.search(rb"[^A-Za-z0-9_-]", plain) or len(plain) % 4 == 1:
            raise invalid_value("Invalid character found in base64.")
        return base64.urlsafe_b64decode(plain + b"=" * (-len(plain) % 4))

    return each_bytes(decode, input)


@public("io.encode_base64")
def encode_base64(input: Any, pad: bool = False, name: Any = None) -> Any:
    """Encodes bytes as web-safe base 64, element by element.

    Args:
      input: a string tensor.
      pad: whether "=" is appended until the length is a multiple of 4.
      name: has no effect, as in eager TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/encode_base64

    >>> encode_base64("hi", pad=True).numpy()
    b'aGk='
    """
    return each_bytes(lambda v: base64.urlsafe_b64encode(v) if pad else base64.urlsafe_b64encode(v).rstrip(b"="), input)


@public("io.decode_compressed")
def decode_compressed(bytes: Any, compression_type: str = "", name: Any = None) -> Any:
    """Decompresses strings.

    Args:
      bytes: a string tensor.
      compression_type: "", "GZIP" or "ZLIB".
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `compression_type` is unknown.
      DataLossError: the data is damaged.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/decode_compressed

    >>> decode_compressed(zlib.compress(b"hi"), "ZLIB").numpy()
    b'hi'
    """
    ways = {"": lambda v: v, "GZIP": gzip.decompress, "ZLIB": zlib.decompress}
    if compression_type not in ways:
        raise invalid_value(f"Only ZLIB, GZIP or NONE are supported compressions, got {compression_type!r}")
    try:
        return each_bytes(ways[compression_type], bytes)
    except (zlib.error, EOFError, gzip.BadGzipFile) as e:
        raise errors.DataLossError(message=f"the data is damaged: {e}") from None


def _lacking(name: str, why: str, instead: str) -> Callable[..., Any]:
    """A public function that raises UnsupportedError for every call, with the reason and an alternative."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise errors.UnsupportedError(f"tf.io.{name}", why, instead)

    refuse.__name__ = name
    refuse.__doc__ = (
        f"Not supported: {why}. {instead}\n\nSource: https://www.tensorflow.org/api_docs/python/tf/io/{name}\n"
    )
    return public(f"io.{name}")(refuse)


_PROTOS = (
    "it needs the message's descriptor, which TensorFlow takes from its own binary",
    "Use the protobuf package on `tensor.numpy()`.",
)
decode_proto = _lacking("decode_proto", *_PROTOS)
encode_proto = _lacking("encode_proto", *_PROTOS)
write_graph = _lacking("write_graph", "there is no GraphDef here", "Use jax.export to save a compiled function.")
match_filenames_once = _lacking(
    "match_filenames_once", "it keeps its result in a variable of a TF 1 graph", "Use tf.io.matching_files."
)
decode_json_example = _lacking(
    "decode_json_example", "it needs protobuf's JSON form", "Use json, and tf.train.Example."
)
