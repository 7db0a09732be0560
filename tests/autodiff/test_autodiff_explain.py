"""`tape.explain` names what stands between a source and a target, and the line; `tape.draw` shows the computation."""

import inspect
import itertools
import re

import numpy as np
import pytest

import tapejax as tf


def _line(text):
    """The line of this file that has `text` in it."""
    source = inspect.getsource(inspect.getmodule(_line)).splitlines()
    return next(i for i, line in enumerate(source, 1) if text in line and "_line(" not in line)


def _check(tape, target, source, kind, marker=None, op=None, later=True):
    """Before and after `gradient`, which must be None, and once the program has run."""
    for _ in range(2):
        (reason,) = tape.explain(target, source)
        assert reason.kind == kind, reason
        if marker is not None:
            assert reason.where[0] == __file__ and reason.where[1] == _line("# " + marker), reason
            assert f"{__file__}:{reason.where[1]} in " in str(reason)
        if op is not None:
            assert reason.op == op
        if tape._record is not None:
            assert tape.gradient(target, source) is None
    tf.sync()
    assert not later or tape.explain(target, source)[0].kind == kind
    return reason


_sizes = itertools.count(3)


def _vector():
    """A vector of a size of its own: equal programs are one program, with the line that recorded it first."""
    return np.ones(next(_sizes), np.float32)


@pytest.fixture(params=["recorded", "eager"])
def x(request):
    tf.config.eager = request.param == "eager"
    return tf.Variable(_vector(), name="x")


def test_numpy(x):
    with tf.GradientTape() as tape:
        y = tf.constant((x * x).numpy()) * 2.0  # read by numpy
    if tf.config.eager:
        assert tape.explain(y, x)[0].kind == "unused"
    else:
        assert _check(tape, y, x, "value_read", "read by numpy").source == "x:0"


def test_float(x):
    with tf.GradientTape() as tape:
        size = float(tf.reduce_sum(x))  # read by float
        y = tf.sin(x[0] * 0.0 + size) if size < 0 else tf.constant(size) * 3.0
    if not tf.config.eager:  # op by op, reading a value leaves no trace
        _check(tape, y, x, "value_read", "read by float")


def test_integer_cast(x):
    with tf.GradientTape() as tape:
        y = tf.cast(x, tf.int32)  # cast away
        z = tf.cast(y, tf.float32) * 2.0
    assert "int32" in _check(tape, z, x, "integer", "cast away", "cast").text


def test_stop_gradient(x):
    with tf.GradientTape() as tape:
        y = tf.stop_gradient(x * x)  # stopped here
        z = y + 1.0
    _check(tape, z, x, "stop_gradient", "stopped here", "stop_gradient")


def test_op_without_gradient(x):
    with tf.GradientTape() as tape:
        y = tf.sin(tf.floor(x))  # floor is here
    _check(tape, y, x, "no_gradient", "floor is here", "floor")


def test_integer_target(x):
    with tf.GradientTape() as tape:
        y = tf.argmax(x)
    _check(tape, y, x, "integer")


def test_integer_source():
    i = tf.constant([1, 2])
    with tf.GradientTape() as tape:
        y = tf.cast(i, tf.float32) * 2.0
    assert "int32" in _check(tape, y, i, "integer").text


def test_assignment(x):
    v = tf.Variable(tf.zeros_like(x))
    with tf.GradientTape() as tape:
        v.assign(x * x)  # assigned here
        y = v * 2.0
    if not tf.config.eager:  # op by op, an assignment leaves no trace
        _check(tape, y, x, "assign", "assigned here")


def test_variable_rebound_to_a_tensor():
    w = tf.Variable(_vector())
    for _ in range(2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(w * w)
        w = w - 0.1  # rebound here
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(w * w)
    reason = _check(tape, loss, w, "computed_outside", "rebound here")
    assert "assign_sub" in reason.text


def test_unwatched_constant():
    c = tf.constant(_vector())
    with tf.GradientTape() as tape:
        y = c * c
    assert "tape.watch" in _check(tape, y, c, "not_watched").text


def test_watched_too_late():
    c = tf.constant(_vector())
    with tf.GradientTape() as tape:
        y = c * c  # used too early
        tape.watch(c)
        z = y + 1.0
    _check(tape, z, c, "watched_late", "used too early")


def test_untrainable_variable():
    v = tf.Variable(_vector(), trainable=False)
    with tf.GradientTape() as tape:
        y = v * v
    _check(tape, y, v, "not_trainable")


def test_tape_told_not_to_watch(x):
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        y = x * x
    _check(tape, y, x, "not_watched")


def test_used_before_the_tape():
    v = tf.Variable(_vector())
    y = v * v  # before the tape
    with tf.GradientTape() as tape:
        z = y * 2.0
    _check(tape, z, v, "before_tape", "before the tape", later=False)


def test_recorded_after_the_tape(x):
    with tf.GradientTape(persistent=True) as tape:
        y = x * x
    z = y * 2.0  # after the tape
    assert tape.gradient(z, x) is None
    if not tf.config.eager:
        _check(tape, z, x, "after_tape", "after the tape")


def test_recorded_while_stopped(x):
    with tf.GradientTape() as tape:
        y = x * x
        with tape.stop_recording():
            z = y * 2.0  # tape is stopped
        u = z + 1.0
    if not tf.config.eager:
        _check(tape, u, x, "stop_recording", "tape is stopped")


def test_unused_variable(x):
    v = tf.Variable(1.0, name="other")
    with tf.GradientTape() as tape:
        y = x * 2.0
        v + 1.0  # noqa: B018
    assert _check(tape, y, v, "unused").source == "other:0"


def test_custom_gradient_of_none(x):
    @tf.custom_gradient
    def f(x):
        return x * 2.0, lambda dy: None

    with tf.GradientTape() as tape:
        y = f(x) + 1.0  # custom is here
    assert tape.explain(y, x)[0].kind == "custom_gradient"
    assert tape.gradient(y, x) is None
    (reason,) = tape.explain(y, x)
    assert (reason.kind, reason.where[1]) == ("custom_gradient", _line("# custom is here"))


def test_function_without_a_path(x):
    f = tf.function(lambda x: tf.floor(x) * 2.0)
    with tf.GradientTape() as tape:
        y = f(x) + 1.0
    assert tape.gradient(y, x) is None
    assert tape.explain(y, x)[0].kind == ("no_gradient" if tf.config.eager else "function")


def test_connected_and_several_sources(x):
    v, w = tf.Variable(1.0, name="v"), tf.Variable(1.0, trainable=False, name="w")
    with tf.GradientTape() as tape:
        y = x * w + tf.floor(v)
    tape.gradient(y, [x, v, w])
    found = tape.explain(y, [x, v, w])
    assert [r.kind for r in found] == ["connected", "no_gradient", "not_trainable"]
    assert len(str(found).splitlines()) == 3 and found[1].source == "v:0"


def test_a_tape_that_recorded_nothing():
    with pytest.raises(ValueError, match="recorded nothing"):
        tf.GradientTape().explain(tf.constant(1.0), tf.constant(1.0))


def test_optimizers_say_why():
    v, w = tf.Variable(_vector(), name="v"), tf.Variable(_vector()[:, None], name="w")
    optimizer = tf.keras.optimizers.SGD(0.1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(v * tf.floor(w))  # floor in the loss
    grads = tape.gradient(loss, [v, w])
    with pytest.warns(UserWarning, match="Gradients do not exist") as caught:
        optimizer.apply_gradients(zip(grads, [v, w], strict=True))
    assert f"floor has no gradient  ({__file__}:{_line('# floor in the loss')}" in str(caught[0].message)


def _computation():
    x, w = tf.Variable([[1.0, 2.0]], name="x"), tf.Variable([[3.0], [4.0]], name="w")
    with tf.GradientTape() as tape:
        h = tf.matmul(x, w)
        y = tf.reduce_sum(tf.sin(h) * h + tf.floor(h) * 2.0)
    return tape, y, x, w


@pytest.mark.parametrize("used_up", [False, True])
def test_draw(used_up):
    tape, y, x, w = _computation()
    if used_up:
        tape.gradient(y, [x, w])
    drawing = tape.draw(y, [x, w])
    lines = [re.sub(r"^[│├└─↑ ]*", "", line).split("  ")[0] for line in str(drawing).splitlines()]
    assert lines[0] == "reduce_sum: float32[]"
    assert lines.count("x:0: float32[1,2]") == lines.count("w:0: float32[2,1]") == 1
    assert "sin: float32[1,1]" in lines and not any("floor" in line for line in lines)
    assert "(above)" in str(drawing)  # h is shown once
    assert drawing.dot.startswith("digraph") and drawing.dot.count("->") == 7
    assert 'label="x:0: float32[1,2]", style=rounded' in drawing.dot
    assert f"test_autodiff_explain.py:{_line('h = tf.matmul(x, w)')}" in drawing.dot


def test_draw_says_when_there_is_no_path():
    x = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        y = tf.floor(x)
    assert "does not depend" in str(tape.draw(y, x))


def test_a_long_chain_can_be_drawn_and_explained():
    x = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        y = x
        for _ in range(3000):
            y = y + 1.0
        y = tf.floor(y)
    assert tape.explain(y, x)[0].kind == "no_gradient"
    assert np.isfinite(len(str(tape.draw(y, x))))
    del y
