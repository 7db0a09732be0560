"""`tf.TensorArray`: a list of tensors of one dtype, which captured loops can write and read by index."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import dtypes, errors
from tapejax._src.core.convert import constant, to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.shape import TensorShape, known
from tapejax._src.core.tensor import Tensor, is_symbolic
from tapejax._src.engine import stream
from tapejax._src.engine.capture import SymbolicValueError
from tapejax._src.engine.op import NO_STATIC, Op, static

__all__ = ["TensorArray"]


def _inside(index: Any, size: int) -> Any:
    """Maps negative indices to an index that is out of range, because TensorArrays do not count from the end."""
    return jnp.where(index < 0, size, index)


_STACK = Op("stack", lambda *xs: jnp.stack(xs))
_UNSTACK = Op("unstack", lambda x: tuple(x[i] for i in range(x.shape[0])))
_JOIN = Op("concat", lambda *xs: jnp.concatenate(xs))
_ZEROS = Op("zeros", lambda shape, dtype: jnp.zeros(shape, dtype))
_PART = Op("slice", lambda x, start, stop: x[start:stop])
_FLAT = Op("reshape", lambda x: x.reshape(-1, *x.shape[2:]))
# A compiled program cannot raise errors. So reading out of range gives NaN, or the smallest integer, and writing out of
# range does nothing.
_READ = Op("tensor_array_read", lambda x, i: jnp.asarray(x).at[_inside(i, x.shape[0])].get(mode="fill"))
_WRITE = Op("tensor_array_write", lambda x, i, value: jnp.asarray(x).at[_inside(i, x.shape[0])].set(value, mode="drop"))


class TensorArray:
    """A list of tensors of one dtype.

    In eager mode `write` changes the list in place. Inside a `tf.function`, `write` leaves the array as it is and
    returns a new one, so continue with the returned array, as in TensorFlow. In captured loops it is one tensor [size,
    *element shape], so all elements must have the same shape.

    Args:
      dtype: the `DType` of the elements.
      size: the number of elements.
      dynamic_size: whether writing past the end makes the array longer. In a captured function this is possible only
        at indices that are known when the function is captured.
      clear_after_read: whether an element can be read only once, which is the default. It applies to eager mode only.
      tensor_array_name: of no effect.
      handle: not supported; must be None.
      flow: not supported; must be None.
      infer_shape: whether all elements must have the shape of the first.
      element_shape: the shape that elements must be compatible with.
      colocate_with_first_write_call: of no effect.
      name: of no effect.

    Raises:
      ValueError: `size` is missing, or `handle` or `flow` is given.

    Source: https://www.tensorflow.org/api_docs/python/tf/TensorArray

    >>> import tapejax as tf
    >>> ta = tf.TensorArray(tf.float32, size=2)
    >>> ta = ta.write(0, 1.0).write(1, 2.0)
    >>> ta.stack().numpy().tolist()
    [1.0, 2.0]
    """

    def __init__(
        self,
        dtype: Any,
        size: Any = None,
        dynamic_size: bool | None = None,
        clear_after_read: bool | None = None,
        tensor_array_name: str | None = None,
        handle: Any = None,
        flow: Any = None,
        infer_shape: bool = True,
        element_shape: Any = None,
        colocate_with_first_write_call: bool = True,
        name: str | None = None,
    ):
        if handle is not None or flow is not None:
            raise ValueError("TensorArray handles and flows belong to TF1 graphs and are not supported")
        if size is None:
            raise ValueError("Size must be declared for TensorArrays: pass `size`")
        self._dtype = dtypes.to_numpy(dtype)
        self._dynamic = bool(dynamic_size)
        self._clear = clear_after_read is None or bool(clear_after_read)
        self._infer = bool(infer_shape)
        self._element = TensorShape(element_shape)
        # The elements are in the list `_items`, unless `_buffer` is a tensor that holds all of them.
        self._items: list[Tensor | None] = [None] * int(size)
        self._buffer: Tensor | None = None
        self._cleared: set[int] = set()

    # Properties

    @property
    def dtype(self) -> dtypes.DType:
        """The `DType` of the elements."""
        return dtypes.from_numpy(self._dtype)

    @property
    def element_shape(self) -> TensorShape:
        """The `TensorShape` of the elements, as far as it is known."""
        return self._element

    @property
    def dynamic_size(self) -> bool:
        """Whether writing past the end makes the array longer."""
        return self._dynamic

    @property
    def handle(self) -> None:
        """Always None, as in TensorFlow 2."""

    def size(self, name: str | None = None) -> Tensor:
        """The number of elements, as an int32 scalar tensor."""
        return constant(self._length(), dtypes.int32)

    def identity(self) -> "TensorArray":
        """An array with the same elements."""
        return self._with(list(self._items), self._buffer)

    def close(self, name: str | None = None) -> None:
        """Drops the elements."""
        self._items, self._buffer = [], None

    def _length(self) -> int:
        return len(self._items) if self._buffer is None else self._buffer.aval.shape[0]

    def _with(self, items: list[Tensor | None], buffer: Tensor | None, element: TensorShape | None = None) -> Any:
        """An array with the given elements: this array in eager mode, a new one while a graph is captured."""
        out = self
        if stream.current().symbolic:
            out = TensorArray.__new__(TensorArray)
            out.__dict__.update(self.__dict__)
            out._cleared = set()
        out._items, out._buffer = items, buffer
        if element is not None:
            out._element = element
        return out

    # Used for arrays in the state of a captured loop, or among the results of a branch

    def _packed(self) -> Tensor | None:
        """All elements in one tensor, or None if their shape is not known yet."""
        if self._buffer is None and self._items and not self._element.is_fully_defined():
            shapes = {t.aval.shape for t in self._items if t is not None}
            if not shapes:
                return None
            if len(shapes) > 1:
                raise SymbolicValueError(
                    f"a TensorArray with elements of shapes {sorted(shapes)} cannot be the state "
                    "of compiled control flow: they must have one shape"
                )
        return self._buffer if self._buffer is not None else self.stack()

    def _like(self, buffer: Tensor | None) -> "TensorArray":
        """An array like this one, whose elements are those of `buffer`. If that is None, no element is written."""
        if buffer is None:
            return self._with([None] * self._length(), None)
        return self._with([], buffer, known(buffer.aval.shape[1:]))

    def _blank(self, shape: tuple[int, ...]) -> Tensor:
        """A tensor of zeros for all elements, which stands for an array to which nothing has been written."""
        return stream.record(_ZEROS, static(shape=(self._length(), *shape), dtype=self._dtype), ())

    # Elements

    def _position(self, index: Any, what: str, size: int) -> int:
        i = int(index)
        if 0 <= i < size or (i >= size and self._dynamic and what == "write to"):
            return i
        text = f"Tried to {what} index {i} but the TensorArray's size is {size}" + (
            " and it is not resizeable (`dynamic_size=True`)" if what == "write to" else ""
        )
        kind = errors.InvalidArgumentError if stream.current().symbolic else errors.OutOfRangeError
        raise kind(message=text)

    def _value(self, value: Any) -> Tensor:
        tensor = to_tensor(value, None, self._dtype)
        if tensor.aval.dtype != self._dtype:
            raise errors.InvalidArgumentError(
                message=f"TensorArray dtype is {self.dtype.name} but Op is trying to write dtype {tensor.dtype.name}"
            )
        return tensor

    def _checked(self, shape: TensorShape) -> TensorShape:
        """The element shape that is known after an element of the given shape is written. Raises if it does not fit."""
        if not self._element.is_compatible_with(shape):
            raise ValueError(f"Incompatible shape for value ({shape}), expected ({self._element})")
        return self._element.merge_with(shape) if self._infer else self._element

    def _zero(self) -> Tensor:
        if not self._element.is_fully_defined():
            text = (
                f"Cannot read an element that was not written, because the element shape ({self._element}) is not "
                "fully known: write the element first, or pass `element_shape`"
            )
            raise errors.InvalidArgumentError(message=text) if stream.current().symbolic else ValueError(text)
        return stream.record(_ZEROS, static(shape=tuple(self._element.as_list()), dtype=self._dtype), ())

    def _all(self) -> list[Tensor]:
        """The elements as a list of tensors, with zeros for those not written."""
        if self._buffer is not None:
            return list(stream.record(_UNSTACK, NO_STATIC, (self._buffer,))) if self._length() else []
        return [self._zero() if t is None else t for t in self._items]

    def _array(self) -> Tensor:
        packed = self._packed()
        return self.stack() if packed is None else packed

    def read(self, index: Any, name: str | None = None) -> Tensor:
        """The element at an index. In eager mode it cannot be read again, unless `clear_after_read` is False.

        Args:
          index: an integer, or an integer scalar tensor.
          name: of no effect.

        Raises:
          OutOfRangeError: the index is out of range. While a graph is captured this is an InvalidArgumentError, and is
            raised only if the index is known.
          InvalidArgumentError: the element has been read before (in eager mode).
        """
        index = to_tensor(index)
        if is_symbolic(index):
            return stream.record(_READ, NO_STATIC, (self._array(), index))
        i = self._position(index, "read from", self._length())
        if i in self._cleared:
            raise errors.InvalidArgumentError(
                message=f"Could not read index {i} twice because it was cleared after a previous read (perhaps try "
                "setting clear_after_read = false?)"
            )
        if self._buffer is not None:
            found = stream.record(_READ, NO_STATIC, (self._buffer, index))
        else:
            found = self._items[i]
        found = self._zero() if found is None else found
        if self._clear and not stream.current().symbolic:
            self._cleared.add(i)
            if self._buffer is None:
                self._items[i] = None
        return found

    def write(self, index: Any, value: Any, name: str | None = None) -> "TensorArray":
        """Sets the element at an index.

        Args:
          index: an integer, or an integer scalar tensor.
          value: the element, or a value that converts to it.
          name: of no effect.

        Returns:
          The array with the new element. Use it instead of this array from now on.

        Raises:
          OutOfRangeError: the index is out of range. While a graph is captured this is an InvalidArgumentError, and is
            raised only if the index is known.
          InvalidArgumentError: `value` has another dtype.
          ValueError: `value` has another shape.
          SymbolicValueError: the index is a tensor of a captured function, and `dynamic_size` is set.
        """
        index, value = to_tensor(index), self._value(value)
        element = self._checked(value.shape)
        if is_symbolic(index):
            if self._dynamic:
                raise SymbolicValueError(
                    "a TensorArray with dynamic_size=True is written at an index that is a tensor: a compiled program "
                    "has fixed sizes; make the TensorArray as large as it will get, with dynamic_size=False"
                )
            buffer = self._packed()
            if buffer is None:
                buffer = self._blank(value.aval.shape)
            if buffer.aval.shape[1:] != value.aval.shape:
                raise SymbolicValueError(
                    "elements of several shapes are written to a TensorArray at an index that is "
                    "a tensor: a compiled program needs one shape"
                )
            return self._with([], stream.record(_WRITE, NO_STATIC, (buffer, index, value)), element)
        i = self._position(index, "write to", self._length())
        if self._buffer is not None and i < self._length() and stream.current().symbolic:
            return self._with([], stream.record(_WRITE, NO_STATIC, (self._buffer, index, value)), element)
        items = self._all() if self._buffer is not None else list(self._items)
        items += [None] * (i + 1 - len(items))
        items[i] = value
        self._cleared.discard(i)
        return self._with(items, None, element)

    def gather(self, indices: Any, name: str | None = None) -> Tensor:
        """The elements at several indices.

        Args:
          indices: a vector of n integers.
          name: of no effect.

        Returns:
          A tensor [n, *element shape].

        Raises:
          OutOfRangeError: an index is out of range. While a graph is captured this is an InvalidArgumentError, and is
            raised only if the indices are known.
        """
        indices = to_tensor(indices)
        if is_symbolic(indices):
            return stream.record(_READ, NO_STATIC, (self._array(), indices))
        at = [self._position(i, "read from", self._length()) for i in np.asarray(indices).tolist()]
        items = self._all() if self._buffer is not None else self._items
        return self._stacked([self._zero() if items[i] is None else items[i] for i in at])

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> "TensorArray":
        """Sets the elements at several indices.

        Args:
          indices: a vector of integers.
          value: a tensor with one row for each index.
          name: of no effect.

        Returns:
          The array with the new elements. Use it instead of this array from now on.

        Raises:
          InvalidArgumentError: `value` has another dtype; or, while a graph is captured, another number of rows.
          ValueError: the rows have another shape than the elements.
        """
        indices, value = to_tensor(indices), self._value(value)
        if stream.current().symbolic and indices.aval.shape[0] != value.aval.shape[0]:
            raise errors.InvalidArgumentError(
                message="Expected len(indices) == tensor.shape[0], but saw: "
                f"{indices.aval.shape[0]} vs. {value.aval.shape[0]}"
            )
        if is_symbolic(indices):
            element = self._checked(known(value.aval.shape[1:]))
            buffer = self._packed()
            buffer = self._blank(value.aval.shape[1:]) if buffer is None else buffer
            return self._with([], stream.record(_WRITE, NO_STATIC, (buffer, indices, value)), element)
        out = self
        rows = stream.record(_UNSTACK, NO_STATIC, (value,)) if value.aval.shape[0] else ()
        for i, row in zip(np.asarray(indices).tolist(), rows, strict=False):
            out = out.write(i, row)
        return out

    def stack(self, name: str | None = None) -> Tensor:
        """All elements as one tensor [size, *element shape], with zeros for those not written.

        Raises:
          ValueError: an element was not written, and the shape of the elements is not known. While a graph is captured
            this is an InvalidArgumentError.
          InvalidArgumentError: the elements have different shapes.
        """
        if self._buffer is not None:
            return self._buffer
        if not self._items:
            shape = tuple(self._element.as_list()) if self._element.is_fully_defined() else ()
            return stream.record(_ZEROS, static(shape=(0, *shape), dtype=self._dtype), ())
        return self._stacked(self._all())

    def _stacked(self, items: list[Any]) -> Tensor:
        if not items:
            return stream.record(_ZEROS, static(shape=(0, *self._element.as_list()), dtype=self._dtype), ())
        try:
            return stream.record(_STACK, NO_STATIC, tuple(items))
        except (TypeError, ValueError) as e:
            raise errors.InvalidArgumentError(
                message=f"The elements of the TensorArray have different shapes and cannot be stacked: {e}"
            ) from None

    def unstack(self, value: Any, name: str | None = None) -> "TensorArray":
        """Replaces all elements by the rows of `value`.

        Args:
          value: a tensor with one row for each element.
          name: of no effect.

        Returns:
          The array with the new elements. Use it instead of this array from now on.

        Raises:
          ValueError: `value` is a scalar; or, in eager mode, it has more rows than the array has elements, and the
            array cannot grow.
        """
        value = self._value(value)
        if not value.aval.shape:
            raise ValueError("`value` of TensorArray.unstack must have at least one axis, received a scalar")
        rows = value.aval.shape[0]
        if not stream.current().symbolic and rows > self._length() and not self._dynamic:
            raise ValueError(f"Cannot unstack {rows} tensors into a TensorArray of static size {self._length()} ")
        element = self._checked(known(value.aval.shape[1:]))
        self._cleared.clear()
        return self._with([], value, element)

    def concat(self, name: str | None = None) -> Tensor:
        """The elements concatenated along their first axis.

        Raises:
          InvalidArgumentError: the elements are scalars. While a graph is captured this is a ValueError.
        """
        if self._buffer is not None and len(self._buffer.aval.shape) > 1:
            return stream.record(_FLAT, NO_STATIC, (self._buffer,))
        items = self._all()
        if not items:
            return self.stack()
        if not all(t.aval.shape for t in items):
            text = "Concat saw a scalar shape but requires at least vectors."
            raise ValueError(text) if stream.current().symbolic else errors.InvalidArgumentError(message=text)
        return stream.record(_JOIN, NO_STATIC, tuple(items))

    def split(self, value: Any, lengths: Any, name: str | None = None) -> "TensorArray":
        """Replaces all elements by parts of `value`, cut along its first axis.

        Args:
          value: a tensor.
          lengths: the number of rows of each part.
          name: of no effect.

        Returns:
          The array with the new elements. Use it instead of this array from now on.

        Raises:
          InvalidArgumentError: the lengths do not add up to the number of rows of `value`; or there are not as many
            lengths as elements, and the array cannot grow.
        """
        value = self._value(value)
        sizes = np.asarray(to_tensor(lengths)).tolist()
        if sum(sizes) != value.aval.shape[0]:
            raise errors.InvalidArgumentError(
                message=f"Expected sum of lengths to be equal to values.shape[0], but sum of lengths is {sum(sizes)} "
                f"and value's shape is: {list(value.aval.shape)} "
            )
        if len(sizes) != self._length() and not self._dynamic:
            raise errors.InvalidArgumentError(
                message=f"TensorArray's size is not equal to the size of lengths ({self._length()} vs. {len(sizes)}), "
                "and the TensorArray is not marked as dynamically resizeable."
            )
        ends = np.cumsum([0, *sizes]).tolist()
        items: list[Tensor | None] = [
            stream.record(_PART, static(start=a, stop=b), (value,)) for a, b in zip(ends, ends[1:], strict=False)
        ]
        element = self._element
        for t in items:
            assert t is not None
            element = self._checked(t.shape)
        self._cleared.clear()
        return self._with(items, None, element)


public("TensorArray")(TensorArray)
