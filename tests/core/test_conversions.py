"""What becomes tensors, specs of values, and protobuf messages of tensors, against real TensorFlow."""

import numpy as np
import pytest
from support import harness
from support.harness import raises

import tapejax


class Metres:
    def __init__(self, value):
        self.value = value


class Miles(Metres):
    pass


def register(tf):
    """Registers conversions in a module, once; gives the function that registers."""
    if not hasattr(Metres, tf.__name__):
        setattr(Metres, tf.__name__, True)
        tf.register_tensor_conversion_function(
            Metres, lambda value, dtype=None, name=None, as_ref=False: tf.constant(value.value, dtype=dtype)
        )
        tf.register_tensor_conversion_function(
            Miles, lambda value, **_: NotImplemented if value.value < 0 else tf.constant(1600 * value.value), 10
        )
    return tf.register_tensor_conversion_function


SPECS = [
    "x",
    "v",
    "tf.Variable([1.0])",
    "tf.sparse.from_dense([[1, 0]])",
    "tf.ragged.constant([[1], [2, 3]])",
    "tf.IndexedSlices(x, i[:2], tf.constant([4, 3]))",
    "tf.IndexedSlices(x, i[:2])",
    "1",
    "1.5",
    "'a'",
    "np.ones([2])",
    "[1, 2]",
    "(1.0,)",
    "np.float32(2)",
    "None",
    "{'a': 1}",
    "object()",
    "[[1], [1, 2]]",
]
test_as_tensorflow = harness.test_of(
    [
        lambda tf: Metres(2) + tf.constant(1),
        lambda tf: tf.constant(1) + Metres(2),
        lambda tf: tf.constant(1.0) + Metres(2),
        lambda tf: tf.square(Metres(3)),
        lambda tf: tf.convert_to_tensor(Metres(2)),
        lambda tf: tf.convert_to_tensor(Metres(2), tf.float32),
        raises(ValueError, lambda tf: tf.concat([[1], [Metres(2)]], 0)),
        lambda tf: tf.convert_to_tensor(Miles(2)),
        lambda tf: tf.convert_to_tensor(Miles(-2)),
        raises(RuntimeError, lambda tf: tf.convert_to_tensor(Miles(2), tf.float32)),
        lambda tf: tf.stack([Metres(1), Metres(2)]),
        raises(ValueError, lambda tf: tf.reduce_sum([Metres(1), Metres(2)])),
        lambda tf: tf.Variable(Metres(1.5)).read_value(),
        raises(TypeError, lambda register: register(int, min)),
        raises(TypeError, lambda register: register(np.ndarray, min)),
        raises(TypeError, lambda register: register(3, min)),
        raises(TypeError, lambda register: register(Metres, 3)),
        raises(TypeError, lambda register: register((Metres, np.float32), min)),
        lambda tf, x: repr(tf.type_spec_from_value(x)),
        lambda tf, v: repr(tf.type_spec_from_value(v)),
        lambda tf: repr(tf.type_spec_from_value(tf.sparse.from_dense([[1, 0]]))),
        lambda tf: repr(tf.type_spec_from_value(tf.ragged.constant([[1], [2, 3]]))),
        lambda tf, x, i: repr(tf.type_spec_from_value(tf.IndexedSlices(x, i[:2], tf.constant([4, 3])))),
        lambda tf, x, i: repr(tf.type_spec_from_value(tf.IndexedSlices(x, i[:2]))),
        lambda tf: repr(tf.type_spec_from_value(1)),
        lambda tf: repr(tf.type_spec_from_value(1.5)),
        lambda tf: repr(tf.type_spec_from_value("a")),
        lambda tf: repr(tf.type_spec_from_value(np.ones([2]))),
        lambda tf: repr(tf.type_spec_from_value([1, 2])),
        lambda tf: repr(tf.type_spec_from_value((1.0,))),
        lambda tf: repr(tf.type_spec_from_value(np.float32(2))),
        raises(TypeError, lambda tf: repr(tf.type_spec_from_value({"a": 1}))),
        raises(TypeError, lambda tf: repr(tf.type_spec_from_value(object()))),
        raises(TypeError, lambda tf: repr(tf.type_spec_from_value([[1], [1, 2]]))),
        lambda tf: repr(tf.IndexedSlicesSpec([None, 2], tf.float64)),
        lambda tf: tf.IndexedSlicesSpec([1]) == tf.IndexedSlicesSpec([1]),
        lambda tf: [
            isinstance(s, tf.TypeSpec)
            for s in (
                tf.TensorSpec([1]),
                tf.SparseTensorSpec([1]),
                tf.IndexedSlicesSpec([1]),
                1,
                tf.RaggedTensorSpec([1, None]),
            )
        ],
        lambda tf, x, i: tf.IndexedSlicesSpec([None, 3], indices_dtype=tf.int32).is_compatible_with(
            tf.IndexedSlices(x, i[:2])
        ),
        lambda tf: tf.make_ndarray(tf.make_tensor_proto([[1.0, 2.0]])),
        lambda tf: tf.make_ndarray(tf.make_tensor_proto(1)),
        lambda tf: tf.make_ndarray(tf.make_tensor_proto(1.5, tf.float64)),
        lambda tf: tf.make_ndarray(tf.make_tensor_proto([1, 2], tf.int64)),
        lambda tf: tf.make_ndarray(tf.make_tensor_proto("ab")),
        lambda tf: tf.make_ndarray(tf.make_tensor_proto(["ab", b"c"])),
        lambda tf: tf.make_ndarray(tf.make_tensor_proto([True, False])),
        lambda tf: tf.make_ndarray(tf.make_tensor_proto(1, None, [2, 3])),
        lambda tf: tf.make_ndarray(tf.make_tensor_proto([1, 2], None, [3])),
        lambda tf: tf.make_ndarray(tf.make_tensor_proto(np.ones([2, 2], np.float16))),
        lambda tf, x: tf.make_ndarray(tf.make_tensor_proto(x)),
        lambda tf: tf.make_ndarray(tf.make_tensor_proto([1 + 2j])),
        raises(ValueError, lambda tf: tf.make_ndarray(tf.make_tensor_proto([[1], [1, 2]]))),
        raises(TypeError, lambda tf: tf.make_ndarray(tf.make_tensor_proto([1, 2], None, [3], True))),
        raises(ValueError, lambda tf: tf.make_ndarray(tf.make_tensor_proto([1, 2, 3], None, [2]))),
        raises(TypeError, lambda tf: tf.make_ndarray(tf.make_tensor_proto(1.5, tf.int32))),
        lambda tf: tf.make_ndarray(tf.make_tensor_proto([], tf.float32)),
        lambda tf: tf.make_ndarray(tf.make_tensor_proto([1, 2], None, [2], True)),
        raises(ValueError, lambda tf: tf.make_ndarray(tf.make_tensor_proto([1, 2], None, [2], True, True))),
        lambda tf: tf.make_ndarray(tf.make_tensor_proto(np.zeros([0, 3]))),
        raises(AttributeError, lambda tf: tf.make_ndarray(3)),
        lambda tf: tf.make_tensor_proto([1.0, 2.0]).SerializeToString(),
        lambda tf, lines, other: tf.edit_distance(lines, other),
        lambda tf, lines, other: tf.edit_distance(lines, other, normalize=False),
        lambda tf, lines, other: tf.edit_distance(other, lines),
        lambda tf, lines: tf.edit_distance(tf.sparse.from_dense([[1]]), lines),
        raises(TypeError, lambda tf, x: tf.edit_distance(x, x)),
        lambda tf: tf.edit_distance(tf.sparse.from_dense([["a", "b"]]), tf.sparse.from_dense([["b", "a"]])),
        raises("InvalidArgumentError", lambda tf, lines: tf.edit_distance(lines, tf.sparse.from_dense([1]))),
        raises("InvalidArgumentError", lambda tf, lines: tf.edit_distance(lines, tf.cast(lines, tf.int64))),
        lambda tf, deep: tf.edit_distance(deep, deep),
        lambda tf, lines, empty: tf.edit_distance(empty, lines),
        lambda tf, lines, empty: tf.edit_distance(lines, empty),
        lambda tf: sorted(tf.Tensor.OVERLOADABLE_OPERATORS - {"__div__", "__rdiv__"}),  # (Python 2's)
        lambda tf: tf.math.sobol_sample(3, 5),
        lambda tf: tf.math.sobol_sample(7, 20, 3, tf.float64),
        raises("InvalidArgumentError", lambda tf: tf.math.sobol_sample(0, 5)),
        raises("InvalidArgumentError", lambda tf: tf.math.sobol_sample(2, 5, -1)),
        lambda tf: tf.math.sobol_sample(40, 33, 100),
        lambda tf, x: tf.nn.experimental.stateless_dropout(x, 0.5, [1, 2]),
        lambda tf, b: tf.nn.experimental.stateless_dropout(b + 1.0, 0.25, [3, 4], "philox"),
        lambda tf, b: tf.nn.experimental.stateless_dropout(b + 1.0, 0.25, [3, 4], noise_shape=[2, 1, 4]),
        lambda tf, x: tf.nn.experimental.stateless_dropout(x, 0.0, [1, 2]),
        raises(ValueError, lambda tf, x: tf.nn.experimental.stateless_dropout(x, 1.5, [1, 2])),
        raises(ValueError, lambda tf, i: tf.nn.experimental.stateless_dropout(i, 0.5, [1, 2])),
        lambda tf, x: tf.nn.experimental.stateless_dropout(
            tf.cast(x, tf.float64), tf.constant(0.5, tf.float64), [1, 2]
        ),
        lambda tf, g: g(lambda x: tf.nn.experimental.stateless_dropout(x, 0.5, [1, 2]), np.ones(6, np.float32)),
    ],
    register=register,
    lines=lambda tf: tf.sparse.from_dense([[1, 2, 3, 4], [5, 6, 0, 0], [7, 0, 0, 0]]),
    other=lambda tf: tf.sparse.from_dense([[1, 3, 3, 9, 9], [6, 5, 0, 0, 0], [0, 0, 0, 0, 0]]),
    deep=lambda tf: tf.sparse.from_dense([[[1, 2], [3, 0]], [[0, 0], [4, 5]]]),
    empty=lambda tf: tf.sparse.from_dense([[0, 0], [0, 0], [0, 0]]),
)


def test_the_spec_of_a_variable_is_its_tensor_s():
    assert tapejax.type_spec_from_value(tapejax.Variable([1.0])) == tapejax.TensorSpec([1])
    with pytest.raises(TypeError, match="NoneType"):
        tapejax.type_spec_from_value(None)


def test_a_conversion_of_another_dtype_is_refused(tf):
    register(tf), register(tapejax)
    harness.check_error(tf, raises(RuntimeError, lambda t: t.constant(1.0) + Miles(2)))


def test_messages_are_tensorflow_s(tf):
    ours = tapejax.make_tensor_proto(np.arange(6.0).reshape(2, 3))
    theirs = tf.make_tensor_proto(np.arange(6.0).reshape(2, 3))
    assert tf.make_ndarray(type(theirs).FromString(ours.SerializeToString())).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert tapejax.make_ndarray(theirs).tolist() == [[0, 1, 2], [3, 4, 5]]
    again = type(ours).FromString(theirs.SerializeToString())
    assert again == ours and again.dtype == theirs.dtype and again.tensor_shape.as_list() == [2, 3]


@pytest.mark.parametrize(
    "name, instead",
    [
        ("Graph", "tf.function"),
        ("RegisterGradient", "tf.custom_gradient"),
        ("load_op_library", "numpy_function"),
        ("queue", "queue.Queue"),
        ("no_gradient", "tf.stop_gradient"),
        ("variable_creator_scope", "function of your own"),
    ],
)
def test_what_cannot_be_says_why(name, instead):
    with pytest.raises(AttributeError, match=f"tf.{name} is not supported.*{instead}"):
        getattr(tapejax, name)
