"""A training loop that is interrupted at random moments: run as a script by `test_interrupts.py`, and by hand.

``python tests/reliability/interrupted.py MODE COUNT`` interrupts `COUNT` times and prints, as JSON, how many interrupts
arrived, how many lost a variable, and how many raised something else than the interrupt. `MODE` is "undecorated" or
"function", with "+exception" for an exception of a signal handler in place of KeyboardInterrupt, and with "+thread" for
a second thread that reads the variables.
"""

import gc
import json
import random
import signal
import sys
import threading
import time
from typing import Any

import numpy as np

import tapejax as tf


class Timeout(Exception):
    """What the signal handler raises in the modes with "+exception"."""


def training(decorated: bool) -> tuple[Any, Any]:
    """A step of Adam on four matrices, and a function that returns all variables."""
    tf.random.set_seed(0)
    weights = [tf.Variable(tf.random.normal([8, 8])) for _ in range(4)]
    optimizer = tf.keras.optimizers.Adam(0.001)
    batch = np.ones((4, 8), np.float32)

    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            hidden = tf.constant(batch)
            for w in weights:
                hidden = tf.tanh(hidden @ w)
            loss = tf.reduce_mean(hidden * hidden)
        gradients = tape.gradient(loss, weights)
        optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return loss

    return tf.function(step) if decorated else step, lambda: [*weights, *optimizer.variables]


def attack(mode: str, count: int) -> dict[str, int]:
    """Runs the loop and interrupts it `count` times."""
    words = mode.split("+")
    step, variables = training(words[0] == "function")
    interrupt = Timeout if "exception" in words else KeyboardInterrupt
    armed = False

    def handler(number: int, frame: Any) -> None:
        if armed:
            raise interrupt

    signal.signal(signal.SIGALRM, handler)
    for _ in range(6):
        float(step())
    started = time.perf_counter()
    for _ in range(30):
        float(step())
    period = (time.perf_counter() - started) / 30
    stop = threading.Event()
    reader = threading.Thread(target=lambda: [v.numpy() for _ in iter(stop.is_set, True) for v in variables()])
    if "thread" in words:
        reader.start()
    found = {"interrupts": 0, "lost": 0, "other": 0}
    rng = random.Random(0)
    # Python swallows an exception in a function that the garbage collector calls, so the timer repeats.
    gc.disable()
    for _ in range(count):
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(2e-5, 3 * period), 0.1)
            while True:
                float(step())
        except interrupt:
            armed = False
            found["interrupts"] += 1
        except BaseException as error:
            armed = False
            found["other"] += 1
            print(repr(error), file=sys.stderr)
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            assert all(np.isfinite(v.numpy()).all() for v in variables())
        except BaseException as error:
            found["lost"] += 1
            print(repr(error), file=sys.stderr)
            break
    stop.set()
    if reader.is_alive():
        reader.join()
    return found


if __name__ == "__main__":
    print(json.dumps(attack(sys.argv[1], int(sys.argv[2]))))
