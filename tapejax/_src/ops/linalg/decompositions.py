"""Factorisations of matrices: singular values, eigenvalues, triangular factors.

The signs of singular vectors, eigenvectors and of the factors of QR are not unique: results may differ from
TensorFlow's by them. Where singular values or eigenvalues coincide, the gradients leave out the terms that would be
divided by zero, as TensorFlow's do.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np
from jax import lax

from tapejax._src.core.checks import final, invalid_value, need
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.engine import stream
from tapejax._src.ops.linalg.products import matrix
from tapejax._src.ops.registry import Array, DType, op

__all__ = [
    "adjoint",
    "cholesky",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "lu",
    "matrix_rank",
    "need_square",
    "qr",
    "refuse_singular",
    "svd",
]


class Lu(NamedTuple):
    """What `lu` returns."""

    lu: Tensor
    p: Tensor


class Qr(NamedTuple):
    """What `qr` returns."""

    q: Tensor
    r: Tensor


def adjoint(x: Any) -> Any:
    """The conjugate transposes of matrices, as a JAX function."""
    return jnp.conj(jnp.swapaxes(x, -1, -2))


def diagonal(x: Any) -> Any:
    """The main diagonals of matrices, as a JAX function."""
    return jnp.diagonal(x, axis1=-2, axis2=-1)


def _inverses(x: Any) -> Any:
    """1 / x, and 0 for 0."""
    zero = x == 0
    return jnp.where(zero, 0, 1 / jnp.where(zero, 1, x)).astype(x.dtype)


def need_square(x: Any) -> None:
    """InvalidArgumentError unless an array is a square matrix, or a batch of them, of floating or complex numbers."""
    need("fc", x)
    matrix(x, square=True)


def refuse_singular(singular: Callable[[], Any], text: str) -> None:
    """Raises where TensorFlow does, if ops run one by one; recorded ones give inf or nan, since looking would stop.

    Args:
      singular: whether a matrix cannot be inverted; called only if values are at hand.
      text: of the error.

    Raises:
      InvalidArgumentError: in op-by-op mode, if it is singular.
    """
    if stream.is_eager() and not stream.current().symbolic:
        try:
            found = bool(np.any(singular()))
        except jax.errors.ConcretizationTypeError:
            return  # inside one of JAX's transformations
        if found:
            raise invalid_value(text)


@op("linalg.cholesky")
def cholesky(input: Array, name=None):
    """The lower triangular L with ``L @ L^H = input``, of positive definite matrices; only the lower triangle is
    read. For other matrices nan.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/cholesky

    >>> cholesky([[4.0]]).numpy().tolist()
    [[2.0]]
    """
    need_square(input)
    strict = jnp.tril(input, -1)
    read = jnp.tril(input) + jnp.conj(jnp.swapaxes(strict, -1, -2))
    # The value comes from the lower triangle, the gradient is symmetric, as TensorFlow's.
    even = (input + jnp.conj(jnp.swapaxes(input, -1, -2))) / 2
    return jnp.linalg.cholesky(even + lax.stop_gradient(read - even), symmetrize_input=False)


# Singular values.


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _svd_rule(x: Any, full: bool) -> tuple[Any, Any, Any]:
    u, s, vh = jnp.linalg.svd(x, full_matrices=full)
    return s, u, adjoint(vh)


@_svd_rule.defjvp
def _svd_jvp(full: bool, primals: tuple, tangents: tuple) -> tuple:
    (x,), (dx,) = primals, tangents
    s, u, v = _svd_rule(x, full)
    k = s.shape[-1]
    u1, v1 = u[..., :k], v[..., :k]
    row, column = s[..., None, :].astype(x.dtype), s[..., :, None].astype(x.dtype)
    p = adjoint(u1) @ dx @ v1
    f = _inverses((row - column) * (row + column))
    left, right = p * row, column * p
    du = u1 @ (f * (left + adjoint(left)))
    dv = v1 @ (f * (right + adjoint(right)))
    if x.dtype.kind == "c":
        turn = diagonal(p - jnp.conj(p)) * _inverses(2 * row[..., 0, :])
        du = du + u1 * turn[..., None, :]
    # What leaves the span of the vectors: only for those of the longer side.
    if x.shape[-2] > k:
        du = du + (dx @ v1 - u1 @ p) * _inverses(row)
    if x.shape[-1] > k:
        dv = dv + (adjoint(dx) @ u1 - v1 @ adjoint(p)) * _inverses(row)
    return (s, u, v), (jnp.real(diagonal(p)), _completed(u, du), _completed(v, dv))


def _completed(q: Any, dq: Any) -> Any:
    """The tangent of a full orthogonal basis from that of its first columns: the others stay orthogonal to them."""
    k = dq.shape[-1]
    if q.shape[-1] == k:
        return dq
    return jnp.concatenate([dq, -q[..., :k] @ (adjoint(dq) @ q[..., k:])], -1)


@jax.custom_jvp
def _singular_values(x: Any) -> Any:
    return jnp.linalg.svd(x, compute_uv=False)


@_singular_values.defjvp
def _singular_values_jvp(primals: tuple, tangents: tuple) -> tuple:
    (x,), (dx,) = primals, tangents
    s, u, v = _svd_rule(x, False)
    return s, jnp.real(jnp.sum(jnp.conj(u) * (dx @ v), -2))


@op()
def _svd(tensor: Array, full_matrices, compute_uv):
    need("fc", tensor)
    matrix(tensor)
    return _svd_rule(tensor, bool(full_matrices)) if compute_uv else _singular_values(tensor)


@public("linalg.svd")
def svd(tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None) -> Any:
    """Singular values and vectors: ``tensor = u @ diag(s) @ v^H``.

    Args:
      tensor: of shape (.., m, n), floating or complex; k is the smaller of m and n.
      full_matrices: whether `u` and `v` are square, completed by vectors that no singular value belongs to.
      compute_uv: False for the values alone.

    Returns:
      ``(s, u, v)``: s of shape (.., k), descending, u (.., m, k), v (.., n, k) (not its adjoint); or `s` alone.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/svd

    >>> svd([[3.0, 0.0], [0.0, 4.0]], compute_uv=False).numpy().tolist()
    [4.0, 3.0]
    """
    return _svd(tensor, full_matrices, compute_uv)


@op(differentiable=False)
def _matrix_rank(a: Array, tol: Array = None):
    if a.dtype.kind not in "fV":
        raise final(TypeError(f"Input `a` must have `float`-like `dtype` (saw {a.dtype})."))
    matrix(a)
    s = _singular_values(a)
    if tol is None:
        limit = jnp.finfo(a.dtype).eps * max(a.shape[-2:]) * jnp.max(s, -1, keepdims=True)
    else:
        limit = tol[..., None].astype(s.dtype)
    return jnp.sum(s > limit, -1, dtype=jnp.int32)


@public("linalg.matrix_rank")
def matrix_rank(a: Any, tol: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """How many singular values exceed a limit, int32.

    Args:
      a: of shape (.., m, n), floating.
      tol: the limit; by default the largest singular value times max(m, n) times the dtype's epsilon.
      validate_args: as in TensorFlow; shapes are always validated here.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/matrix_rank

    >>> matrix_rank([[1.0, 2.0], [2.0, 4.0]]).numpy().item()
    1
    """
    return _matrix_rank(a, tol)


# Eigenvalues.


@jax.custom_jvp
def _eigh_rule(x: Any) -> tuple[Any, Any]:
    w, v = jnp.linalg.eigh(x, UPLO="L", symmetrize_input=False)
    return w, v


@_eigh_rule.defjvp
def _eigh_jvp(primals: tuple, tangents: tuple) -> tuple:
    (x,), (dx,) = primals, tangents
    w, v = _eigh_rule(x)
    p = adjoint(v) @ dx @ v
    f = _inverses(w[..., None, :] - w[..., :, None]).astype(x.dtype)
    return (w, v), (jnp.real(diagonal(p)), v @ (f * p))


def _hermitian(x: Any) -> Any:
    """The matrix whose lower triangle is that of `x`: the gradient by `x` is lower triangular, as TensorFlow's."""
    low = jnp.tril(x, -1)
    return low + adjoint(low) + jnp.real(diagonal(x))[..., None] * jnp.eye(x.shape[-1], dtype=x.dtype)


@op("linalg.eigh")
def eigh(tensor: Array, name=None):
    """Eigenvalues, ascending, and eigenvectors, in columns, of Hermitian matrices; their lower triangles are read.

    Returns:
      ``(e, v)`` of shapes (.., n) and (.., n, n), both of the input's dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/eigh

    >>> e, v = eigh([[2.0, 0.0], [0.0, 1.0]])
    >>> e.numpy().tolist()
    [1.0, 2.0]
    """
    need_square(tensor)
    w, v = _eigh_rule(_hermitian(tensor))
    return w.astype(v.dtype), v


@op("linalg.eigvalsh")
def eigvalsh(tensor: Array, name=None):
    """The eigenvalues of `eigh` alone.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/eigvalsh

    >>> eigvalsh([[2.0, 0.0], [0.0, 1.0]]).numpy().tolist()
    [1.0, 2.0]
    """
    return eigh.__wrapped__(tensor)[0]


@jax.custom_jvp
def _eig_rule(x: Any) -> tuple[Any, Any]:
    w, v = jnp.linalg.eig(x)
    return w, v


@_eig_rule.defjvp
def _eig_jvp(primals: tuple, tangents: tuple) -> tuple:
    (x,), (dx,) = primals, tangents
    w, v = _eig_rule(x)
    p = jnp.linalg.solve(v, dx.astype(v.dtype) @ v)
    dv = v @ (_inverses(w[..., None, :] - w[..., :, None]) * p)
    # The columns keep length 1.
    along = jnp.real(jnp.sum(jnp.conj(v) * dv, -2, keepdims=True))
    return (w, v), (diagonal(p), dv - v * along)


@op("linalg.eig", "eig")
def eig(tensor: Array, name=None):
    """Eigenvalues and eigenvectors, in columns of length 1, of square matrices; always complex, in no order.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/eig

    >>> e, v = eig([[0.0, 1.0], [-1.0, 0.0]])
    >>> sorted(e.numpy().imag.tolist())
    [-1.0, 1.0]
    """
    need_square(tensor)
    return _eig_rule(tensor)


@op("linalg.eigvals", "eigvals")
def eigvals(tensor: Array, name=None):
    """The eigenvalues of `eig` alone.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/eigvals

    >>> eigvals([[2.0]]).numpy().tolist()
    [(2+0j)]
    """
    need_square(tensor)
    return _eig_rule(tensor)[0]


# Triangular factors.


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _qr_rule(x: Any, full: bool) -> tuple[Any, Any]:
    q, r = jnp.linalg.qr(x, mode="complete" if full else "reduced")
    return q, r


@_qr_rule.defjvp
def _qr_jvp(full: bool, primals: tuple, tangents: tuple) -> tuple:
    # For m >= n. q^H dx r^-1 is the sum of a skew part, which turns q, and a triangular one, which changes r.
    (x,), (dx,) = primals, tangents
    q, r = _qr_rule(x, full)
    n = x.shape[-1]
    q1, r1 = q[..., :n], r[..., :n, :]
    over = lax.linalg.triangular_solve(r1, dx)
    p = adjoint(q1) @ over
    low = jnp.tril(p, -1)
    skew = low - adjoint(low)
    if x.dtype.kind == "c":
        skew = skew + jnp.eye(n, dtype=x.dtype) * (1j * jnp.imag(diagonal(p)))[..., None]
    dr = (p - skew) @ r1
    dr = jnp.concatenate([dr, jnp.zeros_like(r[..., n:, :])], -2)
    return (q, r), (_completed(q, over + q1 @ (skew - p)), dr)


@op()
def _qr(input: Array, full_matrices):
    need("fc", input)
    matrix(input)
    m, n = input.shape[-2:]
    if m >= n:
        return _qr_rule(input, bool(full_matrices))
    q, r = _qr_rule(input[..., :m], False)
    return q, jnp.concatenate([r, adjoint(q) @ input[..., m:]], -1)


@public("linalg.qr")
def qr(input: Any, full_matrices: bool = False, name: str | None = None) -> Qr:
    """``input = q @ r`` with orthonormal columns in `q` and an upper triangular `r`.

    Args:
      input: of shape (.., m, n), floating or complex; k is the smaller of m and n.
      full_matrices: whether q is (.., m, m) and r (.., m, n), in place of (.., m, k) and (.., k, n).

    Returns:
      A named tuple (q, r).

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/qr

    >>> abs(qr([[3.0], [4.0]]).r.numpy()).tolist()
    [[5.0]]
    """
    return Qr(*_qr(input, full_matrices))


@op()
def _lu(input: Array, output_idx_type: DType):
    need_square(input)
    factors, _, order = lax.linalg.lu(input)
    return factors, order.astype(output_idx_type)


@public("linalg.lu")
def lu(input: Any, output_idx_type: Any = np.int32, name: str | None = None) -> Lu:
    """Triangular factors of square matrices with their rows exchanged: ``gather(input, p) = L @ U``.

    Args:
      input: of shape (.., n, n), floating or complex.
      output_idx_type: dtype of `p`, int32 or int64.

    Returns:
      A named tuple (lu, p): L, whose diagonal of ones is left out, below U; and the order of the rows.

    Raises:
      InvalidArgumentError: a singular matrix, in op-by-op mode; a recorded one has a 0 on the diagonal of U.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/lu

    >>> lu([[0.0, 2.0], [1.0, 3.0]]).p.numpy().tolist()
    [1, 0]
    """
    found = Lu(*_lu(input, output_idx_type))
    refuse_singular(lambda: np.diagonal(np.asarray(found.lu), axis1=-2, axis2=-1) == 0, "Input is not invertible.")
    return found
