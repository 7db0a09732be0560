# tolerance: 3e-4
# test: --steps 6 --horizon 12
"""REINFORCE with a learned baseline: a policy balances a pole; the environment is NumPy, the actions are sampled."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=120, help="updates, each after one episode")
parser.add_argument("--horizon", type=int, default=100, help="longest episode")
parser.add_argument("--decorate", action="store_true", help="run policy and update as tf.functions")
args = parser.parse_args()

rng = np.random.default_rng(19)
DISCOUNT = 0.98


class Pole:
    """A pole on a cart, pushed left or right fifty times a second; it ends when the pole leans too far."""

    def reset(self):
        self.state = rng.uniform(-0.05, 0.05, 4)
        return self.state

    def step(self, action):
        x, speed, angle, spin = self.state
        push = 10.0 if action == 1 else -10.0
        shared = (push + 0.05 * spin**2 * np.sin(angle)) / 1.1
        spin_up = (9.8 * np.sin(angle) - np.cos(angle) * shared) / (0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1))
        speed_up = shared - 0.05 * spin_up * np.cos(angle) / 1.1
        self.state = self.state + 0.02 * np.array([speed, speed_up, spin, spin_up])
        return self.state, 1.0, abs(self.state[0]) > 2.4 or abs(self.state[2]) > 0.21


def dense(rows, columns, scale):
    return tf.Variable(rng.normal(scale=scale, size=(rows, columns)), dtype=tf.float32)


class ActorCritic(tf.Module):
    def __init__(self, hidden):
        super().__init__()
        self.w, self.b = dense(4, hidden, 0.7), tf.Variable(tf.zeros([hidden]))
        self.actor, self.critic = dense(hidden, 2, 0.1), dense(hidden, 1, 0.1)

    def __call__(self, states):
        h = tf.nn.tanh(states @ self.w + self.b)
        return h @ self.actor, tf.squeeze(h @ self.critic, axis=1)


model = ActorCritic(32)
optimizer = tf.keras.optimizers.SGD(learning_rate=0.02, momentum=0.9, nesterov=True)


def policy(state):
    logits, _ = model(state[tf.newaxis])
    return tf.nn.softmax(logits)[0]


def discounted(rewards):
    """Each move's return: a sum from the end, as a scan."""
    backwards = tf.reverse(rewards, axis=[0])
    sums = tf.scan(lambda total, reward: reward + DISCOUNT * total, backwards, initializer=tf.constant(0.0))
    return tf.reverse(sums, axis=[0])


def update(states, actions, rewards, real):
    """One gradient step; rows where `real` is 0 only fill the arrays up to the horizon."""
    returns = discounted(rewards)
    count = tf.reduce_sum(real)
    with tf.GradientTape() as tape:
        logits, values = model(states)
        advantage = tf.stop_gradient(returns - values)
        unlikeliness = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=actions, logits=logits)
        probabilities = tf.nn.softmax(logits)
        entropy = -tf.reduce_sum(probabilities * tf.nn.log_softmax(logits), axis=1)
        critic = 0.5 * tf.math.squared_difference(returns, values)
        loss = tf.reduce_sum(real * (advantage * unlikeliness + 0.05 * critic - 0.01 * entropy)) / count
    variables = model.trainable_variables
    gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), 1.0)
    optimizer.apply_gradients(zip(gradients, variables))
    return loss


if args.decorate:
    policy, update = tf.function(policy), tf.function(update)

pole, lengths = Pole(), []
every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    states = np.zeros((args.horizon, 4), np.float32)
    actions, rewards, real = np.zeros(args.horizon, np.int32), *np.zeros((2, args.horizon), np.float32)
    state, over, t = pole.reset(), False, 0
    while not over and t < args.horizon:
        states[t], real[t] = state, 1
        probabilities = policy(tf.constant(state, tf.float32)).numpy()
        actions[t] = rng.random() > probabilities[0]
        state, rewards[t], over = pole.step(actions[t])
        t += 1
    lengths.append(t)
    loss = update(*map(tf.constant, (states, actions, rewards, real)))
    if step % every == 0:
        print(f"step {step} loss {float(loss):.5f} length {np.mean(lengths[-every:]):.1f}")
print(f"mean length at first {np.mean(lengths[:20]):.1f}, at last {np.mean(lengths[-20:]):.1f}")
