"""How many programs each shape of loop compiles, in all and per turn: programs must line up with a loop's turns.

Each test runs a loop as users write it and counts, turn by turn, what was compiled. After the first few turns
nothing may compile any more, and the number of program runs in a turn must not grow.
"""

import numpy as np
import pytest

import tapejax as tf

TURNS = 12


class Turns:
    """Programs compiled in each turn of a loop, and flushes in the last one."""

    def __init__(self, step, n=TURNS):
        tf.sync()
        self.compiled, self.flushes = [], []
        for i in range(n):
            before = tf.explain()
            step(i)
            after = tf.explain()
            self.compiled.append(after.programs_compiled - before.programs_compiled)
            self.flushes.append(sum(after.flushes.values()) - sum(before.flushes.values()))
            assert after.op_by_op == before.op_by_op, f"turn {i} ran op by op"
        tf.sync()

    @property
    def total(self):
        return sum(self.compiled)

    def check(self, total, settled, flushes=None):
        """At most `total` programs are compiled, none after `settled` turns; the last turn runs so many."""
        assert self.total <= total and not any(self.compiled[settled:]), self
        assert flushes is None or self.flushes[-1] == flushes, self

    def __repr__(self):
        return f"compiled {self.compiled}, flushes {self.flushes}"


class Net:
    """Two dense layers on raw variables."""

    def __init__(self, inputs=4, hidden=8, outputs=2, seed=0):
        rng = np.random.default_rng(seed)
        self.w1 = tf.Variable(rng.normal(size=(inputs, hidden)).astype(np.float32))
        self.b1 = tf.Variable(np.zeros(hidden, np.float32))
        self.w2 = tf.Variable(rng.normal(size=(hidden, outputs)).astype(np.float32))
        self.b2 = tf.Variable(np.zeros(outputs, np.float32))
        self.variables = [self.w1, self.b1, self.w2, self.b2]

    def __call__(self, x):
        return tf.matmul(tf.nn.relu(tf.matmul(x, self.w1) + self.b1), self.w2) + self.b2

    def descend(self, x, y, rate):
        """One step of the plainest training loop; the loss before it."""
        with tf.GradientTape() as tape:
            loss = mse(self(x), y)
        sgd(tape.gradient(loss, self.variables), self.variables, rate)
        return loss


def sgd(grads, variables, rate):
    for g, v in zip(grads, variables, strict=True):
        v.assign_sub(rate * g)


def batch(i, n=4, size=16):
    rng = np.random.default_rng(i)
    return rng.normal(size=(size, n)).astype(np.float32)


def mse(y, z):
    return tf.reduce_mean(tf.square(y - z))


def test_plain_training_compiles_one_step():
    net, x, y = Net(), tf.constant(batch(0)), tf.constant(batch(1, 2))

    def step(i):
        net.descend(x, y, 0.1)

    Turns(step).check(2, 3, flushes=1)


@pytest.mark.parametrize("every", [1, 3])
def test_a_step_that_begins_without_variables_compiles_one_step(every):
    net, x, y = Net(), tf.constant(batch(0)), tf.constant(batch(1, 2))
    losses = []

    def step(i):
        with tf.GradientTape() as tape:
            loss = mse(net(tf.sin(x) ** 2), y)
        sgd(tape.gradient(loss, net.variables), net.variables, 0.1)
        losses[:] = [loss]
        if i % every == 0:
            float(loss)

    Turns(step).check(1, 1)


def test_a_batch_looked_up_before_the_tape_begins_the_turn():
    data, made, reason = tf.constant(batch(0, size=16)), [], "a host array entered"

    def step(i):
        if not made:
            made.append(tf.Variable(tf.random.normal([4, 2])))
        x = tf.gather(data, tf.constant(np.arange(8) + i % 2))
        with tf.GradientTape() as tape:
            loss = mse(tf.matmul(x, made[0]), tf.ones([8, 2]))
        sgd([tape.gradient(loss, made[0])], made, 0.1)

    before = tf.explain().flushes.get(reason, 0)
    # The initial weights, the first step without its look-up, and the step.
    Turns(step).check(3, 3)
    assert tf.explain().flushes[reason] - before == TURNS - 1


def test_plain_training_learns():
    net, x, y = Net(), tf.constant(batch(0)), tf.constant(batch(1, 2))
    losses = []
    for _ in range(20):
        loss = net.descend(x, y, 0.05)
        losses.append(float(loss))
    assert losses[-1] < 0.5 * losses[0] and np.all(np.diff(losses) < 0), losses


def test_batches_from_numpy_compile_one_step():
    net = Net()

    def step(i):
        x, y = tf.constant(batch(i)), tf.constant(batch(i + 100, 2))
        net.descend(x, y, 0.1)

    Turns(step).check(2, 3, flushes=1)


def test_decaying_learning_rate_and_step_counter_do_not_recompile():
    net, x, y = Net(), tf.constant(batch(0)), tf.constant(batch(1, 2))
    step_number = 0

    def step(i):
        nonlocal step_number
        step_number += 1
        rate = 0.1 * 0.9**i
        correction = 1.0 - 0.9**step_number
        with tf.GradientTape() as tape:
            loss = mse(net(x), y) * (step_number / 10) + step_number
        sgd(tape.gradient(loss, net.variables), net.variables, rate / correction)

    Turns(step).check(2, 3)


def test_reading_the_loss_each_step_compiles_one_step():
    net, x, y = Net(), tf.constant(batch(0)), tf.constant(batch(1, 2))

    def step(i):
        loss = net.descend(x, y, 0.1)
        assert float(loss) > 0

    Turns(step).check(2, 3, flushes=1)


def test_gan_with_two_tapes_in_one_step():
    generator, discriminator = Net(3, 8, 4, seed=1), Net(4, 8, 1, seed=2)

    def step(i):
        real, noise = tf.constant(batch(i)), tf.constant(batch(i + 50, 3))
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            fake = generator(noise)
            on_real, on_fake = discriminator(real), discriminator(fake)
            g_loss = tf.reduce_mean(tf.square(on_fake - 1.0))
            d_loss = tf.reduce_mean(tf.square(on_real - 1.0)) + tf.reduce_mean(tf.square(on_fake))
        g_grads = g_tape.gradient(g_loss, generator.variables)
        d_grads = d_tape.gradient(d_loss, discriminator.variables)
        sgd(g_grads, generator.variables, 0.01)
        sgd(d_grads, discriminator.variables, 0.01)

    Turns(step).check(2, 3, flushes=1)


def test_gan_with_two_tapes_one_after_the_other():
    generator, discriminator = Net(3, 8, 4, seed=1), Net(4, 8, 1, seed=2)

    def step(i):
        real, noise = tf.constant(batch(i)), tf.constant(batch(i + 50, 3))
        with tf.GradientTape() as tape:
            d_loss = tf.reduce_mean(tf.square(discriminator(real) - 1.0)) + tf.reduce_mean(
                tf.square(discriminator(generator(noise)))
            )
        sgd(tape.gradient(d_loss, discriminator.variables), discriminator.variables, 0.01)
        with tf.GradientTape() as tape:
            g_loss = tf.reduce_mean(tf.square(discriminator(generator(noise)) - 1.0))
        sgd(tape.gradient(g_loss, generator.variables), generator.variables, 0.01)

    turns = Turns(step)
    turns.check(4, 4)
    assert turns.flushes[-1] <= 2, turns


@pytest.mark.parametrize("n_critic", [3, 5])
def test_n_critic_steps_for_each_generator_step(n_critic):
    generator, critic = Net(3, 8, 4, seed=1), Net(4, 8, 1, seed=2)

    def step(i):
        for k in range(n_critic):
            real, noise = tf.constant(batch(10 * i + k)), tf.constant(batch(10 * i + k + 5, 3))
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(critic(generator(noise))) - tf.reduce_mean(critic(real))
            sgd(tape.gradient(loss, critic.variables), critic.variables, 0.01)
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(critic(generator(tf.constant(batch(i + 7, 3)))))
        sgd(tape.gradient(loss, generator.variables), generator.variables, 0.01)

    Turns(step, 8).check(6, 3, flushes=n_critic + 1)


def test_gradient_accumulation_over_four_batches():
    net = Net()

    def step(i):
        total = None
        for k in range(4):
            x, y = tf.constant(batch(4 * i + k)), tf.constant(batch(4 * i + k + 1, 2))
            with tf.GradientTape() as tape:
                loss = mse(net(x), y)
            grads = tape.gradient(loss, net.variables)
            total = grads if total is None else [a + g for a, g in zip(total, grads, strict=True)]
        sgd([g / 4.0 for g in total], net.variables, 0.1)

    turns = Turns(step)
    turns.check(6, 3)
    assert turns.flushes[-1] <= 5, turns


def test_gradient_accumulation_in_variables():
    net = Net()
    sums = [tf.Variable(np.zeros(v.shape.as_list(), np.float32), trainable=False) for v in net.variables]

    def step(i):
        for k in range(4):
            x, y = tf.constant(batch(4 * i + k)), tf.constant(batch(4 * i + k + 1, 2))
            with tf.GradientTape() as tape:
                loss = mse(net(x), y)
            for s, g in zip(sums, tape.gradient(loss, net.variables), strict=True):
                s.assign_add(g)
        for v, s in zip(net.variables, sums, strict=True):
            v.assign_sub(0.01 * s)
            s.assign(tf.zeros_like(s))

    turns = Turns(step)
    turns.check(6, 3)
    assert turns.flushes[-1] <= 5, turns


def test_metrics_updated_each_step_do_not_split_it():
    net, x, y = Net(), tf.constant(batch(0)), tf.constant(batch(1, 2))
    total, count = tf.Variable(0.0, trainable=False), tf.Variable(0.0, trainable=False)

    def step(i):
        loss = net.descend(x, y, 0.1)
        total.assign_add(loss)
        count.assign_add(1.0)
        mean = total / count  # read and dropped: no flush of its own
        del mean

    Turns(step).check(2, 3, flushes=1)
    assert float(count) == TURNS


def test_evaluation_without_variables_over_host_arrays():
    seen = []

    def step(i):
        x = tf.constant(batch(i))
        seen.append(tf.reduce_mean(tf.square(x)))

    Turns(step, 30).check(3, 4, flushes=1)
    np.testing.assert_allclose([float(s) for s in seen], [np.mean(batch(i) ** 2) for i in range(30)], rtol=1e-5)


def test_evaluation_of_a_model_outside_tapes():
    net, total = Net(), tf.Variable(0.0, trainable=False)

    def step(i):
        total.assign_add(mse(net(tf.constant(batch(i))), tf.constant(batch(i + 1, 2))))

    Turns(step, 20).check(3, 4, flushes=1)


def test_evaluation_of_a_model_on_tensors_that_are_there():
    net = Net()
    data = [tf.constant(batch(i)) for i in range(20)]
    outputs = []
    Turns(lambda i: outputs.append(net(data[i])), 20).check(3, 4, flushes=1)


def test_print_every_hundred_steps(capsys):
    net, x, y = Net(), tf.constant(batch(0)), tf.constant(batch(1, 2))

    def step(i):
        loss = net.descend(x, y, 0.01)
        if i % 100 == 0:
            print(f"step {i}: loss {loss:.4f}")

    turns = Turns(step, 301)
    turns.check(3, 4)
    assert max(turns.flushes[4:]) <= 2, turns
    assert capsys.readouterr().out.count("loss") == 4


def test_print_and_evaluate_every_hundred_steps():
    net, x, y = Net(), tf.constant(batch(0)), tf.constant(batch(1, 2))

    def step(i):
        net.descend(x, y, 0.01)
        if i % 100 == 99:
            float(mse(net(x), y))

    Turns(step, 400).check(6, 210)


def test_reinforcement_learning_with_a_numpy_environment():
    policy = Net(4, 8, 2)
    rng = np.random.default_rng(0)

    def episode(i):
        state, log = np.zeros(4, np.float32), []
        for _ in range(6):
            scores = policy(tf.constant(state[None])).numpy()[0]
            action = int(scores.argmax())
            log.append((state, action))
            state = (state + rng.normal(size=4) + action).astype(np.float32)
        states = np.stack([s for s, _ in log])
        actions = np.eye(2, dtype=np.float32)[[a for _, a in log]]
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(tf.reduce_sum(policy(tf.constant(states)) * tf.constant(actions), axis=1))
        sgd(tape.gradient(loss, policy.variables), policy.variables, 0.001)

    turns = Turns(episode, 10)
    turns.check(5, 4)
    assert turns.flushes[-1] <= 7, turns


def test_a_list_of_kept_losses():
    net, x, y = Net(), tf.constant(batch(0)), tf.constant(batch(1, 2))
    losses = []

    def step(i):
        loss = net.descend(x, y, 0.05)
        losses.append(loss)

    Turns(step, 50).check(2, 3, flushes=1)
    values = [float(v) for v in losses]
    assert np.all(np.diff(values) < 0), values


def test_one_epoch_after_another_ends_at_the_same_places():
    net, total = Net(), tf.Variable(0.0, trainable=False)

    def epoch(e):
        total.assign(0.0)
        for i in range(5):
            x, y = tf.constant(batch(i)), tf.constant(batch(i + 1, 2))
            loss = net.descend(x, y, 0.01)
            total.assign_add(loss)
        return float(total)

    Turns(epoch, 6).check(5, 3)


def test_shapes_that_never_repeat_end_up_op_by_op():
    v = tf.Variable(2.0)
    before = tf.explain()
    for n in range(1, 40):
        float(tf.reduce_sum(tf.constant(np.ones(n, np.float32)) * v))
    after = tf.explain()
    assert after.programs_compiled - before.programs_compiled < 10
    assert after.op_by_op - before.op_by_op > 25
