"""AutoGraph as a whole: derivatives and variables across statements, models, errors, what is not converted, the API."""

import doctest
import functools
import importlib
import logging
import traceback
from typing import Any

import numpy as np
import pytest
from support import harness

import tapejax
from tapejax._src.function.autograph import conversion as autograph
from tapejax._src.function.autograph import transform as autograph_transform


def _helper(x):
    if x > 0:
        return x
    return x * 10


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
        found = [
            in_loops(tf.constant(3)),
            in_conditions(tf.constant(True)),
            in_conditions(tf.constant(False)),
            of_arguments(w),
            becomes_a_variable(tf.constant(1)),
            becomes_a_variable(tf.constant(0)),
        ]
    return found, v.numpy(), tape.gradient(found[0][1], v), tape.gradient(found[1], v), tape.gradient(found[3], w)


test_programs = harness.test_functions(globals())


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

    with pytest.raises(ValueError, match="matmul") as info:
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


EXAMPLES = ["autograph.conversion", "control_flow.branches", "control_flow.loops", "control_flow.tensor_array"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name: str) -> None:
    module = importlib.import_module(f"tapejax._src.function.{name}")
    results = doctest.testmod(module)
    assert results.attempted and not results.failed


def test_library_code_is_not_converted() -> None:
    assert all(autograph.is_library(f) for f in (np.sum, tapejax.matmul, functools.wraps, len, logging.Logger))
    assert not autograph.is_library(_helper)
