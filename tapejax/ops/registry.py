"""`op`: the one way to define a TensorFlow op, as a pure JAX function under one decorator.

    @op("math.multiply", "multiply")
    def multiply(x: Same, y: Same, name=None):
        \"\"\"Elementwise product. ...\"\"\"
        return jnp.multiply(x, y)

The signature is TensorFlow's and the annotations say what each parameter is. Inside, tensor parameters are JAX
arrays and the others Python values; outside, the function takes whatever converts to tensors and records the op.
"""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any

import jax
import numpy as np

from tapejax import dtypes, errors
from tapejax.convert import NotATensor, match, to_tensor
from tapejax.engine import stream
from tapejax.engine.op import NO_STATIC, Op, Static, static
from tapejax.tensor import Tensor, from_value

__all__ = ["Array", "Arrays", "Axis", "DType", "Same", "Shape", "invalid", "names", "namespace", "op", "public"]

Array = Annotated[Any, "array"]  # a tensor
Same = Annotated[Any, "same"]  # a tensor of the dtype that all `Same` parameters share; a Python number takes it
Arrays = Annotated[Any, "arrays"]  # a list of tensors of one dtype
Axis = Annotated[Any, "axis"]  # an int, a tuple of ints, or None; static
Shape = Annotated[Any, "shape"]  # a tuple of ints; static
DType = Annotated[Any, "dtype"]  # a NumPy dtype or None; static
_TENSORS = ("array", "same", "arrays")

names: dict[str, Callable] = {}
"""Public TensorFlow name, such as "math.add": the function."""


versions: dict[type, dict[str, Callable]] = {}
"""For classes of sparse and ragged tensors: TensorFlow name, such as "concat", to the function that takes them."""


def version(error: NotATensor, public_names: tuple[str, ...]) -> Callable:
    """The version of an op for the kind of value that it could not convert. Raises the error if there is none."""
    known = versions.get(type(error.value), {})
    for name in public_names:
        if name in known:
            return known[name]
    raise error


def public(*public_names: str, composites: bool = False) -> Callable[[Callable], Callable]:
    """Registers a plain Python function (one made of other ops) under TensorFlow names.

    Args:
      *public_names: every name TensorFlow exposes it under, without "tf.".
      composites: whether it has versions for sparse or ragged tensors (an `op` always may).
    """

    def register(fn: Callable) -> Callable:
        if composites:
            fn = _with_versions(fn, public_names)
        for name in public_names:
            if name in names:
                raise ValueError(f"tf.{name} is defined twice")
            names[name] = fn
        return fn

    return register


def _with_versions(fn: Callable, public_names: tuple[str, ...]) -> Callable:
    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except NotATensor as e:
            other = version(e, public_names)
        return other(*args, **kwargs)

    return wrapper


def namespace(prefix: str) -> dict[str, Callable]:
    """What is registered directly under ``tf.<prefix>`` ("" for ``tf`` itself)."""
    start = prefix + "." if prefix else ""
    found = {n[len(start):]: fn for n, fn in names.items() if n.startswith(start)}
    return {n: fn for n, fn in found.items() if "." not in n}


def op(*public_names: str, differentiable: bool = True, host: Callable | None = None,
       may_fail: bool = False, flat: bool = False) -> Callable[[Callable], Callable]:
    """Makes a TensorFlow function of a pure JAX function.

    Args:
      *public_names: every name TensorFlow exposes it under, without "tf.".
      differentiable: False where TensorFlow defines no gradient (it is None, not zero).
      host: a NumPy function of the same signature (without `name`): used when all inputs are small host
        integers, so that arithmetic on shapes costs no device program and gives values at once.
      may_fail, flat: see `tapejax.engine.op.Op`.
    """

    def decorate(fn: Callable) -> Callable:
        call = _Caller(fn, host, differentiable=differentiable, may_fail=may_fail, flat=flat)

        the_op, plain, short_of = call.op, call.default_static, call.n if call.short else -1

        @functools.wraps(fn)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            # The common calls first: one tensor, or two of one dtype, that go to no host twin.
            if len(args) == short_of and not kwargs:
                x = args[0]
                if type(x) is Tensor and (host is None or x.aval.inexact):
                    if short_of != 1 and (
                            short_of != 2 or type(y := args[1]) is not Tensor or y.aval.dtype is not x.aval.dtype):
                        return call(args, kwargs)
                    try:
                        return stream.record(the_op, plain, args)
                    except _OP_ERRORS as e:
                        raise call.error(e) from None
            try:
                return call(args, kwargs)
            except NotATensor as e:
                other = version(e, public_names)
            return other(*args, **kwargs)

        wrapper.op = call.op  # type: ignore[attr-defined]
        return public(*public_names)(wrapper)

    return decorate


def _static_axis(value: Any) -> Any:
    if value is None or type(value) is int:
        return value
    if isinstance(value, (list, tuple)):
        return tuple(int(v) for v in value)
    array = np.asarray(value)
    return int(array) if array.ndim == 0 else tuple(int(v) for v in array)


def _static_shape(value: Any) -> Any:
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
    "axis": _static_axis, "shape": _static_shape, "dtype": _static_dtype, "value": _static_value}
_OP_ERRORS = (TypeError, ValueError, ZeroDivisionError, IndexError, AssertionError, errors.InvalidArgumentError,
              errors.FailedPreconditionError)
_PLAIN = frozenset({int, bool, str, type(None), dtypes.DType})
_HOST_LIMIT = 64  # elements


class _Caller:
    """Converts arguments and records. The common call, tensors alone by position, takes the short way."""

    def __init__(self, fn: Callable, host: Callable | None, **nature: bool):
        self.fn = fn
        self.host = host
        params = [p for p in inspect.signature(fn).parameters.values() if p.name != "name"]
        kinds = {p.name: getattr(p.annotation, "__metadata__", ("value",))[0] for p in params}
        self.signature = inspect.signature(fn)
        self.tensors = [p.name for p in params if kinds[p.name] in _TENSORS]
        self.kinds = kinds
        self.statics = [(p.name, _STATIC[kinds[p.name]]) for p in params if kinds[p.name] not in _TENSORS]
        self.n = len(self.tensors)
        self.same = [kinds[t] == "same" for t in self.tensors]
        self.all_same = all(self.same) and self.n > 1
        self.simple = all(kinds[t] != "arrays" and self.signature.parameters[t].default is inspect.Parameter.empty
                          for t in self.tensors)
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
            return self.fn(*arrays, **kwargs) if self.short else self.fn(**dict(zip(self.tensors, arrays, strict=True)),
                                                                          **kwargs)
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
        return tuple(next(matched) if s else v if type(v) is Tensor else to_tensor(v)
                     for v, s in zip(values, same, strict=True))

    def _record(self, kept: Static, inputs: tuple) -> Any:
        if self.n > 1 and self.same[0]:
            self._check_dtypes(inputs)
        if self.host is not None and inputs and all(map(_on_host, inputs)):
            arrays = [np.asarray(t[0], t[1].dtype) if t.__class__ is tuple else t._value for t in inputs]
            kwargs = {k: v for k, v in kept.kwargs.items() if k != "_layout"}
            with np.errstate(all="ignore"):
                try:
                    value = np.asarray(self.host(arrays if kept.kwargs.get("_layout") else arrays[0], **kwargs)
                                       if kept.kwargs.get("_layout") else self.host(*arrays, **kwargs))
                    want = self.op.infer(kept, tuple(t[1].aval if t.__class__ is tuple else t.aval for t in inputs))
                    return from_value(value.astype(want.avals[0].dtype, copy=False).reshape(want.avals[0].shape))
                except _OP_ERRORS as e:
                    raise self.error(e) from None
        try:
            return stream.record(self.op, kept, inputs)
        except _OP_ERRORS as e:
            raise self.error(e) from None

    def _check_dtypes(self, inputs: tuple) -> None:
        dtype = None
        for i, t in enumerate(inputs):
            if i < len(self.same) and not self.same[i]:
                continue
            own = t[1].dtype if t.__class__ is tuple else t.aval.dtype
            if dtype is None:
                dtype = own
            elif own != dtype:
                raise invalid(f"cannot compute {self.op.name} as input #{i}(zero-based) was expected to be a "
                              f"{dtypes.from_numpy(dtype).name} tensor but is a {dtypes.from_numpy(own).name} tensor "
                              f"[Op:{self.op.name}]")

    def error(self, e: Exception) -> Exception:
        """What the user sees when the op refuses its inputs: TensorFlow's class."""
        if getattr(e, "is_final", False):
            return e
        if isinstance(e, errors.OpError):
            return invalid(str(e)) if stream.current().symbolic else e
        return invalid(f"{{{{function_node __wrapped__{self.op.name}}}}} {e} [Op:{self.op.name}]")


def invalid(text: str) -> Exception:
    """The error for arguments of wrong shapes or dtypes: eagerly a kernel's, in a captured graph that of inference."""
    if not stream.current().symbolic:
        return errors.InvalidArgumentError(message=text)
    return TypeError(text) if _ABOUT_DTYPES.search(text) else ValueError(text)


_ABOUT_DTYPES = re.compile("for attr '(T|dtype|out)|was expected to be a")


def _on_host(t: Any) -> bool:
    """Whether an input is a small integer array whose value is already here."""
    if t.__class__ is tuple:
        return t[1].dtype.kind in "iub"
    value = t._value
    return type(value) is np.ndarray and value.dtype.kind in "iub" and value.size <= _HOST_LIMIT


def translate(error: Exception, where: str) -> Exception:
    """An error of a running program as TensorFlow's class."""
    text = f"{error} {where}"
    if "RESOURCE_EXHAUSTED" in text or isinstance(error, MemoryError):
        return errors.ResourceExhaustedError(message=text)
    if isinstance(error, errors.OpError):
        return type(error)(message=text)
    if isinstance(error, FloatingPointError):  # what `jax_debug_nans` raises
        return errors.InvalidArgumentError(message=text)
    if isinstance(error, jax.errors.JaxRuntimeError):
        return _of_callback(str(error), where) or errors.InternalError(message=text)
    return errors.UnknownError(message=text)


def _of_callback(text: str, where: str) -> Exception | None:
    """The error that Python code called by the program raised, if it was one of `errors`: the end of XLA's report."""
    found = re.search(r"\n(?:tapejax\.errors\.)?(\w+Error): (.*)\Z", text, re.DOTALL)
    cls = getattr(errors, found[1], None) if found else None
    return cls(message=f"{found[2]} {where}") if found and cls is not None else None
