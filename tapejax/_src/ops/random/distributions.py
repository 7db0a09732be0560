"""`tf.random`: seeds made from seeds, and numbers of distributions with parameters: gamma, Poisson, categorical."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import convert, dtypes
from tapejax._src.core.checks import invalid
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.engine import stream
from tapejax._src.engine.op import Op, static
from tapejax._src.ops.random import philox, philox_draws, philox_rejection
from tapejax._src.ops.random.draws import (
    check_algorithm,
    dropped,
    rate_of,
    seed_inputs,
    seed_tensor,
    shape_of_noise,
    stateless_uniform,
)
from tapejax._src.ops.random.philox_seeds import draw_calls
from tapejax._src.ops.registry import static_shape as as_shape

__all__ = ["fold_in", "gamma", "poisson", "split", "stateless_categorical", "stateless_dropout", "stateless_gamma",
           "stateless_poisson", "stateless_shuffle"]  # fmt: skip


def _scaled(start: Any, alpha: Any, beta: Any, shape: tuple, dtype: Any) -> Any:
    """Gamma-distributed numbers of the shape `shape`, which ends with the broadcast shape of `alpha` and `beta`."""
    own = np.broadcast_shapes(alpha.shape, beta.shape)
    flat = jnp.broadcast_to(alpha, own).astype(dtype).ravel()
    drawn = philox_rejection.gamma(start, flat, math.prod(shape[: len(shape) - len(own)])).reshape(shape)
    return jnp.maximum(np.finfo(np.float32).tiny if dtype.kind == "V" else np.finfo(dtype).tiny, drawn / beta)


def _counted(start: Any, rate: Any, shape: tuple, dtype: Any) -> Any:
    samples = math.prod(shape[: len(shape) - rate.ndim])
    return philox_rejection.poisson(start, rate.ravel(), samples).reshape(shape).astype(dtype)


_gamma_op = Op(
    "RandomGamma",
    lambda a, b, skip, alpha, beta, *, shape, dtype: _scaled(
        philox.stateful_stream(a, b, skip), alpha, beta, shape, dtype
    ),
)
_stateless_gamma_op = Op(
    "StatelessRandomGamma",
    lambda seed, alpha, beta, *, shape, dtype: _scaled(philox.stateless_stream(seed), alpha, beta, shape, dtype),
)
_poisson_op = Op(
    "RandomPoisson",
    lambda a, b, skip, rate, *, shape, dtype: _counted(philox.stateful_stream(a, b, skip), rate, shape, dtype),
    differentiable=False,
)
_stateless_poisson_op = Op(
    "StatelessRandomPoisson",
    lambda seed, rate, *, shape, dtype: _counted(philox.stateless_stream(seed), rate, shape, dtype),
    differentiable=False,
)
_split_op = Op("StatelessSplit", lambda seed, *, num: philox.split(seed, num), differentiable=False)
_fold_op = Op("StatelessFoldIn", lambda seed, data: philox.fold_in(seed, data), differentiable=False)
_shuffle_op = Op(
    "StatelessShuffle",
    lambda value, seed: value[philox_draws.permutation(philox.stateless_stream(seed), value.shape[0])],
)
_categorical_op = Op(
    "StatelessMultinomial",
    lambda logits, seed, *, num, dtype: philox_draws.categorical(philox.stateless_stream(seed), logits, num, dtype),
    differentiable=False,
)


def _parameters(alpha: Any, beta: Any, dtype: Any) -> tuple[Tensor, Tensor, np.dtype]:
    wanted = dtypes.to_numpy(dtype)
    if wanted not in (np.float16, np.float32, np.float64):
        raise invalid(f"Value for attr 'T' of {wanted.name} is not in the list of allowed values: half, float, double")
    return (convert.to_tensor(alpha, wanted), convert.to_tensor(1 if beta is None else beta, wanted), wanted)


@public("random.gamma")
def gamma(
    shape: Any, alpha: Any, beta: Any = None, dtype: Any = dtypes.float32, seed: Any = None, name: str | None = None
) -> Tensor:
    """Gamma-distributed numbers. They have gradients with respect to the parameters.

    Args:
      shape: how many numbers to draw for each pair of parameters: integers.
      alpha: the shape parameters, a tensor of numbers > 0.
      beta: the inverse scales, a tensor that broadcasts with `alpha`. 1 by default.
      dtype: float16, float32 or float64.
      seed: an integer, the op's own seed.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape ``shape + broadcast(alpha, beta)``.

    Raises:
      InvalidArgumentError: `dtype` is another one.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/gamma

    >>> gamma([2], [1.0, 5.0]).shape
    TensorShape([2, 2])
    """
    a, b, wanted = _parameters(alpha, beta, dtype)
    full = as_shape(shape) + np.broadcast_shapes(a.aval.shape, b.aval.shape)
    seeds = seed_inputs("gamma", wanted, seed, draw_calls(math.prod(full)))
    return stream.record(_gamma_op, static(shape=full, dtype=wanted), (*seeds, a, b))


@public("random.stateless_gamma")
def stateless_gamma(
    shape: Any, seed: Any, alpha: Any, beta: Any = None, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """Gamma-distributed numbers that depend on nothing but the arguments.

    Args:
      shape: the shape of the result. It ends with the broadcast shape of the parameters.
      seed: two integers.
      alpha: the shape parameters, a tensor of numbers > 0.
      beta: the inverse scales, a tensor that broadcasts with `alpha`. 1 by default.
      dtype: float16, float32 or float64.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `shape` ends otherwise, or `seed` does not consist of two integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/stateless_gamma

    >>> stateless_gamma([3], [1, 2], 2.0).shape
    TensorShape([3])
    """
    a, b, wanted = _parameters(alpha, beta, dtype)
    full, own = as_shape(shape), np.broadcast_shapes(a.aval.shape, b.aval.shape)
    _check_end(full, own)
    return stream.record(_stateless_gamma_op, static(shape=full, dtype=wanted), (seed_tensor(seed), a, b))


def _check_end(shape: tuple, own: tuple) -> None:
    if shape[len(shape) - len(own) :] != own:
        raise invalid(f"Shape passed in must end with broadcasted shape. Shape {shape}, parameters {own}")


@public("random.poisson")
def poisson(shape: Any, lam: Any, dtype: Any = dtypes.float32, seed: Any = None, name: str | None = None) -> Tensor:
    """Poisson-distributed numbers.

    Args:
      shape: how many numbers to draw for each rate: integers.
      lam: the rates, a tensor of numbers >= 0.
      dtype: a floating `DType`, int32 or int64.
      seed: an integer, the op's own seed.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape ``shape + lam.shape``.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/poisson

    >>> poisson([2], [1.0, 5.0]).shape
    TensorShape([2, 2])
    """
    rate, wanted = convert.to_tensor(lam), dtypes.to_numpy(dtype)
    full = as_shape(shape) + rate.aval.shape
    seeds = seed_inputs("poisson", wanted, seed, draw_calls(math.prod(full)))
    return stream.record(_poisson_op, static(shape=full, dtype=wanted), (*seeds, rate))


@public("random.stateless_poisson")
def stateless_poisson(shape: Any, seed: Any, lam: Any, dtype: Any = dtypes.int32, name: str | None = None) -> Tensor:
    """Poisson-distributed numbers that depend on nothing but the arguments.

    Args:
      shape: the shape of the result. It ends with the shape of the rates.
      seed: two integers.
      lam: the rates, a tensor of numbers >= 0.
      dtype: a floating `DType`, int32 or int64.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `shape` ends otherwise, or `seed` does not consist of two integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/stateless_poisson

    >>> stateless_poisson([3], [1, 2], 2.0).dtype
    tf.int32
    """
    full, rate = as_shape(shape), convert.to_tensor(lam)
    _check_end(full, rate.aval.shape)
    kept = static(shape=full, dtype=dtypes.to_numpy(dtype))
    return stream.record(_stateless_poisson_op, kept, (seed_tensor(seed), rate))


@public("random.split", "random.experimental.stateless_split")
def split(seed: Any, num: int = 2, alg: str = "auto_select") -> Tensor:
    """Makes new seeds for stateless ops from one seed.

    Args:
      seed: two integers.
      num: how many seeds to make.
      alg: "auto_select" or "philox".

    Returns:
      Integers of shape (num, 2).

    Raises:
      InvalidArgumentError: `seed` does not consist of two integers.
      ValueError: `alg` is unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/split

    >>> split([1, 2]).numpy().tolist()
    [[1105988140, 1738052849], [-335576002, 370444179]]
    """
    check_algorithm(alg)
    return stream.record(_split_op, static(num=int(num)), (seed_tensor(convert.to_tensor(seed)),))


@public("random.fold_in", "random.experimental.stateless_fold_in")
def fold_in(seed: Any, data: Any, alg: str = "auto_select") -> Tensor:
    """Makes a new seed for stateless ops from a seed and an integer.

    Args:
      seed: two integers.
      data: a scalar of int32 or int64.
      alg: "auto_select" or "philox".

    Returns:
      Integers of shape (2,).

    Raises:
      InvalidArgumentError: `seed` does not consist of two integers.
      ValueError: `alg` is unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/fold_in

    >>> fold_in([1, 2], 5).numpy().tolist()
    [1105988140, 5]
    """
    check_algorithm(alg)
    return stream.record(_fold_op, static(), (seed_tensor(seed), convert.to_tensor(data)))


@public("random.experimental.stateless_shuffle")
def stateless_shuffle(value: Any, seed: Any, alg: str = "auto_select", name: str | None = None) -> Tensor:
    """The rows of a tensor in an order that depends on nothing but the arguments.

    Args:
      value: a tensor of at least one axis.
      seed: two integers.
      alg: "auto_select" or "philox".
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `seed` does not consist of two integers.
      ValueError: `alg` is unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/experimental/stateless_shuffle

    >>> stateless_shuffle([1, 2, 3, 4, 5], [1, 2]).numpy().tolist()
    [1, 3, 2, 5, 4]
    """
    check_algorithm(alg)
    return stream.record(_shuffle_op, static(), (convert.to_tensor(value), seed_tensor(seed)))


@public("random.stateless_categorical")
def stateless_categorical(
    logits: Any, num_samples: Any, seed: Any, dtype: Any = dtypes.int64, name: str | None = None
) -> Tensor:
    """Draws classes according to unnormalised log-probabilities. They depend on nothing but the arguments.

    Args:
      logits: floating numbers of shape (batch, classes).
      num_samples: how many classes to draw for each row, an integer, which is read.
      seed: two integers.
      dtype: int32 or int64.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape (batch, num_samples).

    Raises:
      InvalidArgumentError: `logits` is not a matrix, or `seed` does not consist of two integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/stateless_categorical

    >>> stateless_categorical([[0.0, 1.0, 2.0]], 4, [1, 2]).numpy().tolist()
    [[2, 2, 1, 2]]
    """
    t = convert.to_tensor(logits)
    if t.ndim != 2:
        raise invalid(f"logits should be a matrix, got shape {t.shape}")
    kept = static(num=int(num_samples), dtype=dtypes.to_numpy(dtype))
    return stream.record(_categorical_op, kept, (t, seed_tensor(seed)))


_drop_op = Op("stateless_dropout", dropped)


@public("nn.experimental.stateless_dropout")
def stateless_dropout(
    x: Any, rate: Any, seed: Any, rng_alg: Any = None, noise_shape: Any = None, name: str | None = None
) -> Tensor:
    """Sets elements to zero with a probability, and scales up the others. Depends on nothing but the arguments.

    Args:
      x: floating numbers.
      rate: the probability, a number in [0, 1) or a scalar tensor.
      seed: two integers.
      rng_alg: "auto_select" or "philox", the default.
      noise_shape: the shape of the choices, which are broadcast to the shape of `x`. By default each element has its
        own.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `x` is not floating, `rate` is out of range, or `rng_alg` is unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/experimental/stateless_dropout

    >>> import tapejax as tf
    >>> tf.nn.experimental.stateless_dropout(tf.ones([4]), 0.5, [1, 2]).numpy().tolist()
    [2.0, 0.0, 2.0, 0.0]
    """
    tensor = convert.to_tensor(x)
    level = rate_of(tensor, rate)
    if level is None:
        return tensor
    noise = stateless_uniform(
        shape_of_noise(noise_shape, tensor.aval.shape),
        seed,
        dtype=tensor.dtype,
        alg="auto_select" if rng_alg is None else rng_alg,
    )
    return stream.record(_drop_op, static(), (tensor, level, noise))
