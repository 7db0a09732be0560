"""``tf.lookup``: tables from keys to values. They live on the host; integer tables are also part of programs."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import dtypes, errors
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.core.texts import objects
from tapejax._src.engine import stream
from tapejax._src.ops.array.layout import invalid
from tapejax._src.ops.registry import Array, op
from tapejax._src.ops.strings.farmhash import fingerprint64

__all__ = ["KeyValueTensorInitializer", "StaticHashTable", "StaticVocabularyTable", "TextFileIndex",
           "TextFileInitializer", "DenseHashTable", "MutableHashTable"]  # fmt: skip


class TextFileIndex:
    """What of a text file's line `TextFileInitializer` takes, other than a column.

    Source: https://www.tensorflow.org/api_docs/python/tf/lookup/TextFileIndex

    >>> TextFileIndex.LINE_NUMBER
    -1
    """

    WHOLE_LINE = -2
    LINE_NUMBER = -1


class KeyValueTensorInitializer:
    """Keys and values for a table.

    Args:
      keys: tensor.
      values: tensor of the same shape.
      key_dtype: dtype of the keys, if it does not follow from them.
      value_dtype: dtype of the values, likewise.
      name: of no effect.

    Source: https://www.tensorflow.org/api_docs/python/tf/lookup/KeyValueTensorInitializer

    >>> KeyValueTensorInitializer(["a", "b"], [1, 2]).value_dtype
    tf.int32
    """

    def __init__(self, keys: Any, values: Any, key_dtype: Any = None, value_dtype: Any = None, name: str | None = None):
        given = [(v, None if d is None else dtypes.to_numpy(d)) for v, d in ((keys, key_dtype), (values, value_dtype))]
        self._keys, self._values = (to_tensor(v, d) for v, d in given)

    key_dtype = property(lambda self: self._keys.dtype, doc="The dtype of the keys.")
    value_dtype = property(lambda self: self._values.dtype, doc="The dtype of the values.")

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """The keys and values as flat arrays."""
        if self._keys.aval.shape != self._values.aval.shape:
            raise invalid(f"Expected shape {self._keys.shape} for value, got {self._values.shape}")
        keys, values = (stream.host(t).ravel() for t in (self._keys, self._values))
        return keys, values


class TextFileInitializer:
    """Keys and values for a table from the lines of a file.

    Args:
      filename: its path.
      key_dtype: `tf.string` or an integer dtype.
      key_index: which column holds the keys, or one of `TextFileIndex`.
      value_dtype: likewise, of the values.
      value_index: which column holds the values.
      vocab_size: how many lines there are; only so many are read.
      delimiter: what stands between columns.
      name: of no effect.
      value_index_offset: added to line numbers.

    Raises:
      ValueError: a dtype that does not go with an index. InvalidArgumentError: a line without such a column, or fewer
      lines than `vocab_size`. NotFoundError: no such file.

    Source: https://www.tensorflow.org/api_docs/python/tf/lookup/TextFileInitializer

    >>> import tempfile
    >>> file = tempfile.NamedTemporaryFile("w+")
    >>> _ = file.write("cat\\ndog\\n"), file.flush()
    >>> init = TextFileInitializer(file.name, dtypes.string, TextFileIndex.WHOLE_LINE, dtypes.int64,
    ...                            TextFileIndex.LINE_NUMBER)
    >>> StaticHashTable(init, -1).lookup(["dog"]).numpy().tolist()
    [1]
    """

    def __init__(
        self,
        filename: Any,
        key_dtype: Any,
        key_index: int,
        value_dtype: Any,
        value_index: int,
        vocab_size: int | None = None,
        delimiter: str = "\t",
        name: str | None = None,
        value_index_offset: int = 0,
    ):
        self.key_dtype, self.value_dtype = dtypes.as_dtype(key_dtype), dtypes.as_dtype(value_dtype)
        for index, dtype, what in ((key_index, self.key_dtype, "key"), (value_index, self.value_dtype, "value")):
            if index < -2:
                raise ValueError(f"Invalid {what} index {index}.")
            if index == TextFileIndex.LINE_NUMBER and dtype != dtypes.int64:
                raise ValueError(f"`{what}_dtype` must be {dtypes.int64!r} if `{what}_index` is -1, got {dtype!r}")
            if index == TextFileIndex.WHOLE_LINE and not (dtype.is_integer or dtype == dtypes.string):
                raise ValueError(f"`{what}_dtype` must be integer or string if `{what}_index` is -2, got {dtype!r}")
        if vocab_size is not None and vocab_size <= 0:
            raise ValueError(f"`vocab_size` should be > 0. Got {vocab_size}")
        path = filename.numpy() if isinstance(filename, Tensor) else filename
        self._path = path.decode() if isinstance(path, bytes) else str(path)
        self._columns = (key_index, value_index)
        self._size, self._delimiter, self._offset = vocab_size, delimiter.encode(), value_index_offset

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """The keys and values as flat arrays."""
        try:
            with open(self._path, "rb") as file:
                lines = file.read().splitlines()
        except FileNotFoundError as e:
            raise errors.NotFoundError(message=f"{self._path}; No such file or directory") from e
        if self._size is not None:
            if len(lines) < self._size:
                raise invalid(f"Invalid vocab_size in {self._path}: expected {self._size} but got {len(lines)}")
            lines = lines[: self._size]
        found = [
            self._column(lines, i, d) for i, d in zip(self._columns, (self.key_dtype, self.value_dtype), strict=True)
        ]
        return found[0], found[1]

    def _column(self, lines: list[bytes], index: int, dtype: dtypes.DType) -> np.ndarray:
        if index == TextFileIndex.LINE_NUMBER:
            return np.arange(len(lines), dtype=np.int64) + self._offset
        if index == TextFileIndex.WHOLE_LINE:
            parts = lines
        else:
            split = [line.split(self._delimiter) for line in lines]
            if any(index >= len(s) for s in split):
                raise invalid(f"Invalid number of columns in {self._path}: column {index} is missing")
            parts = [s[index] for s in split]
        if dtype == dtypes.string:
            return stream.host(objects(parts, [len(parts)]))
        try:
            return np.array([float(p) if dtype.is_floating else int(p) for p in parts], dtypes.to_numpy(dtype))
        except ValueError as e:
            raise invalid(f"Field in {self._path} is not a valid {dtype.name}: {e}") from None


@op(differentiable=False)
def _find(keys: Array, known: Array, values: Array, default: Array):
    if not known.shape[0]:
        return jnp.full(keys.shape, default)
    at = jnp.clip(jnp.searchsorted(known, keys), 0, known.shape[0] - 1)
    return jnp.where(jnp.take(known, at) == keys, jnp.take(values, at), default)


class _Table:
    """What the tables share: a dictionary from keys to values, and a default value."""

    def __init__(self, key_dtype: Any, value_dtype: Any, default_value: Any):
        self._key_dtype, self._value_dtype = dtypes.as_dtype(key_dtype), dtypes.as_dtype(value_dtype)
        self._default = to_tensor(default_value, dtypes.to_numpy(value_dtype))
        self._known: dict[Any, Any] = {}

    key_dtype = property(lambda self: self._key_dtype, doc="The dtype of the keys.")
    value_dtype = property(lambda self: self._value_dtype, doc="The dtype of the values.")

    def size(self, name: str | None = None) -> Tensor:
        """How many entries there are, an int64 scalar."""
        return from_value(np.array(len(self._known), np.int64))

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """The value for each key, or the default.

        Args:
          keys: tensor of the keys' dtype; sparse and ragged ones give the same kind.
          name: of no effect.

        Raises:
          TypeError: keys of another dtype.
        """
        if hasattr(keys, "with_flat_values"):
            return keys.with_flat_values(self.lookup(keys.flat_values))
        if hasattr(keys, "dense_shape") and hasattr(keys, "with_values"):
            return keys.with_values(self.lookup(keys.values))
        return self._look_up(self._keys_of(keys))

    __getitem__ = lookup

    def _keys_of(self, keys: Any) -> Tensor:
        t = to_tensor(keys) if isinstance(keys, Tensor) else to_tensor(keys, None, dtypes.to_numpy(self._key_dtype))
        if t.dtype != self._key_dtype:
            raise TypeError(f"Dtype of argument `keys` must be {self._key_dtype!r}, received: {t.dtype!r}")
        return t

    def _look_up(self, keys: Tensor) -> Tensor:
        default = stream.host(self._default)
        values = stream.host(keys)
        found = [self._known.get(k, default) for k in values.ravel().tolist()]
        shape = values.shape + default.shape
        if self._value_dtype == dtypes.string:
            return objects([v.item() if isinstance(v, np.ndarray) else v for v in found], shape)
        return from_value(np.array(found, default.dtype).reshape(shape))


class StaticHashTable(_Table):
    """A table that does not change.

    Args:
      initializer: its keys and values.
      default_value: the value for other keys.
      name: of no effect.
      experimental_is_anonymous: of no effect here: tables are never shared by name.

    Raises:
      FailedPreconditionError: a key with two values.

    Source: https://www.tensorflow.org/api_docs/python/tf/lookup/StaticHashTable

    >>> table = StaticHashTable(KeyValueTensorInitializer(["a", "b"], [1, 2]), default_value=-1)
    >>> table.lookup(["b", "z"]).numpy().tolist()
    [2, -1]
    """

    def __init__(
        self, initializer: Any, default_value: Any, name: str | None = None, experimental_is_anonymous: bool = False
    ):
        super().__init__(initializer.key_dtype, initializer.value_dtype, default_value)
        keys, values = initializer.pairs()
        for key, value in zip(keys.tolist(), values.tolist(), strict=True):
            if self._known.setdefault(key, value) != value:
                raise errors.FailedPreconditionError(
                    message=f"HashTable has different value for same key. Key {key} has {self._known[key]} and trying "
                    f"to add value {value}"
                )
        self._sorted: tuple[Tensor, Tensor] | None = None
        if keys.dtype.kind in "iu" and values.dtype.kind in "iufb":
            known = np.array(sorted(self._known), keys.dtype)
            self._sorted = (
                from_value(known),
                from_value(np.array([self._known[k] for k in known.tolist()], values.dtype)),
            )

    @property
    def default_value(self) -> Tensor:
        """The value for keys that the table lacks."""
        return self._default

    def export(self, name: str | None = None) -> tuple[Tensor, Tensor]:
        """All keys, and their values."""
        return _tensors(self._known, self._key_dtype, self._value_dtype)

    def _look_up(self, keys: Tensor) -> Tensor:
        if self._sorted is None:
            return super()._look_up(keys)
        return _find(keys, *self._sorted, self._default)


def _tensors(known: dict[Any, Any], key_dtype: dtypes.DType, value_dtype: dtypes.DType) -> tuple[Tensor, Tensor]:
    def tensor(values: list[Any], dtype: dtypes.DType) -> Tensor:
        if dtype == dtypes.string:
            return objects([v.item() if isinstance(v, np.ndarray) else v for v in values], [len(values)])
        return from_value(np.array(values, dtypes.to_numpy(dtype)))

    return tensor(list(known), key_dtype), tensor(list(known.values()), value_dtype)


class StaticVocabularyTable:
    """A table from words to their int64 numbers, with buckets for the words that it lacks.

    Args:
      initializer: words and numbers, or None: all words go to buckets.
      num_oov_buckets: how many buckets; a word that the table lacks gets ``size + fingerprint % num_oov_buckets``.
      lookup_key_dtype: dtype of the keys of `lookup`, if not the initializer's (`tf.string` without one).
      name: of no effect.
      experimental_is_anonymous: of no effect here: tables are never shared by name.

    Raises:
      ValueError: no buckets. TypeError: values that are not int64, or keys that are neither strings nor integers.

    Source: https://www.tensorflow.org/api_docs/python/tf/lookup/StaticVocabularyTable

    >>> init = KeyValueTensorInitializer(["a", "b"], [0, 1], value_dtype=dtypes.int64)
    >>> StaticVocabularyTable(init, 1).lookup(["b", "z"]).numpy().tolist()
    [1, 2]
    """

    def __init__(
        self,
        initializer: Any,
        num_oov_buckets: int,
        lookup_key_dtype: Any = None,
        name: str | None = None,
        experimental_is_anonymous: bool = False,
    ):
        if num_oov_buckets <= 0:
            raise ValueError("`num_oov_buckets` must be > 0; use StaticHashTable.")
        self._table = None
        if initializer is not None:
            if initializer.value_dtype != dtypes.int64:
                raise TypeError(f"Invalid `value_dtype`, expected tf.int64 but got {initializer.value_dtype!r}.")
            self._table = StaticHashTable(initializer, -1)
        self._buckets = int(num_oov_buckets)
        own = dtypes.string if initializer is None else initializer.key_dtype
        self._key_dtype = own if lookup_key_dtype is None else dtypes.as_dtype(lookup_key_dtype)
        if self._key_dtype != dtypes.string and not self._key_dtype.is_integer:
            raise TypeError(f"Invalid `key_dtype`, expected string or integer but got {self._key_dtype!r}.")
        if (own == dtypes.string) != (self._key_dtype == dtypes.string):
            raise TypeError(f"Invalid `key_dtype`, expected {own!r} but got {self._key_dtype!r}.")

    key_dtype = property(lambda self: self._key_dtype, doc="The dtype of the keys.")
    value_dtype = property(lambda self: dtypes.int64, doc="The dtype of the values, int64.")

    def size(self, name: str | None = None) -> Tensor:
        """How many numbers there are, buckets included: an int64 scalar."""
        known = 0 if self._table is None else int(self._table.size())
        return from_value(np.array(known + self._buckets, np.int64))

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """The number of each key. Arguments and errors as of `StaticHashTable.lookup`."""
        if hasattr(keys, "with_flat_values"):
            return keys.with_flat_values(self.lookup(keys.flat_values))
        if hasattr(keys, "dense_shape") and hasattr(keys, "with_values"):
            return keys.with_values(self.lookup(keys.values))
        t = to_tensor(keys) if isinstance(keys, Tensor) else to_tensor(keys, None, dtypes.to_numpy(self._key_dtype))
        if t.dtype != self._key_dtype:
            raise TypeError(f"Dtype of argument `keys` must be {self._key_dtype!r}, received: {t.dtype!r}")
        known = {} if self._table is None else self._table._known
        values = stream.host(t)
        found = [
            known[k]
            if k in known
            else len(known) + fingerprint64(k if isinstance(k, bytes) else str(k).encode()) % self._buckets
            for k in values.ravel().tolist()
        ]
        return from_value(np.array(found, np.int64).reshape(values.shape))

    __getitem__ = lookup


class MutableHashTable(_Table):
    """A table that changes.

    Args:
      key_dtype: dtype of the keys.
      value_dtype: dtype of the values.
      default_value: the value for keys that it lacks; of the shape that values have.
      name: of no effect.
      checkpoint: must be True: the table is part of what checkpoints see.
      experimental_is_anonymous: of no effect here: tables are never shared by name.

    Source: https://www.tensorflow.org/api_docs/python/tf/lookup/experimental/MutableHashTable

    >>> table = MutableHashTable(dtypes.string, dtypes.int64, default_value=-1)
    >>> table.insert(["a"], [5])
    >>> table.lookup(["a", "b"]).numpy().tolist()
    [5, -1]
    """

    def __init__(
        self,
        key_dtype: Any,
        value_dtype: Any,
        default_value: Any,
        name: str = "MutableHashTable",
        checkpoint: bool = True,
        experimental_is_anonymous: bool = False,
    ):
        if not checkpoint:
            raise ValueError("checkpoint=False is not supported")
        super().__init__(key_dtype, value_dtype, default_value)

    def _keys_of(self, keys: Any) -> Tensor:
        return to_tensor(keys, dtypes.to_numpy(self._key_dtype))

    def _arrays(self, keys: Any, values: Any) -> tuple[np.ndarray, np.ndarray]:
        k = to_tensor(keys, dtypes.to_numpy(self._key_dtype))
        v = to_tensor(values, dtypes.to_numpy(self._value_dtype))
        if k.aval.shape + self._default.aval.shape != v.aval.shape:
            raise invalid(f"Expected shape {k.aval.shape + self._default.aval.shape} for value, got {v.aval.shape}")
        return stream.host(k), stream.host(v)

    def insert(self, keys: Any, values: Any, name: str | None = None) -> None:
        """Adds entries, or replaces those with the same keys."""
        k, v = self._arrays(keys, values)
        for key, value in zip(k.ravel().tolist(), v.reshape(k.size, *v.shape[k.ndim :]), strict=True):
            self._check_key(key)
            self._known[key] = np.array(value)

    def remove(self, keys: Any, name: str | None = None) -> None:
        """Takes entries out; keys that the table lacks are let be."""
        for key in stream.host(to_tensor(keys, dtypes.to_numpy(self._key_dtype))).ravel().tolist():
            self._check_key(key)
            self._known.pop(key, None)

    erase = remove

    def export(self, name: str | None = None) -> tuple[Tensor, Tensor]:
        """All keys, and their values."""
        return _tensors(self._known, self._key_dtype, self._value_dtype)

    def _check_key(self, key: Any) -> None:
        """Raises InvalidArgumentError if the table cannot hold this key."""


class DenseHashTable(MutableHashTable):
    """A `MutableHashTable` with two keys that are never used.

    Args:
      key_dtype: dtype of the keys.
      value_dtype: dtype of the values.
      default_value: the value for keys that it lacks.
      empty_key: a key that cannot be inserted.
      deleted_key: another one.
      initial_num_buckets: of no effect: the size follows from what is in it.
      name: of no effect.
      checkpoint: must be True.
      experimental_is_anonymous: of no effect here: tables are never shared by name.

    Raises:
      InvalidArgumentError: the two keys are equal, or (when inserting) one of them.

    Source: https://www.tensorflow.org/api_docs/python/tf/lookup/experimental/DenseHashTable

    >>> table = DenseHashTable(dtypes.int64, dtypes.int64, default_value=-1, empty_key=0, deleted_key=-1)
    >>> table.insert([4], [5])
    >>> int(table.size())
    1
    """

    def __init__(
        self,
        key_dtype: Any,
        value_dtype: Any,
        default_value: Any,
        empty_key: Any,
        deleted_key: Any,
        initial_num_buckets: int | None = None,
        name: str = "MutableDenseHashTable",
        checkpoint: bool = True,
        experimental_is_anonymous: bool = False,
    ):
        super().__init__(key_dtype, value_dtype, default_value, name, checkpoint)
        wanted = dtypes.to_numpy(key_dtype)
        self._reserved = [stream.host(to_tensor(k, wanted)).item() for k in (empty_key, deleted_key)]
        if self._reserved[0] == self._reserved[1]:
            raise invalid("Empty and deleted keys cannot be equal")

    def _check_key(self, key: Any) -> None:
        if key in self._reserved:
            raise invalid(f"Using the empty_key or deleted_key as a table key is not allowed: {key}")
