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

from tapejax._src.core import dtypes, nest
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.specs import TensorSpec
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.core.variable import Variable

__all__ = ["LITERALS", "Arguments", "Signature", "conform", "describe"]

LITERALS: Final = frozenset({int, float, bool, complex, str, bytes, type(None)})
_KEYWORDS: Final = object()  # between the keys of positional and of keyword arguments
_NAN: Final = object()
_NONE: Final = object()  # no such default
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
        if kind in LITERALS:
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
            raise ValueError(f"{value!r} is no value: tf.TensorSpec belongs to `get_concrete_function`")
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
        flat = [
            next(rest) if _is_tensor(leaf) else leaf
            for leaf in nest.flatten((self.args, self.kwargs), expand_composites=True)
        ]
        return nest.pack_sequence_as((self.args, self.kwargs), flat, expand_composites=True)


def _is_tensor(leaf: Any) -> bool:
    return isinstance(leaf, (Tensor, np.ndarray, np.generic, jax.Array))


class _Identity:
    """An object as part of a key: equal only to itself, and to nothing once it is gone.

    A type whose objects come and go says as `trace_identity` what stays, the same for equal ones.
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
        # Specs leave out the instance, which TensorFlow too tells by this name.
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
        """What `count` positional arguments and those of these names are called, and how they may be given."""
        how = "POSITIONAL_OR_KEYWORD" if self._rest is None else "POSITIONAL_ONLY"
        return [*(f"{name} ({how})" for name in self.names(count)), *(f"{name} (KEYWORD_ONLY)" for name in names)]

    def names(self, count: int) -> list[str]:
        """What `count` positional arguments are called."""
        return [*(p.name for p in self._positional), *(f"{self._rest}_{i}" for i in range(count))][:count]

    def without_self(self) -> "Signature":
        """The signature of a method, called on an instance."""
        clone = copy.copy(self)
        if self._positional:
            clone.signature = self.signature.replace(parameters=list(self.signature.parameters.values())[1:])
            clone._read_parameters()
            clone._skip = 0
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
            args = self._constrained(args, kwargs)
        return Arguments(args, kwargs)

    def _constrained(self, args: tuple, kwargs: dict[str, Any]) -> tuple:
        """The arguments as `specs` want them; those without a spec must have their default values."""
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
    """A value as a tensor that fits a spec; what is none yet takes the spec's dtype.

    Raises:
      TypeError, ValueError: it does not fit.
    """
    if isinstance(value, (Tensor, Variable)):
        tensor = value if isinstance(value, Tensor) else value.value()
    else:
        tensor = to_tensor(value, dtypes.to_numpy(spec.dtype))
    if not spec.is_compatible_with(tensor):
        raise TypeError(f"Can not cast {TensorSpec(tensor.shape, tensor.dtype)} to {spec}")
    return tensor


def describe(value: Any) -> str:
    """A value's type as TensorFlow prints it: tensors by their spec, containers by their parts."""
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
