"""Gradients of look-ups against real TensorFlow: which are `IndexedSlices`, what is in them, what ops make of them."""

import numpy as np
import pytest
from support.harness import check_error, raises

import tapejax

IDS = [[1, 1], [3, 0]]


def table(tf):
    return tf.Variable(np.arange(12, dtype=np.float32).reshape(4, 3))


def sums(tf, *parts):
    return tf.add_n([tf.reduce_sum(p) for p in parts])


# From the module and a [4, 3] variable to what is differentiated.
LOOKUPS = {
    "ids of rank 2": lambda tf, v: tf.gather(v, IDS) * 2.0,
    "int64": lambda tf, v: tf.gather(v, tf.constant(IDS, tf.int64)) * 2.0,
    "one row": lambda tf, v: tf.gather(v, 1) * 2.0,
    "no row": lambda tf, v: tf.gather(v, tf.zeros([0], tf.int32)),
    "axis=0": lambda tf, v: tf.gather(v, [0, 1], axis=0) ** 2,
    "axis=-2": lambda tf, v: tf.gather(v, [0, 1], axis=-2) ** 2,
    "axis=1": lambda tf, v: tf.gather(v, [0, 1], axis=1) * 2.0,
    "batch_dims": lambda tf, v: tf.gather(v, [[0, 1], [1, 1], [0, 0], [2, 2]], batch_dims=1) * 2.0,
    "two look-ups": lambda tf, v: sums(tf, tf.gather(v, [0, 1]) * 2.0, tf.gather(v, [1, 1, 2]) * 3.0),
    "two integer types": lambda tf, v: sums(tf, tf.gather(v, [0, 1]) * 2.0,
                                            tf.gather(v, tf.constant([1], tf.int64)) * 3.0),
    "a list of targets": lambda tf, v: [tf.gather(v, [0]), tf.gather(v, [1]) * 3.0],
    "and a dense use": lambda tf, v: sums(tf, tf.gather(v, [0, 1]) * 2.0, v * v),
    "a dense use, and": lambda tf, v: sums(tf, v * v, tf.gather(v, [0, 1]) * 2.0, tf.gather(v, [3])),
    "of a computed tensor": lambda tf, v: tf.gather(v * 2.0, IDS) * 2.0,
    "of identity": lambda tf, v: tf.gather(tf.identity(v), IDS) * 2.0,
    "of read_value": lambda tf, v: tf.gather(v.read_value(), IDS) * 2.0,
    "of convert_to_tensor": lambda tf, v: tf.gather(tf.convert_to_tensor(v), IDS) * 2.0,
    "gather_nd of rows": lambda tf, v: tf.gather_nd(v, [[0], [1], [1]]) * 2.0,
    "gather_nd of elements": lambda tf, v: tf.gather_nd(v, [[0, 1], [1, 1]]) * 2.0,
    "gather_nd, ids of rank 3": lambda tf, v: tf.gather_nd(v, [[[0], [1]], [[1], [1]]]) * 2.0,
    "v.sparse_read": lambda tf, v: v.sparse_read([0, 0]) * 2.0,
    "v.gather_nd": lambda tf, v: v.gather_nd([[0], [1]]) * 2.0,
    "v[i]": lambda tf, v: v[1] * 2.0,
    "boolean_mask": lambda tf, v: tf.boolean_mask(v, [True, False, True, True]) * 2.0,
    "embedding_lookup": lambda tf, v: tf.nn.embedding_lookup(v, IDS) * 2.0,
    "embedding_lookup in a list": lambda tf, v: tf.nn.embedding_lookup([v], IDS) * 2.0,
    "max_norm": lambda tf, v: tf.nn.embedding_lookup(v, IDS, max_norm=1.0) ** 2,
    "used twice": lambda tf, v: (lambda x: x * x + x)(tf.gather(v, IDS)),
}  # fmt: skip


def plain(x):
    """What a gradient is made of, as data."""
    if isinstance(x, (list, tuple)):
        return [plain(y) for y in x]
    if type(x).__name__ != "IndexedSlices":
        return x if x is None else ("Tensor", x.dtype.name, np.asarray(x))
    shape = None if x.dense_shape is None else (x.dense_shape.dtype.name, np.asarray(x.dense_shape))
    return ("IndexedSlices", x.dtype.name, x.indices.dtype.name, x.shape.as_list() if shape else None,
            np.asarray(x.values), np.asarray(x.indices), shape)  # fmt: skip


def same(got, want):
    assert type(got) is type(want), (got, want)
    if isinstance(want, (list, tuple)):
        assert len(got) == len(want), (got, want)
        for g, w in zip(got, want, strict=True):
            same(g, w)
    elif isinstance(want, np.ndarray):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    else:
        assert got == want


def gradient(tf, f, source=None, **kwargs):
    v = table(tf) if source is None else source
    with tf.GradientTape() as tape:
        if source is not None:
            tape.watch(v)
        y = f(tf, v)
    return tape.gradient(y, v, **kwargs)


@pytest.mark.parametrize("mode", ["recorded", "eager"])
@pytest.mark.parametrize("name", LOOKUPS)
def test_gradient(tf, name, mode):
    tapejax.config.eager = mode == "eager"
    want = plain(gradient(tf, LOOKUPS[name]))
    for _ in range(2):  # the second time from what the first remembered
        same(plain(gradient(tapejax, LOOKUPS[name])), want)


@pytest.mark.parametrize("name", ["ids of rank 2", "axis=1", "two integer types"])
def test_of_a_watched_tensor(tf, name):
    want, got = (plain(gradient(t, LOOKUPS[name], t.constant(table(t).numpy()))) for t in (tf, tapejax))
    same(got, want) if name != "two integer types" else same(got[:4], want[:4])


def test_of_a_partitioned_table():
    v, w = table(tapejax), tapejax.Variable(np.ones((4, 3), np.float32))
    with tapejax.GradientTape() as tape:
        y = tapejax.nn.embedding_lookup([v, w], [[1, 7], [3, 0]]) * 2.0
    grads = tape.gradient(y, [v, w])
    dense = [tapejax.convert_to_tensor(g).numpy()[:, 0].tolist() for g in grads]
    assert [type(g) for g in grads] == [tapejax.IndexedSlices] * 2
    assert dense == [[2.0, 2.0, 0.0, 2.0], [0.0, 0.0, 0.0, 2.0]]


def tape_of(tf, v, persistent=False):
    with tf.GradientTape(persistent=persistent) as tape:
        y = tf.gather(v, [0, 1, 1]) ** 3
    return tape, y


def gradients_of_two(tf, **kwargs):
    v, w = table(tf), table(tf)
    tape, y = tape_of(tf, v)
    return tape.gradient(y, [v, w], **kwargs)


@pytest.mark.parametrize("kwargs", [{}, {"unconnected_gradients": "zero"}])
def test_unconnected(tf, kwargs):
    same(plain(gradients_of_two(tapejax, **kwargs)), plain(gradients_of_two(tf, **kwargs)))


def test_output_gradients(tf):
    got, want = (
        plain(gradient(t, lambda t, v: t.gather(v, [0, 0]), output_gradients=t.constant([[1.0, 2, 3], [4, 5, 6]])))
        for t in (tapejax, tf)
    )
    same(got, want)


@pytest.mark.parametrize("of", [lambda x: x, tapejax.identity])
def test_an_output_gradient_that_comes_back_is_not_taken_from_the_last_time(of):
    for value in (10.0, 11.0, 12.0):
        x, upstream = tapejax.constant(value), tapejax.constant(value + 0.5)
        used = upstream * 2.0
        with tapejax.GradientTape() as tape:
            tape.watch(x)
            y = of(x)
        assert float(tape.gradient(y, x, output_gradients=upstream) * 1.0) == value + 0.5
        assert float(used) == 2 * value + 1


def test_persistent_tape_and_same_source_twice(tf):
    def twice(tf):
        v = table(tf)
        tape, y = tape_of(tf, v, persistent=True)
        return [tape.gradient(y, [v, v]), tape.gradient(tf.reduce_sum(y), v), tape.gradient(y, v)]

    same(plain(twice(tapejax)), plain(twice(tf)))


def second_order(tf, of_first):
    v = table(tf)
    with tf.GradientTape() as outer:
        tape, y = tape_of(tf, v)
        first = tape.gradient(y, v)
        out = tf.reduce_sum(of_first(tf, first) ** 2)
    return [first, outer.gradient(out, v)]


@pytest.mark.parametrize(
    "of_first",
    [lambda tf, g: g.values, lambda tf, g: tf.convert_to_tensor(g), lambda tf, g: tf.clip_by_norm(g, 2.0).values],
)
def test_second_order(tf, of_first):
    got, want = (plain(second_order(t, of_first)) for t in (tapejax, tf))
    assert want[1][0] == "IndexedSlices"
    same(got, want)


def test_jacobian_is_dense(tf):
    def jacobian(tf):
        v = table(tf)
        with tf.GradientTape() as tape:
            y = tf.gather(v, [0, 1, 1])[:, 0]
        return tape.jacobian(y, v)

    same(plain(jacobian(tapejax)), plain(jacobian(tf)))


def test_values_read_inside_the_tape(tf):
    def read_before_the_gradient(tf):
        v = table(tf)
        with tf.GradientTape() as tape:
            rows = tf.gather(v, IDS)
            y = rows * float(rows[0, 0, 0]) * v[0, 1]
        return tape.gradient(y, v), tape.watched_variables()[0] is v

    got, want = read_before_the_gradient(tapejax), read_before_the_gradient(tf)
    same(plain(got[0]), plain(want[0]))
    assert got[1]


# What ops make of slices (values [[2, 2, 2]] * 3 at 0, 1, 1).
OPS = {
    "convert_to_tensor": lambda tf, g: tf.convert_to_tensor(g), "negative": lambda tf, g: -g,
    "tf.negative": lambda tf, g: tf.negative(g), "identity": lambda tf, g: tf.identity(g),
    "cast": lambda tf, g: tf.cast(g, tf.float64), "cast by keyword": lambda tf, g: tf.cast(x=g, dtype=tf.float64),
    "stop_gradient": lambda tf, g: tf.stop_gradient(g), "scalar_mul": lambda tf, g: tf.math.scalar_mul(2.0, g),
    "clip_by_value": lambda tf, g: tf.clip_by_value(g, -1.0, 1.0),
    "clip_by_norm": lambda tf, g: tf.clip_by_norm(g, 1.0),
    "clip_by_norm of rows": lambda tf, g: tf.clip_by_norm(g, 1.0, axes=[1]),
    "clip_by_global_norm": lambda tf, g: tf.clip_by_global_norm([g, None, tf.constant([1.0, 2.0])], 3.0),
    "global_norm": lambda tf, g: tf.linalg.global_norm([g]), "multiply": lambda tf, g: tf.multiply(g, 2.0),
    "add": lambda tf, g: tf.add(g, g), "add_n": lambda tf, g: tf.add_n([g, g]), "abs": lambda tf, g: tf.abs(g),
    "square": lambda tf, g: tf.square(g), "reduce_sum": lambda tf, g: tf.reduce_sum(g),
    "norm": lambda tf, g: tf.norm(g),
    "is_nan": lambda tf, g: tf.math.is_nan(g), "shape": lambda tf, g: tf.shape(g),
    "zeros_like": lambda tf, g: tf.zeros_like(g), "relu": lambda tf, g: tf.nn.relu(g),
    "assign_sub": lambda tf, g: table(tf).assign_sub(g).read_value(),
    "scatter_sub": lambda tf, g: table(tf).scatter_sub(g).read_value(),
    "without a shape": lambda tf, g: tf.clip_by_norm(tf.IndexedSlices(g.values, g.indices), 1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", OPS)
def test_ops_on_slices(tf, name):
    got, want = (plain(OPS[name](t, gradient(t, LOOKUPS["axis=0"]))) for t in (tapejax, tf))
    same(got, want)


@pytest.mark.parametrize(
    "call",
    [
        raises(TypeError, lambda tf, g: g * 2.0),
        raises(TypeError, lambda tf, g: g + g),
        raises(TypeError, lambda tf, g: g / 2.0),
        raises(TypeError, lambda tf, g: g[0]),
        raises(TypeError, lambda tf, g: len(g)),
        raises(AttributeError, lambda tf, g: g.numpy()),
        raises(ValueError, lambda tf, g: tf.convert_to_tensor(tf.IndexedSlices(g.values, g.indices))),
    ],
)
def test_errors(tf, call):
    check_error(tf, lambda t: call(t, gradient(t, LOOKUPS["axis=0"])), declared=call)


def test_slices_are_no_target(tf):
    @raises(AttributeError)
    def differentiate_slices(tf):
        v = table(tf)
        with tf.GradientTape() as outer:
            tape, y = tape_of(tf, v)
            first = tape.gradient(y, v)
        outer.gradient(first, v)

    check_error(tf, differentiate_slices)


def test_inside_a_function(tf):
    def train(tf):
        v = table(tf)
        optimizer = tf.keras.optimizers.Adam(0.1)
        optimizer.build([v])

        @tf.function
        def step(ids):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.gather(v, ids) ** 2)
            gradient = tape.gradient(loss, v)
            optimizer.apply_gradients([(gradient, v)])
            return gradient

        return [step(tf.constant(ids)) for ids in ([1, 1, 2], [1, 3, 3])] + [v.read_value()]

    same(plain(train(tapejax)), plain(train(tf)))


@pytest.mark.parametrize("combiner", ["sum", "mean"])
def test_sparse_lookup(tf, combiner):
    """TensorFlow looks up each id once; the slices differ in number, their sums and what Adam makes of them do not."""

    def train(tf):
        v = table(tf)
        optimizer = tf.keras.optimizers.Adam(0.1)
        ids = tf.SparseTensor([[0, 0], [0, 1], [1, 0], [1, 1]], [1, 3, 1, 1], [2, 2])
        for _ in range(3):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.nn.embedding_lookup_sparse(v, ids, None, combiner=combiner) ** 2)
            gradient = tape.gradient(loss, v)
            optimizer.apply_gradients([(gradient, v)])
        return type(gradient).__name__, tf.convert_to_tensor(gradient), v.read_value()

    (kind, *got), (want_kind, *want) = train(tapejax), train(tf)
    assert kind == want_kind == "IndexedSlices"
    same(plain(got), plain(want))


def test_indices_that_do_not_exist_are_dropped():
    two = tapejax.constant([1, 5]) - tapejax.constant([0, 0])
    slices = tapejax.IndexedSlices(tapejax.ones([2, 2]), tapejax.stack([two[0], -two[1]]), tapejax.constant([2, 2]))
    assert tapejax.convert_to_tensor(slices).numpy().tolist() == [[0.0, 0.0], [1.0, 1.0]]


def test_a_warm_step_compiles_nothing_and_walks_nothing(monkeypatch):
    v = tapejax.Variable(np.ones((50, 4), np.float32))
    optimizer = tapejax.keras.optimizers.Adam(0.1)

    def step(ids):
        with tapejax.GradientTape() as tape:
            loss = tapejax.reduce_sum(tapejax.gather(v, ids) ** 2) + tapejax.reduce_sum(tapejax.gather(v, ids[0]))
        (gradient,) = tape.gradient(loss, [v])
        assert isinstance(gradient, tapejax.IndexedSlices)
        optimizer.apply_gradients([(gradient, v)])
        return float(loss)

    ids = tapejax.constant([[1, 1], [2, 3]])
    for _ in range(3):
        step(ids)
    compiled = tapejax.explain().programs_compiled
    from tapejax._src.autodiff import backward

    monkeypatch.setattr(backward, "_walk", None)
    losses = [step(ids) for _ in range(3)]
    assert losses == sorted(losses, reverse=True)
    assert tapejax.explain().programs_compiled == compiled


def test_embedding_layer(tf):
    def train(tf):
        weights = np.arange(15, dtype=np.float32).reshape(5, 3) / 10
        layer = tf.keras.layers.Embedding(5, 3, weights=weights)
        model = tf.keras.Sequential([layer])
        optimizer = tf.keras.optimizers.Adagrad(0.1)
        for _ in range(3):
            with tf.GradientTape() as tape:
                y = tf.reduce_sum(model(tf.constant([[1, 2], [2, 2]])) ** 2)
            gradients = tape.gradient(y, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return [layer(tf.constant([0, 1, 2])), layer(tf.constant([1.7])), *gradients]

    same(plain(train(tapejax)), plain(train(tf)))


@pytest.mark.parametrize("args", [(0, 3), (3.0, 3), (3, True), (3, -1)])
def test_wrong_embeddings(tf, args):
    check_error(tf, raises(ValueError, lambda t: t.keras.layers.Embedding(*args)))


def test_embeddings_start_as_in_keras(tf):
    for t in (tapejax, tf):
        layer = t.keras.layers.Embedding(200, 50)
        rows = np.asarray(layer(t.range(200)))
        assert layer.weights[0].path.endswith("/embeddings")
        assert 0.045 < np.abs(rows).max() <= 0.05
        assert abs(rows.mean()) < 0.002
    with pytest.raises(tapejax.errors.UnsupportedError, match="mask_zero"):
        tapejax.keras.layers.Embedding(5, 3, mask_zero=True)


@pytest.mark.parametrize("params", [None, []])
def test_lookup_without_a_table(tf, params):
    check_error(tf, raises(ValueError, lambda t: t.nn.embedding_lookup(params, [1])))


@pytest.mark.parametrize("max_norm", [None, 1.0])
def test_lookup_values(tf, max_norm):
    for tables in ([np.eye(3, dtype=np.float32)], [np.ones((3, 2), np.float32), np.full((2, 2), 2, np.float32)]):
        got, want = (
            np.asarray(t.nn.embedding_lookup([t.constant(p) for p in tables], [0, 2, 1], max_norm=max_norm))
            for t in (tapejax, tf)
        )
        np.testing.assert_allclose(got, want, rtol=1e-6)
