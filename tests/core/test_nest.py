"""`tapejax.nest` against real TensorFlow's `tf.nest`: values, types, order, and classes of exceptions."""

import collections
import dataclasses
import itertools
import random
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tapejax._src.core import nest

Point = collections.namedtuple("Point", "x y")
Other = collections.namedtuple("Other", "x y")
SamePoint = collections.namedtuple("Point", "x y")
PointXZ = collections.namedtuple("Point", "x z")


class SubPoint(Point):
    """A subclass of a named tuple: another name, so another type."""


class Typed(typing.NamedTuple):
    a: Any
    b: Any = 2


class List(list):
    pass


class Tuple(tuple):
    pass


class Dict(dict):
    pass


class OwnSequence(Sequence):
    def __init__(self, items: Any):
        self.items = list(items)

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"OwnSequence({self.items})"


class OwnMapping(Mapping):
    def __init__(self, items: Any):
        self.items_ = dict(items)

    def __getitem__(self, key: Any) -> Any:
        return self.items_[key]

    def __iter__(self) -> Any:
        return iter(self.items_)

    def __len__(self) -> int:
        return len(self.items_)

    def __repr__(self) -> str:
        return f"OwnMapping({self.items_})"


@dataclasses.dataclass
class Plain:
    """A dataclass without TensorFlow's protocol is a leaf."""

    a: Any
    b: Any


@dataclasses.dataclass
class Nested:
    """One with the protocol: `a` is nested, `b` is metadata."""

    a: Any
    b: Any

    def __tf_flatten__(self) -> Any:
        return (self.b,), (self.a,)

    @classmethod
    def __tf_unflatten__(cls, metadata: Any, leaves: Any) -> Any:
        return cls(*leaves, *metadata)


class SubNested(Nested):
    pass


@dataclasses.dataclass
class HalfProtocol:
    """Only one method of the protocol: a leaf."""

    a: Any

    def __tf_flatten__(self) -> Any:
        return (), (self.a,)


class Attributes:
    """As the `attrs` package makes them, which this need not be installed for."""

    __attrs_attrs__ = (SimpleNamespace(name="b"), SimpleNamespace(name="a"))

    def __init__(self, b: Any, a: Any):
        self.b, self.a = b, a

    def __repr__(self) -> str:
        return f"Attributes({self.b}, {self.a})"


Ordered, Default, deque = collections.OrderedDict, collections.defaultdict, collections.deque

STRUCTURES = [
    None, 1, "abc", b"ab", np.float32(1), np.zeros(2), {1, 2}, frozenset([1]), slice(1, 2), range, object,
    Point, [], (), {}, [[]], [1], (1,), [1, 2], (1, 2), [1, (2, [3])], [None, [None]], [[1], 2],
    [1, [2]], [1, 2, [3]], {"a": 1}, {"b": 1, "a": 2}, {"b": [1, 2], "a": (3, {"z": 4, "y": 5})},
    {2: 1, 1: 2}, {1.5: 1, 0: 2}, {(1, 2): 1, (0, 1): 2}, {None: 1}, {True: 1, False: 2}, {"a": 1, "c": 2},
    {"a": [1], "b": 2}, Ordered(b=1, a=2), Default(int, {"b": 1, "a": [2, 3]}), Dict(b=1, a=2),
    OwnMapping({"b": 1, "a": 2}), types.MappingProxyType({"b": 1, "a": 2}), collections.Counter("aab"),
    collections.ChainMap({"a": 1}, {"b": 2}), collections.UserDict({"b": 1, "a": 2}),
    collections.UserList([1, 2]), Point(1, 2), Point(1, [2, 3]), Other(1, 2), SamePoint(1, 2), PointXZ(1, 2),
    SubPoint(1, 2), Typed(1), List([1, [2]]), List([1, 2]), Tuple((1, 2)), OwnSequence([1, 2]), deque([1, 2]),
    range(2), range(3), {"b": 1}.keys(), {"a": [3], "b": 1}.values(), {"a": 3}.items(), Plain([1], 2),
    Nested(1, 2), Nested([1, 2], 3), SubNested(1, 2), HalfProtocol(1), Attributes(1, 2),
    Attributes([1, 2], 3), types.SimpleNamespace(a=1),
]  # fmt: skip

FLAT = [
    [], [10], (10,), [10, 20], (10, 20), range(2), [10, 20, 30], [[1], None, (2,), {}], deque([10, 20]),
    3, None, "ab", {1, 2}, np.zeros(2), iter([1, 2]),
]  # fmt: skip


def outcome(function: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
    """The result as text with the type at the top, or the class of the exception."""
    try:
        result = function(*args, **keywords)
    except Exception as error:
        return type(error)
    return type(result), repr(result)


@pytest.mark.tensorflow
@pytest.mark.parametrize("structure", STRUCTURES)
def test_one_structure(tf: Any, structure: Any) -> None:
    assert nest.is_nested(structure) is tf.nest.is_nested(structure)
    assert outcome(nest.flatten, structure) == outcome(tf.nest.flatten, structure)
    for function in (repr, lambda x: x, lambda x: [x, x], lambda x: None):
        assert outcome(nest.map_structure, function, structure) == outcome(tf.nest.map_structure, function, structure)
    for flat in FLAT:
        assert outcome(nest.pack_sequence_as, structure, flat) == outcome(tf.nest.pack_sequence_as, structure, flat), (
            flat
        )


@pytest.mark.tensorflow
@pytest.mark.parametrize("check_types", [True, False])
def test_two_structures(tf: Any, check_types: bool) -> None:
    # Without what TensorFlow cannot rebuild: its messages need that, and fail with another exception.
    paired = [one for one in STRUCTURES if not isinstance(one, types.MappingProxyType)]
    for a, b in itertools.product(paired, paired):
        ours = outcome(nest.assert_same_structure, a, b, check_types)
        assert ours == outcome(tf.nest.assert_same_structure, a, b, check_types), (a, b)
        ours = outcome(nest.map_structure, lambda x, y: (x, y), a, b, check_types=check_types)
        theirs = outcome(tf.nest.map_structure, lambda x, y: (x, y), a, b, check_types=check_types)
        assert ours == theirs, (a, b)


def random_structure(rng: random.Random, depth: int) -> Any:
    """A random structure of the containers that programs use."""
    kind = rng.randrange(8) if depth else 0
    if kind < 2:
        return rng.choice([None, 1, "leaf", 2.5])
    parts = [random_structure(rng, depth - 1) for _ in range(2 if kind == 7 else rng.randrange(4))]
    keys = rng.sample("abcdef", len(parts))
    pairs = list(zip(keys, parts, strict=True))
    made = (list(parts), tuple(parts), dict(pairs), Ordered(pairs), List(parts), Point(*(parts + [0, 0])[:2]))
    return made[kind - 2]


@pytest.mark.tensorflow
def test_random_structures(tf: Any) -> None:
    rng = random.Random(0)
    structures = [random_structure(rng, 4) for _ in range(300)]
    for structure in structures:
        flat = nest.flatten(structure)
        assert repr(flat) == repr(tf.nest.flatten(structure))
        numbers = list(range(len(flat)))
        packed = nest.pack_sequence_as(structure, numbers)
        assert repr(packed) == repr(tf.nest.pack_sequence_as(structure, numbers))
        assert nest.flatten(packed) == numbers
    for a, b in zip(structures, structures[1:], strict=False):
        for check_types in (True, False):
            assert outcome(nest.assert_same_structure, a, b, check_types) == outcome(
                tf.nest.assert_same_structure, a, b, check_types
            ), (a, b)


@pytest.mark.tensorflow
@pytest.mark.parametrize("args, keywords", [
    ((lambda x: x,), {}),
    ((3, [1]), {}),
    ((None, [1]), {}),
    (("a", [1]), {}),
    ((lambda x: x, [1]), {"foo": 1}),
    ((lambda x: x, [1]), {"check_types": True, "expand_composites": True}),
    ((lambda *x: x, [1], [2], [3]), {}),
    ((lambda *x: x, [1], [2], [3, 4]), {}),
    ((lambda *x: x, [1], (2,)), {"check_types": None}),
    ((lambda x: 1 / 0, [1]), {}),
    ((), {"func": repr, "structure": [1]}),
    ((), {}),
])  # fmt: skip
def test_arguments_of_map_structure(tf: Any, args: Any, keywords: Any) -> None:
    ours = outcome(nest.map_structure, *args, **keywords)
    assert ours == outcome(tf.nest.map_structure, *args, **keywords)


@pytest.mark.tensorflow
def test_keys_that_cannot_be_sorted(tf: Any) -> None:
    structure = {"a": 1, 2: 3}
    assert nest.is_nested(structure) and tf.nest.is_nested(structure)
    for module in (nest, tf.nest):
        for call in (
            lambda m: m.flatten(structure),
            lambda m: m.map_structure(repr, structure),
            lambda m: m.pack_sequence_as(structure, [1, 2]),
            lambda m: m.assert_same_structure(structure, structure),
        ):
            with pytest.raises(TypeError):
                call(module)


@pytest.mark.tensorflow
def test_lists_that_a_module_holds(tf: Any) -> None:
    # Modules wrap their lists in a subclass of list.
    module = tf.Module()
    module.held = [1, [2, 3]]
    assert type(module.held) is not list
    assert nest.flatten(module.held) == tf.nest.flatten(module.held) == [1, 2, 3]
    nest.assert_same_structure(module.held, [None, [None, None]])
    nest.assert_same_structure([None, [None, None]], module.held)
    packed = nest.pack_sequence_as(module.held, [4, 5, 6])
    assert packed == [4, [5, 6]]
    assert type(packed) is type(module.held)


@pytest.mark.tensorflow
def test_tensors_and_variables_are_leaves(tf: Any) -> None:
    leaves = [tf.constant([1, 2]), tf.Variable([3, 4]), tf.TensorShape([1, 2]), tf.TensorSpec([1])]
    flat = nest.flatten({"a": leaves, "b": 1})
    assert all(one is other for one, other in zip(flat, [*leaves, 1], strict=True))


class Pair(nest.CompositeTensor):
    """A composite of two parts and a label."""

    def __init__(self, first: Any, second: Any, label: str = ""):
        self.first, self.second, self.label = first, second, label

    def _components(self) -> Sequence[Any]:
        return [self.first, self.second]

    def _with_components(self, components: Sequence[Any]) -> "Pair":
        return Pair(*components, label=self.label)

    def _matches(self, other: Any) -> bool:
        return isinstance(other, Pair) and self.label == other.label


def test_composites_are_leaves_unless_expanded() -> None:
    pair = Pair(1, Pair(2, 3), "sparse")
    assert nest.flatten([pair, 4]) == [pair, 4]
    assert nest.flatten([pair, 4], expand_composites=True) == [1, 2, 3, 4]
    mapped = nest.map_structure(lambda x: x * 10, [pair, 4], expand_composites=True)
    assert nest.flatten(mapped, expand_composites=True) == [10, 20, 30, 40]
    assert mapped[0].label == "sparse"
    with pytest.raises(ValueError):
        nest.pack_sequence_as([pair, 4], [1, 2, 3, 4])


@pytest.mark.tensorflow
def test_same_structure_of_composites(tf: Any) -> None:
    # The same cases in TensorFlow: a composite of the same spec, of another, a leaf, a list.
    ragged, other = tf.ragged.constant([[1], [2, 3]]), tf.ragged.constant([[1.0], [2, 3]])
    theirs = [(ragged, ragged), (ragged, other), (ragged, 1), (1, ragged), (ragged, [1, 2]), ([1, 2], ragged)]
    pair, unlike = Pair(1, 2), Pair(1, 2, "other")
    ours = [(pair, pair), (pair, unlike), (pair, 1), (1, pair), (pair, [1, 2]), ([1, 2], pair)]
    for expand, check_types in itertools.product([True, False], [True, False]):
        for (a, b), (c, d) in zip(ours, theirs, strict=True):
            if expand and not check_types and list in (type(a), type(b)):
                # TensorFlow fails on its own, with AttributeError, or takes a list for a composite.
                with pytest.raises(TypeError):
                    nest.assert_same_structure(a, b, check_types, expand)
                continue
            assert outcome(nest.assert_same_structure, a, b, check_types, expand) == outcome(
                tf.nest.assert_same_structure, c, d, check_types, expand
            ), (a, b, check_types, expand)


@pytest.mark.tensorflow
@pytest.mark.parametrize("flat", [{0: 5, 1: 6}, {"a": 5, "b": 6}])
def test_packing_a_dictionary_is_refused(flat: Any) -> None:
    # TensorFlow indexes it with 0, 1, ... and so raises KeyError, or takes one whose keys are numbers.
    with pytest.raises(TypeError, match="received a dict"):
        nest.pack_sequence_as([1, 2], flat)


def test_views_can_be_packed() -> None:
    assert nest.pack_sequence_as([1, (2,)], {"b": 10, "a": 20}.values()) == [10, (20,)]


def test_flatten_returns_a_new_list() -> None:
    original = [1, 2]
    nest.flatten(original).append(3)
    assert original == [1, 2]


def test_packing_keeps_class_order_and_factory() -> None:
    packed = nest.pack_sequence_as(Default(list, {"b": 1, "a": 2}), [10, 20])
    assert list(packed.items()) == [("b", 20), ("a", 10)]
    assert packed["missing"] == []
    assert list(nest.pack_sequence_as(Ordered(b=1, a=2), [10, 20]).items()) == [("b", 20), ("a", 10)]


def test_errors_say_where_and_print_no_leaves() -> None:
    class Secret:
        def __repr__(self) -> str:
            raise AssertionError("an error message computed a tensor to print it")

    leaf = Secret()
    with pytest.raises(ValueError, match=r"At \['b'\]\[1\], the first has a leaf and the second has \(\.,\)"):
        nest.assert_same_structure({"a": leaf, "b": [leaf, leaf]}, {"a": leaf, "b": [leaf, (leaf,)]})
    with pytest.raises(TypeError, match=r"At \[0\], the types differ: list and tuple"):
        nest.assert_same_structure([[leaf]], [(leaf,)])
    with pytest.raises(ValueError, match=r"keys differ: \['a'\] and \['b'\]"):
        nest.assert_same_structure({"a": leaf}, {"b": leaf})
    with pytest.raises(ValueError, match=r"At the top, the first has 1 elements and the second has 2"):
        nest.assert_same_structure([leaf], [leaf, leaf])
    with pytest.raises(ValueError, match=r"\[\., \(\., \.\)\] has 3 leaves.*has 1 items"):
        nest.pack_sequence_as([leaf, (leaf, leaf)], [leaf])


def test_classes_without_end_do_not_fill_the_tables() -> None:
    for index in range(5_000):
        cls = type(f"Leaf{index}", (), {})
        assert len(nest.flatten([cls(), [cls()]])) == 2
    for table in nest._tables:
        assert len(table) <= table._MAX_CLASSES
        assert len(table.leaves) <= table._MAX_CLASSES
    assert nest.flatten([1, "a", (None,)]) == [1, "a", None]
