"""``tf.math``: the ops that are registered under this name; see `tapejax/ops/`."""

from types import SimpleNamespace

from tapejax import missing
from tapejax.ops import families, histograms, registry, segment, sobol, sorting, special_functions

__all__ = ["families", "histograms", "segment", "sobol", "sorting", "special", "special_functions"]

globals().update(registry.namespace("math"))
special = SimpleNamespace(**registry.namespace("math.special"))
__getattr__ = missing.module_getattr(__name__, globals())
