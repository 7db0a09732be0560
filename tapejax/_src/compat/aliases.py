"""The import hook behind `tapejax.install_as_tensorflow()` and `tapejax run`: `import tensorflow` gives tapejax."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from tapejax._src.core import missing


class ModuleAlias(MetaPathFinder, Loader):
    """Makes imports under one package's name give the modules of another package. They are the same module objects.

    A dotted name is looked up by attributes (`tensorflow.keras.layers` is the attribute `layers` of the
    attribute `keras` of `tapejax`). A program can therefore import whatever it can write after `tf.`. It can also
    import those paths internal to TensorFlow for which `internal_paths` has a counterpart. A name that does not
    resolve raises `ModuleNotFoundError` and is never looked for elsewhere, so that an installed TensorFlow stays out
    of the process.

    Args:
      roots: The module that each top-level name stands for, such as `{"tensorflow": "tapejax"}`.

    It is also a context manager, which removes the alias at the end of the block.

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

    # Installing and removing

    @property
    def installed(self) -> bool:
        """Whether the alias is in effect."""
        return self in sys.meta_path

    @property
    def _is_tensorflow(self) -> bool:
        return self.roots.get("tensorflow") == _PACKAGE

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
        if self._is_tensorflow:
            from tapejax._src.compat import identity  # only here, to keep `import tapejax` short

            identity.answer_as_tensorflow()
        return self

    def uninstall(self) -> None:
        """Removes the alias. Later imports of the names find what is really installed.

        Modules and objects that the program has already imported stay as they are. A second call changes nothing.
        """
        if not self.installed:
            return
        sys.meta_path.remove(self)
        if self._is_tensorflow:
            from tapejax._src.compat import identity

            identity.answer_as_tapejax()
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
        """Undoes what Python does when it imports a submodule: it sets the submodule as an attribute of its parent."""
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

    # Methods that Python's import system calls

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Finds the module that `fullname` stands for; see `importlib.abc.MetaPathFinder`."""
        if fullname.partition(".")[0] not in self.roots:
            return None
        module = self._resolve(fullname)
        # Python asks for a submodule only if the parent has a __path__, which modules that are plain files do not have.
        # Any module here may have submodules under the alias, so each gets one.
        if not hasattr(module, "__path__"):
            module.__path__ = []
            self._made_packages.append(module)
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Returns the module that the alias stands for. No new module is made."""
        module = self._resolve(spec.name)
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Restores the module's `__spec__`, which Python has replaced. The module itself was executed long ago."""
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
                    raise  # an error inside a module that is imported on first use
                # `from None`, because a chained exception would show the same message twice.
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
        """The module for a path that is internal to TensorFlow, or None if the path is a public one."""
        if not fullname.partition(".")[2] or self.roots[fullname.partition(".")[0]].partition(".")[0] != _PACKAGE:
            return None
        from tapejax._src.compat import internal_paths  # only here, to keep `import tapejax` short

        found = internal_paths.find(path)
        if found is None and path.startswith("python."):
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: it is internal to TensorFlow, and nothing in tapejax stands for it. "
                f"What it holds is often public too, under tf.* or tf.keras.*.",
                name=fullname,
            )
        return found


def _belongs(module: ModuleType, target: str) -> bool:
    """Whether a module belongs to the package of `target`, rather than being imported by that package."""
    return module.__name__.partition(".")[0] == target.partition(".")[0]


_PACKAGE = __name__.partition(".")[0]
_TENSORFLOW = ModuleAlias({"tensorflow": "tapejax", "keras": "tapejax.keras"})


def install_as_tensorflow() -> ModuleAlias:
    """Makes `import tensorflow` and `import keras` give tapejax in this process, also when other packages import them.

    All spellings work (`import tensorflow as tf`, `from tensorflow import keras`,
    `from tensorflow.keras.layers import Dense`, ...) and give the same objects as `import tapejax` does. Call
    it before the first import of TensorFlow. A real TensorFlow may be installed; it is not touched.

    Returns:
      The alias, the same object at each call. Its `uninstall()` removes it. It is also a context manager.

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
