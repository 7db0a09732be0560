"""``tf.types``: names for annotations."""

import typing
from types import SimpleNamespace

import numpy as np

from tapejax import missing
from tapejax.function.concrete import ConcreteFunction
from tapejax.function.function import Function
from tapejax.tensor import Tensor
from tapejax.variable import Variable

__all__ = ["experimental"]

experimental = SimpleNamespace(
    TensorLike=typing.Union[  # noqa: UP007 (as in TensorFlow: code asks for its `__args__`)
        Tensor, Variable, int, float, bool, str, bytes, complex, tuple, list, np.ndarray, np.generic],
    Callable=Function, GenericFunction=Function, PolymorphicFunction=Function, ConcreteFunction=ConcreteFunction)
__getattr__ = missing.module_getattr(__name__, globals())
