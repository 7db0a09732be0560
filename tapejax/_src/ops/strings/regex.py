"""Regular expressions of `tf.strings`.

TensorFlow uses the syntax of the library RE2. `_python_pattern` translates its patterns to those of Python's `re`.
"""

import functools
import re
import warnings
from typing import Any

from tapejax._src.core import errors
from tapejax._src.core.checks import invalid
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.texts import texts
from tapejax._src.ops.strings.text import characters, each, from_characters

__all__ = ["regex_full_match", "regex_replace"]

_CLASSES = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "ascii": r"\x00-\x7f", "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ", "upper": "A-Z", "word": "a-zA-Z0-9_", "xdigit": "0-9a-fA-F"}  # fmt: skip
_TOKEN = re.compile(r"\\.|\[\^?\]?|\[:\w+:\]|\]|\$|.", re.DOTALL)


def _python_pattern(pattern: str) -> str:
    lines = re.match(r"\(\?[a-zA-Z]*m", pattern) is not None
    out, at, inside = [], 0, False
    while at < len(pattern):
        named = re.compile(r"\[:(\w+):\]").match(pattern, at) if inside else None
        found = _TOKEN.match(pattern, at) if not inside else named or re.compile(r"\\.|.", re.DOTALL).match(pattern, at)
        token = found[0] if found else pattern[at:]
        at += len(token)
        if named:
            if named[1] not in _CLASSES:
                raise re.error(f"invalid character class {token}")
            token = _CLASSES[named[1]]
        elif token in (r"\p", r"\P", r"\C", r"\Q"):
            raise errors.UnsupportedError(
                pattern, f"Python's regular expressions have no {token}", "Use other classes."
            )
        elif token == r"\z":
            token = r"\Z"
        elif inside:
            inside = token != "]"
            token = r"\[" if token == "[" else token
        elif token.startswith("["):
            inside = True
        elif token == "$" and not lines:
            token = r"\Z"  # Python's $ also matches before a newline at the end
        out.append(token)
    return "".join(out)


@functools.lru_cache(512)
def _compiled(pattern: bytes) -> re.Pattern:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # about nested sets, which RE2 does not have either
            return re.compile(_python_pattern(characters(pattern)), re.ASCII)
    except re.error as e:
        raise invalid(f"Invalid pattern: {pattern.decode(errors='replace')}, error: {e}") from None


def _scalar(value: Any, what: str) -> bytes:
    array = texts(value)
    if array.ndim:
        raise invalid(f"{what} must be scalar, but received {list(array.shape)}")
    return array.item()


@public("strings.regex_full_match", composites=True)
def regex_full_match(input: Any, pattern: Any, name: str | None = None) -> Tensor:
    """Whether a regular expression matches strings from beginning to end.

    Args:
      input: a string tensor.
      pattern: a regular expression in the syntax of RE2, without its classes ``\\\\p``.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `pattern` is not a regular expression, or not a scalar.
      UnsupportedError: `pattern` contains something that Python's regular expressions do not have.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/regex_full_match

    >>> regex_full_match(["ab", "abc"], "a.").numpy().tolist()
    [True, False]
    """
    compiled = _compiled(_scalar(pattern, "Pattern"))
    return each(lambda s: compiled.fullmatch(characters(s)) is not None, input, bool)


@public("strings.regex_replace", composites=True)
def regex_replace(
    input: Any, pattern: Any, rewrite: Any, replace_global: bool = True, name: str | None = None
) -> Tensor:
    r"""Replaces the matches of a regular expression.

    Args:
      input: a string tensor.
      pattern: a regular expression in the syntax of RE2.
      rewrite: the replacement, in which ``\1`` stands for the first group, and ``\0`` for the whole match.
      replace_global: whether all matches are replaced, and not only the first.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `pattern` is not a regular expression, or not a scalar.
      UnsupportedError: `pattern` contains something that Python's regular expressions do not have.

    Source: https://www.tensorflow.org/api_docs/python/tf/strings/regex_replace

    >>> regex_replace("hello", "(l)(l)", r"<\1>").numpy()
    b'he<l>o'
    """
    compiled = _compiled(_scalar(pattern, "Pattern"))
    text = characters(_scalar(rewrite, "Rewrite"))
    pieces = re.findall(r"\\\d|\\\\|[^\\]+|\\", text)
    wrong = any(p == "\\" or (p[1:].isdigit() and p[0] == "\\" and int(p[1]) > compiled.groups) for p in pieces)

    def replaced(s: bytes) -> bytes:
        whole = characters(s)
        if wrong:
            return s  # RE2 replaces nothing if `rewrite` is not valid
        out, end = [], 0
        for i, m in enumerate(compiled.finditer(whole)):
            if i and m.start() == m.end() == end:
                continue  # RE2 does not count an empty match directly after another match
            out.append(whole[end : m.start()])
            out += [
                (m[int(p[1])] or "") if p[0] == "\\" and p[1:].isdigit() else p.replace("\\\\", "\\") for p in pieces
            ]
            end = m.end()
            if not replace_global:
                break
        return from_characters("".join(out) + whole[end:])

    return each(replaced, input)
