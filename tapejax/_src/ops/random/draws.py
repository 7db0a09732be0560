"""`tf.random`: random numbers that are TensorFlow's own for a given seed.

Seeds are inputs of the compiled programs, so a new seed compiles nothing.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import convert, dtypes
from tapejax._src.core.checks import invalid, invalid_value
from tapejax._src.core.public import public
from tapejax._src.core.tensor import from_value
from tapejax._src.engine import stream
from tapejax._src.engine.aval import scalar_kind
from tapejax._src.engine.op import Op, static
from tapejax._src.ops.random import philox, philox_draws
from tapejax._src.ops.random.philox_seeds import GraphSeeds, SeedState, categorical_calls, draw_calls, shuffle_calls
from tapejax._src.ops.registry import static_shape as as_shape

__all__ = [
    "categorical", "dropout", "dropped", "normal", "rate_of", "set_seed", "shape_of_noise", "shuffle",
    "stateless_normal", "stateless_truncated_normal", "stateless_uniform", "truncated_normal", "uniform",
]  # fmt: skip

_I64 = scalar_kind(np.dtype(np.int64))
_F32 = np.dtype(np.float32)
_seeds = SeedState()
DRAWS = {
    "normal": philox_draws.normal,
    "truncated_normal": philox_draws.truncated_normal,
    "uniform": philox_draws.uniform,
}


@public("random.set_seed")
def set_seed(seed: Any) -> None:
    """Sets the global seed. From here on, random ops draw TensorFlow's numbers for that seed.

    Args:
      seed: an integer, or None for unpredictable numbers.

    Raises:
      TypeError: `seed` is neither an integer nor None.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/set_seed

    >>> set_seed(1)
    >>> a = uniform([2]).numpy()
    >>> set_seed(1)
    >>> bool((uniform([2]).numpy() == a).all())
    True
    """
    _seeds.set_seed(seed)


def epoch() -> int:
    """How often the global seed has been set. When this changes, captured random ops start over."""
    return _seeds.epoch


def seeds_of(trace: Any) -> Any:
    """The object that gives seeds to random ops recorded in `trace`: the captured graph's own, or the global one."""
    if not trace.symbolic:
        return _seeds
    if trace.seeds is None:
        trace.seeds = GraphSeeds(_seeds.seed)
    return trace.seeds


def seed_inputs(kernel: str, dtype: Any, seed: Any, calls: int) -> tuple:
    """The inputs that tell a random op which numbers to draw.

    Args:
      kernel: the name of TensorFlow's kernel. Kernels of the same name, dtype and seeds continue one sequence.
      dtype: the dtype of the kernel.
      seed: the op's own seed, or None.
      calls: how many calls of the random generator the op uses.

    Returns:
      Three int64 numbers as inputs of a program: the pair of seeds, and how many calls of the sequence are used
      already.
    """
    seed = None if seed is None else int(seed)
    trace = stream.current()
    if trace.symbolic:
        pair = seeds_of(trace).next_pair(seed)
        trace.draws.append((len(trace.scalars) + 2, calls))
        return (pair[0], _I64), (pair[1], _I64), (0, _I64)
    pair = _seeds.next_pair(seed)
    skip = 0 if seed is None else _seeds.reserve((kernel, str(dtype), *pair), calls)
    return (pair[0], _I64), (pair[1], _I64), (skip, _I64)


def _draw(first: Any, second: Any, skip: Any, *bounds: Any, kind: str, shape: tuple, dtype: Any) -> Any:
    return DRAWS[kind](philox.stateful_stream(first, second, skip), shape, dtype, *bounds)


def _draw_int(first: Any, second: Any, skip: Any, low: Any, high: Any, *, shape: tuple, dtype: Any) -> Any:
    return philox_draws.uniform_int(philox.stateful_stream(first, second, skip), shape, low, high, dtype)


def draw_from(start: Any, *bounds: Any, kind: str, shape: tuple, dtype: Any) -> Any:
    """Draws numbers from a Philox stream.

    Args:
      start: the stream.
      *bounds: two numbers: mean and standard deviation, or the bounds.
      kind: the name of a distribution in `DRAWS`; "int" for integers between bounds; "full" for integers over their
        whole type.
      shape: the shape of the result.
      dtype: the dtype of the result.
    """
    if kind == "full":
        return philox.uniform_full_int(start, shape, dtype)
    if kind == "int":
        low, high = bounds
        return philox_draws.uniform_int(start, shape, low, high, dtype)
    return DRAWS[kind](start, shape, dtype, *bounds)


def _stateless(seed: Any, *bounds: Any, **how: Any) -> Any:
    return draw_from(philox.stateless_stream(seed), *bounds, **how)


def _shuffle(first: Any, second: Any, skip: Any, value: Any) -> Any:
    return value[philox_draws.permutation(philox.stateful_stream(first, second, skip), value.shape[0])]


def _categorical(first: Any, second: Any, skip: Any, logits: Any, *, num_samples: int, dtype: Any) -> Any:
    return philox_draws.categorical(philox.stateful_stream(first, second, skip), logits, num_samples, dtype)


def dropped(x: Any, rate: Any, noise: Any) -> Any:
    """Dropout: `x` with zeros where `noise` is below `rate`, and scaled up elsewhere. A function of JAX arrays."""
    rate = rate.astype(x.dtype)
    return jnp.where(noise >= rate, x * (1 / (1 - rate)), jnp.zeros((), x.dtype))


def _dropout(first: Any, second: Any, skip: Any, x: Any, rate: Any, *, shape: tuple) -> Any:
    return dropped(x, rate, philox_draws.uniform(philox.stateful_stream(first, second, skip), shape, x.dtype))


_draw_op = Op("random", _draw)
_draw_int_op = Op("RandomUniformInt", _draw_int, differentiable=False)
_stateless_op = Op("stateless_random", _stateless)
_shuffle_op = Op("RandomShuffle", _shuffle)
_categorical_op = Op("Multinomial", _categorical, differentiable=False)
_dropout_op = Op("dropout", _dropout)


def bounds_of(dtype: np.dtype, first: Any, second: Any, default: tuple) -> tuple:
    """Two numbers or tensors as inputs of an op. Nothing if they are the defaults, so that the op need not use them."""
    if type(first) in (int, float) and type(second) in (int, float) and (first, second) == default:
        return ()
    return tuple(
        convert.number(v, dtype) if type(v) in (int, float) else convert.to_tensor(v, None, dtype)
        for v in (first, second)
    )


def float_dtype(dtype: Any) -> np.dtype:
    found = dtypes.to_numpy(dtype)
    if found.kind not in "fV":
        raise invalid(
            f"Value for attr 'dtype' of {found.name} is not in the list of allowed values: half, bfloat16, "
            "float, double"
        )
    return found


@public("random.normal")
def normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = _F32, seed: Any = None, name: Any = None
) -> Any:
    """Normally distributed numbers.

    Args:
      shape: integers.
      mean: the mean, a number or a tensor that broadcasts with `shape`.
      stddev: the standard deviation, a number or a tensor that broadcasts with `shape`.
      dtype: a floating `DType`.
      seed: an integer, the op's own seed.
      name: has no effect, as in eager TensorFlow.

    Raises:
      InvalidArgumentError: `dtype` is not floating.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/normal

    >>> set_seed(42)
    >>> [round(float(v), 4) for v in normal([2]).numpy()]
    [0.3275, -0.8426]
    """
    return _random("normal", shape, mean, stddev, (0, 1), dtype, seed)


def _random(kind: str, shape: Any, first: Any, second: Any, default: tuple, dtype: Any, seed: Any) -> Any:
    wanted, dims = float_dtype(dtype), as_shape(shape)
    seeds = seed_inputs(kind, wanted, seed, draw_calls(math.prod(dims)))
    bounds = bounds_of(wanted, first, second, default)
    return stream.record(_draw_op, static(kind=kind, shape=dims, dtype=wanted), (*seeds, *bounds))


@public("random.truncated_normal")
def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = _F32, seed: Any = None, name: Any = None
) -> Any:
    """Normally distributed numbers within two standard deviations of the mean. Others are drawn again.

    Takes the arguments of `normal` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/truncated_normal

    >>> bool(abs(truncated_normal([100]).numpy()).max() < 2)
    True
    """
    return _random("truncated_normal", shape, mean, stddev, (0, 1), dtype, seed)


def int_bounds(minval: Any, maxval: Any, dtype: np.dtype) -> tuple:
    if type(minval) is int and type(maxval) is int and minval >= maxval:
        raise invalid_value(f"Need minval < maxval, got {minval} >= {maxval}")
    return tuple(
        convert.number(v, dtype) if type(v) is int else convert.to_tensor(v, None, dtype) for v in (minval, maxval)
    )


@public("random.uniform")
def uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = _F32, seed: Any = None, name: Any = None
) -> Any:
    """Uniformly distributed numbers in ``[minval, maxval)``.

    Args:
      shape: integers.
      minval: the lower bound, a number or a tensor.
      maxval: the upper bound, a number or a tensor. By default it is 1; integers need one.
      dtype: a floating `DType`, int32 or int64.
      seed: an integer, the op's own seed.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `dtype` is another one, or there is no `maxval` for integers.
      InvalidArgumentError: the range of integers is empty.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/uniform

    >>> bool((uniform([100], 1, 7, dtype="int32").numpy() < 7).all())
    True
    """
    wanted = dtypes.to_numpy(dtype)
    if wanted.kind in "fV":
        return _random("uniform", shape, minval, 1 if maxval is None else maxval, (0, 1), wanted, seed)
    if wanted not in (np.int32, np.int64):
        raise ValueError(
            f"Argument `dtype` got invalid value {dtype}. Accepted dtypes are float16, bfloat16, float32, "
            "float64, int32 and int64."
        )
    if maxval is None:
        raise ValueError("Must specify maxval for integer dtype " + str(dtype))
    dims, bounds = as_shape(shape), int_bounds(minval, maxval, wanted)
    seeds = seed_inputs("uniform", wanted, seed, draw_calls(math.prod(dims)))
    return stream.record(_draw_int_op, static(shape=dims, dtype=wanted), (*seeds, *bounds))


def seed_tensor(seed: Any) -> Any:
    # A host array that enters a program marks the next turn of a training loop (see `engine.policy`). A seed of two
    # numbers is not a batch of data, so it is made a tensor in a way that does not count.
    tensor = (
        from_value(np.array(seed))
        if isinstance(seed, (list, tuple, np.ndarray)) and all(isinstance(s, (int, np.integer)) for s in seed)
        else convert.to_tensor(seed)
    )
    if tensor.aval.shape != (2,) or tensor.aval.dtype.kind not in "iu":
        raise invalid(f"seed must have shape [2] and integers, not {tensor.shape} {tensor.dtype.name}")
    return tensor


@public("random.stateless_normal")
def stateless_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = _F32,
    name: Any = None,
    alg: str = "auto_select",
) -> Any:
    """Normally distributed numbers that depend on nothing but the arguments.

    Args:
      shape: integers.
      seed: two integers.
      mean: the mean, a number or a tensor that broadcasts with `shape`.
      stddev: the standard deviation, a number or a tensor that broadcasts with `shape`.
      dtype: a floating `DType`.
      name: has no effect, as in eager TensorFlow.
      alg: "auto_select" or "philox".

    Raises:
      InvalidArgumentError: `seed` does not consist of two integers, or `dtype` is not floating.
      ValueError: `alg` is unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/stateless_normal

    >>> [round(float(v), 4) for v in stateless_normal([2], [1, 2]).numpy()]
    [0.5441, 0.2074]
    """
    return _stateless_draw("normal", shape, seed, mean, stddev, dtype, alg)


@public("random.stateless_truncated_normal")
def stateless_truncated_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = _F32,
    name: Any = None,
    alg: str = "auto_select",
) -> Any:
    """Normally distributed numbers within two standard deviations that depend on nothing but the arguments.

    Takes the arguments of `stateless_normal` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/stateless_truncated_normal

    >>> stateless_truncated_normal([2, 3], [1, 2]).shape
    TensorShape([2, 3])
    """
    return _stateless_draw("truncated_normal", shape, seed, mean, stddev, dtype, alg)


@public("random.stateless_uniform")
def stateless_uniform(
    shape: Any,
    seed: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = _F32,
    name: Any = None,
    alg: str = "auto_select",
) -> Any:
    """Uniformly distributed numbers in ``[minval, maxval)`` that depend on nothing but the arguments.

    Args:
      shape: integers.
      seed: two integers.
      minval: the lower bound, a number or a tensor. If both bounds are None, integers are drawn from their whole type.
      maxval: the upper bound, a number or a tensor. By default it is 1 for floats.
      dtype: a floating `DType`, int32 or int64. Without bounds also uint32 or uint64.
      name: has no effect, as in eager TensorFlow.
      alg: "auto_select" or "philox".

    Raises:
      ValueError: only one bound is None for integers, or `alg` is unknown.
      InvalidArgumentError: `seed` does not consist of two integers, or the range of integers is empty.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/stateless_uniform

    >>> stateless_uniform([3], [1, 2], minval=1, maxval=100, dtype="int32").numpy().tolist()
    [38, 39, 46]
    """
    wanted = dtypes.to_numpy(dtype)
    if wanted.kind in "fV":
        return _stateless_draw("uniform", shape, seed, minval, 1 if maxval is None else maxval, wanted, alg)
    check_algorithm(alg)
    kind = "full" if minval is None and maxval is None else "int"
    if kind == "int" and (minval is None or maxval is None):
        raise ValueError(
            f"For integer `dtype` argument {dtype}, argument `minval` and `maxval` must be both None or "
            f"not None. Got `minval`={minval} and `maxval`={maxval}."
        )
    bounds = () if kind == "full" else int_bounds(minval, maxval, wanted)
    return stream.record(
        _stateless_op, static(kind=kind, shape=as_shape(shape), dtype=wanted), (seed_tensor(seed), *bounds)
    )


def check_algorithm(alg: Any) -> None:
    if alg not in ("auto_select", "philox"):
        raise ValueError(f"`alg` must be 'auto_select' or 'philox', got alg={alg!r}")


def _stateless_draw(kind: str, shape: Any, seed: Any, first: Any, second: Any, dtype: Any, alg: Any) -> Any:
    check_algorithm(alg)
    wanted = float_dtype(dtype)
    bounds = bounds_of(wanted, first, second, (0, 1))
    return stream.record(
        _stateless_op, static(kind=kind, shape=as_shape(shape), dtype=wanted), (seed_tensor(seed), *bounds)
    )


@public("random.shuffle")
def shuffle(value: Any, seed: Any = None, name: Any = None) -> Any:
    """The rows of a tensor in random order.

    Args:
      value: a tensor. A scalar is returned as it is.
      seed: an integer, the op's own seed.
      name: has no effect, as in eager TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/shuffle

    >>> sorted(shuffle([3, 1, 2]).numpy().tolist())
    [1, 2, 3]
    """
    tensor = convert.to_tensor(value)
    if not tensor.aval.shape:
        return tensor
    seeds = seed_inputs("shuffle", "", seed, shuffle_calls(tensor.aval.shape[0]))
    return stream.record(_shuffle_op, static(), (*seeds, tensor))


@public("random.categorical")
def categorical(logits: Any, num_samples: Any, dtype: Any = None, seed: Any = None, name: Any = None) -> Any:
    """Draws classes according to unnormalised log-probabilities.

    Args:
      logits: floating numbers of shape [batch, classes].
      num_samples: how many classes to draw for each row, an integer, which is read.
      dtype: int32 or int64 (the default).
      seed: an integer, the op's own seed.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [batch, num_samples].

    Raises:
      InvalidArgumentError: `logits` is not a matrix.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/categorical

    >>> categorical([[0.0, float("-inf")]], 3).numpy().tolist()
    [[0, 0, 0]]
    """
    tensor = convert.to_tensor(logits)
    if tensor.ndim != 2:
        raise invalid(f"logits should be a matrix, got shape {tensor.shape}")
    count = int(num_samples)
    seeds = seed_inputs("categorical", "", seed, categorical_calls(tensor.aval.shape[0], count))
    wanted = np.dtype(np.int64) if dtype is None else dtypes.to_numpy(dtype)
    return stream.record(_categorical_op, static(num_samples=count, dtype=wanted), (*seeds, tensor))


def dropout(x: Any, rate: Any, noise_shape: Sequence[Any] | None, seed: Any) -> Any:
    """The implementation of `tf.nn.dropout`, which documents the arguments."""
    tensor = convert.to_tensor(x)
    level = rate_of(tensor, rate)
    if level is None:
        return tensor
    shape = shape_of_noise(noise_shape, tensor.aval.shape)
    seeds = seed_inputs("uniform", tensor.aval.dtype, seed, draw_calls(math.prod(shape)))
    return stream.record(_dropout_op, static(shape=shape), (*seeds, tensor, level))


def rate_of(tensor: Any, rate: Any) -> Any:
    """The rate of a dropout as an input of a program. None if it is 0.

    Args:
      tensor: the tensor that is dropped out.
      rate: a number in [0, 1), or a scalar tensor.

    Raises:
      ValueError: `tensor` is not floating, or `rate` is out of range.
    """
    if tensor.aval.dtype.kind not in "fV":
        raise ValueError(
            f"`x.dtype` must be a floating point tensor as `x` will be scaled. Received: x.dtype={tensor.dtype}"
        )
    if not isinstance(rate, (int, float)):
        return convert.to_tensor(rate)
    if not 0 <= rate < 1:
        raise ValueError(f"`rate` must be a scalar tensor or a float in the range [0, 1). Received: rate={rate}")
    return (float(rate), scalar_kind(tensor.aval.dtype)) if rate else None


def shape_of_noise(noise_shape: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the noise of a dropout.

    Args:
      noise_shape: None, or one int for each axis of the input. An entry that is None stands for the input's size.
      shape: the shape of the input.

    Raises:
      ValueError: `noise_shape` and `shape` differ in length.
    """
    if noise_shape is None:
        return shape
    dims = noise_shape if isinstance(noise_shape, (list, tuple)) else as_shape(noise_shape)
    if len(dims) != len(shape):
        raise ValueError(f"`noise_shape` {tuple(dims)} must have as many axes as `x`, shape {shape}")
    return tuple(n if d is None else int(d) for d, n in zip(dims, shape, strict=True))


_fold_op = Op("stateless_seed", lambda seed, *, modulus: jnp.mod(seed, modulus).astype(jnp.int32), differentiable=False)
_stateless_dropout_op = Op(
    "dropout",
    lambda x, seed, rate, *, shape: dropped(
        x, rate, philox_draws.uniform(philox.stateless_stream(seed), shape, x.dtype)
    ),
)


def stateless_seed(seed: Any, modulus: int) -> Any:
    """An int64 seed of two numbers as an int32 seed: each number modulo `modulus`. Keras makes seeds in this way."""
    return stream.record(_fold_op, static(modulus=modulus), (seed,))


def stateless_dropout(x: Any, rate: float, seed: Any, noise_shape: Any = None) -> Any:
    """`tf.nn.experimental.stateless_dropout` of a tensor for a rate that is a Python number above 0 and below 1."""
    shape = shape_of_noise(noise_shape, x.aval.shape)
    level = (float(rate), scalar_kind(x.aval.dtype))
    return stream.record(_stateless_dropout_op, static(shape=shape), (x, seed, level))
