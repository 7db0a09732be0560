"""How programs are represented: `Node` is one instruction, `Graph` is a program as a pure JAX function.

All programs that were ever recorded form a trie. A program is a path of nodes from the root. Each node is a dict of its
children. The key of a child is the instruction that is recorded next: the aval of a new input, or a tuple of an op, its
static arguments and the sources of its inputs. Recording a known program again thus only looks up children.

Values are numbered by *slot*. Each input, each Python number and each output of an op takes the next slot of its path.
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
    """One instruction, an op or an input. It is also a trie node: the end of the program that its path spells.

    Attributes:
      parent: the instruction before this one; None for the root.
      op: the op; None for an input.
      static: the op's static arguments.
      inputs: the slots that the op reads. Some may belong to this node's own `scalars`.
      input_avals: the avals of the values in those slots.
      scalars: the kinds of the Python numbers that are arguments of this op. Their slots precede the outputs'.
      avals: the avals of the outputs.
      slot: the slot of the first output. The others follow.
      end: the next free slot.
      single: whether the op returns one array rather than a tuple.
      depth: the number of instructions on the path, this one included.
      where: (file, line, function) of the user's code that first recorded this node.
      scope: the name scope in which it was recorded.
      acts: whether some op on the path has a side effect; see `Op.acts`.
      may_fail: whether some op on the path calls a Python function that may raise; see `Op.may_fail`.
      memo: a cache for facts about the program that ends here, such as those that tapes work out.
      programs: the executables of the program that ends here.
      seen: how often the program that ends here ran op by op before it was compiled.
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
    """A program as a pure JAX function of its inputs and Python numbers. Ops that the outputs do not need are left out.

    If the program contains both an op and its vjp, `jax.vjp` is called once, at the place of the op. The vjp node then
    calls the pullback. The forward computation is not repeated, and this does not depend on XLA's optimizations.

    Args:
      nodes: the nodes of the program.
      outputs: the slots whose values are returned.
      acting: whether ops with side effects are kept even if the outputs do not need them.
    """

    def __init__(self, nodes: Sequence[Node], outputs: Sequence[int], acting: bool = True):
        self.outputs = tuple(outputs)
        self.nodes = needed(nodes, outputs, acting)
        self.input_slots = tuple(n.slot for n in nodes if n.op is None)
        self.scalars = tuple((n.slot - len(n.scalars) + i, kind) for n in nodes for i, kind in enumerate(n.scalars))
        self._forward = {}  # for each vjp node, the forward node whose pullback it calls
        self._wrt = {}  # for each such forward node, all inputs that a vjp differentiates
        self._pair_vjps()
        # XLA's CPU compiler needs exponential memory for one fused kernel that reads hundreds of separate numbers
        # (measured: 250 take 0.4 s, 500 do not finish). A barrier after every 50th op that reads numbers limits how
        # many ops are fused.
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
        """Returns a node's results. `pulls` holds the pullbacks of forward nodes, which later vjp nodes call."""
        op, forward, wrt = node.op, self._forward.get(node), self._wrt.get(node)
        if forward is not None:
            assert isinstance(op, VjpOp)
            grads = pulls[forward](op.given, args[len(args) - sum(op.given) :])
            at = self._wrt[forward]
            if wrt is not None:
                # This vjp node is differentiated in turn. Its own pullback is made from its inputs.
                pulls[node] = repeated.linearize(node, wrt, args)[1]
            return tuple(grads[at.index(i)] for i in op.wrt)
        if wrt is not None:
            results, pulls[node] = repeated.linearize(node, wrt, args)
            return results
        return repeated.apply(node, args)


_NO_SCOPE: Final = contextlib.nullcontext()


def needed(nodes: Sequence[Node], outputs: Sequence[int], acting: bool = True) -> list[Node]:
    """Returns the op nodes that `outputs` depend on, in order. With `acting`, also all ops that have side effects."""
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
