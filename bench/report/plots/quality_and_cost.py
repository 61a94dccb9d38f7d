"""Quality against cost, with the Pareto front: a row of panels per cost, a panel per data size."""

from typing import TYPE_CHECKING

from bench.report import wording
from bench.report.aggregate import REAL
from bench.report.plots import canvas
from bench.report.plots.canvas import Style
from bench.report.sections import SECONDS, STORAGE, Point, Section
from bench.statistics import fronts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LABELS = {
    "tuning_seconds": "training seconds, tuning included",
    "training_seconds": "training seconds",
    "stored_parameters": "stored parameters",
    "checkpoint_bytes": "checkpoint bytes",
}


def quality_and_cost(section: Section, look: dict[str, Style]) -> "Figure | None":
    """The figure; None where nothing has both a quality and a cost."""
    costs = [metric for names in (SECONDS, STORAGE) if (metric := section.first_measured(names))]
    sizes = canvas.panel_sizes(section.sizes)
    panels = {(metric, size): _priced(section, metric, size) for metric in costs for size in sizes}
    drawn = [point for priced in panels.values() for point, _ in priced]
    if not drawn:
        return None
    figure, axes = canvas.new_figure(len(costs), len(sizes), 0.9 + 2.5 * len(costs))
    front = set[str]()
    for (metric, size), axis in zip(panels, axes.flat, strict=True):
        limits = _limits([cost for (name, _), priced in panels.items() if name == metric for _, cost in priced])
        axis.set_xscale("log")
        axis.set_xlim(*limits)
        axis.set_xticks(*zip(*canvas.log_ticks(*limits), strict=True))
        axis.set_xticks([], minor=True)
        axis.set_xlabel(_LABELS[metric])
        front |= _cost_panel(axis, panels[metric, size], look, crowded=section.is_crowded)
    for axis, size in zip(axes[0], sizes, strict=True):
        axis.set_title(wording.examples(size))
    for axis in axes[:, 0]:
        canvas.set_quality_axis(axis, drawn)
    named = {point.approach for point in drawn if point.control or point.approach in front}
    canvas.add_legend(figure, section, look, named if section.is_crowded else {point.approach for point in drawn})
    return figure


def _priced(section: Section, metric: str, size: int) -> list[tuple[Point, float]]:
    """Quality and cost of whatever has both; real items cost nothing and are nobody's choice."""
    column = [point for point in section.column(section.primary, size) if point.control not in REAL]
    return [(point, cost.mean) for point in column if (cost := section.point(metric, point.approach, size))]


def _limits(costs: list[float]) -> tuple[float, float]:
    """Of a logarithmic axis on which all costs above zero have room."""
    paid = [cost for cost in costs if cost > 0] or [1.0]
    return min(paid) / 1.4, max(paid) * 1.4


def _cost_panel(axis: "Axes", priced: list[tuple[Point, float]], look: dict[str, Style], *, crowded: bool) -> set[str]:
    """One data size, with the Pareto front as steps and its points filled; what costs nothing is a level line.

    In a crowd, what is not on the front is a grey dot. Returns who is on the front.
    """
    sign = -1 if priced and priced[0][0].better == "higher" else 1
    front = fronts.pareto_front([cost for _, cost in priced], [sign * point.mean for point, _ in priced])
    for (point, cost), optimal in zip(priced, front, strict=True):
        style = look[point.approach]
        if crowded and not optimal and not point.control:
            if cost > 0:
                axis.plot(cost, point.mean, "o", color="#c4c4c4", markersize=4, zorder=2)
            continue
        if cost <= 0:
            axis.axhline(point.mean, color=style.colour, linestyle=style.line, linewidth=1.2)
            continue
        axis.errorbar(cost, point.mean, canvas.interval(point), color=style.colour, linewidth=0.8)
        face = style.colour if optimal else "white"
        axis.plot(cost, point.mean, style.marker, color=style.colour, markerfacecolor=face, markersize=6, zorder=3)
    left, right = axis.get_xlim()
    steps = sorted((max(cost, left), point.mean) for (point, cost), on in zip(priced, front, strict=True) if on)
    if steps:
        x, y = zip(*steps, (right, steps[-1][1]), strict=True)
        axis.plot(x, y, drawstyle="steps-post", color="#aaaaaa", linewidth=1.0, zorder=1)
    return {point.approach for (point, _), optimal in zip(priced, front, strict=True) if optimal}
