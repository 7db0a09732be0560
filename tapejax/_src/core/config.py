"""Settings of tapejax that act when they are set: the class of the module `tapejax.config`."""

from types import ModuleType

from tapejax._src.engine import stream

__all__ = ["Settings"]


class Settings(ModuleType):
    """A module with settings as attributes.

    >>> import tapejax
    >>> tapejax.config.eager = True
    >>> tapejax.config.eager = False
    """

    @property
    def eager(self) -> bool:
        """Whether each op runs at once, by itself, for debugging. Also the environment's TAPEJAX_EAGER=1."""
        return stream.is_eager()

    @eager.setter
    def eager(self, on: bool) -> None:
        stream.set_eager(bool(on))
