# tolerance: 3e-4
# test: --steps 6 --batch 8 --units 16 --digits 4
"""Sequence to sequence with Bahdanau's attention: the decoder looks back at the written number and sorts its digits."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--units", type=int, default=48)
parser.add_argument("--digits", type=int, default=8, help="longest number")
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

PAD, START, END, SYMBOLS = 0, 11, 12, 13  # 1 to 10 are the digits
rng = np.random.default_rng(21)


def batch(count):
    """Numbers of several lengths, padded, and their digits in order between START and END."""
    source = np.full((count, args.digits), PAD, np.int32)
    goal = np.full((count, args.digits + 2), PAD, np.int32)
    for line, out in zip(source, goal):
        length = rng.integers(2, args.digits + 1)
        line[:length] = rng.integers(1, 11, length)
        out[: length + 2] = [START, *sorted(line[:length]), END]
    return tf.constant(source), tf.constant(goal)


def dense(units, seed, **kwargs):
    return tf.keras.layers.Dense(units, kernel_initializer=tf.keras.initializers.GlorotUniform(seed=seed), **kwargs)


class LSTMCell(tf.keras.layers.Layer):
    def __init__(self, units, seed):
        super().__init__()
        self.units = units
        self.gates = dense(4 * units, seed)

    def call(self, x, state):
        hidden, memory = state
        take, keep, give, new = tf.split(self.gates(tf.concat([x, hidden], axis=-1)), 4, axis=-1)
        memory = tf.sigmoid(keep + 1.0) * memory + tf.sigmoid(take) * tf.tanh(new)
        return tf.sigmoid(give) * tf.tanh(memory), memory

    def initial_state(self, count):
        return tf.zeros([count, self.units]), tf.zeros([count, self.units])


class Attention(tf.keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.query, self.keys, self.score = dense(units, 1, use_bias=False), dense(units, 2), dense(1, 3)

    def call(self, query, memory, mask):
        energy = self.score(tf.tanh(self.query(query)[:, tf.newaxis] + self.keys(memory)))[..., 0]
        weights = tf.nn.softmax(tf.where(mask, energy, tf.fill(tf.shape(energy), -1e9)))
        return tf.linalg.matvec(memory, weights, transpose_a=True), weights


class Translator(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        table = tf.keras.initializers.RandomUniform(-0.3, 0.3, seed=4)
        self.embedding = tf.keras.layers.Embedding(SYMBOLS, units, embeddings_initializer=table)
        self.reader, self.writer = LSTMCell(units, seed=5), LSTMCell(units, seed=6)
        self.attention = Attention(units)
        self.logits = dense(SYMBOLS, 7)

    def read(self, source):
        state, outputs = self.reader.initial_state(tf.shape(source)[0]), []
        mask = tf.not_equal(source, PAD)
        for x, real in zip(tf.unstack(self.embedding(source), axis=1), tf.unstack(mask, axis=1)):
            after = self.reader(x, state)
            state = tuple(tf.where(real[:, None], new, old) for new, old in zip(after, state))
            outputs.append(state[0])
        return tf.stack(outputs, axis=1), mask, state

    def write(self, symbol, state, memory, mask):
        context, weights = self.attention(state[0], memory, mask)
        state = self.writer(tf.concat([self.embedding(symbol), context], axis=-1), state)
        return self.logits(tf.concat([state[0], context], axis=-1)), state, weights

    def call(self, source, goal):
        """Logits of each next symbol, the right symbols before it being given."""
        memory, mask, state = self.read(source)
        logits = []
        for symbol in tf.unstack(goal[:, :-1], axis=1):
            out, state, _ = self.write(symbol, state, memory, mask)
            logits.append(out)
        return tf.stack(logits, axis=1)


model = Translator(args.units)
cross_entropy = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
optimizer = tf.keras.optimizers.Adam(3e-3)


def train_step(source, goal):
    with tf.GradientTape() as tape:
        losses = cross_entropy(goal[:, 1:], model(source, goal))
        real = tf.cast(goal[:, 1:] != PAD, losses.dtype)
        loss = tf.math.divide_no_nan(tf.reduce_sum(losses * real), tf.reduce_sum(real))
    gradients = tape.gradient(loss, model.trainable_variables)
    clipped, norm = tf.clip_by_global_norm(gradients, 1.0)
    optimizer.apply_gradients(zip(clipped, model.trainable_variables))
    return loss, norm


model(*batch(2))
step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    loss, norm = step_function(*batch(args.batch))
    if step % every == 0:
        print(f"step {step} loss {loss:.5f} gradient norm {norm:.4f}")

source, goal = batch(100)
memory, mask, state = model.read(source)
symbol, written = goal[:, 0], []
for _ in range(goal.shape[1] - 1):
    logits, state, weights = model.write(symbol, state, memory, mask)
    symbol = tf.argmax(logits, axis=-1, output_type=tf.int32)
    written.append(symbol)
right = tf.reduce_all((tf.stack(written, axis=1) == goal[:, 1:]) | (goal[:, 1:] == PAD), axis=1)
print(f"numbers sorted without a mistake: {tf.math.count_nonzero(right).numpy()} of 100")
