"""Linear algebra: products, diagonals, factorisations, norms and clipping by norm.

Where TensorFlow's CPU kernels look at the values and raise (a matrix that is not invertible), the results here are
infinite or nan, as on accelerators: looking would stop the program.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.linalg import solve_triangular

from tapejax.convert import to_tensor
from tapejax.ops import diagonals as diagonals  # registers its names
from tapejax.ops.array import check_axis, invalid, same_dtypes, static_ints
from tapejax.ops.registry import Array, Arrays, Axis, DType, Same, op, public
from tapejax.ops.transcendental import sqrt_rule
from tapejax.tensor import Tensor

__all__ = [
    "adjoint", "band_part", "cholesky", "clip_by_global_norm", "clip_by_norm", "det", "einsum", "global_norm", "inv",
    "matmul", "matrix_transpose", "matvec", "norm", "solve", "tensordot", "trace", "triangular_solve"]


def _final(error: Exception) -> Exception:
    """An error whose class is already TensorFlow's."""
    error.is_final = True  # type: ignore[attr-defined]
    return error


def _swap(x: Any, transpose: bool, adjoint: bool, name: str) -> Any:
    if transpose and adjoint:
        raise _final(ValueError(f"Only one of `transpose_{name}` and `adjoint_{name}` can be True."))
    if not (transpose or adjoint):
        return x
    x = jnp.swapaxes(x, -1, -2)
    return jnp.conj(x) if adjoint else x


@op("matmul", "linalg.matmul")
def matmul(a: Same, b: Same, transpose_a=False, transpose_b=False, adjoint_a=False, adjoint_b=False,
           a_is_sparse=False, b_is_sparse=False, output_type: DType = None, grad_a=False, grad_b=False, name=None):
    """Matrix product of the last two axes; the others broadcast.

    Args:
      a: of shape (.., n, k), after transposing.
      b: of shape (.., k, m), of the same dtype.
      transpose_a, transpose_b: transpose first. adjoint_a, adjoint_b: transpose and conjugate.
      a_is_sparse, b_is_sparse, grad_a, grad_b: hints that change no result, here as in TensorFlow.
      output_type: dtype to accumulate in and return (int8 products as int32).

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/matmul

    >>> matmul([[1, 2]], [[3], [4]]).numpy().tolist()
    [[11]]
    """
    same_dtypes((a, b), "MatMul")
    if a.ndim < 2 or b.ndim < 2:
        raise invalid(f"In[0] and In[1] ndims must be >= 2: {a.ndim} and {b.ndim}")
    a, b = _swap(a, transpose_a, adjoint_a, "a"), _swap(b, transpose_b, adjoint_b, "b")
    if a.shape[-1] != b.shape[-2]:
        raise invalid(f"Matrix size-incompatible: In[0]: {list(a.shape)}, In[1]: {list(b.shape)}")
    return jnp.matmul(a, b, preferred_element_type=output_type or a.dtype)


@op("linalg.matvec")
def matvec(a: Same, b: Same, transpose_a=False, adjoint_a=False, a_is_sparse=False, b_is_sparse=False, name=None):
    """Matrix times vector: (.., n, k) and (.., k) give (.., n). Arguments as in `matmul`.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/matvec

    >>> matvec([[1, 2], [3, 4]], [1, 1]).numpy().tolist()
    [3, 7]
    """
    same_dtypes((a, b), "MatMul")
    if a.ndim < 2 or b.ndim < 1:
        raise invalid(f"In[0] must be a matrix and In[1] a vector, got shapes {a.shape} and {b.shape}")
    a = _swap(a, transpose_a, adjoint_a, "a")
    if a.shape[-1] != b.shape[-1]:
        raise invalid(f"Matrix size-incompatible: In[0]: {list(a.shape)}, In[1]: {list(b.shape)}")
    return jnp.matmul(a, b[..., None])[..., 0]


@op("linalg.matrix_transpose")
def matrix_transpose(a: Array, name=None, conjugate=False):
    """Swaps the last two axes, and conjugates if asked.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/matrix_transpose

    >>> matrix_transpose([[1, 2]]).numpy().tolist()
    [[1], [2]]
    """
    if a.ndim < 2:
        raise _final(ValueError(f"Argument `a` should be a (batch) matrix with rank >= 2. Received shape: {a.shape}"))
    out = jnp.swapaxes(a, -1, -2)
    return jnp.conj(out) if conjugate else out


@public("linalg.adjoint")
def adjoint(matrix: Any, name: str | None = None) -> Tensor:
    """The conjugate transpose of the last two axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/adjoint

    >>> adjoint([[1, 2]]).numpy().tolist()
    [[1], [2]]
    """
    return matrix_transpose(matrix, conjugate=True)


@op()
def _tensordot(a: Same, b: Same, axes):
    same_dtypes((a, b), "MatMul")
    return jnp.tensordot(a, b, axes)


@public("tensordot", "linalg.tensordot")
def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Tensor:
    """Sums products over pairs of axes.

    Args:
      a: a tensor.
      b: a tensor of the same dtype.
      axes: n: the last n of `a` with the first n of `b`; or two ints or lists of ints: those of `a`, those of `b`.

    Source: https://www.tensorflow.org/api_docs/python/tf/tensordot

    >>> tensordot([1, 2], [3, 4], 1).numpy().item()
    11
    """
    if not isinstance(axes, (list, tuple)):
        found = static_ints(axes, "`axes`").tolist()
        if isinstance(found, int):
            if found < 0:
                raise ValueError(f"`axes` must be at least 0. Received: {found}.")
            return _tensordot(a, b, found)
        axes = found
    if len(axes) != 2:
        raise ValueError(f"`axes` must be an integer or have length 2. Received {axes}.")
    pair = tuple(tuple(static_ints(s, "`axes`").ravel().tolist()) for s in axes)
    if len(pair[0]) != len(pair[1]):
        raise ValueError(f"Different number of contraction axes `a` and `b`, {len(pair[0])} != {len(pair[1])}.")
    return _tensordot(a, b, pair)


@op()
def _einsum(inputs: Arrays, equation: str):
    same_dtypes(inputs, "Einsum")
    return jnp.einsum(equation, *inputs, preferred_element_type=inputs[0].dtype)


@public("einsum", "linalg.einsum")
def einsum(equation: str, *inputs: Any, **kwargs: Any) -> Tensor:
    """Products and sums as an equation of axis labels, such as "ij,jk->ik" or "...ij->...ji".

    Args:
      equation: one comma-separated group of labels for each input, and after "->" those of the result.
      *inputs: tensors of one dtype.
      optimize: accepted for TensorFlow's sake; XLA chooses the order from the shapes.

    Raises:
      ValueError: an equation that does not fit the inputs.

    Source: https://www.tensorflow.org/api_docs/python/tf/einsum

    >>> einsum("i,i->", [1, 2], [3, 4]).numpy().item()
    11
    """
    unknown = set(kwargs) - {"optimize", "name"}
    if unknown:
        raise TypeError(f"Invalid keyword arguments for einsum: {sorted(unknown)}")
    equation = equation.replace(" ", "")
    left, arrow, right = equation.partition("->")
    if len(left.split(",")) != len(inputs):
        raise ValueError(f'Got {len(inputs)} inputs for equation "{equation}", expecting {len(left.split(","))}')
    missing = set(right.replace(".", "")) - set(left)
    if missing:
        raise ValueError(f"Output subscripts contain the label {min(missing)} not present in the input subscripts.")
    return _einsum(list(inputs), equation)


@op("linalg.band_part")
def band_part(input: Array, num_lower: int, num_upper: int, name=None):
    """Keeps a band around the main diagonal and zeroes the rest; a negative width keeps all of that side.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/band_part

    >>> band_part([[1, 2], [3, 4]], 0, -1).numpy().tolist()
    [[1, 2], [0, 4]]
    """
    _matrix(input)
    rows, columns = input.shape[-2:]
    if num_lower > rows or num_upper > columns:
        raise invalid(f"num_lower and num_upper must be at most {rows} and {columns}, got {num_lower}, {num_upper}")
    off = np.arange(columns) - np.arange(rows)[:, None]
    keep = ((num_lower < 0) | (-off <= num_lower)) & ((num_upper < 0) | (off <= num_upper))
    return jnp.where(keep, input, jnp.zeros((), input.dtype))


def _matrix(x: Any, square: bool = False) -> None:
    if x.ndim < 2:
        raise invalid(f"input must be at least 2-dim, received shape: {list(x.shape)}")
    if square and x.shape[-1] != x.shape[-2]:
        raise invalid(f"Input matrix must be square, got shape {list(x.shape)}")


def _real(x: Any) -> None:
    if x.dtype.kind not in "fcV":
        raise invalid(f"Value for attr 'T' of {x.dtype} is not in the list of allowed values: floating or complex")


@op("linalg.trace")
def trace(x: Array, name=None):
    """The sum of the main diagonal of the last two axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/trace

    >>> trace([[1, 2], [3, 4]]).numpy().item()
    5
    """
    _matrix(x)
    return jnp.trace(x, axis1=-2, axis2=-1, dtype=x.dtype)


@op("linalg.cholesky")
def cholesky(input: Array, name=None):
    """The lower triangular L with ``L @ L^H = input``, of positive definite matrices; only the lower triangle is
    read. For other matrices nan.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/cholesky

    >>> cholesky([[4.0]]).numpy().tolist()
    [[2.0]]
    """
    _real(input)
    _matrix(input, square=True)
    strict = jnp.tril(input, -1)
    read = jnp.tril(input) + jnp.conj(jnp.swapaxes(strict, -1, -2))
    # The value comes from the lower triangle, the gradient is symmetric, as TensorFlow's.
    even = (input + jnp.conj(jnp.swapaxes(input, -1, -2))) / 2
    return jnp.linalg.cholesky(even + lax.stop_gradient(read - even), symmetrize_input=False)


@op("linalg.det")
def det(input: Array, name=None):
    """The determinants of square matrices.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/det

    >>> round(det([[2.0, 1.0], [1.0, 3.0]]).numpy().item(), 3)
    5.0
    """
    _real(input)
    _matrix(input, square=True)
    return jnp.linalg.det(input)


@op("linalg.inv")
def inv(input: Array, adjoint=False, name=None):
    """The inverses of square matrices, or of their adjoints. Singular ones give inf or nan.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/inv

    >>> inv([[2.0]]).numpy().tolist()
    [[0.5]]
    """
    _real(input)
    _matrix(input, square=True)
    return jnp.linalg.inv(_swap(input, False, adjoint, "a"))


@op("linalg.solve")
def solve(matrix: Same, rhs: Same, adjoint=False, name=None):
    """X with ``matrix @ X = rhs`` (its adjoint, if asked): shapes (.., n, n) and (.., n, m), of the same rank.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/solve

    >>> solve([[2.0]], [[4.0]]).numpy().tolist()
    [[2.0]]
    """
    same_dtypes((matrix, rhs), "MatrixSolve")
    _real(matrix)
    _matrix(matrix, square=True)
    if matrix.ndim != rhs.ndim or matrix.shape[:-1] != rhs.shape[:-1]:
        raise invalid(f"Input matrix and rhs are incompatible: {matrix.shape} and {rhs.shape}")
    return jnp.linalg.solve(_swap(matrix, False, adjoint, "a"), rhs)


@op("linalg.triangular_solve")
def triangular_solve(matrix: Same, rhs: Same, lower=True, adjoint=False, name=None):
    """X with ``matrix @ X = rhs`` where only one triangle of `matrix` counts; leading axes broadcast.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/triangular_solve

    >>> triangular_solve([[2.0]], [[4.0]]).numpy().tolist()
    [[2.0]]
    """
    same_dtypes((matrix, rhs), "MatrixTriangularSolve")
    _real(matrix)
    _matrix(matrix, square=True)
    _matrix(rhs)
    if matrix.shape[-1] != rhs.shape[-2]:
        raise invalid(f"Input matrix and rhs are incompatible: {matrix.shape} and {rhs.shape}")
    batch = jnp.broadcast_shapes(matrix.shape[:-2], rhs.shape[:-2])
    a = jnp.broadcast_to(matrix, batch + matrix.shape[-2:])
    b = jnp.broadcast_to(rhs, batch + rhs.shape[-2:])
    return solve_triangular(a, b, lower=lower, trans="C" if adjoint else "N")


# Norms.


@op()
def _norm(tensor: Array, ord, axis: Axis, keepdims=False):
    _real(tensor)
    axes = None if axis is None else tuple(check_axis(a, tensor.ndim, "norm")
                                           for a in (axis if isinstance(axis, tuple) else (axis,)))
    # The slope of the absolute value at 0 is 0 in TensorFlow; that of jnp.abs is 1.
    size = jnp.abs(tensor) if tensor.dtype.kind == "c" else tensor * jnp.sign(tensor)
    if ord in ("fro", "euclidean") or (ord == 2 and (axes is None or len(axes) == 1)):
        squares = jnp.sum(tensor * jnp.conj(tensor), axes, keepdims=keepdims, dtype=tensor.dtype)
        return sqrt_rule(squares)
    if axes is None or len(axes) == 1:
        if ord == 1:
            return jnp.sum(size, axes, keepdims=keepdims)
        if ord == np.inf:
            return jnp.max(size, axes, keepdims=keepdims)
        return jnp.sum(size ** ord, axes, keepdims=keepdims) ** (1.0 / ord)
    if ord == 2:
        values = jnp.linalg.svd(jnp.moveaxis(tensor, axes, (-2, -1)), compute_uv=False)
        top = jnp.max(values, -1)
        return jnp.expand_dims(top, axes) if keepdims else top
    first, second = axes if ord == 1 else axes[::-1]
    out = jnp.max(jnp.sum(size, first, keepdims=True), second, keepdims=True)
    return out if keepdims else jnp.squeeze(out, axes)


@public("norm", "linalg.norm")
def norm(tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool | None = None, name: str | None = None
         ) -> Tensor:
    """The norm of vectors or matrices. At 0 the Euclidean one has gradient nan, as in TensorFlow.

    Args:
      tensor: floating or complex.
      ord: "euclidean", 1, 2, `np.inf` or any p > 0 for vectors; "euclidean", "fro", 1, 2 or `np.inf` for matrices.
      axis: None: all elements are one vector. An int: vectors. A pair: matrices.
      keepdims: keep the reduced axes with size 1.

    Raises:
      ValueError: an `ord` or `axis` of another kind.

    Source: https://www.tensorflow.org/api_docs/python/tf/norm

    >>> norm([3.0, 4.0]).numpy().item()
    5.0
    """
    if axis is not None:
        axis = tuple(static_ints(axis, "`axis`").ravel().tolist())
        if len(axis) > 2 or not axis or len(set(axis)) < len(axis):
            raise ValueError(f"'axis' must be None, an integer, or a tuple of 2 unique integers, got {axis}")
    matrix = axis is not None and len(axis) == 2
    allowed = ["euclidean", "fro", 1, 2, np.inf] if matrix else ["euclidean", 1, 2, np.inf]
    if ord not in allowed and (matrix or isinstance(ord, str) or ord <= 0):
        kind = "matrix" if matrix else "vector"
        raise ValueError(f"'ord' must be a supported {kind} norm in {allowed}, got {ord}")
    return _norm(tensor, ord, axis, bool(keepdims))


@op("clip_by_norm")
def clip_by_norm(t: Same, clip_norm: Same, axes: Axis = None, name=None):
    """Scales `t` so that its Euclidean norm, over `axes` or in all, is at most `clip_norm`.

    Source: https://www.tensorflow.org/api_docs/python/tf/clip_by_norm

    >>> clip_by_norm([3.0, 4.0], 10.0).numpy().tolist()
    [3.0, 4.0]
    """
    _real(t)
    clip_norm = jnp.where(clip_norm >= 0, clip_norm, 0)
    squares = jnp.sum(t * t, axes, keepdims=True, dtype=t.dtype)
    some = squares > 0
    length = jnp.where(some, jnp.sqrt(jnp.where(some, squares, 1)), squares)
    # At a tie the gradient goes to the length, as TensorFlow's maximum gives it to its first argument.
    return t * clip_norm / jnp.where(length >= clip_norm, length, clip_norm)


def _length(tensors: Any) -> Any:
    """The norm of all tensors together, by TensorFlow's formula (half squares, doubled)."""
    same_dtypes(tensors, "Pack")
    halves = [jnp.sum(t * t, dtype=t.dtype) / 2 for t in tensors]
    return sqrt_rule(jnp.sum(jnp.stack(halves)) * 2)


@op()
def _global_norm(t_list: Arrays):
    return _length(t_list)


@op()
def _clip_by_global_norm(t_list: Arrays, clip_norm: Array, use_norm: Array = None):
    found = _length(t_list) if use_norm is None else use_norm
    clip = clip_norm.astype(found.dtype)
    scale = clip * jnp.where(1 / found <= 1 / clip, 1 / found, 1 / clip)
    scale = scale + (found - found)  # nan if the norm is infinite
    return (*(t * scale.astype(t.dtype) for t in t_list), found)


def _entries(t_list: Any) -> list[Any]:
    """The values of a list of tensors, IndexedSlices and None, without the Nones."""
    if not isinstance(t_list, (list, tuple)):
        raise TypeError(f"`t_list` should be a sequence of tensors. Received {type(t_list)}.")
    return [to_tensor(t.values if _sliced(t) else t) for t in t_list if t is not None]


def _sliced(t: Any) -> bool:
    return hasattr(t, "indices") and hasattr(t, "values")


@public("linalg.global_norm")
def global_norm(t_list: Any, name: str | None = None) -> Tensor:
    """The Euclidean norm of all elements of a list of tensors; None entries count as nothing.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/global_norm

    >>> global_norm([[3.0], None, [4.0]]).numpy().item()
    5.0
    """
    values = _entries(t_list)
    return _global_norm(values) if values else to_tensor(np.float32(0))


@public("clip_by_global_norm")
def clip_by_global_norm(t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None
                        ) -> tuple[list[Any], Tensor]:
    """Scales tensors by one factor so that their norm together is at most `clip_norm`. One op.

    Args:
      t_list: tensors, IndexedSlices or None, as gradients come.
      clip_norm: scalar, the largest norm.
      use_norm: the norm, if known.

    Returns:
      The scaled list, with None where `t_list` has it, and the norm. An infinite norm gives nan.

    Source: https://www.tensorflow.org/api_docs/python/tf/clip_by_global_norm

    >>> clipped, length = clip_by_global_norm([[3.0, 4.0], None], 10.0)
    >>> length.numpy().item(), clipped[1]
    (5.0, None)
    """
    values = _entries(t_list)
    if not values:
        return list(t_list), (to_tensor(np.float32(0)) if use_norm is None else use_norm)
    *scaled, found = _clip_by_global_norm(values, clip_norm, use_norm)
    rest = iter(scaled)
    out = [None if t is None else type(t)(next(rest), t.indices, t.dense_shape) if _sliced(t) else next(rest)
           for t in t_list]
    return out, found if use_norm is None else use_norm
