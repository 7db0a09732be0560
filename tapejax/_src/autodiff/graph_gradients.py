"""`tf.gradients` and `tf.hessians`: derivatives in a function that is being captured, without a tape."""

from typing import Any

import numpy as np

from tapejax._src.autodiff import backward
from tapejax._src.autodiff.backward import ones_like, zeros_like
from tapejax._src.autodiff.jacobian import jacobians
from tapejax._src.autodiff.record import Entry, Key, Record
from tapejax._src.core import nest
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable
from tapejax._src.engine import stream

__all__ = ["gradients", "hessians"]

# The values of `tf.AggregationMethod`. They are ways to compute the same sum, so they make no difference here.
_METHODS = (None, 0, 1, 2)


class _Whole(Record):
    """The record of a tape that had been active since the capture began.

    Args:
      trace: the trace of the capture.
      sources: tensors and variables that are watched.
      stops: tensors that count as constants. No derivative flows through the ops that compute them.
    """

    def __init__(self, trace: Any, sources: list[Any], stops: list[Tensor]):
        super().__init__()
        self._segment(trace).ranges.append([0, None])
        self.tensors: list[Tensor] = []
        for source in sources:
            if isinstance(source, Variable):
                _, before = trace.assigned.get(id(source), (None, source._tensor))
                both = [before] if before is source._tensor else [before, source._tensor]
                self.reads[id(source)] = (source, both)
                self.tensors += both
            else:
                self.tensors.append(source)
        # All sources are watched from the start, including those that the function computes itself.
        self.tracked.update(map(self.key, self.tensors))
        self._stops = set(map(self.key, stops))

    def _sweep(self, segment: Any, tracked: set[Key]) -> list[Entry]:
        return [e for e in super()._sweep(segment, tracked) if not self._stops.intersection(e.outputs)]


def _begin(ys: Any, xs: Any, stops: Any, aggregation_method: Any) -> tuple[list[Tensor], list[Any], _Whole]:
    trace = stream.current()
    if not trace.symbolic:
        raise RuntimeError(
            "tf.gradients is not supported when eager execution is enabled. Use tf.GradientTape instead."
        )
    if aggregation_method not in _METHODS:
        raise ValueError(f"Invalid `aggregation_method` specified {aggregation_method}.")
    targets = [to_tensor(y) for y in nest.flatten(ys)]
    sources = [x if isinstance(x, Variable) else to_tensor(x) for x in nest.flatten(xs)]
    return targets, sources, _Whole(trace, sources, [to_tensor(s) for s in nest.flatten(stops or [])])


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    gate_gradients: bool = False,
    aggregation_method: Any = None,
    stop_gradients: Any = None,
    unconnected_gradients: str = "none",
) -> list[Any]:
    """Derivatives of the sum of all elements of `ys` with respect to each of `xs`, inside a `tf.function`.

    Args:
      ys: a tensor or a list of tensors, computed in the function that is being captured.
      xs: a tensor, a variable, or a list of them.
      grad_ys: upstream gradients: one tensor for each of `ys`, or None for ones.
      name: of no effect.
      gate_gradients: of no effect; it concerns the order of the ops in TensorFlow's graph.
      aggregation_method: a `tf.AggregationMethod`. The result does not depend on it.
      stop_gradients: tensors that count as constants.
      unconnected_gradients: what to return for one of `xs` that `ys` do not depend on: "none" gives None, "zero" a
        tensor of zeros.

    Returns:
      A list with a tensor or None for each of `xs`.

    Raises:
      RuntimeError: the call is not inside a function that is being captured.
      ValueError: `unconnected_gradients` or `aggregation_method` is unknown, or `grad_ys` has another length than
        `ys`.

    Source: https://www.tensorflow.org/api_docs/python/tf/gradients

    >>> import tapejax as tf
    >>> @tf.function
    ... def slope(x):
    ...     return tf.gradients(x * x, x)[0]
    >>> slope(tf.constant(3.0)).numpy().item()
    6.0
    """
    targets, sources, record = _begin(ys, xs, stop_gradients, aggregation_method)
    if unconnected_gradients not in ("none", "zero"):
        raise ValueError(f"Unknown value for unconnected_gradients: {unconnected_gradients!r}")
    given = [None] * len(targets) if grad_ys is None else nest.flatten(grad_ys)
    if len(given) != len(targets):
        raise ValueError(f"Passed {len(given)} grad_ys for {len(targets)} ys")
    seeds = [ones_like(y) if g is None else to_tensor(g, y.aval.dtype) for g, y in zip(given, targets, strict=True)]
    found = backward.gradients(record, targets, seeds, sources)
    if unconnected_gradients == "zero":
        return [zeros_like(x) if g is None else g for g, x in zip(found, sources, strict=True)]
    return list(found)


def hessians(
    ys: Any, xs: Any, gate_gradients: bool = False, aggregation_method: Any = None, name: str = "hessians"
) -> list[Any]:
    """Second derivatives of the sum of all elements of `ys` with respect to each of `xs`, inside a `tf.function`.

    Args:
      ys: a tensor or a list of tensors, computed in the function that is being captured.
      xs: a tensor, a variable, or a list of them.
      gate_gradients: of no effect; it concerns the order of the ops in TensorFlow's graph.
      aggregation_method: a `tf.AggregationMethod`. The result does not depend on it.
      name: of no effect.

    Returns:
      A list with a tensor of shape ``x.shape + x.shape`` for each ``x`` of `xs`.

    Raises:
      RuntimeError: the call is not inside a function that is being captured.
      ValueError: `aggregation_method` is unknown, or `ys` do not depend on one of `xs`.

    Source: https://www.tensorflow.org/api_docs/python/tf/hessians

    >>> import tapejax as tf
    >>> @tf.function
    ... def bend(x):
    ...     return tf.hessians(tf.reduce_sum(x ** 3), x)[0]
    >>> bend(tf.constant([1.0, 2.0])).numpy().tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    targets, sources, record = _begin(ys, xs, None, aggregation_method)
    firsts = backward.gradients(record, targets, None, sources)
    found = []
    for x, first in zip(sources, firsts, strict=True):
        if first is None:
            raise ValueError("None values not supported: `ys` do not depend on one of `xs`")
        (second,) = jacobians(
            _Whole(stream.current(), [x], []), first, [x], batched=False, use_pfor=True, parallel_iterations=None
        )
        if second is None:
            shape = tuple(x.shape)
            second = to_tensor(np.zeros((*shape, *shape), x.dtype.as_numpy_dtype))
        found.append(second)
    return found
