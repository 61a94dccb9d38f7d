"""Learning curves of both sides laid over each other: the earlier side's dashed, the later one's solid."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from bench.comparison.sides import Side
from bench.report import curves, plots
from bench.report.plots import canvas
from bench.report.plots.canvas import Style
from bench.report.plots.training_curves import over_steps

_FIGURES, _APPROACHES = 8, 5  # of a page, and of a figure: more lines than that nobody can tell apart

Records = list[dict[str, Any]]
Domain = tuple[str, str, str]
"""Model, target, and quality of the data."""


class Overlay(NamedTuple):
    """A figure.

    Attributes:
        title: model and target.
        svg: the figure.
        left_out: how many approaches have curves on both sides, and no room in it.
    """

    title: str
    svg: bytes
    left_out: int


def draw(base: Side, new: Side, changed: Iterable[tuple[Any, ...]]) -> tuple[list[Overlay], int]:
    """Validation losses of what both runs trained, a figure for each model and target; and how many more of these.

    Args:
        base, new: the earlier and the later side.
        changed: places (:data:`bench.comparison.pairing.PLACE`) in which something became better or worse: their
            approaches are shown, and where there are none any.
    """
    trained = [_trained(side) for side in (base, new)]
    names: dict[Domain, dict[str, None]] = {}
    for model, target, approach, quality, _ in changed:
        names.setdefault((model, target, quality), {})[approach] = None
    for domain, approaches in trained[1].items():
        names.setdefault(domain, dict.fromkeys(approaches))
    both = {
        domain: [name for name in known if all(name in side.get(domain, {}) for side in trained)]
        for domain, known in names.items()
    }
    domains = [domain for domain, known in both.items() if known]
    figures = []
    for domain in domains[:_FIGURES]:
        shown = both[domain][:_APPROACHES]
        records = [[record for name in shown for record in side[domain][name]] for side in trained]
        if svg := _figure(base, new, records, shown):
            title = f"{domain[0]} → {domain[1]}" + (f" · {domain[2]}" if domain[2] != "clean" else "")
            figures.append(Overlay(title, svg, len(both[domain]) - len(shown)))
    return figures, max(0, len(domains) - _FIGURES)


def _trained(side: Side) -> dict[Domain, dict[str, Records]]:
    """Domain to approach to the records of what was trained there."""
    found: dict[Domain, dict[str, Records]] = {}
    for record in side.found.records if side.found else ():
        if record["happened"]["status"] == "ok" and curves.chosen_trial(record) is not None:
            asked = record["asked"]
            domain = asked["model"], asked["target"], asked.get("data_quality", "clean")
            found.setdefault(domain, {}).setdefault(asked["approach"], []).append(record)
    return found


def _figure(base: Side, new: Side, records: list[Records], names: list[str]) -> bytes | None:
    """An SVG of the curves of some approaches; None where a side has none of them."""
    from matplotlib import rc_context
    from matplotlib.lines import Line2D

    sides = zip((base.found, new.found), records, strict=True)
    known = [curves.pooled(curves.read_tracks(run, mine)) if run else {} for run, mine in sides]
    sizes = canvas.panel_sizes(sorted({size for _, size in known[0].keys() & known[1].keys()})) if all(known) else []
    if not sizes:
        return None
    look = [
        {name: Style(canvas.COLOURS[place], marker, line) for place, name in enumerate(names)}
        for marker, line in (("", "--"), (".", "-"))
    ]
    drawn = [(name, of, style[name]) for name in names for of, style in zip(known, look, strict=True)]
    panels = {size: [(of[name, size], style) for name, of, style in drawn if (name, size) in of] for size in sizes}
    with rc_context(canvas.RC):
        figure = over_steps(panels)
        handles = [Line2D([], [], color=look[1][name].colour, label=name) for name in names]
        for style, label in zip(look, ("before", "now"), strict=True):
            line = next(iter(style.values()))
            handles.append(Line2D([], [], color="#666666", linestyle=line.line, marker=line.marker, label=label))
        columns = canvas.columns_of_legend([*names, "before"])
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, columnspacing=1.6, handlelength=2.4)
        return plots.rendered(figure)["svg"]
