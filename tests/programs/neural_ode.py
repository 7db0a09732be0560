# tolerance: 1e-4
# test: --steps 5 --times 8
"""A neural ordinary differential equation, integrated by Runge-Kutta in a loop over a tensor, learns a spiral."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--times", type=int, default=20, help="points in time of a trajectory")
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

rng = np.random.default_rng(10)
TIME_STEP = 0.1


def true_trajectories(count):
    """Spirals of dy/dt = A y**3 from random starts: [times, count, 2]."""
    matrix = np.array([[-0.1, 2.0], [-2.0, -0.1]])
    y = rng.uniform(0.5, 1.5, (count, 2)) * rng.choice([-1, 1], (count, 2))
    found = [y]
    for _ in range(args.times):
        for _ in range(20):
            y = y + TIME_STEP / 20 * y**3 @ matrix
        found.append(y)
    return np.stack(found).astype(np.float32)


class Dynamics(tf.Module):
    """dy/dt as a network of y."""

    def __init__(self, width=32):
        super().__init__()
        self.w1 = tf.Variable(rng.normal(scale=0.5, size=(2, width)), dtype=tf.float32)
        self.b1 = tf.Variable(tf.zeros([width]))
        self.w2 = tf.Variable(rng.normal(scale=width**-0.5, size=(width, 2)), dtype=tf.float32)
        self.b2 = tf.Variable(tf.zeros([2]))

    def __call__(self, t, y):
        return tf.tanh(y**3 @ self.w1 + self.b1) @ self.w2 + self.b2


def runge_kutta_4(f, t, y, dt):
    k1 = f(t, y)
    k2 = f(t + dt / 2, y + dt / 2 * k1)
    k3 = f(t + dt / 2, y + dt / 2 * k2)
    k4 = f(t + dt, y + dt * k3)
    return y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def odeint(f, y0, dt, count):
    """The solution at `count` further points in time: [count, batch, 2]."""
    states = tf.TensorArray(tf.float32, size=count)
    y, t = y0, tf.constant(0.0)
    for i in tf.range(count):
        y = runge_kutta_4(f, t, y, dt)
        t += dt
        states = states.write(i, y)
    return states.stack()


dynamics = Dynamics()
optimizer = tf.keras.optimizers.Adam(0.01)
trajectories = tf.constant(true_trajectories(64))


def train_step(trajectories):
    with tf.GradientTape() as tape:
        predicted = odeint(dynamics, trajectories[0], TIME_STEP, args.times)
        loss = tf.reduce_mean(tf.abs(predicted - trajectories[1:]))
    gradients = tape.gradient(loss, dynamics.trainable_variables)
    optimizer.apply_gradients(zip(gradients, dynamics.trainable_variables))
    return loss


step_function = tf.function(train_step) if args.decorate else train_step
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    loss = step_function(trajectories)
    if step % every == 0:
        print(f"step {step} loss {loss.numpy():.6f}")

fresh = tf.constant(true_trajectories(8))
error = tf.reduce_mean(tf.abs(odeint(dynamics, fresh[0], TIME_STEP, args.times) - fresh[1:]), axis=[1, 2])
print("error of new trajectories over time:", np.round(error.numpy()[:: max(1, args.times // 5)], 3))
