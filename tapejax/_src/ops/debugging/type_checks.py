"""Assertions about shapes, ranks and dtypes. These are always known, so nothing is read and nothing is recorded."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.checks import kind
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor

__all__ = [
    "assert_integer", "assert_proper_iterable", "assert_rank", "assert_rank_at_least", "assert_rank_in",
    "assert_same_float_dtype", "assert_scalar", "assert_shapes", "assert_type", "is_numeric_tensor",
]  # fmt: skip


def _rank(value: Any) -> int:
    rank = to_tensor(value)
    if rank.aval.dtype != np.int32:
        raise TypeError(f"tensor must be of type tf.int32; got {rank.dtype!r}")
    if rank.ndim:
        raise ValueError("Rank must be a scalar.")
    return int(rank)


def _wrong_rank(x: Tensor, wanted: str, message: str | None) -> ValueError:
    head = f"{message}.  " if message else ""
    return ValueError(f"{head}Tensor must have rank {wanted}.  Received rank {x.ndim}, shape {x.shape}")


@public("debugging.assert_rank", "assert_rank")
def assert_rank(x: Any, rank: Any, message: str | None = None, name: str | None = None) -> None:
    """Raises an error unless a tensor has a given number of axes.

    Args:
      x: a tensor.
      rank: the number of axes, an int or an int32 scalar.
      message: the beginning of the error's message.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: the assertion fails.
      TypeError: `rank` is not an int32.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_rank

    >>> assert_rank([1, 2], 1)
    """
    t, wanted = to_tensor(x), _rank(rank)
    if t.ndim != wanted:
        raise _wrong_rank(t, str(wanted), message)


@public("debugging.assert_rank_at_least")
def assert_rank_at_least(x: Any, rank: Any, message: str | None = None, name: str | None = None) -> None:
    """Raises an error unless a tensor has at least `rank` axes.

    Takes the arguments of `assert_rank` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_rank_at_least

    >>> assert_rank_at_least([[1, 2]], 1)
    """
    t, wanted = to_tensor(x), _rank(rank)
    if t.ndim < wanted:
        raise _wrong_rank(t, f"at least {wanted}", message)


@public("debugging.assert_rank_in")
def assert_rank_in(x: Any, ranks: Iterable[Any], message: str | None = None, name: str | None = None) -> None:
    """Raises an error unless the number of axes of a tensor is in the list `ranks`.

    Takes the arguments of `assert_rank` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_rank_in

    >>> assert_rank_in([1, 2], (0, 1))
    """
    t, wanted = to_tensor(x), tuple(map(_rank, ranks))
    if t.ndim not in wanted:
        raise _wrong_rank(t, f"in {wanted}", message)


@public("debugging.assert_scalar")
def assert_scalar(tensor: Any, message: str | None = None, name: str | None = None) -> None:
    """Raises an error unless a tensor has no axes.

    Args:
      tensor: a tensor.
      message: the beginning of the error's message.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: the tensor has axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_scalar

    >>> assert_scalar(1.0)
    """
    t = to_tensor(tensor)
    if t.ndim:
        raise ValueError(f"{message or ''}Expected scalar shape, saw shape: {t.shape}.")


@public("debugging.assert_shapes")
def assert_shapes(
    shapes: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> None:
    """Raises an error unless tensors have given shapes. A symbol in the shapes stands for the same size everywhere.

    Args:
      shapes: a list of pairs (tensor, shape), or a dictionary. A shape is a tuple or a string. Its entries are sizes,
        symbols (any other objects), or None or "." for any size. A first entry ``...`` or "*" stands for any number of
        axes. A scalar fits a shape of one entry as if it had size 1.
      data: a list of tensors and strings that the error shows.
      summarize: how many elements of each the error shows: by default 3, and all if it is -1.
      message: the beginning of the error's message.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: a shape does not fit, or is not written correctly.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_shapes

    >>> assert_shapes([([[1, 2]], ("N", "D")), ([3, 4], ("D",))])
    """
    sizes: dict[Any, int] = {}
    head = f"{message}.  " if message else ""
    if data is not None:
        count = 3 if summarize is None else None if summarize < 0 else summarize
        head += "".join(f"{np.asarray(v).ravel()[:count].tolist()}  " for v in data)
    for value, shape in shapes.items() if isinstance(shapes, dict) else shapes:
        t = to_tensor(value)
        if not hasattr(shape, "__iter__") and not hasattr(shape, "__getitem__"):
            raise ValueError(
                f"{head}Specified shape must be an iterable.  An iterable has the attribute `__iter__` or "
                f"`__getitem__`.  Received specified shape: {shape}"
            )
        wanted = list(shape)
        any_prefix = bool(wanted) and wanted[0] in (..., "*")
        if any(w in (..., "*") for w in wanted[1:]):
            raise ValueError(f"{head}Symbol `...` or `*` is only allowed at the beginning of a shape: {shape}")
        wanted = wanted[any_prefix:]
        if any_prefix:
            assert_rank_at_least(t, len(wanted), message)
        elif len(wanted) == 1:
            assert_rank_in(t, (0, 1), message)
        else:
            assert_rank(t, len(wanted), message)
        own = t.aval.shape or (1,) * len(wanted)
        for axis, (size, symbol) in enumerate(zip(own[len(own) - len(wanted) :], wanted, strict=True)):
            if symbol is None or symbol == ".":
                continue
            given = int(symbol) if isinstance(symbol, (int, np.integer)) else sizes.setdefault(symbol, size)
            if given != size:
                raise ValueError(
                    f"{head}Tensor dimension {axis} must have size {given} ({symbol!r} in {shape}).  "
                    f"Received size {size}, shape {t.shape}"
                )


@public("debugging.assert_type")
def assert_type(tensor: Any, tf_type: Any, message: str | None = None, name: str | None = None) -> None:
    """Raises an error unless a tensor has a given dtype.

    Args:
      tensor: a tensor.
      tf_type: the `DType`, or its name.
      message: the beginning of the error's message.
      name: has no effect, as in eager TensorFlow.

    Raises:
      TypeError: the tensor has another dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_type

    >>> assert_type(1.0, "float32")
    """
    wanted, t = dtypes.as_dtype(tf_type), to_tensor(tensor)
    if t.dtype != wanted:
        raise TypeError(f"{f'{message}  ' if message else ''}tensor must be of type {wanted!r}; got {t.dtype!r}")


@public("debugging.assert_integer")
def assert_integer(x: Any, message: str | None = None, name: str | None = None) -> None:
    """Raises an error unless a tensor holds integers.

    Args:
      x: a tensor.
      message: the beginning of the error's message.
      name: has no effect, as in eager TensorFlow.

    Raises:
      TypeError: the tensor has another dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_integer

    >>> assert_integer([1, 2])
    """
    t = to_tensor(x)
    if kind(t.aval.dtype) not in "iu":
        raise TypeError(f'{f"{message}  " if message else ""}Expected "x" to be integer type.  Found: {t.dtype!r}')


@public("debugging.assert_same_float_dtype")
def assert_same_float_dtype(tensors: Any = None, dtype: Any = None) -> dtypes.DType:
    """Checks that tensors have one floating dtype, and returns it.

    Args:
      tensors: a list of tensors. Entries that are None are passed over.
      dtype: the dtype that they must have. Without tensors it is the result; its default is then float32.

    Raises:
      ValueError: the dtypes differ, or are not floating.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_same_float_dtype

    >>> assert_same_float_dtype([to_tensor(1.0)])
    tf.float32
    """
    found = None if dtype is None else dtypes.as_dtype(dtype)
    for t in tensors or []:
        if t is None:
            continue
        own = dtypes.as_dtype(t.dtype)
        found = own if found is None else found
        if own != found:
            raise ValueError(f"Tensor {t} must be from the same dtype: expected {found!r}, got {own!r}.")
    found = dtypes.float32 if found is None else found
    if not found.is_floating:
        raise ValueError(f"Expected floating point type, got {found!r}.")
    return found


@public("debugging.assert_proper_iterable")
def assert_proper_iterable(values: Any) -> None:
    """Raises an error unless `values` is an iterable other than a tensor, an array or a string.

    Raises:
      TypeError: it is not.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_proper_iterable

    >>> assert_proper_iterable([1, 2])
    """
    if isinstance(values, (Tensor, np.ndarray, str, bytes)):
        raise TypeError(f'Expected argument "values" to be a "proper" iterable.  Found: {type(values)}')
    if not hasattr(values, "__iter__"):
        raise TypeError(f'Expected argument "values" to be iterable.  Found: {type(values)}')


@public("debugging.is_numeric_tensor")
def is_numeric_tensor(tensor: Any) -> bool:
    """Whether an object is a tensor of numbers, and not one of strings or booleans.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/is_numeric_tensor

    >>> is_numeric_tensor(to_tensor(1)), is_numeric_tensor(1)
    (True, False)
    """
    return isinstance(tensor, Tensor) and kind(tensor.aval.dtype) in "fiuc"
