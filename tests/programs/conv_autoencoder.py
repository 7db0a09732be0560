# tolerance: 1e-4
# test: --steps 10 --batch 8
"""A convolutional autoencoder on tf.nn ops that takes the noise off pictures of discs and bars; Adam."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

SIZE = 24
rng = np.random.default_rng(4)


def pictures(count):
    """Grey pictures, each with one disc and one bar."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    images = np.zeros((count, SIZE, SIZE, 1), np.float32)
    for image in images:
        y, x = rng.uniform(5, SIZE - 5, 2)
        image[(rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(2, 5) ** 2] = 1
        left, width = rng.integers(0, SIZE - 4), rng.integers(1, 4)
        image[:, left:left + width] = np.maximum(image[:, left:left + width], 0.6)
    return images


def kernel(height, width, inputs, outputs):
    scale = np.sqrt(2 / (height * width * inputs))
    return tf.Variable(rng.normal(scale=scale, size=(height, width, inputs, outputs)).astype(np.float32))


class Autoencoder(tf.Module):
    """24 x 24 pixels to 6 x 6 x 16 numbers and back."""

    def __init__(self):
        super().__init__()
        self.down1, self.down2 = kernel(5, 5, 1, 8), kernel(3, 3, 8, 16)
        self.up1, self.up2 = kernel(3, 3, 8, 16), kernel(5, 5, 8, 8)  # height, width, output, input
        self.out = kernel(3, 3, 8, 1)
        self.biases = [tf.Variable(tf.zeros(n)) for n in (8, 16, 8, 8, 1)]

    def encode(self, x):
        x = tf.nn.conv2d(x, self.down1, strides=2, padding="SAME")
        x = tf.nn.leaky_relu(tf.nn.bias_add(x, self.biases[0]), alpha=0.1)
        x = tf.nn.conv2d(x, self.down2, strides=[1, 2, 2, 1], padding="SAME")
        return tf.nn.leaky_relu(tf.nn.bias_add(x, self.biases[1]), alpha=0.1)

    def decode(self, code):
        count = tf.shape(code)[0]
        x = tf.nn.conv2d_transpose(code, self.up1, [count, SIZE // 2, SIZE // 2, 8], strides=2, padding="SAME")
        x = tf.nn.leaky_relu(tf.nn.bias_add(x, self.biases[2]), alpha=0.1)
        x = tf.nn.conv2d_transpose(x, self.up2, tf.stack([count, SIZE, SIZE, 8]), strides=2)
        x = tf.nn.leaky_relu(tf.nn.bias_add(x, self.biases[3]), alpha=0.1)
        return tf.nn.bias_add(tf.nn.conv2d(x, self.out, 1, "SAME"), self.biases[4])

    def __call__(self, x):
        return self.decode(self.encode(x))


model = Autoencoder()
optimizer = tf.keras.optimizers.Adam(2e-3)
clean = pictures(256)
noisy = (clean + rng.normal(scale=0.4, size=clean.shape)).astype(np.float32)


def train_step(noisy, clean):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.math.squared_difference(model(noisy), clean))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return loss


step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    chosen = rng.choice(len(clean), args.batch, replace=False)
    loss = step_function(tf.constant(noisy[chosen]), tf.constant(clean[chosen]))
    if step % every == 0:
        print(f"step {step} loss {float(loss):.6f}")

restored = tf.clip_by_value(model(tf.constant(noisy[:64])), 0.0, 1.0)
before, after = (float(tf.reduce_mean(tf.abs(x - clean[:64]))) for x in (noisy[:64], restored))
print(f"mean error of a pixel: {before:.4f} before, {after:.4f} after")
