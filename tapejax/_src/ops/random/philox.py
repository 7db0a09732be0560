"""TensorFlow's random bits as pure JAX functions. `philox_draws` makes distributions of them.

TensorFlow's CPU kernels draw from the counter-based generator Philox4x32-10. A `Stream` is a position in its numbers: a
64-bit key and a 128-bit counter. Block ``g`` of a stream consists of four 32-bit words, which are the hash of
``counter + g``. Every distribution is a function of a stream. TensorFlow finds a stream in three ways:

* `stateful_stream` for ``tf.random.normal`` and the like. The pair of seeds comes from `philox_seeds.SeedState`.
* `stateless_stream` for ``tf.random.stateless_normal`` and the like, and for Keras.
* `generator_stream` for ``tf.random.Generator``.

Streams are inputs of compiled programs, so one program serves every seed. All functions need 64-bit types turned on.
They work under `jax.jit` and `jax.vmap` (over streams or seeds).

Each step of the vectorised loop makes one *pair* of words: a block is hashed twice, once for each of its halves, and
the two words are packed in one wider integer. So hashing, transforming and storing stay in one loop. It takes 4 ms for
4 million uniform numbers on two cores; stacking the four words of a block took 14 ms.

Reference: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3";
https://tensorflow.org/guide/random_numbers
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

__all__ = [
    "Stream",
    "Words",
    "blocks",
    "blocks_in_loop",
    "fold_in",
    "from_words",
    "generator_stream",
    "interleave",
    "join_words",
    "split",
    "stateful_stream",
    "stateless_stream",
    "uniform_bits",
    "uniform_full_int",
    "word_pairs",
]

_MULTIPLIERS: Final = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS: Final = (0x9E3779B9, 0xBB67AE85)
_SCRAMBLE_KEY: Final = 0x02461E29_3EC8F720

Words = tuple[jax.Array, jax.Array, jax.Array, jax.Array]


class Stream(NamedTuple):
    """A position from which numbers are drawn.

    It is a pytree, so it can be passed through `jax.jit` and `jax.vmap` like an array.

    Attributes:
      key: a uint64 scalar.
      low: the lower half of the 128-bit counter, a uint64 scalar.
      high: the upper half of the counter, a uint64 scalar.
    """

    key: jax.Array
    low: jax.Array
    high: jax.Array

    def at(self, calls: jax.Array) -> "Stream":
        """The stream that begins `calls` blocks later. `calls` is uint64; an array gives an array of streams."""
        low = self.low + calls
        return Stream(self.key, low, self.high + (low < calls).astype(jnp.uint64))


def _uint64(x: Any) -> jax.Array:
    """Any integer as uint64, negative ones as two's complement. A uint32 vector [2] is a pair (low word, high word)."""
    if jax.dtypes.canonicalize_dtype(np.uint64) != np.uint64:
        raise RuntimeError("Philox needs 64-bit types: call inside `with jax.enable_x64(True):`")
    if isinstance(x, int):
        return jnp.uint64(x & 0xFFFFFFFF_FFFFFFFF)
    x = jnp.asarray(x)
    if x.shape == (2,) and x.dtype == jnp.uint32:
        return join_words(x[0], x[1])
    if not jnp.issubdtype(x.dtype, jnp.integer):
        raise TypeError(f"Seeds are integers, got dtype={x.dtype}")
    # Through int64, so that a negative int32 is sign-extended.
    return x.astype(jnp.int64).astype(jnp.uint64)


def join_words(low: jax.Array, high: jax.Array) -> jax.Array:
    """The uint64 that consists of a low and a high 32-bit word."""
    return low.astype(jnp.uint64) | (high.astype(jnp.uint64) << 32)


def _halves(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    return x.astype(jnp.uint32), (x >> 32).astype(jnp.uint32)


def _round(state: Any) -> Any:
    c0, c1, c2, c3, key0, key1 = state
    # A product of numbers widened to 64 bits compiles to one vector instruction. Four products of 16-bit halves took
    # six times as long.
    low0, high0 = _halves(c0.astype(jnp.uint64) * jnp.uint64(_MULTIPLIERS[0]))
    low1, high1 = _halves(c2.astype(jnp.uint64) * jnp.uint64(_MULTIPLIERS[1]))
    c0, c1, c2, c3 = high1 ^ c1 ^ key0, low1, high0 ^ c3 ^ key1, low0
    return c0, c1, c2, c3, key0 + jnp.uint32(_KEY_STEPS[0]), key1 + jnp.uint32(_KEY_STEPS[1])


def _state(stream: Stream) -> Any:
    return (*_halves(stream.low), *_halves(stream.high), *_halves(stream.key))


def blocks(stream: Stream) -> Words:
    """The blocks of a stream, or of an array of streams: four uint32 words each, after ten rounds of Philox."""
    state = _state(stream)
    for _ in range(10):
        state = _round(state)
    return state[:4]


def blocks_in_loop(stream: Stream) -> Words:
    """The same as `blocks`, with a loop of ten rounds. A program that calls it several times compiles twice as fast."""
    state = tuple(jnp.broadcast_arrays(*_state(stream)))
    return lax.fori_loop(0, 10, lambda _, state: _round(state), state)[:4]


def stateful_stream(seed: Any, seed2: Any, skip: Any = 0) -> Stream:
    """The stream of a stateful random op of TensorFlow, such as ``tf.random.normal``.

    Args:
      seed: the first of the op's two seeds, which is the key: an integer, or uint32 words [2].
      seed2: the second seed, which is the upper half of the counter: an integer, or uint32 words [2].
      skip: how many Philox calls the op's kernel has reserved before (see `SeedState.reserve`), an integer.

    Raises:
      RuntimeError: 64-bit types are off.
      TypeError: a seed is not an integer.

    >>> with jax.enable_x64(True):
    ...     print(uniform_bits(stateful_stream(87654321, 1), 2))
    [2870909127 3455438759]
    """
    return Stream(_uint64(seed), _uint64(skip), _uint64(seed2))


def stateless_stream(seed: Any) -> Stream:
    """The stream of a stateless random op of TensorFlow, with the algorithm "philox", which CPUs and GPUs select.

    Args:
      seed: two integers, int32 or int64.

    Returns:
      The stream whose key and upper half of the counter are the Philox hash of the seed.

    Raises:
      RuntimeError: 64-bit types are off.
      TypeError: `seed` does not consist of integers.

    >>> with jax.enable_x64(True):
    ...     print(uniform_bits(stateless_stream([1, 2]), 2))
    [1105988140 1738052849]
    """
    seed = jnp.asarray(seed)
    w0, w1, w2, w3 = blocks(Stream(_uint64(_SCRAMBLE_KEY), _uint64(seed[0]), _uint64(seed[1])))
    return Stream(join_words(w0, w1), _uint64(0), join_words(w2, w3))


def generator_stream(state: Any) -> Stream:
    """The stream of a ``tf.random.Generator``.

    After drawing ``n`` numbers of any kind, TensorFlow adds ``256 * n`` to the 128-bit counter.

    Args:
      state: the generator's state, int64 of shape [3]: the lower and upper half of the counter, and the key.
        ``Generator.from_seed(s)`` starts with the three 64-bit digits of ``s``, the lowest first: ``[s, 0, 0]`` for a
        small seed.

    Raises:
      RuntimeError: 64-bit types are off.

    >>> with jax.enable_x64(True):
    ...     print(uniform_bits(generator_stream(np.array([7, 0, 0])), 2))
    [2830310705  182738035]
    """
    state = jnp.asarray(state)
    return Stream(_uint64(state[2]), _uint64(state[0]), _uint64(state[1]))


def word_pairs(stream: Stream, pairs: jax.Array | int) -> tuple[jax.Array, jax.Array]:
    """The words ``2 * p`` and ``2 * p + 1`` of a stream, for each p.

    Args:
      stream: the stream.
      pairs: the numbers p: a uint64 array, or an int n for all numbers below n.

    Returns:
      Two uint32 arrays.
    """
    if isinstance(pairs, int):
        pairs = lax.iota(jnp.uint64, pairs)
    words = blocks(stream.at(pairs >> 1))
    odd = (pairs & 1) != 0
    return jnp.where(odd, words[2], words[0]), jnp.where(odd, words[3], words[1])


def interleave(parts: Sequence[jax.Array], shape: Sequence[int]) -> jax.Array:
    """Arrays joined element by element: ``parts[0][0], parts[1][0], .., parts[0][1], parts[1][1], ..``.

    Narrow dtypes are packed into wider integers and reinterpreted. This is an elementwise operation, while stacking is
    a copy.

    Args:
      parts: arrays of one shape and dtype.
      shape: the shape of the result, which takes as many elements as it holds.
    """
    dtype = parts[0].dtype
    width = 8 * dtype.itemsize
    lanes = [lax.bitcast_convert_type(part, jnp.dtype(f"uint{width}")) for part in parts]
    while len(lanes) > 1 and width < 64:
        wide = jnp.dtype(f"uint{2 * width}")
        halves = zip(lanes[::2], lanes[1::2], strict=True)
        lanes = [low.astype(wide) | (high.astype(wide) << width) for low, high in halves]
        width *= 2
    joined = lanes[0] if len(lanes) == 1 else jnp.stack(lanes, axis=-1)
    return lax.bitcast_convert_type(joined, dtype).reshape(-1)[: math.prod(shape)].reshape(shape)


def from_words(stream: Stream, shape: Sequence[int], convert: Callable[[jax.Array], jax.Array]) -> jax.Array:
    """An array of the shape `shape`, each element of which is `convert` of one 32-bit word of the stream."""
    first, second = word_pairs(stream, -(-math.prod(shape) // 2))
    return interleave([convert(first), convert(second)], shape)


def uniform_bits(stream: Stream, n: int) -> jax.Array:
    """The first `n` 32-bit words of a stream.

    Args:
      stream: the stream.
      n: how many words, an int.

    Returns:
      uint32 of shape [n].

    >>> with jax.enable_x64(True):
    ...     print(uniform_bits(Stream(*[jnp.uint64(0)] * 3), 2))
    [1713891541 3781805453]
    """
    return from_words(stream, (n,), lambda word: word)


def uniform_full_int(stream: Stream, shape: Sequence[int], dtype: Any) -> jax.Array:
    """Integers that are uniform over their whole type, as ``tf.random.stateless_uniform`` without bounds draws them.

    Args:
      stream: the stream.
      shape: a sequence of ints.
      dtype: int32, uint32, int64 or uint64.

    Raises:
      ValueError: `dtype` is another one.

    >>> with jax.enable_x64(True):
    ...     print(uniform_full_int(stateless_stream([1, 2]), (2,), np.int32))
    [1105988140 1738052849]
    """
    dtype = np.dtype(dtype)
    if dtype in (np.int32, np.uint32):
        return from_words(stream, shape, lambda word: word.astype(dtype))
    if dtype in (np.int64, np.uint64):
        return join_words(*word_pairs(stream, math.prod(shape))).astype(dtype).reshape(shape)
    raise ValueError(f"`dtype` must be int32, uint32, int64 or uint64, got dtype={dtype}")


def split(seed: Any, num: int = 2) -> jax.Array:
    """New stateless seeds from one, as ``tf.random.split`` makes them.

    Args:
      seed: int32 or int64 of shape [2].
      num: how many, an int.

    Returns:
      An array of shape [num, 2] and the dtype of `seed`.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/split

    >>> with jax.enable_x64(True):
    ...     print(split(jnp.array([1, 2], jnp.int32))[0])
    [1105988140 1738052849]
    """
    seed = jnp.asarray(seed)
    return uniform_full_int(stateless_stream(seed), (num, 2), seed.dtype)


def fold_in(seed: Any, data: Any) -> jax.Array:
    """A new stateless seed from a seed and an integer, as ``tf.random.fold_in`` makes it.

    Args:
      seed: int32 or int64 of shape [2].
      data: an int32 or int64 scalar.

    Returns:
      An array of shape [2] and the dtype of `data`.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/fold_in

    >>> with jax.enable_x64(True):
    ...     print(fold_in([1, 2], jnp.int32(5)))
    [1105988140          5]
    """
    data = jnp.asarray(data)
    return jnp.stack([uniform_full_int(stateless_stream(seed), (), data.dtype), data])
