"""Decides which values in AutoGraph's statements become part of the captured program, and which stay in Python."""

from typing import Any

import numpy as np

from tapejax._src.core import nest
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable
from tapejax._src.function.control_flow.regions import is_staged
from tapejax._src.function.control_flow.tensor_array import TensorArray
from tapejax._src.ops.array.layout import reshape

__all__ = ["is_tensor", "read", "staged", "value_like", "verified_condition"]


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor or a variable."""
    return isinstance(value, (Tensor, Variable))


def staged(value: Any) -> bool:
    """Whether control flow that depends on this value must become part of the captured program."""
    return is_tensor(value) and is_staged([value])


def verified_condition(value: Any, what: str) -> Tensor:
    """A condition as a bool scalar tensor.

    Args:
      value: the condition.
      what: the kind of statement, for messages.

    Raises:
      ValueError: `value` is not a bool scalar.
    """
    tensor = to_tensor(value)
    hint = "to check for None, use `is not None`"
    if tensor.aval.dtype != np.bool_:
        raise ValueError(
            f"condition of {what} expected to be `tf.bool` scalar, got {tensor.dtype.name} of shape "
            f"{tensor.shape}; to use as boolean Tensor, use `tf.cast`; {hint}"
        )
    if tensor.aval.shape:
        if np.prod(tensor.aval.shape) != 1:
            raise ValueError(f"condition of {what} expected to be `tf.bool` scalar, got shape {tensor.shape}; {hint}")
        tensor = reshape(tensor, [])
    return tensor


def value_like(value: Any) -> Any:
    """The value itself if it can be part of the program, otherwise None.

    Tensors, variables, numbers, arrays, strings and structures of these can.
    """
    leaves = nest.flatten(value, expand_composites=True)
    if value is None or not all(isinstance(v, _VALUES) for v in leaves):
        return None
    return value


def read(value: Any) -> Any:
    """The value with variables replaced by their current values. A value that must stay in Python is not changed."""
    if value_like(value) is None:
        return value
    return nest.map_structure(lambda v: v.value() if isinstance(v, Variable) else v, value, expand_composites=True)


_VALUES = (Tensor, Variable, TensorArray, bool, int, float, complex, np.ndarray, np.generic, str, bytes)
