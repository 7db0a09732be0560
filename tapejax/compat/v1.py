"""``tf.compat.v1``: what TensorFlow 1's names still mean. See `tapejax/_src/compat/v1.py`."""

from tapejax._src.compat import v1


def __getattr__(name: str) -> object:
    return getattr(v1, name)


def __dir__() -> list[str]:
    return dir(v1)
