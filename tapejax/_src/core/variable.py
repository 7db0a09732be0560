"""`Variable`: a tensor that can be assigned, with an identity that tapes and optimizers rely on."""

import contextlib
import itertools
import threading
import weakref
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import dtypes, errors
from tapejax._src.core.convert import identity, register_conversion, to_tensor
from tapejax._src.core.operators import Operators
from tapejax._src.core.shape import TensorShape, known
from tapejax._src.core.tensor import Reference, Tensor, from_value, is_symbolic
from tapejax._src.engine import stream, trie
from tapejax._src.engine.capture import lifted
from tapejax._src.engine.op import NO_STATIC, Op

__all__ = ["Variable", "cut", "variables_by_tensor"]

# Values that enter a variable are cut from where they came from: gradients do not flow through an assignment,
# and the variable's tensor is never one that somebody else holds.
_numbers = itertools.count(1)
_NOTHING: Final = contextlib.nullcontext()


class _Made(threading.local):
    count = 0


_made = _Made()
_all: weakref.WeakValueDictionary[int, "Variable"] = weakref.WeakValueDictionary()
_ASSIGN = Op("assign", lambda x: x, differentiable=False)
_ASSIGN_ADD = Op("assign_add", jnp.add, differentiable=False)
_ASSIGN_SUB = Op("assign_sub", jnp.subtract, differentiable=False)


class Variable(Operators):
    """A mutable tensor.

    Args:
      initial_value: what converts to a tensor, or a function without arguments that returns it.
      trainable: whether tapes watch it by themselves.
      validate_shape: False lets later values have any shape.
      name: for messages; ":0" is appended as in TensorFlow. Not made unique.
      dtype: of the values; by default the initial value's.
      shape: static shape that values must fit, by default the initial value's.
      synchronization, aggregation, caching_device, variable_def, import_scope, constraint: TensorFlow's; only
        `constraint` (kept for optimizers) may differ from the default.

    Raises:
      ValueError: no initial value, or one that does not fit `shape`.

    Source: https://www.tensorflow.org/api_docs/python/tf/Variable

    >>> import tapejax as tf
    >>> v = tf.Variable(3.0)
    >>> v.assign_add(1.0).numpy().item()
    4.0
    """

    _tensor: Tensor
    __array_priority__ = 100

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        import_scope: Any = None,
        constraint: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
        experimental_enable_variable_lifting: bool = True,
    ):
        if initial_value is None:
            raise ValueError("Argument `initial_value` must be specified: a tensor, or a callable that returns one.")
        for given, what in (
            (caching_device, "caching_device"),
            (variable_def, "variable_def"),
            (import_scope, "import_scope"),
        ):
            if given is not None:
                raise errors.UnsupportedError(f"Variable(`{what}`)", "it belongs to TF1 graphs", "leave it out")
        if callable(initial_value):
            with stream.outside_captures():
                initial_value = initial_value()
        tensor = to_tensor(
            initial_value,
            None if dtype is None or isinstance(initial_value, (Tensor, Variable)) else dtypes.to_numpy(dtype),
        )
        if is_symbolic(tensor):
            tensor = lifted(tensor)
        if dtype is not None and tensor.aval.dtype != dtypes.to_numpy(dtype):
            raise ValueError(
                f"Incompatible type conversion requested to type {dtypes.as_dtype(dtype).name} for "
                f"variable of type {tensor.dtype.name}"
            )
        self._shape = (
            TensorShape(shape)
            if shape is not None
            else known(tensor.aval.shape)
            if validate_shape
            else TensorShape(None)
        )
        if not self._shape.is_compatible_with(tensor.shape):
            raise ValueError(
                f"The initial value's shape ({tensor.shape}) is not compatible with the explicitly "
                f"supplied `shape` argument ({self._shape})."
            )
        self._trainable = True if trainable is None else bool(trainable)
        self._name = trie.scope.path + (name or "Variable") + ("" if name and name.endswith(":0") else ":0")
        self._untaped: Any = None
        self._number = next(_numbers)
        _made.count += 1
        self.constraint = constraint
        self.synchronization = synchronization
        self.aggregation = aggregation
        self._dtype = tensor.aval.dtype
        with stream.outside_captures():
            self._tensor = _own(tensor)
            if self._trainable and self._tensor._value is None:
                stream.thread.trace.updated = True
        _all[self._number] = self

    # Reading

    def _read(self) -> Tensor:
        """The current tensor, for use as an op's input. Where loops begin anew, what is pending runs first."""
        tensor = self._tensor
        if tensor._value is None and getattr(tensor._trace, "symbolic", False):
            tensor = self._settled()
        if self._trainable:
            trace = stream.thread.trace
            if tensor._value is None:
                if tensor._trace is trace and not trace.symbolic:
                    trace.flush("a variable updated in this program was read")
            elif not stream.thread.tapes and not trace.symbolic:
                if self._untaped is trace:
                    trace.flush("a variable was read twice outside tapes")
                self._untaped = stream.thread.trace
            for tape in stream.thread.tapes:
                tape.note_read(self, tensor)
        return tensor

    def _settled(self) -> Tensor:
        """The current tensor. While another thread captures a function that assigns the variable, waits for the end."""
        trace = getattr(self._tensor, "_trace", None)
        thread = stream.thread
        if trace is None or not trace.symbolic or trace is thread.trace or trace in thread.below or thread.called_back:
            return self._tensor
        with stream.exclusive():
            return self._tensor

    def value(self) -> Tensor:
        """The value now, as a tensor that later assignments do not change."""
        return identity(self._read())

    read_value = value

    def numpy(self) -> Any:
        """The value as a NumPy array (a copy) or scalar."""
        return self._settled().numpy()

    @property
    def shape(self) -> TensorShape:
        """Static shape."""
        return self._shape

    def get_shape(self) -> TensorShape:
        """The same as `shape`."""
        return self._shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._tensor.aval.shape)

    @property
    def dtype(self) -> dtypes.DType:
        """`DType` of the values."""
        return dtypes.from_numpy(self._dtype)

    @property
    def name(self) -> str:
        """The name, with ":0"."""
        return self._name

    @property
    def trainable(self) -> bool:
        """Whether tapes watch the variable by themselves."""
        return self._trainable

    @property
    def device(self) -> str:
        """TF's name of the device that holds the value."""
        return self._tensor.device

    def ref(self) -> Reference:
        """A hashable reference; ``ref().deref()`` gives the variable back."""
        return Reference(self)

    experimental_ref = ref

    # Writing

    def _overwrite(self, tensor: Tensor) -> None:
        """Makes a fresh result of an op the value, unchecked."""
        stream.assign(self, tensor)

    def assign(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> "Variable | None":
        """Sets the value.

        Args:
          value: what converts to the variable's dtype, of a compatible shape.
          use_locking: programs are serialised anyway. name: of no effect when eager.
          read_value: False returns None.

        Returns:
          The variable.

        Raises:
          ValueError: wrong shape, or a tensor of another dtype. Nothing changes then.
        """
        tensor = to_tensor(value, self._dtype)
        if not self._shape.is_compatible_with(tensor.aval.shape):
            raise ValueError(
                f"Cannot assign value to variable '{self._name}': Shape mismatch.The variable shape "
                f"{self._shape}, and the assigned value shape {tensor.shape} are incompatible."
            )
        own = _own(tensor)
        with _exclusive():
            stream.assign(self, own)
        return self if read_value else None

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> "Variable | None":
        """Adds to the value. Arguments as of `assign`.

        Raises:
          InvalidArgumentError: wrong shape (in a captured function ValueError). Nothing changes then.
        """
        return self._update(_ASSIGN_ADD, delta, read_value)

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> "Variable | None":
        """Subtracts from the value. Arguments as of `assign`.

        Raises:
          InvalidArgumentError: wrong shape (in a captured function ValueError). Nothing changes then.
        """
        return self._update(_ASSIGN_SUB, delta, read_value)

    def _update(self, op: Op, delta: Any, read_value: bool) -> "Variable | None":
        tensor = to_tensor(delta, self._dtype)
        if tensor.aval.shape != self._tensor.aval.shape:
            text = (
                f"Cannot update variable with shape {self.shape} using a Tensor with shape {tensor.shape}, "
                f"shapes must be equal. [Op:{op.name}]"
            )
            raise ValueError(text) if stream.current().symbolic else errors.InvalidArgumentError(message=text)
        with _exclusive():
            stream.assign(self, stream.record(op, NO_STATIC, (self._tensor, tensor)))
        return self if read_value else None

    # What a variable refuses, or borrows from its tensor

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._settled().__array__(dtype, copy is not False)  # a copy, as TensorFlow's: variables change

    def __jax_array__(self) -> Any:
        return self._settled().__jax_array__()

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self.value().__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        return self._tensor.__dlpack_device__()

    def __bool__(self) -> bool:
        return bool(self._settled())

    def __float__(self) -> float:
        return float(self._settled())

    def __int__(self) -> int:
        return int(self._settled())

    def __complex__(self) -> complex:
        return complex(self._settled())

    def __len__(self) -> int:
        raise TypeError("object of type 'Variable' has no len(); use tf.shape(v)[0] or v.shape[0]")

    def __iadd__(self, other: Any) -> Any:
        raise RuntimeError(
            "Variable += value not supported. Use `variable.assign_add(value)` to modify the variable "
            "value and `variable = variable + value` to get a new Tensor object."
        )

    def __isub__(self, other: Any) -> Any:
        raise RuntimeError(
            "Variable -= value not supported. Use `variable.assign_sub(value)` to modify the variable "
            "value and `variable = variable - value` to get a new Tensor object."
        )

    def __imul__(self, other: Any) -> Any:
        raise RuntimeError(
            "Variable *= value not supported. Use `var.assign(var * value)` to modify the variable or "
            "`var = var * value` to get a new Tensor object."
        )

    def __itruediv__(self, other: Any) -> Any:
        raise RuntimeError(
            "Variable /= value not supported. Use `var.assign(var / value)` to modify the variable or "
            "`var = var / value` to get a new Tensor object."
        )

    def __repr__(self) -> str:
        return (
            f"<tf.Variable '{self._name}' shape={self.shape} dtype={self.dtype.name}, "
            f"numpy={self._settled()._text(repr)}>"
        )

    __str__ = __repr__

    def __deepcopy__(self, memo: dict) -> "Variable":
        copy = memo[id(self)] = Variable(self.numpy(), self._trainable, name=self._name, constraint=self.constraint)
        return copy

    def __reduce__(self) -> Any:
        return Variable, (self.numpy(), self._trainable, True, None, self._name)


def _exclusive() -> Any:
    """Context for a write: no other thread updates the variable meanwhile, or captures a function that assigns it."""
    return stream.exclusive() if stream.several_threads() and not stream.thread.called_back else _NOTHING


def count() -> int:
    """How many variables this thread has made."""
    return _made.count


def variables_by_tensor() -> dict[int, Variable]:
    """All variables by the identity of their current tensors."""
    return {id(v._tensor): v for v in list(_all.values())}


def cut(tensor: Tensor) -> Tensor:
    """The same value, without what tapes know of it: gradients do not flow through an assignment."""
    return stream.record(_ASSIGN, NO_STATIC, (tensor,))


def _own(tensor: Tensor) -> Tensor:
    """The same value as a tensor that nobody else holds."""
    if tensor._value is not None and not stream.current().symbolic:
        return from_value(tensor._value)
    return cut(tensor)


register_conversion(Variable, Variable._read)
