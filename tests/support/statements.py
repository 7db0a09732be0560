"""Tables of functions with Python statements on tensors, run in `tf.function` by tapejax and by real TensorFlow.

case = Cases()

@case(3.0)
def if_else(tf, x):
    return x if x > 0 else -x

test_like_tensorflow = case.test()
"""

import functools
from collections.abc import Callable
from typing import Any

import pytest

import tapejax
from support import harness
from support.compare import same
from tapejax._src.function.autograph import conversion as autograph

__all__ = ["Cases"]


class Cases:
    """Decorates the functions of a table; called with the values of their tensors."""

    def __init__(self) -> None:
        self.table: dict[str, tuple[Callable[..., Any], tuple]] = {}

    def __call__(self, *args: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Adds a function of the module and of tensors with these values."""

        def add(fn: Callable[..., Any]) -> Callable[..., Any]:
            assert fn.__name__ not in self.table, f"twice: {fn.__name__}"
            self.table[fn.__name__] = (fn, args)
            return fn

        return add

    def outcome(self, tf: Any, name: str) -> Any:
        """What a function returns or raises in a module's `tf.function`; see `harness.outcome`."""
        return harness.outcome(tf, self._call(name))

    def _call(self, name: str) -> Callable[[Any], Any]:
        fn, args = self.table[name]

        @functools.wraps(fn)
        def call(tf: Any) -> Any:
            return tf.function(functools.partial(fn, tf))(*map(tf.constant, args))

        return call

    def test(self) -> Callable[..., None]:
        """A test that compares what each function returns, or the class of what it raises, with TensorFlow's."""

        @pytest.mark.parametrize("name", self.table)
        def test_like_tensorflow(tf: Any, name: str) -> None:
            harness.check(tf, self._call(name))

        return test_like_tensorflow

    def test_plain(self, *names: str) -> Callable[..., None]:
        """A test that the converted code of some functions is plain Python on eager tensors."""

        @pytest.mark.parametrize("name", names)
        def test_converted_code_on_eager_tensors_is_plain_python(name: str) -> None:
            fn, args = self.table[name]
            tensors = [tapejax.constant(a) for a in args]
            want = harness.outcome(tapejax, lambda tf: fn(tf, *tensors))
            got = harness.outcome(tapejax, lambda tf: autograph.convert(fn)(tf, *tensors))
            same(got, want, 1e-6, where=name)

        return test_converted_code_on_eager_tensors_is_plain_python
