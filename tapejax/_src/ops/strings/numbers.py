"""Conversions between strings and numbers: `as_string`, `to_number`, `format`."""

import re
from typing import Any

import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid, kind
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.printed import array_text, rows_text
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.texts import objects
from tapejax._src.engine import stream
from tapejax._src.ops.strings.text import each

__all__ = ["as_string", "format", "summary", "to_number"]


@public("strings.as_string", "as_string", composites=True)
def as_string(
    input: Any,
    precision: int = -1,
    scientific: bool = False,
    shortest: bool = False,
    width: int = -1,
    fill: str = "",
    name: str | None = None,
) -> Tensor:
    """Writes numbers as strings, in the way of C's ``printf``.

    Args:
      input: a tensor of any dtype.
      precision: the number of digits after the decimal point of floating numbers; 6 by default.
      scientific: whether they are written with an exponent.
      shortest: whether they are written with an exponent if that is shorter.
      width: the least length of a string.
      fill: how shorter strings are filled up: "" or " " with spaces in front, "0" with zeros, "-" with spaces behind.
        "+" writes a sign in front of positive numbers.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the arguments cannot be combined with each other or with the dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/as_string

    >>> as_string([1.5, 2.0], precision=2).numpy().tolist()
    [b'1.50', b'2.00']
    """
    t = to_tensor(input)
    letter = kind(t.aval.dtype)
    if fill not in ("", " ", "0", "-", "+"):
        raise invalid(f'Fill argument not supported: "{fill}"')
    if scientific and shortest:
        raise invalid("Cannot select both scientific and shortest notation")
    if letter not in "fc":
        if scientific or shortest:
            raise invalid(f"scientific and shortest format not supported for datatype {t.dtype.name}")
        if precision >= 0:
            raise invalid(f"precision not supported for datatype {t.dtype.name}")
    size = (fill + str(width) if width >= 0 else "") + (f".{precision}" if precision >= 0 else "")
    form = "%" + size + ("e" if scientific else "g" if shortest else "f")
    values = stream.host(t)
    flat = values.ravel().tolist()
    if letter == "b":
        found = ["true" if v else "false" for v in flat]
    elif letter == "S":
        found = [v.decode("utf-8", "surrogateescape") for v in flat]
    elif letter == "c":
        found = [f"({form % v.real},{form % v.imag})" for v in flat]
    else:
        form = form if letter == "f" else "%" + size + "d"
        found = [form % v for v in flat]
    return objects([v.encode("utf-8", "surrogateescape") for v in found], values.shape)


@public("strings.to_number", composites=True)
def to_number(input: Any, out_type: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """Reads numbers from strings. White space around them is ignored.

    Args:
      input: a string tensor.
      out_type: float32, float64, int32, int64, uint32 or uint64.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: a string is not a number or is out of range, or `out_type` is another one.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/to_number

    >>> to_number(["1.5", "2"]).numpy().tolist()
    [1.5, 2.0]
    """
    wanted = dtypes.as_dtype(out_type)
    if wanted.name not in ("float32", "float64", "int32", "int64", "uint32", "uint64"):
        raise invalid(
            f"Value for attr 'out_type' of {wanted.name} is not in the list of allowed values: float32, "
            "float64, int32, int64, uint32, uint64"
        )
    dtype = dtypes.to_numpy(wanted)

    def number(text: bytes) -> Any:
        s = text.decode("utf-8", "replace").strip(" \t\n\r\f\v")
        try:
            if wanted.is_integer:
                value = int(s) if re.fullmatch(r"[+-]?[0-9]+", s) else None
                limits = np.iinfo(dtype)
                if value is not None and limits.min <= value <= limits.max:
                    return value
            elif "_" not in s:
                return float.fromhex(s) if s.lower().lstrip("+-").startswith("0x") else float(s)
        except (ValueError, OverflowError):
            pass
        raise invalid(f"StringToNumberOp could not correctly convert string: {text.decode('utf-8', 'replace')}")

    with np.errstate(over="ignore"):
        return each(number, input, dtype)


def summary(value: Any, summarize: int = 3) -> str:
    """A tensor's value as TensorFlow prints it: ``[1 2 3 ... 8 9 10]``.

    Args:
      value: a tensor.
      summarize: how many elements at the beginning and the end of each axis are shown; -1 for all.

    >>> summary([[1.0, 2.5], [3.0, 4.0]])
    '[[1 2.5]\\n [3 4]]'
    """
    return array_text(stream.host(to_tensor(value)), summarize)


@public("strings.format")
def format(template: str, inputs: Any, placeholder: str = "{}", summarize: int = 3, name: str | None = None) -> Tensor:
    """A string in which tensors replace placeholders.

    Args:
      template: the string, with a placeholder for each tensor.
      inputs: a tensor, or a list of tensors.
      placeholder: the placeholder.
      summarize: how many elements at the beginning and the end of each axis are shown; -1 for all.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: the number of placeholders is not the number of tensors.
      TypeError: `inputs` is something else.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/format

    >>> format("x = {}", to_tensor([1, 2])).numpy()
    b'x = [1 2]'
    """
    items = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    if items and not isinstance(inputs, (list, tuple, Tensor)) and not hasattr(inputs, "__array__"):
        raise TypeError(f"`inputs` must be a tensor or a list of tensors, got {inputs!r}")
    parts = template.split(placeholder)
    if len(parts) - 1 != len(items):
        raise ValueError(
            f"The template expects {len(parts) - 1} tensors, but the inputs only has {len(items)}. Please "
            "ensure the number of placeholders in template matches inputs length."
        )
    shown = [rows_text(t.to_list(), summarize) if hasattr(t, "to_list") else summary(t, summarize) for t in items]
    text = parts[0] + "".join(t + p for t, p in zip(shown, parts[1:], strict=True))
    return objects([text.encode("utf-8", "surrogateescape")], ())
