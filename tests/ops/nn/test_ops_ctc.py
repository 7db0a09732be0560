"""`tf.nn.ctc_loss` against real TensorFlow: values and gradients."""

import numpy as np
import pytest
from support import harness
from support.harness import Case, raises

import tapejax

LOGITS = (np.arange(5 * 3 * 4, dtype=np.float32).reshape(5, 3, 4) * 7 % 23 - 11) / 6
LABELS = np.array([[1, 2], [2, 2], [3, 0]], np.int32)
FIRST = np.array([[0, 2], [2, 2], [1, 0]], np.int64)


def row(label, labels, logits=LOGITS, lengths=(2, 2, 1), steps=(5, 4, 5), rtol=1e-5, **kwargs):
    return Case(
        label,
        lambda tf, x: tf.nn.ctc_loss(tf.constant(labels), x, tf.constant(lengths), tf.constant(steps), **kwargs),
        [logits],
        1,
        rtol,
    )


def unique(tf, x):
    labels = tf.constant(LABELS)
    return tf.nn.ctc_loss(labels, x, [2, 2, 1], [5, 4, 5], unique=tf.nn.ctc_unique_labels(labels))


test_row = harness.test_of([
    Case("unique labels", unique, [LOGITS], 1, 1e-5),
    row("plain", LABELS), row("no labels", LABELS, lengths=(2, 0, 1)), row("blank last", FIRST, blank_index=-1),
    row("blank inside", FIRST[[0]], LOGITS[:, :1], (2,), (5,), blank_index=1),
    row("batch first", LABELS, np.swapaxes(LOGITS, 0, 1).copy(), logits_time_major=False),
    row("float16", LABELS, LOGITS.astype(np.float16), rtol=3e-3),
])  # fmt: skip


def test_a_sequence_that_does_not_fit_has_no_gradient():
    logits = tapejax.constant(LOGITS[:2, :1])
    with tapejax.GradientTape() as tape:
        tape.watch(logits)
        loss = tapejax.nn.ctc_loss([[2, 2]], logits, [2], [2])
    assert float(loss[0]) > 1e29
    assert np.isfinite(tape.gradient(loss, logits).numpy()).all()


def test_a_blank_that_is_no_class_says_so():
    with pytest.raises(TypeError, match="blank_index"):
        tapejax.nn.ctc_loss(LABELS, LOGITS, [2, 2, 1], [5, 5, 5], blank_index=0.5)


def test_batches_that_differ(tf):
    harness.check_error(
        tf,
        raises(
            "InvalidArgumentError",
            lambda t: t.nn.ctc_loss(t.constant([[0, 1], [0, 1]]), t.ones([4, 1, 3]), [2], [4]),
            in_function=ValueError,
        ),
    )
