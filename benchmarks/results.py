"""Computes medians and ratios from the times of steps. It needs no framework and starts no process."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

FORMAT = 1


@dataclass(frozen=True)
class Round:
    """The times of one slice of steps of one implementation, in milliseconds per step."""

    median_ms: float
    min_ms: float
    cpu_ms: float
    steps: int

    @classmethod
    def of(cls, times_ns: Sequence[int], cpu_ns: int) -> Round:
        """Summarises the steps of a slice.

        >>> Round.of([2_000_000, 1_000_000, 9_000_000], cpu_ns=12_000_000)
        Round(median_ms=2.0, min_ms=1.0, cpu_ms=4.0, steps=3)
        """
        return cls(median(times_ns) / 1e6, min(times_ns) / 1e6, cpu_ns / len(times_ns) / 1e6, len(times_ns))


@dataclass
class Measured:
    """Everything that was measured of one implementation of one workload.

    Args:
        status: ``"ok"``, ``"absent"`` (not installed or not written) or ``"failed"``.
        reason: The reason for the status, unless it is ``"ok"``.
        start: What `worker.Session.start` returned.
        rounds: One entry for each round.
        finish: What `worker.Session.finish` returned.
    """

    status: str = "ok"
    reason: str = ""
    start: dict[str, Any] = field(default_factory=dict)
    rounds: list[Round] = field(default_factory=list)
    finish: dict[str, Any] = field(default_factory=dict)


def ratio(rounds: Sequence[Round], base: Sequence[Round]) -> float | None:
    """Returns how many times as long as in the base a step takes: the median over the rounds of the ratio.

    In a round the two were measured within seconds of each other. A machine that is slow for a while slows both, which
    does not change the ratio.

    Args:
        rounds: The rounds of one implementation.
        base: The rounds of the implementation that it is compared with, in the same order.

    Returns:
        The ratio, or None if one of them was not measured.

    >>> slow, fast = [Round(4.0, 4.0, 4.0, 9)], [Round(2.0, 1.0, 2.0, 9)]
    >>> ratio(slow, fast)
    2.0
    """
    pairs = list(zip(rounds, base, strict=False))
    return median(one.median_ms / other.median_ms for one, other in pairs) if pairs else None


def agree(values: Sequence[float], expected: Sequence[float], tolerance: float) -> bool:
    """Whether two implementations computed the same: the numbers of each pair are finite and close.

    >>> agree([1.0001], [1.0], 1e-3), agree([1.1], [1.0], 1e-3), agree([float("nan")], [float("nan")], 1e-3)
    (True, False, False)
    """
    # The absolute tolerance is for results that are zero, such as one of W1's gradients.
    return len(values) == len(expected) and all(
        math.isfinite(a) and math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance * 1e-2)
        for a, b in zip(values, expected, strict=True)
    )


def summarise(
    measured: Mapping[str, Measured], *, limit: str, eager: str, tolerance: float
) -> dict[str, dict[str, Any]]:
    """Computes the numbers that the tables, the chart and the JSON file show.

    Args:
        measured: The measurements, by implementation.
        limit: The implementation that ``times_limit`` is relative to.
        eager: The implementation that ``times_eager`` is relative to.
        tolerance: The largest relative difference between results.

    Returns:
        A dictionary for each implementation. If its ``status`` is not ``"ok"``, the only other entry is ``reason``.
        Otherwise the entries are ``median_ms`` (the median of the rounds' medians), ``min_ms``, ``cpu_ms``,
        ``times_limit``, ``times_eager``, ``import_s``, ``build_s``, ``first_step_ms``, ``ten_steps_ms``,
        ``peak_rss_mb``, ``compiles_first`` (until step ten), ``compiles`` (in all), ``values``, ``agrees``, ``version``
        and ``rounds``. ``agrees`` says whether the results are those of the limit or, if that was not measured, of the
        first implementation. It is None for that implementation itself.
    """
    good = {name: entry for name, entry in measured.items() if entry.status == "ok"}
    reference = limit if limit in good else next(iter(good), None)
    summary: dict[str, dict[str, Any]] = {}
    for name, entry in measured.items():
        if name not in good:
            summary[name] = {"status": entry.status, "reason": entry.reason}
            continue
        bases = {base: good[base].rounds if base in good else [] for base in (limit, eager)}
        values = entry.start["values"]
        expected = good[reference].start["values"] if reference is not None else values
        summary[name] = {
            "status": "ok",
            "median_ms": median(each.median_ms for each in entry.rounds),
            "min_ms": min(each.min_ms for each in entry.rounds),
            "cpu_ms": median(each.cpu_ms for each in entry.rounds),
            "times_limit": ratio(entry.rounds, bases[limit]),
            "times_eager": ratio(entry.rounds, bases[eager]),
            **{key: entry.start[key] for key in ("import_s", "build_s", "first_step_ms", "ten_steps_ms")},
            "peak_rss_mb": entry.finish["peak_rss_mb"],
            "compiles_first": entry.start["compiles_first"],
            "compiles": entry.finish["compiles"],
            "values": values,
            "agrees": None if name == reference else agree(values, expected, tolerance),
            "version": entry.start["version"],
            "rounds": [asdict(each) for each in entry.rounds],
        }
    return summary
