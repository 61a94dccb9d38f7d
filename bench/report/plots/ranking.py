"""Quality of many approaches: one row each, best on top, a panel per data size."""

from typing import TYPE_CHECKING

from bench.report import wording
from bench.report.comparisons import BEST, TIED
from bench.report.plots import canvas
from bench.report.plots.canvas import Style
from bench.report.sections import Point, Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW = 0.19  # inches
_LEADING, _OTHERS = "#D55E00", "#7a9cc6"  # what may be the best, and the rest


def ranking(section: Section, look: dict[str, Style]) -> "Figure":
    """A dot with its interval per approach, ordered by the largest data size; controls run through as lines."""
    sizes = canvas.panel_sizes(section.sizes)
    columns = {size: {point.approach: point for point in section.column(section.primary, size)} for size in sizes}
    points = [point for column in columns.values() for point in column.values()]
    sign = -1 if points[0].better == "higher" else 1
    names = sorted(section.approaches, key=lambda name: _places(columns, name, sign))
    names = [name for name in names if any(name in column for column in columns.values())]
    figure, axes = canvas.new_figure(1, len(sizes), 1.0 + _ROW * len(names))
    for axis, size in zip(axes[0], sizes, strict=True):
        axis.set_title(wording.examples(size))
        for height, name in enumerate(names):
            if name in columns[size]:
                _draw(axis, height, columns[size][name], look[name])
        canvas.set_quality_axis(axis, points, vertical=False)
        axis.grid(visible=True, axis="x")
    axes[0, 0].set_yticks(range(len(names)), names)
    axes[0, 0].set_ylim(len(names) - 0.4, -0.6)
    for label, name in zip(axes[0, 0].get_yticklabels(), names, strict=True):
        label.set_color("#777777" if section.approaches[name] else "#222222")
    return figure


def _places(columns: dict[int, dict[str, Point]], name: str, sign: int) -> list[float]:
    """What to sort by: the mean at the largest size, then at the next; what was not measured comes last."""
    found = [column.get(name) for column in reversed(columns.values())]
    return [sign * point.mean if point else float("inf") for point in found]


def _draw(axis: "Axes", height: int, point: Point, style: Style) -> None:
    if point.control:
        axis.axvline(point.mean, color=style.colour, linestyle=style.line, linewidth=1.0, zorder=1)
    colour, marker = (
        (style.colour, style.marker) if point.control else (_LEADING if point.mark in (BEST, TIED) else _OTHERS, "o")
    )
    width = canvas.interval(point)
    axis.errorbar(point.mean, height, xerr=width, color=colour, fmt=marker, markersize=4, linewidth=1.2)
