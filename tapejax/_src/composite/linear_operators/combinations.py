"""Operators that are made of other operators: products, block diagonals, Kronecker products and low-rank updates."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from tapejax._src.composite.linear_operators.base import LinearOperator, both
from tapejax._src.composite.linear_operators.matrices import LinearOperatorDiag, LinearOperatorIdentity
from tapejax._src.core.tensor import Tensor
from tapejax._src.ops.array.joining import concat, split
from tapejax._src.ops.array.layout import broadcast_to, reshape, transpose
from tapejax._src.ops.linalg import matrix_functions, solves
from tapejax._src.ops.linalg.products import matmul as matmul_dense
from tapejax._src.ops.math.elementwise import multiply
from tapejax._src.ops.math.reduction import add_n

__all__ = [
    "LinearOperatorBlockDiag",
    "LinearOperatorComposition",
    "LinearOperatorKronecker",
    "LinearOperatorLowRankUpdate",
    "composed",
]

Hint = bool | None


def composed(a: LinearOperator, b: LinearOperator) -> LinearOperator:
    """The product of two operators. It is simplified if one of them is the identity, or both are diagonal."""
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(f"Operators are incompatible: shapes {a.shape} and {b.shape}")
    if isinstance(a, LinearOperatorIdentity):
        return b
    if isinstance(b, LinearOperatorIdentity):
        return a
    if isinstance(a, LinearOperatorDiag) and isinstance(b, LinearOperatorDiag):
        return LinearOperatorDiag(multiply(a.diag, b.diag), both(a.is_non_singular, b.is_non_singular))
    return LinearOperatorComposition([a, b])


class _Several(LinearOperator):
    """Base class of operators that are made of a list of operators.

    Args:
      operators: the operators.
      hints: the four hints given by the user, see `LinearOperator`.
      inherited: how many of the hints, counted from the first, hold if they hold for all operators.
      joint: the text between the operators' names in the name of this operator.
      name: the name of this operator, or None.
    """

    def __init__(
        self, operators: Sequence[LinearOperator], hints: tuple[Hint, ...], inherited: int, joint: str, name: str | None
    ):
        operators = list(operators)
        if not operators:
            raise ValueError("Argument `operators` must be a non-empty list of operators.")
        if len({o.dtype for o in operators}) > 1:
            raise TypeError(f"Expected all operators to have one dtype, got {[o.dtype.name for o in operators]}")
        common = [both(*(o._hints[i] for o in operators)) if i < inherited else None for i in range(3)]
        regular, symmetric, definite = (
            own if given is None else given for given, own in zip(hints[:3], common, strict=True)
        )
        super().__init__(
            operators[0].dtype, regular, symmetric, definite, hints[3], name or joint.join(o.name for o in operators)
        )
        self._operators = operators

    operators = property(lambda self: list(self._operators), doc="The operators that this one is made of.")

    def _batch(self) -> tuple[int, ...]:
        return tuple(np.broadcast_shapes(*(o._shape()[:-2] for o in self._operators)))


class LinearOperatorComposition(_Several):
    """The product of several operators. It applies the last operator first.

    Args:
      operators: a list of operators of the same dtype, whose shapes fit each other.
      is_non_singular: a hint, see `LinearOperator`.
      is_self_adjoint: a hint, see `LinearOperator`.
      is_positive_definite: a hint, see `LinearOperator`.
      is_square: a hint, see `LinearOperator`.
      name: the name of the operator.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperatorComposition

    >>> twice = LinearOperatorDiag([2.0, 2.0])
    >>> LinearOperatorComposition([twice, twice]).matvec([1.0, 3.0]).numpy().tolist()
    [4.0, 12.0]
    """

    def __init__(
        self,
        operators: Sequence[LinearOperator],
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = None,
        name: str | None = None,
    ):
        super().__init__(operators, (is_non_singular, is_self_adjoint, is_positive_definite, is_square), 1, "_o_", name)
        for a, b in zip(self._operators, self._operators[1:], strict=False):
            if a.shape[-1] != b.shape[-2]:
                raise ValueError(f"Operators are incompatible: shapes {a.shape} and {b.shape}")

    def _shape(self) -> tuple[int, ...]:
        return (*self._batch(), self._operators[0]._shape()[-2], self._operators[-1]._shape()[-1])

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return reduce(lambda t, o: o._matmul(t, adjoint), self._operators if adjoint else self._operators[::-1], x)

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        if not all(o.is_square for o in self._operators):
            return super()._solve(rhs, adjoint)
        return reduce(lambda t, o: o._solve(t, adjoint), self._operators[::-1] if adjoint else self._operators, rhs)

    def determinant(self, name: str = "det") -> Tensor:
        """The product of the determinants."""
        if not all(o.is_square for o in self._operators):
            return super().determinant()
        return reduce(multiply, (o.determinant() for o in self._operators))

    def log_abs_determinant(self, name: str = "log_abs_det") -> Tensor:
        """The logarithm of the determinant's absolute value."""
        if not all(o.is_square for o in self._operators):
            return super().log_abs_determinant()
        return add_n([o.log_abs_determinant() for o in self._operators])


class LinearOperatorBlockDiag(_Several):
    """A block diagonal matrix, whose blocks are operators.

    Args:
      operators: a list of operators of the same dtype.
      is_non_singular: a hint, see `LinearOperator`.
      is_self_adjoint: a hint, see `LinearOperator`.
      is_positive_definite: a hint, see `LinearOperator`.
      is_square: a hint, see `LinearOperator`.
      name: the name of the operator.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperatorBlockDiag

    >>> blocks = LinearOperatorBlockDiag([LinearOperatorIdentity(1), LinearOperatorDiag([2.0, 3.0])])
    >>> blocks.matvec([1.0, 1.0, 1.0]).numpy().tolist()
    [1.0, 2.0, 3.0]
    """

    def __init__(
        self,
        operators: Sequence[LinearOperator],
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = True,
        name: str | None = None,
    ):
        super().__init__(
            operators, (is_non_singular, is_self_adjoint, is_positive_definite, is_square), 3, "_ds_", name
        )

    def _shape(self) -> tuple[int, ...]:
        shapes = [o._shape() for o in self._operators]
        return (*self._batch(), sum(s[-2] for s in shapes), sum(s[-1] for s in shapes))

    def _each(self, x: Tensor, axis: int, act: Callable[[LinearOperator, Tensor], Tensor]) -> Tensor:
        """Applies a function to each block and its rows of `x`. Returns the results one below the other."""
        parts = split(x, [o._shape()[axis] for o in self._operators], -2)
        done = [act(o, part) for o, part in zip(self._operators, parts, strict=True)]
        batch = np.broadcast_shapes(*(d.aval.shape[:-2] for d in done))
        return concat(
            [d if d.aval.shape[:-2] == batch else broadcast_to(d, batch + d.aval.shape[-2:]) for d in done], -2
        )

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return self._each(x, -2 if adjoint else -1, lambda o, part: o._matmul(part, adjoint))

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        return self._each(rhs, -1, lambda o, part: o._solve(part, adjoint))

    def _inverse(self) -> LinearOperator:
        return LinearOperatorBlockDiag([o.inverse() for o in self._operators], *self._hints[:3])

    def _adjoint(self) -> LinearOperator:
        return LinearOperatorBlockDiag([o.adjoint() for o in self._operators], *self._hints[:3])

    def cholesky(self, name: str = "cholesky") -> LinearOperator:
        """The Cholesky factor as an operator, made of the factors of the blocks."""
        if not (self.is_positive_definite and self.is_self_adjoint):
            return super().cholesky()
        return LinearOperatorBlockDiag([o.cholesky() for o in self._operators], is_non_singular=True)

    def diag_part(self, name: str = "diag_part") -> Tensor:
        """The main diagonal: those of the blocks, one after the other."""
        return concat([o.diag_part() for o in self._operators], -1)

    def determinant(self, name: str = "det") -> Tensor:
        """The product of the determinants."""
        return reduce(multiply, (o.determinant() for o in self._operators))

    def log_abs_determinant(self, name: str = "log_abs_det") -> Tensor:
        """The logarithm of the determinant's absolute value."""
        return add_n([o.log_abs_determinant() for o in self._operators])


class LinearOperatorKronecker(_Several):
    """The Kronecker product of several operators.

    Args:
      operators: a list of operators of the same dtype.
      is_non_singular: a hint, see `LinearOperator`.
      is_self_adjoint: a hint, see `LinearOperator`.
      is_positive_definite: a hint, see `LinearOperator`.
      is_square: a hint, see `LinearOperator`.
      name: the name of the operator.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperatorKronecker

    >>> twice = LinearOperatorDiag([1.0, 2.0])
    >>> LinearOperatorKronecker([twice, twice]).diag_part().numpy().tolist()
    [1.0, 2.0, 2.0, 4.0]
    """

    def __init__(
        self,
        operators: Sequence[LinearOperator],
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = None,
        name: str | None = None,
    ):
        super().__init__(operators, (is_non_singular, is_self_adjoint, is_positive_definite, is_square), 3, "_x_", name)

    def _shape(self) -> tuple[int, ...]:
        shapes = [o._shape() for o in self._operators]
        return (*self._batch(), int(np.prod([s[-2] for s in shapes])), int(np.prod([s[-1] for s in shapes])))

    def _each(self, x: Tensor, axis: int, act: Callable[[LinearOperator, Tensor], Tensor]) -> Tensor:
        """Applies a function to each operator and its part of the row index of `x`.

        The rows of `x` are reshaped to one axis for each operator, and operator i is applied along axis i.
        """
        batch, columns = x.aval.shape[:-2], x.aval.shape[-1]
        sizes = [o._shape()[axis] for o in self._operators]
        for i, o in enumerate(self._operators):
            before, after = int(np.prod(sizes[:i])), int(np.prod(sizes[i + 1 :])) * columns
            n = len(batch)
            t = transpose(reshape(x, (*batch, before, sizes[i], after)), (*range(n), n + 1, n, n + 2))
            t = act(o, reshape(t, (*batch, sizes[i], before * after)))
            batch, sizes[i] = t.aval.shape[:-2], t.aval.shape[-2]
            n = len(batch)
            x = transpose(reshape(t, (*batch, sizes[i], before, after)), (*range(n), n + 1, n, n + 2))
        return reshape(x, (*batch, int(np.prod(sizes)), columns))

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return self._each(x, -2 if adjoint else -1, lambda o, t: o._matmul(t, adjoint))

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        if not all(o.is_square for o in self._operators):
            return super()._solve(rhs, adjoint)
        return self._each(rhs, -1, lambda o, t: o._solve(t, adjoint))

    def _inverse(self) -> LinearOperator:
        return LinearOperatorKronecker([o.inverse() for o in self._operators], *self._hints[:3])

    def _adjoint(self) -> LinearOperator:
        return LinearOperatorKronecker([o.adjoint() for o in self._operators], *self._hints[:3])

    def cholesky(self, name: str = "cholesky") -> LinearOperator:
        """The Cholesky factor as an operator: the Kronecker product of the operators' factors."""
        if not (self.is_positive_definite and self.is_self_adjoint):
            return super().cholesky()
        return LinearOperatorKronecker([o.cholesky() for o in self._operators], is_non_singular=True)


class LinearOperatorLowRankUpdate(LinearOperator):
    """An operator plus a matrix of low rank: ``L + U @ D @ V^H``, where U and V have few columns and D is diagonal.

    Args:
      base_operator: L, an operator of shape (..., m, n).
      u: U, a tensor of shape (..., m, k).
      diag_update: the diagonal of D, a tensor of shape (..., k); by default ones.
      v: V, a tensor of shape (..., n, k); by default U.
      is_diag_update_positive: a hint: whether all elements of `diag_update` are positive.
      is_non_singular: a hint, see `LinearOperator`.
      is_self_adjoint: a hint, see `LinearOperator`.
      is_positive_definite: a hint, see `LinearOperator`.
      is_square: a hint, see `LinearOperator`.
      name: the name of the operator.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/LinearOperatorLowRankUpdate

    >>> LinearOperatorLowRankUpdate(LinearOperatorIdentity(2), [[1.0], [1.0]]).to_dense().numpy().tolist()
    [[2.0, 1.0], [1.0, 2.0]]
    """

    def __init__(
        self,
        base_operator: LinearOperator,
        u: Any,
        diag_update: Any = None,
        v: Any = None,
        is_diag_update_positive: Hint = None,
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = None,
        name: str = "LinearOperatorLowRankUpdate",
    ):
        if diag_update is None:
            is_diag_update_positive = True
        symmetric = v is None and base_operator.is_self_adjoint
        if symmetric and is_self_adjoint is None and (diag_update is None or not base_operator.dtype.is_complex):
            is_self_adjoint = True
        if (
            symmetric
            and is_positive_definite is None
            and base_operator.is_positive_definite
            and is_diag_update_positive
        ):
            is_positive_definite = True
        super().__init__(base_operator.dtype, is_non_singular, is_self_adjoint, is_positive_definite, is_square, name)
        self._base, self._u, self._d, self._v = base_operator, u, diag_update, v
        self._positive = is_diag_update_positive

    base_operator = property(lambda self: self._base, doc="The operator L.")
    is_diag_update_positive = property(lambda self: self._positive, doc="Whether D is positive, or None.")

    @property
    def u(self) -> Tensor:
        """The matrix U."""
        return self._tensor(self._u)

    @property
    def v(self) -> Tensor:
        """The matrix V."""
        return self.u if self._v is None else self._tensor(self._v)

    @property
    def diag_update(self) -> Tensor | None:
        """The diagonal of D, or None for ones."""
        return None if self._d is None else self._tensor(self._d)

    def _shape(self) -> tuple[int, ...]:
        own = self._base._shape()
        return (*np.broadcast_shapes(own[:-2], self.u.aval.shape[:-2]), *own[-2:])

    def _small(self) -> LinearOperator:
        """D as an operator."""
        k = self.u.aval.shape[-1]
        return LinearOperatorIdentity(k, dtype=self.dtype) if self._d is None else LinearOperatorDiag(self.diag_update)

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        left, right = (self.v, self.u) if adjoint else (self.u, self.v)
        inner = self._small()._matmul(matmul_dense(right, x, adjoint_a=True), adjoint)
        return self._base._matmul(x, adjoint) + matmul_dense(left, inner)

    def _capacitance(self, adjoint: bool) -> tuple[Tensor, Tensor, Tensor]:
        """The matrices ``D^-1 + V^H L^-1 U``, ``L^-1 U`` and V, of this operator or of its adjoint."""
        left, right = (self.v, self.u) if adjoint else (self.u, self.v)
        solved = self._base._solve(left, adjoint)
        inverse = self._small().inverse()
        inverse = (inverse.adjoint() if adjoint else inverse).to_dense()
        return inverse + matmul_dense(right, solved, adjoint_a=True), solved, right

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        # By Woodbury's identity.
        small, solved, right = self._capacitance(adjoint)
        first = self._base._solve(rhs, adjoint)
        inner = matmul_dense(right, first, adjoint_a=True)
        if small.aval.shape[:-2] != inner.aval.shape[:-2]:
            small = broadcast_to(
                small, np.broadcast_shapes(small.aval.shape[:-2], inner.aval.shape[:-2]) + small.aval.shape[-2:]
            )
        return first - matmul_dense(solved, solves.solve(small, inner))

    def determinant(self, name: str = "det") -> Tensor:
        """The determinant, by the matrix determinant lemma."""
        small, _, _ = self._capacitance(False)
        return matrix_functions.det(small) * self._small().determinant() * self._base.determinant()

    def log_abs_determinant(self, name: str = "log_abs_det") -> Tensor:
        """The logarithm of the determinant's absolute value, by the matrix determinant lemma."""
        small, _, _ = self._capacitance(False)
        return (
            matrix_functions.slogdet(small).log_abs_determinant
            + self._small().log_abs_determinant()
            + self._base.log_abs_determinant()
        )
