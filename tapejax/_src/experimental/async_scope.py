"""``tf.experimental``: what of it exists here."""

import contextlib
from collections.abc import Iterator

from tapejax._src.engine import stream

__all__ = ["async_clear_error", "async_scope"]


@contextlib.contextmanager
def async_scope() -> Iterator[None]:
    """A block of code whose operations may run later; at its end they have run, or their error is raised.

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
    """Forgets the error of an `async_scope`: there is nothing to forget, since it was raised at the end of the block.

    Source: https://www.tensorflow.org/api_docs/python/tf/experimental/async_clear_error
    """
