"""`public`: which functions and classes TensorFlow's names stand for.

The facades (`tapejax/nn.py` and the like) are generated from these names; see `tapejax/_src/facades.py`.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from tapejax._src.core.convert import NotATensor

__all__ = ["names", "public", "version", "versions"]

F = TypeVar("F", bound=Callable)

names: dict[str, Callable] = {}
"""Public TensorFlow name, such as "math.add": the function."""


versions: dict[type, dict[str, Callable]] = {}
"""For classes of sparse and ragged tensors: TensorFlow name, such as "concat", to the function that takes them."""


def version(error: NotATensor, public_names: tuple[str, ...]) -> Callable:
    """The version of an op for the kind of value that it could not convert. Raises the error if there is none."""
    known = versions.get(type(error.value), {})
    for name in public_names:
        if name in known:
            return known[name]
    raise error


def public(*public_names: str, composites: bool = False) -> Callable[[F], F]:
    """Registers a plain Python function (one made of other ops) under TensorFlow names.

    Args:
      *public_names: every name TensorFlow exposes it under, without "tf.".
      composites: whether it has versions for sparse or ragged tensors (an `op` always may).
    """

    def register(fn: F) -> F:
        if composites:
            fn = _with_versions(fn, public_names)
        for name in public_names:
            if name in names:
                raise ValueError(f"tf.{name} is defined twice")
            names[name] = fn
        return fn

    return register


def _with_versions(fn: F, public_names: tuple[str, ...]) -> F:
    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except NotATensor as e:
            other = version(e, public_names)
        return other(*args, **kwargs)

    return wrapper  # type: ignore[return-value]
