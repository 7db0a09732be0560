"""`LinearOperator`: a matrix, or a batch of them, given by what it does. Subclasses say more where they know better."""

from typing import Any

import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.dimension import Dimension
from tapejax._src.core.module import Module
from tapejax._src.core.shape import TensorShape
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.ops.array.creation import eye
from tapejax._src.ops.array.diagonals import diag_part
from tapejax._src.ops.array.layout import expand_dims, invalid, squeeze
from tapejax._src.ops.linalg import decompositions, matrix_functions, solves
from tapejax._src.ops.linalg.products import adjoint as adjoint_dense
from tapejax._src.ops.math.elementwise import absolute, add, divide
from tapejax._src.ops.math.reduction import reduce_max, reduce_min, reduce_sum
from tapejax._src.ops.math.transcendental import log

__all__ = ["LinearOperator", "LinearOperatorAdjoint", "LinearOperatorInversion", "both"]


def both(*flags: bool | None) -> bool | None:
    """True if all are, None otherwise: a hint that is not known."""
    return True if all(flags) else None


class LinearOperator(Module):
    """A matrix, or a batch of them, given by what it does.

    A subclass defines `_shape`, `_matmul`, and whatever it can do better than by its dense form.

    Args:
      dtype: `DType` of the entries.
      is_non_singular: whether it has an inverse: True, False, or None if that is not known. Hints are trusted.
      is_self_adjoint: likewise, whether it equals its adjoint.
      is_positive_definite: likewise.
      is_square: likewise.
      name: a name.

    Raises:
      ValueError: hints that contradict each other.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperator
    """

    def __init__(
        self,
        dtype: Any,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str | None = None,
    ):
        super().__init__(name=None)
        if is_positive_definite:
            if is_non_singular is False:
                raise ValueError("A positive definite operator is always non-singular.")
            is_non_singular = True
        if (is_non_singular or is_self_adjoint) and is_square is False:
            raise ValueError("A non-singular or self-adjoint operator is always square.")
        self._dtype = dtypes.as_dtype(dtype)
        self._hints = (is_non_singular, is_self_adjoint, is_positive_definite, is_square)
        self._label = name or type(self).__name__

    # What it is

    name = property(lambda self: self._label, doc="The name.")  # type: ignore[assignment]
    dtype = property(lambda self: self._dtype, doc="`DType` of the entries.")
    is_non_singular = property(lambda self: self._hints[0], doc="Whether it has an inverse; None: not known.")
    is_self_adjoint = property(lambda self: self._hints[1], doc="Whether it is its own adjoint; None: not known.")
    is_positive_definite = property(lambda self: self._hints[2], doc="Whether it is; None: not known.")
    shape = property(lambda self: TensorShape(self._shape()), doc="The `TensorShape`.")
    batch_shape = property(lambda self: TensorShape(self._shape()[:-2]), doc="The shape without the last two axes.")
    tensor_rank = property(lambda self: len(self._shape()), doc="The number of axes.")
    domain_dimension = property(lambda self: Dimension(self._shape()[-1]), doc="The number of columns.")
    range_dimension = property(lambda self: Dimension(self._shape()[-2]), doc="The number of rows.")

    @property
    def is_square(self) -> bool:
        """Whether it has as many rows as columns."""
        rows, columns = self._shape()[-2:]
        return rows == columns

    def shape_tensor(self, name: str = "shape_tensor") -> Tensor:
        """The shape, int32."""
        return _counts(self._shape())

    def batch_shape_tensor(self, name: str = "batch_shape_tensor") -> Tensor:
        """The shape without the last two axes, int32."""
        return _counts(self._shape()[:-2])

    def tensor_rank_tensor(self, name: str = "tensor_rank_tensor") -> Tensor:
        """The number of axes, int32."""
        return _counts(len(self._shape()))

    def domain_dimension_tensor(self, name: str = "domain_dimension_tensor") -> Tensor:
        """The number of columns, int32."""
        return _counts(self._shape()[-1])

    def range_dimension_tensor(self, name: str = "range_dimension_tensor") -> Tensor:
        """The number of rows, int32."""
        return _counts(self._shape()[-2])

    # For subclasses

    def _shape(self) -> tuple[int, ...]:
        raise NotImplementedError(f"{type(self).__name__} does not define its shape")

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define its product")

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        dense = self._broadcast_dense(rhs)
        if self.is_positive_definite and self.is_self_adjoint:
            return solves.cholesky_solve(decompositions.cholesky(dense), rhs)
        return solves.solve(dense, rhs, adjoint)

    def _to_dense(self) -> Tensor:
        rows, columns = self._shape()[-2:]
        return self._matmul(eye(columns, dtype=self.dtype, batch_shape=self._shape()[:-2]), False)

    def _inverse(self) -> "LinearOperator":
        return LinearOperatorInversion(self)

    def _adjoint(self) -> "LinearOperator":
        return LinearOperatorAdjoint(self)

    def _broadcast_dense(self, rhs: Tensor) -> Tensor:
        """The dense form with the batch axes of `rhs`."""
        from tapejax._src.ops.array.layout import broadcast_to

        dense, batch = self.to_dense(), rhs.aval.shape[:-2]
        if dense.aval.shape[:-2] == batch:
            return dense
        return broadcast_to(dense, np.broadcast_shapes(dense.aval.shape[:-2], batch) + dense.aval.shape[-2:])

    # What it does

    def to_dense(self, name: str = "to_dense") -> Tensor:
        """The matrix as a tensor."""
        return self._to_dense()

    def matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "matmul") -> Any:
        """The product with a matrix, or with another operator (that is an operator too).

        Args:
          x: of shape (.., columns, n), or a `LinearOperator`.
          adjoint: whether to take this operator's adjoint.
          adjoint_arg: whether to take the adjoint of `x`.
          name: of no effect.

        Raises:
          ValueError: shapes that do not fit.
        """
        if isinstance(x, LinearOperator):
            from tapejax._src.composite.linear_operators.combinations import composed

            return composed(self.adjoint() if adjoint else self, x.adjoint() if adjoint_arg else x)
        t = self._argument(x, adjoint_arg, self._shape()[-2 if adjoint else -1])
        return self._matmul(t, bool(adjoint))

    def __matmul__(self, other: Any) -> Any:
        return self.matmul(other)

    def matvec(self, x: Any, adjoint: bool = False, name: str = "matvec") -> Tensor:
        """The product with a vector of shape (.., columns)."""
        return squeeze(self.matmul(expand_dims(self._tensor(x), -1), adjoint), -1)

    def solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "solve") -> Any:
        """X with ``self @ X = rhs``. Arguments as of `matmul`.

        Raises:
          NotImplementedError: the operator is not square, or known to be singular.
        """
        self._need_inverse("Exact solve")
        if isinstance(rhs, LinearOperator):
            from tapejax._src.composite.linear_operators.combinations import composed

            return composed((self.adjoint() if adjoint else self).inverse(), rhs.adjoint() if adjoint_arg else rhs)
        return self._solve(self._argument(rhs, adjoint_arg, self._shape()[-1]), bool(adjoint))

    def solvevec(self, rhs: Any, adjoint: bool = False, name: str = "solve") -> Tensor:
        """x with ``self @ x = rhs`` for vectors."""
        return squeeze(self.solve(expand_dims(self._tensor(rhs), -1), adjoint), -1)

    def adjoint(self, name: str = "adjoint") -> "LinearOperator":
        """The adjoint, as an operator."""
        return self if self.is_self_adjoint else self._adjoint()

    @property
    def H(self) -> "LinearOperator":
        """The adjoint, as an operator."""
        return self.adjoint()

    def inverse(self, name: str = "inverse") -> "LinearOperator":
        """The inverse, as an operator.

        Raises:
          ValueError: the operator is not square, or known to be singular.
        """
        if not self.is_square:
            raise ValueError("Cannot take the Inverse: This operator represents a non square matrix.")
        if self.is_non_singular is False:
            raise ValueError("Cannot take the Inverse: This operator represents a singular matrix.")
        return self._inverse()

    def cholesky(self, name: str = "cholesky") -> "LinearOperator":
        """The lower triangular L with ``L @ L^H = self``, as an operator.

        Raises:
          ValueError: the operator is not known to be positive definite and self-adjoint.
        """
        if not (self.is_positive_definite and self.is_self_adjoint):
            raise ValueError("Cannot take the Cholesky decomposition: Not a positive definite self adjoint matrix.")
        from tapejax._src.composite.linear_operators.matrices import LinearOperatorLowerTriangular

        return LinearOperatorLowerTriangular(decompositions.cholesky(self.to_dense()), is_non_singular=True)

    def determinant(self, name: str = "det") -> Tensor:
        """The determinant."""
        self._need_square("Determinant")
        return matrix_functions.det(self.to_dense())

    def log_abs_determinant(self, name: str = "log_abs_det") -> Tensor:
        """The logarithm of the determinant's absolute value."""
        self._need_square("Determinant")
        if self.is_positive_definite and self.is_self_adjoint:
            return 2 * reduce_sum(log(diag_part(decompositions.cholesky(self.to_dense()))), -1)
        return matrix_functions.slogdet(self.to_dense()).log_abs_determinant

    def diag_part(self, name: str = "diag_part") -> Tensor:
        """The main diagonal."""
        return diag_part(self.to_dense())

    def trace(self, name: str = "trace") -> Tensor:
        """The sum of the main diagonal."""
        return reduce_sum(self.diag_part(), -1)

    def eigvals(self, name: str = "eigvals") -> Tensor:
        """The eigenvalues.

        Raises:
          NotImplementedError: the operator is not known to be self-adjoint.
        """
        if not self.is_self_adjoint:
            raise NotImplementedError("Only self-adjoint matrices are supported.")
        return decompositions.eigvalsh(self.to_dense())

    def cond(self, name: str = "cond") -> Tensor:
        """The condition number: the largest singular value over the smallest."""
        values = (
            absolute(self.eigvals()) if self.is_self_adjoint else decompositions.svd(self.to_dense(), compute_uv=False)
        )
        return divide(reduce_max(values, -1), reduce_min(values, -1))

    def add_to_tensor(self, x: Any, name: str = "add_to_tensor") -> Tensor:
        """The dense sum with a tensor."""
        return add(self.to_dense(), x)

    def assert_non_singular(self, name: str = "assert_non_singular") -> None:
        """InvalidArgumentError if it is singular, as far as its dtype can tell."""
        limit = 1 / np.finfo(dtypes.to_numpy(self.dtype)).eps
        if not (np.asarray(self.cond()) < limit).all():
            raise invalid("Singular matrix up to precision epsilon.")

    def assert_self_adjoint(self, name: str = "assert_self_adjoint") -> None:
        """InvalidArgumentError if it is not its own adjoint."""
        dense = np.asarray(self.to_dense())
        if not (dense == np.conj(np.swapaxes(dense, -1, -2))).all():
            raise invalid("Matrix was not equal to its adjoint.")

    def assert_positive_definite(self, name: str = "assert_positive_definite") -> None:
        """InvalidArgumentError if it is not positive definite."""
        if not np.isfinite(np.asarray(decompositions.cholesky(self.to_dense()))).all():
            raise invalid("Operator was not positive definite.")

    def _tensor(self, value: Any) -> Tensor:
        """A tensor, of this operator's dtype unless it is one already."""
        return to_tensor(value, None, dtypes.to_numpy(self.dtype))

    def _argument(self, x: Any, adjoint: bool, size: int) -> Tensor:
        t = self._tensor(x)
        if t.dtype != self.dtype:
            raise TypeError(f"Expected a dtype of {self.dtype.name}, got {t.dtype.name}")
        t = adjoint_dense(t) if adjoint else t
        if len(t.aval.shape) < 2 or t.aval.shape[-2] != size:
            raise ValueError(
                f"Dimensions are not compatible: the operator has shape {self.shape}, the argument {t.shape}"
            )
        return t

    def _need_square(self, what: str) -> None:
        if not self.is_square:
            raise NotImplementedError(f"{what} not implemented for an operator that is expected to not be square.")

    def _need_inverse(self, what: str) -> None:
        self._need_square(what)
        if self.is_non_singular is False:
            raise NotImplementedError(f"{what} not implemented for an operator that is expected to be singular.")


def _counts(value: Any) -> Tensor:
    return from_value(np.array(value, np.int32))


class _Derived(LinearOperator):
    """An operator made from another of the same kind of hints."""

    def __init__(
        self,
        operator: LinearOperator,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str | None = None,
    ):
        given = (is_non_singular, is_self_adjoint, is_positive_definite)
        own = (operator.is_non_singular, operator.is_self_adjoint, operator.is_positive_definite)
        regular, symmetric, definite = (b if a is None else a for a, b in zip(given, own, strict=True))
        super().__init__(operator.dtype, regular, symmetric, definite, is_square, name)
        self._operator = operator

    operator = property(lambda self: self._operator, doc="The operator that this one is made from.")


class LinearOperatorAdjoint(_Derived):
    """The adjoint of an operator.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperatorAdjoint
    """

    def _shape(self) -> tuple[int, ...]:
        *batch, rows, columns = self._operator._shape()
        return (*batch, columns, rows)

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return self._operator._matmul(x, not adjoint)

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        return self._operator._solve(rhs, not adjoint)

    def _to_dense(self) -> Tensor:
        return adjoint_dense(self._operator.to_dense())

    def _adjoint(self) -> LinearOperator:
        return self._operator


class LinearOperatorInversion(_Derived):
    """The inverse of an operator.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperatorInversion
    """

    def _shape(self) -> tuple[int, ...]:
        return self._operator._shape()

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return self._operator._solve(x, adjoint)

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        return self._operator._matmul(rhs, adjoint)

    def _inverse(self) -> LinearOperator:
        return self._operator
