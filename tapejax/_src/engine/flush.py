"""Runs a pending program (a *flush*).

A flush decides which results to compute, which input buffers the program may overwrite, and whether the program is
compiled as a whole or run op by op. The thresholds of the last decision are constants of this file.
"""

from collections.abc import Callable
from typing import Any, Final

import jax
import numpy as np

from tapejax._src.engine import explain, trie
from tapejax._src.engine.graph import Node, path
from tapejax._src.engine.interrupts import finish, raised_by_handler, restore_x64, x64_mode
from tapejax._src.engine.ownership import donatable
from tapejax._src.engine.policy import RULES, Event, Mode
from tapejax._src.engine.program import OpError, Program, is_concrete, run_op_by_op

__all__ = ["forget_families", "run_pending", "set_error_translator"]

# A program is usually compiled when it is first run. But after this many new programs with the same set of ops, the
# next new one runs op by op and is compiled only if it comes again. Measured on a loop whose shapes change each
# turn: compiling a program costs 50 to 500 ms, running an op that is compiled already some 10 us.
UNREPEATED: Final = 4
_MAX_FAMILIES: Final = 4096
# How many executables one program may have, for different outputs or different buffers to overwrite. The next one
# replaces them all: it returns the outputs of each.
MAX_VARIANTS: Final = 3

_families: dict[frozenset, int] = {}


def _as_it_is(error: Exception, where: str) -> Exception:
    return error


_translate: Callable[[Exception, str], Exception] = _as_it_is


def set_error_translator(translate: Callable[[Exception, str], Exception]) -> None:
    """Sets the function that makes the user's exception.

    Its arguments are the exception that a running op raised, and a text that says where the op was recorded.
    """
    global _translate
    _translate = translate


def run_pending(trace: Any, event: Event, only: Any = None) -> None:
    """Runs the program of `trace` and stores the results in its tensors and tapes.

    Args:
      trace: the trace. Its lock must be held.
      event: what causes the flush, for `explain`.
      only: compute just this tensor and leave the trace as it is (for another thread).
    """
    node = trace.node
    if node.depth == len(trace.inputs):
        # Nothing but inputs.
        trace.done = only is None
        return
    if only is not None:
        tensors, watchers = [only], []
    else:
        tensors = [t for r in trace.refs if (t := r()) is not None]
        watchers = [w for r in trace.watchers if (w := r()) is not None]
    slots = tuple([t._slot for t in tensors])
    if watchers:
        inputs = set(trace.entered.values())
        kept = sorted({s for w in watchers for s in w.needs(trace)} - inputs - set(slots))
        slots += tuple(kept)
    if not slots and not node.acts:
        # Nobody references a result any more, as after initial weights were drawn and then overwritten.
        trace.done = only is None
        return
    explain.stats.note_flush(event.value, node.depth - len(trace.inputs))
    run = _Run()

    def store() -> None:
        values = run.values()
        _settle(tensors, values)
        trace.done = only is None
        run.stored = True

    def keep() -> None:
        # Each watcher is asked once: one that an interrupt stops half-way cannot start again.
        for w in watchers[run.kept :]:
            run.kept += 1
            w.keep(trace, run.values())

    x64 = x64_mode()
    try:
        _run(trace, node, slots, event, only is None, run)
        store()
        keep()
    except OpError as failure:
        if only is not None:
            raise _user_error(failure) from failure.cause
        _settle(tensors, failure.env)
        _roll_back(trace, failure)
        trace.done = True
        trace.error = _user_error(failure)
        raise trace.error from failure.cause
    finally:
        if not run.stored:  # an error, or an interrupt that came before the end of `store`
            restore_x64(x64)
            if run.finished:
                finish(store)
        if run.stored and run.kept < len(watchers):
            keep()


class _Run:
    """The results of one run of a program, before they are stored in tensors.

    They are kept here because an interrupt may come right after the run. `run_pending` can then still store them.
    """

    __slots__ = ("box", "inputs", "kept", "known", "program", "stored")

    def __init__(self) -> None:
        self.box: list[Any] = []  # what the program returned
        self.inputs: list[Any] = []
        self.program: Program | None = None
        self.known: dict[int, Any] | None = None  # values by slot, once they are known
        self.stored = False  # whether tensors have the results
        self.kept = 0  # how many tapes were given the results

    @property
    def finished(self) -> bool:
        """Whether there are results."""
        return bool(self.box) or self.known is not None

    def values(self) -> dict[int, Any]:
        """Values by slot."""
        if self.known is None:
            assert self.program is not None
            outs = self.program.results(self.inputs, self.box[0])
            self.known = dict(zip(self.program.outputs, outs, strict=True))
        return self.known


def _user_error(failure: OpError) -> Exception:
    where = failure.node.where
    place = f"{where[0]}:{where[1]} in {where[2]}" if where else "an unknown place"
    return _translate(failure.cause, f"[Op:{failure.node.op}] recorded at {place}")


def _roll_back(trace: Any, failure: OpError) -> None:
    """Gives variables whose new value was not computed their old tensor back."""
    for cell, old in trace.assigned.values():
        if cell._tensor._value is None and cell._tensor._trace is trace:
            cell._tensor = old


def _settle(tensors: list[Any], values: dict[int, Any]) -> None:
    for t in tensors:
        value = values.get(t._slot)
        if value is not None:
            t._value = value


def _run(trace: Any, node: Node, slots: tuple[int, ...], event: Event, may_donate: bool, run: _Run) -> None:
    """Runs the pending program, compiled or op by op, and leaves its results in `run`."""
    arrays = [t._value for t in trace.inputs]
    if trace.immediate:
        concrete = all(map(is_concrete, arrays))
        with jax.enable_x64(True):
            run.known = run_op_by_op(node, arrays, trace.scalars, slots, compiled=concrete)
        return
    if node.acts and not may_donate:
        run.known = _run_beside(node, arrays, trace.scalars, slots)
        return
    donated = donatable(trace, node) if may_donate and not node.may_fail else ()
    program = _find(node, slots, donated)
    if program is None:
        if _worth_compiling(node, event):
            program = _compile(node, slots, donated, trace.scalars)
        else:
            node.seen += 1
            explain.stats.op_by_op += 1
            with jax.enable_x64(True):
                run.known = run_op_by_op(node, arrays, trace.scalars, slots, wait=node.may_fail)
            return
    run.program, run.inputs = program, arrays
    try:
        outs = _call(program, node, arrays, trace.scalars, run.box)
        if node.may_fail:
            jax.block_until_ready(outs)
        run.known = dict(zip(program.outputs, outs, strict=True))
    except Exception as error:
        if raised_by_handler(error):
            raise
        run.box.clear()
        explain.stats.note_failure(program)
        if program in node.programs and not program.first_seconds:
            node.programs.remove(program)
        if any(type(a) is not np.ndarray and a.is_deleted() for a in arrays):
            raise OpError(node, {}, error) from error  # input buffers are overwritten: it cannot run again
        # Run again op by op. This finds the op that failed, and computes the results before it.
        with jax.enable_x64(True):
            run.known = run_op_by_op(node, arrays, trace.scalars, slots, wait=True)


def _run_beside(node: Node, arrays: list[Any], scalars: list[Any], slots: tuple[int, ...]) -> dict[int, Any]:
    """Computes single values of a program that is running already or will run later.

    Ops with side effects are left out unless the values need them. They run with the program itself.
    """
    with jax.enable_x64(True):
        return run_op_by_op(node, arrays, scalars, slots, acting=False)


def _call(program: Program, node: Node, arrays: list[Any], scalars: list[Any], box: list[Any]) -> list[Any]:
    compiled = program.compilations if program.runs else 0
    with jax.enable_x64(True):
        outs = program(arrays, scalars, box)
    if program.compilations != compiled:
        explain.stats.note_compile(program)
    return outs


def _find(node: Node, slots: tuple[int, ...], donated: tuple[int, ...]) -> Program | None:
    """Finds an executable that returns at least `slots` and overwrites at most `donated`."""
    programs = node.programs
    for program in programs:
        if program.outputs == slots and program.donated == donated:
            return program
    for program in programs:
        if set(slots) <= set(program.outputs) and set(program.donated) <= set(donated):
            return program
    return None


def _compile(node: Node, slots: tuple[int, ...], donated: tuple[int, ...], scalars: list[Any]) -> Program:
    if len(node.programs) >= MAX_VARIANTS:
        # The outputs keep changing. One executable that returns all of them serves every case.
        slots = tuple(sorted({*slots, *(s for p in node.programs for s in p.outputs)}))
        donated = tuple(i for i in donated if all(i in p.donated for p in node.programs))
        node.programs.clear()
    program = Program(node, slots, donated, scalars)
    trie.register_program(program)
    return program


def _worth_compiling(node: Node, event: Event) -> bool:
    """Decides whether to compile a program that has no executable yet. Otherwise it runs op by op this time."""
    if RULES[event].mode is Mode.OP_BY_OP:
        return False
    if node.seen or node.programs:
        return True
    family = frozenset(id(n.op) for n in path(node))
    if len(_families) >= _MAX_FAMILIES:
        forget_families()
    _families[family] = _families.get(family, 0) + 1
    return _families[family] <= UNREPEATED


def forget_families() -> None:
    """Resets the counts of new programs with the same set of ops; see `UNREPEATED`."""
    _families.clear()
