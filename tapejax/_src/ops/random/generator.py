"""`tf.random.Generator`: random numbers from a state that the object holds; TensorFlow's own for a given seed."""

import enum
import math
import secrets
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import convert, dtypes
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.core.variable import Variable
from tapejax._src.engine import stream
from tapejax._src.engine.op import Op, static
from tapejax._src.ops.array.joining import stack
from tapejax._src.ops.random import philox
from tapejax._src.ops.random.draws import bounds_of, draw_from, float_dtype, int_bounds
from tapejax._src.ops.random.philox_seeds import generator_state
from tapejax._src.ops.registry import static_shape as as_shape

__all__ = ["Algorithm", "Generator", "create_rng_state", "get_global_generator", "set_global_generator"]

_I64 = np.dtype(np.int64)


class Algorithm(enum.Enum):
    """The algorithms that make random bits. tapejax has Philox, which TensorFlow selects on CPUs and GPUs.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/Algorithm

    >>> Algorithm.PHILOX.value
    1
    """

    PHILOX = 1
    THREEFRY = 2
    AUTO_SELECT = 3


def _check(alg: Any) -> None:
    name = alg.name.lower() if isinstance(alg, Algorithm) else alg
    name = {1: "philox", 3: "auto_select", None: "philox"}.get(name, name) if not isinstance(name, str) else name
    if name not in ("philox", "auto_select"):
        raise ValueError(f"Argument `alg` got unsupported value {alg}. Supported values are philox and auto_select.")


@public("random.create_rng_state", "random.experimental.create_rng_state")
def create_rng_state(seed: Any, alg: Any) -> Tensor:
    """The state with which a `Generator` starts, an int64 vector: the lower and upper half of its counter, and its key.

    Args:
      seed: an integer, or a sequence of up to three integers.
      alg: "philox" or "auto_select".

    Raises:
      ValueError: the algorithm is unknown, or there are more than three integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/create_rng_state

    >>> create_rng_state(1, "philox").numpy().tolist()
    [1, 0, 0]
    """
    _check(alg)
    if isinstance(seed, (list, tuple, np.ndarray, Tensor)):
        numbers = np.asarray(seed, _I64).ravel().tolist()
        if len(numbers) > 3:
            raise ValueError(f"`seed` must hold at most 3 integers, got {len(numbers)}")
        return from_value(np.array([0] * (3 - len(numbers)) + numbers, _I64))
    return from_value(np.array(generator_state(seed), _I64))


def _draw(state: Any, *bounds: Any, **how: Any) -> Any:
    return draw_from(philox.generator_stream(state), *bounds, **how)


def _advance(state: Any, calls: Any) -> Any:
    low = state[0].astype(jnp.uint64) + calls.astype(jnp.uint64)
    carry = (low < calls.astype(jnp.uint64)).astype(jnp.int64)
    return jnp.stack([low.astype(jnp.int64), state[1] + carry, state[2]])


_draw_op = Op("StatefulRandom", _draw)
_advance_op = Op("RngReadAndSkip", _advance, differentiable=False)


class Generator:
    """A generator of random numbers, whose state is a variable.

    Args:
      copy_from: a generator whose state is copied.
      state: an int64 vector: the lower and upper half of the counter, and the key.
      alg: "philox" or "auto_select".

    Raises:
      ValueError: neither `copy_from` nor both of `state` and `alg` are given, or the algorithm is unknown.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/Generator

    >>> g = Generator.from_seed(7)
    >>> g.normal([2]).shape
    TensorShape([2])
    """

    def __init__(self, copy_from: "Generator | None" = None, state: Any = None, alg: Any = None):
        if copy_from is not None:
            if state is not None or alg is not None:
                raise ValueError("`state` and `alg` must be left out if `copy_from` is given")
            state = copy_from.state.read_value()
        elif state is None or alg is None:
            raise ValueError("`state` and `alg` must both be given, or `copy_from`")
        else:
            _check(alg)
        self._state = Variable(convert.to_tensor(state, _I64), trainable=False, name="StateVar")

    @classmethod
    def from_state(cls, state: Any, alg: Any) -> "Generator":
        """Makes a generator with the given state."""
        return cls(state=state, alg=alg)

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> "Generator":
        """Makes a generator from an integer, or from a sequence of up to three integers."""
        return cls(state=create_rng_state(seed, alg), alg=alg or "auto_select")

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> "Generator":
        """Makes a generator whose numbers are unpredictable."""
        return cls(state=create_rng_state(secrets.randbits(192), alg), alg=alg or "auto_select")

    @classmethod
    def from_key_counter(cls, key: Any, counter: Any, alg: Any) -> "Generator":
        """Makes a generator from a key, an integer, and a counter, two integers: its lower and upper half."""
        return cls(state=_state_of(key, counter), alg=alg)

    @property
    def state(self) -> Variable:
        """The variable that holds the state: the lower and upper half of the counter, and the key."""
        return self._state

    @property
    def algorithm(self) -> int:
        """The number of the algorithm, which is 1 for Philox."""
        return Algorithm.PHILOX.value

    @property
    def key(self) -> Tensor:
        """The key, which is the last number of the state."""
        state: Any = self._state.read_value()
        return state[2]

    def reset(self, state: Any) -> None:
        """Sets the state to an int64 vector of three numbers."""
        self._state.assign(convert.to_tensor(state, _I64))

    def reset_from_seed(self, seed: Any) -> None:
        """Sets the state to that of `from_seed`."""
        self._state.assign(create_rng_state(seed, None))

    def reset_from_key_counter(self, key: Any, counter: Any) -> None:
        """Sets the state to that of `from_key_counter`."""
        self._state.assign(_state_of(key, counter))

    def skip(self, delta: Any) -> Tensor:
        """Advances as if `delta` numbers had been drawn, and returns the state before that."""
        before = self._state.read_value()
        calls = 256 * delta
        calls = calls if isinstance(delta, Tensor) else from_value(np.array(calls, _I64))
        self._state.assign(stream.record(_advance_op, static(), (before, calls)))
        return before

    def _record(self, kind: str, shape: Any, dtype: np.dtype, bounds: tuple = ()) -> Tensor:
        dims = as_shape(shape)
        kept = static(kind=kind, shape=dims, dtype=dtype)
        return stream.record(_draw_op, kept, (self.skip(math.prod(dims)), *bounds))

    def normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, name: str | None = None
    ) -> Tensor:
        """Draws normally distributed numbers; see `tf.random.normal`."""
        wanted = float_dtype(dtype)
        return self._record("normal", shape, wanted, bounds_of(wanted, mean, stddev, (0, 1)))

    def truncated_normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, name: str | None = None
    ) -> Tensor:
        """Draws normally distributed numbers within two standard deviations; see `tf.random.truncated_normal`."""
        wanted = float_dtype(dtype)
        return self._record("truncated_normal", shape, wanted, bounds_of(wanted, mean, stddev, (0, 1)))

    def uniform(
        self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = dtypes.float32, name: str | None = None
    ) -> Tensor:
        """Draws uniformly distributed numbers; see `tf.random.uniform`.

        If both bounds are None, integers are drawn from their whole type.

        Raises:
          ValueError: only one bound is None for integers.
        """
        wanted = dtypes.to_numpy(dtype)
        if wanted.kind in "fV":
            return self._record(
                "uniform", shape, wanted, bounds_of(wanted, minval, 1 if maxval is None else maxval, (0, 1))
            )
        if maxval is None:
            if minval is None:
                return self.uniform_full_int(shape, dtype)
            raise ValueError(f"For integer dtype {wanted.name}, `minval` and `maxval` must be both None or not None")
        return self._record("int", shape, wanted, int_bounds(minval, maxval, wanted))

    def uniform_full_int(self, shape: Any, dtype: Any = dtypes.uint64, name: str | None = None) -> Tensor:
        """Draws integers that are uniform over their whole type: int32, uint32, int64 or uint64."""
        return self._record("full", shape, dtypes.to_numpy(dtype))

    def make_seeds(self, count: int = 1) -> Tensor:
        """Draws seeds for stateless ops: an int64 tensor of shape (2, count) with a seed in each column."""
        keys = self.uniform_full_int([count], dtypes.int64)
        return stack([keys, from_value(np.zeros(count, _I64))])

    def split(self, count: int = 1) -> list["Generator"]:
        """Makes `count` generators whose keys are drawn from this one."""
        keys: Any = self.uniform_full_int([count], dtypes.int64)
        return [Generator.from_key_counter(keys[i], [0, 0], "philox") for i in range(count)]


public("random.Algorithm", "random.experimental.Algorithm")(Algorithm)
public("random.Generator", "random.experimental.Generator")(Generator)


def _state_of(key: Any, counter: Any) -> Tensor:
    low, high = (convert.to_tensor(c, _I64) for c in counter)
    return stack([low, high, convert.to_tensor(key, _I64)])


_global: Generator | None = None


@public("random.get_global_generator", "random.experimental.get_global_generator")
def get_global_generator() -> Generator:
    """The global generator. It is made at the first call, with an unpredictable state.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/get_global_generator

    >>> get_global_generator() is get_global_generator()
    True
    """
    global _global
    if _global is None:
        with stream.outside_captures():
            _global = Generator.from_non_deterministic_state()
    return _global


@public("random.set_global_generator", "random.experimental.set_global_generator")
def set_global_generator(generator: Generator) -> None:
    """Sets the global generator.

    Source: https://www.tensorflow.org/api_docs/python/tf/random/set_global_generator

    >>> set_global_generator(Generator.from_seed(1))
    """
    global _global
    _global = generator
