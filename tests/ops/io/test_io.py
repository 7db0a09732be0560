"""`tf.io` against real TensorFlow: files, bytes, tensors, records, errors."""

import os

import numpy as np
import pytest
from support.compare import same
from support.harness import check, check_error, raises

import tapejax

pytest.importorskip("PIL")


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
    raises("NotFoundError", lambda g, d: g.GFile(d + "x").read()),
    raises("NotFoundError", lambda g, d: g.GFile(d + "x/y", "w").write("a")),
    raises("InvalidArgumentError", lambda g, d: g.GFile(d, "x")),
    raises("NotFoundError", lambda g, d: g.listdir(d + "x")),
    raises("NotFoundError", lambda g, d: g.listdir(d + "m/a.txt")),
    raises("NotFoundError", lambda g, d: g.remove(d + "x")),
    raises("FailedPreconditionError", lambda g, d: g.remove(d + "m")),
    raises("NotFoundError", lambda g, d: g.rmtree(d + "x")),
    raises("NotFoundError", lambda g, d: g.mkdir(d + "x/y")),
    raises("AlreadyExistsError", lambda g, d: g.copy(d + "m/a.txt", d + "m/b.bin")),
    raises("NotFoundError", lambda g, d: g.copy(d + "x", d + "y")),
    raises("InvalidArgumentError", lambda g, d: g.copy(d + "m", d + "y", overwrite=True)),
    raises("NotFoundError", lambda g, d: g.rename(d + "x", d + "y")),
    raises("NotFoundError", lambda g, d: g.stat(d + "x")),
    raises("AlreadyExistsError", lambda g, d: g.rename(d + "m/a.txt", d + "m/b.bin")),
    raises("FailedPreconditionError", lambda g, d: g.makedirs(d + "m/a.txt")),
    raises("PermissionDeniedError", lambda g, d: g.GFile(d + "m/a.txt").write("x")),
    raises("PermissionDeniedError", lambda g, d: g.GFile(d + "m/a.txt", "w").read()),
]


@pytest.mark.parametrize("call", FILES)
def test_gfile(tf, place, tmp_path_factory, call):
    import shutil

    copy = str(tmp_path_factory.mktemp("ours")) + "/"
    shutil.copytree(place, copy, dirs_exist_ok=True)
    ours, real = call(tapejax.io.gfile, copy), call(tf.io.gfile, place)
    assert repr(ours).replace(copy, place) == repr(real)


@pytest.mark.parametrize("call", FILE_ERRORS)
def test_gfile_errors(tf, place, call):
    check_error(tf, lambda t: call(t.io.gfile, place), declared=call)


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
    check(tf, lambda t: t.io.read_file(place + "m/a.txt"))
    check(tf, lambda t: t.io.read_file(t.constant(place + "m/b.bin")))
    check(tf, lambda t: t.io.matching_files([place + "m/*.txt", place + "m/*.bin"]))
    check(tf, lambda t: t.io.matching_files(place + "none*"))
    tapejax.io.write_file(place + "new/deep/f", tapejax.constant(b"\x00abc"))
    check(tf, lambda t: t.io.read_file(place + "new/deep/f"))
    check_error(tf, raises("NotFoundError", lambda t: t.io.read_file(place + "none")))
    check_error(tf, raises("FailedPreconditionError", lambda t: t.io.read_file(place + "m")))
    check_error(
        tf, raises("InvalidArgumentError", lambda t: t.io.read_file([place + "m", "x"]), in_function=ValueError)
    )


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
    raises("InvalidArgumentError", lambda t: t.io.decode_raw([b"a", b"bc"], t.uint8)),
    raises("InvalidArgumentError", lambda t: t.io.decode_raw(b"abc", t.int16)),
    raises("InvalidArgumentError", lambda t: t.io.decode_raw(b"abcd", t.int16, fixed_length=3), in_function=ValueError),
    raises("InvalidArgumentError", lambda t: t.io.decode_csv(["1,2"], [[0]])),
    raises("InvalidArgumentError", lambda t: t.io.decode_csv(["a"], [[0]])),
    raises("InvalidArgumentError", lambda t: t.io.decode_csv([""], [t.constant([], t.int32)])),
    raises("InvalidArgumentError", lambda t: t.io.decode_csv(["1.5"], [[0]])),
    raises("InvalidArgumentError", lambda t: t.io.decode_csv(["99999999999"], [[0]])),
    raises("InvalidArgumentError", lambda t: t.io.decode_csv(['"a'], [["x"]])),
    raises("InvalidArgumentError", lambda t: t.io.decode_base64("a*b")),
    raises("InvalidArgumentError", lambda t: t.io.decode_compressed(b"x", "BZ2")),
    raises("InvalidArgumentError", lambda t: t.io.parse_tensor(b"\xff\xff", t.float32)),
    raises("InvalidArgumentError", lambda t: t.io.parse_tensor(t.io.serialize_tensor([1.0]), t.int32)),
    raises("InvalidArgumentError", lambda t: t.io.decode_image(b"nothing")),
    raises("InvalidArgumentError", lambda t: t.io.decode_jpeg(b"nothing")),
    raises("InvalidArgumentError", lambda t: t.io.decode_png(b"\x89PNG\r\n\x1a\nbroken")),
    raises("InvalidArgumentError", lambda t: t.io.decode_gif(b"GIF89a")),
    raises("InvalidArgumentError", lambda t: t.io.encode_png(t.constant([1], t.uint8)), in_function=ValueError),
    raises("InvalidArgumentError", lambda t: t.io.encode_jpeg(np.zeros((2, 2, 4), np.uint8))),
    raises("InvalidArgumentError", lambda t: t.audio.decode_wav(b"nothing")),
    raises("InvalidArgumentError", lambda t: t.io.encode_jpeg(np.zeros((2, 2, 3), np.uint8), quality=101)),
    raises("InvalidArgumentError", lambda t: t.audio.encode_wav(np.zeros(3, np.float32), 8000), in_function=ValueError),
]


@pytest.mark.parametrize("call", DECODE)
def test_bytes_to_tensors(tf, call):
    check(tf, call)


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
        name = {
            "float32": "float_val",
            "float64": "double_val",
            "int64": "int64_val",
            "bool": "bool_val",
            "float16": "half_val",
            "complex64": "scomplex_val",
        }.get(array.dtype.name, "int_val")
        flat = array.reshape(-1).view({"half_val": np.uint16, "scomplex_val": np.float32}.get(name, array.dtype))
        getattr(proto, name).extend(flat.tolist())
    same(tapejax.io.parse_tensor(proto.SerializeToString(), tf.constant(array).dtype.name), tf.constant(array))


def test_a_value_that_stands_for_the_rest(tf):
    proto = tf.make_tensor_proto(np.full((3, 2), 7, np.int32))
    proto = type(proto)(dtype=proto.dtype, tensor_shape=proto.tensor_shape, int_val=[5, 7])
    check(tf, lambda t: t.io.parse_tensor(proto.SerializeToString(), t.int32))


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
    from tapejax._src.ops.io.records import read_records

    assert list(read_records(str(tmp_path / "real"), compression)) == records
    assert compression or (tmp_path / "ours").read_bytes() == (tmp_path / "real").read_bytes()


def test_damaged_records_are_noticed(tmp_path):
    from tapejax._src.ops.io.records import read_records

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


# What is not there, and what is refused


def test_what_cannot_be_had_says_so():
    for name in (
        "decode_proto",
        "encode_proto",
        "write_graph",
        "match_filenames_once",
        "decode_json_example",
        "decode_jxl",
    ):
        with pytest.raises(tapejax.errors.UnsupportedError):
            getattr(tapejax.io, name)()


def test_reading_executes_nothing():
    """A pickle in the place of a tensor or an Example is refused like any other rubbish."""
    import pickle

    class Bomb:
        def __reduce__(self):
            return os.mkdir, ("/nowhere/at/all",)

    for call in (
        lambda d: tapejax.io.parse_tensor(d, "float32"),
        lambda d: tapejax.io.parse_single_example(d, {"x": tapejax.io.VarLenFeature("float32")}),
    ):
        with pytest.raises(tapejax.errors.InvalidArgumentError):
            call(pickle.dumps(Bomb()))
