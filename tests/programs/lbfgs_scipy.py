# tolerance: 1e-5
# test: --steps 5
"""SciPy's L-BFGS-B fits a small network in float64: the weights travel as one vector, loss and gradient come back."""

import argparse

import numpy as np
import scipy.optimize
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=60, help="iterations of L-BFGS")
parser.add_argument("--width", type=int, default=16)
parser.add_argument("--decorate", action="store_true", help="run loss and gradient as a tf.function")
args = parser.parse_args()

rng = np.random.default_rng(23)
grid = np.stack(np.meshgrid(np.linspace(-1, 1, 12), np.linspace(-1, 1, 12)), axis=-1).reshape(-1, 2)
heights = np.cos(3 * grid[:, :1]) * np.exp(-(grid[:, 1:] ** 2)) + 0.02 * rng.normal(size=(len(grid), 1))
x, y = tf.constant(grid), tf.constant(heights)
assert x.dtype == tf.float64

layers = (2, args.width), (args.width,), (args.width, args.width), (args.width,), (args.width, 1)
variables = [
    tf.Variable(rng.normal(scale=shape[0] ** -0.5, size=shape) if len(shape) == 2 else tf.zeros(shape, tf.float64))
    for shape in layers
]
shapes = [v.shape for v in variables]
sizes = [int(np.prod(shape)) for shape in shapes]


def network(x):
    w1, b1, w2, b2, w3 = variables
    return tf.math.tanh(tf.math.tanh(x @ w1 + b1) @ w2 + b2) @ w3


def flatten(tensors):
    return tf.concat([tf.reshape(t, [-1]) for t in tensors], axis=0)


def unflatten(vector):
    return [tf.reshape(part, shape) for part, shape in zip(tf.split(vector, sizes), shapes)]


def loss_and_gradient(vector):
    for variable, part in zip(variables, unflatten(vector)):
        variable.assign(part)
    with tf.GradientTape() as tape:
        misfit = tf.reduce_mean((network(x) - y) ** 2)
        loss = misfit + 1e-5 * tf.add_n([tf.reduce_sum(v**2) for v in variables])
    return loss, flatten(tape.gradient(loss, variables))


if args.decorate:
    loss_and_gradient = tf.function(loss_and_gradient, input_signature=[tf.TensorSpec([sum(sizes)], tf.float64)])
calls, losses = 0, []


def objective(vector):
    """What SciPy calls: a float and an array."""
    global calls
    calls += 1
    loss, gradient = loss_and_gradient(tf.constant(vector))
    return loss.numpy(), gradient.numpy()


def after_iteration(vector):
    losses.append(objective(vector)[0])
    if len(losses) % max(1, args.steps // 10) == 0:
        print(f"step {len(losses)} loss {losses[-1]:.8f}")


start = flatten(variables).numpy()
options = {"maxiter": args.steps, "maxfun": 100 * args.steps, "ftol": 0.0, "gtol": 0.0}
found = scipy.optimize.minimize(
    objective, start, jac=True, method="L-BFGS-B", callback=after_iteration, options=options
)
loss, gradient = loss_and_gradient(tf.constant(found.x))
np.testing.assert_allclose(loss, found.fun)
print(f"loss {loss:.8f} largest slope {tf.reduce_max(tf.abs(gradient)):.6f} after {calls} calls")

# The slope along a direction, by forward mode, is what the gradient says.
direction = rng.normal(size=len(start))
parts = unflatten(tf.constant(direction))
with tf.autodiff.ForwardAccumulator(variables, parts) as accumulator:
    total = tf.reduce_mean((network(x) - y) ** 2) + 1e-5 * tf.add_n([tf.reduce_sum(v**2) for v in variables])
slope = accumulator.jvp(total)
np.testing.assert_allclose(slope, np.dot(gradient, direction), rtol=1e-6)
print(f"slope along a random direction {slope:.6f}")
