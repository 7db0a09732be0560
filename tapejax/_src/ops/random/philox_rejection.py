"""Gamma and Poisson numbers with TensorFlow's own bits: rejection samplers on `tapejax._src.ops.random.philox` streams.

Each output has a part of the stream to itself, 256 blocks, from which it takes uniform and normal numbers one by one
until a proposal is accepted. What most outputs need, their first proposal, is computed for all of
them in one vectorised pass; the rest are collected and go through a loop, each with its own place. That
takes a tenth of the time of a loop over all.

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
# At least so many outputs go through the loop at once: the first pass saves nothing for fewer.
_TOGETHER: Final = 4096


def _normals(words: Words) -> tuple[jax.Array, jax.Array]:
    radius = jnp.sqrt(-2 * log(jnp.maximum(double(words[0], words[1]), 1e-7)))
    sine, cosine = sincos_turns(double(words[2], words[3]))
    return sine * radius, cosine * radius


class _Pairs(NamedTuple):
    """Numbers that come in pairs, the second one first: how many are left, and the pair."""

    left: jax.Array
    first: jax.Array
    second: jax.Array


class _Place(NamedTuple):
    """Where each output is in its part of the stream, in Philox calls from the start."""

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
        """The next uniform number of the outputs for which `wanted` holds."""
        return self._take("uniforms", wanted)

    def normal(self, wanted: jax.Array) -> tuple["_Place", jax.Array]:
        """The next normal number of the outputs for which `wanted` holds."""
        return self._take("normals", wanted)


def _parts(samples: int, parameters: int) -> jax.Array:
    """Where the parts of outputs (samples, parameters) begin, in one row; those of one parameter follow each other."""
    number = jnp.arange(parameters, dtype=jnp.uint64) * samples + jnp.arange(samples, dtype=jnp.uint64)[:, None]
    return number.ravel() * _PER_OUTPUT


def _row(parameter: jax.Array, samples: int) -> jax.Array:
    return jnp.broadcast_to(parameter.astype(jnp.float64), (samples, parameter.shape[0])).ravel()


def _completed(
    first: Callable[[], Any], loop: Callable[..., Any], *lanes: Any, skipped: jax.Array, share: int
) -> jax.Array:
    """All outputs, or any numbers for those that are skipped.

    Args:
      first: computes them all, or nan for those that take longer.
      loop: computes them from `lanes` and which ones to skip.
      lanes: arrays, an element for each output.
      skipped: booleans.
      share: of how many outputs one takes longer, at most; so many go through `loop` at once.
    """
    n = skipped.size
    if n <= _TOGETHER:
        return loop(*lanes, skipped)

    def turn(out: Any) -> Any:
        at = jnp.nonzero(out != out, size=max(n // share, _TOGETHER), fill_value=n)[0].astype(np.int32)
        return out.at[at].set(loop(*[lane[jnp.minimum(at, n - 1)] for lane in lanes], at == n), mode="drop")

    return lax.while_loop(lambda out: _any(out != out), turn, jnp.where(skipped, 0, first()))


def _any(x: jax.Array) -> jax.Array:
    """Whether one of many holds. XLA's CPU kernels reduce only floats by vector instructions."""
    return jnp.max(x.astype(np.float32), initial=0) > 0


# Gamma numbers.


class _Shape(NamedTuple):
    """Marsaglia and Tsang's numbers of a gamma distribution."""

    a: jax.Array
    d: jax.Array
    c: jax.Array

    @classmethod
    def of(cls, a: jax.Array) -> "_Shape":
        d = a + jnp.where(a < 1, 2 / 3, -1 / 3)
        return cls(a, d, 1 / 3 / jnp.sqrt(d))

    def proposal(self, x: jax.Array) -> jax.Array:
        """For a normal number; invalid below 0."""
        root = 1 + self.c * x
        return jnp.where(root > 0, root * root * root, -1)

    def accepts(self, v: jax.Array, x: jax.Array, u: jax.Array) -> jax.Array:
        square = x * x
        return (u < 1 - 0.0331 * square * square) | (log(u) < 0.5 * square + self.d * (1 - v + log(v)))

    def value(self, v: jax.Array, u: jax.Array) -> jax.Array:
        """What comes of an accepted proposal. Below 1, that of ``a + 1`` is shrunk by another uniform number."""
        return self.d * v * jnp.where(self.a < 1, jnp.exp(log(u) / self.a), 1)


def _gamma_first(stream: Stream, start: jax.Array, a: jax.Array) -> jax.Array:
    """The first proposals if they are accepted, else nan."""
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
    """Gamma numbers with scale 1, with a gradient by `alpha` (implicit reparameterisation).

    Args:
      stream: where to start.
      alpha: floating, shape (n,).
      samples: how many for each, static.

    Returns:
      Array (samples, n) of the dtype of `alpha`.
    """
    found = lax.stop_gradient(_gamma(stream, lax.stop_gradient(alpha), samples).astype(alpha.dtype))
    return _with_slope(jnp.broadcast_to(alpha, found.shape), found)


@jax.custom_jvp
def _with_slope(alpha: jax.Array, sample: jax.Array) -> jax.Array:
    return sample


@_with_slope.defjvp
def _with_slope_jvp(primals: Any, tangents: Any) -> Any:
    alpha, sample = primals
    slope: Any = lax.random_gamma_grad  # its declared signature is another
    return sample, slope(alpha, sample) * tangents[0]


# Poisson numbers.


def _count_factors(stream: Stream, start: jax.Array, limit: jax.Array) -> jax.Array:
    """Knuth: how many uniform factors keep a product above a limit of at least 2**-15; 0 where that is infinite.

    A turn takes eight factors. Product and count travel in one integer: XLA would hash the blocks again for each
    array that comes out. A product between 2**-15 and 1 has 56 bits that are not the same for all; 0 is the end.
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
    """Hoermann's numbers of a Poisson distribution with a rate of 10 or more."""

    rate: jax.Array
    a: jax.Array
    b: jax.Array

    @classmethod
    def of(cls, rate: jax.Array) -> "_Hat":
        b = 0.931 + 2.53 * jnp.sqrt(rate)
        return cls(rate, -0.059 + 0.02483 * b, b)

    def proposal(self, words: Words) -> tuple[jax.Array, jax.Array]:
        """A number, and whether it is accepted."""
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
    """The first proposals if they are accepted, else nan."""
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
    """Poisson numbers.

    Args:
      stream: where to start.
      rate: floating, shape (n,).
      samples: how many for each, static.

    Returns:
      float64 array (samples, n); nan for a rate that is not a number or infinite, 0 for a negative one.
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
