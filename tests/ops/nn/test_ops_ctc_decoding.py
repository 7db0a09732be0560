"""The decoders of connectionist temporal classification against real TensorFlow."""

import numpy as np
from support import harness
from support.harness import raises

import tapejax

R = np.random.RandomState(0)
LOGITS = {
    "few": R.randn(4, 2, 3).astype(np.float32),
    "many": (2 * R.randn(12, 4, 6)).astype(np.float32),
    "wide": 3 * R.randn(20, 2, 4),
    "long": 2 * R.randn(40, 20, 4),
    "flat": 0.5 * R.randn(40, 20, 3),
}
test_as_tensorflow = harness.test_of(
    [
        lambda tf, few: tf.nn.ctc_greedy_decoder(few, [4, 3]),
        lambda tf, few: tf.nn.ctc_greedy_decoder(few, [4, 3], False),
        lambda tf, few: tf.nn.ctc_greedy_decoder(few, [4, 3], blank_index=0),
        lambda tf, few: tf.nn.ctc_greedy_decoder(few, [4, 3], blank_index=-2),
        lambda tf, few: tf.nn.ctc_greedy_decoder(few, [4, 3], False, 1),
        raises("InvalidArgumentError", lambda tf, few: tf.nn.ctc_greedy_decoder(few, [4, 3], blank_index=3)),
        raises("InvalidArgumentError", lambda tf, few: tf.nn.ctc_greedy_decoder(few, [4, 3], blank_index=-4)),
        lambda tf, many: tf.nn.ctc_greedy_decoder(many, [12, 0, 7, 5]),
        lambda tf, wide: tf.nn.ctc_greedy_decoder(wide, [20, 20]),
        lambda tf, few: tf.nn.ctc_greedy_decoder(0.0 * few, [4, 3], blank_index=2),
        raises("InvalidArgumentError", lambda tf, few: tf.nn.ctc_greedy_decoder(few[:, :0], tf.zeros([0], "int32"))),
        raises("FailedPreconditionError", lambda tf, few: tf.nn.ctc_greedy_decoder(few, [4, 5])),
        raises("FailedPreconditionError", lambda tf, few: tf.nn.ctc_greedy_decoder(few, [4])),
        raises("InvalidArgumentError", lambda tf, few: tf.nn.ctc_greedy_decoder(few[0], [4])),
        raises("InvalidArgumentError", lambda tf, few: tf.nn.ctc_greedy_decoder(few, tf.constant([4, 3], tf.int64))),
        raises("InvalidArgumentError", lambda tf, few: tf.nn.ctc_greedy_decoder(tf.cast(few, tf.int32), [4, 3])),
        lambda tf, long: tf.nn.ctc_beam_search_decoder(long, 20 * [40], 2, 2),
        lambda tf, long: tf.nn.ctc_beam_search_decoder(long, 20 * [40], 3, 2),
        lambda tf, long: tf.nn.ctc_beam_search_decoder(long, 20 * [40], 8, 2),
        lambda tf, flat: tf.nn.ctc_beam_search_decoder(flat, 20 * [40], 3, 2),
        lambda tf, flat: tf.nn.ctc_beam_search_decoder(flat, 20 * [40], 20, 2),
        lambda tf, few: tf.nn.ctc_beam_search_decoder(few, [4, 3], 4, 3),
        lambda tf, few: tf.nn.ctc_beam_search_decoder(few, [4, 3]),
        lambda tf, many: tf.nn.ctc_beam_search_decoder(many, [12, 3, 7, 5], 8, 4),
        lambda tf, many: tf.nn.ctc_beam_search_decoder(many, [12, 12, 1, 2], 3),
        lambda tf, many: tf.nn.ctc_beam_search_decoder(many, [2, 2, 1, 2], 100, 2),
        lambda tf, wide: tf.nn.ctc_beam_search_decoder(wide, [20, 18], 16, 16),
        lambda tf, many: tf.nn.ctc_beam_search_decoder(many, [0, 3, 7, 5], 8, 1),
        lambda tf, wide: tf.nn.ctc_beam_search_decoder(wide, [20, 20], 1),
        raises("InvalidArgumentError", lambda tf, few: tf.nn.ctc_beam_search_decoder(few, [1, 1], top_paths=5)),
        raises("InvalidArgumentError", lambda tf, few: tf.nn.ctc_beam_search_decoder(few, [4, 3], 2, 3)),
        raises("FailedPreconditionError", lambda tf, few: tf.nn.ctc_beam_search_decoder(few, [4, 5])),
        lambda tf, g, FEW: g(lambda x: tf.nn.ctc_greedy_decoder(x, [4, 3])[1], FEW),
        lambda tf, g, FEW: g(lambda x: tf.nn.ctc_beam_search_decoder(x, [4, 3])[1], FEW),
        lambda tf: list(tf.nn.ctc_unique_labels([[3, 4, 4, 3], [0, 0, 1, 2]])),
        lambda tf: list(tf.nn.ctc_unique_labels([[3.0, 4, 4, 3]])),
        lambda tf: list(tf.nn.ctc_unique_labels(np.array([[5, 5, 5]]))),
        raises("InvalidArgumentError", lambda tf: list(tf.nn.ctc_unique_labels([3, 4, 4, 3]))),
        lambda tf: tf.nn.collapse_repeated([[1, 1, 2, 2, 1], [4, 4, 4, 0, 0]], [5, 3]),
        lambda tf: tf.nn.collapse_repeated(np.array([[1, 1, 2, 2, 1], [4, 4, 4, 4, 0]]), [4, 5]),
        lambda tf: tf.nn.collapse_repeated([[1.0, 1.0]], [2]),
        lambda tf: tf.nn.collapse_repeated([[1, 2], [3, 3]], [0, 0]),
        raises("InvalidArgumentError", lambda tf: tf.nn.collapse_repeated([1, 1], [2])),
    ],
    FEW=LOGITS["few"],
    **{name: (lambda tf, value=value: tf.constant(value)) for name, value in LOGITS.items()},
)


def test_in_a_captured_function():
    """The number of labels is known when the values are: such a function runs as Python. Unique labels are captured."""
    decode = tapejax.function(lambda x: tapejax.nn.ctc_greedy_decoder(x, [4, 3])[0][0].values)
    assert decode(tapejax.constant(LOGITS["few"])).numpy().tolist() == [0, 0, 1]
    unique = tapejax.function(tapejax.nn.ctc_unique_labels)
    assert [t.numpy().tolist() for t in unique(tapejax.constant([[7, 7, 5]]))] == [[[7, 5, 0]], [[0, 0, 1]]]
    assert unique.experimental_get_tracing_count() == 1
