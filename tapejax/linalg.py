"""``tf.linalg``: the ops that are registered under this name, see `tapejax/ops/`, and linear operators."""

from tapejax import missing
from tapejax.ops import decompositions, families, matrix_functions, registry, solves

__all__ = ["decompositions", "families", "matrix_functions", "solves"]

_OPERATORS = ("", "Adjoint", "BlockDiag", "Composition", "Diag", "FullMatrix", "Identity", "Inversion", "Kronecker",
              "LowRankUpdate", "LowerTriangular", "ScaledIdentity", "Zeros")

globals().update(registry.namespace("linalg"))
__getattr__ = missing.module_getattr(__name__, globals(), lazy={
    f"LinearOperator{kind}": f"tapejax.linear_operators:LinearOperator{kind}" for kind in _OPERATORS})
