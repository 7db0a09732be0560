"""Interrupts: exceptions that a signal handler raises while a program runs, such as Ctrl-C's KeyboardInterrupt.

A program may overwrite the buffers of variables. JAX deletes the old arrays when the program is called, and the new
ones are its results. Python runs signal handlers between two bytecodes, so an exception can come after the call and
before the results are stored. The variables' values would then be lost. This file closes that gap:

- `call_into` calls the program and stores its results in one step of C code, in which no handler runs.
- `finish` stores the results in the variables, and starts again if a handler's exception cuts it short.
- `spare` makes the copy that a program overwrites in its first calls. JAX runs those in Python code, where a handler
  may run between the deletion of the old array and the return of the new one.
"""

import functools
import itertools
import signal
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any, Final

import jax
import numpy as np

__all__ = ["FIRST_CALLS", "call_into", "finish", "raised_by_handler", "restore_x64", "spare", "x64_mode"]

FIRST_CALLS: Final = 3
"""How many calls of a program JAX may handle in Python code before its fast C++ path takes over.

It is more than one because a program's inputs are often NumPy arrays at first and JAX arrays later.
"""


def call_into(box: list[Any], fn: Callable[..., Any], args: Sequence[Any]) -> Any:
    """Appends ``fn(*args)`` to `box` and returns it. No interrupt can lose the result once `fn` returned."""
    box.extend(itertools.starmap(fn, (args,)))
    return box[-1]


def finish(fn: Callable[[], object]) -> None:
    """Calls `fn` until it comes to its end. `fn` must do no harm when it is called again from the start.

    Raises:
      The last exception that a signal handler raised meanwhile, after `fn` came to its end.
    """
    raised: BaseException | None = None
    while True:
        try:
            fn()
            break
        except BaseException as error:
            if not raised_by_handler(error):
                raise
            raised = error
    if raised is not None:
        raise raised


def spare(array: Any) -> Any:
    """Copies a JAX array, without compiling anything, for a program to overwrite. Returns a NumPy array as it is."""
    if type(array) is np.ndarray:
        return array
    with jax.ensure_compile_time_eval():  # inside jax.jit the copy must be an array too
        return jax.device_put(array, may_alias=False)


def x64_mode() -> bool:
    """Whether 64-bit types are on in this thread."""
    return jax.config.jax_enable_x64  # type: ignore[attr-defined]


def restore_x64(before: bool) -> None:
    """Sets JAX's 64-bit mode of this thread back to what it was before.

    An interrupt may cut JAX's own context manager short. A mode that stays on would change the results of the user's
    own JAX code.
    """
    if x64_mode() != before:
        jax.enable_x64(before).__enter__()


def raised_by_handler(error: BaseException) -> bool:
    """Whether a signal handler raised the exception, rather than the code that was running.

    Python's own handler for Ctrl-C is C code and leaves no frame. KeyboardInterrupt is therefore recognized by its
    class, as are SystemExit and all others that are not an `Exception`. Other exceptions are recognized by
    the frame of a handler in the traceback.
    """
    if not isinstance(error, Exception):
        return True
    codes = _handlers()
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in codes:
            return True
        trace = trace.tb_next
    return False


def _handlers() -> set[CodeType]:
    """The code of all signal handlers that are written in Python."""
    found = set()
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        while isinstance(handler, functools.partial):
            handler = handler.func
        if not callable(handler):
            continue  # a default of the operating system
        for function in (handler, type(handler).__call__):
            code = getattr(getattr(function, "__func__", function), "__code__", None)
            if isinstance(code, CodeType):
                found.add(code)
    return found
