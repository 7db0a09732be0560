"""A bug in an op's own Python looks like a bug; a refusal, or JAX's error about the arrays, is TensorFlow's error."""

import threading
import traceback
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tapejax
from tapejax._src.core.checks import final, invalid, invalid_value, need
from tapejax._src.ops.registry import Array, Same, op


@op()
def fails_an_assertion(x: Array, name=None):
    assert x.ndim == 7, "seven axes"
    return x


@op()
def reads_past_the_end(x: Array, name=None):
    return x * x.shape[5]


@op()
def calls_what_is_no_function(x: Array, name=None):
    return len(3)


@op()
def divides_by_nothing(x: Array, name=None):
    return x * (1 // len(()))


@op()
def unpacks_too_few(x: Array, name=None):
    a, b = (x,)
    return a + b


@op()
def fails_within_jax(x: Array, name=None):
    return jax.vmap(_one_row)(x)


def _one_row(row: Any) -> Any:
    assert row.ndim == 7, "seven axes"
    return row


@op()
def calls_jax_that_calls_numpy(x: Array, name=None):
    return x + np.zeros(3).reshape(2, 2)


@op()
def asks_for_a_value(x: Array, name=None):
    return x if x[0] > 0 else -x


@op()
def makes_an_array_of_a_tracer(x: Array, name=None):
    return np.asarray(x)


BUGS = [
    (fails_an_assertion, AssertionError, "fails_an_assertion"),
    (reads_past_the_end, IndexError, "reads_past_the_end"),
    (calls_what_is_no_function, TypeError, "calls_what_is_no_function"),
    (divides_by_nothing, ZeroDivisionError, "divides_by_nothing"),
    (unpacks_too_few, ValueError, "unpacks_too_few"),
    (fails_within_jax, AssertionError, "_one_row"),
    (calls_jax_that_calls_numpy, ValueError, "calls_jax_that_calls_numpy"),
    (asks_for_a_value, jax.errors.TracerBoolConversionError, "asks_for_a_value"),
    (makes_an_array_of_a_tracer, jax.errors.TracerArrayConversionError, "makes_an_array_of_a_tracer"),
]


@pytest.mark.parametrize("in_function", [False, True], ids=["eager", "function"])
@pytest.mark.parametrize(("call", "error", "place"), BUGS, ids=[call.__name__ for call, *_ in BUGS])
def test_a_bug_arrives_as_itself_with_its_traceback(
    call: Callable, error: type[Exception], place: str, in_function: bool
) -> None:
    with pytest.raises(Exception) as caught:
        _run(call, in_function, tapejax.constant([1.0, 2.0]))
    assert type(caught.value) is error
    assert place in [frame.name for frame in traceback.extract_tb(caught.tb)]


def test_a_bug_arrives_as_itself_where_each_op_runs_at_once() -> None:
    tapejax.config.eager = True
    with pytest.raises(AssertionError, match="seven axes"):
        fails_an_assertion(tapejax.constant([1.0]))


def _broken_twin(x: np.ndarray) -> np.ndarray:
    raise TypeError("the twin is wrong")


@op(host=_broken_twin)
def has_a_broken_twin(x: Array, name=None):
    return x + 1


def test_a_bug_of_a_host_twin_arrives_as_itself() -> None:
    with pytest.raises(TypeError, match="the twin is wrong") as caught:
        has_a_broken_twin(tapejax.constant([1, 2]))
    assert "_broken_twin" in [frame.name for frame in traceback.extract_tb(caught.tb)]


@op()
def refuses_a_shape(x: Array, name=None):
    raise invalid("x must be a matrix")


@op()
def refuses_a_dtype(x: Array, name=None):
    need("iu", x)
    return x


@op()
def refuses_a_value(x: Array, name=None):
    raise invalid_value("x must be positive")


@op()
def refuses_in_python(x: Array, name=None):
    raise final(KeyError("x"))


@op()
def gives_jax_another_shape(x: Array, name=None):
    return jnp.reshape(x, (7, 7))


@op()
def gives_jax_another_dtype(x: Array, name=None):
    return jax.lax.bitwise_not(x)


@op()
def gives_jax_arrays_that_do_not_fit(x: Array, name=None):
    return jax.lax.add(x, jnp.zeros(5))


REFUSALS = [
    (refuses_a_shape, "InvalidArgumentError", "ValueError"),
    (refuses_a_dtype, "InvalidArgumentError", "TypeError"),
    (refuses_a_value, "InvalidArgumentError", "InvalidArgumentError"),
    (refuses_in_python, "KeyError", "KeyError"),
    (gives_jax_another_shape, "InvalidArgumentError", "ValueError"),
    (gives_jax_another_dtype, "InvalidArgumentError", "ValueError"),
    (gives_jax_arrays_that_do_not_fit, "InvalidArgumentError", "ValueError"),
]


@pytest.mark.parametrize(("call", "eager", "captured"), REFUSALS, ids=[call.__name__ for call, *_ in REFUSALS])
def test_refusals_and_jax_errors_have_tensorflows_class(call: Callable, eager: str, captured: str) -> None:
    for in_function, expected in ((False, eager), (True, captured)):
        with pytest.raises(Exception) as caught:
            _run(call, in_function, tapejax.constant([1.0, 2.0]))
        assert type(caught.value).__name__ == expected


def test_a_refusal_names_the_op() -> None:
    for in_function in (False, True):
        with pytest.raises(Exception, match=r"x must be a matrix \[Op:refuses_a_shape\]") as caught:
            _run(refuses_a_shape, in_function, tapejax.constant([1.0]))
        assert not getattr(caught.value, "__notes__", [])  # nothing about JAX's frames


def test_jax_errors_as_tensorflows(tf: Any) -> None:
    # No check of tapejax's own stands before these: JAX refuses the shapes.
    for call in (
        lambda tf: tf.add(tf.ones([2, 3]), tf.ones([2, 2])),
        lambda tf: tf.add(tf.constant([1, 2, 3]), tf.constant([1, 2])),
        lambda tf: tf.concat([tf.ones([2, 3]), tf.ones([2])], 0),
    ):
        for in_function in (False, True):
            names = []
            for module in (tf, tapejax):
                with pytest.raises(Exception) as caught:
                    (module.function(lambda m=module, c=call: c(m)) if in_function else lambda m=module, c=call: c(m))()
                names.append(type(caught.value).__name__)
            assert names[0] == names[1]


def test_a_string_is_no_input_of_a_device_op() -> None:
    with pytest.raises(tapejax.errors.InvalidArgumentError, match="string"):
        tapejax.sin(tapejax.constant("a"))


def test_the_setting_of_jax_for_tracebacks_stays() -> None:
    before = jax.config.jax_traceback_filtering  # type: ignore[attr-defined]

    def fail() -> None:
        for _ in range(20):
            with pytest.raises(AssertionError):
                fails_an_assertion(tapejax.constant([1.0]))

    threads = [threading.Thread(target=fail) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert jax.config.jax_traceback_filtering == before  # type: ignore[attr-defined]


@op()
def adds(x: Same, y: Same, name=None):
    return x + y


def test_a_failed_op_leaves_the_program_as_it_was() -> None:
    x = tapejax.constant([1.0, 2.0]) * 2.0
    with pytest.raises(AssertionError):
        fails_an_assertion(x)
    with pytest.raises(tapejax.errors.InvalidArgumentError):
        adds(x, tapejax.constant([1.0, 2.0, 3.0]))
    assert adds(x, 1.0).numpy().tolist() == [3.0, 5.0]


def _run(call: Callable, in_function: bool, x: Any) -> Any:
    if not in_function:
        return call(x)

    def body(x: Any) -> Any:
        return call(x)

    return tapejax.function(body, autograph=False)(x)
