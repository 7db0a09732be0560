"""`tf.signal`: Fourier transforms along the last axes, or along chosen ones."""

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
    """The discrete Fourier transform along the last axis. Complex.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/fft

    >>> fft([1 + 0j, 1 + 0j]).numpy().tolist()
    [(2+0j), 0j]
    """
    return _transform(input, "fft", 1)


@op("signal.ifft")
def ifft(input: Array, name=None):
    """The inverse of `fft`.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/ifft

    >>> ifft([2 + 0j, 0j]).numpy().tolist()
    [(1+0j), (1+0j)]
    """
    return _transform(input, "ifft", 1)


@op("signal.fft2d")
def fft2d(input: Array, name=None):
    """The discrete Fourier transform along the last 2 axes. Complex.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/fft2d

    >>> fft2d([[1 + 0j, 1 + 0j]]).numpy().tolist()
    [[(2+0j), 0j]]
    """
    return _transform(input, "fft", 2)


@op("signal.ifft2d")
def ifft2d(input: Array, name=None):
    """The inverse of `fft2d`.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/ifft2d

    >>> ifft2d([[2 + 0j, 0j]]).numpy().tolist()
    [[(1+0j), (1+0j)]]
    """
    return _transform(input, "ifft", 2)


@op("signal.fft3d")
def fft3d(input: Array, name=None):
    """The discrete Fourier transform along the last 3 axes. Complex.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/fft3d

    >>> fft3d([[[1 + 0j, 1 + 0j]]]).numpy().tolist()
    [[[(2+0j), 0j]]]
    """
    return _transform(input, "fft", 3)


@op("signal.ifft3d")
def ifft3d(input: Array, name=None):
    """The inverse of `fft3d`.

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
    """The first half of the Fourier transform of real numbers, along the last axis.

    Args:
      input_tensor: float32 or float64 [..., n].
      fft_length: ``[m]``: cut, or fill up with zeros, to this length first.
      name: of no effect.

    Returns:
      complex64 or complex128 [..., m // 2 + 1].

    Raises:
      ValueError: another dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/rfft

    >>> rfft([1.0, 2.0]).numpy().tolist()
    [(3+0j), (-1+0j)]
    """
    return _forward(input_tensor, fft_length, 1)


@public("signal.rfft2d")
def rfft2d(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Any:
    """As `rfft`, along the last 2 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/rfft2d

    >>> rfft2d([[1.0, 2.0]]).numpy().tolist()
    [[(3+0j), (-1+0j)]]
    """
    return _forward(input_tensor, fft_length, 2)


@public("signal.rfft3d")
def rfft3d(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Any:
    """As `rfft`, along the last 3 axes.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/rfft3d

    >>> rfft3d([[[1.0, 2.0]]]).numpy().tolist()
    [[[(3+0j), (-1+0j)]]]
    """
    return _forward(input_tensor, fft_length, 3)


@public("signal.irfft")
def irfft(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Any:
    """The inverse of `rfft`.

    Args:
      input_tensor: complex [..., n].
      fft_length: ``[m]``, the length of the result; ``2 * (n - 1)`` by default.
      name: of no effect.

    Returns:
      float32 or float64 [..., m].

    Raises:
      ValueError: another dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/irfft

    >>> irfft([3 + 0j, -1 + 0j]).numpy().tolist()
    [1.0, 2.0]
    """
    return _backward(input_tensor, fft_length, 1)


@public("signal.irfft2d")
def irfft2d(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Any:
    """The inverse of `rfft2d`.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/irfft2d

    >>> irfft2d([[3 + 0j, -1 + 0j]]).numpy().tolist()
    [[1.0, 2.0]]
    """
    return _backward(input_tensor, fft_length, 2)


@public("signal.irfft3d")
def irfft3d(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Any:
    """The inverse of `rfft3d`.

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
    """The discrete Fourier transform along any axes. Complex.

    Args:
      input_tensor: complex tensor.
      fft_length: for each axis the length to cut, or fill up with zeros, to first.
      axes: which; all by default.
      norm: None or "backward": the inverse is divided; "ortho": both, by the root; "forward": this one.
      name: of no effect.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/fftnd

    >>> fftnd([[1 + 0j, 1 + 0j]], axes=[1]).numpy().tolist()
    [[(2+0j), 0j]]
    """
    return _along(jnp.fft.fftn, input_tensor, fft_length, axes, norm, "c")


@op("signal.ifftnd", "ifftnd")
def ifftnd(input_tensor: Array, fft_length: Shape = None, axes: Axis = None, norm=None, name=None):
    """The inverse of `fftnd`; arguments as there.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/ifftnd

    >>> ifftnd([[2 + 0j, 0j]], axes=[1]).numpy().tolist()
    [[(1+0j), (1+0j)]]
    """
    return _along(jnp.fft.ifftn, input_tensor, fft_length, axes, norm, "c")


@op("signal.rfftnd", "rfftnd")
def rfftnd(input_tensor: Array, fft_length: Shape = None, axes: Axis = None, norm=None, name=None):
    """`fftnd` of real numbers, the first half of the last axis; arguments as there.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/rfftnd

    >>> rfftnd([[1.0, 2.0]], axes=[1]).numpy().tolist()
    [[(3+0j), (-1+0j)]]
    """
    return _along(jnp.fft.rfftn, input_tensor, fft_length, axes, norm, "f")


@op("signal.irfftnd", "irfftnd")
def irfftnd(input_tensor: Array, fft_length: Shape = None, axes: Axis = None, norm=None, name=None):
    """The inverse of `rfftnd`; arguments as there.

    Source: https://www.tensorflow.org/api_docs/python/tf/signal/irfftnd

    >>> irfftnd([[3 + 0j, -1 + 0j]], axes=[1]).numpy().tolist()
    [[1.0, 2.0]]
    """
    return _along(jnp.fft.irfftn, input_tensor, fft_length, axes, norm, "c")


@op("signal.fftshift")
def fftshift(x: Array, axes: Axis = None, name=None):
    """Moves frequency 0 to the middle, along all axes or chosen ones.

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
