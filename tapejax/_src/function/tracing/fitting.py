"""Checks the arguments of a call against those for which a function was captured."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from tapejax._src.core import dtypes, errors, nest
from tapejax._src.core.specs import TensorSpec
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable
from tapejax._src.function.tracing.signature import LITERALS, Arguments, Signature, conform, describe

__all__ = ["Fitting"]


class Fitting:
    """Brings the arguments of a call into the structure of the arguments for which a function was captured.

    Args:
      name: the function's name, for messages.
      arguments: the arguments for which it was captured.
      signature: the function's signature.

    Attributes:
      structure: the arguments and keyword arguments, with a `TensorSpec` in place of each tensor. Its name tells where
        the tensor is: "d_a" stands for ``d["a"]``.
    """

    def __init__(self, name: str, arguments: Arguments, signature: Signature):
        self._name = name
        self._signature = signature
        given = (arguments.args, arguments.kwargs)
        names = [*signature.names(len(given[0])), *sorted(given[1])]
        values = [*given[0], *(given[1][k] for k in sorted(given[1]))]
        paths = [path for n, value in zip(names, values, strict=True) for path in _paths(value, n)]
        leaves = nest.flatten(given, expand_composites=True)
        self.structure = nest.pack_sequence_as(given, list(map(_spec, leaves, paths)), expand_composites=True)

    def labels(self) -> list[tuple[str, Any]]:
        """A pair for each parameter: its name as text, and the value for which the function was captured."""
        args, kwargs = self.structure
        return list(zip(self._signature.labels(len(args), tuple(kwargs)), (*args, *kwargs.values()), strict=True))

    def __call__(self, args: tuple, kwargs: dict[str, Any]) -> Arguments:
        """The arguments of a call. Python values may be left out; if given, they must be equal to the captured ones.

        Raises:
          TypeError: arguments are missing or too many, or a Python value differs.
          InvalidArgumentError: a tensor has another shape or dtype.
        """
        wanted, named = self.structure
        if len(args) > len(wanted):
            raise self._refusal("too many positional arguments")
        names, kwargs = self._signature.names(len(wanted)), dict(kwargs)
        rest = map(partial(self._taken, kwargs), names[len(args) :], wanted[len(args) :])
        filled, chosen = [*args, *rest], {name: self._taken(kwargs, name, spec) for name, spec in named.items()}
        if kwargs:
            raise self._refusal(f"got an unexpected keyword argument '{next(iter(kwargs))}'")
        return Arguments(tuple(map(self._fit, filled, wanted)), {n: self._fit(v, named[n]) for n, v in chosen.items()})

    def _taken(self, kwargs: dict[str, Any], name: str, spec: Any) -> Any:
        if name in kwargs:
            return kwargs.pop(name)
        if any(isinstance(leaf, (TensorSpec, Variable)) for leaf in nest.flatten(spec, expand_composites=True)):
            raise self._refusal(f"missing a required argument: '{name}'")
        return spec

    def _fit(self, value: Any, spec: Any) -> Any:
        if nest.is_nested(spec) or isinstance(spec, nest.CompositeTensor):
            try:
                nest.assert_same_structure(value, spec, expand_composites=True)
            except (TypeError, ValueError) as e:
                raise self._refusal(e) from None
            leaves = map(self._fit, nest.flatten(value, True), nest.flatten(spec, True))
            return nest.pack_sequence_as(value, list(leaves), expand_composites=True)
        if isinstance(spec, TensorSpec):
            try:
                return conform(value, spec)
            except (TypeError, ValueError) as e:
                if isinstance(value, (Tensor, Variable)):
                    raise errors.InvalidArgumentError(message=str(self._refusal(e))) from None
                raise self._refusal(e) from None
        if isinstance(spec, Variable):
            fits = isinstance(value, Variable)
        else:  # only literals are compared by `==`, which for other objects may not return a bool
            fits = value is spec or (type(value) in LITERALS and type(spec) in LITERALS and value == spec)
        if not fits:
            raise self._refusal(f"Can not cast {describe(value)} to {describe(spec)}")
        return value

    def _refusal(self, reason: Any) -> TypeError:
        return TypeError(
            f"Binding inputs to tf.function failed due to `{reason}`. {self._name} was captured for {self.structure}."
        )


def _paths(value: Any, name: str) -> list[str]:
    """One name for each leaf of a structure, made of the given name and the keys that lead to the leaf."""
    if not nest.is_nested(value):
        return [name] * len(nest.flatten(value, expand_composites=True))
    parts = nest.children(value)
    keys = sorted(value) if isinstance(value, Mapping) else range(len(parts))
    return [path for key, part in zip(keys, parts, strict=True) for path in _paths(part, f"{name}_{key}")]


def _spec(value: Any, name: str) -> Any:
    if isinstance(value, (Tensor, np.ndarray, np.generic, jax.Array)):
        return TensorSpec(value.shape, dtypes.as_dtype(value.dtype), name)
    return value
