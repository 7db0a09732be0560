"""Python's operators for tensors: ``+``, ``@``, ``==``, ``x[i]`` and so on. `attach` gives them to a class."""

from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import versions
from tapejax._src.core.shape import TensorShape, broadcast_static_shape
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.ops.array.indexing import getitem
from tapejax._src.ops.array.joining import unstack
from tapejax._src.ops.array.layout import host_value
from tapejax._src.ops.linalg.products import matmul
from tapejax._src.ops.math import comparison, elementwise
from tapejax._src.ops.registry import Same, op

__all__ = ["attach"]

# Iterating over a tensor of at most this many rows splits it in one op. Longer ones are indexed row by row, so that
# rows that the loop never reaches are not computed.
_UNSTACK = 64


def _bits(x: Any) -> None:
    if x.dtype.kind not in "iu":
        raise invalid(f"Value for attr 'T' of {x.dtype} is not in the list of allowed values: the integer types")


def _bitwise(name: str, on_bools: Callable, on_host: Callable, on_device: Callable) -> Callable[[Any, Any], Any]:
    """Makes an operator that is logical for booleans and bitwise for integers."""

    def compute(x: Same, y: Same) -> Any:
        _bits(x)
        return on_device(x, y)

    compute.__name__ = name
    bits = op(differentiable=False, host=on_host)(compute)

    def apply(x: Any, y: Any) -> Any:
        known = x if isinstance(x, Tensor) else y
        return (on_bools if to_tensor(known).aval.dtype.kind == "b" else bits)(x, y)

    return apply


_and = _bitwise("bitwise_and", comparison.logical_and, np.bitwise_and, jnp.bitwise_and)
_or = _bitwise("bitwise_or", comparison.logical_or, np.bitwise_or, jnp.bitwise_or)
_xor = _bitwise("bitwise_xor", comparison.logical_xor, np.bitwise_xor, jnp.bitwise_xor)


@op(differentiable=False, host=np.invert)
def _invert_bits(x: Same):
    _bits(x)
    return jnp.invert(x)


def _invert(x: Any) -> Any:
    return (comparison.logical_not if to_tensor(x).aval.dtype.kind == "b" else _invert_bits)(x)


def _binary(fn: Callable) -> tuple[Callable, Callable]:
    """Makes the method of an operator, such as ``__add__``, and its reflected form, such as ``__radd__``."""

    def method(self: Any, other: Any) -> Any:
        try:
            return fn(self, other)
        except (TypeError, ValueError):
            # If `other` is an object of another library with operators of its own, Python should try those, as with
            # TensorFlow's tensors.
            if _unknown(other):
                return NotImplemented
            raise

    def reflected(self: Any, other: Any) -> Any:
        return fn(other, self)

    return method, reflected


def _unknown(other: Any) -> bool:
    return hasattr(type(other), "__radd__") and not isinstance(
        other, (Tensor, int, float, complex, np.generic, np.ndarray, list, tuple, str)
    )


def _equality(fn: Callable, otherwise: bool) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if other is None:
            return otherwise
        if type(other) not in (int, float, bool):
            if type(other) in versions:
                return NotImplemented  # ragged and sparse tensors have their own `__eq__`
            x = to_tensor(self)
            y = other = other if isinstance(other, Tensor) else to_tensor(other, None, x.aval.dtype)
            if y.aval.dtype == object and x.aval.dtype != object:
                raise TypeError(f"Cannot convert {other!r} to EagerTensor of dtype {x.dtype.name}")
            if x.aval.dtype == y.aval.dtype == object:
                return _strings(x, y, otherwise)
            if x.aval.dtype == y.aval.dtype and x.aval.shape != y.aval.shape:
                try:
                    broadcast_static_shape(TensorShape(x.aval.shape), TensorShape(y.aval.shape))
                except ValueError:
                    return from_value(np.array(otherwise))
        return fn(self, other)

    return method


def _strings(x: Tensor, y: Tensor, otherwise: bool) -> Tensor:
    a, b = host_value(x), host_value(y)
    assert a is not None and b is not None
    try:
        return from_value(np.asarray((a != b) if otherwise else (a == b), bool))
    except ValueError:
        return from_value(np.array(otherwise))


def _iterate(self: Any) -> Iterator[Tensor]:
    x = to_tensor(self)
    if not x.aval.shape:
        raise TypeError("Cannot iterate over a scalar tensor.")
    if x.aval.shape[0] <= _UNSTACK:
        return iter(unstack(x))
    return (getitem(x, i) for i in range(x.aval.shape[0]))


def _negative(self: Any) -> Any:
    kind = to_tensor(self).aval.dtype.kind
    if kind in "bu":
        raise invalid(
            f"Value for attr 'T' of {to_tensor(self).dtype.name} is not in the list of allowed values: "
            "`-` needs a signed type"
        )
    return elementwise.negative(self)


def _no_hash(self: Any) -> int:
    kind = type(self).__name__
    word = "Variable" if "Variable" in kind else "Tensor"
    raise TypeError(f"{word} is unhashable. Instead, use {word.lower()}.ref() as the key.")


_METHODS: dict[str, Callable] = {
    "__getitem__": getitem,
    "__iter__": _iterate,
    "__hash__": _no_hash,
    "__neg__": _negative,
    "__invert__": _invert,
    "__abs__": lambda self: elementwise.absolute(self),
    "__eq__": _equality(comparison.equal, False),
    "__ne__": _equality(comparison.not_equal, True),
}
for _name, _fn in {
    "lt": comparison.less,
    "le": comparison.less_equal,
    "gt": comparison.greater,
    "ge": comparison.greater_equal,
}.items():
    _METHODS[f"__{_name}__"] = _binary(_fn)[0]
for _name, _fn in {
    "add": elementwise.add,
    "sub": elementwise.subtract,
    "mul": elementwise.multiply,
    "truediv": elementwise.divide,
    "floordiv": elementwise.floordiv,
    "mod": elementwise.floormod,
    "pow": elementwise.power,
    "matmul": matmul,
    "and": _and,
    "or": _or,
    "xor": _xor,
}.items():
    _METHODS[f"__{_name}__"], _METHODS[f"__r{_name}__"] = _binary(_fn)


def attach(cls: type) -> None:
    """Gives a class the operators of tensors.

    Args:
      cls: `Tensor`, or a class whose objects convert to tensors. Its methods are set in place.

    Source: https://www.tensorflow.org/api_docs/python/tf/Tensor

    >>> from tapejax._src.core.convert import to_tensor
    >>> (to_tensor([1, 2]) + 1)[-1].numpy().item()
    3
    """
    for name, method in _METHODS.items():
        setattr(cls, name, method)


Tensor.OVERLOADABLE_OPERATORS = set(_METHODS) - {"__hash__", "__iter__"}  # type: ignore[attr-defined]
attach(Tensor)
