"""`tf.lookup` against real TensorFlow."""

import numpy as np
from support import harness
from support.harness import raises

import tapejax


def words(tf, **kwargs):
    init = tf.lookup.KeyValueTensorInitializer(["a", "b", "c"], [1, 2, 3], **kwargs)
    return tf.lookup.StaticHashTable(init, -1)


def numbers(tf):
    init = tf.lookup.KeyValueTensorInitializer(tf.constant([30, 10, 20], tf.int64), [3.0, 1.0, 2.0])
    return tf.lookup.StaticHashTable(init, -1.0)


def vocabulary(tf, buckets=3):
    init = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([0, 1], tf.int64))
    return tf.lookup.StaticVocabularyTable(init, buckets)


def mutable(tf, default=-1):
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, default)
    table.insert(["a", "b"], tf.constant([5, 6], tf.int64))
    return table


def dense(tf, key=4):
    table = tf.lookup.experimental.DenseHashTable(tf.int64, tf.int64, -1, empty_key=0, deleted_key=-2)
    table.insert(tf.constant([key], tf.int64), tf.constant([5], tf.int64))
    table.insert(tf.constant([key], tf.int64), tf.constant([7], tf.int64))
    return table


def from_file(path):
    def table(tf, key_dtype, key, value_dtype, value, default=-1, **kwargs):
        init = tf.lookup.TextFileInitializer(path, key_dtype, key, value_dtype, value, **kwargs)
        return tf.lookup.StaticHashTable(init, default)

    return table


ROWS = [
    lambda tf: words(tf).lookup(tf.constant(["b", "z"])),
    lambda tf: words(tf).lookup(tf.constant("c")),
    lambda tf: words(tf)[tf.constant([["a"], ["b"]])],
    raises(TypeError, lambda tf: words(tf).lookup(tf.constant([1]))),
    lambda tf: words(tf).size(),
    lambda tf: words(tf, value_dtype=tf.int64).lookup(tf.constant(["b"])),
    lambda tf: (words(tf).key_dtype.name, words(tf).value_dtype.name),
    raises(
        "FailedPreconditionError",
        lambda tf: tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "a"], [1, 2]), 0),
    ),
    lambda tf: tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "a"], [1, 1]), 0).size(),
    raises(
        "InvalidArgumentError",
        lambda tf: tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], [1, 2]), 0),
    ),
    lambda tf, i: tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1, 2], ["x", "y"]), "?").lookup(i),
    lambda tf: numbers(tf).lookup(tf.constant([10, 11, 30], tf.int64)),
    raises(TypeError, lambda tf: numbers(tf).lookup(tf.constant([10]))),
    lambda tf: vocabulary(tf).lookup(tf.constant(["b", "x", "yy", "zzz", "other"])),
    lambda tf: vocabulary(tf).size(),
    raises(ValueError, lambda tf: vocabulary(tf, 0)),
    lambda tf: tf.lookup.StaticVocabularyTable(None, 4).lookup(tf.constant(["x", "y"])),
    raises(TypeError, lambda tf: tf.lookup.StaticVocabularyTable(tf.lookup.KeyValueTensorInitializer(["a"], [1]), 1)),
    lambda tf: tf.lookup.StaticVocabularyTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant([5, 6], tf.int64), tf.constant([0, 1], tf.int64)), 5
    ).lookup(tf.constant([5, 7, 8, 9, 123456], tf.int64)),
    lambda tf: mutable(tf).lookup(tf.constant(["a", "z"])),
    lambda tf: mutable(tf).size(),
    lambda tf: mutable(tf).remove(tf.constant(["a", "q"])) and 0,
    lambda tf: sorted(mutable(tf).export()[1].numpy().tolist()),
    raises("InvalidArgumentError", lambda tf: mutable(tf).insert(tf.constant(["a"]), tf.constant([1, 2], tf.int64))),
    raises(ValueError, lambda tf: mutable(tf).lookup(tf.constant([1]))),
    lambda tf: dense(tf).lookup(tf.constant([4, 5], tf.int64)),
    lambda tf: dense(tf).size(),
    raises("InvalidArgumentError", lambda tf: dense(tf, 0)),
    raises(
        "InvalidArgumentError",
        lambda tf: tf.lookup.experimental.DenseHashTable(tf.int64, tf.int64, -1, empty_key=0, deleted_key=0),
    ),
    lambda tf: (tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER),
    lambda tf: words(tf).lookup(tf.ragged.constant([["a"], ["b", "z"]])).to_list(),
]

test_as_tensorflow = harness.test_of(ROWS)


def test_text_files(tf, tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("cat 5\ndog 6\nbird 7\n")
    table = from_file(str(file))
    for module in (tf, tapejax):
        string, int64 = module.string, module.int64
        lines = table(module, string, -2, int64, -1)
        assert lines.lookup(module.constant(["dog 6", "dog"])).numpy().tolist() == [1, -1]
        columns = table(module, string, 0, int64, 1, delimiter=" ")
        assert columns.lookup(module.constant(["bird", "cow"])).numpy().tolist() == [7, -1]
        back = table(module, int64, -1, string, 0, default="?", delimiter=" ", vocab_size=2)
        assert back.lookup(module.constant([0, 2], int64)).numpy().tolist() == [b"cat", b"?"]
    for call in (
        lambda m, t: t(m, m.string, -2, m.int32, -1),
        lambda m, t: t(m, m.string, 0, m.int64, 5),
        lambda m, t: t(m, m.string, -2, m.int64, -1, vocab_size=9),
    ):
        raised = []
        for module in (tf, tapejax):
            try:
                call(module, table)
            except Exception as error:
                raised.append(type(error).__name__)
        assert len(raised) == 2 and raised[0] == raised[1]


def test_integer_tables_are_part_of_a_function():
    table = numbers(tapejax)
    keys = tapejax.constant([20, 7], tapejax.int64)
    assert tapejax.function(table.lookup)(keys).numpy().tolist() == [2.0, -1.0]


def test_removal_and_vectors():
    table = tapejax.lookup.experimental.MutableHashTable(tapejax.int64, tapejax.float32, [0.0, 0.0])
    table.insert(tapejax.constant([1, 2], tapejax.int64), [[1.0, 2.0], [3.0, 4.0]])
    table.remove(tapejax.constant([1], tapejax.int64))
    found = table.lookup(tapejax.constant([1, 2], tapejax.int64)).numpy()
    np.testing.assert_array_equal(found, [[0.0, 0.0], [3.0, 4.0]])
