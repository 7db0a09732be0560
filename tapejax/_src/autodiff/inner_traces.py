"""What a tape sees of a captured body, such as a loop's, that is being recorded when its gradient is asked for.

The tape was opened outside, so it gets one op for the whole body, and only when the body is complete. Code inside the
body can ask the tape for gradients before that. As in TensorFlow, they count the body's ops up to there.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from tapejax._src.autodiff.record import Record, Segment
from tapejax._src.engine import stream
from tapejax._src.engine.capture import Reads

__all__ = ["following", "leave"]

Skipped = list[tuple[Any, int, int]]
_NOTHING: Final = contextlib.nullcontext()


def following(recorder: Any, record: Record, skipped: Skipped, reads_count: bool) -> Any:
    """Context in which the record of a tape includes the ops of captures that have begun since the tape was opened.

    Args:
      recorder: the tape.
      record: its record.
      skipped: ``(trace, first depth, last depth)`` of the ops that the tape was told not to record.
      reads_count: whether trainable variables are watched as soon as they are read.
    """
    if not stream.thread.below:
        return _NOTHING  # no capture has begun
    levels = [*zip(stream.thread.below, stream.thread.tapes_below, strict=True)]
    levels.append((stream.thread.trace, stream.thread.tapes))
    found = [i for i, (_, tapes) in enumerate(levels) if recorder in tapes]
    inner = [level for level in levels[found[-1] + 1 :] if level[0].symbolic] if found else []
    return _with(record, inner, skipped, reads_count) if inner else _NOTHING


@contextlib.contextmanager
def _with(record: Record, levels: list[Any], skipped: Skipped, reads_count: bool) -> Iterator[None]:
    segments, traces, reads = record.segments, record.traces, record.reads
    record.segments, record.traces = list(segments), set(traces)
    record.reads = {k: (variable, list(tensors)) for k, (variable, tensors) in reads.items()}
    try:
        for trace, tapes in levels:
            segment = Segment(trace)
            segment.ranges = _without(trace, skipped)
            for variable, tensor in [r for tape in tapes if isinstance(tape, Reads) for r in tape.tensors.values()]:
                if not reads_count and id(variable) not in record.watched:
                    continue
                known = record.reads.setdefault(id(variable), (variable, []))[1]
                if not any(t is tensor for t in known):
                    known.append(tensor)
                segment.events.append((0, tensor))
            record.segments.append(segment)
            record.traces.add(trace)
        yield
    finally:
        record.segments, record.traces, record.reads = segments, traces, reads


def _without(trace: Any, skipped: Skipped) -> list[list[Any]]:
    """The ranges of all ops of a trace so far, but for the skipped ones."""
    ranges, start = [], 0
    for where, first, last in skipped:
        if where is trace:
            ranges.append([start, first])
            start = last
    return [*ranges, [start, trace.node.depth]]


def leave(recorder: Any) -> None:
    """Takes a tape or accumulator out of the list of those that record, at whatever level it was opened."""
    for tapes in (stream.thread.tapes, *reversed(stream.thread.tapes_below)):
        if recorder in tapes:
            tapes.remove(recorder)
            return
