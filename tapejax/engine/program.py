"""`Program`: a recorded program compiled whole by XLA, and the op-by-op way to run one that is not worth it."""

import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import lax

from tapejax.engine.graph import Graph, Node, path
from tapejax.engine.op import jitted

__all__ = ["OpError", "Program", "is_concrete", "run_op_by_op"]

_concrete_type: type | None = None


def is_concrete(x: Any) -> bool:
    """Whether `x` is an array with data, NumPy's or JAX's, and not a JAX tracer."""
    global _concrete_type
    if _concrete_type is None:
        # The class of concrete arrays has no public name; asking for it starts the backend, so not at import.
        with jax.ensure_compile_time_eval():
            _concrete_type = type(jax.device_put(np.zeros((), np.float32)))
    kind = type(x)
    return kind is _concrete_type or kind is np.ndarray


class Program:
    """One program, for one set of wanted outputs and donated inputs.

    Args:
      end: the last node of the recorded program.
      outputs: slots to return.
      donated: positions of inputs whose buffers the program may overwrite.
    """

    __slots__ = ("_call", "_groups", "_packed", "donated", "end", "first_seconds", "outputs", "runs")

    def __init__(self, end: Node, outputs: tuple[int, ...], donated: tuple[int, ...]):
        graph = Graph(path(end), outputs)
        self.end = end
        self.outputs = outputs
        self.donated = donated
        self.runs = 0
        self.first_seconds = 0.0
        # Python numbers travel together, one vector per dtype: a host argument costs microseconds, an element
        # of a vector nanoseconds.
        positions: dict[np.dtype, list[int]] = {}
        for i, (_, kind) in enumerate(graph.scalars):
            positions.setdefault(kind.dtype, []).append(i)
        self._groups = list(positions.items())
        self._packed: list[tuple[bytes, Any]] = [(b"", None)] * len(self._groups)
        n_inputs = len(graph.input_slots)

        def run(*args: Any) -> list[Any]:
            scalars: list[Any] = [None] * len(graph.scalars)
            for (_, where), vector in zip(self._groups, args[n_inputs:], strict=True):
                for i, position in enumerate(where):
                    scalars[position] = lax.squeeze(lax.slice(vector, (i,), (i + 1,)), (0,))
            return graph(args[:n_inputs], scalars)

        run.__name__ = run.__qualname__ = _name(graph)
        self._call = jax.jit(run, donate_argnums=self.donated)

    def __call__(self, inputs: list[Any], scalars: list[Any]) -> list[Any]:
        """Runs on concrete arrays. The first call compiles."""
        args = inputs
        if self._groups:
            args = [*inputs, *(self._vector(g, scalars) for g in range(len(self._groups)))]
        self.runs += 1
        if self.runs > 1:
            return self._call(*args)
        start = time.perf_counter()
        outs = self._call(*args)
        self.first_seconds = time.perf_counter() - start
        return outs

    def _vector(self, group: int, scalars: list[Any]) -> Any:
        dtype, where = self._groups[group]
        vector = np.array(scalars if len(where) == len(scalars) else [scalars[i] for i in where], dtype)
        raw = vector.tobytes()
        last, kept = self._packed[group]
        if raw != last:
            self._packed[group] = (raw, vector)
            return vector
        if type(kept) is np.ndarray:
            # Numbers that did not change since the last run move to the device and stay there.
            kept = jax.device_put(kept)
            self._packed[group] = (raw, kept)
        return kept


def _name(graph: Graph) -> str:
    """A name for profiles: the ops at both ends."""
    names = ["".join(c if c.isalnum() else "_" for c in n.op.name) for n in graph.nodes if n.op is not None]
    return "tapejax_" + ("_".join(names) if len(names) <= 3 else f"{names[0]}_to_{names[-1]}_{len(names)}_ops")


class OpError(Exception):
    """An op failed while it ran. Holds the node and the values computed before it."""

    def __init__(self, node: Node, env: dict[int, Any], cause: Exception):
        super().__init__(str(cause))
        self.node = node
        self.env = env
        self.cause = cause


def run_op_by_op(end: Node, inputs: Sequence[Any], scalars: Sequence[Any], outputs: Sequence[int], *,
                 compiled: bool = True, wait: bool = False) -> dict[int, Any]:
    """Runs every op of a program by itself and returns the values of the slots `outputs`.

    Args:
      compiled: use each op's own executable; False calls the JAX functions directly (on tracers).
      wait: wait for each op, so that an error is laid at the door of the op that made it.

    Raises:
      OpError: if an op fails; the outputs computed before it are in the error.
    """
    nodes = path(end)
    last_use = {slot: node for node in nodes for slot in (*node.inputs, *range(node.slot, node.end))}
    for slot in outputs:
        last_use.pop(slot, None)
    env: dict[int, Any] = {}
    rest_inputs, rest_scalars = iter(inputs), iter(scalars)
    for node in nodes:
        if node.op is None:
            env[node.slot] = next(rest_inputs)
            continue
        for i, kind in enumerate(node.scalars):
            env[node.slot - len(node.scalars) + i] = np.asarray(next(rest_scalars), kind.dtype)
        try:
            call = jitted(node.op, node.static) if compiled else node.op.bind(node.static)
            outs = call(*(env[i] for i in node.inputs))
            if wait:
                jax.block_until_ready(outs)
        except Exception as e:
            raise OpError(node, {i: env[i] for i in outputs if i in env}, e) from e
        env.update(zip(range(node.slot, node.end), outs, strict=True))
        for slot in (*node.inputs, *range(node.slot, node.end)):
            if last_use.get(slot) is node:
                env.pop(slot, None)
    return {i: env[i] for i in outputs}
