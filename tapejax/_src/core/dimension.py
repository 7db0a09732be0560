"""`tf.compat.v1.Dimension`: one size of a shape as an object. In TensorFlow 1 sizes were not plain integers.

TensorFlow 2 still returns such objects in one place, `TensorShape.dims`. Code written for both versions reads
them with `dimension_value`. Mirrors https://www.tensorflow.org/api_docs/python/tf/compat/v1/Dimension.
"""

import operator
from collections.abc import Callable
from typing import Any

__all__ = ["Dimension", "dimension_value"]


def _arithmetic(operation: Callable[[int, int], int]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """An arithmetic method and its reflected form. The result is unknown if one of the two sizes is unknown."""

    def apply(a: Any, b: Any) -> "Dimension":
        try:
            a, b = Dimension(a).value, Dimension(b).value
        except (TypeError, ValueError):
            # Python then asks the other operand. That is how `[0] * Dimension(3)` repeats the list.
            return NotImplemented
        return Dimension(None if a is None or b is None else operation(a, b))

    return apply, lambda self, other: apply(other, self)


def _comparison(
    compare: Callable[[Any, Any], bool], refused: tuple[type[Exception], ...] = (TypeError,)
) -> Callable[..., Any]:
    """A comparison method that returns None where one of the sizes is unknown, as in TensorFlow."""

    def method(self: "Dimension", other: Any) -> bool | None:
        try:
            a, b = self.value, Dimension(other).value
        except refused:
            return NotImplemented
        return None if a is None or b is None else compare(a, b)

    return method


class Dimension:
    """A size that may be unknown.

    Arithmetic with an unknown size gives an unknown size. Comparing with an unknown size gives None, which is
    false: two unknown sizes do not count as equal. To find out whether both are unknown, compare their `value`.
    Dimensions are not hashable.

    Args:
      value: An integer of 0 or more; None if the size is unknown; or another Dimension.

    Raises:
      TypeError: If `value` is not an integer.
      ValueError: If it is negative.

    >>> Dimension(3) + 2, Dimension(3) * Dimension(None), Dimension(3) == 3, Dimension(3) == None
    (Dimension(5), Dimension(None), True, None)
    """

    __slots__ = ("_value",)

    def __init__(self, value: Any):
        if isinstance(value, Dimension):
            value = value.value
        elif value is not None:
            try:
                value = operator.index(value)
            except TypeError:
                raise TypeError(
                    "Dimension value must be integer or None or have an __index__ method, got value "
                    f"{value!r} with type {type(value)}"
                ) from None
            if value < 0:
                raise ValueError(f"Dimension {value} must be >= 0")
        self._value = value

    @property
    def value(self) -> int | None:
        """The size, or None if unknown."""
        return self._value

    __add__, __radd__ = _arithmetic(operator.add)
    __sub__, __rsub__ = _arithmetic(operator.sub)
    __mul__, __rmul__ = _arithmetic(operator.mul)
    __floordiv__, __rfloordiv__ = _arithmetic(operator.floordiv)
    __mod__, __rmod__ = _arithmetic(operator.mod)
    # Comparing with a negative number: `==` gives False, since no size is negative, but `<` raises ValueError.
    __eq__ = _comparison(operator.eq, (TypeError, ValueError))
    __ne__ = _comparison(operator.ne, (TypeError, ValueError))
    __lt__ = _comparison(operator.lt)
    __le__ = _comparison(operator.le)
    __gt__ = _comparison(operator.gt)
    __ge__ = _comparison(operator.ge)
    __hash__ = None  # type: ignore[assignment]

    def __index__(self) -> int:
        if self._value is None:
            raise TypeError("The size of this Dimension is unknown: it has no integer value")
        return self._value

    __int__ = __index__

    def __bool__(self) -> bool:
        return bool(self._value)

    def is_compatible_with(self, other: Any) -> bool:
        """Whether the two could be the same size: they are equal, or one of them is unknown."""
        other = Dimension(other).value
        return self.value is None or other is None or self.value == other

    def assert_is_compatible_with(self, other: Any) -> None:
        """Raises ValueError if `is_compatible_with(other)` is false."""
        self.merge_with(other)

    def merge_with(self, other: Any) -> "Dimension":
        """The one of two sizes that is known.

        Raises:
          ValueError: If both are known and differ.
        """
        other = Dimension(other)
        if not self.is_compatible_with(other):
            raise ValueError(f"Dimensions {self} and {other} are not compatible")
        return other if self.value is None else self

    def __repr__(self) -> str:
        return f"Dimension({self._value})"

    def __str__(self) -> str:
        return "?" if self._value is None else str(self._value)


def dimension_value(dimension: Any) -> Any:
    """The plain size of a `Dimension`. Any other value is returned as it is.

    Args:
      dimension: A Dimension, an integer, or None.

    >>> dimension_value(Dimension(3)), dimension_value(3), dimension_value(None)
    (3, 3, None)

    See https://www.tensorflow.org/api_docs/python/tf/compat/dimension_value.
    """
    return dimension.value if isinstance(dimension, Dimension) else dimension
