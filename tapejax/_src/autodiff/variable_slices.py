"""Methods of `Variable` that update parts of it: ``v[1:3].assign(...)`` and the ``scatter_*`` methods.

They use ops, on which `tapejax._src.core.variable` must not depend. So this file attaches them to the class.
"""

import weakref
from collections.abc import Callable
from typing import Any

from tapejax._src.autodiff.indexed_slices import IndexedSlices, scatter
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.errors import InvalidArgumentError
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable
from tapejax._src.engine import stream
from tapejax._src.engine.op import Op, static
from tapejax._src.ops.array import gathering, indexing

__all__: list[str] = []


def _by_slices(how: str, name: str) -> Callable:
    def update(
        self: Variable, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None
    ) -> Variable:
        if not isinstance(sparse_delta, IndexedSlices):
            raise TypeError(f"sparse_delta is not IndexedSlices: {sparse_delta!r}")
        scatter(self, how, sparse_delta.indices, sparse_delta.values)
        return self

    update.__name__ = name
    update.__doc__ = (
        f"Applies ``{how}`` to rows of the variable, given as `tf.IndexedSlices`, and returns the variable."
    )
    return update


def _by_indices(how: str, name: str) -> Callable:
    def update(self: Variable, indices: Any, updates: Any, name: str | None = None) -> Variable:
        scatter(self, how, indices, updates, nd=True)
        return self

    update.__name__ = name
    update.__doc__ = (
        f"Applies ``{how}`` to slices of the variable and returns the variable.\n\n"
        "The last axis of `indices` holds the coordinates of a slice, as in `tf.scatter_nd`."
    )
    return update


for _name, _how in {
    "add": "add",
    "sub": "subtract",
    "update": "set",
    "mul": "multiply",
    "div": "divide",
    "min": "min",
    "max": "max",
}.items():
    setattr(Variable, f"scatter_{_name}", _by_slices(_how, f"scatter_{_name}"))
for _name, _how in {"add": "add", "sub": "subtract", "update": "set", "min": "min", "max": "max"}.items():
    setattr(Variable, f"scatter_nd_{_name}", _by_indices(_how, f"scatter_nd_{_name}"))


def _sparse_read(self: Variable, indices: Any, name: str | None = None) -> Tensor:
    """The rows of the variable at `indices`, like `tf.gather`."""
    return gathering.gather(self, indices)


def _gather_nd(self: Variable, indices: Any, name: str | None = None) -> Tensor:
    """The slices of the variable at `indices`, whose last axis holds coordinates, like `tf.gather_nd`."""
    return gathering.gather_nd(self, indices)


Variable.sparse_read = _sparse_read  # type: ignore[attr-defined]
Variable.gather_nd = _gather_nd  # type: ignore[attr-defined]


def _slice_update(x: Any, updates: Any, *indices: Any, spec: tuple, how: str) -> Any:
    rest = iter(indices)
    at = tuple(next(rest) if s is _INDEX else slice(*s[1]) if isinstance(s, tuple) else s for s in spec)
    return x.at[at].add(-updates) if how == "subtract" else getattr(x.at[at], how)(updates)


_INDEX = "index"
_SLICE_UPDATE = Op("slice_update", _slice_update, differentiable=False)


def _spec(item: Any) -> tuple[tuple, list[Tensor]]:
    items = item if isinstance(item, tuple) else (item,)
    spec, tensors = [], []
    for i in items:
        if isinstance(i, slice):
            spec.append(("slice", tuple(None if b is None else int(b) for b in (i.start, i.stop, i.step))))
        elif i is None or i is Ellipsis:
            spec.append(i)
        else:
            spec.append(_INDEX)
            tensors.append(to_tensor(i))
    return tuple(spec), tensors


class _SlicedTensor(Tensor):
    """A slice that was read from a variable. Assigning to it changes that part of the variable."""

    __slots__ = ("_item", "_variable")
    _variable: Variable
    _item: Any

    def assign(self, value: Any, name: str | None = None) -> Variable:
        """Sets this part of the variable to `value` and returns the variable."""
        return self._update("set", value)

    def assign_add(self, value: Any, name: str | None = None) -> Variable:
        """Adds `value` to this part of the variable and returns the variable."""
        return self._update("add", value)

    def assign_sub(self, value: Any, name: str | None = None) -> Variable:
        """Subtracts `value` from this part of the variable and returns the variable."""
        return self._update("subtract", value)

    def _update(self, how: str, value: Any) -> Variable:
        spec, tensors = _spec(self._item)
        updates = to_tensor(value, self._variable._dtype)
        try:
            result = stream.record(
                _SLICE_UPDATE, static(spec=spec, how=how), (self._variable._tensor, updates, *tensors)
            )
        except (TypeError, ValueError) as e:
            raise InvalidArgumentError(message=f"{e} [Op:ResourceStridedSliceAssign]") from None
        stream.assign(self._variable, result)
        return self._variable


def _getitem(self: Variable, item: Any) -> Tensor:
    """A slice of the variable as a tensor. ``v[...].assign(value)`` changes that part of the variable."""
    found = indexing.getitem(self._read(), item)
    out = _SlicedTensor.__new__(_SlicedTensor)
    out._value, out._trace, out._slot, out.aval = found._value, found._trace, found._slot, found.aval
    out._variable, out._item = self, item
    if found._value is None and found._trace is not None:
        found._trace.refs.append(weakref.ref(out))
    return out


Variable.__getitem__ = _getitem  # type: ignore[attr-defined]
