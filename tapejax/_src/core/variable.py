"""`Variable`: a value that can be assigned. The object stays the same, so tapes and optimizers can refer to it."""

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
from tapejax._src.engine import policy, stream, trie
from tapejax._src.engine.capture import lifted
from tapejax._src.engine.interrupts import spare
from tapejax._src.engine.op import NO_STATIC, Op
from tapejax._src.engine.program import is_concrete

__all__ = ["Variable", "cut", "variables_by_tensor"]

# An assigned value is copied into a new tensor (`_own`, `cut`) for two reasons: gradients do not flow through an
# assignment, and no one else may hold the variable's tensor, because its buffer can be overwritten.
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
      initial_value: a value that converts to a tensor, or a function without arguments that returns one.
      trainable: whether gradient tapes watch the variable without being asked to.
      validate_shape: False lets later values have any shape.
      caching_device: not supported; must be None.
      name: the name shown in messages. ":0" is appended, as in TensorFlow. Two variables may have one name.
      variable_def: not supported; must be None.
      dtype: the type of the values; by default that of `initial_value`.
      import_scope: not supported; must be None.
      constraint: kept as an attribute, for optimizers that apply it.
      synchronization: kept as an attribute; there is only one copy to synchronize.
      aggregation: kept as an attribute; there is only one copy to update.
      shape: the static shape that values must be compatible with; by default that of `initial_value`.
      experimental_enable_variable_lifting: of no effect.

    Raises:
      ValueError: there is no initial value, or it does not fit `dtype` or `shape`.
      UnsupportedError: an argument that must be None is given.

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
                raise errors.UnsupportedError(f"Variable(`{what}`)", "it belongs to TF1 graphs", "Leave it out.")
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
        """The current tensor, for use as an op's input.

        The read may first run the pending program; see `engine.policy`.
        """
        tensor = self._tensor
        if tensor._value is None and getattr(tensor._trace, "symbolic", False):
            tensor = self._settled()
        if self._trainable:
            policy.variable_read(stream.thread, self, tensor)
            for tape in stream.thread.tapes:
                tape.note_read(self, tensor)
        return tensor

    def _settled(self) -> Tensor:
        """The current tensor. If another thread is capturing a function that assigns the variable, waits for it."""
        trace = getattr(self._tensor, "_trace", None)
        thread = stream.thread
        if trace is None or not trace.symbolic or trace is thread.trace or trace in thread.below or thread.called_back:
            return self._tensor
        with stream.exclusive():
            return self._tensor

    def value(self) -> Tensor:
        """The current value, as a tensor that later assignments do not change."""
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
        """Sets the value to `tensor`, a result that nobody else holds, without checking its shape or dtype."""
        stream.assign(self, tensor)

    def assign(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> "Variable | None":
        """Sets the value.

        Args:
          value: a value that converts to the variable's dtype, of a shape compatible with the variable's.
          use_locking: of no effect, because programs run one after another.
          name: of no effect.
          read_value: whether to return the variable.

        Returns:
          The variable, or None where `read_value` is false.

        Raises:
          ValueError: `value` has another shape, or is a tensor of another dtype. The variable keeps its value.
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
        """Adds `delta` to the value. The other arguments are those of `assign`.

        Args:
          delta: a value that converts to the variable's dtype, of the variable's shape.
          use_locking: of no effect, because programs run one after another.
          name: of no effect.
          read_value: whether to return the variable.

        Returns:
          The variable, or None where `read_value` is false.

        Raises:
          InvalidArgumentError: `delta` has another shape (in a captured function it is a ValueError). The
            variable keeps its value.
        """
        return self._update(_ASSIGN_ADD, delta, read_value)

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> "Variable | None":
        """Subtracts `delta` from the value. The other arguments are those of `assign`.

        Args:
          delta: a value that converts to the variable's dtype, of the variable's shape.
          use_locking: of no effect, because programs run one after another.
          name: of no effect.
          read_value: whether to return the variable.

        Returns:
          The variable, or None where `read_value` is false.

        Raises:
          InvalidArgumentError: `delta` has another shape (in a captured function it is a ValueError). The
            variable keeps its value.
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

    # Python's protocols: answered by the variable's tensor, or refused

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        # A copy, as in TensorFlow: the variable may be assigned while the array is in use.
        return self._settled().__array__(dtype, copy is not False)

    def __jax_array__(self) -> Any:
        """A copy of the value: the user may donate it to a program of their own, which deletes it."""
        array = self._settled().__jax_array__()
        return spare(array) if is_concrete(array) else array

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
        # A function, not the class, whose name may be TensorFlow's at the time (see `compat.identity`).
        return _unpickled, (self.numpy(), self._trainable, self._name)


def _unpickled(value: Any, trainable: bool, name: str) -> "Variable":
    return Variable(value, trainable, name=name)


def _exclusive() -> Any:
    """Context for an assignment: other threads neither assign variables nor capture such functions meanwhile."""
    return stream.exclusive() if stream.several_threads() and not stream.thread.called_back else _NOTHING


def count() -> int:
    """How many variables this thread has made."""
    return _made.count


def variables_by_tensor() -> dict[int, Variable]:
    """All living variables, keyed by the `id` of their current tensor."""
    return {id(v._tensor): v for v in list(_all.values())}


def cut(tensor: Tensor) -> Tensor:
    """A new tensor of the same value that tapes do not follow, because no gradient flows through an assignment."""
    return stream.record(_ASSIGN, NO_STATIC, (tensor,))


def _own(tensor: Tensor) -> Tensor:
    """A new tensor of the same value, which only the caller holds."""
    if tensor._value is not None and not stream.current().symbolic:
        return from_value(tensor._value)
    return cut(tensor)


register_conversion(Variable, Variable._read)
