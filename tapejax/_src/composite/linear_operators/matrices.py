"""Operators given by their entries: full, triangular and diagonal matrices, multiples of the identity, and zeros."""

from typing import Any

import numpy as np

from tapejax._src.composite.linear_operators.base import LinearOperator
from tapejax._src.core import dtypes
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor
from tapejax._src.ops.array.casting import cast, conj
from tapejax._src.ops.array.creation import eye, ones, zeros
from tapejax._src.ops.array.diagonals import diag
from tapejax._src.ops.array.layout import expand_dims
from tapejax._src.ops.linalg import solves
from tapejax._src.ops.linalg.products import band_part
from tapejax._src.ops.linalg.products import matmul as matmul_dense
from tapejax._src.ops.math.elementwise import absolute, divide, multiply, reciprocal
from tapejax._src.ops.math.reduction import reduce_prod, reduce_sum
from tapejax._src.ops.math.transcendental import log, sqrt

__all__ = [
    "LinearOperatorDiag",
    "LinearOperatorFullMatrix",
    "LinearOperatorIdentity",
    "LinearOperatorLowerTriangular",
    "LinearOperatorScaledIdentity",
    "LinearOperatorZeros",
]

Hint = bool | None


def _given(value: Any) -> tuple[Any, Any]:
    """The object to keep for an argument, and the argument as a tensor.

    A variable is kept as it is, so that it is read each time the operator is used. Other values are kept as tensors.
    """
    t = to_tensor(value)
    return (value if hasattr(value, "assign") else t), t


class LinearOperatorFullMatrix(LinearOperator):
    """A matrix without special structure.

    Args:
      matrix: the matrix, a floating or complex tensor of shape (..., m, n).
      is_non_singular: a hint, see `LinearOperator`.
      is_self_adjoint: a hint, see `LinearOperator`.
      is_positive_definite: a hint, see `LinearOperator`.
      is_square: a hint, see `LinearOperator`.
      name: the name of the operator.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperatorFullMatrix

    >>> LinearOperatorFullMatrix([[2.0, 1.0], [0.0, 1.0]]).matvec([1.0, 1.0]).numpy().tolist()
    [3.0, 1.0]
    """

    def __init__(
        self,
        matrix: Any,
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = None,
        name: str = "LinearOperatorFullMatrix",
    ):
        self._matrix, t = _given(matrix)
        if len(t.aval.shape) < 2:
            raise ValueError(f"Argument `matrix` must have at least 2 dimensions. Received: {matrix}.")
        super().__init__(t.dtype, is_non_singular, is_self_adjoint, is_positive_definite, is_square, name)

    matrix = property(lambda self: self._matrix, doc="The matrix.")

    def _shape(self) -> tuple[int, ...]:
        return tuple(self._matrix.shape)

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return matmul_dense(self._matrix, x, adjoint_a=adjoint)

    def _to_dense(self) -> Tensor:
        return to_tensor(self._matrix)


class _WithEigenvaluesOnDiagonal(LinearOperator):
    """Base class of triangular and diagonal matrices, whose eigenvalues are the entries of the main diagonal."""

    def determinant(self, name: str = "det") -> Tensor:
        """The determinant: the product of the entries of the main diagonal."""
        return reduce_prod(self.diag_part(), -1)

    def log_abs_determinant(self, name: str = "log_abs_det") -> Tensor:
        """The logarithm of the determinant's absolute value."""
        return cast(reduce_sum(log(absolute(self.diag_part())), -1), self.dtype)

    def eigvals(self, name: str = "eigvals") -> Tensor:
        """The eigenvalues: the entries of the main diagonal."""
        return self.diag_part()


class LinearOperatorLowerTriangular(_WithEigenvaluesOnDiagonal):
    """A lower triangular matrix.

    Args:
      tril: the matrix, a floating or complex tensor of shape (..., n, n). Entries above the diagonal count as zero.
      is_non_singular: a hint, see `LinearOperator`.
      is_self_adjoint: a hint, see `LinearOperator`.
      is_positive_definite: a hint, see `LinearOperator`.
      is_square: a hint, see `LinearOperator`.
      name: the name of the operator.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperatorLowerTriangular

    >>> LinearOperatorLowerTriangular([[2.0, 9.0], [1.0, 1.0]]).matvec([1.0, 1.0]).numpy().tolist()
    [2.0, 2.0]
    """

    def __init__(
        self,
        tril: Any,
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = None,
        name: str = "LinearOperatorLowerTriangular",
    ):
        if is_square is False:
            raise ValueError("Only square lower triangular operators supported at this time.")
        self._tril, t = _given(tril)
        if len(t.aval.shape) < 2:
            raise ValueError(f"Argument `tril` must have at least 2 dimensions. Received: {tril}.")
        super().__init__(t.dtype, is_non_singular, is_self_adjoint, is_positive_definite, True, name)

    tril = property(lambda self: self._tril, doc="The matrix.")

    def _shape(self) -> tuple[int, ...]:
        return tuple(self._tril.shape)

    def _to_dense(self) -> Tensor:
        return band_part(self._tril, -1, 0)

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return matmul_dense(self._to_dense(), x, adjoint_a=adjoint)

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        return solves.triangular_solve(self._tril, rhs, lower=True, adjoint=adjoint)


class LinearOperatorDiag(_WithEigenvaluesOnDiagonal):
    """A diagonal matrix.

    Args:
      diag: the main diagonal, a tensor of shape (..., n).
      is_non_singular: a hint, see `LinearOperator`.
      is_self_adjoint: a hint, see `LinearOperator`.
      is_positive_definite: a hint, see `LinearOperator`.
      is_square: a hint, see `LinearOperator`.
      name: the name of the operator.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperatorDiag

    >>> LinearOperatorDiag([2.0, 3.0]).matvec([1.0, 1.0]).numpy().tolist()
    [2.0, 3.0]
    """

    def __init__(
        self,
        diag: Any,
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = None,
        name: str = "LinearOperatorDiag",
    ):
        if is_square is False:
            raise ValueError("Only square diagonal operators currently supported.")
        self._diag, t = _given(diag)
        if not t.aval.shape:
            raise ValueError(f"Argument `diag` must have at least 1 dimension. Received: {diag}.")
        if not t.dtype.is_complex:
            if is_self_adjoint is False:
                raise ValueError("A real diagonal operator is always self adjoint.")
            is_self_adjoint = True
        super().__init__(t.dtype, is_non_singular, is_self_adjoint, is_positive_definite, True, name)

    diag = property(lambda self: self._diag, doc="The diagonal.")

    def _shape(self) -> tuple[int, ...]:
        shape = tuple(self._diag.shape)
        return (*shape, shape[-1])

    def _column(self, adjoint: bool) -> Tensor:
        d = expand_dims(self._diag, -1)
        return conj(d) if adjoint and self.dtype.is_complex else d

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return multiply(self._column(adjoint), x)

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        return divide(rhs, self._column(adjoint))

    def _to_dense(self) -> Tensor:
        return diag(self._diag)

    def _inverse(self) -> LinearOperator:
        return LinearOperatorDiag(
            reciprocal(self._diag), self.is_non_singular, self.is_self_adjoint, self.is_positive_definite
        )

    def _adjoint(self) -> LinearOperator:
        return LinearOperatorDiag(
            conj(self._diag), self.is_non_singular, self.is_self_adjoint, self.is_positive_definite
        )

    def cholesky(self, name: str = "cholesky") -> LinearOperator:
        """The Cholesky factor as an operator: the square roots of the entries.

        Raises:
          ValueError: the operator is not known to be positive definite and self-adjoint.
        """
        if not (self.is_positive_definite and self.is_self_adjoint):
            return super().cholesky()
        return LinearOperatorDiag(sqrt(self._diag), is_self_adjoint=True, is_positive_definite=True)

    def diag_part(self, name: str = "diag_part") -> Tensor:
        """The main diagonal."""
        return to_tensor(self._diag)


class LinearOperatorScaledIdentity(_WithEigenvaluesOnDiagonal):
    """A multiple of the identity matrix.

    Args:
      num_rows: the number of rows.
      multiplier: the factor, a scalar for one matrix, or a tensor of the batch shape.
      is_non_singular: a hint, see `LinearOperator`.
      is_self_adjoint: a hint, see `LinearOperator`.
      is_positive_definite: a hint, see `LinearOperator`.
      is_square: a hint, see `LinearOperator`.
      assert_proper_shapes: of no effect, because shapes are always checked.
      name: the name of the operator.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperatorScaledIdentity

    >>> LinearOperatorScaledIdentity(2, 3.0).matvec([1.0, 2.0]).numpy().tolist()
    [3.0, 6.0]
    """

    def __init__(
        self,
        num_rows: Any,
        multiplier: Any,
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = True,
        assert_proper_shapes: bool = False,
        name: str = "LinearOperatorScaledIdentity",
    ):
        if not is_square:
            raise ValueError("A ScaledIdentity operator is always square.")
        self._rows = int(num_rows)
        self._multiplier, t = _given(multiplier)
        if not t.dtype.is_complex:
            is_self_adjoint = True
        super().__init__(t.dtype, is_non_singular, is_self_adjoint, is_positive_definite, True, name)

    multiplier = property(lambda self: self._multiplier, doc="The factor of the identity.")

    def _shape(self) -> tuple[int, ...]:
        return (*self._multiplier.shape, self._rows, self._rows)

    def _factor(self, adjoint: bool) -> Tensor:
        d = expand_dims(expand_dims(self._multiplier, -1), -1)
        return conj(d) if adjoint and self.dtype.is_complex else d

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return multiply(self._factor(adjoint), x)

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        return divide(rhs, self._factor(adjoint))

    def _inverse(self) -> LinearOperator:
        return LinearOperatorScaledIdentity(
            self._rows,
            reciprocal(self._multiplier),
            self.is_non_singular,
            self.is_self_adjoint,
            self.is_positive_definite,
        )

    def diag_part(self, name: str = "diag_part") -> Tensor:
        """The main diagonal."""
        return multiply(expand_dims(self._multiplier, -1), ones([self._rows], self.dtype))


class LinearOperatorIdentity(LinearOperatorScaledIdentity):
    """The identity matrix.

    Args:
      num_rows: the number of rows.
      batch_shape: the batch shape; by default it is one matrix.
      dtype: the `DType` of the entries, by default float32.
      is_non_singular: must be true.
      is_self_adjoint: must be true.
      is_positive_definite: must be true.
      is_square: must be true.
      assert_proper_shapes: of no effect, because shapes are always checked.
      name: the name of the operator.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperatorIdentity

    >>> LinearOperatorIdentity(2).matvec([1.0, 2.0]).numpy().tolist()
    [1.0, 2.0]
    """

    def __init__(
        self,
        num_rows: Any,
        batch_shape: Any = None,
        dtype: Any = None,
        is_non_singular: Hint = True,
        is_self_adjoint: Hint = True,
        is_positive_definite: Hint = True,
        is_square: Hint = True,
        assert_proper_shapes: bool = False,
        name: str = "LinearOperatorIdentity",
    ):
        if not (is_non_singular and is_self_adjoint and is_positive_definite and is_square):
            raise ValueError("An identity operator is always non-singular, self-adjoint, positive definite and square.")
        one = ones([] if batch_shape is None else batch_shape, dtypes.float32 if dtype is None else dtype)
        super().__init__(num_rows, one, True, True, True, True, name=name)

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return super()._matmul(x, adjoint) if self._multiplier.shape.rank else x

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        return self._matmul(rhs, adjoint)

    def _inverse(self) -> LinearOperator:
        return self

    def _to_dense(self) -> Tensor:
        return eye(self._rows, dtype=self.dtype, batch_shape=tuple(self._multiplier.shape))

    def cholesky(self, name: str = "cholesky") -> LinearOperator:
        """The identity itself."""
        return self


class LinearOperatorZeros(LinearOperator):
    """A matrix of zeros.

    Args:
      num_rows: the number of rows.
      num_columns: the number of columns, by default that of the rows.
      batch_shape: the batch shape; by default it is one matrix.
      dtype: the `DType` of the entries, by default float32.
      is_non_singular: must not be true.
      is_self_adjoint: a hint, see `LinearOperator`. It must be False for a matrix that is not square.
      is_positive_definite: must not be true.
      is_square: a hint, see `LinearOperator`. It must be False for a matrix that is not square.
      assert_proper_shapes: of no effect, because shapes are always checked.
      name: the name of the operator.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperatorZeros

    >>> LinearOperatorZeros(2).matvec([1.0, 2.0]).numpy().tolist()
    [0.0, 0.0]
    """

    def __init__(
        self,
        num_rows: Any,
        num_columns: Any = None,
        batch_shape: Any = None,
        dtype: Any = None,
        is_non_singular: Hint = False,
        is_self_adjoint: Hint = True,
        is_positive_definite: Hint = False,
        is_square: Hint = True,
        assert_proper_shapes: bool = False,
        name: str = "LinearOperatorZeros",
    ):
        if is_non_singular or is_positive_definite:
            raise ValueError("A zero operator is always singular, and not positive definite.")
        rows = int(num_rows)
        self._size = (
            *(() if batch_shape is None else map(int, batch_shape)),
            rows,
            rows if num_columns is None else int(num_columns),
        )
        if is_square and self._size[-1] != rows:
            raise ValueError(
                f"LinearOperatorZeros initialized as is_square=True, but got num_rows({rows}) != "
                f"num_columns({self._size[-1]})"
            )
        super().__init__(dtypes.float32 if dtype is None else dtype, False, is_self_adjoint, False, is_square, name)

    def _shape(self) -> tuple[int, ...]:
        return self._size

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        batch = np.broadcast_shapes(self._size[:-2], x.aval.shape[:-2])
        return zeros((*batch, self._size[-1 if adjoint else -2], x.aval.shape[-1]), self.dtype)

    def _to_dense(self) -> Tensor:
        return zeros(self._size, self.dtype)

    def determinant(self, name: str = "det") -> Tensor:
        """The determinant, which is zero."""
        self._need_square("Determinant")
        return zeros(self._size[:-2], self.dtype)
