# tolerance: 1e-4
# test: --steps 5 --width 8
"""A physics-informed network for Burgers' equation, u_t + u u_x = nu u_xx: an inner persistent tape, asked for
gradients within its own block, gives u_t and u_x, an outer one u_xx, and a third the gradient of the residual."""

import argparse
import math

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--width", type=int, default=20)
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

tf.random.set_seed(11)
rng = np.random.default_rng(11)
VISCOSITY = 0.01 / math.pi


def uniform_points(count):
    """Times from 0 to 1 and places from -1 to 1, as two columns."""
    return [tf.constant(rng.uniform(low, 1, (count, 1)), tf.float32) for low in (0, -1)]


def boundary(count):
    """Points at time 0, where u = -sin(pi x), and at the ends, where u = 0: t, x, u."""
    t, x = (p.numpy() for p in uniform_points(2 * count))
    t[:count], x[count:] = 0, np.sign(x[count:])
    u = np.where(t == 0, -np.sin(np.pi * x), 0)
    return [tf.constant(a, tf.float32) for a in (t, x, u)]


class Field(tf.Module):
    """u(t, x): a small tanh network."""

    def __init__(self, width, depth=4):
        super().__init__(name="field")
        sizes = [2, *[width] * depth, 1]
        self.layers = []
        for n, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:])):
            deviation = (2.0 / (fan_in + fan_out)) ** 0.5
            w = tf.Variable(tf.random.truncated_normal([fan_in, fan_out], stddev=deviation), name=f"w{n}")
            self.layers.append((w, tf.Variable(tf.zeros([1, fan_out]), name=f"b{n}")))

    def __call__(self, t, x):
        h = tf.concat([t, x], axis=1)
        for w, b in self.layers[:-1]:
            h = tf.tanh(tf.add(tf.matmul(h, w), b))
        w, b = self.layers[-1]
        return tf.matmul(h, w) + b


field = Field(args.width)
optimizer = tf.keras.optimizers.Adam(learning_rate=tf.keras.optimizers.schedules.ExponentialDecay(5e-3, 200, 0.9))


def residual(t, x):
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(t)
        tape.watch(x)
        u = field(t, x)
        # Inside the block: the tape notes how u_x came about, so that it has a gradient too.
        u_x = tape.gradient(u, x)
    u_t = tape.gradient(u, t)
    u_xx = tape.gradient(u_x, x)
    del tape
    return u_t + u * u_x - VISCOSITY * u_xx


def train_step(t, x, t_boundary, x_boundary, u_boundary):
    with tf.GradientTape() as tape:
        equation_loss = tf.reduce_mean(tf.square(residual(t, x)))
        boundary_loss = tf.reduce_mean(tf.square(field(t_boundary, x_boundary) - u_boundary))
        loss = equation_loss + boundary_loss
    gradients = tape.gradient(loss, field.trainable_variables)
    optimizer.apply_gradients(zip(gradients, field.trainable_variables))
    return loss, equation_loss, boundary_loss


inner, edge = uniform_points(1000), boundary(100)
step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    loss, equation_loss, boundary_loss = step_function(*inner, *edge)
    if step % every == 0:
        print(f"step {step} loss {loss.numpy():.6f} equation {equation_loss:.6f} boundary {boundary_loss:.6f}")

places = tf.reshape(tf.linspace(-1.0, 1.0, 9), [-1, 1])
for time in (0.0, 0.5, 1.0):
    print(f"u at time {time}:", np.round(field(tf.fill([9, 1], time), places).numpy().ravel(), 2))
