"""Sets: the last axis of a tensor holds the elements of one. Computed on the host; the results are sparse tensors."""

from typing import Any

import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream

__all__ = ["difference", "intersection", "size", "union"]

_ALLOWED = ("int8", "int16", "int32", "int64", "uint8", "uint16", "string")


def _groups(value: Any) -> tuple[dict[tuple, set], tuple[int, ...], np.dtype]:
    """The sets by their place, the shape that holds them, and the dtype."""
    if hasattr(value, "dense_shape"):
        places, values, shape = (stream.host(to_tensor(v)) for v in (value.indices, value.values, value.dense_shape))
        pairs = zip(map(tuple, places.tolist()), values.tolist(), strict=True)
        groups: dict[tuple, set] = {}
        for place, v in pairs:
            groups.setdefault(place[:-1], set()).add(v)
        return groups, tuple(shape.tolist()[:-1]), values.dtype
    array = stream.host(to_tensor(value))
    if array.ndim < 2:
        raise invalid(f"Shape rank {array.ndim} < 2")
    return {place: set(array[place].tolist()) for place in np.ndindex(array.shape[:-1])}, array.shape[:-1], array.dtype


def _operation(a: Any, b: Any, join: Any) -> Any:
    from tapejax._src.composite.sparse import SparseTensor  # a family of its own, that few programs need

    one, shape, dtype = _groups(a)
    two, other, dtype_b = _groups(b)
    if dtype != dtype_b:
        raise TypeError(f"Types don't match, {dtype} vs {dtype_b}.")
    if dtypes.from_numpy(dtype).name not in _ALLOWED:
        raise TypeError(f"'a' has invalid dtype {dtypes.from_numpy(dtype)!r}, not one of {', '.join(_ALLOWED)}")
    if shape != other:
        raise invalid(f"Mismatched group shapes {list(shape)} and {list(other)}")
    rows = [
        (place, i, v)
        for place in np.ndindex(shape)
        for i, v in enumerate(sorted(join(one.get(place, set()), two.get(place, set()))))
    ]
    values = np.empty(len(rows), dtype)
    values[:] = [v for _, _, v in rows]
    longest = max((i + 1 for _, i, _ in rows), default=0)
    indices = np.array([(*place, i) for place, i, _ in rows], np.int64).reshape(len(rows), len(shape) + 1)
    return SparseTensor(from_value(indices), from_value(values), from_value(np.array([*shape, longest], np.int64)))


@public("sets.intersection")
def intersection(a: Any, b: Any, validate_indices: bool = True) -> Any:
    """The elements that are in both of two sets, for each pair of sets.

    Args:
      a: integers or strings of shape (.., n): each row holds a set. Dense, or a SparseTensor.
      b: the same, with as many sets.
      validate_indices: of no effect: the order of sparse indices does not matter here.

    Returns:
      A SparseTensor of shape (.., most), each set in ascending order.

    Raises:
      InvalidArgumentError: other shapes. TypeError: other dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/sets/intersection

    >>> intersection([[1, 2, 3]], [[2, 3, 4]]).values.numpy().tolist()
    [2, 3]
    """
    return _operation(a, b, set.intersection)


@public("sets.union")
def union(a: Any, b: Any, validate_indices: bool = True) -> Any:
    """The elements that are in any of two sets. Arguments, result and errors as of `intersection`.

    Source: https://www.tensorflow.org/api_docs/python/tf/sets/union

    >>> union([[1, 2]], [[2, 3]]).values.numpy().tolist()
    [1, 2, 3]
    """
    return _operation(a, b, set.union)


@public("sets.difference")
def difference(a: Any, b: Any, aminusb: bool = True, validate_indices: bool = True) -> Any:
    """The elements of `a` that are not in `b`, or the other way round with ``aminusb=False``.

    Arguments, result and errors as of `intersection`.

    Source: https://www.tensorflow.org/api_docs/python/tf/sets/difference

    >>> difference([[1, 2]], [[2, 3]]).values.numpy().tolist()
    [1]
    """
    if not aminusb:
        a, b = b, a
    return _operation(a, b, set.difference)


@public("sets.size")
def size(a: Any, validate_indices: bool = True) -> Tensor:
    """How many distinct elements each set of a SparseTensor has, as int32.

    Raises:
      TypeError: no SparseTensor.

    Source: https://www.tensorflow.org/api_docs/python/tf/sets/size

    >>> size(union([[1, 2]], [[2, 3]])).numpy().tolist()
    [3]
    """
    if not hasattr(a, "dense_shape"):
        raise TypeError(f"Expected `SparseTensor`, got {a!r}.")
    groups, shape, _ = _groups(a)
    out = np.zeros(shape, np.int32)
    for place, members in groups.items():
        out[place] = len(members)
    return from_value(out)
