"""``tf.signal``: the ops that are registered under this name; see `tapejax/ops/signal_*.py`."""

from tapejax import missing
from tapejax.ops import registry, signal_fft, signal_frames, signal_mel, signal_spectral, signal_windows

__all__ = ["signal_fft", "signal_frames", "signal_mel", "signal_spectral", "signal_windows"]

globals().update(registry.namespace("signal"))
__getattr__ = missing.module_getattr(__name__, globals())
