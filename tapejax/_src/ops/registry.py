"""The decorator `op`, which makes a TensorFlow function of a pure JAX function.

    @op("math.multiply", "multiply")
    def multiply(x: Same, y: Same, name=None):
        \"\"\"Elementwise product. ...\"\"\"
        return jnp.multiply(x, y)

The function has TensorFlow's signature. The annotations say what each parameter is: `Array`, `Same` and `Arrays` are
tensors, all others are static arguments. The function itself gets its tensors as JAX arrays and its static arguments as
Python values. Its callers may pass anything that converts to a tensor, and a call records the op.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec, Protocol, cast

import numpy as np

from tapejax._src.core import dtypes, errors
from tapejax._src.core.checks import final, invalid
from tapejax._src.core.convert import NotATensor, match, to_tensor
from tapejax._src.core.public import public, version
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.core.translation import raised_by_jax, unfiltered_tracebacks
from tapejax._src.engine import stream
from tapejax._src.engine.aval import Aval
from tapejax._src.engine.op import NO_STATIC, Op, Static, static
from tapejax._src.ops.string_codes import decoded, encoded

__all__ = ["Array", "Arrays", "Axis", "DType", "OpFunction", "Same", "Shape", "op", "static_shape"]

Array = Annotated[Any, "array"]  # a tensor
Same = Annotated[Any, "same"]  # a tensor; all `Same` parameters have one dtype, and Python numbers are converted to it
Arrays = Annotated[Any, "arrays"]  # a list of tensors of one dtype
Axis = Annotated[Any, "axis"]  # an int, a tuple of ints, or None; static
Shape = Annotated[Any, "shape"]  # a tuple of ints; static
DType = Annotated[Any, "dtype"]  # a NumPy dtype or None; static
_TENSORS = ("array", "same", "arrays")

P = ParamSpec("P")


class OpFunction(Protocol[P]):
    """The function that `op` returns. It has the JAX function's parameters, but takes and returns tensors.

    Attributes:
      op: the op that each call records.
      __wrapped__: the JAX function.
    """

    op: Op
    __name__: str
    __wrapped__: Callable[P, Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Records the op."""
        ...


def op(
    *public_names: str,
    differentiable: bool = True,
    host: Callable | None = None,
    strings: bool | Callable = False,
    may_fail: bool = False,
    flat: bool = False,
) -> Callable[[Callable[P, Any]], OpFunction[P]]:
    """Makes a TensorFlow function of a pure JAX function.

    Args:
      *public_names: all names that the function has in TensorFlow, without "tf.".
      differentiable: False if TensorFlow defines no gradient for the op. Tapes then give None, not zeros.
      host: a NumPy function with the same parameters except `name`. It computes the result at once if all inputs are
        small integer arrays on the host. So arithmetic on shapes needs no device program.
      strings: how the op handles strings. False: it refuses them. True: it only moves elements, or tests whether they
        are equal; it then runs on numbers that stand for the strings (see `string_codes`). A function: it computes
        the result from NumPy arrays of `bytes` objects.
      may_fail: see `tapejax._src.engine.op.Op`.
      flat: see `tapejax._src.engine.op.Op`.

    Returns:
      A decorator. The function that it returns has the attributes of `OpFunction`.

    The decorated function refuses inputs with the errors of `tapejax._src.core.checks`. An error that JAX raises about
    their shapes and dtypes reaches the user as TensorFlow's InvalidArgumentError. Any other error is a bug in the
    function, and keeps its class and its traceback.
    """

    def decorate(fn: Callable[P, Any]) -> OpFunction[P]:
        call = _Caller(fn, host, strings, differentiable=differentiable, may_fail=may_fail, flat=flat)

        the_op, plain, short_of = call.op, call.default_static, call.n if call.short else -1

        @functools.wraps(fn)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
            # A short way for the most common calls: one tensor, or two tensors of one dtype, for which the NumPy
            # function `host` is not used.
            if (
                len(args) == short_of
                and not kwargs
                and type(x := args[0]) is Tensor
                and (host is None or x.aval.inexact)
                and (short_of == 1 or (short_of == 2 and type(y := args[1]) is Tensor and y.aval.dtype is x.aval.dtype))
            ):
                try:
                    return stream.record(the_op, plain, args)
                except stream.HostOnlyError as e:
                    return call.of_strings(e, plain, args)
                except _REFUSALS as e:
                    if (refusal := call.refusal(e, plain, args)) is None:
                        raise
                    raise refusal from None
            try:
                return call(args, kwargs)
            except NotATensor as e:
                other = version(e, public_names)
            return other(*args, **kwargs)

        wrapper.op = call.op  # type: ignore[attr-defined]
        return cast(OpFunction[P], public(*public_names)(wrapper))

    return decorate


def _static_axis(value: Any) -> Any:
    if value is None or type(value) is int:
        return value
    if isinstance(value, (list, tuple)):
        return tuple(int(v) for v in value)
    array = np.asarray(value)
    return int(array) if array.ndim == 0 else tuple(int(v) for v in array)


def static_shape(value: Any) -> Any:
    """Converts a shape argument (a list, an array or a `TensorShape`) to a tuple of ints. None is returned as it is."""
    if value is None:
        return None
    if isinstance(value, (list, tuple)) or not hasattr(value, "as_list"):
        array = value if isinstance(value, (list, tuple)) else np.atleast_1d(np.asarray(value))
        return tuple(int(v) for v in array)
    return tuple(value.as_list())


def _static_dtype(value: Any) -> Any:
    return None if value is None else dtypes.to_numpy(value)


def _static_value(value: Any) -> Any:
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        value = np.asarray(value).tolist()
    return tuple(map(_static_value, value)) if isinstance(value, list) else value


_STATIC: dict[str, Callable[[Any], Any]] = {
    "axis": _static_axis,
    "shape": static_shape,
    "dtype": _static_dtype,
    "value": _static_value,
}
# The classes of the errors by which ops refuse inputs, and of JAX's errors about shapes and dtypes. A bug in an op can
# raise them too: `_Caller.refusal` decides which of the three it was.
_REFUSALS = (
    TypeError,
    ValueError,
    ZeroDivisionError,
    IndexError,
    AssertionError,
    errors.InvalidArgumentError,
    errors.FailedPreconditionError,
)
_PLAIN = frozenset({int, bool, str, type(None), dtypes.DType})
_HOST_LIMIT = 64  # elements: `host` functions compute with arrays up to this size


class _Caller:
    """Converts the arguments of a call and records the op.

    If `short` is true, the op can be called with tensors only, all by position. Such a call is not bound to the
    signature, which saves time.
    """

    def __init__(self, fn: Callable, host: Callable | None, strings: bool | Callable, **nature: bool):
        self.fn = fn
        self.host = host
        self.strings = strings
        params = [p for p in inspect.signature(fn).parameters.values() if p.name != "name"]
        kinds = {p.name: getattr(p.annotation, "__metadata__", ("value",))[0] for p in params}
        self.signature = inspect.signature(fn)
        self.tensors = [p.name for p in params if kinds[p.name] in _TENSORS]
        self.kinds = kinds
        self.statics = [(p.name, _STATIC[kinds[p.name]]) for p in params if kinds[p.name] not in _TENSORS]
        self.n = len(self.tensors)
        self.same = [kinds[t] == "same" for t in self.tensors]
        self.all_same = all(self.same) and self.n > 1
        self.simple = all(
            kinds[t] != "arrays" and self.signature.parameters[t].default is inspect.Parameter.empty
            for t in self.tensors
        )
        required = [p.name for p in params if p.default is inspect.Parameter.empty]
        self.short = self.simple and required == self.tensors == [p.name for p in params][: self.n]
        self.op = Op(fn.__name__, self.run, host=host, **nature)
        self.memo: dict[tuple, Static] = {}
        defaults = {p.name: p.default for p in params if kinds[p.name] not in _TENSORS}
        self.defaults = defaults
        self.default_static = self._static(defaults) if self.short else NO_STATIC

    def run(self, *arrays: Any, _layout: tuple = (), **kwargs: Any) -> Any:
        """The op's JAX function."""
        if not _layout:
            return (
                self.fn(*arrays, **kwargs)
                if self.short
                else self.fn(**dict(zip(self.tensors, arrays, strict=True)), **kwargs)
            )
        rest = iter(arrays)
        given = {}
        for name, count in zip(self.tensors, _layout, strict=True):
            given[name] = None if count is None else next(rest) if count < 0 else [next(rest) for _ in range(count)]
        return self.fn(**given, **kwargs)

    def __call__(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        if self.short and not kwargs and len(args) == self.n:
            if self.n == 1:
                x = args[0]
                inputs = args if type(x) is Tensor else (to_tensor(x),)
            elif self.all_same:
                inputs = self._same(args)
            else:
                inputs = self._inputs(list(args))
            return self._record(self.default_static, inputs)
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        tensors = [given[t] for t in self.tensors]
        kept = self._static({n: given[n] for n, _ in self.statics})
        if self.simple:
            return self._record(kept, self._inputs(tensors))
        flat, same, layout = [], [], []
        for name, value in zip(self.tensors, tensors, strict=True):
            if value is None:
                layout.append(None)
            elif self.kinds[name] == "arrays":
                items = list(value) if isinstance(value, (list, tuple)) else [to_tensor(value)]
                layout.append(len(items))
                flat += items
                same += [True] * len(items)
            else:
                layout.append(-1)
                flat.append(value)
                same.append(self.kinds[name] == "same")
        return self._record(static(**kept.kwargs, _layout=tuple(layout)), self._inputs(flat, same))

    def _static(self, values: dict[str, Any]) -> Static:
        if not values:
            return NO_STATIC
        plain = all(type(v) in _PLAIN for v in values.values())
        key = (*values.values(), *map(type, values.values())) if plain else ()
        found = self.memo.get(key) if plain else None
        if found is None:
            found = static(**{name: convert(values[name]) for name, convert in self.statics})
            if plain and len(self.memo) < 4096:
                self.memo[key] = found
        return found

    def _same(self, args: tuple) -> tuple:
        for a in args:
            if type(a) is not Tensor:
                return tuple(match(list(args)))
        return args

    def _inputs(self, values: list[Any], same: list[bool] | None = None) -> tuple:
        same = self.same if same is None else same
        matched = iter(match([v for v, s in zip(values, same, strict=True) if s]))
        return tuple(
            next(matched) if s else v if type(v) is Tensor else to_tensor(v) for v, s in zip(values, same, strict=True)
        )

    def _record(self, kept: Static, inputs: tuple) -> Any:
        if self.n > 1 and self.same[0]:
            self._check_dtypes(inputs)
        if self.host is not None and inputs and all(map(_on_host, inputs)):
            run = self._on_host
        else:
            run = stream.record
        try:
            return run(self.op, kept, inputs)
        except stream.HostOnlyError as e:
            return self.of_strings(e, kept, inputs)
        except _REFUSALS as e:
            if (refusal := self.refusal(e, kept, inputs)) is None:
                raise
            raise refusal from None

    def of_strings(self, error: Exception, kept: Static, inputs: tuple) -> Any:
        """Computes the op's result for string tensors at once, without recording it.

        Args:
          error: the error that recording raised. The user gets it if the op does not take strings.
          kept: the static arguments.
          inputs: the tensors.
        """
        if not self.strings:
            raise (self.refusal(error, kept, inputs) or error) from None
        if callable(self.strings):
            try:
                return from_value(np.asarray(self.strings(*map(stream.host, inputs), **kept.kwargs), object))
            except ValueError as e:
                raise invalid(f"{e} [Op:{self.op.name}]") from None
        coded, texts = encoded(inputs)
        host = self.host is not None and all(map(_on_host, coded))
        try:
            return decoded((self._on_host if host else stream.run_now)(self.op, kept, coded), texts)
        except _REFUSALS as e:
            raise (self.refusal(e, kept, coded) or e) from None

    def _on_host(self, op: Op, kept: Static, inputs: tuple) -> Tensor:
        """Computes the result at once with the NumPy function `host`, instead of recording the op."""
        assert self.host is not None
        want = op.infer(kept, _avals(inputs)).avals[0]  # raises JAX's error if the shapes do not fit
        arrays = [np.asarray(t[0], t[1].dtype) if t.__class__ is tuple else t._value for t in inputs]
        kwargs = {k: v for k, v in kept.kwargs.items() if k != "_layout"}
        with np.errstate(all="ignore"):
            value = self.host(arrays, **kwargs) if kept.kwargs.get("_layout") else self.host(*arrays, **kwargs)
        return from_value(np.asarray(value).astype(want.dtype, copy=False).reshape(want.shape))

    def _check_dtypes(self, inputs: tuple) -> None:
        dtype = None
        for i, t in enumerate(inputs):
            if i < len(self.same) and not self.same[i]:
                continue
            own = t[1].dtype if t.__class__ is tuple else t.aval.dtype
            if dtype is None:
                dtype = own
            elif own != dtype:
                raise invalid(
                    f"cannot compute {self.op.name} as input #{i}(zero-based) was expected to be a "
                    f"{dtypes.from_numpy(dtype).name} tensor but is a {dtypes.from_numpy(own).name} tensor "
                    f"[Op:{self.op.name}]"
                )

    def refusal(self, e: Exception, kept: Static, inputs: tuple) -> Exception | None:
        """The error that the user gets for an error that the op raised.

        Returns:
          An error of TensorFlow's class if the op refused its inputs on purpose (see `checks`), or if JAX cannot
          compute with their shapes and dtypes. None if the error is a bug in the op: it should be raised as it is.
        """
        name = self.op.name
        if getattr(e, "is_final", False):
            getattr(e, "__notes__", []).clear()  # JAX's note on filtered tracebacks
            return final(type(e)(f"{e} [Op:{name}]")) if getattr(e, "is_unnamed", False) else e
        if isinstance(e, errors.OpError):
            if type(e) is errors.InvalidArgumentError and "[Op:" not in str(e):
                e = errors.InvalidArgumentError(message=f"{e} [Op:{name}]")
            return invalid(str(e)) if stream.current().symbolic else e
        if isinstance(e, stream.HostOnlyError) or self._jax_refuses(kept, inputs):
            return invalid(f"{{{{function_node __wrapped__{name}}}}} {e} [Op:{name}]")
        return None

    def _jax_refuses(self, kept: Static, inputs: tuple) -> bool:
        """Whether JAX itself, not the op's function, raises an error on inputs of these shapes and dtypes.

        It runs the failed shape inference again without JAX's filter on tracebacks. Only a traceback that contains
        JAX's own frames shows where the error was raised.
        """
        with unfiltered_tracebacks():
            try:
                self.op.infer(kept, _avals(inputs))
            except _REFUSALS as e:
                return raised_by_jax(e, self.fn)
        return False


def _avals(inputs: tuple) -> tuple[Aval, ...]:
    return tuple(t[1].aval if t.__class__ is tuple else t.aval for t in inputs)


def _on_host(t: Any) -> bool:
    """Whether an input is a small integer or boolean array whose value is on the host."""
    if t.__class__ is tuple:
        return t[1].dtype.kind in "iub"
    value = t._value
    return type(value) is np.ndarray and value.dtype.kind in "iub" and value.size <= _HOST_LIMIT
