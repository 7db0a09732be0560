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
# Reduction and weights are the same for all: these are compared in one way.
MORE = [
    ("MeanAbsolutePercentageError", {}, BITS, LOGITS), ("MeanSquaredLogarithmicError", {}, BITS, LOGITS),
    ("Huber", {}, BITS, LOGITS), ("Huber", {"delta": 0.5}, BITS, LOGITS), ("Huber", {}, BITS[:, 0], LOGITS[:, :1]),
    ("LogCosh", {}, BITS, LOGITS), ("CosineSimilarity", {}, BITS, LOGITS),
    ("CosineSimilarity", {}, BITS, 0 * LOGITS), ("Hinge", {}, BITS, LOGITS), ("Hinge", {}, 2 * BITS - 1, LOGITS),
    ("SquaredHinge", {}, BITS, LOGITS), ("CategoricalHinge", {}, ONE_HOT, LOGITS),
    ("KLDivergence", {}, ONE_HOT, PROBS), ("Poisson", {}, BITS, PROBS), ("BinaryFocalCrossentropy", {}, BITS, PROBS),
    ("BinaryFocalCrossentropy", {"from_logits": True, "apply_class_balancing": True, "gamma": 1.5, "alpha": 0.3},
     BITS, LOGITS), ("BinaryFocalCrossentropy", {"label_smoothing": 0.2}, BITS, PROBS),
    ("CategoricalFocalCrossentropy", {}, ONE_HOT, PROBS),
    ("CategoricalFocalCrossentropy", {"from_logits": True, "alpha": [0.1, 0.2, 0.3, 0.4]}, ONE_HOT, LOGITS),
    ("CategoricalFocalCrossentropy", {"label_smoothing": 0.2, "gamma": 3.0}, ONE_HOT, PROBS),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, LABELS, PROBS), ("Dice", {"axis": 1}, BITS, PROBS),
    ("Dice", {"axis": (1,)}, BITS, PROBS), ("Tversky", {"axis": 1, "alpha": 0.3, "beta": 0.6}, BITS, PROBS),
    ("CTC", {}, np.array([[1, 2], [2, 0], [3, 3]]), R.randn(3, 5, 4).astype(np.float32)),
]  # fmt: skip
WHOLE = [("Dice", {}, BITS, PROBS), ("Tversky", {"alpha": 0.3}, BITS, PROBS)]  # one number for the batch
UNIT = LOGITS / np.linalg.norm(LOGITS, axis=1, keepdims=True)
CIRCLES = [
    ("Circle", {}, np.array([0, 1, 0]), UNIT),
    ("Circle", {"gamma": 5.0, "margin": 0.2}, np.array([[0], [1], [0]]), UNIT),
    ("Circle", {"remove_diagonal": False, "gamma": 3.0}, np.array([0, 1, 2]), UNIT),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{c[1]}")
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", None, "mean_with_sample_weight"])
@pytest.mark.parametrize("weight", [None, np.array([0.5, 2.0, 0.0], np.float32)], ids=["plain", "weighted"])
def test_loss_objects(tf, case, reduction, weight):
    same_as_keras(tf, case, reduction, weight)


@pytest.mark.parametrize("case", MORE, ids=lambda c: f"{c[0]}-{c[1]}")
def test_more_loss_objects(tf, case):
    same_as_keras(tf, case, "sum_over_batch_size", np.array([0.5, 2.0, 0.0], np.float32))


@pytest.mark.parametrize("case", WHOLE, ids=lambda c: f"{c[0]}-{c[1]}")
def test_losses_of_a_whole_batch(tf, case):
    same_as_keras(tf, case, "sum_over_batch_size", None)


@pytest.mark.parametrize("case", CIRCLES, ids=lambda c: f"{c[0]}-{c[1]}")
def test_circles(tf, case):
    same_as_keras(tf, case, "sum_over_batch_size", None)
    same_as_keras(tf, case, None, None)


def same_as_keras(tf, case, reduction, weight):
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


def test_every_loss_of_keras_is_there_and_tested(tf):
    there = {n for n in dir(tf.keras.losses) if not n.startswith("_")}
    assert not there - set(dir(ours.keras.losses))
    classes = {n for n in there if isinstance(getattr(tf.keras.losses, n), type)} - {"Loss", "Reduction"}
    assert classes == {c[0] for c in CASES + MORE + WHOLE + CIRCLES}


@pytest.mark.parametrize(
    "name",
    [
        "huber",
        "hinge",
        "squared_hinge",
        "categorical_hinge",
        "kld",
        "logcosh",
        "mape",
        "msle",
        "poisson",
        "cosine_similarity",
        "binary_focal_crossentropy",
        "dice",
        "tversky",
        "categorical_focal_crossentropy",
        "kullback_leibler_divergence",
    ],
)
def test_more_functions(tf, name):
    mine, theirs = (getattr(t.keras.losses, name)(ONE_HOT, PROBS).numpy() for t in (ours, tf))
    assert mine.shape == theirs.shape
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)
    if name in ours.keras.losses.__all__:
        assert ours.keras.losses.get(name) is getattr(ours.keras.losses, name)


def test_functions_with_arguments(tf):
    for call in (
        lambda t, k: k.huber(ONE_HOT, PROBS, 0.1),
        lambda t, k: k.cosine_similarity(ONE_HOT, PROBS, axis=0),
        lambda t, k: k.categorical_generalized_cross_entropy(t.constant(LABELS), t.constant(PROBS), 0.3),
        lambda t, k: k.circle(LABELS, UNIT, np.array([0, 3]), UNIT[:2], False, gamma=4),
        lambda t, k: k.ctc(np.array([[1, 2]]), LOGITS[None]),
    ):
        mine, theirs = (call(t, t.keras.losses).numpy() for t in (ours, tf))
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "call",
    [
        lambda t, k, y, x: k.sparse_categorical_crossentropy(y, x, from_logits=True),
        lambda t, k, y, x: k.sparse_categorical_crossentropy(y, x, from_logits=True, ignore_class=3),
        lambda t, k, y, x: k.categorical_generalized_cross_entropy(y, x / 16, 0.5),
        lambda t, k, y, x: k.ctc(y[:, None], t.stack([x, x], 1)),
    ],
    ids=["sparse", "ignoring", "generalized", "ctc"],
)
def test_class_numbers_beyond_what_small_floats_tell_apart(tf, call):
    labels, logits = np.array([1001, 3]), 8 * np.eye(2000, dtype=np.float32)[[1001, 3]]
    mine, theirs = (
        t.cast(call(t, t.keras.losses, t.constant(labels), t.constant(logits, dtype=t.bfloat16)), t.float32).numpy()
        for t in (ours, tf)
    )
    np.testing.assert_allclose(mine, theirs, rtol=0.02, atol=0.02)


def test_a_loss_object_of_a_small_dtype_keeps_class_numbers():
    logits = 8 * np.eye(2000, dtype=np.float32)[[1001]]
    loss = ours.keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="bfloat16")
    expected = ours.keras.losses.SparseCategoricalCrossentropy(from_logits=True)([1001], logits)
    assert float(loss(np.array([1001]), logits)) == pytest.approx(float(expected), rel=0.02)


@pytest.mark.parametrize(
    "call",
    [
        lambda t, k: k.Huber(delta=t.constant(0.5))(BITS, LOGITS),
        lambda t, k: k.huber(BITS, LOGITS, t.Variable(0.5)),
        lambda t, k: k.CategoricalFocalCrossentropy(alpha=[[0.1], [0.2], [0.3]])(ONE_HOT, PROBS),
        lambda t, k: k.CategoricalFocalCrossentropy(alpha=np.array([0.1, 0.2, 0.3, 0.4]))(ONE_HOT, PROBS),
        lambda t, k: k.categorical_focal_crossentropy(ONE_HOT, PROBS, alpha=[t.constant(0.1), 0.2, 0.3, 0.4]),
    ],
    ids=["tensor", "variable", "nested list", "array", "list of tensors"],
)
def test_arguments_that_are_tensors_and_nested_lists(tf, call):
    mine, theirs = (call(t, t.keras.losses).numpy() for t in (ours, tf))
    np.testing.assert_allclose(mine, theirs, rtol=1e-5)


@pytest.mark.parametrize("case", CASES + MORE + CIRCLES, ids=lambda c: f"{c[0]}-{c[1]}")
def test_configurations(tf, case):
    mine, theirs = (getattr(t.keras.losses, case[0])(**case[1]) for t in (ours, tf))
    assert theirs.get_config().items() <= mine.get_config().items()  # Keras leaves out `delta` and `axis`
    again = ours.keras.losses.deserialize(ours.keras.losses.serialize(mine))
    assert type(again) is type(mine) and again.get_config() == mine.get_config()
    assert type(ours.keras.losses.get(tf.keras.losses.serialize(theirs))) is type(mine)


def test_serialized_functions(tf):
    for name in ("huber", "mse"):
        mine, theirs = (t.keras.losses.serialize(getattr(t.keras.losses, name)) for t in (ours, tf))
        assert mine == theirs
        assert ours.keras.losses.deserialize(mine) is getattr(ours.keras.losses, name)


def test_errors():
    with pytest.raises(ValueError, match="interval"):
        ours.keras.losses.CategoricalGeneralizedCrossEntropy(q=1)
    with pytest.raises(ValueError, match="3 axes"):
        ours.keras.losses.ctc([[1]], [[1.0]])
    with pytest.raises(ValueError, match="'Rope'"):
        ours.keras.losses.deserialize({"class_name": "Rope", "config": {}})
    with pytest.raises(TypeError, match="parse"):
        ours.keras.losses.deserialize(["Huber"])
    with pytest.raises(ValueError, match="loss identifier"):
        ours.keras.losses.get("x")
    with pytest.raises(ValueError, match="reduction"):
        ours.keras.losses.MeanSquaredError(reduction="avg")
    with pytest.raises(ValueError, match="same shape"):
        ours.keras.losses.categorical_crossentropy(ONE_HOT, PROBS[:, :2])
