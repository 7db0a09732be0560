"""Normalisations, statistics and the further losses of `tf.nn` against real TensorFlow."""

import numpy as np
import pytest
from support import harness
from support.harness import Case, f32, raises

X = (np.arange(24, dtype=np.float32).reshape(2, 3, 4) * 7 % 11 - 4.5) / 3
IMAGES = (np.arange(48, dtype=np.float32).reshape(2, 2, 2, 6) * 7 % 23 - 11) / 8
MEAN, VARIANCE = f32(0.5, -1, 0, 2), f32(1, 0.5, 2, 0.25)
OFFSET, SCALE = f32(1, 2, 3, 4), f32(0.5, 1.5, -1, 2)
LOGITS, LABELS = f32(-2, 0, 0.5, 3), f32(1, 0, 0.25, 0)
COUNTS = f32(0.5, 1.5, 2, 4)

ROWS = [
    Case("batch_normalization", lambda tf, x, m, v, o, s: tf.nn.batch_normalization(x, m, v, o, s, 1e-3),
         [X, MEAN, VARIANCE, OFFSET, SCALE], rtol=1e-5),
    Case("batch_normalization bare", lambda tf, x, m, v: tf.nn.batch_normalization(x, m, v, None, None, 0.01),
         [X, MEAN, VARIANCE], rtol=1e-5),
    Case("batch_normalization scale", lambda tf, x, m, v, s: tf.nn.batch_normalization(x, m, v, None, s, 0.01),
         [X, MEAN, VARIANCE, SCALE], rtol=1e-5),
    *(Case(f"batch_normalization {d}", lambda tf, x: tf.nn.batch_normalization(x, 0.5, 2.0, 1.0, None, 0.01),
           [X.astype(d)], 1, r) for d, r in [("float16", 3e-3), ("float64", 1e-6)]),
    *(Case(f"global normalization {after}", lambda tf, x, m, v, o, s, after=after:
           tf.nn.batch_norm_with_global_normalization(x, m, v, o, s, 1e-3, after),
           [X[:, None], MEAN, VARIANCE, OFFSET, SCALE], 1, 1e-5) for after in [False, True]),
    *(Case(f"sufficient_statistics {i} {k}", lambda tf, x, i=i, k=k:
           tf.nn.sufficient_statistics(x, [0, 2], shift=k, keepdims=k is not None)[i], [X], rtol=1e-5)
      for i in range(3) for k in [None, 1.5]),
    *(Case(f"normalize_moments {i}", lambda tf, m, v, i=i: tf.nn.normalize_moments(4.0, m, v, None)[i],
           [f32(4, 8), f32(8, 20)]) for i in range(2)),
    Case("normalize_moments shift", lambda tf, m, v, s: tf.nn.normalize_moments(4.0, m, v, s)[0],
         [f32(4, 8), f32(8, 20), f32(1, 2)]),
    *(Case(f"weighted_moments {i} {k}", lambda tf, x, w, i=i, k=k: tf.nn.weighted_moments(x, [0, 1], w, keepdims=k)[i],
           [X, np.abs(X[:, :, :1]) + 1], 1, 1e-5) for i in range(2) for k in [False, True]),
    Case("weighted_moments float16", lambda tf, x: tf.nn.weighted_moments(x, [0], tf.constant(1, tf.float16))[1],
         [X.astype(np.float16)], 0, 2e-3),
    *(Case(f"lrn {k}", lambda tf, x, k=k: tf.nn.lrn(x, **k), [IMAGES], 1, 1e-5)
      for k in [{}, {"depth_radius": 1, "bias": 2.0, "alpha": 0.5, "beta": 0.75}, {"beta": 1}]),
    Case("lrn float16", lambda tf, x: tf.nn.local_response_normalization(x), [IMAGES.astype(np.float16)], 0, 5e-3),
    Case("l2_normalize", lambda tf, x: tf.nn.l2_normalize(x, [0, 2]), [X], rtol=5e-6),
    Case("softsign", lambda tf, x: tf.nn.softsign(x), [LOGITS], order=1),
    Case("crelu", lambda tf, x: tf.nn.crelu(x, axis=1), [X]),
    Case("log_poisson", lambda tf, z, c: tf.nn.log_poisson_loss(z, c), [COUNTS, LOGITS], rtol=5e-6),
    Case("log_poisson full", lambda tf, z, c: tf.nn.log_poisson_loss(z, c, True), [COUNTS, LOGITS], rtol=1e-5),
    Case("weighted_cross_entropy", lambda tf, z, x: tf.nn.weighted_cross_entropy_with_logits(z, x, 2.5),
         [LABELS, LOGITS], 1, 5e-6),
    Case("weighted_cross_entropy second", lambda tf, z, x: tf.nn.weighted_cross_entropy_with_logits(z, x, 2.5),
         [LABELS[[0, 2]], LOGITS[[0, 2]]], rtol=5e-6),
    Case("average_loss", lambda tf, x: tf.nn.compute_average_loss(x), [LOGITS]),
    Case("average_loss weights", lambda tf, x, w: tf.nn.compute_average_loss(x, w, 8), [X[:, 0, 0], f32(1, 3)]),
    Case("average_loss weight", lambda tf, x: tf.nn.compute_average_loss(x, sample_weight=0.5), [LOGITS]),
    Case("average_loss int", lambda tf, x: tf.nn.compute_average_loss(x, global_batch_size=8), [np.array([1, 2])]),
    Case("regularization", lambda tf, x: tf.nn.scale_regularization_loss(x), [X]),
]  # fmt: skip
test_row = harness.test_of(ROWS)


@pytest.mark.parametrize(
    "call",
    [
        raises(
            "InvalidArgumentError",
            lambda tf: tf.nn.batch_normalization(tf.constant(X), 1.0, 2.0, tf.constant(1.0, tf.float64), None, 1e-3),
            in_function=TypeError,
        ),
        raises("InvalidArgumentError", lambda tf: tf.nn.lrn(tf.constant(X)), in_function=ValueError),
        raises("InvalidArgumentError", lambda tf: tf.nn.lrn(tf.constant(IMAGES, tf.float64)), in_function=TypeError),
        raises(ValueError, lambda tf: tf.nn.log_poisson_loss([1.0, 2.0], [0.0])),
        raises("InvalidArgumentError", lambda tf: tf.nn.softsign([1]), in_function=TypeError),
        raises(ValueError, lambda tf: tf.nn.weighted_cross_entropy_with_logits([1.0, 0.0], [0.5], 2.0)),
        raises(ValueError, lambda tf: tf.nn.compute_average_loss(3.0)),
        raises(TypeError, lambda tf: tf.nn.compute_average_loss([1.0, 2.0], global_batch_size=8.0)),
    ],
)
def test_error_class(tf, call):
    harness.check_error(tf, call)
