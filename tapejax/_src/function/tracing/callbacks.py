"""Python inside compiled programs: `tf.print`, `tf.py_function`, `tf.numpy_function`."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import io_callback

from tapejax._src.core import dtypes, errors, nest
from tapejax._src.core.convert import convert_to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.specs import TensorSpec
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.core.variable import Variable
from tapejax._src.engine import stream
from tapejax._src.engine.capture import SymbolicValueError
from tapejax._src.engine.op import NO_STATIC, Op, replay

__all__ = ["numpy_function", "print_", "py_function"]


@public("print")
def print_(
    *inputs: Any,
    output_stream: Any = sys.stderr,
    summarize: int = 3,
    sep: str = " ",
    end: str = "\n",
    name: str | None = None,
) -> None:
    """Prints values, tensors shortened to `summarize` elements at each end of an axis.

    In a captured function it prints each time the compiled program runs, in order.

    Args:
      *inputs: tensors, structures of them, and other values.
      output_stream: file object (default: standard error), or "file://path" to append to.
      summarize: how many elements; -1 for all.
      sep: between inputs. end: after the last.

    Raises:
      ValueError: `output_stream` is another string.

    Source: https://www.tensorflow.org/api_docs/python/tf/print

    >>> import sys
    >>> print_("x is", [1, 2], output_stream=sys.stdout)
    x is [1, 2]
    """
    if isinstance(output_stream, str) and not output_stream.startswith("file://"):
        raise ValueError(f"`output_stream` is {output_stream!r}; a string must start with 'file://'")

    def write(*arrays: Any) -> None:
        rest = iter(arrays)
        values = [
            nest.map_structure(lambda v: _Shown(next(rest)) if isinstance(v, (Tensor, Variable)) else v, value)
            for value in inputs
        ]
        with np.printoptions(
            edgeitems=summarize if summarize >= 0 else 10**9, threshold=2 * summarize if summarize >= 0 else sys.maxsize
        ):
            line = (_alone(values[0]) if len(values) == 1 else sep.join(map(_text, values))) + end
        if isinstance(output_stream, str):
            with open(output_stream[7:], "a") as file:
                file.write(line)
        else:
            output_stream.write(line)

    tensors = [
        convert_to_tensor(t) for value in inputs for t in nest.flatten(value) if isinstance(t, (Tensor, Variable))
    ]
    if not stream.current().symbolic:
        write(*map(np.asarray, tensors))
        return
    passed = [t for t in tensors if t.aval.dtype != object]

    def run(*arrays: Any) -> tuple:
        def emit(*values: Any) -> None:
            rest = iter(values)
            write(*(t._value if t.aval.dtype == object else np.asarray(next(rest)) for t in tensors))

        if not replay.on:
            jax.debug.callback(emit, *arrays, ordered=True)
        return ()

    stream.record(Op("print", run, differentiable=False, acts=True), NO_STATIC, tuple(passed))


class _Shown:
    """A tensor's value on its way to the text."""

    def __init__(self, array: np.ndarray):
        self.array = array


def _alone(value: Any) -> str:
    """The text of a single value: a string is not quoted then."""
    if isinstance(value, _Shown) and value.array.dtype == object and value.array.ndim == 0:
        return value.array.item().decode(errors="replace")
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, _Shown):
        array = value.array
        if array.dtype == object:
            quoted = np.vectorize(lambda b: f'"{b.decode(errors="replace")}"', otypes=[object])(array)
            return (
                quoted.item() if array.ndim == 0 else np.array2string(quoted, separator=" ", formatter={"object": str})
            )
        return np.array2string(array, separator=" ", formatter={"float_kind": lambda x: f"{x:.8g}".removesuffix(".0")})
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(map(_text, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    return str(value)


@public("py_function")
def py_function(
    func: Callable | None = None, inp: Sequence[Any] | None = None, Tout: Any = None, name: str | None = None
) -> Any:
    """Calls a Python function on eager tensors, also from inside compiled programs; differentiable.

    Args:
      func: function of tensors that returns a tensor, a list of them, or None.
      inp: its arguments: tensors, or what becomes one.
      Tout: dtype or list of dtypes of the results. In a captured function a `TensorSpec` each: XLA must know the
        shapes; with dtypes alone the function that is being captured runs as Python instead.

    Returns:
      A tensor, or a list of tensors if `Tout` is a list.

    Raises:
      ValueError: `func` or `inp` is missing.
      InvalidArgumentError: results of other dtypes.

    Source: https://www.tensorflow.org/api_docs/python/tf/py_function

    >>> import tapejax as tf
    >>> tf.py_function(lambda x: x.numpy() + 1, [tf.constant(2.0)], tf.float32).numpy().item()
    3.0
    """
    return _call_python(func, inp, Tout, True)


@public("numpy_function")
def numpy_function(
    func: Callable | None = None,
    inp: Sequence[Any] | None = None,
    Tout: Any = None,
    stateful: bool = True,
    name: str | None = None,
) -> Any:
    """Calls a Python function on NumPy arrays, also from inside compiled programs; it has no gradient.

    Args:
      func: function of arrays that returns an array or a list of them.
      inp: its arguments. Tout: as of `py_function`.
      stateful: False lets XLA leave out or repeat calls.

    Source: https://www.tensorflow.org/api_docs/python/tf/numpy_function

    >>> import numpy as np
    >>> numpy_function(np.sinh, [0.0], np.float32).numpy().item()
    0.0
    """
    return _call_python(func, inp, Tout, False, stateful)


# What TensorFlow makes of an exception in a Python function; of others an UnknownError.
_ERRORS: Any = (
    ((TypeError, ValueError), errors.InvalidArgumentError),
    (StopIteration, errors.OutOfRangeError),
    (MemoryError, errors.ResourceExhaustedError),
    (NotImplementedError, errors.UnimplementedError),
)


def _call_python(func: Callable | None, inp: Any, outs: Any, tensors: bool, stateful: bool = True) -> Any:
    if func is None or inp is None:
        raise ValueError(f"`{'func' if func is None else 'inp'}` is missing")
    many = isinstance(outs, (list, tuple))
    specs = list(outs) if many else [] if outs is None else [outs]
    given = [v if isinstance(v, Variable) else convert_to_tensor(v) for v in inp]
    if not stream.current().symbolic:
        results = _checked(_returned(func, given, tensors), specs)
        return results if many else results[0] if results else None
    if not all(isinstance(s, TensorSpec) and s.shape.is_fully_defined() for s in specs):
        raise SymbolicValueError(
            "the shapes of what a Python function returns are not known; give `Tout` a tf.TensorSpec for each result"
        )
    structs = [jax.ShapeDtypeStruct(tuple(s.shape.as_list()), s.dtype.as_numpy_dtype) for s in specs]

    def on_host(*arrays: Any) -> tuple:
        with stream.called_back():
            results = _checked(_returned(func, [from_value(np.asarray(a)) for a in arrays], tensors), specs)
            return tuple(np.asarray(r).reshape(s.shape) for r, s in zip(results, structs, strict=True))

    def call(*arrays: Any) -> tuple:
        arrays = tuple(map(lax.stop_gradient, arrays))
        if not stateful or replay.on:
            return tuple(jax.pure_callback(on_host, tuple(structs), *arrays))
        return tuple(io_callback(on_host, tuple(structs), *arrays, ordered=True))

    run = _differentiable(call, func, specs, structs) if tensors else call
    inputs = tuple(convert_to_tensor(t) for t in given)
    results = stream.record(
        Op(getattr(func, "__name__", "python"), run, differentiable=tensors, may_fail=True, acts=stateful),
        NO_STATIC,
        inputs,
    )
    return list(results) if many else results[0] if results else None


def _returned(func: Callable, given: list[Any], tensors: bool) -> list[Any]:
    try:
        value = func(*given) if tensors else func(*map(np.asarray, given))
    except errors.OpError:
        raise
    except Exception as e:
        cls = next((cls for kinds, cls in _ERRORS if isinstance(e, kinds)), errors.UnknownError)
        raise cls(message=f"{type(e).__name__}: {e}") from e
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def _checked(results: list[Any], specs: list[Any]) -> list[Tensor]:
    if len(results) != len(specs):
        raise errors.InvalidArgumentError(
            message=f"pyfunc returned {len(results)} values, but expects {len(specs)} values"
        )
    out = []
    for result, spec in zip(results, specs, strict=True):
        dtype = spec.dtype if isinstance(spec, TensorSpec) else dtypes.as_dtype(spec)
        tensor = convert_to_tensor(result, None if hasattr(result, "dtype") else dtype)
        if tensor.dtype != dtype:
            raise errors.InvalidArgumentError(
                message=f"pyfunc returned a {tensor.dtype.name} value, but expects {dtype.name}"
            )
        out.append(tensor)
    return out


def _differentiable(call: Callable, func: Callable, specs: list[Any], structs: list[Any]) -> Callable:
    """`call` with the gradient that a tape around `func` computes, in Python again."""
    from tapejax._src.autodiff.tape import GradientTape

    @jax.custom_vjp
    def run(*arrays: Any) -> tuple:
        return call(*arrays)

    def backward(arrays: tuple, cotangents: tuple) -> tuple:
        wanted = [i for i, a in enumerate(arrays) if jnp.issubdtype(a.dtype, jnp.inexact)]

        def on_host(arrays: tuple, cotangents: tuple) -> tuple:
            given = [from_value(np.asarray(a)) for a in arrays]
            with stream.called_back():
                with GradientTape() as tape:
                    tape.watch([given[i] for i in wanted])
                    results = _checked(_returned(func, given, True), specs)
                seeds = [from_value(np.asarray(c)) for c in cotangents]
                grads = tape.gradient(results, [given[i] for i in wanted], seeds, "zero")
                return tuple(np.asarray(g) for g in grads)

        shapes = tuple(jax.ShapeDtypeStruct(arrays[i].shape, arrays[i].dtype) for i in wanted)
        found = dict(zip(wanted, io_callback(on_host, shapes, arrays, cotangents), strict=True))
        return tuple(found[i] if i in found else np.zeros(a.shape, jax.dtypes.float0) for i, a in enumerate(arrays))

    run.defvjp(lambda *arrays: (run(*arrays), arrays), backward)
    return run
