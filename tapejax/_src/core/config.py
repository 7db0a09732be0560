"""The class of the module `tapejax.config`: attributes of it are settings that take effect when assigned."""

from types import ModuleType

from tapejax._src.engine import stream

__all__ = ["Settings"]


class Settings(ModuleType):
    """A module whose attributes are the settings of tapejax.

    >>> import tapejax
    >>> tapejax.config.eager = True
    >>> tapejax.config.eager = False
    """

    @property
    def eager(self) -> bool:
        """Whether each op runs by itself as soon as it is called. For debugging.

        The environment variable TAPEJAX_EAGER=1 sets it at the start.
        """
        return stream.is_eager()

    @eager.setter
    def eager(self, on: bool) -> None:
        stream.set_eager(bool(on))
