"""JAX's persistent compilation cache, switched on for `tapejax run`: a second start compiles nothing."""

import os
import sys
from pathlib import Path

import jax

# The folder is trimmed to half of this when a run finds it larger. JAX's own limit
# (jax_compilation_cache_max_size) looks at every file on each write, and needs another package for its lock.
LIMIT_BYTES = 2 * 2**30


def folder() -> Path:
    """The folder for compiled programs: `JAX_COMPILATION_CACHE_DIR`, or the user's cache folder.

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
    """Turns the cache on. A folder that cannot be written is said so once, and the run goes on without."""
    own = not os.environ.get("JAX_COMPILATION_CACHE_DIR")
    try:
        where = folder()
        if own:  # a folder that the user named may be a bucket's address, and is theirs to keep small
            # Compiled programs are code that will be run: nobody else may write there.
            where.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(where, os.W_OK):
                raise PermissionError(f"cannot write in {where}")
            trim(where, LIMIT_BYTES)
    except (OSError, RuntimeError) as error:  # RuntimeError: no home folder
        print(f"tapejax: running without a compilation cache: {error}", file=sys.stderr)
        return
    if own:
        jax.config.update("jax_compilation_cache_dir", str(where))
    # JAX keeps only what took a second to compile; a training step takes less, and there are many.
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def disable() -> None:
    """Turns the cache off, whatever the environment says."""
    jax.config.update("jax_enable_compilation_cache", False)


def trim(where: Path, limit: int) -> None:
    """Deletes the oldest files of a folder until half of `limit` is left, if it holds more than `limit`.

    Args:
      where: A folder of plain files.
      limit: Bytes.
    """
    files = []
    for entry in os.scandir(where):
        try:
            status = entry.stat()
        except FileNotFoundError:  # another run is trimming too
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
