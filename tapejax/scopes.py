"""Small things of the ``tf`` namespace that make no ops: scopes, queries, grouping, printing."""

import contextlib
import functools
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tapejax import dtypes, nest
from tapejax.engine import stream
from tapejax.errors import UnsupportedError
from tapejax.ops.registry import public
from tapejax.shape import TensorShape
from tapejax.tensor import Tensor, is_symbolic
from tapejax.variable import Variable

__all__ = ["TensorSpec"]


@public("get_logger")
def get_logger() -> logging.Logger:
    """The logger of tapejax's warnings (TensorFlow's is named "tensorflow")."""
    return logging.getLogger("tapejax")


@public("executing_eagerly")
def executing_eagerly() -> bool:
    """Whether operations give values: True except while a graph is captured."""
    return not stream.current().symbolic


@public("is_tensor")
def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor, a variable or another TensorFlow-native value.

    Source: https://www.tensorflow.org/api_docs/python/tf/is_tensor
    """
    return isinstance(x, (Tensor, Variable, nest.CompositeTensor))


@public("control_dependencies")
@contextlib.contextmanager
def control_dependencies(control_inputs: Any) -> Iterator[None]:
    """Context whose operations come after `control_inputs`: what is recorded runs in order anyway."""
    if callable(control_inputs):
        control_inputs()
    yield


@public("init_scope")
@contextlib.contextmanager
def init_scope() -> Iterator[None]:
    """Context that lifts operations out of functions; eagerly, where there are none, it changes nothing."""
    yield


@public("device")
@contextlib.contextmanager
def device(device_name: Any) -> Iterator[None]:
    """Context that asks for a device: "CPU:0", "/GPU:1"...; new arrays are put there.

    Raises:
      UnsupportedError: the device does not exist here.
    """
    import jax

    if device_name is None:
        yield
        return
    kind, _, number = str(device_name).upper().rsplit("/", 1)[-1].replace("DEVICE:", "").partition(":")
    platform = {"CPU": "cpu", "GPU": "gpu", "TPU": "tpu"}.get(kind)
    try:
        found = jax.devices(platform)[int(number or 0)]
    except (RuntimeError, IndexError):
        raise UnsupportedError(f"tf.device({device_name!r})", f"JAX sees {jax.devices()}",
                               "name one of these") from None
    stream.sync("the device changed")
    with jax.default_device(found):
        yield
        stream.sync("the device changed")


@public("no_op")
def no_op(name: str | None = None) -> None:
    """Does nothing."""


@public("group")
def group(*inputs: Any, name: str | None = None) -> None:
    """Groups operations, which have been recorded already: nothing is left to do."""


@public("get_static_value")
def get_static_value(tensor: Any, partial: bool = False) -> Any:
    """The value as a NumPy array, or None for a tensor of a graph that is being captured."""
    return None if isinstance(tensor, Tensor) and is_symbolic(tensor) else np.asarray(tensor)


@public("print")
def print_(*inputs: Any, output_stream: Any = sys.stderr, summarize: int = 3, sep: str = " ", end: str = "\n",
           name: str | None = None) -> None:
    """Prints values, tensors shortened to `summarize` elements at each end of an axis.

    Args:
      output_stream: file object (default: standard error), or "file://path" to append to.

    Source: https://www.tensorflow.org/api_docs/python/tf/print
    """
    with np.printoptions(edgeitems=summarize if summarize >= 0 else 10**9,
                         threshold=2 * summarize if summarize >= 0 else sys.maxsize):
        texts = [_text(v) for v in inputs]
    line = sep.join(texts) + end
    if isinstance(output_stream, str):
        if not output_stream.startswith("file://"):
            raise ValueError(f"`output_stream` is {output_stream!r}; a string must start with 'file://'")
        with open(output_stream[7:], "a") as file:
            file.write(line)
    else:
        output_stream.write(line)


def _text(value: Any) -> str:
    if isinstance(value, (Tensor, Variable)):
        array = np.asarray(value)
        if array.dtype == object:
            return array.item().decode() if array.ndim == 0 else str(array)
        return np.array2string(array, separator=" ", formatter={"float_kind": lambda x: f"{x:.8g}".removesuffix(".0")})
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(map(_text, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    return str(value)


class TensorSpec:
    """Shape, dtype and name of a tensor that is to come.

    Source: https://www.tensorflow.org/api_docs/python/tf/TensorSpec
    """

    __slots__ = ("_dtype", "_name", "_shape")

    def __init__(self, shape: Any, dtype: Any = dtypes.float32, name: str | None = None):
        self._shape = TensorShape(shape)
        self._dtype = dtypes.as_dtype(dtype)
        self._name = name

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> "TensorSpec":
        """The spec of a tensor."""
        return cls(tensor.shape, tensor.dtype, name)

    shape = property(lambda self: self._shape, doc="The `TensorShape`.")
    dtype = property(lambda self: self._dtype, doc="The `DType`.")
    name = property(lambda self: self._name, doc="The name, or None.")

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a tensor or spec has this dtype and a compatible shape."""
        return self.dtype == other.dtype and self.shape.is_compatible_with(other.shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and (self.shape, self.dtype, self.name) == (
            other.shape, other.dtype, other.name)

    def __hash__(self) -> int:
        return hash((self._shape, self._dtype))

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self.shape}, dtype={self.dtype!r}, name={self.name!r})"


@public("function")
def function(func: Callable | None = None, input_signature: Any = None, autograph: bool = True,
             jit_compile: bool | None = None, reduce_retracing: bool = False,
             experimental_implements: str | None = None, experimental_autograph_options: Any = None,
             experimental_attributes: Any = None) -> Any:
    """Decorator for functions that TensorFlow would trace into a graph.

    In this version the body runs as Python each time, on the recorded stream, which is compiled and cached
    anyway: results are the same, Python side effects happen on every call rather than once per trace.

    Args:
      func: the function.
      input_signature: TensorSpecs of the positional arguments; arguments that do not fit raise TypeError.
      autograph, jit_compile, reduce_retracing: how TensorFlow compiles; nothing here depends on them.
      experimental_implements, experimental_autograph_options, experimental_attributes: not supported.

    Raises:
      UnsupportedError: an experimental argument is given.

    Source: https://www.tensorflow.org/api_docs/python/tf/function
    """
    for value, what in ((experimental_implements, "experimental_implements"),
                        (experimental_autograph_options, "experimental_autograph_options"),
                        (experimental_attributes, "experimental_attributes")):
        if value is not None:
            raise UnsupportedError(f"tf.function(`{what}`)", "it names TensorFlow graph internals", "leave it out")
    if func is None:
        return functools.partial(function, input_signature=input_signature, autograph=autograph,
                                 jit_compile=jit_compile, reduce_retracing=reduce_retracing)

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        if input_signature is not None:
            fitted = [_conform(a, s) for a, s in zip(args, input_signature, strict=False)]
            args = (*fitted, *args[len(input_signature):])
        return func(*args, **kwargs)

    call.python_function = func  # type: ignore[attr-defined]
    return call


def _conform(value: Any, spec: Any) -> Any:
    from tapejax.convert import convert_to_tensor

    if not isinstance(spec, TensorSpec) or not hasattr(spec, "dtype"):
        return value
    tensor = convert_to_tensor(value, None if isinstance(value, (Tensor, Variable)) else spec.dtype)
    if not spec.is_compatible_with(tensor):
        raise TypeError(f"Python inputs incompatible with input_signature: {tensor!r} does not fit {spec}")
    return tensor
