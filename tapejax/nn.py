"""``tf.nn``: the ops that are registered under this name; see `tapejax/ops/`."""

from tapejax import missing
from tapejax.ops import (
    conv,
    conv_transpose,
    ctc,
    embedding,
    families,
    nn_losses,
    normalization,
    pool,
    registry,
    sorting,
    space,
)

__all__ = ["conv", "conv_transpose", "ctc", "embedding", "families", "nn_losses", "normalization", "pool",
           "sorting", "space"]

globals().update(registry.namespace("nn"))
__getattr__ = missing.module_getattr(__name__, globals(), lazy={
    name: f"tapejax.sparse.lookup:{name}" for name in ("embedding_lookup_sparse", "safe_embedding_lookup_sparse")
    if name not in globals()})
