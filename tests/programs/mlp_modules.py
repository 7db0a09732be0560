# tolerance: 1e-4
# test: --steps 20 --width 16
"""A multilayer perceptron from nothing but tf.Module: own layers, own Adam; it learns to tell two spirals apart."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=1000)
parser.add_argument("--width", type=int, default=64)
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()


class Dense(tf.Module):
    """An affine map whose weights appear with the first input."""

    def __init__(self, units, activation=tf.identity, name=None):
        super().__init__(name=name)
        self.units = units
        self.activation = activation
        self.built = False

    def __call__(self, x):
        if not self.built:
            fan_in = x.shape[-1]
            limit = (6.0 / (fan_in + self.units)) ** 0.5
            self.w = tf.Variable(tf.random.uniform([fan_in, self.units], -limit, limit), name="w")
            self.b = tf.Variable(tf.zeros([self.units]), name="b")
            self.built = True
        return self.activation(tf.matmul(x, self.w) + self.b)


class MLP(tf.Module):
    def __init__(self, sizes, name=None):
        super().__init__(name=name)
        with self.name_scope:
            self.layers = [Dense(size, tf.nn.relu) for size in sizes[:-1]] + [Dense(sizes[-1])]

    @tf.Module.with_name_scope
    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Adam(tf.Module):
    """Adam as in the paper: running means of gradients and their squares, corrected for their start at zero."""

    def __init__(self, variables, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-7):
        super().__init__()
        self.learning_rate, self.beta1, self.beta2, self.epsilon = learning_rate, beta1, beta2, epsilon
        self.step = tf.Variable(0.0, trainable=False)
        self.means = [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]
        self.squares = [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]

    def apply(self, gradients, variables):
        self.step.assign_add(1.0)
        for g, v, mean, square in zip(gradients, variables, self.means, self.squares):
            mean.assign(self.beta1 * mean + (1 - self.beta1) * g)
            square.assign(self.beta2 * square + (1 - self.beta2) * g**2)
            unbiased_mean = mean / (1 - self.beta1**self.step)
            unbiased_square = square / (1 - self.beta2**self.step)
            v.assign_sub(self.learning_rate * unbiased_mean / (tf.sqrt(unbiased_square) + self.epsilon))


def spirals(count, rng):
    """Points of two spirals, wound into each other, and the number of the spiral of each."""
    arm = np.repeat([0, 1], count)
    distance = np.tile(np.linspace(0.1, 1, count), 2)
    angle = distance * 10 + arm * np.pi
    points = distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return (points + rng.normal(scale=0.02, size=points.shape)).astype(np.float32), arm.astype(np.int32)


tf.random.set_seed(3)
rng = np.random.default_rng(3)
points, arms = spirals(300, rng)
x, y = tf.constant(points), tf.constant(arms)

model = MLP([args.width, args.width, 2])
model(x)
optimizer = Adam(model.trainable_variables, learning_rate=0.01)
for variable in model.trainable_variables:
    print(variable.name, variable.shape)


def train_step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x)))
    optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    return loss


step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    loss = step_function(x, y)
    if step % every == 0:
        print(f"step {step} loss {float(loss):.6f}")

correct = tf.argmax(model(x), axis=-1, output_type=tf.int32) == y
print(f"accuracy {tf.reduce_mean(tf.cast(correct, tf.float32)).numpy():.3f}")
