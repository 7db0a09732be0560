"""``tf.linalg``: the ops that are registered under this name; see `tapejax/ops/`."""

from tapejax import missing
from tapejax.ops import families, registry

__all__ = ["families"]

globals().update(registry.namespace("linalg"))
__getattr__ = missing.module_getattr(__name__, globals())
