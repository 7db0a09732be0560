"""When a stream is flushed: the table in ARCHITECTURE.md is that of the code, and each event has its effect."""

import threading
from pathlib import Path

import jax
import numpy as np
import pytest

import tapejax
import tapejax as tf
from tapejax._src.engine import policy
from tapejax._src.engine.policy import RULES, Event

_PAGE = Path(tf.__file__).parent / "ARCHITECTURE.md"


def _table():
    """The rows of the table of events: name, reason, condition and mode."""
    section = _PAGE.read_text("utf-8").split("## When pending ops are run", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return [row for row in rows[2:]]


def flushes(event):
    """How often the event has caused a flush."""
    return tf.explain().flushes.get(event.value, 0)


@pytest.fixture
def x():
    tf.sync()
    return tf.constant([1.0, 2.0])


def test_the_table_in_the_architecture_page_is_the_one_in_the_code():
    assert _table() == [
        [f"`{event.name}`", event.value, rule.condition, rule.mode.value] for event, rule in RULES.items()
    ]


def test_every_event_has_a_rule():
    assert list(RULES) == list(Event)


def test_the_condition_of_the_length_cap_names_its_number():
    assert str(policy.LENGTH_CAP) in RULES[Event.PROGRAM_TOO_LONG].condition


def test_a_value_is_read(x):
    before = flushes(Event.VALUE_READ)
    (x + 1.0).numpy()
    assert flushes(Event.VALUE_READ) == before + 1


def test_another_thread_reads_a_value_and_the_rest_stays_pending(x):
    before = flushes(Event.VALUE_READ_BY_OTHER_THREAD)
    y = x + 1.0
    rest = y * 2.0
    reader = threading.Thread(target=y.numpy)
    reader.start()
    reader.join()
    assert flushes(Event.VALUE_READ_BY_OTHER_THREAD) == before + 1
    assert y._value is not None
    assert rest._value is None


def test_a_trainable_variable_is_read_after_its_update(x):
    v = tf.Variable([1.0, 1.0])
    before = flushes(Event.UPDATED_VARIABLE_READ)
    v.assign(x * 2.0)
    assert flushes(Event.UPDATED_VARIABLE_READ) == before
    _ = v + 1.0
    assert flushes(Event.UPDATED_VARIABLE_READ) == before + 1


def test_another_variable_than_a_trainable_one_is_read_after_its_update(x):
    v = tf.Variable([1.0, 1.0], trainable=False)
    before = tf.explain().flushes
    v.assign(x * 2.0)
    _ = v + 1.0
    assert tf.explain().flushes == before


@pytest.mark.parametrize("taped", [False, True])
def test_a_variable_is_read_twice(x, taped):
    v = tf.Variable(np.float32([1.0, 1.0]))
    tf.sync()
    before = flushes(Event.VARIABLE_READ_AGAIN)
    if taped:
        with tf.GradientTape():
            _ = (v + x, v * x)
    else:
        kept = [v + x]
        kept.append(v * x)
    assert flushes(Event.VARIABLE_READ_AGAIN) == before + (not taped)


@pytest.mark.parametrize("taped", [False, True])
def test_a_host_array_enters_where_one_has_entered(x, taped):
    before = flushes(Event.HOST_ARRAY_ENTERED)

    def turns():
        return [x + tf.constant(np.float32([i, i])) for i in range(2)]

    if taped:
        with tf.GradientTape():
            turns()
    else:
        turns()
    assert flushes(Event.HOST_ARRAY_ENTERED) == before + (not taped)


def test_a_tape_opens_after_an_update(x):
    v = tf.Variable([1.0, 1.0])
    tf.sync()
    before = flushes(Event.TAPE_OPENED_AFTER_UPDATE)
    v.assign(x * 2.0)
    with tf.GradientTape():
        pass
    assert flushes(Event.TAPE_OPENED_AFTER_UPDATE) == before + 1


def test_a_tape_opens_when_nothing_pending_is_wanted(x):
    before = tf.explain().flushes
    _ = x + 1.0
    del _
    with tf.GradientTape():
        pass
    assert tf.explain().flushes == before  # the program is dropped, so nothing ran
    assert policy.RULES[Event.TAPE_OPENED_UNWANTED].condition.endswith("dropped")


def test_a_program_grows_too_long(x, monkeypatch):
    monkeypatch.setattr(policy, "length_limit", 10)
    before, op_by_op = flushes(Event.PROGRAM_TOO_LONG), tf.explain().op_by_op
    y = x
    for _ in range(12):
        y = y + x
    assert flushes(Event.PROGRAM_TOO_LONG) == before + 1
    assert tf.explain().op_by_op == op_by_op + 1


def test_the_mode_changes_and_ops_run_at_once(x):
    before = [flushes(e) for e in (Event.MODE_CHANGED, Event.EAGER_OP_RECORDED)]
    y = x + 1.0
    tapejax.config.eager = True
    try:
        _ = y * 2.0
    finally:
        tapejax.config.eager = False
    assert [flushes(e) for e in (Event.MODE_CHANGED, Event.EAGER_OP_RECORDED)] == [b + 1 for b in before]


def test_an_op_gets_a_tracer(x):
    before = flushes(Event.OP_ON_TRACER)
    jax.jit(lambda a: (tf.convert_to_tensor(a) + 1.0)._value)(np.float32([1.0]))
    assert flushes(Event.OP_ON_TRACER) == before + 1


def test_a_function_is_captured_then_runs(x):
    function = tf.function(lambda a: a * 2.0)
    captured, ran = flushes(Event.FUNCTION_CAPTURED), flushes(Event.FUNCTION_RAN)
    y = x + 1.0
    function(x)
    assert flushes(Event.FUNCTION_CAPTURED) == captured + 1
    kept = y + 1.0
    function(x)
    assert flushes(Event.FUNCTION_RAN) == ran + 1
    assert kept._value is not None


def test_the_device_changes(x):
    before = flushes(Event.DEVICE_CHANGED)
    y = x + 1.0
    with tf.device("CPU:0"):
        assert y._value is not None
    assert flushes(Event.DEVICE_CHANGED) == before + 1


def test_sync(x):
    before = flushes(Event.SYNC)
    y = x + 1.0
    tf.sync()
    assert flushes(Event.SYNC) == before + 1
    assert y._value is not None
