"""`GradientTape`. A tape notes which ranges of the recorded ops belong to it, not the single ops.

So recording an op costs the same with and without a tape.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from tapejax._src.autodiff.backward import backward, zeros_like
from tapejax._src.autodiff.explain.dataflow import History
from tapejax._src.autodiff.explain.diagnose import Explanation, explain, note_missing
from tapejax._src.autodiff.explain.draw import Drawing
from tapejax._src.autodiff.indexed_slices import IndexedSlices
from tapejax._src.autodiff.inner_traces import following, leave
from tapejax._src.autodiff.jacobian import jacobians
from tapejax._src.autodiff.record import Record, Recorder
from tapejax._src.core import nest
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.errors import InvalidArgumentError
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.core.variable import Variable
from tapejax._src.engine import policy, stream

__all__ = ["GradientTape", "UnconnectedGradients", "catch_up"]

_log = logging.getLogger("tapejax")


class UnconnectedGradients:
    """What `gradient` returns for a source that the target does not depend on.

    Attributes:
      NONE: None is returned.
      ZERO: a tensor of zeros is returned.

    Source: https://www.tensorflow.org/api_docs/python/tf/UnconnectedGradients

    >>> UnconnectedGradients.ZERO
    'zero'
    """

    NONE = "none"
    ZERO = "zero"


def catch_up() -> None:
    """Makes all active forward accumulators record the tangents of the ops recorded so far.

    As in TensorFlow, a tape or accumulator that was opened before an accumulator records the ops that compute its
    tangents; one that was opened later does not.
    """
    recorders = [t for t in stream.thread.tapes if isinstance(t, Recorder)]
    while recorders and isinstance(recorders[0], GradientTape):
        del recorders[0]
    for recorder in reversed(recorders):
        recorder._close()
        if not isinstance(recorder, GradientTape):
            recorder._record.carry()
    for recorder in recorders:
        recorder._reopen()


class GradientTape(Recorder):
    """Records operations for automatic differentiation.

    Args:
      persistent: whether `gradient` may be called more than once.
      watch_accessed_variables: whether trainable variables are watched as soon as they are read.

    Source: https://www.tensorflow.org/api_docs/python/tf/GradientTape

    >>> import tapejax as tf
    >>> x = tf.constant(3.0)
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = x * x
    >>> tape.gradient(y, x).numpy().item()
    6.0
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True):
        self._persistent = bool(persistent)
        self._watch_accessed_variables = bool(watch_accessed_variables)
        self._recording = False
        self._record: Record | None = None
        # In bodies that are captured while the tape is open outside, the ops that `stop_recording` excludes.
        self._skipped: list[tuple[Any, int, int]] = []
        # These remain when the record has been used up:
        self._watched: tuple[Variable, ...] = ()
        self._left: Any = None  # the facts from which `explain` and `draw` make a `History`

    def __enter__(self) -> "GradientTape":
        if self._recording:
            raise ValueError("Tape is already recording.")
        if self._record is None:
            self._record = Record()
        caller = sys._getframe(1)
        self._resume((caller.f_code, caller.f_lasti))
        return self

    def __exit__(self, *exc: Any) -> None:
        if self._recording:
            self._pause()

    def _resume(self, site: Any = None) -> None:
        if stream.thread.tapes:
            catch_up()
        elif site is not None:
            policy.tape_opened(stream.thread, site)
        self._recording = True
        stream.thread.tapes.append(self)
        self._reopen()

    def _pause(self) -> None:
        assert self._record is not None
        if len(stream.thread.tapes) > 1:
            catch_up()
        self._recording = False
        leave(self)
        self._close()

    def note_read(self, variable: Variable, tensor: Tensor) -> None:
        """Called when a trainable variable is read while the tape is active."""
        record = self._record
        assert record is not None
        if self._watch_accessed_variables or id(variable) in record.watched:
            record.read(variable, tensor, stream.current())

    # The public methods

    def watch(self, tensor: Any) -> None:
        """Starts to record what is computed from a tensor, so that gradients with respect to it can be taken.

        Args:
          tensor: a tensor, a variable, or a structure of them.

        Raises:
          ValueError: `tensor` contains something that is neither a tensor nor a variable.
          AttributeError: the tape has not been entered, or its gradient has been taken already.
        """
        if self._record is None:
            raise AttributeError("GradientTape.watch: the tape records nothing; call it inside the `with` block")
        for t in nest.flatten(tensor):
            if isinstance(t, Variable):
                self._record.watched[id(t)] = t
                self._record.read(t, t._tensor, stream.current())
                continue
            if not isinstance(t, Tensor):
                raise ValueError(
                    f"Passed in object {t!r} of type {type(t).__name__!r}, not tf.Tensor or tf.Variable "
                    "or ExtensionType."
                )
            if not t.aval.inexact:
                _log.warning("The dtype of the watched tensor must be floating (e.g. tf.float32), got %r", t.dtype)
            self._record.watch(t, stream.current())

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: str = UnconnectedGradients.NONE,
    ) -> Any:
        """Derivatives of the sum of all elements of `target` with respect to `sources`.

        Args:
          target: a tensor, a variable, or a structure of them.
          sources: a tensor, a variable, or a structure of them.
          output_gradients: one tensor for each target, of its shape. The result then is the product of these tensors
            and the Jacobian. By default they are ones, which gives the derivatives of the sum.
          unconnected_gradients: what to return for a source that no target depends on: "none" gives None, "zero" a
            tensor of zeros.

        Returns:
          A structure like `sources`. Its elements are tensors of the shapes and dtypes of the sources, `IndexedSlices`
          where a source was used in look-ups only, or None.

        Raises:
          RuntimeError: this is the second call on a tape that is not persistent.
          ValueError: `unconnected_gradients` is unknown, or `output_gradients` has another length than `target`.
          AttributeError: one of the sources is neither a tensor nor a variable.
          TypeError: one of the targets is None.
          InvalidArgumentError: one of `output_gradients` has another shape than its target.
        """
        record = self._record
        if record is None:
            raise RuntimeError(
                "A non-persistent GradientTape can only be used to compute one set of gradients (or jacobians)"
            )
        if unconnected_gradients not in ("none", "zero"):
            raise ValueError(f"Unknown value for unconnected_gradients: {unconnected_gradients!r}")
        targets = [_target(t) for t in nest.flatten(target)]
        flat = nest.flatten(sources)
        for s in flat:
            if not isinstance(s, (Tensor, Variable)):
                raise AttributeError(
                    f"{type(s).__name__!r} object has no attribute '_id': `sources` of "
                    "GradientTape.gradient must be tensors or variables"
                )
            if not (s._tensor if isinstance(s, Variable) else s).aval.inexact:
                _log.warning(
                    "The dtype of the source tensor must be floating (e.g. tf.float32) when calling "
                    "GradientTape.gradient, got %r",
                    s.dtype,
                )
        seeds = None if output_gradients is None else _seeds(targets, nest.flatten(output_gradients))
        with following(self, record, self._skipped, self._watch_accessed_variables):
            if self._recording:
                if self._persistent:
                    _log.debug("GradientTape.gradient is called inside the tape's own context, and is recorded.")
                else:
                    self._pause()
            grads = backward(record, targets, seeds, flat)
        if record.gaps:
            note_missing(self, targets)
        if unconnected_gradients == "zero":
            grads = [zeros_like(s) if g is None else g for g, s in zip(grads, flat, strict=True)]
        if not self._persistent:
            self._use_up(record, flat)
        return nest.pack_sequence_as(sources, grads)

    def jacobian(
        self,
        target: Any,
        sources: Any,
        unconnected_gradients: str = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """Derivatives of every element of `target` with respect to `sources`.

        Args:
          target: a tensor.
          sources: a tensor, a variable, or a structure of them.
          unconnected_gradients: what to return for a source that the target does not depend on: "none" gives None,
            "zero" a tensor of zeros.
          parallel_iterations: how many elements are differentiated at a time, if `experimental_use_pfor` is False.
          experimental_use_pfor: whether all elements are differentiated at once, by `jax.vmap`.

        Returns:
          A structure like `sources`, of tensors of shape ``target.shape + source.shape``.

        Raises:
          RuntimeError: the gradient of a tape that is not persistent has been taken already.
        """
        flat = nest.flatten(sources)
        found = self._jacobians(target, flat, False, experimental_use_pfor, parallel_iterations)
        if unconnected_gradients == UnconnectedGradients.ZERO:
            shape = _target(target).aval.shape
            found = [_zeros((*shape, *s.shape), s) if j is None else j for j, s in zip(found, flat, strict=True)]
        return nest.pack_sequence_as(sources, found)

    def batch_jacobian(
        self,
        target: Any,
        source: Any,
        unconnected_gradients: str = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """Derivatives of each batch element of `target` with respect to the same batch element of `source`.

        Args:
          target: a tensor of shape ``[b, ...]``.
          source: a tensor or variable of shape ``[b, ...]``.
          unconnected_gradients: of no effect: zeros are returned if `target` does not depend on `source`.
          parallel_iterations: how many elements are differentiated at a time, if `experimental_use_pfor` is False.
          experimental_use_pfor: whether all elements are differentiated at once, by `jax.vmap`.

        Returns:
          A tensor of shape ``[b, *target.shape[1:], *source.shape[1:]]``.

        Raises:
          ValueError: the first axes have different sizes.
          IndexError: one of the two is a scalar, which has no first axis.
          RuntimeError: the gradient of a tape that is not persistent has been taken already.
        """
        if target.shape[0] != source.shape[0]:
            raise ValueError(
                f"Need first dimension of target shape ({target.shape}) and source shape ({source.shape}) to match."
            )
        (found,) = self._jacobians(target, [source], True, experimental_use_pfor, parallel_iterations)
        return _zeros((*target.shape, *source.shape[1:]), source) if found is None else found

    def _jacobians(
        self, target: Any, sources: list[Any], batched: bool, use_pfor: bool, parallel: int | None
    ) -> list[Any]:
        record = self._record
        if record is None:
            raise RuntimeError(
                "A non-persistent GradientTape can only be used to compute one set of gradients (or jacobians)"
            )
        with following(self, record, self._skipped, self._watch_accessed_variables):
            if self._recording and not self._persistent:
                self._pause()
            found = jacobians(
                record, _target(target), sources, batched=batched, use_pfor=use_pfor, parallel_iterations=parallel
            )
        if not self._persistent:
            self._use_up(record, sources)
        return found

    def _use_up(self, record: Record, sources: list[Any]) -> None:
        self._watched = self.watched_variables()
        self._record = None
        self._left = (record.plan, sources) if record.plan is not None else (None, History.facts(record))

    def _history(self) -> History:
        """The recorded computation, in the form that `explain` and `draw` use."""
        if self._record is not None:
            return History(*History.facts(self._record))
        if self._left is None:
            raise ValueError("the tape has recorded nothing: enter it with `with tape:`")
        plan, rest = self._left
        return History(*(rest if plan is None else History.facts_of_plan(plan[0], plan[1], rest)))

    def explain(self, target: Any, sources: Any) -> Explanation:
        """Says why sources have no gradient: what is in the way, and on which line of your code.

        It can be called before and after `gradient`. If the tape is not persistent, it then only knows the sources
        that were passed to `gradient`.

        Args:
          target: a tensor, a variable, or a structure of them.
          sources: a tensor, a variable, or a structure of them.

        Returns:
          One or more `Reason` objects for each source, with the attributes `kind`, `text`, `where` (file, line,
          function) and `op`. ``print`` shows them as text.

        Raises:
          ValueError: the tape has recorded nothing.

        >>> import tapejax as tf
        >>> x = tf.Variable(3.0, name="x")
        >>> with tf.GradientTape() as tape:
        ...     y = tf.stop_gradient(x * x) * 2.0
        >>> print(tape.explain(y, x))  # doctest: +ELLIPSIS
        x:0: stop_gradient is on the way  (...:2 in <module>)
        """
        targets = [t._tensor if isinstance(t, Variable) else to_tensor(t) for t in nest.flatten(target)]
        return explain(self._history(), self._watch_accessed_variables, targets, nest.flatten(sources))

    def draw(self, target: Any, sources: Any) -> Drawing:
        """Draws the recorded computation from sources to target, with shapes and dtypes.

        Args:
          target: a tensor, a variable, or a structure of them.
          sources: a tensor, a variable, or a structure of them.

        Returns:
          A `Drawing`. ``print`` shows it as a tree; its attribute `dot` is the text of a Graphviz file.

        Raises:
          ValueError: the tape has recorded nothing.

        >>> import tapejax as tf
        >>> x = tf.Variable([3.0, 4.0], name="x")
        >>> with tf.GradientTape() as tape:
        ...     y = tf.reduce_sum(x * x)
        >>> print(tape.draw(y, x))  # doctest: +ELLIPSIS
        reduce_sum: float32[]  ...
        ↑ multiply: float32[2]  ...
        ↑ x:0: float32[2]
        """
        targets = [t._tensor if isinstance(t, Variable) else to_tensor(t) for t in nest.flatten(target)]
        return Drawing(self._history(), targets, nest.flatten(sources))

    def watched_variables(self) -> tuple[Variable, ...]:
        """The variables watched so far, in the order in which they were made."""
        if self._record is None:
            return self._watched
        return tuple(sorted((v for v, _ in self._record.reads.values()), key=lambda v: v._number))

    @contextlib.contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Context manager in which the tape records no operations.

        Raises:
          RuntimeError: the tape is not recording.
        """
        if not self._recording:
            raise RuntimeError("Tape is not recording.")
        if self not in stream.thread.tapes:
            # A body is being captured, and the tape was opened outside.
            trace = stream.current()
            first = trace.node.depth
            self._recording = False
            try:
                yield
            finally:
                self._recording = True
                self._skipped.append((trace, first, trace.node.depth))
            return
        self._pause()
        try:
            yield
        finally:
            self._resume()

    def reset(self) -> None:
        """Forgets everything recorded so far. If the tape is active, it continues as if it had just been entered."""
        recording = self._recording
        if recording:
            self._pause()
        self._record = Record()
        if recording:
            self._resume()


def _zeros(shape: tuple[int, ...], like: Any) -> Tensor:
    return from_value(np.zeros(shape, like.dtype.as_numpy_dtype))


def _target(t: Any) -> Tensor:
    if t is None:
        raise TypeError("`target` of GradientTape must consist of tensors and variables, received None")
    if isinstance(t, IndexedSlices):
        raise AttributeError("'IndexedSlices' object has no attribute '_id': differentiate its values")
    tensor = t._tensor if isinstance(t, Variable) else to_tensor(t)
    if not tensor.aval.inexact:
        _log.warning(
            "The dtype of the target tensor must be floating (e.g. tf.float32) when calling "
            "GradientTape.gradient, got %r",
            tensor.dtype,
        )
    return tensor


def _seeds(targets: list[Tensor], given: list[Any]) -> list[Tensor]:
    if len(given) != len(targets):
        raise ValueError(f"`output_gradients` has {len(given)} elements for {len(targets)} targets")
    seeds = []
    for target, seed in zip(targets, given, strict=True):
        seed = to_tensor(seed, target.aval.dtype)
        if seed.aval.shape != target.aval.shape:
            raise InvalidArgumentError(
                message=f"`output_gradients` has shape {seed.shape} for a target of shape {target.shape}"
            )
        seeds.append(seed)
    return seeds
