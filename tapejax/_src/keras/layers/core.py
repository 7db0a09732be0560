"""The built-in layers: `Dense`, `Embedding`, `Activation`, `ReLU`, `Flatten`, `Dropout`, and `Input`."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tapejax._src.core import convert, errors
from tapejax._src.keras import activations, backend, initializers, keras2
from tapejax._src.keras.layers.layer import KerasTensor, Layer
from tapejax._src.keras.recording import Op, fuses_activations, record, static
from tapejax._src.ops.array.gathering import gather
from tapejax._src.ops.random import draws as random

__all__ = ["Activation", "Dense", "Dropout", "Embedding", "Flatten", "Input", "InputLayer", "ReLU"]


def _dense(x: Any, kernel: Any, *bias: Any, activation: Any) -> Any:
    out = lax.dot_general(x.astype(kernel.dtype), kernel, (((x.ndim - 1,), (0,)), ((), ())))
    return activations.IN_KERNEL[activation](out + bias[0] if bias else out)


def _activate(x: Any, activation: Any) -> Any:
    return activations.IN_KERNEL[activation](x)


def _flatten(x: Any) -> Any:
    return x.reshape((x.shape[0], math.prod(x.shape[1:]))) if x.ndim else x.reshape((1, 1))


# Matrix product, bias and a common activation are recorded as one op, because each recorded op costs Python time.
_DENSE = Op("dense", _dense)
_ACTIVATE = Op("activate", _activate)
_FUSED = {fn: static(activation=fn) for fn in activations.IN_KERNEL}
_FLATTEN = Op("flatten", _flatten)
_ZEROS = Op("zeros_like", jnp.zeros_like)
_IDS = (np.dtype(np.int32), np.dtype(np.int64))


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    name: str | None = None,
    batch_shape: Sequence[int | None] | None = None,
) -> KerasTensor:
    """Describes the shape and dtype of a model's input. It goes in front of the layers of a `Sequential`.

    Args:
      shape: the shape without the batch axis. None stands for an axis of any size.
      batch_size: the size of the batch axis, or None for any size.
      dtype: float32 by default.
      name: the name of the input.
      batch_shape: the shape with the batch axis, to be given instead of `shape`.

    Returns:
      A `KerasTensor`.

    Raises:
      ValueError: neither `shape` nor `batch_shape` is given, or both are.

    Source: https://keras.io/api/layers/core_layers/input/

    >>> Input((5,)).shape
    (None, 5)
    """
    if isinstance(shape, int):
        keras2.hint("Input(n)", "Input((n,))")
        shape = (shape,)
    if shape is None and batch_shape is None:
        raise ValueError("You must pass a `shape` argument.")
    if shape is not None and batch_shape is not None:
        raise ValueError("You cannot pass both `shape` and `batch_shape` at the same time.")
    return KerasTensor((batch_size, *shape) if shape is not None else tuple(batch_shape or ()), dtype, name)


class InputLayer(Layer):
    """`Input` in the form of a layer, for a `Sequential`. The arguments are those of `Input`.

    >>> InputLayer((5,)).batch_shape
    (None, 5)
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        name: str | None = None,
        batch_shape: Any = None,
        input_shape: Any = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        given = Input(input_shape if shape is None else shape, batch_size, dtype, self.name, batch_shape)
        self.batch_shape = given.shape
        self.built = True

    def call(self, inputs: Any) -> Any:
        return inputs


class Dense(Layer):
    """``activation(inputs @ kernel + bias)`` over the last axis.

    Args:
      units: the size of the output's last axis.
      activation: the name of an activation or a function. None means no activation.
      use_bias: whether the layer has a bias.
      kernel_initializer: the initializer of the weight `kernel`, of shape [inputs, units].
      bias_initializer: the initializer of the weight `bias`, of shape [units].
      kernel_constraint: a function that is applied to `kernel` after each optimizer step.
      bias_constraint: a function that is applied to `bias` after each optimizer step.
      **kwargs: see `Layer`.

    Raises:
      ValueError: `units` is not a positive integer, or the last axis of an input is not the one that the layer was
        built for.

    Source: https://keras.io/api/layers/core_layers/dense/

    >>> import tapejax as tf
    >>> layer = Dense(3, kernel_initializer="ones")
    >>> layer(tf.constant([[1.0, 2.0]])).numpy().tolist()
    [[3.0, 3.0, 3.0]]
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        if not isinstance(units, int) or units <= 0:
            raise ValueError(
                f"Received an invalid value for `units`, expected a positive integer. Received: units={units}"
            )
        super().__init__(**kwargs)
        self.units = units
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        if not input_shape or input_shape[-1] is None:
            raise ValueError(
                f"The last axis of the inputs of layer '{self.name}' must be known. Received: input shape {input_shape}"
            )
        self._inputs = int(input_shape[-1])
        self.kernel = self.add_weight(
            (self._inputs, self.units), self.kernel_initializer, name="kernel", constraint=self.kernel_constraint
        )
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,), self.bias_initializer, name="bias", constraint=self.bias_constraint
            )

    def call(self, inputs: Any) -> Any:
        x = convert.to_tensor(inputs)
        shape = x.aval.shape
        if len(shape) < 2 or shape[-1] != self._inputs:
            what = (
                f"expected axis -1 of input shape to have value {self._inputs}, but received input with"
                if len(shape) >= 2
                else f"expected min_ndim=2, found ndim={len(shape)}. Full"
            )
            raise ValueError(
                f"Input 0 with name 'None' of layer '{self.name}' is incompatible with the layer: {what} shape {shape}"
            )
        fused = _FUSED.get(self.activation)
        inputs = (x, self.kernel._read()) if self.bias is None else (x, self.kernel._read(), self.bias._read())
        if fused is not None and fuses_activations():
            return record(_DENSE, fused, inputs)
        out = record(_DENSE, _FUSED[None], inputs)
        if self.activation is activations.linear:
            return out
        return self.activation(out) if fused is None else record(_ACTIVATE, fused, (out,))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (*input_shape[:-1], self.units)


class Embedding(Layer):
    """Replaces each integer by a row of a table.

    Inputs of shape ``[...]`` give outputs of shape ``[..., output_dim]``. The gradient of the table is a
    `tf.IndexedSlices`.

    Args:
      input_dim: the number of rows of the table, which is the largest integer plus one.
      output_dim: the length of a row.
      embeddings_initializer: the initializer of the weight `embeddings`, of shape [input_dim, output_dim].
      embeddings_regularizer: must be None. Regularizers are not supported.
      embeddings_constraint: a function that is applied to `embeddings` after each optimizer step.
      mask_zero: must be False. Layers do not pass masks on.
      weights: the initial value of `embeddings`.
      **kwargs: see `Layer`. `input_length` is accepted too; it has no effect and gives a warning.

    Raises:
      ValueError: `input_dim` or `output_dim` is not a positive integer.
      UnsupportedError: `mask_zero` is True, or `embeddings_regularizer` is given.

    Source: https://keras.io/api/layers/core_layers/embedding/

    >>> import tapejax as tf
    >>> Embedding(2, 3, weights=tf.constant([[1.0, 2, 3], [4, 5, 6]]))(tf.constant([[1]])).numpy().tolist()
    [[[4.0, 5.0, 6.0]]]
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **kwargs: Any,
    ):
        for name, dim in (("input_dim", input_dim), ("output_dim", output_dim)):
            if not isinstance(dim, int) or isinstance(dim, bool) or dim <= 0:
                raise ValueError(
                    f"`{name}` must be a positive integer. Received: {name}={dim} (of type {type(dim).__name__})."
                )
        if mask_zero:
            raise errors.UnsupportedError(
                "Embedding(mask_zero=True)",
                "layers do not pass masks on",
                "Multiply by tf.not_equal(inputs, 0) where the padding must not count.",
            )
        if kwargs.pop("input_length", None) is not None:
            warnings.warn("Argument `input_length` is deprecated. Just remove it.", stacklevel=2)
        super().__init__(**kwargs)
        self.input_dim, self.output_dim, self.mask_zero = input_dim, output_dim, False
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer, self.embeddings_constraint = embeddings_regularizer, embeddings_constraint
        if weights is not None:
            self.build(None)
            self.set_weights(weights if isinstance(weights, list) and len(weights) == 1 else [weights])

    def build(self, input_shape: Any) -> None:
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            name="embeddings",
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )

    def call(self, inputs: Any) -> Any:
        ids = convert.to_tensor(inputs)
        return gather(self.embeddings, ids if ids.aval.dtype in _IDS else backend.cast(ids, _IDS[0]))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (*input_shape, self.output_dim)


class Activation(Layer):
    """A layer that applies an activation function.

    Args:
      activation: the name of an activation, or a function.
      **kwargs: see `Layer`.

    Source: https://keras.io/api/layers/core_layers/activation_layer/

    >>> import tapejax as tf
    >>> Activation("relu")(tf.constant([-1.0, 2.0])).numpy().tolist()
    [0.0, 2.0]
    """

    def __init__(self, activation: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)


class ReLU(Layer):
    """A layer that applies `keras.activations.relu`, with the arguments of that function.

    Source: https://keras.io/api/layers/activation_layers/relu/

    >>> import tapejax as tf
    >>> ReLU(max_value=1.0)(tf.constant([-1.0, 2.0])).numpy().tolist()
    [0.0, 1.0]
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def call(self, inputs: Any) -> Any:
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)


class Flatten(Layer):
    """Joins all axes except the first into one.

    Args:
      data_format: "channels_last" or None, which means the same. Others are not supported.
      **kwargs: see `Layer`.

    Raises:
      UnsupportedError: another `data_format`.

    Source: https://keras.io/api/layers/reshaping_layers/flatten/

    >>> import tapejax as tf
    >>> Flatten()(tf.constant([[[1.0], [2.0]]])).shape
    TensorShape([1, 2])
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if data_format not in (None, "channels_last"):
            raise errors.UnsupportedError(
                f"Flatten(data_format={data_format!r})", "only 'channels_last' is there", "Transpose the inputs first."
            )

    def call(self, inputs: Any) -> Any:
        x = convert.to_tensor(inputs)
        return record(_FLATTEN, static(), (x,))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        rest = input_shape[1:]
        return (input_shape[0], None if None in rest else math.prod(rest))


class Dropout(Layer):
    """Sets each input to zero with probability `rate`, and scales the others by ``1 / (1 - rate)``.

    It does so only if `training` is true. Otherwise the inputs pass through unchanged.

    Args:
      rate: a number in [0, 1].
      noise_shape: the shape of the mask, which is broadcast to the inputs. By default it is the shape of the inputs.
      seed: an integer. By default it is drawn from the generator that `keras.utils.set_random_seed` seeds.
      **kwargs: see `Layer`.

    Raises:
      ValueError: `rate` is not in [0, 1].

    Source: https://keras.io/api/layers/regularization_layers/dropout/

    >>> import tapejax as tf
    >>> Dropout(0.5)(tf.constant([[1.0, 2.0]])).numpy().tolist()  # not training
    [[1.0, 2.0]]
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0 <= rate <= 1:
            raise ValueError(
                "Invalid value received for argument `rate`. Expected a float value between 0 and 1. "
                f"Received: rate={rate}"
            )
        self.rate = rate
        self.seed = seed
        self.noise_shape = noise_shape
        if rate > 0:
            self.seed_generator = backend.SeedGenerator(seed)

    def call(self, inputs: Any, training: Any = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        x = convert.to_tensor(inputs)
        if self.rate == 1:
            return record(_ZEROS, static(), (x,))
        seed = random.stateless_seed(self.seed_generator.next(), initializers.SEED_MODULUS)
        return random.stateless_dropout(x, self.rate, seed, self.noise_shape)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)
