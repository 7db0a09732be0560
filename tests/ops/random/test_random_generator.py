"""Generators, seeds of seeds, gamma, Poisson and categorical numbers: TensorFlow's own bits."""

import numpy as np
import pytest
from support import harness
from support.harness import raises

import tapejax


def drawn(tf, steps):
    """What a generator gives in these calls, and its state after each."""
    g = tf.random.Generator.from_seed(7)
    out = []
    for step in steps:
        out += [step(g), tf.identity(g.state)]
    return out


ROWS = [
    lambda tf: drawn(tf, [lambda g: g.normal([3]), lambda g: g.uniform([2, 2]), lambda g: g.truncated_normal([5])]),
    lambda tf: drawn(
        tf, [lambda g: g.normal([3], 1.0, 2.0, tf.float64), lambda g: g.uniform([3], -1.0, 1.0, tf.float64)]
    ),
    lambda tf: drawn(
        tf, [lambda g: g.uniform([3], maxval=10, dtype=tf.int32), lambda g: g.uniform([2], 5, 9, tf.int64)]
    ),
    lambda tf: drawn(tf, [lambda g: g.uniform_full_int([3]), lambda g: g.uniform_full_int([3], tf.int32)]),
    lambda tf: drawn(tf, [lambda g: g.uniform([3], None, None, tf.uint32), lambda g: g.make_seeds(3), lambda g: g.key]),
    lambda tf: drawn(tf, [lambda g: g.skip(5), lambda g: g.normal([])]),
    lambda tf: drawn(tf, [lambda g: [h.normal([2]) for h in g.split(2)], lambda g: g.normal([1])]),
    lambda tf: drawn(tf, [lambda g: g.reset_from_seed(3), lambda g: g.normal([1])]),
    lambda tf: drawn(tf, [lambda g: g.reset([1, 2, 3]), lambda g: g.normal([1])]),
    lambda tf: drawn(tf, [lambda g: g.reset_from_key_counter(1, [2, 3]), lambda g: g.normal([1])]),
    raises(ValueError, lambda tf: drawn(tf, [lambda g: g.uniform([3], 1, None, tf.int32)])),
    lambda tf: tf.random.Generator.from_state([1, 2, 3], "philox").normal([2]),
    lambda tf: tf.random.Generator.from_key_counter(5, [-1, 2], "philox").uniform([2]),
    lambda tf: tf.identity(tf.random.Generator(copy_from=tf.random.Generator.from_seed(3)).state),
    raises(ValueError, lambda tf: tf.random.Generator.from_seed(1, alg="x")),
    lambda tf: tf.random.Generator.from_seed(1).algorithm,
    lambda tf: tf.identity(tf.random.Generator.from_seed([1, 2]).state),
    lambda tf: tf.identity(tf.random.Generator.from_seed([1, 2, 3]).state),
    lambda tf: tf.identity(tf.random.Generator.from_seed(-1).state),
    lambda tf: tf.identity(tf.random.Generator.from_seed(2**70).state),
    lambda tf: tf.identity(tf.random.Generator.from_seed(tf.constant(4)).state),
    lambda tf: tf.random.create_rng_state(1, "philox"),
    lambda tf: tf.random.Algorithm.PHILOX.value,
    lambda tf: tf.random.split([1, 2], 3),
    lambda tf: tf.random.split(tf.constant([1, 2], tf.int64)),
    lambda tf: tf.random.experimental.stateless_split([1, 2]),
    lambda tf: tf.random.fold_in([1, 2], 5),
    lambda tf: tf.random.experimental.stateless_fold_in([1, 2], tf.constant(7, tf.int64)),
    lambda tf: tf.random.experimental.stateless_shuffle(tf.range(20), [1, 2]),
    lambda tf, x: tf.random.experimental.stateless_shuffle(x, [3, 4]),
    lambda tf: tf.random.stateless_categorical([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]], 6, [1, 2]),
    raises("InvalidArgumentError", lambda tf: tf.random.stateless_categorical([0.0, 1.0], 6, [1, 2])),
    lambda tf: tf.random.stateless_categorical([[0.0, 1.0]], 6, [1, 2], dtype=tf.int32),
    lambda tf: tf.random.stateless_gamma([50], [1, 2], 2.0),
    lambda tf: tf.random.stateless_gamma([50], [1, 2], 0.3),
    lambda tf: tf.random.stateless_gamma([20, 3], [1, 2], [0.5, 1.0, 9.0], 2.0),
    raises("InvalidArgumentError", lambda tf: tf.random.stateless_gamma([4, 2], [1, 2], [0.5, 4.0], [[2.0], [1.0]])),
    lambda tf: tf.random.stateless_gamma([4, 2, 2], [1, 2], [0.5, 4.0], [[2.0], [1.0]]),
    lambda tf: tf.random.stateless_gamma([20], [1, 2], 2.0, dtype=tf.float64),
    lambda tf: tf.random.stateless_poisson([50], [1, 2], 2.0),
    lambda tf: tf.random.stateless_poisson([50], [1, 2], 30.0, dtype=tf.float32),
    lambda tf: tf.random.stateless_poisson([20, 3], [1, 2], [0.1, 12.0, 9.0], dtype=tf.int64),
    raises(
        "InvalidArgumentError", lambda tf: tf.random.stateless_poisson([4, 2], [1, 2], [[3.0], [20.0], [5.0], [30.0]])
    ),
    raises("InvalidArgumentError", lambda tf: tf.random.stateless_gamma([4, 2], [1, 2], [3.0, 20.0, 5.0])),
    lambda tf: tf.random.set_seed(3) or [tf.random.gamma([4], [0.5, 3.0]), tf.random.gamma([2], 1.0, 2.0, seed=4)],
    lambda tf: tf.random.set_seed(3) or [tf.random.gamma([2], 3.0, seed=4), tf.random.gamma([2], 3.0, seed=4)],
    lambda tf: tf.random.set_seed(3) or [tf.random.poisson([4], [0.5, 30.0]), tf.random.normal([2])],
    lambda tf: tf.random.set_seed(3) or tf.random.poisson([4], 5.0, dtype=tf.int32, seed=1),
    lambda tf, g: g(lambda a, b: tf.random.stateless_gamma([4, 2], [1, 2], a, b), [0.5, 4.0], [2.0, 1.0]),
]

test_as_tensorflow = harness.test_of(ROWS, ["eager"])


def test_a_generator_in_a_loop_compiles_once():
    g = tapejax.random.Generator.from_seed(1)
    seen = []
    for i in range(6):
        seen.append(g.normal([4]).numpy())
        if i == 2:
            compiled = tapejax.explain().programs_compiled
    assert tapejax.explain().programs_compiled == compiled
    assert len(np.unique(np.stack(seen))) == 24


def test_a_generator_in_a_function(tf):
    def outcomes(tf):
        g = tf.random.Generator.from_seed(5)

        @tf.function
        def f():
            return g.normal([2]) + g.uniform([2])

        return [f().numpy(), f().numpy(), g.state.numpy()]

    for ours, theirs in zip(outcomes(tapejax), outcomes(tf), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_the_shared_generator():
    first = tapejax.random.get_global_generator()
    assert tapejax.random.get_global_generator() is first
    own = tapejax.random.Generator.from_seed(1)
    tapejax.random.set_global_generator(own)
    assert tapejax.random.experimental.get_global_generator() is own


def test_states_nobody_can_foretell_differ():
    states = [tapejax.random.Generator.from_non_deterministic_state().state.numpy().tolist() for _ in range(2)]
    assert states[0] != states[1]


def test_threefry_is_refused():
    with pytest.raises(ValueError, match="philox"):
        tapejax.random.Generator.from_seed(1, alg="threefry")
