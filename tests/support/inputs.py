"""The inputs that cases may name as their parameters."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from support.module import real_module

__all__ = ["COMMON", "Inputs"]


def _gradients(tf: Any) -> Callable[..., Any]:
    def g(f: Callable[..., Any], *values: Any) -> Any:
        """Gradients of `f` at constants."""
        xs = [tf.constant(v) for v in values]
        with tf.GradientTape() as tape:
            tape.watch(xs)
            y = f(*xs)
        return tape.gradient(y, xs)

    return g


COMMON: dict[str, Callable[[Any], Any]] = {
    "x": lambda tf: tf.constant([[1.0, 2, 3], [4, 5, 6]]),
    "i": lambda tf: tf.constant([1, 2, 3]),
    "b": lambda tf: tf.zeros([2, 3, 4]),
    "m": lambda tf: tf.constant([[2.0, 1.0], [1.0, 3.0]]),
    "v": lambda tf: tf.constant([1.0, 2.0]),
    "c": lambda tf: tf.constant([[1 + 1j, 2], [3, 4 - 1j]]),
    "ti": lambda tf: tf.constant([[1, 2], [3, 4]]),
    "g": _gradients,
}
"""For each name the function that makes it."""


class Inputs:
    """Makes what a table's cases name as their parameters, once for each module.

    Args:
      more: further names: constants, or functions of `tf` and of other inputs that give the value.
    """

    def __init__(self, more: dict[str, Any]) -> None:
        self._makers = COMMON | more
        self._first = list(more)
        self._made: dict[tuple[str, str], Any] = {}

    def bound(self, fn: Callable[..., Any]) -> Callable[[Any], Any]:
        """The function as one of the module alone."""
        names = _needed(fn)
        unknown = [n for n in names if n != "tf" and n not in self._makers]
        assert not unknown, f"no inputs of these names: {unknown}"

        @functools.wraps(fn)
        def call(tf: Any) -> Any:
            # The table's own all at once: one of them may register something that cases need.
            for name in self._first:
                self._get(tf, name)
            return fn(*(self._get(tf, name) for name in names))

        return call

    def _get(self, tf: Any, name: str) -> Any:
        if name == "tf":
            return tf
        key = real_module(tf).__name__, name
        if key not in self._made:
            maker = self._makers[name]
            self._made[key] = maker(*(self._get(tf, n) for n in _needed(maker))) if callable(maker) else maker
        return self._made[key]


def _needed(fn: Callable[..., Any]) -> list[str]:
    return [p.name for p in inspect.signature(fn).parameters.values() if p.default is p.empty]
