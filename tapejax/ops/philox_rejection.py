"""Gamma and Poisson numbers with TensorFlow's own bits: rejection samplers on `tapejax.ops.philox` streams.

Each output has a part of the stream to itself, 256 blocks, from which it takes uniform and normal numbers one by one
until a proposal is accepted. All outputs go through one loop together, each with its own place.

References: Marsaglia and Tsang 2000, "A simple method for generating gamma variables"; Knuth, "The Art of Computer
Programming", volume 2; Hoermann 1993, "The transformed rejection method for generating Poisson random variables".
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax.ops.philox import Stream, blocks
from tapejax.ops.philox_draws import box_muller_double, double

__all__ = ["gamma", "poisson"]

_PER_OUTPUT = 256


class _Pairs(NamedTuple):
    """Numbers that come in pairs, the second one first: how many are left, and the pair."""

    left: jax.Array
    first: jax.Array
    second: jax.Array


class _Place(NamedTuple):
    """Where each output is in its part of the stream."""

    base: Stream
    used: jax.Array
    uniforms: _Pairs
    normals: _Pairs

    def _take(self, name: str, wanted: jax.Array) -> tuple["_Place", jax.Array]:
        pairs = getattr(self, name)
        empty = wanted & (pairs.left == 0)
        words = blocks(self.base.at(self.used))
        new = box_muller_double(words) if name == "normals" else (
            double(words[0], words[1]), double(words[2], words[3]))
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


def _start(stream: Stream, samples: int, parameters: int) -> _Place:
    """The places of outputs of shape (samples, parameters); those of one parameter follow each other."""
    number = jnp.arange(parameters, dtype=jnp.uint64) * samples + jnp.arange(samples, dtype=jnp.uint64)[:, None]
    base = stream.at(number * _PER_OUTPUT)
    base = Stream(jnp.broadcast_to(base.key, number.shape), *base[1:])
    none = _Pairs(jnp.zeros(number.shape, np.int32), *[jnp.zeros(number.shape)] * 2)
    return _Place(base, jnp.zeros(number.shape, np.uint64), none, none)


def _gamma(stream: Stream, alpha: jax.Array, samples: int) -> jax.Array:
    a = alpha.astype(jnp.float64)
    less = a < 1
    d = a + jnp.where(less, 2 / 3, -1 / 3)
    c = 1 / 3 / jnp.sqrt(d)
    start = _start(stream, samples, a.shape[0])
    _, u = start.uniform(jnp.ones(start.used.shape, bool))
    exponential = -jnp.log1p(-u)

    def turn(carry: Any) -> Any:
        place, done, out = carry
        place, x = place.normal(~done)
        v = 1 + c * x
        still = ~done & (v > 0)
        v = v * v * v
        place, u = place.uniform(still)
        fits = (u < 1 - 0.0331 * (x * x) * (x * x)) | (jnp.log(u) < 0.5 * x * x + d * (1 - v + jnp.log(v)))
        fits &= still
        place, b = place.uniform(fits & less)
        value = jnp.where(less, jnp.power(b, 1 / a), 1) * d * v
        return place, done | fits, jnp.where(fits, value, out)

    bad = jnp.broadcast_to(~(a > 0), start.used.shape)
    out = lax.while_loop(lambda carry: ~carry[1].all(), turn, (start, bad, jnp.full(bad.shape, jnp.nan, np.float64)))[2]
    return jnp.where(a == 1, exponential, out)


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


def poisson(stream: Stream, rate: jax.Array, samples: int) -> jax.Array:
    """Poisson numbers.

    Args:
      stream: where to start.
      rate: floating, shape (n,).
      samples: how many for each, static.

    Returns:
      float64 array (samples, n).
    """
    rate = rate.astype(jnp.float64)
    small = rate < 10
    limit = jnp.exp(-rate)
    b = 0.931 + 2.53 * jnp.sqrt(rate)
    a = -0.059 + 0.02483 * b
    scale, most = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2)

    def turn(carry: Any) -> Any:
        place, done, out, product = carry
        still = ~done
        # Knuth: count uniform factors until their product falls below exp(-rate).
        place, u = place.uniform(still)
        product = product * u
        knuth = product <= limit
        # Hoermann: transformed rejection.
        place, v = place.uniform(still & ~small)
        half = u - 0.5
        us = 0.5 - jnp.abs(half)
        k = jnp.floor((2 * a / us + b) * half + rate + 0.43)
        quick = (us >= 0.07) & (v <= most)
        slow = (k >= 0) & ~((us < 0.013) & (v > us)) & (
            jnp.log(v * scale / (a / (us * us) + b)) <= -rate + k * jnp.log(rate) - lax.lgamma(k + 1))
        found = jnp.where(small, knuth, quick | slow)
        value = jnp.where(small, out + ~knuth, jnp.where(found, k, out))
        return place, done | found, jnp.where(done, out, value), product

    start = _start(stream, samples, rate.shape[0])
    shape = start.used.shape
    bad = jnp.broadcast_to(~(rate >= 0) | jnp.isinf(rate), shape)  # nan, as TensorFlow gives
    out = lax.while_loop(lambda c: ~c[1].all(), turn, (start, bad, jnp.zeros(shape), jnp.ones(shape)))[2]
    return jnp.where(bad, jnp.nan, out)
