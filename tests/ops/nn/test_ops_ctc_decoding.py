"""The decoders of connectionist temporal classification against real TensorFlow."""

import numpy as np
from support import expressions

import tapejax

R = np.random.RandomState(0)
LOGITS = {
    "few": R.randn(4, 2, 3).astype(np.float32),
    "many": (2 * R.randn(12, 4, 6)).astype(np.float32),
    "wide": 3 * R.randn(20, 2, 4),
    "long": 2 * R.randn(40, 20, 4),
    "flat": 0.5 * R.randn(40, 20, 3),
}
test_as_tensorflow = expressions.test_of(
    [
        *(
            f"tf.nn.ctc_greedy_decoder(few, [4, 3]{kw})"
            for kw in (
                "",
                ", False",
                ", blank_index=0",
                ", blank_index=-2",
                ", False, 1",
                ", blank_index=3",
                ", blank_index=-4",
            )
        ),
        "tf.nn.ctc_greedy_decoder(many, [12, 0, 7, 5])",
        "tf.nn.ctc_greedy_decoder(wide, [20, 20])",
        "tf.nn.ctc_greedy_decoder(0.0 * few, [4, 3], blank_index=2)",
        "tf.nn.ctc_greedy_decoder(few[:, :0], tf.zeros([0], 'int32'))",
        "tf.nn.ctc_greedy_decoder(few, [4, 5])",
        "tf.nn.ctc_greedy_decoder(few, [4])",
        "tf.nn.ctc_greedy_decoder(few[0], [4])",
        "tf.nn.ctc_greedy_decoder(few, tf.constant([4, 3], tf.int64))",
        "tf.nn.ctc_greedy_decoder(tf.cast(few, tf.int32), [4, 3])",
        *(
            f"tf.nn.ctc_beam_search_decoder({x}, 20 * [40], {width}, 2)"
            for x, width in (("long", 2), ("long", 3), ("long", 8), ("flat", 3), ("flat", 20))
        ),
        "tf.nn.ctc_beam_search_decoder(few, [4, 3], 4, 3)",
        "tf.nn.ctc_beam_search_decoder(few, [4, 3])",
        "tf.nn.ctc_beam_search_decoder(many, [12, 3, 7, 5], 8, 4)",
        "tf.nn.ctc_beam_search_decoder(many, [12, 12, 1, 2], 3)",
        "tf.nn.ctc_beam_search_decoder(many, [2, 2, 1, 2], 100, 2)",
        "tf.nn.ctc_beam_search_decoder(wide, [20, 18], 16, 16)",
        "tf.nn.ctc_beam_search_decoder(many, [0, 3, 7, 5], 8, 1)",
        "tf.nn.ctc_beam_search_decoder(wide, [20, 20], 1)",
        "tf.nn.ctc_beam_search_decoder(few, [1, 1], top_paths=5)",
        "tf.nn.ctc_beam_search_decoder(few, [4, 3], 2, 3)",
        "tf.nn.ctc_beam_search_decoder(few, [4, 5])",
        "g(lambda x: tf.nn.ctc_greedy_decoder(x, [4, 3])[1], FEW)",
        "g(lambda x: tf.nn.ctc_beam_search_decoder(x, [4, 3])[1], FEW)",
        "tf.nn.ctc_unique_labels([[3, 4, 4, 3], [0, 0, 1, 2]])",
        "tf.nn.ctc_unique_labels([[3.0, 4, 4, 3]])",
        "tf.nn.ctc_unique_labels(np.array([[5, 5, 5]]))",
        "tf.nn.ctc_unique_labels([3, 4, 4, 3])",
        "tf.nn.collapse_repeated([[1, 1, 2, 2, 1], [4, 4, 4, 0, 0]], [5, 3])",
        "tf.nn.collapse_repeated(np.array([[1, 1, 2, 2, 1], [4, 4, 4, 4, 0]]), [4, 5])",
        "tf.nn.collapse_repeated([[1.0, 1.0]], [2])",
        "tf.nn.collapse_repeated([[1, 2], [3, 3]], [0, 0])",
        "tf.nn.collapse_repeated([1, 1], [2])",
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
