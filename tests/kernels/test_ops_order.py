"""What a CPU does in its own way where order counts (sort, argsort, top_k, argmax) and where blocks move: against
TensorFlow, and against what other devices do."""

import jax
import numpy as np
import pytest
from support import harness
from support.harness import Case, f32

import tapejax
from tapejax._src.kernels.cpu import sort as order
from tapejax._src.ops.array import space
from tapejax._src.ops.math import along_axis

NAN, INF = float("nan"), float("inf")
FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
EXTREMES = f32([0.0, -0.0, 1.5, -1.5, INF, -INF, 3.0, 0.0, -0.0, 1.5, -2.0, -0.0])


def numbers(dtype: str) -> np.ndarray:
    """Values (3, 4) with ties, and the ends of the dtype."""
    dtype = jax.numpy.dtype(dtype)
    if dtype.kind in "iu":
        ends = np.iinfo(dtype)
        return np.array([[5, ends.min, 5, ends.max], [1, 0, ends.max, 2], [ends.min, 7, 5, 0]], dtype)
    return EXTREMES.reshape(3, 4).astype(dtype)


def case(name, call, *inputs, order=0):
    return Case(name, call, inputs, order)


TIED = f32([[2, 1, 2], [0.5, 1, -2], [2, -3, 0]])
WIDE = np.random.default_rng(0).integers(-3, 4, (2, 3, 50)).astype(np.float32)
DEEP = np.random.default_rng(1).standard_normal((2, 4, 6, 16)).astype(np.float32)
CASES = [
    *(case(f"{how} {dtype} {axis} {direction}", lambda tf, x, how=how, a=axis, d=direction: getattr(tf, how)(x, a, d),
           numbers(dtype))
      for how in ("sort", "argsort") for dtype in FLOATS + INTEGERS
      for axis, direction in ((-1, "ASCENDING"), (0, "DESCENDING")) if (how, dtype[0]) != ("sort", "u")),
    *(case(f"top_k {dtype} {k}", lambda tf, x, k=k: tf.math.top_k(tf.reshape(x, [-1]), k).indices, numbers(dtype))
      for dtype in FLOATS + INTEGERS for k in (1, 8)),
    *(case(f"signs of zeros {dtype} {d}", lambda tf, x, d=d: 1 / tf.sort(x, direction=d), numbers(dtype).ravel())
      for dtype in FLOATS for d in ("ASCENDING", "DESCENDING")),
    case("signs of the largest zeros", lambda tf, x: 1 / tf.math.top_k(x, 2).values, f32([-1.0, -0.0, 0.0] * 20)),
    case("nothing to sort", lambda tf, x: tf.sort(x), np.zeros((2, 0), np.float32)),
    case("no rows", lambda tf, x: tf.argsort(x, 1), np.zeros((0, 3))),
    case("the largest of nothing", lambda tf, x: tf.math.top_k(x, 0).values, np.zeros((2, 0), np.float32)),
    *(case(f"gradient of sort {a} {d}", lambda tf, x, a=a, d=d: tf.sort(x * x, a, d) * x, TIED, order=2)
      for a in (0, 1) for d in ("ASCENDING", "DESCENDING")),
    case("gradient of float64 sort", lambda tf, x: tf.sort(x * x), TIED.astype(np.float64), order=2),
    *(case(f"gradient of top_k {k}", lambda tf, x, k=k: tf.math.top_k(x * x, k).values, WIDE, order=2)
      for k in (2, 30)),
    case("sorted by argsort", lambda tf, x: tf.gather(x, tf.argsort(x), axis=1, batch_dims=1) ** 2, TIED, order=2),
    *(case(f"{how} {label}", lambda tf, x, how=how: getattr(tf, how)(x, 1), np.array([row, row[::-1]], dtype))
      for how in ("argmax", "argmin") for dtype in (np.float16, np.float32, np.float64)
      for label, row in ((f"{np.dtype(dtype)} {row}", row) for row in (
          [NAN, -INF], [NAN, INF], [NAN, NAN], [-INF, -INF], [INF, INF], [2.0, NAN], [0.0, -0.0],
          [-INF, np.finfo(dtype).min, NAN], [INF, np.finfo(dtype).max], [1.0, -INF, INF, NAN]))),
    *(case(f"argmin {dtype}", lambda tf, x: tf.argmin(x, 0), numbers(dtype)) for dtype in FLOATS + INTEGERS),
    case("blocks to depth", lambda tf, x: tf.nn.space_to_depth(x * x, 2), DEEP, order=2),
    case("depth to blocks", lambda tf, x: tf.nn.depth_to_space(x * x, 2), DEEP, order=2),
    case("depth to wide blocks", lambda tf, x: tf.nn.depth_to_space(tf.reshape(x * x, [1, 2, 2, 192]), 2), DEEP,
         order=2),
]  # fmt: skip
TABLE = harness.Table(CASES)


@pytest.mark.parametrize("mode", harness.MODES)
@pytest.mark.parametrize("name", TABLE.cases)
def test_as_tensorflow(tf, name, mode):
    TABLE.check(tf, name, mode)


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS)
def test_devices_agree(dtype, monkeypatch):
    """Bit for bit, nan included; its sign does not count where it goes, and the lowering for CPUs keeps it."""
    x = numbers(dtype).ravel()
    if dtype in FLOATS:
        x = np.concatenate([x, np.array([NAN, 2.0, NAN], x.dtype)])
    calls = {
        f"{how.__name__} {down}": (lambda x, how=how, down=down: how(x, 0, down))
        for how in (order.sort, order.argsort)
        for down in (False, True)
    }
    calls |= {
        how.__name__: (lambda x, how=how: along_axis._position(x, 0, np.dtype(np.int64), (np.int64,), how))
        for how in (jax.lax.argmax, jax.lax.argmin)
    }
    calls["exchange"] = lambda x: space._exchange(jax.numpy.tile(x[:4], 16).reshape(1, 1, 2, 32), inwards=True)

    def found():
        with jax.enable_x64(True):
            return {name: np.asarray(jax.jit(lambda x, call=call: call(x))(x)) for name, call in calls.items()}

    on_cpu = found()
    for module in (order, along_axis, space):
        monkeypatch.setattr(module, "for_platform", lambda cpu, default: default)
    for name, elsewhere in found().items():
        assert on_cpu[name].dtype == elsewhere.dtype, name
        assert on_cpu[name].tobytes() == elsewhere.tobytes(), name


def test_nan_of_either_sign_is_largest():
    x = np.array([1, -NAN, 5, NAN, -INF], np.float32)
    assert tapejax.argsort(x).numpy().tolist() == [4, 0, 2, 1, 3]
    for k in (2, 5):
        padded = np.concatenate([x, np.full(40, -9, np.float32)])
        assert tapejax.math.top_k(padded, k).indices.numpy().tolist() == [1, 3, 2, 0, 5][:k]
    assert np.signbit(tapejax.sort(x).numpy()).tolist() == [True, False, False, True, False]


def test_subnormal_numbers_differ():
    x = f32([1e-40, -1e-40, 0.0, 3e-45])  # all equal to TensorFlow
    assert tapejax.sort(x).numpy().view(np.int32).tolist() == np.sort(x).view(np.int32).tolist()


def test_batched():
    x = np.random.default_rng(2).standard_normal((2, 3, 4)).astype(np.float32)
    for call in (
        tapejax.sort,
        lambda t: tapejax.sort(t, 0, "DESCENDING"),
        lambda t: tapejax.argmax(t, 1),
        lambda t: tapejax.math.top_k(t, 2).values,
    ):
        rows = np.stack([call(tapejax.constant(row)).numpy() for row in x])
        np.testing.assert_array_equal(tapejax.vectorized_map(call, tapejax.constant(x)).numpy(), rows)
    with tapejax.GradientTape() as tape:
        t = tapejax.constant(x[0])
        tape.watch(t)
        y = tapejax.sort(t)
    jacobian = tape.batch_jacobian(y, t).numpy()
    np.testing.assert_array_equal(jacobian, np.eye(4)[np.argsort(x[0])])
