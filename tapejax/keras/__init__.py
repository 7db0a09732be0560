"""`tf.keras`: layers, models, losses and optimizers whose eager loop runs as one compiled program."""

from tapejax import missing
from tapejax.keras import activations, backend, initializers, layers, losses, models, optimizers, utils
from tapejax.keras.layers import Input, InputLayer, Layer
from tapejax.keras.layers.layer import KerasTensor
from tapejax.keras.losses import Loss
from tapejax.keras.models import Model, Sequential
from tapejax.keras.optimizers import Optimizer

__all__ = [
    "Input", "InputLayer", "KerasTensor", "Layer", "Loss", "Model", "Optimizer", "Sequential", "activations",
    "backend", "initializers", "layers", "losses", "models", "optimizers", "utils",
]  # fmt: skip

__getattr__ = missing.module_getattr(__name__, globals())
