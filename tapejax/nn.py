"""``tf.nn``: the ops that are registered under this name; see `tapejax/ops/`."""

from types import SimpleNamespace

from tapejax import missing
from tapejax.ops import (
    candidate_sampling,
    conv,
    conv_transpose,
    ctc,
    ctc_decoding,
    embedding,
    families,
    nn_losses,
    normalization,
    pool,
    random_parameters,
    registry,
    sampled_losses,
    sorting,
    space,
)

__all__ = ["candidate_sampling", "conv", "conv_transpose", "ctc", "ctc_decoding", "embedding", "experimental",
           "families", "nn_losses", "normalization", "pool", "random_parameters", "sampled_losses", "sorting", "space"]

globals().update(registry.namespace("nn"))
experimental = SimpleNamespace(**registry.namespace("nn.experimental"))
__getattr__ = missing.module_getattr(__name__, globals(), lazy={
    name: f"tapejax.sparse.lookup:{name}" for name in ("embedding_lookup_sparse", "safe_embedding_lookup_sparse")
    if name not in globals()})
