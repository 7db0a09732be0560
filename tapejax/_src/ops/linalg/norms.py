"""Norms of vectors, matrices and lists of tensors, and clipping by norm."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core.checks import need
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.ops.array.casting import cast
from tapejax._src.ops.array.layout import check_axis, same_dtypes, static_ints
from tapejax._src.ops.math.elementwise import divide
from tapejax._src.ops.math.zero_guards import sqrt_rule
from tapejax._src.ops.registry import Array, Arrays, Axis, Same, op

__all__ = ["clip_by_global_norm", "clip_by_norm", "global_norm", "norm", "normalize"]


@op()
def _norm(tensor: Array, ord, axis: Axis, keepdims=False):
    need("fc", tensor)
    axes = (
        None
        if axis is None
        else tuple(check_axis(a, tensor.ndim, "norm") for a in (axis if isinstance(axis, tuple) else (axis,)))
    )
    # The derivative of the product at 0 is 0, as in TensorFlow. That of `jnp.abs` would be 1.
    size = jnp.abs(tensor) if tensor.dtype.kind == "c" else tensor * jnp.sign(tensor)
    if ord in ("fro", "euclidean") or (ord == 2 and (axes is None or len(axes) == 1)):
        squares = jnp.sum(tensor * jnp.conj(tensor), axes, keepdims=keepdims, dtype=tensor.dtype)
        return sqrt_rule(squares)
    if axes is None or len(axes) == 1:
        if ord == 1:
            return jnp.sum(size, axes, keepdims=keepdims)
        if ord == np.inf:
            return jnp.max(size, axes, keepdims=keepdims)
        return jnp.sum(size**ord, axes, keepdims=keepdims) ** (1.0 / ord)
    if ord == 2:
        values = jnp.linalg.svd(jnp.moveaxis(tensor, axes, (-2, -1)), compute_uv=False)
        top = jnp.max(values, -1)
        return jnp.expand_dims(top, axes) if keepdims else top
    first, second = axes if ord == 1 else axes[::-1]
    out = jnp.max(jnp.sum(size, first, keepdims=True), second, keepdims=True)
    return out if keepdims else jnp.squeeze(out, axes)


@public("norm", "linalg.norm")
def norm(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool | None = None, name: str | None = None
) -> Tensor:
    """The norm of vectors or matrices. The gradient of the Euclidean norm at 0 is nan, as in TensorFlow.

    Args:
      tensor: a tensor of floating or complex numbers.
      ord: for vectors "euclidean", 1, 2, `np.inf` or any p > 0; for matrices "euclidean", "fro", 1, 2 or `np.inf`.
      axis: None: all elements form one vector. An int: the axis of the vectors. A pair: the axes of the matrices.
      keepdims: whether the reduced axes stay, with size 1.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `ord` or `axis` is not one of these.

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


@public("linalg.normalize")
def normalize(tensor: Any, ord: Any = "euclidean", axis: Any = None, name: str | None = None) -> tuple[Tensor, Tensor]:
    """`tensor` divided by its norm.

    Args:
      tensor: a tensor of floating or complex numbers.
      ord: the norm, as in `norm`.
      axis: the axis or axes, as in `norm`.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The tuple (normalized, norm). The reduced axes of the norm have size 1.

    Raises:
      ValueError: `ord` or `axis` is not allowed.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/normalize

    >>> [t.numpy().tolist() for t in normalize([0.0, 4.0])]
    [[0.0, 1.0], [4.0]]
    """
    t = to_tensor(tensor)
    size = norm(t, ord, axis, keepdims=True)
    return divide(t, cast(size, t.dtype)), size


@op("clip_by_norm")
def clip_by_norm(t: Same, clip_norm: Same, axes: Axis = None, name=None):
    """Scales `t` down so that its Euclidean norm is at most `clip_norm`. A tensor with a smaller norm is not changed.

    Args:
      t: a tensor of floating or complex numbers.
      clip_norm: the largest norm, a scalar or a tensor that broadcasts.
      axes: the axes over which the norm is computed. By default it is the norm of all elements.
      name: has no effect, as in eager TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/clip_by_norm

    >>> clip_by_norm([3.0, 4.0], 10.0).numpy().tolist()
    [3.0, 4.0]
    """
    need("fc", t)
    clip_norm = jnp.where(clip_norm >= 0, clip_norm, 0)
    squares = jnp.sum(t * t, axes, keepdims=True, dtype=t.dtype)
    some = squares > 0
    length = jnp.where(some, jnp.sqrt(jnp.where(some, squares, 1)), squares)
    # If both are equal, the length gets the gradient, because it is the first argument of TensorFlow's maximum.
    return t * clip_norm / jnp.where(length >= clip_norm, length, clip_norm)


def _length(tensors: Any) -> Any:
    """The norm of all tensors together. As in TensorFlow, it sums halves of the squares and doubles the sum."""
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
    """The tensors in a list of tensors, IndexedSlices and None: the values of IndexedSlices, and no None."""
    if not isinstance(t_list, (list, tuple)):
        raise TypeError(f"`t_list` should be a sequence of tensors. Received {type(t_list)}.")
    return [to_tensor(t.values if _sliced(t) else t) for t in t_list if t is not None]


def _sliced(t: Any) -> bool:
    return hasattr(t, "indices") and hasattr(t, "values")


@public("linalg.global_norm")
def global_norm(t_list: Any, name: str | None = None) -> Tensor:
    """The Euclidean norm of all elements of all tensors in a list.

    Args:
      t_list: a list of tensors, IndexedSlices and None. None adds nothing.
      name: has no effect, as in eager TensorFlow.

    Raises:
      TypeError: `t_list` is not a list or tuple.

    Source: https://www.tensorflow.org/api_docs/python/tf/linalg/global_norm

    >>> global_norm([[3.0], None, [4.0]]).numpy().item()
    5.0
    """
    values = _entries(t_list)
    return _global_norm(values) if values else to_tensor(np.float32(0))


@public("clip_by_global_norm")
def clip_by_global_norm(
    t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Any], Tensor]:
    """Scales a list of tensors by one factor, so that the norm of all of them together is at most `clip_norm`.

    Args:
      t_list: a list of tensors, IndexedSlices and None, such as gradients.
      clip_norm: the largest norm, a scalar.
      use_norm: the norm of the list, if it is known.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The scaled list, with None where `t_list` has it, and the norm before scaling. An infinite norm makes all results
      nan.

    Raises:
      TypeError: `t_list` is not a list or tuple.

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
    out = [
        None if t is None else type(t)(next(rest), t.indices, t.dense_shape) if _sliced(t) else next(rest)
        for t in t_list
    ]
    return out, found if use_norm is None else use_norm
