"""Finds out why a gradient is None: what interrupts the way from source to target, on which line of the user's code."""

import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tapejax._src.autodiff.explain.dataflow import History, Step
from tapejax._src.autodiff.reads import is_call
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable
from tapejax._src.engine.graph import path

__all__ = ["Explanation", "Reason", "explain", "note_missing", "why_missing"]

Where = tuple[str, int, str]


@dataclass(frozen=True)
class Reason:
    """The reason why one source has no gradient, or the statement that it has one.

    Attributes:
      source: the source's name, or its shape and dtype.
      kind: "connected" if there is a gradient, otherwise what is in the way: "value_read", "integer", "stop_gradient",
        "no_gradient", "assign", "custom_gradient", "function", "before_tape", "after_tape", "stop_recording",
        "not_trainable", "not_watched", "watched_late", "computed_outside" or "unused".
      text: the reason as a sentence whose subject is the source.
      where: (file, line, function) of the user's code, or None. If several lines record the same program, this is the
        line that recorded it first.
      op: the name of the op on that line, or None.
    """

    source: str
    kind: str
    text: str
    where: Where | None = None
    op: str | None = None

    def __str__(self) -> str:
        place = "" if self.where is None else f"  ({self.where[0]}:{self.where[1]} in {self.where[2]})"
        return f"{self.source}: {self.text}{place}"


class Explanation(Sequence[Reason]):
    """A sequence of `Reason` objects, one or more for each source. ``print`` shows it as text."""

    def __init__(self, reasons: list[Reason]):
        self.reasons = reasons

    def __len__(self) -> int:
        return len(self.reasons)

    def __getitem__(self, i: Any) -> Any:
        return self.reasons[i]

    def __iter__(self) -> Iterator[Reason]:
        return iter(self.reasons)

    def __str__(self) -> str:
        return "\n".join(map(str, self.reasons))

    __repr__ = __str__


def explain(history: History, watch_accessed: bool, targets: list[Tensor], sources: list[Any]) -> Explanation:
    """The reasons for every source.

    If one of the targets has a gradient with respect to the source, the reason is "connected". Otherwise the reasons
    are those of the last target.

    Args:
      history: the recorded computation.
      watch_accessed: whether the tape watches trainable variables when they are read.
      targets: the tensors that are differentiated.
      sources: tensors and variables.
    """
    reasons: list[Reason] = []
    for i, source in enumerate(sources):
        name = getattr(source, "path", None) or (
            source.name
            if isinstance(source, Variable)
            else f"source {i} (shape={source.shape}, dtype={source.dtype.name})"
        )
        found: list[Reason] = []
        for target in targets:
            found = _Search(history, watch_accessed, target, source, name).reasons()
            if found[0].kind == "connected":
                break
        reasons += found
    return Explanation(reasons)


class _Search:
    """Finds the reasons for one target and one source."""

    def __init__(self, history: History, watch_accessed: bool, target: Tensor, source: Any, name: str):
        self.history = history
        self.watch_accessed = watch_accessed
        self.target = target
        self.key = history.key(target)
        self.source = source
        self.name = name

    def reason(self, kind: str, text: str, step: Step | None = None, where: Where | None = None) -> list[Reason]:
        node = None if step is None else step.node
        op = _name(step) if step is not None else None
        return [Reason(self.name, kind, text, node.where if node is not None else where, op)]

    def reasons(self) -> list[Reason]:
        history, source = self.history, self.source
        tensor = source._tensor if isinstance(source, Variable) else source
        if not tensor.aval.inexact:
            return self.reason("integer", f"is {tensor.dtype.name}; only floating and complex values have gradients")
        keys = history.keys(source)
        upstream = history.upstream(self.key)
        if isinstance(source, Variable):  # only reads that the tape noted are watched
            watched_keys = {k for _, _, k in history.watched}
            keys = [k for k in keys if k in watched_keys]
        if isinstance(source, Variable) and not keys:
            return self._unseen_variable(source, upstream)
        if self.key in keys:
            return self.reason("connected", "is the target itself")
        watched = [(i, depth) for i, depth, k in history.watched if k in keys]
        if not isinstance(source, Variable) and not watched:
            tracked = history.downstream([k for _, _, k in history.watched], True)
            if not tracked.intersection(keys):
                return self._unwatched_tensor(keys[0], upstream)
        reached = history.downstream(keys, False)
        if self.key not in reached:
            return self._not_computed_from(reached, upstream)
        return self._blocked(keys, upstream, watched)

    def _unseen_variable(self, variable: Variable, upstream: set) -> list[Reason]:
        if not variable.trainable:
            return self.reason(
                "not_trainable",
                "is not trainable, so the tape does not watch it by itself: "
                "tape.watch(variable), or Variable(..., trainable=True)",
            )
        if not self.watch_accessed:
            return self.reason(
                "not_watched", "the tape was made with watch_accessed_variables=False: tape.watch(variable)"
            )
        key = self.history.key(variable._tensor)
        if key in upstream:
            uses = [s for s in self.history.steps if key in s.ins and upstream.intersection(s.outs)]
            return self._outside(uses[0]) if uses else self.reason("before_tape", "was read outside of the tape")
        return self.reason("unused", "was not read while the tape recorded: the target was not computed from it")

    def _unwatched_tensor(self, key: Any, upstream: set) -> list[Reason]:
        source = self.source
        made = self.history.producer.get(key)
        where = made.node.where if made is not None else _where_computed(source)
        if key not in upstream and self.history.producer.get(self.key) is not None:
            return self.reason("unused", "the target was not computed from it, and the tape did not watch it")
        if where is not None and (made is None or made.place != "inside"):
            return self.reason(
                "computed_outside",
                "is a Tensor that was computed outside of the tape, not a Variable, "
                "and the tape did not watch it. Was the name of a variable bound to a new tensor "
                "(w = w - g)? w.assign_sub(g) keeps it; or tape.watch(tensor)",
                where=where,
            )
        return self.reason(
            "not_watched",
            "is a Tensor that the tape did not watch: call tape.watch(tensor) before it is used, or make it a Variable",
            where=where,
        )

    def _not_computed_from(self, reached: set, upstream: set) -> list[Reason]:
        if not self.target.aval.inexact:
            return self._integer_target()
        history = self.history
        for i, where in history.reads:
            carried = any(k in reached for s in history.steps for k in s.outs if k[0] is history.traces[i])
            entered = [k for k in upstream if history.input_of.get(k, -1) > i and k not in reached]
            if carried and entered:
                return self.reason(
                    "value_read",
                    "a value computed from it was read by Python (numpy(), float, print, "
                    "if) and came back as a constant, which has no history",
                    where=where,
                )
        if self.key not in history.producer:
            return self.reason("unused", "the target was not computed by ops that the tape knows")
        return self.reason("unused", "the target was not computed from it")

    def _integer_target(self) -> list[Reason]:
        step = self.history.producer.get(self.key)
        return self.reason(
            "integer", f"the target is {self.target.dtype.name}; only floating and complex values have gradients", step
        )

    def _blocked(self, keys: list, upstream: set, watched: list[tuple[int, int]]) -> list[Reason]:
        history = self.history
        good = history.downstream(keys, True)
        if self.key in good:
            return self._in_the_hands_of_the_user(good, upstream, watched)
        if not self.target.aval.inexact:
            return self._integer_target()
        stops = [
            s
            for s in history.steps
            if good.intersection(s.ins) and upstream.intersection(s.outs) and not good.intersection(s.outs)
        ]
        found: list[Reason] = []
        for step in stops[:3]:
            found += self._stop(step)
        return found

    def _stop(self, step: Step) -> list[Reason]:
        if step.place != "inside":
            return self._outside(step)
        op = step.node.op
        assert op is not None
        if op.name == "stop_gradient":
            return self.reason("stop_gradient", "stop_gradient is on the way", step)
        if op.name.startswith("assign") or op.name in ("scatter", "slice_update"):
            return self.reason("assign", "was assigned to a variable: gradients do not flow through assignments", step)
        if not any(a.inexact for a in step.node.avals):
            kinds = ", ".join(a.dtype.name for a in step.node.avals)
            return self.reason("integer", f"{_name(step)} makes {kinds} of it, which has no gradient", step)
        return self.reason("no_gradient", f"{_name(step)} has no gradient", step)

    def _outside(self, step: Step) -> list[Reason]:
        name = _name(step)
        kind, text = {
            "before": ("before_tape", f"{name} used it before the tape was recording"),
            "after": (
                "after_tape",
                f"{name} was recorded after the tape had closed: compute the target in the `with` block",
            ),
            "between": ("stop_recording", f"{name} was recorded while the tape was stopped"),
            "inside": ("unused", f"{name} used it, but not the tape's reading of it"),
        }[step.place]
        return self.reason(kind, text, step)

    def _in_the_hands_of_the_user(self, good: set, upstream: set, watched: list[tuple[int, int]]) -> list[Reason]:
        between = [s for s in self.history.steps if good.intersection(s.ins) and upstream.intersection(s.outs)]
        uses = [s for s in between if set(self.history.keys(self.source)).intersection(s.ins)]
        if (
            not isinstance(self.source, Variable)
            and uses
            and watched
            and all(s.node.depth <= depth for s in uses for _, depth in watched if len(self.history.traces) == 1)
        ):
            return self.reason("watched_late", "was watched after it had been used", uses[0])
        for step in between:
            if step.custom:
                return self.reason(
                    "custom_gradient", "goes through a custom gradient: None if that function returns None for it", step
                )
        for step in between:
            if step.node.op is not None and is_call(step.node.op):
                return self.reason(
                    "function",
                    f"goes through the function {_name(step)}: None if no path inside it has a gradient",
                    step,
                )
        return self.reason("connected", "has a gradient")


def _name(step: Step) -> str:
    assert step.node.op is not None
    return step.node.op.name.lstrip("_")


def _where_computed(tensor: Tensor) -> Where | None:
    """The line of the user's code that recorded the op which computed a tensor, or None if it is not known."""
    if tensor._trace is None:
        return None
    for node in path(tensor._trace.node):
        if node.op is not None and node.slot <= tensor._slot < node.end:
            return node.where
    return None


# For each thread, the last tape whose gradient was None for some source, and its targets. With it, an optimizer that
# receives None as a gradient can say why.
_latest = threading.local()


def note_missing(tape: Any, targets: list[Tensor]) -> None:
    """Remembers, by weak references, a tape whose gradient was None for some source."""
    _latest.tape, _latest.targets = weakref.ref(tape), [weakref.ref(t) for t in targets]


def why_missing(variables: Sequence[Any]) -> str:
    """The text of `GradientTape.explain` for variables whose gradients are None, or "" if the tape is gone."""
    tape = getattr(_latest, "tape", lambda: None)()
    targets = [t for r in getattr(_latest, "targets", ()) if (t := r()) is not None]
    return str(tape.explain(targets, list(variables))) if tape is not None and targets else ""
