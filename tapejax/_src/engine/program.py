"""Two ways to run a recorded program.

`Program` compiles all of its ops into one XLA executable. `run_op_by_op` runs each op by itself, for programs that are
not worth compiling.
"""

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
        # The class of concrete arrays has no public name, so it is taken from an array. Making an array starts JAX's
        # backend, which must not happen at import.
        with jax.ensure_compile_time_eval():
            _concrete_type = type(jax.device_put(np.zeros((), np.float32)))
    kind = type(x)
    return kind is _concrete_type or kind is np.ndarray


def call_now(jitted: Any, args: Sequence[Any], box: list[Any] | None = None) -> Any:
    """Calls a jitted function on arrays at once, even inside one of JAX's transformations.

    A plain call there would be traced as part of the transformation. Arguments that are tracers are traced as usual.

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
    except ValueError:  # JAX refuses compiler options inside another jit
        if is_concrete(jnp.zeros(())):
            raise
    if not all(map(is_concrete, args)):
        return jitted.__wrapped__(*args)  # tracers: the transformation must see the ops
    with jax.ensure_compile_time_eval():
        return call_into(box, jitted, args)


def on_device(array: Any) -> Any:
    """Returns a copy of a NumPy array on the device. An array that is on the device already is returned as it is."""
    if type(array) is not np.ndarray:
        return array
    with jax.enable_x64(True), jax.ensure_compile_time_eval():  # inside jax.jit, device_put would return a tracer
        return jax.device_put(array)


# How often `on_host` polls whether an array is ready before it blocks. One poll takes some 0.2 us.
_LOOKS: Final = 300


def on_host(array: Any) -> np.ndarray:
    """Returns an array's values as a NumPy array. Waits until they are computed.

    It polls for a short time before it blocks. On a virtual machine a blocked thread takes some 50 us to wake up, and
    many training steps take less than that. Workload W2 of the benchmarks, in a `tf.function`, takes 45 us per step
    with polling and 80 us without.
    """
    if type(array) is _concrete_type and not array.is_deleted():  # is_ready of a deleted array crashes JAX 0.10
        ready = array.is_ready
        for _ in range(_LOOKS):
            if ready():
                break
    return np.asarray(array)


# Weak references to the arrays that are the value of several tensors, keyed by the array's id.
_shared: dict[int, weakref.ref] = {}


def _note_shared(array: Any) -> None:
    if type(array) is not np.ndarray:
        key = id(array)
        _shared[key] = weakref.ref(array, lambda _: _shared.pop(key, None))


def unshared(array: Any) -> Any:
    """Returns an array that the user may donate to JAX: a copy if several tensors hold it, else the array itself.

    Donation deletes an array. The other tensors would lose their value.
    """
    return copied(array) if id(array) in _shared else array


def copied(array: Any) -> Any:
    """Returns a copy of an array. It is an array even inside jax.jit, where JAX would otherwise return a tracer."""
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        return jnp.copy(array)


class Program:
    """The executable of a recorded program for one choice of outputs and donated inputs.

    Args:
      end: the last node of the recorded program.
      outputs: slots whose values it returns.
      donated: positions of inputs whose buffers the program may overwrite.
      scalars: values of the program's Python numbers in its first run.
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
        # All Python numbers of one dtype are passed as one vector. Each host argument of a call costs microseconds,
        # each further element of a vector only nanoseconds.
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
        """Makes the list of all outputs from those that the compiled program returns.

        `_places` has one index for each output: into `outs`, or, if negative, into `inputs` from the end.
        """
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


# In a program with at least this many numbers, equal numbers that are arguments of the same op share one element of the
# vector. XLA compiles kernels that read the same inputs only once: a loop of a thousand steps ``y * 1.01 + 0.1``
# compiles in a sixth of the time.
_MANY: Final = 32


class Numbers:
    """Packs the Python numbers of one dtype into the vector that a program takes as an argument.

    Args:
      dtype: the dtype of the vector.
      where: positions of these numbers in the list of all numbers of the program.
      first: values of all numbers of the program in its first run.
      sources: for each number of the program, the node that it is an argument of.
    """

    __slots__ = ("_last", "_representative", "_shared", "dtype", "where")

    def __init__(self, dtype: np.dtype, where: list[int], first: Sequence[Any], sources: Sequence[Node]):
        self.dtype = dtype
        self.where = where
        self._last: tuple[bytes, Any] = (b"", None)
        self._shared: np.ndarray | None = None  # index of each number in the vector; None: its own
        self._representative: np.ndarray | None = None  # for each element, one of its numbers
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
        """Gives every number its own element of the vector, because numbers that shared one are no longer equal."""
        self._shared = self._representative = None
        self._last = (b"", None)

    def pack(self, scalars: Sequence[Any]) -> Any:
        """Returns the vector that holds these numbers, or None if numbers that share an element now differ."""
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
            # The numbers are the same as in the last run. The vector is kept on the device from now on.
            kept = on_device(kept)
            self._last = (raw, kept)
        return kept

    def unpack(self, vector: Any, scalars: list[Any]) -> None:
        """Writes the elements of the vector into `scalars`, at the numbers' positions. Called while JAX traces."""
        count = len(self.where) if self._representative is None else len(self._representative)
        elements = [lax.squeeze(lax.slice(vector, (i,), (i + 1,)), (0,)) for i in range(count)]
        for j, position in enumerate(self.where):
            scalars[position] = elements[j if self._shared is None else int(self._shared[j])]


def _name(graph: Graph) -> str:
    """The program's name in profiles, made of the names of its first and last op."""
    names = ["".join(c if c.isalnum() else "_" for c in n.op.name) for n in graph.nodes if n.op is not None]
    return "tapejax_" + ("_".join(names) if len(names) <= 3 else f"{names[0]}_to_{names[-1]}_{len(names)}_ops")


class OpError(Exception):
    """An op failed while it ran.

    Attributes:
      node: the node of the op.
      env: the wanted values that were computed before the failure, by slot.
      cause: the exception that the op raised.
    """

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
      end: the last node of the program.
      inputs: values of the program's inputs.
      scalars: values of the program's Python numbers.
      outputs: the slots whose values are returned.
      compiled: whether each op runs as an executable of its own. If False, the ops' JAX functions are called directly,
        as is needed for tracers.
      wait: whether to wait for each op to finish. JAX runs ops asynchronously, so that an error could otherwise show
        up at a later op than the one that failed.
      acting: whether ops with side effects run even if the outputs do not need them.

    Raises:
      OpError: an op failed. The error holds the outputs that were computed before.
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
