# tolerance: 1e-4
# test: --steps 8 --micro-batch 8 --width 16
"""Large batches in pieces: gradients gathered over micro-batches, then one update, and a moving average of weights."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=200, help="updates")
parser.add_argument("--pieces", type=int, default=4, help="micro-batches of one update")
parser.add_argument("--micro-batch", type=int, default=32)
parser.add_argument("--width", type=int, default=64)
parser.add_argument("--decay", type=float, default=0.95, help="of the average of weights")
parser.add_argument("--decorate", action="store_true", help="run both halves of the step as tf.functions")
args = parser.parse_args()

rng = np.random.default_rng(22)
teacher = rng.normal(size=(16, 5))


def examples(count):
    """Inputs and the class that a noisy linear teacher gives them."""
    x = rng.normal(size=(count, 16))
    return x.astype(np.float32), (x @ teacher + rng.normal(scale=2, size=(count, 5))).argmax(1)


def dense(units, seed, activation=None):
    kernel = tf.keras.initializers.LecunNormal(seed=seed)
    return tf.keras.layers.Dense(units, activation=activation, kernel_initializer=kernel)


def make_model():
    hidden = [dense(args.width, seed, "selu") for seed in (1, 2)]
    return tf.keras.Sequential([tf.keras.Input((16,)), *hidden, dense(5, 3)])


class Accumulator(tf.Module):
    """Sums gradients beside the variables that they belong to."""

    def __init__(self, variables):
        super().__init__()
        self.sums = [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]
        self.count = tf.Variable(0, trainable=False)

    def add(self, gradients):
        for total, gradient in zip(self.sums, gradients):
            total.assign_add(gradient)
        self.count.assign_add(1)

    def take(self):
        """The mean, and back to zero."""
        means = [total / tf.cast(self.count, total.dtype) for total in self.sums]
        for total in self.sums:
            total.assign(tf.zeros_like(total))
        self.count.assign(0)
        return means


class MovingAverage(tf.Module):
    """Exponential averages of variables, less lazy at the start."""

    def __init__(self, variables, decay):
        super().__init__()
        self.decay = decay
        self.averages = [tf.Variable(v, trainable=False) for v in variables]
        self.updates = tf.Variable(0.0, trainable=False)

    def update(self, variables):
        self.updates.assign_add(1.0)
        decay = tf.minimum(self.decay, (1.0 + self.updates) / (10.0 + self.updates))
        for average, v in zip(self.averages, variables):
            average.assign_sub((1.0 - decay) * (average - v))


model, averaged = make_model(), make_model()
variables = model.trainable_variables
accumulator, moving = Accumulator(variables), MovingAverage(variables, args.decay)
cross_entropy = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
optimizer = tf.keras.optimizers.SGD(learning_rate=0.05, momentum=0.9)


def gather(x, y):
    with tf.GradientTape() as tape:
        decay = 1e-3 * tf.add_n([tf.nn.l2_loss(v) for v in variables if len(v.shape) > 1])
        loss = cross_entropy(y, model(x, training=True)) + decay
    accumulator.add(tape.gradient(loss, variables))
    return loss


def update():
    gradients = accumulator.take()
    optimizer.apply_gradients(zip(gradients, variables))
    moving.update(variables)
    return tf.linalg.global_norm(gradients)


if args.decorate:
    gather, update = tf.function(gather), tf.function(update)

every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    losses = []
    for _ in range(args.pieces):
        x, y = examples(args.micro_batch)
        losses.append(gather(tf.constant(x), tf.constant(y)))
    norm = update()
    if step % every == 0:
        print(f"step {step} loss {tf.reduce_mean(losses):.5f} gradient norm {norm:.4f}")

for target, average in zip(averaged.trainable_variables, moving.averages):
    target.assign(average)
x, y = examples(1000)
for name, network in (("weights", model), ("averaged weights", averaged)):
    logits = network(tf.constant(x))
    right = np.mean(tf.argmax(logits, 1).numpy() == y)
    print(f"{name}: loss {cross_entropy(y, logits):.4f} accuracy {right:.3f}")
