"""Keras 2 spellings that Keras 3 dropped and that older programs still use.

The tables below list every old spelling that tapejax accepts, each with what to write in Keras 3. An old spelling
works; its first use in a process gives a warning, called a hint here.
"""

import functools
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

from tapejax._src.core.views import View

__all__ = ["KEYWORDS", "MEMBERS", "NAMES", "hint", "hint_for"]

# Old keyword arguments. The outer key names a class or function that takes them; subclasses of the class take them too.
# The inner dictionary maps each old keyword to what to write in Keras 3.
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
# Old attributes and methods of instances. The outer key names a class; its subclasses have them too.
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
# Old dotted names, and what replaced them.
NAMES: dict[str, str] = {
    "tf.keras.losses.Reduction.AUTO": '"sum_over_batch_size"',
    "tf.keras.losses.mean_squared_error": "keras.losses.mse, keras.metrics.mean_squared_error",
    "tf.keras.losses.mean_absolute_error": "keras.losses.mae, keras.metrics.mean_absolute_error",
    "tf.keras.optimizers.legacy": "keras.optimizers",
    "tf.keras.optimizers.experimental": "keras.optimizers",
    "tf.keras.layers.experimental.preprocessing": "keras.layers",
    "tf.keras.layers.experimental": "keras.layers",
}
# The optimizers of `optimizers.legacy` that compute what Keras 3's class of the same name computes. RMSprop does not,
# because it treated epsilon differently, and Nadam does not, because its momentum followed another schedule.
LEGACY_OPTIMIZERS = ("Adadelta", "Adagrad", "Adam", "Adamax", "Ftrl", "Optimizer", "SGD")

_hinted: set[str] = set()
_lock = threading.Lock()


def hint(old: str, new: str) -> None:
    """Warns that a spelling is old, when it is used for the first time in this process.

    Args:
      old: the old spelling.
      new: what to write in Keras 3.

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
    """The `stacklevel` with which `warnings.warn` names the user's line rather than one of tapejax."""
    package = __name__.partition(".")[0]
    level, frame = 1, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    return level


def take(owner: str, kwargs: dict[str, Any], name: str, default: Any = None) -> Any:
    """Removes an old keyword argument from `kwargs` and returns its value. Gives a hint if the keyword was there.

    Args:
      owner: the key of `KEYWORDS` that lists the keyword.
      kwargs: the keyword arguments of a call. Changed in place.
      name: the old keyword.
      default: returned if the keyword is not in `kwargs`.
    """
    if name not in kwargs:
        return default
    hint(f"{name}=", KEYWORDS[owner][name])
    return kwargs.pop(name)


def member_hint(cls: Any, member: str) -> str | None:
    """What to write in Keras 3 instead of an old attribute of a class's instances, or None if it is not old."""
    names = [base.__name__ for base in cls.__mro__] if isinstance(cls, type) else []
    return next((MEMBERS[n][member] for n in names if member in MEMBERS.get(n, ())), None)


def hint_for(function: Any, keyword: str) -> str | None:
    """What to write in Keras 3 instead of an old keyword argument, or None if the keyword is not old."""
    names = (
        [base.__name__ for base in function.__mro__]
        if isinstance(function, type)
        else [getattr(function, "__name__", "")]
    )
    return next((KEYWORDS[n][keyword] for n in names if keyword in KEYWORDS.get(n, ())), None)


def reduction(value: Any) -> Any:
    """The `reduction` of a loss in Keras 3's terms: Keras 2's "auto" means "sum_over_batch_size"."""
    if value == "auto":
        hint("reduction='auto'", '"sum_over_batch_size"')
        return "sum_over_batch_size"
    return value


def renamed(old: str, new: str) -> Callable[..., Any]:
    """Makes a method for an old name. It gives a hint and calls the method of the new name.

    Args:
      old: the method's name in Keras 2.
      new: its name in Keras 3.
    """

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        hint(f"{old}()", f"{new}()")
        return getattr(self, new)(*args, **kwargs)

    method.__name__ = method.__qualname__ = old
    method.__doc__ = f"The name that Keras 2 had for `{new}`."
    return method


def name_first(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps `Layer.add_weight` so that it also accepts Keras 2's order of positional arguments.

    Keras 2's order starts with the name, Keras 3's with the shape. A first argument that is a string or None is
    therefore taken for the name.
    """

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
    """A namespace that Keras 3 dropped as a whole. Its names are found, with a hint, in its replacement."""

    def _find(self, attribute: str) -> Any:
        found = super()._find(attribute)
        hint(self.__name__.replace("tapejax.", "tf."), self._spaces[0].replace("tapejax.", ""))
        return found


def __getattr__(name: str) -> Any:
    """Makes an old namespace on first use. `tapejax/_src/namespaces.py` refers to these namespaces by name."""
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
