"""Finds out which inputs the results of an op depend on.

A tape keeps only the values that gradients will read, and no derivative flows through inputs that an op does not read.
To find this out, the op is traced once for each combination of static arguments and avals, and its jaxpr is analysed.
"""

from collections import OrderedDict
from typing import Any, Final

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from tapejax._src.engine.aval import Aval
from tapejax._src.engine.op import Op, Static, VjpOp

__all__ = ["connected", "is_call", "read_inputs"]

_MAX_CACHED: Final = 8192
_reads: OrderedDict[tuple[Op, Static, tuple[Aval, ...]], frozenset[int]] = OrderedDict()
_connected: OrderedDict[tuple[Op, Static, tuple[Aval, ...]], tuple[bool, ...]] = OrderedDict()


def read_inputs(op: Op, static: Static, avals: tuple[Aval, ...]) -> frozenset[int]:
    """Positions of the inputs that some output of `op` depends on.

    For example, the gradient of an addition reads neither term. The gradient of a product by its first factor,
    ``vjp[multiply](x, y, upstream)``, reads inputs 1 and 2.
    """
    key = (op, static, avals)
    found = _reads.get(key)
    if found is None:
        jaxpr = _trace(op, static, avals)
        used = _used(jaxpr, [True] * len(jaxpr.outvars))
        found = _cache(_reads, key, frozenset(i for i, u in enumerate(used) if u))
    return found


def is_call(op: Op) -> bool:
    """Whether `op` runs a captured function, or is a derivative of one. Its results may not depend on all inputs."""
    while isinstance(op, VjpOp):
        op = op.base
    return type(op) is not Op


def connected(op: VjpOp, static: Static, avals: tuple[Aval, ...]) -> tuple[bool, ...]:
    """For each gradient that a vjp op computes, whether it depends on a cotangent. If not, TensorFlow returns None."""
    key = (op, static, avals)
    found = _connected.get(key)
    if found is None:
        given = sum(op.given)
        jaxpr = _trace(op, static, avals)
        found = _cache(_connected, key, tuple(_reached(jaxpr, [i >= len(avals) - given for i in range(len(avals))])))
    return found


def _trace(op: Op, static: Static, avals: tuple[Aval, ...]) -> Jaxpr:
    with jax.enable_x64(True):
        return jax.make_jaxpr(op.bind(static))(*(a.struct for a in avals)).jaxpr


def _cache(table: OrderedDict, key: Any, value: Any) -> Any:
    if len(table) >= _MAX_CACHED:
        table.popitem(last=False)
    table[key] = value
    return value


def _inner(eqn: Any) -> Jaxpr | None:
    """The jaxpr inside an equation, if the equation is a nested `jax.jit`, otherwise None."""
    inner = eqn.params.get("jaxpr")
    return inner.jaxpr if eqn.primitive.name in ("jit", "pjit") and isinstance(inner, ClosedJaxpr) else None


def _reached(jaxpr: Jaxpr, given: list[bool]) -> list[bool]:
    """For each output, whether it depends on a given input."""
    live: set[Any] = {v for v, g in zip(jaxpr.invars, given, strict=True) if g}
    for eqn in jaxpr.eqns:
        ins = [not isinstance(v, Literal) and v in live for v in eqn.invars]
        if any(ins):
            inner = _inner(eqn)
            outs = [True] * len(eqn.outvars) if inner is None else _reached(inner, ins)
            live.update(v for v, o in zip(eqn.outvars, outs, strict=True) if o)
    return [not isinstance(v, Literal) and v in live for v in jaxpr.outvars]


def _used(jaxpr: Jaxpr, wanted: list[bool]) -> list[bool]:
    """For each input, whether a wanted output depends on it."""
    live: set[Any] = {v for v, w in zip(jaxpr.outvars, wanted, strict=True) if w and not isinstance(v, Literal)}
    for eqn in reversed(jaxpr.eqns):
        outs = [v in live for v in eqn.outvars]
        if not any(outs) and not eqn.effects:
            continue
        inner = _inner(eqn)
        reads = [True] * len(eqn.invars) if inner is None else _used(inner, outs)
        live.update(v for v, r in zip(eqn.invars, reads, strict=True) if r and not isinstance(v, Literal))
    return [v in live for v in jaxpr.invars]
