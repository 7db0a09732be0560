"""``tf.audio``: WAV files; see `tapejax/ops/io_audio.py`."""

from tapejax import missing
from tapejax.ops import io_audio, registry

__all__ = ["io_audio"]

globals().update(registry.namespace("audio"))
__getattr__ = missing.module_getattr(__name__, globals())
