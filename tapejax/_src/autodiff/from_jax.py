"""`from_jax` turns a JAX function into an op, which gradient tapes can differentiate."""

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import jax
import numpy as np

from tapejax._src.autodiff.subgraph import Call
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable
from tapejax._src.engine import stream
from tapejax._src.engine.aval import Aval
from tapejax._src.engine.op import Static, static

__all__ = ["from_jax"]

_MAX_FUNCTIONS: Final = 256
_MAX_TREES: Final = 1024  # per function
_functions: OrderedDict[Any, "_Function"] = OrderedDict()


def from_jax(fn: Callable) -> Callable:
    """Turns a JAX function into one that takes and returns tensors. Each call is recorded as one op.

    Derivatives of any order can be taken.

    Args:
      fn: a pure function of pytrees, such as a loss of optax, the ``apply`` of a flax module, a function of
        `jax.scipy`, or your own. It receives tensors, variables, NumPy and JAX arrays as JAX arrays. All other leaves
        of its arguments (numbers, strings, functions) are static: it receives them as they are, and is traced again
        when they change. So pass a value that changes at every step, such as a learning rate, as a tensor.

    Returns:
      A function of the same arguments, in whose result tensors take the place of arrays. 64-bit types are enabled in
      `fn` only if they are enabled in JAX, or an argument is float64 or complex128. Otherwise `fn` receives 64-bit
      integers as 32-bit integers.

    Raises:
      TypeError: when the returned function is called with a static leaf that is not hashable.

    >>> import jax.numpy as jnp
    >>> import tapejax as tf
    >>> x = tf.Variable([1.0, 2.0])
    >>> with tf.GradientTape() as tape:
    ...     y = tf.from_jax(jnp.logaddexp)(x, 0.0) * 2.0
    >>> tape.gradient(y, x).numpy().round(2)
    array([1.46, 1.76], dtype=float32)
    """
    try:
        found = _functions.get(fn)
    except TypeError:
        return _wrapped(_Function(fn), fn)  # `fn` is not hashable, so its op cannot be shared
    if found is None:
        if len(_functions) >= _MAX_FUNCTIONS:
            _functions.popitem(last=False)
        found = _functions[fn] = _Function(fn)
    return _wrapped(found, fn)


def _wrapped(function: "_Function", fn: Callable) -> Callable:
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(args, kwargs)

    return functools.update_wrapper(call, fn)


class _Function:
    """A JAX function as an op. The pytree structure and the static leaves of a call are its static arguments."""

    def __init__(self, fn: Callable):
        self.fn = fn
        self.op = Call(getattr(fn, "__name__", type(fn).__name__), self.run)
        self.trees: dict[tuple[Static, tuple[Aval, ...]], Any] = {}  # the pytree structures of the results

    def __call__(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        leaves, tree = jax.tree.flatten((args, kwargs), is_leaf=_is_tensor)
        tensors, kept = [], []
        for leaf in leaves:
            if isinstance(leaf, (Tensor, Variable, np.ndarray, np.generic)):
                tensors.append(to_tensor(leaf))
                kept.append(_ARRAY)
            elif isinstance(leaf, jax.Array):
                if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key):
                    kept.append((_ARRAY, str(jax.random.key_impl(leaf))))
                    leaf = jax.random.key_data(leaf)
                else:
                    kept.append(_ARRAY)
                tensors.append(to_tensor(leaf))
            else:
                kept.append(leaf)
        wide = jax.config.jax_enable_x64 or any(t.aval.dtype in _WIDE for t in tensors)  # type: ignore[attr-defined]
        try:
            call = static(tree=tree, leaves=tuple(kept), wide=bool(wide))
        except TypeError as e:
            raise TypeError(
                f"from_jax({self.op.name}): all values in the arguments that are not arrays must be hashable, because "
                f"they are static: {e}"
            ) from None
        key = (call, tuple(t.aval for t in tensors))
        if key not in self.trees:
            if len(self.trees) >= _MAX_TREES:
                self.trees.clear()
            with jax.enable_x64(True):
                jax.eval_shape(functools.partial(self.run, **call.kwargs, _key=key), *(a.struct for a in key[1]))
        outs = stream.record(self.op, call, tuple(tensors))
        return jax.tree.unflatten(self.trees[key], outs)

    def run(self, *arrays: Any, tree: Any, leaves: tuple, wide: bool, _key: Any = None) -> tuple:
        """The function of the op: calls the JAX function. With `_key`, notes the structure of its result there."""
        rest = iter(arrays)
        with jax.enable_x64(wide):
            args, kwargs = jax.tree.unflatten(tree, [self._leaf(leaf, rest, wide) for leaf in leaves])
            outs, out_tree = jax.tree.flatten(self.fn(*args, **kwargs))
            if _key is not None:
                self.trees[_key] = out_tree
            return tuple(map(jax.numpy.asarray, outs))

    def _leaf(self, leaf: Any, arrays: Any, wide: bool) -> Any:
        if leaf is _ARRAY:
            x = next(arrays)
            narrow = None if wide else _NARROW.get(x.dtype)
            return x if narrow is None else jax.lax.convert_element_type(x, narrow)
        if type(leaf) is tuple and leaf and leaf[0] is _ARRAY:
            return jax.random.wrap_key_data(next(arrays), impl=leaf[1])
        return leaf


_ARRAY = type("array", (), {})()
_WIDE = frozenset({np.dtype(np.float64), np.dtype(np.complex128)})
_NARROW = {np.dtype(np.int64): np.dtype(np.int32), np.dtype(np.uint64): np.dtype(np.uint32)}


def _is_tensor(x: Any) -> bool:
    return isinstance(x, (Tensor, Variable))
