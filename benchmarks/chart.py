"""Draws the results as a PNG file.

Each workload is a panel of bars, whose lengths are milliseconds per step on a logarithmic scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.report import number

OWN, OTHER = "#d1495b", "#8d99ae"


def draw(path: str | Path, workloads: Mapping[str, Mapping[str, Any]]) -> None:
    """Draws the chart.

    Args:
        path: The file to write.
        workloads: For each workload's key its ``title`` and its ``implementations`` (from `results.summarise`), as in
            the JSON file.

    Raises:
        ImportError: matplotlib is not installed.
    """
    # Figure instead of pyplot, because no display and no global figure is wanted.
    from matplotlib.figure import Figure

    panels = []
    for key, workload in workloads.items():
        good = [(name, entry) for name, entry in workload["implementations"].items() if entry["status"] == "ok"]
        if good:
            panels.append((key, workload["title"], good))
    figure = Figure(figsize=(9, 0.6 + sum(0.9 + 0.34 * len(good) for _, _, good in panels)), layout="constrained")
    heights = [0.9 + 0.34 * len(good) for _, _, good in panels]
    all_axes = figure.subplots(max(len(panels), 1), 1, squeeze=False, height_ratios=heights or None)[:, 0]
    for axes, (key, title, good) in zip(all_axes, panels, strict=False):
        names = [name for name, _ in good]
        medians = [entry["median_ms"] for _, entry in good]
        colours = [OWN if name.startswith("tapejax") else OTHER for name in names]
        bars = axes.barh(names, medians, color=colours)
        labels = []
        for _, entry in good:
            ratio = entry["times_limit"]
            labels.append(f"{number(entry['median_ms'])} ms" + ("" if ratio is None else f"  ({number(ratio)}x jit)"))
        axes.bar_label(bars, labels, padding=4, fontsize=8)
        axes.set_xscale("log")
        axes.set_xlim(min(medians) / 2, max(medians) * 8)  # room for the labels
        axes.invert_yaxis()
        axes.set_title(f"{key}  {title}", loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    if panels:
        all_axes[-1].set_xlabel("ms per step, median of the rounds; less is better")
    figure.savefig(path, dpi=150)
