# tolerance: 3e-4
# test: --steps 6 --batch 8 --units 24 --length 8
"""A recurrent network over characters: an own GRU in a Python loop, or in a tf.function over a TensorArray."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=300)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--units", type=int, default=96)
parser.add_argument("--length", type=int, default=24, help="characters that gradients pass back through")
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function with a loop inside")
args = parser.parse_args()

TEXT = " ".join(
    f"{n} times {m} is {n * m}, and {m} more is {n * m + m}." for n in range(2, 12) for m in range(2, 12)
)
alphabet = sorted(set(TEXT))
codes = np.array([alphabet.index(character) for character in TEXT], np.int32)
rng = np.random.default_rng(13)


def matrix(fan_in, fan_out):
    return tf.Variable(rng.normal(scale=fan_in**-0.5, size=(fan_in, fan_out)).astype(np.float32))


class GRU(tf.Module):
    def __init__(self, inputs, units):
        super().__init__()
        self.units = units
        self.gates, self.gates_bias = matrix(inputs + units, 2 * units), tf.Variable(tf.ones([2 * units]))
        self.candidate, self.candidate_bias = matrix(inputs + units, units), tf.Variable(tf.zeros([units]))

    def __call__(self, x, state):
        both = tf.sigmoid(tf.concat([x, state], axis=1) @ self.gates + self.gates_bias)
        reset, update = tf.split(both, 2, axis=1)
        candidate = tf.tanh(tf.concat([x, reset * state], axis=1) @ self.candidate + self.candidate_bias)
        return update * state + (1.0 - update) * candidate


class CharacterModel(tf.Module):
    def __init__(self, units):
        super().__init__()
        self.cell = GRU(len(alphabet), units)
        self.w, self.b = matrix(units, len(alphabet)), tf.Variable(tf.zeros([len(alphabet)]))

    def __call__(self, characters, state):
        """Logits of the next character at [time, batch], and the last state."""
        x = tf.transpose(tf.one_hot(characters, len(alphabet)), [1, 0, 2])
        if tf.inside_function():
            length = tf.shape(x)[0]
            states = tf.TensorArray(tf.float32, size=length, element_shape=state.shape)
            for t in tf.range(length):
                state = self.cell(x[t], state)
                states = states.write(t, state)
            states = states.stack()
        else:
            states = []
            for frame in tf.unstack(x):
                state = self.cell(frame, state)
                states.append(state)
            states = tf.stack(states)
        return tf.tensordot(states, self.w, axes=1) + self.b, state


model = CharacterModel(args.units)
optimizer = tf.keras.optimizers.RMSprop(learning_rate=2e-3)


def train_step(characters, state):
    with tf.GradientTape() as tape:
        logits, state = model(characters[:, :-1], state)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.transpose(characters[:, 1:]), logits)
        loss = tf.reduce_mean(losses)
    gradients = [tf.clip_by_value(g, -0.5, 0.5) for g in tape.gradient(loss, model.trainable_variables)]
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return loss, state


step_function = tf.function(train_step) if args.decorate else train_step
state = tf.zeros([args.batch, args.units])
places = rng.integers(0, len(codes), args.batch)
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    window = codes[(places[:, None] + np.arange(args.length + 1)) % len(codes)]
    places += args.length
    loss, state = step_function(tf.constant(window), state)  # the state goes on: truncated back-propagation
    if step % every == 0:
        print(f"step {step} loss {loss:.5f}")

state, written = tf.zeros([1, args.units]), "3"
for _ in range(40):
    logits, state = model(tf.constant([[alphabet.index(written[-1])]]), state)
    written += alphabet[int(tf.argmax(logits[0, 0]))]
print(written)
