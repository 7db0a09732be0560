"""Small functions of the ``tf`` namespace that record no ops: scopes, queries and grouping."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np

from tapejax._src.core import nest
from tapejax._src.core.errors import UnsupportedError
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, is_symbolic
from tapejax._src.core.variable import Variable
from tapejax._src.engine import policy, stream

__all__: list[str] = []


@public("get_logger")
def get_logger() -> logging.Logger:
    """The logger that tapejax's warnings go to. It is named "tapejax"; TensorFlow's is named "tensorflow".

    Returns:
      A `logging.Logger`.

    Source: https://www.tensorflow.org/api_docs/python/tf/get_logger

    >>> get_logger().name
    'tapejax'
    """
    return logging.getLogger("tapejax")


@public("executing_eagerly")
def executing_eagerly() -> bool:
    """Whether operations compute values. This is true except while a graph is being captured.

    Returns:
      A bool.

    Source: https://www.tensorflow.org/api_docs/python/tf/executing_eagerly

    >>> executing_eagerly()
    True
    """
    return not stream.current().symbolic


@public("is_tensor")
def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor, a variable, or a composite of tensors such as a sparse or ragged tensor.

    Args:
      x: any value.

    Returns:
      A bool.

    Source: https://www.tensorflow.org/api_docs/python/tf/is_tensor

    >>> is_tensor(Variable(1.0)), is_tensor(1.0)
    (True, False)
    """
    return isinstance(x, (Tensor, Variable, nest.CompositeTensor))


@public("control_dependencies")
@contextlib.contextmanager
def control_dependencies(control_inputs: Any) -> Iterator[None]:
    """Context manager for operations that must run after `control_inputs`. Operations run in order anyway.

    Args:
      control_inputs: tensors or operations, which have been recorded before; or a function, which is called.

    Source: https://www.tensorflow.org/api_docs/python/tf/control_dependencies

    >>> with control_dependencies([]):
    ...     print("in order")
    in order
    """
    if callable(control_inputs):
        control_inputs()
    yield


@public("init_scope")
@contextlib.contextmanager
def init_scope() -> Iterator[None]:
    """Context manager that takes operations out of the functions being captured: they run once, immediately.

    Source: https://www.tensorflow.org/api_docs/python/tf/init_scope

    >>> with init_scope():
    ...     executing_eagerly()
    True
    """
    with stream.outside_captures():
        yield


@public("device")
@contextlib.contextmanager
def device(device_name: Any) -> Iterator[None]:
    """Context manager that chooses the device on which new arrays are placed.

    Args:
      device_name: such as "CPU:0" or "/GPU:1". None changes nothing.

    Raises:
      UnsupportedError: JAX sees no such device.

    Source: https://www.tensorflow.org/api_docs/python/tf/device

    >>> with device("CPU:0"):
    ...     print(float(Variable(1.0) * 2.0))
    2.0
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
        raise UnsupportedError(
            f"tf.device({device_name!r})", f"JAX sees {jax.devices()}", "Name one of these."
        ) from None
    policy.happened(stream.thread, policy.Event.DEVICE_CHANGED)
    with jax.default_device(found):
        yield
        policy.happened(stream.thread, policy.Event.DEVICE_CHANGED)


@public("no_op")
def no_op(name: str | None = None) -> None:
    """Does nothing.

    Args:
      name: of no effect.

    Source: https://www.tensorflow.org/api_docs/python/tf/no_op

    >>> no_op()
    """


@public("group")
def group(*inputs: Any, name: str | None = None) -> None:
    """Groups operations. They have been recorded already, so there is nothing left to do.

    Args:
      *inputs: the operations.
      name: of no effect.

    Source: https://www.tensorflow.org/api_docs/python/tf/group

    >>> group()
    """


@public("get_static_value")
def get_static_value(tensor: Any, partial: bool = False) -> Any:
    """The value of a tensor where it is known, otherwise None.

    Args:
      tensor: a tensor.
      partial: of no effect: a value is known as a whole or not at all.

    Returns:
      A NumPy array, or None for a tensor of a graph that is being captured.

    Source: https://www.tensorflow.org/api_docs/python/tf/get_static_value

    >>> get_static_value(Variable([1, 2]) + 1)
    array([2, 3], dtype=int32)
    """
    return None if isinstance(tensor, Tensor) and is_symbolic(tensor) else np.asarray(tensor)
