"""Ctrl-C, and exceptions of other signal handlers, lose no variable, whenever they come."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tapejax._src.engine import interrupts

SCRIPT = Path(__file__).with_name("interrupted.py")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="interval timers exist on POSIX systems only")
@pytest.mark.parametrize(
    "mode", ["undecorated", "undecorated+exception", "undecorated+thread", "function", "function+exception"]
)
def test_no_interrupt_loses_a_variable(mode: str) -> None:
    run = subprocess.run([sys.executable, str(SCRIPT), mode, "150"], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    found = json.loads(run.stdout)
    assert found["interrupts"] > 100
    assert (found["lost"], found["other"]) == (0, 0), run.stderr[-2000:]


class Interruption(Exception):
    """What a handler raises here."""


def raise_interruption(number: int, frame: object) -> None:
    raise Interruption


@pytest.fixture
def handled() -> object:
    """A handler of SIGUSR1 that raises."""
    before = signal.signal(signal.SIGUSR1, raise_interruption)
    yield
    signal.signal(signal.SIGUSR1, before)


def test_an_exception_of_a_handler_is_told_from_one_of_the_code(handled: object) -> None:
    with pytest.raises(Interruption) as caught:
        signal.raise_signal(signal.SIGUSR1)
    assert interrupts.raised_by_handler(caught.value)
    with pytest.raises(Interruption) as caught:
        raise Interruption
    assert not interrupts.raised_by_handler(caught.value)
    assert interrupts.raised_by_handler(KeyboardInterrupt())


def test_finish_starts_again_after_an_interrupt_and_raises_it_at_the_end(handled: object) -> None:
    calls = []

    def store() -> None:
        calls.append(len(calls))
        if len(calls) < 3:
            signal.raise_signal(signal.SIGUSR1)

    with pytest.raises(Interruption):
        interrupts.finish(store)
    assert calls == [0, 1, 2]


def test_an_error_of_the_code_is_not_repeated() -> None:
    calls = []

    def store() -> None:
        calls.append(1)
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        interrupts.finish(store)
    assert calls == [1]
