"""``tf.experimental.numpy``: NumPy's functions on tensors. They are made of those of `jax.numpy`, and differentiable.

Python numbers get NumPy's dtypes (float64 and int64), but dtypes are promoted by JAX's rules: float32 and int64 give
float32. Each function takes the arguments of the function of the same name in `jax.numpy`.
"""

import builtins
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tapejax._src.core import convert, dtypes
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable
from tapejax._src.engine import stream
from tapejax._src.engine.op import Op, static
from tapejax._src.ops.array import layout
from tapejax._src.ops.array.casting import cast
from tapejax._src.ops.random import draws

# In alphabetical order.
_FUNCTIONS = """
abs absolute add all allclose amax amin angle any append arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh
argmax argmin argsort around array_equal atleast_1d atleast_2d atleast_3d average bitwise_and bitwise_not
bitwise_or bitwise_xor broadcast_arrays broadcast_to cbrt ceil clip compress concatenate conj conjugate copy cos cosh
count_nonzero cross cumprod cumsum deg2rad diag diag_indices diagflat diagonal diff divide divmod dot dsplit dstack
einsum empty empty_like equal exp exp2 expand_dims expm1 eye fabs flip fliplr flipud float_power floor floor_divide
full full_like gcd geomspace greater greater_equal heaviside hsplit hstack hypot identity imag inner isclose isfinite
isinf isnan isneginf isposinf isreal kron lcm less less_equal linspace log log10 log1p log2 logaddexp logaddexp2
logical_and logical_not logical_or logical_xor logspace matmul max maximum mean meshgrid min minimum mod moveaxis
multiply nanmean nanprod nansum negative nextafter nonzero not_equal ones ones_like outer pad positive power prod ptp
rad2deg ravel real reciprocal remainder repeat reshape roll rot90 select sign signbit sin sinc sinh sort split
sqrt square squeeze stack std subtract sum swapaxes take take_along_axis tan tanh tensordot tile trace transpose tri
tril triu true_divide vander var vdot vsplit vstack where zeros zeros_like
""".split()
_TYPES = (
    "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 complex64 complex128 bool_ "
    "object_ inexact"
).split()
__all__ = [
    *_FUNCTIONS,
    *_TYPES,
    "array",
    "asanyarray",
    "asarray",
    "ascontiguousarray",
    "e",
    "finfo",
    "iinfo",
    "inf",
    "ndarray",
    "newaxis",
    "pi",
    "random",
]  # type: ignore[reportUnsupportedDunderAll]
# The position of the argument that is a shape, and thus static.
_SHAPES = {"ones": 0, "zeros": 0, "empty": 0, "full": 0, "reshape": 1, "broadcast_to": 1, "tile": 1}
_NEED_VALUES = ("nonzero", "compress")  # the shapes of their results depend on values, so they run in NumPy

ndarray = Tensor
newaxis = None
pi, e, inf = np.pi, np.e, np.inf
finfo, iinfo = jnp.finfo, jnp.iinfo
globals().update({name: getattr(np, name) for name in _TYPES})


def _is_leaf(value: Any) -> bool:
    return isinstance(value, (Tensor, Variable, np.ndarray, jax.Array, dtypes.DType)) or value is None


def _is_numbers(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and builtins.all(
        _is_numbers(v) or isinstance(v, (int, float, complex)) for v in value
    )


def _make(name: str) -> Any:
    fn = getattr(jnp, name)

    def run(*arrays: Any, tree: Any, leaves: tuple) -> Any:
        rest = iter(arrays)
        args, kwargs = jax.tree.unflatten(tree, [next(rest) if kind == "array" else v for kind, v in leaves])
        out = fn(*args, **kwargs)
        return tuple(out) if isinstance(out, list) else out

    op = Op(f"numpy.{name}", run)

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return record(*args, **kwargs)
        except TypeError as error:
            held = tuple(convert.to_tensor(np.array(a)) if _is_numbers(a) else a for a in args)
            if not builtins.any(map(_is_numbers, args)):
                raise TypeError(f"tf.experimental.numpy.{name}: {error}") from None
        return record(*held, **kwargs)  # `jax.numpy` does not take lists in place of arrays

    def record(*args: Any, **kwargs: Any) -> Any:
        at = _SHAPES.get(name)
        if at is not None and len(args) > at:
            args = (*args[:at], _static_shape(args[at]), *args[at + 1 :])
        leaves, tree = jax.tree.flatten((args, kwargs), is_leaf=_is_leaf)
        tensors, kept = [], []
        for leaf in leaves:
            if isinstance(leaf, (Tensor, Variable, np.ndarray, jax.Array)):
                tensors.append(convert.to_tensor(leaf))
                kept.append(("array", None))
            else:
                kept.append(("value", dtypes.to_numpy(leaf) if isinstance(leaf, dtypes.DType) else leaf))
        if name in _NEED_VALUES:
            found = getattr(np, name)(*jax.tree.map(np.asarray, args, is_leaf=_is_leaf), **kwargs)
            return jax.tree.map(convert.to_tensor, found)
        return stream.record(op, static(tree=tree, leaves=tuple(kept)), tuple(tensors))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = (
        f"NumPy's `{name}` on tensors; see `jax.numpy.{name}` for its arguments.\n\n"
        f"Source: https://www.tensorflow.org/api_docs/python/tf/experimental/numpy/{name}\n"
    )
    return call


def _static_shape(value: Any) -> Any:
    return value if isinstance(value, int) else layout.dims(value)


globals().update({name: _make(name) for name in _FUNCTIONS})


def array(object: Any, dtype: Any = None, copy: bool = True, ndmin: int = 0) -> Tensor:
    """Makes a tensor. Python numbers get NumPy's default dtypes, float64 and int64.

    Args:
      object: a tensor, an array, or nested lists of numbers.
      dtype: the dtype of the result.
      copy: whether the result is always a new tensor.
      ndmin: the least number of axes. Axes of size 1 are added in front.

    Source: https://www.tensorflow.org/api_docs/python/tf/experimental/numpy/array

    >>> array([1, 2]).dtype
    tf.int64
    """
    wanted = None if dtype is None else dtypes.to_numpy(dtype)
    held = object if isinstance(object, (Tensor, Variable)) else np.array(object)
    out = convert.to_tensor(held)
    if wanted is not None and out.aval.dtype != wanted:
        out = cast(out, wanted)
    while out.ndim < ndmin:
        out = layout.expand_dims(out, 0)
    return layout.identity(out) if copy else out


def asarray(a: Any, dtype: Any = None) -> Tensor:
    """The same as `array` with ``copy=False``.

    Source: https://www.tensorflow.org/api_docs/python/tf/experimental/numpy/asarray

    >>> asarray([1.0]).dtype
    tf.float64
    """
    return array(a, dtype, copy=False)


def _random(shape: tuple, make: Any) -> Tensor:
    return make(shape, dtype=dtypes.float64)


random = SimpleNamespace(
    seed=draws.set_seed,
    randn=lambda *shape: _random(shape, draws.normal),
    standard_normal=lambda size=(): _random(size, draws.normal),
    rand=lambda *shape: _random(shape, draws.uniform),
    random=lambda size=(): _random(size, draws.uniform),
    uniform=lambda low=0.0, high=1.0, size=(): draws.uniform(size, low, high, dtypes.float64),
    normal=lambda loc=0.0, scale=1.0, size=(): draws.normal(size, loc, scale, dtypes.float64),
    randint=lambda low, high=None, size=(), dtype=np.int64: draws.uniform(
        (size,) if isinstance(size, int) else size, 0 if high is None else low, low if high is None else high, dtype
    ),
)
asanyarray = ascontiguousarray = asarray
