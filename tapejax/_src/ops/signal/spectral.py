"""Short-time Fourier transforms and cosine transforms of `tf.signal`."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core.checks import final, need
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import from_value
from tapejax._src.ops.registry import Array, op
from tapejax._src.ops.signal.fft import irfft, rfft
from tapejax._src.ops.signal.frames import frame, overlap_and_add
from tapejax._src.ops.signal.windows import hann_window, vorbis_window

__all__ = ["dct", "idct", "inverse_mdct", "inverse_stft", "inverse_stft_window_fn", "mdct", "scaled", "stft"]


def _power_of_two(n: int) -> int:
    return 1 << max(n - 1, 0).bit_length()


@op()
def _times(x: Array, window: Array):
    return x * window.astype(x.dtype)


@op()
def _fit(x: Array, length=0):
    """`x` with its last axis cut, or filled up with zeros, to `length`."""
    x = x[..., :length]
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, length - x.shape[-1])])


@public("signal.stft")
def stft(
    signals: Any,
    frame_length: Any,
    frame_step: Any,
    fft_length: Any = None,
    window_fn: Callable[..., Any] | None = hann_window,
    pad_end: bool = False,
    name: Any = None,
) -> Any:
    """The short-time Fourier transform of real signals: the Fourier transforms of overlapping frames.

    Args:
      signals: a float32 or float64 tensor of shape [..., samples].
      frame_length: the number of samples in a frame, an integer.
      frame_step: the distance between the beginnings of neighbouring frames.
      fft_length: the length to which frames are filled up with zeros; by default the next power of two.
      window_fn: a function of a length and the keyword ``dtype`` that returns a window, or None for no window.
      pad_end: whether frames that extend beyond the end are kept.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A complex tensor of shape [..., frames, fft_length // 2 + 1].

    Raises:
      InvalidArgumentError: `frame_length` or `frame_step` is below 1.
      ValueError: the dtype is not allowed.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/stft

    >>> stft([0.0] * 10, 4, 2).shape
    TensorShape([4, 3])
    """
    length = int(frame_length)
    size = _power_of_two(length) if fft_length is None else int(fft_length)
    frames = frame(to_tensor(signals), length, int(frame_step), pad_end=bool(pad_end))
    if window_fn is not None:
        frames = _times(frames, window_fn(length, dtype=frames.dtype))
    return rfft(frames, [size])


@public("signal.inverse_stft")
def inverse_stft(
    stfts: Any,
    frame_length: Any,
    frame_step: Any,
    fft_length: Any = None,
    window_fn: Callable[..., Any] | None = hann_window,
    name: Any = None,
) -> Any:
    """The signals whose short-time Fourier transforms are given.

    Args:
      stfts: a complex tensor of shape [..., frames, bins].
      frame_length: the argument of `stft`, as the next two.
      frame_step: the distance between the beginnings of neighbouring frames.
      fft_length: the length of the Fourier transforms.
      window_fn: the window function, usually ``inverse_stft_window_fn(frame_step)``, or None for no window.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A floating tensor of shape [..., samples].

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/inverse_stft

    >>> x = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    >>> inverse_stft(stft(x, 4, 2), 4, 2, window_fn=inverse_stft_window_fn(2)).numpy().round(3).tolist()[2:6]
    [2.0, 3.0, 4.0, 5.0]
    """
    length = int(frame_length)
    size = _power_of_two(length) if fft_length is None else int(fft_length)
    frames = _fit(irfft(stfts, [size]), length=length)
    if window_fn is not None:
        frames = _times(frames, window_fn(length, dtype=frames.dtype))
    return overlap_and_add(frames, int(frame_step))


@public("signal.inverse_stft_window_fn")
def inverse_stft_window_fn(
    frame_step: Any, forward_window_fn: Callable[..., Any] = hann_window, name: Any = None
) -> Callable[..., Any]:
    """The window function with which `inverse_stft` restores the signal that `stft` transformed.

    Args:
      frame_step: the distance between the beginnings of neighbouring frames.
      forward_window_fn: the window function that was given to `stft`.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A function of a length and a dtype that returns a window.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/inverse_stft_window_fn

    >>> inverse_stft_window_fn(2)(4, dtype="float32").shape
    TensorShape([4])
    """
    step = int(frame_step)

    def inverse_window(frame_length: Any, dtype: Any) -> Any:
        length = int(frame_length)
        forward = np.asarray(forward_window_fn(length, dtype=dtype))
        turns = -(-length // step)
        weight = np.pad(forward**2, (0, turns * step - length)).reshape(turns, step).sum(axis=0, dtype=forward.dtype)
        with np.errstate(all="ignore"):
            return from_value(forward / np.tile(weight, turns)[:length])

    return inverse_window


def _cosines(x: Any, kind: int, ortho: bool) -> Any:
    """The cosine transform of type `kind` along the last axis, computed by a Fourier transform of twice the length."""
    n = x.shape[-1]
    wide = np.complex64 if x.dtype == jnp.float32 else np.complex128
    if kind == 1:
        return jnp.real(jnp.fft.rfft(jnp.concatenate([x, x[..., -2:0:-1]], -1))).astype(x.dtype)
    if kind == 4:
        out = _cosines(jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, n)]), 2, False)[..., 1::2]
        return out * np.asarray(math.sqrt(0.5 / n), x.dtype) if ortho else out
    turn = np.exp(0.5j * np.pi * np.arange(n) / n)
    weights = np.full(n, math.sqrt(0.5 / n))
    weights[0] = 0.5 / math.sqrt(n)
    if kind == 2:
        out = jnp.real(jnp.fft.rfft(x, 2 * n)[..., :n] * (2 * turn.conj()).astype(wide))
        return out * weights.astype(x.dtype) if ortho else out
    # This is type 3. With the orthonormal weights it is the inverse of type 2.
    scale = 2 * n * turn * (np.where(np.arange(n) > 0, weights, 2 * weights) if ortho else 1)
    return jnp.fft.irfft(x * scale.astype(wide), 2 * n)[..., :n].astype(x.dtype)


@op()
def _dct(x: Array, kind=2, n=None, ortho=False):
    need("f", x)
    if n is not None:
        x = x[..., :n]
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, n - x.shape[-1])])
    if kind == 1 and x.shape[-1] < 2:
        raise final(ValueError("Type-I DCT requires the dimension to be greater than one."))
    return _cosines(x, kind, ortho)


def _checked_dct(x: Any, kind: Any, table: dict[int, int], n: Any, axis: Any, norm: Any) -> Any:
    if axis != -1:
        raise NotImplementedError(f"axis must be -1. Got: {axis}")
    if kind not in table:
        raise ValueError(f"Types I, II, III and IV (I)DCT are supported. Got: {kind}")
    if norm not in (None, "ortho"):
        raise ValueError(f"Unknown normalization. Expected None or 'ortho', got: {norm}")
    if kind == 1 and norm == "ortho":
        raise ValueError("Normalization is not supported for the Type-I DCT.")
    if n is not None and n < 1:
        raise ValueError("n should be a positive integer or None")
    t = to_tensor(x, None, np.dtype(np.float32))
    return _dct(t, kind=table[kind], n=None if n is None else int(n), ortho=norm == "ortho")


@public("signal.dct")
def dct(input: Any, type: int = 2, n: Any = None, axis: int = -1, norm: Any = None, name: Any = None) -> Any:
    """The discrete cosine transform along the last axis.

    Args:
      input: a floating tensor of shape [..., samples].
      type: 1, 2, 3 or 4.
      n: the length to which the axis is first cut, or filled up with zeros.
      axis: must be -1.
      norm: None, or "ortho" for an orthonormal transform, which type 1 does not have.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `type`, `n` or `norm` is not allowed.
      NotImplementedError: `axis` is not -1.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/dct

    >>> dct([1.0, 1.0]).numpy().tolist()
    [4.0, 0.0]
    """
    return _checked_dct(input, type, {1: 1, 2: 2, 3: 3, 4: 4}, n, axis, norm)


@public("signal.idct")
def idct(input: Any, type: int = 2, n: Any = None, axis: int = -1, norm: Any = None, name: Any = None) -> Any:
    """The inverse of `dct` of the same type. Unless `norm` is "ortho", the result must still be divided by a constant.

    Args:
      input: a floating tensor of shape [..., samples].
      type: 1, 2, 3 or 4.
      n: must be None.
      axis: must be -1.
      norm: None or "ortho".
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `type`, `n` or `norm` is not allowed.
      NotImplementedError: `axis` is not -1.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/idct

    >>> idct(dct([1.0, 3.0], norm="ortho"), norm="ortho").numpy().round(4).tolist()
    [1.0, 3.0]
    """
    if n is not None:
        raise ValueError("`n` must be None: inverse transforms do not cut or pad")
    return _checked_dct(input, type, {1: 1, 2: 3, 3: 2, 4: 4}, None, axis, norm)


@op()
def _fold(x: Array):
    a, b, c, d = jnp.split(x, 4, -1)
    return jnp.concatenate([-c[..., ::-1] - d, a - b[..., ::-1]], -1)


@op()
def _unfold(x: Array):
    a, b = jnp.split(x, 2, -1)
    return jnp.concatenate([b, -b[..., ::-1], -a[..., ::-1], -a], -1)


@op()
def scaled(x: Array, factor=1.0):
    """``x * factor``, in the dtype of `x`."""
    return x * jnp.asarray(factor, x.dtype)


@public("signal.mdct")
def mdct(
    signals: Any,
    frame_length: Any,
    window_fn: Callable[..., Any] | None = vorbis_window,
    pad_end: bool = False,
    norm: Any = None,
    name: Any = None,
) -> Any:
    """The modified discrete cosine transform of frames that overlap by half.

    Args:
      signals: a floating tensor of shape [..., samples].
      frame_length: the number of samples in a frame, a multiple of 4.
      window_fn: a function of a length and the keyword ``dtype`` that returns a window. None multiplies by sqrt(1/2),
        which keeps the sum of squares.
      pad_end: whether frames that extend beyond the end are kept.
      norm: None or "ortho".
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [..., frames, frame_length // 2].

    Raises:
      ValueError: `frame_length` is not a multiple of 4.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/mdct

    >>> mdct([0.0] * 16, 8).shape
    TensorShape([3, 4])
    """
    length = int(frame_length)
    if length % 4:
        raise ValueError("The frame length must be a multiple of 4.")
    frames = frame(to_tensor(signals), length, length // 2, pad_end=bool(pad_end))
    if window_fn is not None:
        frames = _times(frames, window_fn(length, dtype=frames.dtype))
    else:
        frames = scaled(frames, factor=math.sqrt(0.5))
    return dct(_fold(frames), type=4, norm=norm)


@public("signal.inverse_mdct")
def inverse_mdct(
    mdcts: Any, window_fn: Callable[..., Any] | None = vorbis_window, norm: Any = None, name: Any = None
) -> Any:
    """The signals whose modified discrete cosine transforms are given, except for half a frame at each end.

    Args:
      mdcts: a floating tensor of shape [..., frames, frame_length // 2].
      window_fn: the argument of `mdct`.
      norm: the argument of `mdct`.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [..., samples].

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/inverse_mdct

    >>> inverse_mdct([[0.0] * 4] * 3).shape
    TensorShape([16])
    """
    t = to_tensor(mdcts)
    half = t.aval.shape[-1]
    frames = dct(t, type=4, norm=norm)
    if norm is None:
        frames = scaled(frames, factor=0.5 / half)
    frames = _unfold(frames)
    if window_fn is not None:
        frames = _times(frames, window_fn(2 * half, dtype=frames.dtype))
    else:
        frames = scaled(frames, factor=math.sqrt(0.5))
    return overlap_and_add(frames, half)
