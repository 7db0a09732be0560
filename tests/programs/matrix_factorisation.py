# tolerance: 1e-4
# test: --steps 12 --batch 64
"""Matrix factorisation of made-up ratings: embeddings with biases, whose gradients are IndexedSlices."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=1000)
parser.add_argument("--batch", type=int, default=256)
parser.add_argument("--rank", type=int, default=8)
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

USERS, ITEMS = 300, 120
rng = np.random.default_rng(11)
tastes, traits = rng.normal(size=(USERS, 3)), rng.normal(size=(ITEMS, 3))
quality = rng.normal(scale=0.5, size=ITEMS)
users, items = rng.integers(0, USERS, 8000), rng.integers(0, ITEMS, 8000)
noise = rng.normal(scale=0.2, size=len(users))
stars = np.clip(np.rint(3 + 0.6 * (tastes[users] * traits[items]).sum(1) + quality[items] + noise), 1, 5)
stars = stars.astype(np.float32)
split = len(users) * 9 // 10


def table(rows, columns, name):
    return tf.Variable(rng.normal(scale=0.1, size=(rows, columns)).astype(np.float32), name=name)


class Factorisation(tf.Module):
    """rating = mean + user's bias + item's bias + user's taste . item's traits"""

    def __init__(self, rank, mean):
        super().__init__()
        self.mean = tf.Variable(mean, trainable=False, dtype=tf.float32)
        self.taste, self.traits = table(USERS, rank, "taste"), table(ITEMS, rank, "traits")
        self.user_bias = tf.Variable(tf.zeros([USERS]), name="user_bias")
        self.item_bias = tf.Variable(tf.zeros([ITEMS]), name="item_bias")

    def __call__(self, users, items):
        taste = tf.nn.embedding_lookup(self.taste, users)
        traits = tf.gather(self.traits, items)
        biases = tf.gather(self.user_bias, users) + tf.gather(self.item_bias, items)
        penalty = tf.reduce_mean(tf.reduce_sum(taste**2, axis=1) + tf.reduce_sum(traits**2, axis=1))
        return self.mean + biases + tf.einsum("br,br->b", taste, traits), penalty


model = Factorisation(args.rank, stars[:split].mean())
optimizer = tf.keras.optimizers.Adagrad(learning_rate=0.1)


def train_step(users, items, stars):
    with tf.GradientTape() as tape:
        predicted, penalty = model(users, items)
        error = tf.reduce_mean(tf.square(predicted - stars))
        loss = error + 0.01 * penalty
    gradients = tape.gradient(loss, model.trainable_variables)
    for gradient in gradients:
        assert isinstance(gradient, tf.IndexedSlices)
    # Few rows of a table are touched by a batch; clipping leaves the slices slices.
    gradients, norm = tf.clip_by_global_norm(gradients, 1.0)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return loss, norm


step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    chosen = rng.integers(0, split, args.batch)
    batch = tf.constant(users[chosen]), tf.constant(items[chosen]), tf.constant(stars[chosen])
    loss, norm = step_function(*batch)
    if step % every == 0:
        print(f"step {step} loss {loss:.5f} gradient norm {norm:.5f}")

predicted, _ = model(tf.constant(users[split:]), tf.constant(items[split:]))
error = tf.sqrt(tf.reduce_mean((tf.clip_by_value(predicted, 1.0, 5.0) - stars[split:]) ** 2))
print(f"error on unseen ratings {error:.4f}, of the mean alone {stars[split:].std():.4f}")

traits = tf.math.l2_normalize(model.traits, axis=1)
likeness = tf.linalg.matmul(traits[:1], traits, transpose_b=True)[0]
print("items like item 0:", tf.math.top_k(likeness, k=4).indices.numpy().tolist())
