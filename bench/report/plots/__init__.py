"""The figures of a section and of a ranking, drawn with matplotlib's object interface: no window, no global figure."""

import io
import re
from typing import TYPE_CHECKING

from bench.report.curves import Curve
from bench.report.plots import canvas
from bench.report.plots.across import average_ranks, performance_profiles
from bench.report.plots.canvas import Style, styles
from bench.report.plots.quality_and_cost import quality_and_cost
from bench.report.plots.quality_and_data import quality_and_data
from bench.report.plots.training_curves import training_curves
from bench.report.sections import Section

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bench.report.across import Ranking

__all__ = ["draw", "draw_across", "rendered", "styles"]


def draw(section: Section, curves: dict[tuple[str, int], Curve], look: dict[str, Style]) -> dict[str, dict[str, bytes]]:
    """Figure name to its bytes by format, ``svg`` and ``png``; a figure without data is left out.

    Args:
        section: what to show.
        curves: of :func:`bench.report.curves.pooled`.
        look: of :func:`styles`, one for the whole run.
    """
    from matplotlib import rc_context

    with rc_context(canvas.RC):
        figures = {
            "quality_and_data": quality_and_data(section, look),
            "quality_and_cost": quality_and_cost(section, look),
            "training_curves": training_curves(section, curves, look),
        }
        return {name: rendered(figure) for name, figure in figures.items() if figure}


def draw_across(ranking: "Ranking", look: dict[str, Style]) -> dict[str, dict[str, bytes]]:
    """The same for a ranking; nothing where there are too few pairs to conclude anything."""
    from matplotlib import rc_context

    if not ranking.overall.is_enough:
        return {}
    controls = {standing.approach: standing.control for standing in ranking.standings}
    with rc_context(canvas.RC):
        figures = {
            "performance_profiles": performance_profiles(ranking.overall, controls, look),
            "average_ranks": average_ranks(ranking.overall, controls, look),
        }
        return {name: rendered(figure) for name, figure in figures.items() if figure}


def rendered(figure: "Figure") -> dict[str, bytes]:
    """By format. The same bytes for the same figure: no date, no version, no random ids."""
    figure.draw_without_rendering()
    figure.set_layout_engine(None)  # it is laid out now; again for each format would take as long as drawing it
    found = {}
    for kind, metadata in (("svg", {"Date": None, "Creator": None}), ("png", {"Software": None})):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
        found[kind] = buffer.getvalue()
    return found | {"svg": _compact(found["svg"].decode()).encode()}


def _compact(svg: str) -> str:
    """A picture without what no viewer shows: comments, indentation, and more than hundredths of a point."""
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r">\s+<", "><", re.sub(r"\s*\n\s*", " ", svg))
    return re.sub(r'\b(d|x|y)="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), svg)
