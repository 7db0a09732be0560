# tolerance: 3e-4
# test: --steps 8 --tasks 3 --width 16
"""MAML: initial weights from which a few gradient steps fit a new sine wave; the gradient goes through those steps."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=500)
parser.add_argument("--tasks", type=int, default=8, help="tasks of one outer step")
parser.add_argument("--inner-steps", type=int, default=2)
parser.add_argument("--inner-rate", type=float, default=0.02)
parser.add_argument("--width", type=int, default=40)
parser.add_argument("--first-order", action="store_true", help="take the inner gradients as constants")
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

rng = np.random.default_rng(14)
sizes = [1, args.width, args.width, 1]
parameters = []
for fan_in, fan_out in zip(sizes, sizes[1:]):
    parameters.append(tf.Variable(rng.normal(scale=fan_in**-0.5, size=(fan_in, fan_out)), dtype=tf.float32))
    parameters.append(tf.Variable(tf.zeros([fan_out])))
optimizer = tf.keras.optimizers.Adam(1e-3)


def network(x, parameters):
    """The network as a function of its weights, which are variables or what an inner step made of them."""
    for i in range(0, len(parameters) - 2, 2):
        x = tf.nn.elu(tf.matmul(x, parameters[i]) + parameters[i + 1])
    return tf.matmul(x, parameters[-2]) + parameters[-1]


def mean_square(x, y, parameters):
    return tf.reduce_mean(tf.square(network(x, parameters) - y))


def adapt(x, y, parameters):
    """A few steps of gradient descent that leave the variables alone."""
    parameters = [tf.convert_to_tensor(p) for p in parameters]
    for _ in range(args.inner_steps):
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            loss = mean_square(x, y, parameters)
        gradients = tape.gradient(loss, parameters)
        if args.first_order:
            gradients = tf.nest.map_structure(tf.stop_gradient, gradients)
        parameters = [p - args.inner_rate * g for p, g in zip(parameters, gradients)]
    return parameters


def waves(tasks, points=10):
    """Support and query points of sine waves with random height and phase, each [tasks, points, 1]."""
    height, phase = rng.uniform(0.5, 3, (tasks, 1, 1)), rng.uniform(0, np.pi, (tasks, 1, 1))
    x = rng.uniform(-4, 4, (tasks, 2 * points, 1))
    y = height * np.sin(x + phase)
    return [a.astype(np.float32) for a in (x[:, :points], y[:, :points], x[:, points:], y[:, points:])]


def train_step(x_support, y_support, x_query, y_query):
    before, after = [], []
    with tf.GradientTape() as outer:
        for task in range(args.tasks):
            before.append(mean_square(x_query[task], y_query[task], parameters))
            adapted = adapt(x_support[task], y_support[task], parameters)
            after.append(mean_square(x_query[task], y_query[task], adapted))
        loss = tf.add_n(after) / args.tasks
    optimizer.apply_gradients(zip(outer.gradient(loss, parameters), parameters))
    return loss, tf.reduce_mean(before)


step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    loss, before = step_function(*map(tf.constant, waves(args.tasks)))
    if step % every == 0:
        print(f"step {step} loss {loss:.5f} before adapting {before:.5f}")

x_support, y_support, x_query, y_query = (tf.constant(a[0]) for a in waves(1))
weights = parameters
for round_ in range(4):
    print(f"a new wave after {round_ * args.inner_steps} steps: {mean_square(x_query, y_query, weights):.4f}")
    weights = adapt(x_support, y_support, weights)
