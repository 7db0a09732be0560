"""Linear systems and inverses of square, triangular, tridiagonal and banded matrices, and least squares.

For a singular matrix TensorFlow's CPU kernels raise InvalidArgumentError. So do these functions in op-by-op mode. If
the op is recorded, reading the values would stop the program, so the result is inf or nan instead.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.linalg import solve_triangular

from tapejax._src.core.checks import final, invalid, need
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.ops.array.layout import same_dtypes
from tapejax._src.ops.linalg.decompositions import refuse_singular
from tapejax._src.ops.linalg.products import matrix as check
from tapejax._src.ops.linalg.products import transposed
from tapejax._src.ops.registry import Array, Same, op

__all__ = [
    "banded_triangular_solve",
    "cholesky_solve",
    "inv",
    "lstsq",
    "lu_matrix_inverse",
    "lu_reconstruct",
    "lu_solve",
    "pinv",
    "solve",
    "triangular_solve",
    "tridiagonal_matmul",
    "tridiagonal_solve",
]


def _not_finite(result: Tensor, *inputs: Any) -> bool:
    """Whether a result is not finite although the inputs are. Then one of the matrices was singular."""
    return not np.isfinite(np.asarray(result)).all() and all(np.isfinite(np.asarray(x)).all() for x in inputs)


@op()
def _inv(input: Array, adjoint):
    need("fc", input)
    check(input, square=True)
    return jnp.linalg.inv(transposed(input, False, adjoint, "a"))


@public("linalg.inv")
def inv(input: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """The inverses of square matrices.

    Args:
      input: floating or complex numbers of shape (.., n, n).
      adjoint: whether the matrices are transposed and conjugated first.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the matrices are not square; or a matrix is singular, in op-by-op mode. If the op is
        recorded, the result is inf or nan.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/inv

    >>> inv([[2.0]]).numpy().tolist()
    [[0.5]]
    """
    out = _inv(input, adjoint)
    refuse_singular(lambda: _not_finite(out, input), "Input is not invertible.")
    return out


@op()
def _solve(left: Same, rhs: Same, adjoint):
    same_dtypes((left, rhs), "MatrixSolve")
    need("fc", left)
    check(left, square=True)
    if left.ndim != rhs.ndim or left.shape[:-1] != rhs.shape[:-1]:
        raise invalid(f"Input matrix and rhs are incompatible: {left.shape} and {rhs.shape}")
    return jnp.linalg.solve(transposed(left, False, adjoint, "a"), rhs)


@public("linalg.solve")
def solve(matrix: Any, rhs: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """Solves ``matrix @ X = rhs``.

    Args:
      matrix: floating or complex numbers of shape (.., n, n).
      rhs: a tensor of shape (.., n, m), with the same leading axes and dtype.
      adjoint: whether the matrices are transposed and conjugated first.
      name: has no effect, as in eager TensorFlow.

    Returns:
      X, of the shape of `rhs`.

    Raises:
      InvalidArgumentError: the shapes or dtypes do not fit; or a matrix is singular, in op-by-op mode. If the op is
        recorded, the result is inf or nan.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/solve

    >>> solve([[2.0]], [[4.0]]).numpy().tolist()
    [[2.0]]
    """
    out = _solve(matrix, rhs, adjoint)
    refuse_singular(lambda: _not_finite(out, matrix, rhs), "Input matrix is not invertible.")
    return out


def _triangular(a: Any, b: Any, lower: bool, adjoint: bool = False, unit: bool = False) -> Any:
    return solve_triangular(a, b, lower=lower, trans="C" if adjoint else "N", unit_diagonal=unit)


@op("linalg.triangular_solve")
def triangular_solve(matrix: Same, rhs: Same, lower=True, adjoint=False, name=None):
    """Solves ``matrix @ X = rhs`` for triangular matrices. The other triangle of `matrix` is not read.

    Args:
      matrix: floating or complex numbers of shape (.., n, n).
      rhs: a tensor of shape (.., n, m) and of the same dtype. The leading axes broadcast.
      lower: whether the lower triangle is read; if False, the upper one.
      adjoint: whether the matrices are transposed and conjugated first.
      name: has no effect, as in eager TensorFlow.

    Returns:
      X, a tensor of shape (.., n, m).

    Raises:
      InvalidArgumentError: the shapes or dtypes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/triangular_solve

    >>> triangular_solve([[2.0]], [[4.0]]).numpy().tolist()
    [[2.0]]
    """
    same_dtypes((matrix, rhs), "MatrixTriangularSolve")
    need("fc", matrix)
    check(matrix, square=True)
    check(rhs)
    if matrix.shape[-1] != rhs.shape[-2]:
        raise invalid(f"Input matrix and rhs are incompatible: {matrix.shape} and {rhs.shape}")
    batch = jnp.broadcast_shapes(matrix.shape[:-2], rhs.shape[:-2])
    a = jnp.broadcast_to(matrix, batch + matrix.shape[-2:])
    b = jnp.broadcast_to(rhs, batch + rhs.shape[-2:])
    return _triangular(a, b, lower, adjoint)


@op("linalg.cholesky_solve")
def cholesky_solve(chol: Same, rhs: Same, name=None):
    """Solves ``A @ X = rhs``, given the Cholesky factor of A.

    Args:
      chol: ``cholesky(A)``, of shape (.., n, n).
      rhs: a tensor of shape (.., n, m) and of the same dtype.
      name: has no effect, as in eager TensorFlow.

    Returns:
      X, a tensor of shape (.., n, m).

    Raises:
      InvalidArgumentError: the shapes or dtypes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/cholesky_solve

    >>> cholesky_solve([[2.0]], [[8.0]]).numpy().tolist()
    [[2.0]]
    """
    solve_lower = triangular_solve.__wrapped__
    return solve_lower(chol, solve_lower(chol, rhs), adjoint=True)


# Least squares.


@op()
def _lstsq(left: Same, rhs: Same, l2_regularizer: Array, fast):
    same_dtypes((left, rhs), "MatrixSolveLs")
    need("fc", left)
    check(left)
    if left.ndim != rhs.ndim or left.shape[:-1] != rhs.shape[:-1]:
        raise invalid(f"Input matrix and rhs are incompatible: {left.shape} and {rhs.shape}")
    if not fast:
        return jnp.linalg.pinv(left) @ rhs
    adjoint = jnp.conj(jnp.swapaxes(left, -1, -2))
    tall = left.shape[-2] >= left.shape[-1]
    gram = adjoint @ left if tall else left @ adjoint
    chol = jnp.linalg.cholesky(
        gram + l2_regularizer.astype(gram.dtype) * jnp.eye(gram.shape[-1], dtype=gram.dtype), symmetrize_input=False
    )
    side = adjoint @ rhs if tall else rhs
    found = _triangular(chol, _triangular(chol, side, True), True, adjoint=True)
    return found if tall else adjoint @ found


@public("linalg.lstsq")
def lstsq(matrix: Any, rhs: Any, l2_regularizer: Any = 0.0, fast: bool = True, name: str | None = None) -> Tensor:
    """Least squares: X that minimises ``norm(matrix @ X - rhs)^2 + l2_regularizer * norm(X)^2``.

    If several do, it is the one with the smallest norm.

    Args:
      matrix: floating or complex numbers of shape (.., m, n).
      rhs: a tensor of shape (.., m, k) and of the same dtype.
      l2_regularizer: a scalar.
      fast: True solves the normal equations by a Cholesky factor, which gives nan if they are singular. False uses the
        pseudo-inverse and leaves the regularizer out, as in TensorFlow.
      name: has no effect, as in eager TensorFlow.

    Returns:
      X, a tensor of shape (.., n, k).

    Raises:
      InvalidArgumentError: the shapes or dtypes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/lstsq

    >>> lstsq([[1.0], [1.0]], [[1.0], [3.0]]).numpy().round(5).tolist()
    [[2.0]]
    """
    return _lstsq(matrix, rhs, l2_regularizer, bool(fast))


@op()
def _pinv(a: Array, rcond: Array = None):
    if a.dtype.kind not in "fV":
        raise final(TypeError(f"Input `a` must have `float`-like `dtype` (saw {a.dtype})."))
    if a.ndim < 2:
        raise final(ValueError(f"Shape must be at least rank 2 but is rank {a.ndim}"))
    return jnp.linalg.pinv(a, rtol=rcond)


@public("linalg.pinv")
def pinv(a: Any, rcond: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The pseudo-inverses of matrices.

    Args:
      a: floating numbers of shape (.., m, n).
      rcond: singular values up to `rcond` times the largest count as zero. The default is 10 * max(m, n) times the
        dtype's epsilon.
      validate_args: has no effect: the shapes are always checked.
      name: has no effect, as in eager TensorFlow.

    Raises:
      TypeError: `a` is not floating.
      ValueError: `a` has fewer than two axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/pinv

    >>> pinv([[2.0, 0.0]]).numpy().tolist()
    [[0.5], [0.0]]
    """
    return _pinv(a, rcond)


# Functions of the factors that `lu` returns.


def _rows(x: Any, order: Any) -> Any:
    return jnp.take_along_axis(x, order[..., None], -2)


@op()
def _lu_solve(lower_upper: Same, rhs: Same, perm: Array):
    same_dtypes((lower_upper, rhs), "MatrixTriangularSolve")
    check(rhs)
    batch = jnp.broadcast_shapes(lower_upper.shape[:-2], rhs.shape[:-2], perm.shape[:-1])
    rhs = jnp.broadcast_to(rhs, batch + rhs.shape[-2:])
    perm = jnp.broadcast_to(perm, batch + perm.shape[-1:])
    factors = jnp.broadcast_to(lower_upper, batch + lower_upper.shape[-2:])
    return _triangular(factors, _triangular(factors, _rows(rhs, perm), True, unit=True), False)


@public("linalg.lu_solve")
def lu_solve(lower_upper: Any, perm: Any, rhs: Any, validate_args: bool = False, name: str | None = None) -> Tensor:
    """Solves ``A @ X = rhs``, given ``lower_upper, perm = lu(A)``.

    Args:
      lower_upper: the factors, of shape (.., n, n).
      perm: the order of the rows, of shape (.., n).
      rhs: a tensor of shape (.., n, m) and of the dtype of the factors.
      validate_args: has no effect: the shapes are always checked.
      name: has no effect, as in eager TensorFlow.

    Returns:
      X, a tensor of shape (.., n, m).

    Raises:
      InvalidArgumentError: the shapes or dtypes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/lu_solve

    >>> lu_solve([[2.0]], [0], [[4.0]]).numpy().tolist()
    [[2.0]]
    """
    return _lu_solve(lower_upper, rhs, perm)


@op()
def _lu_reconstruct(lower_upper: Array, perm: Array):
    check(lower_upper, square=True)
    lower = jnp.tril(lower_upper, -1) + jnp.eye(lower_upper.shape[-1], dtype=lower_upper.dtype)
    return _rows(lower @ jnp.triu(lower_upper), jnp.argsort(perm, -1))


@public("linalg.lu_reconstruct")
def lu_reconstruct(lower_upper: Any, perm: Any, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The matrix A, given ``lower_upper, perm = lu(A)``. Takes these arguments as `lu_solve` does.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/lu_reconstruct

    >>> lu_reconstruct([[2.0]], [0]).numpy().tolist()
    [[2.0]]
    """
    return _lu_reconstruct(lower_upper, perm)


@public("linalg.lu_matrix_inverse")
def lu_matrix_inverse(lower_upper: Any, perm: Any, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The inverse of A, given ``lower_upper, perm = lu(A)``. Takes these arguments as `lu_solve` does.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/lu_matrix_inverse

    >>> lu_matrix_inverse([[2.0]], [0]).numpy().tolist()
    [[0.5]]
    """
    factors = to_tensor(lower_upper)
    return _lu_solve(factors, np.eye(factors.aval.shape[-1], dtype=factors.aval.dtype), perm)


# Tridiagonal and banded matrices.


def _three(diagonals: Any, form: str) -> tuple[Any, Any, Any]:
    """The three diagonals of tridiagonal matrices in any of TensorFlow's formats: above the main one, main, below it.

    Args:
      diagonals: a list of the three, a tensor, or tensors, as `form` says.
      form: "sequence", "compact" or "matrix", see `tridiagonal_solve`.

    Raises:
      ValueError: `form` is unknown, or `diagonals` do not fit it.
    """
    if form == "sequence":
        if not isinstance(diagonals, (list, tuple)) or len(diagonals) != 3:
            raise ValueError("Expected diagonals to be a sequence of length 3.")
        return tuple(map(to_tensor, diagonals))  # type: ignore[return-value]
    t = to_tensor(diagonals)
    if form == "compact":
        if t.ndim < 2 or t.aval.shape[-2] != 3:
            raise ValueError(f"Expected diagonals of shape [..., 3, M], got {t.shape}")
        return _unstack_compact(t)
    if form == "matrix":
        return _unstack_matrix(t)
    raise ValueError(f"Unrecognized diagonals_format: {form}")


@op()
def _unstack_compact(diagonals: Array):
    return diagonals[..., 0, :], diagonals[..., 1, :], diagonals[..., 2, :]


@op()
def _unstack_matrix(diagonals: Array):
    check(diagonals, square=True)
    above, on, below = (jnp.diagonal(diagonals, k, -2, -1) for k in (1, 0, -1))
    return _fit(above, on, False), on, _fit(below, on, True)


def _fit(diagonal: Any, on: Any, front: bool) -> Any:
    """An outer diagonal, made as long as the main diagonal `on` by a zero at the place that lies outside the matrix.

    Args:
      diagonal: the outer diagonal. It has one element less than `on`, or an element of any value in that place.
      on: the main diagonal.
      front: whether the place is the first one.
    """
    n = on.shape[-1]
    inner = diagonal if diagonal.shape[-1] == n - 1 else diagonal[..., 1:] if front else diagonal[..., :-1]
    pad = [(0, 0)] * (diagonal.ndim - 1) + [(1, 0) if front else (0, 1)]
    return jnp.pad(inner, pad)


@op()
def _tridiagonal_solve(above: Same, on: Same, below: Same, rhs: Same):
    same_dtypes((above, on, below, rhs), "TridiagonalSolve")
    batch = jnp.broadcast_shapes(on.shape[:-1], rhs.shape[:-2])
    above, below = _fit(above, on, False), _fit(below, on, True)
    if rhs.shape[-2] != on.shape[-1]:
        raise final(ValueError(f"Dimensions of diagonals and rhs differ: {on.shape} and {rhs.shape}"))
    down, main, up = (jnp.broadcast_to(d, (*batch, d.shape[-1])) for d in (below, on, above))
    return lax.linalg.tridiagonal_solve(down, main, up, jnp.broadcast_to(rhs, batch + rhs.shape[-2:]))


@public("linalg.tridiagonal_solve")
def tridiagonal_solve(
    diagonals: Any,
    rhs: Any,
    diagonals_format: str = "compact",
    transpose_rhs: bool = False,
    conjugate_rhs: bool = False,
    name: str | None = None,
    partial_pivoting: bool = True,
    perturb_singular: bool = False,
) -> Tensor:
    """Solves ``A @ X = rhs`` for tridiagonal matrices A.

    Args:
      diagonals: the diagonals above, on and below the main one. "compact": a tensor of shape (.., 3, n), in which an
        element of each diagonal has the index of its row in A. "sequence": a list of the three. "matrix": the matrices
        themselves, of shape (.., n, n).
      rhs: a tensor of shape (.., n) or (.., n, m).
      diagonals_format: "compact", "sequence" or "matrix".
      transpose_rhs: whether `rhs` is transposed first.
      conjugate_rhs: whether `rhs` is conjugated first.
      name: has no effect, as in eager TensorFlow.
      partial_pivoting: has no effect: on CPUs and GPUs rows are always exchanged for numerical stability.
      perturb_singular: must be False.

    Returns:
      X, of the shape of `rhs`.

    Raises:
      ValueError: the shapes do not fit, or `perturb_singular` is True.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/tridiagonal_solve

    >>> tridiagonal_solve([[0.0, 0.0], [2.0, 4.0], [0.0, 0.0]], [2.0, 4.0]).numpy().tolist()
    [1.0, 1.0]
    """
    if perturb_singular:
        raise ValueError("`perturb_singular` must be False: XLA's kernel solves the system as it is")
    above, on, below = _three(diagonals, diagonals_format)
    b = to_tensor(rhs)
    vector = b.ndim == on.ndim
    b = _side(b, vector, bool(transpose_rhs) and not vector, bool(conjugate_rhs), False)
    out = _tridiagonal_solve(above, on, below, b)
    return _side(out, False, False, False, True) if vector else out


@op()
def _side(x: Array, expand, transpose, conjugate, squeeze):
    x = x[..., None] if expand else x[..., 0] if squeeze else x
    x = jnp.swapaxes(x, -1, -2) if transpose else x
    return jnp.conj(x) if conjugate else x


@op()
def _tridiagonal_matmul(above: Same, on: Same, below: Same, rhs: Same):
    same_dtypes((above, on, below, rhs), "TridiagonalMatMul")
    above, below = _fit(above, on, False), _fit(below, on, True)
    up, down = jnp.roll(rhs, -1, -2), jnp.roll(rhs, 1, -2)
    return on[..., None] * rhs + above[..., None] * up + below[..., None] * down


@public("linalg.tridiagonal_matmul")
def tridiagonal_matmul(diagonals: Any, rhs: Any, diagonals_format: str = "compact", name: str | None = None) -> Tensor:
    """The product ``A @ rhs`` for tridiagonal matrices A.

    Args:
      diagonals: the diagonals of A, as in `tridiagonal_solve`.
      rhs: a tensor of shape (.., n, m).
      diagonals_format: "compact", "sequence" or "matrix", as in `tridiagonal_solve`.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `diagonals` do not fit the format.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/tridiagonal_matmul

    >>> tridiagonal_matmul([[1.0, 0.0], [2.0, 4.0], [0.0, 0.0]], [[1.0], [2.0]]).numpy().tolist()
    [[4.0], [8.0]]
    """
    above, on, below = _three(diagonals, diagonals_format)
    return _tridiagonal_matmul(above, on, below, rhs)


@op("linalg.banded_triangular_solve")
def banded_triangular_solve(bands: Same, rhs: Same, lower=True, adjoint=False, name=None):
    """Solves ``A @ X = rhs`` for triangular matrices A with few diagonals.

    Args:
      bands: a tensor of shape (.., k, n) of the diagonals, the highest first, as `tf.linalg.diag` takes them. If
        `lower`, the main diagonal is the first; the others begin with elements that are ignored. If not, the main
        diagonal is the last; the others end with elements that are ignored.
      rhs: a tensor of shape (.., n, m) and of the same dtype.
      lower: whether A is lower triangular.
      adjoint: whether A is transposed and conjugated first.
      name: has no effect, as in eager TensorFlow.

    Returns:
      X, a tensor of shape (.., n, m).

    Raises:
      InvalidArgumentError: the shapes or dtypes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/banded_triangular_solve

    >>> banded_triangular_solve([[2.0, 4.0]], [[2.0], [4.0]]).numpy().tolist()
    [[1.0], [1.0]]
    """
    check(bands)
    count, n = bands.shape[-2:]
    rows, columns = np.arange(n)[:, None], np.arange(n)
    away = rows - columns if lower else columns - rows
    inside = (away >= 0) & (away < count)
    which = np.where(inside, away if lower else count - 1 - away, 0)
    dense = jnp.where(inside, bands[..., which, np.broadcast_to(rows, (n, n))], jnp.zeros((), bands.dtype))
    return triangular_solve.__wrapped__(dense, rhs, lower, adjoint)
