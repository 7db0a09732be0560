"""Candidate samplers and the losses that use them, against real TensorFlow."""

import numpy as np
import pytest
from support import harness
from support.harness import Case, raises

import tapejax

TRUE = np.array([[1], [3]], np.int64)
INPUTS = harness.f32([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])
WEIGHTS = (np.arange(24, dtype=np.float32).reshape(8, 3) * 7 % 11 - 5) / 4
BIASES = np.linspace(-1, 1, 8, dtype=np.float32)


def sampled(tf):
    """A sample in which class 3, a true one, occurs."""
    return [tf.constant([3, 0, 6, 3], tf.int64), tf.constant([[0.5], [0.125]]), tf.constant([0.5, 0.25, 0.125, 0.5])]


def loss(name, label, labels=TRUE, **kwargs):
    def call(tf, weights, biases, inputs):
        values = sampled(tf)
        if labels.shape[1] == 2:
            values[1] = tf.concat([values[1], values[1] / 2.0], 1)
        # (Times 1: so that the gradients of the tables are tensors.)
        return getattr(tf.nn, name)(
            1.0 * weights, 1.0 * biases, tf.constant(labels), inputs, 4, 8, labels.shape[1], values, **kwargs
        )

    return Case(f"{name} {label}", call, [WEIGHTS, BIASES, INPUTS], 2, 3e-6)


def shards(tf, first, rest):
    return tf.nn.nce_loss(
        [1.0 * first, 1.0 * rest], tf.constant(BIASES), tf.constant(TRUE), tf.constant(INPUTS), 4, 8, 1, sampled(tf)
    )


test_row = harness.test_of(
    [
        loss("nce_loss", "plain"),
        loss("nce_loss", "hits", remove_accidental_hits=True),
        loss("nce_loss", "two", np.array([[1, 3], [3, 2]])),
        loss("nce_loss", "int32", TRUE.astype(np.int32)),
        loss("sampled_softmax_loss", "plain"),
        loss("sampled_softmax_loss", "keep hits", remove_accidental_hits=False),
        loss("sampled_softmax_loss", "two", np.array([[1, 3], [3, 2]])),
        Case("shards", shards, [WEIGHTS[:4], WEIGHTS[4:]], 2, 3e-6),
    ]
)


test_as_tensorflow = harness.test_of(
    [
        # TensorFlow's own numbers: each row is a sequence of calls of kernels with seeds.
        lambda tf, uniform: (
            tf.random.set_seed(3),
            [uniform(5, True, 20, 3), uniform(5, True, 20, 3), uniform(5, False, 20, 3), uniform(64, True, 1000, 4)],
        ),
        lambda tf, zipf: (
            tf.random.set_seed(3),
            [zipf(5, True, 20, 3), zipf(5, True, 20, 3), zipf(5, False, 20, 3), zipf(64, True, 10000, 4)],
        ),
        lambda tf, uniform, zipf: (
            tf.random.set_seed(3),
            [zipf(20, True, 20, 5), uniform(20, True, 20, 5), uniform(1, False, 4, 5)],
        ),
        lambda tf, learned: (
            tf.random.set_seed(3),
            [learned(5, True, 20, 3), learned(5, True, 20, 3), learned(5, True, 20, 3), learned(5, False, 20, 3)],
        ),
        lambda tf, uniform, zipf: (
            tf.random.set_seed(3),
            uniform(4, True, 50, None),
            zipf(4, True, 50, None),
            uniform(4, True, 50, None),
        ),
        lambda tf, true: tuple(tf.random.all_candidate_sampler(true, 1, 5, True)),
        lambda tf, true: tuple(tf.nn.all_candidate_sampler(true, 1, 5, False)),
        lambda fixed: fixed(unigrams=[1.0, 1.0, 2.0, 4.0], n=2),
        lambda fixed: fixed(unigrams=[1.0, 2.0, 4.0], n=2, num_reserved_ids=1),
        lambda fixed: fixed(unigrams=[1.0, 1.0, 2.0, 4.0], n=2, distortion=0.5),
        raises("InvalidArgumentError", lambda fixed: fixed(n=1)),
        raises("InvalidArgumentError", lambda fixed: fixed(unigrams=[1.0], n=1)),
        lambda fixed: fixed(unigrams=[1.0, 9.0, 1.0, 9.0, 2.0, 9.0, 4.0, 9.0], n=2, num_shards=2),
        raises("InvalidArgumentError", lambda uniform: uniform(21, True, 20, 3)),
        raises("InvalidArgumentError", lambda uniform: uniform(0, True, 20, 3)),
        raises("InvalidArgumentError", lambda uniform: uniform(1, True, 3, 3)),
        raises("InvalidArgumentError", lambda uniform: uniform(1, True, 0, 3)),
        raises("InvalidArgumentError", lambda tf, true: tf.random.uniform_candidate_sampler(true, 2, 5, True, 20)),
        raises("InvalidArgumentError", lambda tf: tf.random.uniform_candidate_sampler([1, 3], 1, 5, True, 20)),
        raises(
            "InvalidArgumentError", lambda tf: tf.random.uniform_candidate_sampler(tf.constant([[1]]), 1, 5, True, 20)
        ),
        lambda tf: tuple(
            tf.nn.compute_accidental_hits(tf.constant([[1, 2], [3, 1]], tf.int64), tf.constant([2, 1, 5], tf.int64), 2)
        ),
        lambda tf: tuple(tf.nn.compute_accidental_hits([[1, 1], [3, 1]], [1, 1, 5], 2)),
        raises("InvalidArgumentError", lambda tf: tf.nn.compute_accidental_hits([[1, 1], [3, 1]], [1, 1, 5], 1)),
        raises("InvalidArgumentError", lambda tf: tf.nn.compute_accidental_hits([1], [1, 1, 5], 1)),
        lambda tf, c, g, true, s, e: g(
            lambda x: tf.nn.nce_loss(tf.ones([8, 3]), tf.ones([8]), true, x, 4, 8, 1, [s, e * tf.reduce_sum(x), c]),
            np.ones([2, 3], np.float32),
        ),
        lambda sampled, counted: counted(lambda x: sampled[1] * x),
    ],
    true=lambda tf: tf.constant(TRUE),
    sampled=sampled,
    s=lambda tf: sampled(tf)[0],
    e=lambda tf: sampled(tf)[1],
    c=lambda tf: sampled(tf)[2],
    uniform=lambda tf: sampler(tf, "uniform"),
    zipf=lambda tf: sampler(tf, "log_uniform"),
    learned=lambda tf: sampler(tf, "learned_unigram"),
    fixed=lambda tf: fixed(tf),
    counted=lambda tf: counted(tf),
)


def sampler(tf, kind):
    draw = getattr(tf.random, f"{kind}_candidate_sampler")
    return lambda n, unique, range_max, seed: list(draw(tf.constant(TRUE), 1, n, unique, range_max, seed=seed))


def fixed(tf):
    """The expected count of the true classes: what is drawn is not TensorFlow's for the seed."""
    return lambda n, **kwargs: (
        tf.random.fixed_unigram_candidate_sampler(
            tf.constant(TRUE), 1, n, False, 4, seed=1, **kwargs
        ).true_expected_count
    )


def counted(tf):
    """No gradient reaches the expected counts."""

    def gradient(scaled):
        x = tf.constant(2.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            values = sampled(tf)
            values[1] = scaled(x)
            y = tf.nn.nce_loss(
                tf.constant(WEIGHTS), tf.constant(BIASES), tf.constant(TRUE), tf.constant(INPUTS), 4, 8, 1, values
            )
        return tape.gradient(y, x)

    return gradient


@pytest.mark.parametrize("unique", [True, False])
def test_fixed_unigrams_are_drawn_as_often_as_expected(unique, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("the,6\nof,3\nand,2\nin,1\n")
    total, expected = np.zeros(6), 0
    for _ in range(400):
        drawn, _, _ = found = tapejax.random.fixed_unigram_candidate_sampler(
            [[2]], 1, 3, unique, 6, str(path), num_reserved_ids=2, seed=7
        )
        total += np.bincount(drawn.numpy(), minlength=6)
        expected += found.true_expected_count.numpy()[0, 0] / 400
        assert not unique or len(set(drawn.numpy().tolist())) == 3
    assert not total[:2].any() and (np.diff(total[2:]) < 0).all()
    # That a class is in a sample of different ones is estimated from how many draws the sample took.
    assert abs(total[2] / 400 - expected) < (0.25 if unique else 0.15)
    if not unique:
        np.testing.assert_allclose(total[2:] / 1200, np.array([6, 3, 2, 1]) / 12, atol=0.05)


def test_reserved_classes_cannot_fill_a_sample():
    with pytest.raises(tapejax.errors.InvalidArgumentError, match="too small"):
        tapejax.random.fixed_unigram_candidate_sampler([[0]], 1, 2, True, 2, unigrams=[1.0], num_reserved_ids=1)


def test_word_vectors_learn_from_drawn_words():
    """The default sampler, in a loop without a decorator and in a captured function."""
    for decorate in (lambda f: f, tapejax.function):
        tapejax.random.set_seed(1)
        table, weights = (tapejax.Variable(tapejax.random.stateless_normal([16, 4], [1, i])) for i in (1, 2))
        biases = tapejax.Variable(tapejax.zeros([16]))
        words = np.arange(16)

        @decorate
        def step(words, table=table, weights=weights, biases=biases):
            with tapejax.GradientTape() as tape:
                loss = tapejax.reduce_mean(
                    tapejax.nn.nce_loss(
                        weights, biases, words[:, None] // 2, tapejax.nn.embedding_lookup(table, words), 8, 16
                    )
                )
            gradients = tape.gradient(loss, [table, weights, biases])
            assert all(isinstance(g, tapejax.IndexedSlices) for g in gradients)
            for v, g in zip((table, weights, biases), gradients, strict=True):
                v.assign_sub(0.5 * tapejax.convert_to_tensor(g))
            return loss

        losses = [float(step(tapejax.constant(words))) for _ in range(60)]
        assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5]), losses
        assert len(set(losses)) > 50  # each step draws anew


def test_learned_unigrams_in_a_captured_function():
    @tapejax.function
    def draw(true):
        return tapejax.random.learned_unigram_candidate_sampler(true, 1, 2, False, 4, seed=11).true_expected_count

    true = tapejax.constant([[1]] * 4, tapejax.int64)
    counts = [draw(true).numpy()[0, 0] for _ in range(3)]
    np.testing.assert_allclose(counts, [2 * 1 / 4, 2 * 5 / 8, 2 * 9 / 12], rtol=1e-6)
