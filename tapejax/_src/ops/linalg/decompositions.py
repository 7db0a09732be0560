"""Factorisations of matrices: singular values, eigenvalues, triangular factors.

The signs of singular vectors, eigenvectors and the factors of QR are not unique, so they may differ from TensorFlow's.
Where singular values or eigenvalues are equal, the gradients leave out the terms that would be divided by zero, as
TensorFlow's do.
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
    """The result of `lu`."""

    lu: Tensor
    p: Tensor


class Qr(NamedTuple):
    """The result of `qr`."""

    q: Tensor
    r: Tensor


def adjoint(x: Any) -> Any:
    """The conjugate transposes of matrices. A function of JAX arrays."""
    return jnp.conj(jnp.swapaxes(x, -1, -2))


def diagonal(x: Any) -> Any:
    """The main diagonals of matrices. A function of JAX arrays."""
    return jnp.diagonal(x, axis1=-2, axis2=-1)


def _inverses(x: Any) -> Any:
    """``1 / x``, and 0 where `x` is 0."""
    zero = x == 0
    return jnp.where(zero, 0, 1 / jnp.where(zero, 1, x)).astype(x.dtype)


def need_square(x: Any) -> None:
    """Checks that an array is a square matrix, or a batch of them, of floating or complex numbers.

    Raises:
      InvalidArgumentError: it is not.
    """
    need("fc", x)
    matrix(x, square=True)


def refuse_singular(singular: Callable[[], Any], text: str) -> None:
    """Raises TensorFlow's error for a singular matrix, if ops run one by one.

    If ops are recorded, reading the values would stop the program. Then nothing is checked.

    Args:
      singular: returns whether a matrix is singular. It is only called if the values are known.
      text: the error's message.

    Raises:
      InvalidArgumentError: in op-by-op mode, if a matrix is singular.
    """
    if stream.is_eager() and not stream.current().symbolic:
        try:
            found = bool(np.any(singular()))
        except jax.errors.ConcretizationTypeError:
            return  # inside one of JAX's transformations, values are unknown
        if found:
            raise invalid_value(text)


@op("linalg.cholesky")
def cholesky(input: Array, name=None):
    """The lower triangular factor L of Hermitian positive definite matrices: ``L @ adjoint(L) = input``.

    Args:
      input: floating or complex numbers of shape (.., n, n). Only the lower triangle is read.
      name: has no effect, as in eager TensorFlow.

    Returns:
      L, of the shape of `input`. It is nan if a matrix is not positive definite.

    Raises:
      InvalidArgumentError: the matrices are not square.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/cholesky

    >>> cholesky([[4.0]]).numpy().tolist()
    [[2.0]]
    """
    need_square(input)
    strict = jnp.tril(input, -1)
    read = jnp.tril(input) + jnp.conj(jnp.swapaxes(strict, -1, -2))
    # As in TensorFlow, the value depends on the lower triangle alone, but the gradient is symmetric. So the argument
    # has the value of `read` and the gradient of `even`.
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
    # The part of the change that is orthogonal to all given vectors. It exists only for the longer side of the matrix.
    if x.shape[-2] > k:
        du = du + (dx @ v1 - u1 @ p) * _inverses(row)
    if x.shape[-1] > k:
        dv = dv + (adjoint(dx) @ u1 - v1 @ adjoint(p)) * _inverses(row)
    return (s, u, v), (jnp.real(diagonal(p)), _completed(u, du), _completed(v, dv))


def _completed(q: Any, dq: Any) -> Any:
    """The tangent of a full orthogonal basis `q`, given the tangent `dq` of its first columns.

    The other columns move so that they stay orthogonal to the first ones.
    """
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
    """The singular values and singular vectors of matrices: ``tensor = u @ diag(s) @ adjoint(v)``.

    Args:
      tensor: floating or complex numbers of shape (.., m, n). k is the smaller of m and n.
      full_matrices: whether `u` and `v` are square, completed by vectors without a singular value.
      compute_uv: whether the vectors are computed.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The tuple (s, u, v), or `s` alone if `compute_uv` is False. s has shape (.., k) and is in descending order, u has
      shape (.., m, k) and v has shape (.., n, k). v holds the vectors in its columns; it is not the adjoint.

    Raises:
      InvalidArgumentError: `tensor` has fewer than two axes.

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
    """The rank of matrices: the number of singular values above a limit, as int32.

    Args:
      a: floating numbers of shape (.., m, n).
      tol: the limit. The default is the largest singular value times max(m, n) times the dtype's epsilon.
      validate_args: has no effect: the shapes are always checked.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape (..).

    Raises:
      TypeError: `a` is not floating.
      InvalidArgumentError: `a` has fewer than two axes.

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
    """The Hermitian matrix whose lower triangle is that of `x`.

    So the gradient with respect to `x` is lower triangular, as in TensorFlow.
    """
    low = jnp.tril(x, -1)
    return low + adjoint(low) + jnp.real(diagonal(x))[..., None] * jnp.eye(x.shape[-1], dtype=x.dtype)


@op("linalg.eigh")
def eigh(tensor: Array, name=None):
    """The eigenvalues and eigenvectors of Hermitian matrices.

    Args:
      tensor: floating or complex numbers of shape (.., n, n). Only the lower triangle is read.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The tuple (e, v), both of the input's dtype. e has shape (.., n) and is in ascending order. v has shape (.., n, n)
      and holds the eigenvectors in its columns.

    Raises:
      InvalidArgumentError: the matrices are not square.

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
    """The eigenvalues of Hermitian matrices in ascending order, as `eigh` computes them.

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
    # The eigenvectors keep length 1, so the part of the change along them is removed.
    along = jnp.real(jnp.sum(jnp.conj(v) * dv, -2, keepdims=True))
    return (w, v), (diagonal(p), dv - v * along)


@op("linalg.eig", "eig")
def eig(tensor: Array, name=None):
    """The eigenvalues and eigenvectors of square matrices.

    Args:
      tensor: floating or complex numbers of shape (.., n, n).
      name: has no effect, as in eager TensorFlow.

    Returns:
      The tuple (e, v), both complex. e has shape (.., n) and is in no particular order. v has shape (.., n, n) and
      holds eigenvectors of length 1 in its columns.

    Raises:
      InvalidArgumentError: the matrices are not square.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/eig

    >>> e, v = eig([[0.0, 1.0], [-1.0, 0.0]])
    >>> sorted(e.numpy().imag.tolist())
    [-1.0, 1.0]
    """
    need_square(tensor)
    return _eig_rule(tensor)


@op("linalg.eigvals", "eigvals")
def eigvals(tensor: Array, name=None):
    """The complex eigenvalues of square matrices, in no particular order, as `eig` computes them.

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
    # The rule for m >= n. q^H dx r^-1 is the sum of a skew-Hermitian part, which rotates q, and of a triangular part,
    # which changes r.
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
    """The factors of ``input = q @ r``, where the columns of q are orthonormal and r is upper triangular.

    Args:
      input: floating or complex numbers of shape (.., m, n). k is the smaller of m and n.
      full_matrices: True: q has shape (.., m, m) and r (.., m, n). False: q has shape (.., m, k) and r (.., k, n).
      name: has no effect, as in eager TensorFlow.

    Returns:
      A named tuple (q, r).

    Raises:
      InvalidArgumentError: `input` has fewer than two axes.

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
    """The triangular factors of square matrices after an exchange of rows: ``gather(input, p) = L @ U``.

    Args:
      input: floating or complex numbers of shape (.., n, n).
      output_idx_type: the dtype of p, int32 or int64.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A named tuple (lu, p). lu has shape (.., n, n) and holds U, and below its diagonal L; the diagonal of L consists
      of ones and is left out. p has shape (.., n) and is the order of the rows.

    Raises:
      InvalidArgumentError: the matrices are not square; or one is singular, in op-by-op mode. If the op is recorded,
        the diagonal of U then has a 0.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/lu

    >>> lu([[0.0, 2.0], [1.0, 3.0]]).p.numpy().tolist()
    [1, 0]
    """
    found = Lu(*_lu(input, output_idx_type))
    refuse_singular(lambda: np.diagonal(np.asarray(found.lu), axis1=-2, axis2=-1) == 0, "Input is not invertible.")
    return found
