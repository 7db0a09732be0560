# tolerance: 1e-4
# test: --steps 10 --batch 32
"""Adversarial training by the fast gradient sign method: each step attacks its own batch, then learns from both."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--batch", type=int, default=128)
parser.add_argument("--epsilon", type=float, default=0.08)
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

rng = np.random.default_rng(8)
SIDE, CLASSES = 12, 6


def gratings(count):
    """Striped patches from 0 to 1; the class is the direction of the stripes."""
    labels = rng.integers(0, CLASSES, count)
    angle = (labels + rng.uniform(-0.25, 0.25, count))[:, None, None] * np.pi / CLASSES
    rows, columns = np.mgrid[:SIDE, :SIDE]
    phase = rng.uniform(-0.5, 0.5, (count, 1, 1))
    waves = 0.5 + 0.3 * np.sin(1.2 * (rows * np.sin(angle) + columns * np.cos(angle)) + phase)
    images = np.clip(waves + rng.normal(scale=0.05, size=waves.shape), 0, 1)
    return images.astype(np.float32), labels


def dense(units, activation, seed):
    return tf.keras.layers.Dense(units, activation, kernel_initializer=tf.keras.initializers.HeNormal(seed=seed))


model = tf.keras.models.Sequential([
    tf.keras.Input(shape=(SIDE, SIDE)),
    tf.keras.layers.Flatten(),
    dense(64, "tanh", 1),
    dense(64, "tanh", 2),
    dense(CLASSES, None, 3),
])
loss_function = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
optimizer = tf.keras.optimizers.Adam(learning_rate=2e-3)


def attack(images, labels):
    """Moves every pixel by epsilon to where the loss grows."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        loss = loss_function(labels, model(images))
    direction = tf.sign(tape.gradient(loss, images))
    return tf.clip_by_value(images + args.epsilon * direction, 0.0, 1.0)


def train_step(images, labels):
    attacked = attack(images, labels)
    with tf.GradientTape() as tape:
        clean_loss = loss_function(labels, model(images))
        attacked_loss = loss_function(labels, model(attacked))
        loss = 0.5 * (clean_loss + attacked_loss)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return loss, clean_loss, attacked_loss


step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    images, labels = gratings(args.batch)
    loss, clean_loss, attacked_loss = step_function(tf.constant(images), tf.constant(labels))
    if step % every == 0:
        print(f"step {step} loss {loss:.5f} clean {clean_loss:.5f} attacked {attacked_loss:.5f}")

images, labels = map(tf.constant, gratings(500))
for name, pictures in (("clean", images), ("attacked", attack(images, labels))):
    hits = tf.math.in_top_k(tf.cast(labels, tf.int32), model(pictures), k=1)
    print(f"accuracy on {name} pictures {tf.reduce_mean(tf.cast(hits, tf.float32)):.3f}")
