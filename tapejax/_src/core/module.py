"""`Module`, a base class that finds the variables in its attributes, and `name_scope`."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from tapejax._src.core import nest
from tapejax._src.core.variable import Variable
from tapejax._src.engine import trie

__all__ = ["Module", "name_scope"]


class name_scope(contextlib.ContextDecorator):
    """Context manager that prefixes names: of the variables made in it, and of its operations in XLA's profiles.

    Args:
      name: the prefix. Scopes nest: "b" inside "a" gives "a/b/". A name that ends in "/" is absolute: it replaces
        the scopes around it.

    Raises:
      ValueError: `name` is not a string.

    Source: https://www.tensorflow.org/api_docs/python/tf/name_scope

    >>> import tapejax as tf
    >>> with tf.name_scope("layer") as scope:
    ...     v = tf.Variable(1.0, name="w")
    >>> scope, v.name
    ('layer/', 'layer/w:0')
    """

    def __init__(self, name: str):
        if not isinstance(name, str):
            raise ValueError("name for name_scope must be a string.")
        self._name = name
        self._outer: list[str] = []

    @property
    def name(self) -> str:
        """The name given to the constructor."""
        return self._name

    def __enter__(self) -> str:
        outer, name = trie.scope.path, self._name
        self._outer.append(outer)
        trie.scope.path = name if name.endswith("/") or not name else f"{outer}{name}/"
        return trie.scope.path

    def __exit__(self, *exc: Any) -> None:
        trie.scope.path = self._outer.pop()


class Module:
    """Base class that finds variables and submodules in attributes, lists, tuples and dicts.

    Args:
      name: the module's name; by default the name of its class in snake case.

    Raises:
      ValueError: `name` is not a Python identifier.

    Source: https://www.tensorflow.org/api_docs/python/tf/Module

    >>> import tapejax as tf
    >>> class Line(tf.Module):
    ...     def __init__(self):
    ...         self.slope = tf.Variable(2.0)
    >>> len(Line().trainable_variables)
    1
    """

    def __init__(self, name: str | None = None):
        if name is None:
            kind = type(self).__name__
            name = "".join(
                "_" + c.lower() if c.isupper() and i and not kind[i - 1].isupper() else c.lower()
                for i, c in enumerate(kind)
            )
        if not name.isidentifier():
            raise ValueError(f"{name!r} is not a valid module name. Module names must be valid Python identifiers.")
        self._name = name
        self._scope = f"{trie.scope.path}{name}/"

    @property
    def name(self) -> str:
        """The name given to the constructor."""
        return self._name

    @property
    def name_scope(self) -> name_scope:
        """A `tf.name_scope` of the module's name, inside the scopes that were open when the module was made."""
        return name_scope(self._scope)

    @classmethod
    def with_name_scope(cls, method: Any) -> Any:
        """Decorator that runs a method in the module's `name_scope`.

        Args:
          method: the method to decorate.

        Returns:
          The decorated method.
        """

        @functools.wraps(method)
        def scoped(self: Any, *args: Any, **kwargs: Any) -> Any:
            with self.name_scope:
                return method(self, *args, **kwargs)

        return scoped

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of this module, sorted by attribute name, followed by those of its submodules."""
        return tuple(self._leaves(Variable))

    @property
    def trainable_variables(self) -> tuple[Variable, ...]:
        """Those of `variables` that are trainable."""
        return tuple(v for v in self.variables if v.trainable)

    @property
    def non_trainable_variables(self) -> tuple[Variable, ...]:
        """Those of `variables` that are not trainable."""
        return tuple(v for v in self.variables if not v.trainable)

    @property
    def submodules(self) -> tuple["Module", ...]:
        """The modules found in attributes, and in the attributes of those modules."""
        return tuple(self._leaves(Module))

    def _leaves(self, kind: type) -> Iterator[Any]:
        seen: set[int] = {id(self)}
        queue: list[Any] = [self]
        while queue:
            later = []
            for module in queue:
                for _, value in sorted(vars(module).items()):
                    for leaf in _flatten(value):
                        if id(leaf) in seen:
                            continue
                        if isinstance(leaf, (kind, Module)):
                            seen.add(id(leaf))
                        if isinstance(leaf, kind):
                            yield leaf
                        if isinstance(leaf, Module):
                            later.append(leaf)
            queue = later


def _flatten(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for _, v in sorted(value.items(), key=lambda kv: str(kv[0])) for leaf in _flatten(v)]
    if isinstance(value, (list, tuple)):
        return [leaf for v in value for leaf in _flatten(v)]
    return nest.flatten(value) if nest.is_nested(value) else [value]
