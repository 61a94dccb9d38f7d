"""What the figures share: colours and markers of approaches, axes, legends.

An approach has the same colour and marker in every figure of a run. Colours are Okabe and Ito's and Tol's, which
colour-blind readers can tell apart.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.report import wording
from bench.report.aggregate import REAL
from bench.report.sections import Point, Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#332288",
    "#882255",
    "#999933",
    "#AA4499",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
CONTROLS = {"zero_shot": ("#555555", "--"), "from_scratch": ("#222222", "-")}
CONTROLS |= {"real_data": ("#888888", ":"), "training_data": ("#888888", "-.")}
"""Colour and line of each control."""
RC: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999999",
    "axes.labelcolor": "#333333",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#ececec",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "svg.hashsalt": "transferbench",
    "svg.fonttype": "none",
    "legend.frameon": False,
    "text.parse_math": False,  # names are text, whatever signs stand in them
}
_WIDTH = 9.6
_MOST_PANELS = 4
_COLUMNS = (5, 32), (3, 40), (2, 60)  # of a legend, for names of at most so many characters
LOG_FROM = 10  # highest over lowest mean from which a logarithmic axis shows more


@dataclass(frozen=True)
class Style:
    """How an approach is drawn."""

    colour: str
    marker: str
    line: Any


def styles(sections: list[Section]) -> dict[str, Style]:
    """One style per approach of a run, in the suite's order, in a crowd the best ones first; controls are grey."""
    controls = {name: control for section in sections for name, control in section.approaches.items()}
    ranks: dict[str, int] = {}
    for section in sections if any(section.is_crowded for section in sections) else []:
        for size in section.sizes:
            for rank, point in enumerate(section.ranked(size)):
                ranks[point.approach] = min(rank, ranks.get(point.approach, rank))
    found, index = {}, 0
    for name, control in sorted(controls.items(), key=lambda item: ranks.get(item[0], len(controls))):
        if control:
            colour, line = CONTROLS[control]
            found[name] = Style(colour, "x", line)
            continue
        line = ("-", "--", "-.")[index // len(COLOURS) % 3]
        found[name] = Style(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)], line)
        index += 1
    return found


def new_figure(rows: int, columns: int, height: float) -> tuple["Figure", np.ndarray]:
    """A figure as wide as the page and its panels, shape (rows, columns), which share the vertical axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    return figure, axes


def panel_sizes(sizes: list[int]) -> list[int]:
    """The data sizes that get a panel: all, or some spread evenly from the smallest to the largest."""
    chosen = np.linspace(0, len(sizes) - 1, min(len(sizes), _MOST_PANELS)).round().astype(int)
    return [sizes[index] for index in chosen]


def interval(point: Point) -> float:
    """Half the width of the point's interval, 0 where there is none to draw."""
    return point.half_width if math.isfinite(point.half_width) else 0.0


def set_quality_axis(axis: "Axes", points: list[Point], *, vertical: bool = True) -> None:
    """Limits that show every mean; intervals may run out of the picture, lest one of them flatten it.

    Logarithmic where models differ by a lot; a floor that lies too deep for that axis is then left out.
    """
    means = [point.mean for point in points if math.isfinite(point.mean)]
    learned = [point.mean for point in points if math.isfinite(point.mean) and point.control not in REAL] or means
    low, high = min(learned), max(learned)
    if low > 0 and high > LOG_FROM * low:
        use_log_scale(axis, min(mean for mean in means if mean > low / LOG_FROM), high, vertical=vertical)
    else:
        low, high = min(means), max(means)
        room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
        (axis.set_ylim if vertical else axis.set_xlim)(low - room, high + room)
    unit = f" ({points[0].unit})" if points[0].unit else ""
    direction = f"\n{points[0].better} is better" if points[0].better != "none" else ""
    (axis.set_ylabel if vertical else axis.set_xlabel)(f"{points[0].metric}{unit}{direction}")


def use_log_scale(axis: "Axes", low: float, high: float, *, vertical: bool = True) -> None:
    """A logarithmic axis with room around ``low`` and ``high``."""
    name, lined = ("y", axis.yaxis) if vertical else ("x", axis.xaxis)
    axis.set(**{f"{name}scale": "log", f"{name}lim": (low / 1.3, high * 1.3)})
    lined.set_ticks(*zip(*log_ticks(low / 1.3, high * 1.3), strict=True))
    lined.set_ticks([], minor=True)


def columns_of_legend(names: Iterable[str]) -> int:
    """In how many columns names fit below a figure."""
    longest = max(map(len, names), default=0)
    return next((count for count, most in _COLUMNS if longest <= most), 1)


def add_legend(figure: "Figure", section: Section, look: dict[str, Style], shown: set[str]) -> None:
    """Name the approaches of ``shown`` below the panels, in the suite's order."""
    from matplotlib.lines import Line2D

    handles = []
    for name in (name for name in section.approaches if name in shown):
        style, spans = look[name], section.approaches[name] in ("zero_shot", *REAL)
        marker, line = ("", style.line) if spans else (style.marker, style.line)
        handles.append(Line2D([], [], color=style.colour, marker=marker, linestyle=line, markersize=5, label=name))
    columns = columns_of_legend(shown)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, columnspacing=1.6, handlelength=2.0)


def log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """At most five round numbers between ``low`` and ``high``, with their names, such as ``50`` and ``1 M``."""
    powers = [10.0**exponent for exponent in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    found: list[float] = []
    for digits in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3), (1,)):
        found = [digit * power for power in powers for digit in digits if low <= digit * power <= high]
        if len(found) <= 5:
            break
    return [(tick, wording.short(tick)) for tick in found[:: math.ceil(len(found) / 5) or 1] or [math.sqrt(low * high)]]
