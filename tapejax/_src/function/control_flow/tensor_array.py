"""`tf.TensorArray`: a list of tensors of one dtype, written and read by index, also inside captured loops."""

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
    """Negative indices are out of range here, too."""
    return jnp.where(index < 0, size, index)


_STACK = Op("stack", lambda *xs: jnp.stack(xs))
_UNSTACK = Op("unstack", lambda x: tuple(x[i] for i in range(x.shape[0])))
_JOIN = Op("concat", lambda *xs: jnp.concatenate(xs))
_ZEROS = Op("zeros", lambda shape, dtype: jnp.zeros(shape, dtype))
_PART = Op("slice", lambda x, start, stop: x[start:stop])
_FLAT = Op("reshape", lambda x: x.reshape(-1, *x.shape[2:]))
# Out of range reads give nan (the smallest integer), and writes do nothing: a compiled program cannot raise.
_READ = Op("tensor_array_read", lambda x, i: jnp.asarray(x).at[_inside(i, x.shape[0])].get(mode="fill"))
_WRITE = Op("tensor_array_write", lambda x, i, value: jnp.asarray(x).at[_inside(i, x.shape[0])].set(value, mode="drop"))


class TensorArray:
    """A list of tensors of one dtype.

    Eagerly it is a list, changed in place by `write`; inside `tf.function` a value: go on with what `write` returns.
    In captured loops it is one array [size, *element shape], so all elements need one shape.

    Args:
      dtype: `DType` of the elements.
      size: number of elements.
      dynamic_size: whether writing past the end makes it longer. In a captured program only writes at indices known
        when it is captured do.
      clear_after_read: eagerly, whether an element may be read once only (the default).
      infer_shape: whether all elements must have the shape of the first.
      element_shape: the shape that elements must have.
      tensor_array_name, colocate_with_first_write_call, name: of no effect.
      handle, flow: not supported.

    Raises:
      ValueError: no size, or a handle is given.

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
        # Either a list, or all elements in one array.
        self._items: list[Tensor | None] = [None] * int(size)
        self._buffer: Tensor | None = None
        self._cleared: set[int] = set()

    # What it is

    @property
    def dtype(self) -> dtypes.DType:
        """`DType` of the elements."""
        return dtypes.from_numpy(self._dtype)

    @property
    def element_shape(self) -> TensorShape:
        """`TensorShape` of the elements, as far as it is known."""
        return self._element

    @property
    def dynamic_size(self) -> bool:
        """Whether writing past the end makes it longer."""
        return self._dynamic

    @property
    def handle(self) -> None:
        """Always None, as in TensorFlow 2."""

    def size(self, name: str | None = None) -> Tensor:
        """The number of elements, an int32 scalar."""
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
        """An array of these elements: this one eagerly, a new one while a graph is captured."""
        out = self
        if stream.current().symbolic:
            out = TensorArray.__new__(TensorArray)
            out.__dict__.update(self.__dict__)
            out._cleared = set()
        out._items, out._buffer = items, buffer
        if element is not None:
            out._element = element
        return out

    # In the state of a captured loop or among the results of a branch

    def _packed(self) -> Tensor | None:
        """All elements in one array, or None if their shape is not known yet."""
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
        """An array like this one with other elements: `buffer`, or none written yet."""
        if buffer is None:
            return self._with([None] * self._length(), None)
        return self._with([], buffer, known(buffer.aval.shape[1:]))

    def _blank(self, shape: tuple[int, ...]) -> Tensor:
        """What `_packed` gives for elements of this shape before any is written."""
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
        """The element shape after an element of this shape came in."""
        if not self._element.is_compatible_with(shape):
            raise ValueError(f"Incompatible shape for value ({shape}), expected ({self._element})")
        return self._element.merge_with(shape) if self._infer else self._element

    def _zero(self) -> Tensor:
        if not self._element.is_fully_defined():
            text = f"an element that was not written is read, and the element shape ({self._element}) is not known"
            raise errors.InvalidArgumentError(message=text) if stream.current().symbolic else ValueError(text)
        return stream.record(_ZEROS, static(shape=tuple(self._element.as_list()), dtype=self._dtype), ())

    def _all(self) -> list[Tensor]:
        """The elements one by one, zeros for those not written."""
        if self._buffer is not None:
            return list(stream.record(_UNSTACK, NO_STATIC, (self._buffer,))) if self._length() else []
        return [self._zero() if t is None else t for t in self._items]

    def _array(self) -> Tensor:
        packed = self._packed()
        return self.stack() if packed is None else packed

    def read(self, index: Any, name: str | None = None) -> Tensor:
        """The element at an index. Eagerly it is cleared then, unless `clear_after_read=False`.

        Raises:
          OutOfRangeError: eagerly, no such element (InvalidArgumentError in a captured program, where known).
          InvalidArgumentError: eagerly, it was read before and is cleared.
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

        Returns:
          The array to go on with.

        Raises:
          OutOfRangeError: eagerly, past the end (InvalidArgumentError in a captured program, where known).
          InvalidArgumentError: a value of another dtype. ValueError: of another shape.
          SymbolicValueError: the index is a tensor of a captured program, and the array may grow.
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
        """The elements at several indices, [n, *element shape]."""
        indices = to_tensor(indices)
        if is_symbolic(indices):
            return stream.record(_READ, NO_STATIC, (self._array(), indices))
        at = [self._position(i, "read from", self._length()) for i in np.asarray(indices).tolist()]
        items = self._all() if self._buffer is not None else self._items
        return self._stacked([self._zero() if items[i] is None else items[i] for i in at])

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> "TensorArray":
        """Sets the elements at several indices to the rows of `value`."""
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
        """All elements, [size, *element shape]; zeros for those not written.

        Raises:
          ValueError: none was written and no `element_shape` is known (InvalidArgumentError in a captured program).
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
            raise errors.InvalidArgumentError(message=f"cannot stack elements of different shapes: {e}") from None

    def unstack(self, value: Any, name: str | None = None) -> "TensorArray":
        """Makes the rows of `value` the elements.

        Raises:
          ValueError: eagerly, more rows than the size, which is not dynamic.
        """
        value = self._value(value)
        if not value.aval.shape:
            raise ValueError("cannot unstack a scalar into a TensorArray")
        rows = value.aval.shape[0]
        if not stream.current().symbolic and rows > self._length() and not self._dynamic:
            raise ValueError(f"Cannot unstack {rows} tensors into a TensorArray of static size {self._length()} ")
        element = self._checked(known(value.aval.shape[1:]))
        self._cleared.clear()
        return self._with([], value, element)

    def concat(self, name: str | None = None) -> Tensor:
        """The elements joined along their first axis.

        Raises:
          InvalidArgumentError: eagerly, for scalars (ValueError in a captured program).
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
        """Makes parts of `value`, of these lengths along the first axis, the elements.

        Raises:
          InvalidArgumentError: the lengths do not add up to the rows of `value`, or are too many.
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
