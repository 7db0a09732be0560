"""Linear operators against real TensorFlow: values, dtypes, shapes, hints, exception classes, gradients."""

import numpy as np
from support import expressions
from support.parity import Case, test_of

L = "tf.linalg.LinearOperator"
MAKERS = {
    "full": f"{L}FullMatrix(m)",
    "definite": f"{L}FullMatrix(m, is_self_adjoint=True, is_positive_definite=True)",
    "batch": f"{L}FullMatrix(tf.stack([m, m * 2.0]))",
    "wide": f"{L}FullMatrix(x)",
    "complex": f"{L}FullMatrix(c)",
    "triangle": f"{L}LowerTriangular([[2.0, 9.0], [0.5, 3.0]])",
    "diagonal": f"{L}Diag(v)",
    "positive": f"{L}Diag(v, is_positive_definite=True)",
    "phases": f"{L}Diag(tf.constant([1.0 + 2.0j, 3.0j]))",
    "identity": f"{L}Identity(2)",
    "identities": f"{L}Identity(2, batch_shape=[3])",
    "scaled": f"{L}ScaledIdentity(2, 3.0)",
    "zeros": f"{L}Zeros(2)",
    "blocks": f"{L}BlockDiag([{L}FullMatrix(m), {L}Diag(v)])",
    "kronecker": f"{L}Kronecker([{L}FullMatrix(m), {L}LowerTriangular([[2.0, 9.0], [0.5, 3.0]])])",
    "product": f"{L}Composition([{L}FullMatrix(m), {L}Diag(v)])",
    "update": f"{L}LowRankUpdate({L}Diag(v), tf.constant([[1.0], [2.0]]), tf.constant([3.0]))",
    "skew update": f"{L}LowRankUpdate({L}Diag(v), tf.constant([[1.0], [2.0]]), v=tf.constant([[0.5], [1.0]]))",
    "definite update": f"{L}LowRankUpdate({L}Diag(v, is_positive_definite=True), tf.constant([[1.0], [2.0]]))",
    "adjoint": f"{L}FullMatrix([[1.0, 2.0], [3.0, 5.0]]).adjoint()",
    "inverse": f"{L}FullMatrix([[1.0, 2.0], [3.0, 5.0]]).inverse()",
}  # fmt: skip
ASKED = [
    "o.to_dense()",
    "o.shape",
    "o.batch_shape",
    "o.tensor_rank",
    "o.shape_tensor()",
    "o.domain_dimension_tensor()",
    "o.is_square",
    "o.is_self_adjoint",
    "o.is_positive_definite",
    "o.is_non_singular",
    "o.diag_part()",
    "o.trace()",
    "o.determinant()",
    "o.log_abs_determinant()",
    "o.matmul(o.to_dense(), adjoint_arg=True)",
    "o.matmul(o.to_dense(), adjoint=True)",
    "o.matvec(o.to_dense()[..., 0, :])",
    "o.solve(o.to_dense())",
    "o.solve(o.to_dense(), adjoint=True)",
    "o.solvevec(o.to_dense()[..., 0])",
    "o.inverse().to_dense()",
    "o.adjoint().to_dense()",
    "o.H.matmul(o.to_dense())",
    "o.cholesky().to_dense()",
    "o.matmul(o).to_dense()",
    "(o @ o.H).to_dense()",
    "o.add_to_tensor(o.to_dense())",
    "o.matmul(tf.ones([9, 1]))",
]
ROWS = [f"(lambda o: {asked})({maker})" for maker in MAKERS.values() for asked in ASKED] + [
    f"{L}FullMatrix(m, is_self_adjoint=True).eigvals()", f"{L}FullMatrix(m).eigvals()", f"{L}Diag(v).eigvals()",
    f"{L}FullMatrix(m).cond()", f"{L}Diag(v).cond()", f"{L}FullMatrix(v)", f"{L}Diag(1.0)",
    f"{L}FullMatrix(m, is_positive_definite=True, is_non_singular=False)", f"{L}Diag(v, is_square=False)",
    f"{L}BlockDiag([])", f"{L}Identity(2).dtype.name",
    f"{L}Identity(2, dtype=tf.float64).to_dense()",
    f"{L}Zeros(2, 3, is_square=False, is_self_adjoint=False).to_dense()",
    *(f"{L}Zeros(2, {columns}).is_self_adjoint" for columns in (
        "2", "3", "3, is_square=False", "2, is_square=False", "2, is_square=None", "3, is_square=None",
        "3, is_self_adjoint=False, is_square=None", "3, is_self_adjoint=False, is_square=False")),
    f"{L}FullMatrix(m).name", f"{L}Identity(2, is_positive_definite=False)",
]  # fmt: skip

test_as_tensorflow = expressions.test_of(ROWS)

MATRIX = np.array([[2.0, 1.0], [0.5, 3.0]])
CASES = [
    Case("full", lambda tf, a, b: tf.linalg.LinearOperatorFullMatrix(a).solve(b), [MATRIX, MATRIX]),
    Case("triangle", lambda tf, a, b: tf.linalg.LinearOperatorLowerTriangular(a).matmul(b), [MATRIX, MATRIX]),
    Case("diagonal", lambda tf, d: tf.linalg.LinearOperatorDiag(d).log_abs_determinant(), [MATRIX]),
    Case(
        "update",
        lambda tf, d, u: tf.linalg.LinearOperatorLowRankUpdate(tf.linalg.LinearOperatorDiag(d), u).solve(u),
        [MATRIX[0], MATRIX[:, :1]],
    ),
]
test_derivatives = test_of(CASES, ["recorded"])
