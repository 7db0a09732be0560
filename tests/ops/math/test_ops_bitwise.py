"""`tf.bitwise` against real TensorFlow, every integer dtype."""

import numpy as np
from support.harness import Case, check_error, raises, test_of

_NAMES = ("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift")
_DTYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def _values(dtype):
    info = np.iinfo(dtype)
    return np.array([info.min, info.min + 5, 0, 1, 6, 100, info.max], dtype)


test_matches_tensorflow = test_of([
    *(Case(f"{name} {dtype}", lambda tf, x, y, name=name: getattr(tf.bitwise, name)(x, y),
           [_values(dtype), np.array([[1], [3]], dtype)]) for name in _NAMES for dtype in _DTYPES),
    *(Case(f"invert {dtype}", lambda tf, x: tf.bitwise.invert(x), [_values(dtype)]) for dtype in _DTYPES),
    Case("a number", lambda tf, x: tf.bitwise.left_shift(x, 3), [np.array([1, 5], np.int32)]),
    Case("shifts outside the width", lambda tf, x: tf.bitwise.right_shift(x, tf.constant([40, -1, 31])),
         [np.array([-7, 9, -(2**31)], np.int32)]),
    Case("shifts up outside the width", lambda tf, x: tf.bitwise.left_shift(x, tf.constant([40, -1, 31])),
         [np.array([-7, 9, 3], np.int32)]),
])  # fmt: skip


def test_refuses_what_is_not_integer(tf):
    check_error(
        tf, raises("InvalidArgumentError", lambda tf: tf.bitwise.invert(tf.constant([1.0])), in_function=TypeError)
    )
    check_error(
        tf,
        raises(
            "InvalidArgumentError",
            lambda tf: tf.bitwise.bitwise_and(tf.constant([1]), tf.constant([1], tf.int64)),
            in_function=TypeError,
        ),
    )
    check_error(
        tf,
        raises(
            "InvalidArgumentError",
            lambda tf: tf.bitwise.bitwise_and(tf.constant([1.0]), tf.constant([1.0])),
            in_function=TypeError,
        ),
    )
