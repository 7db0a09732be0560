"""The mel scale, and mel-frequency cepstral coefficients."""

import math
from typing import Any

import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import from_value
from tapejax._src.ops.signal.spectral import dct, scaled

__all__ = ["linear_to_mel_weight_matrix", "mfccs_from_log_mel_spectrograms"]


def _mel(hertz: Any) -> Any:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


@public("signal.linear_to_mel_weight_matrix")
def linear_to_mel_weight_matrix(
    num_mel_bins: Any = 20,
    num_spectrogram_bins: Any = 129,
    sample_rate: Any = 8000,
    lower_edge_hertz: Any = 125.0,
    upper_edge_hertz: Any = 3800.0,
    dtype: Any = dtypes.float32,
    name: Any = None,
) -> Any:
    """A matrix that converts a spectrogram with linear frequencies to the mel scale: ``spectrogram @ matrix``.

    Each mel bin is a weighted sum of frequencies. The weights form a triangle that overlaps with its neighbours.

    Args:
      num_mel_bins: the number of columns.
      num_spectrogram_bins: the number of rows: frequencies from 0 to half the sample rate.
      sample_rate: samples per second.
      lower_edge_hertz: the lowest frequency that is used.
      upper_edge_hertz: the highest frequency that is used.
      dtype: a floating `DType`.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [num_spectrogram_bins, num_mel_bins].

    Raises:
      ValueError: a number is out of range, or `dtype` is not floating.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/linear_to_mel_weight_matrix

    >>> linear_to_mel_weight_matrix(3, 5, 8000).shape
    TensorShape([5, 3])
    """
    bins, rows, rate = int(num_mel_bins), int(num_spectrogram_bins), float(sample_rate)
    low, high, wanted = float(lower_edge_hertz), float(upper_edge_hertz), dtypes.as_dtype(dtype)
    for good, text in (
        (bins > 0, f"num_mel_bins must be positive. Got: {bins}"),
        (low >= 0, f"lower_edge_hertz must be non-negative. Got: {low}"),
        (low < high, f"lower_edge_hertz {low} >= upper_edge_hertz {high}"),
        (rate > 0, f"sample_rate must be positive. Got: {rate}"),
        (high <= rate / 2, f"upper_edge_hertz must not exceed half the sample rate. Got: {high}"),
        (wanted.is_floating, f"dtype must be a floating point type. Got: {wanted!r}"),
    ):
        if not good:
            raise ValueError(text)
    # Frequency 0, the constant part of the signal, has no weight.
    at = _mel(np.linspace(0.0, rate / 2, rows)[1:])[:, None]
    edges = np.linspace(_mel(low), _mel(high), bins + 2)
    rising, falling = (at - edges[:-2]) / (edges[1:-1] - edges[:-2]), (edges[2:] - at) / (edges[2:] - edges[1:-1])
    weights = np.pad(np.maximum(np.minimum(rising, falling), 0), ((1, 0), (0, 0)))
    return from_value(weights.astype(wanted.as_numpy_dtype))


@public("signal.mfccs_from_log_mel_spectrograms")
def mfccs_from_log_mel_spectrograms(log_mel_spectrograms: Any, name: Any = None) -> Any:
    """The mel-frequency cepstral coefficients of logarithmic mel spectrograms.

    Args:
      log_mel_spectrograms: a floating tensor of shape [..., bins].
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [..., bins].

    Raises:
      ValueError: there are no bins.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/mfccs_from_log_mel_spectrograms

    >>> mfccs_from_log_mel_spectrograms([1.0, 1.0]).numpy().tolist()
    [2.0, 0.0]
    """
    t = to_tensor(log_mel_spectrograms)
    bins = t.aval.shape[-1]
    if bins == 0:
        raise ValueError(f"num_mel_bins must be positive. Got: {log_mel_spectrograms}")
    return scaled(dct(t, type=2), factor=1 / math.sqrt(2 * bins))
