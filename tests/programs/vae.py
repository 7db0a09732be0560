# tolerance: 1e-4
# test: --steps 10 --batch 16
"""A variational autoencoder, as Keras models, on points along a bent band in 12 dimensions."""

import argparse

import numpy as np
import tensorflow as tf
from tensorflow.keras import layers

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=1000)
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--latent", type=int, default=2)
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

tf.random.set_seed(5)
rng = np.random.default_rng(5)


def dense(units, activation=None, seed=0):
    return layers.Dense(units, activation=activation, kernel_initializer=tf.keras.initializers.HeNormal(seed=seed))


class Sampling(layers.Layer):
    """Draws z by the reparametrisation trick, so that gradients pass."""

    def call(self, inputs):
        mean, log_variance = inputs
        epsilon = tf.random.normal(tf.shape(mean))
        return mean + tf.exp(0.5 * log_variance) * epsilon


class Encoder(tf.keras.Model):
    def __init__(self, latent):
        super().__init__()
        self.hidden = dense(32, "relu", seed=1)
        self.mean = dense(latent, seed=2)
        self.log_variance = dense(latent, seed=3)
        self.sampling = Sampling()

    def call(self, x):
        h = self.hidden(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        return mean, log_variance, self.sampling((mean, log_variance))


encoder = Encoder(args.latent)
decoder = tf.keras.Sequential([dense(32, "relu", seed=4), dense(12, seed=5)])
optimizer = tf.keras.optimizers.Adam(learning_rate=2e-3)

along = rng.uniform(-2, 2, size=(2000, 2))
lift = rng.normal(size=(4, 12))
data = np.stack([along[:, 0], along[:, 1], np.sin(2 * along[:, 0]), along.prod(1)], axis=1) @ lift
data = ((data - data.mean(0)) / data.std(0)).astype(np.float32)


def train_step(x):
    with tf.GradientTape() as tape:
        mean, log_variance, z = encoder(x)
        restored = decoder(z)
        reconstruction = tf.reduce_sum(tf.square(x - restored), axis=1)
        divergence = -0.5 * tf.reduce_sum(1 + log_variance - tf.square(mean) - tf.exp(log_variance), axis=1)
        loss = tf.reduce_mean(reconstruction + 0.5 * divergence)
    variables = encoder.trainable_weights + decoder.trainable_weights
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss, tf.reduce_mean(reconstruction), tf.reduce_mean(divergence)


step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    batch = data[rng.choice(len(data), args.batch, replace=False)]
    loss, reconstruction, divergence = step_function(tf.constant(batch))
    if step % every == 0:
        print(f"step {step} loss {loss:.5f} reconstruction {reconstruction:.5f} divergence {divergence:.5f}")

print("a walk through the latent space:")
grid = tf.reshape(tf.linspace(-2.0, 2.0, 5), [-1, 1]) * tf.ones([1, args.latent])
print(np.round(decoder(grid).numpy()[:, :4], 2))
