"""`LinearOperator`, the base class of matrices, and batches of matrices, that are given by their structure.

The base class computes everything from the dense matrix. Subclasses override what they can compute faster.
"""

from typing import Any

import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.dimension import Dimension
from tapejax._src.core.module import Module
from tapejax._src.core.shape import TensorShape
from tapejax._src.core.tensor import Tensor
from tapejax._src.ops.array.creation import eye
from tapejax._src.ops.array.diagonals import diag_part
from tapejax._src.ops.array.layout import expand_dims, squeeze
from tapejax._src.ops.array.shapes import counts
from tapejax._src.ops.linalg import decompositions, matrix_functions, solves
from tapejax._src.ops.linalg.products import adjoint as adjoint_dense
from tapejax._src.ops.math.elementwise import absolute, add, divide
from tapejax._src.ops.math.reduction import reduce_max, reduce_min, reduce_sum
from tapejax._src.ops.math.transcendental import log

__all__ = ["LinearOperator", "LinearOperatorAdjoint", "LinearOperatorInversion", "both"]


def both(*flags: bool | None) -> bool | None:
    """Combines hints: True if all of them are True, otherwise None, which means that it is not known."""
    return True if all(flags) else None


class LinearOperator(Module):
    """Base class of linear operators: matrices, or batches of matrices, that are not necessarily stored as such.

    A subclass defines `_shape` and `_matmul`. It may override other methods, which otherwise use the dense matrix.

    The arguments `is_non_singular` and so on are hints about the matrix: True, False, or None if it is not known. Hints
    are not checked.

    Args:
      dtype: the `DType` of the entries.
      is_non_singular: whether the matrix has an inverse.
      is_self_adjoint: whether the matrix equals its adjoint.
      is_positive_definite: whether the matrix is positive definite.
      is_square: whether the matrix has as many rows as columns.
      name: the name of the operator.

    Raises:
      ValueError: the hints contradict each other.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperator

    >>> import tapejax as tf
    >>> operator = tf.linalg.LinearOperatorDiag([2.0, 4.0])
    >>> isinstance(operator, LinearOperator), operator.solvevec([2.0, 2.0]).numpy().tolist()
    (True, [1.0, 0.5])
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

    # Properties

    name = property(lambda self: self._label, doc="The name.")  # type: ignore[assignment]
    dtype = property(lambda self: self._dtype, doc="The `DType` of the entries.")
    is_non_singular = property(lambda self: self._hints[0], doc="The hint whether the matrix has an inverse, or None.")
    is_self_adjoint = property(lambda self: self._hints[1], doc="The hint whether it equals its adjoint, or None.")
    is_positive_definite = property(
        lambda self: self._hints[2], doc="The hint whether it is positive definite, or None."
    )
    shape = property(lambda self: TensorShape(self._shape()), doc="The `TensorShape`.")
    batch_shape = property(lambda self: TensorShape(self._shape()[:-2]), doc="The shape without the last two axes.")
    tensor_rank = property(lambda self: len(self._shape()), doc="The number of axes.")
    domain_dimension = property(lambda self: Dimension(self._shape()[-1]), doc="The number of columns.")
    range_dimension = property(lambda self: Dimension(self._shape()[-2]), doc="The number of rows.")

    @property
    def is_square(self) -> bool:
        """Whether the matrix has as many rows as columns."""
        rows, columns = self._shape()[-2:]
        return rows == columns

    def shape_tensor(self, name: str = "shape_tensor") -> Tensor:
        """The shape, as an int32 tensor."""
        return counts(self._shape())

    def batch_shape_tensor(self, name: str = "batch_shape_tensor") -> Tensor:
        """The shape without the last two axes, as an int32 tensor."""
        return counts(self._shape()[:-2])

    def tensor_rank_tensor(self, name: str = "tensor_rank_tensor") -> Tensor:
        """The number of axes, as an int32 tensor."""
        return counts(len(self._shape()))

    def domain_dimension_tensor(self, name: str = "domain_dimension_tensor") -> Tensor:
        """The number of columns, as an int32 tensor."""
        return counts(self._shape()[-1])

    def range_dimension_tensor(self, name: str = "range_dimension_tensor") -> Tensor:
        """The number of rows, as an int32 tensor."""
        return counts(self._shape()[-2])

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
        """The dense matrix, broadcast to the batch axes of `rhs`."""
        from tapejax._src.ops.array.layout import broadcast_to

        dense, batch = self.to_dense(), rhs.aval.shape[:-2]
        if dense.aval.shape[:-2] == batch:
            return dense
        return broadcast_to(dense, np.broadcast_shapes(dense.aval.shape[:-2], batch) + dense.aval.shape[-2:])

    # Operations

    def to_dense(self, name: str = "to_dense") -> Tensor:
        """The matrix as a dense tensor."""
        return self._to_dense()

    def matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "matmul") -> Any:
        """The product of this operator and a matrix, or of two operators.

        Args:
          x: a tensor of shape (..., columns, n), or a `LinearOperator`.
          adjoint: whether to use the adjoint of this operator.
          adjoint_arg: whether to use the adjoint of `x`.
          name: of no effect.

        Returns:
          A tensor of shape (..., rows, n), or a `LinearOperator` if `x` is one.

        Raises:
          TypeError: `x` has another dtype.
          ValueError: the shapes do not fit.
        """
        if isinstance(x, LinearOperator):
            from tapejax._src.composite.linear_operators.combinations import composed

            return composed(self.adjoint() if adjoint else self, x.adjoint() if adjoint_arg else x)
        t = self._argument(x, adjoint_arg, self._shape()[-2 if adjoint else -1])
        return self._matmul(t, bool(adjoint))

    def __matmul__(self, other: Any) -> Any:
        return self.matmul(other)

    def matvec(self, x: Any, adjoint: bool = False, name: str = "matvec") -> Tensor:
        """The product of this operator and a vector.

        Args:
          x: a tensor of shape (..., columns).
          adjoint: whether to use the adjoint of this operator.
          name: of no effect.

        Returns:
          A tensor of shape (..., rows).

        Raises:
          TypeError: `x` has another dtype.
          ValueError: the shapes do not fit.
        """
        return squeeze(self.matmul(expand_dims(self._tensor(x), -1), adjoint), -1)

    def solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "solve") -> Any:
        """Solves the system of linear equations ``self @ X = rhs``.

        Args:
          rhs: a tensor of shape (..., rows, n), or a `LinearOperator`.
          adjoint: whether to use the adjoint of this operator.
          adjoint_arg: whether to use the adjoint of `rhs`.
          name: of no effect.

        Returns:
          The solution X, a tensor of shape (..., columns, n), or a `LinearOperator` if `rhs` is one.

        Raises:
          NotImplementedError: the operator is not square, or is known to be singular.
          TypeError: `rhs` has another dtype.
          ValueError: the shapes do not fit.
        """
        self._need_inverse("Exact solve")
        if isinstance(rhs, LinearOperator):
            from tapejax._src.composite.linear_operators.combinations import composed

            return composed((self.adjoint() if adjoint else self).inverse(), rhs.adjoint() if adjoint_arg else rhs)
        return self._solve(self._argument(rhs, adjoint_arg, self._shape()[-1]), bool(adjoint))

    def solvevec(self, rhs: Any, adjoint: bool = False, name: str = "solve") -> Tensor:
        """Solves the system of linear equations ``self @ x = rhs`` for a vector.

        Args:
          rhs: a tensor of shape (..., rows).
          adjoint: whether to use the adjoint of this operator.
          name: of no effect.

        Returns:
          The solution x, a tensor of shape (..., columns).

        Raises:
          NotImplementedError: the operator is not square, or is known to be singular.
        """
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
          ValueError: the operator is not square, or is known to be singular.
        """
        if not self.is_square:
            raise ValueError("Cannot take the Inverse: This operator represents a non square matrix.")
        if self.is_non_singular is False:
            raise ValueError("Cannot take the Inverse: This operator represents a singular matrix.")
        return self._inverse()

    def cholesky(self, name: str = "cholesky") -> "LinearOperator":
        """The Cholesky factor as an operator: the lower triangular matrix L with ``L @ L^H = self``.

        Raises:
          ValueError: the operator is not known to be positive definite and self-adjoint.
        """
        if not (self.is_positive_definite and self.is_self_adjoint):
            raise ValueError("Cannot take the Cholesky decomposition: Not a positive definite self adjoint matrix.")
        from tapejax._src.composite.linear_operators.matrices import LinearOperatorLowerTriangular

        return LinearOperatorLowerTriangular(decompositions.cholesky(self.to_dense()), is_non_singular=True)

    def determinant(self, name: str = "det") -> Tensor:
        """The determinant. Raises NotImplementedError if the operator is not square."""
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
        """The condition number: the greatest singular value divided by the smallest."""
        values = (
            absolute(self.eigvals()) if self.is_self_adjoint else decompositions.svd(self.to_dense(), compute_uv=False)
        )
        return divide(reduce_max(values, -1), reduce_min(values, -1))

    def add_to_tensor(self, x: Any, name: str = "add_to_tensor") -> Tensor:
        """The sum of the matrix and a tensor, as a dense tensor.

        Args:
          x: a tensor of a shape that can be added to the matrix.
          name: of no effect.
        """
        return add(self.to_dense(), x)

    def assert_non_singular(self, name: str = "assert_non_singular") -> None:
        """Raises InvalidArgumentError if the matrix is singular within the precision of its dtype."""
        limit = 1 / np.finfo(dtypes.to_numpy(self.dtype)).eps
        if not (np.asarray(self.cond()) < limit).all():
            raise invalid("Singular matrix up to precision epsilon.")

    def assert_self_adjoint(self, name: str = "assert_self_adjoint") -> None:
        """Raises InvalidArgumentError if the matrix is not equal to its adjoint."""
        dense = np.asarray(self.to_dense())
        if not (dense == np.conj(np.swapaxes(dense, -1, -2))).all():
            raise invalid("Matrix was not equal to its adjoint.")

    def assert_positive_definite(self, name: str = "assert_positive_definite") -> None:
        """Raises InvalidArgumentError if the matrix is not positive definite."""
        if not np.isfinite(np.asarray(decompositions.cholesky(self.to_dense()))).all():
            raise invalid("Operator was not positive definite.")

    def _tensor(self, value: Any) -> Tensor:
        """Converts a value to a tensor. Values that are not tensors get this operator's dtype."""
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


class _Derived(LinearOperator):
    """An operator that is derived from another operator. Hints that are not given are taken from that operator."""

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

    Args:
      operator: the operator.
      is_non_singular: a hint, see `LinearOperator`. By default hints are those of `operator`.
      is_self_adjoint: a hint, see `LinearOperator`.
      is_positive_definite: a hint, see `LinearOperator`.
      is_square: a hint, see `LinearOperator`.
      name: the name of the operator.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperatorAdjoint

    >>> import tapejax as tf
    >>> operator = tf.linalg.LinearOperatorFullMatrix([[1.0, 2.0], [3.0, 4.0]])
    >>> LinearOperatorAdjoint(operator).to_dense().numpy().tolist()
    [[1.0, 3.0], [2.0, 4.0]]
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

    Args:
      operator: the operator.
      is_non_singular: a hint, see `LinearOperator`. By default hints are those of `operator`.
      is_self_adjoint: a hint, see `LinearOperator`.
      is_positive_definite: a hint, see `LinearOperator`.
      is_square: a hint, see `LinearOperator`.
      name: the name of the operator.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperatorInversion

    >>> import tapejax as tf
    >>> operator = tf.linalg.LinearOperatorDiag([2.0, 4.0], is_non_singular=True)
    >>> LinearOperatorInversion(operator).matvec([2.0, 2.0]).numpy().tolist()
    [1.0, 0.5]
    """

    def _shape(self) -> tuple[int, ...]:
        return self._operator._shape()

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return self._operator._solve(x, adjoint)

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        return self._operator._matmul(rhs, adjoint)

    def _inverse(self) -> LinearOperator:
        return self._operator
