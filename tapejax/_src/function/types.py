"""``tf.types.experimental``: types for annotations."""

import typing

import numpy as np

from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable
from tapejax._src.function.tracing.concrete import ConcreteFunction
from tapejax._src.function.tracing.function import Function

__all__ = ["ConcreteFunction", "Function", "TensorLike"]

TensorLike = typing.Union[  # noqa: UP007 (a Union as in TensorFlow, because programs read its `__args__`)
    Tensor, Variable, int, float, bool, str, bytes, complex, tuple, list, np.ndarray, np.generic
]
