"""``tf.sets``: the functions that are registered under this name; see `tapejax/ops/sets.py`."""

from tapejax import missing
from tapejax.ops import registry, sets

__all__ = ["sets"]

globals().update(registry.namespace("sets"))
__getattr__ = missing.module_getattr(__name__, globals())
