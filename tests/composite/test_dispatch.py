"""Ops find a ragged or sparse tensor among their arguments wherever it stands. Compared with real TensorFlow."""

import itertools
import operator

import numpy as np
import pytest
from support.harness import raises, test_of

import tapejax

_OPS = (
    "add subtract multiply divide truediv math.floordiv math.floormod pow maximum minimum equal not_equal less "
    "less_equal greater greater_equal atan2 math.squared_difference math.divide_no_nan math.multiply_no_nan "
    "math.xlogy math.xdivy"
).split()
_OTHERS = "number scalar column array list variable ragged".split()


def _operand(module, name):
    return {
        "number": lambda: 2.0,
        "scalar": lambda: module.constant(2.0),
        "column": lambda: module.constant([[2.0], [3.0]]),
        "array": lambda: np.array([[2.0], [3.0]], np.float32),
        "list": lambda: [[2.0], [3.0]],
        "variable": lambda: module.Variable(2.0),
        "ragged": lambda: module.ragged.constant([[1.0, 2.0], [3.0]]),
    }[name]()


def _pairs():
    return [*((o, "ragged") for o in _OTHERS), *(("ragged", o) for o in _OTHERS[:-1])]


@pytest.mark.parametrize("name", _OPS)
def test_binary_ops_with_a_ragged_tensor(name, tf):
    for left, right in _pairs():
        mine, real = (
            operator.attrgetter(name)(m)(_operand(m, left), _operand(m, right)).to_list() for m in (tapejax, tf)
        )
        np.testing.assert_allclose(sum(mine, []), sum(real, []), rtol=1e-6, err_msg=f"{left}, {right}")
        assert [len(row) for row in mine] == [len(row) for row in real]


def test_operators_with_a_ragged_tensor(tf):
    names = "add sub mul truediv floordiv mod pow lt le gt ge".split()
    # NumPy's arrays take an operator for themselves in TensorFlow. Here the ragged tensor goes first.
    pairs = [p for p in _pairs() if "list" not in p and p[0] != "array"]
    for name, (left, right) in itertools.product(names, pairs):
        mine, real = (getattr(operator, name)(_operand(m, left), _operand(m, right)).to_list() for m in (tapejax, tf))
        np.testing.assert_allclose(sum(mine, []), sum(real, []), rtol=1e-6, err_msg=f"{left} {name} {right}")


_INPUTS = {
    "r": lambda tf: tf.ragged.constant([[1.0, 2.0], [], [3.0]]),
    "ri": lambda tf: tf.ragged.constant([[1, 2], [3]]),
    "rb": lambda tf: tf.ragged.constant([[True, False], [True]]),
    "deep": lambda tf: tf.ragged.constant([[[1], [2, 3]], [], [[4, 5, 6]]]),
    "rows": lambda tf: tf.RaggedTensor.from_row_splits([[1, 2], [3, 4], [5, 6]], [0, 1, 3]),
    "sp": lambda tf: tf.sparse.from_dense([[0, 1.5], [2, 0]]),
    "d": lambda tf: tf.constant([[1.0, 2], [3, 4]]),
}

test_lists_and_other_ops = test_of(
    [
        lambda tf, rb: tf.logical_and(True, rb).to_list(),
        lambda tf, rb: tf.logical_or(tf.constant(False), rb).to_list(),
        lambda tf, rb: tf.math.logical_xor(rb, tf.constant(True)).to_list(),
        lambda tf, ri: tf.bitwise.bitwise_and(3, ri).to_list(),
        lambda tf, ri: tf.bitwise.bitwise_or(ri, tf.constant(1)).to_list(),
        lambda tf, ri: tf.bitwise.left_shift(ri, ri).to_list(),
        lambda tf, r: tf.add_n([r, r, r]).to_list(),
        lambda tf, r: tf.math.scalar_mul(2.0, r).to_list(),
        lambda tf, r: tf.clip_by_value(r, tf.constant(1.5), tf.constant(2.5)).to_list(),
        lambda tf, rb: tf.where(rb, 1.0, 2.0).to_list(),
        lambda tf, ri: tf.gather(tf.constant([1, 2, 3, 4]), ri).to_list(),
        lambda tf, ri, d: tf.concat([d, tf.cast(ri, tf.float32)], 0).to_list(),
        lambda tf, ri, d: tf.concat([d, tf.cast(ri, tf.float32)], 1).to_list(),
        lambda tf, ri, d: tf.stack([d, tf.cast(ri, tf.float32)]).to_list(),
        lambda tf, r: tf.reverse(r, [0]).to_list(),
        lambda tf, r: tf.reverse(r, [-1]).to_list(),
        lambda tf, deep: [tf.reverse(deep, [a]).to_list() for a in (0, 1, 2)],
        lambda tf, deep: tf.reverse(deep, [0, 2]).to_list(),
        lambda tf, rows: tf.reverse(rows, [0, 2]).to_list(),
        lambda tf, r: [tf.tile(r, n).to_list() for n in ([2, 1], [1, 2], [2, 3], [1, 1])],
        lambda tf, deep: tf.tile(deep, [1, 2, 2]).to_list(),
        lambda tf, rows: tf.tile(rows, [2, 1, 2]).to_list(),
        lambda tf, r: [p.to_list() for p in tf.split(r, 3)],
        lambda tf, r: [p.to_list() for p in tf.split(r, [1, 2])],
        lambda tf: tf.strings.join(["a", tf.ragged.constant([["b"], ["c", "d"]])], "-").to_list(),
        lambda tf, sp: tf.divide(sp, tf.constant(2.0)).values,
        lambda tf, sp, d: tf.divide(sp, d).values,
        raises(ValueError, lambda tf, sp, d: tf.divide(d, sp)),
        raises(ValueError, lambda tf, sp: tf.add(tf.constant(1.0), sp)),
        raises(ValueError, lambda tf, r, sp: tf.multiply(r, sp)),
        raises(ValueError, lambda tf, rb, d: tf.boolean_mask(d, rb)),
    ],
    **_INPUTS,
)


def test_gradients_of_reversed_and_tiled_rows(tf):
    def gradient(module, how):
        x = module.constant([1.0, 2.0, 3.0])
        with module.GradientTape() as tape:
            tape.watch(x)
            rows = module.RaggedTensor.from_row_splits(x, [0, 2, 3])
            y = module.reduce_sum(how(module, rows).flat_values * [1.0, 2.0, 4.0])
        return module.convert_to_tensor(tape.gradient(y, x)).numpy().tolist()

    for how in (lambda m, r: m.reverse(r, [1]), lambda m, r: m.reverse(r, [0]), lambda m, r: m.tile(r, [1, 1])):
        assert gradient(tapejax, how) == gradient(tf, how)
