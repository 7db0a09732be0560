"""Static shapes: `tf.TensorShape`, whose rank or sizes may be unknown.

Mirrors https://www.tensorflow.org/api_docs/python/tf/TensorShape. Sizes are plain integers or None, as everywhere
in TensorFlow 2. The one exception is `TensorShape.dims`, which still wraps them in `Dimension`.
"""

import functools
import math
import operator
from collections.abc import Iterable, Iterator
from typing import Any

from tapejax._src.core.dimension import Dimension, dimension_value

__all__ = [
    "Dimension", "TensorShape", "as_shape", "broadcast_static_shape", "dimension_at_index", "dimension_value",
    "known", "unknown_shape",
]  # fmt: skip


class TensorShape:
    """The static shape of a tensor: one size for each axis. A size, or the whole shape, may be unknown (None).

    Shapes are immutable and hashable. They are equal to lists and tuples of the same sizes.

    Args:
      dims: An iterable of sizes, which are integers of 0 or more, or None; one such size, for a vector; another
        TensorShape; or None if not even the rank is known.

    Raises:
      TypeError: If a size is neither an integer nor None.
      ValueError: If a size is negative.

    >>> TensorShape([2, None]), TensorShape(None), TensorShape(5)
    (TensorShape([2, None]), TensorShape(None), TensorShape([5]))
    >>> print(TensorShape([2, None]), TensorShape([3, 4]).num_elements(), TensorShape([3, 4]) == (3, 4))
    (2, None) 12 True

    See https://www.tensorflow.org/api_docs/python/tf/TensorShape.
    """

    __slots__ = ("_dims", "__weakref__")
    _dims: tuple[int | None, ...] | None

    def __init__(self, dims: Any):
        if dims is None:
            self._dims = None
        elif isinstance(dims, TensorShape):
            self._dims = dims._dims
        elif isinstance(dims, Dimension):
            self._dims = (dims.value,)
        else:
            try:
                sizes: Iterable[Any] = iter(dims)
            except TypeError:
                sizes = (dims,)
            self._dims = tuple(map(_size, sizes))

    # What is known

    @property
    def rank(self) -> int | None:
        """The number of axes, or None if unknown."""
        return None if self._dims is None else len(self._dims)

    @property
    def ndims(self) -> int | None:
        """The same as `rank`."""
        return self.rank

    @property
    def dims(self) -> list[Dimension] | None:
        """The sizes as `Dimension` objects, or None if the rank is unknown. `as_list()` gives plain integers."""
        return None if self._dims is None else [Dimension(size) for size in self._dims]

    def as_list(self) -> list[int | None]:
        """The sizes as a new list, None for each unknown one.

        Raises:
          ValueError: If the rank is unknown.
        """
        if self._dims is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return list(self._dims)

    def num_elements(self) -> int | None:
        """The product of the sizes, or None if one of them is unknown."""
        if self._dims is None or None in self._dims:
            return None
        return math.prod(self._dims)  # type: ignore[arg-type]

    def is_fully_defined(self) -> bool:
        """Whether the rank and every size are known."""
        return self._dims is not None and None not in self._dims

    # As a sequence

    def __len__(self) -> int:
        if self._dims is None:
            raise ValueError("Cannot take the length of shape with unknown rank.")
        return len(self._dims)

    def __bool__(self) -> bool:
        # A shape is true if its rank is known. The shape of a scalar is known, so it is true although it is empty.
        return self._dims is not None

    def __iter__(self) -> Iterator[int | None]:
        if self._dims is None:
            raise ValueError("Cannot iterate over a shape with unknown rank.")
        return iter(self._dims)

    def __getitem__(self, key: Any) -> Any:
        """One size, or for a slice the TensorShape of that part."""
        if self._dims is not None:
            return _of(self._dims[key]) if isinstance(key, slice) else self._dims[key]
        if not isinstance(key, slice):
            return None
        if key.step is not None:
            raise ValueError(f"A shape of unknown rank cannot be sliced with a step, received {key}")
        start = 0 if key.start is None else key.start
        # A slice that counts from the end, or is open at the end, has a length that depends on the unknown rank.
        if key.stop is None or key.stop < 0 or start < 0:
            return unknown_shape()
        return unknown_shape(max(key.stop - start, 0))

    def __add__(self, other: Any) -> "TensorShape":
        return self.concatenate(other)

    def __radd__(self, other: Any) -> "TensorShape":
        return as_shape(other).concatenate(self)

    def concatenate(self, other: Any) -> "TensorShape":
        """The axes of this shape followed by those of `other`; an unknown shape if either rank is unknown.

        >>> TensorShape([2, None]) + [3]
        TensorShape([2, None, 3])
        """
        other = as_shape(other)
        if self._dims is None or other._dims is None:
            return unknown_shape()
        return _of(self._dims + other._dims)

    # Comparing

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, TensorShape):
            try:
                other = TensorShape(other)
            except TypeError:
                return NotImplemented
        return self._dims == other._dims

    def __hash__(self) -> int:
        return hash(self._dims)

    def is_compatible_with(self, other: Any) -> bool:
        """Whether one tensor could have both shapes: ranks and sizes are equal wherever both are known.

        >>> TensorShape([None, 3]).is_compatible_with([2, 3]), TensorShape([2]).is_compatible_with([3])
        (True, False)
        """
        return self._merge(as_shape(other)) is not None

    def is_subtype_of(self, other: Any) -> bool:
        """Whether every tensor of this shape also has shape `other`, which is equal or has more unknown sizes."""
        if not isinstance(other, TensorShape):
            return False
        if other._dims is None:
            return True
        return self.rank == other.rank and all(
            theirs is None or theirs == ours for ours, theirs in zip(self, other, strict=True)
        )

    def merge_with(self, other: Any) -> "TensorShape":
        """The shape that combines what is known from both shapes of one tensor.

        Raises:
          ValueError: If the shapes contradict each other.

        >>> TensorShape([None, 3]).merge_with([2, None])
        TensorShape([2, 3])
        """
        other = as_shape(other)
        merged = self._merge(other)
        if merged is None:
            raise ValueError(f"Shapes {self} and {other} are not compatible")
        return merged

    def _merge(self, other: "TensorShape") -> "TensorShape | None":
        if self._dims is None or other._dims is None:
            return other if self._dims is None else self
        if len(self._dims) != len(other._dims):
            return None
        merged = []
        for ours, theirs in zip(self._dims, other._dims, strict=True):
            if ours is not None and theirs is not None and ours != theirs:
                return None
            merged.append(theirs if ours is None else ours)
        return _of(tuple(merged))

    def most_specific_compatible_shape(self, other: Any) -> "TensorShape":
        """The most precise shape that includes both: sizes that differ become None, and so do ranks that differ.

        >>> TensorShape([2, 3]).most_specific_compatible_shape([2, 4])
        TensorShape([2, None])
        """
        other = as_shape(other)
        if self._dims is None or other._dims is None or len(self._dims) != len(other._dims):
            return unknown_shape()
        pairs = zip(self._dims, other._dims, strict=True)
        return _of(tuple(ours if ours == theirs else None for ours, theirs in pairs))

    # Asking for a rank

    def with_rank(self, rank: int | None) -> "TensorShape":
        """This shape, known to have `rank` axes; itself if `rank` is None.

        Raises:
          ValueError: If it has another rank.
        """
        try:
            return self.merge_with(unknown_shape(rank))
        except ValueError:
            raise ValueError(f"Shape {self} must have rank {rank}") from None

    def with_rank_at_least(self, rank: int) -> "TensorShape":
        """This shape, if it has or may have `rank` axes or more.

        Raises:
          ValueError: If it has fewer.
        """
        if self._dims is not None and len(self._dims) < rank:
            raise ValueError(f"Shape {self} must have rank at least {rank}")
        return self

    def with_rank_at_most(self, rank: int) -> "TensorShape":
        """This shape, if it has or may have `rank` axes or fewer.

        Raises:
          ValueError: If it has more.
        """
        if self._dims is not None and len(self._dims) > rank:
            raise ValueError(f"Shape {self} must have rank at most {rank}")
        return self

    def assert_has_rank(self, rank: int) -> None:
        """Raises ValueError if the shape cannot have `rank` axes."""
        if self._dims is not None and len(self._dims) != rank:
            raise ValueError(f"Shape {self} must have rank {rank}")

    def assert_same_rank(self, other: Any) -> None:
        """Raises ValueError if the two ranks are known and differ."""
        other = as_shape(other)
        if self.rank is not None and other.rank is not None and self.rank != other.rank:
            raise ValueError(f"Shapes {self} and {other} must have the same rank")

    def assert_is_compatible_with(self, other: Any) -> None:
        """Raises ValueError if `is_compatible_with(other)` is false."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {other} are incompatible")

    def assert_is_fully_defined(self) -> None:
        """Raises ValueError if the rank or a size is unknown."""
        if not self.is_fully_defined():
            raise ValueError(f"Shape {self} is not fully defined")

    def __repr__(self) -> str:
        return f"TensorShape({None if self._dims is None else list(self._dims)})"

    def __str__(self) -> str:
        return "<unknown>" if self._dims is None else str(self._dims)

    def __reduce__(self) -> tuple[Any, ...]:
        # A function, not the class, whose name may be TensorFlow's at the time (see `compat.identity`).
        return _unpickled, (self._dims,)


def _unpickled(dims: Any) -> "TensorShape":
    return TensorShape(dims)


def _size(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) is not int:
        # `Dimension` checks the value, and names it in the error.
        value = Dimension(value).value
    if value is not None and value < 0:
        raise ValueError(f"Dimension {value} must be >= 0")
    return value


def _of(dims: tuple[int | None, ...] | None) -> TensorShape:
    """A shape made of checked sizes, without checking them again: 0.1 µs, against 0.5 µs for the constructor."""
    shape = object.__new__(TensorShape)
    shape._dims = dims
    return shape


# The cache is bounded because a program that meets new shapes all the time may run for days. Cached shapes can be
# shared because they are immutable.
@functools.lru_cache(maxsize=4096)
def known(dims: tuple[int, ...]) -> TensorShape:
    """The TensorShape of a tuple that is known to hold valid sizes, such as the shape of a `jax.Array`.

    The sizes are not checked and results are cached, because training code reads `Tensor.shape` all the time.

    Args:
      dims: The sizes, plain integers.

    >>> known((2, 3))
    TensorShape([2, 3])
    """
    return _of(dims)


def unknown_shape(rank: int | None = None) -> TensorShape:
    """A shape whose sizes are unknown, and whose rank may be unknown too.

    Args:
      rank: The number of axes, or None if it is unknown.

    >>> unknown_shape(), unknown_shape(2)
    (TensorShape(None), TensorShape([None, None]))
    """
    return _of(None if rank is None else (None,) * rank)


def as_shape(shape: Any) -> TensorShape:
    """Converts anything that `TensorShape` accepts to a TensorShape. A TensorShape is returned as it is."""
    return shape if isinstance(shape, TensorShape) else TensorShape(shape)


def broadcast_static_shape(shape_x: Any, shape_y: Any) -> TensorShape:
    """The static shape of an elementwise operation on two tensors, by the rules of broadcasting.

    Where one size is unknown and the other is greater than 1, the unknown size must be equal to it or 1, so the
    result is the known size. In all other cases an unknown size gives an unknown size.

    Args:
      shape_x: The first shape: a TensorShape, or a value that converts to one.
      shape_y: The second shape, likewise.

    Returns:
      A TensorShape.

    Raises:
      ValueError: If two known sizes differ and neither is 1.

    >>> broadcast_static_shape(TensorShape([3, 1]), TensorShape([None, 4]))
    TensorShape([3, 4])

    See https://www.tensorflow.org/api_docs/python/tf/broadcast_static_shape.
    """
    x, y = as_shape(shape_x)._dims, as_shape(shape_y)._dims
    if x is None or y is None:
        return unknown_shape()
    rank = max(len(x), len(y))
    sizes: list[int | None] = []
    for a, b in zip((1,) * (rank - len(x)) + x, (1,) * (rank - len(y)) + y, strict=True):
        if a == b or b == 1:
            sizes.append(a)
        elif a == 1:
            sizes.append(b)
        elif a is None or b is None:
            size = b if a is None else a
            sizes.append(size if size and size > 1 else None)
        else:
            raise ValueError(
                f"Incompatible shapes for broadcasting: {x} and {y}. Aligned at the last axis, sizes must be "
                f"equal or one of them 1; received {a} and {b}."
            )
    return _of(tuple(sizes))


def dimension_at_index(shape: TensorShape, index: int) -> Dimension:
    """The size along one axis as a `Dimension`, which is unknown if the rank is unknown.

    Args:
      shape: A TensorShape.
      index: The axis.

    Raises:
      IndexError: If there is no such axis.

    >>> dimension_at_index(TensorShape([3, None]), 0)
    Dimension(3)

    See https://www.tensorflow.org/api_docs/python/tf/compat/dimension_at_index.
    """
    return Dimension(shape[operator.index(index)])
