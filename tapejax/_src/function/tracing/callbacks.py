"""Python code that runs inside compiled programs: `tf.print`, `tf.py_function` and `tf.numpy_function`."""

import pprint
import random
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
from tapejax._src.core.printed import array_text, rows_text
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
    """Prints values. Of long tensors, only the first and last elements of each axis are printed.

    In a captured function it prints each time the compiled program runs. Several prints keep their order.

    Args:
      *inputs: tensors, structures of tensors, and other values.
      output_stream: a file object (by default standard error), or "file://path" to append to a file.
      summarize: how many elements are printed at each end of an axis; -1 for all.
      sep: the text between two inputs.
      end: the text after the last input.
      name: of no effect.

    Raises:
      ValueError: `output_stream` is a string that does not start with "file://".

    Source: https://www.tensorflow.org/api_docs/python/tf/print

    >>> import sys
    >>> print_("x is", [1, 2], output_stream=sys.stdout)
    x is [1, 2]
    """
    if isinstance(output_stream, str) and not output_stream.startswith("file://"):
        raise ValueError(f"`output_stream` is {output_stream!r}; a string must start with 'file://'")

    given = _PrintedTensors()
    # TensorFlow joins templates, in which a placeholder stands for each tensor. They have the layout of `pprint`.
    names = given.names_for(sep.join(pprint.pformat(nest.map_structure(_blank, value)) for value in inputs))
    template = sep.join(given.template(value, names) for value in inputs)
    alone = len(inputs) == 1 and isinstance(inputs[0], (Tensor, Variable))

    def write(*arrays: Any) -> None:
        text = given.text(template, names, arrays, summarize, alone) + end
        if isinstance(output_stream, str):
            with open(output_stream[7:], "a") as file:
                file.write(text)
        else:
            output_stream.write(text)

    if not stream.current().symbolic:
        write(*map(np.asarray, given.tensors))
        return
    passed = [t for t in given.tensors if t.aval.dtype != object]

    def run(*arrays: Any) -> tuple:
        def emit(*values: Any) -> None:
            rest = iter(values)
            write(*(t._value if t.aval.dtype == object else np.asarray(next(rest)) for t in given.tensors))

        if not replay.on:
            jax.debug.callback(emit, *arrays, ordered=True)
        return ()

    stream.record(Op("print", run, differentiable=False, acts=True), NO_STATIC, tuple(passed))


def _blank(value: Any) -> Any:
    return "" if isinstance(value, (Tensor, Variable, nest.CompositeTensor)) else value


class _PrintedTensors:
    """The tensors among the values that `tf.print` was given, and how each of them becomes text.

    Attributes:
      tensors: the dense tensors, among them the components of sparse and ragged tensors.
    """

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self._forms: list[tuple[Any, int]] = []  # a composite, or None; the number of its dense tensors

    @staticmethod
    def names_for(text: str) -> str:
        """A placeholder that does not occur in `text`."""
        placeholder, digits = "{}", random.Random(5)
        while placeholder in text:
            placeholder += str(digits.randint(0, 9))
        return placeholder

    def template(self, value: Any, placeholder: str) -> str:
        """The text of one value, with a placeholder for each tensor in it."""
        leaves = [self._leaf(leaf, placeholder) for leaf in nest.flatten(value)]
        if isinstance(value, str):
            return value
        text = pprint.pformat(nest.pack_sequence_as(value, leaves))
        return text.replace(f"'{placeholder}'", placeholder)

    def _leaf(self, leaf: Any, placeholder: str) -> Any:
        if isinstance(leaf, (Tensor, Variable)):
            self._add(None, [convert_to_tensor(leaf)])
        elif type(leaf).__name__ == "RaggedTensor" and isinstance(leaf, nest.CompositeTensor):
            self._add(leaf, leaf._components())
        elif type(leaf).__name__ == "SparseTensor" and isinstance(leaf, nest.CompositeTensor):
            for part in leaf._components():
                self._add(None, [part])
            return f"SparseTensor(indices={placeholder}, values={placeholder}, shape={placeholder})"
        else:
            return leaf
        return placeholder

    def _add(self, composite: Any, tensors: Sequence[Tensor]) -> None:
        self.tensors += tensors
        self._forms.append((composite, len(tensors)))

    def text(self, template: str, placeholder: str, arrays: Sequence[Any], summarize: int, alone: bool) -> str:
        """The template with the text of the given values in place of the placeholders."""
        if alone and arrays[0].dtype == object and arrays[0].ndim == 0:
            return arrays[0].item().decode(errors="replace")  # a string that is printed alone is not quoted
        rest = iter(arrays)
        pieces = template.split(placeholder)
        out = pieces[0]
        for (composite, count), piece in zip(self._forms, pieces[1:], strict=True):
            values = [next(rest) for _ in range(count)]
            if composite is None:
                out += array_text(values[0], summarize)
            else:
                rows = composite._with_components([from_value(np.asarray(v)) for v in values])
                out += rows_text(rows.to_list(), summarize)
            out += piece
        return out


@public("py_function")
def py_function(
    func: Callable | None = None, inp: Sequence[Any] | None = None, Tout: Any = None, name: str | None = None
) -> Any:
    """Calls a Python function on eager tensors, also from inside compiled programs. It can be differentiated.

    Args:
      func: a function of tensors that returns a tensor, a list of tensors, or None.
      inp: a list of its arguments: tensors, or values that convert to tensors.
      Tout: the dtype of the result, or a list of dtypes. In a captured function give a `TensorSpec` for each result,
        because XLA must know the shapes. With dtypes alone, the function that is being captured runs as Python.
      name: of no effect.

    Returns:
      A tensor, or a list of tensors if `Tout` is a list.

    Raises:
      ValueError: `func` or `inp` is missing.
      InvalidArgumentError: the results have other dtypes than `Tout`, or another number.

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
    """Calls a Python function on NumPy arrays, also from inside compiled programs. It has no gradient.

    Args:
      func: a function of NumPy arrays that returns an array or a list of arrays.
      inp: a list of its arguments: tensors, or values that convert to tensors.
      Tout: the dtype of the result, or a list of dtypes. In a captured function give a `TensorSpec` for each result,
        because XLA must know the shapes. With dtypes alone, the function that is being captured runs as Python.
      stateful: whether `func` has side effects. False allows XLA to leave out or repeat calls.
      name: of no effect.

    Returns:
      A tensor, or a list of tensors if `Tout` is a list.

    Raises:
      ValueError: `func` or `inp` is missing.
      InvalidArgumentError: the results have other dtypes than `Tout`, or another number.

    Source: https://www.tensorflow.org/api_docs/python/tf/numpy_function

    >>> import numpy as np
    >>> numpy_function(np.sinh, [0.0], np.float32).numpy().item()
    0.0
    """
    return _call_python(func, inp, Tout, False, stateful)


# The classes to which TensorFlow translates exceptions of a Python function. All others become an UnknownError.
_ERRORS: Any = (
    ((TypeError, ValueError), errors.InvalidArgumentError),
    (StopIteration, errors.OutOfRangeError),
    (MemoryError, errors.ResourceExhaustedError),
    (NotImplementedError, errors.UnimplementedError),
)


def _call_python(func: Callable | None, inp: Any, outs: Any, tensors: bool, stateful: bool = True) -> Any:
    if func is None or inp is None:
        raise ValueError(f"Argument `{'func' if func is None else 'inp'}` is missing, or is None")
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
    """`call` with a gradient. The gradient calls `func` again in Python, under a gradient tape."""
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
