"""`ForwardAccumulator`: Jacobian-vector products. For each op, `jax.jvp` gives the op that computes its tangents.

Tangents are not recorded together with the ops. They are recorded later, for all ops since the last time: when an
accumulator or a tape is opened or closed, and when a tangent is asked for. Tapes that were active while the ops were
recorded are still active then.
"""

import functools
import logging
import weakref
from typing import Any

import jax
import jax.numpy as jnp

from tapejax._src.autodiff.backward import zeros_like
from tapejax._src.autodiff.record import Entry, Key, Record, Recorder
from tapejax._src.autodiff.tape import GradientTape, UnconnectedGradients, catch_up
from tapejax._src.core import nest
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.core.variable import Variable
from tapejax._src.engine import stream
from tapejax._src.engine.op import Op, static

__all__ = ["ForwardAccumulator"]

_log = logging.getLogger("tapejax")


class JvpOp(Op):
    """The op that computes the tangents of another op's results.

    It takes the inputs of the other op, followed by the tangents of the inputs at the positions `wrt`. It returns the
    tangents of those results that are floating or complex.
    """

    __slots__ = ("base", "wrt")

    def __init__(self, base: Op, wrt: tuple[int, ...]):
        super().__init__(f"jvp[{base.name}]", self._apply, may_fail=base.may_fail)
        self.base = base
        self.wrt = wrt

    def _apply(self, *args: Any, **kwargs: Any) -> tuple:
        split = len(args) - len(self.wrt)
        inputs, tangents = args[:split], args[split:]
        apply = self.base.bind(static(**kwargs))

        def of_wrt(*xs: Any) -> tuple:
            full = list(inputs)
            for i, x in zip(self.wrt, xs, strict=True):
                full[i] = x
            return tuple(o for o in apply(*full) if o.dtype.kind in "fcV")

        primals = tuple(inputs[i] for i in self.wrt)
        if not _only_backward(jax.make_jaxpr(of_wrt)(*primals).jaxpr):
            return jax.jvp(of_wrt, primals, tangents)[1]
        # The op has only a reverse-mode rule (vjp). The vjp is linear, and its transpose is the jvp.
        outs, pull = jax.vjp(of_wrt, *primals)
        return jax.vjp(pull, tuple(map(jnp.zeros_like, outs)))[1](tangents)[0]


def _only_backward(jaxpr: Any) -> bool:
    """Whether a jaxpr contains a `jax.custom_vjp`, which has no forward-mode rule."""
    inner = [
        getattr(v, "jaxpr", v)
        for e in jaxpr.eqns
        for p in e.params.values()
        for v in (p if isinstance(p, (tuple, list)) else (p,))
    ]
    return any(e.primitive.name.startswith("custom_vjp_call") for e in jaxpr.eqns) or any(
        _only_backward(j) for j in inner if hasattr(j, "eqns")
    )


@functools.lru_cache(maxsize=4096)
def _jvp_op(base: Op, wrt: tuple[int, ...]) -> JvpOp:
    return JvpOp(base, wrt)


class _Late:
    """A tangent in a program that has not run yet.

    It becomes a tensor if it is asked for, or if it is still needed when the program runs. Until then it does not keep
    a tensor alive, so that the program need not return it.
    """

    __slots__ = ("aval", "slot", "trace")

    def __init__(self, t: Tensor):
        self.trace: Any = t._trace
        self.slot, self.aval = t._slot, t.aval


class _ForwardRecord(Record):
    """The record of an accumulator. When a program runs, it keeps the values that tangents will be computed from."""

    def __init__(self) -> None:
        super().__init__()
        self.done = 0  # the number of entries whose tangents have been recorded
        self.tangents: dict[Key, Tensor | _Late] = {}

    def all_entries(self) -> list[Entry]:
        tracked = set(self.tracked)
        found: list[Entry] = []
        for segment in self.segments:
            found += self._sweep(segment, tracked) if segment.entries is None else segment.entries
        return found

    def _needed(self, entries: list[Entry], tracked: set[Key]) -> set[int]:
        before = sum(len(s.entries) for s in self.segments if s.entries is not None)
        return {slot for e in entries[max(self.done - before, 0) :] for slot in e.node.inputs}

    def needs(self, trace: Any) -> list[int]:
        return sorted({*super().needs(trace), *self._wanted(trace)})

    def _wanted(self, trace: Any) -> dict[int, Key]:
        """The tangents in `trace` that may still be asked for: from their slots to the keys of their values."""
        alive = {t._slot for r in trace.refs if (t := r()) is not None}
        taped = any(isinstance(w, GradientTape) for r in trace.watchers if (w := r()) is not None)
        return {
            late.slot: key
            for key, late in self.tangents.items()
            if type(late) is _Late
            and late.trace is trace
            and (taped or type(key) is not tuple or key[0] is not trace or key[1] in alive)
        }

    def keep(self, trace: Any, values: dict[int, Any]) -> None:
        super().keep(trace, values)
        for slot, key in self._wanted(trace).items():
            kept = from_value(values[slot])
            kept._trace, kept._slot = trace, slot
            self.tangents[key] = kept

    def tangent(self, key: Key) -> Tensor | None:
        found = self.tangents.get(key)
        if type(found) is not _Late:
            return found  # type: ignore[return-value]
        if found.trace.done:
            raise RuntimeError("the tangent of a value that was given up cannot be computed any more")
        return stream.place(found.trace, found.slot, found.aval)

    def carry(self) -> None:
        """Records the tangents of all ops that were recorded since the last call."""
        entries = self.all_entries()
        for entry in entries[self.done :]:
            node = entry.node
            assert node.op is not None
            wrt = tuple(
                i
                for i, (k, a) in enumerate(zip(entry.inputs, node.input_avals, strict=True))
                if a.inexact and k in self.tangents
            )
            if not wrt:
                continue
            inputs = [entry.value(slot, a) for slot, a in zip(node.inputs, node.input_avals, strict=True)]
            given = [self.tangent(entry.inputs[i]) for i in wrt]
            outs = stream.record(_jvp_op(node.op, wrt), node.static, (*inputs, *given))
            inexact = [k for k, a in zip(entry.outputs, node.avals, strict=True) if a.inexact]
            for key, out in zip(inexact, outs, strict=True):
                self.tangents[key] = _Late(out) if out._value is None else out
        self.done = len(entries)


class ForwardAccumulator(Recorder):
    """Computes Jacobian-vector products of the operations in its context, by forward-mode differentiation.

    A tape needs one pass for each output; an accumulator needs one for each direction of the input. Accumulators and
    tapes can be nested: a tape inside an accumulator, or the reverse, gives Hessian-vector products.

    Args:
      primals: the inputs of the computation: a tensor, a variable, or a structure of them.
      tangents: the direction of the derivative: a structure like `primals` with a tensor for each primal, of the
        primal's shape and dtype.

    Raises:
      ValueError: structures, shapes or dtypes differ, or a primal is given twice.
      AttributeError: one of `primals` is neither a tensor nor a variable.

    Source: https://www.tensorflow.org/api_docs/python/tf/autodiff/ForwardAccumulator

    >>> import tapejax as tf
    >>> x = tf.constant([1.0, 2.0])
    >>> with tf.autodiff.ForwardAccumulator(x, tf.constant([1.0, 0.0])) as acc:
    ...     y = tf.reduce_prod(x) * x
    >>> acc.jvp(y).numpy().tolist()
    [4.0, 4.0]
    """

    def __init__(self, primals: Any, tangents: Any):
        self._record = _ForwardRecord()
        self._recording = False
        nest.assert_same_structure(primals, tangents)
        self._primals: list[tuple[Any, Tensor]] = []
        self._of_variables: dict[int, Tensor] = {}
        for primal, tangent in zip(nest.flatten(primals), nest.flatten(tangents), strict=True):
            if not isinstance(primal, (Tensor, Variable)):
                raise AttributeError(
                    f"{type(primal).__name__!r} object has no attribute 'dtype': `primals` must be tensors or variables"
                )
            if any(primal is p for p, _ in self._primals):
                raise ValueError(
                    f"Tensor {primal!r} was specified as a primal multiple times. This may indicate an "
                    "error. If it was intended, please sum the corresponding tangents."
                )
            of = primal._tensor if isinstance(primal, Variable) else primal
            tangent = to_tensor(tangent, of.aval.dtype)
            if tangent.aval.shape != of.aval.shape:
                raise ValueError(f"`tangents` has a tensor of shape {tangent.shape} for a primal of shape {of.shape}")
            if not of.aval.inexact:
                _log.warning("The dtype of the watched primal must be floating (e.g. tf.float32), got %r", of.dtype)
            self._primals.append((primal, tangent))
            self._record.tangents[id(of)] = tangent
            if isinstance(primal, Variable):
                self._of_variables[id(primal)] = tangent
                self._record.watched[id(primal)] = primal

    def __enter__(self) -> "ForwardAccumulator":
        if self._recording:
            raise ValueError("Accumulator is already recording.")
        catch_up()
        self._recording = True
        stream.thread.tapes.append(self)
        trace = stream.current()
        self._reopen()
        for primal, tangent in self._primals:
            if isinstance(primal, Variable):
                self.note_read(primal, primal._tensor)
            elif primal.aval.inexact:
                self._record.watch(primal, trace)
                self._record.tangents[self._record.key(primal)] = tangent
        return self

    def __exit__(self, *exc: Any) -> None:
        catch_up()
        self._recording = False
        stream.thread.tapes.remove(self)
        self._close()

    def note_read(self, variable: Variable, tensor: Tensor) -> None:
        """Called when a variable is read while the accumulator is active."""
        tangent = self._of_variables.get(id(variable))
        if tangent is not None:
            self._record.read(variable, tensor, stream.current())
            self._record.tangents[self._record.key(tensor)] = tangent

    # The public methods

    def jvp(self, primals: Any, unconnected_gradients: str = UnconnectedGradients.NONE) -> Any:
        """The product of a Jacobian and the accumulator's tangents.

        The Jacobian is that of the argument `primals` with respect to the primals given to the constructor.

        Args:
          primals: a tensor, a variable, or a structure of them, computed in the accumulator's context.
          unconnected_gradients: what to return for a value that does not depend on the accumulator's primals: "none"
            gives None, "zero" a tensor of zeros.

        Returns:
          A structure like `primals`. Its elements are tensors of the same shapes and dtypes, or None.

        Raises:
          ValueError: `unconnected_gradients` is unknown.
          AttributeError: one of `primals` is neither a tensor nor a variable.
        """
        if unconnected_gradients not in ("none", "zero"):
            raise ValueError(f"{unconnected_gradients!r} is not a valid UnconnectedGradients")
        if self._recording:
            catch_up()

        def of(t: Any) -> Any:
            if not isinstance(t, (Tensor, Variable)):
                raise AttributeError(
                    f"{type(t).__name__!r} object has no attribute '_id': `primals` must be tensors or variables"
                )
            found = self._of_variables.get(id(t))
            if found is None:
                found = self._record.tangent(self._record.key(t._tensor if isinstance(t, Variable) else t))
            if found is None:
                return zeros_like(t) if unconnected_gradients == "zero" else None
            if found._value is None and found._trace is not None and not found._trace.symbolic:
                found._trace.refs.append(weakref.ref(found))
            return found

        return nest.map_structure(of, primals)
