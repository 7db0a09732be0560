"""`tapejax.dtypes` against real TensorFlow's: every property, and everything that converts to a dtype."""

import copy
import operator
import pickle
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from tapejax._src.core import dtypes

NAMES = [name for name in dtypes.__all__ if isinstance(getattr(dtypes, name), dtypes.DType)]

PROPERTIES = (
    "name", "as_datatype_enum", "size", "is_floating", "is_integer", "is_unsigned", "is_complex", "is_bool",
    "is_quantized", "is_numeric", "is_numpy_compatible", "as_numpy_dtype", "min", "max",
)  # fmt: skip


class WithDtype:
    """Something that has a `dtype` as NumPy would understand it."""

    dtype = "int32"


class WithoutDtype:
    """Something that has none."""


# What TensorFlow converts to a dtype, or refuses.
CONVERTIBLE = (
    "float", "double", "half", "bool", "string", "resource", "variant", "bfloat16", "int4", "qint8",
    "int", "long", "f4", "<f4", "str", "bool_", "object", "S", "complex", "blah", "", "float32 ", "INT32",
    b"float32", float, bool, object, int, complex, str, bytes, type(None), None, slice, len,
    1, 2, 19, 33, 34, 99, 0, -1, 1.0, 2.5, True, [1], (), {}, WithDtype(), WithDtype, WithoutDtype(),
    np.float16, np.float32, np.float64, np.bool_, np.int8, np.uint64, np.complex128, np.object_, np.str_,
    np.bytes_, np.byte, np.short, np.intc, np.long, np.longlong, np.ubyte, np.ushort, np.uintc, np.ulong,
    np.ulonglong, np.void, np.datetime64, np.longdouble, np.floating, np.number, np.generic,
    np.dtype("float32"), np.dtype(">f4"), np.dtype(">i8"), np.dtype("S3"), np.dtype("U3"), np.dtype(object),
    np.dtype("longlong"), np.dtype([("a", "i4")]), np.dtype(("i4", (2,))), np.dtype("M8[s]"),
    np.dtype([("qint8", np.int8)]), np.zeros(2), np.array("a"), np.array(3, "M8[s]"), np.int32(3),
    np.int64(1), np.float32(1.0), jnp.float32, jnp.bfloat16,
    ml_dtypes.bfloat16, ml_dtypes.int4, ml_dtypes.uint2, np.dtype(ml_dtypes.int4), ml_dtypes.float8_e4m3fn,
    ml_dtypes.float4_e2m1fn, ml_dtypes.float8_e4m3, ml_dtypes.float8_e8m0fnu,
)  # fmt: skip


def outcome(compute: Callable[..., Any], *args: Any) -> Any:
    """A result with its type, or the class of the exception."""
    try:
        result = compute(*args)
    except Exception as error:
        return type(error)
    return type(result), repr(result)


@pytest.fixture(scope="session")
def tf_dtypes(tf: Any) -> dict[str, Any]:
    """Real TensorFlow's dtypes by the names of ours; the small ones are in `tf.dtypes.experimental`."""
    return {name: tf.as_dtype(getattr(dtypes, name).name) for name in NAMES}


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", NAMES)
def test_properties(tf_dtypes: dict[str, Any], name: str) -> None:
    ours, theirs = getattr(dtypes, name), tf_dtypes[name]
    for show in (repr, str, hash, int):
        assert show(ours) == show(theirs)
    for attribute in PROPERTIES:
        get = operator.attrgetter(attribute)
        assert outcome(get, ours) == outcome(get, theirs), attribute
    assert repr(ours.real_dtype) == repr(theirs.real_dtype)
    assert repr(ours.base_dtype) == repr(theirs.base_dtype)
    if ours.is_numpy_compatible:  # For handles TensorFlow fails with a KeyError of its own table.
        limits = operator.attrgetter("limits")
        assert outcome(limits, ours) == outcome(limits, theirs)


@pytest.mark.tensorflow
def test_every_public_dtype_of_tensorflow_is_here(tf: Any) -> None:
    for namespace in (tf, tf.dtypes, tf.dtypes.experimental):
        for name, theirs in vars(namespace).items():
            if isinstance(theirs, tf.DType):
                assert repr(getattr(dtypes, name)) == repr(theirs)
    assert {*map(repr, dtypes.QUANTIZED_DTYPES)} == {
        repr(theirs) for theirs in tf.dtypes.QUANTIZED_DTYPES if not repr(theirs).endswith("_ref")
    }


@pytest.mark.tensorflow
@pytest.mark.parametrize("value", CONVERTIBLE)
def test_as_dtype(tf: Any, value: Any) -> None:
    ours, theirs = outcome(dtypes.as_dtype, value), outcome(tf.as_dtype, value)
    if isinstance(theirs, type):
        assert ours is theirs
    else:
        assert ours[1] == theirs[1]


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["float32", "int64", "string", "bool", "bfloat16"])
def test_comparison(tf_dtypes: dict[str, Any], name: str) -> None:
    ours, theirs = getattr(dtypes, name), tf_dtypes[name]
    for value in CONVERTIBLE:
        assert (ours == value, ours != value) == (theirs == value, theirs != value), value
        assert outcome(ours.is_compatible_with, value) == outcome(theirs.is_compatible_with, value), value
    for other in NAMES:
        ours2, theirs2 = getattr(dtypes, other), tf_dtypes[other]
        assert (ours == ours2, ours != ours2) == (theirs == theirs2, theirs != theirs2)
        assert ours.is_subtype_of(ours2) == theirs.is_subtype_of(theirs2)


@pytest.mark.tensorflow
def test_reflected_comparison_with_numpy(tf: Any) -> None:
    for left in (np.float32, np.dtype("float32"), np.int8, np.dtype("int8"), "float32", "int8"):
        assert (left == dtypes.float32) is (left == tf.float32)


@pytest.mark.tensorflow
@pytest.mark.parametrize("number", [1, 14, 33, 34, 0, 99, "float32", None])
def test_constructor(tf: Any, number: Any) -> None:
    ours, theirs = outcome(dtypes.DType, number), outcome(tf.DType, number)
    assert ours == theirs if isinstance(theirs, type) else ours[1] == theirs[1]


@pytest.mark.tensorflow
def test_numpy_does_not_take_a_dtype_as_its_own(tf: Any) -> None:
    for dtype in (dtypes.float32, tf.float32):
        with pytest.raises(TypeError):
            np.zeros(2, dtype)


def test_there_is_one_object_for_each_dtype() -> None:
    for name in NAMES:
        dtype = getattr(dtypes, name)
        assert pickle.loads(pickle.dumps(dtype)) is dtype
        assert copy.deepcopy(dtype) is dtype
        assert dtypes.as_dtype(dtype.name) is dtype
        assert dtypes.DType(dtype.as_datatype_enum) is dtype
    assert dtypes.half is dtypes.float16
    assert dtypes.double is dtypes.float64


def test_numpy_round_trip() -> None:
    for name in NAMES:
        dtype = getattr(dtypes, name)
        if dtype.is_numpy_compatible:
            assert dtypes.from_numpy(dtypes.to_numpy(dtype)) is dtype
            assert dtypes.to_numpy(dtype.name) == dtypes.to_numpy(dtype)
            assert dtypes.to_numpy(dtype) == np.dtype(dtype.as_numpy_dtype)
        else:
            with pytest.raises(TypeError, match=name):
                dtypes.to_numpy(dtype)
            with pytest.raises(TypeError, match=name):
                dtypes.to_numpy(name)


def test_to_numpy_agrees_with_as_dtype() -> None:
    for value in CONVERTIBLE:
        try:
            expected = dtypes.as_dtype(value)
        except TypeError:
            with pytest.raises(TypeError):
                dtypes.to_numpy(value)
        else:
            if expected.is_numpy_compatible:
                assert dtypes.to_numpy(value) is dtypes.to_numpy(expected)


def test_foreign_byte_order_becomes_native() -> None:
    assert dtypes.to_numpy(np.dtype(">f4")).isnative
    assert dtypes.from_numpy(np.dtype(">i8")) is dtypes.int64
    with pytest.raises(TypeError, match="M8"):
        dtypes.from_numpy(np.dtype("M8[s]"))
