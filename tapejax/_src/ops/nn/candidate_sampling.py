"""Samplers that draw classes at random, for losses that compare the true classes with a sample of all others."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core.checks import invalid, invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.scopes import init_scope
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.core.variable import Variable
from tapejax._src.engine import stream
from tapejax._src.engine.op import Op, static
from tapejax._src.ops.random import philox
from tapejax._src.ops.random.draws import epoch, seed_inputs
from tapejax._src.ops.random.philox_draws import double
from tapejax._src.ops.registry import Array, op

__all__ = [
    "Sampled", "all_candidate_sampler", "fixed_unigram_candidate_sampler", "learned_unigram_candidate_sampler",
    "log_uniform_candidate_sampler", "uniform_candidate_sampler",
]  # fmt: skip

_I64 = np.dtype(np.int64)
_MAX_LEARNED = 64


class Sampled(NamedTuple):
    """The result of a sampler: the drawn classes, and how often true and drawn classes are expected in a sample."""

    sampled_candidates: Tensor
    true_expected_count: Tensor
    sampled_expected_count: Tensor


class _Law(NamedTuple):
    """A distribution over classes.

    Attributes:
      draw: a function of a stream of random words, of the number of earlier draws and of a number n. It draws n
        classes.
      probability: a function that gives the float32 probabilities of classes.
    """

    draw: Callable[[philox.Stream, Any, int], jax.Array]
    probability: Callable[[Any], jax.Array]


def _pairs(stream_: philox.Stream, before: Any, n: int) -> tuple[jax.Array, jax.Array]:
    return philox.word_pairs(stream_, before + lax.iota(jnp.uint64, n))


def _uniform(range_max: int) -> _Law:
    def draw(words: philox.Stream, before: Any, n: int) -> jax.Array:
        return (philox.join_words(*_pairs(words, before, n)) % jnp.uint64(range_max)).astype(_I64)

    return _Law(draw, lambda v: jnp.full(v.shape, 1.0 / range_max, np.float32))


def _log_uniform(range_max: int) -> _Law:
    logs = np.log1p(float(range_max))

    def draw(words: philox.Stream, before: Any, n: int) -> jax.Array:
        return (jnp.exp(double(*_pairs(words, before, n)) * logs).astype(_I64) - 1) % range_max

    return _Law(draw, lambda v: (jnp.log((v + 2.0) / (v + 1.0)) / logs).astype(np.float32))


def _counted(range_max: int, counts: Any) -> _Law:
    """A distribution by integer weights. Each draw takes one word of the stream."""
    sums = jnp.cumsum(counts.astype(np.uint32), dtype=np.uint32)

    def draw(words: philox.Stream, before: Any, n: int) -> jax.Array:
        places = before + lax.iota(jnp.uint64, n)
        even, odd = philox.word_pairs(words, places >> 1)
        target = jnp.where(places & 1 == 1, odd, even) % sums[-1]
        return jnp.searchsorted(sums, target, side="right").astype(_I64)

    return _Law(draw, lambda v: counts[v].astype(np.float32) / sums[-1].astype(np.float32))


def _weighted(range_max: int, weights: Any) -> _Law:
    sums = jnp.cumsum(weights.astype(np.float64))

    def draw(words: philox.Stream, before: Any, n: int) -> jax.Array:
        target = double(*_pairs(words, before, n)) * sums[-1]
        return jnp.searchsorted(sums, target, side="right").astype(_I64)

    return _Law(draw, lambda v: (weights[v] / sums[-1]).astype(np.float32))


def _unique(law: _Law, words: philox.Stream, n: int) -> tuple[jax.Array, jax.Array]:
    """Draws until there are `n` different classes.

    Returns:
      The classes, and the number of draws that were needed.
    """

    def more(state: Any) -> Any:
        chosen, count, tries = state
        block = law.draw(words, tries, n)
        both = jnp.concatenate([chosen, block])
        order = jnp.argsort(both, stable=True)
        inner = jnp.pad(both[order][1:] != both[order][:-1], (1, 0), constant_values=True)
        is_new = jnp.zeros(2 * n, bool).at[order].set(inner)[n:]
        rank = count + jnp.cumsum(is_new, dtype=np.int32)
        chosen = chosen.at[jnp.where(is_new, rank - 1, n)].set(block, mode="drop")
        used = jnp.where(rank[-1] >= n, jnp.argmax(rank >= n) + 1, n)
        return chosen, jnp.minimum(rank[-1], n), tries + used.astype(np.uint64)

    start = (jnp.full(n, -1, _I64), jnp.zeros((), np.int32), jnp.zeros((), np.uint64))
    chosen, _, tries = lax.while_loop(lambda state: state[1] < n, more, start)
    return chosen, tries


def _expected(p: Any, n: int, tries: Any) -> Any:
    """How often a class is expected in a sample.

    Args:
      p: the probability of the class.
      n: the size of the sample.
      tries: the number of draws that were needed for `n` different classes. None if classes may repeat.
    """
    often = p * np.float32(n)
    return often if tries is None else jnp.where(tries == n, often, -jnp.expm1(tries.astype(p.dtype) * jnp.log1p(-p)))


def _sample(
    first: Any, second: Any, skip: Any, true: Any, *weights: Any, law: Callable, range_max: int, n: int, unique: bool
) -> tuple:
    found = law(range_max, *weights)
    words = philox.stateful_stream(first, second, skip)
    drawn, tries = _unique(found, words, n) if unique else (found.draw(words, np.uint64(0), n), None)
    return drawn, _expected(found.probability(true), n, tries), _expected(found.probability(drawn), n, tries)


_sample_op = Op("candidate_sampler", _sample, differentiable=False)


def _classes(true_classes: Any, num_true: int, num_sampled: int, range_max: int) -> Tensor:
    for name, value in (("num_true", num_true), ("num_sampled", num_sampled), ("range_max", range_max)):
        if value < 1:
            raise invalid(f"Value for attr '{name}' of {value} must be at least minimum 1")
    true = to_tensor(true_classes, None, _I64)
    if true.aval.dtype != _I64:
        raise invalid(f"true_classes was expected to be a int64 tensor but is a {true.dtype.name} tensor")
    if len(true.aval.shape) != 2 or true.aval.shape[1] != num_true:
        raise invalid(f"true_classes must be a matrix of num_true={num_true} columns, got {true.shape}")
    value = true._value  # checked only if it is on the host
    if isinstance(value, np.ndarray) and value.size and not 0 <= value.min() <= value.max() < range_max:
        raise invalid_value(f"`true_candidate` out of range [0, {range_max})")
    return true


def _draw(
    law: Callable,
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: Any,
    *weights: Any,
) -> Sampled:
    true = _classes(true_classes, num_true, num_sampled, range_max)
    if unique and num_sampled > range_max:
        raise invalid_value("Sampler's range is too small.")
    kernel = f"{law.__name__} {num_true} {num_sampled} {unique} {range_max}"
    # TensorFlow's kernels reserve 2048 random words, 512 blocks of four, for each class.
    seeds = seed_inputs(kernel, _I64, seed, 512 * num_sampled)
    results = stream.record(
        _sample_op, static(law=law, range_max=range_max, n=num_sampled, unique=bool(unique)), (*seeds, true, *weights)
    )
    return Sampled(*results)


@public("random.uniform_candidate_sampler")
def uniform_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: Any = None,
    name: str | None = None,
) -> Sampled:
    """Draws classes with equal probabilities. For a given seed they are the classes that TensorFlow draws.

    Args:
      true_classes: int64 of shape [batch, num_true]: the classes for which expected counts are returned too.
      num_true: the number of true classes of each example.
      num_sampled: how many classes to draw.
      unique: whether all drawn classes are different.
      range_max: the number of classes.
      seed: an integer, the op's own seed.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A named tuple (sampled_candidates, true_expected_count, sampled_expected_count): int64 of shape [num_sampled],
      float32 of shape [batch, num_true], and float32 of shape [num_sampled]. None of them has a gradient.

    Raises:
      InvalidArgumentError: `true_classes` has a wrong shape or dtype, or `unique` is true and there are fewer classes
        than `num_sampled`.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/uniform_candidate_sampler

    >>> drawn, _, expected = uniform_candidate_sampler([[3]], 1, 4, True, 4)
    >>> sorted(drawn.numpy().tolist())
    [0, 1, 2, 3]
    """
    return _draw(_uniform, true_classes, num_true, num_sampled, unique, range_max, seed)


@public("random.log_uniform_candidate_sampler")
def log_uniform_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: Any = None,
    name: str | None = None,
) -> Sampled:
    """Draws classes by Zipf's law: the lower its number, the more often a class is drawn.

    The probability of class k is ``(log(k + 2) - log(k + 1)) / log(range_max + 1)``. This suits words that are numbered
    by their frequency. For a given seed the classes are those that TensorFlow draws.

    Takes the arguments of `uniform_candidate_sampler`, and has the same result and errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/log_uniform_candidate_sampler

    >>> log_uniform_candidate_sampler([[0]], 1, 2, False, 7).true_expected_count.numpy().round(4).tolist()
    [[0.666700005531311]]
    """
    return _draw(_log_uniform, true_classes, num_true, num_sampled, unique, range_max, seed)


_learned: dict[tuple, Variable] = {}


@public("random.learned_unigram_candidate_sampler", "nn.learned_unigram_candidate_sampler")
def learned_unigram_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: Any = None,
    name: str | None = None,
) -> Sampled:
    """Draws classes with learned probabilities: each class counts 1, plus how often it was true in earlier calls.

    Calls that differ only in `true_classes` share their counts, until `tf.random.set_seed` is called.

    Takes the arguments of `uniform_candidate_sampler`, and has the same result and errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/learned_unigram_candidate_sampler

    >>> for _ in range(2):
    ...     found = learned_unigram_candidate_sampler([[0]] * 6, 1, 1, False, 2, seed=5)
    >>> found.true_expected_count.numpy()[0].tolist()  # (1 + 6) / (2 + 6)
    [0.875]
    """
    key = (epoch(), num_true, num_sampled, unique, range_max, seed)
    counts = _learned.get(key)
    if counts is None:
        if len(_learned) >= _MAX_LEARNED:
            del _learned[next(iter(_learned))]
        with init_scope():
            counts = _learned[key] = Variable(np.ones(range_max, np.int64), trainable=False, name="unigrams")
    true = _classes(true_classes, num_true, num_sampled, range_max)
    found = _draw(_counted, true, num_true, num_sampled, unique, range_max, seed, counts.value())
    counts.assign(_count(counts, true))
    return found


@op(differentiable=False)
def _count(counts: Array, true: Array):
    return counts.at[true.ravel()].add(1)


@public("random.fixed_unigram_candidate_sampler", "nn.fixed_unigram_candidate_sampler")
def fixed_unigram_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    vocab_file: str = "",
    distortion: float = 1.0,
    num_reserved_ids: int = 0,
    num_shards: int = 1,
    shard: int = 0,
    unigrams: Sequence[float] = (),
    seed: Any = None,
    name: str | None = None,
) -> Sampled:
    """Draws classes with given probabilities.

    For a given seed the classes are not those that TensorFlow draws, but they have the same distribution.

    Args:
      true_classes: int64 of shape [batch, num_true], as in `uniform_candidate_sampler`.
      num_true: the number of true classes of each example.
      num_sampled: how many classes to draw.
      unique: whether all drawn classes are different.
      range_max: the number of classes.
      vocab_file: the path of a file with one line for each class, which ends in a comma and the weight.
      distortion: the power to which the weights are raised. 1 leaves them, 0 makes them equal.
      num_reserved_ids: the number of classes that come before those with weights and are never drawn.
      num_shards: if it is above 1, only each `num_shards`-th weight is used, from number `shard` on.
      shard: see `num_shards`.
      unigrams: the weights, instead of a file.
      seed: an integer, the op's own seed.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The named tuple of `uniform_candidate_sampler`.

    Raises:
      InvalidArgumentError: none or both of `vocab_file` and `unigrams` are given, the number of weights is not
        `range_max`, or `unique` is true and fewer than `num_sampled` weights differ from 0.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/fixed_unigram_candidate_sampler

    >>> found = fixed_unigram_candidate_sampler([[0]], 1, 2, False, 2, unigrams=[3.0, 1.0])
    >>> found.true_expected_count.numpy().tolist()
    [[1.5]]
    """
    if bool(vocab_file) == bool(len(unigrams)):
        raise invalid_value("Must provide either vocab_file or unigrams" + (", not both." if vocab_file else "."))
    weights = _weights(vocab_file, tuple(map(float, unigrams)), float(distortion), num_reserved_ids, num_shards, shard)
    size = weights.aval.shape[0]
    if size != range_max:
        raise invalid_value(f"range is {range_max} must be equal to weights size {size}")
    if unique and np.count_nonzero(weights._value) < num_sampled:
        raise invalid_value("Sampler's range is too small: fewer classes have a weight than are to be drawn.")
    return _draw(_weighted, true_classes, num_true, num_sampled, unique, range_max, seed, weights)


@functools.lru_cache(maxsize=16)
def _weights(
    path: str, unigrams: tuple[float, ...], distortion: float, reserved: int, shards: int, shard: int
) -> Tensor:
    if path:
        with open(path, encoding="utf-8") as file:
            unigrams = tuple(float(line.rsplit(",", 1)[-1]) for line in file if line.strip())
    all_of_them = np.concatenate([np.zeros(reserved), np.power(np.array(unigrams), distortion)])
    return from_value(all_of_them[shard::shards].astype(np.float32))


@public("random.all_candidate_sampler", "nn.all_candidate_sampler")
def all_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, seed: Any = None, name: str | None = None
) -> Sampled:
    """Returns all classes, 0 to ``num_sampled - 1``, instead of a sample. It is meant for tests of losses that sample.

    Takes the arguments of `uniform_candidate_sampler`, and has the same result and errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/all_candidate_sampler

    >>> all_candidate_sampler([[1]], 1, 3, True).sampled_candidates.numpy().tolist()
    [0, 1, 2]
    """
    true = _classes(true_classes, num_true, num_sampled, num_sampled)
    ones = np.ones(true.aval.shape, np.float32)
    return Sampled(from_value(np.arange(num_sampled)), from_value(ones), from_value(np.ones(num_sampled, np.float32)))
