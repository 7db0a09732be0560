"""Spellings of Keras 2 that Keras 3 dropped, and that programs from its time are full of: what works here, and hints.

Every old spelling that tapejax accepts is in one of the tables below. Using one works, and warns once per process.
"""

import functools
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

from tapejax._src.core.views import View

__all__ = ["KEYWORDS", "MEMBERS", "NAMES", "hint", "hint_for"]

# Keyword arguments, by the name of the class or function whose they and its subclasses' are.
KEYWORDS: dict[str, dict[str, str]] = {
    "Optimizer": {
        "lr": "learning_rate=",
        "decay": "learning_rate=keras.optimizers.schedules.InverseTimeDecay(rate, 1, decay)",
    },
    "apply_gradients": {"experimental_aggregate_gradients": "leave it out",
                        "skip_gradients_aggregation": "leave it out"},
    "Layer": {
        "weights": "layer.set_weights(weights) once it is built",
        "batch_input_shape": "a first keras.Input(batch_shape=...)",
        "dynamic": "leave it out",
    },
}  # fmt: skip
# Attributes of instances, by the name of the class.
MEMBERS: dict[str, dict[str, str]] = {
    "Optimizer": {
        "get_weights": "[v.numpy() for v in optimizer.variables]",
        "set_weights": "assign to each of optimizer.variables",
        "weights": "optimizer.variables",
        "lr": "learning_rate",
        "_decayed_lr": "learning_rate",
    },
    "Layer": {"add_variable": "add_weight(shape=..., name=...)"},
    "Metric": {"reset_states": "reset_state()"},
}
# Symbols.
NAMES: dict[str, str] = {
    "tf.keras.losses.Reduction.AUTO": '"sum_over_batch_size"',
    "tf.keras.losses.mean_squared_error": "keras.losses.mse, keras.metrics.mean_squared_error",
    "tf.keras.losses.mean_absolute_error": "keras.losses.mae, keras.metrics.mean_absolute_error",
    "tf.keras.optimizers.legacy": "keras.optimizers",
    "tf.keras.optimizers.experimental": "keras.optimizers",
    "tf.keras.layers.experimental.preprocessing": "keras.layers",
    "tf.keras.layers.experimental": "keras.layers",
}
# Optimizers of `optimizers.legacy` whose formula is still the same; RMSprop's epsilon and Nadam's schedule are not.
LEGACY_OPTIMIZERS = ("Adadelta", "Adagrad", "Adam", "Adamax", "Ftrl", "Optimizer", "SGD")

_hinted: set[str] = set()
_lock = threading.Lock()


def hint(old: str, new: str) -> None:
    """Warns that a spelling is old, the first time it is used.

    Args:
      old: the spelling. new: what Keras 3 has instead.

    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     hint("shoes=", "boots=")
    ...     hint("shoes=", "boots=")
    >>> [str(w.message) for w in caught]
    ['`shoes=` is a spelling of Keras 2, which works here. Keras 3: boots=']
    """
    with _lock:
        if old in _hinted:
            return
        _hinted.add(old)
    warnings.warn(f"`{old}` is a spelling of Keras 2, which works here. Keras 3: {new}", stacklevel=_user_level())


def _user_level() -> int:
    """How far up the stack the user's code is, for `warnings.warn`."""
    package = __name__.partition(".")[0]
    level, frame = 1, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    return level


def take(owner: str, kwargs: dict[str, Any], name: str, default: Any = None) -> Any:
    """Takes an old keyword argument out of `kwargs`, with a hint if it was there.

    Args:
      owner: whose it is in `KEYWORDS`.
      kwargs: what a caller gave. name: the keyword.
      default: the value if it was not given.
    """
    if name not in kwargs:
        return default
    hint(f"{name}=", KEYWORDS[owner][name])
    return kwargs.pop(name)


def member_hint(cls: Any, member: str) -> str | None:
    """What Keras 3 writes instead of an attribute of a class's instances; None if it is not old."""
    names = [base.__name__ for base in cls.__mro__] if isinstance(cls, type) else []
    return next((MEMBERS[n][member] for n in names if member in MEMBERS.get(n, ())), None)


def hint_for(function: Any, keyword: str) -> str | None:
    """What Keras 3 writes instead of a keyword argument of a class or function; None if it is not old."""
    names = (
        [base.__name__ for base in function.__mro__]
        if isinstance(function, type)
        else [getattr(function, "__name__", "")]
    )
    return next((KEYWORDS[n][keyword] for n in names if keyword in KEYWORDS.get(n, ())), None)


def reduction(value: Any) -> Any:
    """A loss's `reduction`, which could be "auto"."""
    if value == "auto":
        hint("reduction='auto'", '"sum_over_batch_size"')
        return "sum_over_batch_size"
    return value


def renamed(old: str, new: str) -> Callable[..., Any]:
    """A method under its old name: it gives a hint and calls the new one.

    Args:
      old, new: names of methods.
    """

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        hint(f"{old}()", f"{new}()")
        return getattr(self, new)(*args, **kwargs)

    method.__name__ = method.__qualname__ = old
    method.__doc__ = f"The same as `{new}`: its name in Keras 2."
    return method


def name_first(method: Callable[..., Any]) -> Callable[..., Any]:
    """Lets `Layer.add_weight` take Keras 2's positions too: name, shape, dtype, initializer, ..."""

    @functools.wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args and (args[0] is None or isinstance(args[0], str)) and (len(args) > 1 or "shape" in kwargs):
            hint("add_weight(name, ...)", "add_weight(shape=..., name=...)")
            order = ("name", "shape", "dtype", "initializer", "regularizer", "trainable", "constraint")
            if len(args) > len(order):
                raise TypeError(f"add_weight() takes at most {len(order)} positional arguments: {', '.join(order)}")
            kwargs, args = {**dict(zip(order, args, strict=False)), **kwargs}, ()
            kwargs["trainable"] = kwargs.get("trainable") is not False
        return method(self, *args, **kwargs)

    return wrapper


class _Old(View):
    """A namespace that is old as a whole: what it holds is elsewhere now."""

    def _find(self, attribute: str) -> Any:
        found = super()._find(attribute)
        hint(self.__name__.replace("tapejax.", "tf."), self._spaces[0].replace("tapejax.", ""))
        return found


def __getattr__(name: str) -> Any:
    """The old namespaces, which others refer to by "tapejax._src.keras.keras2:name"."""
    if name not in _OLD:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
    made = globals()[name] = _OLD[name]()
    return made


def _legacy() -> View:
    from tapejax._src.keras.optimizers import basic as optimizers

    changed = [n for n in optimizers.__all__ if n[0].isupper() and n not in LEGACY_OPTIMIZERS]
    return _Old(
        "tapejax.keras.optimizers.legacy",
        ["tapejax.keras.optimizers"],
        refused=changed,
        because="had another formula than Keras 3's, which alone is here",
    )


def _experimental_layers() -> View:
    inner = _Old("tapejax.keras.layers.experimental.preprocessing", ["tapejax.keras.layers"])
    return _Old("tapejax.keras.layers.experimental", ["tapejax.keras.layers"], {"preprocessing": inner})


_OLD: dict[str, Callable[[], View]] = {
    "legacy_optimizers": _legacy,
    "experimental_optimizers": lambda: _Old("tapejax.keras.optimizers.experimental", ["tapejax.keras.optimizers"]),
    "experimental_layers": _experimental_layers,
}
