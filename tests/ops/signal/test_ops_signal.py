"""`tf.signal` against real TensorFlow: values, dtypes, two derivatives, errors."""

import numpy as np
import pytest
from support.harness import Case, check_error, raises, test_of

import tapejax

R = np.random.RandomState(0)
REAL = R.randn(3, 4, 6).astype(np.float32)
COMPLEX = (R.randn(2, 4, 6) + 1j * R.randn(2, 4, 6)).astype(np.complex64)
SIGNAL = R.randn(2, 37).astype(np.float32)
_FFT = ("fft", "ifft", "fft2d", "ifft2d", "fft3d", "ifft3d")


def _half(x):
    """What `rfft` of real signals looks like: the free numbers of a complex signal's first half."""
    return np.fft.rfft(x).astype(np.complex64)


test_matches_tensorflow = test_of([
    *(Case(name, lambda tf, x, name=name: getattr(tf.signal, name)(x), [COMPLEX], rtol=1e-5) for name in _FFT),
    Case("fft complex128", lambda tf, x: tf.signal.fft(x), [COMPLEX.astype(np.complex128)]),
    *(Case(f"rfft{d}", lambda tf, x, d=d: getattr(tf.signal, f"rfft{d}")(x), [REAL], rtol=1e-5) for d in ("", "2d")),
    Case("rfft3d", lambda tf, x: tf.signal.rfft3d(x), [REAL], order=0, rtol=1e-5),
    Case("irfft3d", lambda tf, x: tf.signal.irfft3d(x), [_half(REAL)], order=0, rtol=1e-5),
    Case("rfft float64", lambda tf, x: tf.signal.rfft(x), [REAL.astype(np.float64)]),
    Case("rfft odd", lambda tf, x: tf.signal.rfft(x[..., :5]), [REAL], rtol=1e-5),
    Case("rfft longer", lambda tf, x: tf.signal.rfft(x, [9]), [REAL], rtol=1e-5),
    Case("rfft shorter", lambda tf, x: tf.signal.rfft(x, [4]), [REAL], order=0, rtol=1e-5),  # TF's gradient fails
    Case("rfft2d length", lambda tf, x: tf.signal.rfft2d(x, [5, 4]), [REAL], order=0, rtol=1e-5),
    *(Case(f"irfft{d}", lambda tf, x, d=d: getattr(tf.signal, f"irfft{d}")(x), [_half(REAL)], rtol=1e-5)
      for d in ("", "2d")),
    Case("irfft odd", lambda tf, x: tf.signal.irfft(x, [5]), [_half(REAL[..., :5])], rtol=1e-5),
    Case("irfft longer", lambda tf, x: tf.signal.irfft(x, [10]), [_half(REAL)], rtol=1e-5),
    Case("power", lambda tf, x: tf.abs(tf.signal.rfft(x)) ** 2, [REAL], rtol=1e-5),
    Case("fftshift", lambda tf, x: tf.signal.fftshift(x), [REAL]),
    Case("fftshift axes", lambda tf, x: tf.signal.fftshift(x, axes=[0, 2]), [REAL]),
    Case("ifftshift", lambda tf, x: tf.signal.ifftshift(x[..., :5], axes=-1), [REAL]),
    Case("frame", lambda tf, x: tf.signal.frame(x, 8, 3), [SIGNAL]),
    Case("frame pad_end", lambda tf, x: tf.signal.frame(x, 8, 5, pad_end=True, pad_value=2.5), [SIGNAL]),
    Case("frame axis", lambda tf, x: tf.signal.frame(x, 2, 1, axis=1), [REAL]),
    Case("frame too short", lambda tf, x: tf.signal.frame(x, 50, 5), [SIGNAL]),
    Case("frame of integers", lambda tf, x: tf.signal.frame(x, 2, 1, pad_end=True), [np.arange(5)]),
    Case("overlap_and_add", lambda tf, x: tf.signal.overlap_and_add(x, 4), [REAL]),
    Case("overlap_and_add gaps", lambda tf, x: tf.signal.overlap_and_add(x, 8), [REAL]),
    Case("overlap_and_add 1", lambda tf, x: tf.signal.overlap_and_add(x, 1), [REAL]),
    Case("stft", lambda tf, x: tf.signal.stft(x, 12, 5), [SIGNAL], rtol=1e-5),
    Case("stft whole", lambda tf, x: tf.signal.stft(x, 12, 5, fft_length=20, pad_end=True,
                                                    window_fn=tf.signal.hamming_window), [SIGNAL], rtol=1e-5),
    Case("stft no window", lambda tf, x: tf.signal.stft(x, 12, 5, window_fn=None), [SIGNAL], rtol=1e-5),
    Case("inverse_stft", lambda tf, x: tf.signal.inverse_stft(tf.signal.stft(x, 12, 4), 12, 4), [SIGNAL], rtol=1e-5),
    Case("inverse_stft window", lambda tf, x: tf.signal.inverse_stft(
        tf.signal.stft(x, 12, 4), 12, 4, window_fn=tf.signal.inverse_stft_window_fn(4)), [SIGNAL], rtol=1e-5),
    *(Case(f"dct {t} {norm}", lambda tf, x, t=t, norm=norm: tf.signal.dct(x, type=t, norm=norm), [REAL], rtol=1e-5)
      for t in (1, 2, 3, 4) for norm in ((None,) if t == 1 else (None, "ortho"))),
    *(Case(f"idct {t} {norm}", lambda tf, x, t=t, norm=norm: tf.signal.idct(x, type=t, norm=norm), [REAL], rtol=1e-5)
      for t in (1, 2, 3, 4) for norm in ((None,) if t == 1 else (None, "ortho"))),
    Case("dct n", lambda tf, x: tf.signal.dct(x, n=4) + tf.signal.dct(x, n=9)[..., :4], [REAL], rtol=1e-5),
    Case("dct float64", lambda tf, x: tf.signal.dct(x), [REAL.astype(np.float64)]),
    Case("mdct", lambda tf, x: tf.signal.mdct(x, 8), [SIGNAL], rtol=1e-5),
    Case("mdct no window", lambda tf, x: tf.signal.mdct(x, 8, window_fn=None, norm="ortho"), [SIGNAL], rtol=1e-5),
    Case("inverse_mdct", lambda tf, x: tf.signal.inverse_mdct(tf.signal.mdct(x, 8)), [SIGNAL], rtol=1e-5),
    Case("inverse_mdct ortho", lambda tf, x: tf.signal.inverse_mdct(x[..., :4], norm="ortho"), [REAL], rtol=1e-5),
    Case("mfcc", lambda tf, x: tf.signal.mfccs_from_log_mel_spectrograms(x), [REAL], rtol=1e-5),
    *(Case(f"{name} {n} {dtype}", lambda tf, name=name, n=n, dtype=dtype: getattr(tf.signal, name)(
        n, dtype=getattr(tf, dtype)), rtol=2e-6)
      for name in ("hann_window", "hamming_window", "kaiser_window", "vorbis_window", "kaiser_bessel_derived_window")
      for n, dtype in ((12, "float32"), (6, "float64"))),
    Case("hann odd", lambda tf: tf.signal.hann_window(7)),
    Case("hann one", lambda tf: tf.signal.hann_window(1)),
    Case("hann symmetric", lambda tf: tf.signal.hann_window(8, periodic=False)),
    Case("kaiser beta", lambda tf: tf.signal.kaiser_window(9, beta=3.0)),
    Case("mel", lambda tf: tf.signal.linear_to_mel_weight_matrix(), rtol=1e-4),
    Case("mel large", lambda tf: tf.signal.linear_to_mel_weight_matrix(80, 513, 16000, 80.0, 7600.0), rtol=3e-4),
    Case("mel float64", lambda tf: tf.signal.linear_to_mel_weight_matrix(10, 65, dtype=tf.float64), rtol=1e-4),
])  # fmt: skip


@pytest.mark.parametrize("call", [
    raises("InvalidArgumentError", lambda tf: tf.signal.fft(tf.constant([1.0])), in_function=TypeError),
    raises("InvalidArgumentError", lambda tf: tf.signal.fft2d(tf.constant([1 + 0j])), in_function=ValueError),
    raises(ValueError, lambda tf: tf.signal.rfft(tf.constant([1]))),
    raises(ValueError, lambda tf: tf.signal.rfft(tf.constant([1 + 0j]))),
    raises(ValueError, lambda tf: tf.signal.irfft(tf.constant([1.0]))),
    raises(ValueError, lambda tf: tf.signal.hann_window(4, dtype=tf.int32)),
    raises(ValueError, lambda tf: tf.signal.dct([1.0, 2.0], type=5)),
    raises(ValueError, lambda tf: tf.signal.dct([1.0, 2.0], norm="foo")),
    raises(NotImplementedError, lambda tf: tf.signal.dct([1.0, 2.0], axis=0)),
    raises(ValueError, lambda tf: tf.signal.dct(tf.constant([1.0]), type=1)),
    raises(ValueError, lambda tf: tf.signal.dct([1.0, 2.0], type=1, norm="ortho")),
    raises(ValueError, lambda tf: tf.signal.mdct([1.0] * 12, 6)),
    raises(ValueError, lambda tf: tf.signal.linear_to_mel_weight_matrix(upper_edge_hertz=5000.0)),
    raises(ValueError, lambda tf: tf.signal.linear_to_mel_weight_matrix(num_mel_bins=0)),
])  # fmt: skip
def test_errors_are_tensorflow_s(tf, call):
    check_error(tf, call)


@pytest.mark.parametrize("options", [{}, {"axes": [0, 2]}, {"axes": [2], "norm": "ortho"}])
def test_transforms_along_any_axes_are_numpy_s(options):
    """TensorFlow's own have no kernels on CPU."""
    for name, x in (("fftn", COMPLEX), ("ifftn", COMPLEX), ("rfftn", REAL), ("irfftn", _half(REAL))):
        ours = getattr(tapejax, f"{name}d")(x, **options).numpy()
        np.testing.assert_allclose(ours, getattr(np.fft, name)(x, **options), rtol=1e-4, atol=1e-5)


def test_frames_of_a_long_signal_come_back():
    x = np.sin(np.arange(4000) / 7).astype(np.float32)
    spectrum = tapejax.signal.stft(x, 512, 128)
    back = tapejax.signal.inverse_stft(spectrum, 512, 128, window_fn=tapejax.signal.inverse_stft_window_fn(128))
    np.testing.assert_allclose(back.numpy()[512:-512], x[512 : back.shape[0] - 512], atol=2e-6)
