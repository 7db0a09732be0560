"""Linear operators against real TensorFlow: values, dtypes, shapes, hints, exception classes, gradients."""

import numpy as np
from support import harness
from support.compare import ATOL, RTOL
from support.harness import Case, may_raise, raises
from support.inputs import Inputs
from support.source import text_of

MAKERS = {
    "full": lambda tf, m: tf.linalg.LinearOperatorFullMatrix(m),
    "definite": lambda tf, m: tf.linalg.LinearOperatorFullMatrix(m, is_self_adjoint=True, is_positive_definite=True),
    "batch": lambda tf, m: tf.linalg.LinearOperatorFullMatrix(tf.stack([m, m * 2.0])),
    "wide": lambda tf, x: tf.linalg.LinearOperatorFullMatrix(x),
    "complex": lambda tf, c: tf.linalg.LinearOperatorFullMatrix(c),
    "triangle": lambda tf: tf.linalg.LinearOperatorLowerTriangular([[2.0, 9.0], [0.5, 3.0]]),
    "diagonal": lambda tf, v: tf.linalg.LinearOperatorDiag(v),
    "positive": lambda tf, v: tf.linalg.LinearOperatorDiag(v, is_positive_definite=True),
    "phases": lambda tf: tf.linalg.LinearOperatorDiag(tf.constant([1.0 + 2.0j, 3.0j])),
    "identity": lambda tf: tf.linalg.LinearOperatorIdentity(2),
    "identities": lambda tf: tf.linalg.LinearOperatorIdentity(2, batch_shape=[3]),
    "scaled": lambda tf: tf.linalg.LinearOperatorScaledIdentity(2, 3.0),
    "zeros": lambda tf: tf.linalg.LinearOperatorZeros(2),
    "blocks": lambda tf, m, v: tf.linalg.LinearOperatorBlockDiag(
        [tf.linalg.LinearOperatorFullMatrix(m), tf.linalg.LinearOperatorDiag(v)]
    ),
    "kronecker": lambda tf, m: tf.linalg.LinearOperatorKronecker(
        [tf.linalg.LinearOperatorFullMatrix(m), tf.linalg.LinearOperatorLowerTriangular([[2.0, 9.0], [0.5, 3.0]])]
    ),
    "product": lambda tf, m, v: tf.linalg.LinearOperatorComposition(
        [tf.linalg.LinearOperatorFullMatrix(m), tf.linalg.LinearOperatorDiag(v)]
    ),
    "update": lambda tf, v: tf.linalg.LinearOperatorLowRankUpdate(
        tf.linalg.LinearOperatorDiag(v), tf.constant([[1.0], [2.0]]), tf.constant([3.0])
    ),
    "skew update": lambda tf, v: tf.linalg.LinearOperatorLowRankUpdate(
        tf.linalg.LinearOperatorDiag(v), tf.constant([[1.0], [2.0]]), v=tf.constant([[0.5], [1.0]])
    ),
    "definite update": lambda tf, v: tf.linalg.LinearOperatorLowRankUpdate(
        tf.linalg.LinearOperatorDiag(v, is_positive_definite=True), tf.constant([[1.0], [2.0]])
    ),
    "adjoint": lambda tf: tf.linalg.LinearOperatorFullMatrix([[1.0, 2.0], [3.0, 5.0]]).adjoint(),
    "inverse": lambda tf: tf.linalg.LinearOperatorFullMatrix([[1.0, 2.0], [3.0, 5.0]]).inverse(),
}
ASKED = [
    lambda o: o.to_dense(),
    lambda o: o.shape,
    lambda o: o.batch_shape,
    lambda o: o.tensor_rank,
    lambda o: o.shape_tensor(),
    lambda o: o.domain_dimension_tensor(),
    lambda o: o.is_square,
    lambda o: o.is_self_adjoint,
    lambda o: o.is_positive_definite,
    lambda o: o.is_non_singular,
    lambda o: o.diag_part(),
    lambda o: o.trace(),
    may_raise(NotImplementedError, call=lambda o: o.determinant()),
    may_raise(NotImplementedError, call=lambda o: o.log_abs_determinant()),
    lambda o: o.matmul(o.to_dense(), adjoint_arg=True),
    lambda o: o.matmul(o.to_dense(), adjoint=True),
    lambda o: o.matvec(o.to_dense()[..., 0, :]),
    may_raise(NotImplementedError, call=lambda o: o.solve(o.to_dense())),
    may_raise(NotImplementedError, call=lambda o: o.solve(o.to_dense(), adjoint=True)),
    may_raise(NotImplementedError, call=lambda o: o.solvevec(o.to_dense()[..., 0])),
    may_raise(ValueError, call=lambda o: o.inverse().to_dense()),
    lambda o: o.adjoint().to_dense(),
    lambda o: o.H.matmul(o.to_dense()),
    may_raise(ValueError, call=lambda o: o.cholesky().to_dense()),
    may_raise(ValueError, call=lambda o: o.matmul(o).to_dense()),
    lambda o: (o @ o.H).to_dense(),
    lambda o: o.add_to_tensor(o.to_dense()),
    may_raise(TypeError, ValueError, call=lambda tf, o: o.matmul(tf.ones([9, 1]))),
]
"""What every operator `o` is asked; the operators that refuse must be the ones that refuse in TensorFlow."""

test_every_operator = harness.test_of(
    [
        Case(f"{name}: {text_of(asked)}", Inputs({"o": maker}).bound(asked), (), 0, RTOL, ATOL)
        for name, maker in MAKERS.items()
        for asked in ASKED
    ],
    ["recorded"],
)

test_as_tensorflow = harness.test_of(
    [
        lambda tf, m: tf.linalg.LinearOperatorFullMatrix(m, is_self_adjoint=True).eigvals(),
        raises(NotImplementedError, lambda tf, m: tf.linalg.LinearOperatorFullMatrix(m).eigvals()),
        lambda tf, v: tf.linalg.LinearOperatorDiag(v).eigvals(),
        lambda tf, m: tf.linalg.LinearOperatorFullMatrix(m).cond(),
        lambda tf, v: tf.linalg.LinearOperatorDiag(v).cond(),
        raises(ValueError, lambda tf, v: tf.linalg.LinearOperatorFullMatrix(v)),
        raises(ValueError, lambda tf: tf.linalg.LinearOperatorDiag(1.0)),
        raises(
            ValueError,
            lambda tf, m: tf.linalg.LinearOperatorFullMatrix(m, is_positive_definite=True, is_non_singular=False),
        ),
        raises(ValueError, lambda tf, v: tf.linalg.LinearOperatorDiag(v, is_square=False)),
        raises(ValueError, lambda tf: tf.linalg.LinearOperatorBlockDiag([])),
        lambda tf: tf.linalg.LinearOperatorIdentity(2).dtype.name,
        lambda tf: tf.linalg.LinearOperatorIdentity(2, dtype=tf.float64).to_dense(),
        lambda tf: tf.linalg.LinearOperatorZeros(2, 3, is_square=False, is_self_adjoint=False).to_dense(),
        lambda tf: tf.linalg.LinearOperatorZeros(2, 2).is_self_adjoint,
        raises(ValueError, lambda tf: tf.linalg.LinearOperatorZeros(2, 3).is_self_adjoint),
        raises(ValueError, lambda tf: tf.linalg.LinearOperatorZeros(2, 3, is_square=False).is_self_adjoint),
        raises(ValueError, lambda tf: tf.linalg.LinearOperatorZeros(2, 2, is_square=False).is_self_adjoint),
        lambda tf: tf.linalg.LinearOperatorZeros(2, 2, is_square=None).is_self_adjoint,
        lambda tf: tf.linalg.LinearOperatorZeros(2, 3, is_square=None).is_self_adjoint,
        lambda tf: tf.linalg.LinearOperatorZeros(2, 3, is_self_adjoint=False, is_square=None).is_self_adjoint,
        lambda tf: tf.linalg.LinearOperatorZeros(2, 3, is_self_adjoint=False, is_square=False).is_self_adjoint,
        lambda tf, m: tf.linalg.LinearOperatorFullMatrix(m).name,
        raises(ValueError, lambda tf: tf.linalg.LinearOperatorIdentity(2, is_positive_definite=False)),
    ]
)

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
test_derivatives = harness.test_of(CASES, ["recorded"])
