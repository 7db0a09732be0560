"""`tf.train.Example` and its parsing against real TensorFlow: messages, features, sequences, errors."""

import numpy as np
import pytest
from support.harness import check, check_error, raises

import tapejax


def example(t):
    f = t.train.Feature
    return t.train.Example(features=t.train.Features(feature={
        "x": f(float_list=t.train.FloatList(value=[1.0, 0.1, -3e20])),
        "n": f(int64_list=t.train.Int64List(value=[1, -1, 2**40])),
        "s": f(bytes_list=t.train.BytesList(value=[b"one", b""])),
        "label": f(int64_list=t.train.Int64List(value=[3])), "void": f(), "empty": f(int64_list=t.train.Int64List()),
        "at": f(int64_list=t.train.Int64List(value=[5, 2, 9])),
        "lengths": f(int64_list=t.train.Int64List(value=[1, 0, 2])),
    }))  # fmt: skip


def test_examples_are_exchanged_with_tensorflow(tf):
    ours, real = example(tapejax), example(tf)
    assert ours.SerializeToString() == real.SerializeToString(deterministic=True)
    back = tapejax.train.Example.FromString(real.SerializeToString())
    assert back == ours
    features = back.features.feature
    assert features["x"].float_list.value == list(real.features.feature["x"].float_list.value)
    assert features["n"].int64_list.value[1] == -1 and features["s"].bytes_list.value[0] == b"one"
    assert {k: v.WhichOneof("kind") for k, v in features.items()} == {
        k: v.WhichOneof("kind") for k, v in real.features.feature.items()
    }


def test_messages_are_built_in_protobuf_s_ways(tf):
    def build(t):
        e = t.train.Example()
        e.features.feature["a"].int64_list.value.append(3)
        e.features.feature["a"].int64_list.value.extend(np.array([4, 5]))
        e.features.feature["b"].float_list.value.append(1.0)
        e.features.feature["b"].bytes_list.value.append(b"now bytes")
        e.features.feature["c"].CopyFrom(e.features.feature["a"])
        e.features.feature["d"].MergeFrom(t.train.Feature(float_list={"value": [0.5]}))
        e.features.feature["e"].int64_list.value[:] = [7, 8]
        s = t.train.SequenceExample()
        s.context.feature["id"].bytes_list.value.append(b"x")
        s.feature_lists.feature_list["t"].feature.add().int64_list.value.append(1)
        s.feature_lists.feature_list["t"].feature.append(t.train.Feature(int64_list=t.train.Int64List(value=[2, 3])))
        return e, s, e.HasField("features"), s.HasField("feature_lists"), t.train.Example().HasField("features")

    ours, real = build(tapejax), build(tf)
    assert ours[2:] == real[2:]
    for a, b in zip(ours[:2], real[:2], strict=True):
        assert a.SerializeToString() == b.SerializeToString(deterministic=True)
    one = [
        t.train.Example(features={"feature": {"k": t.train.Feature(bytes_list={"value": [b'a"\n\xff']})}})
        for t in (tapejax, tf)
    ]
    assert str(one[0]) == str(one[1])


@pytest.mark.parametrize(
    "call",
    [
        raises(TypeError, lambda t: t.BytesList(value=["text"])),
        raises(TypeError, lambda t: t.Int64List(value=[1.5])),
        raises(TypeError, lambda t: t.FloatList(value=["x"])),
        raises(ValueError, lambda t: t.Int64List(value=[2**63])),
        raises(ValueError, lambda t: t.Feature(no_such=1)),
        raises(AttributeError, lambda t: t.Example().nothing),
        raises(AttributeError, lambda t: setattr(t.Example(), "features", t.Features())),
        raises(ValueError, lambda t: t.Feature().WhichOneof("sort")),
        raises(TypeError, lambda t: t.Features().feature[1]),
        raises(ValueError, lambda t: t.Feature().HasField("nothing")),
    ],
)
def test_messages_refuse_what_protobuf_refuses(tf, call):
    check_error(tf, lambda t: call(t.train), declared=call)


def parse_cases(t):
    fixed, var, io_ = t.io.FixedLenFeature, t.io.VarLenFeature, t.io
    return [
        {"x": fixed([3], t.float32), "label": fixed([], t.int64), "s": fixed((2,), t.string)},
        {"missing": fixed([2], t.float32, default_value=[1.0, 2.0]), "void": fixed([], t.int64, default_value=-7)},
        {"missing": fixed([], t.string, default_value=""), "n": fixed([3, 1], t.int64)},
        {"x": var(t.float32), "s": var(t.string), "missing": var(t.int64), "empty": var(t.int64)},
        {
            "n": io_.FixedLenSequenceFeature([], t.int64, allow_missing=True),
            "missing": io_.FixedLenSequenceFeature([2], t.float32, allow_missing=True),
        },
        {"sparse": io_.SparseFeature("at", "x", t.float32, 10)},
    ]


@pytest.mark.parametrize("i", range(6))
def test_parsing_examples(tf, i):
    data = example(tf).SerializeToString()
    other = tf.train.Example()
    other.CopyFrom(example(tf))
    other.features.feature["n"].int64_list.value[:] = [9, 8, 7]
    check(tf, lambda t: t.io.parse_single_example(data, parse_cases(t)[i]))
    check(tf, lambda t: t.io.parse_example([data, other.SerializeToString()], parse_cases(t)[i]))
    check(tf, lambda t: t.io.parse_example(t.constant(data), parse_cases(t)[i]))


def test_sequences_of_several_lengths_are_filled_up(tf):
    data = []
    for n in (1, 0, 3):
        e = tf.train.Example()
        e.features.feature["n"].int64_list.value.extend(range(n))
        data.append(e.SerializeToString())
    check(tf, lambda t: t.io.parse_example(data, {"n": t.io.FixedLenSequenceFeature([], t.int64, True, -1)}))
    check(tf, lambda t: t.io.parse_example(data, {"n": t.io.VarLenFeature(t.int64)}))


@pytest.mark.parametrize("features", [
    raises("InvalidArgumentError", lambda t: {"x": t.io.FixedLenFeature([2], t.float32)}),
    raises("InvalidArgumentError", lambda t: {"x": t.io.FixedLenFeature([3], t.int64)}),
    raises("InvalidArgumentError", lambda t: {"missing": t.io.FixedLenFeature([], t.int64)}),
    raises("InvalidArgumentError", lambda t: {"x": t.io.VarLenFeature(t.string)}),
    raises("InvalidArgumentError", lambda t: {"n": t.io.FixedLenSequenceFeature([2], t.int64, allow_missing=True)}),
    raises(ValueError, lambda t: {"n": t.io.FixedLenSequenceFeature([], t.int64)}), raises(ValueError, lambda t: {}),
])  # fmt: skip
def test_parsing_errors(tf, features):
    data = example(tf).SerializeToString()
    check_error(tf, lambda t: t.io.parse_single_example(data, features(t)), declared=features)
    check_error(tf, lambda t: t.io.parse_example([data, data], features(t)), declared=features)


def test_what_is_no_example_is_refused(tf):
    check_error(
        tf,
        raises(
            "InvalidArgumentError",
            lambda t: t.io.parse_single_example(b"\x0a\x05abc", {"x": t.io.VarLenFeature(t.float32)}),
        ),
    )
    check_error(
        tf, raises(ValueError, lambda t: t.io.parse_single_example([b"", b""], {"x": t.io.VarLenFeature(t.float32)}))
    )


def _sequence(t, steps):
    s = t.train.SequenceExample()
    s.context.feature["id"].int64_list.value.append(steps)
    for i in range(steps):
        s.feature_lists.feature_list["v"].feature.add().float_list.value.extend([float(i), 0.5])
        s.feature_lists.feature_list["w"].feature.add().int64_list.value.extend(range(i))
    return s.SerializeToString()


def test_parsing_sequence_examples(tf):
    def describe(t):
        return (
            {"id": t.io.FixedLenFeature([], t.int64)},
            {"v": t.io.FixedLenSequenceFeature([2], t.float32), "w": t.io.VarLenFeature(t.int64)},
        )

    data = [_sequence(tf, n) for n in (3, 1)]
    for one in data:
        check(tf, lambda t, one=one: t.io.parse_single_sequence_example(one, *describe(t)))
    check(tf, lambda t: t.io.parse_sequence_example(data, *describe(t)))
    check_error(
        tf,
        raises(
            "InvalidArgumentError",
            lambda t: t.io.parse_single_sequence_example(
                data[0], {}, {"z": t.io.FixedLenSequenceFeature([2], t.float32)}
            ),
        ),
    )
    check_error(
        tf,
        raises(
            "InvalidArgumentError",
            lambda t: t.io.parse_single_sequence_example(
                data[0], {}, {"v": t.io.FixedLenSequenceFeature([3], t.float32)}
            ),
        ),
    )


def ragged_cases(t):
    r = t.io.RaggedFeature
    return [{"n": r(t.int64)}, {"n": r(t.int64, row_splits_dtype=t.int64)},
            {"r": r(t.float32, value_key="x", partitions=[r.RowLengths("lengths")])},
            {"r": r(t.float32, value_key="x", partitions=[r.UniformRowLength(3)])}]  # fmt: skip


@pytest.mark.parametrize("i", range(4))
def test_parsing_ragged_features(tf, i):
    data = example(tf).SerializeToString()
    check(tf, lambda t: t.io.parse_single_example(data, ragged_cases(t)[i]))
    check(tf, lambda t: t.io.parse_example([data, data], ragged_cases(t)[i]))


def test_sparse_tensors_as_strings(tf):
    def sparse(t):
        return t.SparseTensor([[0, 1], [2, 0]], [1.5, 2.5], [3, 4])

    check(tf, lambda t: t.io.deserialize_many_sparse(t.io.serialize_many_sparse(sparse(t)), t.float32))
    check(tf, lambda t: t.io.deserialize_many_sparse(t.io.serialize_sparse(sparse(t)).numpy()[None], t.float32))
