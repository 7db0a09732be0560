# tolerance: 3e-4
# test: --steps 6 --batch 8 --width 32 --length 12
"""A decoder-only transformer from own Keras layers; it learns to continue strings of nested brackets and digits."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=300)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--width", type=int, default=64)
parser.add_argument("--layers", type=int, default=2)
parser.add_argument("--length", type=int, default=32)
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

SYMBOLS, HEADS = "([{)]}0123456789", 4
rng = np.random.default_rng(12)
tf.random.set_seed(12)


def weights(seed):
    return tf.keras.initializers.TruncatedNormal(stddev=0.05, seed=seed)


def text():
    """Brackets that close in order; a digit says how many are open (mod 10)."""
    out, open_ = [], []
    while len(out) <= args.length:
        if open_ and rng.random() < 0.2 + 0.1 * len(open_):
            out.append(open_.pop() + 3)
        else:
            open_.append(int(rng.integers(3)))
            out.append(open_[-1])
        if rng.random() < 0.4:
            out.append(6 + len(open_) % 10)
    return out[: args.length + 1]


class LayerNorm(tf.keras.layers.Layer):
    def build(self, input_shape):
        self.scale = self.add_weight(shape=input_shape[-1:], initializer="ones", name="scale")
        self.offset = self.add_weight(shape=input_shape[-1:], initializer="zeros", name="offset")

    def call(self, x):
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, self.offset, self.scale, 1e-5)


class CausalAttention(tf.keras.layers.Layer):
    def __init__(self, width, heads, seed):
        super().__init__()
        self.width, self.heads = width, heads
        self.qkv = tf.keras.layers.Dense(3 * width, use_bias=False, kernel_initializer=weights(seed))
        self.out = tf.keras.layers.Dense(width, kernel_initializer=weights(seed + 1))

    def call(self, x):
        batch, length = tf.shape(x)[0], tf.shape(x)[1]
        size = self.width // self.heads
        qkv = tf.reshape(self.qkv(x), [batch, length, 3, self.heads, size])
        q, k, v = tf.unstack(tf.transpose(qkv, [2, 0, 3, 1, 4]))
        scores = tf.matmul(q, k, transpose_b=True) / tf.math.sqrt(tf.cast(size, x.dtype))
        visible = tf.linalg.band_part(tf.ones([length, length], tf.bool), -1, 0)
        probabilities = tf.nn.softmax(tf.where(visible, scores, -1e9), axis=-1)
        mixed = tf.transpose(tf.matmul(probabilities, v), [0, 2, 1, 3])
        return self.out(tf.reshape(mixed, [batch, length, self.width]))


class Block(tf.keras.layers.Layer):
    def __init__(self, width, heads, seed):
        super().__init__()
        self.norms = [LayerNorm(), LayerNorm()]
        self.attention = CausalAttention(width, heads, seed)
        self.widen = tf.keras.layers.Dense(4 * width, activation=tf.nn.gelu, kernel_initializer=weights(seed + 2))
        self.narrow = tf.keras.layers.Dense(width, kernel_initializer=weights(seed + 3))

    def call(self, x, training=False):
        x += self.attention(self.norms[0](x))
        hidden = self.narrow(self.widen(self.norms[1](x)))
        return x + (tf.nn.dropout(hidden, rate=0.1) if training else hidden)


class Transformer(tf.keras.Model):
    def __init__(self, width, layers):
        super().__init__()
        self.tokens = tf.keras.layers.Embedding(len(SYMBOLS), width, embeddings_initializer=weights(1))
        self.positions = tf.keras.layers.Embedding(args.length, width, embeddings_initializer=weights(2))
        self.blocks = [Block(width, HEADS, seed=10 * (i + 1)) for i in range(layers)]
        self.norm = LayerNorm()

    def call(self, tokens, training=False):
        x = self.tokens(tokens) + self.positions(tf.range(tf.shape(tokens)[1]))
        for block in self.blocks:
            x = block(x, training=training)
        return tf.matmul(self.norm(x), self.tokens.embeddings, transpose_b=True)  # the table serves twice


model = Transformer(args.width, args.layers)
cross_entropy = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model(tf.zeros([1, args.length], tf.int32))
optimizer = tf.keras.optimizers.AdamW(learning_rate=1e-3, weight_decay=0.01, clipnorm=1.0)


def train_step(tokens):
    with tf.GradientTape() as tape:
        loss = cross_entropy(tokens[:, 1:], model(tokens[:, :-1], training=True))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return loss


step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    warm = min(1.0, step / 20)
    optimizer.learning_rate.assign(1e-3 * warm)
    loss = step_function(tf.constant([text() for _ in range(args.batch)]))
    if step % every == 0:
        print(f"step {step} loss {loss:.5f}")

prompt = tf.constant([text()[: args.length * 3 // 4]])
while prompt.shape[1] < args.length:
    best = tf.argmax(model(prompt)[:, -1], axis=-1, output_type=tf.int32)
    prompt = tf.concat([prompt, best[:, None]], axis=1)
print("".join(SYMBOLS[i] for i in prompt[0].numpy()))
