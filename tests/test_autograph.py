"""AutoGraph: Python statements on tensors inside `tf.function`, against real TensorFlow.

A case is a function of a module and of tensors; what it returns, or the class of what it raises, must be the same.
"""

import doctest
import functools
import importlib
import logging
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scenario

import tapejax
from tapejax.function import autograph, autograph_transform

CASES: dict[str, tuple[Callable[..., Any], tuple]] = {}


def case(*args: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds a function to the cases, to be called with these values as tensors."""

    def add(fn: Callable[..., Any]) -> Callable[..., Any]:
        CASES[fn.__name__] = (fn, args)
        return fn

    return add


# Conditions


@case(3.0)
def if_else(tf, x):
    if x > 0:
        y = x * 2
    else:
        y = -x
    return y


@case(-3.0)
def if_alone(tf, x):
    y = x
    if x > 0:
        y = x * 2
    return y


@case(3.0)
def early_return(tf, x):
    if x > 0:
        return x * 2
    return -x


@case(3.0)
def elif_return(tf, x):
    if x < 0:
        return -1.0
    elif x > 2:
        return 2.0
    else:
        return 0.0


@case(3.0)
def undefined_in_one_branch(tf, x):
    if x > 0:
        y = x
    return y


@case(3.0)
def return_in_one_branch(tf, x):
    if x > 0:
        return x


@case(3.0)
def none_in_one_branch(tf, x):
    y = None
    if x > 0:
        y = x
    return y


@case(3.0)
def unused_none(tf, x):
    if x > 0:
        y = None
    else:
        y = None
    del y
    return x


@case(3.0)
def dtypes_of_branches(tf, x):
    if x > 0:
        y = 1
    else:
        y = 1.0
    return y


@case(3.0)
def numbers_of_branches(tf, x):
    if x > 0:
        n = 1
    else:
        n = 2
    return n


@case(3.0)
def structures_of_branches(tf, x):
    if x > 0:
        n = (x, x)
    else:
        n = x
    return n


@case(3.0)
def objects_of_branches(tf, x):
    if x > 0:
        n = object()
    else:
        n = object()
    return x if n is None else n


@case(3.0)
def structure(tf, x):
    if x > 0:
        n = {"a": x, "b": (x, 1)}
    else:
        n = {"a": -x, "b": (x * 2, 2)}
    return n["a"] + n["b"][0]


@case(3.0)
def item(tf, x):
    d = {"a": x}
    if x > 0:
        d["a"] = x * 2
    return d["a"]


@case([1.0, 2.0])
def vector_condition(tf, x):
    if x > 0:
        y = x
    else:
        y = -x
    return y


@case(3)
def integer_condition(tf, x):
    if x:
        y = x
    else:
        y = -x
    return y


@case(3.0)
def one_element_condition(tf, x):
    if tf.reshape(x, [1]) > 0:
        y = x
    else:
        y = -x
    return y


@case(3.0)
def python_condition(tf, x):
    if x.shape == ():
        return x
    return -x


@case(3.0)
def conditional_expression(tf, x):
    return x * 2 if x > 0 else -x


@case(3.0)
def dtypes_of_expression(tf, x):
    return 1 if x > 0 else 1.0


# Logic


@case(3.0, 4.0)
def and_not(tf, x, y):
    if x > 1 and y > 1 and not x > y:
        return 1
    return 0


@case(3.0, 4.0)
def or_(tf, x, y):
    return x > 10 or y > 1


@case(3.0)
def chained(tf, x):
    return 1 < x < 5, 1 < x < 2


@case(3.0)
def mixed(tf, x):
    n = 1
    return n > 0 and x > 1, n > 2 or x > 5


# While


@case(0)
def while_(tf, i):
    while i < 10:
        i += 3
    return i


@case(3.0)
def while_python(tf, x):
    i = 0
    while i < 3:
        x = x * 2
        i += 1
    return x


@case(10)
def break_and_continue(tf, n):
    i = 0
    s = 0
    while i < n:
        i += 1
        if i % 2 == 0:
            continue
        if i > 7:
            break
        s += i
    return i, s


@case(5.0)
def while_dtype(tf, x):
    i = tf.constant(0)
    while x > 1:
        i = tf.cast(i, tf.float32) + 0.5
        x = x - 1
    return i


@case(5.0)
def while_shape(tf, x):
    y = tf.ones([1])
    while x > 1:
        y = tf.concat([y, y], 0)
        x = x - 1
    return tf.reduce_sum(y)


@case(5.0)
def while_structure(tf, x):
    y = x
    while x > 1:
        y = (x, x)
        x = x - 1
    return y


@case(5.0)
def while_defines(tf, x):
    while x > 1:
        y = x
        x = x - 1
    return y


@case(5.0)
def while_none(tf, x):
    y = None
    while x > 1:
        if y is None:
            y = x
        x = x - 1
    return y


@case(5.0)
def while_returns(tf, x):
    while x > 1:
        if x < 3:
            return x
        x = x - 1
    return x * 100


@case(5)
def while_and(tf, n):
    i = 0
    while i < n and i < 3:
        i += 1
    return i


@case(5)
def while_true(tf, n):
    i = 0
    while True:
        i += 1
        if i > 5:
            break
    return i + n


@case(5)
def while_true_until_tensor(tf, n):
    i = tf.constant(0)
    while True:
        i += 1
        if i > n:
            break
    return i


@case(1.0)
def while_with_options(tf, x):
    i = 0
    while x < 100.0:
        tf.autograph.experimental.set_loop_options(maximum_iterations=3, parallel_iterations=1)
        x = x * 2
        i += 1
    return x, i


# For


@case([1.0, 2.0, 3.0])
def for_tensor(tf, t):
    s = 0.0
    for v in t:
        s += v
    return s


@case([1.0, 2.0, 3.0])
def for_break(tf, t):
    s = 0.0
    for v in t:
        if v > 2:
            break
        s += v
    return s


@case([1.0, 2.0, 3.0])
def for_continue(tf, t):
    s = 0.0
    for v in t:
        if v == 2.0:
            continue
        s += v
    return s


@case([1.0, 2.0, 3.0])
def for_returns(tf, t):
    for v in t:
        if v > 1:
            return v
    return -1.0


@case([1.0, 2.0, 3.0])
def for_last(tf, t):
    for v in t:  # noqa: B007
        pass
    return v


@case(5)
def for_range(tf, n):
    s = 0
    for i in tf.range(n):
        s += i
    return s


@case(5)
def for_python_range(tf, n):
    s = 0
    for i in range(n):
        s += i
    return s


@case(10)
def for_range_step(tf, n):
    s = 0
    for i in tf.range(1, n, 3):
        s += i
    return s, i


@case(10)
def for_range_down(tf, n):
    s = 0
    for i in tf.range(n, 0, -4):
        s = s * 10 + i
    return s


@case(2.0)
def for_range_of_floats(tf, x):
    s = 0.0
    for i in tf.range(0.0, x, 0.5):
        s = s * 2 + i
    return s


@case(3.0)
def for_range_known(tf, x):
    for i in tf.range(4):
        x = x * 2 + tf.cast(i, tf.float32)
    return x


@case(3.0)
def for_range_break(tf, x):
    for i in tf.range(10):  # noqa: B007
        if x > 20:
            break
        x = x * 2
    return x, i


@case(4)
def range_as_a_tensor(tf, n):
    s = 0
    for i in tf.range(n):
        s += i
    return tf.reduce_sum(tf.range(n)), tf.range(n) * 2, s


@case(4)
def range_of_no_terms(tf, n):
    s = tf.constant(1)
    for i in tf.range(n, n):
        s += i
    for i in tf.range(0):
        s += i
    for v in tf.zeros([0], tf.int32):
        s += v
    return s


@case(4)
def range_enumerated(tf, n):
    s = 0
    for k, i in enumerate(range(4)):
        s += k * i * n
    return s


@case(3.0)
def for_list(tf, x):
    for i in [1, 2, 3]:
        if x > 5:
            x = x + i
        else:
            x = x * 2
    return x


@case(3.0)
def for_list_break(tf, x):
    for _ in [1, 2, 3]:
        if x > 5:
            break
        x = x * 2
    return x


@case([[1.0, 2.0], [3.0, 4.0]])
def for_rows(tf, t):
    s = 0.0
    for row in t:
        for v in row:
            if v > 1:
                s += v
    return s


@case(3.0)
def for_scalar(tf, x):
    for _ in x:
        pass
    return x


@case(3.0)
def append(tf, x):
    found = []
    for i in range(3):
        found.append(x * i)
    return tf.stack(found)


@case([1.0, 2.0, 3.0])
def tensor_array(tf, t):
    ta = tf.TensorArray(tf.float32, size=3)
    i = 0
    for v in t:
        ta = ta.write(i, v * 2)
        i += 1
    return ta.stack()


@case(3)
def tensor_array_that_grows(tf, n):
    ta = tf.TensorArray(tf.int32, size=0, dynamic_size=True)
    for i in tf.range(n):
        ta = ta.write(i, i * 2)
    return ta.stack()


@case(3.0)
def loop_options(tf, x):
    for _ in tf.range(10):
        tf.autograph.experimental.set_loop_options(maximum_iterations=2)
        x = x * 2
    return x


# Calls


def _helper(x):
    if x > 0:
        return x
    return x * 10


@case(3.0)
def called(tf, x):
    return _helper(x) + _helper(-x)


@case(3.0)
def lambda_(tf, x):
    f = lambda v: v * 2 if v > 0 else v  # noqa: E731
    return f(x)


@case(3.0)
def inner(tf, x):
    def g(v):
        if v > 0:
            return v + 1
        return v

    return g(x)


class _Thing:
    def __init__(self):
        self.n = 1.0

    def method(self, x):
        if x > 0:
            return x * self.n
        return x

    def __call__(self, x):
        if x > 0:
            return x + 1
        return x


class _Special(_Thing):
    def method(self, x):
        y = super().method(x)
        if y > 0:
            y = y + 100
        return y


@case(3.0)
def methods(tf, x):
    return _Thing().method(x), _Thing()(x), _Special().method(x)


@case(3.0)
def attribute_as_state(tf, x):
    o = _Thing()
    o.n = tf.constant(1.0)
    for _ in tf.range(3):
        o.n = o.n * x
    return o.n


@case(3.0)
def partial_of_function(tf, x):
    return functools.partial(_helper)(x)


@case(3.0)
def recursion(tf, x):
    def factorial(n):
        if n <= 1:
            return 1.0
        return n * factorial(n - 1)

    return factorial(4) * x


@case(3.0)
def arguments(tf, x):
    def g(a, *b, c=2, **d):
        if a > 0:
            return a + sum(b) + c + sum(d.values())
        return a

    return g(x, 1, 2, c=3, e=4)


@case([3.0, 1.0])
def function_of_map_fn(tf, t):
    return tf.map_fn(lambda v: v * 2 if v > 2 else v, t)


@case(3.0)
def do_not_convert(tf, x):
    @tf.autograph.experimental.do_not_convert
    def plain(n):
        return 1 if n > 2 else 2

    return plain(3) * x


@case([1.0, 2.0])
def len_of_tensor(tf, t):
    return len(t), t.shape[0]


@case(3.7)
def int_and_float(tf, x):
    return int(x), float(x), int("3"), abs(-x)


@case([2.0, 3.0, 1.0])
def sorted_tensor(tf, x):
    return sorted(x)


# Python around it


@case(3.0)
def try_finally(tf, x):
    try:
        if x > 0:
            x = x * 2
    finally:
        x = x + 1
    return x


@case(3.0)
def with_(tf, x):
    with tf.name_scope("a"):
        if x > 0:
            x = x * 2
    return x


@case(3.0)
def comprehension(tf, x):
    return tf.stack([x * i for i in range(3)]), sum(x * i for i in [1, 2])


@case(3.0)
def assertion_on_python(tf, x):
    assert x.shape == (), "scalar"
    return x


@case(3.0)
def raises(tf, x):
    if x > 0:
        raise KeyError("as the user wrote it")
    return x


@case(3.0)
def gradients(tf, x):
    with tf.GradientTape() as second:
        second.watch(x)
        with tf.GradientTape() as first:
            first.watch(x)
            y = x
            for i in tf.range(3):
                if y > 20.0:
                    y = y * x + tf.cast(i, tf.float32)
                else:
                    y = y * y
        g = first.gradient(y, x)
    return y, g, second.gradient(g, x)


@pytest.mark.parametrize("name", CASES)
def test_like_tensorflow(tf: Any, name: str) -> None:
    fn, args = CASES[name]
    scenario.check(lambda tf: tf.function(functools.partial(fn, tf))(*map(tf.constant, args)), tf)


@pytest.mark.parametrize("name", ["break_and_continue", "for_rows", "early_return", "methods", "mixed", "raises",
                                  "while_none", "for_list_break", "integer_condition", "while_shape"])
def test_converted_code_on_eager_tensors_is_plain_python(name: str) -> None:
    fn, args = CASES[name]
    tensors = [tapejax.constant(a) for a in args]
    want = scenario.outcome(lambda tf: fn(tf, *tensors), tapejax)
    got = scenario.outcome(lambda tf: autograph.convert(fn)(tf, *tensors), tapejax)
    scenario._compare(got, want, 1e-6, name)


def outer_derivatives(tf: Any) -> Any:
    """A function with statements of each kind, differentiated twice from outside."""

    def f(x: Any, n: Any) -> Any:
        s = x[0]
        for v in x:
            if v > 2.5:
                break
            s = s * v + v * v
        for i in tf.range(n):
            s = s * x[1] + tf.cast(i, tf.float32)
        while s < 300.0:
            s = s * s if s > 10.0 else s * 2.0
        return s

    f, x = tf.function(f), tf.constant([1.0, 2.0, 3.0])
    with tf.GradientTape() as second:
        second.watch(x)
        with tf.GradientTape() as first:
            first.watch(x)
            y = f(x, tf.constant(2))
        g = first.gradient(y, x)
        total = tf.reduce_sum(g)
    return [y, g, second.gradient(total, x)]


def assigned_variables(tf: Any) -> Any:
    v, w = tf.Variable(1.0), tf.Variable(5.0)

    @tf.function
    def f(x: Any) -> Any:
        if x > 1:
            v.assign_add(x)
            y = v * w
        else:
            w.assign(0.5)
            y = w * x
        for _ in tf.range(2):
            v.assign(v * 2.0)
            y += v
        return y

    return [f(tf.constant(3.0)), v.numpy(), w.numpy(), f(tf.constant(0.0)), v.numpy(), w.numpy()]


def gradients_past_assignments(tf: Any) -> Any:
    v = tf.Variable(2.0)

    @tf.function
    def f(x: Any) -> Any:
        if x > 1:
            v.assign(x * 3.0)
            y = v * x
        else:
            y = x
        return y

    with tf.GradientTape() as tape:
        x = tf.constant(2.0)
        tape.watch(x)
        y = f(x)
    return [y, tape.gradient(y, [x, v])]


def variables_as_first_values(tf: Any) -> Any:
    v, w = tf.Variable(1.0), tf.Variable([1.0, 2.0])

    @tf.function
    def in_loops(n: Any) -> Any:
        y, z, pair = v, v, (v, 1.0)
        for _ in tf.range(n):
            y = y * 2.0 + v
            if y > 10.0:
                v.assign_add(1.0)
        while z < 10.0:
            z = z * 3.0
        for row in w:
            pair = (pair[0] + row, pair[1] * row)
        return y, z, pair

    @tf.function
    def in_conditions(p: Any) -> Any:
        y, z, unchanged = v, v, v
        if p:
            y = y * 2.0
        else:
            z = w[0]
        if p:
            v.assign_add(1.0)
        return y, z, unchanged, v if p else 3.0 * v

    @tf.function
    def of_arguments(x: Any) -> Any:
        for _ in tf.range(2):
            x = x * x
        if tf.reduce_sum(x) > 2.0:
            x = x + 1.0
        return x

    @tf.function
    def becomes_a_variable(n: Any) -> Any:
        y = tf.constant(5.0)
        for _ in tf.range(n):
            y = v
        return y

    with tf.GradientTape(persistent=True) as tape:
        found = [in_loops(tf.constant(3)), in_conditions(tf.constant(True)), in_conditions(tf.constant(False)),
                 of_arguments(w), becomes_a_variable(tf.constant(1)), becomes_a_variable(tf.constant(0))]
    return found, v.numpy(), tape.gradient(found[0][1], v), tape.gradient(found[1], v), tape.gradient(found[3], w)


@pytest.mark.parametrize("run", [outer_derivatives, assigned_variables, gradients_past_assignments,
                                 variables_as_first_values],
                         ids=lambda run: run.__name__)
def test_programs(tf: Any, run: Callable[[Any], Any]) -> None:
    scenario.check(run, tf, 1e-4)


def test_layers_and_models() -> None:
    """Keras 2 converts `call`; Keras 3 does not, and refuses this one."""
    tf = tapejax

    class Gate(tf.keras.layers.Layer):
        def call(self, x: Any) -> Any:
            if tf.reduce_sum(x) > 0.0:
                return x * 2.0
            return -x

    class Twice(tf.keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.gate = Gate()

        def call(self, x: Any) -> Any:
            for _ in tf.range(2):
                x = self.gate(x)
            return x

    model = Twice()
    f = tf.function(lambda x: model(x))
    assert f(tf.constant([[1.0, 2.0]])).numpy().tolist() == [[4.0, 8.0]]
    assert f(tf.constant([[1.0, -2.0]])).numpy().tolist() == [[-2.0, 4.0]]
    assert model(tf.constant([[1.0, -2.0]])).numpy().tolist() == [[-2.0, 4.0]]
    assert f.experimental_get_tracing_count() == 1 and len(list(f._concretes())) == 1


def test_statements_on_tensors_are_traced_once() -> None:
    tf, seen = tapejax, []

    @tf.function
    def f(x: Any) -> Any:
        for _ in tf.range(3):
            if x > 10:
                seen.append("large")
                x = x + 1
            else:
                seen.append("small")
                x = x * 3
        return x

    assert [f(tf.constant(v)).numpy() for v in (2.0, 20.0, 1.0)] == [19.0, 23.0, 27.0]
    assert seen == ["large", "small"]


def _fails(x: Any) -> Any:
    y = x * 2
    if y > 1:
        y = tapejax.matmul(y, tapejax.ones([2, 3]))  # here
    return y


def test_errors_show_the_lines_of_the_user() -> None:
    @tapejax.function
    def f(x: Any) -> Any:
        for _ in tapejax.range(3):
            x = _fails(x)
        return x

    with pytest.raises(tapejax.errors.InvalidArgumentError) as info:
        f(tapejax.constant(2.0))
    lines = [(e.name, e.line) for e in traceback.extract_tb(info.value.__traceback__) if e.filename == __file__]
    assert ("f", "for _ in tapejax.range(3):") in lines
    assert ("_fails", "if y > 1:") in lines
    assert lines[-1][1] == "y = tapejax.matmul(y, tapejax.ones([2, 3]))  # here"


def test_what_cannot_be_converted_runs_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    tf = tapejax
    names: dict[str, Any] = {}
    exec("def hidden(x):\n    return x * 2", names)
    assert tf.function(names["hidden"])(tf.constant(2.0)).numpy() == 4.0

    @tf.function
    def with_else(x: Any) -> Any:
        for _ in range(2):
            x = x + 1
        else:
            x = x * 10
        return x

    with caplog.at_level(logging.WARNING):
        assert with_else(tf.constant(1.0)).numpy() == 30.0
    assert "for/else" in caplog.text


def test_autograph_off_or_missing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    tf = tapejax

    def f(x: Any) -> Any:
        return x if x > 1 else -x

    assert tf.function(f, autograph=False)(tf.constant(-2.0)).numpy() == 2.0
    assert "runs as Python" in caplog.text
    monkeypatch.setattr(autograph, "available", lambda: False)
    assert tf.function(f)(tf.constant(-2.0)).numpy() == 2.0
    assert "tapejax[autograph]" in caplog.text
    with pytest.raises(tf.errors.UnsupportedError, match="diastatic-malt"):
        tf.autograph.to_code(f)


def test_to_code_and_to_graph() -> None:
    tf = tapejax
    assert "ag__.if_stmt" in tf.autograph.to_code(_helper)
    assert "ag__.if_stmt" in tf.autograph.to_code(tf.function(_helper))
    assert tf.autograph.to_graph(_helper)(2.0) == 2.0
    with pytest.raises(ValueError):
        tf.autograph.to_code(len)
    with pytest.raises(tf.errors.UnsupportedError):
        tf.autograph.to_code(_helper, experimental_optional_features=1)


def test_trace_and_verbosity(capsys: pytest.CaptureFixture) -> None:
    tapejax.autograph.set_verbosity(0)
    tapejax.autograph.trace("seen", 1)
    assert capsys.readouterr().out == "seen 1\n"


def test_conversions_are_kept_as_long_as_the_code() -> None:
    def make(k: Any) -> Any:
        def f(x: Any) -> Any:
            if x > 0:
                return x + k
            return x

        return f

    before = len(autograph_transform._made)
    assert [autograph.convert(make(k))(1) for k in range(50)] == list(range(1, 51))
    assert len(autograph_transform._made) == before + 1


@pytest.mark.parametrize("name", ["autograph", "control_flow", "loops", "tensor_array"])
def test_examples(name: str) -> None:
    module = importlib.import_module(f"tapejax.function.{name}")
    results = doctest.testmod(module)
    assert results.attempted and not results.failed


def test_library_code_is_not_converted() -> None:
    assert all(autograph.is_library(f) for f in (np.sum, tapejax.matmul, functools.wraps, len, logging.Logger))
    assert not autograph.is_library(_helper)
