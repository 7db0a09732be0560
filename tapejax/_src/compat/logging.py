"""``tf.compat.v1.logging``: TensorFlow 1's functions for the logger that `tf.get_logger` returns."""

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
    """Shows messages of the level `v` and above, and hides those below.

    Args:
      v: a level such as `INFO`, or its name.

    >>> set_verbosity(ERROR)
    >>> get_verbosity() == ERROR
    True
    >>> set_verbosity(WARN)
    """
    get_logger().setLevel(v)


def get_verbosity() -> int:
    """The lowest level of messages that are shown."""
    return get_logger().getEffectiveLevel()


def log(level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
    """Logs a message.

    It goes to standard error, unless the program has set up handlers of Python's `logging`.

    Args:
      level: the level, such as `INFO`.
      msg: the message, a format string for `args`.

    >>> log(DEBUG, "%d steps", 3)
    """
    logger = get_logger()
    if not logger.hasHandlers():
        handler = _logging.StreamHandler()
        handler.setFormatter(_logging.Formatter(_logging.BASIC_FORMAT))
        logger.addHandler(handler)
    logger.log(level, msg, *args, **kwargs)


def debug(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Logs a message of the level `DEBUG`; see `log`."""
    log(DEBUG, msg, *args, **kwargs)


def info(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Logs a message of the level `INFO`; see `log`."""
    log(INFO, msg, *args, **kwargs)


def warning(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Logs a message of the level `WARN`; see `log`."""
    log(WARN, msg, *args, **kwargs)


warn = warning


def error(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Logs a message of the level `ERROR`; see `log`."""
    log(ERROR, msg, *args, **kwargs)


def fatal(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Logs a message of the level `FATAL`; see `log`. It does not end the program."""
    log(FATAL, msg, *args, **kwargs)


def log_if(level: int, msg: Any, condition: Any, *args: Any) -> None:
    """Logs a message if `condition` is true; see `log`."""
    if condition:
        log(level, msg, *args)
