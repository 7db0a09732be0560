"""TensorFlow's exceptions for operations that fail (`tf.errors`), and tapejax's own for what it does not support.

Mirrors https://www.tensorflow.org/api_docs/python/tf/errors.
"""

from typing import Any, Final

__all__ = [
    "ABORTED", "ALREADY_EXISTS", "CANCELLED", "DATA_LOSS", "DEADLINE_EXCEEDED", "FAILED_PRECONDITION",
    "INTERNAL", "INVALID_ARGUMENT", "NOT_FOUND", "OK", "OUT_OF_RANGE", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "UNAUTHENTICATED", "UNAVAILABLE", "UNIMPLEMENTED", "UNKNOWN",
    "AbortedError", "AlreadyExistsError", "CancelledError", "DataLossError", "DeadlineExceededError",
    "FailedPreconditionError", "InternalError", "InvalidArgumentError", "NotFoundError", "OpError",
    "OperatorNotAllowedInGraphError", "OutOfRangeError", "PermissionDeniedError", "ResourceExhaustedError",
    "UnauthenticatedError", "UnavailableError", "UnimplementedError", "UnknownError", "UnsupportedError",
]  # fmt: skip

OK: Final = 0
CANCELLED: Final = 1
UNKNOWN: Final = 2
INVALID_ARGUMENT: Final = 3
DEADLINE_EXCEEDED: Final = 4
NOT_FOUND: Final = 5
ALREADY_EXISTS: Final = 6
PERMISSION_DENIED: Final = 7
RESOURCE_EXHAUSTED: Final = 8
FAILED_PRECONDITION: Final = 9
ABORTED: Final = 10
OUT_OF_RANGE: Final = 11
UNIMPLEMENTED: Final = 12
INTERNAL: Final = 13
UNAVAILABLE: Final = 14
DATA_LOSS: Final = 15
UNAUTHENTICATED: Final = 16


class OpError(Exception):
    """An operation failed. This is the base class of all exceptions that have one of TensorFlow's error codes.

    Args:
      node_def: The failing operation's definition, or None.
      op: The failing operation, or None.
      message: What went wrong.
      error_code: One of the constants of this module.
      *args: At most one dictionary, kept as `experimental_payloads`.

    Raises:
      TypeError: `message` or `error_code` is missing, or `*args` is not at most one dictionary.

    TensorFlow takes the arguments by position; `OpError(message="...", error_code=UNKNOWN)` works here too.
    Unlike those of TensorFlow's class, `repr` and `args` show the message.

    >>> error = OpError(None, None, "no such file", NOT_FOUND)
    >>> str(error), error.message, error.error_code
    ('no such file', 'no such file', 5)

    See https://www.tensorflow.org/api_docs/python/tf/errors/OpError.
    """

    def __init__(self, node_def: Any = None, op: Any = None, message: Any = None, error_code: Any = None, *args: Any):
        # A single positional text would be taken for `node_def`, and the message would be lost. So it is refused.
        if message is None or error_code is None:
            raise TypeError(
                f"{type(self).__name__} needs `message` (and OpError `error_code`): pass "
                f"(node_def, op, message), or message=... alone; received node_def={node_def!r}, op={op!r}"
            )
        if len(args) > 1 or (args and not isinstance(args[0], dict)):
            raise TypeError(f"{type(self).__name__} takes one dictionary after `message`, received {args!r}")
        super().__init__(message)
        self._node_def, self._op, self._message, self._error_code = node_def, op, message, error_code
        self._payloads = dict(args[0]) if args else {}

    @property
    def message(self) -> Any:
        """What went wrong."""
        return self._message

    @property
    def op(self) -> Any:
        """The operation that failed, or None if it is not known."""
        return self._op

    @property
    def node_def(self) -> Any:
        """The definition of the operation that failed, or None if it is not known."""
        return self._node_def

    @property
    def error_code(self) -> int:
        """The number of the kind of error: one of this module's constants."""
        return self._error_code

    @property
    def experimental_payloads(self) -> dict[Any, Any]:
        """Further details that were passed after the message; empty otherwise."""
        return self._payloads

    def __reduce__(self) -> tuple[Any, ...]:
        head = (self._node_def, self._op, self._message)
        code = () if isinstance(self, _CodedError) else (self._error_code,)
        return type(self), (*head, *code, *([self._payloads] if self._payloads else []))


class _CodedError(OpError):
    """Base of the exceptions whose class determines the error code."""

    _CODE: int

    def __init__(self, node_def: Any = None, op: Any = None, message: Any = None, *args: Any):
        super().__init__(node_def, op, message, self._CODE, *args)


class CancelledError(_CodedError):
    """The operation was cancelled.

    See https://www.tensorflow.org/api_docs/python/tf/errors/CancelledError.
    """

    _CODE = CANCELLED


class UnknownError(_CodedError):
    """An operation failed for a reason that no other class describes.

    See https://www.tensorflow.org/api_docs/python/tf/errors/UnknownError.
    """

    _CODE = UNKNOWN


class InvalidArgumentError(_CodedError):
    """An operation received an argument that it cannot work with, such as shapes that do not fit.

    >>> raise InvalidArgumentError(None, None, "Incompatible shapes: [2] vs. [3]")
    Traceback (most recent call last):
    tapejax.errors.InvalidArgumentError: Incompatible shapes: [2] vs. [3]

    See https://www.tensorflow.org/api_docs/python/tf/errors/InvalidArgumentError.
    """

    _CODE = INVALID_ARGUMENT


class DeadlineExceededError(_CodedError):
    """Time ran out before the operation was done.

    See https://www.tensorflow.org/api_docs/python/tf/errors/DeadlineExceededError.
    """

    _CODE = DEADLINE_EXCEEDED


class NotFoundError(_CodedError):
    """Something asked for, such as a file, does not exist.

    See https://www.tensorflow.org/api_docs/python/tf/errors/NotFoundError.
    """

    _CODE = NOT_FOUND


class AlreadyExistsError(_CodedError):
    """Something to be made, such as a file, exists already.

    See https://www.tensorflow.org/api_docs/python/tf/errors/AlreadyExistsError.
    """

    _CODE = ALREADY_EXISTS


class PermissionDeniedError(_CodedError):
    """The caller may not do this.

    See https://www.tensorflow.org/api_docs/python/tf/errors/PermissionDeniedError.
    """

    _CODE = PERMISSION_DENIED


class ResourceExhaustedError(_CodedError):
    """Memory or another resource ran out.

    See https://www.tensorflow.org/api_docs/python/tf/errors/ResourceExhaustedError.
    """

    _CODE = RESOURCE_EXHAUSTED


class FailedPreconditionError(_CodedError):
    """The system is not in the state that the operation needs, such as a variable without a value.

    See https://www.tensorflow.org/api_docs/python/tf/errors/FailedPreconditionError.
    """

    _CODE = FAILED_PRECONDITION


class AbortedError(_CodedError):
    """The operation was given up, usually because of something else that ran at the same time.

    See https://www.tensorflow.org/api_docs/python/tf/errors/AbortedError.
    """

    _CODE = ABORTED


class OutOfRangeError(_CodedError):
    """Past the end of something, such as the last element of a dataset.

    See https://www.tensorflow.org/api_docs/python/tf/errors/OutOfRangeError.
    """

    _CODE = OUT_OF_RANGE


class UnimplementedError(_CodedError):
    """The operation exists, but not for these types or on this device.

    See https://www.tensorflow.org/api_docs/python/tf/errors/UnimplementedError.
    """

    _CODE = UNIMPLEMENTED


class InternalError(_CodedError):
    """Something that should never happen did.

    See https://www.tensorflow.org/api_docs/python/tf/errors/InternalError.
    """

    _CODE = INTERNAL


class UnavailableError(_CodedError):
    """A service cannot be reached at the moment.

    See https://www.tensorflow.org/api_docs/python/tf/errors/UnavailableError.
    """

    _CODE = UNAVAILABLE


class DataLossError(_CodedError):
    """Data is lost or damaged, such as a truncated file.

    See https://www.tensorflow.org/api_docs/python/tf/errors/DataLossError.
    """

    _CODE = DATA_LOSS


class UnauthenticatedError(_CodedError):
    """The caller has not said who they are.

    See https://www.tensorflow.org/api_docs/python/tf/errors/UnauthenticatedError.
    """

    _CODE = UNAUTHENTICATED


class OperatorNotAllowedInGraphError(TypeError):
    """A symbolic tensor was used where Python needs a value: `if tensor:`, `for x in tensor:`.

    See https://www.tensorflow.org/api_docs/python/tf/errors/OperatorNotAllowedInGraphError.
    """


class UnsupportedError(NotImplementedError):
    """TensorFlow can do this and tapejax cannot.

    Args:
      what: What was asked for, as the user wrote it: a function, or an argument with its value.
      why: The reason, as a clause without a full stop.
      instead: What to do instead, as a sentence with its full stop.

    >>> raise UnsupportedError("tf.foo", "it needs a cluster", "Use one host.")
    Traceback (most recent call last):
    tapejax.errors.UnsupportedError: tapejax does not support `tf.foo`: it needs a cluster. Use one host.
    """

    def __init__(self, what: str, why: str, instead: str):
        super().__init__(what, why, instead)
        self.what, self.why, self.instead = what, why, instead

    def __str__(self) -> str:
        return f"tapejax does not support `{self.what}`: {self.why}. {self.instead}"


def _show_public_names() -> dict[str, type]:
    """Makes tracebacks and pickles name the classes as users write them: `tapejax.errors.NotFoundError`."""
    classes = {name: cls for name, cls in globals().items() if isinstance(cls, type) and cls.__module__ == __name__}
    for name, cls in classes.items():
        if not name.startswith("_"):
            cls.__module__ = "tapejax.errors"
    return classes


# `doctest` runs the examples of a class whose module is another one only if they are listed here.
__test__ = _show_public_names()
