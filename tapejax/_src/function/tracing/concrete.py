"""`ConcreteFunction`: a function captured for one signature, and the two ways to run it.

Without a tape it is called directly, as one jitted program that overwrites the buffers of the variables it assigns
(`Direct`). Under a tape, or inside another capture, the call is recorded as one op, whose gradient is one vjp.
"""

from collections.abc import Sequence
from typing import Any, Final

import jax
import numpy as np

from tapejax._src.core import dtypes, nest
from tapejax._src.core.convert import convert_to_tensor
from tapejax._src.core.specs import TensorSpec
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable, cut, variables_by_tensor
from tapejax._src.engine import stream
from tapejax._src.engine.capture import Captured
from tapejax._src.engine.op import NO_STATIC, Inferred, Op, Static
from tapejax._src.engine.program import is_concrete
from tapejax._src.function.tracing.body import Body
from tapejax._src.function.tracing.direct import Direct
from tapejax._src.function.tracing.fitting import Fitting
from tapejax._src.function.tracing.signature import Arguments, Signature, describe
from tapejax._src.ops.random import draws as random

__all__ = ["ConcreteFunction", "Returned"]

# NumPy arrays up to this size become constants of the program, with which XLA can compute in advance. Larger arrays
# are passed to the program at each call.
_CONSTANT_BYTES: Final = 1 << 16


class Returned:
    """The result of a function: its structure, and the tensors in it.

    Args:
      value: what the function returned: a structure of tensors, of values that convert to tensors, and of None.
      name: the function's name, for messages.

    Raises:
      TypeError: `value` contains something else.
    """

    def __init__(self, value: Any, name: str):
        self.tensors: list[Tensor] = []
        self._leaves: list[Any] = []
        for leaf in nest.flatten(value, expand_composites=True):
            tensor = None if leaf is None else _result(leaf, name)
            # XLA has no strings. A string tensor is on the host, and is kept as a part of the structure.
            host = tensor is None or tensor.aval.dtype == object
            self._leaves.append(tensor if host else _PLACE)
            if tensor is not None and not host:
                self.tensors.append(tensor)
        self._value = nest.pack_sequence_as(value, self._leaves, expand_composites=True)

    def filled(self, tensors: Sequence[Any]) -> Any:
        """The structure with other values in place of its tensors."""
        if self._value is _PLACE:
            return tensors[0]
        rest = iter(tensors)
        return nest.pack_sequence_as(
            self._value, [next(rest) if leaf is _PLACE else leaf for leaf in self._leaves], expand_composites=True
        )


_PLACE: Final = object()


def _result(leaf: Any, name: str) -> Tensor:
    if type(leaf) is Tensor:
        return leaf
    try:
        return convert_to_tensor(leaf)
    except (TypeError, ValueError):
        raise TypeError(
            "To be compatible with tf.function, Python functions must return zero or more Tensors or "
            f"ExtensionTypes or None values; in compilation of {name}, found return value of type "
            f"{type(leaf).__name__}, which is not a Tensor or ExtensionType."
        ) from None


class _Call(Op):
    """The op that runs a captured graph. The avals of its results are known, so they are not inferred by tracing."""

    __slots__ = ("_avals",)

    def __init__(self, name: str, fn: Any, avals: tuple, may_fail: bool, acts: bool):
        super().__init__(name, fn, may_fail=may_fail, acts=acts)
        self._avals = avals

    def _infer(self, static: Static, avals: tuple) -> Inferred:
        return Inferred(self._avals, False)


class ConcreteFunction:
    """A function captured for one signature. It is called like the function itself.

    Args:
      name: the name of the Python function.
      captured: the capture, whose results are a `Returned`.
      arguments: the arguments of the call for which the function was captured.
      signature: the signature of the function.

    Source: https://www.tensorflow.org/api_docs/python/tf/types/experimental/ConcreteFunction

    >>> import tapejax as tf
    >>> square = tf.function(lambda x: x * x).get_concrete_function(tf.TensorSpec([2]))
    >>> square(tf.constant([1.0, 3.0])).numpy().tolist()
    [1.0, 9.0]
    """

    def __init__(self, name: str, captured: Captured, arguments: Arguments, signature: Signature):
        self.name = name
        self._returned: Returned = captured.results
        self._scalars = captured.scalars
        self._draws = captured.draws
        self._runs, self._epoch = 0, random.epoch()
        self._fitting = Fitting(name, arguments, signature)
        self._given_avals = [t.aval for t in arguments.tensors]
        captured.slots([*(after for _, _, after in captured.assigned), *self._returned.tensors])
        self._arrange(captured)
        assigned = {id(v): after for v, _, after in captured.assigned}
        results = self._returned.tensors
        outs = [*(assigned[id(v)] for v in self._written), *results]
        self._body = Body(
            captured.graph(outs),
            len(arguments.tensors),
            len(self._cells),
            self._order,
            self._built_in,
            self._scalars,
            [i for i, _ in self._draws],
        )
        self._avals = tuple(t.aval for t in outs)
        self._returned.tensors = []
        self._reads: list[Variable] = list(captured.reads)
        used = {id(v) for v in (*self._cells, *self._written)}
        # At each call, variables that were arguments of the captured call are replaced by those of the new call.
        self._arg_variables = [v if id(v) in used else None for v in arguments.variables]
        self._own = used - {id(v) for v in arguments.variables}
        end, n_written = captured.end, len(self._written)
        self._op = _Call(name, self._body.in_stream, self._avals, end.may_fail, end.acts)
        n_read_and_written = sum(id(c) in assigned for c in self._cells)
        self._direct = Direct(
            self._body.alone,
            name,
            len(arguments.tensors),
            0 if end.may_fail else n_read_and_written,
            self._avals[:n_written],
            self._avals[n_written:],
            end,
        )

    def _arrange(self, captured: Captured) -> None:
        """Divides the graph's inputs into variables, arrays that are passed at each call, and built-in constants."""
        owners = variables_by_tensor()
        assigned = {id(v): v for v, _, _ in captured.assigned}
        cells = [owners[id(t)] for t in captured.inputs if id(t) in owners]
        # Variables that the function assigns come first, because their buffers are donated to the program.
        self._cells: list[Variable] = sorted(cells, key=lambda v: id(v) not in assigned)
        read = {id(v) for v in cells}
        self._written: list[Variable] = [
            *(v for v in self._cells if id(v) in assigned),
            *(v for k, v in assigned.items() if k not in read),
        ]
        place = {id(v): i for i, v in enumerate(self._cells)}
        self._constants: list[Tensor] = []
        self._built_in: list[np.ndarray] = []
        # For each input (0, position in _cells), (1, position in _constants) or (2, position in _built_in).
        self._order: list[tuple[int, int]] = []
        for t in captured.inputs:
            if t._value is None and not t._trace.symbolic and id(t) not in owners:
                stream.realize(t)
            value = t._value
            if id(t) in owners:
                self._order.append((0, place[id(owners[id(t)])]))
            elif type(value) is np.ndarray and value.nbytes <= _CONSTANT_BYTES:
                self._order.append((2, len(self._built_in)))
                self._built_in.append(value)
            else:
                self._order.append((1, len(self._constants)))
                self._constants.append(t)
        # A trace that uses tensors of an outer capture, or of a transformation of JAX, serves one call only.
        self.reusable = all(t._value is not None and is_concrete(t._value) for t in self._constants)

    # Running

    def fits(self, variables: Sequence[Variable]) -> bool:
        """Whether the trace can be called with these variables as arguments.

        It cannot if it also uses one of them without having received it as an argument.
        """
        return not any(id(v) in self._own for v in variables)

    @property
    def cells(self) -> list[Variable]:
        """The variables whose values the function reads."""
        return self._cells

    @property
    def written(self) -> list[Variable]:
        """The variables that the function assigns."""
        return self._written

    @property
    def draws(self) -> bool:
        """Whether the function contains random ops that draw other numbers at each call."""
        return bool(self._draws)

    def evaluate(self, tensors: Sequence[Any], cells: Sequence[Any]) -> tuple[list[Any], Any]:
        """Computes the function on JAX arrays or tracers. Returns the new values of `written`, and the result."""
        outs = self._body([*tensors, *cells, *(t.__jax_array__() for t in self._constants)])
        return list(outs[: len(self._written)]), self._returned.filled(outs[len(self._written) :])

    def run(self, tensors: Sequence[Tensor], variables: Sequence[Variable]) -> Any:
        """Calls the function on tensors and variables, given in the order of those in the captured call."""
        cells, written, reads = self._cells, self._written, self._reads
        if self._arg_variables:
            swap = {id(old): new for old, new in zip(self._arg_variables, variables, strict=True)}
            cells, written, reads = ([swap.get(id(v), v) for v in vs] for vs in (cells, written, reads))
        thread = stream.thread
        if thread.tapes or thread.trace.symbolic or stream.is_eager():
            outs = self._record(tensors, cells, reads)
            for variable, out in zip(written, outs, strict=False):
                variable._overwrite(out if thread.trace.symbolic else cut(out))
            return self._returned.filled(outs[len(written) :])
        numbers = [value for value, _ in self._draw_numbers()] if self._draws else ()
        return self._returned.filled(self._direct(tensors, cells, written, self._constants, numbers))

    def _record(self, tensors: Sequence[Tensor], cells: list[Variable], reads: list[Variable]) -> tuple:
        for variable in reads:
            variable._read()  # so that tapes watch the variable, and the pending program of a training loop is run
        numbers = self._draw_numbers()
        outer = stream.current()
        if outer.symbolic:
            outer.draws.extend((len(outer.scalars) + i, step) for i, (_, step) in enumerate(self._draws))
        outs = stream.record(self._op, NO_STATIC, (*tensors, *(c._tensor for c in cells), *self._constants, *numbers))
        if self._op.may_fail:
            stream.current().calls_python = True
        return outs

    def _draw_numbers(self) -> list[tuple[Any, Any]]:
        """The counters of the random ops for this call, as ``(number, ScalarKind)``. Each call advances them."""
        if self._epoch != random.epoch():
            self._runs, self._epoch = 0, random.epoch()
        run = self._runs
        self._runs += 1
        return [(self._scalars[i][0] + run * step, self._scalars[i][1]) for i, step in self._draws]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the captured function.

        Args:
          *args: the arguments of the function. Python values, which are fixed, may be left out.
          **kwargs: keyword arguments of the function.

        Returns:
          The result of the function.

        Raises:
          TypeError: arguments are missing or too many, or a Python value differs from that of the captured call.
          InvalidArgumentError: a tensor has another shape or dtype.
        """
        if not kwargs and not self._arg_variables:
            try:
                if [a.aval for a in args] == self._given_avals:
                    return self.run(args, ())
            except AttributeError:  # not all arguments are tensors
                pass
        given = self._fitting(args, kwargs)
        return self.run(given.tensors, given.variables)

    # Inspection

    @property
    def structured_input_signature(self) -> tuple[tuple, dict]:
        """The arguments and keyword arguments, with a `TensorSpec` in place of each tensor."""
        return self._fitting.structure

    @property
    def inputs(self) -> list[TensorSpec]:
        """The specs of the tensors that the function takes."""
        return [s for s in nest.flatten(self._fitting.structure) if isinstance(s, TensorSpec)]

    @property
    def structured_outputs(self) -> Any:
        """The function's result, with a `TensorSpec` in place of each tensor."""
        return self._returned.filled(self.outputs)

    @property
    def outputs(self) -> list[TensorSpec]:
        """The specs of the tensors that the function returns."""
        return [TensorSpec(a.shape, dtypes.from_numpy(a.dtype)) for a in self._avals[len(self._written) :]]

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables that the function reads or assigns, in the order in which they were made."""
        return tuple(sorted({id(v): v for v in (*self._cells, *self._written)}.values(), key=lambda v: v._number))

    @property
    def trainable_variables(self) -> tuple[Variable, ...]:
        """Those of `variables` that are trainable."""
        return tuple(v for v in self.variables if v.trainable)

    @property
    def captured_inputs(self) -> list[Any]:
        """The variables and tensors that the function uses besides its arguments."""
        return [*self._cells, *self._constants]

    @property
    def output_dtypes(self) -> Any:
        """The function's result, with a `DType` in place of each tensor."""
        return self._returned.filled([s.dtype for s in self.outputs])

    @property
    def output_shapes(self) -> Any:
        """The function's result, with a `TensorShape` in place of each tensor."""
        return self._returned.filled([s.shape for s in self.outputs])

    @property
    def graph(self) -> Any:
        """Not available, because tapejax has no TensorFlow graphs.

        Raises:
          AttributeError: always. The message says what to use instead.
        """
        raise AttributeError(
            "a ConcreteFunction of tapejax has no `graph` and no GraphDef: it is a JAX program. Look "
            "at it with `jaxpr()` or `as_text()`, export it with `tapejax.to_jax` and `jax.export`"
        )

    def pretty_printed_signature(self, verbose: bool = True) -> str:
        """The parameters, the type of the result and the captured variables, as text. `verbose` has no effect."""
        shown = [f"  {label}: {describe(value)}" for label, value in self._fitting.labels()]
        captures = [f"  {v.name}: {TensorSpec(v.shape, v.dtype)!r}" for v in self._cells] or ["  None"]
        return "\n".join(
            [
                "Input Parameters:",
                *shown,
                "Output Type:",
                f"  {describe(self.structured_outputs)}",
                "Captures:",
                *captures,
            ]
        )

    def __repr__(self) -> str:
        return f"<ConcreteFunction {self.name} with {len(self._body.graph.nodes)} ops>"

    def __str__(self) -> str:
        return f"ConcreteFunction {self.pretty_printed_signature()}"

    def _example(self) -> list[Any]:
        avals = [*self._given_avals, *(c._tensor.aval for c in self._cells), *(t.aval for t in self._constants)]
        vector = [jax.ShapeDtypeStruct((len(self._draws),), np.int64)] if self._draws else []
        return [*(a.struct for a in avals), *vector]

    def jaxpr(self) -> Any:
        """The program as a jaxpr.

        Its inputs are the arguments, the variables and the passed constants. Its outputs are the new values of the
        variables, followed by the results.
        """
        with jax.enable_x64(True):
            return jax.make_jaxpr(self._body.alone)(*self._example())

    def as_text(self, stage: str = "stablehlo") -> str:
        """The program as text.

        Args:
          stage: "stablehlo" or "hlo" for the program as it is given to XLA, "optimized_hlo" for the compiled program.

        Raises:
          ValueError: `stage` is something else.
        """
        if stage not in ("stablehlo", "hlo", "optimized_hlo"):
            raise ValueError(f"`stage` must be 'stablehlo', 'hlo' or 'optimized_hlo', received {stage!r}")
        with jax.enable_x64(True):
            lowered = jax.jit(self._body.alone).lower(*self._example())
            return str(lowered.compile().as_text()) if stage == "optimized_hlo" else lowered.as_text(stage)
