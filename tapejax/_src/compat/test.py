"""``tf.test``: `TestCase`, numerical gradients, and queries about devices."""

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
    """Runs all tests of the script that is being run, as `unittest.main` does."""
    unittest.main(module="__main__", argv=argv)


def get_temp_dir() -> str:
    """A temporary folder for the tests of this process. It is deleted when the process ends."""
    if not _temp:
        _temp.append(tempfile.TemporaryDirectory(prefix="tapejax_test_"))
    return _temp[0].name


def is_built_with_cuda() -> bool:
    """Whether JAX can use a GPU here."""
    return bool(list_physical_devices("GPU"))


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: Any = None) -> bool:
    """Whether JAX can use a GPU here.

    Args:
      cuda_only: has no effect.
      min_cuda_compute_capability: must be None, because JAX does not tell it.

    Raises:
      ValueError: `min_cuda_compute_capability` is given.
    """
    if min_cuda_compute_capability is not None:
        raise ValueError(
            "`min_cuda_compute_capability` must be None, because JAX does not tell it. "
            f"Received: {min_cuda_compute_capability!r}"
        )
    return bool(list_physical_devices("GPU"))


def gpu_device_name() -> str:
    """The name of the first GPU, or "" if there is none.

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
    """Whether XLA can be used. It is always True, because XLA compiles all programs here.

    Source: https://www.tensorflow.org/api_docs/python/tf/test/is_built_with_xla

    >>> is_built_with_xla()
    True
    """
    return True


def compute_gradient(f: Any, x: Any, delta: float | None = None) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Computes the Jacobians of a function in two ways, by a tape and by central differences, to compare them in tests.

    Args:
      f: a function of tensors that returns one tensor. The dtypes are real.
      x: a list of the function's arguments, which must be floating.
      delta: the step of the differences, 1 / 1024 by default.

    Returns:
      Two lists, the tape's Jacobians and the numerical ones. Each has one array for each argument, of shape
      (size of the result, size of the argument).

    Raises:
      ValueError: `x` is not a list or tuple.
      AssertionError: an argument is not floating.

    Source: https://www.tensorflow.org/api_docs/python/tf/test/compute_gradient

    >>> exact, numeric = compute_gradient(lambda x: x * x, [constant([1.0, 3.0])])
    >>> exact[0].tolist()
    [[2.0, 0.0], [0.0, 6.0]]
    """
    if not isinstance(x, (list, tuple)):
        raise ValueError(f"`x` must be a list of tensors. Received: {x!r}")
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
    """`unittest.TestCase` with assertions for tensors, arrays and structures of them.

    Source: https://www.tensorflow.org/api_docs/python/tf/test/TestCase

    >>> TestCase().assertAllClose([1.0], [1.0 + 1e-9])
    """

    __test__ = False  # pytest collects subclasses, but not this class

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__test__ = True

    def __init__(self, methodName: str = "runTest"):
        super().__init__(methodName)

    def runTest(self) -> None:
        """Does nothing. It allows `TestCase()` without the name of a test method."""

    def evaluate(self, tensors: Any) -> Any:
        """Turns the tensors of a structure into NumPy values."""
        return nest.map_structure(_array, tensors)

    def get_temp_dir(self) -> str:
        """A temporary folder for the tests of this process; see `tf.test.get_temp_dir`."""
        return get_temp_dir()

    @contextlib.contextmanager
    def session(self, *args: Any, **kwargs: Any) -> Iterator[None]:
        """Context that does nothing. TensorFlow 1's tests open a session around their code; here none is needed."""
        yield

    cached_session = session

    def assertAllClose(self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None) -> None:
        """Checks that values agree within ``atol + rtol * abs(b)``, element by element. They may be structures."""
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
        """Checks that two arrays have the same shape and equal values. NaNs count as equal."""
        x, y = _array(a), _array(b)
        self.assertEqual(x.shape, y.shape, f"Shape mismatch: {x.shape} and {y.shape}. {msg or ''}")
        np.testing.assert_array_equal(x, y, err_msg=msg or "")

    def assertNotAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        """Checks that two arrays differ in shape or in at least one value."""
        try:
            self.assertAllEqual(a, b)
        except AssertionError:
            return
        raise AssertionError(msg or "The two values are equal at all elements.")

    def assertAllGreater(self, a: Any, bound: Any) -> None:
        """Checks that every element is greater than `bound`."""
        self.assertTrue(bool((_array(a) > _array(bound)).all()), f"not all of {_array(a)} are greater than {bound}")

    def assertAllLess(self, a: Any, bound: Any) -> None:
        """Checks that every element is less than `bound`."""
        self.assertTrue(bool((_array(a) < _array(bound)).all()), f"not all of {_array(a)} are less than {bound}")

    def assertNear(self, f1: Any, f2: Any, err: float, msg: str | None = None) -> None:
        """Checks that two numbers differ by at most `err`."""
        self.assertLessEqual(abs(float(f1) - float(f2)), err, msg)

    def assertArrayNear(self, farray1: Any, farray2: Any, err: float, msg: str | None = None) -> None:
        """Checks that two sequences have the same length and differ by at most `err` at each place."""
        self.assertEqual(len(farray1), len(farray2), msg)
        for x, y in zip(farray1, farray2, strict=True):
            self.assertNear(x, y, err, msg)

    def assertShapeEqual(self, input_a: Any, input_b: Any, msg: str | None = None) -> None:
        """Checks that two tensors have the same shape."""
        self.assertEqual(tuple(input_a.shape), tuple(input_b.shape), msg)

    def assertDTypeEqual(self, target: Any, expected_dtype: Any) -> None:
        """Checks that a tensor or array has the dtype `expected_dtype`."""
        from tapejax._src.core import dtypes

        self.assertEqual(
            dtypes.as_dtype(target.dtype if hasattr(target, "dtype") else _array(target).dtype),
            dtypes.as_dtype(expected_dtype),
        )

    @contextlib.contextmanager
    def assertRaisesOpError(self, expected_err_re_or_predicate: str) -> Iterator[None]:
        """Checks that a block of code raises a `tf.errors.OpError` whose message matches a regular expression."""
        with self.assertRaisesRegex(OpError, expected_err_re_or_predicate):
            yield


def _is_array(value: Any) -> bool:
    """Whether a list can be one array, and is thus not a structure of several arrays."""
    try:
        return np.asarray([np.asarray(v) for v in value]).dtype != object
    except (ValueError, TypeError):
        return False


def _array(value: Any) -> np.ndarray:
    return np.asarray(value)
