"""Quality against data size: a line with its band per approach, level lines for what needs no target data.

Where there are more approaches than lines can tell apart, a ranking for each data size.
"""

from statistics import fmean
from typing import TYPE_CHECKING, Any

from bench.report import wording
from bench.report.plots import canvas
from bench.report.plots.canvas import Style
from bench.report.plots.ranking import ranking
from bench.report.sections import Point, Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def quality_and_data(section: Section, look: dict[str, Style]) -> "Figure | None":
    """The figure; None where the primary metric has no value."""
    lines = {name: _line(section, name) for name in section.approaches}
    lines = {name: points for name, points in lines.items() if points}
    if not lines:
        return None
    if section.is_crowded:
        return ranking(section, look)
    figure, axes = canvas.new_figure(1, 1, 4.6)
    axis = axes[0, 0]
    sizes = section.sizes
    drawn = [point for points in lines.values() for point in points]
    canvas.set_quality_axis(axis, drawn)
    lines = {name: points for name, points in lines.items() if points[-1].mean >= axis.get_ylim()[0]}
    ends: dict[str, tuple[float, float]] = {}
    for place, (name, points) in enumerate(lines.items(), start=1):
        x = [point.data_size if len(sizes) > 1 else place for point in points]
        ends[name] = (x[-1], points[-1].mean)
        _draw_line(axis, x, points, look[name])
    if len(sizes) > 1:
        axis.set_xscale("log")
        axis.set_xlim(sizes[0] * (sizes[0] / sizes[-1]) ** 0.04, sizes[-1] * 1.01)
        axis.set_xticks(sizes, [wording.number(size, 0) for size in sizes])
        axis.set_xticks([], minor=True)
    else:  # no line to draw: points beside each other
        axis.set_xlim(0, len(lines) + 1)
        axis.set_xticks([(len(lines) + 1) / 2], [wording.number(sizes[0], 0)])
    axis.set_xlabel("target examples")
    _label_ends(axis, ends, {name for name, points in lines.items() if points[0].spans}, look)
    return figure


def _draw_line(axis: "Axes", x: list[int], points: list[Point], style: Style) -> None:
    """A line with its band, a level line for what holds at every size, or a point with its interval."""
    means, widths = [point.mean for point in points], [canvas.interval(point) for point in points]
    low, high = ([mean + side * width for mean, width in zip(means, widths, strict=True)] for side in (-1, 1))
    shade: dict[str, Any] = {"color": style.colour, "alpha": 0.1, "linewidth": 0}
    if points[0].spans:
        axis.axhline(means[0], color=style.colour, linestyle=style.line, linewidth=1.2)
        axis.axhspan(low[0], high[0], **shade)
    elif len(x) == 1:
        axis.errorbar(x, means, widths, color=style.colour, marker=style.marker, markersize=5, capsize=3)
    else:
        axis.plot(x, means, color=style.colour, marker=style.marker, linestyle=style.line, linewidth=1.6, markersize=5)
        axis.fill_between(x, low, high, **shade)


def _line(section: Section, name: str) -> list[Point]:
    found = (section.point(section.primary, name, size) for size in section.sizes)
    return [point for point in found if point is not None]


def _label_ends(axis: "Axes", ends: dict[str, tuple[float, float]], level: set[str], look: dict[str, Style]) -> None:
    """Names beside the ends of lines, pushed apart where they would overlap; those in ``level`` run to the edge."""
    to_axes = axis.transData + axis.transAxes.inverted()
    placed = {name: to_axes.transform(end) for name, end in ends.items()}
    names = sorted(placed, key=lambda name: float(placed[name][1]))
    heights = spaced([float(placed[name][1]) for name in names], gap=0.052)
    for name, height in zip(names, heights, strict=True):
        (x, y), colour = placed[name], look[name].colour
        x = 1.0 if name in level else x
        beside: dict[str, Any] = {"transform": axis.transAxes, "color": colour, "clip_on": False}
        axis.plot([x, max(1.0, x), 1.03], [y, y, height], linewidth=0.6, alpha=0.7, **beside)
        if name in level:
            axis.plot([1.034, 1.062], [height, height], look[name].line, linewidth=1.2, **beside)
        else:
            axis.plot(1.048, height, look[name].marker, markersize=4, **beside)
        axis.text(1.07, height, name, transform=axis.transAxes, color="#333333", va="center")


def spaced(heights: list[float], gap: float) -> list[float]:
    """Ascending ``heights`` in [0, 1] moved as little as needed so that neighbours are at least ``gap`` apart.

    Least squares under order constraints: heights less their own share of gaps, made monotone by pooling neighbours.
    Where there is no room for the gaps they shrink.
    """
    gap = min(gap, 1 / max(1, len(heights) - 1))
    pools: list[list[float]] = []
    for index, height in enumerate(heights):
        pools.append([height - index * gap])
        while len(pools) > 1 and fmean(pools[-2]) > fmean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    highest = 1 - (len(heights) - 1) * gap
    flat = [min(max(fmean(pool), 0.0), highest) for pool in pools for _ in pool]
    return [height + index * gap for index, height in enumerate(flat)]
