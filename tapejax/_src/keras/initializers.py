"""Initializers of weights: `tf.keras.initializers`. The same seed gives the same numbers as Keras on TensorFlow."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.keras import backend
from tapejax._src.keras.backend import SeedGenerator
from tapejax._src.ops.random import draws as random

__all__ = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Initializer", "LecunNormal",
    "LecunUniform", "Ones", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "Zeros", "constant",
    "get", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform", "ones",
    "random_normal", "random_uniform", "truncated_normal", "variance_scaling", "zeros",
]  # fmt: skip

# The standard deviation of a standard normal distribution that is truncated at two standard deviations.
_TRUNCATED_STDDEV = 0.87962566103423978
SEED_MODULUS = 2**31 - 2


class Initializer:
    """Base class of initializers. An initializer is called with a shape and a dtype, and returns the initial values.

    Source: https://keras.io/api/layers/initializers/

    >>> class Sevens(Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return 7 * np.ones(shape, dtype or "float32")
    >>> Sevens()((2,)).tolist()
    [7.0, 7.0]
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        raise NotImplementedError("Initializer subclasses must implement the `__call__()` method.")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, from which `from_config` makes an equal initializer."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Initializer":
        """An initializer made from what `get_config` returned."""
        return cls(**config)


class Constant(Initializer):
    """Sets every element to `value`, which may be an array that broadcasts to the shape.

    >>> Constant(2.0)((2,)).numpy().tolist()
    [2.0, 2.0]
    """

    def __init__(self, value: Any = 0.0):
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        return from_value(np.full(tuple(shape), np.asarray(self.value), backend.as_dtype(dtype)))

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value}


class Zeros(Initializer):
    """Sets every element to 0.

    >>> Zeros()((2,)).numpy().tolist()
    [0.0, 0.0]
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        return from_value(np.zeros(tuple(shape), backend.as_dtype(dtype)))


class Ones(Initializer):
    """Sets every element to 1.

    >>> Ones()((2,)).numpy().tolist()
    [1.0, 1.0]
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        return from_value(np.ones(tuple(shape), backend.as_dtype(dtype)))


class _Random(Initializer):
    """Base class of random initializers.

    With an integer as the seed every call gives the same values. With a `SeedGenerator` every call gives new values.
    """

    def __init__(self, seed: Any = None):
        self._given = seed
        if seed is not None and not isinstance(seed, (int, SeedGenerator)):
            raise ValueError(
                "`seed` argument should be an instance of `keras.random.SeedGenerator()` or an integer. "
                f"Received: seed={seed}"
            )
        self.seed = backend.default_seed() if seed is None else seed

    def _pair(self) -> Any:
        if isinstance(self.seed, SeedGenerator):
            return random.stateless_seed(self.seed.next(), SEED_MODULUS)
        return np.array([self.seed % SEED_MODULUS, 0], np.int32)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._given}


class RandomNormal(_Random):
    """Draws from a normal distribution.

    Args:
      mean: the mean.
      stddev: the standard deviation.
      seed: an integer, which gives the same values at every call, or a `SeedGenerator`, which gives new ones. The
        default is an integer drawn from the generator that `keras.utils.set_random_seed` seeds.

    >>> RandomNormal(seed=1)((2, 3)).shape
    TensorShape([2, 3])
    """

    _draw = staticmethod(random.stateless_normal)

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        self.mean, self.stddev = mean, stddev
        super().__init__(seed)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        return self._draw(tuple(shape), self._pair(), self.mean, self.stddev, backend.as_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._given, "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Draws from a normal distribution truncated at two standard deviations. The arguments are those of `RandomNormal`.

    >>> TruncatedNormal(seed=1)((2, 3)).shape
    TensorShape([2, 3])
    """

    _draw = staticmethod(random.stateless_truncated_normal)


class RandomUniform(_Random):
    """Draws uniformly from ``[minval, maxval)``. For `seed` see `RandomNormal`.

    >>> RandomUniform(seed=1)((2, 3)).shape
    TensorShape([2, 3])
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None):
        self.minval, self.maxval = minval, maxval
        super().__init__(seed)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        return random.stateless_uniform(tuple(shape), self._pair(), self.minval, self.maxval, backend.as_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._given, "minval": self.minval, "maxval": self.maxval}


class VarianceScaling(_Random):
    """Draws values of variance ``scale / n``, where n depends on the shape.

    Args:
      scale: a positive number.
      mode: what n is: "fan_in", the number of inputs of a unit; "fan_out", the number of its outputs; or "fan_avg",
        the mean of both.
      distribution: "truncated_normal", "untruncated_normal" or "uniform".
      seed: see `RandomNormal`.

    Raises:
      ValueError: `scale` is not positive, or `mode` or `distribution` is not one of these.

    Source: https://keras.io/api/layers/initializers/#variancescaling-class

    >>> VarianceScaling(seed=1)((2, 3)).shape
    TensorShape([2, 3])
    """

    def __init__(
        self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal", seed: Any = None
    ):
        if scale <= 0.0:
            raise ValueError(f"Argument `scale` must be positive float. Received: scale={scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"Invalid `mode` argument: {mode}. Expected 'fan_in', 'fan_out' or 'fan_avg'.")
        distribution = "truncated_normal" if distribution.lower() == "normal" else distribution.lower()
        if distribution not in ("uniform", "truncated_normal", "untruncated_normal"):
            raise ValueError(
                f"Invalid `distribution` argument: {distribution}. Expected 'uniform', "
                "'truncated_normal' or 'untruncated_normal'."
            )
        self.scale, self.mode, self.distribution = scale, mode, distribution
        super().__init__(seed)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        shape = tuple(shape)
        fan_in, fan_out = _fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}[self.mode]
        scale = self.scale / max(1.0, fan)
        wanted = backend.as_dtype(dtype)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * scale)
            return random.stateless_uniform(shape, self._pair(), -limit, limit, wanted)
        if self.distribution == "untruncated_normal":
            return random.stateless_normal(shape, self._pair(), 0.0, math.sqrt(scale), wanted)
        return random.stateless_truncated_normal(shape, self._pair(), 0.0, math.sqrt(scale) / _TRUNCATED_STDDEV, wanted)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._given, "scale": self.scale, "mode": self.mode, "distribution": self.distribution}


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """The numbers of inputs and outputs of each unit of a weight. Those of a convolution include its window."""
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def _scaled(name: str, scale: float, mode: str, distribution: str, formula: str) -> type[VarianceScaling]:
    def __init__(self: VarianceScaling, seed: Any = None) -> None:
        VarianceScaling.__init__(self, scale, mode, distribution, seed)

    def get_config(self: VarianceScaling) -> dict[str, Any]:
        return {"seed": self._given}

    doc = (
        f"{formula}\n\n    Args:\n      seed: see `RandomNormal`.\n\n    >>> {name}(seed=1)((2, 3)).shape\n    "
        "TensorShape([2, 3])\n    "
    )
    return type(
        name,
        (VarianceScaling,),
        {"__init__": __init__, "get_config": get_config, "__doc__": doc, "__module__": __name__},
    )


GlorotUniform = _scaled("GlorotUniform", 1.0, "fan_avg", "uniform", "Uniform within +-sqrt(6 / (fan_in + fan_out)).")
GlorotNormal = _scaled(
    "GlorotNormal", 1.0, "fan_avg", "truncated_normal", "Truncated normal of stddev sqrt(2 / (fan_in + fan_out))."
)
HeUniform = _scaled("HeUniform", 2.0, "fan_in", "uniform", "Uniform within +-sqrt(6 / fan_in).")
HeNormal = _scaled("HeNormal", 2.0, "fan_in", "truncated_normal", "Truncated normal of stddev sqrt(2 / fan_in).")
LecunUniform = _scaled("LecunUniform", 1.0, "fan_in", "uniform", "Uniform within +-sqrt(3 / fan_in).")
LecunNormal = _scaled("LecunNormal", 1.0, "fan_in", "truncated_normal", "Truncated normal of stddev sqrt(1 / fan_in).")

constant, zeros, ones = Constant, Zeros, Ones
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling = VarianceScaling
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal, lecun_uniform, lecun_normal = HeUniform, HeNormal, LecunUniform, LecunNormal
_BY_NAME = {
    n: c for n, c in globals().items() if isinstance(c, type) and issubclass(c, Initializer) and not n.startswith("_")
}
_BY_NAME |= {"uniform": RandomUniform, "normal": RandomNormal, "zero": Zeros, "one": Ones}


def get(identifier: Any) -> Any:
    """Looks up or makes an initializer.

    Args:
      identifier: a name; a class; a dictionary with "class_name" and "config"; a number or array, which becomes a
        `Constant`; a callable, which is returned as it is; or None, which gives None.

    Returns:
      The initializer.

    Raises:
      ValueError: `identifier` is none of these.

    >>> type(get("glorot_uniform")).__name__
    'GlorotUniform'
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        return _BY_NAME[identifier["class_name"]].from_config(identifier.get("config", {}))
    found = _BY_NAME.get(identifier) if isinstance(identifier, str) else identifier
    if isinstance(found, type):
        found = found()
    if isinstance(found, (int, float, np.ndarray)):
        found = Constant(found)
    if not callable(found):
        raise ValueError(f"Could not interpret initializer identifier: {identifier}")
    return found
