"""Ragged tensors, whose rows differ in length. Importing any file of this folder makes `tf.add` etc. accept them."""

from tapejax._src.composite.ragged import building, elementwise, indexing, joining, masking, reduction
from tapejax._src.composite.ragged.spec import RaggedTensorSpec
from tapejax._src.composite.ragged.tensor import RaggedTensor

__all__ = ["RaggedTensor", "RaggedTensorSpec", "building", "elementwise", "indexing", "joining", "masking", "reduction"]
