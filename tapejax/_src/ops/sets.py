"""Operations on sets. The last axis of a tensor holds the elements of one set.

The sets are computed on the host, so the arguments are read. The results are sparse tensors, since sets differ in size.
"""

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
    """The sets of a tensor by their position, the shape of all positions, and the elements' dtype."""
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
    from tapejax._src.composite.sparse import SparseTensor  # imported late, since few programs use it

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
      a: a tensor or a SparseTensor of shape (.., n). Each row is a set of strings, or of integers (not
        uint32 or uint64).
      b: a tensor or a SparseTensor of shape (.., m), with the same leading axes and the same dtype.
      validate_indices: has no effect. The order of a SparseTensor's indices does not matter here.

    Returns:
      A SparseTensor of shape (.., k), where k is the size of the largest resulting set. Each set is in ascending order.

    Raises:
      InvalidArgumentError: `a` or `b` has fewer than two axes, or their leading axes differ.
      TypeError: their dtypes differ, or are not allowed.

    Source: https://www.tensorflow.org/api_docs/python/tf/sets/intersection

    >>> intersection([[1, 2, 3]], [[2, 3, 4]]).values.numpy().tolist()
    [2, 3]
    """
    return _operation(a, b, set.intersection)


@public("sets.union")
def union(a: Any, b: Any, validate_indices: bool = True) -> Any:
    """The elements that are in at least one of two sets, for each pair of sets.

    Takes the arguments of `intersection`, and has the same result and errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/sets/union

    >>> union([[1, 2]], [[2, 3]]).values.numpy().tolist()
    [1, 2, 3]
    """
    return _operation(a, b, set.union)


@public("sets.difference")
def difference(a: Any, b: Any, aminusb: bool = True, validate_indices: bool = True) -> Any:
    """The elements of one set that are not in the other, for each pair of sets.

    Args:
      a: as in `intersection`.
      b: as in `intersection`.
      aminusb: True: the elements of `a` that are not in `b`. False: those of `b` that are not in `a`.
      validate_indices: has no effect.

    Returns:
      A SparseTensor, as for `intersection`. The errors are the same too.

    Source: https://www.tensorflow.org/api_docs/python/tf/sets/difference

    >>> difference([[1, 2]], [[2, 3]]).values.numpy().tolist()
    [1]
    """
    if not aminusb:
        a, b = b, a
    return _operation(a, b, set.difference)


@public("sets.size")
def size(a: Any, validate_indices: bool = True) -> Tensor:
    """The number of distinct elements in each set of a SparseTensor.

    Args:
      a: a SparseTensor of shape (.., n). Each row is a set.
      validate_indices: has no effect.

    Returns:
      An int32 tensor of shape (..).

    Raises:
      TypeError: `a` is not a SparseTensor.

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
