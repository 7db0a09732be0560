"""Diagonals of matrices: `diag`, `diag_part` and `set_diag`, and `tensor_diag` and `tensor_diag_part` for any rank.

Several diagonals of a matrix are stored as the rows of one packed array. Diagonals differ in length, so shorter ones do
not fill their row: `align` says at which end of the row they sit. The other elements of the row are padding.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core.checks import invalid, invalid_value
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.ops.array.layout import static_ints
from tapejax._src.ops.registry import Array, Same, op

__all__ = ["diag", "diag_part", "set_diag", "tensor_diag", "tensor_diag_part"]

_ALIGN = ("LEFT_RIGHT", "RIGHT_LEFT", "LEFT_LEFT", "RIGHT_RIGHT")


def _band(k: Any) -> tuple[int, int]:
    ks = static_ints(k, "`k`").ravel().tolist()
    if len(ks) not in (1, 2) or ks[0] > ks[-1]:
        raise invalid(f"`k` must be an integer or (lowest, highest), got {k}")
    return ks[0], ks[-1]


def _longest(low: int, high: int, rows: int, columns: int) -> int:
    """The length of the longest diagonal of a band."""
    if not (-rows < low < columns or low == 0) or not (-rows < high < columns or high == 0):
        raise invalid(f"diagonals {low} to {high} are out of bound: they must be between {-rows} and {columns}")
    return min(rows + min(high, 0), columns - max(low, 0))


def _offset(d: Any, rows: int, columns: int, longest: int, align: str) -> tuple[Any, Any]:
    """For each diagonal in `d`, the position in its packed row where it starts, and its length."""
    if align not in _ALIGN:
        raise invalid(f"`align` must be one of {_ALIGN}, got {align!r}")
    length = np.minimum(rows + np.minimum(d, 0), columns - np.maximum(d, 0))
    above, below = align.split("_")
    left = ((d >= 0) & (above == "LEFT")) | ((d <= 0) & (below == "LEFT"))
    return np.where(left, 0, longest - length), length


def _spread(diagonal: Any, low: int, high: int, base: Any, align: str) -> Any:
    """A copy of the matrices `base` in which packed diagonals replace the diagonals `low` to `high`."""
    rows, columns = base.shape[-2:]
    longest = _longest(low, high, rows, columns)
    packed = diagonal[..., None, :] if low == high else diagonal
    if packed.shape[:-2] != base.shape[:-2] or packed.shape[-2:] != (high - low + 1, longest):
        raise invalid_value(
            f"`diagonal` of shape {diagonal.shape} does not fit diagonals {low} to {high} of matrices {base.shape}"
        )
    d = np.arange(columns) - np.arange(rows)[:, None]
    start, _ = _offset(d, rows, columns, longest, align)
    along = np.arange(columns) - np.maximum(d, 0) + start
    inside = (low <= d) & (d <= high)
    taken = packed[..., np.where(inside, high - d, 0), np.where(inside, along, 0)]
    return jnp.where(inside, taken, base)


@op()
def _diag(diagonal: Same, padding_value: Same, low: int, high: int, num_rows: int, num_cols: int, align: str):
    if not diagonal.ndim or (low != high and diagonal.ndim < 2):
        raise invalid(f"diagonal must be at least {1 + (low != high)}-dim, received shape: {diagonal.shape}")
    least = (diagonal.shape[-1] - min(high, 0), diagonal.shape[-1] + max(low, 0))
    if num_rows == num_cols == -1:
        num_rows = num_cols = max(least)
    rows, columns = (least[0] if num_rows == -1 else num_rows), (least[1] if num_cols == -1 else num_cols)
    if rows < least[0] or columns < least[1] or (rows != least[0] and columns != least[1]):
        raise invalid("The number of rows or columns is not consistent with the specified diagonals and their length")
    batch = diagonal.shape[:-1] if low == high else diagonal.shape[:-2]
    return _spread(diagonal, low, high, jnp.full((*batch, rows, columns), padding_value), align)


def _padding(x: Any, value: Any) -> Any:
    """The padding value. The default 0 becomes False for booleans."""
    return False if type(value) is int and value == 0 and getattr(x, "dtype", None) == "bool" else value


@public("linalg.diag")
def diag(
    diagonal: Any,
    name: str = "diag",
    k: Any = 0,
    num_rows: Any = -1,
    num_cols: Any = -1,
    padding_value: Any = 0,
    align: str = "RIGHT_LEFT",
) -> Tensor:
    """Matrices with given diagonals.

    Args:
      diagonal: a tensor of shape (.., m), one diagonal for each matrix. For several diagonals the shape is (.., count,
        m), and the highest diagonal comes first.
      name: has no effect, as in eager TensorFlow.
      k: the number of the diagonal: 0 is the main one, positive numbers lie above it. For several diagonals a pair of
        the lowest and the highest.
      num_rows: the number of rows of each matrix. By default as many as needed; the matrix is square if `num_cols` is
        left out too.
      num_cols: the number of columns of each matrix.
      padding_value: a scalar for all other places.
      align: at which end of their row diagonals shorter than m sit. "RIGHT_LEFT" means those above the main diagonal at
        the right, those below it at the left. The others are "LEFT_RIGHT", "LEFT_LEFT" and "RIGHT_RIGHT".

    Raises:
      InvalidArgumentError: the shape of `diagonal`, `k`, `num_rows` and `num_cols` do not fit each other, or `align` is
        unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/diag

    >>> diag([1, 2]).numpy().tolist()
    [[1, 0], [0, 2]]
    """
    return _diag(diagonal, _padding(diagonal, padding_value), *_band(k), int(num_rows), int(num_cols), align)


@op()
def _diag_part(input: Same, padding_value: Same, low: int, high: int, align: str):
    if input.ndim < 2:
        raise invalid(f"input must be at least 2-dim, received shape: {list(input.shape)}")
    rows, columns = input.shape[-2:]
    longest = _longest(low, high, rows, columns)
    d = np.arange(high, low - 1, -1)[:, None]
    start, length = _offset(d, rows, columns, longest, align)
    along = np.arange(longest) - start
    inside = (along >= 0) & (along < length)
    at = np.where(inside, along, 0)
    out = jnp.where(inside, input[..., at + np.maximum(-d, 0), at + np.maximum(d, 0)], padding_value)
    return out[..., 0, :] if low == high else out


@public("linalg.diag_part")
def diag_part(
    input: Any, name: str = "diag_part", k: Any = 0, padding_value: Any = 0, align: str = "RIGHT_LEFT"
) -> Tensor:
    """The diagonals of matrices.

    Args:
      input: a tensor of shape (.., rows, columns).
      name: has no effect, as in eager TensorFlow.
      k: the diagonal, or a pair of the lowest and the highest, as in `diag`.
      padding_value: a scalar that fills the rows of diagonals that are shorter than the longest.
      align: at which end of their row such diagonals sit, as in `diag`.

    Returns:
      A tensor of shape (.., m) for one diagonal and of (.., count, m) for several, as `diag` takes it.

    Raises:
      InvalidArgumentError: `input` has fewer than two axes, or there is no such diagonal.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/diag_part

    >>> diag_part([[1, 2], [3, 4]]).numpy().tolist()
    [1, 4]
    """
    return _diag_part(input, _padding(input, padding_value), *_band(k), align)


@op()
def _set_diag(input: Same, diagonal: Same, low: int, high: int, align: str):
    if input.ndim < 2:
        raise invalid(f"input must be at least 2-dim, received shape: {list(input.shape)}")
    return _spread(diagonal, low, high, input, align)


@public("linalg.set_diag")
def set_diag(input: Any, diagonal: Any, name: str = "set_diag", k: Any = 0, align: str = "RIGHT_LEFT") -> Tensor:
    """A copy of matrices with other diagonals.

    Args:
      input: a tensor of shape (.., rows, columns).
      diagonal: the new diagonals, as in `diag`.
      name: has no effect, as in eager TensorFlow.
      k: the diagonal, or a pair of the lowest and the highest, as in `diag`.
      align: at which end of their row shorter diagonals sit, as in `diag`.

    Raises:
      InvalidArgumentError: the shape of `diagonal` does not fit, or there is no such diagonal.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/set_diag

    >>> set_diag([[1, 2], [3, 4]], [8, 9]).numpy().tolist()
    [[8, 2], [3, 9]]
    """
    return _set_diag(input, diagonal, *_band(k), align)


@op("linalg.tensor_diag")
def tensor_diag(diagonal: Array, name=None):
    """A tensor of twice the rank with the given elements on its diagonal and zeros elsewhere.

    The diagonal of a tensor of shape (*s, *s) consists of the elements at positions (*i, *i).

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/tensor_diag

    >>> tensor_diag([1, 2]).numpy().tolist()
    [[1, 0], [0, 2]]
    """
    return jnp.diag(diagonal.reshape(-1)).reshape(diagonal.shape * 2)


@op("linalg.tensor_diag_part")
def tensor_diag_part(input: Array, name=None):
    """The diagonal of a tensor of even rank: the elements at positions (*i, *i). The inverse of `tensor_diag`.

    Args:
      input: a tensor of shape (*s, *s).
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape s.

    Raises:
      InvalidArgumentError: the rank is odd, or the halves of the shape differ.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/tensor_diag_part

    >>> tensor_diag_part([[1, 2], [3, 4]]).numpy().tolist()
    [1, 4]
    """
    half = input.ndim // 2
    if input.ndim % 2 or input.shape[:half] != input.shape[half:]:
        raise invalid(f"`input` must have a shape of two equal halves, got {input.shape}")
    count = int(np.prod(input.shape[:half]))
    return jnp.diagonal(input.reshape(count, count)).reshape(input.shape[:half])
