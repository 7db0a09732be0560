"""Messages with the Python interface of protobuf, for `tf.train.Example` and the messages in it."""

import copy
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from tapejax._src.ops.io.wire import BYTES, FIXED32, VARINT, field, fields, pack_varints, signed, unpack_varints

__all__ = ["Message", "as_bytes", "as_float", "as_int64", "read_floats", "read_ints"]


def as_bytes(value: Any) -> bytes:
    """Converts an item of a repeated field of bytes."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    raise TypeError(f"{value!r} has type {type(value).__name__}, but expected one of: bytes")


def as_float(value: Any) -> float:
    """Converts an item of a repeated field of float32, rounding it."""
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{value!r} has type {type(value).__name__}, but expected one of: int, float")
    with np.errstate(over="ignore"):
        return float(np.float32(float(value)))


def as_int64(value: Any) -> int:
    """Converts an item of a repeated field of int64."""
    whole = operator.index(value)
    if not -(2**63) <= whole < 2**63:
        raise ValueError(f"Value out of range: {whole}")
    return whole


class Repeated(list):
    """A repeated field: a list that checks its items. Adding to it marks the field as set in the messages around it."""

    def __init__(self, owner: "Message", kind: Any):
        super().__init__()
        self._owner, self._kind = owner, kind

    def _convert(self, value: Any) -> Any:
        if not isinstance(self._kind, type):
            return self._kind(value)
        if type(value) is not self._kind:
            raise TypeError(f"expected a {self._kind.__name__}, got {value!r}")
        return copy.deepcopy(value)

    def append(self, value: Any) -> None:
        """Adds a value at the end."""
        self._owner._touch()
        super().append(self._convert(value))

    def extend(self, values: Iterable[Any]) -> None:
        """Adds values at the end. If one of them is not valid, none is added."""
        # `tolist` converts the numbers of an array to Python's many times faster than a loop.
        values = values.tolist() if isinstance(values, np.ndarray) and values.ndim == 1 else values
        converted = [self._convert(v) for v in values]
        self._owner._touch()
        super().extend(converted)

    MergeFrom = extend

    def insert(self, index: Any, value: Any) -> None:
        """Adds a value before a position."""
        self._owner._touch()
        super().insert(index, self._convert(value))

    def __setitem__(self, index: Any, value: Any) -> None:
        self._owner._touch()
        super().__setitem__(
            index, [self._convert(v) for v in value] if isinstance(index, slice) else self._convert(value)
        )

    def __iadd__(self, values: Iterable[Any]) -> "Repeated":
        self.extend(values)
        return self

    def add(self, **kwargs: Any) -> Any:
        """Appends a new message and returns it."""
        made = self._kind(**kwargs)
        self._owner._touch()
        super().append(made)
        return made

    __hash__ = None  # type: ignore[assignment]


class Mapped(dict):
    """A map field: a dictionary that creates the message of a missing key when the key is looked up, as in protobuf."""

    def __init__(self, owner: "Message", kind: type["Message"]):
        super().__init__()
        self._owner, self._kind = owner, kind

    def __missing__(self, key: str) -> Any:
        if not isinstance(key, str):
            raise TypeError(f"{key!r} has type {type(key).__name__}, but expected one of: str")
        self._owner._touch()
        made = self[key] = self._kind()
        return made

    get_or_create = __missing__

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self or not isinstance(value, self._kind):
            raise ValueError("May not set values directly, call my_map[key].CopyFrom(value) instead")
        super().__setitem__(key, value)


class Message:
    """The base class of messages. Fields are passed to the constructor by name and are attributes.

    A field that holds a message is created when it is first read. It counts as set when something is put into it.

    Subclasses define `FIELDS`, a dictionary from names to a field number and the kind of the field. The kind is a class
    of messages, ``(kind,)`` for a map from strings to messages, ``[kind]`` for a list of messages, or a function that
    converts the items of a list of plain values.
    """

    FIELDS: ClassVar[dict[str, tuple[int, Any]]] = {}
    ONE_OF: ClassVar[str | None] = None  # the name of the group of which only one field may be set

    def __init__(self, **kwargs: Any):
        self._values: dict[str, Any] = {}
        self._set: set[str] = set()
        self._parent: tuple[Message, str] | None = None
        for name, value in kwargs.items():
            if name not in self.FIELDS:
                raise ValueError(f'Protocol message {type(self).__name__} has no "{name}" field.')
            if value is not None:
                self._fill(name, value)

    def _fill(self, name: str, value: Any) -> None:
        held = getattr(self, name)
        if isinstance(held, Mapped):
            for key, one in value.items():
                held[key].CopyFrom(one)
        elif isinstance(held, Repeated):
            held.extend(value)
        else:
            held.MergeFrom(type(held)(**value) if isinstance(value, Mapping) else value)
            held._touch()

    def __getattr__(self, name: str) -> Any:
        if name not in self.FIELDS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if name not in self._values:
            kind = self.FIELDS[name][1]
            if isinstance(kind, tuple):  # a map
                made: Any = Mapped(self, kind[0])
            elif isinstance(kind, type):
                made = kind()
                made._parent = (self, name)
            else:
                made = Repeated(self, kind[0] if isinstance(kind, list) else kind)
            self._values[name] = made
        return self._values[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            raise AttributeError(
                f'Assignment not allowed to field "{name}" in protocol message object: extend it, or use CopyFrom.'
            )
        super().__setattr__(name, value)

    def _touch(self) -> None:
        """Marks this message as set in the messages around it. Other fields of the same group are dropped."""
        if self._parent is None:
            return
        parent, name = self._parent
        if name not in parent._set:
            if parent.ONE_OF:
                for other in parent._set:
                    parent._values.pop(other, None)
                parent._set.clear()
            parent._set.add(name)
        parent._touch()

    def HasField(self, field_name: str) -> bool:
        """Whether a field that holds a message is set.

        Raises:
          ValueError: the message has no such field.
        """
        if field_name == self.ONE_OF:
            return bool(self._set)
        kind = self.FIELDS.get(field_name, (0, None))[1]
        if not isinstance(kind, type):
            raise ValueError(f'Protocol message {type(self).__name__} has no singular "{field_name}" field.')
        return field_name in self._set

    def WhichOneof(self, oneof_group: str) -> str | None:
        """The name of the field of a group that is set, or None.

        Raises:
          ValueError: the message has no such group.
        """
        if oneof_group != self.ONE_OF or self.ONE_OF is None:
            raise ValueError(f"Protocol message has no oneof {oneof_group!r} field.")
        return next(iter(self._set), None)

    def ClearField(self, field_name: str) -> None:
        """Empties a field."""
        if field_name not in self.FIELDS:
            raise ValueError(f'Protocol message {type(self).__name__} has no "{field_name}" field.')
        self._values.pop(field_name, None)
        self._set.discard(field_name)

    def Clear(self) -> None:
        """Empties the message."""
        self._values.clear()
        self._set.clear()

    def CopyFrom(self, other_msg: "Message") -> None:
        """Makes this message equal to another one of the same class."""
        if other_msg is not self:
            self.Clear()
            self.MergeFrom(other_msg)

    def MergeFrom(self, other_msg: "Message") -> None:
        """Adds the contents of another message of the same class.

        Raises:
          TypeError: it is of another class.
        """
        if type(other_msg) is not type(self):
            raise TypeError(
                f"Parameter to MergeFrom() must be instance of same class: expected {type(self).__name__} "
                f"got {type(other_msg).__name__}."
            )
        self._touch()
        self._merge(other_msg.SerializeToString())

    def SerializeToString(self, deterministic: bool | None = None) -> bytes:
        """The message in wire format. The keys of maps are sorted, whatever `deterministic` says."""
        out = []
        for name, (number, kind) in self.FIELDS.items():
            held = self._values.get(name)
            if held is None:
                continue
            if isinstance(held, Mapped):
                out += [
                    field(number, field(1, key.encode()) + field(2, held[key].SerializeToString()))
                    for key in sorted(held, key=str.encode)
                ]
            elif isinstance(held, Message):
                out += [field(number, held.SerializeToString())] if name in self._set else []
            elif kind is as_bytes:
                out += [field(number, value) for value in held]
            elif kind is as_float:
                out += [field(number, np.asarray(held, "<f4").tobytes())] if held else []
            elif kind is as_int64:
                out += [field(number, pack_varints(held))] if held else []
            else:
                out += [field(number, value.SerializeToString()) for value in held]
        return b"".join(out)

    SerializePartialToString = SerializeToString

    def ByteSize(self) -> int:
        """The number of bytes of the message in wire format."""
        return len(self.SerializeToString())

    def ParseFromString(self, serialized: bytes) -> int:
        """Replaces the contents by those of a message in wire format, and returns the number of bytes.

        Raises:
          ValueError: `serialized` is not a message.
        """
        self.Clear()
        self._merge(serialized)
        return len(serialized)

    def MergeFromString(self, serialized: bytes) -> int:
        """Adds the contents of a message in wire format, and returns the number of bytes."""
        self._merge(serialized)
        return len(serialized)

    @classmethod
    def FromString(cls, s: bytes) -> Any:
        """Makes a message from its wire format.

        Raises:
          ValueError: `s` is not a message.
        """
        made = cls()
        made._merge(s)
        return made

    def _merge(self, data: Any) -> None:
        by_number = {number: name for name, (number, _) in self.FIELDS.items()}
        for number, wire, value in fields(data):
            name = by_number.get(number)
            if name is None:
                continue
            held, kind = getattr(self, name), self.FIELDS[name][1]
            if isinstance(held, Mapped):
                entry = {n: v for n, _, v in fields(value)}
                one = held[str(entry.get(1, b""), "utf-8")]
                one.Clear()
                one._merge(entry.get(2, b""))
            elif isinstance(held, Message):
                held._merge(value)
                held._touch()
            else:
                self._touch()
                items = [kind[0].FromString(value)] if isinstance(kind, list) else _READERS[kind](wire, value)
                list.extend(held, items)

    def ListFields(self) -> list[tuple[str, Any]]:
        """The fields that are set, as pairs (name, value). In protobuf the pairs have descriptors in place of names."""
        return [
            (n, v)
            for n, v in ((n, self._values.get(n)) for n in self.FIELDS)
            if v is not None and (n in self._set if isinstance(v, Message) else v)
        ]

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.SerializeToString() == self.SerializeToString()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        return type(self).FromString, (self.SerializeToString(),)

    def __deepcopy__(self, memo: Any) -> Any:
        return type(self).FromString(self.SerializeToString())

    def __repr__(self) -> str:
        """The message in protobuf's text format."""
        return "".join(line + "\n" for line in self._lines())

    def _lines(self) -> Iterable[str]:
        for name, value in self.ListFields():
            if isinstance(value, Mapped):
                for key in sorted(value):
                    inner = [f'key: "{key}"', "value {", *("  " + line for line in value[key]._lines()), "}"]
                    yield from (f"{name} {{", *("  " + line for line in inner), "}")
                continue
            for one in [value] if isinstance(value, Message) else value:
                if isinstance(one, Message):
                    yield from (f"{name} {{", *("  " + line for line in one._lines()), "}")
                else:
                    yield f"{name}: {_text(one)}"


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        plain = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x22: '\\"', 0x27: "\\'", 0x5C: "\\\\"}
        return '"' + "".join(plain.get(b) or (chr(b) if 32 <= b < 127 else f"\\{b:03o}") for b in value) + '"'
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e6 else f"{np.float32(value):.8g}"
    return str(value)


def read_ints(wire: int, value: Any) -> np.ndarray:
    """The numbers in a field of an Int64List, packed or single, as an int64 vector. `wire.fields` gives the field."""
    if wire == VARINT:
        return np.array([signed(value)], np.int64)
    return unpack_varints(value) if wire == BYTES else np.empty(0, np.int64)


def read_floats(wire: int, value: Any) -> np.ndarray:
    """The numbers in a field of a FloatList, packed or single, as a float32 vector. `wire.fields` gives the field."""
    return np.frombuffer(value if wire in (BYTES, FIXED32) else b"", "<f4")


_READERS: dict[Any, Callable[[int, Any], list[Any]]] = {
    as_bytes: lambda wire, value: [bytes(value)] if wire == BYTES else [],
    as_float: lambda wire, value: read_floats(wire, value).tolist(),
    as_int64: lambda wire, value: read_ints(wire, value).tolist(),
}
