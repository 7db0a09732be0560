"""``tf.experimental.async_scope`` and ``tf.experimental.async_clear_error``."""

import contextlib
from collections.abc import Iterator

from tapejax._src.engine import stream

__all__ = ["async_clear_error", "async_scope"]


@contextlib.contextmanager
def async_scope() -> Iterator[None]:
    """Context for operations that may run later than they are called. At the end of the block all of them have run.

    If one failed, its error is raised at the end of the block at the latest.

    Source: https://www.tensorflow.org/api_docs/python/tf/experimental/async_scope

    >>> import tapejax as tf
    >>> with async_scope():
    ...     x = tf.constant(1.0) + 1.0
    >>> float(x)
    2.0
    """
    yield
    stream.sync()


def async_clear_error() -> None:
    """Does nothing. In TensorFlow it clears a pending error, but `async_scope` leaves none behind here.

    Source: https://www.tensorflow.org/api_docs/python/tf/experimental/async_clear_error
    """
