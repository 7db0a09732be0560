"""`Node`: one recorded instruction, and a state of the trie of all programs. `Graph`: a program as a function.

A program is a path of nodes from the root. Each node is the dict of its children, keyed by what is recorded
next: an input's aval, or (op, static arguments, where each input comes from). Values are numbered by *slot*:
each input, each Python number and each output of an op takes the next slot of its path.
"""

import contextlib
from collections.abc import Sequence
from typing import Any, Final

import jax
from jax import lax

from tapejax._src.engine.aval import Aval, ScalarKind
from tapejax._src.engine.op import NO_STATIC, Op, Static, VjpOp
from tapejax._src.engine.repeated import Repeated

__all__ = ["Graph", "Node", "needed", "path"]


class Node(dict):
    """An instruction (`op` is None for an input) and the trie state after it.

    Attributes:
      inputs: slots the op reads, and `input_avals` what is there. The last ones may be this node's own `scalars`.
      scalars: kinds of the Python numbers that enter here; their slots precede the outputs'.
      avals: of the outputs, which take the slots ``slot, slot + 1, ...``; `end` is the next free slot.
      depth: instructions on the path, this one included.
      where: (file, line, function) of the user's code that first recorded this node; `scope` its name scope.
      acts, may_fail: whether an op of the program that ends here does; see `Op`.
      memo: what tapes worked out about the program that ends here.
      programs: executables of the program that ends here.
    """

    __slots__ = (
        "acts",
        "avals",
        "depth",
        "end",
        "input_avals",
        "inputs",
        "may_fail",
        "memo",
        "op",
        "parent",
        "programs",
        "scalars",
        "scope",
        "seen",
        "single",
        "slot",
        "static",
        "where",
    )

    def __init__(
        self,
        parent: "Node | None",
        op: Op | None,
        static: Static,
        inputs: tuple[int, ...],
        input_avals: tuple[Aval, ...],
        scalars: tuple[ScalarKind, ...],
        avals: tuple[Aval, ...],
        single: bool,
        where: tuple[str, int, str] | None = None,
        scope: str = "",
    ):
        self.parent = parent
        self.op = op
        self.static = static
        self.inputs = inputs
        self.input_avals = input_avals
        self.scalars = scalars
        self.avals = avals
        self.single = single
        self.where = where
        self.scope = scope
        self.slot = (parent.end if parent is not None else 0) + len(scalars)
        self.end = self.slot + len(avals)
        self.depth = parent.depth + 1 if parent is not None else 0
        self.may_fail = (parent is not None and parent.may_fail) or (op is not None and op.may_fail)
        self.acts = (parent is not None and parent.acts) or (op is not None and op.acts)
        self.memo: dict[Any, Any] = {}
        self.programs: list[Any] = []
        self.seen = 0

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        if self.op is None:
            return f"%{self.slot} = input {self.avals}"
        args = ", ".join([*(f"%{i}" for i in self.inputs), *([repr(self.static)] if self.static.kwargs else [])])
        outs = ", ".join(f"%{self.slot + i}: {a}" for i, a in enumerate(self.avals))
        return f"{outs} = {self.op.name}({args})"


def root() -> Node:
    """The start of a trie."""
    return Node(None, None, NO_STATIC, (), (), (), (), False)


def path(end: Node, start: Node | None = None) -> list[Node]:
    """The nodes after `start` (by default the root) up to and with `end`, in recording order."""
    nodes = []
    stop = start.depth if start is not None else 0
    node: Node | None = end
    while node is not None and node.depth > stop:
        nodes.append(node)
        node = node.parent
    nodes.reverse()
    return nodes


class Graph:
    """The part of a program that its outputs need, as a pure JAX function of inputs and Python numbers.

    Where an op and its vjp are both in the program, the op is evaluated by `jax.vjp` once, at the place of the
    forward op, and the vjp uses its pullback: forward work is not repeated, without relying on XLA to notice.
    """

    def __init__(self, nodes: Sequence[Node], outputs: Sequence[int], acting: bool = True):
        self.outputs = tuple(outputs)
        self.nodes = needed(nodes, outputs, acting)
        self.input_slots = tuple(n.slot for n in nodes if n.op is None)
        self.scalars = tuple((n.slot - len(n.scalars) + i, kind) for n in nodes for i, kind in enumerate(n.scalars))
        self._forward = {}  # of a vjp node: the forward node that it shares residuals with
        self._wrt = {}  # of such a forward node: all inputs that some vjp differentiates
        self._pair_vjps()
        # XLA's CPU compiler needs exponential memory for one fused kernel that reads hundreds of separate numbers
        # (measured: 250 take 0.4 s, 500 do not finish); a barrier now and then keeps kernels short.
        reading = [n for n in self.nodes if n.scalars]
        self._barriers = frozenset(reading[49::50] if len(reading) > 200 else ())

    def _pair_vjps(self) -> None:
        seen: dict[tuple, Node] = {}
        for node in self.nodes:
            op = node.op
            if isinstance(op, VjpOp):
                count = len(node.inputs) - sum(op.given)
                forward = seen.get((op.base, node.static, node.inputs[:count]))
                if forward is not None:
                    self._forward[node] = forward
                    self._wrt[forward] = tuple(sorted({*self._wrt.get(forward, ()), *op.wrt}))
            seen.setdefault((op, node.static, node.inputs), node)

    def __call__(self, inputs: Sequence[Any], scalars: Sequence[Any]) -> list[Any]:
        """Evaluates on JAX arrays or tracers: `inputs` in order of entry, `scalars` in order of recording."""
        env: dict[int, Any] = dict(zip(self.input_slots, inputs, strict=True))
        env.update((slot, s) for (slot, _), s in zip(self.scalars, scalars, strict=True))
        pulls: dict[Node, Any] = {}
        repeated = Repeated(self.nodes)
        for node in self.nodes:
            args = [env[i] for i in node.inputs]
            with jax.named_scope(node.scope[:-1]) if node.scope else _NO_SCOPE:
                results = self._apply(node, args, repeated, pulls)
            if node in self._barriers:
                results = lax.optimization_barrier(results)
            for i, value in enumerate(results):
                env[node.slot + i] = value
        return [env[i] for i in self.outputs]

    def _apply(self, node: Node, args: list[Any], repeated: Repeated, pulls: dict[Node, Any]) -> Sequence[Any]:
        """A node's results; `pulls` holds the pullbacks of forward nodes, for the vjps to come."""
        op, forward, wrt = node.op, self._forward.get(node), self._wrt.get(node)
        if forward is not None:
            assert isinstance(op, VjpOp)
            grads = pulls[forward](op.given, args[len(args) - sum(op.given) :])
            at = self._wrt[forward]
            if wrt is not None:
                # A vjp that is differentiated again: its own pullback starts from its inputs.
                pulls[node] = repeated.linearize(node, wrt, args)[1]
            return tuple(grads[at.index(i)] for i in op.wrt)
        if wrt is not None:
            results, pulls[node] = repeated.linearize(node, wrt, args)
            return results
        return repeated.apply(node, args)


_NO_SCOPE: Final = contextlib.nullcontext()


def needed(nodes: Sequence[Node], outputs: Sequence[int], acting: bool = True) -> list[Node]:
    """The op nodes whose results reach `outputs`, in order, and, if `acting`, those that act."""
    wanted = set(outputs)
    keep = []
    for node in reversed(nodes):
        op = node.op
        if op is None:
            continue
        if (acting and op.acts) or any(slot in wanted for slot in range(node.slot, node.end)):
            wanted.update(node.inputs)
            keep.append(node)
    keep.reverse()
    return keep
