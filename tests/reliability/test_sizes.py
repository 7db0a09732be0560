"""Tensors that no memory holds are refused where they are made, and the program's variables keep their values."""

from collections.abc import Callable
from typing import Any

import pytest

import tapejax as tf

HUGE: dict[str, Callable[[], Any]] = {
    "normal": lambda: tf.random.normal([10**6, 10**6]),
    "range": lambda: tf.range(10**13),
    "one_hot": lambda: tf.one_hot([1, 2, 3], 10**13),
    "eye": lambda: tf.eye(10**7),
    "sequence_mask": lambda: tf.sequence_mask([1], 10**13),
    "tile": lambda: tf.tile([1.0], [10**13]),
    "broadcast_to": lambda: tf.broadcast_to([1.0], [10**13]),
    "not even countable in bytes": lambda: tf.zeros([2**31, 2**31]),
}


@pytest.mark.parametrize("make", HUGE.values(), ids=HUGE.keys())
def test_what_no_memory_holds_is_resource_exhausted(make: Callable[[], Any]) -> None:
    v = tf.Variable(1.0)
    v.assign_add(1.0)  # pending in the same program
    with pytest.raises(tf.errors.ResourceExhaustedError, match="OOM when allocating tensor"):
        make()
    assert float(v) == 2.0


def test_more_elements_than_can_be_counted_are_an_invalid_argument() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="more than 2\\*\\*63 - 1 elements"):
        tf.zeros([2**40, 2**40])


def test_a_captured_function_refuses_too_and_leaves_its_variables() -> None:
    v = tf.Variable(1.0)

    @tf.function
    def grow() -> Any:
        v.assign_add(1.0)
        return tf.reduce_sum(tf.random.normal([10**6, 10**6]))

    with pytest.raises(tf.errors.ResourceExhaustedError):
        grow()
    assert float(v) == 1.0
