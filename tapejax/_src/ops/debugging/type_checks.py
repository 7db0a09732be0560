"""Assertions on shapes, ranks and dtypes. These are always known, so nothing is read and nothing is recorded."""

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
    """Fails unless a tensor has this many axes.

    Args:
      x: tensor.
      rank: an int, or an int32 scalar.
      message: what the error begins with.
      name: as in TensorFlow, of no effect when eager.

    Raises:
      ValueError: another rank.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_rank

    >>> assert_rank([1, 2], 1)
    """
    t, wanted = to_tensor(x), _rank(rank)
    if t.ndim != wanted:
        raise _wrong_rank(t, str(wanted), message)


@public("debugging.assert_rank_at_least")
def assert_rank_at_least(x: Any, rank: Any, message: str | None = None, name: str | None = None) -> None:
    """Fails unless a tensor has this many axes or more. Arguments and errors as of `assert_rank`.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_rank_at_least

    >>> assert_rank_at_least([[1, 2]], 1)
    """
    t, wanted = to_tensor(x), _rank(rank)
    if t.ndim < wanted:
        raise _wrong_rank(t, f"at least {wanted}", message)


@public("debugging.assert_rank_in")
def assert_rank_in(x: Any, ranks: Iterable[Any], message: str | None = None, name: str | None = None) -> None:
    """Fails unless the number of axes is one of `ranks`. Arguments and errors as of `assert_rank`.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_rank_in

    >>> assert_rank_in([1, 2], (0, 1))
    """
    t, wanted = to_tensor(x), tuple(map(_rank, ranks))
    if t.ndim not in wanted:
        raise _wrong_rank(t, f"in {wanted}", message)


@public("debugging.assert_scalar")
def assert_scalar(tensor: Any, message: str | None = None, name: str | None = None) -> None:
    """Fails unless a tensor has no axes.

    Raises:
      ValueError: it has some.

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
    """Fails unless tensors have these shapes, in which a symbol stands for the same size everywhere.

    Args:
      shapes: a list of pairs (or a dictionary) of a tensor and its shape: a tuple or a string of sizes, symbols, and
        None or "." for any size. A leading ``...`` or "*" stands for any axes; a scalar fits a single size of 1.
      data: list of tensors and texts, shown in the error.
      summarize: how many elements of `data` the error shows.
      message: what the error begins with.
      name: as in TensorFlow, of no effect when eager.

    Raises:
      ValueError: a shape that does not fit.

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
    """Fails unless a tensor has this dtype.

    Raises:
      TypeError: another dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_type

    >>> assert_type(1.0, "float32")
    """
    wanted, t = dtypes.as_dtype(tf_type), to_tensor(tensor)
    if t.dtype != wanted:
        raise TypeError(f"{f'{message}  ' if message else ''}tensor must be of type {wanted!r}; got {t.dtype!r}")


@public("debugging.assert_integer")
def assert_integer(x: Any, message: str | None = None, name: str | None = None) -> None:
    """Fails unless the dtype is an integer one.

    Raises:
      TypeError: another dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/assert_integer

    >>> assert_integer([1, 2])
    """
    t = to_tensor(x)
    if kind(t.aval.dtype) not in "iu":
        raise TypeError(f'{f"{message}  " if message else ""}Expected "x" to be integer type.  Found: {t.dtype!r}')


@public("debugging.assert_same_float_dtype")
def assert_same_float_dtype(tensors: Any = None, dtype: Any = None) -> dtypes.DType:
    """The floating dtype that tensors share.

    Args:
      tensors: list of tensors; None stands for no tensor.
      dtype: what it must be; without tensors it is the result, float32 by default.

    Raises:
      ValueError: they differ, or are not floating.

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
    """Fails unless `values` is an iterable that is no tensor, array or string.

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
    """Whether it is a tensor of numbers: not of strings or booleans.

    Source: https://www.tensorflow.org/api_docs/python/tf/debugging/is_numeric_tensor

    >>> is_numeric_tensor(to_tensor(1)), is_numeric_tensor(1)
    (True, False)
    """
    return isinstance(tensor, Tensor) and kind(tensor.aval.dtype) in "fiuc"
