"""Products of matrices, transposes, traces and bands.

Related files: `decompositions`, `solves`, `matrix_functions`, `norms`.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import errors
from tapejax._src.core.checks import final, invalid
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.kernels.cpu import matmul as products
from tapejax._src.kernels.cpu.matmul import dot
from tapejax._src.ops.array.layout import same_dtypes, static_ints
from tapejax._src.ops.registry import Array, Arrays, DType, Same, op

__all__ = [
    "adjoint",
    "band_part",
    "cross",
    "einsum",
    "matmul",
    "matrix",
    "matrix_transpose",
    "matvec",
    "tensordot",
    "trace",
    "transposed",
]


def transposed(x: Any, transpose: bool, adjoint: bool, name: str) -> Any:
    """The matrices of `x`, transposed or also conjugated, as the arguments `transpose_a`, `adjoint_a` of a product ask.

    Args:
      x: a JAX array of matrices.
      transpose: whether they are transposed.
      adjoint: whether they are transposed and conjugated.
      name: "a" or "b", for the message.

    Raises:
      ValueError: both are True.
    """
    if transpose and adjoint:
        raise final(ValueError(f"Only one of `transpose_{name}` and `adjoint_{name}` can be True."))
    if not (transpose or adjoint):
        return x
    x = jnp.swapaxes(x, -1, -2)
    return jnp.conj(x) if adjoint else x


@op("matmul", "linalg.matmul")
def matmul(
    a: Same,
    b: Same,
    transpose_a=False,
    transpose_b=False,
    adjoint_a=False,
    adjoint_b=False,
    a_is_sparse=False,
    b_is_sparse=False,
    output_type: DType = None,
    grad_a=False,
    grad_b=False,
    name=None,
):
    """The product of matrices. The matrices are in the last two axes; the other axes broadcast.

    Args:
      a: a tensor of shape (.., n, k), after transposing.
      b: a tensor of shape (.., k, m), after transposing, and of the same dtype.
      transpose_a: whether `a` is transposed first.
      transpose_b: whether `b` is transposed first.
      adjoint_a: whether `a` is transposed and conjugated first.
      adjoint_b: whether `b` is transposed and conjugated first.
      a_is_sparse: has no effect on the result, as in TensorFlow.
      b_is_sparse: has no effect on the result, as in TensorFlow.
      output_type: the dtype in which products are summed and returned, such as int32 for int8 matrices.
      grad_a: has no effect on the result, as in TensorFlow.
      grad_b: has no effect on the result, as in TensorFlow.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape (.., n, m).

    Raises:
      InvalidArgumentError: the dtypes or shapes do not fit.
      ValueError: a matrix should be both transposed and conjugated by two arguments.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/matmul

    >>> matmul([[1, 2]], [[3], [4]]).numpy().tolist()
    [[11]]
    """
    same_dtypes((a, b), "MatMul")
    if a.ndim < 2 or b.ndim < 2:
        raise invalid(f"In[0] and In[1] ndims must be >= 2: {a.ndim} and {b.ndim}")
    a, b = transposed(a, transpose_a, adjoint_a, "a"), transposed(b, transpose_b, adjoint_b, "b")
    if a.shape[-1] != b.shape[-2]:
        raise invalid(f"Matrix size-incompatible: In[0]: {list(a.shape)}, In[1]: {list(b.shape)}")
    if b.ndim == 2 < a.ndim:
        return dot(a, b, ([a.ndim - 1], [0]), ([], []), output_type or a.dtype)
    return jnp.matmul(a, b, preferred_element_type=output_type or a.dtype)


@op("linalg.matvec")
def matvec(a: Same, b: Same, transpose_a=False, adjoint_a=False, a_is_sparse=False, b_is_sparse=False, name=None):
    """The product of matrices and vectors.

    Args:
      a: a tensor of shape (.., n, k), after transposing.
      b: a tensor of shape (.., k) and of the same dtype. The other axes broadcast.
      transpose_a: whether `a` is transposed first.
      adjoint_a: whether `a` is transposed and conjugated first.
      a_is_sparse: has no effect on the result, as in TensorFlow.
      b_is_sparse: has no effect on the result, as in TensorFlow.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape (.., n).

    Raises:
      InvalidArgumentError: the dtypes or shapes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/matvec

    >>> matvec([[1, 2], [3, 4]], [1, 1]).numpy().tolist()
    [3, 7]
    """
    same_dtypes((a, b), "MatMul")
    if a.ndim < 2 or b.ndim < 1:
        raise invalid(f"In[0] must be a matrix and In[1] a vector, got shapes {a.shape} and {b.shape}")
    a = transposed(a, transpose_a, adjoint_a, "a")
    if a.shape[-1] != b.shape[-1]:
        raise invalid(f"Matrix size-incompatible: In[0]: {list(a.shape)}, In[1]: {list(b.shape)}")
    return jnp.matmul(a, b[..., None])[..., 0]


@op("linalg.matrix_transpose", strings=True)
def matrix_transpose(a: Array, name=None, conjugate=False):
    """Swaps the last two axes of a tensor.

    Args:
      a: a tensor of shape (.., m, n).
      name: has no effect, as in eager TensorFlow.
      conjugate: whether complex elements are replaced by their conjugates.

    Raises:
      ValueError: `a` has fewer than two axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/matrix_transpose

    >>> matrix_transpose([[1, 2]]).numpy().tolist()
    [[1], [2]]
    """
    if a.ndim < 2:
        raise final(ValueError(f"Argument `a` should be a (batch) matrix with rank >= 2. Received shape: {a.shape}"))
    out = jnp.swapaxes(a, -1, -2)
    return jnp.conj(out) if conjugate else out


@public("linalg.adjoint")
def adjoint(matrix: Any, name: str | None = None) -> Tensor:
    """Swaps the last two axes of a tensor and conjugates its elements.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/adjoint

    >>> adjoint([[1, 2]]).numpy().tolist()
    [[1], [2]]
    """
    return matrix_transpose(matrix, conjugate=True)


@op()
def _tensordot(a: Same, b: Same, axes):
    same_dtypes((a, b), "MatMul")
    first, second = (range(a.ndim)[a.ndim - axes :], range(axes)) if isinstance(axes, int) else axes
    along = [range(a.ndim)[i] for i in first], [range(b.ndim)[i] for i in second]
    return dot(a, b, along, ([], []), a.dtype)


@public("tensordot", "linalg.tensordot")
def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Tensor:
    """Multiplies two tensors and sums the products over pairs of axes.

    Args:
      a: a tensor.
      b: a tensor of the same dtype.
      axes: an int n: the last n axes of `a` are paired with the first n axes of `b`. Or a list of two: the axes of `a`,
        and the axes of `b` that are paired with them, each an int or a list of ints.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor with the other axes of `a`, followed by the other axes of `b`.

    Raises:
      ValueError: `axes` is negative, or does not consist of two lists of equal length.
      InvalidArgumentError: the dtypes differ, or paired axes differ in size.

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
    return products.einsum(equation, inputs, inputs[0].dtype)


@public("einsum", "linalg.einsum")
def einsum(equation: str, *inputs: Any, **kwargs: Any) -> Tensor:
    """Sums products of tensors, as an equation of axis labels says, such as "ij,jk->ik" or "...ij->...ji".

    Args:
      equation: for each input the labels of its axes, separated by commas, and after "->" the labels of the result.
      *inputs: tensors of one dtype.
      **kwargs: `optimize` has no effect: the order of the products follows from the shapes. `name` has no effect, as in
        eager TensorFlow.

    Raises:
      ValueError: the equation does not fit the inputs.
      TypeError: there is another keyword argument.

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
    """Keeps the elements near the main diagonal of matrices and sets the others to zero.

    Args:
      input: a tensor of shape (.., m, n).
      num_lower: the number of diagonals below the main one that are kept; negative: all of them.
      num_upper: the number of diagonals above the main one that are kept; negative: all of them.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `input` has fewer than two axes, or a number is larger than its matrices.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/band_part

    >>> band_part([[1, 2], [3, 4]], 0, -1).numpy().tolist()
    [[1, 2], [0, 4]]
    """
    matrix(input)
    rows, columns = input.shape[-2:]
    if num_lower > rows or num_upper > columns:
        raise invalid(f"num_lower and num_upper must be at most {rows} and {columns}, got {num_lower}, {num_upper}")
    off = np.arange(columns) - np.arange(rows)[:, None]
    keep = ((num_lower < 0) | (-off <= num_lower)) & ((num_upper < 0) | (off <= num_upper))
    return jnp.where(keep, input, jnp.zeros((), input.dtype))


def matrix(x: Any, square: bool = False) -> None:
    """Checks that an array is a matrix, or a batch of matrices.

    Args:
      x: a JAX array.
      square: whether the matrices must be square.

    Raises:
      InvalidArgumentError: they are not.
    """
    if x.ndim < 2:
        raise invalid(f"input must be at least 2-dim, received shape: {list(x.shape)}")
    if square and x.shape[-1] != x.shape[-2]:
        raise invalid(f"Input matrix must be square, got shape {list(x.shape)}")


@op("linalg.trace")
def trace(x: Array, name=None):
    """The sums of the main diagonals of matrices. They are in the last two axes of `x`.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/trace

    >>> trace([[1, 2], [3, 4]]).numpy().item()
    5
    """
    matrix(x)
    return jnp.trace(x, axis1=-2, axis2=-1, dtype=x.dtype)


@op("linalg.cross")
def cross(a: Same, b: Same, name=None):
    """The cross products of vectors of three elements, in the last axis.

    Args:
      a: a tensor of shape (.., 3).
      b: a tensor of the same shape and dtype.
      name: has no effect, as in eager TensorFlow.

    Raises:
      FailedPreconditionError: the vectors do not have three elements.
      InvalidArgumentError: the shapes differ.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/cross

    >>> cross([1, 0, 0], [0, 1, 0]).numpy().tolist()
    [0, 0, 1]
    """
    if a.shape != b.shape:
        raise invalid(f"Both inputs must be of same shape: {list(a.shape)} vs. {list(b.shape)}")
    if not a.ndim:
        raise invalid("Input must be at least 1D")
    if a.shape[-1] != 3:
        raise errors.FailedPreconditionError(message="Cross-products are only defined for 3-element vectors.")
    return jnp.cross(a, b)
