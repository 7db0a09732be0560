"""`tapejax.errors` against real TensorFlow's: classes, codes, arguments."""

import pickle
from typing import Any

import pytest

from tapejax._src.core import errors

CODED = [
    value for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, errors.OpError) and value.__name__[0] != "_"
    and value is not errors.OpError
]  # fmt: skip


@pytest.mark.tensorflow
def test_names_and_codes_are_tensorflows(tf: Any) -> None:
    public = {name: value for name, value in vars(tf.errors).items() if name[0] != "_"}
    assert public.keys() == set(errors.__all__) - {"UnsupportedError"}
    for name, theirs in public.items():
        ours = getattr(errors, name)
        if isinstance(theirs, int):
            assert ours == theirs
        else:
            # The same public ancestors, so that the same `except` clauses catch it.
            assert [c.__name__ for c in ours.__mro__ if c.__name__[0] != "_"] == [c.__name__ for c in theirs.__mro__]
    assert len(CODED) == 16


@pytest.mark.tensorflow
@pytest.mark.parametrize("ours", CODED, ids=lambda cls: cls.__name__)
def test_arguments(tf: Any, ours: type[errors.OpError]) -> None:
    theirs = getattr(tf.errors, ours.__name__)
    cases: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((None, None, "message"), {}),
        ((None, None), {"message": "message"}),
        ((None, None, "message", {"key": b"value"}), {}),
    ]
    for args, keywords in cases:
        a, b = ours(*args, **keywords), theirs(*args, **keywords)
        for attribute in ("message", "op", "node_def", "error_code", "experimental_payloads"):
            assert getattr(a, attribute) == getattr(b, attribute)
        assert str(a) == str(b)
    for args in [(), ("message",), (None, None)]:
        for cls in (ours, theirs):
            with pytest.raises(TypeError):
                cls(*args)


@pytest.mark.tensorflow
def test_op_error_takes_the_code(tf: Any) -> None:
    for module in (errors, tf.errors):
        error = module.OpError("node", None, "message", module.NOT_FOUND)
        assert (error.node_def, error.op, str(error), error.error_code) == ("node", None, "message", 5)
        with pytest.raises(TypeError):
            module.OpError(None, None, "message")


@pytest.mark.parametrize("cls", CODED, ids=lambda cls: cls.__name__)
def test_message_alone(cls: type[errors.OpError]) -> None:
    error = cls(message="what went wrong")
    assert str(error) == error.message == "what went wrong"
    assert repr(error) == f"{cls.__name__}('what went wrong')"
    assert error.op is None and error.node_def is None


def test_a_lone_text_is_not_lost_as_node_def() -> None:
    with pytest.raises(TypeError, match="message=... alone"):
        errors.InvalidArgumentError("what went wrong")


def test_more_than_a_dictionary_after_the_message_is_refused() -> None:
    for extra in [("a",), ({}, {})]:
        with pytest.raises(TypeError, match="one dictionary"):
            errors.NotFoundError(None, None, "message", *extra)


@pytest.mark.parametrize("error", [
    errors.OpError("node", "op", "message", errors.UNKNOWN, {"key": b"value"}),
    errors.OutOfRangeError("node", "op", "message"),
    errors.DataLossError(None, None, "message", {"key": b"value"}),
    errors.UnsupportedError("tf.foo", "it needs a cluster", "Use one host."),
    errors.OperatorNotAllowedInGraphError("message"),
], ids=lambda error: type(error).__name__)  # fmt: skip
def test_pickles(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_unsupported_names_what_why_and_what_instead() -> None:
    error = errors.UnsupportedError("tf.foo", "it needs a cluster", "Use one host.")
    assert isinstance(error, NotImplementedError)
    assert str(error) == "tapejax does not support `tf.foo`: it needs a cluster. Use one host."
    assert (error.what, error.why, error.instead) == ("tf.foo", "it needs a cluster", "Use one host.")
