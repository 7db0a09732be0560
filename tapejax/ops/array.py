"""Ops that rearrange tensors: reshape, transpose, concat, stack, split, pad, and what asks for a shape."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax import convert, dtypes, errors
from tapejax.convert import to_tensor
from tapejax.engine import stream
from tapejax.ops.registry import Array, Arrays, Axis, Shape, op, public
from tapejax.shape import TensorShape
from tapejax.tensor import Tensor, from_value

__all__ = [
    "broadcast_dynamic_shape", "broadcast_to", "concat", "ensure_shape", "expand_dims", "identity", "identity_n",
    "pad", "rank", "repeat", "reshape", "reverse", "roll", "shape", "shape_n", "size", "split", "squeeze", "stack",
    "stop_gradient", "tile", "transpose", "unstack"]


def invalid(text: str) -> errors.InvalidArgumentError:
    """The error that TensorFlow's kernels raise on bad arguments."""
    return errors.InvalidArgumentError(message=text)


def check_axis(axis: int, ndim: int, what: str) -> int:
    """`axis` counted from the front.

    Raises:
      InvalidArgumentError: out of range.
    """
    if not -ndim <= axis < ndim:
        raise invalid(f"`axis` of {what} must be in [{-ndim}, {ndim}), got {axis}")
    return axis % ndim


def host_value(t: Tensor) -> np.ndarray | None:
    """The value of a tensor if it is on the host already, without running anything."""
    return t._value if type(t._value) is np.ndarray else None


def static_ints(value: Any, what: str) -> tuple[int, ...]:
    """Ints that must be known when recording (sizes, paddings flattened): tensors among them are read.

    Raises:
      TypeError: not integers.
    """
    array = np.asarray(value if not isinstance(value, (list, tuple)) else [
        np.asarray(v) if isinstance(v, Tensor) or hasattr(v, "__jax_array__") else v for v in value])
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{what} must be integers, got {value!r}")
    return tuple(int(v) for v in array.ravel())


def _same_dtypes(values: list[Any], name: str) -> None:
    for i, v in enumerate(values):
        if v.dtype != values[0].dtype:
            raise invalid(f"cannot compute {name} as input #{i}(zero-based) was expected to be a {values[0].dtype} "
                          f"tensor but is a {v.dtype} tensor")


# --- identity -------------------------------------------------------------------------------------------------


@op("identity")
def _identity(input: Array, name=None):
    return input


def _text(t: Tensor) -> bool:
    return t.aval.dtype == object


def identity(input: Any, name: str | None = None) -> Tensor:
    """A tensor with the same value, never the same object.

    Source: https://www.tensorflow.org/api_docs/python/tf/identity

    >>> identity([1, 2]).numpy().tolist()
    [1, 2]
    """
    t = to_tensor(input)
    return from_value(t._value) if _text(t) else _identity(t)


del_names = None
