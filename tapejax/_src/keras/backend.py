"""What the files of the Keras stack share: automatic names, weights, casts, and generators of random seeds."""

import random
import re
from collections import defaultdict
from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import convert, dtypes
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable
from tapejax._src.keras.recording import Op, record, static

__all__ = ["SeedGenerator", "Weight", "clear_session", "epsilon", "floatx", "get_uid"]

_counts: dict[str, int] = defaultdict(int)


def floatx() -> str:
    """The default dtype of weights and losses.

    >>> floatx()
    'float32'
    """
    return "float32"


def epsilon() -> float:
    """The small number that keeps logarithms of probabilities finite.

    >>> epsilon()
    1e-07
    """
    return 1e-7


def clear_session() -> None:
    """Resets the counters of automatic names, so that the next unnamed `Dense` is called "dense" again.

    >>> clear_session()
    >>> get_uid("dense")
    1
    """
    _counts.clear()


def get_uid(prefix: str = "") -> int:
    """How often this function was called with `prefix`, this call included."""
    _counts[prefix] += 1
    return _counts[prefix]


def auto_name(class_name: str) -> str:
    """A new unique name made from the name of a class: "dense", "dense_1", ...

    >>> clear_session()
    >>> auto_name("MyLayer"), auto_name("MyLayer"), auto_name("ReLU")
    ('my_layer', 'my_layer_1', 're_lu')
    """
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", class_name))
    return unique(re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())


def unique(name: str) -> str:
    """`name`, with a number appended if it was used before."""
    used = _counts[name]
    _counts[name] += 1
    return f"{name}_{used}" if used else name


class Weight(Variable):
    """A variable that a layer or an optimizer made.

    Args:
      value: the initial value.
      trainable: whether gradient tapes watch the variable.
      name: the name within the owner, such as "kernel".
      path: the names of the owners and of the variable, such as "sequential/dense/kernel".
      dtype: that of `value` by default.
    """

    path: str

    def __init__(self, value: Any, trainable: bool, name: str, path: str, dtype: Any = None):
        super().__init__(value, trainable=trainable, name=name, dtype=dtype)
        self._name = name  # Keras does not put the name scope in front, as `Variable` does
        self.path = path
        self.regularizer: Any = None

    @property
    def name(self) -> str:
        """The name within the owner, such as "kernel"."""
        return self._name

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype.name}, value={self._tensor._text()}>"

    __str__ = __repr__

    def __reduce__(self) -> Any:
        return Weight, (self.numpy(), self.trainable, self.name, self.path)

    def __deepcopy__(self, memo: dict) -> "Weight":
        copy = memo[id(self)] = Weight(self.numpy(), self.trainable, self.name, self.path)
        copy.constraint, copy.regularizer = self.constraint, self.regularizer
        return copy


convert.register_conversion(Weight, Variable._read)
_CAST = Op("cast", lambda x, *, dtype: x.astype(dtype))


def cast(value: Any, dtype: np.dtype) -> Tensor:
    """`value` as a tensor of `dtype`. A tensor of another dtype is cast."""
    tensor = value if type(value) is Tensor else convert.to_tensor(value, None, dtype)
    return tensor if tensor.aval.dtype == dtype else record(_CAST, static(dtype=dtype), (tensor,))


def as_dtype(dtype: Any) -> np.dtype:
    """The NumPy dtype that a `dtype` argument of Keras means; None means `floatx`."""
    return dtypes.to_numpy(floatx() if dtype is None else dtype)


def default_seed() -> int:
    """A seed drawn from Python's module `random`, which `keras.utils.set_random_seed` seeds."""
    return random.randint(1, int(1e9))


_NEXT = Op("next_seed", lambda state: (state, state + jnp.asarray([0, 1], state.dtype)), differentiable=False)


class SeedGenerator:
    """A sequence of seeds for stateless random ops.

    Its state is a variable, so that it also advances inside compiled programs.

    Args:
      seed: an integer. By default it is drawn from the generator that `keras.utils.set_random_seed` seeds.
      name: the name in the path of the state's variable.

    Raises:
      ValueError: `seed` is not an integer.

    Source: https://keras.io/api/random/seed_generator/

    >>> SeedGenerator(seed=7).next().numpy().tolist()
    [7, 0]
    """

    def __init__(self, seed: int | None = None, name: str | None = None):
        seed = default_seed() if seed is None else seed
        if not isinstance(seed, int):
            raise ValueError(f"Argument `seed` must be an integer. Received: seed={seed}")
        self.name = name or auto_name("SeedGenerator")
        self.state = Weight(
            np.array([seed, 0], np.int64), False, "seed_generator_state", f"{self.name}/seed_generator_state"
        )

    def next(self) -> Tensor:
        """The next seed, an int64 tensor of shape [2]."""
        seed, after = record(_NEXT, static(), (self.state._tensor,))
        self.state._overwrite(after)
        return seed
