"""Tables, plots and a page, made from results alone: nothing here imports torch."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bench.report.sections import Section
    from bench.results import runs


class Built(NamedTuple):
    """A report that was made, and what it was made from, for who goes on to show it.

    Attributes:
        page: the path of ``index.html``.
        run: as it was read.
        sections: what the page says, part by part.
    """

    page: Path
    run: "runs.Found"
    sections: "list[Section]"


def build(
    folder: Path, reports: Path, tell: Callable[[str], object] | None = None, *, baseline: str | None = None
) -> Built:
    """Make the report of a run: the same bytes from the same results.

    Writes ``index.html``, where there are several models or targets ``across.html`` and ``across.csv`` (one row per
    data size and approach), ``table.csv`` (one row per model, target, data quality, metric, approach and data size),
    ``pairs.csv`` (every approach against every other by the metric that ranks, over seeds and, where they are known,
    test items), where from_scratch has two data sizes ``worth.csv`` (what approaches are worth), and ``plots/*.svg``
    and ``*.png`` into ``reports/<suite>/<run>``.

    Args:
        folder: a run's, which holds ``run.json``.
        reports: where reports land.
        tell: is given a line for each damaged file; the page says so in any case.
        baseline: an approach or a control of the run that all others are held against, too.

    Raises:
        ResultsError: where there is no run, nothing in it, or no approach of the baseline's name.
    """
    from bench.errors import ResultsError
    from bench.report import across, aggregate, curves, items, page, plots, sections, worth
    from bench.results import files, runs, tidy
    from bench.words import cut

    run = runs.read(folder)
    if not (records := run.records):
        raise ResultsError(f"{folder}: no cell has finished; run the suite first")
    info = run.info
    frame = aggregate.in_every_quality(tidy.table(records))
    if baseline is not None and baseline not in (names := list(frame["approach"].unique())):
        raise ResultsError(
            f"{folder}: baseline {cut(baseline, 60)!r} is no approach of this run; it has {', '.join(names)}"
        )
    over_items = items.of_run(run)
    summary = aggregate.summarise(frame, baseline=baseline, items=over_items)
    into = reports / str(info["suite"]) / str(info["run"])
    found = sections.split(frame, summary, info["primary"])
    look, parts, rows, worths = plots.styles(found), [], aggregate.spread(frame), []
    for index, section in enumerate(found, start=1):
        mine = [record for record in records if sections.holds(section, record)]
        tracks = curves.read_tracks(run, mine)
        drawn = plots.draw(section, curves.pooled(tracks), look)
        worths.append(worth.find(section, rows, tracks))
        stem = f"{index}-{_slug(section.title.replace(' → ', '-'))}"
        _write_figures(into, stem, drawn)
        parts.append(page.part(run, section, mine, drawn, worths[-1]))
    ranked = across.rankings(found, frame)
    html = page.render(run, parts, across=bool(ranked), baseline=baseline)
    if ranked:
        figures = [plots.draw_across(ranking, look) for ranking in ranked]
        for ranking, drawn in zip(ranked, figures, strict=True):
            _write_figures(into, f"across-{ranking.size}", drawn)
        files.write_atomically(into / "across.html", _writer(across.render(info, ranked, figures).encode()))
        files.write_atomically(into / "across.csv", _writer(across.table(ranked).encode()))
    unasked = [name for name in aggregate.AGAINST_BASELINE if baseline is None]
    table = summary.drop(columns=["spans", *unasked]).to_csv(index=False, lineterminator="\n")
    files.write_atomically(into / "table.csv", _writer(table.encode()))
    if known := [one for one in worths if one]:
        files.write_atomically(into / "worth.csv", _writer(worth.csv(known).encode()))
    by = {(section.model, section.target, section.data_quality): section.primary for section in found}
    pairs = aggregate.pairs(frame, by, over_items).to_csv(index=False, lineterminator="\n", float_format="%.6g")
    files.write_atomically(into / "pairs.csv", _writer(pairs.encode()))
    files.write_atomically(into / "index.html", _writer(html.encode()))
    if tell:
        for line in run.told():
            tell(line)
    return Built(into / "index.html", run, found)


def _write_figures(into: Path, stem: str, drawn: dict[str, dict[str, bytes]]) -> None:
    from bench.results import files

    for name, formats in drawn.items():
        for kind, content in formats.items():
            files.write_atomically(into / "plots" / f"{stem}-{name}.{kind}", _writer(content))


def _writer(content: bytes) -> Callable[[Path], int]:
    return lambda path: path.write_bytes(content)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
