"""Switches of ``tf.debugging``: checks for nan and infinity, logging of devices, filtered tracebacks."""

import warnings

import jax

from tapejax._src.engine import stream

__all__ = [
    "disable_check_numerics", "disable_traceback_filtering", "enable_check_numerics",
    "enable_traceback_filtering", "get_log_device_placement", "is_traceback_filtering_enabled",
    "set_log_device_placement",
]  # fmt: skip

_FILTERING = "jax_traceback_filtering"
_log_placement = False
_was_eager: bool | None = None  # the mode before `enable_check_numerics`


def enable_check_numerics(stack_height_limit: int = 30, path_length_limit: int = 50) -> None:
    """From now on, an operation whose result contains an infinity or nan raises InvalidArgumentError.

    Operations run one at a time until `disable_check_numerics` is called, so that the first bad one is found. The
    results of a `tf.function` are checked as a whole. JAX's own `jax_debug_nans` and `jax_debug_infs` are turned on
    too.

    Args:
      stack_height_limit: must be the default, because the error names the one line that recorded the operation.
      path_length_limit: must be the default.

    Raises:
      ValueError: a limit is not the default.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/enable_check_numerics

    >>> enable_check_numerics()
    >>> disable_check_numerics()
    """
    global _was_eager
    if (stack_height_limit, path_length_limit) != (30, 50):
        raise ValueError("`stack_height_limit` and `path_length_limit` must be the defaults: the error names one line")
    if _was_eager is None:
        _was_eager = stream.is_eager()
        stream.set_eager(True)
    _check(True)


def disable_check_numerics() -> None:
    """Ends the effect of `enable_check_numerics`, and restores the mode in which operations ran before.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/disable_check_numerics

    >>> disable_check_numerics()
    """
    global _was_eager
    if _was_eager is not None:
        stream.set_eager(_was_eager)
        _was_eager = None
        _check(False)


def _check(on: bool) -> None:
    jax.config.update("jax_debug_nans", on)
    jax.config.update("jax_debug_infs", on)


def set_log_device_placement(enabled: bool) -> None:
    """Has no effect except for a warning: there are no devices of single operations to log.

    In TensorFlow it logs the device of every operation. Here many operations are compiled into one program, which runs
    on one device. The warning names that device. `tapejax.explain` shows which programs run.

    Args:
      enabled: whether to log. The warning is given when it changes to True.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/set_log_device_placement

    >>> set_log_device_placement(False)
    """
    global _log_placement
    if enabled and not _log_placement:
        warnings.warn(
            f"tapejax compiles many operations into one program, which runs on {jax.devices()[0]}: the "
            "placement of single operations is not logged",
            stacklevel=2,
        )
    _log_placement = bool(enabled)


def get_log_device_placement() -> bool:
    """The argument of the last call of `set_log_device_placement`.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/get_log_device_placement

    >>> get_log_device_placement()
    False
    """
    return _log_placement


def disable_traceback_filtering() -> None:
    """From now on tracebacks contain JAX's own frames.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/disable_traceback_filtering

    >>> disable_traceback_filtering()
    >>> is_traceback_filtering_enabled()
    False
    >>> enable_traceback_filtering()
    """
    jax.config.update(_FILTERING, "off")


def enable_traceback_filtering() -> None:
    """From now on tracebacks leave out JAX's own frames.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/enable_traceback_filtering

    >>> enable_traceback_filtering()
    """
    jax.config.update(_FILTERING, "auto")


def is_traceback_filtering_enabled() -> bool:
    """Whether tracebacks leave out JAX's own frames.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/is_traceback_filtering_enabled

    >>> is_traceback_filtering_enabled()
    True
    """
    return getattr(jax.config, _FILTERING) != "off"
