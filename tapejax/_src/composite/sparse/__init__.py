"""Sparse tensors, and the ops on them. Importing any file of this folder makes `tf.abs` and the like accept them."""

from tapejax._src.composite.sparse import arithmetic, elementwise, layout, lookup
from tapejax._src.composite.sparse.tensor import SparseTensor, SparseTensorSpec

__all__ = ["SparseTensor", "SparseTensorSpec", "arithmetic", "elementwise", "layout", "lookup"]
