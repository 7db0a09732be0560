# tolerance: 2e-4
# test: --steps 10 --batch 32
"""A mixture density network: several answers to one question, where least squares would give their mean."""

import argparse

import numpy as np
import tensorflow as tf
from tensorflow import keras

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=800)
parser.add_argument("--batch", type=int, default=128)
parser.add_argument("--components", type=int, default=5)
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

keras.utils.set_random_seed(17)
rng = np.random.default_rng(17)
y_data = rng.uniform(-1, 1, size=(3000, 1))
x_data = (0.8 * y_data + 0.6 * np.sin(5 * y_data) + rng.normal(scale=0.05, size=y_data.shape)).astype(np.float32)
y_data = y_data.astype(np.float32)  # asked backwards: several y for one x


class MixtureDensity(keras.Model):
    def __init__(self, components):
        super().__init__()
        self.hidden = keras.layers.Dense(32, activation="tanh", kernel_initializer=keras.initializers.HeNormal(seed=1))
        self.heads = {}
        for seed, name in enumerate(("logits", "means", "spreads"), start=2):
            spread_out = keras.initializers.RandomNormal(mean=0.0, stddev=0.5, seed=seed)
            self.heads[name] = keras.layers.Dense(components, kernel_initializer=spread_out)

    def call(self, x):
        h = self.hidden(x)
        spreads = tf.nn.softplus(self.heads["spreads"](h)) + 1e-3
        return tf.nn.log_softmax(self.heads["logits"](h)), self.heads["means"](h), spreads


class NegativeLogLikelihood(keras.losses.Loss):
    """Takes the mixture's parameters side by side, since a Loss takes one tensor."""

    def call(self, y_true, y_pred):
        log_weights, means, spreads = tf.split(y_pred, 3, axis=-1)
        z = (y_true - means) / spreads
        log_densities = -0.5 * tf.square(z) - tf.math.log(spreads) - 0.5 * np.log(2 * np.pi)
        return -tf.reduce_logsumexp(log_weights + log_densities, axis=-1)


model = MixtureDensity(args.components)
loss_function = NegativeLogLikelihood()
optimizer = keras.optimizers.Nadam(learning_rate=1e-2)


def train_step(x, y):
    with tf.GradientTape() as tape:
        loss = loss_function(y, tf.concat(model(x), axis=-1))
    gradients = tape.gradient(loss, model.trainable_weights)
    optimizer.apply_gradients(zip(gradients, model.trainable_weights))
    return loss


model(x_data[:1])  # a tf.function may make variables in its first call only
step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    if step in (args.steps // 2, 3 * args.steps // 4):
        optimizer.learning_rate = float(optimizer.learning_rate) / 3
    chosen = rng.integers(0, len(x_data), args.batch)
    loss = step_function(tf.convert_to_tensor(x_data[chosen]), tf.convert_to_tensor(y_data[chosen]))
    if step % every == 0:
        print(f"step {step} loss {float(loss):.5f}")

question = tf.zeros([1, 1])
log_weights, means, spreads = (part[0] for part in model(question))
order = tf.argsort(log_weights, direction="DESCENDING")
for weight, mean, spread in zip(*(tf.gather(p, order).numpy() for p in (tf.exp(log_weights), means, spreads))):
    print(f"weight {weight:.3f} mean {mean:.3f} spread {spread:.3f}")

# Answers drawn from the mixture, with random numbers that depend on the seed alone.
component = tf.random.stateless_categorical(log_weights[None], 500, seed=[1, 7])[0]
noise = tf.random.stateless_normal([500], seed=[2, 7])
answers = tf.gather(means, component) + tf.gather(spreads, component) * noise
counts = tf.histogram_fixed_width(answers, [-1.5, 1.5], nbins=6)
print("answers drawn:", counts.numpy().tolist())
