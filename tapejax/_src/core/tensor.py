"""`Tensor`, the class of all dense tensors. `tapejax._src.ops.operators` adds Python's operators to it."""

from typing import Any

import jax
import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.operators import Operators
from tapejax._src.core.shape import TensorShape, known
from tapejax._src.engine import stream
from tapejax._src.engine.aval import aval
from tapejax._src.engine.program import unshared

__all__ = ["Tensor", "from_value", "is_symbolic", "newaxis"]

newaxis = None
"""`tf.newaxis`: an index that adds a dimension of size 1."""


class Tensor(stream.Lazy, Operators):
    """A multidimensional array, computed when its value is first needed.

    Reading a value (by `numpy`, ``float``, ``print``, or by NumPy's and JAX's functions) runs all operations
    recorded so far as one compiled program. Comparing tensors is an elementwise operation, so they are not
    hashable; use `ref` to put them into sets and dictionaries.

    Source: https://www.tensorflow.org/api_docs/python/tf/Tensor

    >>> import tapejax as tf
    >>> x = tf.constant([1.0, 2.0])
    >>> (x * 2.0).numpy().tolist()
    [2.0, 4.0]
    """

    __slots__ = ()
    __array_priority__ = 100

    @property
    def dtype(self) -> dtypes.DType:
        """The `DType` of the elements."""
        return dtypes.from_numpy(self.aval.dtype)

    @property
    def shape(self) -> TensorShape:
        """The `TensorShape`. All its sizes are known."""
        return known(self.aval.shape)

    def get_shape(self) -> TensorShape:
        """The same as `shape`."""
        return known(self.aval.shape)

    def set_shape(self, shape: Any) -> None:
        """Checks that the tensor's shape is compatible with `shape`.

        Args:
          shape: a `TensorShape`, or a value that converts to one.

        Raises:
          ValueError: the two are not compatible.
        """
        if not self.shape.is_compatible_with(shape):
            raise ValueError(f"Tensor's shape {self.shape} is not compatible with supplied shape {TensorShape(shape)}")

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.aval.shape)

    @property
    def device(self) -> str:
        """TensorFlow's name of the device that holds the value."""
        value = stream.realize(self)
        platform = "cpu" if isinstance(value, np.ndarray) else next(iter(value.devices())).platform
        return f"/job:localhost/replica:0/task:0/device:{platform.upper()}:0"

    @property
    def name(self) -> str:
        """Not available: only tensors of TensorFlow's graphs have names.

        Raises:
          AttributeError: always, as in eager TensorFlow.
        """
        raise AttributeError("Tensor.name is undefined when eager execution is enabled.")

    def numpy(self) -> Any:
        """The value as a NumPy array, or a NumPy scalar for shape (). The array is a copy."""
        value = stream.host(self)
        return value[()] if value.ndim == 0 else value.copy()

    def ref(self) -> Any:
        """A hashable reference to this tensor; ``ref().deref()`` gives the tensor back."""
        return Reference(self)

    experimental_ref = ref

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        value = stream.host(self)
        if copy:
            return np.array(value, dtype=dtype)
        # Without a copy or conversion the result is a view, as in TensorFlow. It is read-only: tensors never change.
        view = value.view()
        view.flags.writeable = False
        return np.asarray(view, dtype=dtype)

    def __jax_array__(self) -> jax.Array:
        value = stream.realize(self)
        if isinstance(value, np.ndarray):
            with jax.enable_x64(True):
                return jax.device_put(value)
        own = unshared(value)
        if own is not value:
            self._value = own
        return own

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self.__jax_array__().__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        array: Any = self.__jax_array__()
        return array.__dlpack_device__()

    def __bool__(self) -> bool:
        value = stream.host(self)
        if value.size > 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"
            )
        return bool(value.size and value.reshape(())[()])

    def __float__(self) -> float:
        return float(self._single("float"))

    def __int__(self) -> int:
        return int(self._single("int"))

    def __complex__(self) -> complex:
        return complex(self._single("complex"))

    def __index__(self) -> int:
        if self.aval.dtype.kind not in "iu":
            raise TypeError("only integer scalar arrays can be converted to a scalar index")
        return int(self._single("index"))

    def _single(self, what: str) -> Any:
        if self.aval.shape and np.prod(self.aval.shape) != 1:
            raise TypeError(f"only length-1 arrays can be converted to Python scalars ({what} of shape {self.shape})")
        return stream.host(self).reshape(())[()]

    def __len__(self) -> int:
        if not self.aval.shape:
            raise TypeError("Scalar tensor has no `len()`")
        return self.aval.shape[0]

    def __format__(self, spec: str) -> str:
        return format(self.numpy(), spec)

    def __str__(self) -> str:
        if is_symbolic(self):
            return f'Tensor("{self._slot}:0", shape={self.shape}, dtype={self.dtype.name})'
        return f"tf.Tensor({self._text()}, shape={self.shape}, dtype={self.dtype.name})"

    def __repr__(self) -> str:
        if is_symbolic(self):
            return f"<tf.Tensor '{self._slot}:0' shape={self.shape} dtype={self.dtype.name}>"
        return f"<tf.Tensor: shape={self.shape}, dtype={self.dtype.name}, numpy={self._text(repr)}>"

    def _text(self, form: Any = str) -> str:
        """The value as TensorFlow prints it: `form`, str or repr, of the NumPy value.

        The repr of a scalar is that of the Python number. A text of several lines begins on a new one.
        """
        value = stream.host(self)
        if value.ndim == 0:
            scalar = value[()]
            if isinstance(scalar, bytes) or form is str:
                return str(scalar)
            return repr(scalar.item() if isinstance(scalar, np.generic) else scalar)
        text = form(value)
        return f"\n{text}" if "\n" in text else text

    def __copy__(self) -> "Tensor":
        return self

    def __deepcopy__(self, memo: Any) -> "Tensor":
        return self

    def __reduce__(self) -> Any:
        return from_value, (stream.host(self),)


class Reference:
    """A reference to a tensor or variable, which compares and hashes by the identity of that object."""

    __slots__ = ("_target",)

    def __init__(self, target: Any):
        self._target = target

    def deref(self) -> Any:
        """The tensor or variable that is referred to."""
        return self._target

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self._target is other._target

    def __hash__(self) -> int:
        return id(self._target)

    def __repr__(self) -> str:
        return f"<Reference wrapping {self._target!r}>"


def from_value(value: Any) -> Tensor:
    """A tensor that holds `value`, which is a NumPy array that nobody else changes, a JAX array, or a JAX tracer."""
    out = Tensor.__new__(Tensor)
    out._value = value
    out._trace = None
    out._slot = 0
    out.aval = aval(tuple(value.shape), np.dtype(value.dtype))
    return out


def is_symbolic(t: Tensor) -> bool:
    """Whether `t` has no value because it belongs to a graph that is being captured."""
    return t._value is None and t._trace is not None and t._trace.symbolic


def _flatten(t: Tensor) -> tuple[tuple[Any], None]:
    return (stream.realize(t),), None


def _unflatten(_: None, children: Any) -> Any:
    (value,) = children
    return from_value(value) if hasattr(value, "dtype") and hasattr(value, "shape") else value


stream.set_tensor_type(Tensor)
jax.tree_util.register_pytree_node(Tensor, _flatten, _unflatten)
