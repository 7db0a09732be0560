"""The table of public names: which function or class stands under each of TensorFlow's names.

The decorator `public` fills it. The public modules (`tapejax/nn.py` and the like) are generated from it; see
`tapejax/_src/facades.py`.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from tapejax._src.core.convert import NotATensor

__all__ = ["names", "public", "version", "versions"]

F = TypeVar("F", bound=Callable)

names: dict[str, Callable] = {}
"""From a public TensorFlow name without "tf.", such as "math.add", to the function or class."""


versions: dict[type, dict[str, Callable]] = {}
"""For each class of sparse or ragged tensors: from a public name, such as "concat", to the function for that class."""


def version(error: NotATensor, public_names: tuple[str, ...]) -> Callable:
    """The function that implements an op for sparse or ragged tensors.

    Args:
      error: what the op raised because it could not convert a value to a tensor.
      public_names: the public names of the op.

    Returns:
      The function registered in `versions` for the class of that value.

    Raises:
      NotATensor: there is no such function; this is `error` itself.
    """
    known = versions.get(type(error.value), {})
    for name in public_names:
        if name in known:
            return known[name]
    raise error


def public(*public_names: str, composites: bool = False) -> Callable[[F], F]:
    """Decorator that registers a class, or a Python function made of other ops, under TensorFlow's names.

    Args:
      *public_names: all names under which TensorFlow exposes it, without "tf.".
      composites: whether `versions` may hold a function for sparse or ragged tensors, to be called where an
        argument is one. Functions registered by `@op` always look there.

    Returns:
      A decorator.

    Raises:
      ValueError: one of the names is already taken.
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
