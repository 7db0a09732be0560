# tolerance: 1e-6
# test: --steps 10 --points 25
"""Gaussian process regression in float64: scales and noise from the marginal likelihood, by way of Cholesky."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--points", type=int, default=60)
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

rng = np.random.default_rng(15)


def truth(x):
    return np.sin(3 * x[:, 0]) * x[:, 1] + 0.3 * x[:, 0]


inputs = rng.uniform(-1, 1, size=(args.points, 3))  # the third column says nothing
outputs = truth(inputs) + 0.05 * rng.normal(size=args.points)
x, y = tf.constant(inputs), tf.constant(outputs[:, None])


class GaussianProcess(tf.Module):
    """A zero mean and a Matern 5/2 kernel with one length for each input."""

    def __init__(self, dimensions):
        super().__init__()
        self.log_lengths = tf.Variable(tf.zeros(dimensions, tf.float64), name="log_lengths")
        self.log_height = tf.Variable(0.0, dtype=tf.float64, name="log_height")
        self.log_noise = tf.Variable(np.log(0.2), dtype=tf.float64, name="log_noise")

    def kernel(self, a, b):
        a, b = a / tf.exp(self.log_lengths), b / tf.exp(self.log_lengths)
        squares = tf.reduce_sum(tf.math.squared_difference(a[:, None, :], b[None, :, :]), axis=-1)
        distance = tf.sqrt(5.0 * squares + 1e-12)
        return tf.exp(2 * self.log_height) * (1 + distance + distance**2 / 3) * tf.exp(-distance)

    def factor(self, x):
        """The Cholesky factor of the covariance of noisy values at x."""
        covariance = self.kernel(x, x)
        noise = tf.fill([tf.shape(x)[0]], tf.exp(2 * self.log_noise) + 1e-8)
        return tf.linalg.cholesky(tf.linalg.set_diag(covariance, tf.linalg.diag_part(covariance) + noise))

    def loss(self, x, y):
        """Minus the log marginal likelihood for each point."""
        count = tf.cast(tf.shape(x)[0], tf.float64)
        factor = self.factor(x)
        whitened = tf.linalg.triangular_solve(factor, y, lower=True)
        log_determinant = 2 * tf.reduce_sum(tf.math.log(tf.linalg.diag_part(factor)))
        constant = count * tf.math.log(tf.constant(2 * np.pi, tf.float64))
        return 0.5 * (tf.reduce_sum(whitened**2) + log_determinant + constant) / count

    def predict(self, x, y, new):
        factor = self.factor(x)
        across = self.kernel(x, new)
        mean = tf.matmul(across, tf.linalg.cholesky_solve(factor, y), transpose_a=True)
        solved = tf.linalg.triangular_solve(factor, across)
        variance = tf.linalg.diag_part(self.kernel(new, new)) - tf.reduce_sum(solved**2, axis=0)
        return tf.squeeze(mean, -1), tf.sqrt(variance)


process = GaussianProcess(inputs.shape[1])
optimizer = tf.keras.optimizers.Adam(learning_rate=0.05)


def train_step():
    with tf.GradientTape() as tape:
        loss = process.loss(x, y)
    gradients = tape.gradient(loss, process.trainable_variables)
    optimizer.apply_gradients(zip(gradients, process.trainable_variables))
    return loss


step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    loss = step_function()
    if step % every == 0:
        print(f"step {step} loss {loss.numpy():.8f}")

print("lengths", np.round(np.exp(process.log_lengths.numpy()), 4), "noise", np.round(np.exp(process.log_noise), 4))
new = rng.uniform(-1, 1, size=(200, 3))
mean, deviation = process.predict(x, y, tf.constant(new))
errors = np.abs(mean - truth(new))
print(f"mean error {errors.mean():.5f}, within two deviations {np.mean(errors < 2 * deviation):.3f}")

# How sure of its own parameters is it? The curvature of the likelihood at the end says so.
variables = process.trainable_variables
with tf.GradientTape(persistent=True) as outer:
    with tf.GradientTape() as inner:
        loss = process.loss(x, y)
    slopes = inner.gradient(loss, variables)
print("curvature", [np.round(outer.gradient(s, v).numpy(), 4).tolist() for s, v in zip(slopes, variables)])
