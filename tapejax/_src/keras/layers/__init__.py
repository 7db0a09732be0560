"""The layers of the built-in Keras stack: `tf.keras.layers`."""

from tapejax._src.keras.layers.core import Activation, Dense, Dropout, Embedding, Flatten, Input, InputLayer, ReLU
from tapejax._src.keras.layers.layer import Layer

__all__ = ["Activation", "Dense", "Dropout", "Embedding", "Flatten", "Input", "InputLayer", "Layer", "ReLU"]
