"""Models: `Model`, the base class, and `Sequential`, a stack of layers (`tf.keras.models`)."""

from collections.abc import Iterable
from typing import Any

from tapejax._src.core import errors
from tapejax._src.keras.layers.core import InputLayer
from tapejax._src.keras.layers.layer import KerasTensor, Layer

__all__ = ["Model", "Sequential"]


class Model(Layer):
    """Base class of models: a `Layer` that is made of layers.

    A subclass keeps its layers in attributes and defines `call`.

    Args:
      **kwargs: `name`, `trainable` and `dtype`; see `Layer`.

    Raises:
      UnsupportedError: `inputs` and `outputs` are given. Functional models are not supported.

    Source: https://keras.io/api/models/model/

    >>> import tapejax as tf
    >>> class Net(Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.dense = tf.keras.layers.Dense(2)
    ...     def call(self, inputs):
    ...         return self.dense(inputs)
    >>> Net()(tf.constant([[1.0, 2.0, 3.0]])).shape
    TensorShape([1, 2])
    """

    def __init__(self, *args: Any, **kwargs: Any):
        if args or "inputs" in kwargs or "outputs" in kwargs:
            raise errors.UnsupportedError(
                "keras.Model(inputs, outputs)",
                "functional models are not supported by the built-in Keras stack",
                "Use Sequential, or write a subclass of Model.",
            )
        super().__init__(**kwargs)

    @property
    def layers(self) -> list[Layer]:
        """The layers that the model holds in its attributes."""
        return self._sublayers()

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Returns one of `layers`, found by its name or by its index.

        Args:
          name: the layer's name.
          index: the layer's place in `layers`, from 0.

        Raises:
          ValueError: there is no such layer, or not exactly one of the arguments is given.
        """
        if (name is None) == (index is None):
            raise ValueError("Provide either a layer name or a layer index, not both and not neither.")
        if index is not None:
            if index >= len(self.layers):
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model only has {len(self.layers)} layers."
                )
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(f"No such layer: {name}. Existing layers are: {[layer.name for layer in self.layers]}.")


class Sequential(Model):
    """A stack of layers: the output of each layer is the input of the next.

    The weights are made at once if the shape of the input is known, from an `Input` or from the first layer's
    `input_shape`. Otherwise they are made when the model is first called.

    Args:
      layers: layers or functions. The first may be an `Input`.
      trainable, name: see `Layer`.

    Raises:
      ValueError: an item is neither a layer nor callable, two layers have the same name, or an `Input` is not first.

    Source: https://keras.io/api/models/sequential/

    >>> import tapejax as tf
    >>> model = Sequential([tf.keras.layers.Dense(10, input_shape=(5,)), tf.keras.layers.Dense(2)])
    >>> [w.shape.as_list() for w in model.weights]
    [[5, 10], [10], [10, 2], [2]]
    """

    def __init__(self, layers: Iterable[Any] | None = None, trainable: bool = True, name: str | None = None):
        super().__init__(trainable=trainable, name=name)
        self._stack: list[Any] = []
        self._input: Any = None
        for layer in layers or ():
            self._append(layer)
        self._build_known()

    def add(self, layer: Any) -> None:
        """Appends a layer to the stack."""
        self._append(layer)
        self._build_known()

    def pop(self) -> Any:
        """Removes the last layer and returns it."""
        return self._stack.pop()

    def _append(self, layer: Any) -> None:
        if isinstance(layer, (KerasTensor, InputLayer)):
            if self._stack or self._input is not None:
                raise ValueError(
                    f"Sequential model '{self.name}' has already been configured to use an input; "
                    "an Input must come first."
                )
            self._input = KerasTensor(layer.shape if isinstance(layer, KerasTensor) else layer.batch_shape)
            return
        if not isinstance(layer, Layer):
            if not callable(layer):
                raise ValueError(
                    "Only instances of `keras.Layer` can be added to a Sequential model. Received: "
                    f"{layer} (of type {type(layer)})"
                )
            layer = _Function(layer)
        if any(layer.name == other.name for other in self._stack):
            raise ValueError(
                "All layers added to a Sequential model should have unique names. Name "
                f"'{layer.name}' is already the name of a layer in this model."
            )
        if not self._stack and self._input is None and layer._given_shape is not None:
            self._input = KerasTensor(layer._given_shape)
        self._stack.append(layer)

    def _build_known(self) -> None:
        if self._input is not None and self._stack:
            self.build(self._input.shape)

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights of the layers for inputs of a shape.

        It stops at the first layer whose output shape is not known. The layers after it are built when they are called.
        """
        shape = tuple(input_shape) if input_shape is not None else None
        for layer in self._stack:
            if shape is None:
                return
            if not layer.built:
                layer.build(shape)
                layer.built = True
            try:
                shape = layer.compute_output_shape(shape)
            except NotImplementedError:
                shape = None

    def compute_output_shape(self, input_shape: Any) -> Any:
        for layer in self._stack:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the `Input`."""
        return list(self._stack)

    @property
    def inputs(self) -> list[KerasTensor] | None:
        """A list of one `KerasTensor` that describes the input, or None if its shape is not known."""
        return None if self._input is None else [self._input]

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if mask is not None:
            raise errors.UnsupportedError("Sequential.call(`mask`)", "layers do not pass masks on", "Leave it out.")
        for layer in self._stack:
            inputs = layer(inputs)
        return inputs


class _Function(Layer):
    """A layer that calls a plain function."""

    def __init__(self, function: Any):
        super().__init__(name=getattr(function, "__name__", None))
        self.function = function

    def call(self, inputs: Any) -> Any:
        return self.function(inputs)
