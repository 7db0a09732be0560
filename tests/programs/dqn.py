# tolerance: 3e-4
# test: --steps 40 --batch 16
"""Deep Q-learning with replay and a target network on a small grid with a pit, written in NumPy."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=2000)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--before", type=int, default=100, help="random moves before learning begins")
parser.add_argument("--decorate", action="store_true", help="run the step as a tf.function")
args = parser.parse_args()

rng = np.random.default_rng(18)
SIZE, ACTIONS, DISCOUNT = 5, 4, 0.95
GOAL, PIT = (4, 4), (2, 2)
MOVES = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])


class Grid:
    """An observation is the place as two one-hot vectors; an episode ends at the goal, in the pit or after 30 moves."""

    def reset(self):
        self.place, self.moves = np.zeros(2, int), 0
        return self.observe()

    def observe(self):
        return np.concatenate([np.eye(SIZE)[i] for i in self.place]).astype(np.float32)

    def step(self, action):
        self.place = np.clip(self.place + MOVES[action], 0, SIZE - 1)
        self.moves += 1
        reward = {GOAL: 1.0, PIT: -1.0}.get(tuple(self.place), -0.02)
        done = abs(reward) == 1
        return self.observe(), reward, done, done or self.moves >= 30


class Replay:
    """The last moves, in arrays that are overwritten in a ring."""

    def __init__(self, capacity):
        self.capacity, self.count = capacity, 0
        self.states = np.zeros((2, capacity, 2 * SIZE), np.float32)
        self.actions = np.zeros(capacity, np.int32)
        self.rewards, self.done = np.zeros((2, capacity), np.float32)

    def add(self, state, action, reward, following, done):
        i = self.count % self.capacity
        self.states[:, i] = state, following
        self.actions[i], self.rewards[i], self.done[i] = action, reward, done
        self.count += 1

    def sample(self, size):
        chosen = rng.integers(0, min(self.count, self.capacity), size)
        arrays = (self.states[0], self.actions, self.rewards, self.states[1], self.done)
        return [tf.constant(array[chosen]) for array in arrays]


def q_network():
    initializer = tf.keras.initializers.GlorotUniform(seed=5)
    return tf.keras.Sequential([
        tf.keras.Input((2 * SIZE,)),
        tf.keras.layers.Dense(48, activation="relu", kernel_initializer=initializer),
        tf.keras.layers.Dense(ACTIONS, kernel_initializer=tf.keras.initializers.GlorotUniform(seed=6)),
    ])


online, target = q_network(), q_network()
target.set_weights(online.get_weights())
optimizer = tf.keras.optimizers.Adam(learning_rate=3e-3)


def huber(errors):
    size = tf.abs(errors)
    return tf.reduce_mean(tf.where(size <= 1.0, 0.5 * errors**2, size - 0.5))


def train_step(states, actions, rewards, following, done):
    # Double Q-learning: the online network picks the next action, the target network values it.
    best = tf.argmax(online(following), axis=1)
    future = tf.gather(target(following), best, axis=1, batch_dims=1)
    wanted = rewards + DISCOUNT * (1.0 - done) * future
    with tf.GradientTape() as tape:
        chosen = tf.reduce_sum(online(states) * tf.one_hot(actions, ACTIONS), axis=1)
        loss = huber(wanted - chosen)
    gradients = tape.gradient(loss, online.trainable_variables)
    gradients, _ = tf.clip_by_global_norm(gradients, 10.0)
    optimizer.apply_gradients(zip(gradients, online.trainable_variables))
    for slow, fast in zip(target.variables, online.variables):
        slow.assign(0.98 * slow + 0.02 * fast)
    return loss


def greedy(state):
    return int(tf.argmax(online(state[None]), axis=1)[0])


step_function = tf.function(train_step) if args.decorate else train_step
grid, replay = Grid(), Replay(1000)
state, returns, total, losses = grid.reset(), [], 0.0, []
every = max(1, args.steps // 10)
for step in range(1 - args.before, args.steps + 1):
    epsilon = 1.0 if step < 1 else max(0.05, 1 - 2 * step / args.steps)
    action = int(rng.integers(ACTIONS)) if rng.random() < epsilon else greedy(state)
    following, reward, done, over = grid.step(action)
    replay.add(state, action, reward, following, done)
    state, total = following, total + reward
    if over:
        returns.append(total)
        state, total = grid.reset(), 0.0
    if step > 0:
        losses.append(step_function(*replay.sample(args.batch)))  # kept as tensors: read only now and then
    if step > 0 and step % every == 0:
        print(f"step {step} loss {np.mean(losses):.6f} mean return {np.mean(returns[-20:]):.4f}")
        losses.clear()

places = np.stack([np.concatenate([np.eye(SIZE)[r], np.eye(SIZE)[c]]) for r in range(SIZE) for c in range(SIZE)])
actions = tf.reshape(tf.argmax(online(tf.constant(places, tf.float32)), axis=1), [SIZE, SIZE])
print("\n".join(" ".join("^v<>"[a] for a in row) for row in actions.numpy()))
