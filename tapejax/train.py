"""``tf.train``: the messages that records hold; see `tapejax/ops/io_example.py`."""

from tapejax import missing

__all__: list[str] = []

_LAZY = {name: f"tapejax.ops.io_example:{name}" for name in (
    "BytesList", "Example", "Feature", "FeatureList", "FeatureLists", "Features", "FloatList", "Int64List",
    "SequenceExample")}
__getattr__ = missing.module_getattr(__name__, globals(), lazy=_LAZY)
