"""`import tensorflow` gives tapejax: the hook behind `tapejax.install_as_tensorflow()` and `tapejax run`."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from tapejax._src.core import missing


class ModuleAlias(MetaPathFinder, Loader):
    """Makes imports of one package name give the modules of another, the very same module objects.

    A dotted name is looked up by attributes (`tensorflow.keras.layers` is the attribute `layers` of the
    attribute `keras` of `tapejax`), so that whatever a program can write after `tf.` it can also import, and so
    can paths that are internal to TensorFlow, where something stands for them (`internal_paths`). A name that
    does not resolve raises `ModuleNotFoundError` and is never looked for elsewhere: an installed TensorFlow
    stays out of the process.

    Args:
      roots: From top-level name to the module that it stands for, such as `{"tensorflow": "tapejax"}`.

    Also a context manager: the alias ends with the block.

    >>> import sys
    >>> with ModuleAlias({"my_json": "json"}).install():
    ...     import my_json.decoder
    ...     my_json.decoder is sys.modules["json.decoder"]
    True
    >>> "my_json" in sys.modules
    False
    """

    def __init__(self, roots: Mapping[str, str]):
        self.roots = dict(roots)
        self._made_packages: list[ModuleType] = []
        self._specs: dict[str, Any] = {}

    # Installing and undoing

    @property
    def installed(self) -> bool:
        """Whether imports go through this alias now."""
        return self in sys.meta_path

    def install(self) -> "ModuleAlias":
        """Puts the alias before every other way of importing. A second call changes nothing.

        Returns:
          This object.

        Raises:
          RuntimeError: If something else is already imported under one of the names.
        """
        if self.installed:
            return self
        for root, target in self.roots.items():
            present = sys.modules.get(root)
            if present is not None and present is not sys.modules.get(target):
                where = getattr(present, "__file__", None) or "no file"
                raise RuntimeError(
                    f"{root!r} is already imported in this process ({where}), so it cannot stand for "
                    f"{target!r}: parts of the program would keep the other one. Install the alias before "
                    f"the first `import {root}`."
                )
        sys.meta_path.insert(0, self)
        return self

    def uninstall(self) -> None:
        """Takes the alias out: later imports of the names find what is really installed. May be repeated.

        Modules and objects that the program has already imported stay as they are.
        """
        if not self.installed:
            return
        sys.meta_path.remove(self)
        names = [name for name in sys.modules if name.partition(".")[0] in self.roots]
        for name in names:
            self._detach(*name.rpartition(".")[::2])
        for name in names:
            del sys.modules[name]
        for module in self._made_packages:
            del module.__path__
        self._made_packages.clear()

    @staticmethod
    def _detach(parent: str, child: str) -> None:
        """Undoes Python's own marking of a submodule on its parent, where it was not there before."""
        held, module = sys.modules.get(parent), sys.modules[f"{parent}.{child}" if parent else child]
        if held is None or vars(held).get(child) is not module:
            return
        real = sys.modules.get(f"{held.__name__}.{child}")
        if real is None and module.__name__ != f"{held.__name__}.{child}":
            delattr(held, child)
        elif real is not None and real is not module:
            setattr(held, child, real)

    def __enter__(self) -> "ModuleAlias":
        return self.install()

    def __exit__(self, *_: object) -> None:
        self.uninstall()

    # What Python's import system calls

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Finds the module that `fullname` stands for; see `importlib.abc.MetaPathFinder`."""
        if fullname.partition(".")[0] not in self.roots:
            return None
        module = self._resolve(fullname)
        # Whatever is imported by an alias may have children, so every such module answers as a package; a
        # plain file has no __path__, which Python would take as "no children" before it asks here.
        if not hasattr(module, "__path__"):
            module.__path__ = []
            self._made_packages.append(module)
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Returns the existing module: an alias makes none of its own."""
        module = self._resolve(spec.name)
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Undoes the one mark that Python's loading left on the module, which has run long ago."""
        alias = module.__spec__
        assert alias is not None
        module.__spec__ = self._specs.pop(alias.name)

    def _resolve(self, fullname: str) -> ModuleType:
        root, *parts = fullname.split(".")
        target = self.roots[root]
        module: Any = importlib.import_module(target)
        if internal := self._internal(fullname, ".".join([*target.split(".")[1:], *parts])):
            return internal
        for part in parts:
            parent = module
            try:
                module = getattr(parent, part)
            except AttributeError as error:
                if error.name != part:
                    raise  # a mistake inside a module that is imported on first use
                # `from None`: the whole message is here, a chain would say it twice.
                message = str(error).partition(": ")[2] or "it does not exist."
                raise ModuleNotFoundError(f"No module named {fullname!r}: {message}", name=fullname) from None
            if not isinstance(module, ModuleType) or not _belongs(module, target):
                written = f"{missing.spelling(parent.__name__)}.{part}"
                raise ModuleNotFoundError(
                    f"No module named {fullname!r}: {written} is no module; use it as an attribute.",
                    name=fullname,
                )
        return module

    def _internal(self, fullname: str, path: str) -> ModuleType | None:
        """A module of a path that TensorFlow's users are not meant to know."""
        if not fullname.partition(".")[2] or self.roots[fullname.partition(".")[0]].partition(".")[0] != _PACKAGE:
            return None
        from tapejax._src.compat import internal_paths  # on first use: it is no part of `import tapejax`

        found = internal_paths.find(path)
        if found is None and path.startswith("python."):
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: it is internal to TensorFlow, and nothing in tapejax stands for it. "
                f"What it holds is often public too, under tf.* or tf.keras.*.",
                name=fullname,
            )
        return found


def _belongs(module: ModuleType, target: str) -> bool:
    """Whether a module is part of the target's package, not one that the package merely imports."""
    return module.__name__.partition(".")[0] == target.partition(".")[0]


_PACKAGE = __name__.partition(".")[0]
_TENSORFLOW = ModuleAlias({"tensorflow": "tapejax", "keras": "tapejax.keras"})


def install_as_tensorflow() -> ModuleAlias:
    """Makes `import tensorflow`, and `import keras`, give tapejax in this process, other packages included.

    All spellings work (`import tensorflow as tf`, `from tensorflow import keras`,
    `from tensorflow.keras.layers import Dense`, ...) and give the same objects as `import tapejax` does. Call
    it before the first import of TensorFlow. A real TensorFlow may be installed; it is not touched.

    Returns:
      The alias, whose `uninstall()` undoes the effect. It is a context manager too. Always the same one.

    Raises:
      RuntimeError: If the real TensorFlow or Keras is already imported.

    >>> import tapejax
    >>> with tapejax.install_as_tensorflow():
    ...     import tensorflow as tf
    ...     from tensorflow import keras
    >>> tf is tapejax, keras is tapejax.keras
    (True, True)
    """
    return _TENSORFLOW.install()
