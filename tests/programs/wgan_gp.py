# tolerance: 1e-4
# test: --steps 5 --batch 32 --width 16
"""A Wasserstein GAN with gradient penalty on eight Gaussians in a ring: five turns of the critic for each of the
generator, and the norm of the critic's gradient, from an inner tape, in its loss."""

import argparse

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=300)
parser.add_argument("--batch", type=int, default=128)
parser.add_argument("--width", type=int, default=64)
parser.add_argument("--penalty", type=float, default=1.0)
parser.add_argument("--critic-turns", type=int, default=5)
parser.add_argument("--decorate", action="store_true", help="run the steps as tf.functions")
args = parser.parse_args()

rng = np.random.default_rng(7)
tf.random.set_seed(7)


def eight_gaussians(count):
    angle = rng.integers(0, 8, count) * np.pi / 4
    centres = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return tf.constant(centres + rng.normal(scale=0.1, size=(count, 2)), tf.float32)


def mlp(sizes, seed):
    """A Sequential of dense layers with softplus between: its second derivatives are smooth."""
    model = tf.keras.Sequential()
    for n, size in enumerate(sizes):
        activation = "softplus" if n < len(sizes) - 1 else None
        initializer = tf.keras.initializers.GlorotUniform(seed=seed + n)
        model.add(tf.keras.layers.Dense(size, activation=activation, kernel_initializer=initializer))
    return model


generator = mlp([args.width, args.width, 2], seed=10)
critic = mlp([args.width, args.width, 1], seed=20)
generator.build((None, 8))
critic.build((None, 2))
generator_optimizer = tf.keras.optimizers.Adam(1e-3, beta_1=0.5, beta_2=0.9)
critic_optimizer = tf.keras.optimizers.Adam(1e-3, beta_1=0.5, beta_2=0.9)


def gradient_penalty(real, fake, share):
    """Mean square of how far the slope of the critic between the samples is from 1."""
    between = share * real + (1 - share) * fake
    with tf.GradientTape() as tape:
        tape.watch(between)
        score = critic(between)
    slope = tf.norm(tape.gradient(score, between), axis=1)
    return tf.reduce_mean((slope - 1.0) ** 2)


def critic_step(real, noise, share):
    fake = generator(noise)
    with tf.GradientTape() as tape:
        distance = tf.reduce_mean(critic(real)) - tf.reduce_mean(critic(fake))
        loss = args.penalty * gradient_penalty(real, fake, share) - distance
    gradients = tape.gradient(loss, critic.trainable_variables)
    critic_optimizer.apply_gradients(zip(gradients, critic.trainable_variables))
    return loss


def generator_step(noise):
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(critic(generator(noise)))
    gradients = tape.gradient(loss, generator.trainable_variables)
    generator_optimizer.apply_gradients(zip(gradients, generator.trainable_variables))
    return loss


if args.decorate:
    critic_step, generator_step = tf.function(critic_step), tf.function(generator_step)

every = max(1, args.steps // 10)
for step in range(1, args.steps + 1):
    for _ in range(args.critic_turns):
        critic_loss = critic_step(
            eight_gaussians(args.batch), tf.random.normal([args.batch, 8]), tf.random.uniform([args.batch, 1])
        )
    generator_loss = generator_step(tf.random.normal([args.batch, 8]))
    if step % every == 0:
        print(f"step {step} loss {critic_loss.numpy():.5f} generator {generator_loss.numpy():.5f}")

samples = generator(tf.random.normal([500, 8]))
print("mean distance from the centre", np.round(np.linalg.norm(samples.numpy(), axis=1).mean(), 3))
