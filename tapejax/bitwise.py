"""``tf.bitwise``: the ops that are registered under this name; see `tapejax/ops/bitwise.py`."""

from tapejax import missing
from tapejax.ops import bitwise, registry

__all__ = ["bitwise"]

globals().update(registry.namespace("bitwise"))
__getattr__ = missing.module_getattr(__name__, globals())
