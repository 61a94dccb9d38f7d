"""A suite's history as people read it: lines, a page with trends, and every figure as CSV."""

from pathlib import Path

from bench.comparison import appearances, told, trends
from bench.comparison.history import History, Night, Point
from bench.report import page, samples, wording
from bench.statistics.change_points import FEWEST
from bench.words import counted, few

_FACTS = 12  # that are named of a run
_LINES = 30


def line(history: History, point: Point) -> str:
    """``lora, 256 examples: perplexity 159.9 → 170 (+6.3 %), worse``."""
    one = told.records(history.rows.iloc[[point.row]])[0]
    share = f" ({100 * (point.after / point.before - 1):+.2g} %)".replace("-", "−") if point.before else ""
    values = " → ".join(told.number(value, one["unit"]) for value in (point.before, point.after))
    figures = f"{values}{share}".replace(" ", "\N{NO-BREAK SPACE}")  # stays in one line
    verdict = "worse" if point.is_worse else "better"
    return f"{told.title(one)}, {told.place(one)}: {one['metric']} {figures}, {verdict}"


def by_night(history: History) -> list[tuple[int, list[str], list[str]]]:
    """Runs in which figures changed, began or ended, the latest first: index, what is other than in the run before, and
    the figures."""
    found, bounds = [], appearances.appearances(history)
    nights = {point.night for point in history.points} | {one.night for one in bounds}
    for night in sorted(nights, reverse=True):
        facts = [told.fact(change) for change in history.changed(night)]
        lines = [line(history, point) for point in history.points if point.night == night]
        lines += [appearances.line(one) for one in bounds if one.night == night]
        found.append((night, few(facts, _FACTS), few(lines, _LINES)))
    return found


def ends(night: Night) -> str:
    """``100 ok, 2 failed``; ``not finished``."""
    named = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in night.ends.items())
    return named or "not finished"


def render(history: History, suite: str, metrics: list[str], nights: list[tuple[int, list[str], list[str]]]) -> str:
    """The page, with a figure of each of the metrics for each model and target; ``nights`` are of :func:`by_night`."""
    figures = []
    rows_of: dict[str, list[int]] = {}
    for place, one in enumerate(told.records(history.rows)):
        rows_of.setdefault(f"{told.title(one)}: {one['metric']}", []).append(place)
    for pair in dict.fromkeys(title.rpartition(": ")[0] for title in rows_of):
        for metric in metrics:
            if rows := rows_of.get(title := f"{pair}: {metric}"):
                figures.append((title, samples.data_address(trends.draw(history, rows, title), "image/svg+xml")))
    return (
        page.environment(Path(__file__).parent)
        .get_template("history.html.jinja")
        .render(
            history=history,
            suite=suite,
            nights=nights,
            figures=figures,
            ends=ends,
            fewest=FEWEST,
            counted=counted,
            words=wording,
        )
    )


def shown_metrics(history: History) -> list[str]:
    """Metrics that the page shows: what ranks approaches, how long training takes, and what changed."""
    ranking = [name for night in history.nights for name in night.side.info.get("primary", {}).values()]
    changed = [str(history.rows["metric"].iloc[point.row]) for point in history.points]
    return list(dict.fromkeys([*ranking, "tuning_seconds", *changed]))


def table(history: History) -> str:
    """Every figure of every run: a row each."""
    columns = {str(place): history.values[:, place] for place in range(len(history.nights))}
    wide = history.rows.assign(**columns)
    names = {str(place): night.side.path.name for place, night in enumerate(history.nights)}
    csv: str = wide.rename(columns=names).to_csv(index=False, lineterminator="\n", float_format="%.6g")
    return csv
