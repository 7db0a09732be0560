# tolerance: 5e-4
# test: --steps 6 --batch 8
"""A small DCGAN that learns to draw 16 x 16 rings; own Keras layers, two tapes over one forward pass, two Adams."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=150)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--noise", type=int, default=16)
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

rng = np.random.default_rng(6)
normal = tf.random.Generator.from_seed(6)


def rings(count):
    """Pictures from -1 to 1 of one soft ring each."""
    rows, columns = np.mgrid[:16, :16]
    y, x = rng.uniform(5, 10, (2, count, 1, 1))
    radius = rng.uniform(2, 5, (count, 1, 1))
    distance = np.sqrt((rows - y) ** 2 + (columns - x) ** 2)
    return (2 * np.exp(-((distance - radius) ** 2)) - 1)[..., None].astype(np.float32)


class Conv(tf.keras.layers.Layer):
    """A convolution, or with `up=True` a transposed one, of stride 2."""

    def __init__(self, filters, seed, up=False):
        super().__init__()
        self.filters, self.up = filters, up
        self.initializer = tf.keras.initializers.RandomNormal(stddev=0.1, seed=seed)

    def build(self, input_shape):
        channels = int(input_shape[-1])
        shape = [4, 4, self.filters, channels] if self.up else [4, 4, channels, self.filters]
        self.kernel = self.add_weight(shape=shape, initializer=self.initializer, name="kernel")
        self.bias = self.add_weight(shape=[self.filters], initializer="zeros", name="bias")

    def call(self, x):
        if self.up:
            count, height, width, _ = x.shape
            x = tf.nn.conv2d_transpose(x, self.kernel, [count, 2 * height, 2 * width, self.filters], strides=2)
        else:
            x = tf.nn.conv2d(x, self.kernel, strides=2, padding="SAME")
        return x + self.bias


class BatchNorm(tf.keras.layers.Layer):
    """Normalises by the moments of the batch; their running means serve outside of training."""

    def build(self, input_shape):
        shape = [input_shape[-1]]
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")
        self.mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="mean")
        self.variance = self.add_weight(shape=shape, initializer="ones", trainable=False, name="variance")

    def call(self, x, training=False):
        if training:
            mean, variance = tf.nn.moments(x, axes=[0, 1, 2])
            self.mean.assign(0.9 * self.mean + 0.1 * mean)
            self.variance.assign(0.9 * self.variance + 0.1 * variance)
        else:
            mean, variance = self.mean, self.variance
        return tf.nn.batch_normalization(x, mean, variance, self.beta, self.gamma, 1e-3)


class Generator(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.first = tf.keras.layers.Dense(4 * 4 * 32, kernel_initializer=tf.keras.initializers.RandomNormal(seed=1))
        self.norms = [BatchNorm(), BatchNorm()]
        self.up = [Conv(16, seed=2, up=True), Conv(1, seed=3, up=True)]

    def call(self, noise, training=False):
        x = tf.reshape(self.first(noise), [-1, 4, 4, 32])
        x = self.up[0](tf.nn.relu(self.norms[0](x, training=training)))
        x = self.up[1](tf.nn.relu(self.norms[1](x, training=training)))
        return tf.tanh(x)


class Discriminator(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.down = [Conv(16, seed=4), Conv(32, seed=5)]
        self.last = tf.keras.layers.Dense(1, kernel_initializer=tf.keras.initializers.RandomNormal(seed=6))

    def call(self, x):
        for layer in self.down:
            x = tf.nn.leaky_relu(layer(x), alpha=0.2)
        return self.last(tf.reshape(x, [x.shape[0], -1]))


generator, discriminator = Generator(), Discriminator()
cross_entropy = tf.keras.losses.BinaryCrossentropy(from_logits=True)
generator_optimizer = tf.keras.optimizers.Adam(1e-3, beta_1=0.5)
discriminator_optimizer = tf.keras.optimizers.Adam(1e-3, beta_1=0.5)


def train_step(images):
    noise = normal.normal([images.shape[0], args.noise])
    with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
        real, fake = discriminator(images), discriminator(generator(noise, training=True))
        generator_loss = cross_entropy(tf.ones_like(fake), fake)
        discriminator_loss = cross_entropy(tf.ones_like(real), real) + cross_entropy(tf.zeros_like(fake), fake)
    for model, optimizer, tape, loss in (
        (generator, generator_optimizer, generator_tape, generator_loss),
        (discriminator, discriminator_optimizer, discriminator_tape, discriminator_loss),
    ):
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return generator_loss, discriminator_loss


# Weights first: a tf.function may make variables in its first call only.
discriminator(generator(tf.zeros([1, args.noise])))
step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    generator_loss, discriminator_loss = step_function(tf.constant(rings(args.batch)))
    if step % every == 0:
        print(f"step {step} loss {generator_loss:.5f} discriminator {discriminator_loss:.5f}")

drawn = generator(tf.zeros([1, args.noise]))[0, :, :, 0].numpy()
for line in drawn[::2]:
    print("".join(" .:-=+*#@"[int(4 * (pixel + 1))] for pixel in line))
