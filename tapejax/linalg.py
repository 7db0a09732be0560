"""``tf.linalg``: the ops that are registered under this name; see `tapejax/ops/`."""

from tapejax import missing
from tapejax.ops import decompositions, families, registry, solves

__all__ = ["decompositions", "families", "solves"]

globals().update(registry.namespace("linalg"))
__getattr__ = missing.module_getattr(__name__, globals())
