"""``tf.io.gfile``: local files with TensorFlow's interface and TensorFlow's errors."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tapejax._src.core import errors
from tapejax._src.core.checks import invalid_value
from tapejax._src.ops.io.files import as_path, expand, translated

__all__ = ["GFile", "copy", "exists", "get_registered_schemes", "glob", "isdir", "join", "listdir", "makedirs", "mkdir",
           "remove", "rename", "rmtree", "stat", "walk"]  # fmt: skip


class FileStatistics(NamedTuple):
    """The result of `stat`.

    Attributes:
      length: the number of bytes.
      mtime_nsec: the time of the last change, in nanoseconds since 1970.
      is_directory: whether it is a directory.
    """

    length: int
    mtime_nsec: int
    is_directory: bool


class GFile:
    """A file, which is opened when it is first used. It is a context manager, and an iterator over lines.

    Args:
      name: a string or a path object.
      mode: "r", "w", "a", "r+", "w+" or "a+". With an additional "b", the contents are bytes instead of strings.

    Raises:
      InvalidArgumentError: `mode` is unknown.
      NotFoundError: at first use, if the file does not exist.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/gfile/GFile

    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "note")
    >>> with GFile(path, "w") as file:
    ...     file.write("one")
    >>> GFile(path).read(), GFile(path, "rb").read()
    ('one', b'one')
    """

    def __init__(self, name: Any, mode: str = "r"):
        if mode.replace("b", "") not in ("r", "w", "a", "r+", "w+", "a+"):
            raise invalid_value("mode is not 'r' or 'w' or 'a' or 'r+' or 'w+' or 'a+'")
        self._name, self._mode = name, mode
        self._binary = "b" in mode
        self._file: Any = None

    @property
    def name(self) -> Any:
        """The name that was given to the constructor."""
        return self._name

    @property
    def mode(self) -> str:
        """The mode that was given to the constructor."""
        return self._mode

    def _open(self, needs: str = "") -> Any:
        plain = self._mode.replace("b", "")
        if needs == "read" and plain in ("w", "a"):
            raise errors.PermissionDeniedError(message="File isn't open for reading")
        if needs == "write" and plain == "r":
            raise errors.PermissionDeniedError(message="File isn't open for writing")
        if self._file is None:
            with translated():
                self._file = open(as_path(self._name), plain + "b")
        return self._file

    def _out(self, data: bytes) -> Any:
        return data if self._binary else data.decode()

    def read(self, n: int = -1) -> Any:
        """The rest of the file, or its next `n` bytes (characters in text mode)."""
        file = self._open("read")
        if self._binary or n < 0:
            return self._out(file.read(n))
        data = file.read(n)
        while (missing_ := n - len(data.decode(errors="ignore"))) and (more := file.read(missing_)):
            data += more
        return data.decode()

    def readline(self) -> Any:
        """The next line with its line end. It is empty at the end of the file."""
        return self._out(self._open("read").readline())

    def readlines(self) -> list[Any]:
        """The rest of the lines, as a list."""
        return list(self)

    def write(self, file_content: Any) -> None:
        """Writes a string or bytes at the current position."""
        data = file_content.encode() if isinstance(file_content, str) else bytes(file_content)
        with translated():
            self._open("write").write(data)

    def seek(self, offset: int | None = None, whence: int = 0, position: int | None = None) -> None:
        """Moves to `offset` bytes from the start (`whence` 0), from the current position (1) or from the end (2)."""
        if offset is None and position is None:
            raise TypeError("seek(): offset argument required")
        with translated():
            self._open("read").seek(offset if offset is not None else position, whence)

    def seekable(self) -> bool:
        """Always True: the position of a local file can be moved."""
        return True

    def tell(self) -> int:
        """The position of the next read or write, in bytes."""
        return self._open().tell()

    def size(self) -> int:
        """The number of bytes of the file."""
        return stat(self._name).length

    def flush(self) -> None:
        """Passes all written data to the operating system."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Closes the file. A later use opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def next(self) -> Any:
        """The next line.

        Raises:
          StopIteration: the file is at its end.
        """
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    __next__ = next

    def __iter__(self) -> Iterator[Any]:
        return self

    def __enter__(self) -> "GFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self._file.close()


def exists(path: Any) -> bool:
    """Whether a file or directory exists.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/gfile/exists

    >>> exists("/no/such/place")
    False
    """
    return os.path.exists(as_path(path))


def isdir(path: Any) -> bool:
    """Whether a directory exists.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/gfile/isdir

    >>> isdir("/")
    True
    """
    return os.path.isdir(as_path(path))


def glob(pattern: Any) -> list[str]:
    """The names that match a glob pattern or one of a list of patterns. Hidden files are included.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/gfile/glob

    >>> glob("/no/such/place/*")
    []
    """
    return expand(pattern)


def listdir(path: Any) -> list[str]:
    """The names in a directory, in no particular order.

    Raises:
      NotFoundError: the directory does not exist.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/gfile/listdir
    """
    if not isdir(path):
        raise errors.NotFoundError(message=f"Could not find directory {as_path(path)}")
    with translated():
        return os.listdir(as_path(path))


def mkdir(path: Any) -> None:
    """Makes a directory. Does nothing if it exists.

    Raises:
      NotFoundError: its parent does not exist.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/gfile/mkdir
    """
    if not isdir(path):
        with translated():
            os.mkdir(as_path(path))


def makedirs(path: Any) -> None:
    """Makes a directory and its parents. Does nothing if they exist.

    Raises:
      FailedPreconditionError: a file has the name of one of them.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/gfile/makedirs
    """
    try:
        with translated():
            os.makedirs(as_path(path), exist_ok=True)
    except errors.AlreadyExistsError:
        raise errors.FailedPreconditionError(message=f"{as_path(path)} is not a directory") from None


def remove(path: Any) -> None:
    """Deletes a file.

    Raises:
      NotFoundError: the file does not exist.
      FailedPreconditionError: it is a directory.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/gfile/remove
    """
    with translated():
        os.remove(as_path(path))


def rmtree(path: Any) -> None:
    """Deletes a directory and everything in it. A file is deleted too.

    Raises:
      NotFoundError: the directory does not exist.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/gfile/rmtree
    """
    target = as_path(path)
    with translated():
        if os.path.isdir(target) and not os.path.islink(target):
            shutil.rmtree(target)
        else:
            os.remove(target)


def _may_make(dst: Any, overwrite: bool) -> str:
    if exists(dst) and not overwrite:
        raise errors.AlreadyExistsError(message="file already exists")
    return as_path(dst)


def copy(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Copies a file.

    Args:
      src: the file.
      dst: the name of the copy.
      overwrite: whether an existing `dst` is replaced.

    Raises:
      AlreadyExistsError: `dst` exists and `overwrite` is False.
      NotFoundError: `src` does not exist.
      InvalidArgumentError: `src` is a directory.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/gfile/copy
    """
    target = _may_make(dst, overwrite)
    if isdir(src):
        raise invalid_value(f"{as_path(src)} is a directory")
    with translated():
        shutil.copyfile(as_path(src), target)


def rename(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Renames or moves a file or directory.

    Args:
      src: the old name.
      dst: the new name.
      overwrite: whether an existing `dst` is replaced.

    Raises:
      AlreadyExistsError: `dst` exists and `overwrite` is False.
      NotFoundError: `src` does not exist.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/gfile/rename
    """
    target = _may_make(dst, overwrite)
    with translated():
        os.replace(as_path(src), target)


def stat(path: Any) -> FileStatistics:
    """The size and the time of the last change of a file, and whether it is a directory.

    Raises:
      NotFoundError: the file does not exist.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/gfile/stat

    >>> stat("/").is_directory
    True
    """
    with translated():
        found = os.stat(as_path(path))
    return FileStatistics(found.st_size, found.st_mtime_ns, isdir(path))


def walk(
    top: Any, topdown: bool = True, onerror: Callable[[Any], Any] | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Goes through all directories under `top`.

    Args:
      top: a string or a path object.
      topdown: whether a directory comes before the directories in it, or after them.
      onerror: a function that is called with the error if a directory cannot be read.

    Yields:
      For each directory its name, the names of the directories in it, and the names of the files in it.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/gfile/walk
    """

    def failed(error: OSError) -> None:
        if onerror is not None:
            onerror(errors.NotFoundError(message=f"{error.filename}; {error.strerror}"))

    yield from os.walk(as_path(top), topdown=topdown, onerror=failed)


def join(path: Any, *paths: Any) -> str:
    """Joins the parts of a path.

    Source: https://www.tensorflow.org/api_docs/python/tf/io/gfile/join

    >>> join("a", "b/", "c")
    'a/b/c'
    """
    return os.path.join(as_path(path), *map(as_path, paths))


def get_registered_schemes() -> list[str]:
    """The schemes that file names may have: none, or "file" for local files ("file://..").

    Source: https://www.tensorflow.org/api_docs/python/tf/io/gfile/get_registered_schemes

    >>> get_registered_schemes()
    ['', 'file']
    """
    return ["", "file"]
