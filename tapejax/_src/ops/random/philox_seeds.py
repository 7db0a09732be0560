"""Which seeds TensorFlow's stateful random ops draw from: the bookkeeping around `tapejax._src.ops.random.philox`.

Plain Python, no arrays: seeds enter compiled programs as numbers.
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
    """Philox calls that a kernel with this many outputs reserves (any distribution but the two below).

    >>> draw_calls(3)
    768
    """
    return 256 * outputs


def shuffle_calls(n: int) -> int:
    """Philox calls that ``tf.random.shuffle`` of ``n`` rows reserves.

    >>> shuffle_calls(10)
    3
    """
    return (n + 2) // 4


def categorical_calls(batch: int, num_samples: int) -> int:
    """Philox calls that ``tf.random.categorical`` reserves.

    >>> categorical_calls(3, 5)
    12288
    """
    return 512 * batch * -(-num_samples // 4) * 4


def generator_state(seed: SupportsIndex) -> tuple[int, int, int]:
    """The int64 state that ``tf.random.Generator.from_seed`` starts with.

    Args:
        seed: an integer of up to 192 bits; higher bits are dropped, as TensorFlow does.

    Returns:
        Counter (low, high) and key: the 64-bit digits of the seed, lowest first, as signed numbers.

    >>> generator_state(7)
    (7, 0, 0)
    """
    number = operator.index(seed)
    low, high, key = (_signed(number >> shift) for shift in (0, 64, 128))
    return low, high, key


def _signed(number: int) -> int:
    """The lowest 64 bits as int64."""
    return (number & (2**64 - 1) ^ 2**63) - 2**63


def _pair(seed: int, op_seed: int) -> tuple[int, int]:
    pair = seed % _MODULUS, op_seed % _MODULUS
    # Two zeros mean "unseeded" to the kernels.
    return (0, _MODULUS) if pair == (0, 0) else pair


class SeedState:
    """The global seed of eager execution, as set by ``tf.random.set_seed``.

    Args:
        seed: the global seed, or None (TensorFlow's start): ops without a seed of their own are
            unpredictable.

    Raises:
        TypeError: ``seed`` is neither an integer nor None.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/set_seed

    >>> state = SeedState(42)
    >>> state.next_pair()
    (42, 478163327)
    >>> state.next_pair(op_seed=7)
    (42, 7)
    """

    seed: int | None
    epoch = 0  # how often the seed was set

    def __init__(self, seed: SupportsIndex | None = None):
        self.set_seed(seed)

    def set_seed(self, seed: SupportsIndex | None) -> None:
        """Sets the global seed and forgets every kernel's progress.

        Args:
            seed: integer, or None for unpredictable numbers.

        Raises:
            TypeError: ``seed`` is neither an integer nor None.
        """
        self.seed = None if seed is None else operator.index(seed)
        self.epoch += 1
        self._op_seeds = random.Random(self.seed)
        self._reserved: dict[Hashable, int] = {}

    def next_pair(self, op_seed: SupportsIndex | None = None) -> tuple[int, int]:
        """The seed pair of the next eager op.

        Args:
            op_seed: the op's own ``seed`` argument. Without one, the next of a sequence that the global seed
                fixes.

        Returns:
            (seed, seed2), each an int64 number; random ones where neither seed is set.

        Raises:
            TypeError: ``op_seed`` is neither an integer nor None.
        """
        if op_seed is not None:
            return _pair(_DEFAULT_SEED if self.seed is None else self.seed, operator.index(op_seed))
        if self.seed is None:
            return _signed(secrets.randbits(64)), _signed(secrets.randbits(64))
        return _pair(self.seed, self._op_seeds.randint(0, _MODULUS))

    def reserve(self, kernel: Hashable, calls: int) -> int:
        """Advances a kernel's place in its stream.

        Repeating an eager op with the same ``seed`` argument does not repeat its numbers: TensorFlow keeps
        one kernel for each op name, dtype and seed pair until `set_seed`, and it goes on where it stopped.
        Ask only for ops with a ``seed`` argument: others get a new pair, so a new kernel, each time.

        Args:
            kernel: what tells kernels apart: op name, dtype, seed, seed2. (Shapes and bounds do not.)
            calls: how much this op uses: `draw_calls`, `shuffle_calls` or `categorical_calls`.

        Returns:
            The ``skip`` for `stateful_stream`: how many Philox calls were reserved before.

        >>> state = SeedState(5)
        >>> kernel = ("RandomUniform", "float32", *state.next_pair(9))
        >>> state.reserve(kernel, draw_calls(3)), state.reserve(kernel, draw_calls(5))
        (0, 768)
        """
        skip = self._reserved.pop(kernel, 0)
        self._reserved[kernel] = skip + calls
        if len(self._reserved) > _MAX_KERNELS:
            # The one used longest ago goes: a loop over ever new seeds must not grow the table for ever.
            del self._reserved[next(iter(self._reserved))]
        return skip


class GraphSeeds:
    """The seeds of one ``tf.function`` graph: op seeds count up from 0 as ops are traced.

    Each op node is a kernel of its own, so its progress is kept per node: every call of the function advances
    it by what it uses, and ``tf.random.set_seed`` takes it back to 0 without changing the pairs traced
    before.

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
        """The seed pair of the next op traced; as `SeedState.next_pair`, but op seeds count from 0."""
        if self._seed is None:
            return SeedState().next_pair(op_seed)
        if op_seed is None:
            op_seed = self._next
            self._next += 1
        return _pair(self._seed, operator.index(op_seed))
