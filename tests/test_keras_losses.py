"""Losses against Keras: classes, functions, reductions, weights, gradients."""

import numpy as np
import pytest

import tapejax as ours

R = np.random.RandomState(0)
ONE_HOT, LABELS = np.eye(4, dtype=np.float32)[[0, 3, 1]], np.array([0, 3, 1])
LOGITS = R.randn(3, 4).astype(np.float32)
PROBS = (np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)).astype(np.float32)
BITS = (R.rand(3, 4) > 0.5).astype(np.float32)
CASES = [
    ("MeanSquaredError", {}, BITS, LOGITS), ("MeanAbsoluteError", {}, BITS, LOGITS),
    ("BinaryCrossentropy", {}, BITS, PROBS), ("BinaryCrossentropy", {"from_logits": True}, BITS, LOGITS),
    ("BinaryCrossentropy", {"label_smoothing": 0.1, "from_logits": True}, BITS, LOGITS),
    ("CategoricalCrossentropy", {}, ONE_HOT, PROBS),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, ONE_HOT, LOGITS),
    ("SparseCategoricalCrossentropy", {}, LABELS, PROBS),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, LABELS[:, None], LOGITS),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 3}, LABELS, LOGITS),
    ("MeanSquaredError", {}, BITS[:, 0], LOGITS[:, :1]),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{c[1]}")
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", None, "mean_with_sample_weight"])
@pytest.mark.parametrize("weight", [None, np.array([0.5, 2.0, 0.0], np.float32)], ids=["plain", "weighted"])
def test_loss_objects(tf, case, reduction, weight):
    name, kwargs, y_true, y_pred = case
    results = []
    for t in (ours, tf):
        loss = getattr(t.keras.losses, name)(reduction=reduction, **kwargs)
        x = t.constant(y_pred)
        with t.GradientTape() as tape:
            tape.watch(x)
            value = loss(y_true, x, sample_weight=weight)
        results.append((value.numpy(), tape.gradient(value, x).numpy()))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["mse", "mae", "binary_crossentropy", "categorical_crossentropy"])
def test_functions(tf, name):
    mine, theirs = (getattr(t.keras.losses, name)(ONE_HOT, PROBS).numpy() for t in (ours, tf))
    np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    assert ours.keras.losses.get(name) is getattr(ours.keras.losses, name)


def test_errors():
    with pytest.raises(ValueError, match="loss identifier"):
        ours.keras.losses.get("x")
    with pytest.raises(ValueError, match="reduction"):
        ours.keras.losses.MeanSquaredError(reduction="avg")
    with pytest.raises(ValueError, match="same shape"):
        ours.keras.losses.categorical_crossentropy(ONE_HOT, PROBS[:, :2])
