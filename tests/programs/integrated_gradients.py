# tolerance: 1e-4
# test: --steps 10 --width 16
"""Integrated gradients: which of ten inputs does a trained network listen to, when only three of them matter?"""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--width", type=int, default=32)
parser.add_argument("--points", type=int, default=64, help="points of the path integral")
parser.add_argument("--decorate", action="store_true", help="run the step and the attribution as tf.functions")
args = parser.parse_args()

rng = np.random.default_rng(9)
inputs = rng.normal(size=(1000, 10)).astype(np.float32)
outputs = (np.sin(2 * inputs[:, 0]) + inputs[:, 3] * inputs[:, 7])[:, None].astype(np.float32)


class Network(tf.Module):
    def __init__(self, sizes):
        super().__init__()
        self.weights = [
            tf.Variable(rng.normal(scale=fan_in**-0.5, size=(fan_in, fan_out)), dtype=tf.float32)
            for fan_in, fan_out in zip(sizes, sizes[1:])
        ]
        self.biases = [tf.Variable(tf.zeros_like(w[0])) for w in self.weights]

    def __call__(self, x):
        for w, b in list(zip(self.weights, self.biases))[:-1]:
            x = tf.nn.gelu(x @ w + b)
        return x @ self.weights[-1] + self.biases[-1]


model = Network([10, args.width, args.width, 1])
optimizer = tf.keras.optimizers.Adam(5e-3)


def train_step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x) - y) ** 2)
    variables = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss


def integrated_gradients(baseline, x):
    """The gradient's mean along the straight way from the baseline (trapezoidal rule) times the way."""
    shares = tf.linspace(0.0, 1.0, args.points + 1)[:, tf.newaxis]
    path = baseline[tf.newaxis, :] + shares * (x - baseline)[tf.newaxis, :]
    with tf.GradientTape() as tape:
        tape.watch(path)
        outputs = model(path)
    gradients = tape.gradient(outputs, path)
    mean = tf.reduce_mean((gradients[:-1] + gradients[1:]) / 2.0, axis=0)
    return (x - baseline) * mean


if args.decorate:
    train_step, integrated_gradients = tf.function(train_step), tf.function(integrated_gradients)

x, y = tf.constant(inputs), tf.constant(outputs)
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    loss = train_step(x, y)
    if step % every == 0:
        print(f"step {step} loss {float(loss):.6f}")

baseline = tf.zeros([10])
importance = tf.zeros([10])
for example in x[:20]:
    attributions = integrated_gradients(baseline, example)
    # Completeness: the attributions add up to what the network says here more than at the baseline.
    difference = (model(example[None]) - model(baseline[None]))[0, 0]
    tf.debugging.assert_near(tf.reduce_sum(attributions), difference, atol=1e-2)
    importance += tf.abs(attributions)
values, order = tf.math.top_k(importance, k=3)
print("most important inputs:", sorted(order.numpy().tolist()), "attributions", np.round(values.numpy() / 20, 2))
