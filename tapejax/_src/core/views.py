"""`View`, a module that defines nothing itself and looks up each name in other namespaces of the package."""

import importlib
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

from tapejax._src.core import missing

__all__ = ["View"]


class View(ModuleType):
    """A stand-in for one of TensorFlow's inner modules, whose names are found in public namespaces.

    Args:
      name: TensorFlow's name of the module, such as "tensorflow.python.ops.math_ops".
      spaces: dotted names of the modules, or attributes of modules, that are searched in this order.
      names: names that are not found in `spaces` under the same name. Each is mapped to its value, or to the dotted
        name of its value.
      refused: names that mean something else in this module than in `spaces`. Looking them up raises an error.
      behind: a module that is searched last.
      because: the reason for refusing names, as shown in the error.

    If a name ends in TensorFlow's suffix `_v2`, it is also looked for without the suffix.

    >>> ops = View("tensorflow.python.ops.math_ops", ["tapejax.math"], {"to_float": float}, ["argmax"])
    >>> ops.reduce_sum.__name__, ops.to_float(3)
    ('reduce_sum', 3.0)
    >>> ops.argmax
    Traceback (most recent call last):
    AttributeError: tensorflow.python.ops.math_ops.argmax is TensorFlow 1's, which takes other arguments. \
Use tf.math.argmax.
    """

    def __init__(
        self,
        name: str,
        spaces: Iterable[str],
        names: Mapping[str, Any] | None = None,
        refused: Iterable[str] = (),
        behind: ModuleType | None = None,
        because: str = "is TensorFlow 1's, which takes other arguments",
    ):
        super().__init__(name, f"Names of TensorFlow's `{name}` that tapejax has.")
        self._spaces = tuple(spaces)
        self._names = dict(names or {})
        self._refused = frozenset(refused)
        self._behind = behind
        self._because = because

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {attribute!r}", name=attribute)
        value = self._find(attribute)
        setattr(self, attribute, value)
        return value

    def _find(self, attribute: str) -> Any:
        if attribute in self._names:
            stands_for = self._names[attribute]
            return look_up(stands_for) if isinstance(stands_for, str) else stands_for
        for space, namespace in self._existing():
            for spelled in dict.fromkeys((attribute, attribute.removesuffix("_v2"))):
                found = getattr(namespace, spelled, None)
                if found is None or _foreign(found):
                    continue
                if attribute in self._refused:
                    raise AttributeError(
                        f"{self.__name__}.{attribute} {self._because}. Use {missing.spelling(space)}.{spelled}.",
                        name=attribute,
                    )
                return found
        if self._behind is not None and hasattr(self._behind, attribute):
            return getattr(self._behind, attribute)
        near = missing.nearest(attribute, dir(self))
        hint = f" Nearest that exist there: {', '.join(near)}." if near else ""
        raise AttributeError(f"{self.__name__}.{attribute} has no counterpart in tapejax.{hint}", name=attribute)

    def _existing(self) -> Iterator[tuple[str, Any]]:
        for space in self._spaces:
            try:
                yield space, look_up(space)
            except AttributeError:
                continue  # a namespace that is not supported yet

    def __dir__(self) -> list[str]:
        found = set(self._names) | {n for _, namespace in self._existing() for n in dir(namespace)}
        return sorted(n for n in found - self._refused if not n.startswith("_"))


def look_up(dotted: str) -> Any:
    """The module or attribute that a dotted name stands for. The first part must be the name of a package.

    Raises:
      AttributeError: there is no such module or attribute.

    >>> look_up("tapejax.math.exp") is look_up("tapejax").exp
    True
    """
    package, *parts = dotted.split(".")
    value: Any = importlib.import_module(package)
    for part in parts:
        value = getattr(value, part)
    return value


def _foreign(value: Any) -> bool:
    """Whether `value` is a module of another package, which a namespace only imports and does not offer."""
    return (
        isinstance(value, ModuleType)
        and not isinstance(value, View)
        and value.__name__.partition(".")[0] != __name__.partition(".")[0]
    )
