"""Nested structures: `tf.nest`.

A structure is a list, tuple, dictionary and so on of structures; anything else is a leaf. This is not
`jax.tree`, which disagrees with TensorFlow: there None is an empty tree, an OrderedDict keeps its order,
ranges, deques and user-defined sequences are leaves, and a registered class is opened (a tapejax Tensor is
one, so that JAX's transformations take it).

Training code flattens lists of variables at every step, so what a class is gets looked up once, and a list of
100 leaves is recognized in 2 µs by the set of its elements' classes (`jax.tree.leaves`: 4 µs).

Mirrors https://www.tensorflow.org/api_docs/python/tf/nest.
"""

import abc
import collections
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, MappingView, MutableMapping, Sequence
from typing import Any, NamedTuple

__all__ = [
    "CompositeTensor", "assert_same_structure", "flatten", "is_nested", "map_structure", "pack_sequence_as",
]  # fmt: skip


class CompositeTensor(abc.ABC):
    """Base of values that are made of several tensors, such as `tf.IndexedSlices` and `tf.RaggedTensor`.

    A leaf to this module, unless `expand_composites=True`: then a structure of its components.
    """

    __slots__ = ()

    @abc.abstractmethod
    def _components(self) -> Sequence[Any]:
        """The parts, which may be composites or structures themselves."""

    @abc.abstractmethod
    def _with_components(self, components: Sequence[Any]) -> Any:
        """A value like this one, made of other parts in the same order."""

    @abc.abstractmethod
    def _matches(self, other: Any) -> bool:
        """Whether `other`, a composite too, could stand in this one's place: same class, dtype, ranks."""


class _Node(NamedTuple):
    """How the values of one class nest."""

    # Two nodes have the same type, for `check_types`, if these are equal.
    kind: Any
    children: Callable[[Any], Sequence[Any]]
    # From the original and new children to a value like the original.
    rebuild: Callable[[Any, list[Any]], Any]
    composite: bool = False


class _NodeTable(dict[type, _Node | None]):
    """From a class to its node, None for leaves; filled as classes are met."""

    # Programs may make classes without end; forgetting them costs one more look at each that is still in use.
    _MAX_CLASSES = 4096

    def __init__(self, expand_composites: bool):
        super().__init__()
        self.leaves: set[type] = set()
        self._expand = expand_composites
        self._lock = threading.Lock()

    def __missing__(self, cls: type) -> _Node | None:
        node = _node_of(cls, self._expand)
        with self._lock:
            if len(self) >= self._MAX_CLASSES:
                self.clear()
                # Replaced, not emptied: another thread may be iterating over the old one.
                self.leaves = set()
            self[cls] = node
            if node is None:
                self.leaves.add(cls)
        return node


_tables = (_NodeTable(False), _NodeTable(True))


def _node_of(cls: type, expand_composites: bool) -> _Node | None:
    """Looks at a class, as `isinstance` would at its values."""
    if issubclass(cls, str | bytes):
        return None
    if expand_composites and issubclass(cls, CompositeTensor):
        return _Node(cls, cls._components, cls._with_components, composite=True)
    if hasattr(cls, "__tf_flatten__") and hasattr(cls, "__tf_unflatten__"):
        return _Node(cls, lambda value: value.__tf_flatten__()[1], _rebuild_by_protocol)
    if (attributes := getattr(cls, "__attrs_attrs__", None)) is not None:
        names = [attribute.name for attribute in attributes]
        return _Node(cls, lambda value: [getattr(value, name) for name in names], lambda value, new: type(value)(*new))
    if issubclass(cls, Mapping):
        # All mappings are of one type to TensorFlow.
        return _Node(Mapping, _mapping_children, _rebuild_dict if cls is dict else _rebuild_mapping)
    if issubclass(cls, list):
        return _Node(list, list, lambda value, new: new if type(value) is list else type(value)(new))
    if issubclass(cls, MappingView) or cls is range:
        return _Node(cls, list, lambda _, new: new)
    if issubclass(cls, tuple) and (fields := _named_fields(cls)) is not None:
        # Named tuples of one name and the same fields count as the same type, wherever they were defined.
        return _Node((cls.__name__, fields), tuple, lambda value, new: type(value)(*new))
    if issubclass(cls, Sequence):
        return _Node(cls, list, lambda value, new: type(value)(new))  # type: ignore[call-arg]
    return None


def _named_fields(cls: type) -> tuple[str, ...] | None:
    fields = getattr(cls, "_fields", None)
    return fields if isinstance(fields, tuple) and all(isinstance(field, str) for field in fields) else None


def _sorted_keys(mapping: Mapping[Any, Any]) -> list[Any]:
    try:
        return sorted(mapping)
    except TypeError:
        raise TypeError(f"nest only supports dicts with sortable keys, received {list(mapping)}") from None


def _mapping_children(mapping: Mapping[Any, Any]) -> list[Any]:
    return [mapping[key] for key in _sorted_keys(mapping)]


def _rebuild_dict(original: Mapping[Any, Any], children: list[Any]) -> dict[Any, Any]:
    # The children come in the order of the sorted keys; the result keeps the original's order.
    by_key = dict(zip(_sorted_keys(original), children, strict=True))
    return {key: by_key[key] for key in original}


def _rebuild_mapping(original: Mapping[Any, Any], children: list[Any]) -> Any:
    items = _rebuild_dict(original, children)
    cls: Any = type(original)
    if not isinstance(original, MutableMapping):
        return cls(items.items())
    result = cls(original.default_factory) if isinstance(original, collections.defaultdict) else cls()
    for key, value in items.items():
        result[key] = value
    return result


def _rebuild_by_protocol(original: Any, children: list[Any]) -> Any:
    metadata, _ = original.__tf_flatten__()
    return type(original).__tf_unflatten__(metadata, tuple(children))


def is_nested(seq: Any) -> bool:
    """Whether a value is a structure, even an empty one, not a leaf.

    Structures are lists, tuples (named ones too), mappings, views of mappings, other `Sequence` classes,
    classes made by `attrs`, and classes with `__tf_flatten__` and `__tf_unflatten__`. Strings, arrays,
    tensors, sets and plain dataclasses are leaves.

    Args:
      seq: Anything.

    >>> is_nested([]), is_nested({"a": 1}), is_nested("ab"), is_nested(None)
    (True, True, False, False)

    See https://www.tensorflow.org/api_docs/python/tf/nest/is_nested.
    """
    return _tables[False][type(seq)] is not None


def children(structure: Any) -> Sequence[Any]:
    """The parts that a structure is made of directly; nothing for a leaf.

    >>> list(children({"b": [1, 2], "a": 3}))
    [3, [1, 2]]
    """
    node = _tables[False][type(structure)]
    return () if node is None else node.children(structure)


def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """The leaves of a structure, in order; dictionaries in the order of their sorted keys.

    Args:
      structure: A structure, or one leaf. None is a leaf.
      expand_composites: Whether to open composite tensors into their components.

    Returns:
      A new list.

    Raises:
      TypeError: If a dictionary's keys cannot be sorted.

    >>> flatten({"b": [1, (2, None)], "a": 3})
    [3, 1, 2, None]

    See https://www.tensorflow.org/api_docs/python/tf/nest/flatten.
    """
    flat: list[Any] = []
    _add_leaves(flat, structure, _tables[bool(expand_composites)])
    return flat


def _add_leaves(flat: list[Any], structure: Any, table: _NodeTable) -> None:
    node = table[type(structure)]
    if node is None:
        flat.append(structure)
        return
    children = node.children(structure)
    if table.leaves.issuperset(map(type, children)):
        flat.extend(children)
        return
    for child in children:
        _add_leaves(flat, child, table)


def pack_sequence_as(structure: Any, flat_sequence: Any, expand_composites: bool = False) -> Any:
    """A structure like the given one with other leaves: undoes `flatten`.

    Args:
      structure: The structure to copy. Its own leaves do not matter.
      flat_sequence: The new leaves: a list, tuple or other sequence, in the order of `flatten`.
      expand_composites: Whether `flat_sequence` holds the components of composite tensors.

    Returns:
      The new structure. Dictionaries keep their class and the order of their keys; ranges and views of
      mappings become lists.

    Raises:
      TypeError: If `flat_sequence` is not a sequence, or a class cannot be made from its parts.
      ValueError: If the number of leaves differs.

    >>> pack_sequence_as({"b": [0, 0], "a": 0}, [1, 2, 3])
    {'b': [2, 3], 'a': 1}

    See https://www.tensorflow.org/api_docs/python/tf/nest/pack_sequence_as.
    """
    if not is_nested(flat_sequence) or isinstance(flat_sequence, Mapping):
        raise TypeError(
            f"`flat_sequence` must be a list, tuple or other sequence of leaves, received a "
            f"{type(flat_sequence).__name__}"
        )
    expected = len(flatten(structure, expand_composites))
    leaves = list(flat_sequence)
    if len(leaves) != expected:
        raise ValueError(
            f"Could not pack sequence: `structure` {sketch(structure)} has {expected} leaves, but "
            f"`flat_sequence` has {len(leaves)} items"
        )
    return _pack(structure, iter(leaves), _tables[bool(expand_composites)])


def _pack(structure: Any, leaves: Iterator[Any], table: _NodeTable) -> Any:
    node = table[type(structure)]
    if node is None:
        return next(leaves)
    children = node.children(structure)
    if table.leaves.issuperset(map(type, children)):
        return node.rebuild(structure, list(itertools.islice(leaves, len(children))))
    return node.rebuild(structure, [_pack(child, leaves, table) for child in children])


def map_structure(
    func: Callable[..., Any],
    *structure: Any,
    check_types: bool = True,
    expand_composites: bool = False,
    **unknown: Any,
) -> Any:
    """Applies a function to each leaf, or to the leaves at the same place of several structures.

    Args:
      func: Called with one leaf of each structure. What it returns becomes a leaf, whatever it is.
      *structure: One or more structures of the same nesting.
      check_types: Whether lists, tuples and so on must match in type too, and dictionaries in keys.
      expand_composites: Whether to open composite tensors into their components.

    Returns:
      The results, nested as the first structure.

    Raises:
      TypeError: If `func` is not callable, or types differ while `check_types` is true.
      ValueError: If there is no structure, the nesting differs, or an unknown keyword is passed.

    >>> map_structure(lambda x, y: x + y, {"a": 1, "b": (2,)}, {"a": 10, "b": (20,)})
    {'a': 11, 'b': (22,)}

    See https://www.tensorflow.org/api_docs/python/tf/nest/map_structure.
    """
    if not callable(func):
        raise TypeError(f"`func` must be callable, received {func!r}")
    if not structure:
        raise ValueError("Must provide at least one structure")
    if unknown:
        raise ValueError(
            f"Only the keywords `check_types` and `expand_composites` are known, received {sorted(unknown)}"
        )
    first, *others = structure
    for other in others:
        assert_same_structure(first, other, check_types, expand_composites)
    results = list(map(func, *(flatten(one, expand_composites) for one in structure)))
    return pack_sequence_as(first, results, expand_composites)


def assert_same_structure(nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False) -> None:
    """Raises if two structures differ in nesting. Leaves may be anything.

    Args:
      nest1: A structure.
      nest2: A structure.
      check_types: Whether types of sequences must be the same, and dictionaries have the same keys. All
        classes of lists count as one type, as do all mappings, and named tuples of one name and fields.
      expand_composites: Whether to compare composite tensors too, instead of taking them for leaves.

    Raises:
      TypeError: If the types of two sequences differ.
      ValueError: If they differ otherwise.

    >>> assert_same_structure([1, (2, 3)], [None, ("a", "b")])
    >>> assert_same_structure([1, (2, 3)], [1, 2])
    Traceback (most recent call last):
    ValueError: The two structures don't have the same nested structure: [., (., .)] and [., .].
    At [1], the first has (., .) and the second has a leaf.

    See https://www.tensorflow.org/api_docs/python/tf/nest/assert_same_structure.
    """
    difference = _difference(nest1, nest2, bool(check_types), _tables[bool(expand_composites)])
    if difference is not None:
        error, where, what = difference
        raise error(
            f"The two structures don't have the same nested structure: {sketch(nest1)} and {sketch(nest2)}.\n"
            f"{'At ' + where if where else 'At the top'}, {what}"
        )


def _difference(
    first: Any, second: Any, check_types: bool, table: _NodeTable
) -> tuple[type[Exception], str, str] | None:
    """The first place where two structures differ: the exception to raise, the place, what differs there."""
    node, other = table[type(first)], table[type(second)]
    if node is None and other is None:
        return None
    if node is None or other is None:
        one, two = ("a leaf" if n is None else sketch(s) for n, s in ((node, first), (other, second)))
        return ValueError, "", f"the first has {one} and the second has {two}."
    if node.composite and other.composite:
        if not first._matches(second):
            return ValueError, "", f"the composites do not match: {type(first)} and {type(second)}."
    elif node.kind != other.kind and (check_types or node.composite or other.composite):
        return TypeError, "", f"the types differ: {type(first).__name__} and {type(second).__name__}."
    names: Any = None
    if node.kind is Mapping:
        names = _sorted_keys(first)
        if check_types and first.keys() != second.keys():
            return ValueError, "", f"the keys differ: {list(first)} and {list(second)}."
    mine, theirs = node.children(first), other.children(second)
    leaves = table.leaves
    if len(mine) != len(theirs) or not (leaves.issuperset(map(type, mine)) and leaves.issuperset(map(type, theirs))):
        for index, (one, two) in enumerate(zip(mine, theirs, strict=False)):
            difference = _difference(one, two, check_types, table)
            if difference is not None:
                error, where, what = difference
                return error, f"[{index if names is None else names[index]!r}]{where}", what
    if len(mine) != len(theirs):
        return ValueError, "", f"the first has {len(mine)} elements and the second has {len(theirs)}."
    return None


def sketch(structure: Any) -> str:
    """A structure as text, with a dot for each leaf: printing an error should not compute tensors.

    >>> sketch({"b": [1, (2, None)], "a": 3})
    "{'b': [., (., .)], 'a': .}"
    """
    node = _tables[False][type(structure)]
    if node is None:
        return "."
    if node.kind is Mapping:
        return "{" + ", ".join(f"{key!r}: {sketch(structure[key])}" for key in structure) + "}"
    parts = [sketch(child) for child in node.children(structure)]
    if type(structure) is tuple:
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
    if isinstance(structure, list):
        return f"[{', '.join(parts)}]"
    return f"{type(structure).__name__}({', '.join(parts)})"
