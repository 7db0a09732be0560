"""`keras.layers`."""

from tapejax import missing
from tapejax.keras.layers.core import Activation, Dense, Dropout, Embedding, Flatten, Input, InputLayer, ReLU
from tapejax.keras.layers.layer import Layer

__all__ = ["Activation", "Dense", "Dropout", "Embedding", "Flatten", "Input", "InputLayer", "Layer", "ReLU"]

__getattr__ = missing.module_getattr(__name__, globals(), lazy={
    "experimental": "tapejax.keras.keras2:experimental_layers"})
