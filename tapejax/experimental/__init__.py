"""``tf.experimental``: what of it exists here."""

from typing import Any

from tapejax import missing

__getattr__: Any = missing.module_getattr(__name__, globals(), lazy={"numpy": "tapejax.experimental.numpy"})
