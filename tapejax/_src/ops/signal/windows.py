"""Window functions of `tf.signal`. The length must be known, so NumPy computes them on the host."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid_value
from tapejax._src.core.public import public
from tapejax._src.core.tensor import from_value

__all__ = ["hamming_window", "hann_window", "kaiser_bessel_derived_window", "kaiser_window", "vorbis_window"]


def _window(window_length: Any, dtype: Any, of_length: Callable[[int], np.ndarray]) -> Any:
    wanted = dtypes.as_dtype(dtype)
    if not wanted.is_floating:
        raise ValueError(f"dtype must be a floating point type. Found {wanted!r}")
    length = np.asarray(window_length)
    if length.ndim:
        raise ValueError(f"window_length must be scalar, got shape {list(length.shape)}")
    if length < 0:
        raise invalid_value(f"window_length must not be negative, got {int(length)}")
    return from_value(of_length(int(length)).astype(wanted.as_numpy_dtype))


def _cosine(level: float, periodic: Any) -> Callable[[int], np.ndarray]:
    def window(n: int) -> np.ndarray:
        if n == 1:
            return np.ones(1)
        turns = n if bool(periodic) and n % 2 == 0 else n - 1
        return level - (1 - level) * np.cos(2 * np.pi * np.arange(n) / turns)

    return window


@public("signal.hann_window")
def hann_window(window_length: Any, periodic: Any = True, dtype: Any = dtypes.float32, name: Any = None) -> Any:
    """Hann's window: one period of a cosine, raised so that it begins at 0 and its maximum is 1.

    Args:
      window_length: the number of elements, an integer, which is read.
      periodic: True for a window that can be repeated without a seam. Only even lengths differ.
      dtype: a floating `DType`.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [window_length].

    Raises:
      ValueError: `dtype` is not floating, or `window_length` is not a scalar.
      InvalidArgumentError: `window_length` is negative.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/hann_window

    >>> hann_window(4).numpy().tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    return _window(window_length, dtype, _cosine(0.5, periodic))


@public("signal.hamming_window")
def hamming_window(window_length: Any, periodic: Any = True, dtype: Any = dtypes.float32, name: Any = None) -> Any:
    """Hamming's window: one period of a cosine, raised so that it begins at 0.08 and its maximum is 1.

    Takes the arguments of `hann_window` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/hamming_window

    >>> hamming_window(4).numpy().round(2).tolist()[2]
    1.0
    """
    return _window(window_length, dtype, _cosine(0.54, periodic))


def _kaiser(n: int, beta: float) -> np.ndarray:
    return np.kaiser(n, beta) if n else np.zeros(0)


@public("signal.kaiser_window")
def kaiser_window(window_length: Any, beta: Any = 12.0, dtype: Any = dtypes.float32, name: Any = None) -> Any:
    """Kaiser's window.

    Args:
      window_length: the number of elements, an integer, which is read.
      beta: the shape: the larger it is, the narrower is the window.
      dtype: a floating `DType`.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [window_length].

    Raises:
      ValueError: `dtype` is not floating, or `window_length` is not a scalar.
      InvalidArgumentError: `window_length` is negative.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/kaiser_window

    >>> float(kaiser_window(3)[1])
    1.0
    """
    return _window(window_length, dtype, lambda n: _kaiser(n, float(beta)))


@public("signal.kaiser_bessel_derived_window")
def kaiser_bessel_derived_window(
    window_length: Any, beta: Any = 12.0, dtype: Any = dtypes.float32, name: Any = None
) -> Any:
    """The Kaiser-Bessel-derived window, which the audio format AAC uses. It is made from Kaiser's window.

    Takes the arguments of `kaiser_window` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/kaiser_bessel_derived_window

    >>> kaiser_bessel_derived_window(2).numpy().round(4).tolist()
    [0.707099974155426, 0.707099974155426]
    """

    def window(n: int) -> np.ndarray:
        total = np.cumsum(_kaiser(n // 2 + 1, float(beta)))
        half = np.sqrt(total[:-1] / total[-1])
        return np.concatenate([half, half[::-1]])

    return _window(window_length, dtype, window)


@public("signal.vorbis_window")
def vorbis_window(window_length: Any, dtype: Any = dtypes.float32, name: Any = None) -> Any:
    """The window that the audio format Vorbis uses. Takes the arguments of `kaiser_window` except `beta`.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/vorbis_window

    >>> vorbis_window(2).numpy().round(4).tolist()
    [0.707099974155426, 0.707099974155426]
    """
    return _window(
        window_length,
        dtype,
        lambda n: np.sin(np.pi / 2 * np.sin(np.pi / n * (np.arange(n) + 0.5)) ** 2) if n else np.zeros(0),
    )
