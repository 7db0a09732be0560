"""How a public namespace finds its names: each is imported from the file that defines it when it is first used.

The table of a namespace stands in its file, which `tapejax/_src/facades.py` generates.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["attach"]


def attach(
    namespace: str, sources: Mapping[str, str], submodules: str = ""
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Makes what a namespace's module needs: `__getattr__`, `__dir__` and `__all__`.

    Args:
      namespace: The module's `__name__`.
      sources: For each file of `tapejax/_src`, as a dotted name, the names that it defines, separated by spaces.
        `public=own` says that the file calls it `own`.
      submodules: The names of the namespaces below this one. `name=other` stands for the namespace `tapejax.other`.

    Returns:
      The three values. The function `__getattr__` stores what it finds in the module, so that Python calls it once
      a name. For a name that does not exist it raises `AttributeError`, which says what is near it.

    >>> getattribute, directory, everything = attach("tapejax.bitwise", {"ops.math.bitwise": "invert"})
    >>> everything, getattribute("invert").__name__
    (['invert'], 'invert')
    """
    homes: dict[str, tuple[str, str]] = {}
    for source, words in sources.items():
        for word in words.split():
            name, _, own = word.partition("=")
            homes[name] = (f"tapejax._src.{source}", own or name)
    below = {name: f"{namespace}.{name}" for name in submodules.split() if "=" not in name}
    below |= {
        name: f"tapejax.{other}".rstrip(".")
        for name, equals, other in (word.partition("=") for word in submodules.split())
        if equals
    }
    everything = sorted([*homes, *below])

    def __getattr__(name: str) -> Any:
        module = importlib.import_module(namespace)
        if name in homes:
            source, own = homes[name]
            value = getattr(importlib.import_module(source), own)
        elif name in below:
            value = importlib.import_module(below[name])
        else:
            # Python itself asks modules for __path__, __wrapped__ and the like: those need no advice.
            from tapejax._src.core import missing

            raise AttributeError(
                f"module {namespace!r} has no attribute {name!r}"
                if name.startswith("__")
                else missing.explain(namespace, name, everything),
                name=name,
            )
        setattr(module, name, value)
        return value

    return __getattr__, lambda: list(everything), everything
