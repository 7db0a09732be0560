"""`tf.TensorShape` and `Dimension` against real TensorFlow: each case runs in both, and what it prints is compared.

A case that raises for some shapes declares the classes with `may_raise`; for each shape both must do the same.
"""

import copy
import functools
import itertools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import harness
from support.harness import may_raise, raises
from support.inputs import Inputs
from support.source import text_of

from tapejax._src.core import shape as shape_module
from tapejax._src.core.shape import TensorShape, known

NAMES = {
    "T": lambda tf: tf.TensorShape,
    "D": lambda tf: tf.compat.v1.Dimension,
    "broadcast": lambda tf: tf.broadcast_static_shape,
    "value": lambda tf: tf.compat.dimension_value,
    "at": lambda tf: tf.compat.dimension_at_index,
}

SHAPES = [
    lambda T: T(None),
    lambda T: T([]),
    lambda T: T([3]),
    lambda T: T([None]),
    lambda T: T([1, None, 3]),
    lambda T: T([2, 3, 4]),
    lambda T: T([0, 5]),
    lambda T: T([None, None]),
]

CONSTRUCTED = [
    lambda T: T(()),
    lambda T: T([1, None, 3]),
    lambda T: T((1, 2)),
    lambda T: T(5),
    lambda T: T(np.int64(5)),
    raises(TypeError, lambda T: T("12")),
    raises(TypeError, lambda T: T(1.5)),
    raises(TypeError, lambda T: T([1.5])),
    raises(TypeError, lambda T: T([2.0])),
    raises(ValueError, lambda T: T([-1])),
    raises(ValueError, lambda T: T(-1)),
    raises(ValueError, lambda T: T([None, -2])),
    lambda T: T(T([1, 2])),
    lambda T: T(T(None)),
    lambda T: T(np.array([1, 2])),
    lambda T: T(np.array(3)),
    lambda T: T(range(3)),
    lambda T: T(iter((1, 2))),
    lambda T, D: T([D(3), D(None)]),
    lambda T, D: T(D(3)),
    lambda T, D: T(D(None)),
    raises(TypeError, lambda T: T([[1]])),
    raises(TypeError, lambda T: T(["3"])),
    raises(TypeError, lambda T: T([np.float32(2.0)])),
    lambda T: T([np.array(3)]),
    raises(TypeError, lambda T: T([np.array([3])])),
    raises(TypeError, lambda T: T(np.array([[1]]))),
    lambda T: T({1: 2}),
    lambda T: T({3}),
    raises(TypeError, lambda T: T(object())),
    raises(TypeError, lambda T: T([object()])),
    lambda T: T([2**40]),
    lambda T: T([2**64]),
    lambda T: T(dims=[1, 2]),
    raises(TypeError, lambda T: T()),
    raises(TypeError, lambda T: T([1], [2])),
    raises(TypeError, lambda T: T([1, ...])),
    lambda T: T(b"ab"),
    lambda T: T(""),
    raises(TypeError, lambda T: T([""])),
    lambda D: D(3),
    lambda D: D(None),
    lambda D: D(D(3)),
    lambda D: D(np.int8(3)),
    raises(ValueError, lambda D: D(-1)),
    raises(TypeError, lambda D: D("a")),
    raises(TypeError, lambda D: D(1.0)),
    raises(TypeError, lambda D: D()),
]

# With `s` bound to each of SHAPES.
ON_A_SHAPE = [
    lambda s: s.rank,
    lambda s: s.ndims,
    lambda s: s.dims,
    may_raise(ValueError, call=lambda s: s.as_list()),
    lambda s: s.num_elements(),
    lambda s: s.is_fully_defined(),
    may_raise(ValueError, call=lambda s: len(s)),
    lambda s: bool(s),
    may_raise(ValueError, call=lambda s: list(s)),
    may_raise(ValueError, call=lambda s: tuple(s)),
    may_raise(IndexError, call=lambda s: s[0]),
    may_raise(IndexError, call=lambda s: s[-1]),
    may_raise(IndexError, call=lambda s: s[5]),
    may_raise(IndexError, call=lambda s: s[np.int64(0)]),
    may_raise(IndexError, call=lambda s: s[True]),
    lambda s: s[0:0],
    lambda s: s[1:],
    lambda s: s[:1],
    lambda s: s[:-1],
    may_raise(ValueError, call=lambda s: s[::2]),
    lambda s: s[1:3],
    lambda s: s[3:],
    lambda s: s[-2:],
    may_raise(ValueError, call=lambda s: s[::-1]),
    lambda s: s[:None],
    lambda s: s[:100],
    lambda s: s[5:7],
    lambda s: s[2:1],
    lambda s: s[-2:4],
    lambda s: s[1:-1],
    lambda s: s[-3:-1],
    may_raise(ValueError, call=lambda s: s[::1]),
    may_raise(ValueError, call=lambda s: s[2:5:1]),
    lambda s: s[::None],
    lambda s: repr(s),
    lambda s: str(s),
    lambda s: f"{s}",
    lambda s: "%s" % (s,),  # noqa: UP031
    may_raise(ValueError, call=lambda s: list(reversed(s))),
    may_raise(ValueError, call=lambda s: 3 in s),
    may_raise(ValueError, call=lambda s: None in s),
    may_raise(TypeError, ValueError, call=lambda s: sum(s)),
    raises(TypeError, lambda s: int(s)),
    raises(TypeError, lambda s: s * 2),
    raises(TypeError, lambda s: s < s),
    lambda s: s + [7],
    lambda s: [7] + s,
    lambda s: s + (1, None),
    lambda s: (1, 2) + s,
    lambda T, s: s + T([1]),
    lambda s: s + None,
    lambda s: s + 5,
    lambda s: 5 + s,
    lambda T, s: s + T(None),
    raises(TypeError, lambda s: s + "ab"),
    raises(TypeError, lambda s: s + 3.5),
    lambda s: s.concatenate([1]),
    lambda s: s.concatenate(None),
    lambda T, s: s.concatenate(T([None])),
    lambda s: s.concatenate(4),
    lambda s: s.concatenate(""),
    may_raise(ValueError, call=lambda s: s.with_rank(1)),
    may_raise(ValueError, call=lambda s: s.with_rank(3)),
    lambda s: s.with_rank(None),
    raises(TypeError, lambda s: s.with_rank("1")),
    raises(TypeError, lambda s: s.with_rank(1.0)),
    may_raise(ValueError, call=lambda s: s.with_rank(-1)),
    may_raise(ValueError, call=lambda s: s.with_rank_at_least(2)),
    may_raise(ValueError, call=lambda s: s.with_rank_at_most(2)),
    may_raise(TypeError, call=lambda s: s.with_rank_at_least(None)),
    may_raise(TypeError, call=lambda s: s.with_rank_at_most("a")),
    may_raise(ValueError, call=lambda s: s.assert_has_rank(1)),
    may_raise(ValueError, call=lambda s: s.assert_has_rank(3)),
    may_raise(ValueError, call=lambda s: s.assert_is_fully_defined()),
    may_raise(ValueError, call=lambda s: s.assert_same_rank([1])),
    may_raise(ValueError, call=lambda T, s: s.assert_same_rank(T([1, 2, 3]))),
    lambda s: s.assert_same_rank(None),
    may_raise(ValueError, call=lambda s: s.assert_is_compatible_with([2, 3, 4])),
    lambda s: s.assert_is_compatible_with(None),
    raises(TypeError, lambda s: s.is_compatible_with("x")),
    raises(TypeError, lambda s: s.is_compatible_with([1.5])),
    raises(TypeError, lambda s: s.merge_with("ab")),
    lambda s: s == None,  # noqa: E711
    lambda s: s == 3,
    lambda s: s == "a",
    lambda s: s == [1.5],
    raises(ValueError, lambda s: s == [-1]),
    lambda s: s == object(),
    lambda s: s != object(),
    lambda s: [3] == s,
    lambda s: (3,) != s,
    lambda s: None == s,  # noqa: E711
    lambda s: hash(s) == hash(None),
    lambda s: hash(s) == hash((3,)),
    lambda s: hash(s) == hash((1, None, 3)),
    lambda s: {s: 1}.get((2, 3, 4)),
    may_raise(TypeError, call=lambda s: np.zeros(s).shape),
    lambda s: np.array(s),
    may_raise(TypeError, ValueError, call=lambda s: np.reshape(np.arange(24), s)),
    may_raise(IndexError, call=lambda at, s: at(s, 0)),
    may_raise(IndexError, call=lambda at, s: at(s, 4)),
    raises(AttributeError, lambda s: s.foo),
]

# With `s` and `t` bound to each pair of SHAPES.
ON_TWO_SHAPES = [
    lambda s, t: s == t,
    lambda s, t: s != t,
    may_raise(ValueError, call=lambda s, t: s.merge_with(t)),
    lambda s, t: s.is_compatible_with(t),
    lambda s, t: s.most_specific_compatible_shape(t),
    lambda s, t: s.is_subtype_of(t),
    lambda s, t: s + t,
    may_raise(ValueError, call=lambda s, t: s.assert_same_rank(t)),
    may_raise(ValueError, call=lambda s, t: s.assert_is_compatible_with(t)),
    lambda s, t: s == (t and list(t)),
    may_raise(ValueError, call=lambda s, t: s.merge_with(t and list(t))),
]

ON_TWO_DIMENSIONS = [
    lambda d, e: d == e,
    lambda d, e: d != e,
    may_raise(TypeError, call=lambda d, e: d < e),
    may_raise(TypeError, call=lambda d, e: d <= e),
    may_raise(TypeError, call=lambda d, e: d > e),
    may_raise(TypeError, call=lambda d, e: d >= e),
    may_raise(TypeError, call=lambda d, e: d + e),
    may_raise(TypeError, call=lambda d, e: e + d),
    may_raise(TypeError, ValueError, call=lambda d, e: d - e),
    may_raise(TypeError, ValueError, call=lambda d, e: e - d),
    may_raise(TypeError, call=lambda d, e: d * e),
    may_raise(TypeError, call=lambda d, e: e * d),
    may_raise(TypeError, call=lambda d, e: d // e),
    may_raise(TypeError, ZeroDivisionError, call=lambda d, e: e // d),
    may_raise(TypeError, call=lambda d, e: d % e),
    may_raise(TypeError, ZeroDivisionError, call=lambda d, e: e % d),
    raises(TypeError, lambda d, e: d / e),
    may_raise(TypeError, ValueError, call=lambda d, e: d.merge_with(e)),
    may_raise(TypeError, call=lambda d, e: d.is_compatible_with(e)),
    may_raise(TypeError, ValueError, call=lambda d, e: d.assert_is_compatible_with(e)),
    may_raise(TypeError, call=lambda d, e: max(d, e)),
    raises(TypeError, lambda d: hash(d)),
    may_raise(TypeError, call=lambda d: int(d)),
    lambda d: str(d),
    lambda d: repr(d),
    lambda d: bool(d),
    lambda d: d.value,
    may_raise(TypeError, call=lambda d: range(d)),
    may_raise(TypeError, call=lambda d: [0] * d),
    may_raise(TypeError, call=lambda d: np.zeros([d])),
    may_raise(IndexError, TypeError, call=lambda d: [0, 1, 2, 3][d]),
    lambda value, d: value(d),
    lambda value, e: value(e),
]


def check(tf: Any, call: Callable[..., Any], show: Callable[[Any], str] = repr, **made: Callable[..., Any]) -> None:
    """Compares what a case prints in both. Each of `made` gives an input, from `T` and `D`."""
    bound = Inputs(NAMES | made).bound(call)

    @functools.wraps(bound)
    def shown(tf: Any) -> str:
        return show(bound(tf))

    harness.check(tf, shown)


@pytest.mark.parametrize("show", [repr, str])
@pytest.mark.parametrize("call", CONSTRUCTED, ids=text_of)
def test_constructors(tf: Any, call: Callable[..., Any], show: Callable[[Any], str]) -> None:
    check(tf, call, show)


@pytest.mark.parametrize("call", ON_A_SHAPE, ids=text_of)
def test_one_shape(tf: Any, call: Callable[..., Any]) -> None:
    for s in SHAPES:
        check(tf, call, s=s)


@pytest.mark.parametrize("call", ON_TWO_SHAPES, ids=text_of)
def test_two_shapes(tf: Any, call: Callable[..., Any]) -> None:
    for s, t in itertools.product(SHAPES, SHAPES):
        check(tf, call, s=s, t=t)


@pytest.mark.parametrize("call", ON_TWO_DIMENSIONS, ids=text_of)
def test_dimensions(tf: Any, call: Callable[..., Any]) -> None:
    left = [lambda D: D(None), lambda D: D(0), lambda D: D(3), lambda D: D(7)]
    right = [lambda D: D(None), lambda: None, lambda: 3, lambda D: D(7), lambda: 3.0, lambda: "a"]
    for d, e in itertools.product(left, right):
        check(tf, call, d=d, e=e)


COMPARED = [
    lambda D: D(3) == -1,
    lambda D: D(3) != -1,
    raises(ValueError, lambda D: D(3) < -1),
    raises(ValueError, lambda D: D(3) <= -1),
    raises(ValueError, lambda D: D(3) > -1),
    raises(ValueError, lambda D: D(3) >= -1),
]


@pytest.mark.parametrize("call", COMPARED, ids=text_of)
def test_comparing_dimensions_with_what_is_no_size(tf: Any, call: Callable[..., Any]) -> None:
    check(tf, call)


BROADCAST = may_raise(ValueError, call=lambda broadcast, s, t: broadcast(s, t))


def test_broadcasting(tf: Any) -> None:
    sizes = None, 0, 1, 3, 4
    dims = [None, [], *map(list, itertools.product(sizes)), *map(list, itertools.product(sizes, sizes))]
    for s, t in itertools.product([lambda T, dims=d: T(dims) for d in dims], repeat=2):
        check(tf, BROADCAST, s=s, t=t)


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
