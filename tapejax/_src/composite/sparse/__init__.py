"""Sparse tensors: indices and values. Importing any file of this folder teaches the ops about them."""

from tapejax._src.composite.sparse import arithmetic, elementwise, layout, lookup
from tapejax._src.composite.sparse.tensor import SparseTensor, SparseTensorSpec

__all__ = ["SparseTensor", "SparseTensorSpec", "arithmetic", "elementwise", "layout", "lookup"]
