"""Tables, plots and a page, made from results alone: nothing here imports torch."""

import re
from collections.abc import Callable
from pathlib import Path


def build(run: Path, reports: Path) -> Path:
    """Make the report of a run: the same bytes from the same results.

    Writes ``index.html``, where there are several models or targets ``across.html``, ``table.csv`` (one row per
    model, target, data quality, metric, approach and data size) and ``plots/*.svg`` and ``*.png`` into
    ``reports/<suite>/<run>``.

    Args:
        run: a run's folder, which holds ``run.json``.
        reports: where reports land.

    Returns:
        The path of ``index.html``. Raises :class:`bench.errors.ResultsError` where there is no run, or nothing in it.
    """
    from bench import results
    from bench.errors import ResultsError
    from bench.report import across, aggregate, curves, page, plots, sections

    records = results.records(run)
    if not records:
        raise ResultsError(f"{run}: no cell has finished; run the suite first")
    info = results.read_json(run / "run.json")
    frame = aggregate.in_every_quality(results.table(records))
    summary = aggregate.summarise(frame)
    for name in (info["suite"], info["run"]):
        if Path(str(name)).name != str(name) or str(name) in ("", ".", ".."):
            raise ResultsError(f"{run / 'run.json'}: {name!r} is no name of a suite or a run; mend the file")
    folder = reports / str(info["suite"]) / str(info["run"])
    found = sections.split(frame, summary, info["primary"])
    look, parts = plots.styles(found), []
    for index, section in enumerate(found, start=1):
        mine = [record for record in records if sections.holds(section, record)]
        drawn = plots.draw(section, curves.read_curves(run, mine), look)
        stem = f"{index}-{_slug(section.title.replace(' → ', '-'))}"
        for name, formats in drawn.items():
            for kind, content in formats.items():
                results.write_atomically(folder / "plots" / f"{stem}-{name}.{kind}", _writer(content))
        parts.append(page.part(run, section, mine, drawn))
    ranked = across.rankings(found, frame)
    html = page.render(info, records, parts, across=bool(ranked))
    if ranked:
        results.write_atomically(folder / "across.html", _writer(across.render(info, ranked).encode()))
    table = summary.drop(columns="spans").to_csv(index=False, lineterminator="\n")
    results.write_atomically(folder / "table.csv", _writer(table.encode()))
    results.write_atomically(folder / "index.html", _writer(html.encode()))
    return folder / "index.html"


def _writer(content: bytes) -> Callable[[Path], int]:
    return lambda path: path.write_bytes(content)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
