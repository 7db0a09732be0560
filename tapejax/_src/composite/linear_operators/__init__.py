"""The ``tf.linalg.LinearOperator`` classes: matrices with a known structure, on which linear algebra is faster."""

from tapejax._src.composite.linear_operators.base import LinearOperator, LinearOperatorAdjoint, LinearOperatorInversion
from tapejax._src.composite.linear_operators.combinations import (
    LinearOperatorBlockDiag,
    LinearOperatorComposition,
    LinearOperatorKronecker,
    LinearOperatorLowRankUpdate,
)
from tapejax._src.composite.linear_operators.matrices import (
    LinearOperatorDiag,
    LinearOperatorFullMatrix,
    LinearOperatorIdentity,
    LinearOperatorLowerTriangular,
    LinearOperatorScaledIdentity,
    LinearOperatorZeros,
)

__all__ = [
    "LinearOperator",
    "LinearOperatorAdjoint",
    "LinearOperatorBlockDiag",
    "LinearOperatorComposition",
    "LinearOperatorDiag",
    "LinearOperatorFullMatrix",
    "LinearOperatorIdentity",
    "LinearOperatorInversion",
    "LinearOperatorKronecker",
    "LinearOperatorLowRankUpdate",
    "LinearOperatorLowerTriangular",
    "LinearOperatorScaledIdentity",
    "LinearOperatorZeros",
]
