"""Files by name: paths, reading and writing whole files, and the operating system's errors as TensorFlow's."""

import contextlib
import errno
import glob as globbing
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tapejax._src.core import errors
from tapejax._src.core.checks import invalid, invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import from_value

__all__ = [
    "as_path",
    "each_bytes",
    "expand",
    "matching_files",
    "one_bytes",
    "read_file",
    "strings",
    "translated",
    "write_file",
]

_ERRORS: dict[int, Any] = {
    errno.ENOENT: errors.NotFoundError, errno.ENOTDIR: errors.FailedPreconditionError,
    errno.EISDIR: errors.FailedPreconditionError, errno.ENOTEMPTY: errors.FailedPreconditionError,
    errno.EEXIST: errors.AlreadyExistsError, errno.EACCES: errors.PermissionDeniedError,
    errno.EPERM: errors.PermissionDeniedError, errno.EROFS: errors.PermissionDeniedError,
    errno.EINVAL: errors.InvalidArgumentError, errno.ENOSPC: errors.ResourceExhaustedError,
    errno.EMFILE: errors.ResourceExhaustedError, errno.ENAMETOOLONG: errors.InvalidArgumentError,
}  # fmt: skip


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """A context manager that converts the operating system's errors to those of TensorFlow."""
    try:
        yield
    except OSError as e:
        kind = _ERRORS.get(e.errno or 0, errors.UnknownError)
        raise kind(message=f"{e.filename or ''}; {e.strerror or e}") from None


def as_path(name: Any) -> str:
    """A file name as a string.

    Args:
      name: a string, bytes, a path object, or a scalar string tensor.

    Raises:
      UnimplementedError: the name has a scheme such as ``gs://``, which needs a remote file system.
    """
    if hasattr(name, "numpy"):
        name = name.numpy()
    path = os.fsdecode(os.fspath(name))
    scheme, found, rest = path.partition("://")
    if not found or not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]*", scheme):
        return path
    if scheme == "file":
        return rest
    raise errors.UnimplementedError(
        message=f"File system scheme '{scheme}' not implemented (file: '{path}'): tapejax "
        "reads local files; mount the store, or copy the files first."
    )


def strings(value: Any, what: str = "input") -> np.ndarray:
    """The value of a string tensor: a NumPy array of `bytes` objects.

    Args:
      value: a string tensor, or what converts to one.
      what: the argument's name, for the message.

    Raises:
      InvalidArgumentError: `value` is not a string tensor.
    """
    tensor = to_tensor(value)
    if tensor.aval.dtype.kind != "O":
        raise invalid_value(
            f"cannot compute this op as `{what}` was expected to be a string tensor but is a {tensor.dtype.name} tensor"
        )
    return np.asarray(tensor._value)


def one_bytes(value: Any, what: str = "contents") -> bytes:
    """The bytes of a scalar string tensor.

    Args:
      value: a scalar string tensor, or what converts to one.
      what: the argument's name, for the message.

    Raises:
      InvalidArgumentError: `value` is not a string tensor, or not a scalar.
    """
    array = strings(value, what)
    if array.ndim:
        raise invalid(f"`{what}` must be scalar, got shape {list(array.shape)}")
    return array.item()


def each_bytes(fn: Callable[[bytes], Any], value: Any) -> Any:
    """A string tensor whose elements are `fn` of the elements of another."""
    array = strings(value)
    out = np.empty(array.shape, object)
    out.reshape(-1)[:] = [fn(v) for v in array.reshape(-1)]
    return from_value(out)


def string_array(values: list[bytes], shape: tuple[int, ...] | None = None) -> np.ndarray:
    """A NumPy array of `bytes` objects, as string tensors hold it."""
    out = np.empty(len(values), object)
    out[:] = values
    return out if shape is None else out.reshape(shape)


def expand(pattern: Any) -> list[str]:
    """The file names that match one or several glob patterns. Hidden files are included.

    The names that match one pattern are sorted; the patterns keep their order.
    """
    if hasattr(pattern, "numpy"):
        pattern = pattern.numpy()
    several = isinstance(pattern, (list, tuple)) or (isinstance(pattern, np.ndarray) and pattern.ndim > 0)
    found: list[str] = []
    for one in pattern if several else (pattern,):
        with translated():
            found += sorted(globbing.glob(as_path(one), include_hidden=True))
    return found


@public("io.read_file")
def read_file(filename: Any, name: Any = None) -> Any:
    """Reads a whole file.

    Args:
      filename: a string, a path object, or a scalar string tensor.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The contents, a scalar string tensor.

    Raises:
      NotFoundError: the file does not exist.
      FailedPreconditionError: it is a directory.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/read_file

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "note")
    >>> write_file(path, "hello")
    >>> read_file(path).numpy()
    b'hello'
    """
    path = as_path(one_bytes(filename, "filename"))
    with translated(), open(path, "rb") as file:
        return from_value(np.array(file.read(), object))


@public("io.write_file")
def write_file(filename: Any, contents: Any, name: Any = None) -> None:
    """Writes a string to a file, and makes the directories that the file needs.

    Args:
      filename: a string, a path object, or a scalar string tensor.
      contents: a string, bytes, or a scalar string tensor.
      name: has no effect, as in eager TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/write_file

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "new", "note")
    >>> write_file(path, "hello")
    >>> os.path.getsize(path)
    5
    """
    path, data = as_path(one_bytes(filename, "filename")), one_bytes(contents)
    with translated():
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)


@public("io.matching_files")
def matching_files(pattern: Any, name: Any = None) -> Any:
    """The names of the files that match one or several glob patterns, sorted.

    Args:
      pattern: a string, or a vector of strings.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A string vector.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/matching_files

    >>> matching_files("/no/such/place/*").shape
    TensorShape([0])
    """
    array = strings(pattern, "pattern")
    return from_value(string_array([os.fsencode(f) for f in sorted(expand(array.reshape(-1)))]))
