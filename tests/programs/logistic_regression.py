# tolerance: 1e-5
# test: --steps 20
"""Logistic regression on two overlapping clouds: shuffled minibatches, weight decay, SGD with Nesterov momentum."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=1000)
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()


def make_clouds(count, rng):
    """Two Gaussian clouds, one turned by 40 degrees, and which point is of which."""
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    left = rng.normal(size=(count, 2)) * [1.5, 0.6] + [-1.0, -0.5]
    right = rng.normal(size=(count, 2)) * [1.2, 0.5] @ turn + [1.0, 1.0]
    points = np.concatenate([left, right]).astype(np.float32)
    labels = np.repeat([0.0, 1.0], count).astype(np.float32)
    return points, labels


rng = np.random.default_rng(1)
points, labels = make_clouds(500, rng)
points = (points - points.mean(0)) / points.std(0)
data, classes = tf.constant(points), tf.constant(labels)

w = tf.Variable(tf.zeros([2]))
b = tf.Variable(tf.zeros([]))
optimizer = tf.keras.optimizers.SGD(learning_rate=0.1, momentum=0.9, nesterov=True)


def train_step(indices):
    x, y = tf.gather(data, indices), tf.gather(classes, indices)
    with tf.GradientTape() as tape:
        logits = tf.linalg.matvec(x, w) + b
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits))
        loss += 1e-3 * tf.nn.l2_loss(w)
    gradients = tape.gradient(loss, [w, b])
    optimizer.apply_gradients(zip(gradients, [w, b]))
    return loss


step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
per_epoch = len(points) // args.batch
for step in range(1, args.steps + 1):
    place = (step - 1) % per_epoch
    if place == 0:
        order = rng.permutation(len(points))
    loss = step_function(tf.constant(order[place * args.batch:(place + 1) * args.batch]))
    if step % every == 0:
        print(f"step {step} loss {loss.numpy():.6f}")

probabilities = tf.sigmoid(tf.linalg.matvec(data, w) + b)
correct = tf.equal(tf.cast(probabilities > 0.5, tf.float32), classes)
print(f"accuracy {tf.reduce_mean(tf.cast(correct, tf.float32)):.3f}")
