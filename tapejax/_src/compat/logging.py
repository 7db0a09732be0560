"""``tf.compat.v1.logging``: TensorFlow 1's names for the logger that `tf.get_logger` gives."""

import logging as _logging
from typing import Any

from tapejax._src.core.scopes import get_logger

__all__ = [
    "DEBUG",
    "ERROR",
    "FATAL",
    "INFO",
    "WARN",
    "debug",
    "error",
    "fatal",
    "get_verbosity",
    "info",
    "log",
    "log_if",
    "set_verbosity",
    "warn",
    "warning",
]

DEBUG, INFO, WARN, ERROR, FATAL = _logging.DEBUG, _logging.INFO, _logging.WARN, _logging.ERROR, _logging.FATAL


def set_verbosity(v: Any) -> None:
    """Which messages are shown: from this level on, such as `INFO` or its name.

    >>> set_verbosity(ERROR)
    >>> get_verbosity() == ERROR
    True
    >>> set_verbosity(WARN)
    """
    get_logger().setLevel(v)


def get_verbosity() -> int:
    """The level that `set_verbosity` set, or that holds without it."""
    return get_logger().getEffectiveLevel()


def log(level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
    """A message of a level, on standard error unless the program set up `logging` itself.

    >>> log(DEBUG, "%d steps", 3)
    """
    logger = get_logger()
    if not logger.hasHandlers():
        handler = _logging.StreamHandler()
        handler.setFormatter(_logging.Formatter(_logging.BASIC_FORMAT))
        logger.addHandler(handler)
    logger.log(level, msg, *args, **kwargs)


def debug(msg: Any, *args: Any, **kwargs: Any) -> None:
    """`log` of level `DEBUG`."""
    log(DEBUG, msg, *args, **kwargs)


def info(msg: Any, *args: Any, **kwargs: Any) -> None:
    """`log` of level `INFO`."""
    log(INFO, msg, *args, **kwargs)


def warning(msg: Any, *args: Any, **kwargs: Any) -> None:
    """`log` of level `WARN`."""
    log(WARN, msg, *args, **kwargs)


warn = warning


def error(msg: Any, *args: Any, **kwargs: Any) -> None:
    """`log` of level `ERROR`."""
    log(ERROR, msg, *args, **kwargs)


def fatal(msg: Any, *args: Any, **kwargs: Any) -> None:
    """`log` of level `FATAL`; the program goes on."""
    log(FATAL, msg, *args, **kwargs)


def log_if(level: int, msg: Any, condition: Any, *args: Any) -> None:
    """`log`, if `condition` holds."""
    if condition:
        log(level, msg, *args)
