"""TensorFlow's random bits as pure JAX functions; `philox_draws` makes distributions of them.

TensorFlow's CPU kernels draw from the counter-based generator Philox4x32-10. A `Stream` says where drawing
starts (a 64-bit key and a 128-bit counter) and every distribution is a function of a stream: block ``g`` of
four 32-bit words is the hash of ``counter + g``. The three ways in which TensorFlow finds a stream are
`stateful_stream` (``tf.random.normal``; the seed pair comes from `tapejax._src.ops.random.philox_seeds.SeedState`),
`stateless_stream` (``tf.random.stateless_normal``, Keras) and `generator_stream` (``tf.random.Generator``).

Streams are data: one compiled program serves every seed. All functions need 64-bit types turned on, and work
under `jax.jit` and `jax.vmap` (over streams or seeds).

The layout is one output *pair* per lane of the loop: each block is hashed twice, once for each of its halves,
and the two results leave packed in one wider integer. That keeps hashing, transforming and storing in one
vectorised loop: 4 ms for 4 million uniform numbers on two cores, where stacking the four words took 14 ms.

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
    """Where drawing starts: uint64 scalars ``key``, ``low`` and ``high`` (the halves of the 128-bit counter).

    A pytree: pass it through `jax.jit` and `jax.vmap` like an array.
    """

    key: jax.Array
    low: jax.Array
    high: jax.Array

    def at(self, calls: jax.Array) -> "Stream":
        """The stream (or array of streams) that many Philox calls further on; ``calls`` is uint64."""
        low = self.low + calls
        return Stream(self.key, low, self.high + (low < calls).astype(jnp.uint64))


def _uint64(x: Any) -> jax.Array:
    """Two's complement of any integer as uint64; a uint32 vector [2] is taken as (low word, high word)."""
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
    """The uint64 with these two words."""
    return low.astype(jnp.uint64) | (high.astype(jnp.uint64) << 32)


def _halves(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    return x.astype(jnp.uint32), (x >> 32).astype(jnp.uint32)


def _round(state: Any) -> Any:
    c0, c1, c2, c3, key0, key1 = state
    # Widening to 64 bit compiles to one vector multiply; four 16-bit products took six times as long.
    low0, high0 = _halves(c0.astype(jnp.uint64) * jnp.uint64(_MULTIPLIERS[0]))
    low1, high1 = _halves(c2.astype(jnp.uint64) * jnp.uint64(_MULTIPLIERS[1]))
    c0, c1, c2, c3 = high1 ^ c1 ^ key0, low1, high0 ^ c3 ^ key1, low0
    return c0, c1, c2, c3, key0 + jnp.uint32(_KEY_STEPS[0]), key1 + jnp.uint32(_KEY_STEPS[1])


def _state(stream: Stream) -> Any:
    return (*_halves(stream.low), *_halves(stream.high), *_halves(stream.key))


def blocks(stream: Stream) -> Words:
    """Ten rounds of Philox on every counter of the stream: four uint32 words each."""
    state = _state(stream)
    for _ in range(10):
        state = _round(state)
    return state[:4]


def blocks_in_loop(stream: Stream) -> Words:
    """The same, with the rounds as a loop: where they stand several times in a program, it compiles twice as fast."""
    state = tuple(jnp.broadcast_arrays(*_state(stream)))
    return lax.fori_loop(0, 10, lambda _, state: _round(state), state)[:4]


def stateful_stream(seed: Any, seed2: Any, skip: Any = 0) -> Stream:
    """The stream of TensorFlow's stateful random ops.

    Args:
        seed: integer (or uint32 words [2]), the first of the kernel's two seeds: the key.
        seed2: integer (or uint32 words [2]), the second: the upper half of the counter.
        skip: integer, how many Philox calls the kernel has reserved before (see `SeedState.reserve`).

    Returns:
        The stream.

    Raises:
        RuntimeError: 64-bit types are off.
        TypeError: a seed is not an integer.

    >>> with jax.enable_x64(True):
    ...     print(uniform_bits(stateful_stream(87654321, 1), 2))
    [2870909127 3455438759]
    """
    return Stream(_uint64(seed), _uint64(skip), _uint64(seed2))


def stateless_stream(seed: Any) -> Stream:
    """The stream of TensorFlow's stateless random ops (algorithm "philox", which CPU and GPU select).

    Args:
        seed: integers [2], int32 or int64.

    Returns:
        The stream: key and upper counter are one Philox hash of the seed.

    Raises:
        RuntimeError: 64-bit types are off.
        TypeError: ``seed`` is not integer.

    >>> with jax.enable_x64(True):
    ...     print(uniform_bits(stateless_stream([1, 2]), 2))
    [1105988140 1738052849]
    """
    seed = jnp.asarray(seed)
    w0, w1, w2, w3 = blocks(Stream(_uint64(_SCRAMBLE_KEY), _uint64(seed[0]), _uint64(seed[1])))
    return Stream(join_words(w0, w1), _uint64(0), join_words(w2, w3))


def generator_stream(state: Any) -> Stream:
    """The stream of a ``tf.random.Generator`` whose state is ``state``.

    After drawing ``n`` numbers, of whatever kind, TensorFlow adds ``256 * n`` to the 128-bit counter.

    Args:
        state: int64 [3]: counter (low, high), key. ``Generator.from_seed(s)`` starts at the three 64-bit
            digits of ``s``, lowest first: ``[s, 0, 0]`` for a small seed.

    Returns:
        The stream.

    Raises:
        RuntimeError: 64-bit types are off.

    >>> with jax.enable_x64(True):
    ...     print(uniform_bits(generator_stream(np.array([7, 0, 0])), 2))
    [2830310705  182738035]
    """
    state = jnp.asarray(state)
    return Stream(_uint64(state[2]), _uint64(state[0]), _uint64(state[1]))


def word_pairs(stream: Stream, pairs: jax.Array | int) -> tuple[jax.Array, jax.Array]:
    """Words (2p, 2p + 1) of the stream for each p of a uint64 array (or below a number), as uint32 arrays."""
    if isinstance(pairs, int):
        pairs = lax.iota(jnp.uint64, pairs)
    words = blocks(stream.at(pairs >> 1))
    odd = (pairs & 1) != 0
    return jnp.where(odd, words[2], words[0]), jnp.where(odd, words[3], words[1])


def interleave(parts: Sequence[jax.Array], shape: Sequence[int]) -> jax.Array:
    """``parts[0][0], parts[1][0], ..., parts[0][1], ...``, as many as ``shape`` holds.

    Narrow types are packed into wider integers and re-read: an elementwise operation, where a stack is a
    copy.
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
    """One 32-bit word per output."""
    first, second = word_pairs(stream, -(-math.prod(shape) // 2))
    return interleave([convert(first), convert(second)], shape)


def uniform_bits(stream: Stream, n: int) -> jax.Array:
    """The first ``n`` 32-bit words of a stream.

    Args:
        stream: where to start.
        n: how many, static.

    Returns:
        uint32 [n].

    >>> with jax.enable_x64(True):
    ...     print(uniform_bits(Stream(*[jnp.uint64(0)] * 3), 2))
    [1713891541 3781805453]
    """
    return from_words(stream, (n,), lambda word: word)


def uniform_full_int(stream: Stream, shape: Sequence[int], dtype: Any) -> jax.Array:
    """Integers uniform over their whole type, as ``tf.random.stateless_uniform`` without bounds draws them.

    Args:
        stream: where to start.
        shape: static.
        dtype: int32, uint32, int64 or uint64.

    Returns:
        Array of ``shape`` and ``dtype``.

    Raises:
        ValueError: another ``dtype``.

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
    """``num`` new stateless seeds from one, as ``tf.random.split``.

    Args:
        seed: int32 or int64 [2].
        num: static.

    Returns:
        Array [num, 2] of the seed's dtype.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/split

    >>> with jax.enable_x64(True):
    ...     print(split(jnp.array([1, 2], jnp.int32))[0])
    [1105988140 1738052849]
    """
    seed = jnp.asarray(seed)
    return uniform_full_int(stateless_stream(seed), (num, 2), seed.dtype)


def fold_in(seed: Any, data: Any) -> jax.Array:
    """A new stateless seed from a seed and an integer, as ``tf.random.fold_in``.

    Args:
        seed: int32 or int64 [2].
        data: int32 or int64 scalar.

    Returns:
        [2] of the dtype of ``data``.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/fold_in

    >>> with jax.enable_x64(True):
    ...     print(fold_in([1, 2], jnp.int32(5)))
    [1105988140          5]
    """
    data = jnp.asarray(data)
    return jnp.stack([uniform_full_int(stateless_stream(seed), (), data.dtype), data])
