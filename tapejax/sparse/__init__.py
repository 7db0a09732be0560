"""``tf.sparse``: tensors that are mostly zero, as indices and values."""

from tapejax import missing
from tapejax.ops import families, registry
from tapejax.sparse import arithmetic, elementwise, layout, lookup
from tapejax.sparse.tensor import SparseTensor, SparseTensorSpec

__all__ = ["SparseTensor", "SparseTensorSpec", "arithmetic", "elementwise", "families", "layout", "lookup"]

globals().update(registry.namespace("sparse"))
__getattr__ = missing.module_getattr(__name__, globals())
