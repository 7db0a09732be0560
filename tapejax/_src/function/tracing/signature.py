"""Binds the arguments of a captured function, and decides which calls share a trace.

Two calls share a trace if their arguments have equal keys. The key of a tensor, or of a NumPy or JAX array, consists of
shape and dtype. The key of a variable consists of shape, dtype and `trainable`; a variable that occurs twice is
recognized. Python values count by their value, and other objects by identity.
"""

import copy
import inspect
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import jax
import numpy as np

from tapejax._src.core import dtypes, nest
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.specs import TensorSpec
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.core.variable import Variable

__all__ = ["LITERALS", "Arguments", "Signature", "conform", "describe"]

LITERALS: Final = frozenset({int, float, bool, complex, str, bytes, type(None)})
_KEYWORDS: Final = object()  # separates the keys of positional arguments from those of keyword arguments
_NAN: Final = object()  # the key of NaN, which is not equal to itself
_NONE: Final = object()  # takes the place of a default where a parameter has none
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Arguments:
    """The arguments of one call.

    Attributes:
      args: the positional arguments.
      kwargs: the keyword arguments.
      key: a hashable value that is equal for calls that share a trace.
      tensors: the tensors among the arguments, in the order of `nest.flatten`.
      variables: the variables among the arguments, in the same order, without repetition.
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
        if kind in LITERALS:
            return value if value == value else _NAN
        if kind is list or kind is tuple:
            return (kind, *[self._key(v) for v in value])
        if isinstance(value, Variable):
            return self._variable(value)
        if isinstance(value, (np.ndarray, np.generic)):
            # Every NumPy array is copied, so that later changes to it have no effect.
            value = to_tensor(value) if value.dtype.kind in "SUO" else from_value(np.array(value))
            self.tensors.append(value)
            return value.aval
        if isinstance(value, jax.Array):
            self.tensors.append(value := to_tensor(value))
            return value.aval
        if isinstance(value, nest.CompositeTensor):
            return (kind, *[self._key(v) for v in value._components()])
        if isinstance(value, TensorSpec):
            raise ValueError(
                f"{value!r} is not a value. Only `get_concrete_function` accepts a tf.TensorSpec in place of a tensor"
            )
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
        """The arguments with other tensors in place of `self.tensors`."""
        rest = iter(tensors)
        flat = [
            next(rest) if _is_tensor(leaf) else leaf
            for leaf in nest.flatten((self.args, self.kwargs), expand_composites=True)
        ]
        return nest.pack_sequence_as((self.args, self.kwargs), flat, expand_composites=True)


def _is_tensor(leaf: Any) -> bool:
    return isinstance(leaf, (Tensor, np.ndarray, np.generic, jax.Array))


class _Identity:
    """A part of a key that stands for an object and is equal only for the same object.

    It does not keep the object alive. When the object is gone, it is equal to nothing. If the objects of a class are
    short-lived stand-ins for something else, the class names the lasting object in an attribute `trace_identity`.
    """

    __slots__ = ("_get", "_hash")

    def __init__(self, value: Any):
        if type(value).__hash__ is None:
            raise TypeError(
                f"Could not generate a generic TraceType for {value!r}. Please verify that it is "
                "immutable/hashable: what changes cannot tell calls apart"
            )
        if hasattr(type(value), "trace_identity"):
            value = value.trace_identity
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
    """The parameters of a Python function, and the `TensorSpec`s given for them.

    Args:
      fn: the function.
      specs: TensorSpecs, or structures of TensorSpecs, for the first positional parameters; None if there are none.

    Raises:
      TypeError: `specs` is not a sequence of TensorSpecs, or leaves out a parameter without a default.
    """

    def __init__(self, fn: Callable, specs: Sequence[Any] | None):
        try:
            self.signature = inspect.signature(fn)
        except ValueError:  # some built-in functions have no signature that can be read
            self.signature = inspect.signature(lambda *args, **kwargs: None)
        self._read_parameters()
        # There is no spec for the instance of a method. Like TensorFlow, this recognizes it by the name "self".
        self._skip = int(bool(self._positional) and self._positional[0].name == "self")
        self.specs = None if specs is None else self._checked(specs)

    def _read_parameters(self) -> None:
        params = list(self.signature.parameters.values())
        self._positional = [p for p in params if p.kind in _POSITIONAL]
        self._plain = len(self._positional) == len(params)
        self._rest = next((p.name for p in params if p.kind is inspect.Parameter.VAR_POSITIONAL), None)
        self._defaults = tuple(p.default for p in self._positional)
        self._required = sum(d is inspect.Parameter.empty for d in self._defaults)

    def _checked(self, specs: Any) -> tuple:
        if not isinstance(specs, (list, tuple)):
            raise TypeError(f"input_signature must be either a tuple or a list, got {type(specs)}.")
        wrong = [s for s in nest.flatten(specs) if not hasattr(s, "is_compatible_with")]
        if wrong:
            raise TypeError(
                "input_signature must be a possibly nested sequence of TensorSpec objects, got invalid "
                f"args {wrong} with types {[type(w) for w in wrong]}."
            )
        named = self._positional[self._skip :]
        missing = [p.name for p in named[len(specs) :] if p.default is p.empty]
        if missing:
            raise TypeError(f"input_signature missing type constraint for {missing[0]}")
        if len(specs) > len(named) and self._rest is None:
            raise TypeError(f"input_signature contains {len(specs) - len(named)} extra type constraints.")
        for p in self.signature.parameters.values():
            if p.kind is p.KEYWORD_ONLY and p.default is p.empty:
                raise TypeError(
                    f"Since input_signature is defined, keyword-only parameter `{p.name}` must have a default value"
                )
        return tuple(specs)

    def labels(self, count: int, names: Sequence[str]) -> list[str]:
        """Texts for `count` positional arguments and the named keyword arguments: name, and how they may be passed."""
        how = "POSITIONAL_OR_KEYWORD" if self._rest is None else "POSITIONAL_ONLY"
        return [*(f"{name} ({how})" for name in self.names(count)), *(f"{name} (KEYWORD_ONLY)" for name in names)]

    def names(self, count: int) -> list[str]:
        """The names of the first `count` positional arguments."""
        return [*(p.name for p in self._positional), *(f"{self._rest}_{i}" for i in range(count))][:count]

    def without_self(self) -> "Signature":
        """The signature without the first parameter, as for a method that is called on an instance."""
        clone = copy.copy(self)
        if self._positional:
            clone.signature = self.signature.replace(parameters=list(self.signature.parameters.values())[1:])
            clone._read_parameters()
            clone._skip = 0
        return clone

    def bind(self, args: tuple, kwargs: dict[str, Any]) -> Arguments:
        """The arguments of a call, with defaults filled in, so that different ways to write a call share a trace.

        Raises:
          TypeError: the arguments do not match the parameters, or one does not fit its TensorSpec.
        """
        given = len(args)
        if not (self._plain and not kwargs and self._required <= given <= len(self._positional)):
            args, kwargs = self._bind_slowly(args, kwargs)
        elif given < len(self._positional):
            args = args + self._defaults[given:]
        if self.specs is not None:
            args = self._constrained(args, kwargs)
        return Arguments(args, kwargs)

    def _constrained(self, args: tuple, kwargs: dict[str, Any]) -> tuple:
        """The arguments converted to `specs`. Arguments without a spec must have their default values."""
        first, last = self._skip, self._skip + len(self.specs or ())
        if len(args) < last:
            raise self._refusal(f"missing a required argument: '{self.names(last)[len(args)]}'", args)
        rest = [*zip(args[last:], [*self._defaults[last:], *[_NONE] * len(args)], strict=False)]
        for name, value in kwargs.items():
            parameter = self.signature.parameters.get(name)
            if parameter is None:
                raise self._refusal(f"got an unexpected keyword argument '{name}'", args)
            rest.append((value, parameter.default))
        for value, default in rest:
            if default is _NONE:
                raise self._refusal("too many positional arguments", args)
            if value is not default and (type(value) not in LITERALS or value != default):
                raise self._refusal(f"Can not cast {describe(value)} to {describe(default)}", args)
        conformed = (self._conform(a, s, args) for a, s in zip(args[first:last], self.specs or (), strict=True))
        return (*args[:first], *conformed, *args[last:])

    def _refusal(self, reason: Any, args: tuple) -> TypeError:
        shown = ", ".join(map(describe, args))
        return TypeError(
            f"Binding inputs to tf.function failed due to `{reason}`. Received args: ({shown}) for "
            f"signature: {self.signature}."
        )

    def _bind_slowly(self, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as e:
            raise TypeError(
                f"Binding inputs to tf.function failed due to `{e}`. Received args: {args} and kwargs: "
                f"{kwargs} for signature: {self.signature}."
            ) from None
        bound.apply_defaults()
        return bound.args, bound.kwargs

    def _conform(self, value: Any, spec: Any, args: tuple) -> Any:
        if not isinstance(spec, TensorSpec):
            if not nest.is_nested(spec):
                return value
            try:
                nest.assert_same_structure(value, spec)
            except (TypeError, ValueError) as e:
                raise self._refusal(e, args) from None
            leaves = [self._conform(v, s, args) for v, s in zip(nest.flatten(value), nest.flatten(spec), strict=True)]
            return nest.pack_sequence_as(value, leaves)
        try:
            return conform(value, spec)
        except (TypeError, ValueError) as e:
            raise self._refusal(e, args) from None


def conform(value: Any, spec: TensorSpec) -> Tensor:
    """Converts a value to a tensor that fits a spec. Values that are not tensors are converted to the spec's dtype.

    Raises:
      TypeError, ValueError: the value does not fit.
    """
    if isinstance(value, (Tensor, Variable)):
        tensor = value if isinstance(value, Tensor) else value.value()
    else:
        tensor = to_tensor(value, dtypes.to_numpy(spec.dtype))
    if not spec.is_compatible_with(tensor):
        raise TypeError(f"Can not cast {TensorSpec(tensor.shape, tensor.dtype)} to {spec}")
    return tensor


def describe(value: Any) -> str:
    """The type of a value as TensorFlow prints it: a tensor as its spec, a container with the types of its elements."""
    if isinstance(value, (Tensor, Variable, np.ndarray, np.generic)):
        dtype = dtypes.as_dtype(value.dtype)
        return repr(TensorSpec(value.shape, dtype))
    if isinstance(value, TensorSpec):
        return repr(TensorSpec(value.shape, value.dtype))
    if isinstance(value, Mapping):
        return "Dict[" + ", ".join(f"[{k!r}, {describe(v)}]" for k, v in sorted(value.items())) + "]"
    if isinstance(value, (list, tuple)):
        return f"{'List' if isinstance(value, list) else 'Tuple'}[{', '.join(map(describe, value))}]"
    return f"Literal[{value!r}]" if type(value) in LITERALS else type(value).__name__
