"""What ``tf.abs``, ``tf.cast`` and the like do with sparse tensors, and their operators."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tapejax._src.composite.sparse.tensor import SparseTensor, shape_of
from tapejax._src.core import dtypes, public
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.ops.array.gathering import gather_nd
from tapejax._src.ops.array.layout import broadcast_to
from tapejax._src.ops.math.elementwise import divide, multiply

__all__ = ["attach"]

_UNARY = (
    "abs asin asinh atan atanh cast erf identity negative sign sin sqrt square stop_gradient tan tanh nn.tanh"
).split()


def _on_values(name: str) -> Callable[..., SparseTensor]:
    def apply(x: SparseTensor, *args: Any, **kwargs: Any) -> SparseTensor:
        return x.with_values(public.names[name](x.values, *args, **kwargs))

    return apply


def _count(value: Any, out_type: Any = None) -> Tensor:
    return from_value(np.array(value, dtypes.to_numpy(out_type or dtypes.int32)))


def _by_dense(fn: Callable[..., Tensor]) -> Callable[[SparseTensor, Any], SparseTensor]:
    """An operator with a dense tensor that broadcasts to the sparse one's shape."""

    def method(self: SparseTensor, other: Any) -> SparseTensor:
        dense = to_tensor(other, None, self.values.aval.dtype)
        if dense.aval.shape:
            dense = gather_nd(broadcast_to(dense, shape_of(self)), self.indices)
        return self.with_values(fn(self.values, dense))

    return method


def attach() -> None:
    """Gives sparse tensors their versions of ops, and their operators."""
    found = {}
    for name in _UNARY:
        for full in (name, f"math.{name}"):
            found[full] = _on_values(full)
    found["shape"] = lambda input, out_type=None, name=None: _count(shape_of(input), out_type)
    found["size"] = lambda input, out_type=None, name=None: _count(np.prod(shape_of(input), dtype=np.int64), out_type)
    found["rank"] = lambda input, name=None: _count(len(shape_of(input)))
    public.versions[SparseTensor] = found
    for name, fn in {"mul": multiply, "truediv": divide, "div": divide}.items():
        setattr(SparseTensor, f"__{name}__", _by_dense(fn))
    SparseTensor.__rmul__ = _by_dense(multiply)  # type: ignore[attr-defined]
    # Tells the operators of dense tensors to leave the work to this class.
    SparseTensor.__radd__ = lambda self, other: NotImplemented  # type: ignore[attr-defined]


attach()
