"""`tf.random` gives real TensorFlow's numbers, without compiling again for a new seed."""

import numpy as np
import pytest

import tapejax as ours

DRAWS = [
    lambda r: r.normal([3, 2]), lambda r: r.normal([4], 2.0, 0.5), lambda r: r.uniform([5]),
    lambda r: r.uniform([5], -1.0, 3.0, seed=7), lambda r: r.uniform([5], -1.0, 3.0, seed=7),
    lambda r: r.uniform([6], 1, 9, dtype="int32"), lambda r: r.uniform([6], maxval=2**40, dtype="int64", seed=1),
    lambda r: r.truncated_normal([7], stddev=3.0), lambda r: r.normal([2], dtype="float64"),
    lambda r: r.shuffle(np.arange(10)), lambda r: r.shuffle(np.arange(10), seed=3),
    lambda r: r.categorical([[0.1, 2.0, 0.3]], 6), lambda r: r.stateless_uniform([4], [1, 2]),
    lambda r: r.stateless_normal([4], [1, 2], mean=1.0), lambda r: r.stateless_uniform([4], [1, 2], 3, 90, "int32"),
    lambda r: r.stateless_truncated_normal([4], [5, 6]), lambda r: r.normal([2, 3], mean=np.float32([1, 2, 3])),
]  # fmt: skip


@pytest.mark.parametrize("seed", [0, 42])
def test_the_sequence_after_set_seed_is_tensorflow_s(tf, seed):
    for t in (tf, ours):
        t.random.set_seed(seed)
    for draw in DRAWS:
        mine, theirs = draw(ours.random), draw(tf.random)
        assert mine.dtype.name == theirs.dtype.name
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def work():
    """Programs compiled, and runs in the tier for code that has not repeated yet."""
    report = ours.explain()
    return report.programs_compiled, report.op_by_op


def test_drawing_again_does_not_compile_again():
    start = work()
    ours.random.normal([13, 2]).numpy()
    assert work() != start  # a new shape is counted, in one tier or the other
    for _ in range(3):
        ours.random.normal([13, 2]).numpy()
    settled = work()
    for seed in (None, *range(20)):
        ours.random.normal([13, 2], seed=seed).numpy()
    ours.random.set_seed(99)
    ours.random.normal([13, 2]).numpy()
    assert work() == settled


def test_errors():
    with pytest.raises(ValueError, match="maxval"):
        ours.random.uniform([2], dtype="int32")
    with pytest.raises(ours.errors.InvalidArgumentError, match="minval < maxval"):
        ours.random.uniform([2], 5, 5, dtype="int32")
    with pytest.raises(ours.errors.InvalidArgumentError, match="matrix"):
        ours.random.categorical([1.0], 2)
