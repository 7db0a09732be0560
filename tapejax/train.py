"""``tf.train``: the messages that records hold, see `tapejax/ops/io_example.py`, and averages of variables."""

from tapejax import missing

__all__: list[str] = []

_LAZY = {name: f"tapejax.ops.io_example:{name}" for name in (
    "BytesList", "Example", "Feature", "FeatureList", "FeatureLists", "Features", "FloatList", "Int64List",
    "SequenceExample")}
_LAZY["ExponentialMovingAverage"] = "tapejax.moving_averages:ExponentialMovingAverage"
__getattr__ = missing.module_getattr(__name__, globals(), lazy=_LAZY)
