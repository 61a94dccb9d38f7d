"""``reports/index.html``: every suite and every run that has results or a report, newest first, with its verdict.

Made from ``run.json`` and ``verdict.json`` of each run, and from which pages there are; no record is read.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from bench.comparison import baselines
from bench.report import page, wording
from bench.report.circumstances import machine
from bench.results import files, runs
from bench.words import counted

NAME = "index.html"
_MARK = '<meta name="generator" content="transferbench">'
_OPEN = 30  # runs of a suite that are shown before somebody asks for more


class Run(NamedTuple):
    """A line of the list.

    Attributes:
        name: of the run.
        page: its report's address from the list; empty where there is none.
        across: the address of the page across models and targets; empty where there is none.
        began: when it was started, as it says; empty where that is not known.
        cells: how they ended, in words.
        machine: in words.
        verdict, verdict_words: ``ok``, ``regression`` or empty, and what is said of it.
    """

    name: str
    page: str
    across: str
    began: str
    cells: str
    machine: str
    verdict: str
    verdict_words: str


class Suite(NamedTuple):
    """A part of the list: a suite with its runs, newest first, and the address of its history where there is one."""

    name: str
    history: str
    runs: list[Run]


def results_of(run: Path) -> Path | None:
    """The folder of results that a run lies in; None where it lies alone."""
    here = run.resolve()
    return run.parent.parent if runs.read_info(here)[0]["suite"] == here.parent.name else None


def renew(reports: Path, results: Path | None) -> list[str]:
    """Write the list of what lies in a folder of reports, where there is one, and in folders of results.

    Args:
        reports: its place.
        results: what was worked on; it comes beside the folder ``results`` that lies beside the reports.

    Returns:
        Lines for the user: where ``reports/index.html`` is none of ours, it stays as it is.
    """
    path = reports / NAME
    if not reports.is_dir():
        return []
    if path.exists() and _MARK not in _beginning(path):
        return [f"{path}: not made by transferbench, so it stays as it is; the list of runs is not renewed"]
    folders = dict.fromkeys(one.resolve() for one in (reports.resolve().parent / "results", results) if one)
    text = render(reports, [found.parent for folder in folders for found in folder.glob("*/*/run.json")])
    files.write_atomically(path, lambda partial: partial.write_text(text, encoding="utf-8"))
    return []


def render(reports: Path, found: Iterable[Path]) -> str:
    """The page; ``found`` are folders of runs, and of two with one name the later one is listed."""
    suites: dict[str, dict[str, Run]] = {}
    for folder in found:
        info, wrong = runs.read_info(folder)
        suite, name = str(info["suite"]), str(info["run"])
        suites.setdefault(suite, {})[name] = _run(reports, folder, info, wrong)
    for path in reports.glob(f"*/*/{NAME}"):
        suite, name = path.parent.parent.name, path.parent.name
        suites.setdefault(suite, {}).setdefault(name, _gone(reports, suite, name))
    for path in reports.glob("*/history.html"):
        suites.setdefault(path.parent.name, {})
    listed = [
        Suite(
            name,
            _address(reports, name, "history.html"),
            sorted(of.values(), key=lambda one: (one.began, one.name), reverse=True),
        )
        for name, of in suites.items()
    ]
    listed.sort(key=lambda suite: suite.name)
    listed.sort(key=lambda suite: max((one.began for one in suite.runs), default=""), reverse=True)
    return (
        page.environment(Path(__file__).parent)
        .get_template("overview.html.jinja")
        .render(suites=listed, counted=counted, moment=wording.moment, most=_OPEN)
    )


def _run(reports: Path, folder: Path, info: dict[str, Any], wrong: list[str]) -> Run:
    suite, name = str(info["suite"]), str(info["run"])
    ended = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in info["ends"].items())
    cells = ended or counted(len(info["cells"]), "cell")
    verdict, words = baselines.verdict(folder, info), "not compared"
    if wrong:
        words = "damaged"
    elif info.get("imported"):
        words = "imported"
    elif not info["finished"]:
        words = "not finished"
    elif verdict:
        words = _said(baselines.kept(folder, info))
    return Run(
        name,
        _address(reports, suite, name, NAME),
        _address(reports, suite, name, "across.html"),
        info["started"] or "",
        cells,
        machine(info["environment"].get("machine") or {}, info["environment"].get("accelerator")),
        "" if wrong else verdict,
        words,
    )


def _gone(reports: Path, suite: str, name: str) -> Run:
    """A report whose results do not lie here."""
    first, across = (_address(reports, suite, name, one) for one in (NAME, "across.html"))
    return Run(name, first, across, "", "its results are not here", "", "", "")


def _said(kept: dict[str, Any]) -> str:
    """``regression: 2 worse, 1 better, against reference``; ``could not be compared, against reference``."""
    counts = kept.get("counts")
    counts = counts if isinstance(counts, dict) else {}
    told = [f"{counts[name]} {name}" for name in ("worse", "better") if counts.get(name)]
    against = kept.get("against")
    head = "regression" if kept.get("regression") else "no regression"
    head = baselines.UNUSABLE if "unusable" in kept else head
    return f"{head}{': ' * bool(told)}{', '.join(told)}{f', against {against}' if isinstance(against, str) else ''}"


def _address(reports: Path, *parts: str) -> str:
    """Of a page, from the list; empty where there is no such page."""
    return "/".join(quote(part) for part in parts) if reports.joinpath(*parts).is_file() else ""


def _beginning(path: Path) -> str:
    try:
        with files.regular(path).open(encoding="utf-8", errors="replace") as file:
            return file.read(1000)
    except (OSError, ValueError):
        return ""
