"""``tf.strings``: the functions that are registered under this name; see `tapejax/ops/string*.py`."""

from tapejax import missing
from tapejax.ops import registry, string_numbers, string_regex, string_unicode, strings

__all__ = ["string_numbers", "string_regex", "string_unicode", "strings"]

globals().update(registry.namespace("strings"))
__getattr__ = missing.module_getattr(__name__, globals())
