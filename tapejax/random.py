"""``tf.random``: the ops that are registered under this name; see `tapejax/ops/`."""

from types import SimpleNamespace

from tapejax import missing
from tapejax.ops import candidate_sampling, families, generator, random_parameters, registry

__all__ = ["candidate_sampling", "experimental", "families", "generator", "random_parameters"]

globals().update(registry.namespace("random"))
experimental = SimpleNamespace(**registry.namespace("random.experimental"))
__getattr__ = missing.module_getattr(__name__, globals())
