"""Tells the backward pass which ops have `IndexedSlices` as gradients, and makes some functions accept them."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from tapejax._src.autodiff.indexed_slices import IndexedSlices, passes_on, slice_rules
from tapejax._src.core.public import names
from tapejax._src.engine.aval import Aval
from tapejax._src.engine.op import Op, Static
from tapejax._src.ops.array import casting, gathering, layout
from tapejax._src.ops.linalg import norms
from tapejax._src.ops.math import elementwise

__all__ = ["cast", "clip_by_norm", "clip_by_value", "identity", "scalar_mul", "stop_gradient"]

F = TypeVar("F", bound=Callable)


def _rows(upstream: Any, indices: Any) -> tuple[Any, Any]:
    return upstream.reshape((indices.size, *upstream.shape[indices.ndim :])), indices.reshape(-1)


def _rows_nd(upstream: Any, indices: Any) -> tuple[Any, Any]:
    return upstream, indices.reshape(-1)


_ROWS, _ROWS_ND = Op("gather_gradient", _rows), Op("gather_nd_gradient", _rows_nd)


def _always(call: Static, avals: tuple[Aval, ...]) -> Op:
    return _ROWS


def _of_whole_rows(call: Static, avals: tuple[Aval, ...]) -> Op | None:
    """The rule for `gather_nd`: as in TensorFlow, the gradient is slices only if it takes whole rows from a list."""
    shape = avals[1].shape
    return _ROWS_ND if len(shape) == 2 and shape[1] == 1 and not call.kwargs["batch_dims"] else None


slice_rules[gathering.gather.op] = _always  # type: ignore[attr-defined]
slice_rules[gathering.gather_nd.op] = _of_whole_rows  # type: ignore[attr-defined]
passes_on.add(layout.identity.op)  # type: ignore[attr-defined]


def _on_values(fn: F) -> F:
    """Makes a function of a tensor accept `IndexedSlices`: as in TensorFlow, it is applied to their values."""
    names = list(inspect.signature(fn).parameters)
    at = names.index("x") if "x" in names else 0

    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        given = args[at] if len(args) > at else kwargs.get(names[at])
        if type(given) is not IndexedSlices:
            return fn(*args, **kwargs)
        if len(args) > at:
            args = (*args[:at], given.values, *args[at + 1 :])
        else:
            kwargs = {**kwargs, names[at]: given.values}
        return given.with_values(fn(*args, **kwargs))

    return wrapper  # type: ignore[return-value]


identity, stop_gradient = _on_values(layout.identity), _on_values(layout.stop_gradient)
cast, clip_by_value = _on_values(casting.cast), _on_values(elementwise.clip_by_value)
scalar_mul, clip_by_norm = _on_values(elementwise.scalar_mul), _on_values(norms.clip_by_norm)
names.update(
    {
        "identity": identity,
        "stop_gradient": stop_gradient,
        "cast": cast,
        "dtypes.cast": cast,
        "clip_by_norm": clip_by_norm,
        "clip_by_value": clip_by_value,
        "scalar_mul": scalar_mul,
        "math.scalar_mul": scalar_mul,
    }
)
