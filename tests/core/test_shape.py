"""`tapejax.shape` and `tapejax._src.core.dimension` against real TensorFlow: the same expressions in both.

An expression is evaluated with `T` and `D` bound to TensorShape and Dimension, once ours and once
TensorFlow's, and what it prints is compared. Where TensorFlow raises, the class of the exception must be the
same.
"""

import copy
import itertools
import pickle
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tapejax._src.core.shape import TensorShape, known

shape_module = sys.modules["tapejax.shape"]  # the attribute `tapejax.shape` is the op tf.shape

OURS = SimpleNamespace(
    T=TensorShape, D=shape_module.Dimension, np=np, broadcast=shape_module.broadcast_static_shape,
    value=shape_module.dimension_value, at=shape_module.dimension_at_index,
)  # fmt: skip

SHAPES = "T(None) T([]) T([3]) T([None]) T([1,None,3]) T([2,3,4]) T([0,5]) T([None,None])".split()

CONSTRUCTED = """
T(()) T([1,None,3]) T((1,2)) T(5) T(np.int64(5)) T('12') T(1.5) T([1.5]) T([2.0]) T([-1]) T(-1) T([None,-2])
T(T([1,2])) T(T(None)) T(np.array([1,2])) T(np.array(3)) T(range(3)) T(iter((1,2))) T([D(3),D(None)])
T(D(3)) T(D(None)) T([[1]]) T(['3']) T([np.float32(2.)]) T([np.array(3)]) T([np.array([3])])
T(np.array([[1]])) T({1:2}) T({3}) T(object()) T([object()]) T([2**40]) T([2**64]) T(dims=[1,2]) T()
T([1],[2]) T([1,...]) T(b'ab') T('') T(['']) D(3) D(None) D(D(3)) D(np.int8(3)) D(-1) D('a') D(1.0) D()
""".split()

# With `s` bound to each of SHAPES.
ON_A_SHAPE = """
s.rank | s.ndims | s.dims | s.as_list() | s.num_elements() | s.is_fully_defined() | len(s) | bool(s)
list(s) | tuple(s) | s[0] | s[-1] | s[5] | s[np.int64(0)] | s[True] | s[0:0] | s[1:] | s[:1] | s[:-1]
s[::2] | s[1:3] | s[3:] | s[-2:] | s[::-1] | s[:None] | s[:100] | s[5:7] | s[2:1] | s[-2:4] | s[1:-1]
s[-3:-1] | s[::1] | s[2:5:1] | s[::None] | repr(s) | str(s) | f'{s}' | '%s' % (s,) | list(reversed(s))
3 in s | None in s | sum(s) | int(s) | s * 2 | s < s | s + [7] | [7] + s | s + (1, None) | (1, 2) + s
s + T([1]) | s + None | s + 5 | 5 + s | s + T(None) | s + 'ab' | s + 3.5 | s.concatenate([1])
s.concatenate(None) | s.concatenate(T([None])) | s.concatenate(4) | s.concatenate('') | s.with_rank(1)
s.with_rank(3) | s.with_rank(None) | s.with_rank('1') | s.with_rank(1.0) | s.with_rank(-1)
s.with_rank_at_least(2) | s.with_rank_at_most(2) | s.with_rank_at_least(None) | s.with_rank_at_most('a')
s.assert_has_rank(1) | s.assert_has_rank(3) | s.assert_is_fully_defined() | s.assert_same_rank([1])
s.assert_same_rank(T([1, 2, 3])) | s.assert_same_rank(None) | s.assert_is_compatible_with([2, 3, 4])
s.assert_is_compatible_with(None) | s.is_compatible_with('x') | s.is_compatible_with([1.5])
s.merge_with('ab') | s == None | s == 3 | s == 'a' | s == [1.5] | s == [-1] | s == object() | s != object()
[3] == s | (3,) != s | None == s | hash(s) == hash(None) | hash(s) == hash((3,))
hash(s) == hash((1, None, 3)) | {s: 1}.get((2, 3, 4)) | np.zeros(s).shape | np.array(s)
np.reshape(np.arange(24), s) | at(s, 0) | at(s, 4) | s.foo
""".replace("\n", "|").split("|")

# With `s` and `t` bound to each pair of SHAPES.
ON_TWO_SHAPES = """
s == t | s != t | s.merge_with(t) | s.is_compatible_with(t) | s.most_specific_compatible_shape(t)
s.is_subtype_of(t) | s + t | s.assert_same_rank(t) | s.assert_is_compatible_with(t) | s == (t and list(t))
s.merge_with(t and list(t))
""".replace("\n", "|").split("|")

ON_TWO_DIMENSIONS = """
d == e | d != e | d < e | d <= e | d > e | d >= e | d + e | e + d | d - e | e - d | d * e | e * d | d // e
e // d | d % e | e % d | d / e | d.merge_with(e) | d.is_compatible_with(e) | d.assert_is_compatible_with(e)
max(d, e) | hash(d) | int(d) | str(d) | repr(d) | bool(d) | d.value | range(d) | [0] * d | np.zeros([d])
[0, 1, 2, 3][d] | value(d) | value(e)
""".replace("\n", "|").split("|")


def expressions(lines: list[str]) -> list[str]:
    return [line.strip() for line in lines if line.strip()]


def outcome(expression: str, names: SimpleNamespace, **values: str) -> str:
    """The value as text, or the name of the exception's class."""
    scope = dict(vars(names))
    try:
        for name, value in values.items():
            scope[name] = eval(value, scope)
        result = eval(expression, scope)
    except Exception as error:
        return f"raises {type(error).__name__}"
    return repr(result)


@pytest.fixture(scope="session")
def theirs(tf: Any) -> SimpleNamespace:
    return SimpleNamespace(
        T=tf.TensorShape, D=tf.compat.v1.Dimension, np=np, broadcast=tf.broadcast_static_shape,
        value=tf.compat.dimension_value, at=tf.compat.dimension_at_index,
    )  # fmt: skip


@pytest.mark.tensorflow
@pytest.mark.parametrize("expression", CONSTRUCTED)
def test_constructors(theirs: SimpleNamespace, expression: str) -> None:
    for shown in (expression, f"str({expression})"):
        assert outcome(shown, OURS) == outcome(shown, theirs)


@pytest.mark.tensorflow
@pytest.mark.parametrize("expression", expressions(ON_A_SHAPE))
def test_one_shape(theirs: SimpleNamespace, expression: str) -> None:
    for s in SHAPES:
        assert outcome(expression, OURS, s=s) == outcome(expression, theirs, s=s), s


@pytest.mark.tensorflow
@pytest.mark.parametrize("expression", expressions(ON_TWO_SHAPES))
def test_two_shapes(theirs: SimpleNamespace, expression: str) -> None:
    for s, t in itertools.product(SHAPES, SHAPES):
        assert outcome(expression, OURS, s=s, t=t) == outcome(expression, theirs, s=s, t=t), (s, t)


@pytest.mark.tensorflow
@pytest.mark.parametrize("expression", expressions(ON_TWO_DIMENSIONS))
def test_dimensions(theirs: SimpleNamespace, expression: str) -> None:
    others = "D(None)", "None", "3", "D(7)", "3.0", "'a'"
    for d, e in itertools.product(["D(None)", "D(0)", "D(3)", "D(7)"], others):
        assert outcome(expression, OURS, d=d, e=e) == outcome(expression, theirs, d=d, e=e), (d, e)


@pytest.mark.tensorflow
@pytest.mark.parametrize("operation", ["==", "!=", "<", "<=", ">", ">="])
def test_comparing_dimensions_with_what_is_no_size(theirs: SimpleNamespace, operation: str) -> None:
    expression = f"D(3) {operation} -1"
    assert outcome(expression, OURS) == outcome(expression, theirs)


@pytest.mark.tensorflow
def test_broadcasting(theirs: SimpleNamespace) -> None:
    sizes = "None", "0", "1", "3", "4"
    vectors, matrices = itertools.product(sizes), itertools.product(sizes, sizes)
    shapes = ["T(None)", "T([])", *(f"T([{', '.join(size)}])" for size in (*vectors, *matrices))]
    for s, t in itertools.product(shapes, shapes):
        ours = outcome("broadcast(s, t)", OURS, s=s, t=t)
        assert ours == outcome("broadcast(s, t)", theirs, s=s, t=t), (s, t)


@pytest.mark.tensorflow
def test_tensorflow_takes_the_shape_as_its_own(tf: Any) -> None:
    shape = TensorShape([2, 3])
    assert tf.zeros(shape).shape == tf.zeros(tf.TensorShape([2, 3])).shape
    assert tf.TensorShape(shape) == (2, 3)


def test_broadcasting_takes_plain_lists() -> None:
    assert shape_module.broadcast_static_shape([3, 1], (4,)) == (3, 4)


def test_mismatch_names_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(3, 2\) and \(4,\).*received 2 and 4"):
        shape_module.broadcast_static_shape([3, 2], [4])


def test_known_shapes_are_shared_and_bounded() -> None:
    assert known((2, 3)) is known((2, 3))
    assert known((2, 3)) == TensorShape([2, 3])
    for size in range(10_000):
        known((size, 1))
    assert known.cache_info().currsize <= 4096


def test_shapes_are_immutable() -> None:
    shape = known((2, 3))
    with pytest.raises(AttributeError):
        shape.extra = 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        shape[0] = 1  # type: ignore[index]
    shape.as_list().append(4)
    assert shape == (2, 3)


@pytest.mark.parametrize("dims", [None, [], [2, None]])
def test_copies_and_pickles(dims: list[int | None] | None) -> None:
    shape = TensorShape(dims)
    for made in (pickle.loads(pickle.dumps(shape)), copy.deepcopy(shape), copy.copy(shape)):
        assert repr(made) == repr(shape)


def test_unknown_dimension_has_no_integer() -> None:
    with pytest.raises(TypeError, match="unknown"):
        int(shape_module.Dimension(None))


def test_a_boolean_size_is_a_plain_integer() -> None:
    # TensorFlow keeps the True, and prints TensorShape([True]).
    assert repr(TensorShape([True])) == "TensorShape([1])"
    assert type(TensorShape([True])[0]) is int
