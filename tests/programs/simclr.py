# tolerance: 3e-4
# test: --steps 8 --batch 16
"""SimCLR: two altered views of one signal shall look alike to the network, other signals shall not."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=300)
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--temperature", type=float, default=0.2)
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

LENGTH, KINDS = 64, 4
rng = np.random.default_rng(20)
tf.random.set_seed(20)


def signals(count):
    """Waves of four kinds (sine, square, saw, beat), at any frequency and phase."""
    kind = rng.integers(0, KINDS, count)
    t = np.linspace(0, 1, LENGTH)[None] * rng.uniform(3, 5, (count, 1)) + rng.uniform(0, 1, (count, 1))
    sine = np.sin(2 * np.pi * t)
    shapes = np.stack([sine, np.sign(sine), 2 * (t % 1) - 1, sine * np.sin(np.pi * t / 3)])
    return shapes[kind, np.arange(count)].astype(np.float32), kind


def view(x):
    """Another sight of the same signals: shifted, louder or softer, noisy, some of it missing."""
    x = tf.roll(x, shift=tf.random.uniform([], 0, LENGTH, tf.int32), axis=1)
    x *= tf.random.uniform([tf.shape(x)[0], 1], 0.7, 1.3)
    x += tf.random.normal(tf.shape(x), stddev=0.05)
    seen = tf.random.uniform(tf.shape(x)) > 0.1
    return tf.where(seen, x, tf.zeros_like(x))


class Encoder(tf.Module):
    """Two convolutions along time and a mean over it; `project` maps what they say to where the loss is taken."""

    def __init__(self, channels=16, features=32, projection=16):
        super().__init__()

        def weight(*shape):
            scale = np.sqrt(2 / np.prod(shape[:-1]))
            return tf.Variable(rng.normal(scale=scale, size=shape), dtype=tf.float32)

        self.kernels = [weight(7, 1, channels), weight(5, channels, features)]
        self.projections = [weight(features, features), weight(features, projection)]

    def __call__(self, x):
        x = x[..., tf.newaxis]
        for kernel in self.kernels:
            x = tf.nn.relu(tf.nn.conv1d(x, kernel, stride=2, padding="SAME"))
        return tf.reduce_mean(x, axis=1)

    def project(self, features):
        return tf.nn.relu(features @ self.projections[0]) @ self.projections[1]


def contrastive_loss(one, other, temperature):
    """NT-Xent: each of the 2N views has to find its partner among the 2N - 1 others."""
    count = tf.shape(one)[0]
    views = tf.math.l2_normalize(tf.concat([one, other], axis=0), axis=1)
    logits = tf.matmul(views, views, transpose_b=True) / temperature
    logits = tf.linalg.set_diag(logits, tf.fill([2 * count], -1e9))
    partner = tf.concat([tf.range(count) + count, tf.range(count)], axis=0)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(partner, logits)
    hits = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), partner)
    return tf.reduce_mean(losses), tf.reduce_mean(tf.cast(hits, tf.float32))


class Cosine(tf.keras.optimizers.schedules.LearningRateSchedule):
    """From the top to nothing along half a cosine."""

    def __init__(self, top, steps):
        super().__init__()
        self.top, self.steps = top, steps

    def __call__(self, step):
        done = tf.minimum(tf.cast(step, tf.float32) / self.steps, 1.0)
        return self.top * 0.5 * (1.0 + tf.cos(np.pi * done))


encoder = Encoder()
optimizer = tf.keras.optimizers.Adam(Cosine(3e-3, args.steps))


def train_step(x):
    with tf.GradientTape() as tape:
        one, other = (encoder.project(encoder(view(x))) for _ in range(2))
        loss, hits = contrastive_loss(one, other, args.temperature)
    variables = encoder.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss, hits


step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    loss, hits = step_function(tf.constant(signals(args.batch)[0]))
    if step % every == 0:
        print(f"step {step} loss {loss:.5f} partners found {hits:.3f}")

# What was learned without labels, judged by the nearest mean of each kind (labels used here only).
x, kind = signals(400)
features = tf.math.l2_normalize(encoder(tf.constant(x)), axis=1)
means = tf.math.unsorted_segment_mean(features[:200], tf.constant(kind[:200]), KINDS)
nearest = tf.argmin(tf.norm(features[200:, None] - means[None], axis=-1), axis=1)
print(f"kinds told apart: {np.mean(nearest.numpy() == kind[200:]):.3f}")
