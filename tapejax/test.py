"""``tf.test``: `TestCase` with the array asserts that TensorFlow tests use, and device queries."""

import contextlib
import tempfile
import unittest
from collections.abc import Iterator
from typing import Any

import numpy as np

from tapejax import config, missing, nest
from tapejax.errors import OpError

__all__ = ["TestCase", "get_temp_dir", "is_built_with_cuda", "is_gpu_available", "main"]

_temp: list[tempfile.TemporaryDirectory] = []


def main(argv: list[str] | None = None) -> None:
    """Runs all tests of the calling script, as `unittest.main`."""
    unittest.main(module="__main__", argv=argv)


def get_temp_dir() -> str:
    """A folder for the tests of this process; deleted at exit."""
    if not _temp:
        _temp.append(tempfile.TemporaryDirectory(prefix="tapejax_test_"))
    return _temp[0].name


def is_built_with_cuda() -> bool:
    """Whether JAX can use a GPU here."""
    return bool(config.list_physical_devices("GPU"))


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: Any = None) -> bool:
    """Whether a GPU is there. (A minimum compute capability cannot be asked of JAX and must be None.)"""
    if min_cuda_compute_capability is not None:
        raise ValueError("`min_cuda_compute_capability` is not known to JAX; leave it out")
    return bool(config.list_physical_devices("GPU"))


class TestCase(unittest.TestCase):
    """`unittest.TestCase` with asserts for tensors, arrays and structures of them.

    Source: https://www.tensorflow.org/api_docs/python/tf/test/TestCase

    >>> TestCase().assertAllClose([1.0], [1.0 + 1e-9])
    """

    __test__ = False  # pytest collects subclasses, not this name

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__test__ = True

    def __init__(self, methodName: str = "runTest"):
        super().__init__(methodName)

    def runTest(self) -> None:
        """Lets the class be made without a test method."""

    def evaluate(self, tensors: Any) -> Any:
        """Tensors as NumPy values, in their structure."""
        return nest.map_structure(_array, tensors)

    def get_temp_dir(self) -> str:
        """A folder for this process's tests."""
        return get_temp_dir()

    @contextlib.contextmanager
    def session(self, *args: Any, **kwargs: Any) -> Iterator[None]:
        """TF1 code opens sessions around eager tests; nothing needs one here."""
        yield

    cached_session = session

    def assertAllClose(self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None) -> None:
        """Values agree within ``atol + rtol * abs(b)``, element by element, structures included."""
        if isinstance(a, dict):
            self.assertEqual(sorted(a), sorted(b), msg)
            for key in a:
                self.assertAllClose(a[key], b[key], rtol, atol, msg)
            return
        if isinstance(a, (list, tuple)) and not _is_array(a):
            self.assertEqual(len(a), len(b), msg)
            for x, y in zip(a, b, strict=True):
                self.assertAllClose(x, y, rtol, atol, msg)
            return
        x, y = _array(a), _array(b)
        self.assertEqual(x.shape, y.shape, f"Shape mismatch: {x.shape} and {y.shape}. {msg or ''}")
        np.testing.assert_allclose(x, y, rtol=rtol, atol=atol, err_msg=msg or "")

    def assertNotAllClose(self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None) -> None:
        """Not `assertAllClose`."""
        try:
            self.assertAllClose(a, b, rtol, atol)
        except AssertionError:
            return
        raise AssertionError(msg or "The two values are close at all elements.")

    def assertAllCloseAccordingToType(self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6,
                                      half_rtol: float = 1e-3, half_atol: float = 1e-3,
                                      bfloat16_rtol: float = 1e-2, bfloat16_atol: float = 1e-2,
                                      msg: str | None = None) -> None:
        """`assertAllClose` with wider bounds for 16-bit types."""
        names = {_array(a).dtype.name, _array(b).dtype.name}
        if "float16" in names:
            rtol, atol = max(rtol, half_rtol), max(atol, half_atol)
        if "bfloat16" in names:
            rtol, atol = max(rtol, bfloat16_rtol), max(atol, bfloat16_atol)
        self.assertAllClose(_array(a).astype(np.float64), _array(b).astype(np.float64), rtol, atol, msg)

    def assertAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        """Same shape and equal values; NaNs are equal."""
        x, y = _array(a), _array(b)
        self.assertEqual(x.shape, y.shape, f"Shape mismatch: {x.shape} and {y.shape}. {msg or ''}")
        np.testing.assert_array_equal(x, y, err_msg=msg or "")

    def assertNotAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        """Not `assertAllEqual`."""
        try:
            self.assertAllEqual(a, b)
        except AssertionError:
            return
        raise AssertionError(msg or "The two values are equal at all elements.")

    def assertAllGreater(self, a: Any, bound: Any) -> None:
        """Every element is greater than `bound`."""
        self.assertTrue(bool((_array(a) > _array(bound)).all()), f"not all of {_array(a)} are greater than {bound}")

    def assertAllLess(self, a: Any, bound: Any) -> None:
        """Every element is less than `bound`."""
        self.assertTrue(bool((_array(a) < _array(bound)).all()), f"not all of {_array(a)} are less than {bound}")

    def assertNear(self, f1: Any, f2: Any, err: float, msg: str | None = None) -> None:
        """Two numbers differ by at most `err`."""
        self.assertLessEqual(abs(float(f1) - float(f2)), err, msg)

    def assertArrayNear(self, farray1: Any, farray2: Any, err: float, msg: str | None = None) -> None:
        """Two sequences differ by at most `err` at each place."""
        self.assertEqual(len(farray1), len(farray2), msg)
        for x, y in zip(farray1, farray2, strict=True):
            self.assertNear(x, y, err, msg)

    def assertShapeEqual(self, input_a: Any, input_b: Any, msg: str | None = None) -> None:
        """Two tensors have the same shape."""
        self.assertEqual(tuple(input_a.shape), tuple(input_b.shape), msg)

    def assertDTypeEqual(self, target: Any, expected_dtype: Any) -> None:
        """A tensor or array has this dtype."""
        from tapejax import dtypes

        self.assertEqual(dtypes.as_dtype(target.dtype if hasattr(target, "dtype") else _array(target).dtype),
                         dtypes.as_dtype(expected_dtype))

    @contextlib.contextmanager
    def assertRaisesOpError(self, expected_err_re_or_predicate: str) -> Iterator[None]:
        """The block raises a `tf.errors.OpError` whose message matches."""
        with self.assertRaisesRegex(OpError, expected_err_re_or_predicate):
            yield


def _is_array(value: Any) -> bool:
    """Whether a list is one array rather than a structure of several."""
    try:
        return np.asarray([np.asarray(v) for v in value]).dtype != object
    except (ValueError, TypeError):
        return False


def _array(value: Any) -> np.ndarray:
    return np.asarray(value)


__getattr__ = missing.module_getattr(__name__, globals())
