# tolerance: 2e-4
# test: --steps 8 --couplings 3 --units 16
"""RealNVP: invertible layers bend a normal distribution into two moons; trained by exact likelihood."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=800)
parser.add_argument("--batch", type=int, default=128)
parser.add_argument("--couplings", type=int, default=6)
parser.add_argument("--units", type=int, default=48)
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

rng = np.random.default_rng(16)


def moons(count):
    angle, side = rng.uniform(0, np.pi, count), rng.integers(0, 2, count)
    x = np.where(side, np.cos(angle), 1 - np.cos(angle)) - 0.5
    y = np.where(side, np.sin(angle), 0.5 - np.sin(angle)) - 0.25
    return (np.stack([x, y], axis=1) + rng.normal(scale=0.07, size=(count, 2))).astype(np.float32)


class Coupling(tf.keras.layers.Layer):
    """Scales and shifts the coordinates that the mask leaves free by a function of those that it keeps."""

    def __init__(self, mask, units, seed):
        super().__init__()
        self.mask = tf.constant(mask, tf.float32)
        self.network = tf.keras.Sequential([
            tf.keras.layers.Dense(units, "tanh", kernel_initializer=tf.keras.initializers.GlorotNormal(seed=seed)),
            tf.keras.layers.Dense(units, "tanh", kernel_initializer=tf.keras.initializers.GlorotNormal(seed=seed + 1)),
            tf.keras.layers.Dense(4, kernel_initializer="zeros"),
        ])

    def build(self, input_shape):
        self.stretch = self.add_weight(shape=(2,), initializer=tf.keras.initializers.Constant(0.5), name="stretch")
        self.network.build(input_shape)

    def scale_and_shift(self, kept):
        scale, shift = tf.split(self.network(kept), num_or_size_splits=2, axis=-1)
        free = 1.0 - self.mask
        return self.stretch * tf.tanh(scale) * free, shift * free

    def call(self, x):
        """From the data towards the normal: the new coordinates and the log determinant of the Jacobian."""
        scale, shift = self.scale_and_shift(x * self.mask)
        return x * tf.exp(scale) + shift, tf.reduce_sum(scale, axis=-1)

    def inverse(self, z):
        scale, shift = self.scale_and_shift(z * self.mask)
        return (z - shift) * tf.exp(-scale)


class Flow(tf.keras.Model):
    def __init__(self, couplings, units):
        super().__init__()
        masks = [[1, 0], [0, 1]]
        self.couplings = [Coupling(masks[i % 2], units, seed=10 * i + 1) for i in range(couplings)]

    def call(self, x):
        """The log density of each point."""
        total = tf.zeros([tf.shape(x)[0]])
        for coupling in self.couplings:
            x, log_determinant = coupling(x)
            total += log_determinant
        normal = -0.5 * tf.reduce_sum(x**2 + np.log(2 * np.pi), axis=-1)
        return normal + total

    def sample(self, normal):
        for coupling in reversed(self.couplings):
            normal = coupling.inverse(normal)
        return normal


flow = Flow(args.couplings, args.units)
flow(tf.constant(moons(2)))
schedule = tf.keras.optimizers.schedules.ExponentialDecay(5e-3, decay_steps=200, decay_rate=0.7)
optimizer = tf.keras.optimizers.Adam(learning_rate=schedule, global_clipnorm=5.0)


def train_step(x):
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(flow(x))
    gradients = tape.gradient(loss, flow.trainable_variables)
    optimizer.apply_gradients(zip(gradients, flow.trainable_variables))
    return loss


step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    loss = step_function(tf.constant(moons(args.batch)))
    if step % every == 0:
        print(f"step {step} loss {loss.numpy():.5f}")

# The determinant that the layers add up is that of the whole map, which the tape can find as well.
x = tf.constant(moons(5))
with tf.GradientTape() as tape:
    tape.watch(x)
    z, log_determinants = x, []
    for coupling in flow.couplings:
        z, log_determinant = coupling(z)
        log_determinants.append(log_determinant)
jacobian = tape.batch_jacobian(z, x)
sign, measured = tf.linalg.slogdet(jacobian)
np.testing.assert_allclose(tf.add_n(log_determinants), measured, atol=1e-4)
np.testing.assert_allclose(flow.sample(z), x, atol=1e-4)
drawn = flow.sample(tf.constant(rng.normal(size=(1000, 2)), tf.float32))
print("mean", np.round(tf.reduce_mean(drawn, 0), 3), "spread", np.round(tf.math.reduce_std(drawn, axis=0), 3))
