"""`tf.function`: captures a Python function once for each signature, and then calls the compiled graph."""

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
from tapejax._src.engine import policy, stream, trie
from tapejax._src.engine.aval import aval
from tapejax._src.engine.capture import Captured, SymbolicValueError, capture
from tapejax._src.function.tracing.concrete import ConcreteFunction, Returned
from tapejax._src.function.tracing.signature import Arguments, Signature

__all__ = ["Function", "function", "functions_run_eagerly", "run_functions_eagerly"]

_log = logging.getLogger("tapejax")
# The number of traces that a function keeps. Each holds a compiled program, so a function that is called with new
# Python values all the time keeps only the latest ones.
MAX_TRACES: Final = 256
# Like TensorFlow, warn if five of about the last ten calls had to be traced.
_FREQUENT: Final = 5
_HISTORY: Final = 10

_eagerly = False
# While a function is captured, the variables that it assigns hold symbolic values. So only one thread captures at a
# time, and other threads wait.
_tracing: Final = threading.RLock()


@public("config.run_functions_eagerly", "config.experimental_run_functions_eagerly")
def run_functions_eagerly(run_eagerly: bool) -> None:
    """Switches between running every `tf.function` as plain Python, for debugging, and running it captured.

    Args:
      run_eagerly: True for plain Python, False (the default setting) for captured functions.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/run_functions_eagerly

    >>> run_functions_eagerly(True)
    >>> functions_run_eagerly()
    True
    >>> run_functions_eagerly(False)
    """
    global _eagerly
    _eagerly = bool(run_eagerly)


@public("config.functions_run_eagerly", "config.experimental_functions_run_eagerly")
def functions_run_eagerly() -> bool:
    """Whether every `tf.function` runs as plain Python, as set by `run_functions_eagerly`.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/functions_run_eagerly

    >>> functions_run_eagerly()
    False
    """
    return _eagerly


class Function:
    """A callable that holds a compiled trace for each signature it was called with. `tf.function` returns one.

    Args:
      python_function: the function to capture.
      signature: the signature of the function.
      convert: whether Python's control flow on tensors is captured too (AutoGraph).
      name: the name shown in messages and profiles.
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
        # A faster table for calls with tensors only, passed by position: from their avals to the trace.
        self._fast: dict[tuple, ConcreteFunction] = {}
        self._tracings = 0
        self._recent: deque[int] = deque([0])  # for each of the latest tracings, the number of calls until the next
        self._bound: dict[int, _Method] = {}

    @property
    def input_signature(self) -> Any:
        """The TensorSpecs passed to `tf.function` as `input_signature`, or None."""
        return self._signature.specs

    @property
    def name(self) -> str:
        """The Python function's name."""
        return self._name

    def __get__(self, instance: Any, owner: Any) -> "Function":
        """Makes a method of the function. Each instance gets a function of its own.

        The function's traces do not keep the instance alive.
        """
        if instance is None:
            return self
        method = self._bound.get(id(instance))
        if method is None or method.ref() is not instance:
            method = self._method(instance)
        handle = method.handle()
        if handle is None:
            # The returned object keeps the instance alive, so that `Model().call(x)` works.
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
        """The object that identifies this function if it is an argument of another `tf.function`.

        Reading a method gives a new object each time. So a method is identified by an object that lives as long as
        the instance.
        """
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
        """Calls the compiled function. If there is no trace for these arguments, the function is captured first."""
        if _eagerly or stream.is_eager():
            return self.python_function(*args, **kwargs)
        if not kwargs:
            try:
                fast = self._fast.get(tuple([a.aval for a in args]))
            except AttributeError:  # not all arguments are tensors
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
            # One of the variables among the arguments is also used by the trace without being an argument. Such a call
            # gets a trace of its own.
            key = (*key, *map(id, given.variables))
            concrete = self._traces.get(key) or self._traced(given, key)
            if concrete is None:
                return self._run_as_python(given)
        return concrete.run(given.tensors, given.variables)

    def _run_as_python(self, given: Arguments) -> Any:
        returned = Returned(self.python_function(*given.args, **given.kwargs), self._name)
        return returned.filled(returned.tensors)

    def _traced(self, given: Arguments, key: tuple) -> ConcreteFunction | None:
        """Captures the function for a call. Returns None if it cannot be captured and must run as Python."""
        with _tracing:
            if key in self._traces:  # captured by another thread meanwhile
                return self._traces[key]
            policy.happened(stream.thread, policy.Event.FUNCTION_CAPTURED)
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
            raise SymbolicValueError("XLA has no strings: a string tensor cannot be an argument of a compiled function")
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
                # The first trace has made variables. It is traced again, and the second trace uses these variables.
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
        """Logs, once for each signature, why the function runs as Python, and which line is the cause."""
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

    # Other methods of TensorFlow's class

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """The captured function for given arguments. If there is none yet, the function is captured.

        Args:
          *args: the arguments of the function. A `TensorSpec` may take the place of a tensor.
          **kwargs: keyword arguments of the function.

        Returns:
          A `ConcreteFunction`.

        Raises:
          UnsupportedError: a `TensorSpec` has unknown sizes, but XLA compiles for known shapes only.
          SymbolicValueError: the function cannot be captured.
        """
        if not args and not kwargs and self._signature.specs is not None:
            args = self._signature.specs
        return self.lookup(args, kwargs)[0]

    def lookup(self, args: tuple, kwargs: dict[str, Any]) -> tuple[ConcreteFunction, Arguments]:
        """The same as `get_concrete_function`, which also returns the arguments in the form that the trace takes."""
        values, named = _map_specs((args, kwargs), self._name)
        given = self._signature.bind(values, named)
        found = self._traces.get(given.key)
        if found is None:
            found = self._capture(given)
            self._traces[given.key] = found
        return found, given

    def experimental_get_tracing_count(self) -> int:
        """The number of times that the Python function was run in order to capture it."""
        return self._tracings

    def pretty_printed_concrete_signatures(self, verbose: bool = True) -> str:
        """All signatures captured so far, as text. `verbose` has no effect."""
        return "\n\n".join(c.pretty_printed_signature(verbose) for c in self._concretes())

    def experimental_get_compiler_ir(self, *args: Any, **kwargs: Any) -> Callable[[str], str]:
        """Gives access to the compiled program for given arguments.

        Args:
          *args: the arguments of the function. A `TensorSpec` may take the place of a tensor.
          **kwargs: keyword arguments of the function.

        Returns:
          A function that takes a stage, "hlo", "optimized_hlo" or "stablehlo", and returns the program as text. It
          raises ValueError for other stages.
        """
        concrete = self.get_concrete_function(*args, **kwargs)
        return lambda stage="hlo": concrete.as_text(stage)

    def _concretes(self) -> Iterator[ConcreteFunction]:
        return (c for c in self._traces.values() if c is not None)

    def __repr__(self) -> str:
        return f"<tapejax._src.function.tracing.function.Function {self._name}>"


_MISSING: Any = object()


class _Method:
    """The `Function` that belongs to an instance, and the object that was returned for it, while it is in use."""

    __slots__ = ("function", "handle", "ref")

    def __init__(self, ref: Callable[[], Any], function: Function):
        self.ref = ref
        self.function = function
        self.handle: Callable[[], Function | None] = lambda: None


class _Bound:
    """A function bound to an instance like a method, which holds only a weak reference to the instance."""

    def __init__(self, fn: Callable, ref: Callable[[], Any]):
        self.fn = fn
        self._ref = ref
        self.__name__ = getattr(fn, "__name__", type(fn).__name__)

    def with_function(self, fn: Callable) -> "_Bound":
        """Binds another function to the same instance."""
        return _Bound(fn, self._ref)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        instance = self._ref()
        if instance is None:
            raise ReferenceError(f"the object to which the method {self.__name__} belongs does not exist any more")
        return self.fn(instance, *args, **kwargs)


def _map_specs(structure: Any, name: str) -> Any:
    """Replaces the TensorSpecs in a structure of arguments by placeholder tensors."""
    from tapejax._src.core import nest

    def stand_in(leaf: Any) -> Any:
        if not isinstance(leaf, TensorSpec):
            return leaf
        if not leaf.shape.is_fully_defined():
            raise UnsupportedError(
                f"{name}.get_concrete_function({leaf!r})",
                "XLA compiles for known shapes",
                "Give all sizes, or call the function with tensors: it is captured for each new shape.",
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
    """Compiles a function: it is captured once for each signature, and then called as one program.

    The function's Python code runs only while it is captured. So its side effects happen once for each trace, and the
    values of attributes and globals at that time become part of the program. Two calls share a trace if their tensors
    have the same shapes and dtypes, their Python values are equal, and their other objects are identical.

    Some functions cannot be captured, such as those that read the value of a tensor, or in which shapes depend on
    values. They run as plain Python, like code without `tf.function`, and one warning names the line that is the cause.

    Args:
      func: the function. None returns a decorator, so that arguments can be given to it.
      input_signature: TensorSpecs for the positional arguments. Arguments are converted to them; arguments that do
        not fit are refused.
      autograph: whether `if`, `while` and `for` on tensors are captured.
      jit_compile: of no effect: every trace is compiled by XLA.
      reduce_retracing: of no effect: XLA compiles for known shapes, so the function is traced for each new shape.
      experimental_implements: not supported; must be None.
      experimental_autograph_options: not supported; must be None.
      experimental_attributes: not supported; must be None.
      experimental_relax_shapes: the old name of `reduce_retracing`, of no effect.
      experimental_compile: the old name of `jit_compile`, of no effect.
      experimental_follow_type_hints: of no effect, as in TensorFlow.

    Returns:
      A `Function`, or a decorator if `func` is None.

    Raises:
      TypeError: `func` is not callable, or `input_signature` is not a sequence of TensorSpecs.
      UnsupportedError: an argument that is not supported is given.

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
