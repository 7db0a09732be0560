"""Unicode functions of `tf.strings`: characters, code points and encodings."""

import codecs
from typing import Any

import numpy as np

from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.texts import objects, texts
from tapejax._src.engine import stream
from tapejax._src.ops.strings.text import each, rows

__all__ = [
    "unicode_decode", "unicode_decode_with_offsets", "unicode_encode", "unicode_split", "unicode_split_with_offsets",
    "unicode_transcode",
]  # fmt: skip

_OUTPUT = {"UTF-8": "utf-8", "UTF-16-BE": "utf-16-be", "UTF-32-BE": "utf-32-be"}
_SURROGATES = range(0xD800, 0xE000)


def _codec(encoding: str) -> str:
    try:
        return _OUTPUT.get(encoding) or codecs.lookup(encoding).name
    except LookupError:
        raise invalid(f"Could not create converter for input encoding: {encoding}") from None


def _output(encoding: str) -> str:
    if encoding not in _OUTPUT:
        raise invalid(
            f"Value for attr 'output_encoding' of \"{encoding}\" is not in the list of allowed values: "
            + ", ".join(_OUTPUT)
        )
    return _OUTPUT[encoding]


def _check(errors: str, replacement_char: int) -> None:
    if errors not in ("strict", "replace", "ignore"):
        raise invalid(
            f"Value for attr 'errors' of \"{errors}\" is not in the list of allowed values: strict, replace, ignore"
        )
    if not 0 <= replacement_char < 0x110000 or replacement_char in _SURROGATES:
        raise invalid("replacement_char out of unicode codepoint range")


def _decoded(data: bytes, codec: str, errors: str, replacement: int, control: bool) -> list[tuple[int, int]]:
    """The code points of a string and the byte offsets where they begin, as pairs.

    Invalid bytes are replaced or left out, as `errors` says.
    """
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(data):
        try:
            text, bad = data[at:].decode(codec), None
        except UnicodeDecodeError as e:
            text, bad = data[at : at + e.start].decode(codec), e
        for char in text:
            code = replacement if control and ord(char) < 32 else ord(char)
            found.append((code, at))
            at += len(char.encode(codec))
        if bad is None:
            break
        if errors == "strict":
            raise invalid("Invalid formatting on input string")
        if errors == "replace":
            found.append((replacement, at))
        at += bad.end - bad.start
    return found


def _decode(input: Any, input_encoding: str, errors: str, replacement_char: int, control: bool) -> tuple[list, tuple]:
    _check(errors, replacement_char)
    codec = _codec(input_encoding)
    array = texts(input)
    return [_decoded(s, codec, errors, replacement_char, control) for s in array.ravel().tolist()], array.shape


@public("strings.unicode_decode", composites=True)
def unicode_decode(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> Any:
    """The code points of strings.

    Args:
      input: a string tensor.
      input_encoding: "UTF-8", or another encoding that Python knows.
      errors: what to do with invalid bytes: "replace", "ignore" or "strict".
      replacement_char: the code point that replaces them.
      replace_control_characters: whether control characters are replaced too.
      name: has no effect, as in eager TensorFlow.

    Returns:
      int32 numbers: a vector for a scalar, and a RaggedTensor of shape (.., None) for a tensor of shape (..).

    Raises:
      InvalidArgumentError: the encoding is unknown; or `errors` is "strict" and there are invalid bytes.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/unicode_decode

    >>> unicode_decode("ab", "UTF-8").numpy().tolist()
    [97, 98]
    """
    found, shape = _decode(input, input_encoding, errors, replacement_char, replace_control_characters)
    return rows([[code for code, _ in part] for part in found], shape, np.int32)


@public("strings.unicode_decode_with_offsets", composites=True)
def unicode_decode_with_offsets(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> tuple[Any, Any]:
    """The code points of strings, and the byte offsets where the characters begin.

    Takes the arguments of `unicode_decode` and raises the same errors.

    Returns:
      The code points as int32 and the offsets as int64, both in the form that `unicode_decode` returns.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/unicode_decode_with_offsets

    >>> unicode_decode_with_offsets("ab", "UTF-8")[1].numpy().tolist()
    [0, 1]
    """
    found, shape = _decode(input, input_encoding, errors, replacement_char, replace_control_characters)
    return (
        rows([[code for code, _ in part] for part in found], shape, np.int32),
        rows([[at for _, at in part] for part in found], shape, np.int64),
    )


@public("strings.unicode_split", composites=True)
def unicode_split(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = 65533, name: str | None = None
) -> Any:
    """Splits strings into characters.

    Takes the arguments of `unicode_decode` and raises the same errors.

    Returns:
      Strings: a vector for a scalar, and a RaggedTensor of shape (.., None) for a tensor of shape (..).

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/unicode_split

    >>> unicode_split("ab", "UTF-8").numpy().tolist()
    [b'a', b'b']
    """
    return unicode_split_with_offsets(input, input_encoding, errors, replacement_char)[0]


@public("strings.unicode_split_with_offsets", composites=True)
def unicode_split_with_offsets(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = 65533, name: str | None = None
) -> tuple[Any, Any]:
    """Splits strings into characters, and returns the byte offsets where they begin.

    Takes the arguments of `unicode_split` and raises the same errors.

    Returns:
      The characters, and the offsets as int64, both in the form that `unicode_split` returns.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/unicode_split_with_offsets

    >>> unicode_split_with_offsets("ab", "UTF-8")[1].numpy().tolist()
    [0, 1]
    """
    found, shape = _decode(input, input_encoding, errors, replacement_char, False)
    codec = _codec(input_encoding)
    return (
        rows([[chr(code).encode(codec) for code, _ in part] for part in found], shape),
        rows([[at for _, at in part] for part in found], shape, np.int64),
    )


def _encoded(codes: list[int], codec: str, errors: str, replacement: int) -> bytes:
    out = []
    for code in codes:
        if not 0 <= code < 0x110000 or code in _SURROGATES:
            if errors == "strict":
                raise invalid("Code point is out of range for Unicode, or is a surrogate.")
            if errors == "ignore":
                continue
            code = replacement
        out.append(chr(code))
    return "".join(out).encode(codec)


@public("strings.unicode_encode", composites=True)
def unicode_encode(
    input: Any, output_encoding: str, errors: str = "replace", replacement_char: int = 65533, name: str | None = None
) -> Tensor:
    """Strings that consist of given code points.

    Args:
      input: int32 numbers of shape (.., n), or ragged along the last axis. Each row becomes a string.
      output_encoding: "UTF-8", "UTF-16-BE" or "UTF-32-BE".
      errors: what to do with numbers that are not code points: "replace", "ignore" or "strict".
      replacement_char: the code point that replaces them.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `input` is a scalar.
      InvalidArgumentError: the encoding is unknown; or `errors` is "strict" and a number is not a code point.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/unicode_encode

    >>> unicode_encode([97, 98], "UTF-8").numpy()
    b'ab'
    """
    _check(errors, replacement_char)
    codec = _output(output_encoding)
    if hasattr(input, "row_splits"):
        if input.ragged_rank > 1:
            return input.with_values(unicode_encode(input.values, output_encoding, errors, replacement_char))
        codes, ends = np.asarray(input.values).tolist(), np.asarray(input.row_splits).tolist()
        found = [codes[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)]
        return objects([_encoded(part, codec, errors, replacement_char) for part in found], [len(found)])
    array = stream.host(to_tensor(input))
    if not array.ndim:
        raise ValueError("input_tensor's rank must be at least 1.")
    flat = array.reshape(int(np.prod(array.shape[:-1])), array.shape[-1]).tolist()
    return objects([_encoded(part, codec, errors, replacement_char) for part in flat], array.shape[:-1])


@public("strings.unicode_transcode", composites=True)
def unicode_transcode(
    input: Any,
    input_encoding: str,
    output_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> Tensor:
    """Strings in another encoding.

    Args:
      input: a string tensor.
      input_encoding: "UTF-8", or another encoding that Python knows.
      output_encoding: "UTF-8", "UTF-16-BE" or "UTF-32-BE".
      errors: what to do with invalid bytes: "replace", "ignore" or "strict".
      replacement_char: the code point that replaces them.
      replace_control_characters: whether control characters are replaced too.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: an encoding is unknown; or `errors` is "strict" and there are invalid bytes.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/unicode_transcode

    >>> unicode_transcode("a", "UTF-8", "UTF-16-BE").numpy()
    b'\\x00a'
    """
    _check(errors, replacement_char)
    source, target = _codec(input_encoding), _output(output_encoding)

    def transcode(s: bytes) -> bytes:
        found = _decoded(s, source, errors, replacement_char, replace_control_characters)
        return "".join(chr(code) for code, _ in found).encode(target)

    return each(transcode, input)
