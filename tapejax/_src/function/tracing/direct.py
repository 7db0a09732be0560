"""`Direct`: calls a captured program directly, in little more time than a call of `jax.jit` takes.

Besides JAX's own time, the call costs some 0.2 us for each variable that it overwrites: to read its array, to count
the references to it, and to put the new array into the same tensor. A training step with 400 variables spends 0.6 ms
in `jax.jit` itself.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
import numpy as np

from tapejax._src.core.tensor import Tensor
from tapejax._src.core.translation import translate
from tapejax._src.engine import explain, ownership, policy, stream
from tapejax._src.engine.aval import Aval
from tapejax._src.engine.compiler import jit
from tapejax._src.engine.graph import Node
from tapejax._src.engine.interrupts import FIRST_CALLS, finish, raised_by_handler, restore_x64, spare, x64_mode
from tapejax._src.engine.program import call_now, copied

__all__ = ["Direct"]

_ABSENT: Final = type(None)
_HOST: Final = np.ndarray


class Direct:
    """A jitted program that is called on tensors and variables.

    Args:
      run: the JAX function ``run(*given, *cells, *constants) -> (*new values of variables, *results)``, where the cells
        are the values of variables.
      name: the program's name in profiles.
      n_given: the number of arguments before the cells.
      n_donated: how many of the cells, counted from the first, are donated to the program and overwritten. Their new
        values are the first outputs.
      written: the avals of all variables that are assigned.
      results: the avals of the other outputs.
      end: the last trie node of the captured program.
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
        self._waits = end.may_fail  # whether to wait for the results, so that errors are raised by the call
        self._calls = 0
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
        policy.function_runs(stream.thread)
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
            _compute((*tensors, *(c._tensor for c in cells), *constants))
            return self._run(tensors, cells, written, constants, numbers, shared)
        if _HOST in kinds:
            for i, t in enumerate(tensors):
                if type(t._value) is _HOST:
                    ownership.use_host_array(t)
                    args[i] = t._value
        if numbers:
            args.append(np.array(numbers, np.int64))
        box: list[Any] = []
        filled = False
        x64 = x64_mode()
        try:
            filled = self._make_sole(held, args, shared)
            outs = self._call(args, box)
            return self._store(outs, held, written, filled)
        except BaseException as error:
            restore_x64(x64)
            from_handler = raised_by_handler(error)
            if from_handler and box:
                # The program has run and overwritten the old arrays: its results are stored, whatever comes.
                finish(lambda: self._store(box[-1], held, written, filled))
            else:
                self._restore(held, args)
            if from_handler or not isinstance(error, Exception) or isinstance(error, (TypeError, ValueError)):
                raise
            raise translate(error, f"[Op:{self._name}]") from error

    def _make_sole(self, held: list[Tensor], args: list[Any], shared: bool) -> bool:
        """Copies the arrays to be overwritten that someone else holds too. Then the program may overwrite the copies.

        Returns:
          Whether the new arrays may be put into the same tensors, because only the variables hold these.
        """
        if shared:
            count = ownership.take_arrays(held, args, self._n_given)
            return 0 < count == len(held) and all(t._mark == ownership.FILLABLE for t in held)
        filled = ownership.is_fillable(held)
        if not filled:
            for i in ownership.shared(held):
                args[self._n_given + i] = copied(held[i]._value)
        return filled

    def _call(self, args: list[Any], box: list[Any]) -> Sequence[Any]:
        """Runs the program. Its results are in `box` as soon as it has run; see `engine.interrupts`."""
        calls, self._calls = self._calls, self._calls + 1
        if calls < FIRST_CALLS:
            first, last = self._n_given, self._n_given + self._n_donated
            args = [*args[:first], *map(spare, args[first:last]), *args[last:]]
        start = 0.0 if calls else time.perf_counter()
        with jax.enable_x64(True):
            outs = call_now(self._jitted, args, box)
            if self._waits:
                jax.block_until_ready(outs)
        if start:
            explain.stats.note_program(
                self._end,
                time.perf_counter() - start,
                len(outs),
                self._n_donated,
                f"the captured function {self._name}",
            )
        return outs

    def _store(self, outs: Sequence[Any], held: list[Tensor], written: Sequence[Any], filled: bool) -> list[Tensor]:
        """Gives the variables their new values and returns the results. It may be called again after an interrupt."""
        n, total = self._n_donated, self._n_written
        if filled:
            for t, value in zip(held, outs):  # noqa: B905 (`outs` is longer: the results come after the variables)
                t._value = value
                t._trace = None
        else:
            for i in range(n):
                if ownership.is_taken(held[i]):
                    ownership.give_back([held[i]], [outs[i]])
                written[i]._tensor = _tensor(outs[i], self._written[i])
        for i in range(n, total):
            written[i]._tensor = _tensor(outs[i], self._written[i])
        results = self._results
        return [_tensor(outs[total + i], results[i]) for i in range(len(results))]

    def _restore(self, held: list[Tensor], args: list[Any]) -> None:
        """Gives the tensors back the arrays that `ownership.take_arrays` took out of them."""
        for i, t in enumerate(held):
            if ownership.is_taken(t):
                ownership.give_back([t], [args[self._n_given + i]])


def _compute(tensors: Sequence[Tensor]) -> None:
    """Computes tensors that are pending, perhaps in another thread."""
    if stream.several_threads():
        with stream.exclusive():
            pass  # waits for another thread that captures or runs a function which assigns a variable
    for t in tensors:
        stream.realize(t)


def _tensor(value: Any, aval: Aval) -> Tensor:
    out = Tensor.__new__(Tensor)
    out._value = value
    out._trace = None
    out._mark = ownership.FILLABLE
    out.aval = aval
    return out
