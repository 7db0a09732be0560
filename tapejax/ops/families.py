"""Imports every file of ops, so that the registry is complete."""

from tapejax import scopes
from tapejax.ops import (
    array,
    casting,
    comparison,
    creation,
    elementwise,
    indexing,
    linalg,
    nn,
    operators,
    random,
    reduction,
    transcendental,
)
from tapejax.variable import Variable

operators.attach(Variable)

__all__ = ["array", "casting", "comparison", "creation", "elementwise", "indexing", "linalg", "nn", "operators",
           "random", "reduction", "scopes", "transcendental"]
