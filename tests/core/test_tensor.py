"""`Tensor` against real TensorFlow: each function below is run with both and must do the same."""

import numpy as np
import pytest
from support.harness import check, raises


def texts(tf):
    ts = [tf.constant(1.5), tf.constant([1, 2]), tf.constant([[True]])]
    return [str(t) for t in ts], [repr(t) for t in ts], f"{ts[0]:.3f}"


def python_conversions(tf):
    return (
        float(tf.constant(1.5)),
        int(tf.constant(2)),
        bool(tf.constant([])),
        len(tf.constant([1, 2])),
        [1, 2, 3][tf.constant(1)],
    )


@raises(TypeError)
def len_of_a_scalar_raises(tf):
    len(tf.constant(1.0))


@raises(ValueError)
def truth_of_many_raises(tf):
    bool(tf.constant([1, 2]))


@raises(TypeError)
def hash_raises(tf):
    hash(tf.constant(1.0))


def constants_have_tensorflows_dtypes(tf):
    return [tf.constant(v) for v in (1, 1.0, True, 2**31, 1j, np.float64(1), np.int8(1), [1, 2.0], b"x")]


@raises(TypeError)
def constant_that_does_not_fit_raises(tf):
    tf.constant(1.5, tf.int32)


def ref_is_identity(tf):
    t = tf.constant(1.0)
    return t.ref() == t.ref(), t.ref() == tf.constant(1.0).ref(), t.ref().deref() is t


@raises(ValueError)
def set_shape_checks(tf):
    tf.constant([1.0]).set_shape([2])


SCENARIOS = [
    fn
    for fn in list(globals().values())
    if callable(fn) and getattr(fn, "__module__", "") == __name__ and fn.__code__.co_varnames[:1] == ("tf",)
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
def test_same_as_tensorflow(scenario, tf):
    check(tf, scenario)
