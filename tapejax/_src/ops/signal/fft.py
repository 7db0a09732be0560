"""Fourier transforms of `tf.signal`, along the last axes or along chosen ones."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core import dtypes
from tapejax._src.core.checks import final, invalid, invalid_value, need
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.ops.registry import Array, Axis, Shape, op

__all__ = ["fft", "fft2d", "fft3d", "fftnd", "fftshift", "ifft", "ifft2d", "ifft3d", "ifftnd", "ifftshift", "irfft",
           "irfft2d", "irfft3d", "irfftnd", "rfft", "rfft2d", "rfft3d", "rfftnd"]  # fmt: skip


def _transform(x: Any, kind: Any, rank: int) -> Any:
    need("c", x)
    if x.ndim < rank:
        raise invalid(f"Input must have rank of at least {rank} but got: {x.shape}")
    return lax.fft(x, kind, x.shape[x.ndim - rank :])


@op("signal.fft")
def fft(input: Array, name=None):
    """The discrete Fourier transform along the last axis.

    Args:
      input: a complex tensor.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `input` is not complex, or has too few axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/fft

    >>> fft([1 + 0j, 1 + 0j]).numpy().tolist()
    [(2+0j), 0j]
    """
    return _transform(input, "fft", 1)


@op("signal.ifft")
def ifft(input: Array, name=None):
    """The inverse discrete Fourier transform along the last axis. Takes the arguments of `fft`.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/ifft

    >>> ifft([2 + 0j, 0j]).numpy().tolist()
    [(1+0j), (1+0j)]
    """
    return _transform(input, "ifft", 1)


@op("signal.fft2d")
def fft2d(input: Array, name=None):
    """The discrete Fourier transform along the last 2 axes.

    Args:
      input: a complex tensor.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `input` is not complex, or has too few axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/fft2d

    >>> fft2d([[1 + 0j, 1 + 0j]]).numpy().tolist()
    [[(2+0j), 0j]]
    """
    return _transform(input, "fft", 2)


@op("signal.ifft2d")
def ifft2d(input: Array, name=None):
    """The inverse discrete Fourier transform along the last 2 axes. Takes the arguments of `fft2d`.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/ifft2d

    >>> ifft2d([[2 + 0j, 0j]]).numpy().tolist()
    [[(1+0j), (1+0j)]]
    """
    return _transform(input, "ifft", 2)


@op("signal.fft3d")
def fft3d(input: Array, name=None):
    """The discrete Fourier transform along the last 3 axes.

    Args:
      input: a complex tensor.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `input` is not complex, or has too few axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/fft3d

    >>> fft3d([[[1 + 0j, 1 + 0j]]]).numpy().tolist()
    [[[(2+0j), 0j]]]
    """
    return _transform(input, "fft", 3)


@op("signal.ifft3d")
def ifft3d(input: Array, name=None):
    """The inverse discrete Fourier transform along the last 3 axes. Takes the arguments of `fft3d`.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/ifft3d

    >>> ifft3d([[[2 + 0j, 0j]]]).numpy().tolist()
    [[[(1+0j), (1+0j)]]]
    """
    return _transform(input, "ifft", 3)


@op()
def _real(x: Array, length: Shape = None, rank=1):
    if x.ndim < rank:
        raise invalid(f"Input must have rank of at least {rank} but got: {x.shape}")
    return jnp.fft.rfftn(x, length, tuple(range(x.ndim - rank, x.ndim)))


@op()
def _inverse_real(x: Array, length: Shape = None, rank=1):
    if x.ndim < rank:
        raise invalid(f"Input must have rank of at least {rank} but got: {x.shape}")
    return jnp.fft.irfftn(x, length, tuple(range(x.ndim - rank, x.ndim)))


def _length(fft_length: Any, rank: int) -> tuple[int, ...] | None:
    if fft_length is None:
        return None
    length = np.asarray(to_tensor(fft_length))
    if length.shape != (rank,):
        raise ValueError(f"Shape of `fft_length` must be [{rank}], got {list(length.shape)}")
    if (length < 0).any():
        raise invalid_value(f"fft_length must be >= 0, got: {length.tolist()}")
    return tuple(int(n) for n in length)


def _forward(x: Any, fft_length: Any, rank: int) -> Any:
    t = to_tensor(x, None, np.dtype(np.float32))
    if t.dtype not in (dtypes.float32, dtypes.float64):
        raise ValueError(f"RFFT requires tf.float32 or tf.float64 inputs, got: {t.dtype!r}")
    return _real(t, length=_length(fft_length, rank), rank=rank)


def _backward(x: Any, fft_length: Any, rank: int) -> Any:
    t = to_tensor(x, None, np.dtype(np.complex64))
    if not t.dtype.is_complex:
        raise ValueError(f"IRFFT requires tf.complex64 or tf.complex128 inputs, got: {t.dtype!r}")
    return _inverse_real(t, length=_length(fft_length, rank), rank=rank)


@public("signal.rfft")
def rfft(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Any:
    """The discrete Fourier transform of real numbers along the last axis.

    Only the first half of the frequencies is returned, since the second half follows from it.

    Args:
      input_tensor: a float32 or float64 tensor of shape [..., n].
      fft_length: ``[m]``: the axis is first cut, or filled up with zeros, to this length. By default m is n.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A complex64 or complex128 tensor of shape [..., m // 2 + 1].

    Raises:
      ValueError: `input_tensor` has another dtype, or `fft_length` another shape.
      InvalidArgumentError: `input_tensor` has too few axes, or `fft_length` is negative.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/rfft

    >>> rfft([1.0, 2.0]).numpy().tolist()
    [(3+0j), (-1+0j)]
    """
    return _forward(input_tensor, fft_length, 1)


@public("signal.rfft2d")
def rfft2d(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Any:
    """`rfft` along the last 2 axes. `fft_length` has 2 elements.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/rfft2d

    >>> rfft2d([[1.0, 2.0]]).numpy().tolist()
    [[(3+0j), (-1+0j)]]
    """
    return _forward(input_tensor, fft_length, 2)


@public("signal.rfft3d")
def rfft3d(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Any:
    """`rfft` along the last 3 axes. `fft_length` has 3 elements.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/rfft3d

    >>> rfft3d([[[1.0, 2.0]]]).numpy().tolist()
    [[[(3+0j), (-1+0j)]]]
    """
    return _forward(input_tensor, fft_length, 3)


@public("signal.irfft")
def irfft(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Any:
    """The inverse of `rfft`.

    Args:
      input_tensor: a complex tensor of shape [..., n].
      fft_length: ``[m]``, the length of the result. By default m is ``2 * (n - 1)``.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A float32 or float64 tensor of shape [..., m].

    Raises:
      ValueError: `input_tensor` is not complex, or `fft_length` has another shape.
      InvalidArgumentError: `input_tensor` has too few axes, or `fft_length` is negative.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/irfft

    >>> irfft([3 + 0j, -1 + 0j]).numpy().tolist()
    [1.0, 2.0]
    """
    return _backward(input_tensor, fft_length, 1)


@public("signal.irfft2d")
def irfft2d(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Any:
    """The inverse of `rfft2d`. `fft_length` has 2 elements; see `irfft`.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/irfft2d

    >>> irfft2d([[3 + 0j, -1 + 0j]]).numpy().tolist()
    [[1.0, 2.0]]
    """
    return _backward(input_tensor, fft_length, 2)


@public("signal.irfft3d")
def irfft3d(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Any:
    """The inverse of `rfft3d`. `fft_length` has 3 elements; see `irfft`.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/irfft3d

    >>> irfft3d([[[3 + 0j, -1 + 0j]]]).numpy().tolist()
    [[[1.0, 2.0]]]
    """
    return _backward(input_tensor, fft_length, 3)


def _along(transform: Any, x: Any, length: Any, axes: Any, norm: Any, kinds: str) -> Any:
    need(kinds, x)
    if norm not in (None, "backward", "ortho", "forward"):
        raise final(ValueError(f"Invalid norm {norm!r}: expected None, 'backward', 'ortho' or 'forward'"))
    chosen = tuple(range(x.ndim)) if axes is None else (axes,) if isinstance(axes, int) else axes
    return transform(x, length, chosen, norm)


@op("signal.fftnd", "fftnd")
def fftnd(input_tensor: Array, fft_length: Shape = None, axes: Axis = None, norm=None, name=None):
    """The discrete Fourier transform along given axes.

    Args:
      input_tensor: a complex tensor.
      fft_length: for each axis the length to which it is first cut, or filled up with zeros.
      axes: the axes; by default all.
      norm: None or "backward": the inverse transform is divided by the number of elements. "forward": this one is.
        "ortho": both are divided by the square root of that number.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `input_tensor` is not complex.
      ValueError: `norm` is unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/fftnd

    >>> fftnd([[1 + 0j, 1 + 0j]], axes=[1]).numpy().tolist()
    [[(2+0j), 0j]]
    """
    return _along(jnp.fft.fftn, input_tensor, fft_length, axes, norm, "c")


@op("signal.ifftnd", "ifftnd")
def ifftnd(input_tensor: Array, fft_length: Shape = None, axes: Axis = None, norm=None, name=None):
    """The inverse of `fftnd`, which takes the same arguments.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/ifftnd

    >>> ifftnd([[2 + 0j, 0j]], axes=[1]).numpy().tolist()
    [[(1+0j), (1+0j)]]
    """
    return _along(jnp.fft.ifftn, input_tensor, fft_length, axes, norm, "c")


@op("signal.rfftnd", "rfftnd")
def rfftnd(input_tensor: Array, fft_length: Shape = None, axes: Axis = None, norm=None, name=None):
    """The discrete Fourier transform of real numbers along given axes. It takes the arguments of `fftnd`.

    Only the first half of the last axis is returned, since the second half follows from it.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/rfftnd

    >>> rfftnd([[1.0, 2.0]], axes=[1]).numpy().tolist()
    [[(3+0j), (-1+0j)]]
    """
    return _along(jnp.fft.rfftn, input_tensor, fft_length, axes, norm, "f")


@op("signal.irfftnd", "irfftnd")
def irfftnd(input_tensor: Array, fft_length: Shape = None, axes: Axis = None, norm=None, name=None):
    """The inverse of `rfftnd`. It takes the arguments of `fftnd`.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/irfftnd

    >>> irfftnd([[3 + 0j, -1 + 0j]], axes=[1]).numpy().tolist()
    [[1.0, 2.0]]
    """
    return _along(jnp.fft.irfftn, input_tensor, fft_length, axes, norm, "c")


@op("signal.fftshift")
def fftshift(x: Array, axes: Axis = None, name=None):
    """Moves frequency 0 of a Fourier transform to the middle of the given axes; by default of all axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/fftshift

    >>> fftshift([0, 1, 2, 3]).numpy().tolist()
    [2, 3, 0, 1]
    """
    return jnp.fft.fftshift(x, axes)


@op("signal.ifftshift")
def ifftshift(x: Array, axes: Axis = None, name=None):
    """The inverse of `fftshift`.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/ifftshift

    >>> ifftshift([2, 3, 0, 1]).numpy().tolist()
    [0, 1, 2, 3]
    """
    return jnp.fft.ifftshift(x, axes)
