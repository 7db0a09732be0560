"""Generators, seeds of seeds, gamma, Poisson and categorical numbers: TensorFlow's own bits."""

import numpy as np
import pytest
from support import expressions

import tapejax


def drawn(tf, steps):
    """What a generator gives in these calls, and its state after each."""
    g = tf.random.Generator.from_seed(7)
    out = []
    for step in steps:
        out += [step(g), tf.identity(g.state)]
    return out


ROWS = [
    "drawn(tf, [lambda g: g.normal([3]), lambda g: g.uniform([2, 2]), lambda g: g.truncated_normal([5])])",
    "drawn(tf, [lambda g: g.normal([3], 1., 2., tf.float64), lambda g: g.uniform([3], -1., 1., tf.float64)])",
    "drawn(tf, [lambda g: g.uniform([3], maxval=10, dtype=tf.int32), lambda g: g.uniform([2], 5, 9, tf.int64)])",
    "drawn(tf, [lambda g: g.uniform_full_int([3]), lambda g: g.uniform_full_int([3], tf.int32)])",
    "drawn(tf, [lambda g: g.uniform([3], None, None, tf.uint32), lambda g: g.make_seeds(3), lambda g: g.key])",
    "drawn(tf, [lambda g: g.skip(5), lambda g: g.normal([])])",
    "drawn(tf, [lambda g: [h.normal([2]) for h in g.split(2)], lambda g: g.normal([1])])",
    "drawn(tf, [lambda g: g.reset_from_seed(3), lambda g: g.normal([1])])",
    "drawn(tf, [lambda g: g.reset([1, 2, 3]), lambda g: g.normal([1])])",
    "drawn(tf, [lambda g: g.reset_from_key_counter(1, [2, 3]), lambda g: g.normal([1])])",
    "drawn(tf, [lambda g: g.uniform([3], 1, None, tf.int32)])",
    "tf.random.Generator.from_state([1, 2, 3], 'philox').normal([2])",
    "tf.random.Generator.from_key_counter(5, [-1, 2], 'philox').uniform([2])",
    "tf.identity(tf.random.Generator(copy_from=tf.random.Generator.from_seed(3)).state)",
    "tf.random.Generator.from_seed(1, alg='x')",
    "tf.random.Generator.from_seed(1).algorithm",
    *(
        f"tf.identity(tf.random.Generator.from_seed({seed}).state)"
        for seed in ("[1, 2]", "[1, 2, 3]", "-1", "2**70", "tf.constant(4)")
    ),
    "tf.random.create_rng_state(1, 'philox')",
    "tf.random.Algorithm.PHILOX.value",
    "tf.random.split([1, 2], 3)",
    "tf.random.split(tf.constant([1, 2], tf.int64))",
    "tf.random.experimental.stateless_split([1, 2])",
    "tf.random.fold_in([1, 2], 5)",
    "tf.random.experimental.stateless_fold_in([1, 2], tf.constant(7, tf.int64))",
    "tf.random.experimental.stateless_shuffle(tf.range(20), [1, 2])",
    "tf.random.experimental.stateless_shuffle(x, [3, 4])",
    "tf.random.stateless_categorical([[0., 1., 2.], [3., 0., 0.]], 6, [1, 2])",
    "tf.random.stateless_categorical([0., 1.], 6, [1, 2])",
    "tf.random.stateless_categorical([[0., 1.]], 6, [1, 2], dtype=tf.int32)",
    "tf.random.stateless_gamma([50], [1, 2], 2.)",
    "tf.random.stateless_gamma([50], [1, 2], .3)",
    "tf.random.stateless_gamma([20, 3], [1, 2], [.5, 1., 9.], 2.)",
    "tf.random.stateless_gamma([4, 2], [1, 2], [.5, 4.], [[2.], [1.]])",
    "tf.random.stateless_gamma([4, 2, 2], [1, 2], [.5, 4.], [[2.], [1.]])",
    "tf.random.stateless_gamma([20], [1, 2], 2., dtype=tf.float64)",
    "tf.random.stateless_poisson([50], [1, 2], 2.)",
    "tf.random.stateless_poisson([50], [1, 2], 30., dtype=tf.float32)",
    "tf.random.stateless_poisson([20, 3], [1, 2], [.1, 12., 9.], dtype=tf.int64)",
    "tf.random.stateless_poisson([4, 2], [1, 2], [[3.], [20.], [5.], [30.]])",
    "tf.random.stateless_gamma([4, 2], [1, 2], [3., 20., 5.])",
    "tf.random.set_seed(3) or [tf.random.gamma([4], [.5, 3.]), tf.random.gamma([2], 1., 2., seed=4)]",
    "tf.random.set_seed(3) or [tf.random.gamma([2], 3., seed=4), tf.random.gamma([2], 3., seed=4)]",
    "tf.random.set_seed(3) or [tf.random.poisson([4], [.5, 30.]), tf.random.normal([2])]",
    "tf.random.set_seed(3) or tf.random.poisson([4], 5., dtype=tf.int32, seed=1)",
    "g(lambda a, b: tf.random.stateless_gamma([4, 2], [1, 2], a, b), [.5, 4.], [2., 1.])",
]

test_as_tensorflow = expressions.test_of(ROWS, eager=True, drawn=lambda tf: drawn)


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
