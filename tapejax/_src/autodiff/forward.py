"""`ForwardAccumulator`: Jacobian-vector products. `jax.jvp` makes, of each op, the op that carries tangents along.

Tangents are recorded late: when an accumulator or a tape opens or closes, and when one is asked for. By then the ops
in between are known, and any tape that was open when they were recorded is still open.
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
    """``jvp[op](*inputs, *tangents of the inputs wrt) -> tangents of the floating and complex outputs``."""

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
        # It has only a backward rule, which is linear: transposed, it is the forward one.
        outs, pull = jax.vjp(of_wrt, *primals)
        return jax.vjp(pull, tuple(map(jnp.zeros_like, outs)))[1](tangents)[0]


def _only_backward(jaxpr: Any) -> bool:
    """Whether it holds a `jax.custom_vjp`, which has no forward rule."""
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
    """A tangent in a program that has not run: asked for, or kept when it runs, it becomes a tensor."""

    __slots__ = ("aval", "slot", "trace")

    def __init__(self, t: Tensor):
        self.trace: Any = t._trace
        self.slot, self.aval = t._slot, t.aval


class _ForwardRecord(Record):
    """What an accumulator knows. Of a program that runs it keeps what tangents are still to be computed from."""

    def __init__(self) -> None:
        super().__init__()
        self.done = 0  # entries that have their tangents
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
        """Tangents in `trace` that may be asked for again: by slot, what they belong to."""
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
        """Records the tangents of what was recorded since the last time."""
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
    """Computes Jacobian-vector products of what is recorded in its context: forward-mode differentiation.

    Where a tape takes one pass for each output, this takes one for each input direction. Accumulators and tapes nest
    both ways: a tape in an accumulator, or the reverse, gives Hessian-vector products.

    Args:
      primals: tensor, variable, or structure of them: where the Jacobian is taken.
      tangents: the direction: a tensor for each primal, of its shape and dtype.

    Raises:
      ValueError: structures, shapes or dtypes that differ, or the same primal twice.

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
        """A variable was read while the accumulator records."""
        tangent = self._of_variables.get(id(variable))
        if tangent is not None:
            self._record.read(variable, tensor, stream.current())
            self._record.tangents[self._record.key(tensor)] = tangent

    # The user's side

    def jvp(self, primals: Any, unconnected_gradients: str = UnconnectedGradients.NONE) -> Any:
        """The product of the Jacobian of `primals`, with respect to the accumulator's primals, and its tangents.

        Args:
          primals: tensor, variable, or structure of them, computed in the accumulator's context.
          unconnected_gradients: "none" or "zero", for those that do not depend on its primals.

        Returns:
          A structure like `primals`: tensors of their shapes and dtypes, or None.

        Raises:
          ValueError: unknown `unconnected_gradients`. AttributeError: something that is no tensor.
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
