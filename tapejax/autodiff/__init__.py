"""``tf.autodiff``. Automatic differentiation: tapes, the backward walk, custom gradients, forward mode."""

from tapejax import missing

__getattr__ = missing.module_getattr(__name__, globals(), lazy={
    "ForwardAccumulator": "tapejax.autodiff.forward:ForwardAccumulator",
    "GradientTape": "tapejax.autodiff.tape:GradientTape",
})
