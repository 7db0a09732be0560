"""``tf.ragged``: tensors whose rows differ in length."""

from tapejax import missing
from tapejax.ops import families, registry
from tapejax.ragged import building, elementwise, indexing, joining, masking, reduction
from tapejax.ragged.spec import RaggedTensorSpec
from tapejax.ragged.tensor import RaggedTensor

__all__ = ["RaggedTensor", "RaggedTensorSpec", "building", "elementwise", "families", "indexing", "joining", "masking",
           "reduction"]

globals().update(registry.namespace("ragged"))
__getattr__ = missing.module_getattr(__name__, globals())
