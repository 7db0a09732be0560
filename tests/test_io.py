"""`tf.io`, `tf.train.Example` and `tf.audio` against real TensorFlow: files, bytes, tensors, errors."""

import io
import os

import numpy as np
import pytest
from expressions import compare
from parity import check_error

import tapejax

pytest.importorskip("PIL")


def same(ours, real):
    """Asserts equal structures of tensors: dense, sparse, ragged, tuples and dictionaries."""
    if isinstance(real, dict):
        assert list(ours) == list(real)
        for key in real:
            same(ours[key], real[key])
    elif isinstance(real, (list, tuple)):
        assert len(ours) == len(real)
        for a, b in zip(ours, real, strict=True):
            same(a, b)
    elif hasattr(real, "dense_shape"):
        for part in ("indices", "values", "dense_shape"):
            same(getattr(ours, part), getattr(real, part))
    elif hasattr(real, "row_splits"):
        same(ours.row_splits, real.row_splits)
        same(ours.values, real.values)
    else:
        assert ours.dtype.name == real.dtype.name
        compare(np.asarray(ours), np.asarray(real))


def both(tf, call):
    """Compares a call in tapejax with the same in TensorFlow."""
    same(call(tapejax), call(tf))


# Files

@pytest.fixture
def place(tmp_path):
    (tmp_path / "m" / "a").mkdir(parents=True)
    (tmp_path / "m" / "a.txt").write_text("hi\nyö\n")
    (tmp_path / "m" / ".hidden").write_text("")
    (tmp_path / "m" / "b.bin").write_bytes(b"\x00\xff")
    return str(tmp_path) + "/"


FILES = [
    lambda g, d: sorted(g.listdir(d + "m")), lambda g, d: sorted(g.glob(d + "m/*")), lambda g, d: g.glob(d + "*/*.bin"),
    lambda g, d: g.glob([d + "m/*.txt", d + "m/*.bin"]), lambda g, d: g.glob(d + "none*"),
    lambda g, d: g.exists(d + "m"),
    lambda g, d: g.exists(d + "x"), lambda g, d: g.isdir(d + "m/a.txt"), lambda g, d: g.join(d, "a", "b"),
    lambda g, d: (g.stat(d + "m/a.txt").length, g.stat(d + "m").is_directory),
    lambda g, d: sorted((a, sorted(b), sorted(c)) for a, b, c in g.walk(d)),
    lambda g, d: [a for a, _, _ in g.walk(d, topdown=False)],
    lambda g, d: (g.GFile(d + "m/a.txt").read(), g.GFile(d + "m/b.bin", "rb").read()),
    lambda g, d: (list(g.GFile(d + "m/a.txt")), g.GFile(d + "m/a.txt", "rb").readlines()),
    lambda g, d: (lambda f: (f.readline(), f.tell(), f.size(), f.read(1), f.seek(0), f.readlines(), f.name, f.mode))(
        g.GFile(d + "m/a.txt")),
    lambda g, d: (lambda f: (f.read(4), f.read(), f.read(), f.readline()))(g.GFile(d + "m/a.txt")),
    lambda g, d: (g.mkdir(d + "m"), g.mkdir(d + "n"), g.makedirs(d + "n/b/c"), g.makedirs(d + "n"),
                  g.isdir(d + "n/b/c")),
    lambda g, d: (g.copy(d + "m/a.txt", d + "c"), g.copy(d + "m/b.bin", d + "c", overwrite=True), g.exists(d + "c")),
    lambda g, d: (g.rename(d + "m/a.txt", d + "r"), g.exists(d + "r"), g.exists(d + "m/a.txt")),
    lambda g, d: (g.remove(d + "m/a.txt"), g.rmtree(d + "m"), g.exists(d + "m")),
]  # fmt: skip
FILE_ERRORS = [
    lambda g, d: g.GFile(d + "x").read(), lambda g, d: g.GFile(d + "x/y", "w").write("a"), lambda g, d: g.GFile(d, "x"),
    lambda g, d: g.listdir(d + "x"), lambda g, d: g.listdir(d + "m/a.txt"), lambda g, d: g.remove(d + "x"),
    lambda g, d: g.remove(d + "m"), lambda g, d: g.rmtree(d + "x"), lambda g, d: g.mkdir(d + "x/y"),
    lambda g, d: g.copy(d + "m/a.txt", d + "m/b.bin"), lambda g, d: g.copy(d + "x", d + "y"),
    lambda g, d: g.copy(d + "m", d + "y", overwrite=True),
    lambda g, d: g.rename(d + "x", d + "y"), lambda g, d: g.stat(d + "x"),
    lambda g, d: g.rename(d + "m/a.txt", d + "m/b.bin"), lambda g, d: g.makedirs(d + "m/a.txt"),
    lambda g, d: g.GFile(d + "m/a.txt").write("x"), lambda g, d: g.GFile(d + "m/a.txt", "w").read(),
]  # fmt: skip


@pytest.mark.parametrize("call", FILES)
def test_gfile(tf, place, tmp_path_factory, call):
    import shutil

    copy = str(tmp_path_factory.mktemp("ours")) + "/"
    shutil.copytree(place, copy, dirs_exist_ok=True)
    ours, real = call(tapejax.io.gfile, copy), call(tf.io.gfile, place)
    assert repr(ours).replace(copy, place) == repr(real)


@pytest.mark.parametrize("call", FILE_ERRORS)
def test_gfile_errors(tf, place, call):
    check_error(tf, lambda t: call(t.io.gfile, place))


def test_gfile_writes_and_appends(tmp_path):
    path = tmp_path / "log"
    with tapejax.io.gfile.GFile(path, "w") as file:
        file.write("one\n")
    with tapejax.io.gfile.GFile(str(path), "a") as file:
        file.write("twö\n")
        file.flush()
        assert path.read_text() == "one\ntwö\n"
    with pytest.raises(tapejax.errors.UnimplementedError, match="gs"):
        tapejax.io.gfile.GFile("gs://bucket/file").read()


def test_whole_files(tf, place):
    both(tf, lambda t: t.io.read_file(place + "m/a.txt"))
    both(tf, lambda t: t.io.read_file(t.constant(place + "m/b.bin")))
    both(tf, lambda t: t.io.matching_files([place + "m/*.txt", place + "m/*.bin"]))
    both(tf, lambda t: t.io.matching_files(place + "none*"))
    tapejax.io.write_file(place + "new/deep/f", tapejax.constant(b"\x00abc"))
    both(tf, lambda t: t.io.read_file(place + "new/deep/f"))
    check_error(tf, lambda t: t.io.read_file(place + "none"))
    check_error(tf, lambda t: t.io.read_file(place + "m"))
    check_error(tf, lambda t: t.io.read_file([place + "m", "x"]))


# Bytes

DECODE = [
    lambda t: t.io.decode_raw([b"abcdefgh", b"ijklmnop"], t.int16),
    lambda t: t.io.decode_raw(b"\x00\x00\x80?", "float32"),
    lambda t: t.io.decode_raw([[b"ab"], [b"cd"]], t.uint8), lambda t: t.io.decode_raw(b"", t.int32),
    lambda t: t.io.decode_raw(b"abcd", t.int16, little_endian=False), lambda t: t.io.decode_raw(b"\x00\x01", t.bool),
    lambda t: t.io.decode_raw([b"ab", b"cdefgh"], t.int16, fixed_length=4),
    lambda t: t.io.decode_csv(["1,2.5,x", "3,,y z"], [[0], [1.5], ["a"]]),
    lambda t: t.io.decode_csv('"a,""b""",-7', [["x"], t.constant([], t.int64)]),
    lambda t: t.io.decode_csv(["1|NA|3"], [[0], [9], [1]], field_delim="|", na_value="NA"),
    lambda t: t.io.decode_csv(["1,2,3,4"], [[0], [0.0]], select_cols=[1, 3]),
    lambda t: t.io.decode_csv(['a"b,2'], [["x"], [0]], use_quote_delim=False),
    lambda t: t.io.decode_csv([["1e3"], ["-.5"]], [[0.0]]),
    lambda t: t.io.encode_base64([b"hello", b"\xff\xfe\xfd"]), lambda t: t.io.encode_base64("a", pad=True),
    lambda t: t.io.decode_base64(["aGVsbG8", "_-79", "YQ=="]), lambda t: t.io.is_jpeg(b"\xff\xd8\xff\xe0"),
    lambda t: t.io.decode_compressed(__import__("gzip").compress(b"hello"), "GZIP"),
    lambda t: t.io.decode_compressed([__import__("zlib").compress(b"hello")], "ZLIB"),
]  # fmt: skip
DECODE_ERRORS = [
    lambda t: t.io.decode_raw([b"a", b"bc"], t.uint8), lambda t: t.io.decode_raw(b"abc", t.int16),
    lambda t: t.io.decode_raw(b"abcd", t.int16, fixed_length=3), lambda t: t.io.decode_csv(["1,2"], [[0]]),
    lambda t: t.io.decode_csv(["a"], [[0]]), lambda t: t.io.decode_csv([""], [t.constant([], t.int32)]),
    lambda t: t.io.decode_csv(["1.5"], [[0]]), lambda t: t.io.decode_csv(["99999999999"], [[0]]),
    lambda t: t.io.decode_csv(['"a'], [["x"]]), lambda t: t.io.decode_base64("a*b"),
    lambda t: t.io.decode_compressed(b"x", "BZ2"), lambda t: t.io.parse_tensor(b"\xff\xff", t.float32),
    lambda t: t.io.parse_tensor(t.io.serialize_tensor([1.0]), t.int32), lambda t: t.io.decode_image(b"nothing"),
    lambda t: t.io.decode_jpeg(b"nothing"), lambda t: t.io.decode_png(b"\x89PNG\r\n\x1a\nbroken"),
    lambda t: t.io.decode_gif(b"GIF89a"), lambda t: t.io.encode_png(t.constant([1], t.uint8)),
    lambda t: t.io.encode_jpeg(np.zeros((2, 2, 4), np.uint8)), lambda t: t.audio.decode_wav(b"nothing"),
    lambda t: t.io.encode_jpeg(np.zeros((2, 2, 3), np.uint8), quality=101),
    lambda t: t.audio.encode_wav(np.zeros(3, np.float32), 8000),
]  # fmt: skip


@pytest.mark.parametrize("call", DECODE)
def test_bytes_to_tensors(tf, call):
    both(tf, call)


@pytest.mark.parametrize("call", DECODE_ERRORS)
def test_bytes_to_tensors_errors(tf, call):
    check_error(tf, call)


ARRAYS = [
    np.float32([[1, 2], [3, -4]]), np.float64(3.5), np.arange(5, dtype=np.int32), np.array([-1, 2**40]),
    np.array([True, False]), np.zeros((0, 3), np.float32), np.array([b"a", b"\x00longer"], object), np.uint8([[255]]),
    np.float16([1.5, -2]), np.complex64([1 + 2j]), np.array(b"scalar", object),
]  # fmt: skip


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_tensors_are_exchanged_with_tensorflow(tf, array):
    dtype = tf.constant(array).dtype.name
    ours, real = (t.io.serialize_tensor(t.constant(array)).numpy() for t in (tapejax, tf))
    same(tf.io.parse_tensor(ours, dtype), tf.constant(array))
    same(tapejax.io.parse_tensor(real, dtype), tf.constant(array))
    same(tapejax.io.parse_tensor(ours, dtype), tf.constant(array))


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_tensors_in_typed_fields(tf, array):
    """Other writers put values in typed fields; equal values at the end may be left out."""
    proto = tf.make_tensor_proto(array)
    if array.dtype.kind != "O":
        proto = type(proto)(dtype=proto.dtype, tensor_shape=proto.tensor_shape)
        name = {"float32": "float_val", "float64": "double_val", "int64": "int64_val", "bool": "bool_val",
                "float16": "half_val", "complex64": "scomplex_val"}.get(array.dtype.name, "int_val")
        flat = array.reshape(-1).view({"half_val": np.uint16, "scomplex_val": np.float32}.get(name, array.dtype))
        getattr(proto, name).extend(flat.tolist())
    same(tapejax.io.parse_tensor(proto.SerializeToString(), tf.constant(array).dtype.name), tf.constant(array))


def test_a_value_that_stands_for_the_rest(tf):
    proto = tf.make_tensor_proto(np.full((3, 2), 7, np.int32))
    proto = type(proto)(dtype=proto.dtype, tensor_shape=proto.tensor_shape, int_val=[5, 7])
    both(tf, lambda t: t.io.parse_tensor(proto.SerializeToString(), t.int32))


# Records

LENGTHS = (0, 1, 7, 2047, 2048, 2049, 5000, 70001)


@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
def test_records_are_exchanged_with_tensorflow(tf, tmp_path, compression):
    records = [np.random.RandomState(n).bytes(n) for n in LENGTHS]
    for t, name in ((tapejax, "ours"), (tf, "real")):
        with t.io.TFRecordWriter(str(tmp_path / name), t.io.TFRecordOptions(compression)) as writer:
            for record in records:
                writer.write(record)
            writer.flush()
    read = tf.data.TFRecordDataset(str(tmp_path / "ours"), compression_type=compression)
    assert [r.numpy() for r in read] == records
    from tapejax.ops.io_records import read_records

    assert list(read_records(str(tmp_path / "real"), compression)) == records
    assert compression or (tmp_path / "ours").read_bytes() == (tmp_path / "real").read_bytes()


def test_damaged_records_are_noticed(tmp_path):
    from tapejax.ops.io_records import read_records

    path = tmp_path / "records"
    with tapejax.io.TFRecordWriter(path) as writer:
        writer.write(b"first")
        writer.write(b"second")
    good = path.read_bytes()
    for damaged in (good[:-1], good[:25], good.replace(b"second", b"sekond"), b"\x01" + good[1:]):
        path.write_bytes(damaged)
        with pytest.raises(tapejax.errors.DataLossError):
            list(read_records(path))
    with pytest.raises(tapejax.errors.NotFoundError):
        list(read_records(tmp_path / "none"))
    with pytest.raises(tapejax.errors.FailedPreconditionError):
        writer.write(b"late")


# Examples

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
        k: v.WhichOneof("kind") for k, v in real.features.feature.items()}


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
    one = [t.train.Example(features={"feature": {"k": t.train.Feature(bytes_list={"value": [b'a"\n\xff']})}})
           for t in (tapejax, tf)]
    assert str(one[0]) == str(one[1])



@pytest.mark.parametrize("call", [
    lambda t: t.BytesList(value=["text"]), lambda t: t.Int64List(value=[1.5]), lambda t: t.FloatList(value=["x"]),
    lambda t: t.Int64List(value=[2**63]), lambda t: t.Feature(no_such=1), lambda t: t.Example().nothing,
    lambda t: setattr(t.Example(), "features", t.Features()), lambda t: t.Feature().WhichOneof("sort"),
    lambda t: t.Features().feature[1], lambda t: t.Feature().HasField("nothing"),
])  # fmt: skip
def test_messages_refuse_what_protobuf_refuses(tf, call):
    check_error(tf, lambda t: call(t.train))


def parse_cases(t):
    fixed, var, io_ = t.io.FixedLenFeature, t.io.VarLenFeature, t.io
    return [
        {"x": fixed([3], t.float32), "label": fixed([], t.int64), "s": fixed((2,), t.string)},
        {"missing": fixed([2], t.float32, default_value=[1.0, 2.0]), "void": fixed([], t.int64, default_value=-7)},
        {"missing": fixed([], t.string, default_value=""), "n": fixed([3, 1], t.int64)},
        {"x": var(t.float32), "s": var(t.string), "missing": var(t.int64), "empty": var(t.int64)},
        {"n": io_.FixedLenSequenceFeature([], t.int64, allow_missing=True),
         "missing": io_.FixedLenSequenceFeature([2], t.float32, allow_missing=True)},
        {"sparse": io_.SparseFeature("at", "x", t.float32, 10)},
    ]


@pytest.mark.parametrize("i", range(6))
def test_parsing_examples(tf, i):
    data = example(tf).SerializeToString()
    other = tf.train.Example()
    other.CopyFrom(example(tf))
    other.features.feature["n"].int64_list.value[:] = [9, 8, 7]
    both(tf, lambda t: t.io.parse_single_example(data, parse_cases(t)[i]))
    both(tf, lambda t: t.io.parse_example([data, other.SerializeToString()], parse_cases(t)[i]))
    both(tf, lambda t: t.io.parse_example(t.constant(data), parse_cases(t)[i]))


def test_sequences_of_several_lengths_are_filled_up(tf):
    data = []
    for n in (1, 0, 3):
        e = tf.train.Example()
        e.features.feature["n"].int64_list.value.extend(range(n))
        data.append(e.SerializeToString())
    both(tf, lambda t: t.io.parse_example(data, {"n": t.io.FixedLenSequenceFeature([], t.int64, True, -1)}))
    both(tf, lambda t: t.io.parse_example(data, {"n": t.io.VarLenFeature(t.int64)}))


@pytest.mark.parametrize("features", [
    lambda t: {"x": t.io.FixedLenFeature([2], t.float32)}, lambda t: {"x": t.io.FixedLenFeature([3], t.int64)},
    lambda t: {"missing": t.io.FixedLenFeature([], t.int64)}, lambda t: {"x": t.io.VarLenFeature(t.string)},
    lambda t: {"n": t.io.FixedLenSequenceFeature([2], t.int64, allow_missing=True)},
    lambda t: {"n": t.io.FixedLenSequenceFeature([], t.int64)}, lambda t: {},
])  # fmt: skip
def test_parsing_errors(tf, features):
    data = example(tf).SerializeToString()
    check_error(tf, lambda t: t.io.parse_single_example(data, features(t)))
    check_error(tf, lambda t: t.io.parse_example([data, data], features(t)))


def test_what_is_no_example_is_refused(tf):
    check_error(tf, lambda t: t.io.parse_single_example(b"\x0a\x05abc", {"x": t.io.VarLenFeature(t.float32)}))
    check_error(tf, lambda t: t.io.parse_single_example([b"", b""], {"x": t.io.VarLenFeature(t.float32)}))


def _sequence(t, steps):
    s = t.train.SequenceExample()
    s.context.feature["id"].int64_list.value.append(steps)
    for i in range(steps):
        s.feature_lists.feature_list["v"].feature.add().float_list.value.extend([float(i), 0.5])
        s.feature_lists.feature_list["w"].feature.add().int64_list.value.extend(range(i))
    return s.SerializeToString()


def test_parsing_sequence_examples(tf):
    def describe(t):
        return ({"id": t.io.FixedLenFeature([], t.int64)},
                {"v": t.io.FixedLenSequenceFeature([2], t.float32), "w": t.io.VarLenFeature(t.int64)})

    data = [_sequence(tf, n) for n in (3, 1)]
    for one in data:
        both(tf, lambda t, one=one: t.io.parse_single_sequence_example(one, *describe(t)))
    both(tf, lambda t: t.io.parse_sequence_example(data, *describe(t)))
    check_error(tf, lambda t: t.io.parse_single_sequence_example(
        data[0], {}, {"z": t.io.FixedLenSequenceFeature([2], t.float32)}))
    check_error(tf, lambda t: t.io.parse_single_sequence_example(
        data[0], {}, {"v": t.io.FixedLenSequenceFeature([3], t.float32)}))


def ragged_cases(t):
    r = t.io.RaggedFeature
    return [{"n": r(t.int64)}, {"n": r(t.int64, row_splits_dtype=t.int64)},
            {"r": r(t.float32, value_key="x", partitions=[r.RowLengths("lengths")])},
            {"r": r(t.float32, value_key="x", partitions=[r.UniformRowLength(3)])}]  # fmt: skip


@pytest.mark.parametrize("i", range(4))
def test_parsing_ragged_features(tf, i):
    data = example(tf).SerializeToString()
    both(tf, lambda t: t.io.parse_single_example(data, ragged_cases(t)[i]))
    both(tf, lambda t: t.io.parse_example([data, data], ragged_cases(t)[i]))


def test_sparse_tensors_as_strings(tf):
    def sparse(t):
        return t.SparseTensor([[0, 1], [2, 0]], [1.5, 2.5], [3, 4])

    both(tf, lambda t: t.io.deserialize_many_sparse(t.io.serialize_many_sparse(sparse(t)), t.float32))
    both(tf, lambda t: t.io.deserialize_many_sparse(t.io.serialize_sparse(sparse(t)).numpy()[None], t.float32))


# Images and sounds

def _picture(channels, size=(24, 17)):
    y, x = np.mgrid[: size[0], : size[1]]
    return np.stack([(y * 7 + x * (3 + c) + 20 * c) % 256 for c in range(channels)], -1).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_files_keep_every_pixel(tf, channels):
    picture = _picture(channels)
    files = [t.io.encode_png(t.constant(picture)).numpy() for t in (tapejax, tf)]
    for data in files:
        both(tf, lambda t, data=data: t.io.decode_png(data))
        both(tf, lambda t, data=data: t.io.decode_image(data))
        both(tf, lambda t, data=data: t.io.decode_image(data, dtype=t.float32))
        both(tf, lambda t, data=data: t.io.decode_png(data, dtype=t.uint16))
        both(tf, lambda t, data=data: t.io.decode_png(data, channels=3))
        both(tf, lambda t, data=data: t.io.decode_png(data, channels=4))
        np.testing.assert_allclose(tapejax.io.decode_png(data, channels=1).numpy().astype(int),
                                   tf.io.decode_png(data, channels=1).numpy().astype(int), atol=1)


def test_deep_greys_in_png_files(tf):
    picture = (np.arange(60).reshape(6, 10, 1) * 1000).astype(np.uint16)
    for t in (tapejax, tf):
        data = t.io.encode_png(t.constant(picture)).numpy()
        both(tf, lambda t, data=data: t.io.decode_png(data, dtype=t.uint16))
        both(tf, lambda t, data=data: t.io.decode_png(data))


def _close(ours, real, most):
    assert ours.shape == real.shape and ours.dtype.name == real.dtype.name
    assert np.abs(ours.numpy().astype(int) - real.numpy().astype(int)).max() <= most


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_files(tf, channels):
    """TensorFlow decodes with a fast, less exact transform: its pixels may differ a little."""
    picture = _picture(3)[:, :, :channels] // 4 + 60
    for data in (t.io.encode_jpeg(t.constant(picture), quality=95, chroma_downsampling=False).numpy()
                 for t in (tapejax, tf)):
        _close(tapejax.io.decode_jpeg(data), tf.io.decode_jpeg(data, dct_method="INTEGER_ACCURATE"), 1)
        _close(tapejax.io.decode_jpeg(data, channels=1), tf.io.decode_jpeg(data, channels=1), 6)
        _close(tapejax.image.decode_image(data, channels=3), tf.image.decode_image(data, channels=3), 12)
        _close(tapejax.io.decode_jpeg(data, ratio=2), tf.io.decode_jpeg(data, ratio=2), 12)
        _close(tapejax.io.decode_and_crop_jpeg(data, [3, 4, 10, 9]),
               tf.io.decode_and_crop_jpeg(data, [3, 4, 10, 9], dct_method="INTEGER_ACCURATE"), 1)
        both(tf, lambda t, data=data: t.io.extract_jpeg_shape(data))
        both(tf, lambda t, data=data: t.io.is_jpeg(data))
        check_error(tf, lambda t, data=data: t.io.decode_and_crop_jpeg(data, [3, 4, 30, 9]))


def test_other_image_files(tf):
    from PIL import Image

    frames = [Image.fromarray(_picture(3) // (i + 1)).quantize(16) for i in range(3)]
    gif, bmp, still = io.BytesIO(), io.BytesIO(), io.BytesIO()
    frames[0].save(gif, "GIF", save_all=True, append_images=frames[1:])
    Image.fromarray(_picture(3)).save(bmp, "BMP")
    frames[0].save(still, "PNG")
    both(tf, lambda t: t.io.decode_gif(gif.getvalue()))
    both(tf, lambda t: t.io.decode_image(gif.getvalue()))
    both(tf, lambda t: t.io.decode_image(gif.getvalue(), expand_animations=False))
    both(tf, lambda t: t.io.decode_bmp(bmp.getvalue()))
    both(tf, lambda t: t.io.decode_image(bmp.getvalue()))
    both(tf, lambda t: t.io.decode_png(still.getvalue()))


def test_jpeg_quality(tf):
    picture = _picture(3) // 4 + 60
    _close(tapejax.image.adjust_jpeg_quality(picture, 80), tf.image.adjust_jpeg_quality(picture, 80), 16)
    assert tapejax.image.random_jpeg_quality(picture, 70, 90).dtype is tapejax.uint8


def test_without_pillow_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ImportError, match=r"tapejax\[image\]"):
        tapejax.io.decode_image(b"\xff\xd8\xff")


def test_sounds(tf):
    sound = np.sin(np.arange(200) / 9).reshape(100, 2).astype(np.float32) * 1.2
    files = [t.audio.encode_wav(t.constant(sound), 16000).numpy() for t in (tapejax, tf)]
    assert files[0] == files[1]
    for options in ({}, {"desired_channels": 1}, {"desired_samples": 50}, {"desired_samples": 150}):
        both(tf, lambda t, options=options: tuple(t.audio.decode_wav(files[1], **options)))


def test_what_cannot_be_had_says_so():
    for name in ("decode_proto", "encode_proto", "write_graph", "match_filenames_once", "decode_json_example",
                 "decode_jxl"):
        with pytest.raises(tapejax.errors.UnsupportedError):
            getattr(tapejax.io, name)()


def test_reading_executes_nothing():
    """A pickle in the place of a tensor or an Example is refused like any other rubbish."""
    import pickle

    class Bomb:
        def __reduce__(self):
            return os.mkdir, ("/nowhere/at/all",)

    for call in (lambda d: tapejax.io.parse_tensor(d, "float32"),
                 lambda d: tapejax.io.parse_single_example(d, {"x": tapejax.io.VarLenFeature("float32")})):
        with pytest.raises(tapejax.errors.InvalidArgumentError):
            call(pickle.dumps(Bomb()))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp(tf, mode):
    from PIL import Image

    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (5, 4, len(mode)), np.uint8)
    pixels[..., 3:] |= 1  # what is wholly transparent has no colour
    Image.fromarray(pixels).save(file, "WEBP", lossless=True)
    for channels in (0, len(mode)):
        both(tf, lambda m, channels=channels: m.io.decode_webp(file.getvalue(), channels))
    check_error(tf, lambda m: m.io.decode_webp(file.getvalue(), 7 - len(mode)))
