"""`Op`: an operation, defined by a pure JAX function of arrays and static keyword arguments.

Everything else is derived from that function. `jax.eval_shape` infers the shapes of the results, `jax.vjp` gives the
gradient, and `jax.jit` compiles it. The gradient is an `Op` itself, so that derivatives of any order work.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.engine.aval import Aval, aval
from tapejax._src.engine.compiler import jit

__all__ = ["NO_STATIC", "Op", "Static", "VjpOp", "jitted", "linearize", "pull_back", "replay", "static"]

Array = Any

_MAX_STATICS: Final = 65536
_MAX_INFERRED: Final = 4096  # per op
_MAX_JITTED: Final = 2048


class Static:
    """Static arguments of one call of an op. Made by `static`, which returns the same object for equal arguments."""

    __slots__ = ("kwargs",)

    def __init__(self, kwargs: dict[str, Any]):
        self.kwargs = kwargs

    def __repr__(self) -> str:
        return ", ".join(f"{k}={v!r}" for k, v in self.kwargs.items())


_statics: dict[tuple, Static] = {}


def _tag(value: Any) -> Any:
    """A dict key for `value` that includes its type: ``1 == 1.0 == True``, ``0.0 == -0.0`` and ``nan != nan``."""
    kind = type(value)
    if kind is tuple:
        return (tuple, *map(_tag, value))
    if kind is float:
        return (float, value.hex())
    if kind is complex:
        return (complex, value.real.hex(), value.imag.hex())
    return (kind, value)


def static(**kwargs: Any) -> Static:
    """The `Static` of these keyword arguments, which must be hashable. The same object each time."""
    key = tuple((name, _tag(value)) for name, value in kwargs.items())
    found = _statics.get(key)
    if found is None:
        if len(_statics) >= _MAX_STATICS:
            _statics.clear()
        found = _statics.setdefault(key, Static(kwargs))
    return found


NO_STATIC: Final = static()


class Inferred:
    """Avals of an op's results, found without running it, and whether it returns one array rather than a tuple."""

    __slots__ = ("avals", "single")

    def __init__(self, avals: tuple[Aval, ...], single: bool):
        self.avals = avals
        self.single = single


class Op:
    """A pure function ``fn(*arrays, **static) -> array or tuple of arrays``, with a name.

    Args:
      name: for error messages, `explain` and profiles.
      fn: the JAX function. Static arguments are passed by keyword.
      differentiable: False for ops without a gradient in TensorFlow (floor, argmax). Their gradient is None.
      host: the same function on NumPy arrays, with the arguments of `fn`. It is used for small integer computations
        (shapes, indices), which are faster on the host than as a program on the device.
      may_fail: the op calls a Python function, which may raise. A program with such an op overwrites no buffers, so
        that an error loses no values. The flush waits for the program, so that the error is raised by this flush.
      acts: the op has a side effect, such as printing. It runs even if its results are not used. Implied by `may_fail`.
      flat: the gradient is piecewise constant (as of relu), and TensorFlow's second derivative is zeros, not None.
    """

    __slots__ = (
        "__weakref__",
        "_inferred",
        "_vjps",
        "acts",
        "differentiable",
        "flat",
        "fn",
        "host",
        "may_fail",
        "name",
    )

    def __init__(
        self,
        name: str,
        fn: Callable[..., Any],
        *,
        differentiable: bool = True,
        host: Callable[..., Any] | None = None,
        may_fail: bool = False,
        acts: bool = False,
        flat: bool = False,
    ):
        self.name = name
        self.flat = flat
        self.may_fail = may_fail
        self.acts = acts or may_fail
        self.fn = fn
        self.differentiable = differentiable
        self.host = host
        self._vjps: dict[tuple, VjpOp] = {}
        self._inferred: dict[tuple, Inferred] = {}

    def __repr__(self) -> str:
        return self.name

    def infer(self, static: Static, avals: tuple[Aval, ...]) -> Inferred:
        """Shapes and dtypes of the outputs. Raises what `fn` raises on bad shapes or dtypes."""
        key = (static, avals)
        found = self._inferred.get(key)
        if found is None:
            if len(self._inferred) >= _MAX_INFERRED:
                self._inferred.clear()
            found = self._inferred[key] = self._infer(static, avals)
        return found

    def _infer(self, static: Static, avals: tuple[Aval, ...]) -> Inferred:
        with jax.enable_x64(True):
            out = jax.eval_shape(lambda *xs: self.fn(*xs, **static.kwargs), *(a.struct for a in avals))
        outs = out if isinstance(out, tuple) else (out,)
        return Inferred(tuple(aval(o.shape, o.dtype) for o in outs), not isinstance(out, tuple))

    def bind(self, static: Static) -> Callable[..., tuple[Array, ...]]:
        """The op as a function of arrays alone that returns a tuple of strongly typed arrays."""
        fn, kwargs = self.fn, static.kwargs

        def apply(*arrays: Array) -> tuple[Array, ...]:
            out = fn(*arrays, **kwargs)
            return tuple(map(_strong, out if isinstance(out, tuple) else (out,)))

        return apply

    def vjp(self, wrt: tuple[int, ...], given: tuple[bool, ...]) -> "VjpOp":
        """The op that maps inputs and cotangents to the gradients of the inputs `wrt`.

        Args:
          wrt: positions of the inputs to differentiate.
          given: for each output, whether its cotangent is among the arguments (else it is zero).
        """
        found = self._vjps.get((wrt, given))
        if found is None:
            found = self._vjps.setdefault((wrt, given), VjpOp(self, wrt, given))
        return found


def _strong(x: Any) -> Array:
    """Converts to a JAX array without weak type. With it, result dtypes would depend on when a flush happens."""
    x = jnp.asarray(x)
    return lax.convert_element_type(x, x.dtype) if x.weak_type else x


class _Replay(threading.local):
    """Whether an op is traced again only to differentiate it. Its side effects must not happen a second time then."""

    on = False


replay: Final = _Replay()


class VjpOp(Op):
    """``vjp[op](*inputs, *cotangents) -> gradients of the inputs wrt``. Made by `Op.vjp`."""

    __slots__ = ("base", "given", "wrt")

    def __init__(self, base: Op, wrt: tuple[int, ...], given: tuple[bool, ...]):
        super().__init__(f"vjp[{base.name}]", self._apply, may_fail=base.may_fail)
        self.acts = False  # a gradient is computed only if its result is needed
        self.base = base
        self.wrt = wrt
        self.given = given

    def _apply(self, *args: Array, **kwargs: Any) -> tuple[Array, ...]:
        split = len(args) - sum(self.given)
        before, replay.on = replay.on, True
        try:
            outs, pull = linearize(self.base, static(**kwargs), self.wrt, args[:split])
            return pull_back(outs, pull, self.given, args[split:])
        finally:
            replay.on = before

    def _infer(self, static: Static, avals: tuple[Aval, ...]) -> Inferred:
        # A gradient has its input's shape and dtype: no tracing needed.
        return Inferred(tuple(avals[i] for i in self.wrt), False)


def linearize(op: Op, static: Static, wrt: tuple[int, ...], inputs: Sequence[Array]) -> tuple[tuple, Callable]:
    """Runs `op` and returns its outputs and the pullback to the inputs `wrt` (`jax.vjp`)."""
    apply = op.bind(static)

    def of_wrt(*xs: Array) -> tuple[Array, ...]:
        full = list(inputs)
        for i, x in zip(wrt, xs, strict=True):
            full[i] = x
        return apply(*full)

    return jax.vjp(of_wrt, *(inputs[i] for i in wrt))


def pull_back(outs: tuple, pull: Callable, given: tuple[bool, ...], cotangents: Sequence[Array]) -> tuple[Array, ...]:
    """Applies a pullback in TensorFlow's convention: the gradient of a complex input is conjugated."""
    rest = iter(cotangents)
    full = tuple(_conj(next(rest)) if g else _zero_cotangent(o) for g, o in zip(given, outs, strict=True))
    return tuple(_strong(_conj(g)) for g in pull(full))


def _conj(x: Array) -> Array:
    return jnp.conj(x) if x.dtype.kind == "c" else x


def _zero_cotangent(out: Array) -> Array:
    if out.dtype.kind in "fcV":
        return jnp.zeros(out.shape, out.dtype)
    return np.zeros(out.shape, jax.dtypes.float0)


_jitted: OrderedDict[tuple[Op, Static], Callable] = OrderedDict()


def jitted(op: Op, static: Static) -> Callable[..., tuple[Array, ...]]:
    """The op compiled by itself, for programs that run op by op."""
    key = (op, static)
    found = _jitted.get(key)
    if found is None:
        if len(_jitted) >= _MAX_JITTED:
            _jitted.popitem(last=False)
        found = _jitted[key] = jit(op.bind(static))
    return found


def cache_sizes() -> dict[str, int]:
    """Entries in this file's tables."""
    return {"statics": len(_statics), "jitted ops": len(_jitted)}
