"""Helpers that convolutions and pools share: the sliding window, and the forms in which TensorFlow describes it."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from tapejax._src.core import errors
from tapejax._src.core.checks import final, invalid, need_text

__all__ = [
    "Window",
    "affordable",
    "at_least",
    "channels_last",
    "flat_batch",
    "for_platform",
    "per_axis",
    "spatial_first",
    "spatial_last",
    "spans",
    "taps",
    "views",
    "window",
]

_FORMATS = {1: ("NWC", "NCW"), 2: ("NHWC", "NCHW"), 3: ("NDHWC", "NCDHW")}


class Window(NamedTuple):
    """A window that slides over the spatial axes of an input. Every field has one entry per axis.

    Attributes:
      size: the number of elements of the window.
      strides: the distance in the input between neighbouring positions of the window.
      dilations: the distance in the input between neighbouring elements of the window.
      padding: how many elements are added (before, after) the input; negative numbers crop the input.
      output: the number of positions of the window, which is the size of the output.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    output: tuple[int, ...]

    @property
    def is_point(self) -> bool:
        """Whether the window has a single element and the input is not padded."""
        return math.prod(self.size) == 1 and not any(map(any, self.padding))

    def as_image(self) -> "Window":
        """The same window with an additional first axis of size 1, so that one axis becomes two."""
        return Window(
            (1, *self.size), (1, *self.strides), (1, *self.dilations), ((0, 0), *self.padding), (1, *self.output)
        )


def channels_last(data_format: Any, n: int, where: str) -> bool:
    """Whether a data format for `n` spatial axes has the channels last, as None has."""
    last, first = _FORMATS[n]
    if data_format is None or data_format == last:
        return True
    if data_format != first:
        raise invalid(
            f"Value for attr 'data_format' of \"{data_format}\" is not in the "
            f"list of allowed values: {last}, {first} [Op:{where}]"
        )
    return False


def spatial_last(x: Any, last: bool) -> Any:
    """Moves the channels from the second axis to the last, unless `last` says that they are there already."""
    return x if last else jnp.moveaxis(x, 1, -1)


def spatial_first(x: Any, last: bool) -> Any:
    """Moves the channels from the last axis back to the second: the inverse of `spatial_last`."""
    return x if last else jnp.moveaxis(x, -1, 1)


def per_axis(value: Any, n: int, last: bool, what: str, where: str) -> tuple[int, ...]:
    """One number for each of the `n` spatial axes, from an argument such as `strides`.

    Args:
      value: one number; or a list of 1 or `n` numbers; or one of `n` + 2, with entries for batch and channels.
      n: the number of spatial axes.
      last: whether the channels are the last axis.
      what: the argument's name, for messages.
      where: the op's name, for messages.

    Raises:
      TypeError: `value` holds something else than integers.
      ValueError: `value` has another length.
      UnimplementedError: the entry for the batch or the channels is not 1.
    """
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if any(isinstance(v, float) or not hasattr(v, "__index__") for v in given):
        raise final(TypeError(f"`{what}` must be an int or a list of ints. Received: {what}={value}"))
    if len(given) == 1:
        return given * n
    if len(given) == n:
        return given
    if len(given) != n + 2:
        raise final(
            ValueError(
                f"`{what}` should be of length 1, {n} or {n + 2}. Received: {what}={list(given)} of length {len(given)}"
            )
        )
    other = (given[0], given[-1]) if last else given[:2]
    if other != (1, 1):
        raise errors.UnimplementedError(
            message="Current implementation does not yet support "
            f"{what} in the batch and depth dimensions. [Op:{where}]"
        )
    return given[1:-1] if last else given[2:]


def window(
    spatial: Sequence[int],
    size: Sequence[int],
    strides: Sequence[int],
    padding: Any,
    dilations: Sequence[int],
    last: bool,
    where: str,
) -> Window:
    """The `Window` of a convolution or pool, with its padding and output size computed.

    Args:
      spatial: the sizes of the input's spatial axes.
      size: the sizes of the window.
      strides: one stride for each axis.
      padding: "SAME", "VALID", or a (before, after) pair for every axis, batch and channels included.
      dilations: one dilation for each axis.
      last: whether a list of pairs in `padding` has the channels last.
      where: the op's name, for messages.

    Raises:
      InvalidArgumentError: strides, dilations or paddings are out of range, or the window is larger than the input.
    """
    n = len(spatial)
    _refuse(min(strides) < 1, f"Row and column strides should be larger than 0. Received: {list(strides)}", where)
    _refuse(min(dilations) < 1, f"Dilated rates should be larger than 0. Received: {list(dilations)}", where)
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilations, strict=True)]
    if not isinstance(padding, (tuple, list)):
        need_text(padding, "padding")
    if isinstance(padding, (tuple, list)):
        pads = _explicit(padding, n, last, where)
    elif padding == "VALID":
        pads = ((0, 0),) * n
    elif padding == "SAME":
        missing = [max((-(-i // s) - 1) * s + r - i, 0) for i, s, r in zip(spatial, strides, reach, strict=True)]
        pads = tuple((m // 2, m - m // 2) for m in missing)
    else:
        raise invalid(
            f"Value for attr 'padding' of \"{padding}\" is not in the list of "
            f'allowed values: "SAME", "VALID", "EXPLICIT" [Op:{where}]'
        )
    output = tuple((i + sum(p) - r) // s + 1 for i, p, r, s in zip(spatial, pads, reach, strides, strict=True))
    output = tuple(0 if i == 0 and padding == "SAME" else o for i, o in zip(spatial, output, strict=True))
    _refuse(
        min(output) < 0,
        f"Computed output size would be negative: {list(output)} [input_size: {list(spatial)}, "
        f"effective_filter_size: {reach}, stride: {list(strides)}]",
        where,
    )
    return Window(tuple(size), tuple(strides), tuple(dilations), pads, output)


def _refuse(bad: bool, text: str, where: str) -> None:
    if bad:
        raise invalid(text, where)


def _explicit(padding: Sequence[Any], n: int, last: bool, where: str) -> tuple[tuple[int, int], ...]:
    if len(padding) != n + 2:
        raise final(
            ValueError(
                f"When padding is a list, it must be of size {n + 2}. Received: "
                f"padding={list(padding)} of size {len(padding)}"
            )
        )
    if any(not isinstance(p, (tuple, list)) or len(p) != 2 for p in padding):
        raise final(
            ValueError(
                f"When padding is a list, each element must be a list/tuple of size 2. Received: "
                f"padding={list(padding)}"
            )
        )
    pads = tuple((int(p[0]), int(p[1])) for p in padding)
    other = (pads[0], pads[-1]) if last else pads[:2]
    _refuse(any(map(any, other)), "Nonzero explicit padding in the batch or depth dimensions is not supported", where)
    _refuse(min(map(min, pads)) < 0, "All elements of explicit_paddings must be nonnegative", where)
    return pads[1:-1] if last else pads[2:]


def flat_batch(x: Any, n: int) -> tuple[Any, tuple[int, ...]]:
    """Joins all leading axes of `x` into one, so that it has `n` + 2 axes. Returns it and the leading axes' sizes."""
    lead = x.shape[: max(x.ndim - n - 1, 0)]
    return (x, lead) if len(lead) <= 1 else (x.reshape(math.prod(lead), *x.shape[len(lead) :]), lead)


def taps(x: Any, w: Window, fill: Any = 0) -> Iterator[Any]:
    """For each element of the window, the inputs that it meets at all positions of the window.

    Args:
      x: [batch, *spatial, channels].
      w: the window.
      fill: the value of padding.

    Yields:
      Arrays [batch, *output, channels], for the elements of the window in row-major order.
    """
    pads = [(0, 0, 0), *((lo, hi, 0) for lo, hi in w.padding), (0, 0, 0)]
    x = lax.pad(x, jnp.asarray(fill, x.dtype), pads)
    for place in _places(w.size):
        start = [p * d for p, d in zip(place, w.dilations, strict=True)]
        stop = [a + (o - 1) * s + 1 if o else a for a, o, s in zip(start, w.output, w.strides, strict=True)]
        yield lax.slice(x, (0, *start, 0), (x.shape[0], *stop, x.shape[-1]), (1, *w.strides, 1))


def spans(w: Window, spatial: Sequence[int]) -> list[list[tuple[int, int]]]:
    """The positions at which the elements of the window lie within the input, not in the padding.

    Returns:
      For each axis, and each element of the window along that axis, a range of positions (first, last), where `last`
      is excluded.
    """
    found = []
    for size, k, s, d, (before, _), out in zip(spatial, *w[:3], w.padding, w.output, strict=True):
        firsts = [min(max(-((i * d - before) // s), 0), out) for i in range(k)]
        lasts = [min(max((size - 1 - i * d + before) // s + 1, first), out) for i, first in enumerate(firsts)]
        found.append(list(zip(firsts, lasts, strict=True)))
    return found


def views(x: Any, w: Window, fill: Any = 0, by: Callable[[int, Any], Any] | None = None) -> list[tuple[int, Any]]:
    """The same arrays as `taps`, each of them sliced and padded by itself, for XLA's CPU compiler.

    XLA compiles a sum of these arrays to one loop without a padded copy of `x`, provided that the sum begins with the
    least padded array. So that array is the first of the list. It is computed last, so that the sum which JAX derives
    for the gradient begins with it too.

    Args:
      x: [batch, *spatial, channels].
      w: the window.
      fill: the value of padding.
      by: a function that is applied to each array before it is padded. It takes the number of the window's element
        and the array, and returns an array of the same shape.

    Returns:
      A list of pairs: the number of an element of the window, in row-major order, and its array.
    """
    ranges = list(itertools.product(*spans(w, x.shape[1:-1])))
    least = max(range(len(ranges)), key=lambda i: math.prod(b - a for a, b in ranges[i]))
    found = []
    for i, place in sorted(enumerate(_places(w.size)), key=lambda numbered: numbered[0] == least):
        start, stop = [], []
        for p, d, s, (before, _), (a, b) in zip(place, w.dilations, w.strides, w.padding, ranges[i], strict=True):
            start.append(max(a * s + p * d - before, 0) if b > a else 0)
            stop.append((b - 1) * s + p * d - before + 1 if b > a else 0)
        seen = lax.slice(x, (0, *start, 0), (x.shape[0], *stop, x.shape[-1]), (1, *w.strides, 1))
        if by is not None:
            seen = by(i, seen)
        pads = [(a, out - b, 0) for (a, b), out in zip(ranges[i], w.output, strict=True)]
        found.append((i, lax.pad(seen, jnp.asarray(fill, seen.dtype), [(0, 0, 0), *pads, (0, 0, 0)])))
    return [found[-1], *found[:-1]]


def _places(size: Sequence[int]) -> Iterator[tuple[int, ...]]:
    if not size:
        yield ()
        return
    for i in range(size[0]):
        for rest in _places(size[1:]):
            yield (i, *rest)


def for_platform(cpu: Callable[..., Any], default: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays that is `cpu` on CPUs and `default` elsewhere. JAX decides when it lowers the program."""
    return lambda *arrays: jax.lax.platform_dependent(*arrays, cpu=cpu, default=default)


def at_least(elements: int, *arrays: Any) -> bool:
    """Whether one of the arrays has at least `elements` elements. Arrays with symbolic axes do not count."""
    return any(all(isinstance(n, int) for n in a.shape) and a.size >= elements for a in arrays)


def affordable(*sizes: Any) -> bool:
    """Whether an array of these sizes is small enough to be made for the sake of speed: at most 256 MB of float32.

    Symbolic sizes are left out of the product.
    """
    return math.prod(n for n in sizes if isinstance(n, int)) <= 1 << 26
