"""How the arguments of a captured function are bound, and which calls share a trace.

Tensors and what becomes one (NumPy and JAX arrays) count by shape and dtype, variables by shape, dtype and
whether two are the same, Python values by value, other objects by identity.
"""

import copy
import inspect
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import jax
import numpy as np

from tapejax import dtypes, nest
from tapejax.convert import to_tensor
from tapejax.function.spec import TensorSpec
from tapejax.tensor import Tensor, from_value
from tapejax.variable import Variable

__all__ = ["Arguments", "Signature", "describe"]

_LITERALS: Final = frozenset({int, float, bool, complex, str, bytes, type(None)})
_KEYWORDS: Final = object()  # between the keys of positional and of keyword arguments
_NAN: Final = object()
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Arguments:
    """One call's arguments.

    Attributes:
      key: equal for calls that share a trace.
      tensors: the tensors, in the order of `nest.flatten`.
      variables: the variables, likewise; the same one counts once.
    """

    __slots__ = ("args", "key", "kwargs", "tensors", "variables")

    def __init__(self, args: tuple, kwargs: dict[str, Any]):
        self.args = args
        self.kwargs = kwargs
        self.tensors: list[Tensor] = []
        self.variables: list[Variable] = []
        parts = [self._key(a) for a in args]
        if kwargs:
            parts.append(_KEYWORDS)
            for name in sorted(kwargs):
                parts += (name, self._key(kwargs[name]))
        self.key = tuple(parts)

    def _key(self, value: Any) -> Any:
        kind = type(value)
        if kind is Tensor:
            self.tensors.append(value)
            return value.aval
        if kind in _LITERALS:
            return value if value == value else _NAN
        if kind is list or kind is tuple:
            return (kind, *[self._key(v) for v in value])
        if isinstance(value, Variable):
            return self._variable(value)
        if isinstance(value, (np.ndarray, np.generic)):
            # The copy that every host array gets: what the caller does to it later must not matter.
            value = to_tensor(value) if value.dtype.kind in "SUO" else from_value(np.array(value))
            self.tensors.append(value)
            return value.aval
        if isinstance(value, jax.Array):
            self.tensors.append(value := to_tensor(value))
            return value.aval
        if isinstance(value, nest.CompositeTensor):
            return (kind, *[self._key(v) for v in value._components()])
        if isinstance(value, TensorSpec):
            raise TypeError(f"{value!r} is no value: tf.TensorSpec belongs to `get_concrete_function`")
        if isinstance(value, Mapping):
            names = sorted(value)
            return (dict, *names, *[self._key(value[n]) for n in names])
        if nest.is_nested(value):
            return (kind, *[self._key(v) for v in nest.children(value)])
        return _Identity(value)

    def _variable(self, variable: Variable) -> tuple:
        for i, known in enumerate(self.variables):
            if known is variable:
                return (Variable, i)
        self.variables.append(variable)
        return (Variable, variable._tensor.aval, variable.trainable)

    def rebuilt(self, tensors: Sequence[Tensor]) -> tuple[tuple, dict[str, Any]]:
        """The arguments with other tensors in the places of `self.tensors`."""
        rest = iter(tensors)
        flat = [next(rest) if _is_tensor(leaf) else leaf
                for leaf in nest.flatten((self.args, self.kwargs), expand_composites=True)]
        return nest.pack_sequence_as((self.args, self.kwargs), flat, expand_composites=True)


def _is_tensor(leaf: Any) -> bool:
    return isinstance(leaf, (Tensor, np.ndarray, np.generic, jax.Array))


class _Identity:
    """An object as part of a key: equal only to itself, and to nothing once it is gone."""

    __slots__ = ("_get", "_hash")

    def __init__(self, value: Any):
        self._hash = id(value)
        try:
            self._get: Callable[[], Any] = weakref.ref(value)
        except TypeError:
            self._get = lambda: value

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and (mine := self._get()) is not None and mine is other._get()


class Signature:
    """What a Python function takes, and which `TensorSpec`s it asks for.

    Args:
      fn: the function.
      specs: for its first positional parameters, (structures of) TensorSpecs; None for no such demand.

    Raises:
      TypeError: `specs` is no sequence of TensorSpecs, or leaves out a parameter without a default.
    """

    def __init__(self, fn: Callable, specs: Sequence[Any] | None):
        try:
            self.signature = inspect.signature(fn)
        except ValueError:  # some built-in functions tell nothing
            self.signature = inspect.signature(lambda *args, **kwargs: None)
        self._read_parameters()
        self.specs = None if specs is None else self._checked(specs)

    def _read_parameters(self) -> None:
        params = list(self.signature.parameters.values())
        self._positional = [p for p in params if p.kind in _POSITIONAL]
        self._plain = len(self._positional) == len(params)
        self._defaults = tuple(p.default for p in self._positional)
        self._required = sum(d is inspect.Parameter.empty for d in self._defaults)

    def _checked(self, specs: Any) -> tuple:
        if not isinstance(specs, (list, tuple)):
            raise TypeError(f"input_signature must be either a tuple or a list, got {type(specs)}.")
        wrong = [s for s in nest.flatten(specs) if not hasattr(s, "is_compatible_with")]
        if wrong:
            raise TypeError("input_signature must be a possibly nested sequence of TensorSpec objects, got invalid "
                            f"args {wrong} with types {[type(w) for w in wrong]}.")
        missing = [p.name for p in self._positional[len(specs):] if p.default is p.empty]
        if missing:
            raise TypeError(f"input_signature missing type constraint for {missing[0]}")
        return tuple(specs)

    @property
    def positional(self) -> list[str]:
        """Names of the positional parameters."""
        return [p.name for p in self._positional]

    def without_self(self) -> "Signature":
        """The signature of a method, called on an instance."""
        clone = copy.copy(self)
        if self._positional:
            clone.signature = self.signature.replace(parameters=list(self.signature.parameters.values())[1:])
            clone._read_parameters()
        return clone

    def bind(self, args: tuple, kwargs: dict[str, Any]) -> Arguments:
        """A call's arguments, defaults filled in, so that spelling does not matter.

        Raises:
          TypeError: as Python would, or a value that does not fit its TensorSpec.
        """
        given = len(args)
        if not (self._plain and not kwargs and self._required <= given <= len(self._positional)):
            args, kwargs = self._bind_slowly(args, kwargs)
        elif given < len(self._positional):
            args = args + self._defaults[given:]
        if self.specs is not None:
            args = (*(self._conform(a, s, args) for a, s in zip(args, self.specs, strict=False)),
                    *args[len(self.specs):])
        return Arguments(args, kwargs)

    def _bind_slowly(self, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as e:
            raise TypeError(f"Binding inputs to tf.function failed due to `{e}`. Received args: {args} and kwargs: "
                            f"{kwargs} for signature: {self.signature}.") from None
        bound.apply_defaults()
        return bound.args, bound.kwargs

    def _conform(self, value: Any, spec: Any, args: tuple) -> Any:
        if not isinstance(spec, TensorSpec):
            if not nest.is_nested(spec):
                return value
            nest.assert_same_structure(value, spec)
            leaves = [self._conform(v, s, args) for v, s in zip(nest.flatten(value), nest.flatten(spec), strict=True)]
            return nest.pack_sequence_as(value, leaves)
        if isinstance(value, (Tensor, Variable)):
            tensor = value if isinstance(value, Tensor) else value.value()
        else:
            tensor = to_tensor(value, None if hasattr(value, "dtype") else dtypes.to_numpy(spec.dtype))
        if not spec.is_compatible_with(tensor):
            own = TensorSpec(tensor.shape, tensor.dtype)
            raise TypeError(f"Binding inputs to tf.function failed due to `Can not cast {own} to {spec}`. Received "
                            f"args: {args} for signature: {self.signature}.")
        return tensor


def describe(value: Any) -> str:
    """A value's type as TensorFlow prints it: tensors by their spec, containers by their parts."""
    if isinstance(value, (Tensor, Variable, np.ndarray, np.generic)):
        dtype = dtypes.as_dtype(value.dtype)
        return repr(TensorSpec(value.shape, dtype))
    if isinstance(value, TensorSpec):
        return repr(value)
    if isinstance(value, Mapping):
        return "Dict[" + ", ".join(f"[{k!r}, {describe(v)}]" for k, v in sorted(value.items())) + "]"
    if isinstance(value, (list, tuple)):
        return f"{'List' if isinstance(value, list) else 'Tuple'}[{', '.join(map(describe, value))}]"
    return "None" if value is None else f"Literal[{value!r}]" if type(value) in _LITERALS else type(value).__name__
