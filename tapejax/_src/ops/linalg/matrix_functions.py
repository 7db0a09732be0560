"""Determinants, exponentials, square roots and logarithms of matrices."""

import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np
from jax import lax

from tapejax._src.core.checks import need
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.ops.linalg.decompositions import cholesky, diagonal, need_square
from tapejax._src.ops.registry import Array, op

__all__ = ["det", "expm", "logdet", "logm", "slogdet", "sqrtm"]


class LogMatrixDeterminant(NamedTuple):
    """The result of `slogdet`."""

    sign: Tensor
    log_abs_determinant: Tensor


# Determinants.


@op("linalg.det")
def det(input: Array, name=None):
    """The determinants of square matrices.

    Args:
      input: floating or complex numbers of shape (.., n, n).
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape (..).

    Raises:
      InvalidArgumentError: the matrices are not square.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/det

    >>> round(det([[2.0, 1.0], [1.0, 3.0]]).numpy().item(), 3)
    5.0
    """
    need_square(input)
    return jnp.linalg.det(input)


@op()
def _slogdet(input: Array):
    need_square(input)
    sign, size = jnp.linalg.slogdet(input)
    return sign, size.astype(input.dtype)


@public("linalg.slogdet")
def slogdet(input: Any, name: str | None = None) -> LogMatrixDeterminant:
    """The signs of determinants and the logarithms of their absolute values.

    Takes the arguments of `det` and raises the same errors.

    Returns:
      A named tuple (sign, log_abs_determinant) of tensors of shape (..). The sign of a complex determinant is its
      phase, a number of absolute value 1.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/slogdet

    >>> slogdet([[-1.0]]).sign.numpy().item()
    -1.0
    """
    return LogMatrixDeterminant(*_slogdet(input))


@op("linalg.logdet")
def logdet(matrix: Array, name=None):
    """The logarithms of the determinants of Hermitian positive definite matrices; nan for other matrices.

    Takes floating or complex numbers of shape (.., n, n) and raises the errors of `det`.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/logdet

    >>> logdet([[1.0]]).numpy().item()
    0.0
    """
    return 2 * jnp.sum(jnp.log(jnp.real(diagonal(cholesky.__wrapped__(matrix)))), -1)


# Functions of matrices.


@op("linalg.expm")
def expm(input: Array, name=None):
    """The exponentials of square matrices. Takes floating or complex numbers of shape (.., n, n).

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/expm

    >>> expm([[0.0]]).numpy().tolist()
    [[1.0]]
    """
    need_square(input)
    return jax.scipy.linalg.expm(input)


def _on_host(which: str, x: Any) -> Any:
    """Computes a function of matrices with SciPy on the host, because XLA has no kernel for it.

    The program calls back to Python. The values are passed as 32-bit integers, because JAX's 64-bit types may be turned
    off in the thread that calls back.

    Args:
      which: the name of the function in `scipy.linalg`.
      x: a JAX array of matrices.
    """
    dtype = np.dtype(x.dtype)
    parts = jnp.stack([x.real, x.imag], -1) if dtype.kind == "c" else x
    bits = lax.bitcast_convert_type(parts, jnp.uint32)

    def compute(given: Any) -> np.ndarray:
        import scipy.linalg

        matrices = np.asarray(given).reshape(-1).view(dtype).reshape(-1, *x.shape[-2:])
        out = np.full(matrices.shape, np.nan, np.complex128)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for i, a in enumerate(matrices):
                if np.isfinite(a).all():
                    out[i] = getattr(scipy.linalg, which)(a)
        if dtype.kind != "c":
            # The result for a real matrix must be real. If it has imaginary parts, it is nan.
            size = abs(out).max((-2, -1), keepdims=True, initial=0)
            real = (abs(out.imag) <= 1e-3 * size).all((-2, -1), keepdims=True)
            out = np.where(real, out.real, np.nan)
        return out.astype(dtype).reshape(-1).view(np.uint32).reshape(given.shape)

    bits = jax.pure_callback(compute, jax.ShapeDtypeStruct(bits.shape, bits.dtype), bits, vmap_method="expand_dims")
    parts = lax.bitcast_convert_type(bits, parts.dtype)
    return lax.complex(parts[..., 0], parts[..., 1]) if dtype.kind == "c" else parts


@jax.custom_jvp
def _sqrtm_rule(x: Any) -> Any:
    return _on_host("sqrtm", x)


@_sqrtm_rule.defjvp
def _sqrtm_jvp(primals: tuple, tangents: tuple) -> tuple:
    # The tangent d of the root satisfies root @ d + d @ root = dx, which is a linear system of equations for d.
    (x,), (dx,) = primals, tangents
    root = _sqrtm_rule(x)
    n = x.shape[-1]
    eye = jnp.eye(n, dtype=x.dtype)
    system = (jnp.einsum("...ij,kl->...ikjl", root, eye) + jnp.einsum("ij,...lk->...ikjl", eye, root)).reshape(
        *x.shape[:-2], n * n, n * n
    )
    d = jnp.linalg.solve(system, dx.reshape(*x.shape[:-2], n * n, 1))
    return root, d.reshape(x.shape)


@op("linalg.sqrtm", may_fail=True)
def sqrtm(input: Array, name=None):
    """The principal square roots of square matrices; nan for a real matrix whose root is not real.

    SciPy computes them on the host.

    Args:
      input: floating or complex numbers of shape (.., n, n).
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the matrices are not square.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/sqrtm

    >>> sqrtm([[4.0]]).numpy().tolist()
    [[2.0]]
    """
    need_square(input)
    return _sqrtm_rule(input)


@op("linalg.logm", differentiable=False, may_fail=True)
def logm(input: Array, name=None):
    """The principal logarithms of complex square matrices, without gradient. SciPy computes them on the host.

    Args:
      input: complex numbers of shape (.., n, n).
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: the matrices are not square or not complex.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/logm

    >>> logm([[1.0 + 0j]]).numpy().tolist()
    [[0j]]
    """
    need("c", input)
    need_square(input)
    return _on_host("logm", input)
