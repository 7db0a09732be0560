# tolerance: 1e-5
# test: --steps 20
"""Softmax regression on drawn digits: seven-segment shapes, moved about and covered with noise; Adam."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=600)
parser.add_argument("--batch", type=int, default=100)
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

# Which of the segments (top, upper left, upper right, middle, lower left, lower right, bottom) a digit lights.
SEGMENTS = ["1110111", "0010010", "1011101", "1011011", "0111010", "1101011", "1101111", "1010010", "1111111",
            "1111011"]
PLACES = [np.s_[0, 1:5], np.s_[1:4, 0], np.s_[1:4, 5], np.s_[4, 1:5], np.s_[5:8, 0], np.s_[5:8, 5], np.s_[8, 1:5]]


def draw_digits(count, rng):
    """Images of 14 x 14 pixels from 0 to 1, flattened, and the digits on them."""
    digits = rng.integers(0, 10, count)
    images = rng.normal(scale=0.3, size=(count, 14, 14))
    for image, digit in zip(images, digits):
        top, left = rng.integers(1, 4), rng.integers(3, 6)
        stroke = image[top:top + 9, left:left + 6]
        for lit, place in zip(SEGMENTS[digit], PLACES):
            if lit == "1":
                stroke[place] += 0.8
    return np.clip(images, 0, 1).reshape(count, -1).astype(np.float32), digits.astype(np.int64)


rng = np.random.default_rng(2)
train_images, train_digits = draw_digits(3000, rng)
test_images, test_digits = draw_digits(500, rng)

weights = tf.Variable(rng.normal(scale=0.01, size=(196, 10)).astype(np.float32), name="weights")
biases = tf.Variable(tf.zeros(10), name="biases")
optimizer = tf.keras.optimizers.Adam(learning_rate=0.01)


def logits_of(images):
    return images @ weights + biases


def train_step(images, digits):
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=digits, logits=logits_of(images))
        loss = tf.reduce_mean(losses)
    gradients = tape.gradient(loss, [weights, biases])
    optimizer.apply_gradients(zip(gradients, [weights, biases]))
    return loss


def accuracy(images, digits):
    predicted = tf.argmax(logits_of(images), axis=1)
    return float(tf.reduce_mean(tf.cast(tf.equal(predicted, digits), tf.float32)))


step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    chosen = rng.choice(len(train_images), args.batch, replace=False)
    loss = step_function(tf.constant(train_images[chosen]), tf.constant(train_digits[chosen]))
    if step % every == 0:
        print(f"step {step} loss {float(loss):.6f}")

print(f"accuracy: train {accuracy(train_images, train_digits):.3f}, test {accuracy(test_images, test_digits):.3f}")
confusion = tf.math.confusion_matrix(test_digits, tf.argmax(logits_of(test_images), 1), num_classes=10)
print(confusion.numpy())
