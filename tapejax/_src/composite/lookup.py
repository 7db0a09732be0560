"""``tf.lookup``: tables from keys to values.

A table is a Python dictionary on the host. A static table of numbers is also looked up by an op, inside programs.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tapejax._src.core import dtypes, errors
from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.core.texts import objects
from tapejax._src.engine import stream
from tapejax._src.ops.registry import Array, op
from tapejax._src.ops.strings.farmhash import fingerprint64

__all__ = ["KeyValueTensorInitializer", "StaticHashTable", "StaticVocabularyTable", "TextFileIndex",
           "TextFileInitializer", "DenseHashTable", "MutableHashTable"]  # fmt: skip


class TextFileIndex:
    """Tells `TextFileInitializer` to use whole lines, or the numbers of lines, instead of a column.

    Attributes:
      WHOLE_LINE: the whole line.
      LINE_NUMBER: the number of the line, counted from 0.

    Source: https://www.tensorflow.org/api_docs/python/tf/lookup/TextFileIndex

    >>> TextFileIndex.LINE_NUMBER
    -1
    """

    WHOLE_LINE = -2
    LINE_NUMBER = -1


class KeyValueTensorInitializer:
    """Gives a table its keys and values from two tensors.

    Args:
      keys: a tensor, or a value that converts to one.
      values: a tensor of the same shape, or a value that converts to one.
      key_dtype: the dtype of the keys; by default that of `keys`.
      value_dtype: the dtype of the values; by default that of `values`.
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
    """Gives a table its keys and values from the lines of a text file.

    Args:
      filename: the path of the file.
      key_dtype: the dtype of the keys, `tf.string` or an integer dtype.
      key_index: the column that holds the keys, or an attribute of `TextFileIndex`.
      value_dtype: the dtype of the values, `tf.string` or a numeric dtype.
      value_index: the column that holds the values, or an attribute of `TextFileIndex`.
      vocab_size: the number of lines to use; by default all.
      delimiter: the text between two columns.
      name: of no effect.
      value_index_offset: a number that is added to line numbers.

    Raises:
      ValueError: a dtype cannot be used with an index, an index is out of range, or `vocab_size` is not positive.
      NotFoundError: there is no such file. This and the next error are raised when a table is made.
      InvalidArgumentError: a line does not have the column, a field is not a number, or there are fewer lines than
        `vocab_size`.

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
    """The base class of tables: a dictionary from keys to values, and a default value."""

    def __init__(self, key_dtype: Any, value_dtype: Any, default_value: Any):
        self._key_dtype, self._value_dtype = dtypes.as_dtype(key_dtype), dtypes.as_dtype(value_dtype)
        self._default = to_tensor(default_value, dtypes.to_numpy(value_dtype))
        self._known: dict[Any, Any] = {}

    key_dtype = property(lambda self: self._key_dtype, doc="The dtype of the keys.")
    value_dtype = property(lambda self: self._value_dtype, doc="The dtype of the values.")

    def size(self, name: str | None = None) -> Tensor:
        """The number of entries, as an int64 scalar tensor."""
        return from_value(np.array(len(self._known), np.int64))

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """Looks up the value for each key.

        Args:
          keys: a tensor, sparse tensor or ragged tensor of the dtype of the keys.
          name: of no effect.

        Returns:
          A tensor of the same kind, with the default value for keys that are not in the table.

        Raises:
          TypeError: `keys` has another dtype.
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
    """A table that cannot be changed.

    Args:
      initializer: a `KeyValueTensorInitializer` or `TextFileInitializer`, which gives the keys and values.
      default_value: the value for keys that are not in the table.
      name: of no effect.
      experimental_is_anonymous: of no effect, because tables are never shared by name.

    Raises:
      FailedPreconditionError: a key has two different values.

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
        """The value for keys that are not in the table."""
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
    """A table that assigns int64 numbers to words, also to unknown words.

    Unknown words, which are not in the vocabulary, are distributed to buckets by a hash. Each bucket has a number.

    Args:
      initializer: an initializer that gives the words of the vocabulary and their numbers; or None for an empty
        vocabulary.
      num_oov_buckets: the number of buckets. An unknown word gets the number ``size + fingerprint % num_oov_buckets``,
        where the size is that of the vocabulary.
      lookup_key_dtype: the dtype of the keys of `lookup`; by default that of the initializer, or `tf.string`.
      name: of no effect.
      experimental_is_anonymous: of no effect, because tables are never shared by name.

    Raises:
      ValueError: `num_oov_buckets` is not positive.
      TypeError: the values are not int64, or the keys are neither strings nor integers.

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
        """The size of the vocabulary plus the number of buckets, as an int64 scalar tensor."""
        known = 0 if self._table is None else int(self._table.size())
        return from_value(np.array(known + self._buckets, np.int64))

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """Looks up the number of each key.

        Args:
          keys: a tensor, sparse tensor or ragged tensor of the dtype of the keys.
          name: of no effect.

        Returns:
          An int64 tensor of the same kind.

        Raises:
          TypeError: `keys` has another dtype.
        """
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
    """A table that can be changed.

    Args:
      key_dtype: the dtype of the keys.
      value_dtype: the dtype of the values.
      default_value: the value for keys that are not in the table. All values must have its shape.
      name: of no effect.
      checkpoint: must be True.
      experimental_is_anonymous: of no effect, because tables are never shared by name.

    Raises:
      ValueError: `checkpoint` is False.

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
            raise ValueError("`checkpoint` must be True, received False: a table is always part of checkpoints")
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
        """Adds entries to the table. Entries with the same keys are replaced.

        Args:
          keys: a tensor of keys.
          values: a tensor with one value for each key.
          name: of no effect.

        Raises:
          ValueError: `keys` or `values` is a tensor of another dtype.
          InvalidArgumentError: the shapes do not fit.
        """
        k, v = self._arrays(keys, values)
        for key, value in zip(k.ravel().tolist(), v.reshape(k.size, *v.shape[k.ndim :]), strict=True):
            self._check_key(key)
            self._known[key] = np.array(value)

    def remove(self, keys: Any, name: str | None = None) -> None:
        """Removes entries from the table.

        Args:
          keys: a tensor of keys. Keys that are not in the table are ignored.
          name: of no effect.

        Raises:
          ValueError: `keys` is a tensor of another dtype.
        """
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
    """A table that can be changed, with two reserved keys that cannot be used.

    In TensorFlow the reserved keys mark empty and deleted entries. Here they are only refused.

    Args:
      key_dtype: the dtype of the keys.
      value_dtype: the dtype of the values.
      default_value: the value for keys that are not in the table. All values must have its shape.
      empty_key: the first reserved key.
      deleted_key: the second reserved key.
      initial_num_buckets: of no effect: the table grows as needed.
      name: of no effect.
      checkpoint: must be True.
      experimental_is_anonymous: of no effect, because tables are never shared by name.

    Raises:
      InvalidArgumentError: the two reserved keys are equal. When a reserved key is inserted or removed, this error is
        raised too.

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
