"""TensorFlow's random numbers: the same bits as real TensorFlow's CPU kernels, from pure functions."""

import importlib
import random
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tapejax._src.ops.random import philox, philox_draws
from tapejax._src.ops.random.philox import Stream, fold_in, generator_stream, split, stateful_stream
from tapejax._src.ops.random.philox_seeds import (
    GraphSeeds,
    SeedState,
    categorical_calls,
    draw_calls,
    generator_state,
    shuffle_calls,
)

# Compiled, as the project runs them: it takes a tenth of the time of tracing them op by op.
uniform_bits = jax.jit(philox.uniform_bits, static_argnames="n")
uniform_full_int = jax.jit(philox.uniform_full_int, static_argnames=("shape", "dtype"))
stateless_stream = jax.jit(philox.stateless_stream)
uniform, normal, truncated_normal, uniform_int = (
    jax.jit(getattr(philox_draws, name), static_argnames=("shape", "dtype"))
    for name in ("uniform", "normal", "truncated_normal", "uniform_int")
)
permutation = jax.jit(philox_draws.permutation, static_argnames="n")
categorical = jax.jit(philox_draws.categorical, static_argnames=("num_samples", "dtype"))

FLOATS = ["float16", "bfloat16", "float32", "float64"]
SHAPES = [(), (0,), (3,), (2, 5), (1001,)]
FLOAT_DRAWS = {"uniform": uniform, "normal": normal, "truncated_normal": truncated_normal}


@pytest.fixture(autouse=True)
def wide_types() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def assert_same_bits(ours: Any, theirs: Any) -> None:
    ours, theirs = np.asarray(ours), np.asarray(theirs.numpy() if hasattr(theirs, "numpy") else theirs)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    # Bytes, so that 0.0 is not -0.0; counted, so that a failure says how many differ.
    pairs = (np.frombuffer(x.tobytes(), f"u{x.dtype.itemsize}") for x in (ours, theirs))
    assert np.count_nonzero(np.not_equal(*pairs)) == 0


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [
        (0, 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (2**64 - 1, 2**128 - 1, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (0x299F31D0_A4093822, 0x03707344_13198A2E_85A308D3_243F6A88, "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_known_answers_of_the_philox_paper(key: int, counter: int, words: str) -> None:
    stream = Stream(jnp.uint64(key), jnp.uint64(counter % 2**64), jnp.uint64(counter >> 64))
    assert " ".join(f"{int(word):08x}" for word in uniform_bits(stream, 4)) == words


def test_counter_carries_into_its_upper_half() -> None:
    last = Stream(jnp.uint64(7), jnp.uint64(2**64 - 1), jnp.uint64(5))
    following = Stream(jnp.uint64(7), jnp.uint64(0), jnp.uint64(6))
    assert_same_bits(uniform_bits(last, 8)[4:], uniform_bits(following, 4))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", SHAPES)
def test_stateful_floats_after_set_seed(tf: Any, shape: tuple[int, ...], dtype: str) -> None:
    tf.random.set_seed(42)
    seeds = SeedState(42)
    for name, draw in FLOAT_DRAWS.items():
        theirs = getattr(tf.random, name)(shape, dtype=dtype)
        assert_same_bits(draw(stateful_stream(*seeds.next_pair()), shape, dtype), theirs)


@pytest.mark.parametrize("dtype", FLOATS)
def test_scaled_draws_round_every_step_even_when_fused(tf: Any, dtype: str) -> None:
    """One fused multiply-add for a product and a sum changes the last bit of one number in thirty."""
    tf.random.set_seed(3)
    seeds = SeedState(3)
    for name, draw in FLOAT_DRAWS.items():
        theirs = getattr(tf.random, name)((20_000,), 0.37, 1.9, dtype=dtype)
        bounds = {"minval": 0.37, "maxval": 1.9} if name == "uniform" else {"mean": 0.37, "stddev": 1.9}

        assert_same_bits(draw(stateful_stream(*seeds.next_pair()), (20_000,), dtype, **bounds), theirs)


@pytest.mark.parametrize("name", ["normal", "truncated_normal"])
def test_half_a_million_draws_agree_in_every_bit(tf: Any, name: str) -> None:
    """Long enough for truncated blocks that need a third hash, and for all branches of the log table."""
    tf.random.set_seed(1)
    theirs = getattr(tf.random, name)((500_000,))
    stream = stateful_stream(*SeedState(1).next_pair())
    assert_same_bits(FLOAT_DRAWS[name](stream, (500_000,)), theirs)


def test_means_and_bounds_broadcast_as_tensorflow_s(tf: Any) -> None:
    tf.random.set_seed(8)
    seeds = SeedState(8)
    mean, spread = np.array([0.0, 5.0, -2.0], np.float32), np.array([[1.0], [np.inf]], np.float32)
    assert_same_bits(
        normal(stateful_stream(*seeds.next_pair()), (4, 1, 3), mean=mean, stddev=spread),
        tf.random.normal((4, 1, 3), mean, spread),
    )
    assert_same_bits(
        uniform(stateful_stream(*seeds.next_pair()), (2, 3), maxval=mean),
        tf.random.uniform((2, 3), maxval=mean),
    )


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers(tf: Any, dtype: str) -> None:
    ranges = [(0, 1), (-3, 100), (0, 2**31 - 1), (-(2**31), 2**31 - 1)]
    if dtype == "int64":
        ranges += [(-(2**63), 2**63 - 1), (5, 2**40)]
    tf.random.set_seed(11)
    seeds = SeedState(11)
    for low, high in ranges:
        theirs = tf.random.uniform((2001,), low, high, dtype)
        assert_same_bits(uniform_int(stateful_stream(*seeds.next_pair()), (2001,), low, high, dtype), theirs)


@pytest.mark.parametrize("seed", [(1, 2), (0, 0), (-5, 2**31 - 1), (2**40, -(2**50))])
def test_stateless_draws(tf: Any, seed: tuple[int, int]) -> None:
    pair = np.array(seed)
    stream = stateless_stream(pair)
    for name, draw in FLOAT_DRAWS.items():
        for dtype in FLOATS:
            theirs = getattr(tf.random, f"stateless_{name}")((7, 3), pair, dtype=dtype)
            assert_same_bits(draw(stream, (7, 3), dtype), theirs)
    theirs = tf.random.stateless_uniform((9,), pair, -3, 10, tf.int64)
    assert_same_bits(uniform_int(stream, (9,), -3, 10, np.int64), theirs)
    for dtype in ("int32", "uint32", "int64", "uint64"):
        theirs = tf.random.stateless_uniform((9,), pair, None, None, dtype)
        assert_same_bits(uniform_full_int(stream, (9,), dtype), theirs)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_split_and_fold_in(tf: Any, dtype: str) -> None:
    seed = np.array([3, -4], dtype)
    assert_same_bits(split(seed, 3), tf.random.split(seed, 3))
    assert_same_bits(fold_in(seed, np.array(9, dtype)), tf.random.fold_in(seed, np.array(9, dtype)))


@pytest.mark.parametrize("seed", [7, -1, 2**64 - 3, 2**130 + 2**70 + 3])
def test_generator_sequence(tf: Any, seed: int) -> None:
    theirs = tf.random.Generator.from_seed(seed, alg="philox")
    state = list(generator_state(seed))
    calls = [
        (theirs.normal((5,)), lambda stream: normal(stream, (5,))),
        (theirs.uniform((), dtype="float64"), lambda stream: uniform(stream, (), "float64")),
        (theirs.truncated_normal((4,), 1, 2), lambda stream: truncated_normal(stream, (4,), "float32", 1, 2)),
        (theirs.uniform((3,), 1, 9, tf.int32), lambda stream: uniform_int(stream, (3,), 1, 9)),
        (theirs.uniform_full_int((3,)), lambda stream: uniform_full_int(stream, (3,), np.uint64)),
    ]  # fmt: skip
    counter = (state[0] % 2**64) + (state[1] % 2**64 << 64)
    for numbers, draw in calls:
        low, high, _ = generator_state(counter)
        assert_same_bits(draw(generator_stream(np.array([low, high, state[2]]))), numbers)
        counter += draw_calls(numbers.shape.num_elements())
    assert list(generator_state(counter))[:2] + [state[2]] == theirs.state.numpy().tolist()


@pytest.mark.parametrize("seed", [0, 5, -7, 2**31 - 1, 2**40 + 1])
@pytest.mark.parametrize("op_seed", [None, 0, 9, -3, 2**33])
def test_seed_pairs(tf: Any, seed: int, op_seed: int | None) -> None:
    tf.random.set_seed(seed)
    seeds = SeedState(seed)
    for dtype in ("float32", "float64"):  # another kernel each, so that the second starts anew as well
        theirs = tf.random.uniform((3,), seed=op_seed, dtype=dtype)
        assert_same_bits(uniform(stateful_stream(*seeds.next_pair(op_seed)), (3,), dtype), theirs)


def test_op_seed_alone_fixes_the_numbers_and_no_seed_none(tf: Any) -> None:
    tf.random.set_seed(0)
    context = importlib.import_module("tensorflow.python.eager.context").context()
    seeds = SeedState()
    try:
        context._seed = None
        theirs = tf.random.uniform((3,), seed=77)
    finally:
        tf.random.set_seed(0)
    assert_same_bits(uniform(stateful_stream(*seeds.next_pair(77)), (3,)), theirs)
    assert len({seeds.next_pair() for _ in range(100)}) == 100


def test_a_repeated_op_seed_goes_on_until_set_seed(tf: Any) -> None:
    """`tf.random.normal(..., seed=1)` twice gives different numbers: the kernel keeps its place."""
    seeds = SeedState()

    def ours(draw: Any, op: str, shape: tuple[int, ...], dtype: str, op_seed: int, *args: int) -> jax.Array:
        pair = seeds.next_pair(op_seed)
        skip = seeds.reserve((op, dtype, *pair), draw_calls(int(np.prod(shape))))
        return draw(stateful_stream(*pair, skip), shape, *args, dtype=dtype)

    for _ in range(2):
        tf.random.set_seed(5)
        seeds.set_seed(5)
        for shape in [(3,), (), (2, 4)]:
            for dtype in ("float32", "float64"):
                theirs = tf.random.normal(shape, dtype=dtype, seed=1)
                assert_same_bits(ours(normal, "n", shape, dtype, 1), theirs)
                theirs = tf.random.uniform(shape, dtype=dtype, seed=1)
                assert_same_bits(ours(uniform, "u", shape, dtype, 1), theirs)
            high = 5 + len(shape)
            theirs = tf.random.uniform(shape, 0, high, tf.int32, seed=1)
            assert_same_bits(ours(uniform_int, "i", shape, "int32", 1, 0, high), theirs)
            theirs = tf.random.truncated_normal(shape, seed=1)
            assert_same_bits(ours(truncated_normal, "t", shape, "float32", 1), theirs)


def test_function_graphs_count_their_op_seeds(tf: Any) -> None:
    @tf.function
    def function() -> Any:
        return tf.random.uniform((3,)), tf.random.uniform((2,), seed=4), tf.random.normal((5,))

    tf.random.set_seed(6)
    draws = [(uniform, 3, None), (uniform, 2, 4), (normal, 5, None)]
    graph = GraphSeeds(6)
    pairs = [graph.next_pair(op_seed) for _, _, op_seed in draws]
    # Calls go on; set_seed starts over, even with another seed: the pairs were fixed when tracing.
    for call in (0, 1, 2, 0, 1):
        if call == 0:
            tf.random.set_seed(6 if not function.experimental_get_tracing_count() else 1234)
        for numbers, pair, (draw, count, _) in zip(function(), pairs, draws, strict=True):
            assert_same_bits(draw(stateful_stream(*pair, call * draw_calls(count)), (count,)), numbers)


@pytest.mark.parametrize("n", [0, 1, 2, 9, 1000])
def test_shuffle(tf: Any, n: int) -> None:
    tf.random.set_seed(2)
    seeds = SeedState(2)
    rows = np.arange(2 * n).reshape(n, 2)
    for _ in range(3):
        pair = seeds.next_pair(4)
        skip = seeds.reserve(("RandomShuffle", *pair), shuffle_calls(n))
        order = permutation(stateful_stream(*pair, skip), n)
        assert_same_bits(rows[np.asarray(order)], tf.random.shuffle(rows, seed=4))


@pytest.mark.parametrize(("batch", "samples", "classes"), [(1, 1, 2), (3, 5, 7), (2, 9, 300), (4, 0, 3)])
def test_categorical(tf: Any, batch: int, samples: int, classes: int) -> None:
    tf.random.set_seed(2)
    seeds = SeedState(2)
    logits = np.random.RandomState(0).randn(batch, classes).astype(np.float32)
    logits[0, 0] = -np.inf
    for _ in range(3):
        pair = seeds.next_pair(4)
        skip = seeds.reserve(("Multinomial", *pair), categorical_calls(batch, samples))
        ours = categorical(stateful_stream(*pair, skip), jnp.asarray(logits), samples)
        assert_same_bits(ours, tf.random.categorical(logits, samples, seed=4))
    theirs = tf.random.stateless_categorical(logits, samples, (8, 9), tf.int32)
    assert_same_bits(categorical(stateless_stream((8, 9)), jnp.asarray(logits), samples, np.int32), theirs)


def test_categorical_frequencies_in_large_batches() -> None:
    """Where TensorFlow's numbers depend on its threads, ours are at least of the right distribution."""
    weights = np.array([0.0, 0.1, 0.2, 0.7])
    with np.errstate(divide="ignore"):
        logits = np.log(np.tile(weights, (500, 1)))
    drawn = categorical(stateful_stream(1, 2), jnp.asarray(logits), 200)
    np.testing.assert_allclose(np.bincount(np.asarray(drawn).ravel()) / 100_000, weights, atol=0.005)


@pytest.mark.parametrize("draw", [philox_draws.uniform, philox_draws.normal, philox_draws.truncated_normal])
def test_one_program_serves_all_seeds_and_batches_by_vmap(draw: Any) -> None:
    traces = []

    @jax.jit
    def run(seed: jax.Array) -> jax.Array:
        traces.append(None)
        return draw(philox.stateless_stream(seed), (5, 3))

    seeds = jnp.array([[1, 2], [3, -4], [2**40, 0]])
    single = jnp.stack([run(seed) for seed in seeds])
    assert len(traces) == 1
    assert_same_bits(jax.vmap(run)(seeds), single)
    assert_same_bits(draw(stateless_stream(seeds[1]), (5, 3)), single[1])


def test_seeds_may_be_traced_numbers_python_numbers_or_words() -> None:
    seed, seed2 = -(2**40) - 7, 2**35 + 9
    words = [np.array([x & 0xFFFFFFFF, (x >> 32) & 0xFFFFFFFF], np.uint32) for x in (seed, seed2)]
    expected = uniform_bits(stateful_stream(seed, seed2), 5)
    assert_same_bits(uniform_bits(stateful_stream(*words), 5), expected)
    traced = jax.jit(lambda seed, seed2: philox.uniform_bits(stateful_stream(seed, seed2), 5))
    assert_same_bits(traced(seed, seed2), expected)


@pytest.mark.parametrize("draw", [normal, truncated_normal])
def test_gradients_reach_mean_and_stddev(draw: Any) -> None:
    def total(mean: Any, stddev: Any) -> jax.Array:
        return draw(stateful_stream(1, 2), (50,), "float32", mean, stddev).sum()

    by_mean, by_stddev = jax.grad(total, (0, 1))(jnp.float32(0.5), jnp.float32(3.0))
    assert by_mean == 50.0
    np.testing.assert_allclose(by_stddev, draw(stateful_stream(1, 2), (50,)).sum(), rtol=1e-5)


def test_errors_say_what_is_wrong() -> None:
    with jax.enable_x64(False), pytest.raises(RuntimeError, match="enable_x64"):
        stateful_stream(1, 2)
    with pytest.raises(TypeError, match="Seeds are integers"):
        stateful_stream(1.5, 2)
    with pytest.raises(ValueError, match="`dtype` must be float16"):
        normal(stateful_stream(1, 2), (3,), np.int32)
    with pytest.raises(ValueError, match="`dtype` must be int32 or int64"):
        uniform_int(stateful_stream(1, 2), (3,), 0, 5, np.uint8)
    with pytest.raises(TypeError):
        SeedState(1.5)  # type: ignore[arg-type]


def test_ever_new_op_seeds_do_not_grow_the_kernel_table_for_ever() -> None:
    seeds = SeedState(1)
    for op_seed in range(70_000):
        seeds.reserve(seeds.next_pair(op_seed), 1)
    assert len(seeds._reserved) <= 65536
    assert seeds.reserve(seeds.next_pair(69_999), 1) == 1


def keras_weights(seed: int, shape: tuple[int, int], distribution: str = "uniform") -> jax.Array:
    """What Keras's GlorotUniform, or HeNormal, draws for a Dense kernel from an integer seed."""
    stream = stateless_stream(np.array([seed % (2**31 - 2), 0], np.int32))
    if distribution == "uniform":
        limit = (3.0 / ((shape[0] + shape[1]) / 2)) ** 0.5
        return uniform(stream, shape, np.float32, -limit, limit)
    return truncated_normal(stream, shape, stddev=(2.0 / shape[0]) ** 0.5 / 0.87962566103423978)


@pytest.mark.parametrize("seed", [0, 1337])
def test_keras_dense_kernels_after_set_random_seed(tf: Any, seed: int) -> None:
    keras = tf.keras
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(units) for units in (10, 7, 2)]
    keras.Sequential([keras.Input((5,)), *layers])
    # Each initializer takes its seed from Python's own generator, when its layer is constructed.
    draws = random.Random(seed)
    for layer, shape in zip(layers, [(5, 10), (10, 7), (7, 2)], strict=True):
        assert_same_bits(keras_weights(draws.randint(1, 10**9), shape), layer.kernel.numpy())


@pytest.mark.parametrize("seed", [42, 2**31 + 5, -9])
def test_keras_initializers_with_an_explicit_seed(tf: Any, seed: int) -> None:
    initializers = tf.keras.initializers
    assert_same_bits(keras_weights(seed, (6, 4)), initializers.GlorotUniform(seed=seed)((6, 4)))
    assert_same_bits(keras_weights(seed, (6, 4), "truncated"), initializers.HeNormal(seed=seed)((6, 4)))
