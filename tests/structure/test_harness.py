"""The test harness itself: what it lets pass, and above all what it does not."""

import re
from types import ModuleType

import numpy as np
import pytest
from support import harness
from support.compare import same
from support.harness import Case, may_raise, raises
from support.modes import MissingName
from support.reads import names_read
from support.source import text_of

import tapejax


def fails(tf, case, message, **options):
    with pytest.raises(AssertionError, match=message):
        harness.check(tf, case, **options)


def table_fails(tf, case, message, mode="recorded"):
    (case_,) = harness.Table([case]).cases.values()
    with pytest.raises(AssertionError, match=message):
        harness.Table([case]).check(tf, case_.name, mode)


def test_a_misspelt_name_fails(tf):
    fails(tf, lambda tf: tf.reduce_sun([1.0]), "has no reduce_sun")
    table_fails(tf, lambda tf, x: tf.math.reduce_sun(x), "has no math.reduce_sun")
    table_fails(tf, Case("sun", lambda tf, x: tf.reduce_sun(x), [np.ones(2)]), "has no reduce_sun")
    for mode in harness.MODES[1:]:
        table_fails(tf, Case("sun", lambda tf, x: tf.reduce_sun(x), [np.ones(2)]), "has no reduce_sun", mode)


def test_a_misspelt_name_fails_where_an_attribute_error_is_declared_or_caught(tf):
    fails(tf, raises(AttributeError, lambda tf: tf.reduce_sun([1.0])), "has no reduce_sun")
    table_fails(tf, raises(AttributeError, lambda tf: tf.reduce_sun([1.0])), "has no reduce_sun")

    def caught(tf):
        try:
            return tf.reduce_sun([1.0])
        except AttributeError as error:
            return type(error).__name__

    fails(tf, caught, "has no reduce_sun")
    with pytest.raises(MissingName, match="has no reduce_sun"):
        harness.check_error(tf, raises(AttributeError, lambda tf: tf.reduce_sun([1.0])))


def test_a_name_that_only_one_module_has_fails(tf):
    fails(tf, lambda tf: tf.explain() and 0, "tensorflow has no explain")
    fails(tf, lambda tf: tf.raw_ops and 0, "tapejax has no raw_ops")


def test_an_attribute_that_no_tensor_has_may_be_declared(tf):
    harness.check(tf, raises(AttributeError, lambda tf: tf.constant(1.0).no_such))


def test_an_error_that_is_not_declared_fails(tf):
    fails(tf, lambda tf: tf.reshape([1, 2], [3]), "raises InvalidArgumentError")
    table_fails(tf, lambda tf, m, x: tf.matmul(x, x), "raises InvalidArgumentError")
    with pytest.raises(AttributeError, match="raises"):
        harness.check_error(tf, lambda tf: tf.reshape([1, 2], [3]))


def test_an_error_of_another_class_fails(tf):
    wrong = raises(ValueError, lambda tf: tf.reshape([1, 2], [3]))
    fails(tf, wrong, "raises InvalidArgumentError")
    table_fails(tf, wrong, "raises InvalidArgumentError")
    with pytest.raises(AssertionError, match="declared is ValueError"):
        harness.check_error(tf, wrong)
    harness.check(tf, raises("InvalidArgumentError", lambda tf: tf.reshape([1, 2], [3])))


def test_a_declared_error_that_does_not_come_fails(tf):
    fails(tf, raises(ValueError, lambda tf: tf.ones([2])), "declared is ValueError")
    table_fails(tf, raises(ValueError, lambda tf: tf.ones([2])), "declared is ValueError")
    with pytest.raises(AssertionError, match="declared is ValueError"):
        harness.check_error(tf, raises(ValueError, lambda tf: tf.ones([2])))


def test_an_error_for_some_inputs_must_come_in_both_or_in_none(tf):
    harness.check(tf, may_raise(ValueError, call=lambda tf: tf.ones([2])))
    one = may_raise(ValueError, call=lambda tf: int("a") if tf.__name__ == "tapejax" else 1)
    fails(tf, one, "tapejax raises ValueError, TensorFlow nothing")
    other = may_raise(ValueError, TypeError, call=lambda tf: int("a") if tf.__name__ == "tapejax" else int([]))
    fails(tf, other, "tapejax raises ValueError, TensorFlow TypeError")


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (np.float32(1), np.float64(1)),
        (np.ones(2, np.int32), np.ones(2, np.int64)),
        (np.ones(2), np.ones([2, 1])),
        (np.ones(2), np.ones(3)),
        (np.ones(2), None),
        (None, np.ones(2)),
        (1.0, 1.001),
        ([1, 2], (1, 2)),
        ([1], [1, 2]),
        ({"a": 1}, {"b": 1}),
        ([np.ones(2)], [None]),
        (True, 1),
        ("a", b"a"),
        (np.array([b"a"], object), np.array([b"b"], object)),
        (np.array([1.0, np.nan]), np.array([1.0, 2.0])),
        (tapejax.TensorShape([1]), tapejax.TensorShape([2])),
        (tapejax.TensorShape(None), tapejax.TensorShape([])),
        (tapejax.constant([1.0]), tapejax.constant([1])),
        (tapejax.ragged.constant([[1], [2]]), tapejax.ragged.constant([[1, 2]])),
        (tapejax.sparse.from_dense([[1, 0]]), tapejax.sparse.from_dense([[0, 1]])),
    ],
    ids=str,
)
def test_what_is_not_the_same(ours, theirs):
    with pytest.raises(AssertionError):
        same(ours, theirs)
    same(ours, ours)
    same(theirs, theirs)


def test_a_wrong_dtype_fails(tf):
    fails(tf, lambda tf: tf.constant(1.0, tf.float64 if tf.__name__ == "tapejax" else tf.float32), "float64")


def test_a_wrong_derivative_fails(tf):
    """Its value is right: only the first derivative, or only the second, is not."""
    for order, power in ((1, "first"), (2, "second")):

        def call(tf, x, order=order):
            bend = (x - 1.0) ** order if tf.__name__ == "tapejax" else 0.0 * x
            return x**3 + bend

        case = Case("bent", call, [np.ones(1)])
        for mode in ("recorded", "eager", "function"):
            fails(tf, case, f"{power} derivative", modes=[mode])
        harness.check(tf, case, modes=["jit"])


def test_a_gradient_that_only_one_has_fails(tf):
    stopped = Case("stop", lambda tf, x: (tf.stop_gradient(x) if tf.__name__ == "tapejax" else x) * 2.0, [np.ones(1)])
    fails(tf, stopped, "first derivative")


def test_a_wrong_value_in_one_mode_fails(tf):
    def call(tf, x):
        return x + (1.0 if tf.__name__ == "tapejax" and tapejax.config.eager else 0.0)

    fails(tf, Case("mode", call, [np.ones(1)]), "value", modes=["eager"])
    harness.check(tf, Case("mode", call, [np.ones(1)]), modes=["recorded", "function"])


def test_inputs_are_those_that_the_parameters_name(tf):
    table = harness.Table(
        [lambda x, m: x @ m, lambda tf, doubled: tf.reduce_sum(doubled)], {"doubled": lambda m: m * 2}
    )
    assert list(table.cases) == ["x @ m", "tf.reduce_sum(doubled)"]
    table.check(tf, "tf.reduce_sum(doubled)", "recorded")
    with pytest.raises(AssertionError, match="unheard"):
        harness.Table([lambda unheard: unheard])
    with pytest.raises(AssertionError, match="several cases"):
        harness.Table([lambda x: x + 1, lambda x: x + 1])


def test_the_text_of_a_lambda():
    first, second = lambda x: x + 1, lambda x: (x, "a b")
    assert (text_of(first), text_of(second)) == ("x + 1", '(x, "a b")')
    (over_lines,) = [
        lambda x: [
            x,
            first(x),
        ]
    ]
    assert text_of(over_lines) == "[ x, first(x), ]"
    assert text_of(text_of) == "text_of"


def test_names_in_code_are_read_and_words_in_texts_are_not(tmp_path):
    file = tmp_path / "test_it.py"
    file.write_text('"""tf.math.add"""\n# tf.math.exp\ntext = "tf.math.sin"\ntf.math.cos(1)\nother.math.tan(1)\n')
    assert names_read(file) == {"math", "math.cos"}


def test_a_module_is_watched_at_every_level(tf):
    seen = []
    harness.check(tf, lambda tf: seen.append(tf.math) or tf.math.add(1, 2))
    assert not any(isinstance(module, ModuleType) for module in seen)
    assert re.search("math", repr(seen[0]._path))
