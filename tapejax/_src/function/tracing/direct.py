"""`Direct`: calls a captured program at once, in little more than a call of `jax.jit` takes.

Per overwritten variable the call costs some 0.2 us besides JAX's own: reading its array, counting who else holds it,
and putting the new array into the same tensor. A train step of 400 variables spends 0.6 ms in `jax.jit` itself.
"""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
import numpy as np

from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.core.translation import translate
from tapejax._src.engine import explain, stream
from tapejax._src.engine.aval import Aval
from tapejax._src.engine.compiler import jit
from tapejax._src.engine.graph import Node
from tapejax._src.engine.program import call_now, copied

__all__ = ["Direct"]

_ABSENT: Final = type(None)
_HOST: Final = np.ndarray


class Direct:
    """A program ``run(*given, *cells, *constants) -> (*new values of variables, *results)``, called on tensors.

    Args:
      run: the JAX function.
      name: the program's name in profiles.
      n_given: how many arguments are not variables.
      n_donated: how many of the cells, the first ones, are overwritten: they are also the first of the outputs.
      written: avals of all variables that are overwritten. results: of the other outputs.
      end: the last node of the captured program.
    """

    def __init__(
        self,
        run: Callable,
        name: str,
        n_given: int,
        n_donated: int,
        written: Sequence[Aval],
        results: Sequence[Aval],
        end: Node,
    ):
        def program(*arrays: Any) -> tuple:
            return run(*arrays)

        program.__name__ = program.__qualname__ = name
        self._name = name
        self._n_given, self._n_donated, self._n_written = n_given, n_donated, len(written)
        self._written, self._results = written, results
        self._end = end
        self._waits = end.may_fail  # so that its errors are raised here
        self._called = False
        self._jitted = jit(program, range(n_given, n_given + n_donated))

    def __call__(
        self,
        tensors: Sequence[Tensor],
        cells: Sequence[Any],
        written: Sequence[Any],
        constants: Sequence[Tensor],
        numbers: Sequence[int],
    ) -> list[Tensor]:
        """Runs the program, gives the variables `written` their new values, and returns the results."""
        trace = stream.thread.trace
        if trace.node.depth:
            trace.flush("a captured function ran")
        if stream.several_threads() and written:
            with stream.exclusive():
                return self._run(tensors, cells, written, constants, numbers, True)
        return self._run(tensors, cells, written, constants, numbers, False)

    def _run(
        self,
        tensors: Sequence[Tensor],
        cells: Sequence[Any],
        written: Sequence[Any],
        constants: Sequence[Tensor],
        numbers: Sequence[int],
        shared: bool,
    ) -> list[Tensor]:
        n = self._n_donated
        held = [c._tensor for c in (cells if n == len(cells) else cells[:n])]
        args = [t._value for t in tensors]
        args += [t._value for t in held]
        if n < len(cells):
            args += [c._tensor._value for c in cells[n:]]
        if constants:
            args += [t._value for t in constants]
        kinds = {*map(type, args)}
        if _ABSENT in kinds:
            if stream.several_threads():
                with stream.exclusive():
                    pass  # another thread captures a function that assigns a variable, or runs one
            for t in (*tensors, *(c._tensor for c in cells), *constants):
                stream.realize(t)  # pending in another thread's stream
            return self._run(tensors, cells, written, constants, numbers, shared)
        if _HOST in kinds:
            for i, t in enumerate(tensors):
                if type(t._value) is _HOST:
                    stream.use_host_array(t)
                    args[i] = t._value
        if numbers:
            args.append(np.array(numbers, np.int64))
        flying: list[int] = []
        filled = n > 0
        if shared:
            flying = self._take_off(held, args)
            filled = len(flying) == n and all(t._slot == _FILLABLE for t in held)
        else:
            for t in held:
                if t._slot != _FILLABLE or _count(t) > _TENSOR or _count(t._value) > _ARRAY:
                    filled = False
                    break
            if not filled:
                # What somebody besides its variable holds is copied, so that the program may overwrite it.
                for i in range(n):
                    t = held[i]
                    if (_count(t) > _TENSOR or _count(t._value) > _ARRAY) and type(t._value) is not _HOST:
                        args[self._n_given + i] = copied(t._value)
        start = 0.0 if self._called else time.perf_counter()
        try:
            with jax.enable_x64(True):
                outs = call_now(self._jitted, args)
                if self._waits:
                    jax.block_until_ready(outs)
        except Exception as error:
            if flying:
                _Flight.end([held[i] for i in flying], [args[self._n_given + i] for i in flying])
            if isinstance(error, (TypeError, ValueError)):
                raise
            raise translate(error, f"[Op:{self._name}]") from error
        if start:
            self._called = True
            explain.stats.note_program(
                self._end, time.perf_counter() - start, len(outs), n, f"the captured function {self._name}"
            )
        if flying:
            _Flight.end([held[i] for i in flying], [outs[i] for i in flying])
        if filled:
            for t, value in zip(held, outs):  # noqa: B905 (the results come after)
                t._value = value
        else:
            for i in range(n):
                written[i]._tensor = _tensor(outs[i], self._written[i])
        total = self._n_written
        for i in range(n, total):
            written[i]._tensor = _tensor(outs[i], self._written[i])
        results = self._results
        return [_tensor(outs[total + i], results[i]) for i in range(len(results))]

    def _take_off(self, held: list[Tensor], args: list[Any]) -> list[int]:
        """Where other threads read too: hides the arrays that are to be overwritten, and copies those that are shared.

        Hidden first, counted then, or a reader could take one in between.

        Returns:
          Which of `held` are hidden.
        """
        _Flight.begin(held)
        flying = []
        for i, t in enumerate(held):
            at = self._n_given + i
            alone = _count(t) <= _TENSOR and _count(args[at]) <= _ARRAY - 1 and type(args[at]) is not _HOST
            if alone:
                flying.append(i)
                continue
            _Flight.end([t], [args[at]])
            if type(args[at]) is not _HOST:
                args[at] = copied(args[at])
        return flying


class _Flight:
    """Stands for the trace of tensors whose arrays a running program overwrites: other threads' readers wait."""

    symbolic = False

    @classmethod
    def begin(cls, tensors: Sequence[Tensor]) -> None:
        """The arrays are not to be taken from now on."""
        for t in tensors:
            t._trace = _FLIGHT  # type: ignore[assignment]
            t._value = None

    @classmethod
    def end(cls, tensors: Sequence[Tensor], values: Sequence[Any]) -> None:
        """The tensors have values again."""
        for t, value in zip(tensors, values, strict=False):
            t._value = value
            t._trace = None

    def resolve(self, t: Tensor) -> None:
        """Waits until `t` has a value."""
        with stream.cells_lock:
            pass


_FLIGHT: Final = _Flight()
# In `Tensor._slot`: made by a `Direct`, in no trace, so that a later call may put the new array into it.
_FILLABLE: Final = -2
_count: Final = sys.getrefcount


def _tensor(value: Any, aval: Aval) -> Tensor:
    out = Tensor.__new__(Tensor)
    out._value = value
    out._trace = None
    out._slot = _FILLABLE
    out.aval = aval
    return out


def _counts_when_sole() -> tuple[int, int]:
    """What `Direct` counts for a tensor that it made, and for its array, when only their variable holds them.

    Measured where they are held as in `Direct.__call__`, since what a reference count includes is Python's matter.
    """

    class Cell:
        _tensor: Any = None

    cell = Cell()
    cell._tensor = from_value(np.zeros(()))
    held = [c._tensor for c in [cell]]
    args: list[Any] = []
    args += [t._value for t in held]
    for t in held:
        return _count(t), _count(t._value)
    raise AssertionError


_TENSOR, _ARRAY = _counts_when_sole()
