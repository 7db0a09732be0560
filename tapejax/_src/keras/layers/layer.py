"""`Layer`, the base class of layers and models.

A layer makes its weights when it is first called. Weights and sublayers are found through its attributes.
"""

import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tapejax._src.core import convert, dtypes, errors
from tapejax._src.core.shape import TensorShape
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable
from tapejax._src.function.autograph.conversion import in_context
from tapejax._src.keras import backend, initializers, keras2
from tapejax._src.keras.backend import Weight
from tapejax._src.keras.recording import isolated

__all__ = ["KerasTensor", "is_keras_tensor", "Layer"]


class _Running(threading.local):
    """The layers whose `build` or `call` runs in this thread, from the outermost in, each with its `training` flag."""

    def __init__(self) -> None:
        self.stack: list[tuple[Layer, Any]] = []


_running = _Running()


class KerasTensor:
    """What `Input` returns: the shape and dtype of a future input. It holds no values.

    Args:
      shape: the shape with the batch axis. None stands for an axis of any size.
      dtype: float32 by default.
      name: by default a new unique one.
    """

    def __init__(self, shape: Sequence[int | None], dtype: Any = "float32", name: str | None = None):
        self.shape = tuple(shape)
        self.dtype = dtypes.as_dtype(dtype or "float32").name
        self.name = name or backend.auto_name("KerasTensor")

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


def is_keras_tensor(x: Any) -> bool:
    """Whether a value is what `tf.keras.Input` returns, rather than a tensor that has a value.

    Args:
      x: any value.

    Source: https://www.tensorflow.org/api_docs/python/tf/keras/backend/is_keras_tensor

    >>> is_keras_tensor(KerasTensor((None, 2))), is_keras_tensor(1.0)
    (True, False)
    """
    return isinstance(x, KerasTensor)


class Layer:
    """Base class of layers and models.

    A subclass makes its weights in `__init__` or `build(input_shape)`, and computes its output in `call(inputs, ...)`.
    Variables and layers in its attributes belong to it, also those in lists, tuples and dictionaries.

    Args:
      trainable: False keeps the weights of the layer and of its sublayers out of `trainable_variables`.
      dtype: the dtype of weights and computations, float32 by default.
      name: by default a new unique name made from the name of the class.
      input_shape: the shape of the input without the batch axis. With it a `Sequential` makes the weights at once.
      input_dim: instead of `input_shape`, the size of the only axis besides the batch axis.
      batch_input_shape: instead of `input_shape`, the shape with the batch axis.
      **kwargs: `weights`, the initial values of the weights, and `dynamic`, which has no effect. Both are Keras 2's.

    Raises:
      ValueError: there is another keyword argument.

    Source: https://keras.io/api/layers/base_layer/

    >>> import tapejax as tf
    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
    ...     def call(self, inputs):
    ...         return inputs * self.factor
    >>> layer = Scale()
    >>> layer(tf.constant([[1.0, 2.0]])).numpy().tolist(), layer.weights[0].path
    ([[1.0, 2.0]], 'scale/factor')
    """

    built: bool
    _initial_weights: Any
    _takes_training = False
    _training_position = 1
    _tracked: dict[str, Any]
    _made: list[Any]
    # What `trainable_variables` found last: the value of `_structure` then, the containers with the ids of their
    # contents, and the variables.
    _trainables: tuple[int, list[Any], list[Any]] | None

    def __new__(cls, *args: Any, **kwargs: Any) -> "Layer":
        self = object.__new__(cls)
        # Not in __init__, because a subclass may set attributes before it calls super().__init__().
        object.__setattr__(self, "_tracked", {})
        object.__setattr__(self, "_made", [])
        object.__setattr__(self, "built", False)
        object.__setattr__(self, "_trainables", None)
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _scoped(cls.__dict__["build"])  # type: ignore[method-assign]
        if "call" in cls.__dict__:
            params = list(inspect.signature(cls.__dict__["call"]).parameters)
            cls._takes_training = "training" in params
            cls._training_position = params.index("training") - 1 if cls._takes_training else -1

    def __init__(
        self,
        *,
        trainable: bool = True,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Any = None,
        input_dim: int | None = None,
        batch_input_shape: Any = None,
        **kwargs: Any,
    ):
        object.__setattr__(self, "_initial_weights", keras2.take("Layer", kwargs, "weights"))
        keras2.take("Layer", kwargs, "dynamic")  # of no effect: `call` may hold any Python code anyway
        if batch_input_shape is not None:
            keras2.hint("batch_input_shape=", keras2.KEYWORDS["Layer"]["batch_input_shape"])
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}")
        self._name = name or backend.auto_name(type(self).__name__)
        self._dtype = backend.as_dtype(dtype)
        self._trainable = bool(trainable)
        shape = (input_dim,) if input_dim is not None else input_shape
        self._given_shape = (
            (None, *shape) if shape is not None else tuple(batch_input_shape) if batch_input_shape is not None else None
        )

    # State

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, (Variable, Layer, list, tuple, dict)):
            self._tracked[name] = value
            _changed()
        elif self._tracked.pop(name, None) is not None:
            _changed()
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if self._tracked.pop(name, None) is not None:
            _changed()
        object.__delattr__(self, name)

    @property
    def name(self) -> str:
        """The name of the layer."""
        return self._name

    @property
    def dtype(self) -> str:
        """The name of the dtype of weights and computations."""
        return dtypes.from_numpy(self._dtype).name

    compute_dtype = variable_dtype = dtype

    @keras2.name_first
    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Weight:
        """Makes a variable that belongs to this layer.

        Args:
          shape: the shape, () by default.
          initializer: a name, an `Initializer`, or a function of shape and dtype. The default is "glorot_uniform" for
            floating dtypes and "zeros" for others.
          dtype: by default the dtype of the layer.
          trainable: whether the variable is among `trainable_variables`.
          regularizer: must be None. Regularizers are not supported.
          constraint: a function that is applied to the variable after each optimizer step.
          name: by default "variable", with a number if needed to make it unique.

        Returns:
          The variable.

        Raises:
          UnsupportedError: `regularizer` is given.

        Source: https://keras.io/api/layers/base_layer/#addweight-method
        """
        if regularizer is not None:
            raise errors.UnsupportedError(
                "add_weight(`regularizer`)", "losses of layers are not collected", "Add the penalty to the loss."
            )
        dims = tuple(int(d) for d in (() if shape is None else shape))
        kind = self._dtype if dtype is None else dtypes.to_numpy(dtype)
        make = initializers.get(initializer or ("glorot_uniform" if kind.kind in "fV" else "zeros"))
        name = name or backend.unique("variable")
        weight = Weight(
            make(dims, dtype=dtypes.from_numpy(kind)),
            trainable,
            name,
            "/".join([*self._scope(), name]),
            dtypes.from_numpy(kind),
        )
        weight.constraint = constraint
        self._made.append(weight)
        _changed()
        return weight

    add_variable = add_weight

    def _scope(self) -> list[str]:
        names = [layer.name for layer, _ in _running.stack]
        return names if _running.stack and _running.stack[-1][0] is self else [*names, self.name]

    def _own(self) -> list[Variable]:
        """The variables of this layer without those of its sublayers, the trainable ones first."""
        found = {id(v): v for v in self._made}
        found |= {id(v): v for v in _walk(self._tracked) if isinstance(v, Variable)}
        return sorted(found.values(), key=lambda v: not v.trainable)

    def _sublayers(self) -> list["Layer"]:
        return list({id(v): v for v in _walk(self._tracked) if isinstance(v, Layer)}.values())

    def _flatten_layers(self) -> Iterator["Layer"]:
        yield self
        for layer in self._sublayers():
            yield from layer._flatten_layers()

    @property
    def weights(self) -> list[Any]:
        """All variables: those of the layer itself, the trainable ones first, and then those of its sublayers."""
        return list({id(v): v for layer in self._flatten_layers() for v in layer._own()}.values())

    variables = weights

    @property
    def trainable_variables(self) -> list[Any]:
        """The `weights` that training changes. The list is empty while `trainable` is False."""
        found = self._trainables
        if found is None or found[0] != _structure or any(_ids(c) != ids for c, ids in found[1]):
            layers = list(self._flatten_layers())
            containers = [c for layer in layers for c in _containers(layer._tracked)]
            own = {id(v): v for layer in layers if layer._trainable for v in layer._own() if v.trainable}
            found = (_structure, [(c, _ids(c)) for c in containers], list(own.values()))
            object.__setattr__(self, "_trainables", found)
        return list(found[2])

    trainable_weights = trainable_variables

    @property
    def non_trainable_variables(self) -> list[Any]:
        """The `weights` that are not in `trainable_variables`."""
        trained = set(map(id, self.trainable_variables))
        return [v for v in self.weights if id(v) not in trained]

    non_trainable_weights = non_trainable_variables

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights. Setting it also sets it for all sublayers."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            object.__setattr__(layer, "_trainable", bool(value))
        _changed()

    def get_weights(self) -> list[np.ndarray]:
        """The values of `weights` as NumPy arrays, in the same order."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Assigns new values to `weights`.

        Args:
          weights: arrays, in the order of `weights`.

        Raises:
          ValueError: the number of arrays or one of their shapes does not fit. No weight has changed then.
        """
        own = self.weights
        if len(weights) != len(own):
            raise ValueError(
                f"You called `set_weights(weights)` on layer '{self.name}' with a weight list of length "
                f"{len(weights)}, but the layer was expecting {len(own)} weights."
            )
        for v, value in zip(own, weights, strict=True):
            if tuple(np.shape(value)) != tuple(v.shape.as_list()):
                raise ValueError(
                    f"Layer {self.name} weight shape {tuple(v.shape.as_list())} is not compatible with "
                    f"provided weight shape {tuple(np.shape(value))}."
                )
        for v, value in zip(own, weights, strict=True):
            v.assign(value)

    def count_params(self) -> int:
        """The number of elements of all weights together.

        Raises:
          ValueError: the layer is not built yet.
        """
        if not self.built:
            raise ValueError(f"You tried to call `count_params` on layer '{self.name}', but the layer isn't built.")
        return sum(int(np.prod(v.shape.as_list())) for v in self.weights)

    # Running

    def build(self, input_shape: Any) -> None:
        """Makes the weights. It runs before the first `call`, with the shape of the first argument of that call."""
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the output. Subclasses define it."""
        raise NotImplementedError(f"Layer {type(self).__name__} does not have a `call()` method implemented.")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for an input of shape `input_shape`.

        Raises:
          NotImplementedError: the class of the layer does not define it.
        """
        raise NotImplementedError(f"Layer {type(self).__name__} should implement `compute_output_shape`.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        stack = _running.stack
        if args:
            x = args[0]
            if type(x) is not Tensor or (x.aval.dtype is not self._dtype and x.aval.dtype != self._dtype):
                args = (self._enter(x), *args[1:])
            if len(args) > 1:
                args = (args[0], *map(self._enter, args[1:]))
        training = kwargs.pop("training", None) if kwargs else None
        if self._takes_training:
            if len(args) > self._training_position:
                training = args[self._training_position]
            else:
                if training is None and stack:
                    training = stack[-1][1]
                if training is not None:
                    kwargs["training"] = training
        elif training is None and stack:
            training = stack[-1][1]
        if not self.built:
            self._build(args, kwargs)
        stack.append((self, training))
        try:
            return in_context(self.call)(*args, **kwargs)
        finally:
            stack.pop()

    def _enter(self, value: Any) -> Any:
        """Prepares an argument of `call`: arrays become tensors, and floating tensors get the dtype of the layer."""
        if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
            return type(value)(map(self._enter, value))
        if isinstance(value, dict):
            return {k: self._enter(v) for k, v in value.items()}
        if isinstance(value, KerasTensor):
            raise errors.UnsupportedError(
                f"{type(self).__name__}(Input(...))",
                "functional models are not supported by the built-in Keras stack",
                "Use Sequential, or write a subclass of Model.",
            )
        if isinstance(value, np.ndarray) or (
            not isinstance(value, Tensor)
            and hasattr(value, "__array__")
            and not isinstance(value, (Variable, np.generic))
        ):
            value = convert.to_tensor(value)
        if isinstance(value, Tensor) and value.aval.dtype.kind in "fV":
            return backend.cast(value, self._dtype)
        return value

    def _build(self, args: tuple, kwargs: dict[str, Any]) -> None:
        if "_name" not in self.__dict__:
            raise RuntimeError(
                f"In layer '{type(self).__name__}', you forgot to call `super().__init__()` as the "
                "first statement in the `__init__()` method. Go add it!"
            )
        # The ops that make the weights go into a program of their own. Otherwise they would become part of the first
        # training step, which would then need another compiled program than all later steps.
        with isolated():
            self.build(_shapes(args[0] if args else next(iter(kwargs.values()), None)))
        self.built = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _scoped(build: Callable) -> Callable:
    """Wraps a `build` method: weights that it makes are named after the layer, and the layer is marked as built."""

    @functools.wraps(build)
    def wrapper(self: Layer, *args: Any, **kwargs: Any) -> Any:
        stack = _running.stack
        inner = bool(stack) and stack[-1][0] is self  # `super().build(...)` within a `build` that is wrapped too
        if not inner:
            stack.append((self, None))
        try:
            args = tuple(tuple(a.as_list()) if isinstance(a, TensorShape) else a for a in args)
            result = build(self, *args, **kwargs)
            self.built = True
            if not inner and getattr(self, "_initial_weights", None) is not None:
                self.set_weights(self._initial_weights)
                self._initial_weights = None
            return result
        finally:
            if not inner:
                stack.pop()

    return wrapper


def _shapes(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(map(_shapes, value)) if type(value) in (list, tuple) else value
    if isinstance(value, dict):
        return {k: _shapes(v) for k, v in value.items()}
    return tuple(value.shape) if hasattr(value, "shape") else None


_structure = 0


def _changed() -> None:
    """Notes that an attribute of some layer changed, which makes the cached `_trainables` of all layers out of date."""
    global _structure
    _structure += 1


def _ids(container: Any) -> list[int]:
    return list(map(id, container.values() if isinstance(container, dict) else container))


def _containers(tracked: Any) -> Iterator[Any]:
    """The lists, tuples and dictionaries in attributes, nested ones too: `__setattr__` sees no changes inside them."""
    for value in tracked.values() if isinstance(tracked, dict) else tracked:
        if isinstance(value, (list, tuple, dict)):
            yield value
            yield from _containers(value)


def _walk(value: Any) -> Iterator[Any]:
    """The variables and layers in nested lists, tuples and dictionaries."""
    if isinstance(value, (Variable, Layer)):
        yield value
    elif isinstance(value, dict):
        for v in value.values():
            yield from _walk(v)
    elif isinstance(value, (list, tuple)):
        for v in value:
            yield from _walk(v)
