"""Gamma- and Poisson-distributed numbers with TensorFlow's bits: rejection samplers on streams of `philox`.

Each output has 256 blocks of the stream to itself. It takes uniform and normal numbers from them, one by one, until a
proposal is accepted. Most outputs only need their first proposal, which is computed for all outputs in one vectorised
pass. The other outputs are collected and go through a loop, each at its own position of the stream. This takes a tenth
of the time of a loop over all outputs.

References: Marsaglia and Tsang 2000, "A simple method for generating gamma variables"; Knuth, "The Art of Computer
Programming", volume 2; Hoermann 1993, "The transformed rejection method for generating Poisson random variables".
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.kernels.cpu.vector64 import log, log_factorial, sincos_turns
from tapejax._src.ops.random.philox import Stream, Words, blocks, blocks_in_loop
from tapejax._src.ops.random.philox_draws import double

__all__ = ["gamma", "poisson"]

_PER_OUTPUT: Final = 256
# At least this many outputs go through the loop at once. For fewer outputs the first pass would save no time.
_TOGETHER: Final = 4096


def _normals(words: Words) -> tuple[jax.Array, jax.Array]:
    radius = jnp.sqrt(-2 * log(jnp.maximum(double(words[0], words[1]), 1e-7)))
    sine, cosine = sincos_turns(double(words[2], words[3]))
    return sine * radius, cosine * radius


class _Pairs(NamedTuple):
    """Numbers that are made in pairs and used one by one, the second one first.

    Attributes:
      left: how many of the pair are left.
      first: the first number.
      second: the second number.
    """

    left: jax.Array
    first: jax.Array
    second: jax.Array


class _Place(NamedTuple):
    """The position of each output in its part of the stream.

    Attributes:
      base: the stream.
      used: how many blocks from the stream's beginning.
      uniforms: the uniform numbers that were made and not used yet.
      normals: the normal numbers that were made and not used yet.
    """

    base: Stream
    used: jax.Array
    uniforms: _Pairs
    normals: _Pairs

    def _take(self, name: str, wanted: jax.Array) -> tuple["_Place", jax.Array]:
        pairs = getattr(self, name)
        empty = wanted & (pairs.left == 0)
        words = blocks_in_loop(self.base.at(self.used))
        new = _normals(words) if name == "normals" else (double(words[0], words[1]), double(words[2], words[3]))
        first, second = (jnp.where(empty, n, o) for n, o in zip(new, pairs[1:], strict=True))
        left = jnp.where(empty, 2, pairs.left) - wanted
        place = self._replace(**{name: _Pairs(left, first, second)}, used=self.used + empty.astype(jnp.uint64))
        return place, jnp.where(left == 1, second, first)

    def uniform(self, wanted: jax.Array) -> tuple["_Place", jax.Array]:
        """Takes the next uniform number for each output for which `wanted` is true."""
        return self._take("uniforms", wanted)

    def normal(self, wanted: jax.Array) -> tuple["_Place", jax.Array]:
        """Takes the next normal number for each output for which `wanted` is true."""
        return self._take("normals", wanted)


def _parts(samples: int, parameters: int) -> jax.Array:
    """Where the parts of the stream begin, for outputs of shape (samples, parameters), as one vector.

    The parts of one parameter follow each other in the stream.
    """
    number = jnp.arange(parameters, dtype=jnp.uint64) * samples + jnp.arange(samples, dtype=jnp.uint64)[:, None]
    return number.ravel() * _PER_OUTPUT


def _row(parameter: jax.Array, samples: int) -> jax.Array:
    return jnp.broadcast_to(parameter.astype(jnp.float64), (samples, parameter.shape[0])).ravel()


def _completed(
    first: Callable[[], Any], loop: Callable[..., Any], *lanes: Any, skipped: jax.Array, share: int
) -> jax.Array:
    """Computes all outputs: each by its first proposal if that is accepted, and otherwise in a loop.

    Args:
      first: computes all outputs by their first proposals. It gives nan for those that need more.
      loop: computes outputs from elements of `lanes` and from booleans that say which ones to skip.
      *lanes: arrays with an element for each output.
      skipped: booleans: outputs that are not needed. They may get any value.
      share: at most one of this many outputs is expected to need the loop. So many go through it at once.
    """
    n = skipped.size
    if n <= _TOGETHER:
        return loop(*lanes, skipped)

    def turn(out: Any) -> Any:
        at = jnp.nonzero(out != out, size=max(n // share, _TOGETHER), fill_value=n)[0].astype(np.int32)
        return out.at[at].set(loop(*[lane[jnp.minimum(at, n - 1)] for lane in lanes], at == n), mode="drop")

    return lax.while_loop(lambda out: _any(out != out), turn, jnp.where(skipped, 0, first()))


def _any(x: jax.Array) -> jax.Array:
    """Whether any boolean is true. Computed with floats: XLA for CPUs reduces only them by vector instructions."""
    return jnp.max(x.astype(np.float32), initial=0) > 0


# Gamma numbers.


class _Shape(NamedTuple):
    """The constants of Marsaglia and Tsang's method for a gamma distribution with shape parameter `a`."""

    a: jax.Array
    d: jax.Array
    c: jax.Array

    @classmethod
    def of(cls, a: jax.Array) -> "_Shape":
        d = a + jnp.where(a < 1, 2 / 3, -1 / 3)
        return cls(a, d, 1 / 3 / jnp.sqrt(d))

    def proposal(self, x: jax.Array) -> jax.Array:
        """The proposal for a normal number. If it is negative, it is invalid."""
        root = 1 + self.c * x
        return jnp.where(root > 0, root * root * root, -1)

    def accepts(self, v: jax.Array, x: jax.Array, u: jax.Array) -> jax.Array:
        square = x * x
        return (u < 1 - 0.0331 * square * square) | (log(u) < 0.5 * square + self.d * (1 - v + log(v)))

    def value(self, v: jax.Array, u: jax.Array) -> jax.Array:
        """The gamma number for an accepted proposal.

        If ``a < 1``, the proposal is that of ``a + 1``, and the uniform number `u` is used to scale it down.
        """
        return self.d * v * jnp.where(self.a < 1, jnp.exp(log(u) / self.a), 1)


def _gamma_first(stream: Stream, start: jax.Array, a: jax.Array) -> jax.Array:
    """The outputs whose first proposals are accepted, and nan for the others."""
    shape = _Shape.of(a)
    x = _normals(blocks(stream.at(start)))[1]
    v, words = shape.proposal(x), blocks(stream.at(start + 1))
    fits = (v > 0) & shape.accepts(v, x, double(words[2], words[3]))
    return jnp.where(fits, shape.value(v, double(words[0], words[1])), jnp.nan)


def _gamma_loop(stream: Stream, start: jax.Array, a: jax.Array, done: jax.Array) -> jax.Array:
    shape, less = _Shape.of(a), a < 1

    def turn(carry: Any) -> Any:
        place, done, out = carry
        place, x = place.normal(~done)
        v = shape.proposal(x)
        still = ~done & (v > 0)
        place, u = place.uniform(still)
        fits = still & shape.accepts(v, x, u)
        place, b = place.uniform(fits & less)
        return place, done | fits, jnp.where(fits, shape.value(v, b), out)

    none = _Pairs(jnp.zeros(a.shape, np.int32), *[jnp.zeros(a.shape)] * 2)
    place = _Place(stream, start, none, none)
    return lax.while_loop(lambda carry: ~carry[1].all(), turn, (place, done, jnp.zeros(a.shape)))[2]


def _gamma(stream: Stream, alpha: jax.Array, samples: int) -> jax.Array:
    start, a = _parts(samples, alpha.shape[0]), _row(alpha, samples)

    def exponential() -> jax.Array:
        words = blocks(stream.at(start))
        return jnp.where(a == 1, -log(1 - double(words[2], words[3])), jnp.nan)

    other = ~(a > 0) | (a == 1)
    out = _completed(
        lambda: _gamma_first(stream, start, a), partial(_gamma_loop, stream), start, a, skipped=other, share=16
    )
    nan = jnp.full(a.shape, jnp.nan)
    return jnp.where(other, lax.cond((a == 1).any(), exponential, lambda: nan), out).reshape(samples, alpha.shape[0])


def gamma(stream: Stream, alpha: jax.Array, samples: int) -> jax.Array:
    """Gamma-distributed numbers with scale 1, with a gradient with respect to `alpha` (implicit reparameterisation).

    Args:
      stream: the stream.
      alpha: floating numbers of shape (n,).
      samples: how many numbers to draw for each, an int.

    Returns:
      An array of shape (samples, n) and the dtype of `alpha`.
    """
    found = lax.stop_gradient(_gamma(stream, lax.stop_gradient(alpha), samples).astype(alpha.dtype))
    return _with_slope(jnp.broadcast_to(alpha, found.shape), found)


@jax.custom_jvp
def _with_slope(alpha: jax.Array, sample: jax.Array) -> jax.Array:
    return sample


@_with_slope.defjvp
def _with_slope_jvp(primals: Any, tangents: Any) -> Any:
    alpha, sample = primals
    slope: Any = lax.random_gamma_grad  # its declared signature is wrong
    return sample, slope(alpha, sample) * tangents[0]


# Poisson numbers.


def _count_factors(stream: Stream, start: jax.Array, limit: jax.Array) -> jax.Array:
    """Knuth's method: counts how many uniform numbers can be multiplied before the product falls to a limit.

    Each turn of the loop takes eight numbers. The product and the count are kept in one integer, because XLA would hash
    the blocks again for each array that leaves the loop. The bits of a product between 2**-15 and 1, minus those of
    2**-15, fit into the lower 56 bits. These are 0 when the product has fallen to the limit.

    Args:
      stream: the stream.
      start: where the part of each output begins.
      limit: the limits, each at least 2**-15. For an infinite limit the count is 0.
    """
    u64 = np.uint64
    low, least = u64((1 << 56) - 1), u64((1023 - 15) << 52)

    def turn(carry: Any) -> Any:
        used, state = carry
        product, count = lax.bitcast_convert_type((state & low) + least, np.float64), state >> u64(56)
        for i in range(4):
            words = blocks(stream.at(start + (used + u64(i))))
            for u in (double(words[2], words[3]), double(words[0], words[1])):
                product = product * u
                count = count + (product > limit).astype(u64)
        rest = jnp.where(product > limit, lax.bitcast_convert_type(product, u64) - least, u64(0))
        return used + u64(4), count << u64(56) | rest

    state = jnp.where(limit < 1, u64(15 << 52), u64(0))
    state = lax.while_loop(lambda carry: _any(carry[1] & low != 0), turn, (u64(0), state))[1]
    return (state >> u64(56)).astype(np.float64)


class _Hat(NamedTuple):
    """The constants of Hoermann's method for a Poisson distribution with a rate of at least 10."""

    rate: jax.Array
    a: jax.Array
    b: jax.Array

    @classmethod
    def of(cls, rate: jax.Array) -> "_Hat":
        b = 0.931 + 2.53 * jnp.sqrt(rate)
        return cls(rate, -0.059 + 0.02483 * b, b)

    def proposal(self, words: Words) -> tuple[jax.Array, jax.Array]:
        """The number that a block of the stream proposes, and whether it is accepted."""
        half, v = double(words[2], words[3]) - 0.5, double(words[0], words[1])
        us = 0.5 - jnp.abs(half)
        k = jnp.floor((2 * self.a / us + self.b) * half + self.rate + 0.43)
        quick = (us >= 0.07) & (v <= 0.9277 - 3.6224 / (self.b - 2))
        scaled = v * (1.1239 + 1.1328 / (self.b - 3.4)) / (self.a / (us * us) + self.b)
        slow = (
            (k >= 0) & ~((us < 0.013) & (v > us)) & (log(scaled) <= -self.rate + k * log(self.rate) - log_factorial(k))
        )
        return k, quick | slow


def _poisson_first(stream: Stream, start: jax.Array, rate: jax.Array) -> jax.Array:
    """The outputs whose first proposals are accepted, and nan for the others."""
    k, fits = _Hat.of(rate).proposal(blocks(stream.at(start)))
    return jnp.where(fits, k, jnp.nan)


def _poisson_loop(stream: Stream, start: jax.Array, rate: jax.Array, done: jax.Array) -> jax.Array:
    hat = _Hat.of(rate)

    def turn(carry: Any) -> Any:
        used, done, out = carry
        k, fits = hat.proposal(blocks_in_loop(stream.at(start + used)))
        return used + 1, done | fits, jnp.where(done, out, k)

    return lax.while_loop(lambda carry: ~carry[1].all(), turn, (jnp.uint64(0), done, jnp.zeros(rate.shape)))[2]


def poisson(stream: Stream, rate: jax.Array, samples: int) -> jax.Array:
    """Poisson-distributed numbers.

    Args:
      stream: the stream.
      rate: floating numbers of shape (n,).
      samples: how many numbers to draw for each, an int.

    Returns:
      A float64 array of shape (samples, n). It is nan if a rate is nan or infinite, and 0 if it is negative.
    """
    start, row = _parts(samples, rate.shape[0]), _row(rate, samples)
    good = row < jnp.inf
    small = good & (row < 10)
    counts = _count_factors(stream, start, jnp.where(small, jnp.exp(-row), jnp.inf))
    skipped = small | ~good
    large = lax.cond(
        skipped.all(),
        lambda: counts,
        lambda: _completed(
            lambda: _poisson_first(stream, start, row),
            partial(_poisson_loop, stream),
            start,
            row,
            skipped=skipped,
            share=4,
        ),
    )
    return jnp.where(good, jnp.where(small, counts, large), jnp.nan).reshape(samples, rate.shape[0])
