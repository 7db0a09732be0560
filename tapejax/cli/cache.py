"""JAX's persistent compilation cache, which `tapejax run` turns on: a second start need not compile again."""

import os
import sys
from pathlib import Path

import jax

# When a run finds the folder larger than this, it deletes the oldest files until half of this is left. JAX's own limit
# (jax_compilation_cache_max_size) looks at every file on each write, and needs another package for its lock.
LIMIT_BYTES = 2 * 2**30


def folder() -> Path:
    """The folder for compiled programs: `JAX_COMPILATION_CACHE_DIR` if set, else one in the user's cache folder.

    >>> import os
    >>> os.environ["JAX_COMPILATION_CACHE_DIR"] = "/tmp/programs"
    >>> folder().name
    'programs'
    >>> del os.environ["JAX_COMPILATION_CACHE_DIR"]
    """
    if chosen := os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tapejax" / "programs"


def enable() -> None:
    """Turns the cache on. If its folder cannot be written, a message says so and the run goes on without a cache."""
    own = not os.environ.get("JAX_COMPILATION_CACHE_DIR")
    try:
        where = folder()
        # A folder that the user named is left alone: it may be a bucket's address, and its size is the user's choice.
        if own:
            # Compiled programs are code that will be run, so other users must not be able to write there.
            where.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(where, os.W_OK):
                raise PermissionError(f"cannot write in {where}")
            trim(where, LIMIT_BYTES)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        print(f"tapejax: running without a compilation cache: {error}", file=sys.stderr)
        return
    if own:
        jax.config.update("jax_compilation_cache_dir", str(where))
    # By default JAX keeps only programs that took a second or more to compile. Training steps are many and take less.
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def disable() -> None:
    """Turns the cache off, even if environment variables turn it on."""
    jax.config.update("jax_enable_compilation_cache", False)


def trim(where: Path, limit: int) -> None:
    """Deletes the oldest files of a folder that holds more than `limit` bytes, until at most half of `limit` is left.

    Args:
      where: A folder of plain files.
      limit: A number of bytes.
    """
    files = []
    for entry in os.scandir(where):
        try:
            status = entry.stat()
        except FileNotFoundError:  # another run deletes files at the same time
            continue
        if entry.is_file():
            files.append((status.st_mtime, status.st_size, entry.path))
    total = sum(size for _, size, _ in files)
    if total <= limit:
        return
    for _, size, path in sorted(files):
        if total <= limit // 2:
            break
        Path(path).unlink(missing_ok=True)
        total -= size
