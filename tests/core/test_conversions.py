"""What becomes tensors, specs of values, and protobuf messages of tensors, against real TensorFlow."""

import numpy as np
import pytest
from support import expressions, parity

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
test_as_tensorflow = expressions.test_of([
    "Metres(2) + tf.constant(1)", "tf.constant(1) + Metres(2)", "tf.constant(1.0) + Metres(2)", "tf.square(Metres(3))",
    "tf.convert_to_tensor(Metres(2))", "tf.convert_to_tensor(Metres(2), tf.float32)",
    "tf.concat([[1], [Metres(2)]], 0)",
    "tf.convert_to_tensor(Miles(2))", "tf.convert_to_tensor(Miles(-2))", "tf.convert_to_tensor(Miles(2), tf.float32)",
    "tf.stack([Metres(1), Metres(2)])", "tf.reduce_sum([Metres(1), Metres(2)])",
    "tf.Variable(Metres(1.5)).read_value()",
    "register(int, min)", "register(np.ndarray, min)", "register(3, min)", "register(Metres, 3)",
    "register((Metres, np.float32), min)",
    *(f"spec(tf.type_spec_from_value({value}))" for value in SPECS if "Variable" not in value and value != "None"),
    "repr(tf.IndexedSlicesSpec([None, 2], tf.float64))", "tf.IndexedSlicesSpec([1]) == tf.IndexedSlicesSpec([1])",
    "[isinstance(s, tf.TypeSpec) for s in (tf.TensorSpec([1]), tf.SparseTensorSpec([1]), tf.IndexedSlicesSpec([1]), 1, "
    "tf.RaggedTensorSpec([1, None]))]", "tf.IndexedSlicesSpec([None, 3], indices_dtype=tf.int32).is_compatible_with("
    "tf.IndexedSlices(x, i[:2]))",
    *(f"tf.make_ndarray(tf.make_tensor_proto({args}))" for args in (
        "[[1.0, 2.0]]", "1", "1.5, tf.float64", "[1, 2], tf.int64", "'ab'", "['ab', b'c']", "[True, False]",
        "1, None, [2, 3]", "[1, 2], None, [3]", "np.ones([2, 2], np.float16)", "x", "[1 + 2j]", "[[1], [1, 2]]",
        "[1, 2], None, [3], True", "[1, 2, 3], None, [2]", "1.5, tf.int32", "[], tf.float32", "[1, 2], None, [2], True",
        "[1, 2], None, [2], True, True", "np.zeros([0, 3])")),
    "tf.make_ndarray(3)", "tf.make_tensor_proto([1.0, 2.0]).SerializeToString()",
    *(f"tf.edit_distance({args})" for args in (
        "lines, other", "lines, other, normalize=False", "other, lines", "tf.sparse.from_dense([[1]]), lines", "x, x",
        "tf.sparse.from_dense([['a', 'b']]), tf.sparse.from_dense([['b', 'a']])", "lines, tf.sparse.from_dense([1])",
        "lines, tf.cast(lines, tf.int64)", "deep, deep", "empty, lines", "lines, empty")),
    "sorted(tf.Tensor.OVERLOADABLE_OPERATORS - {'__div__', '__rdiv__'})",  # (Python 2's)
    "tf.math.sobol_sample(3, 5)", "tf.math.sobol_sample(7, 20, 3, tf.float64)", "tf.math.sobol_sample(0, 5)",
    "tf.math.sobol_sample(2, 5, -1)", "tf.math.sobol_sample(40, 33, 100)",
    *(f"tf.nn.experimental.stateless_dropout({args})" for args in (
        "x, 0.5, [1, 2]", "b + 1.0, 0.25, [3, 4], 'philox'",
        "b + 1.0, 0.25, [3, 4], noise_shape=[2, 1, 4]", "x, 0.0, [1, 2]",
        "x, 1.5, [1, 2]", "i, 0.5, [1, 2]", "tf.cast(x, tf.float64), tf.constant(0.5, tf.float64), [1, 2]")),
    "g(lambda x: tf.nn.experimental.stateless_dropout(x, 0.5, [1, 2]), np.ones(6, np.float32))",
],
    Metres=lambda tf: Metres, Miles=lambda tf: Miles, register=register, spec=lambda tf: repr,
    lines=lambda tf: tf.sparse.from_dense([[1, 2, 3, 4], [5, 6, 0, 0], [7, 0, 0, 0]]),
    other=lambda tf: tf.sparse.from_dense([[1, 3, 3, 9, 9], [6, 5, 0, 0, 0], [0, 0, 0, 0, 0]]),
    deep=lambda tf: tf.sparse.from_dense([[[1, 2], [3, 0]], [[0, 0], [4, 5]]]),
    empty=lambda tf: tf.sparse.from_dense([[0, 0], [0, 0], [0, 0]]),
)  # fmt: skip


def test_the_spec_of_a_variable_is_its_tensor_s():
    assert tapejax.type_spec_from_value(tapejax.Variable([1.0])) == tapejax.TensorSpec([1])
    with pytest.raises(TypeError, match="NoneType"):
        tapejax.type_spec_from_value(None)


def test_a_conversion_of_another_dtype_is_refused(tf):
    register(tf), register(tapejax)
    parity.check_error(tf, lambda t: t.constant(1.0) + Miles(2))


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
