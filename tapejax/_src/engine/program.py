"""`Program`: a recorded program compiled whole by XLA, and the op-by-op way to run one that is not worth it."""

import time
import weakref
from collections.abc import Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.engine.compiler import jit
from tapejax._src.engine.graph import Graph, Node, needed, path
from tapejax._src.engine.interrupts import FIRST_CALLS, call_into, raised_by_handler, spare
from tapejax._src.engine.op import VjpOp, jitted

__all__ = [
    "OpError",
    "Program",
    "call_now",
    "copied",
    "is_concrete",
    "on_device",
    "on_host",
    "run_op_by_op",
    "unshared",
]

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


def call_now(jitted: Any, args: Sequence[Any], box: list[Any] | None = None) -> Any:
    """Calls a jitted function, also inside one of JAX's transformations, which would record the call on arrays.

    Args:
      jitted: what `jax.jit` returned.
      args: its arguments.
      box: an empty list. The results are in it as soon as the function has run; see `interrupts`.
    """
    box = [] if box is None else box
    try:
        outs = call_into(box, jitted, args)
        if not outs or is_concrete(outs[0]):
            return outs
        box.clear()  # tracers: nothing has run
    except ValueError:  # compiler options are for outermost programs
        if is_concrete(jnp.zeros(())):
            raise
    if not all(map(is_concrete, args)):
        return jitted.__wrapped__(*args)  # on tracers it is to be recorded
    with jax.ensure_compile_time_eval():
        return call_into(box, jitted, args)


def on_device(array: Any) -> Any:
    """A host array's copy on the device; a device's array as it is."""
    if type(array) is not np.ndarray:
        return array
    with jax.enable_x64(True), jax.ensure_compile_time_eval():  # inside jax.jit too an array, no tracer
        return jax.device_put(array)


# How often to ask whether an array is there (some .2 us each) before waiting for it.
_LOOKS: Final = 300


def on_host(array: Any) -> np.ndarray:
    """An array's values as a NumPy array, waited for if need be.

    A thread that sleeps takes some 50 us to wake up again, on a virtual machine, and many a step takes less: W2 in a
    `tf.function` takes 45 us instead of 80.
    """
    if type(array) is _concrete_type and not array.is_deleted():  # to ask a deleted one crashes JAX 0.10
        ready = array.is_ready
        for _ in range(_LOOKS):
            if ready():
                break
    return np.asarray(array)


# Arrays that several tensors hold, by identity.
_shared: dict[int, weakref.ref] = {}


def _note_shared(array: Any) -> None:
    if type(array) is not np.ndarray:
        key = id(array)
        _shared[key] = weakref.ref(array, lambda _: _shared.pop(key, None))


def unshared(array: Any) -> Any:
    """A copy of an array that several tensors hold, any other as it is: a user may donate what he is handed."""
    return copied(array) if id(array) in _shared else array


def copied(array: Any) -> Any:
    """An array of its own with the same values; inside jax.jit too an array, no tracer."""
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        return jnp.copy(array)


class Program:
    """One program, for one set of wanted outputs and donated inputs.

    Args:
      end: the last node of the recorded program.
      outputs: slots to return.
      donated: positions of inputs whose buffers the program may overwrite.
      scalars: the Python numbers of its first run.
    """

    __slots__ = (
        "_call",
        "_graph",
        "_places",
        "_vectors",
        "compilations",
        "donated",
        "end",
        "first_seconds",
        "outputs",
        "runs",
    )

    def __init__(self, end: Node, outputs: tuple[int, ...], donated: tuple[int, ...], scalars: Sequence[Any] = ()):
        self._graph = Graph(path(end), outputs)
        self._places: list[int] | None = None
        self.end = end
        self.outputs = outputs
        self.donated = donated
        self.runs = 0
        self.compilations = 0
        self.first_seconds = 0.0
        # Python numbers travel together, one vector per dtype: a host argument costs microseconds, an element
        # of a vector nanoseconds.
        positions: dict[np.dtype, list[int]] = {}
        for i, (_, kind) in enumerate(self._graph.scalars):
            positions.setdefault(kind.dtype, []).append(i)
        sources = [n for n in path(end) for _ in n.scalars]
        self._vectors = [Numbers(dtype, where, scalars, sources) for dtype, where in positions.items()]
        self._compile()

    def _compile(self) -> None:
        graph, vectors = self._graph, self._vectors
        n_inputs = len(graph.input_slots)

        def run(*args: Any) -> list[Any]:
            scalars: list[Any] = [None] * len(graph.scalars)
            for numbers, vector in zip(vectors, args[n_inputs:], strict=True):
                numbers.unpack(vector, scalars)
            return self._distinct(args[:n_inputs], graph(args[:n_inputs], scalars))

        run.__name__ = run.__qualname__ = _name(graph)
        self._call = jit(run, self.donated)
        self.compilations += 1

    def _distinct(self, inputs: Sequence[Any], outs: list[Any]) -> list[Any]:
        """Removes gradients that repeat an input or another gradient from the outputs. Called while JAX traces.

        XLA would copy such an output. They are common: all gradients of a sum are the same upstream gradient. Only
        gradients may share a buffer. If the new value of a variable shared one, the next step could not overwrite it.

        Returns:
          The outputs that the compiled program returns. `results` makes the full list from them.
        """
        gradients = {
            slot for node in self._graph.nodes if isinstance(node.op, VjpOp) for slot in range(node.slot, node.end)
        }
        places = {id(x): i - len(inputs) for i, x in enumerate(inputs) if i not in self.donated}
        found: list[Any] = []
        where = []
        for slot, out in zip(self.outputs, outs, strict=True):
            place = places.get(id(out)) if slot in gradients else None
            if place is None:
                place = len(found)
                found.append(out)
                if slot in gradients:
                    places[id(out)] = place
            where.append(place)
        self._places = where if len(found) < len(outs) else None
        return found

    def results(self, inputs: list[Any], outs: list[Any]) -> list[Any]:
        """All outputs, made from those that the compiled program returns. Negative places are inputs, from the end."""
        places = self._places
        if places is None:
            return outs
        for i in places:
            if i < 0 or places.count(i) > 1:
                _note_shared(outs[i] if i >= 0 else inputs[i])
        return [outs[i] if i >= 0 else on_device(inputs[i]) for i in places]

    def __call__(self, inputs: list[Any], scalars: list[Any], box: list[Any] | None = None) -> list[Any]:
        """Runs on concrete arrays. The first call compiles, and one with numbers that were equal and are not any more.

        Args:
          inputs, scalars: the arrays and the Python numbers.
          box: an empty list. What `results` takes is in it as soon as the program has run; see `interrupts`.
        """
        args = inputs
        before = self.compilations
        if self._vectors:
            vectors = [numbers.pack(scalars) for numbers in self._vectors]
            if any(v is None for v in vectors):
                for numbers in self._vectors:
                    numbers.separate()
                self._compile()
                vectors = [numbers.pack(scalars) for numbers in self._vectors]
            args = [*inputs, *vectors]
        self.runs += 1
        if self.runs > FIRST_CALLS and before == self.compilations:
            outs = call_now(self._call, args, box)
            return outs if self._places is None else self.results(inputs, outs)
        if self.donated:
            args = list(args)
            for i in self.donated:
                args[i] = spare(args[i])
        start = time.perf_counter()
        outs = call_now(self._call, args, box)
        if self.runs == 1 or before != self.compilations:
            self.first_seconds = time.perf_counter() - start
        return self.results(inputs, outs)


# From this many on, numbers that are equal and enter by the same op share an input: kernels that read
# the same inputs are compiled once, and a loop of a thousand steps ``y * 1.01 + 0.1`` compiles in a sixth of the time.
_MANY: Final = 32


class Numbers:
    """The Python numbers of one dtype that a program takes, as one vector.

    Args:
      dtype: of the vector.
      where: their places among the program's numbers.
      first: all numbers of the first run.
      sources: for each of the program's numbers, the node where it enters.
    """

    __slots__ = ("_last", "_representative", "_shared", "dtype", "where")

    def __init__(self, dtype: np.dtype, where: list[int], first: Sequence[Any], sources: Sequence[Node]):
        self.dtype = dtype
        self.where = where
        self._last: tuple[bytes, Any] = (b"", None)
        self._shared: np.ndarray | None = None  # for each number, which element of the vector it is
        self._representative: np.ndarray | None = None  # for each element, a number that it is
        if len(where) >= _MANY and first:
            places: dict[tuple, int] = {}
            values = np.array([first[i] for i in where], dtype)
            self._shared = np.array(
                [
                    places.setdefault((sources[i].op, sources[i].static, values[j].tobytes()), len(places))
                    for j, i in enumerate(where)
                ]
            )
            self._representative = np.array([int(np.argmax(self._shared == e)) for e in range(len(places))])

    def separate(self) -> None:
        """Gives every number an element of its own."""
        self._shared = self._representative = None
        self._last = (b"", None)

    def pack(self, scalars: Sequence[Any]) -> Any:
        """The vector for these numbers; None if some that share an element differ."""
        where = self.where
        vector = np.array(scalars if len(where) == len(scalars) else [scalars[i] for i in where], self.dtype)
        raw = vector.tobytes()
        last, kept = self._last
        if raw != last:
            if self._shared is not None:
                assert self._representative is not None
                short = vector[self._representative]
                if short[self._shared].tobytes() != raw:
                    return None
                vector = short
            self._last = (raw, vector)
            return vector
        if type(kept) is np.ndarray:
            # Numbers that did not change since the last run move to the device and stay there.
            kept = on_device(kept)
            self._last = (raw, kept)
        return kept

    def unpack(self, vector: Any, scalars: list[Any]) -> None:
        """While a program is traced: puts the elements of the vector in the numbers' places."""
        count = len(self.where) if self._representative is None else len(self._representative)
        elements = [lax.squeeze(lax.slice(vector, (i,), (i + 1,)), (0,)) for i in range(count)]
        for j, position in enumerate(self.where):
            scalars[position] = elements[j if self._shared is None else int(self._shared[j])]


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


def run_op_by_op(
    end: Node,
    inputs: Sequence[Any],
    scalars: Sequence[Any],
    outputs: Sequence[int],
    *,
    compiled: bool = True,
    wait: bool = False,
    acting: bool = True,
) -> dict[int, Any]:
    """Runs every op of a program by itself and returns the values of the slots `outputs`.

    Args:
      compiled: use each op's own executable; False calls the JAX functions directly (on tracers).
      wait: wait for each op, so that an error is laid at the door of the op that made it.
      acting: False leaves out what the outputs do not need.

    Raises:
      OpError: if an op fails; the outputs computed before it are in the error.
    """
    nodes = path(end)
    wanted = None if acting else set(needed(nodes, outputs, acting=False))
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
        if wanted is not None and node not in wanted:
            continue
        try:
            args = [env[i] for i in node.inputs]
            outs = call_now(jitted(node.op, node.static), args) if compiled else node.op.bind(node.static)(*args)
            if wait:
                jax.block_until_ready(outs)
        except Exception as e:
            if raised_by_handler(e):
                raise
            raise OpError(node, {i: env[i] for i in outputs if i in env}, e) from e
        env.update(zip(range(node.slot, node.end), outs, strict=True))
        for slot in (*node.inputs, *range(node.slot, node.end)):
            if last_use.get(slot) is node:
                env.pop(slot, None)
    return {i: env[i] for i in outputs}
