"""The versions of ``tf.abs``, ``tf.cast`` and the like for sparse tensors, and Python's operators on sparse tensors."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tapejax._src.composite.sparse.tensor import SparseTensor, shape_of
from tapejax._src.core import public
from tapejax._src.core.convert import NotATensor, to_tensor
from tapejax._src.core.tensor import Tensor
from tapejax._src.ops.array.gathering import gather_nd
from tapejax._src.ops.array.layout import broadcast_to
from tapejax._src.ops.array.shapes import counts
from tapejax._src.ops.math.elementwise import divide, multiply

__all__ = ["attach"]

_UNARY = (
    "abs asin asinh atan atanh cast erf identity negative sign sin sqrt square stop_gradient tan tanh nn.tanh"
).split()


def _on_values(name: str) -> Callable[..., SparseTensor]:
    def apply(x: SparseTensor, *args: Any, **kwargs: Any) -> SparseTensor:
        return x.with_values(public.names[name](x.values, *args, **kwargs))

    return apply


def _by_dense(fn: Callable[..., Tensor]) -> Callable[[SparseTensor, Any], SparseTensor]:
    """The operator between a sparse tensor and a dense tensor that broadcasts to its shape."""

    def method(self: SparseTensor, other: Any) -> SparseTensor:
        dense = to_tensor(other, None, self.values.aval.dtype)
        if dense.aval.shape:
            dense = gather_nd(broadcast_to(dense, shape_of(self)), self.indices)
        return self.with_values(fn(self.values, dense))

    return method


_divided = _by_dense(divide)


def _quotient(x: Any, y: Any, name: str | None = None) -> SparseTensor:
    if not isinstance(x, SparseTensor):
        raise NotATensor(y)
    return _divided(x, y)


def attach() -> None:
    """Registers the versions of ops for sparse tensors, and defines Python's operators on sparse tensors."""
    found = {}
    for name in _UNARY:
        for full in (name, f"math.{name}"):
            found[full] = _on_values(full)
    found["shape"] = lambda input, out_type=None, name=None: counts(shape_of(input), out_type)
    found["size"] = lambda input, out_type=None, name=None: counts(np.prod(shape_of(input), dtype=np.int64), out_type)
    found["rank"] = lambda input, name=None: counts(len(shape_of(input)))
    for name in ("divide", "math.divide"):
        found[name] = _quotient
    public.versions[SparseTensor] = found
    for name, fn in {"mul": multiply, "truediv": divide, "div": divide}.items():
        setattr(SparseTensor, f"__{name}__", _by_dense(fn))
    SparseTensor.__rmul__ = _by_dense(multiply)  # type: ignore[attr-defined]
    # The operators of dense tensors look for `__radd__` in a class, and then leave the operation to that class.
    SparseTensor.__radd__ = lambda self, other: NotImplemented  # type: ignore[attr-defined]


attach()
