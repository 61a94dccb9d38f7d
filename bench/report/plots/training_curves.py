"""Validation loss of the chosen trials, mean over seeds: a panel per data size."""

import math
from statistics import fmean
from typing import TYPE_CHECKING

from bench.report import wording
from bench.report.curves import Curve
from bench.report.plots import canvas
from bench.report.plots.canvas import Style
from bench.report.sections import Section

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_LEADING = 5  # of each data size that are shown, where there are more than lines can tell apart


def training_curves(section: Section, curves: dict[tuple[str, int], Curve], look: dict[str, Style]) -> "Figure | None":
    """The figure; None where nothing was trained."""
    leading, shown = _leading(section), set[str]()
    panels: dict[int, list[tuple[Curve, Style]]] = {}
    for size in canvas.panel_sizes(section.sizes):
        for name in (name for name in section.approaches if (name, size) in curves):
            panels.setdefault(size, [])
            if name in leading:
                panels[size].append((curves[name, size], look[name]))
                shown.add(name)
    if not panels:
        return None
    figure = over_steps(panels)
    canvas.add_legend(figure, section, look, shown)
    return figure


def over_steps(panels: dict[int, list[tuple[Curve, Style]]]) -> "Figure":
    """Mean curves, in a panel for each data size; without a legend.

    Args:
        panels: data size to the curves in its panel, each with its looks; one at least.
    """
    figure, axes = canvas.new_figure(1, len(panels), 3.5)
    losses = []
    for axis, (size, lines) in zip(axes[0], panels.items(), strict=True):
        for curve, style in lines:
            steps = sorted(curve)
            means = [fmean(curve[step]) for step in steps]
            axis.plot(
                steps,
                means,
                color=style.colour,
                marker=style.marker,
                linestyle=style.line,
                markersize=3.5,
                linewidth=1.3,
            )
            losses += [mean for mean in means if math.isfinite(mean)]
        axis.set_title(wording.examples(size))
        axis.set_xlabel("gradient steps")
    if losses and min(losses) > 0 and max(losses) > canvas.LOG_FROM * min(losses):
        canvas.use_log_scale(axes[0, 0], min(losses), max(losses))
    axes[0, 0].set_ylabel("validation loss\nlower is better")
    return figure


def _leading(section: Section) -> set[str]:
    """All approaches; of a crowd the controls, and those that are best at one of the data sizes."""
    if not section.is_crowded:
        return set(section.approaches)
    found = {name for name, control in section.approaches.items() if control}
    for size in section.sizes:
        approaches = [point.approach for point in section.ranked(size) if not point.control]
        found |= set(approaches[:_LEADING])
    return found
