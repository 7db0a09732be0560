"""The seeds from which TensorFlow's stateful random ops draw, and how far each op has advanced in its numbers.

Everything here is plain Python without arrays. Seeds enter compiled programs as numbers.
"""

import operator
import random
import secrets
from collections.abc import Hashable
from typing import Final, SupportsIndex

__all__ = ["GraphSeeds", "SeedState", "categorical_calls", "draw_calls", "generator_state", "shuffle_calls"]

_DEFAULT_SEED: Final = 87654321
_MODULUS: Final = 2**31 - 1
_MAX_KERNELS: Final = 65536


def draw_calls(outputs: int) -> int:
    """The number of Philox calls that a kernel with this many outputs reserves, for all ops except the two below.

    >>> draw_calls(3)
    768
    """
    return 256 * outputs


def shuffle_calls(n: int) -> int:
    """The number of Philox calls that ``tf.random.shuffle`` of `n` rows reserves.

    >>> shuffle_calls(10)
    3
    """
    return (n + 2) // 4


def categorical_calls(batch: int, num_samples: int) -> int:
    """The number of Philox calls that ``tf.random.categorical`` reserves.

    >>> categorical_calls(3, 5)
    12288
    """
    return 512 * batch * -(-num_samples // 4) * 4


def generator_state(seed: SupportsIndex) -> tuple[int, int, int]:
    """The int64 state with which ``tf.random.Generator.from_seed`` starts.

    Args:
      seed: an integer of up to 192 bits. As in TensorFlow, higher bits are dropped.

    Returns:
      The lower and upper half of the counter, and the key. They are the 64-bit digits of the seed, the lowest first, as
      signed numbers.

    >>> generator_state(7)
    (7, 0, 0)
    """
    number = operator.index(seed)
    low, high, key = (_signed(number >> shift) for shift in (0, 64, 128))
    return low, high, key


def _signed(number: int) -> int:
    """The lowest 64 bits of a number, as a signed integer."""
    return (number & (2**64 - 1) ^ 2**63) - 2**63


def _pair(seed: int, op_seed: int) -> tuple[int, int]:
    pair = seed % _MODULUS, op_seed % _MODULUS
    # TensorFlow's kernels take two zeros to mean that there is no seed.
    return (0, _MODULUS) if pair == (0, 0) else pair


class SeedState:
    """The global seed of eager execution, which ``tf.random.set_seed`` sets.

    Args:
      seed: the global seed. With None, which is TensorFlow's initial state, ops without a seed of their own draw
        unpredictable numbers.

    Raises:
      TypeError: `seed` is neither an integer nor None.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/set_seed

    >>> state = SeedState(42)
    >>> state.next_pair()
    (42, 478163327)
    >>> state.next_pair(op_seed=7)
    (42, 7)
    """

    seed: int | None
    epoch = 0  # how often the seed has been set

    def __init__(self, seed: SupportsIndex | None = None):
        self.set_seed(seed)

    def set_seed(self, seed: SupportsIndex | None) -> None:
        """Sets the global seed, and makes all kernels start over.

        Args:
          seed: an integer, or None for unpredictable numbers.

        Raises:
          TypeError: `seed` is neither an integer nor None.
        """
        self.seed = None if seed is None else operator.index(seed)
        self.epoch += 1
        self._op_seeds = random.Random(self.seed)
        self._reserved: dict[Hashable, int] = {}

    def next_pair(self, op_seed: SupportsIndex | None = None) -> tuple[int, int]:
        """The pair of seeds of the next eager op.

        Args:
          op_seed: the op's own `seed` argument. Without it, the next number of a sequence is taken, which the global
            seed determines.

        Returns:
          The pair (seed, seed2) of int64 numbers. They are random if neither seed is set.

        Raises:
          TypeError: `op_seed` is neither an integer nor None.
        """
        if op_seed is not None:
            return _pair(_DEFAULT_SEED if self.seed is None else self.seed, operator.index(op_seed))
        if self.seed is None:
            return _signed(secrets.randbits(64)), _signed(secrets.randbits(64))
        return _pair(self.seed, self._op_seeds.randint(0, _MODULUS))

    def reserve(self, kernel: Hashable, calls: int) -> int:
        """Advances a kernel in its random numbers.

        Repeating an eager op with the same `seed` argument does not repeat its numbers. TensorFlow keeps one kernel for
        each op name, dtype and pair of seeds until `set_seed` is called, and the kernel goes on where it stopped. Ops
        without a `seed` argument get a new pair each time, so a new kernel. They need not call this.

        Args:
          kernel: what distinguishes kernels: op name, dtype, seed, seed2. Shapes and bounds do not.
          calls: how many Philox calls the op uses: `draw_calls`, `shuffle_calls` or `categorical_calls`.

        Returns:
          The number of calls that were reserved before, which is the argument `skip` of `stateful_stream`.

        >>> state = SeedState(5)
        >>> kernel = ("RandomUniform", "float32", *state.next_pair(9))
        >>> state.reserve(kernel, draw_calls(3)), state.reserve(kernel, draw_calls(5))
        (0, 768)
        """
        skip = self._reserved.pop(kernel, 0)
        self._reserved[kernel] = skip + calls
        if len(self._reserved) > _MAX_KERNELS:
            # Forget the kernel that was used longest ago. Otherwise a loop with new seeds would grow the table forever.
            del self._reserved[next(iter(self._reserved))]
        return skip


class GraphSeeds:
    """The seeds of the graph of one ``tf.function``. The seeds of its ops count up from 0 as they are traced.

    Each op of the graph is a kernel of its own, so each has its own position in its numbers. Every call of the function
    advances the ops by what they use. ``tf.random.set_seed`` sets the positions back to 0, but does not change the
    seeds of ops that have been traced.

    Args:
      seed: the global seed when tracing began, or None.

    >>> graph = GraphSeeds(5)
    >>> graph.next_pair(), graph.next_pair(op_seed=4), graph.next_pair()
    ((5, 0), (5, 4), (5, 1))
    """

    def __init__(self, seed: SupportsIndex | None):
        self._seed = None if seed is None else operator.index(seed)
        self._next = 0

    def next_pair(self, op_seed: SupportsIndex | None = None) -> tuple[int, int]:
        """The pair of seeds of the next op that is traced. See `SeedState.next_pair`; here op seeds count up from 0."""
        if self._seed is None:
            return SeedState().next_pair(op_seed)
        if op_seed is None:
            op_seed = self._next
            self._next += 1
        return _pair(self._seed, operator.index(op_seed))
