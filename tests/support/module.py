"""The module that a case gets as `tf`: real TensorFlow or tapejax, with an eye on the names that it reads."""

from types import ModuleType
from typing import Any, NamedTuple

__all__ = ["Names", "Watched", "real_module", "watched"]


class Names(NamedTuple):
    """The dotted names that a case read, without "tf.".

    Attributes:
      missing: those that the module lacks.
      found: the others.
    """

    missing: set[str]
    found: set[str]


class Watched:
    """Stands for a module in a case. A name that the module lacks raises AttributeError as usual, and is kept.

    A misspelt name raises AttributeError in TensorFlow as well as in tapejax. Kept names let a case fail that reads
    one, even where the case catches the exception or expects one of that class.
    """

    def __init__(self, module: ModuleType, path: str, names: Names) -> None:
        object.__setattr__(self, "_module", module)
        object.__setattr__(self, "_path", path)
        object.__setattr__(self, "_names", names)

    def __getattr__(self, name: str) -> Any:
        path = self._path + name
        try:
            value = getattr(self._module, name)
        except AttributeError:
            self._names.missing.add(path)
            raise
        self._names.found.add(path)
        return Watched(value, path + ".", self._names) if isinstance(value, ModuleType) else value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._module, name, value)

    def __dir__(self) -> list[str]:
        return dir(self._module)


def watched(tf: Any) -> tuple[Any, Names]:
    """A module to hand to a case, and the names that the case will have read."""
    names = Names(set(), set())
    return Watched(real_module(tf), "", names), names


def real_module(tf: Any) -> Any:
    """The module behind one that a case got."""
    return object.__getattribute__(tf, "_module") if isinstance(tf, Watched) else tf
