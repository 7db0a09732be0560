"""Imports every file of ops, so that the registry is complete."""

from tapejax import scopes
from tapejax.function import callbacks, control_flow, function, loops, tensor_array
from tapejax.ops import (
    along_axis,
    array,
    casting,
    comparison,
    creation,
    elementwise,
    gathering,
    indexing,
    joining,
    linalg,
    nn,
    norms,
    operators,
    random,
    reduction,
    shapes,
    transcendental,
)
from tapejax.variable import Variable

operators.attach(Variable)

__all__ = ["along_axis", "array", "callbacks", "casting", "comparison", "control_flow", "creation", "elementwise",
           "function", "gathering", "indexing", "joining", "linalg", "loops", "nn", "norms", "operators",
           "random", "reduction", "scopes", "shapes", "tensor_array", "transcendental"]
