"""Imports every file of ops, so that the registry is complete."""

from tapejax import scopes
from tapejax.ops import array, comparison, creation, elementwise, indexing, linalg, nn, operators, random, reduction

__all__ = ["array", "comparison", "creation", "elementwise", "indexing", "linalg", "nn", "operators", "random",
           "reduction", "scopes"]
