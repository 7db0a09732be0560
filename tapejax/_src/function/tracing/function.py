"""`tf.function`: captures a Python function once per signature, and calls the compiled graph from then on."""

import functools
import logging
import threading
import traceback
import types
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from tapejax._src.core import variable
from tapejax._src.core.dtypes import to_numpy
from tapejax._src.core.errors import UnsupportedError
from tapejax._src.core.public import public
from tapejax._src.core.specs import TensorSpec
from tapejax._src.core.tensor import Tensor
from tapejax._src.engine import stream, trie
from tapejax._src.engine.aval import aval
from tapejax._src.engine.capture import Captured, SymbolicValueError, capture
from tapejax._src.function.tracing.concrete import ConcreteFunction, Returned
from tapejax._src.function.tracing.signature import Arguments, Signature

__all__ = ["Function", "function", "functions_run_eagerly", "run_functions_eagerly"]

_log = logging.getLogger("tapejax")
# Traces hold compiled programs; a function called with ever new Python values keeps the latest.
MAX_TRACES: Final = 256
# TensorFlow warns when five of the latest calls, about ten, were traced.
_FREQUENT: Final = 5
_HISTORY: Final = 10

_eagerly = False
# A capture shows its symbolic values in the variables that it assigns: one at a time, and other threads wait.
_tracing: Final = threading.RLock()


@public("config.run_functions_eagerly", "config.experimental_run_functions_eagerly")
def run_functions_eagerly(run_eagerly: bool) -> None:
    """Makes every `tf.function` run as plain Python (True), for debugging, or captured again (False).

    Source: https://www.tensorflow.org/api_docs/python/tf/config/run_functions_eagerly
    """
    global _eagerly
    _eagerly = bool(run_eagerly)


@public("config.functions_run_eagerly", "config.experimental_functions_run_eagerly")
def functions_run_eagerly() -> bool:
    """Whether `run_functions_eagerly` is on.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/functions_run_eagerly
    """
    return _eagerly


class Function:
    """What `function` makes: a callable with one compiled trace for each signature it was called with.

    Args:
      python_function: what is captured.
      signature: how its arguments bind.
      convert: whether Python control flow on tensors is captured too (AutoGraph).
      name: for messages and profiles.
    """

    __slots__ = ("__dict__", "__weakref__", "_instance")

    def __init__(self, python_function: Callable, signature: Signature, convert: bool, name: str):
        copied = functools.WRAPPER_UPDATES if isinstance(python_function, types.FunctionType) else ()
        functools.update_wrapper(self, python_function, updated=copied)
        self.python_function = python_function
        self._signature = signature
        self._convert = convert
        self._name = name
        self._traces: OrderedDict[tuple, ConcreteFunction | None] = OrderedDict()
        # Calls with tensors alone, by position: the same traces by the tensors' avals.
        self._fast: dict[tuple, ConcreteFunction] = {}
        self._tracings = 0
        self._recent: deque[int] = deque([0])  # calls since each of the latest tracings
        self._bound: dict[int, _Method] = {}

    @property
    def input_signature(self) -> Any:
        """The TensorSpecs asked for, or None."""
        return self._signature.specs

    @property
    def name(self) -> str:
        """The Python function's name."""
        return self._name

    def __get__(self, instance: Any, owner: Any) -> "Function":
        """As a method: a function of its own for each instance, whose traces do not keep the instance alive."""
        if instance is None:
            return self
        method = self._bound.get(id(instance))
        if method is None or method.ref() is not instance:
            method = self._method(instance)
        handle = method.handle()
        if handle is None:
            # What is handed out does, so that `Model().call(x)` has an instance to run on.
            handle = Function.__new__(Function)
            handle.__dict__ = method.function.__dict__
            handle._instance = instance
            method.handle = weakref.ref(handle)
        return handle

    def __eq__(self, other: object) -> bool:
        return self._traces is other._traces if isinstance(other, Function) else NotImplemented

    def __hash__(self) -> int:
        return id(self._traces)

    @property
    def trace_identity(self) -> Any:
        """What this is known by as an argument of another function: for a method, what stays as its instance does."""
        return self.python_function if isinstance(self.python_function, _Bound) else self

    def _method(self, instance: Any) -> "_Method":
        key = id(instance)
        try:
            ref: Any = weakref.ref(instance, lambda _, bound=self._bound: bound.pop(key, None))
        except TypeError:
            ref = lambda: instance  # noqa: E731
        function = Function(
            _Bound(self.python_function, ref), self._signature.without_self(), self._convert, self._name
        )
        self._bound[key] = method = _Method(ref, function)
        return method

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function: from its trace, or capturing it first."""
        if _eagerly or stream.is_eager():
            return self.python_function(*args, **kwargs)
        if not kwargs:
            try:
                fast = self._fast.get(tuple([a.aval for a in args]))
            except AttributeError:  # not all are tensors
                fast = None
            if fast is not None:
                self._recent[-1] += 1
                return fast.run(args, ())
        given = self._signature.bind(args, kwargs)
        key = given.key
        concrete = self._traces.get(key, _MISSING)
        if concrete is _MISSING:
            self._count_tracing()
            concrete = self._traced(given, key)
        else:
            self._recent[-1] += 1
            self._traces.move_to_end(key)
        if concrete is None:
            return self._run_as_python(given)
        if (
            key in self._traces
            and self._signature.specs is None
            and not kwargs
            and len(given.args) == len(args)
            and all(type(a) is Tensor for a in args)
        ):
            self._fast[tuple([a.aval for a in args])] = concrete
        if given.variables and not concrete.fits(given.variables):
            # A variable came as an argument that the trace also knows by itself: such calls get their own.
            key = (*key, *map(id, given.variables))
            concrete = self._traces.get(key) or self._traced(given, key)
            if concrete is None:
                return self._run_as_python(given)
        return concrete.run(given.tensors, given.variables)

    def _run_as_python(self, given: Arguments) -> Any:
        returned = Returned(self.python_function(*given.args, **given.kwargs), self._name)
        return returned.filled(returned.tensors)

    def _traced(self, given: Arguments, key: tuple) -> ConcreteFunction | None:
        """Captures the function for a call; None where it must run as Python instead."""
        with _tracing:
            if key in self._traces:  # captured by another thread meanwhile
                return self._traces[key]
            if not stream.current().symbolic:
                stream.sync("a function is captured")
            try:
                found = self._capture(given)
            except SymbolicValueError as error:
                self._warn(error)
                found = None
        if found is None or found.reusable:
            while len(self._traces) >= MAX_TRACES:
                self._traces.popitem(last=False)
                self._fast.clear()
            self._traces[key] = found
        return found

    def _capture(self, given: Arguments) -> ConcreteFunction:
        if any(t.aval.dtype == object for t in given.tensors):
            raise SymbolicValueError("strings live on the host")
        fn = self._converted()

        def body(*tensors: Tensor) -> Returned:
            args, kwargs = given.rebuilt(tensors)
            return Returned(fn(*args, **kwargs), self._name)

        def captured_now() -> Captured:
            self._tracings += 1
            with _tracing, stream.cells_lock:
                return capture(body, [t.aval for t in given.tensors])

        before = variable.count()
        captured = captured_now()
        if variable.count() != before:
            if not self._traces:
                # Variables made in the first trace exist from now on: the trace to keep is one that uses them.
                before = variable.count()
                captured = captured_now()
            if variable.count() != before:
                raise ValueError(
                    "tf.function only supports singleton tf.Variables created on the first call. Make "
                    "sure the tf.Variable is only created once or created outside tf.function. See "
                    "https://www.tensorflow.org/guide/function#creating_tfvariables for more information."
                )
        return ConcreteFunction(self._name, captured, given, self._signature)

    def _converted(self) -> Callable:
        if not self._convert:
            return self.python_function
        from tapejax._src.function.autograph import conversion as autograph

        if isinstance(self.python_function, _Bound):
            return self.python_function.with_function(autograph.convert(self.python_function.fn))
        return autograph.convert(self.python_function)

    def _warn(self, error: SymbolicValueError) -> None:
        """Says once per trace why the function runs as Python, and where."""
        lines = [f for f in traceback.extract_tb(error.__traceback__) if not trie.is_own(f.filename)]
        code = getattr(self.python_function, "__code__", None)
        where = (
            f"{lines[-1].filename}:{lines[-1].lineno}: {lines[-1].line}"
            if lines
            else f"{code.co_filename}:{code.co_firstlineno}"
            if code
            else "its definition"
        )
        _log.warning(
            "tf.function %s runs as Python on the eager stream (its ops are still compiled together), because "
            "at %s: %s",
            self._name,
            where,
            error,
        )

    def _count_tracing(self) -> None:
        recent = self._recent
        recent.append(1)
        while len(recent) > 1 and sum(recent) - recent[0] > _HISTORY:
            recent.popleft()
        tracings = len(recent) - 1
        if tracings >= _FREQUENT:
            _log.warning(
                "%d out of the last %d calls to %s triggered tf.function retracing. Tracing is expensive and "
                "the excessive number of tracings could be due to (1) creating @tf.function repeatedly in a "
                "loop, (2) passing tensors with different shapes, (3) passing Python objects instead of "
                "tensors: pass numbers that change as tensors.",
                tracings,
                sum(recent),
                self._name,
            )

    # What TensorFlow's object offers besides

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """The trace for these arguments, captured if there is none. Tensors may be given as `TensorSpec`s.

        Raises:
          UnsupportedError: a spec with an unknown dimension: XLA compiles for known shapes.
          SymbolicValueError: the function cannot be captured.
        """
        if not args and not kwargs and self._signature.specs is not None:
            args = self._signature.specs
        return self.lookup(args, kwargs)[0]

    def lookup(self, args: tuple, kwargs: dict[str, Any]) -> tuple[ConcreteFunction, Arguments]:
        """The trace for these arguments, and the arguments as it takes them; as `get_concrete_function`."""
        values, named = _map_specs((args, kwargs), self._name)
        given = self._signature.bind(values, named)
        found = self._traces.get(given.key)
        if found is None:
            found = self._capture(given)
            self._traces[given.key] = found
        return found, given

    def experimental_get_tracing_count(self) -> int:
        """How often the Python function was run to capture it."""
        return self._tracings

    def pretty_printed_concrete_signatures(self, verbose: bool = True) -> str:
        """All signatures captured so far, as text."""
        return "\n\n".join(c.pretty_printed_signature(verbose) for c in self._concretes())

    def experimental_get_compiler_ir(self, *args: Any, **kwargs: Any) -> Callable[[str], str]:
        """A function from a stage ("hlo", "optimized_hlo", "stablehlo") to the program for these arguments, as text.

        Raises:
          ValueError: (by the function returned) another stage.
        """
        concrete = self.get_concrete_function(*args, **kwargs)
        return lambda stage="hlo": concrete.as_text(stage)

    def _concretes(self) -> Iterator[ConcreteFunction]:
        return (c for c in self._traces.values() if c is not None)

    def __repr__(self) -> str:
        return f"<tapejax._src.function.tracing.function.Function {self._name}>"


_MISSING: Any = object()


class _Method:
    """An instance's own `Function`, and the object now handed out for it, if somebody holds it."""

    __slots__ = ("function", "handle", "ref")

    def __init__(self, ref: Callable[[], Any], function: Function):
        self.ref = ref
        self.function = function
        self.handle: Callable[[], Function | None] = lambda: None


class _Bound:
    """A function with its first argument given, which may cease to exist."""

    def __init__(self, fn: Callable, ref: Callable[[], Any]):
        self.fn = fn
        self._ref = ref
        self.__name__ = getattr(fn, "__name__", type(fn).__name__)

    def with_function(self, fn: Callable) -> "_Bound":
        """The same argument for another function."""
        return _Bound(fn, self._ref)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        instance = self._ref()
        if instance is None:
            raise ReferenceError(f"the object whose method {self.__name__} is does not exist any more")
        return self.fn(instance, *args, **kwargs)


def _map_specs(structure: Any, name: str) -> Any:
    """Stand-ins for the TensorSpecs in a structure of arguments."""
    from tapejax._src.core import nest

    def stand_in(leaf: Any) -> Any:
        if not isinstance(leaf, TensorSpec):
            return leaf
        if not leaf.shape.is_fully_defined():
            raise UnsupportedError(
                f"{name}.get_concrete_function({leaf!r})",
                "XLA compiles for known shapes",
                "Give every dimension, or call the function: it captures each shape it meets.",
            )
        return stream.place(_NOWHERE, 0, aval(tuple(leaf.shape.as_list()), to_numpy(leaf.dtype)))

    return nest.map_structure(stand_in, structure, expand_composites=True)


_NOWHERE = stream.Trace()


@public("function")
def function(
    func: Callable | None = None,
    input_signature: Any = None,
    autograph: bool = True,
    jit_compile: bool | None = None,
    reduce_retracing: bool = False,
    experimental_implements: str | None = None,
    experimental_autograph_options: Any = None,
    experimental_attributes: Any = None,
    experimental_relax_shapes: bool | None = None,
    experimental_compile: bool | None = None,
    experimental_follow_type_hints: bool | None = None,
) -> Any:
    """Compiles a function: it is captured once for each signature, and from then on called as one program.

    Python runs during the capture only: side effects happen once per trace, attributes and globals are baked in.
    Calls share a trace if their tensors agree in shape and dtype, their Python values are equal and their other
    objects the same. What cannot be captured (reading a tensor's value, shapes that depend on values) makes the
    function run as plain Python on the eager stream, with one warning that names the line.

    Args:
      func: the function; None to use it as a decorator with arguments.
      input_signature: TensorSpecs of the positional arguments: values are converted to them, and what does not fit
        is refused.
      autograph: whether `if`, `while` and `for` on tensors are captured.
      jit_compile: every trace is compiled by XLA, whatever this says.
      reduce_retracing: TensorFlow may trace with unknown dimensions; XLA compiles for each shape, so each is traced.
      experimental_implements, experimental_autograph_options, experimental_attributes: not supported.
      experimental_relax_shapes, experimental_compile, experimental_follow_type_hints: old names, of
        `reduce_retracing`, `jit_compile`, and of nothing any more.

    Returns:
      A `Function`, or a decorator.

    Raises:
      TypeError: `func` is not callable, or `input_signature` is no sequence of TensorSpecs.
      UnsupportedError: an argument that is not supported.

    Source: https://www.tensorflow.org/api_docs/python/tf/function

    >>> import tapejax as tf
    >>> @tf.function
    ... def square(x):
    ...     return x * x
    >>> square(tf.constant(3.0)).numpy().item(), square.experimental_get_tracing_count()
    (9.0, 1)
    """
    for value, what in (
        (experimental_implements, "experimental_implements"),
        (experimental_autograph_options, "experimental_autograph_options"),
        (experimental_attributes, "experimental_attributes"),
    ):
        if value is not None:
            raise UnsupportedError(f"tf.function(`{what}`)", "it names TensorFlow graph internals", "Leave it out.")
    if func is None:
        return functools.partial(
            function,
            input_signature=input_signature,
            autograph=autograph,
            jit_compile=jit_compile,
            reduce_retracing=reduce_retracing,
        )
    if not callable(func):
        raise TypeError(f"{func} is not a callable object")
    if isinstance(func, Function):
        return func
    name = getattr(func, "__name__", None) or getattr(getattr(func, "func", None), "__name__", type(func).__name__)
    signature = Signature(func, input_signature)
    return Function(func, signature, autograph, name)
