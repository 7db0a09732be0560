"""The distributions of TensorFlow's CPU kernels, bit for bit, as pure JAX functions of a Philox `Stream`.

Shapes and dtypes are static. Everything else (streams, bounds, means) may be traced. All functions need 64-bit types
turned on. They work under `jax.jit`, `jax.vmap` and `jax.grad` (with respect to mean, stddev and bounds).
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.kernels.cpu.libm32 import log32, sincos32
from tapejax._src.ops.random.philox import (
    Stream,
    Words,
    blocks,
    from_words,
    interleave,
    join_words,
    uniform_bits,
    uniform_full_int,
    word_pairs,
)

__all__ = ["categorical", "normal", "permutation", "truncated_normal", "uniform", "uniform_int"]

# TensorFlow's rejection samplers give each output this many Philox calls of its own.
_CALLS_PER_OUTPUT: Final = 64


def _float_dtype(dtype: Any) -> np.dtype:
    checked = np.dtype(dtype)
    if checked not in (jnp.bfloat16, np.float16, np.float32, np.float64):
        raise ValueError(f"`dtype` must be float16, bfloat16, float32 or float64, got dtype={dtype}")
    return checked


def _rounded(x: jax.Array, floor: Any = None) -> jax.Array:
    """`x` as it is, in a form that makes XLA round it to its own dtype.

    XLA contracts ``a * b + c`` to a fused multiply-add and leaves out float16 roundings, while TensorFlow rounds the
    result of each op. The maximum with the lowest finite number stops both. An optimization barrier does not, because
    it is removed before LLVM runs.
    """
    lowest = jnp.finfo(x.dtype).min if floor is None else floor
    return lax.max(x, jnp.broadcast_to(jnp.asarray(lowest, x.dtype), x.shape))


def _affine(x: jax.Array, scale: Any, shift: Any) -> jax.Array:
    """``x * scale + shift``, rounded twice. Nothing is computed if they are Python's numbers 1 and 0."""
    if _is_number(scale, 1) and _is_number(shift, 0):
        return x
    scale = jnp.asarray(scale, x.dtype)
    # An infinite scale gives infinities of both signs, which must not be replaced by the lowest finite number.
    floor = jnp.where(jnp.isinf(scale), -jnp.inf, jnp.finfo(x.dtype).min)
    return _rounded(x * scale, floor) + jnp.asarray(shift, x.dtype)


def _is_number(x: Any, value: int) -> bool:
    return isinstance(x, (int, float)) and x == value


def uniform(
    stream: Stream, shape: Sequence[int], dtype: Any = np.float32, minval: Any = 0, maxval: Any = 1
) -> jax.Array:
    """Uniformly distributed floats in ``[minval, maxval)``, as ``tf.random.uniform`` draws them.

    Args:
      stream: the stream.
      shape: a sequence of ints.
      dtype: float16, bfloat16, float32 or float64.
      minval: a scalar, or an array that broadcasts with `shape`.
      maxval: a scalar, or an array that broadcasts with `shape`.

    Returns:
      An array of `dtype`. Its shape is `shape`, broadcast with the bounds.

    Raises:
      ValueError: `dtype` is not floating.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/uniform

    >>> from tapejax._src.ops.random.philox import stateful_stream
    >>> with jax.enable_x64(True):
    ...     print(uniform(stateful_stream(1, 2), (2,), minval=-1.0))
    [-0.1872065   0.71519923]
    """
    dtype = _float_dtype(dtype)
    if dtype == np.float64:
        unit = double(*word_pairs(stream, math.prod(shape))).reshape(shape)
    else:
        # As many low bits as the dtype's mantissa holds, so that the product is exact.
        bits = jnp.finfo(dtype).nmant
        mask, step = jnp.uint32(2**bits - 1), jnp.float32(2.0**-bits)
        unit = from_words(stream, shape, lambda w: ((w & mask).astype(jnp.float32) * step).astype(dtype))
    if _is_number(minval, 0) and _is_number(maxval, 1):
        return unit
    minval = jnp.asarray(minval, dtype)
    return _affine(unit, _rounded(jnp.asarray(maxval, dtype) - minval), minval)


def double(high: jax.Array, low: jax.Array) -> jax.Array:
    """A float64 number in [0, 1), made from the low 20 bits of one word and all bits of another."""
    mantissa = join_words(low, high & jnp.uint32(0xFFFFF)) | jnp.uint64(1023 << 52)
    return lax.bitcast_convert_type(mantissa, jnp.float64) - 1.0


def _box_muller(word0: jax.Array, word1: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Two normally distributed float32 numbers from two words."""
    mask, step = jnp.uint32(2**23 - 1), jnp.float32(2.0**-23)
    distance = jnp.maximum((word0 & mask).astype(jnp.float32) * step, jnp.float32(1e-7))
    angle = ((word1 & mask).astype(jnp.float64) * (2.0 * np.pi * 2.0**-23)).astype(jnp.float32)
    radius = jnp.sqrt(jnp.float32(-2.0) * log32(distance))
    sine, cosine = sincos32(angle)
    return sine * radius, cosine * radius


def box_muller_double(words: Words) -> tuple[jax.Array, jax.Array]:
    """Two normally distributed float64 numbers from a block.

    On a CPU, XLA's float64 functions have the same bits as those of the C library, which TensorFlow calls.
    """
    radius = jnp.sqrt(-2.0 * jnp.log(jnp.maximum(double(words[0], words[1]), 1e-7)))
    angle = 2.0 * np.pi * double(words[2], words[3])
    return jnp.sin(angle) * radius, jnp.cos(angle) * radius


def normal(
    stream: Stream, shape: Sequence[int], dtype: Any = np.float32, mean: Any = 0.0, stddev: Any = 1.0
) -> jax.Array:
    """Normally distributed numbers, as ``tf.random.normal`` and ``tf.random.stateless_normal`` draw them.

    Args:
      stream: the stream.
      shape: a sequence of ints.
      dtype: float16, bfloat16, float32 or float64.
      mean: a scalar, or an array that broadcasts with `shape`.
      stddev: a scalar, or an array that broadcasts with `shape`.

    Returns:
      An array of `dtype`. Its shape is `shape`, broadcast with `mean` and `stddev`. On a CPU it has TensorFlow's bits
      (with glibc 2.28 or later); elsewhere float64 numbers may differ in the last bit.

    Raises:
      ValueError: `dtype` is not floating.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/normal

    >>> from tapejax._src.ops.random.philox import stateful_stream
    >>> with jax.enable_x64(True):
    ...     print(normal(stateful_stream(1, 2), (2,), mean=10.0))
    [ 8.95322   10.8397045]
    """
    dtype = _float_dtype(dtype)
    pairs = -(-math.prod(shape) // 2)
    if dtype == np.float64:
        parts = box_muller_double(blocks(stream.at(lax.iota(jnp.uint64, pairs))))
    else:
        parts = _box_muller(*word_pairs(stream, pairs))
    return _affine(interleave([part.astype(dtype) for part in parts], shape), stddev, mean)


def truncated_normal(
    stream: Stream, shape: Sequence[int], dtype: Any = np.float32, mean: Any = 0.0, stddev: Any = 1.0
) -> jax.Array:
    """Normally distributed numbers within two standard deviations, as ``tf.random.truncated_normal`` draws them.

    TensorFlow makes the output in groups of four numbers (two for float64). Each group has its own part of the stream,
    from which it takes candidates until enough are accepted. Here every group gets 14 candidates (12 for float64) at
    once. The probability that fewer than four (two) of them are accepted is 5e-13 (2e-14). Then a rejected candidate of
    the group is returned.

    A loop until all groups are complete was three times as slow, and compiled twice as long. 10 candidates, and a
    second pass for the groups that need more, ran twice as fast but compiled twice as long too.

    Args:
      stream: the stream.
      shape: a sequence of ints.
      dtype: float16, bfloat16, float32 or float64.
      mean: a scalar, or an array that broadcasts with `shape`.
      stddev: a scalar, or an array that broadcasts with `shape`.

    Returns:
      An array of `dtype`, as for `normal`.

    Raises:
      ValueError: `dtype` is not floating.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/truncated_normal

    >>> from tapejax._src.ops.random.philox import stateful_stream
    >>> with jax.enable_x64(True):
    ...     print(truncated_normal(stateful_stream(1, 2), (2,)))
    [-1.0467793  0.8397046]
    """
    dtype = _float_dtype(dtype)
    is_double = dtype == np.float64
    # Candidates are made in pairs: from a whole block for float64, from half a block otherwise.
    wanted, tries = (2, 6) if is_double else (4, 7)
    groups = -(-math.prod(shape) // wanted)
    start = lax.iota(jnp.uint64, groups) * jnp.uint64(wanted * _CALLS_PER_OUTPUT)
    nth = lax.broadcasted_iota(jnp.uint64, (tries, groups), 0)
    if is_double:
        pair = box_muller_double(blocks(stream.at(start + nth)))
    else:
        pair = _box_muller(*word_pairs(stream, 2 * start + nth))
    draws = interleave(pair, (tries, groups, 2))
    inside = (jnp.abs(draws) < 2.0).astype(jnp.uint32)
    # Bit i is set if candidate i is accepted. So the lowest bit that is set names the next output.
    accepted = sum((inside[i, :, j] << (2 * i + j) for i in range(tries) for j in (0, 1)), jnp.uint32(0))
    picks = []
    for _ in range(wanted):
        lowest = accepted & -accepted
        picks.append(lax.population_count(lowest - 1).astype(jnp.int32))
        accepted = accepted ^ lowest
    pick, group = jnp.stack(picks, axis=-1), lax.iota(jnp.int32, groups)[:, None]
    kept = draws.at[pick >> 1, group, pick & 1].get(mode="promise_in_bounds")
    return _affine(kept.astype(dtype).reshape(-1)[: math.prod(shape)].reshape(shape), stddev, mean)


def uniform_int(stream: Stream, shape: Sequence[int], minval: Any, maxval: Any, dtype: Any = np.int32) -> jax.Array:
    """Uniformly distributed integers in ``[minval, maxval)``, as ``tf.random.uniform`` draws them for an integer dtype.

    As in TensorFlow, they are remainders of random words. So they are slightly biased unless the range is a power of
    two.

    Args:
      stream: the stream.
      shape: a sequence of ints.
      minval: an integer scalar.
      maxval: an integer scalar, larger than `minval`. TensorFlow's op raises otherwise; this function does not check
        it.
      dtype: int32 or int64.

    Raises:
      ValueError: `dtype` is another one.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/uniform

    >>> from tapejax._src.ops.random.philox import stateless_stream
    >>> with jax.enable_x64(True):
    ...     print(uniform_int(stateless_stream([1, 2]), (3,), 1, 100))
    [38 39 46]
    """
    dtype = np.dtype(dtype)
    if dtype not in (np.int32, np.int64):
        raise ValueError(f"`dtype` must be int32 or int64, got dtype={dtype}")
    unsigned = jnp.dtype(f"u{dtype}")
    low = jnp.asarray(minval, dtype).astype(unsigned)
    span = jnp.asarray(maxval, dtype).astype(unsigned) - low
    if dtype == np.int64:
        words = uniform_full_int(stream, shape, unsigned)
        return (low + lax.rem(words, jnp.broadcast_to(span, words.shape))).astype(dtype)

    # Processors have no vector instruction that divides integers, so this multiplies by the reciprocal as a float. The
    # reciprocal is made a little too small, so the quotient is never too large, and too small by at most 1.
    factor = (1.0 - 2.0**-50) / span.astype(jnp.float64)

    def convert(word: jax.Array) -> jax.Array:
        rest = word - (word.astype(jnp.float64) * factor).astype(jnp.uint32) * span
        return (low + jnp.where(rest >= span, rest - span, rest)).astype(dtype)

    return from_words(stream, shape, convert)


def permutation(stream: Stream, n: int) -> jax.Array:
    """The order in which ``tf.random.shuffle`` puts `n` rows. The result of the op is ``value[permutation(..)]``.

    Args:
      stream: a `stateful_stream`.
      n: the number of rows, an int.

    Returns:
      int32 of shape [n].

    Source: https://www.tensorflow.org/api_docs/python/tf/random/shuffle

    >>> from tapejax._src.ops.random.philox import stateful_stream
    >>> with jax.enable_x64(True):
    ...     print(permutation(stateful_stream(5, 9), 10))
    [2 0 9 1 8 7 3 4 5 6]
    """
    order = lax.iota(jnp.int32, n)
    if n < 2:
        return order
    # Step i swaps the rows i and i + r, where r is a random word modulo n - i, the number of rows that are left.
    left = (n - order[:-1]).astype(jnp.uint32)
    chosen = order[:-1] + lax.rem(uniform_bits(stream, n - 1), left).astype(jnp.int32)

    def swap(i: jax.Array, order: jax.Array) -> jax.Array:
        # One write to two places changes the array in place. Two writes copy it each time, which is 100 times slower.
        places = jnp.stack([i, chosen[i]])
        return order.at[places].set(order[places[::-1]], mode="promise_in_bounds")

    return lax.fori_loop(jnp.int32(0), jnp.int32(n - 1), swap, order)


def categorical(stream: Stream, logits: jax.Array, num_samples: int, dtype: Any = np.int64) -> jax.Array:
    """Classes drawn according to unnormalised log-probabilities, as ``tf.random.categorical`` draws them.

    TensorFlow distributes the rows of a large batch over threads and gives each thread an overlapping part of the
    stream. So its numbers depend on the machine. This function draws the numbers of a single thread: they are
    TensorFlow's for small batches (tens of rows), and equally good for larger ones.

    Args:
      stream: the stream.
      logits: floating numbers of shape [batch, classes]. A class with an infinite or nan logit is never drawn.
      num_samples: how many classes to draw for each row, an int.
      dtype: int32 or int64.

    Returns:
      An array of shape [batch, num_samples].

    Source: https://www.tensorflow.org/api_docs/python/tf/random/categorical

    >>> from tapejax._src.ops.random.philox import stateful_stream
    >>> with jax.enable_x64(True):
    ...     print(categorical(stateful_stream(1, 2), jnp.log(jnp.array([[0.1, 0.9]])), 4))
    [[1 1 1 1]]
    """
    wide = logits.astype(jnp.float64)
    finite = jnp.isfinite(wide)
    peak = jnp.max(jnp.where(finite, wide, -jnp.inf), axis=1, keepdims=True)
    cumulative = jnp.cumsum(jnp.where(finite, jnp.exp(wide - peak), 0.0), axis=1)
    draws = double(*word_pairs(stream, logits.shape[0] * num_samples)).reshape(logits.shape[0], num_samples)
    search = jax.vmap(lambda row, target: jnp.searchsorted(row, target, side="right"))
    return search(cumulative, draws * cumulative[:, -1:]).astype(dtype)
