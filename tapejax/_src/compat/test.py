"""``tf.test``: `TestCase` with the array asserts that TensorFlow tests use, and device queries."""

import contextlib
import tempfile
import unittest
from collections.abc import Iterator
from typing import Any

import numpy as np

from tapejax._src.autodiff.tape import GradientTape
from tapejax._src.core import nest
from tapejax._src.core.convert import constant
from tapejax._src.core.device_settings import list_physical_devices
from tapejax._src.core.errors import OpError

__all__ = ["TestCase", "compute_gradient", "get_temp_dir", "gpu_device_name", "is_built_with_cuda",
           "is_built_with_gpu_support", "is_built_with_xla", "is_gpu_available", "main"]  # fmt: skip

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
    return bool(list_physical_devices("GPU"))


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: Any = None) -> bool:
    """Whether a GPU is there. (A minimum compute capability cannot be asked of JAX and must be None.)"""
    if min_cuda_compute_capability is not None:
        raise ValueError("`min_cuda_compute_capability` is not known to JAX; leave it out")
    return bool(list_physical_devices("GPU"))


def gpu_device_name() -> str:
    """The name of a GPU, or "" if there is none.

    Source: https://www.tensorflow.org/api_docs/python/tf/test/gpu_device_name

    >>> gpu_device_name() in ("", "/device:GPU:0")
    True
    """
    return "/device:GPU:0" if list_physical_devices("GPU") else ""


def is_built_with_gpu_support() -> bool:
    """Whether JAX can use a GPU here.

    Source: https://www.tensorflow.org/api_docs/python/tf/test/is_built_with_gpu_support
    """
    return bool(list_physical_devices("GPU"))


def is_built_with_xla() -> bool:
    """True: XLA compiles everything.

    Source: https://www.tensorflow.org/api_docs/python/tf/test/is_built_with_xla

    >>> is_built_with_xla()
    True
    """
    return True


def compute_gradient(f: Any, x: Any, delta: float | None = None) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The Jacobians of a function, once from the tape and once from differences: to compare them in tests.

    Args:
      f: function of tensors that returns one tensor. Real dtypes.
      x: list of arguments, floating.
      delta: the step of the differences, 1 / 1024 by default.

    Returns:
      Two lists of arrays (size of the result, size of the argument), one for each argument.

    Raises:
      ValueError: `x` is no list. AssertionError: an argument that is not floating.

    Source: https://www.tensorflow.org/api_docs/python/tf/test/compute_gradient

    >>> exact, numeric = compute_gradient(lambda x: x * x, [constant([1.0, 3.0])])
    >>> exact[0].tolist()
    [[2.0, 0.0], [0.0, 6.0]]
    """
    if not isinstance(x, (list, tuple)):
        raise ValueError(f"`x` must be a list of tensors, got {x!r}")
    step = 1 / 1024 if delta is None else delta
    args = [constant(v) for v in x]
    for a in args:
        if not a.dtype.is_floating:
            raise AssertionError(f"Cannot compute gradient for unsupported type {a.dtype.name}")
    with GradientTape(persistent=True) as tape:
        tape.watch(args)
        y = f(*args)
    exact, numeric = [], []
    for i, a in enumerate(args):
        found = tape.jacobian(y, a)
        zeros = np.zeros((np.asarray(y).size, np.asarray(a).size), a.dtype.as_numpy_dtype)
        exact.append(zeros if found is None else np.reshape(found.numpy(), zeros.shape))
        numeric.append(zeros.copy())
        values = np.asarray(a).astype(np.float64)
        for k in range(values.size):
            ends = []
            for sign in (1, -1):
                moved = values.copy()
                moved.flat[k] += sign * step
                given = [*args[:i], constant(moved.astype(a.dtype.as_numpy_dtype)), *args[i + 1 :]]
                ends.append(np.asarray(f(*given)).ravel())
            numeric[i][:, k] = (ends[0] - ends[1]) / (2 * step)
    return exact, numeric


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

    def assertAllCloseAccordingToType(
        self,
        a: Any,
        b: Any,
        rtol: float = 1e-6,
        atol: float = 1e-6,
        half_rtol: float = 1e-3,
        half_atol: float = 1e-3,
        bfloat16_rtol: float = 1e-2,
        bfloat16_atol: float = 1e-2,
        msg: str | None = None,
    ) -> None:
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
        from tapejax._src.core import dtypes

        self.assertEqual(
            dtypes.as_dtype(target.dtype if hasattr(target, "dtype") else _array(target).dtype),
            dtypes.as_dtype(expected_dtype),
        )

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
