"""Speeds up the tracing of programs in which the same op occurs several times.

JAX traces such an op once. Later occurrences evaluate the resulting jaxpr. Tracing an op takes 0.1 to 1 ms, and tracing
its vjp as long again. Evaluating a jaxpr of two or three primitives takes some 50 us. A program of 2000 small ops, of
which 500 are distinct, starts in half the time.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import jax
from jax.extend.core import jaxpr_as_fun

from tapejax._src.engine.op import Op, Static, linearize, pull_back

if TYPE_CHECKING:
    from tapejax._src.engine.graph import Node

__all__ = ["Repeated"]


class Repeated:
    """Evaluates the ops of one program while JAX traces it.

    Args:
      nodes: the program's op nodes.
    """

    def __init__(self, nodes: "Iterable[Node]"):
        self._counts = Counter((n.op, n.static, n.input_avals) for n in nodes)
        self._applied: dict[tuple, Callable] = {}
        self._linear: dict[tuple, _Linear] = {}

    def apply(self, node: "Node", args: Sequence[Any]) -> Sequence[Any]:
        """Returns the node's results."""
        op, key = node.op, (node.op, node.static, node.input_avals)
        assert op is not None
        if self._counts[key] < 3 or op.acts:
            return op.bind(node.static)(*args)
        found = self._applied.get(key)
        if found is None:
            traced = jax.make_jaxpr(op.bind(node.static))(*(a.struct for a in node.input_avals))
            found = self._applied[key] = jaxpr_as_fun(traced)
        return found(*args)

    def linearize(self, node: "Node", wrt: tuple[int, ...], args: Sequence[Any]) -> tuple[Sequence[Any], Callable]:
        """Returns the node's results and its pullback, ``(given, cotangents) -> gradients of the inputs wrt``."""
        op, key = node.op, (node.op, node.static, node.input_avals)
        assert op is not None
        if self._counts[key] < 3 or op.acts:
            outs, pull = linearize(op, node.static, wrt, args)
            return outs, lambda given, cotangents: pull_back(outs, pull, given, cotangents)
        found = self._linear.get((key, wrt))
        if found is None:
            found = self._linear[key, wrt] = _Linear(op, node.static, wrt, [a.struct for a in node.input_avals])
        return found(args)


class _Linear:
    """An op and its pullback as two jaxprs. The first returns the residuals that the second takes."""

    def __init__(self, op: Op, static: Static, wrt: tuple[int, ...], structs: Sequence[Any]):
        def forward(*xs: Any) -> tuple:
            return linearize(op, static, wrt, xs)

        traced, shapes = jax.make_jaxpr(forward, return_shape=True)(*structs)
        leaves, self._tree = jax.tree.flatten(shapes)
        self._n_outs = len(shapes[0])
        self._residuals = leaves[self._n_outs :]
        self._outs = shapes[0]
        self._forward = jaxpr_as_fun(traced)
        self._backward: dict[tuple, Callable] = {}

    def __call__(self, args: Sequence[Any]) -> tuple[Sequence[Any], Callable]:
        values = self._forward(*args)
        outs, residuals = values[: self._n_outs], values[self._n_outs :]
        return outs, lambda given, cotangents: self._pull(given, residuals, cotangents)

    def _pull(self, given: tuple[bool, ...], residuals: Sequence[Any], cotangents: Sequence[Any]) -> Sequence[Any]:
        found = self._backward.get(given)
        if found is None:
            n = len(residuals)

            def backward(*values: Any) -> tuple:
                outs, pull = jax.tree.unflatten(self._tree, [*self._outs, *values[:n]])
                return pull_back(outs, pull, given, values[n:])

            cts = [o for o, g in zip(self._outs, given, strict=True) if g]
            traced = jax.make_jaxpr(backward)(*self._residuals, *cts)
            found = self._backward[given] = jaxpr_as_fun(traced)
        return found(*residuals, *cotangents)
