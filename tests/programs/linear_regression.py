# tolerance: 1e-5
# test: --steps 20
"""Linear regression: a plane through noisy points, plain gradient descent on two variables."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=1000)
parser.add_argument("--learning-rate", type=float, default=0.05)
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

rng = np.random.default_rng(0)
true_weights = np.array([[2.0], [-3.4], [0.7]])
features = rng.normal(size=(256, 3)).astype(np.float32)
targets = (features @ true_weights + 4.2 + 0.1 * rng.normal(size=(256, 1))).astype(np.float32)

x, y = tf.constant(features), tf.constant(targets)
w = tf.Variable(tf.zeros([3, 1]), name="weights")
b = tf.Variable(0.0, name="bias")


def train_step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(tf.matmul(x, w) + b - y))
    dw, db = tape.gradient(loss, [w, b])
    w.assign_sub(args.learning_rate * dw)
    b.assign_sub(args.learning_rate * db)
    return loss


step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    loss = step_function(x, y)
    if step % every == 0:
        print(f"step {step} loss {float(loss):.6f}")

print("weights", np.round(w.numpy().ravel(), 3), "bias", round(float(b), 3))
print("largest error", round(float(tf.reduce_max(tf.abs(w - true_weights.astype(np.float32)))), 3))
