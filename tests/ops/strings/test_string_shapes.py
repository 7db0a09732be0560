"""Ops that move, join or compare elements take strings as well as numbers. Compared with real TensorFlow."""

import numpy as np
import pytest
from support.harness import raises, test_of

import tapejax

_INPUTS = {
    "s": lambda tf: tf.constant("a"),
    "t": lambda tf: tf.constant(["a", "b", "c"]),
    "w": lambda tf: tf.constant([["a", "b", "c"], ["d", "", "a"]]),
    "on": lambda tf: tf.constant([True, False, True]),
    "r": lambda tf: tf.ragged.constant([["a", "b"], ["c"]]),
}

test_addition = test_of(
    [
        lambda tf, s: s + "b",
        lambda tf, s: "b" + s,
        lambda tf, s, t: t + s,
        lambda tf, t, w: w + t,
        lambda tf, t: tf.add(t, ["x", "", "zz"]),
        lambda tf, t: tf.math.add("q", t),
        lambda tf, t: tf.Variable(t) + "x",
        lambda tf, t: tf.foldl(lambda a, x: a + x, t),
        lambda tf, t: tf.nest.map_structure(lambda x: x + "!", [t, t]),
        raises("InvalidArgumentError", lambda tf, t: t + ["x", "y"]),
        raises("InvalidArgumentError", lambda tf, t: t - t),
        raises("InvalidArgumentError", lambda tf, t: tf.less(t, "b")),
    ],
    **_INPUTS,
)

test_shapes = test_of(
    [
        lambda tf, w: tf.reshape(w, [3, 2]),
        lambda tf, w: tf.reshape(w, [-1]),
        lambda tf, s: tf.reshape(s, [1]),
        lambda tf, t: tf.tile(t, [2]),
        lambda tf, w: tf.tile(w, [2, 2]),
        lambda tf, t: tf.expand_dims(t, 0),
        lambda tf, t: tf.expand_dims(t, -1),
        lambda tf: tf.squeeze(tf.constant([["a"]])),
        lambda tf: tf.squeeze(tf.constant([["a"]]), [0]),
        lambda tf, w: tf.transpose(w),
        lambda tf, w: tf.linalg.matrix_transpose(w),
        lambda tf, t: tf.reverse(t, [0]),
        lambda tf, w: tf.reverse(w, [0, 1]),
        lambda tf, w: tf.reverse_sequence(w, [2, 3], 1),
        lambda tf, t: tf.broadcast_to(t, [2, 3]),
        lambda tf, t: tf.roll(t, 1, 0),
        lambda tf, t: tf.repeat(t, 2),
        lambda tf, t: tf.repeat(t, [1, 2, 0], axis=0),
        lambda tf, t: tf.pad(t, [[1, 1]]),
        lambda tf, t: tf.pad(t, [[1, 2]], constant_values="x"),
        lambda tf, t: tf.pad(t, [[1, 1]], "REFLECT"),
        lambda tf, w: (tf.size(w), tf.shape(w), tf.rank(w)),
        lambda tf, t: tf.ensure_shape(t, [3]),
        lambda tf, t: tf.identity(t),
        lambda tf, t: tf.stop_gradient(t),
        lambda tf, t: tf.zeros_like(t),
        lambda tf: tf.fill([2], "a"),
        lambda tf: tf.zeros([2], tf.string),
        raises("InvalidArgumentError", lambda tf, w: tf.reshape(w, [4])),
    ],
    **_INPUTS,
)

test_joining = test_of(
    [
        lambda tf, t: tf.concat([t, ["d"]], 0),
        lambda tf, w: tf.concat([w, w], 1),
        lambda tf, t: tf.concat([t, t, ["q"]], -1),
        lambda tf, t: tf.concat([t, tf.zeros([0], tf.string)], 0),
        lambda tf, t: tf.stack([t, t]),
        lambda tf, t: tf.stack([t, t], 1),
        lambda tf, s: tf.stack([s, "b"]),
        lambda tf, w: tf.unstack(w),
        lambda tf, w: tf.unstack(w, axis=1),
        lambda tf, w: list(w),
        lambda tf: tf.split(tf.constant(["a", "b", "c", "d"]), 2),
        lambda tf, w: tf.split(w, [1, 2], 1),
        lambda tf, t: tf.dynamic_partition(t, [0, 1, 0], 2),
        lambda tf: tf.dynamic_stitch([[0, 2], [1]], [["a", "c"], ["b"]]),
        raises("InvalidArgumentError", lambda tf, t, w: tf.concat([t, w], 0)),
    ],
    **_INPUTS,
)

test_choosing = test_of(
    [
        lambda tf, t, on: tf.where(on, t, "z"),
        lambda tf, t, on: tf.where(on, t, ["x", "y", "z"]),
        lambda tf, on: tf.where(on, "p", "q"),
        lambda tf, t: tf.where(True, t, t),
        lambda tf, t: tf.where(t == "a"),
        lambda tf, t: tf.gather(t, [2, 0]),
        lambda tf, t: tf.gather(t, 1),
        lambda tf, t: tf.gather(t, tf.constant([], tf.int32)),
        lambda tf, w: tf.gather(w, [1, 1], axis=1),
        lambda tf, w: tf.gather(w, [[0], [1]], batch_dims=1),
        lambda tf, w: tf.gather_nd(w, [[0, 1], [1, 2]]),
        lambda tf, w: tf.gather_nd(w, [1]),
        lambda tf, t, on: tf.boolean_mask(t, on),
        lambda tf, w: tf.boolean_mask(w, [True, False]),
        lambda tf, w: tf.boolean_mask(w, [True, False, True], axis=1),
        lambda tf: tf.unique(tf.constant(["b", "a", "b"])),
        lambda tf: tf.unique_with_counts(tf.constant(["b", "a", "b"])),
        lambda tf, t: [t[0], t[1:], t[::-1], t[tf.newaxis], t[tf.constant(1)]],
        lambda tf, w: [w[:, 1], w[..., 0], w[1, 2], w[:, ::2]],
        lambda tf, t: tf.slice(t, [1], [2]),
        lambda tf, w: tf.strided_slice(w, [0, 0], [2, 3], [1, 2]),
        lambda tf: tf.scatter_nd([[1], [3]], ["x", "y"], [4]),
        lambda tf, t: tf.tensor_scatter_nd_update(t, [[1]], ["x"]),
        lambda tf: tf.one_hot([0, 1], 2, on_value="y", off_value="n"),
        lambda tf, s: tf.cond(tf.constant(True), lambda: s + "x", lambda: s),
        lambda tf, w: tf.math.count_nonzero(w),
        raises("InvalidArgumentError", lambda tf, t: tf.gather(t, [5])),
    ],
    **_INPUTS,
)

test_comparing = test_of(
    [
        lambda tf, t: tf.equal(t, "a"),
        lambda tf, t: tf.not_equal(t, ["a", "x", "c"]),
        lambda tf, t, w: tf.math.equal(w, t),
        lambda tf, t: [t == t, t == "a", t != "b"],  # noqa: PLR0124
        lambda tf, t, w: w == t,
        lambda tf, s: bool(s == "a"),
        lambda tf, t: tf.reduce_all(tf.equal(t, t)),
    ],
    **_INPUTS,
)

test_ragged = test_of(
    [
        lambda tf, r: (r + "x").to_list(),
        lambda tf, r: ("x" + r).to_list(),
        lambda tf, r: (r + r).to_list(),
        lambda tf, r: tf.concat([r, r], 0).to_list(),
        lambda tf, r: tf.concat([r, r], 1).to_list(),
        lambda tf, r: tf.stack([r, r]).to_list(),
        lambda tf, r: [r[0], r[:, :1].to_list(), r[1:].to_list()],
        lambda tf, r: tf.gather(r, [1, 0]).to_list(),
        lambda tf, r: tf.where(r == "a", r, "q").to_list(),
        lambda tf, r: tf.equal(r, "a").to_list(),
        lambda tf, r: tf.expand_dims(r, 0).to_list(),
        lambda tf, r: [r.to_tensor(), r.to_tensor("z")],
        lambda tf, r: tf.ragged.boolean_mask(r, [True, False]).to_list(),
        lambda tf, r: tf.reverse(r, [0]).to_list(),
        lambda tf, r: tf.tile(r, [2, 1]).to_list(),
        lambda tf, r: tf.strings.join([r, "x", r]).to_list(),
        lambda tf, t: tf.ragged.stack([t, ["q"]]).to_list(),
        lambda tf, t: (tf.RaggedTensor.from_row_lengths(t, [1, 2]) + "s").to_list(),
        lambda tf, r: tf.ragged.map_flat_values(lambda x: x + "k", r).to_list(),
        lambda tf, r: r.merge_dims(0, 1),
        lambda tf, r: r.to_sparse().values,
        lambda tf, w: tf.sparse.to_dense(tf.sparse.from_dense(w)),
    ],
    **_INPUTS,
)


def test_strings_in_a_captured_function(tf):
    def run(module):
        @module.function
        def f(x, i):
            names = module.constant(["a", "b", "c"])
            return module.gather(names, i) + "!", module.reshape(names, [3, 1]), x + 1.0

        return [np.asarray(v).tolist() for v in f(module.constant(1.0), module.constant([2, 0]))]

    assert run(tapejax) == run(tf)


def test_strings_do_not_disturb_a_tape():
    x = tapejax.constant(2.0)
    with tapejax.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        names = tapejax.concat([["a"], ["b"]], 0) + "c"
        z = y * 3.0
    assert names.numpy().tolist() == [b"ac", b"bc"]
    assert tape.gradient(z, x).numpy() == 12


def test_a_symbolic_index_leaves_the_stream_usable():
    with pytest.raises(tapejax.errors.InvalidArgumentError):
        tapejax.sin(tapejax.constant("a"))
    assert tapejax.sin(tapejax.constant(0.0)).numpy() == 0
