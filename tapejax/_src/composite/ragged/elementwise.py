"""The versions of ``tf.add``, ``tf.cast``, ``tf.where`` etc. for ragged tensors, and Python's operators on them."""

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tapejax._src.composite.ragged import arranging, indexing, joining, masking
from tapejax._src.composite.ragged.building import coordinates
from tapejax._src.composite.ragged.making import row_ids
from tapejax._src.composite.ragged.tensor import RaggedTensor
from tapejax._src.composite.sparse.arithmetic import softmax_in_groups
from tapejax._src.composite.sparse.tensor import reshape, take
from tapejax._src.core import public
from tapejax._src.core.checks import invalid
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.ops.array.gathering import where
from tapejax._src.ops.array.shapes import counts
from tapejax._src.ops.math.comparison import logical_and, logical_not, logical_or, logical_xor
from tapejax._src.ops.nn.activations import softmax
from tapejax._src.ops.nn.embedding import embedding_lookup

__all__ = ["attach", "on_flat_values"]

_ELEMENTWISE = (
    "abs acos acosh add asin asinh atan atan2 atanh cast ceil clip_by_value conj cos cosh digamma divide "
    "divide_no_nan equal erf erfc erfinv exp expm1 floor floordiv floormod greater greater_equal identity imag "
    "is_finite is_inf is_nan less less_equal lgamma log log1p log_sigmoid logical_and logical_not logical_or "
    "logical_xor maximum minimum mod multiply multiply_no_nan negative not_equal one_hot ones_like pow real reciprocal "
    "rint round rsqrt saturate_cast sigmoid sign sin sinh softplus sqrt square squared_difference stop_gradient "
    "subtract tan tanh truediv truncatediv truncatemod xdivy xlogy zeros_like"
).split()
_BITWISE = "bitwise_and bitwise_or bitwise_xor invert left_shift right_shift".split()
_NN = ("dropout elu gelu leaky_relu relu relu6 selu sigmoid silu softplus softsign swish tanh").split()
_STRINGS = (
    "as_string length lower upper strip substr to_hash_bucket to_hash_bucket_fast to_hash_bucket_strong "
    "to_number regex_replace regex_full_match unicode_script"
).split()


def on_flat_values(fn: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> RaggedTensor:
    """Applies an elementwise function to the flat values of ragged tensors.

    Dense tensors among the arguments are broadcast to the rows of the ragged tensors.

    Raises:
      InvalidArgumentError: the rows of two ragged tensors have different lengths, or a dense tensor does not fit.
    """
    first = max((a for a in (*args, *kwargs.values()) if isinstance(a, RaggedTensor)), key=lambda a: a.ragged_rank)
    flat = [_aligned(first, a) for a in args]
    return first.with_flat_values(fn(*flat, **{k: _aligned(first, v) for k, v in kwargs.items()}))


def _aligned(first: RaggedTensor, value: Any) -> Any:
    if value is first:
        return value.flat_values
    if isinstance(value, RaggedTensor):
        mine, theirs = first.nested_row_splits, value.nested_row_splits
        if len(mine) != len(theirs) or any(
            a is not b and not np.array_equal(a, b)
            for a, b in zip((p._splits() for p in first._levels()), (p._splits() for p in value._levels()), strict=True)
        ):
            raise invalid(f"the rows of ragged tensors of shapes {first.shape} and {value.shape} differ in length")
        return value.flat_values
    if not isinstance(value, (Tensor, np.ndarray, list)) and not hasattr(value, "aval"):
        return value  # such as a number, a dtype or a name
    t = to_tensor(value, None, first.flat_values.aval.dtype)
    inner = len(first.flat_values.aval.shape) - 1
    if len(t.aval.shape) <= inner:
        return t
    return _spread(first, t, inner)


def _spread(first: RaggedTensor, t: Tensor, inner: int) -> Tensor:
    """Broadcasts a dense tensor: its element, or slice, for each row of the flat values of `first`."""
    at = coordinates(first)
    outer = at.shape[1]
    shape = t.aval.shape
    if len(shape) > outer + inner:
        raise invalid(f"a dense tensor of shape {shape} has more axes than the ragged one of shape {first.shape}")
    shape = (1,) * (outer + inner - len(shape)) + shape
    lengths = [np.array([len(first._splits()) - 1]), *(np.diff(p._splits()) for p in first._levels())]
    for n, found in zip(shape[:outer], lengths, strict=True):
        if n != 1 and (found != n).any():
            raise invalid(
                f"a dense tensor of shape {t.aval.shape} does not fit the rows of the ragged one of shape {first.shape}"
            )
    at = np.where(np.array(shape[:outer]) == 1, 0, at)
    rows = np.ravel_multi_index(tuple(at.T), shape[:outer])
    return take(reshape(t, (int(np.prod(shape[:outer])), *shape[outer:])), rows)


def _version(name: str) -> Callable[..., RaggedTensor]:
    def apply(*args: Any, **kwargs: Any) -> RaggedTensor:
        return on_flat_values(public.names[name], list(args), kwargs)

    return apply


def _where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    if (x is None) != (y is None):
        raise ValueError("x and y must both be non-None or both be None.")
    if x is None:
        return masking.positions(condition)
    return on_flat_values(where, [condition, x, y], {})


def _softmax(logits: RaggedTensor, axis: Any = None, name: str | None = None) -> RaggedTensor:
    rank = logits.shape.rank
    assert rank is not None
    if axis is not None and int(axis) % rank != rank - 1:
        raise ValueError(f"tf.nn.softmax of a ragged tensor along axis {axis} is not supported, only the last")
    values = logits.flat_values
    if len(values.aval.shape) > 1:
        return logits.with_flat_values(softmax(values))
    splits = logits._levels()[-1]._splits()
    groups = from_value(row_ids(splits).astype(np.int32))
    return logits.with_flat_values(softmax_in_groups(values, groups, len(splits) - 1))


def _size(input: RaggedTensor, out_type: Any = None, name: str | None = None) -> Tensor:
    return counts(int(np.prod(input.flat_values.aval.shape, dtype=np.int64)), out_type)


def _embedding(params: Any, ids: RaggedTensor, max_norm: Any = None, name: str | None = None) -> RaggedTensor:
    return ids.with_flat_values(embedding_lookup(params, ids.flat_values, max_norm))


def _add_n(inputs: Any, name: str | None = None) -> RaggedTensor:
    return functools.reduce(operator.add, inputs)


def _scalar_mul(scalar: Any, x: Any, name: str | None = None) -> RaggedTensor:
    return on_flat_values(public.names["scalar_mul"], [scalar, x], {})


def _join(inputs: Any, separator: str = "", name: str | None = None) -> RaggedTensor:
    return on_flat_values(lambda *parts: public.names["strings.join"](parts, separator), list(inputs), {})


@public.public("ragged.map_flat_values")
def map_flat_values(op: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Applies a function to the flat values of ragged tensors. The result has the same rows.

    Args:
      op: the function. The first axis of its result must have the size of that of the flat values.
      *args: its arguments. Ragged tensors, also those in lists, are replaced by their flat values. They must all have
        the same row splits.
      **kwargs: its keyword arguments, likewise.

    Raises:
      ValueError: the row splits differ, or the result has another size.

    Source: https://www.tensorflow.org/api_docs/python/tf/ragged/map_flat_values

    >>> map_flat_values(lambda x: x * 2, RaggedTensor.from_row_splits([1, 2, 3], [0, 2, 3]))
    <tf.RaggedTensor [[2, 4], [6]]>
    """
    found: list[RaggedTensor] = []

    def flat(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(map(flat, value))
        if not isinstance(value, RaggedTensor):
            return value
        found.append(value)
        return value.flat_values

    out_args, out_kwargs = [flat(a) for a in args], {k: flat(v) for k, v in kwargs.items()}
    for other in found[1:]:
        if other.ragged_rank != found[0].ragged_rank or any(
            not np.array_equal(a._splits(), b._splits())
            for a, b in zip(other._levels(), found[0]._levels(), strict=True)
        ):
            raise ValueError("the ragged tensors have incompatible row_splits")
    out = op(*out_args, **out_kwargs)
    return found[0].with_flat_values(out) if found else out


def _method(fn: Callable[..., Any], swapped: bool = False) -> Callable[..., Any]:
    def method(*args: Any) -> Any:
        return on_flat_values(fn, list(args[::-1] if swapped else args), {})

    return method


def attach() -> None:
    """Registers the versions of ops for ragged tensors, and defines Python's operators on ragged tensors."""
    known = public.versions.setdefault(RaggedTensor, {})
    for name in _ELEMENTWISE:
        for full in (name, f"math.{name}"):
            known[full] = _version(full)
    known |= {f"nn.{name}": _version(f"nn.{name}") for name in _NN}
    known |= {f"strings.{name}": _version(f"strings.{name}") for name in _STRINGS}
    known |= {f"bitwise.{name}": _version(f"bitwise.{name}") for name in _BITWISE}
    known |= {
        "add_n": _add_n,
        "math.add_n": _add_n,
        "math.scalar_mul": _scalar_mul,
        "scalar_mul": _scalar_mul,
        "reverse": arranging.reverse,
        "split": arranging.split,
        "strings.join": _join,
        "tile": arranging.tile,
        "concat": joining.concat,
        "stack": joining.stack,
        "gather": indexing.gather,
        "expand_dims": indexing.expand_dims,
        "where": _where,
        "nn.softmax": _softmax,
        "size": _size,
        "rank": lambda input, name=None: counts(input.shape.rank),
        "nn.embedding_lookup": _embedding,
    }
    binary = {name: getattr(operator, name) for name in "add sub mul truediv floordiv mod pow".split()}
    binary |= {"and": logical_and, "or": logical_or, "xor": logical_xor}
    for name, fn in binary.items():
        setattr(RaggedTensor, f"__{name}__", _method(fn))
        setattr(RaggedTensor, f"__r{name}__", _method(fn, swapped=True))
    for name in "eq ne lt le gt ge neg abs".split():
        setattr(RaggedTensor, f"__{name}__", _method(getattr(operator, name)))
    RaggedTensor.__invert__ = _method(logical_not)  # type: ignore[attr-defined]
    RaggedTensor.__hash__ = None  # type: ignore[assignment]


attach()
